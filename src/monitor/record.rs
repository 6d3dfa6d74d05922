//! Steps 2 and 3 of a cycle: records what was read, decides, and enqueues what follows; one transaction.

use jiff::Timestamp;

use super::collect::Collected;
use crate::domain::{
    AccessCause, AccessGoal, AlertBody, CycleOutcome, CycleReport, Figures, PendingAccess, decide,
};
use crate::outbox::Alerts;
use crate::store::{StoreError, WriteTx};

/// Records, decides, and enqueues what follows. On an error nothing is recorded.
pub(super) fn record(
    tx: &WriteTx,
    alerts: &Alerts,
    collected: &Collected,
    started: Timestamp,
    now: Timestamp,
) -> Result<CycleReport, StoreError> {
    let users = tx.record_cycle(&collected.readings)?;
    let defaults = alerts.settings_in_force(tx)?.thresholds;
    let (mut warnings, mut disables) = (0, 0);
    for mut user in tx.users()? {
        let pending = tx.access_pending(&user.key)?;
        let decision = decide(&user, &defaults, pending.as_ref());
        if let Some(threshold) = decision.warn {
            user.triggered.extend(decision.newly_triggered);
            tx.put_user(&user)?;
            let figures = Figures::of(&user, &tx.links_of(&user.key)?);
            let body = AlertBody::Warning { threshold, figures };
            alerts.raise(tx, Some(&user.key), body, now)?;
            warnings += 1;
        }
        if decision.cut {
            let cut = PendingAccess::new(AccessGoal::Cut, AccessCause::QuotaUsedUp, now);
            tx.put_access_pending(&user.key, &cut)?;
            disables += 1;
        }
    }
    let failed = collected.report.iter().any(|account| account.error.is_some());
    let report = CycleReport {
        started,
        ended: now,
        outcome: if failed { CycleOutcome::Error } else { CycleOutcome::Ok },
        accounts: collected.report.clone(),
        users,
        warnings,
        disables,
    };
    note_cycle(tx, alerts, &report)?;
    Ok(report)
}

/// Stores the outcome of the cycle, and raises alerts for incidents that begin or end.
fn note_cycle(tx: &WriteTx, alerts: &Alerts, report: &CycleReport) -> Result<(), StoreError> {
    let mut state = tx.monitor_state()?;
    for problem in state.take_report(report) {
        alerts.raise(tx, None, AlertBody::Error { problem }, report.ended)?;
    }
    tx.put_monitor_state(&state)
}
