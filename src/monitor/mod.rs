//! The monitor: collect, record, decide, enforce; and its schedule.

mod collect;
mod enforce;
mod record;

use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use jiff::{SignedDuration, Timestamp};
use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio_cron_scheduler::{Job, JobScheduler, JobSchedulerError};
use tokio_util::sync::CancellationToken;

pub use enforce::Enforcer;

use crate::app::cloud::Cloud;
use crate::app::outcome::{FailedDelivery, MonitorView};
use crate::cards::{CardContext, Cards};
use crate::clock::Clock;
use crate::domain::{
    AmountField, BillSource, CycleOutcome, CycleReport, OpenId, Role, Settings, TaskKind,
};
use crate::outbox::Audience;
use crate::owed::Wakers;
use crate::store::{Source, Store, StoreError, View};

/// Messages that were given up on the monitor card.
const FAILED_SHOWN: usize = 5;

/// What the monitor is doing, for cards.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Since when a cycle runs, if one does.
    pub running_since: Option<Timestamp>,
    /// When the next scheduled cycle is due.
    pub next_at: Option<Timestamp>,
}

/// Reads bills, records, decides.
pub struct Monitor {
    store: Store,
    cloud: Cloud,
    cards: Arc<Cards>,
    settings: Settings,
    admins: Vec<OpenId>,
    enabled: bool,
    bill_source: BillSource,
    amount_field: AmountField,
    concurrency: usize,
    clock: Clock,
    wakers: Wakers,
    progress: Mutex<Progress>,
    due: Arc<Mutex<bool>>,
    one_at_a_time: tokio::sync::Mutex<()>,
}

/// What [`Monitor::new`] is made of.
pub struct Parts {
    /// State.
    pub store: Store,
    /// Where bills are read.
    pub cloud: Cloud,
    /// Makes alerts.
    pub cards: Arc<Cards>,
    /// Settings of the configuration; saved ones win.
    pub settings: Settings,
    /// Who gets alerts where neither chat nor webhook is set.
    pub admins: Vec<OpenId>,
    /// Whether cycles are scheduled; `/monitor run` works either way.
    pub enabled: bool,
    /// Which bill list.
    pub bill_source: BillSource,
    /// Which amount of it.
    pub amount_field: AmountField,
    /// Accounts read side by side.
    pub concurrency: usize,
    /// Time.
    pub clock: Clock,
    /// Whom to tell.
    pub wakers: Wakers,
}

impl Monitor {
    /// A monitor over these parts.
    pub fn new(parts: Parts) -> Arc<Self> {
        Arc::new(Self {
            store: parts.store,
            cloud: parts.cloud,
            cards: parts.cards,
            settings: parts.settings,
            admins: parts.admins,
            enabled: parts.enabled,
            bill_source: parts.bill_source,
            amount_field: parts.amount_field,
            concurrency: parts.concurrency.max(1),
            clock: parts.clock,
            wakers: parts.wakers,
            progress: Mutex::new(Progress::default()),
            due: Arc::new(Mutex::new(false)),
            one_at_a_time: tokio::sync::Mutex::new(()),
        })
    }

    /// What it is doing.
    pub fn progress(&self) -> Progress {
        *self.progress.lock()
    }

    /// Whether cycles are scheduled.
    pub fn is_enabled(&self) -> bool {
        self.enabled
    }

    /// Runs cycles, scheduled or asked for, until `stop`, one after the other.
    ///
    /// # Errors
    /// Where the schedule cannot be set up.
    pub async fn run(self: Arc<Self>, stop: CancellationToken) -> Result<(), JobSchedulerError> {
        let mut scheduler = JobScheduler::new().await?;
        scheduler.start().await?;
        let mut interval = self.interval().await;
        let mut job = self.schedule(&scheduler, interval).await?;
        if self.enabled && self.is_overdue(interval).await {
            self.wakers.monitor.notify_one();
            *self.due.lock() = true;
        }
        loop {
            if let Err(error) = self.run_what_is_asked_for().await {
                tracing::error!(%error, "a cycle could not be recorded");
                tokio::select! {
                    () = stop.cancelled() => break,
                    () = tokio::time::sleep(Duration::from_secs(5)) => continue,
                }
            }
            tokio::select! {
                () = stop.cancelled() => break,
                () = self.wakers.monitor.notified() => {}
                () = self.wakers.settings.notified() => {
                    let saved = self.interval().await;
                    // Where the clock was moved past the next cycle, that is due so long from now.
                    if saved != interval || self.is_past_next() {
                        tracing::info!(interval_seconds = saved.as_secs(), "cycles are scheduled anew");
                        interval = saved;
                        scheduler.remove(&job).await?;
                        job = self.schedule(&scheduler, interval).await?;
                    }
                }
            }
        }
        scheduler.shutdown().await
    }

    async fn schedule(
        self: &Arc<Self>,
        scheduler: &JobScheduler,
        interval: Duration,
    ) -> Result<uuid::Uuid, JobSchedulerError> {
        if self.enabled {
            self.progress.lock().next_at = self.after(interval);
        }
        let monitor = Arc::clone(self);
        scheduler
            .add(Job::new_repeated(interval, move |_, _| {
                if monitor.enabled {
                    *monitor.due.lock() = true;
                    monitor.progress.lock().next_at = monitor.after(interval);
                    monitor.wakers.monitor.notify_one();
                }
            })?)
            .await
    }

    fn after(&self, interval: Duration) -> Option<Timestamp> {
        self.clock.now().checked_add(SignedDuration::try_from(interval).ok()?).ok()
    }

    fn is_past_next(&self) -> bool {
        self.progress().next_at.is_some_and(|at| at < self.clock.now())
    }

    async fn interval(&self) -> Duration {
        self.settings_in_force().await.map_or(self.settings.interval, |settings| settings.interval)
    }

    async fn settings_in_force(&self) -> Result<Settings, StoreError> {
        let configured = self.settings.clone();
        self.store.reading(move |tx| Ok(tx.saved_settings()?.over(&configured))).await
    }

    /// Whether a cycle should have run while the service was down.
    async fn is_overdue(&self, interval: Duration) -> bool {
        let last = self.store.reading(|tx| tx.monitor_state()).await.ok().and_then(|s| s.last);
        last.is_some_and(|last| {
            let since = self.clock.now().duration_since(last.started);
            since.unsigned_abs() >= interval
        })
    }

    /// Runs a cycle if one is due or asked for, and reports it to everybody who asked before it began.
    async fn run_what_is_asked_for(&self) -> Result<(), StoreError> {
        loop {
            let tasks = self.store.reading(|tx| tx.tasks()).await?;
            let asked: Vec<_> =
                tasks.into_iter().filter(|task| task.kind == TaskKind::MonitorRun).collect();
            let due = std::mem::take(&mut *self.due.lock());
            if asked.is_empty() && !due {
                return Ok(());
            }
            let report = match self.cycle().await {
                Ok(report) => report,
                Err(error) => {
                    // What was due is still due.
                    *self.due.lock() |= due;
                    return Err(error);
                }
            };
            let (cards, now) = (Arc::clone(&self.cards), report.ended);
            self.store
                .writing(move |tx| {
                    let look = CardContext::new(Role::Admin, now);
                    let card = cards.cycle_report(&report, &tx.accounts()?, &look);
                    for task in asked {
                        if tx.finish_task(task.id)?
                            && let Some(target) = &task.report
                        {
                            tx.owe_report(target, card.as_str().to_owned(), task.created, now)?;
                        }
                    }
                    Ok::<_, StoreError>(())
                })
                .await?;
            self.wakers.outbox.notify_one();
        }
    }

    /// One cycle: collect, record, decide. Enforcement goes on by itself. Waits for one that is running.
    ///
    /// # Errors
    /// The store's; whatever the cloud does is part of the report.
    pub async fn cycle(&self) -> Result<CycleReport, StoreError> {
        let _turn = self.one_at_a_time.lock().await;
        let started = self.clock.now();
        let watch = tokio::time::Instant::now();
        self.progress.lock().running_since = Some(started);
        // A panic must not end the monitor for good.
        let cycle = std::panic::AssertUnwindSafe(self.collect_and_record(started));
        let result = cycle.catch_unwind().await.unwrap_or_else(|_| {
            tracing::error!("a cycle panicked");
            Err(StoreError::Aborted)
        });
        self.progress.lock().running_since = None;
        metrics::histogram!("airgate_monitor_run_seconds").record(watch.elapsed());
        let outcome = match &result {
            Ok(report) if report.outcome == CycleOutcome::Ok => "ok",
            _ => "error",
        };
        metrics::counter!("airgate_monitor_runs_total", "outcome" => outcome).increment(1);
        if let Ok(report) = &result {
            if report.outcome == CycleOutcome::Ok {
                let seconds = u32::try_from(report.ended.as_second()).unwrap_or(u32::MAX);
                metrics::gauge!("airgate_monitor_last_success_timestamp_seconds").set(seconds);
            }
            tracing::info!(
                outcome,
                users = report.users,
                warnings = report.warnings,
                disables = report.disables,
                rows = report.accounts.iter().map(|account| account.rows).sum::<u64>(),
                calls = report.accounts.iter().map(|account| account.calls).sum::<u32>(),
                "cycle ended"
            );
        }
        self.wakers.outbox.notify_one();
        self.wakers.access.notify_one();
        result
    }

    async fn collect_and_record(&self, started: Timestamp) -> Result<CycleReport, StoreError> {
        let collected = self.collect().await?;
        let (cards, admins) = (Arc::clone(&self.cards), self.admins.clone());
        let (configured, now) = (self.settings.clone(), self.clock.now());
        self.store
            .writing(move |tx| {
                let settings = tx.saved_settings()?.over(&configured);
                let audience = Audience { cards: &cards, settings: &settings, admins: &admins };
                record::record(tx, audience, &collected, started, now)
            })
            .await
    }
}

/// The monitor card's facts.
///
/// # Errors
/// The store's.
pub fn view<S: Source>(
    tx: &View<S>,
    settings: &Settings,
    progress: Progress,
    enabled: bool,
) -> Result<MonitorView, StoreError> {
    Ok(MonitorView {
        enabled,
        interval_seconds: settings.interval.as_secs(),
        running_since: progress.running_since,
        next_at: progress.next_at,
        state: tx.monitor_state()?,
        accounts: tx.accounts()?,
        owed: tx.owed_count()?,
        failed: tx
            .failed_messages(FAILED_SHOWN)?
            .into_iter()
            .map(|failed| FailedDelivery {
                target: failed.owed.lane,
                reason: failed.reason,
                at: failed.at,
            })
            .collect(),
        access_pending: tx.all_access_pending()?,
    })
}
