//! Main accounts and their sealed key pairs.

use std::ops::ControlFlow;

use jiff::Timestamp;
use redb::ReadableTable;
use secrecy::{ExposeSecret, SecretString};
use zeroize::Zeroizing;

use super::seal::Sealer;
use super::tables::{ACCOUNTS, Order, SECRETS, Source, View};
use super::{Store, StoreError, WriteTx};
use crate::domain::{Account, AccountId, Switch};

/// A main account's access key pair.
#[derive(Clone, Debug)]
pub struct AccountSecrets {
    /// `AKLT…`; not secret by itself, but never shown whole.
    pub access_key_id: SecretString,
    /// The secret access key.
    pub secret_key: SecretString,
}

impl<S: Source> View<S> {
    /// All accounts, by id.
    ///
    /// # Errors
    /// The store's.
    pub fn accounts(&self) -> Result<Vec<Account>, StoreError> {
        let mut accounts = Vec::new();
        self.scan::<_, Account, &str, _>(
            ACCOUNTS,
            "accounts",
            ..,
            Order::Ascending,
            |_, account| {
                accounts.push(account);
                ControlFlow::Continue(())
            },
        )?;
        Ok(accounts)
    }

    /// One account.
    ///
    /// # Errors
    /// The store's.
    pub fn account(&self, id: &AccountId) -> Result<Option<Account>, StoreError> {
        self.get(ACCOUNTS, "accounts", id.as_str())
    }

    fn sealed_secrets(&self, id: &AccountId) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.0.table(SECRETS)?.get(id.as_str())?.map(|sealed| sealed.value().to_vec()))
    }
}

impl Store {
    /// The key pair of an account; `None` where there is no such account.
    ///
    /// # Errors
    /// [`StoreError::Unsealable`] where it was tampered with.
    pub fn account_secrets(&self, id: &AccountId) -> Result<Option<AccountSecrets>, StoreError> {
        let Some(sealed) = self.read(|tx| tx.sealed_secrets(id))? else { return Ok(None) };
        open_pair(&self.sealer, id, &sealed).map(Some)
    }

    /// Adds an account, or replaces name and key pair of the one with this id, as one transaction.
    ///
    /// # Errors
    /// The store's.
    pub fn save_account(
        &self,
        id: &AccountId,
        name: &str,
        secrets: &AccountSecrets,
        now: Timestamp,
    ) -> Result<Account, StoreError> {
        let sealed = seal_pair(&self.sealer, id, secrets)?;
        self.write(|tx| tx.put_account(id, name, secrets, &sealed, now))
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
            Some(known) => Account { name: name.to_owned(), hint, updated: now, ..known },
            None => Account {
                id: id.clone(),
                name: name.to_owned(),
                hint,
                active: Switch::On,
                created: now,
                updated: now,
            },
        };
        self.put(ACCOUNTS, "accounts", id.as_str(), &account)?;
        self.0.open_table(SECRETS)?.insert(id.as_str(), sealed)?;
        Ok(account)
    }

    /// Switches an account on or off. Returns whether it exists.
    ///
    /// # Errors
    /// The store's.
    pub fn set_account_active(
        &self,
        id: &AccountId,
        active: Switch,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let Some(account) = self.account(id)? else { return Ok(false) };
        self.put(ACCOUNTS, "accounts", id.as_str(), &Account { active, updated: now, ..account })?;
        Ok(true)
    }
}

/// Both halves are sealed as one, separated by a line feed (which neither can hold).
fn seal_pair(
    sealer: &Sealer,
    id: &AccountId,
    secrets: &AccountSecrets,
) -> Result<Vec<u8>, StoreError> {
    let pair = Zeroizing::new(format!(
        "{}\n{}",
        secrets.access_key_id.expose_secret(),
        secrets.secret_key.expose_secret()
    ));
    sealer.seal(id.as_str(), pair.as_bytes())
}

fn open_pair(sealer: &Sealer, id: &AccountId, sealed: &[u8]) -> Result<AccountSecrets, StoreError> {
    let pair = sealer.open(id.as_str(), sealed)?;
    let pair = std::str::from_utf8(&pair).map_err(|_| StoreError::Unsealable)?;
    let (access_key_id, secret_key) = pair.split_once('\n').ok_or(StoreError::Unsealable)?;
    Ok(AccountSecrets {
        access_key_id: access_key_id.to_owned().into(),
        secret_key: secret_key.to_owned().into(),
    })
}
