//! Cutting and restoring a user's access: what is wanted, and what must be put back.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{MessageId, Operator};

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
    /// The card that shows "processing" and is updated at the end, with its chat.
    #[serde(default)]
    pub card: Option<MessageId>,
    /// The chat of `card`, for its place in the order of that chat's messages.
    #[serde(default)]
    pub chat: Option<String>,
}

/// What was active when access was cut. Stored before the first write; enabling restores exactly this.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RememberedAccess {
    /// Ids of the access keys that were active.
    #[serde(default)]
    pub active_keys: Vec<String>,
    /// Whether console login was allowed.
    #[serde(default)]
    pub login_allowed: bool,
    /// When it was read.
    pub at: Option<Timestamp>,
}

impl RememberedAccess {
    /// Adds what is active now to what was remembered by an earlier, unfinished cut: a retry after a half-done cut must not
    /// forget the keys that the first try already switched off.
    pub fn merge(
        &mut self,
        active_keys: impl IntoIterator<Item = String>,
        login_allowed: bool,
        at: Timestamp,
    ) {
        for key in active_keys {
            if !self.active_keys.contains(&key) {
                self.active_keys.push(key);
            }
        }
        self.login_allowed |= login_allowed;
        self.at.get_or_insert(at);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_retry_forgets_nothing() {
        let at: Timestamp = "2026-11-01T00:00:00Z".parse().unwrap();
        let mut remembered = RememberedAccess::default();
        remembered.merge(["a".to_owned(), "b".to_owned()], true, at);
        // Second try: `a` is off already, login too, and a new key `c` has appeared.
        remembered.merge(["b".to_owned(), "c".to_owned()], false, at);
        assert_eq!(remembered.active_keys, ["a", "b", "c"]);
        assert!(remembered.login_allowed);
    }
}
