//! Main accounts.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{AccountId, Money, Switch};

/// Volcengine's number of a main account. It identifies the account, whatever key pair is used and whatever airgate
/// calls it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AccountNumber(u64);

impl AccountNumber {
    /// Creates an account number.
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// Returns the number.
    pub const fn get(self) -> u64 {
        self.0
    }
}

impl std::fmt::Display for AccountNumber {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// A Volcengine main account, without its secrets (those are sealed in the store).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// Its slug.
    pub id: AccountId,
    /// The name shown to people.
    pub name: String,
    /// First 4 and last 4 characters of the access key id, e.g. `AKLT…0001`.
    pub hint: String,
    /// Its number, once a key pair has been seen to work; the key pairs of other main accounts are refused from then on.
    #[serde(default)]
    pub number: Option<AccountNumber>,
    /// Whether the current key pair has been seen to belong to the account with this number.
    #[serde(default)]
    pub pair_checked: bool,
    /// Whether its users are synchronised and its bills read.
    pub active: Switch,
    /// When it was added.
    pub created: Timestamp,
    /// When it was last changed.
    pub updated: Timestamp,
}

/// Why a key pair is not accepted for an account.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WrongAccount {
    /// It belongs to a different main account from the earlier pairs.
    #[error("the key pair belongs to main account {found}; this account is {known}")]
    Other {
        /// The account's number.
        known: AccountNumber,
        /// The number of the main account that the pair belongs to.
        found: AccountNumber,
    },
    /// airgate has its main account under another id already.
    #[error("the key pair belongs to the main account of `{account}`")]
    Known {
        /// That id.
        account: AccountId,
    },
}

/// Checks that a key pair of the main account `found` belongs to the account `id`. If the account's number is not known
/// yet, any fits.
pub fn check_number(
    accounts: &[Account],
    id: &AccountId,
    found: AccountNumber,
) -> Result<(), WrongAccount> {
    let own = accounts.iter().find(|account| account.id == *id).and_then(|own| own.number);
    if let Some(known) = own.filter(|known| *known != found) {
        return Err(WrongAccount::Other { known, found });
    }
    match accounts.iter().find(|other| other.id != *id && other.number == Some(found)) {
        Some(other) => Err(WrongAccount::Known { account: other.id.clone() }),
        None => Ok(()),
    }
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
    fn a_key_pair_of_another_main_account_is_recognised() {
        let account = |id: &str, number: Option<u64>| Account {
            id: id.parse().unwrap(),
            name: id.to_owned(),
            hint: String::new(),
            number: number.map(AccountNumber::new),
            pair_checked: false,
            active: Switch::On,
            created: Timestamp::UNIX_EPOCH,
            updated: Timestamp::UNIX_EPOCH,
        };
        let accounts = [account("main", Some(1)), account("labs", Some(2)), account("old", None)];
        let other = |known, found| {
            let (known, found) = (AccountNumber::new(known), AccountNumber::new(found));
            Err(WrongAccount::Other { known, found })
        };
        let known = |id: &str| Err(WrongAccount::Known { account: id.parse().unwrap() });
        for (id, found, result) in [
            ("main", 1, Ok(())),
            ("main", 3, other(1, 3)),
            ("main", 2, other(1, 2)),
            ("old", 3, Ok(())),
            ("old", 2, known("labs")),
            ("new", 3, Ok(())),
            ("new", 1, known("main")),
        ] {
            let checked = check_number(&accounts, &id.parse().unwrap(), AccountNumber::new(found));
            assert_eq!(checked, result, "{id} with a pair of {found}");
        }
    }

    #[test]
    fn a_hint_shows_four_and_four() {
        assert_eq!(Account::hint_of("AKLTEXAMPLE0001"), "AKLT…0001");
        assert_eq!(Account::hint_of("short"), "…");
    }
}
