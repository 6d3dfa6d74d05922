//! Work that takes slow remote calls and reports to a card: reading users, listing projects. Owed as rows, so that a
//! restart finishes what was asked for.

mod accounts;
mod authorise;
mod create;
mod profile;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use jiff::Timestamp;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::app::accounts::Waiting;
use crate::app::cloud::Cloud;
use crate::app::outcome::AccountSync;
use crate::app::{projects, sync};
use crate::cards::{CardContext, Cards};
use crate::clock::Clock;
use crate::domain::{AccountId, Role, Settings, Task, TaskKind, UserKey};
use crate::feishu;
use crate::store::{Store, StoreError};

pub use authorise::{Authoriser, Parts as AuthoriserParts};

/// After the store failed, or a task could not be done, it is looked at again after so long.
const LOOK_AGAIN: Duration = Duration::from_secs(5);
/// Tasks of one kind that are done side by side.
const OF_A_KIND: usize = 4;

/// What a task has to itself while it is done. Tasks that want the same are done in the order they were asked for; others
/// do not wait for each other.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Claim {
    /// Reading the users of all accounts. What others write meanwhile is newer than what it read, and stays.
    Users,
    Balances,
    Projects(AccountId),
    KeyPair(AccountId),
    Creation(u64),
    Profile(UserKey),
}

impl Claim {
    /// None for what somebody else does: cycles are the monitor's.
    fn of(kind: &TaskKind) -> Option<Self> {
        Some(match kind {
            TaskKind::Sync => Self::Users,
            TaskKind::MonitorRun => return None,
            TaskKind::CreateUser { creation } => Self::Creation(*creation),
            TaskKind::RefreshProjects { account, .. } => Self::Projects(account.clone()),
            TaskKind::UpdateProfile { user, .. } => Self::Profile(user.clone()),
            TaskKind::CheckAccount { account, .. } => Self::KeyPair(account.clone()),
            TaskKind::ReadBalances => Self::Balances,
        })
    }
}

/// Does tasks, side by side where they do not depend on each other.
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
        let worker = Arc::new(self);
        let mut under_way = JoinSet::new();
        // Belongs to this loop alone: a task ends between two looks at the rows, never between a look and the start that
        // follows from it. Otherwise one that was just done would be done twice.
        let mut claims = HashMap::new();
        loop {
            let pause = match worker.store.reading(|tx| tx.tasks()).await {
                Ok(tasks) => {
                    for task in startable(tasks, &mut claims) {
                        under_way.spawn(Arc::clone(&worker).attempt(task));
                    }
                    None
                }
                Err(error) => {
                    tracing::error!(%error, "tasks cannot be read");
                    Some(LOOK_AGAIN)
                }
            };
            let rest = async {
                match pause {
                    Some(pause) => tokio::time::sleep(pause).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = stop.cancelled() => return,
                () = worker.bell.notified() => {}
                Some(ended) = under_way.join_next(), if !under_way.is_empty() => match ended {
                    Ok(id) => {
                        claims.remove(&id);
                    }
                    Err(error) => tracing::error!(%error, "a task was broken off"),
                },
                () = rest => {}
            }
        }
    }

    /// Does a task. Returns its id.
    async fn attempt(self: Arc<Self>, task: Task) -> u64 {
        let id = task.id;
        match std::panic::AssertUnwindSafe(self.carry_out(task)).catch_unwind().await {
            Ok(Ok(())) => {
                self.outbox_bell.notify_one();
                return id;
            }
            Ok(Err(error)) => tracing::error!(task = id, %error, "a task cannot be done"),
            Err(_) => tracing::error!(task = id, "a task panicked"),
        }
        tokio::time::sleep(LOOK_AGAIN).await;
        id
    }

    async fn carry_out(&self, task: Task) -> Result<(), StoreError> {
        match task.kind.clone() {
            TaskKind::Sync => self.sync(task).await,
            TaskKind::RefreshProjects { account, user } => {
                self.refresh_projects(task, account, user).await
            }
            TaskKind::CreateUser { creation } => self.create(task, creation).await,
            TaskKind::UpdateProfile { user, profile, owner_mobile } => {
                self.update_profile(task, user, profile, owner_mobile).await
            }
            TaskKind::CheckAccount { account, name, pair, known } => {
                self.check_account(task, Waiting { account, name, pair, known }).await
            }
            TaskKind::ReadBalances => self.read_balances(task).await,
            TaskKind::MonitorRun => Ok(()),
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
                Some(error) => tracing::warn!(account = %result.account, ?error, "users not read"),
            }
        }
        let now = self.clock.now();
        let card =
            self.cards.sync_report(&results, &CardContext::new(Role::Admin, now)).into_string();
        self.finish(task, Some(card), now).await
    }

    async fn refresh_projects(
        &self,
        task: Task,
        account: AccountId,
        user: UserKey,
    ) -> Result<(), StoreError> {
        let key = user.account.clone();
        let before = self.store.reading(move |tx| tx.projects_of(&key)).await?;
        let refreshed =
            sync::refresh_projects(&self.store, &self.cloud, &self.clock, &account).await;
        if let Err(error) = &refreshed {
            tracing::warn!(%account, %error, "projects not listed");
        }
        let (cards, now) = (Arc::clone(&self.cards), self.clock.now());
        self.store
            .writing(move |tx| {
                if !tx.finish_task(task.id)? {
                    return Ok(());
                }
                // Somebody may be typing into the card by now, or have moved on: it is replaced only where there was nothing
                // to choose from.
                let Some(report) = &task.report else { return Ok(()) };
                if !before.is_empty() && refreshed.is_ok() {
                    return Ok(());
                }
                let mut look = CardContext::new(Role::Admin, now);
                if let Err(error) = &refreshed {
                    let reason = cards.words().trouble(&error.into());
                    let text = cards.words().t("projects.not_listed", &[("reason", &reason)]);
                    look = look.with_banner(crate::cards::Tone::Warning, text);
                }
                match projects::view(tx, &user, 1, now) {
                    Ok(view) => {
                        let card = cards.projects(&view, &look).into_string();
                        tx.owe_report(report, card, task.created, now).map(drop)
                    }
                    Err(crate::app::Error::Store(error)) => Err(error),
                    Err(crate::app::Error::Refused(_)) => Ok(()),
                }
            })
            .await
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

/// The tasks that can be started now; their claims are noted.
fn startable(tasks: Vec<Task>, claims: &mut HashMap<u64, Claim>) -> Vec<Task> {
    let mut taken: HashSet<Claim> = claims.values().cloned().collect();
    let mut start = Vec::new();
    for task in tasks {
        let Some(claim) = Claim::of(&task.kind).filter(|_| !claims.contains_key(&task.id)) else {
            continue;
        };
        let kind = std::mem::discriminant(&claim);
        let alike = claims.values().filter(|other| std::mem::discriminant(*other) == kind).count();
        // One that has to wait goes before later ones that want the same.
        if taken.insert(claim.clone()) && alike < OF_A_KIND {
            claims.insert(task.id, claim);
            start.push(task);
        }
    }
    start
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tasks(kinds: &[TaskKind]) -> Vec<Task> {
        let created = Timestamp::UNIX_EPOCH;
        let task =
            |(id, kind): (u64, &TaskKind)| Task { id, kind: kind.clone(), report: None, created };
        (1..).zip(kinds).map(task).collect()
    }

    fn ids(started: &[Task]) -> Vec<u64> {
        started.iter().map(|task| task.id).collect()
    }

    #[test]
    fn what_wants_the_same_waits_in_order_and_nothing_else_does() {
        let check = |account: &str| TaskKind::CheckAccount {
            account: account.parse().unwrap(),
            name: String::new(),
            pair: String::new(),
            known: true,
        };
        let asked = [
            TaskKind::Sync,
            check("main"),
            TaskKind::MonitorRun,
            TaskKind::Sync,
            check("main"),
            check("labs"),
            TaskKind::CreateUser { creation: 7 },
        ];
        let mut claims = HashMap::new();
        assert_eq!(ids(&startable(tasks(&asked), &mut claims)), [1, 2, 6, 7]);
        // Nothing is started twice, whatever is rung.
        assert_eq!(ids(&startable(tasks(&asked), &mut claims)), [0; 0]);
        claims.remove(&2);
        let rest: Vec<Task> = tasks(&asked).into_iter().filter(|task| task.id != 2).collect();
        assert_eq!(ids(&startable(rest, &mut claims)), [5]);
    }

    #[test]
    fn many_of_a_kind_leave_room_for_others() {
        let mut asked: Vec<TaskKind> =
            (0..9).map(|creation| TaskKind::CreateUser { creation }).collect();
        asked.push(TaskKind::ReadBalances);
        let mut claims = HashMap::new();
        assert_eq!(ids(&startable(tasks(&asked), &mut claims)), [1, 2, 3, 4, 10]);
    }
}
