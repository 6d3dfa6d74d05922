//! The groups whose members are administrators or viewers.

use std::sync::Arc;

use jiff::Timestamp;
use parking_lot::RwLock;

use crate::domain::{ChatId, GroupRoles, ListedMember, OpenId, Role};

/// The groups that give roles, with their members as last read. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct RoleGroups {
    admins: Option<ChatId>,
    viewers: Option<ChatId>,
    known: Arc<RwLock<GroupRoles>>,
}

impl RoleGroups {
    /// `known` is what was stored when the groups were last read.
    pub fn new(admins: Option<ChatId>, viewers: Option<ChatId>, known: GroupRoles) -> Self {
        Self { admins, viewers, known: Arc::new(RwLock::new(known)) }
    }

    /// Returns the groups to read.
    pub fn groups(&self) -> Vec<ChatId> {
        self.admins.iter().chain(&self.viewers).cloned().collect()
    }

    /// Returns the role that the groups give a person.
    pub fn role(&self, person: &OpenId, now: Timestamp) -> Role {
        let known = self.known.read();
        let is_in = |group: &Option<ChatId>| {
            group.as_ref().is_some_and(|group| known.has(group, person, now))
        };
        if is_in(&self.admins) {
            Role::Admin
        } else if is_in(&self.viewers) {
            Role::Viewer
        } else {
            Role::Stranger
        }
    }

    /// Returns the administrators by group.
    pub fn admins(&self, now: Timestamp) -> Vec<OpenId> {
        let known = self.known.read();
        self.admins.iter().flat_map(|group| known.members(group, now)).cloned().collect()
    }

    /// Returns everybody with a role by group.
    pub fn people(&self, now: Timestamp) -> Vec<OpenId> {
        let known = self.known.read();
        self.groups().iter().flat_map(|group| known.members(group, now)).cloned().collect()
    }

    /// Takes over a complete reading of a group. Returns what is known of all of them, to be stored.
    pub fn take(&self, group: ChatId, members: Vec<ListedMember>, at: Timestamp) -> GroupRoles {
        let mut known = self.known.write();
        known.take(group, members, at);
        known.clone()
    }

    /// Forgets a group that is gone for good: its members have no role any more.
    pub fn forget(&self, group: &ChatId) -> GroupRoles {
        let mut known = self.known.write();
        known.forget(group);
        known.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_is_in_both_groups_is_an_administrator() {
        let id = |text: &str| OpenId::new(text).unwrap();
        let group = |text: &str| ChatId::new(text).unwrap();
        let member = |text: &str| ListedMember { person: id(text), tenant: "t".to_owned() };
        let at = Timestamp::UNIX_EPOCH;
        let groups =
            RoleGroups::new(Some(group("oc_a")), Some(group("oc_v")), GroupRoles::default());
        assert_eq!(groups.role(&id("ou_a"), at), Role::Stranger);
        groups.take(group("oc_a"), vec![member("ou_a")], at);
        groups.take(group("oc_v"), vec![member("ou_a"), member("ou_v")], at);
        assert_eq!(groups.role(&id("ou_a"), at), Role::Admin);
        assert_eq!(groups.role(&id("ou_v"), at), Role::Viewer);
        assert_eq!(groups.admins(at), [id("ou_a")]);
        groups.forget(&group("oc_a"));
        assert_eq!(groups.role(&id("ou_a"), at), Role::Viewer);
    }
}
