//! Steps 2 and 3 of a cycle: records what was read, decides, and enqueues what follows; one transaction.

use jiff::Timestamp;

use super::collect::Collected;
use crate::domain::{
    AccessCause, AccessGoal, AccountReading, AlertBody, CycleOutcome, CycleReport, Figures,
    PendingAccess, Problem, decide,
};
use crate::outbox::Alerts;
use crate::store::{StoreError, WriteTx};

/// How many failed cycles in a row raise an alert.
const FAILURES_ALERTED: u32 = 3;

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

/// Stores the outcome of the cycle, and alerts incidents: once when one begins, once when it ends.
fn note_cycle(tx: &WriteTx, alerts: &Alerts, report: &CycleReport) -> Result<(), StoreError> {
    let now = report.ended;
    let mut state = tx.monitor_state()?;
    let problem = |problem| AlertBody::Error { problem };
    for reading in &report.accounts {
        let known = state.refused_accounts.contains(&reading.account);
        let account = reading.account.clone();
        match (reading.credentials_refused, known) {
            (true, false) => {
                let reason = reading.error.clone().unwrap_or_default();
                let refused = Problem::CredentialsRefused { account: account.clone(), reason };
                alerts.raise(tx, None, problem(refused), now)?;
                state.refused_accounts.push(account);
            }
            // Without a call nothing is known about the key pair.
            (false, true) if reading.error.is_none() && reading.calls > 0 => {
                let recovered = Problem::CredentialsRecovered { account: account.clone() };
                alerts.raise(tx, None, problem(recovered), now)?;
                state.refused_accounts.retain(|refused| *refused != account);
            }
            _ => {}
        }
    }
    match report.outcome {
        CycleOutcome::Ok => {
            if state.failing_alerted {
                alerts.raise(tx, None, problem(Problem::CyclesRecovered), now)?;
            }
            state.failures_in_a_row = 0;
            state.failing_alerted = false;
            state.last_success = Some(now);
        }
        CycleOutcome::Error => {
            state.failures_in_a_row = state.failures_in_a_row.saturating_add(1);
            if state.failures_in_a_row >= FAILURES_ALERTED && !state.failing_alerted {
                let failures = state.failures_in_a_row;
                let reason = first_reason(&report.accounts);
                let failing = Problem::CyclesFailing { failures, reason };
                alerts.raise(tx, None, problem(failing), now)?;
                state.failing_alerted = true;
            }
        }
    }
    state.last = Some(report.clone());
    tx.put_monitor_state(&state)
}

fn first_reason(accounts: &[AccountReading]) -> String {
    accounts
        .iter()
        .find_map(|account| {
            account.error.as_ref().map(|error| format!("{}: {error}", account.account))
        })
        .unwrap_or_default()
}
