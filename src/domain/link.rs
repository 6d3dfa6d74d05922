//! Project links: which Volcengine projects a user's spending is read from.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{AccountId, BillPeriod, Money, ProjectName, Switch, UserKey};

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

    /// Returns the freshness of the same amount after a reading that failed.
    pub fn after_failure(self) -> Self {
        Freshness::Stale(self.read_at())
    }
}

/// What one cycle learned about a link's project.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProjectReading {
    /// The cycle did not set out to read it: it was linked while the cycle ran.
    NotAsked,
    /// The account could not be read completely.
    Failed,
    /// The account was read completely.
    Complete {
        /// When the reading ended.
        at: Timestamp,
        /// The periods, from the link's first one on, for which there is a bill.
        billed: BTreeSet<BillPeriod>,
    },
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
    /// Cumulative spending since then, exact.
    #[serde(default)]
    pub spending: Money,
    /// How current `spending` is.
    pub freshness: Freshness,
    /// When it was linked.
    pub created: Timestamp,
}

impl ProjectLink {
    /// Returns how current the amount is after a reading.
    ///
    /// It is fresh once every month that can be read has a bill. If the project was linked during the cycle and counts
    /// earlier months, the next cycle reads them; until then, the link stays as it is. So does a link that is not
    /// monitored.
    pub fn freshness_after(&self, reading: &ProjectReading) -> Freshness {
        match reading {
            _ if !self.monitored.is_on() => self.freshness,
            ProjectReading::NotAsked => self.freshness,
            ProjectReading::Failed => self.freshness.after_failure(),
            ProjectReading::Complete { at, billed } => {
                let current = BillPeriod::of(*at);
                let mut months = self.since.through(current);
                let is_covered =
                    months.all(|month| billed.contains(&month) || month.is_beyond_reach(current));
                if is_covered { Freshness::Fresh(*at) } else { self.freshness }
            }
        }
    }

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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn link(since: BillPeriod, freshness: Freshness) -> ProjectLink {
        ProjectLink {
            user: "main/alice".parse().unwrap(),
            project: "team-a".parse().unwrap(),
            display_name: String::new(),
            monitored: Switch::On,
            since,
            spending: Money::ZERO,
            freshness,
            created: Timestamp::UNIX_EPOCH,
        }
    }

    #[test]
    fn a_failed_reading_makes_an_amount_stale_and_keeps_its_time() {
        let since = "2026-11".parse().unwrap();
        let before = at("2026-11-01T00:00:00Z");
        for (freshness, stale) in [
            (Freshness::Pending, None),
            (Freshness::Fresh(before), Some(before)),
            (Freshness::Stale(Some(before)), Some(before)),
        ] {
            let link = link(since, freshness);
            assert_eq!(link.freshness_after(&ProjectReading::Failed), Freshness::Stale(stale));
            assert_eq!(link.freshness_after(&ProjectReading::NotAsked), freshness);
            let off = ProjectLink { monitored: Switch::Off, ..link };
            assert_eq!(off.freshness_after(&ProjectReading::Failed), freshness);
        }
    }

    proptest! {
        #[test]
        fn an_amount_is_fresh_once_every_readable_month_has_a_bill(
            age in 0usize..30,
            missing in proptest::option::of(0usize..30),
        ) {
            let at = at("2026-11-23T02:00:00Z");
            let current = BillPeriod::of(at);
            let mut since = current;
            for _ in 0..age {
                since = since.previous();
            }
            let mut billed: BTreeSet<BillPeriod> = since.through(current).collect();
            let gap = missing.and_then(|months| {
                let month = since.through(current).find(|month| {
                    usize::try_from(current.months_since(*month)) == Ok(months)
                })?;
                billed.remove(&month);
                Some(current.months_since(month))
            });
            let reading = ProjectReading::Complete { at, billed };
            let is_fresh = gap.is_none_or(|age| age > 23);
            let wanted = if is_fresh { Freshness::Fresh(at) } else { Freshness::Pending };
            prop_assert_eq!(link(since, Freshness::Pending).freshness_after(&reading), wanted);
            let off = ProjectLink { monitored: Switch::Off, ..link(since, Freshness::Pending) };
            prop_assert_eq!(off.freshness_after(&reading), Freshness::Pending);
        }
    }

    #[test]
    fn the_oldest_stale_amount_among_monitored_links_counts() {
        let since = "2026-11".parse().unwrap();
        let (older, newer) = (at("2026-11-01T00:00:00Z"), at("2026-11-02T00:00:00Z"));
        let stale = |read| link(since, Freshness::Stale(read));
        assert_eq!(oldest_stale(&[link(since, Freshness::Fresh(older))]), None);
        assert_eq!(oldest_stale(&[stale(Some(newer)), stale(Some(older))]), Some(Some(older)));
        assert_eq!(oldest_stale(&[stale(Some(older)), stale(None)]), Some(None));
        let off = ProjectLink { monitored: Switch::Off, ..stale(None) };
        assert_eq!(oldest_stale(&[off, stale(Some(newer))]), Some(Some(newer)));
    }
}
