//! Who may do what, by open_id.

use std::collections::BTreeSet;

use crate::domain::{Needs, OpenId, Role};

/// The people of the configuration.
#[derive(Clone, Debug, Default)]
pub struct Roles {
    admins: BTreeSet<OpenId>,
    viewers: BTreeSet<OpenId>,
}

impl Roles {
    /// Administrators and viewers. Somebody on both lists is an administrator.
    pub fn new(
        admins: impl IntoIterator<Item = OpenId>,
        viewers: impl IntoIterator<Item = OpenId>,
    ) -> Self {
        Self { admins: admins.into_iter().collect(), viewers: viewers.into_iter().collect() }
    }

    /// A person's role.
    pub fn of(&self, person: &OpenId) -> Role {
        if self.admins.contains(person) {
            Role::Admin
        } else if self.viewers.contains(person) {
            Role::Viewer
        } else {
            Role::Stranger
        }
    }

    /// The administrators.
    pub fn admins(&self) -> Vec<OpenId> {
        self.admins.iter().cloned().collect()
    }

    /// Everyone who has a role.
    pub fn people(&self) -> Vec<OpenId> {
        self.admins.union(&self.viewers).cloned().collect()
    }
}

/// Proof that a person's role was checked and allows what follows.
#[derive(Clone, Copy, Debug)]
pub struct Allowed {
    role: Role,
}

impl Allowed {
    /// Returns the proof, if `role` is sufficient for `needs`.
    pub fn check(role: Role, needs: Needs) -> Option<Self> {
        role.meets(needs).then_some(Self { role })
    }

    /// The checked role.
    pub fn role(self) -> Role {
        self.role
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_person_on_both_lists_is_an_administrator_and_only_a_sufficient_role_is_allowed() {
        let id = |text: &str| OpenId::new(text).unwrap();
        let roles = Roles::new([id("ou_a")], [id("ou_a"), id("ou_v")]);
        assert_eq!(roles.of(&id("ou_a")), Role::Admin);
        assert_eq!(roles.of(&id("ou_v")), Role::Viewer);
        assert_eq!(roles.of(&id("ou_x")), Role::Stranger);
        assert!(Allowed::check(Role::Viewer, Needs::Viewer).is_some());
        assert!(Allowed::check(Role::Viewer, Needs::Admin).is_none());
    }
}
