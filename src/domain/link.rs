//! Project links: which Volcengine projects a user's spending is read from.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{AccountId, BillPeriod, Counts, Money, ProjectName, Switch, UserKey};

/// How current a link's amount is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "state", content = "at")]
pub enum Freshness {
    /// No reading has covered the link yet.
    Pending,
    /// From the last reading, which was complete at this time.
    Fresh(Timestamp),
    /// Later readings were incomplete; the amount is from this time (`None`: there is none yet).
    Stale(Option<Timestamp>),
}

impl Freshness {
    /// Returns when the amount was read.
    pub fn read_at(self) -> Option<Timestamp> {
        match self {
            Freshness::Pending => None,
            Freshness::Fresh(at) => Some(at),
            Freshness::Stale(at) => at,
        }
    }

    /// Returns whether a card must mark the amount as old.
    pub fn is_stale(self) -> bool {
        matches!(self, Freshness::Stale(_))
    }
}

/// A Volcengine project linked to a user.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProjectLink {
    /// The user.
    pub user: UserKey,
    /// The project's key in bills.
    pub project: ProjectName,
    /// The name shown to people.
    #[serde(default)]
    pub display_name: String,
    /// Whether its spending counts towards `consumed`.
    pub monitored: Switch,
    /// The first bill period that counts.
    pub since: BillPeriod,
    /// How much of the project's bill counts, where others count it too.
    #[serde(default)]
    pub counts: Counts,
    /// Cumulative spending since then, exact: the user's part of it.
    #[serde(default)]
    pub spending: Money,
    /// How current `spending` is. The store computes it from what is known of the account's bills; what an older airgate
    /// wrote here counts until the first reading.
    pub freshness: Freshness,
    /// When it was linked.
    pub created: Timestamp,
}

impl ProjectLink {
    /// Returns the display name, or the project's key if there is none.
    pub fn label(&self) -> &str {
        if self.display_name.trim().is_empty() { self.project.as_str() } else { &self.display_name }
    }
}

/// Returns when the oldest stale amount of a monitored link was read: `Some(None)` if one was never read, `None` if no
/// amount is stale.
pub fn oldest_stale(links: &[ProjectLink]) -> Option<Option<Timestamp>> {
    links
        .iter()
        .filter(|link| link.monitored.is_on() && link.freshness.is_stale())
        .map(|link| link.freshness.read_at())
        .min()
}

/// A project of an account as last listed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProjectInfo {
    /// The account it belongs to.
    pub account: AccountId,
    /// The project's key in bills.
    pub name: ProjectName,
    /// The name shown to people.
    #[serde(default)]
    pub display_name: String,
}
