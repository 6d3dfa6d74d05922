//! Main accounts: the list, and the check of a key pair before it is saved.

use jiff::{SignedDuration, Timestamp};
use secrecy::{ExposeSecret, SecretString};

use super::refusal::TextField;
use super::{Error, Refusal, paginate};
use crate::clock::is_recent;
use crate::domain::{
    Account, AccountId, AccountNumber, BalanceReading, Switch, TaskKind, WrongAccount, check_number,
};
use crate::store::{AccountSecrets, Source, Store, StoreError, View, WriteTx};

/// Longest name, in characters.
pub const NAME_CHARS: usize = 200;
/// Longest half of a key pair, in characters. Real ones have about 50 and 60.
pub const KEY_CHARS: usize = 200;
/// Accounts on one page of the card.
pub const ACCOUNTS_A_PAGE: usize = 6;
/// The age from which a balance is read again when the card is opened.
const MAX_BALANCE_AGE: SignedDuration = SignedDuration::from_secs(60);

/// What the accounts card shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountsView {
    /// The accounts of this page, by id.
    pub accounts: Vec<AccountRow>,
    /// The number of this page, from 1.
    pub page: usize,
    /// The number of pages, at least 1.
    pub pages: usize,
    /// The number of all accounts.
    pub total: usize,
    /// The account whose key pair is being replaced.
    pub replacing: Option<Account>,
}

/// One account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountRow {
    /// The account.
    pub account: Account,
    /// Its balance as last read.
    pub balance: Option<BalanceReading>,
    /// The number of users that are not gone.
    pub users: usize,
}

/// Reads what the accounts card shows; with `replacing`, the form for another key pair of that account.
///
/// # Errors
/// [`Refusal::NoSuchAccount`].
pub fn view<S: Source>(
    tx: &View<S>,
    replacing: Option<&AccountId>,
    page: usize,
) -> Result<AccountsView, Error> {
    let all = tx.accounts()?;
    let total = all.len();
    let (shown, page, pages) = paginate(all, page, ACCOUNTS_A_PAGE);
    let directory = tx.directory();
    let mut accounts = Vec::new();
    for account in shown {
        accounts.push(AccountRow {
            balance: tx.balance(&account.id)?,
            users: directory.present_in(&account.id),
            account,
        });
    }
    let replacing = replacing.map(|id| get(tx, id)).transpose()?;
    Ok(AccountsView { accounts, page, pages, total, replacing })
}

fn get<S: Source>(tx: &View<S>, id: &AccountId) -> Result<Account, Error> {
    tx.account(id)?.ok_or_else(|| Refusal::NoSuchAccount(id.to_string()).into())
}

/// Returns whether any of the shown balances is too old to rely on.
pub fn balances_are_old(view: &AccountsView, now: Timestamp) -> bool {
    view.accounts.iter().filter(|row| row.account.active.is_on()).any(|row| {
        row.balance.as_ref().is_none_or(|read| !is_recent(read.at, MAX_BALANCE_AGE, now))
    })
}

/// What a person submitted to be saved.
#[derive(Clone, Debug)]
pub struct NewAccount {
    /// The account whose pair is replaced; `None` = a new one.
    pub known: Option<AccountId>,
    /// The id of a new one, as typed.
    pub id: String,
    /// The name shown to people; empty = unchanged, or the id.
    pub name: String,
    /// The access key id, as typed.
    pub access_key: SecretString,
    /// The secret access key, as typed.
    pub secret_key: SecretString,
}

impl PartialEq for NewAccount {
    fn eq(&self, other: &Self) -> bool {
        let plain = |new: &Self| (new.known.clone(), new.id.clone(), new.name.clone());
        plain(self) == plain(other)
            && self.access_key.expose_secret() == other.access_key.expose_secret()
            && self.secret_key.expose_secret() == other.secret_key.expose_secret()
    }
}

impl Eq for NewAccount {}

/// Checks the form and keeps the key pair, sealed, until the cloud has accepted it. Returns the task that asks the cloud.
///
/// # Errors
/// A refusal; nothing is stored then.
pub fn save(tx: &WriteTx, store: &Store, new: &NewAccount) -> Result<TaskKind, Error> {
    let (account, known_name) = match &new.known {
        Some(id) => (id.clone(), Some(get(tx, id)?.name)),
        None => {
            let text = new.id.trim();
            let id = AccountId::new(text).map_err(|_| Refusal::BadAccountId(text.to_owned()))?;
            if tx.account(&id)?.is_some() {
                return Err(Refusal::AccountExists(id).into());
            }
            (id, None)
        }
    };
    let name = new.name.trim();
    let chars = name.chars().count();
    if chars > NAME_CHARS {
        let field = TextField::AccountName;
        return Err(Refusal::TooLong { field, limit: NAME_CHARS, chars }.into());
    }
    let known = known_name.is_some();
    let name = match (name, known_name) {
        ("", Some(known)) => known,
        ("", None) => account.to_string(),
        (name, _) => name.to_owned(),
    };
    let secrets = AccountSecrets {
        access_key_id: half(&new.access_key)?,
        secret_key: half(&new.secret_key)?,
    };
    let waiting = store.seal_waiting(&secrets)?;
    tx.put_waiting_pair(&waiting)?;
    Ok(TaskKind::CheckAccount { account, name, pair: waiting.name().to_owned(), known })
}

fn half(typed: &SecretString) -> Result<SecretString, Refusal> {
    let text = typed.expose_secret().trim();
    let usable = (1..=KEY_CHARS).contains(&text.chars().count())
        && text.chars().all(|c| c.is_ascii_graphic());
    if usable { Ok(text.to_owned().into()) } else { Err(Refusal::BadKeyPair) }
}

/// Switches an account on or off.
///
/// # Errors
/// [`Refusal::NoSuchAccount`].
pub fn toggle(tx: &WriteTx, id: &AccountId, active: Switch, now: Timestamp) -> Result<(), Error> {
    if tx.set_account_active(id, active, now)? {
        Ok(())
    } else {
        Err(Refusal::NoSuchAccount(id.to_string()).into())
    }
}

/// How the check of a key pair ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Checked {
    /// The cloud accepted it, and it is kept.
    Saved {
        /// Whether the account is new.
        new: bool,
    },
    /// The cloud refused it, for this reason. Nothing was changed.
    Refused(String),
    /// It is another main account's. Nothing was changed.
    WrongAccount(WrongAccount),
    /// The cloud did not answer. Nothing was changed.
    Unclear(String),
    /// Meanwhile somebody else added an account with that id, or the pair is no longer waiting.
    Overtaken,
}

/// A key pair that the cloud accepts.
#[derive(Clone, Debug)]
pub struct Accepted {
    /// The pair.
    pub secrets: AccountSecrets,
    /// The number of the main account that it belongs to, if the cloud says so.
    pub number: Option<AccountNumber>,
}

/// A key pair waiting to be checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// Which account.
    pub account: AccountId,
    /// The name shown to people.
    pub name: String,
    /// The name the pair is stored under.
    pub pair: String,
    /// Whether the account existed when the check was requested.
    pub known: bool,
}

/// Ends the wait of a key pair, in one transaction with `report`: if `answer` is good, the account takes it. It stops
/// waiting in any case.
pub fn settle(
    store: &Store,
    waiting: &Waiting,
    answer: Result<Accepted, Checked>,
    now: Timestamp,
    report: impl FnOnce(&WriteTx, &Checked) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let accounts = store.read(|tx| tx.accounts())?;
    let present = accounts.iter().any(|account| account.id == waiting.account);
    let answer = match answer {
        Ok(_) if present != waiting.known => Err(Checked::Overtaken),
        Ok(accepted) => {
            let key = accepted.secrets.access_key_id.expose_secret();
            let same_key = store.account_with_key(key, &waiting.account)?;
            let checked = match (same_key, accepted.number) {
                (Some(account), _) => Err(WrongAccount::Known { account }),
                (None, Some(found)) => check_number(&accounts, &waiting.account, found),
                (None, None) => Ok(()),
            };
            checked.map(|()| accepted).map_err(Checked::WrongAccount)
        }
        answer => answer,
    };
    match answer {
        Ok(Accepted { secrets, number }) => {
            store.save_account_and(&waiting.account, &waiting.name, &secrets, now, |tx, _| {
                if let Some(number) = number {
                    tx.put_account_number(&waiting.account, number)?;
                }
                tx.forget_waiting_pair(&waiting.pair)?;
                report(tx, &Checked::Saved { new: !waiting.known })
            })
        }
        Err(checked) => store.write(|tx| {
            tx.forget_waiting_pair(&waiting.pair)?;
            report(tx, &checked)
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_pair_has_no_white_space_and_a_maximum_length() {
        let half = |text: &str| super::half(&text.to_owned().into());
        assert!(half(" AKLT1 ").is_ok_and(|key| key.expose_secret() == "AKLT1"));
        for bad in ["", " ", "a b", "a\nb", "密钥", &"x".repeat(201)] {
            assert_eq!(half(bad).map(drop), Err(Refusal::BadKeyPair));
        }
    }
}
