//! The cloud client, with the key pairs from the store.

use secrecy::ExposeSecret;

use crate::domain::{
    AccountId, AccountNumber, BillPeriod, Money, ProjectName, WrongAccount, check_number,
};
use crate::store::{AccountSecrets, Store, StoreError};
use crate::volcengine;

/// Why a call for an account failed.
#[derive(Debug, thiserror::Error)]
pub enum CloudError {
    /// It was removed.
    #[error("account `{0}` is not known")]
    NoSuchAccount(AccountId),
    /// Its key pair cannot be opened. Other accounts are not affected.
    #[error("the key pair of account `{0}` cannot be opened; replace it")]
    SealedPair(AccountId),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A bill that cannot be true. Counting it would overflow exact sums.
    #[error(
        "the bill of {period} says {amount} for project {project}, which cannot be true; check it in \
         the Volcengine console (费用中心)"
    )]
    AbsurdBill {
        /// The month.
        period: BillPeriod,
        /// The project.
        project: ProjectName,
        /// The amount it gives.
        amount: Money,
    },
    /// The key pair is another main account's.
    #[error(transparent)]
    WrongAccount(#[from] WrongAccount),
    /// The cloud refused or did not answer.
    #[error(transparent)]
    Cloud(#[from] volcengine::Error),
}

/// Volcengine, account by account.
#[derive(Clone)]
pub struct Cloud {
    store: Store,
    client: volcengine::Client,
}

impl Cloud {
    /// Creates the client for all accounts, reached through `client`.
    pub fn new(store: Store, client: volcengine::Client) -> Self {
        Self { store, client }
    }

    /// Returns a client that calls on behalf of one main account.
    ///
    /// # Errors
    /// [`CloudError::NoSuchAccount`], [`CloudError::SealedPair`], [`CloudError::Store`].
    pub async fn account(&self, id: &AccountId) -> Result<volcengine::AccountClient, CloudError> {
        let (store, wanted) = (self.store.clone(), id.clone());
        let read = move || {
            let account = store.read(|tx| tx.account(&wanted))?;
            let number = account.filter(|account| account.pair_checked).and_then(|it| it.number);
            match store.account_secrets(&wanted) {
                Ok(secrets) => Ok((secrets, number)),
                Err(StoreError::Unsealable) => Err(CloudError::SealedPair(wanted)),
                Err(error) => Err(error.into()),
            }
        };
        let (secrets, number) =
            tokio::task::spawn_blocking(read).await.map_err(|_| StoreError::Aborted)??;
        let secrets = secrets.ok_or_else(|| CloudError::NoSuchAccount(id.clone()))?;
        let api = self.with(&secrets);
        // All key pairs of one main account share its rate limit.
        Ok(match number {
            Some(number) => api.of_account(number),
            None => api,
        })
    }

    /// Makes sure that the account's key pair, if it has not been seen to work yet, belongs to this main account. If
    /// the cloud does not say whose it is, an account whose number is not known yet is used without the check.
    ///
    /// # Errors
    /// [`CloudError::WrongAccount`].
    pub async fn verify(
        &self,
        id: &AccountId,
        api: &volcengine::AccountClient,
    ) -> Result<(), CloudError> {
        let wanted = id.clone();
        let known = self.store.reading(move |tx| tx.account(&wanted)).await?;
        let Some(known) = known.filter(|account| !account.pair_checked) else { return Ok(()) };
        match api.check().await {
            Ok(Some(number)) => self.keep_number(id, number).await,
            Err(error) if known.number.is_some() && error.is_transient() => Err(error.into()),
            Ok(None) | Err(_) => Ok(()),
        }
    }

    /// Checks the number of the main account that the cloud named, and stores it.
    ///
    /// # Errors
    /// [`CloudError::WrongAccount`].
    pub async fn keep_number(
        &self,
        id: &AccountId,
        number: AccountNumber,
    ) -> Result<(), CloudError> {
        let id = id.clone();
        let checked = self.store.writing(move |tx| {
            let checked = check_number(&tx.accounts()?, &id, number);
            if checked.is_ok() {
                tx.put_account_number(&id, number)?;
            }
            Ok::<_, StoreError>(checked)
        });
        Ok(checked.await??)
    }

    /// Returns a client that calls with a key pair that is not an account's yet.
    pub fn with(&self, secrets: &AccountSecrets) -> volcengine::AccountClient {
        self.client.account(volcengine::Credentials {
            access_key_id: secrets.access_key_id.expose_secret().to_owned(),
            secret_key: secrets.secret_key.clone(),
        })
    }
}
