//! Roles from groups: the members of a group are administrators or viewers.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::{ChatId, OpenId};

/// How long the last known members count while the group cannot be read.
pub const COUNT_FOR: SignedDuration = SignedDuration::from_hours(24);

/// The members of a group as they were last read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupMembers {
    /// The members.
    pub people: BTreeSet<OpenId>,
    /// The tenant that all of them belong to; empty if the platform does not say.
    #[serde(default)]
    pub tenant: String,
    /// When the group was last read completely.
    pub read_at: Timestamp,
}

impl GroupMembers {
    /// Returns whether they belong to the app's own tenant. What is not known does not.
    fn is_of(&self, own: Option<&str>) -> bool {
        own.is_some_and(|own| !own.is_empty() && own == self.tenant)
    }
}

/// A member as the platform lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedMember {
    /// Who.
    pub person: OpenId,
    /// The person's tenant; empty if the platform does not say.
    pub tenant: String,
}

/// What is known of the groups that give roles.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct GroupRoles(BTreeMap<ChatId, GroupMembers>);

impl GroupRoles {
    /// Returns the members of a group that count at `now`: none if it was not read within [`COUNT_FOR`], or if they are not
    /// known to belong to the app's own tenant. An `own` that is not known gives nobody a role.
    pub fn members<'a>(
        &'a self,
        group: &ChatId,
        own: Option<&str>,
        now: Timestamp,
    ) -> impl Iterator<Item = &'a OpenId> + use<'a> {
        let known = self.0.get(group).filter(|known| {
            // A reading far in the future was made before the clock was set back.
            now.duration_since(known.read_at).abs() < COUNT_FOR && known.is_of(own)
        });
        known.into_iter().flat_map(|known| &known.people)
    }

    /// Returns whether a person is a member that counts at `now`.
    pub fn has(&self, group: &ChatId, person: &OpenId, own: Option<&str>, now: Timestamp) -> bool {
        self.members(group, own, now).any(|member| member == person)
    }

    /// Returns whether the members of a group belong to another tenant, or to nobody knows which.
    pub fn is_foreign(&self, group: &ChatId, own: Option<&str>) -> bool {
        self.0.get(group).is_some_and(|known| !known.people.is_empty() && !known.is_of(own))
    }

    /// Takes over a complete reading. A group with people of several tenants gives nobody a role: an open_id does not
    /// say whose it is.
    pub fn take(&mut self, group: ChatId, listed: Vec<ListedMember>, read_at: Timestamp) {
        let tenants: BTreeSet<&str> = listed.iter().map(|member| member.tenant.as_str()).collect();
        let tenant = tenants.first().map(|tenant| (*tenant).to_owned()).unwrap_or_default();
        let people = if tenants.len() > 1 {
            BTreeSet::new()
        } else {
            listed.into_iter().map(|member| member.person).collect()
        };
        self.0.insert(group, GroupMembers { people, tenant, read_at });
    }

    /// Takes people out of a group at once: their role ends even if the group cannot be read. Returns whether any was a
    /// member.
    pub fn remove(&mut self, group: &ChatId, people: &[OpenId]) -> bool {
        let Some(known) = self.0.get_mut(group) else { return false };
        let before = known.people.len();
        known.people.retain(|person| !people.contains(person));
        known.people.len() < before
    }

    /// Takes a person out of every group. Returns whether they were in any.
    pub fn remove_everywhere(&mut self, person: &OpenId) -> bool {
        self.0
            .values_mut()
            .map(|known| known.people.remove(person))
            .fold(false, |any, was| any | was)
    }

    /// Forgets a group: it was dissolved, or the bot was removed.
    pub fn forget(&mut self, group: &ChatId) {
        self.0.remove(group);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(hours: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + hours * 3600).unwrap()
    }

    fn id(text: &str) -> OpenId {
        OpenId::new(text).unwrap()
    }

    fn group() -> ChatId {
        ChatId::new("oc_g").unwrap()
    }

    fn member(person: &str, tenant: &str) -> ListedMember {
        ListedMember { person: id(person), tenant: tenant.to_owned() }
    }

    fn known() -> GroupRoles {
        let mut roles = GroupRoles::default();
        roles.take(group(), vec![member("ou_a", "t"), member("ou_b", "t")], at(0));
        roles
    }

    #[test]
    fn the_last_known_members_count_for_a_day() {
        let roles = known();
        assert!(roles.has(&group(), &id("ou_a"), Some("t"), at(23)));
        assert!(!roles.has(&group(), &id("ou_a"), Some("t"), at(24)));
        assert!(!roles.has(&group(), &id("ou_c"), Some("t"), at(0)));
        assert!(!roles.has(&ChatId::new("oc_other").unwrap(), &id("ou_a"), Some("t"), at(0)));
    }

    #[test]
    fn a_group_of_several_tenants_gives_no_roles() {
        let mut roles = known();
        roles.take(group(), vec![member("ou_a", "t"), member("ou_b", "other")], at(1));
        assert!(!roles.has(&group(), &id("ou_a"), Some("t"), at(1)));
    }

    #[test]
    fn only_members_of_the_own_tenant_have_a_role() {
        let mut roles = known();
        for (own, counts) in
            [(Some("t"), true), (Some("other"), false), (Some(""), false), (None, false)]
        {
            assert_eq!(roles.has(&group(), &id("ou_a"), own, at(0)), counts, "{own:?}");
            assert_eq!(roles.is_foreign(&group(), own), !counts, "{own:?}");
        }
        roles.take(group(), vec![member("ou_a", "")], at(1));
        assert!(!roles.has(&group(), &id("ou_a"), Some("t"), at(1)), "the platform does not say");
        assert!(!roles.has(&group(), &id("ou_a"), Some(""), at(1)));
        roles.take(group(), vec![], at(2));
        assert!(!roles.is_foreign(&group(), None), "nobody is in it");
    }

    #[test]
    fn who_leaves_loses_the_role_at_once() {
        let mut roles = known();
        assert!(roles.remove(&group(), &[id("ou_a")]));
        assert!(!roles.remove(&group(), &[id("ou_a")]));
        assert!(!roles.has(&group(), &id("ou_a"), Some("t"), at(0)));
        assert!(roles.remove_everywhere(&id("ou_b")));
        assert!(!roles.has(&group(), &id("ou_b"), Some("t"), at(0)));
    }
}
