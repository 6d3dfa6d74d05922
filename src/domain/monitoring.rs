//! What the monitor remembers of its cycles.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{AccountId, BillPeriod};

/// How a cycle ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CycleOutcome {
    /// Every open period of every active account was read completely.
    Ok,
    /// At least one was not.
    Error,
}

/// How reading one account went.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountReading {
    /// Which account.
    pub account: AccountId,
    /// Open periods that were read.
    pub periods: Vec<BillPeriod>,
    /// Bill rows seen.
    pub rows: u64,
    /// Bill calls made.
    pub calls: u32,
    /// Why it could not be read completely, with the mend.
    pub error: Option<String>,
    /// Whether the reason is that the access key pair was refused.
    #[serde(default)]
    pub credentials_refused: bool,
    /// What the platform remarked.
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
    /// How.
    pub outcome: CycleOutcome,
    /// Per account.
    pub accounts: Vec<AccountReading>,
    /// Users whose numbers were recorded.
    pub users: u64,
    /// Warnings it gave.
    pub warnings: u64,
    /// Users it began to disable.
    pub disables: u64,
}

/// What is kept between cycles.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MonitorState {
    /// The last cycle that ended.
    #[serde(default)]
    pub last: Option<CycleReport>,
    /// When a cycle last read everything.
    #[serde(default)]
    pub last_success: Option<Timestamp>,
    /// Failed cycles since then.
    #[serde(default)]
    pub failures_in_a_row: u32,
    /// Whether the present run of failures was alerted.
    #[serde(default)]
    pub failing_alerted: bool,
    /// Accounts whose refused credentials were alerted and have not recovered.
    #[serde(default)]
    pub refused_accounts: Vec<AccountId>,
}
