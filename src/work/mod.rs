//! Work that takes slow remote calls and reports to a card: reading users, listing projects. Owed as rows, so that a
//! restart finishes what was asked for.

mod accounts;
mod authorise;
mod create;
mod profile;

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::app::accounts::Waiting;
use crate::app::cloud::Cloud;
use crate::app::outcome::AccountSync;
use crate::app::{projects, sync};
use crate::cards::{Cards, Look, Role};
use crate::clock::Clock;
use crate::domain::{AccountId, Settings, Task, TaskKind, UserKey};
use crate::feishu;
use crate::store::{Store, StoreError};

pub use authorise::{Authoriser, Parts as AuthoriserParts};

/// After the store failed, tasks are looked at again after so long.
const LOOK_AGAIN: Duration = Duration::from_secs(5);

/// Does tasks, one after the other.
pub struct Worker {
    /// Where the rows are.
    pub store: Store,
    /// The cloud.
    pub cloud: Cloud,
    /// For people behind mobile numbers.
    pub feishu: feishu::Client,
    /// Makes the reports.
    pub cards: Arc<Cards>,
    /// Settings of the configuration; saved ones win.
    pub settings: Settings,
    /// Time.
    pub clock: Clock,
    /// Policies that are attached within each project that is linked (`access.project_policies`).
    pub project_policies: Vec<String>,
    /// Rung when a policy was made owed.
    pub policies_bell: Arc<Notify>,
    /// Rung when a task was added.
    pub bell: Arc<Notify>,
    /// Rung when something was made owed.
    pub outbox_bell: Arc<Notify>,
    /// Rung when there may be an owner whose name is not known.
    pub names_bell: Arc<Notify>,
}

impl Worker {
    /// Works until `stop`. A task that is cut short is done again after the next start.
    pub async fn run(self, stop: CancellationToken) {
        loop {
            let pause = tokio::select! {
                () = stop.cancelled() => return,
                done = self.do_all() => match done {
                    Ok(()) => None,
                    Err(error) => {
                        tracing::error!(%error, "tasks cannot be done");
                        Some(LOOK_AGAIN)
                    }
                },
            };
            let rest = async {
                match pause {
                    Some(pause) => tokio::time::sleep(pause).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = stop.cancelled() => return,
                () = self.bell.notified() => {}
                () = rest => {}
            }
        }
    }

    async fn do_all(&self) -> Result<(), StoreError> {
        loop {
            let tasks = self.store.reading(|tx| tx.tasks()).await?;
            // Cycles are the monitor's.
            let Some(task) = tasks.into_iter().find(|task| task.kind != TaskKind::MonitorRun)
            else {
                return Ok(());
            };
            match task.kind.clone() {
                TaskKind::Sync => self.sync(task).await?,
                TaskKind::RefreshProjects { account, user } => {
                    self.refresh_projects(task, account, user).await?;
                }
                TaskKind::CreateUser { creation } => self.create(task, creation).await?,
                TaskKind::UpdateProfile { user, profile, owner_mobile } => {
                    self.update_profile(task, user, profile, owner_mobile).await?;
                }
                TaskKind::CheckAccount { account, name, pair, known } => {
                    let waiting = Waiting { account, name, pair, known };
                    self.check_account(task, waiting).await?;
                }
                TaskKind::ReadBalances => self.read_balances(task).await?,
                TaskKind::MonitorRun => return Ok(()),
            }
            self.outbox_bell.notify_one();
        }
    }

    async fn sync(&self, task: Task) -> Result<(), StoreError> {
        let accounts = self.store.reading(|tx| tx.accounts()).await?;
        let active = accounts.into_iter().filter(|account| account.active.is_on());
        let readings = active.map(|account| async move {
            sync::account(&self.store, &self.cloud, &self.clock, &account).await
        });
        // Accounts have their own pace, so they are read side by side.
        let results: Vec<AccountSync> =
            futures::future::join_all(readings).await.into_iter().collect::<Result<_, _>>()?;
        for result in &results {
            match &result.error {
                None => tracing::info!(
                    account = %result.account, users = result.users, added = result.added.len(),
                    changed = result.changed.len(), gone = result.gone.len(), "users read"
                ),
                Some(error) => tracing::warn!(account = %result.account, error, "users not read"),
            }
        }
        let now = self.clock.now();
        let card = self.cards.sync_report(&results, &Look::new(Role::Admin, now)).into_string();
        self.finish(task, Some(card), now).await
    }

    async fn refresh_projects(
        &self,
        task: Task,
        account: AccountId,
        user: UserKey,
    ) -> Result<(), StoreError> {
        let key = user.clone();
        let before = self.store.reading(move |tx| tx.projects_of(&key.account)).await?;
        let refreshed =
            sync::refresh_projects(&self.store, &self.cloud, &self.clock, &account).await;
        if let Err(error) = &refreshed {
            tracing::warn!(%account, %error, "projects not listed");
        }
        let now = self.clock.now();
        let (key, cards) = (user.clone(), Arc::clone(&self.cards));
        let card = self
            .store
            .reading(move |tx| {
                // Somebody may be typing into the card by now, or have moved on: it is replaced only where there was nothing
                // to choose from.
                if !before.is_empty() && refreshed.is_ok() {
                    return Ok::<_, StoreError>(None);
                }
                let mut look = Look::new(Role::Admin, now);
                if let Err(error) = &refreshed {
                    let text = cards.words().t("projects.not_listed", &[("reason", error)]);
                    look = look.with_banner(crate::cards::Tone::Warning, text);
                }
                match projects::view(tx, &key, 1, now) {
                    Ok(view) => Ok(Some(cards.projects(&view, &look).into_string())),
                    Err(crate::app::Error::Store(error)) => Err(error),
                    Err(crate::app::Error::Refused(_)) => Ok(None),
                }
            })
            .await?;
        self.finish(task, card, now).await
    }

    async fn finish(
        &self,
        task: Task,
        card: Option<String>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.store
            .writing(move |tx| {
                if tx.finish_task(task.id)?
                    && let (Some(report), Some(card)) = (&task.report, card)
                {
                    tx.owe_report(report, card, task.created, now)?;
                }
                Ok(())
            })
            .await
    }
}
