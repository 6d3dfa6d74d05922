//! What the monitor remembers about its cycles.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{AccountId, BillPeriod};

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

/// What is kept between cycles.
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
    /// Whether an alert was raised for the present run of failures.
    #[serde(default)]
    pub failing_alerted: bool,
    /// Accounts with an alert for refused credentials that have not recovered.
    #[serde(default)]
    pub refused_accounts: Vec<AccountId>,
}
