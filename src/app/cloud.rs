//! The cloud client, with the key pairs from the store.

use secrecy::ExposeSecret;

use crate::domain::{AccountId, BillPeriod, Money, ProjectName};
use crate::store::{AccountSecrets, Store, StoreError};
use crate::volcengine;

/// Why a call for an account failed.
#[derive(Debug, thiserror::Error)]
pub enum CloudError {
    /// It was removed.
    #[error("account `{0}` is not known")]
    NoSuchAccount(AccountId),
    /// Its key pair cannot be opened, or the store failed.
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
    /// [`CloudError::NoSuchAccount`], [`CloudError::Store`].
    pub async fn account(&self, id: &AccountId) -> Result<volcengine::AccountClient, CloudError> {
        let (store, wanted) = (self.store.clone(), id.clone());
        let secrets = tokio::task::spawn_blocking(move || store.account_secrets(&wanted))
            .await
            .map_err(|_| StoreError::Aborted)??
            .ok_or_else(|| CloudError::NoSuchAccount(id.clone()))?;
        Ok(self.with(&secrets))
    }

    /// Calls with a key pair that is not an account's yet.
    pub fn with(&self, secrets: &AccountSecrets) -> volcengine::AccountClient {
        self.client.account(volcengine::Credentials {
            access_key_id: secrets.access_key_id.expose_secret().to_owned(),
            secret_key: secrets.secret_key.clone(),
        })
    }
}
