//! Checks the key pairs of main accounts, and reads their balances.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Worker;
use crate::app::accounts::{self, Accepted, Checked, Waiting};
use crate::app::cloud::CloudError;
use crate::app::trouble::Trouble;
use crate::cards::{Card, CardContext, Cards, Tone};
use crate::domain::{AccountId, BalanceReading, Money, Role, Task};
use crate::store::{AccountSecrets, Source, StoreError, View, WriteTx};

impl Worker {
    /// Asks the cloud about a key pair, and keeps the pair if it works.
    pub(super) async fn check_account(
        &self,
        task: Task,
        waiting: Waiting,
    ) -> Result<(), StoreError> {
        let (store, pair) = (self.parts.store.clone(), waiting.pair.clone());
        let secrets = blocking(move || store.waiting_pair(&pair)).await;
        let answer = match secrets {
            Ok(Some(secrets)) => {
                self.learn_number(&waiting).await?;
                self.ask(secrets).await
            }
            Ok(None) | Err(StoreError::Unsealable) => Err(Checked::Overtaken),
            Err(error) => return Err(error),
        };
        match &answer {
            Ok(_) => tracing::info!(account = %waiting.account, "key pair accepted"),
            Err(why) => {
                tracing::warn!(account = %waiting.account, ?why, "key pair not saved")
            }
        }
        // Read before the card is rendered, so that the card is complete.
        let balance = match &answer {
            Ok(accepted) => {
                let api = self.parts.cloud.with(&accepted.secrets);
                Some(self.reading(api.available_balance().await))
            }
            Err(_) => None,
        };
        let (store, cards, now) =
            (self.parts.store.clone(), Arc::clone(&self.parts.cards), self.parts.clock.now());
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

    /// An account of an older store may have no number yet: its present pair, if it still works, shows which main
    /// account it is.
    async fn learn_number(&self, waiting: &Waiting) -> Result<(), StoreError> {
        if !waiting.known {
            return Ok(());
        }
        let verified = match self.parts.cloud.account(&waiting.account).await {
            Ok(api) => self.parts.cloud.verify(&waiting.account, &api).await,
            Err(error) => Err(error),
        };
        match verified {
            Err(CloudError::Store(error)) => Err(error),
            // The new pair may fix that.
            Ok(()) | Err(_) => Ok(()),
        }
    }

    async fn ask(&self, secrets: AccountSecrets) -> Result<Accepted, Checked> {
        match self.parts.cloud.with(&secrets).check().await {
            Ok(number) => Ok(Accepted { secrets, number }),
            Err(error) if error.is_transient() => {
                Err(Checked::Unclear(self.parts.cards.words().trouble(&error.into())))
            }
            Err(error) => Err(Checked::Refused(self.parts.cards.words().trouble(&error.into()))),
        }
    }

    /// Reads the balances of the active accounts.
    pub(super) async fn read_balances(&self, task: Task) -> Result<(), StoreError> {
        let accounts = self.parts.store.reading(|tx| tx.accounts()).await?;
        let active = accounts.into_iter().filter(|account| account.active.is_on());
        let readings = active.map(|account| async move {
            let read = self.read_balance(&account.id).await;
            (account.id, read)
        });
        let readings = futures::future::join_all(readings).await;
        let (cards, now) = (Arc::clone(&self.parts.cards), self.parts.clock.now());
        self.parts
            .store
            .writing(move |tx| {
                for (id, read) in &readings {
                    tx.put_balance(id, read)?;
                }
                // If someone has used the card in the meantime, it is not replaced.
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
        match self.parts.cloud.account(id).await {
            Ok(api) => self.reading(api.available_balance().await),
            Err(error) => self.reading::<CloudError>(Err(error)),
        }
    }

    fn reading<E: std::fmt::Display + Into<Trouble>>(
        &self,
        read: Result<Money, E>,
    ) -> BalanceReading {
        let at = self.parts.clock.now();
        match read {
            Ok(available) => BalanceReading { available: Some(available), error: None, at },
            Err(error) => {
                tracing::warn!(%error, "balance not read");
                let error = self.parts.cards.words().trouble_of_account(&error.into());
                BalanceReading { available: None, error: Some(error), at }
            }
        }
    }
}

/// Runs blocking work on a blocking thread.
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
        // The account is gone, as the list shows.
        Err(crate::app::Error::Refused(refusal)) => {
            let text = cards.words().refusal(&refusal);
            Ok(cards.message(Tone::Error, &cards.words().t("refused.title", &[]), &text))
        }
    }
}

/// Returns the accounts card with the outcome of the check. Input that was not saved is shown again, without the key
/// pair.
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
        Checked::WrongAccount(problem) => {
            let reason = words.trouble(&problem.into());
            (Tone::Error, words.t("accounts.refused", &[("account", account), ("reason", &reason)]))
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
