//! The monitor: collects bills, records them, decides, and enforces its decisions.
//!
//! # A cycle
//!
//! 1. **Collect** (`collect`). Reads the bills of the open periods, a few of them at once, and records them.
//! 2. **Record** (`record`). Writes what differs, and the users that it concerns, in many short transactions.
//! 3. **Estimate** (`estimate`). Reads and records what the bill does not hold yet, with each project's usage.
//! 4. **Decide** ([`crate::domain::decide`]). Raises warnings, and enqueues a cut if the quota is used up. **Look ahead**
//!    (`outlook`) warns of what will run out soon, and of days that cost far more than usual.
//! 5. **Look** ([`crate::access`]). Looks at disabled users, in turns: access that was opened again is cut again. Reads the
//!    usage after cuts.
//!
//! Cuts are carried out by [`crate::access`], in a loop of its own, independently of the cycle.
//!
//! Beside enforcement runs a loop for the `policies` of linked projects. The two never work on the same user at once.

mod collect;
mod estimate;
mod outlook;
mod period;
mod policies;
mod record;
mod schedule;
mod view;

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures::FutureExt;
use jiff::{SignedDuration, Timestamp};
use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio_cron_scheduler::{Job, JobScheduler, JobSchedulerError};
use tokio_util::sync::CancellationToken;

pub use outlook::WarnDays;
pub use policies::{Policies, PoliciesParts};
pub use view::view;

use crate::access::Enforcer;
use crate::app::cloud::Cloud;
use crate::cards::{CardContext, Cards};
use crate::clock::{Clock, Moment};
use crate::domain::{
    AmountField, BillSource, CycleOutcome, CycleReport, EstimateUse, Role, TaskKind,
};
use crate::outbox::Alerts;
use crate::owed::Wakers;
use crate::store::{Store, StoreError};

use record::Basis;
use schedule::{Schedule, is_late};

/// When the scheduler asks whether a cycle is due: every second. The scheduler goes by the date, so it is used for
/// nothing else: see [`GUARD`] and [`schedule`].
const EVERY_SECOND: &str = "* * * * * *";
/// How long to wait for the scheduler. It stops until its date comes again if the clock is set back, and for good if it
/// fails.
const GUARD: Duration = Duration::from_secs(2);
/// Pause after a cycle that could not be recorded, and after a panic.
const RETRY: Duration = Duration::from_secs(5);

/// What the monitor is doing, for cards.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// When the running cycle began, if one runs.
    pub running_since: Option<Timestamp>,
    /// When the next scheduled cycle is due.
    pub next_at: Option<Timestamp>,
    /// If the monitor is late: when its last cycle ended, or the service started.
    pub late_since: Option<Timestamp>,
}

/// Reads bills, records, decides.
pub struct Monitor {
    parts: MonitorParts,
    /// When the running cycle began.
    running_since: Mutex<Option<Timestamp>>,
    /// `None` if no cycles are scheduled.
    schedule: Mutex<Option<Schedule>>,
    /// When a cycle last ended and was recorded; before the first, when the service started.
    active: Mutex<Moment>,
    /// From when on a cycle is waited for: that, or when the interval was last changed.
    awaited: Mutex<Moment>,
    /// Whether the last cycle could not be recorded.
    unrecorded: AtomicBool,
    one_at_a_time: tokio::sync::Mutex<()>,
}

/// What [`Monitor::new`] needs.
pub struct MonitorParts {
    /// Holds the monitor's state.
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
    /// How early to warn of what will run out.
    pub warn_days: WarnDays,
    /// What the estimate is used for.
    pub estimate: EstimateUse,
    /// Max accounts read concurrently.
    pub concurrency: usize,
    /// The source of the current time.
    pub clock: Clock,
    /// Wakes the monitor, and the loops whose work follows from a cycle.
    pub wakers: Wakers,
    /// Looks at the users whose access is cut.
    pub access: Arc<Enforcer>,
}

impl Monitor {
    /// Builds a monitor from its parts.
    pub fn new(parts: MonitorParts) -> Arc<Self> {
        let now = parts.clock.moment();
        // Not only once it runs: a monitor that never does is late as well.
        let interval = parts.alerts.configured().interval;
        let schedule = parts.enabled.then(|| Schedule::new(interval, now));
        Arc::new(Self {
            parts,
            running_since: Mutex::default(),
            schedule: Mutex::new(schedule),
            active: Mutex::new(now),
            awaited: Mutex::new(now),
            unrecorded: AtomicBool::new(false),
            one_at_a_time: tokio::sync::Mutex::default(),
        })
    }

    /// Returns what it is doing.
    pub fn progress(&self) -> Progress {
        let now = self.parts.clock.moment();
        let schedule = *self.schedule.lock();
        let (active, awaited) = (*self.active.lock(), *self.awaited.lock());
        let running_since = *self.running_since.lock();
        let idle = running_since.is_none() || self.unrecorded.load(Ordering::SeqCst);
        let late =
            idle && schedule.is_some_and(|schedule| is_late(schedule.interval(), awaited, now));
        Progress {
            running_since,
            next_at: schedule.and_then(|schedule| {
                let remaining = SignedDuration::try_from(schedule.remaining(now)).ok()?;
                now.at().checked_add(remaining).ok()
            }),
            late_since: late.then_some(active.at()),
        }
    }

    /// Returns whether cycles are scheduled.
    pub fn is_enabled(&self) -> bool {
        self.parts.enabled
    }

    /// Runs cycles, scheduled or requested, until `stop`, one after the other. A panic costs one round.
    pub async fn run(self: Arc<Self>, stop: CancellationToken) {
        let tick = Arc::new(Notify::new());
        let mut scheduler = None;
        if self.parts.enabled {
            *self.schedule.lock() = Some(Schedule::new(self.interval().await, self.last().await));
            match ticking(Arc::clone(&tick)).await {
                Ok(started) => scheduler = Some(started),
                Err(error) => tracing::error!(%error, "the scheduler does not start; timers do"),
            }
        }
        while AssertUnwindSafe(self.rounds(&tick, &stop)).catch_unwind().await.is_err() {
            tracing::error!("a round of the monitor panicked");
            if stop.run_until_cancelled(tokio::time::sleep(RETRY)).await.is_none() {
                break;
            }
        }
        if let Some(mut scheduler) = scheduler
            && let Err(error) = scheduler.shutdown().await
        {
            tracing::warn!(%error, "the scheduler does not stop");
        }
    }

    async fn rounds(&self, tick: &Notify, stop: &CancellationToken) {
        let (mut due, mut requested) = (false, true);
        loop {
            due |= self.take_due();
            if (due || requested)
                && let Err(error) = self.run_requested(due).await
            {
                tracing::error!(%error, "a cycle could not be recorded");
                tokio::select! {
                    () = stop.cancelled() => return,
                    () = tokio::time::sleep(RETRY) => continue,
                }
            }
            (due, requested) = (false, false);
            tokio::select! {
                () = stop.cancelled() => return,
                () = self.parts.wakers.monitor.notified() => requested = true,
                () = tick.notified() => {}
                () = tokio::time::sleep(GUARD) => {}
                () = self.parts.wakers.settings.notified() => self.reschedule().await,
            }
        }
    }

    /// Returns whether a scheduled cycle is due; if so, the next one is due an interval later.
    fn take_due(&self) -> bool {
        let now = self.parts.clock.moment();
        self.schedule.lock().as_mut().is_some_and(|schedule| schedule.take_due(now))
    }

    /// Takes over another interval: the next cycle is due a full one from now.
    async fn reschedule(&self) {
        let saved = self.interval().await;
        let now = self.parts.clock.moment();
        if let Some(schedule) = self.schedule.lock().as_mut()
            && schedule.interval() != saved
        {
            tracing::info!(interval_seconds = saved.as_secs(), "cycles are rescheduled");
            *schedule = Schedule::new(saved, now);
            // A shorter interval does not make the monitor late for cycles that the longer one did not ask for.
            *self.awaited.lock() = now;
        }
    }

    /// Returns the time between cycles. If the store cannot be read, returns the configured one.
    async fn interval(&self) -> Duration {
        let alerts = self.parts.alerts.clone();
        let saved = self.parts.store.reading(move |tx| alerts.settings_in_force(tx)).await;
        saved.map_or(self.parts.alerts.configured().interval, |settings| settings.interval)
    }

    /// Returns when the last cycle began, maybe before a restart; now if there was none.
    async fn last(&self) -> Moment {
        let now = self.parts.clock.moment();
        let state = self.parts.store.reading(|tx| tx.monitor_state()).await.ok();
        let Some(last) = state.and_then(|state| state.last) else { return now };
        // The clock may have been set back since.
        let ago = now.at().duration_since(last.started).abs();
        now.at().checked_sub(ago).map_or(now, |at| now.dated(at))
    }

    /// Runs a cycle if one is `due` or requested, and reports it to everyone who requested one before it began.
    async fn run_requested(&self, mut due: bool) -> Result<(), StoreError> {
        loop {
            let tasks = self.parts.store.reading(|tx| tx.tasks()).await?;
            let requested: Vec<_> =
                tasks.into_iter().filter(|task| task.kind == TaskKind::MonitorRun).collect();
            if requested.is_empty() && !due {
                return Ok(());
            }
            due = false;
            let report = self.cycle().await?;
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
        let begun = self.parts.clock.moment();
        let started = begun.at();
        *self.running_since.lock() = Some(started);
        // A panic must not end the monitor for good.
        let cycle = AssertUnwindSafe(async {
            let report = self.collect_and_decide(started).await?;
            let interval = self.interval().await;
            let access = &self.parts.access;
            access.look_after_cuts(interval, self.parts.concurrency).await?;
            Ok(report)
        });
        let result = cycle.catch_unwind().await.unwrap_or_else(|_| {
            tracing::error!("a cycle panicked");
            Err(StoreError::Aborted)
        });
        let ended = self.parts.clock.moment();
        // A cycle that was not recorded counts as none: somebody must see that it is tried again and again.
        self.unrecorded.store(result.is_err(), Ordering::SeqCst);
        if result.is_ok() {
            *self.active.lock() = ended;
            *self.awaited.lock() = ended;
        }
        *self.running_since.lock() = None;
        let took = ended.since(begun);
        metrics::histogram!("airgate_monitor_run_seconds").record(took);
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
        self.parts.wakers.digests.notify_one();
        result
    }

    async fn collect_and_decide(&self, started: Timestamp) -> Result<CycleReport, StoreError> {
        let (accounts, users) = self.collect_and_record().await?;
        let (store, alerts) = (&self.parts.store, self.parts.alerts.clone());
        let failed = accounts.iter().filter(|account| account.error.is_some());
        let unread: Vec<_> = failed.map(|account| account.account.clone()).collect();
        // A cut that the bill alone demands does not wait for the estimate, which may take long. The last one may be shared out by
        // usage that says nothing about what has changed since.
        let is_estimated = self.parts.estimate > EstimateUse::Off;
        let basis = if is_estimated { Basis::BillAlone } else { Basis::All };
        let mut decided = record::decide_all(store, &alerts, basis, self.parts.clock.now()).await?;
        if decided.is_any() {
            self.parts.wakers.outbox.notify_one();
        }
        // What follows may wait for the cloud; cuts do not.
        self.parts.wakers.access.notify_one();
        if self.estimate(&accounts, started).await? || is_estimated {
            let now = self.parts.clock.now();
            decided += record::decide_all(store, &alerts, Basis::All, now).await?;
            self.parts.wakers.access.notify_one();
        }
        self.look_ahead(std::mem::take(&mut decided.told), &unread).await?;
        let now = self.parts.clock.now();
        store
            .writing(move |tx| record::report(tx, &alerts, accounts, users, decided, started, now))
            .await
    }
}

/// Starts a scheduler that notifies `tick` every second.
async fn ticking(tick: Arc<Notify>) -> Result<JobScheduler, JobSchedulerError> {
    let scheduler = JobScheduler::new().await?;
    scheduler.add(Job::new(EVERY_SECOND, move |_, _| tick.notify_one())?).await?;
    scheduler.start().await?;
    Ok(scheduler)
}
