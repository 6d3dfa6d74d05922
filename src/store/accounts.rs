//! Main accounts and their sealed key pairs.

use jiff::Timestamp;
use redb::ReadableTable;
use secrecy::{ExposeSecret, SecretString};
use zeroize::Zeroizing;

use super::seal::Sealer;
use super::tables::{ACCOUNTS, BALANCES, SECRETS};
use super::view::{Source, View};
use super::{Store, StoreError, WriteTx};
use crate::domain::{Account, AccountId, AccountNumber, BalanceReading, Switch};

/// A main account's access key pair.
#[derive(Clone, Debug)]
pub struct AccountSecrets {
    /// `AKLT…`; not a secret, but never shown in full.
    pub access_key_id: SecretString,
    /// The secret access key.
    pub secret_key: SecretString,
}

impl<S: Source> View<S> {
    /// Returns all accounts, by id.
    pub fn accounts(&self) -> Result<Vec<Account>, StoreError> {
        self.all(ACCOUNTS)
    }

    /// Returns one account.
    pub fn account(&self, id: &AccountId) -> Result<Option<Account>, StoreError> {
        self.get(ACCOUNTS, id.as_str())
    }

    /// Returns an account's balance as last read.
    pub fn balance(&self, id: &AccountId) -> Result<Option<BalanceReading>, StoreError> {
        self.get_or_skip(BALANCES, id.as_str())
    }

    fn sealed_secrets(&self, bound_to: &str) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.open(SECRETS)?.get(bound_to)?.map(|sealed| sealed.value().to_vec()))
    }
}

/// A sealed key pair waiting to be checked. It cannot be read without the store's key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WaitingPair {
    name: String,
    sealed: Vec<u8>,
}

impl WaitingPair {
    /// Returns the name it is stored under.
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl Store {
    /// Returns the key pair of an account; `None` if there is no such account.
    ///
    /// # Errors
    /// [`StoreError::Unsealable`] if it was tampered with.
    pub fn account_secrets(&self, id: &AccountId) -> Result<Option<AccountSecrets>, StoreError> {
        let Some(sealed) = self.read(|tx| tx.sealed_secrets(id.as_str()))? else {
            return Ok(None);
        };
        open_pair(&self.sealer, id.as_str(), &sealed).map(Some)
    }

    /// Returns another account that uses this access key. An account whose pair cannot be opened uses none.
    pub fn account_with_key(
        &self,
        access_key_id: &str,
        except: &AccountId,
    ) -> Result<Option<AccountId>, StoreError> {
        for account in self.read(|tx| tx.accounts())? {
            if account.id == *except {
                continue;
            }
            let secrets = match self.account_secrets(&account.id) {
                Err(StoreError::Unsealable) => continue,
                secrets => secrets?,
            };
            if secrets.is_some_and(|pair| pair.access_key_id.expose_secret() == access_key_id) {
                return Ok(Some(account.id));
            }
        }
        Ok(None)
    }

    /// Seals a key pair that is yet to be checked; [`WriteTx::put_waiting_pair`] stores it.
    ///
    /// # Errors
    /// If the operating system provides no randomness.
    pub fn seal_waiting(&self, secrets: &AccountSecrets) -> Result<WaitingPair, StoreError> {
        // No account id contains a slash.
        let name = format!("waiting/{}", uuid::Uuid::new_v4().simple());
        let sealed = seal_pair(&self.sealer, &name, secrets)?;
        Ok(WaitingPair { name, sealed })
    }

    /// Returns a waiting key pair; `None` once it has been forgotten.
    ///
    /// # Errors
    /// [`StoreError::Unsealable`] if it was tampered with.
    pub fn waiting_pair(&self, name: &str) -> Result<Option<AccountSecrets>, StoreError> {
        let Some(sealed) = self.read(|tx| tx.sealed_secrets(name))? else { return Ok(None) };
        open_pair(&self.sealer, name, &sealed).map(Some)
    }

    /// Adds or replaces an account as [`Store::save_account`] does, in one transaction with `also`.
    pub fn save_account_and<T>(
        &self,
        id: &AccountId,
        name: &str,
        secrets: &AccountSecrets,
        now: Timestamp,
        also: impl FnOnce(&WriteTx, Account) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let sealed = seal_pair(&self.sealer, id.as_str(), secrets)?;
        self.write(|tx| {
            let account = tx.put_account(id, name, secrets, &sealed, now)?;
            also(tx, account)
        })
    }

    /// Adds an account, or replaces the name and key pair of the one with this id, in one transaction.
    pub fn save_account(
        &self,
        id: &AccountId,
        name: &str,
        secrets: &AccountSecrets,
        now: Timestamp,
    ) -> Result<Account, StoreError> {
        self.save_account_and(id, name, secrets, now, |_, account| Ok(account))
    }
}

impl WriteTx {
    fn put_account(
        &self,
        id: &AccountId,
        name: &str,
        secrets: &AccountSecrets,
        sealed: &[u8],
        now: Timestamp,
    ) -> Result<Account, StoreError> {
        let hint = Account::hint_of(secrets.access_key_id.expose_secret());
        let account = match self.account(id)? {
            Some(known) => {
                let name = name.to_owned();
                Account { name, hint, pair_checked: false, updated: now, ..known }
            }
            None => Account {
                id: id.clone(),
                name: name.to_owned(),
                hint,
                number: None,
                pair_checked: false,
                active: Switch::On,
                created: now,
                updated: now,
            },
        };
        self.put(ACCOUNTS, id.as_str(), &account)?;
        self.open(SECRETS)?.insert(id.as_str(), sealed)?;
        Ok(account)
    }

    /// Stores which main account the account's key pair has been seen to belong to.
    pub fn put_account_number(
        &self,
        id: &AccountId,
        number: AccountNumber,
    ) -> Result<(), StoreError> {
        match self.account(id)? {
            Some(account) if account.number != Some(number) || !account.pair_checked => {
                let known = Account { number: Some(number), pair_checked: true, ..account };
                self.put(ACCOUNTS, id.as_str(), &known)
            }
            _ => Ok(()),
        }
    }

    /// Stores a sealed key pair until it is checked.
    pub fn put_waiting_pair(&self, pair: &WaitingPair) -> Result<(), StoreError> {
        self.open(SECRETS)?.insert(pair.name.as_str(), pair.sealed.as_slice())?;
        Ok(())
    }

    /// Forgets a waiting key pair.
    pub fn forget_waiting_pair(&self, name: &str) -> Result<(), StoreError> {
        self.open(SECRETS)?.remove(name)?;
        Ok(())
    }

    /// Stores an account's balance as just read.
    pub fn put_balance(&self, id: &AccountId, balance: &BalanceReading) -> Result<(), StoreError> {
        self.put(BALANCES, id.as_str(), balance)
    }

    /// Switches an account on or off. Returns whether it exists.
    pub fn set_account_active(
        &self,
        id: &AccountId,
        active: Switch,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let Some(account) = self.account(id)? else { return Ok(false) };
        self.put(ACCOUNTS, id.as_str(), &Account { active, updated: now, ..account })?;
        Ok(true)
    }
}

/// Seals both halves as one text, separated by a line feed, which neither can contain.
fn seal_pair(
    sealer: &Sealer,
    bound_to: &str,
    secrets: &AccountSecrets,
) -> Result<Vec<u8>, StoreError> {
    let pair = Zeroizing::new(format!(
        "{}\n{}",
        secrets.access_key_id.expose_secret(),
        secrets.secret_key.expose_secret()
    ));
    sealer.seal(bound_to, pair.as_bytes())
}

fn open_pair(sealer: &Sealer, bound_to: &str, sealed: &[u8]) -> Result<AccountSecrets, StoreError> {
    let pair = sealer.open(bound_to, sealed)?;
    let pair = std::str::from_utf8(&pair).map_err(|_| StoreError::Unsealable)?;
    let (access_key_id, secret_key) = pair.split_once('\n').ok_or(StoreError::Unsealable)?;
    Ok(AccountSecrets {
        access_key_id: access_key_id.to_owned().into(),
        secret_key: secret_key.to_owned().into(),
    })
}
