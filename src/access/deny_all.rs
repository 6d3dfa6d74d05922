//! The policy that denies everything: made once per main account, and compared before it is trusted
//! (docs/platforms/ark.md §B.2).

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use parking_lot::Mutex;

use super::failure::PathError;
use crate::clock::Clock;
use crate::domain::{AccountId, AlertBody, Problem};
use crate::outbox::Alerts;
use crate::store::{Store, StoreError};
use crate::volcengine::{self, AccountClient, ErrorKind, PolicyDocument};

/// Its names, in the order in which they are tried: a policy of that name with another document is left alone.
pub(super) const NAMES: [&str; 5] = [
    "airgate-deny-all",
    "airgate-deny-all-2",
    "airgate-deny-all-3",
    "airgate-deny-all-4",
    "airgate-deny-all-5",
];

/// Denied one by one where the cloud refuses `*`: no example of the vendor's shows it.
const SERVICES: [&str; 6] = ["ark:*", "iam:*", "billing:*", "sts:*", "tos:*", "ecs:*"];

const DESCRIPTION: &str = "airgate: denies everything to users whose access is cut. Do not edit.";

/// What is known about the policies of one account.
#[derive(Default)]
struct Known {
    /// The one that is attached.
    name: Option<&'static str>,
    /// Others that say the same.
    ours: BTreeSet<&'static str>,
}

/// The policies of all accounts, as far as this process has looked at them.
pub(super) struct DenyAll {
    store: Store,
    alerts: Alerts,
    clock: Clock,
    /// One lock per account: whoever comes first looks, and the others wait for the answer.
    known: Mutex<HashMap<AccountId, Arc<tokio::sync::Mutex<Known>>>>,
}

impl DenyAll {
    pub(super) fn new(store: Store, alerts: Alerts, clock: Clock) -> Self {
        Self { store, alerts, clock, known: Mutex::default() }
    }

    /// Returns the name of the account's policy, which it makes if there is none.
    pub(super) async fn name(
        &self,
        api: &AccountClient,
        account: &AccountId,
    ) -> Result<&'static str, PathError> {
        let known = self.of(account);
        let mut known = known.lock().await;
        if let Some(name) = known.name {
            return Ok(name);
        }
        let mut taken = Vec::new();
        for name in NAMES {
            if make(api, name).await? {
                known.name = Some(name);
                break;
            }
            taken.push(name);
        }
        if !taken.is_empty() {
            self.tell(account, taken, known.name.unwrap_or_default()).await?;
        }
        known.name.ok_or_else(|| PathError::PolicyNamesTaken(account.clone()))
    }

    /// Returns the name of the account's policy if there is one; makes none.
    pub(super) async fn find(
        &self,
        api: &AccountClient,
        account: &AccountId,
    ) -> Result<Option<&'static str>, PathError> {
        let known = self.of(account);
        let mut known = known.lock().await;
        if known.name.is_some() {
            return Ok(known.name);
        }
        for name in NAMES {
            match api.custom_policy(name).await? {
                Some(document) if denies_all(&document) => {
                    known.name = Some(name);
                    return Ok(Some(name));
                }
                // The first one may have been somebody else's, and be deleted by now.
                None | Some(_) => {}
            }
        }
        Ok(None)
    }

    /// Returns whether a policy with one of [`NAMES`] denies everything.
    pub(super) async fn is_ours(
        &self,
        api: &AccountClient,
        account: &AccountId,
        name: &'static str,
    ) -> Result<bool, PathError> {
        let known = self.of(account);
        let mut known = known.lock().await;
        let ours = known.ours.contains(name)
            || api.custom_policy(name).await?.is_some_and(|document| denies_all(&document));
        if ours {
            known.ours.insert(name);
        }
        Ok(ours)
    }

    /// Forgets what is known about an account: its policies may have changed.
    pub(super) fn forget(&self, account: &AccountId) {
        self.known.lock().remove(account);
    }

    fn of(&self, account: &AccountId) -> Arc<tokio::sync::Mutex<Known>> {
        Arc::clone(self.known.lock().entry(account.clone()).or_default())
    }

    /// Alerts about names that are taken, each once.
    async fn tell(
        &self,
        account: &AccountId,
        taken: Vec<&'static str>,
        instead: &'static str,
    ) -> Result<(), StoreError> {
        let (alerts, now) = (self.alerts.clone(), self.clock.now());
        let account = account.clone();
        self.store
            .writing(move |tx| {
                for policy in taken {
                    if tx.tell_once(&format!("policy_taken:{account}:{policy}"))? {
                        let problem = Problem::PolicyTaken {
                            account: account.clone(),
                            policy: policy.to_owned(),
                            instead: instead.to_owned(),
                        };
                        alerts.raise(tx, None, AlertBody::Error { problem }, now)?;
                    }
                }
                Ok::<_, StoreError>(())
            })
            .await
    }
}

/// Makes sure that there is a policy of this name that denies everything. Returns `false` if there is another one.
async fn make(api: &AccountClient, name: &str) -> Result<bool, volcengine::Error> {
    if let Some(document) = api.custom_policy(name).await? {
        return Ok(denies_all(&document));
    }
    let mut made = api.create_policy(name, &PolicyDocument::deny_all(), DESCRIPTION).await;
    if made.as_ref().is_err_and(|error| *error.kind() == ErrorKind::BadInput) {
        made = api.create_policy(name, &PolicyDocument::deny(&SERVICES), DESCRIPTION).await;
    }
    match made {
        Ok(()) => Ok(true),
        // Made by somebody else in the meantime.
        Err(error) if error.is_already_exists() => {
            Ok(api.custom_policy(name).await?.is_some_and(|document| denies_all(&document)))
        }
        Err(error) => Err(error),
    }
}

fn denies_all(document: &PolicyDocument) -> bool {
    *document == PolicyDocument::deny_all() || *document == PolicyDocument::deny(&SERVICES)
}
