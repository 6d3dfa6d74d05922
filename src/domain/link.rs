//! Project links: which Volcengine projects a user's spending is read from.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{AccountId, BillPeriod, Money, ProjectName, Switch, UserKey};

/// How current a link's amount is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "state", content = "at")]
pub enum Freshness {
    /// No reading has covered the link yet.
    Pending,
    /// From the last reading, complete at this time.
    Fresh(Timestamp),
    /// The bills could not be read completely since; the amount is from this time (`None`: there is none yet).
    Stale(Option<Timestamp>),
}

impl Freshness {
    /// The time the amounts are from.
    pub fn read_at(self) -> Option<Timestamp> {
        match self {
            Freshness::Pending => None,
            Freshness::Fresh(at) => Some(at),
            Freshness::Stale(at) => at,
        }
    }

    /// Whether a card must mark the amount as old.
    pub fn is_stale(self) -> bool {
        matches!(self, Freshness::Stale(_))
    }

    /// The same amount after a reading that failed.
    pub fn after_failure(self) -> Self {
        Freshness::Stale(self.read_at())
    }
}

/// A Volcengine project linked to a user.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProjectLink {
    /// The user.
    pub user: UserKey,
    /// The project's key in bills.
    pub project: ProjectName,
    /// What people read.
    #[serde(default)]
    pub display_name: String,
    /// Whether its spending counts into `consumed`.
    pub monitored: Switch,
    /// The first bill period that counts.
    pub since: BillPeriod,
    /// Cumulative spending since then, exact.
    #[serde(default)]
    pub spending: Money,
    /// How current `spending` is.
    pub freshness: Freshness,
    /// When it was linked.
    pub created: Timestamp,
}

impl ProjectLink {
    /// The display name, or the project's key where there is none.
    pub fn label(&self) -> &str {
        if self.display_name.trim().is_empty() { self.project.as_str() } else { &self.display_name }
    }
}

/// A project of an account as last listed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProjectInfo {
    /// The account it belongs to.
    pub account: AccountId,
    /// The project's key in bills.
    pub name: ProjectName,
    /// What people read.
    #[serde(default)]
    pub display_name: String,
}
