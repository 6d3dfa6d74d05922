//! The monitor: collects bills, records them, decides; and enforces what was decided.
//!
//! # A cycle
//!
//! 1. **Collect** (`collect`). Reads the bills of the open periods. An account is read completely or not at all.
//! 2. **Record** (`record`). Writes bills, links and users, in one transaction with the next step.
//! 3. **Decide** ([`crate::domain::decide`]). Raises warnings, and enqueues a cut where the quota is used up.
//! 4. **Enforce** (`enforce`). Runs in a loop of its own, independently of the cycle.
//!
//! Beside enforcement runs a loop for the `policies` of linked projects. The two never work on the same user at once.

mod collect;
mod enforce;
mod policies;
mod record;
mod view;

use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use jiff::{SignedDuration, Timestamp};
use parking_lot::Mutex;
use tokio_cron_scheduler::{Job, JobScheduler, JobSchedulerError};
use tokio_util::sync::CancellationToken;

pub use enforce::{Enforcer, EnforcerParts};
pub use policies::{Policies, PoliciesParts};
pub use view::view;

use crate::app::cloud::Cloud;
use crate::cards::{CardContext, Cards};
use crate::clock::Clock;
use crate::domain::{AmountField, BillSource, CycleOutcome, CycleReport, Role, TaskKind};
use crate::outbox::Alerts;
use crate::owed::Wakers;
use crate::store::{Store, StoreError};

/// Pause after a cycle that could not be recorded.
const RETRY: Duration = Duration::from_secs(5);

/// What the monitor is doing, for cards.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// When the running cycle began, if one runs.
    pub running_since: Option<Timestamp>,
    /// When the next scheduled cycle is due.
    pub next_at: Option<Timestamp>,
}

/// Reads bills, records, decides.
pub struct Monitor {
    parts: MonitorParts,
    progress: Mutex<Progress>,
    /// Whether a scheduled cycle is due.
    due: Mutex<bool>,
    one_at_a_time: tokio::sync::Mutex<()>,
}

/// What [`Monitor::new`] needs.
pub struct MonitorParts {
    /// State.
    pub store: Store,
    /// Where bills are read.
    pub cloud: Cloud,
    /// Renders the reports.
    pub cards: Arc<Cards>,
    /// For warnings and incidents.
    pub alerts: Alerts,
    /// Whether cycles are scheduled; `/monitor run` works either way.
    pub enabled: bool,
    /// Which bill list.
    pub bill_source: BillSource,
    /// Which amount of it.
    pub amount_field: AmountField,
    /// Max accounts read concurrently.
    pub concurrency: usize,
    /// Time.
    pub clock: Clock,
    /// Wakes the monitor, and the loops whose work follows from a cycle.
    pub wakers: Wakers,
}

impl Monitor {
    /// Builds a monitor from its parts.
    pub fn new(parts: MonitorParts) -> Arc<Self> {
        Arc::new(Self {
            parts,
            progress: Mutex::default(),
            due: Mutex::default(),
            one_at_a_time: tokio::sync::Mutex::default(),
        })
    }

    /// Returns what it is doing.
    pub fn progress(&self) -> Progress {
        *self.progress.lock()
    }

    /// Whether cycles are scheduled.
    pub fn is_enabled(&self) -> bool {
        self.parts.enabled
    }

    /// Runs cycles, scheduled or requested, until `stop`, one after the other.
    ///
    /// # Errors
    /// If the schedule cannot be set up.
    pub async fn run(self: Arc<Self>, stop: CancellationToken) -> Result<(), JobSchedulerError> {
        let mut scheduler = JobScheduler::new().await?;
        scheduler.start().await?;
        let mut interval = self.interval().await;
        let mut job = self.schedule(&scheduler, interval).await?;
        if self.parts.enabled && self.is_overdue(interval).await {
            self.parts.wakers.monitor.notify_one();
            *self.due.lock() = true;
        }
        loop {
            if let Err(error) = self.run_requested().await {
                tracing::error!(%error, "a cycle could not be recorded");
                tokio::select! {
                    () = stop.cancelled() => break,
                    () = tokio::time::sleep(RETRY) => continue,
                }
            }
            tokio::select! {
                () = stop.cancelled() => break,
                () = self.parts.wakers.monitor.notified() => {}
                () = self.parts.wakers.settings.notified() => {
                    let saved = self.interval().await;
                    // If the clock was moved past the next cycle, that one is due a full interval from now.
                    if saved != interval || self.is_past_next() {
                        tracing::info!(interval_seconds = saved.as_secs(), "cycles are rescheduled");
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
        if self.parts.enabled {
            self.progress.lock().next_at = self.after(interval);
        }
        let monitor = Arc::clone(self);
        scheduler
            .add(Job::new_repeated(interval, move |_, _| {
                if monitor.parts.enabled {
                    *monitor.due.lock() = true;
                    monitor.progress.lock().next_at = monitor.after(interval);
                    monitor.parts.wakers.monitor.notify_one();
                }
            })?)
            .await
    }

    fn after(&self, interval: Duration) -> Option<Timestamp> {
        self.parts.clock.now().checked_add(SignedDuration::try_from(interval).ok()?).ok()
    }

    fn is_past_next(&self) -> bool {
        self.progress().next_at.is_some_and(|at| at < self.parts.clock.now())
    }

    /// The time between cycles. If the store cannot be read, the configured one.
    async fn interval(&self) -> Duration {
        let alerts = self.parts.alerts.clone();
        let saved = self.parts.store.reading(move |tx| alerts.settings_in_force(tx)).await;
        saved.map_or(self.parts.alerts.configured().interval, |settings| settings.interval)
    }

    /// Whether a cycle should have run while the service was down.
    async fn is_overdue(&self, interval: Duration) -> bool {
        let last =
            self.parts.store.reading(|tx| tx.monitor_state()).await.ok().and_then(|s| s.last);
        last.is_some_and(|last| {
            let since = self.parts.clock.now().duration_since(last.started);
            since.unsigned_abs() >= interval
        })
    }

    /// Runs a cycle if one is due or requested, and reports it to everyone who requested one before it began.
    async fn run_requested(&self) -> Result<(), StoreError> {
        loop {
            let tasks = self.parts.store.reading(|tx| tx.tasks()).await?;
            let requested: Vec<_> =
                tasks.into_iter().filter(|task| task.kind == TaskKind::MonitorRun).collect();
            let due = std::mem::take(&mut *self.due.lock());
            if requested.is_empty() && !due {
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
            let (cards, now) = (Arc::clone(&self.parts.cards), report.ended);
            self.parts
                .store
                .writing(move |tx| {
                    let look = CardContext::new(Role::Admin, now);
                    let card = cards.cycle_report(&report, &tx.accounts()?, &look);
                    for task in requested {
                        if tx.finish_task(task.id)?
                            && let Some(target) = &task.report
                        {
                            tx.owe_report(target, card.as_str().to_owned(), task.created, now)?;
                        }
                    }
                    Ok::<_, StoreError>(())
                })
                .await?;
            self.parts.wakers.outbox.notify_one();
        }
    }

    /// Runs one cycle: collect, record, decide. Waits for one that is running. Failures of the cloud are part of the
    /// report.
    pub async fn cycle(&self) -> Result<CycleReport, StoreError> {
        let _turn = self.one_at_a_time.lock().await;
        let started = self.parts.clock.now();
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
        self.parts.wakers.outbox.notify_one();
        self.parts.wakers.access.notify_one();
        result
    }

    async fn collect_and_record(&self, started: Timestamp) -> Result<CycleReport, StoreError> {
        let collected = self.collect().await?;
        let (alerts, now) = (self.parts.alerts.clone(), self.parts.clock.now());
        self.parts
            .store
            .writing(move |tx| record::record(tx, &alerts, &collected, started, now))
            .await
    }
}
