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
    /// The app's own tenant, once an event or a message has said it.
    tenant: Arc<RwLock<Option<String>>>,
}

impl RoleGroups {
    /// `known` is what was stored when the groups were last read, `tenant` the app's own one.
    pub fn new(
        admins: Option<ChatId>,
        viewers: Option<ChatId>,
        known: GroupRoles,
        tenant: Option<String>,
    ) -> Self {
        let (known, tenant) = (Arc::new(RwLock::new(known)), Arc::new(RwLock::new(tenant)));
        Self { admins, viewers, known, tenant }
    }

    /// Learns the app's own tenant. Members of groups have their roles from then on. Returns whether it was not known.
    pub fn learn_tenant(&self, tenant: &str) -> bool {
        if tenant.is_empty() || self.tenant.read().is_some() {
            return false;
        }
        self.tenant.write().get_or_insert_with(|| tenant.to_owned()).as_str() == tenant
    }

    /// Returns whether a group gives no roles because its members are not known to belong to the app's own tenant.
    pub fn is_foreign(&self, group: &ChatId) -> bool {
        let tenant = self.tenant.read();
        self.known.read().is_foreign(group, tenant.as_deref())
    }

    /// Returns whether this group gives roles.
    pub fn gives_roles(&self, group: &ChatId) -> bool {
        [&self.admins, &self.viewers].into_iter().flatten().any(|known| known == group)
    }

    /// Returns whether this is the group whose members are viewers.
    pub fn is_of_viewers(&self, group: &ChatId) -> bool {
        self.viewers.as_ref() == Some(group)
    }

    /// Returns the groups to read.
    pub fn groups(&self) -> Vec<ChatId> {
        self.admins.iter().chain(&self.viewers).cloned().collect()
    }

    /// Returns the role that the groups give a person.
    pub fn role(&self, person: &OpenId, now: Timestamp) -> Role {
        let (known, tenant) = (self.known.read(), self.tenant.read());
        let is_in = |group: &Option<ChatId>| {
            group.as_ref().is_some_and(|group| known.has(group, person, tenant.as_deref(), now))
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
        let (known, tenant) = (self.known.read(), self.tenant.read());
        let members = |group| known.members(group, tenant.as_deref(), now);
        self.admins.iter().flat_map(members).cloned().collect()
    }

    /// Returns everybody with a role by group.
    pub fn people(&self, now: Timestamp) -> Vec<OpenId> {
        let (known, tenant) = (self.known.read(), self.tenant.read());
        let members = |group| known.members(group, tenant.as_deref(), now);
        self.groups().iter().flat_map(members).cloned().collect()
    }

    /// Takes over a complete reading of a group. Returns what is known of all of them, to be stored.
    pub fn take(&self, group: ChatId, members: Vec<ListedMember>, at: Timestamp) -> GroupRoles {
        let mut known = self.known.write();
        known.take(group, members, at);
        known.clone()
    }

    /// Takes people out of a group that they have left. Returns what is known of all groups, to be stored, if that changes
    /// anything.
    pub fn remove(&self, group: &ChatId, people: &[OpenId]) -> Option<GroupRoles> {
        let mut known = self.known.write();
        known.remove(group, people).then(|| known.clone())
    }

    /// Takes a person who has left the company out of every group.
    pub fn remove_everywhere(&self, person: &OpenId) -> Option<GroupRoles> {
        let mut known = self.known.write();
        known.remove_everywhere(person).then(|| known.clone())
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
            RoleGroups::new(Some(group("oc_a")), Some(group("oc_v")), GroupRoles::default(), None);
        assert_eq!(groups.role(&id("ou_a"), at), Role::Stranger);
        groups.take(group("oc_a"), vec![member("ou_a")], at);
        groups.take(group("oc_v"), vec![member("ou_a"), member("ou_v")], at);
        assert_eq!(groups.role(&id("ou_a"), at), Role::Stranger, "the own tenant is not known");
        assert!(groups.learn_tenant("t") && !groups.learn_tenant("t"));
        assert!(!groups.learn_tenant("other"), "the first one stays");
        assert_eq!(groups.role(&id("ou_a"), at), Role::Admin);
        assert_eq!(groups.role(&id("ou_v"), at), Role::Viewer);
        assert_eq!(groups.admins(at), [id("ou_a")]);
        groups.forget(&group("oc_a"));
        assert_eq!(groups.role(&id("ou_a"), at), Role::Viewer);
    }
}
