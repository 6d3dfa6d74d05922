//! What the monitor remembers about its cycles.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{AccountId, AccountOutlook, BillPeriod, Problem};

/// How many failed readings of an account in a row raise an alert.
const FAILURES_ALERTED: u32 = 3;

/// How a cycle ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CycleOutcome {
    /// Every open period of every active account was read completely.
    Ok,
    /// At least one could not be read completely.
    Error,
}

/// How reading one account went.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountReading {
    /// Which account.
    pub account: AccountId,
    /// Open periods that were read.
    pub periods: Vec<BillPeriod>,
    /// The number of bill rows read.
    pub rows: u64,
    /// The number of bill calls made.
    pub calls: u32,
    /// Why it could not be read completely, and how to fix it.
    pub error: Option<String>,
    /// Whether the reason is that the access key pair was refused.
    #[serde(default)]
    pub credentials_refused: bool,
    /// A warning from the cloud.
    #[serde(default)]
    pub warning: Option<String>,
}

impl AccountReading {
    /// Adds what was read of later periods of the account.
    #[must_use]
    pub fn with(mut self, later: Self) -> Self {
        self.periods.extend(later.periods);
        self.rows = self.rows.saturating_add(later.rows);
        self.calls = self.calls.saturating_add(later.calls);
        self.credentials_refused |= later.credentials_refused;
        self.error = self.error.or(later.error);
        self.warning = later.warning.or(self.warning);
        self
    }
}

/// The result of one cycle.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CycleReport {
    /// When it began.
    pub started: Timestamp,
    /// When it ended.
    pub ended: Timestamp,
    /// How it ended.
    pub outcome: CycleOutcome,
    /// What was read, by account.
    pub accounts: Vec<AccountReading>,
    /// The number of users whose spending was recorded.
    pub users: u64,
    /// The number of warnings it raised.
    pub warnings: u64,
    /// The number of users whose access it began to cut.
    pub disables: u64,
}

/// A run of failed readings of one account.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Incident {
    /// How many failed in a row.
    pub failures: u32,
    /// What was alerted; the alert of the recovery matches it.
    #[serde(default)]
    pub alerted: Option<AlertedAs>,
}

/// The cause that an incident was alerted with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AlertedAs {
    /// The key pair is refused.
    Refused,
    /// The account could not be read three times in a row.
    Failing,
}

/// What the monitor remembers between cycles.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MonitorState {
    /// The last cycle that ended.
    #[serde(default)]
    pub last: Option<CycleReport>,
    /// When a cycle last succeeded.
    #[serde(default)]
    pub last_success: Option<Timestamp>,
    /// Failed cycles since the last success.
    #[serde(default)]
    pub failures_in_a_row: u32,
    /// The accounts that fail now.
    #[serde(default)]
    pub incidents: BTreeMap<AccountId, Incident>,
    /// What was alerted about each account's days and balance.
    #[serde(default)]
    pub outlooks: BTreeMap<AccountId, AccountOutlook>,
    /// Of an older store, see [`MonitorState::incidents`]: whether the current run of failures was alerted.
    #[serde(default)]
    pub failing_alerted: bool,
    /// Of an older store: accounts with an alert for refused credentials that have not recovered.
    #[serde(default)]
    pub refused_accounts: Vec<AccountId>,
}

impl MonitorState {
    /// Takes over the outcome of a cycle. Returns the alerts to raise: one when an incident of an account begins, and
    /// one when it ends. Accounts that begin to fail in the same cycle share an alert, because they probably share the
    /// cause.
    pub fn take_report(&mut self, report: &CycleReport) -> Vec<Problem> {
        self.take_over_older();
        match report.outcome {
            CycleOutcome::Ok => {
                self.failures_in_a_row = 0;
                self.last_success = Some(report.ended);
            }
            CycleOutcome::Error => {
                self.failures_in_a_row = self.failures_in_a_row.saturating_add(1);
            }
        }
        let is_read = |id: &AccountId| report.accounts.iter().any(|read| read.account == *id);
        self.incidents.retain(|id, _| is_read(id));
        let mut problems = Vec::new();
        let (mut failing, mut failures, mut recovered) = (Vec::new(), 0, Vec::new());
        for reading in &report.accounts {
            let account = reading.account.clone();
            let Some(reason) = &reading.error else {
                match self.incidents.get(&account).and_then(|incident| incident.alerted) {
                    // If no call was made, nothing is known about the key pair.
                    Some(AlertedAs::Refused) if reading.calls == 0 => continue,
                    Some(AlertedAs::Refused) => {
                        problems.push(Problem::CredentialsRecovered { account: account.clone() });
                    }
                    Some(AlertedAs::Failing) => recovered.push(account.clone()),
                    None => {}
                }
                self.incidents.remove(&account);
                continue;
            };
            let incident = self.incidents.entry(account.clone()).or_default();
            incident.failures = incident.failures.saturating_add(1);
            if reading.credentials_refused {
                if incident.alerted != Some(AlertedAs::Refused) {
                    incident.alerted = Some(AlertedAs::Refused);
                    problems.push(Problem::CredentialsRefused { account, reason: reason.clone() });
                }
            } else if incident.alerted.is_none() && incident.failures >= FAILURES_ALERTED {
                incident.alerted = Some(AlertedAs::Failing);
                failures = failures.max(incident.failures);
                failing.push(reading);
            }
        }
        if !failing.is_empty() {
            let accounts = failing.iter().map(|reading| reading.account.clone()).collect();
            let reason = reasons(&failing);
            problems.push(Problem::CyclesFailing { failures, reason, accounts });
        }
        if !recovered.is_empty() {
            problems.push(Problem::CyclesRecovered { accounts: recovered });
        }
        self.last = Some(report.clone());
        problems
    }

    fn take_over_older(&mut self) {
        let failures = self.failures_in_a_row;
        if std::mem::take(&mut self.failing_alerted)
            && let Some(last) = &self.last
        {
            for reading in last.accounts.iter().filter(|reading| reading.error.is_some()) {
                let alerted = Some(AlertedAs::Failing);
                self.incidents.insert(reading.account.clone(), Incident { failures, alerted });
            }
        }
        for account in std::mem::take(&mut self.refused_accounts) {
            let alerted = Some(AlertedAs::Refused);
            self.incidents.insert(account, Incident { failures, alerted });
        }
    }
}

/// Returns each reason once, preceded by the accounts that cannot be read because of it.
fn reasons(failing: &[&AccountReading]) -> String {
    let mut reasons: Vec<(&str, Vec<&str>)> = Vec::new();
    for reading in failing {
        let reason = reading.error.as_deref().unwrap_or_default();
        match reasons.iter_mut().find(|(known, _)| *known == reason) {
            Some((_, accounts)) => accounts.push(reading.account.as_str()),
            None => reasons.push((reason, vec![reading.account.as_str()])),
        }
    }
    let lines = reasons.iter().map(|(why, accounts)| format!("{}: {why}", accounts.join(", ")));
    lines.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A cycle in which each account was read (`ok`), not read (`503`), refused (`401`) or had nothing to read (`-`).
    fn cycle(accounts: &[(&str, &str)]) -> CycleReport {
        let at = Timestamp::UNIX_EPOCH;
        let accounts: Vec<AccountReading> = accounts
            .iter()
            .map(|(account, outcome)| AccountReading {
                account: account.parse().unwrap(),
                periods: vec![],
                rows: 0,
                calls: u32::from(*outcome != "-"),
                error: (!["ok", "-"].contains(outcome)).then(|| (*outcome).to_owned()),
                credentials_refused: *outcome == "401",
                warning: None,
            })
            .collect();
        let failed = accounts.iter().any(|account| account.error.is_some());
        let outcome = if failed { CycleOutcome::Error } else { CycleOutcome::Ok };
        CycleReport {
            started: at,
            ended: at,
            outcome,
            accounts,
            users: 0,
            warnings: 0,
            disables: 0,
        }
    }

    fn shown(problems: &[Problem]) -> Vec<String> {
        let list = |accounts: &[AccountId]| {
            accounts.iter().map(AccountId::as_str).collect::<Vec<_>>().join("+")
        };
        let shown = |problem: &Problem| match problem {
            Problem::CyclesFailing { failures, accounts, .. } => {
                format!("{} failing {failures}", list(accounts))
            }
            Problem::CyclesRecovered { accounts } => format!("{} recovered", list(accounts)),
            Problem::CredentialsRefused { account, .. } => format!("{account} refused"),
            Problem::CredentialsRecovered { account } => format!("{account} accepted"),
            other => format!("{other:?}"),
        };
        problems.iter().map(shown).collect()
    }

    #[test]
    fn each_account_has_its_own_incident_with_one_alert_and_one_recovery() {
        let mut state = MonitorState::default();
        for (a, b, alerts) in [
            ("503", "ok", &[][..]),
            ("503", "ok", &[]),
            ("503", "ok", &["a failing 3"]),
            // Another account begins to fail: named as well, though the first one still fails.
            ("503", "503", &[]),
            ("503", "503", &[]),
            ("503", "503", &["b failing 3"]),
            ("503", "503", &[]),
            // Each recovers by itself.
            ("ok", "503", &["a recovered"]),
            ("ok", "ok", &["b recovered"]),
            ("ok", "ok", &[]),
            // A common cause is alerted once.
            ("503", "503", &[]),
            ("503", "503", &[]),
            ("503", "503", &["a+b failing 3"]),
            ("ok", "ok", &["a+b recovered"]),
            // A refused key pair is alerted at once, and not again as three failed cycles; its end is alerted once, too.
            ("401", "ok", &["a refused"]),
            ("401", "ok", &[]),
            ("503", "ok", &[]),
            ("401", "ok", &[]),
            ("-", "ok", &[]),
            ("ok", "ok", &["a accepted"]),
            // An account that is no longer read has no incident.
            ("401", "503", &["a refused"]),
        ] {
            let problems = state.take_report(&cycle(&[("a", a), ("b", b)]));
            assert_eq!(shown(&problems), alerts, "a {a}, b {b}");
        }
        assert!(state.take_report(&cycle(&[("b", "ok")])).is_empty());
        assert!(state.incidents.is_empty());
    }

    #[test]
    fn accounts_that_fail_for_the_same_reason_are_named_with_it() {
        let mut state = MonitorState::default();
        let bad = cycle(&[("a", "503"), ("b", "bad json"), ("c", "503")]);
        state.take_report(&bad);
        state.take_report(&bad);
        let problems = state.take_report(&bad);
        let [Problem::CyclesFailing { reason, .. }] = problems.as_slice() else {
            panic!("{problems:?}")
        };
        assert_eq!(reason, "a, c: 503\nb: bad json");
    }

    #[test]
    fn incidents_of_an_older_store_continue() {
        let bad = cycle(&[("a", "503"), ("b", "401")]);
        let mut state = MonitorState {
            last: Some(bad.clone()),
            failures_in_a_row: 5,
            failing_alerted: true,
            refused_accounts: vec!["b".parse().unwrap()],
            ..MonitorState::default()
        };
        assert!(state.take_report(&bad).is_empty());
        let problems = state.take_report(&cycle(&[("a", "ok"), ("b", "ok")]));
        assert_eq!(shown(&problems), ["b accepted", "a recovered"]);
    }
}
