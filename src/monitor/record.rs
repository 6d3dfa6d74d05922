//! Steps 2 and 3 of a cycle: records what was read, decides, and enqueues what follows, in transactions so short that no
//! click has to wait (docs/behaviour.md §8). A process that ends in between loses nothing: the next cycle compares again with what is
//! stored, and decides about every user.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;

use crate::domain::{
    AccessCause, AccessGoal, AccessStanding, AccountId, AccountReading, AlertBody, BillPeriod,
    Counted, CycleOutcome, CycleReport, Decision, EstimateUse, EstimateVerdict, Figures, Limit,
    Money, Month, MonthFigures, MonthSpent, PendingAccess, Problem, Thresholds, Turn, Unbilled,
    User, UserKey, at_turn, beijing_day, decide,
};
use crate::outbox::{Alerts, TOLD_TOGETHER};
use crate::store::{EstimateReading, RecordedReading, Source, Store, StoreError, View, WriteTx};

/// Pause between two transactions, for the writers that wait: redb's lock is not fair.
const BREATH: Duration = Duration::from_millis(1);
/// How many users are warned or cut in one transaction.
const DECIDED_AT_ONCE: usize = 20;

/// What a decision counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Basis {
    /// What is billed, and only cuts: the estimate, which is about to be read, may demand a higher warning, or that a cut stays.
    BillAlone,
    /// Bill and estimate, as configured.
    All,
}

/// How often something was decided.
#[derive(Clone, Debug, Default)]
pub(super) struct Decided {
    warnings: u64,
    disables: u64,
    /// Who was warned or cut.
    pub(super) told: BTreeSet<UserKey>,
}

impl Decided {
    /// Returns whether anything was decided.
    pub(super) fn is_any(&self) -> bool {
        self.warnings + self.disables > 0
    }
}

impl std::ops::AddAssign for Decided {
    fn add_assign(&mut self, more: Self) {
        self.warnings += more.warnings;
        self.disables += more.disables;
        self.told.extend(more.told);
    }
}

/// Records the reading of one account. Returns how many users' spending is up to date now.
pub(super) async fn record(store: &Store, reading: RecordedReading) -> Result<u64, StoreError> {
    let (account, complete) = (reading.account.clone(), reading.bills.is_some());
    let mut changes = store.reading(move |tx| tx.bill_changes(&reading)).await?;
    loop {
        let (rest, done) = store
            .writing(move |tx| {
                let done = tx.record_step(&mut changes)?;
                Ok::<_, StoreError>((changes, done))
            })
            .await?;
        if done {
            break;
        }
        changes = rest;
        tokio::time::sleep(BREATH).await;
    }
    if !complete {
        return Ok(0);
    }
    store.reading(move |tx| tx.linked_users(&account)).await
}

/// Records the estimate of one account, and raises an alert if it is off.
pub(super) async fn record_estimate(
    store: &Store,
    alerts: &Alerts,
    reading: EstimateReading,
    now: Timestamp,
) -> Result<(), StoreError> {
    let account = reading.account.clone();
    let mut changes = store.reading(move |tx| tx.estimate_changes(reading)).await?;
    loop {
        let (alerts, account) = (alerts.clone(), account.clone());
        let (rest, done) = store
            .writing(move |tx| {
                for verdict in changes.take_verdicts() {
                    let account = account.clone();
                    let problem = match verdict {
                        EstimateVerdict::Off => Problem::EstimateOff { account },
                        EstimateVerdict::Recovered => Problem::EstimateRecovered { account },
                    };
                    alerts.raise(tx, None, AlertBody::Error { problem }, now)?;
                }
                let done = tx.estimate_step(&mut changes)?;
                Ok::<_, StoreError>((changes, done))
            })
            .await?;
        if done {
            return Ok(());
        }
        changes = rest;
        tokio::time::sleep(BREATH).await;
    }
}

/// Decides about every user. Most are known by the directory to need nothing; the others, and those with an estimate, are
/// looked at on a snapshot, and only those for whom there is something to do are written, after deciding again.
pub(super) async fn decide_all(
    store: &Store,
    alerts: &Alerts,
    basis: Basis,
    now: Timestamp,
) -> Result<Decided, StoreError> {
    let configured = alerts.clone();
    let (concerned, warned, left_over) = store
        .reading(move |tx| {
            let defaults = configured.settings_in_force(tx)?.thresholds;
            let directory = tx.directory();
            let due = directory.iter().filter(|(_, entry)| entry.is_due(&defaults));
            let mut maybe: BTreeSet<UserKey> = due.map(|(key, _)| key.clone()).collect();
            for account in tx.accounts()? {
                maybe.extend(tx.estimated_users(&account.id)?);
            }
            let (mut concerned, mut warned) = (Vec::new(), 0_usize);
            for key in maybe {
                if let Some(wanted) = decision(tx, &key, &defaults, basis, now)? {
                    warned += usize::from(wanted.decision.warn.is_some());
                    concerned.push(key);
                }
            }
            Ok::<_, StoreError>((concerned, warned, !tx.told_together()?.is_empty()))
        })
        .await?;
    let together = warned >= TOLD_TOGETHER;
    let mut decided = Decided::default();
    for some in concerned.chunks(DECIDED_AT_ONCE) {
        if decided.warnings + decided.disables > 0 {
            tokio::time::sleep(BREATH).await;
        }
        let (some, alerts) = (some.to_vec(), alerts.clone());
        let more = store
            .writing(move |tx| {
                let defaults = alerts.settings_in_force(tx)?.thresholds;
                let mut more = Decided::default();
                let round = Round { alerts: &alerts, defaults: &defaults, basis, together, now };
                for key in &some {
                    act(tx, &round, key, &mut more)?;
                }
                Ok::<_, StoreError>(more)
            })
            .await?;
        decided += more;
    }
    if together || left_over {
        let alerts = alerts.clone();
        store.writing(move |tx| alerts.tell_together(tx, now)).await?;
    }
    Ok(decided)
}

/// What to do about a user.
struct Wanted {
    user: User,
    month: Option<Month>,
    /// What counted beside the bill.
    unbilled: Option<Unbilled>,
    decision: Decision,
    turn: Turn,
    /// Whether thresholds were armed again.
    armed: bool,
}

/// Returns what to do about a user, if anything.
fn decision<S: Source>(
    tx: &View<S>,
    key: &UserKey,
    defaults: &Thresholds,
    basis: Basis,
    now: Timestamp,
) -> Result<Option<Wanted>, StoreError> {
    let Some(mut user) = tx.user(key)? else { return Ok(None) };
    let standing = tx.access_standing(&user)?;
    let month = tx.month(&user, now)?;
    let unbilled = match basis {
        Basis::BillAlone => None,
        Basis::All => tx.unbilled(&user)?,
    };
    let armed =
        basis == Basis::All && tx.arm_again(&mut user, month.as_ref(), unbilled.as_ref())?;
    let decision = decide(&user, month.as_ref(), unbilled.as_ref(), defaults, standing);
    let turn = match tx.month_cut(key)? {
        Some(cut_in) if standing == AccessStanding::Cut && basis == Basis::All => {
            let month = tx.month_of(key, BillPeriod::of(now), now)?;
            at_turn(&user, &month, unbilled.as_ref(), cut_in)
        }
        _ => Turn::Wait,
    };
    let is_nothing = match basis {
        Basis::BillAlone => decision.cut.is_none(),
        Basis::All => decision == Decision::default() && turn == Turn::Wait && !armed,
    };
    Ok((!is_nothing).then_some(Wanted { user, month, unbilled, decision, turn, armed }))
}

/// Returns whether a decision about a user of `account` would be another if `more` was estimated of it.
pub(super) fn is_at_stake<S: Source>(
    tx: &View<S>,
    account: &AccountId,
    more: Money,
    counts: EstimateUse,
    defaults: &Thresholds,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let directory = tx.directory();
    let close = directory
        .iter()
        .filter(|(_, entry)| entry.is_limited || entry.is_due_with(more, defaults))
        .filter(|(key, _)| key.account == *account);
    let mut maybe: BTreeSet<UserKey> = close.map(|(key, _)| key.clone()).collect();
    maybe.extend(tx.estimated_users(account)?);
    for key in maybe {
        let Some(user) = tx.user(&key)? else { continue };
        if !tx.links_of(&key)?.iter().any(|link| link.monitored.is_on()) {
            continue;
        }
        let month = tx.month(&user, now)?;
        let nothing = Unbilled {
            amount: Money::ZERO,
            in_month: None,
            since: beijing_day(now),
            read_at: now,
            counts,
            is_old: false,
        };
        let standing = tx.access_standing(&user)?;
        let known = tx.unbilled(&user)?.unwrap_or(nothing);
        let decide = |unbilled| decide(&user, month.as_ref(), Some(&unbilled), defaults, standing);
        if decide(known) != decide(known.with(more, BillPeriod::of(now))) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// What is the same for all users that are decided about.
struct Round<'a> {
    alerts: &'a Alerts,
    defaults: &'a Thresholds,
    basis: Basis,
    /// Whether so many are warned that they share a card.
    together: bool,
    now: Timestamp,
}

fn act(
    tx: &WriteTx,
    round: &Round<'_>,
    key: &UserKey,
    decided: &mut Decided,
) -> Result<(), StoreError> {
    let Round { alerts, defaults, basis, together, now } = *round;
    let Some(wanted) = decision(tx, key, defaults, basis, now)? else { return Ok(()) };
    let Wanted { mut user, month, unbilled, decision, turn, armed } = wanted;
    let period = BillPeriod::of(now);
    let (newly, in_month) = (decision.newly_triggered, decision.newly_triggered_in_month);
    if armed || !newly.is_empty() || !in_month.is_empty() {
        user.trigger(newly);
        if !in_month.is_empty() {
            // Thresholds of a month are reached only by users with one.
            month.iter().for_each(|month| user.trigger_month(month, in_month.iter().copied()));
        }
        tx.put_user(&user)?;
    }
    if decision.warn.is_some() || decision.cut.is_some() {
        decided.told.insert(key.clone());
    }
    if let Some(warn) = decision.warn {
        let amounts = tx.month_amounts(key, period)?;
        let links = tx.links_of(key)?;
        let figures = Figures::of(&user, &links, &tx.sharing_among(&links)?);
        let figures =
            figures.with_month(MonthFigures::of(&user, month.as_ref()), warn.of, &amounts);
        let unbilled = unbilled.filter(|unbilled| unbilled.for_warnings().is_positive());
        let figures = figures.with_unbilled(unbilled);
        let body = AlertBody::Warning { threshold: warn.threshold, of: warn.of, figures };
        if together {
            alerts.warn_together(tx, key, body, now)?;
        } else {
            alerts.raise(tx, Some(key), body, now)?;
        }
        decided.warnings += 1;
    }
    if let Some(limit) = decision.cut {
        let cause = match limit {
            Limit::Quota | Limit::Both => AccessCause::QuotaUsedUp,
            Limit::Month => AccessCause::MonthLimit { period },
        };
        let billed = month.map(|Month { period, spent, .. }| MonthSpent { period, spent });
        let consumed = user.consumed;
        let counted = unbilled.map(|unbilled| Counted { consumed, unbilled, month: billed });
        let cut = PendingAccess { counted, ..PendingAccess::new(AccessGoal::Cut, cause, now) };
        tx.begin_cut(key, &cut)?;
        decided.disables += 1;
    }
    match turn {
        Turn::Wait => Ok(()),
        Turn::Restore => {
            let back = PendingAccess::new(AccessGoal::Restored, AccessCause::MonthTurned, now);
            tx.put_access_pending(key, &back)
        }
        Turn::Again => tx.set_month_cut(key, Some(period)),
        Turn::QuotaToo => tx.set_month_cut(key, None),
    }
}

/// Stores the outcome of the cycle, and raises alerts for incidents that begin or end.
pub(super) fn report(
    tx: &WriteTx,
    alerts: &Alerts,
    accounts: Vec<AccountReading>,
    users: u64,
    decided: Decided,
    started: Timestamp,
    now: Timestamp,
) -> Result<CycleReport, StoreError> {
    let failed = accounts.iter().any(|account| account.error.is_some());
    let report = CycleReport {
        started,
        ended: now,
        outcome: if failed { CycleOutcome::Error } else { CycleOutcome::Ok },
        accounts,
        users,
        warnings: decided.warnings,
        disables: decided.disables,
    };
    let mut state = tx.monitor_state()?;
    for problem in state.take_report(&report) {
        alerts.raise(tx, None, AlertBody::Error { problem }, report.ended)?;
    }
    tx.put_monitor_state(&state)?;
    Ok(report)
}
