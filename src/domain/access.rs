//! Cutting and restoring a user's access: what is wanted, and what must be put back.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{HeldPolicy, Operator, Report};

/// The end state that enforcement works towards.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AccessGoal {
    /// No active access key, console login forbidden.
    Cut,
    /// Exactly what was active before the cut is active again.
    Restored,
}

/// Why access changes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "cause")]
pub enum AccessCause {
    /// The monitor found the quota used up. A top-up before the cut is confirmed withdraws it.
    QuotaUsedUp,
    /// A person decided.
    Manual {
        /// Who.
        operator: Operator,
    },
}

/// A change of access that is owed until it is read back as done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PendingAccess {
    /// What is wanted.
    pub goal: AccessGoal,
    /// Why.
    pub cause: AccessCause,
    /// Since when it is owed.
    pub since: Timestamp,
    /// How often it was tried.
    #[serde(default)]
    pub attempts: u32,
    /// When it is tried next.
    pub next_at: Timestamp,
    /// Why the last try failed, in the cloud's words.
    #[serde(default)]
    pub last_error: Option<String>,
    /// Whether the delay was alerted.
    #[serde(default)]
    pub delay_alerted: bool,
    /// The card that shows it as under way, updated at the end.
    #[serde(default)]
    pub report: Option<Report>,
}

impl PendingAccess {
    /// A change that becomes owed at `now`, due at once.
    pub fn new(goal: AccessGoal, cause: AccessCause, now: Timestamp) -> Self {
        Self {
            goal,
            cause,
            since: now,
            attempts: 0,
            next_at: now,
            last_error: None,
            delay_alerted: false,
            report: None,
        }
    }

    /// The same, shown on a card when it is confirmed.
    #[must_use]
    pub fn reporting_to(self, report: Option<Report>) -> Self {
        Self { report, ..self }
    }

    /// Whether this is the change that `other` was read from, however often it was tried since.
    pub fn is_same_change(&self, other: &PendingAccess) -> bool {
        (self.goal, self.since) == (other.goal, other.since)
    }
}

/// What was active when access was cut. Stored before the first write; enabling restores exactly this.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RememberedAccess {
    /// Ids of the access keys that were active.
    #[serde(default)]
    pub active_keys: Vec<String>,
    /// Whether console login was allowed.
    #[serde(default)]
    pub login_allowed: bool,
    /// Policies that were attached, scope by scope; empty where a cut leaves policies alone.
    #[serde(default)]
    pub policies: Vec<HeldPolicy>,
    /// Which cut it belongs to: its [`PendingAccess::since`].
    pub cut: Timestamp,
}

impl RememberedAccess {
    /// What must be remembered before the first write of the cut begun at `cut`, given what is active now.
    ///
    /// A retry of the same cut adds to what its first try remembered: that try may already have switched keys off. A new cut
    /// starts afresh, unless nothing is active: then an older memory is all there is to restore.
    pub fn before_cut(
        earlier: Option<RememberedAccess>,
        active_keys: Vec<String>,
        login_allowed: bool,
        policies: Vec<HeldPolicy>,
        cut: Timestamp,
    ) -> Self {
        match earlier {
            Some(mut earlier) if earlier.cut == cut => {
                for key in active_keys {
                    if !earlier.active_keys.contains(&key) {
                        earlier.active_keys.push(key);
                    }
                }
                earlier.login_allowed |= login_allowed;
                for policy in policies {
                    if !earlier.policies.contains(&policy) {
                        earlier.policies.push(policy);
                    }
                }
                earlier
            }
            Some(earlier) if active_keys.is_empty() && !login_allowed && policies.is_empty() => {
                Self { cut, ..earlier }
            }
            _ => Self { active_keys, login_allowed, policies, cut },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn remembered(keys: &[&str], login_allowed: bool, cut: &str) -> RememberedAccess {
        let active_keys = keys.iter().map(|key| (*key).to_owned()).collect();
        RememberedAccess {
            active_keys,
            login_allowed,
            policies: Vec::new(),
            cut: cut.parse().unwrap(),
        }
    }

    fn before(
        earlier: Option<RememberedAccess>,
        keys: &[&str],
        login_allowed: bool,
    ) -> RememberedAccess {
        let keys = keys.iter().map(|key| (*key).to_owned()).collect();
        let cut = "2026-11-01T00:00:00Z".parse().unwrap();
        RememberedAccess::before_cut(earlier, keys, login_allowed, Vec::new(), cut)
    }

    #[test]
    fn a_retry_forgets_nothing() {
        let cut = "2026-11-01T00:00:00Z";
        let first = before(None, &["a", "b"], true);
        assert_eq!(first, remembered(&["a", "b"], true, cut));
        // Second try: `a` and login are off already, and a new key `c` has appeared.
        let second = before(Some(first), &["b", "c"], false);
        assert_eq!(second, remembered(&["a", "b", "c"], true, cut));
    }

    #[test]
    fn policies_of_a_retry_add_up_and_an_old_memory_without_them_is_read() {
        let held = |name: &str| HeldPolicy {
            name: name.to_owned(),
            kind: crate::domain::PolicyKind::System,
            scope: crate::domain::PolicyScope::Global,
        };
        let cut: Timestamp = "2026-11-01T00:00:00Z".parse().unwrap();
        let first =
            RememberedAccess::before_cut(None, vec![], false, vec![held("a"), held("b")], cut);
        let again = RememberedAccess::before_cut(Some(first), vec![], false, vec![held("b")], cut);
        assert_eq!(again.policies, [held("a"), held("b")]);
        let old: RememberedAccess =
            serde_json::from_str(r#"{"cut":"2026-11-01T00:00:00Z"}"#).unwrap();
        assert!(old.policies.is_empty());
    }

    #[test]
    fn a_new_cut_remembers_what_is_active_now() {
        let older = remembered(&["x"], true, "2026-10-01T00:00:00Z");
        assert_eq!(before(Some(older.clone()), &["y"], false).active_keys, ["y"]);
        let nothing_active = before(Some(older), &[], false);
        assert_eq!(nothing_active, remembered(&["x"], true, "2026-11-01T00:00:00Z"));
    }
}
