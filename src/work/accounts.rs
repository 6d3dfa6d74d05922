//! Checking the key pairs of main accounts, and reading their balances.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Worker;
use crate::app::accounts::{self, Checked, Waiting};
use crate::app::trouble::Trouble;
use crate::cards::{Card, CardContext, Cards, Tone};
use crate::domain::{AccountId, BalanceReading, Role, Task};
use crate::store::{AccountSecrets, Source, StoreError, View, WriteTx};
use crate::volcengine::Balance;

impl Worker {
    /// Asks the cloud about a key pair, and keeps the pair where it is good.
    pub(super) async fn check_account(
        &self,
        task: Task,
        waiting: Waiting,
    ) -> Result<(), StoreError> {
        let (store, pair) = (self.store.clone(), waiting.pair.clone());
        let secrets = blocking(move || store.waiting_pair(&pair)).await;
        let answer = match secrets {
            Ok(Some(secrets)) => self.ask(secrets).await,
            Ok(None) | Err(StoreError::Unsealable) => Err(Checked::Overtaken),
            Err(error) => return Err(error),
        };
        match &answer {
            Ok(_) => tracing::info!(account = %waiting.account, "a key pair was taken"),
            Err(why) => {
                tracing::warn!(account = %waiting.account, ?why, "a key pair was not saved")
            }
        }
        // Read before the card is made, so that it says all there is to say at once.
        let balance = match &answer {
            Ok(secrets) => Some(self.reading(self.cloud.with(secrets).balance().await)),
            Err(_) => None,
        };
        let (store, cards, now) = (self.store.clone(), Arc::clone(&self.cards), self.clock.now());
        blocking(move || {
            accounts::settle(&store, &waiting, answer, now, |tx, checked| {
                if let (Checked::Saved { .. }, Some(balance)) = (checked, &balance) {
                    tx.put_balance(&waiting.account, balance)?;
                }
                let card = checked_card(tx, &cards, &waiting, checked, now)?;
                if !tx.finish_task(task.id)? {
                    return Ok(());
                }
                if let Some(report) = &task.report {
                    tx.owe_report(report, card.into_string(), task.created, now)?;
                }
                Ok(())
            })
        })
        .await
    }

    async fn ask(&self, secrets: AccountSecrets) -> Result<AccountSecrets, Checked> {
        match self.cloud.with(&secrets).check().await {
            Ok(()) => Ok(secrets),
            Err(error) if error.is_transient() => {
                Err(Checked::Unclear(self.cards.words().trouble(&error.into())))
            }
            Err(error) => Err(Checked::Refused(self.cards.words().trouble(&error.into()))),
        }
    }

    /// Reads the balances of the active accounts.
    pub(super) async fn read_balances(&self, task: Task) -> Result<(), StoreError> {
        let accounts = self.store.reading(|tx| tx.accounts()).await?;
        let active = accounts.into_iter().filter(|account| account.active.is_on());
        let readings = active.map(|account| async move {
            let read = self.read_balance(&account.id).await;
            (account.id, read)
        });
        let readings = futures::future::join_all(readings).await;
        let (cards, now) = (Arc::clone(&self.cards), self.clock.now());
        self.store
            .writing(move |tx| {
                for (id, read) in &readings {
                    tx.put_balance(id, read)?;
                }
                // Somebody may have acted on the card meanwhile: then it is no longer replaced.
                let report = tx.task(task.id)?.and_then(|task| task.report);
                tx.finish_task(task.id)?;
                if let Some(report) = report {
                    let card = list(tx, &cards, &CardContext::new(Role::Admin, now))?;
                    tx.owe_report(&report, card.into_string(), task.created, now)?;
                }
                Ok(())
            })
            .await
    }

    async fn read_balance(&self, id: &AccountId) -> BalanceReading {
        match self.cloud.account(id).await {
            Ok(api) => self.reading(api.balance().await),
            Err(error) => self.reading::<crate::app::cloud::CloudError>(Err(error)),
        }
    }

    fn reading<E: std::fmt::Display + Into<Trouble>>(
        &self,
        read: Result<Balance, E>,
    ) -> BalanceReading {
        let at = self.clock.now();
        match read {
            Ok(balance) => BalanceReading { available: Some(balance.available), error: None, at },
            Err(error) => {
                tracing::warn!(%error, "a balance was not read");
                let error = self.cards.words().trouble(&error.into());
                BalanceReading { available: None, error: Some(error), at }
            }
        }
    }
}

/// Runs what blocks on a thread for it.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    tokio::task::spawn_blocking(work).await.map_err(|_| StoreError::Aborted)?
}

fn list<S: Source>(tx: &View<S>, cards: &Cards, look: &CardContext) -> Result<Card, StoreError> {
    show(tx, cards, None, look)
}

fn show<S: Source>(
    tx: &View<S>,
    cards: &Cards,
    replacing: Option<&AccountId>,
    look: &CardContext,
) -> Result<Card, StoreError> {
    match accounts::view(tx, replacing, 1) {
        Ok(view) => Ok(cards.accounts(&view, look)),
        Err(crate::app::Error::Store(error)) => Err(error),
        // The account is gone: the list says so.
        Err(crate::app::Error::Refused(refusal)) => {
            let text = cards.words().refusal(&refusal);
            Ok(cards.message(Tone::Error, &cards.words().t("refused.title", &[]), &text))
        }
    }
}

/// The accounts card with how the check ended. What was typed comes back where it was not kept, without the key pair.
fn checked_card(
    tx: &WriteTx,
    cards: &Cards,
    waiting: &Waiting,
    checked: &Checked,
    now: jiff::Timestamp,
) -> Result<Card, StoreError> {
    let words = cards.words();
    let account = &waiting.account;
    let (tone, text) = match checked {
        Checked::Saved { new: true } => {
            (Tone::Success, words.t("accounts.saved_new", &[("account", account)]))
        }
        Checked::Saved { new: false } => {
            (Tone::Success, words.t("accounts.saved", &[("account", account)]))
        }
        Checked::Refused(reason) => {
            (Tone::Error, words.t("accounts.refused", &[("account", account), ("reason", reason)]))
        }
        Checked::Unclear(reason) => (
            Tone::Warning,
            words.t("accounts.unclear", &[("account", account), ("reason", reason)]),
        ),
        Checked::Overtaken => {
            (Tone::Warning, words.t("accounts.overtaken", &[("account", account)]))
        }
    };
    let look = CardContext::new(Role::Admin, now).with_banner(tone, text);
    if matches!(checked, Checked::Saved { .. }) {
        return list(tx, cards, &look);
    }
    let typed = BTreeMap::from([
        ("account".to_owned(), account.to_string()),
        ("name".to_owned(), waiting.name.clone()),
    ]);
    let replacing = tx.account(account)?.is_some().then_some(account);
    show(tx, cards, replacing, &look.with_form(typed))
}
