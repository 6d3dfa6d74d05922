//! Who may do what, by open_id.

use std::collections::BTreeSet;

use crate::app::group_roles::RoleGroups;
use crate::clock::Clock;
use crate::domain::{ChatId, Needs, OpenId, Role};

/// The people of the configuration, and those of the groups that give roles.
#[derive(Clone, Debug)]
pub struct Roles {
    admins: BTreeSet<OpenId>,
    viewers: BTreeSet<OpenId>,
    groups: RoleGroups,
    clock: Clock,
}

impl Roles {
    /// Administrators and viewers. Somebody on both lists is an administrator.
    pub fn new(
        admins: impl IntoIterator<Item = OpenId>,
        viewers: impl IntoIterator<Item = OpenId>,
        groups: RoleGroups,
        clock: Clock,
    ) -> Self {
        let (admins, viewers) = (admins.into_iter().collect(), viewers.into_iter().collect());
        Self { admins, viewers, groups, clock }
    }

    /// A person's role.
    pub fn of(&self, person: &OpenId) -> Role {
        let by_group = self.groups.role(person, self.clock.now());
        if self.admins.contains(person) || by_group == Role::Admin {
            Role::Admin
        } else if self.viewers.contains(person) {
            Role::Viewer
        } else {
            by_group
        }
    }

    /// Returns the role for which a card is rendered after a press. A group shares its cards: a viewer's press must not take the
    /// buttons away from administrators, so that there cards are as an administrator sees them, except in the viewers' group.
    /// What a button does is checked by who presses it.
    pub fn of_card(&self, presser: Role, group: Option<&ChatId>) -> Role {
        match (presser, group) {
            (Role::Viewer, Some(group)) if !self.groups.is_of_viewers(group) => Role::Admin,
            (presser, _) => presser,
        }
    }

    /// Everyone who has a role.
    pub fn people(&self) -> Vec<OpenId> {
        let mut people: BTreeSet<OpenId> = self.admins.union(&self.viewers).cloned().collect();
        people.extend(self.groups.people(self.clock.now()));
        people.into_iter().collect()
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
        let (groups, clock) = (RoleGroups::default(), Clock::system());
        let roles = Roles::new([id("ou_a")], [id("ou_a"), id("ou_v")], groups, clock);
        assert_eq!(roles.of(&id("ou_a")), Role::Admin);
        assert_eq!(roles.of(&id("ou_v")), Role::Viewer);
        assert_eq!(roles.of(&id("ou_x")), Role::Stranger);
        let (group, viewers) = ("oc_g".parse().unwrap(), "oc_v".parse().unwrap());
        let groups = RoleGroups::new(None, Some("oc_v".parse().unwrap()), Default::default(), None);
        let in_groups = Roles::new([], [], groups, Clock::system());
        assert_eq!(in_groups.of_card(Role::Viewer, Some(&group)), Role::Admin);
        assert_eq!(in_groups.of_card(Role::Viewer, Some(&viewers)), Role::Viewer);
        assert_eq!(in_groups.of_card(Role::Viewer, None), Role::Viewer);
        assert_eq!(in_groups.of_card(Role::Stranger, Some(&group)), Role::Stranger);
        assert!(Allowed::check(Role::Viewer, Needs::Viewer).is_some());
        assert!(Allowed::check(Role::Viewer, Needs::Admin).is_none());
    }
}
