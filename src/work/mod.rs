//! Tasks: longer work that a person requested on a card, and that reports to that card.
//!
//! A task is a row, so a restart finishes what was requested. Whatever the outcome, the task then ends, and the card
//! says what happened. Only a failure of the store leaves the row in place, so that the task starts over.
//!
//! Only creating a user has states of its own: see `create`.

mod access;
mod accounts;
mod batch;
mod claim;
mod create;
mod file;
mod mobiles;
mod profile;

use std::collections::BTreeMap;
use std::mem::Discriminant;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use claim::Claim;

use crate::access::Enforcer;
use crate::app::accounts::Waiting;
use crate::app::cloud::Cloud;
use crate::app::outcome::AccountSync;
use crate::app::{projects, sync};
use crate::cards::{CardContext, Cards, Processing, SyncProgress};
use crate::clock::Clock;
use crate::domain::{Account, AccountId, LinkPolicies, Role, Task, TaskKind, UserKey};
use crate::feishu;
use crate::outbox::Alerts;
use crate::owed::{self, Due, InFlight, Owed, Wakers};
use crate::store::{Store, StoreError};

/// Poll interval in case a wake-up is missed.
const POLL: Duration = Duration::from_secs(30);

/// After what time a sync shows how far it is, and how often.
const PROGRESS: Duration = Duration::from_secs(5);

/// Carries out tasks.
pub struct Worker {
    parts: WorkerParts,
}

/// What [`Worker::new`] needs.
pub struct WorkerParts {
    /// Holds the rows.
    pub store: Store,
    /// The cloud.
    pub cloud: Cloud,
    /// For people behind mobile numbers.
    pub feishu: feishu::Client,
    /// Renders the reports.
    pub cards: Arc<Cards>,
    /// For the settings in force.
    pub alerts: Alerts,
    /// The source of the current time.
    pub clock: Clock,
    /// Policies that are granted with linked projects.
    pub link_policies: LinkPolicies,
    /// Wakes the worker, and the loops whose work follows from a task.
    pub wakers: Wakers,
    /// Looks at users' access.
    pub access: Arc<Enforcer>,
}

/// Tasks, each with its claim. The kinds of claims are the groups: many tasks of one kind leave room for others.
impl Owed for Worker {
    const WHAT: &'static str = "tasks";
    const PER_GROUP: usize = 4;
    const REST: Duration = Duration::from_secs(5);

    type Row = (Claim, Task);
    type Key = Claim;
    type Group = Discriminant<Claim>;
    type Error = StoreError;

    async fn due(&self) -> Result<Due<(Claim, Task)>, StoreError> {
        let tasks = self.parts.store.reading(|tx| tx.tasks()).await?;
        Ok(Due { rows: claimed(tasks), poll_after: POLL })
    }

    fn key((claim, _): &(Claim, Task)) -> Claim {
        claim.clone()
    }

    fn group(claim: &Claim) -> Discriminant<Claim> {
        std::mem::discriminant(claim)
    }

    async fn attempt(&self, (_, task): (Claim, Task)) -> Result<(), StoreError> {
        self.carry_out(task).await?;
        self.parts.wakers.outbox.notify_one();
        Ok(())
    }
}

/// Returns the worker's tasks with their claims.
fn claimed(tasks: Vec<Task>) -> Vec<(Claim, Task)> {
    tasks.into_iter().filter_map(|task| Some((Claim::of(&task.kind)?, task))).collect()
}

impl Worker {
    /// Builds a worker from its parts.
    pub fn new(parts: WorkerParts) -> Arc<Self> {
        Arc::new(Self { parts })
    }

    /// Works until `stop`. Tasks in flight are aborted, and start over after the next start.
    pub async fn run(self: Arc<Self>, stop: CancellationToken) {
        let wake = Arc::clone(&self.parts.wakers.tasks);
        let tasks = owed::run(self, wake, InFlight::default(), CancellationToken::new());
        // A task may take minutes. Dropping the loop aborts those in flight.
        stop.run_until_cancelled(tasks).await;
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
            TaskKind::LookAtAccess { user } => self.look_at_access(task, user).await,
            TaskKind::CheckMobiles { mobiles, before } => {
                self.check_mobiles(task, mobiles, before).await
            }
            TaskKind::Batch { batch, .. } => self.carry_batch_on(task, batch).await,
            TaskKind::MonitorRun => Ok(()),
        }
    }

    async fn sync(&self, task: Task) -> Result<(), StoreError> {
        let accounts = self.parts.store.reading(|tx| tx.accounts()).await?;
        let active: Vec<Account> =
            accounts.into_iter().filter(|account| account.active.is_on()).collect();
        let began = tokio::time::Instant::now();
        // Each account has its own rate limiter, so they are read concurrently.
        let mut readings: FuturesUnordered<_> = active
            .iter()
            .enumerate()
            .map(|(at, account)| async move {
                let WorkerParts { store, cloud, clock, .. } = &self.parts;
                (at, sync::account(store, cloud, clock, account).await)
            })
            .collect();
        let mut ticks = tokio::time::interval_at(began + PROGRESS, PROGRESS);
        let mut read: BTreeMap<usize, AccountSync> = BTreeMap::new();
        loop {
            tokio::select! {
                next = readings.next() => match next {
                    Some((at, result)) => { read.insert(at, result?); }
                    None => break,
                },
                _ = ticks.tick() => {
                    let waits = active.iter().enumerate().filter(|(at, _)| !read.contains_key(at));
                    let progress = SyncProgress {
                        done: read.len(),
                        total: active.len(),
                        waits_for: waits.map(|(_, account)| account.name.clone()).collect(),
                        seconds: began.elapsed().as_secs(),
                    };
                    self.show_progress(&task, progress).await?;
                }
            }
        }
        let results: Vec<AccountSync> = read.into_values().collect();
        for result in &results {
            match &result.error {
                None => tracing::info!(
                    account = %result.account, users = result.users, added = result.added.len(),
                    changed = result.changed.len(), gone = result.gone.len(), "users read"
                ),
                Some(error) => tracing::warn!(account = %result.account, ?error, "users not read"),
            }
        }
        let now = self.parts.clock.now();
        // It may have found that a disabled user was opened again.
        self.parts.wakers.access.notify_one();
        let card = self
            .parts
            .cards
            .sync_report(&results, &CardContext::new(Role::Admin, now))
            .into_string();
        self.finish(task, Some(card), now).await
    }

    /// Shows on the card of a sync that takes long how far it is.
    async fn show_progress(&self, task: &Task, progress: SyncProgress) -> Result<(), StoreError> {
        let Some(report) = task.report.clone() else { return Ok(()) };
        let (cards, now) = (Arc::clone(&self.parts.cards), self.parts.clock.now());
        let created = task.created;
        self.parts
            .store
            .writing(move |tx| {
                let ctx = CardContext::new(Role::Admin, now);
                let card = cards.processing(&Processing::Syncing(progress), &ctx).into_string();
                // While Feishu is down, one update waits, not many.
                match tx.message_of(&report.target)? {
                    Some(id) if tx.has_updates(&report.lane, &id)? => {
                        tx.renew_updates(&report.lane, &id, &card, u64::MAX)
                    }
                    Some(_) => tx.owe_report(&report, card, created, now).map(drop),
                    None => Ok(()),
                }
            })
            .await?;
        self.parts.wakers.outbox.notify_one();
        Ok(())
    }

    async fn refresh_projects(
        &self,
        task: Task,
        account: AccountId,
        user: UserKey,
    ) -> Result<(), StoreError> {
        let key = user.account.clone();
        let before = self.parts.store.reading(move |tx| tx.projects_of(&key)).await?;
        let refreshed = sync::refresh_projects(
            &self.parts.store,
            &self.parts.cloud,
            &self.parts.clock,
            &account,
        )
        .await;
        if let Err(error) = &refreshed {
            tracing::warn!(%account, %error, "projects not listed");
        }
        let (cards, now) = (Arc::clone(&self.parts.cards), self.parts.clock.now());
        self.parts
            .store
            .writing(move |tx| {
                if !tx.finish_task(task.id)? {
                    return Ok(());
                }
                // Someone may be typing into the card by now, or have moved on. It is replaced only if there was nothing to
                // choose from.
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
        self.parts
            .store
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::owed::Starts;

    fn tasks(kinds: &[TaskKind]) -> Vec<Task> {
        let created = Timestamp::UNIX_EPOCH;
        let task =
            |(id, kind): (u64, &TaskKind)| Task { id, kind: kind.clone(), report: None, created };
        (1..).zip(kinds).map(task).collect()
    }

    /// The ids of the tasks that start now.
    fn started(tasks: Vec<Task>, starts: &mut Starts<Worker>) -> Vec<u64> {
        claimed(tasks).iter().filter(|row| starts.start(row).is_some()).map(|(_, t)| t.id).collect()
    }

    #[test]
    fn only_tasks_with_the_same_claim_wait_for_each_other_in_order() {
        let check = |account: &str| TaskKind::CheckAccount {
            account: account.parse().unwrap(),
            name: String::new(),
            pair: String::new(),
            known: true,
        };
        let requested = [
            TaskKind::Sync,
            check("main"),
            TaskKind::MonitorRun,
            TaskKind::Sync,
            check("main"),
            check("labs"),
            TaskKind::CreateUser { creation: 7 },
        ];
        let mut starts = Starts::new(InFlight::default());
        assert_eq!(started(tasks(&requested), &mut starts), [1, 2, 6, 7]);
        // Nothing starts twice, whatever wakes the worker.
        assert_eq!(started(tasks(&requested), &mut starts), [0; 0]);
        starts.end(&Claim::KeyPair("main".parse().unwrap()));
        let rest: Vec<Task> = tasks(&requested).into_iter().filter(|task| task.id != 2).collect();
        assert_eq!(started(rest, &mut starts), [5]);
    }

    #[test]
    fn many_tasks_of_a_kind_leave_room_for_others() {
        let mut requested: Vec<TaskKind> =
            (0..9).map(|creation| TaskKind::CreateUser { creation }).collect();
        requested.push(TaskKind::ReadBalances);
        let mut starts = Starts::new(InFlight::default());
        assert_eq!(started(tasks(&requested), &mut starts), [1, 2, 3, 4, 10]);
    }
}
