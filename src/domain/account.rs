//! Main accounts.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{AccountId, Money, Switch};

/// A Volcengine main account, without its secrets (those are sealed in the store).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// Its slug.
    pub id: AccountId,
    /// The name shown to people.
    pub name: String,
    /// First 4 and last 4 characters of the access key id, e.g. `AKLT…0001`.
    pub hint: String,
    /// Whether its users are synchronised and its bills read.
    pub active: Switch,
    /// When it was added.
    pub created: Timestamp,
    /// When it was last changed.
    pub updated: Timestamp,
}

/// An account's balance as last read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BalanceReading {
    /// 可用余额; `None` if it could not be read.
    #[serde(default)]
    pub available: Option<Money>,
    /// Why it could not be read.
    #[serde(default)]
    pub error: Option<String>,
    /// When it was read.
    pub at: Timestamp,
}

impl Account {
    /// Returns the hint of an access key id: its first 4 and last 4 characters. A short id is hidden completely.
    pub fn hint_of(access_key_id: &str) -> String {
        let chars: Vec<char> = access_key_id.chars().collect();
        match (chars.get(..4), chars.len().checked_sub(4).and_then(|i| chars.get(i..))) {
            (Some(head), Some(tail)) if chars.len() >= 12 => {
                format!("{}…{}", head.iter().collect::<String>(), tail.iter().collect::<String>())
            }
            _ => "…".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hint_shows_four_and_four() {
        assert_eq!(Account::hint_of("AKLTEXAMPLE0001"), "AKLT…0001");
        assert_eq!(Account::hint_of("short"), "…");
    }
}
