//! Cutting and restoring a user's access: the goal, and what must be put back.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{AccessKeyInfo, HeldPolicy, Operator, Report, Switch, User, UserStatus};

/// The end state that enforcement works towards.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AccessGoal {
    /// No active access key, console login forbidden.
    Cut,
    /// Exactly what was active before the cut is active again.
    Restored,
}

impl AccessGoal {
    /// Returns the user's status once the cloud confirms the goal.
    pub fn confirmed_status(self) -> UserStatus {
        match self {
            AccessGoal::Cut => UserStatus::Disabled,
            AccessGoal::Restored => UserStatus::Active,
        }
    }

    /// Returns whether confirming the goal uses up the remembered access: a restore has put all of it back, a cut still
    /// needs it.
    pub fn uses_up_memory(self) -> bool {
        self == AccessGoal::Restored
    }
}

/// A user's keys and login as the cloud has them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserAccess {
    /// Ids and states.
    pub keys: Vec<AccessKeyInfo>,
    /// `None` if there is no login profile.
    pub login: Option<Switch>,
}

impl UserAccess {
    /// Returns whether neither a key nor the login works.
    pub fn is_cut(&self) -> bool {
        self.login != Some(Switch::On) && !self.keys.iter().any(|key| key.active.is_on())
    }

    /// Returns the status that this access implies, given the status `before`.
    ///
    /// A user without keys and login has nothing to switch off: they count as disabled only if airgate disabled them.
    pub fn status(&self, before: UserStatus) -> UserStatus {
        let has_nothing = self.keys.is_empty() && self.login.is_none();
        match (self.is_cut(), has_nothing) {
            (true, false) => UserStatus::Disabled,
            (true, true) if before == UserStatus::Disabled => UserStatus::Disabled,
            (true, true) | (false, _) => UserStatus::Active,
        }
    }
}

impl User {
    /// Takes over keys and login as the cloud had them at `at`, and the status that they imply.
    pub fn take_access(&mut self, access: &UserAccess, at: Timestamp) {
        self.status = access.status(self.status);
        self.access_keys.clone_from(&access.keys);
        self.login = access.login;
        self.access_read_at = Some(at);
        self.updated = at;
    }
}

/// Why access changes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "cause")]
pub enum AccessCause {
    /// The monitor found the quota used up. A top-up before the cut is confirmed withdraws it.
    QuotaUsedUp,
    /// A person decided.
    Manual {
        /// The person who did it.
        operator: Operator,
    },
    /// Access that airgate had cut was opened again outside airgate.
    Reopened,
}

/// A change of access, pending until the cloud is read back and confirms it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PendingAccess {
    /// The end state to reach.
    pub goal: AccessGoal,
    /// Why access changes.
    pub cause: AccessCause,
    /// When it became pending.
    pub since: Timestamp,
    /// How many attempts were made.
    #[serde(default)]
    pub attempts: u32,
    /// When the next attempt is due.
    pub next_at: Timestamp,
    /// Why the last attempt failed, in the cloud's words.
    #[serde(default)]
    pub last_error: Option<String>,
    /// Whether the delay was alerted.
    #[serde(default)]
    pub delay_alerted: bool,
    /// The card that shows it in progress, updated at the end.
    #[serde(default)]
    pub report: Option<Report>,
}

impl PendingAccess {
    /// Creates a change requested at `now`, due at once.
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

    /// Sets the card that shows the change once it is confirmed.
    #[must_use]
    pub fn reporting_to(self, report: Option<Report>) -> Self {
        Self { report, ..self }
    }

    /// Returns whether this is the same change as `other`, regardless of attempts made in between.
    pub fn is_same_change(&self, other: &PendingAccess) -> bool {
        (self.goal, self.since) == (other.goal, other.since)
    }
}

/// What was active when access was cut. Committed before the first write to the cloud; enabling restores exactly this.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RememberedAccess {
    /// Ids of the access keys that were active.
    #[serde(default)]
    pub active_keys: Vec<String>,
    /// Whether console login was allowed.
    #[serde(default)]
    pub login_allowed: bool,
    /// Policies that were attached, by scope; empty if cuts leave policies alone.
    #[serde(default)]
    pub policies: Vec<HeldPolicy>,
    /// Which cut it belongs to: its [`PendingAccess::since`].
    pub cut: Timestamp,
}

impl RememberedAccess {
    /// Returns what to remember before the first write of the cut that began at `cut`, given what is active now.
    ///
    /// A retry of the same cut adds to what the first attempt remembered, which may already have switched keys off. A new
    /// cut starts afresh, unless nothing is active: then the older memory is all there is to restore.
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

    #[test]
    fn the_status_follows_from_keys_and_login() {
        use Switch::{Off, On};
        use UserStatus::{Active, Disabled, Unknown};
        for (keys, login, before, status) in [
            // Anything that works counts as access.
            (&[On][..], None, Disabled, Active),
            (&[Off, On][..], Some(Off), Disabled, Active),
            (&[][..], Some(On), Disabled, Active),
            (&[Off][..], Some(On), Unknown, Active),
            // Something exists, but none of it works.
            (&[Off][..], None, Active, Disabled),
            (&[Off, Off][..], Some(Off), Unknown, Disabled),
            (&[][..], Some(Off), Active, Disabled),
            // Nothing exists.
            (&[][..], None, Unknown, Active),
            (&[][..], None, Active, Active),
            (&[][..], None, Disabled, Disabled),
        ] {
            let keys: Vec<_> = keys
                .iter()
                .map(|active| AccessKeyInfo { id: "AKLT1".to_owned(), active: *active })
                .collect();
            let access = UserAccess { keys, login };
            assert_eq!(access.status(before), status, "{access:?} after {before:?}");
        }
    }

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
        // Second attempt: `a` and login are off already, and a new key `c` has appeared.
        let second = before(Some(first), &["b", "c"], false);
        assert_eq!(second, remembered(&["a", "b", "c"], true, cut));
    }

    #[test]
    fn policies_of_a_retry_add_up_and_an_old_memory_without_policies_still_opens() {
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
