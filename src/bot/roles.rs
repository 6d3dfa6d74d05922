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
    /// Administrators and viewers; who is both is an administrator.
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

    /// Everybody who has a role.
    pub fn people(&self) -> Vec<OpenId> {
        self.admins.union(&self.viewers).cloned().collect()
    }
}

/// Proof that a person's role was looked at and allows what follows.
#[derive(Clone, Copy, Debug)]
pub struct Allowed {
    role: Role,
}

impl Allowed {
    /// The proof, where `role` allows `needs`.
    pub fn check(role: Role, needs: Needs) -> Option<Self> {
        role.meets(needs).then_some(Self { role })
    }

    /// The role that was looked at.
    pub fn role(self) -> Role {
        self.role
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_and_what_they_may() {
        let id = |text: &str| OpenId::new(text).unwrap();
        let roles = Roles::new([id("ou_a")], [id("ou_a"), id("ou_v")]);
        assert_eq!(roles.of(&id("ou_a")), Role::Admin);
        assert_eq!(roles.of(&id("ou_v")), Role::Viewer);
        assert_eq!(roles.of(&id("ou_x")), Role::Stranger);
        for (role, anyone, viewer, admin) in [
            (Role::Admin, true, true, true),
            (Role::Viewer, true, true, false),
            (Role::Stranger, true, false, false),
        ] {
            assert_eq!(Allowed::check(role, Needs::Anyone).is_some(), anyone);
            assert_eq!(Allowed::check(role, Needs::Viewer).is_some(), viewer);
            assert_eq!(Allowed::check(role, Needs::Admin).is_some(), admin);
        }
    }
}
