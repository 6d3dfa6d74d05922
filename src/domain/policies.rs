//! IAM policies of users: those that airgate grants with linked projects, and the scope of a policy.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{ProjectName, Report, UserKey};

/// The name of the policy that cuts access. If a policy of this name is not airgate's, a number follows
/// (docs/behaviour.md §5).
pub const DENY_ALL_POLICY: &str = "airgate-deny-all";

/// Who created the policy (`PolicyType`).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PolicyKind {
    /// The vendor's own.
    System,
    /// Created in the account.
    Custom,
    /// A type that is not known, as the API wrote it.
    Other(String),
}

impl PolicyKind {
    /// Returns the kind as the API writes it ("AttachUserPolicy").
    pub fn as_str(&self) -> &str {
        match self {
            PolicyKind::System => "System",
            PolicyKind::Custom => "Custom",
            PolicyKind::Other(kind) => kind,
        }
    }
}

/// The scope of a policy.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "scope", content = "project")]
pub enum PolicyScope {
    /// In the whole account.
    Global,
    /// Within one project.
    Project(ProjectName),
}

impl PolicyScope {
    /// Returns the project; `None` if it is the whole account.
    pub fn project(&self) -> Option<&ProjectName> {
        match self {
            PolicyScope::Global => None,
            PolicyScope::Project(project) => Some(project),
        }
    }
}

/// The policies that a user is granted with linked projects (`[access]`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LinkPolicies {
    /// Within each linked project (`access.project_policies`).
    pub project: Vec<String>,
    /// In the whole account while any project is linked (`access.global_policies`).
    pub global: Vec<String>,
}

/// A policy attached to a user, in one scope.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct HeldPolicy {
    /// `PolicyName`.
    pub name: String,
    /// Who made the policy.
    pub kind: PolicyKind,
    /// Its scope.
    #[serde(flatten)]
    pub scope: PolicyScope,
}

/// The state of one policy that is granted with a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GrantState {
    /// To be attached; no call was made yet.
    Owed,
    /// Being attached: the cloud may have attached it already. Committed before the first call.
    Attaching,
    /// Attached, by airgate.
    Attached,
    /// The user held it before, in this scope or in the whole account, so airgate never detaches it.
    Held,
    /// To be detached, because airgate attached it.
    Detaching,
}

/// One policy that is granted with a link.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    /// `PolicyName`.
    pub policy: String,
    /// Who created the policy, once that is known.
    #[serde(default)]
    pub kind: Option<PolicyKind>,
    /// Its state.
    pub state: GrantState,
    /// Why the last attempt failed, in the cloud's words.
    #[serde(default)]
    pub error: Option<String>,
}

impl Grant {
    /// Returns whether it still needs a call to the cloud.
    pub fn is_owed(&self) -> bool {
        matches!(self.state, GrantState::Owed | GrantState::Attaching | GrantState::Detaching)
    }

    /// Returns whether airgate attached it, or may have attached it.
    pub fn may_be_ours(&self) -> bool {
        !matches!(self.state, GrantState::Owed | GrantState::Held)
    }
}

/// The policies that airgate attached, or has yet to attach or detach, in one scope of a user.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Authorisation {
    /// The user.
    pub user: UserKey,
    /// Where they are attached. Stored as the project's name; null is the whole account.
    #[serde(rename = "project", with = "as_project")]
    pub scope: PolicyScope,
    /// One per policy.
    pub grants: Vec<Grant>,
    /// When the current work became pending.
    pub since: Timestamp,
    /// How many attempts were made.
    #[serde(default)]
    pub attempts: u32,
    /// When the next attempt is due.
    pub next_at: Timestamp,
    /// The projects card to update after the first attempt.
    #[serde(default)]
    pub report: Option<Report>,
}

impl Authorisation {
    /// Creates an authorisation without policies.
    pub fn new(user: UserKey, scope: PolicyScope, now: Timestamp) -> Self {
        let grants = Vec::new();
        Self { user, scope, grants, since: now, attempts: 0, next_at: now, report: None }
    }

    /// Returns whether any policy still needs a call to the cloud.
    pub fn is_owed(&self) -> bool {
        self.grants.iter().any(Grant::is_owed)
    }

    /// Marks `policies` as to be attached, because a project is linked.
    pub fn want(&mut self, policies: &[String]) {
        for policy in policies {
            match self.grants.iter_mut().find(|grant| grant.policy == *policy) {
                Some(grant) => {
                    grant.state = match grant.state {
                        GrantState::Held | GrantState::Owed => GrantState::Owed,
                        GrantState::Detaching | GrantState::Attaching => GrantState::Attaching,
                        GrantState::Attached => GrantState::Attached,
                    };
                    grant.error = None;
                }
                None => self.grants.push(Grant {
                    policy: policy.clone(),
                    kind: None,
                    state: GrantState::Owed,
                    error: None,
                }),
            }
        }
    }

    /// Marks the policies that airgate attached, or may have attached, as to be detached, because the link is removed.
    /// Leaves the others alone.
    pub fn release(&mut self) {
        self.grants.retain(Grant::may_be_ours);
        for grant in &mut self.grants {
            grant.state = GrantState::Detaching;
            grant.error = None;
        }
    }
}

/// Stores a scope as the name of its project.
mod as_project {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use super::{PolicyScope, ProjectName};

    pub(super) fn serialize<S: Serializer>(
        scope: &PolicyScope,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        scope.project().serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<PolicyScope, D::Error> {
        let project = Option::<ProjectName>::deserialize(deserializer)?;
        Ok(project.map_or(PolicyScope::Global, PolicyScope::Project))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn authorisation(grants: &[(&str, GrantState)]) -> Authorisation {
        let now = "2026-11-01T00:00:00Z".parse().unwrap();
        let scope = PolicyScope::Project("team-a".parse().unwrap());
        let mut made = Authorisation::new("main/alice".parse().unwrap(), scope, now);
        made.grants = grants
            .iter()
            .map(|(policy, state)| Grant {
                policy: (*policy).to_owned(),
                kind: None,
                state: *state,
                error: Some("x".to_owned()),
            })
            .collect();
        made
    }

    fn states(authorisation: &Authorisation) -> Vec<(&str, GrantState)> {
        authorisation.grants.iter().map(|grant| (grant.policy.as_str(), grant.state)).collect()
    }

    #[test]
    fn a_removed_link_detaches_exactly_what_airgate_may_have_attached() {
        use GrantState::*;
        let mut all = authorisation(&[
            ("a", Owed),
            ("b", Attaching),
            ("c", Attached),
            ("d", Held),
            ("e", Detaching),
        ]);
        all.release();
        assert_eq!(states(&all), [("b", Detaching), ("c", Detaching), ("e", Detaching)]);
        assert!(all.is_owed());
    }

    #[test]
    fn a_project_linked_again_while_its_policies_are_being_detached_keeps_them() {
        use GrantState::*;
        let mut again = authorisation(&[("a", Detaching), ("b", Held), ("old", Detaching)]);
        again.want(&["a".to_owned(), "b".to_owned(), "c".to_owned()]);
        assert_eq!(
            states(&again),
            [("a", Attaching), ("b", Owed), ("old", Detaching), ("c", Owed)]
        );
    }

    #[test]
    fn a_scope_is_stored_as_its_project() {
        let within = authorisation(&[]);
        let global = Authorisation { scope: PolicyScope::Global, ..within.clone() };
        for (known, stored) in
            [(within, serde_json::json!("team-a")), (global, serde_json::Value::Null)]
        {
            let json = serde_json::to_value(&known).unwrap();
            assert_eq!(json["project"], stored);
            assert_eq!(serde_json::from_value::<Authorisation>(json).unwrap(), known);
        }
    }

    #[test]
    fn a_held_policy_is_serialised_flat() {
        let held = HeldPolicy {
            name: "ArkFullAccess".to_owned(),
            kind: PolicyKind::System,
            scope: PolicyScope::Project("team-a".parse().unwrap()),
        };
        let json = serde_json::to_string(&held).unwrap();
        assert_eq!(
            json,
            r#"{"name":"ArkFullAccess","kind":"system","scope":"project","project":"team-a"}"#
        );
        assert_eq!(serde_json::from_str::<HeldPolicy>(&json).unwrap(), held);
        let global = HeldPolicy { scope: PolicyScope::Global, ..held.clone() };
        let other = HeldPolicy { kind: PolicyKind::Other("ServiceLinked".to_owned()), ..held };
        for held in [global, other] {
            let json = serde_json::to_string(&held).unwrap();
            assert_eq!(serde_json::from_str::<HeldPolicy>(&json).unwrap(), held);
        }
    }
}
