//! What is known of an account's bills, and which of their days to read now.
//!
//! A small bill is read whole each cycle. A large one is read whole once, then day by day: the last days each cycle, the
//! older ones once a day, because rows arrive late. What was read decides what is read next: [`Plan::of`].

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;
use jiff::{Timestamp, ToSpan};
use serde::{Deserialize, Serialize};

use super::period::beijing;
use super::{BillPeriod, Freshness, ProjectLink, ProjectName, beijing_day};

/// Up to this many rows, 10 pages, a bill is read whole (docs/behaviour.md §5).
pub const READ_WHOLE_UP_TO: u64 = 3_000;
/// How many of the last days of a large bill are read each cycle.
const RECENT_DAYS: i64 = 3;
/// A day that ended this many days ago is in the bill: split bills come up to 2 days late
/// (docs/platforms/volcengine.md §7.6).
const BILLED_AFTER_DAYS: i64 = 3;

/// Whether the bill list can be read by day.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DayFilter {
    /// As far as is known.
    #[default]
    Works,
    /// The filter was refused, or rows of other days came back.
    Refused,
}

/// What is known of one bill period of an account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PeriodReading {
    /// When all of its days were last read.
    pub complete_at: Timestamp,
    /// Rows of the whole bill at that time.
    #[serde(default)]
    pub rows: u64,
    /// Whether it can be read by day.
    #[serde(default)]
    pub day_filter: DayFilter,
    /// Days that also hold rows of days outside the period, such as late corrections. A reading by day would lose them.
    #[serde(default)]
    pub mixed: BTreeSet<Date>,
    /// What the cloud said when it could not be read by day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warning: Option<String>,
    /// Projects with rows that cannot be counted. Their amounts are not known.
    #[serde(default)]
    pub uncounted: BTreeSet<String>,
}

impl PeriodReading {
    /// Returns a complete reading of a small bill whose rows could all be counted.
    pub fn complete(at: Timestamp) -> Self {
        Self {
            complete_at: at,
            rows: 0,
            day_filter: DayFilter::Works,
            mixed: BTreeSet::new(),
            warning: None,
            uncounted: BTreeSet::new(),
        }
    }

    /// Returns whether the amount of a project is known; one without rows cost nothing.
    pub fn covers(&self, project: &ProjectName) -> bool {
        !self.uncounted.contains(project.as_str())
    }

    /// Returns whether a complete reading is due: the last one is from another day in Beijing, or from before the period
    /// settled or was to be checked again.
    fn is_complete_reading_due(&self, period: BillPeriod, now: Timestamp) -> bool {
        let passed = |deadline: Timestamp| self.complete_at < deadline && deadline <= now;
        beijing_day(self.complete_at) != beijing_day(now)
            || passed(period.settles_at())
            || passed(period.checked_again_at())
    }

    /// Returns whether midday in Beijing has passed since the last complete reading.
    fn is_before_midday(&self, now: Timestamp) -> bool {
        let midday = beijing_day(now).at(12, 0, 0, 0).to_zoned(beijing());
        midday
            .is_ok_and(|midday| self.complete_at < midday.timestamp() && midday.timestamp() <= now)
    }
}

/// What to read of a bill period now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Plan {
    /// The whole bill, without a filter.
    Whole,
    /// These days, each on its own.
    Days(BTreeSet<Date>),
    /// Every day up to now, each on its own; the result is compared with the whole bill's totals.
    EveryDay(BTreeSet<Date>),
    /// Nothing before midday or tomorrow: the bill is large, cannot be read by day, and was read before.
    Nothing,
}

impl Plan {
    /// Returns what to read of an open period. `last` is what is known of it.
    pub fn of(period: BillPeriod, now: Timestamp, last: Option<&PeriodReading>) -> Self {
        let Some(last) = last else { return Plan::Whole };
        if last.rows <= READ_WHOLE_UP_TO {
            return Plan::Whole;
        }
        let due = last.is_complete_reading_due(period, now);
        match (last.day_filter, due) {
            (DayFilter::Refused, true) => return Plan::Whole,
            // Twice a day: in between nobody sees what is billed.
            (DayFilter::Refused, false) if last.is_before_midday(now) => return Plan::Whole,
            (DayFilter::Refused, false) => return Plan::Nothing,
            // The days alone would not add up.
            (DayFilter::Works, true) if !last.mixed.is_empty() => return Plan::Whole,
            (DayFilter::Works, _) => {}
        }
        let end = beijing_day(now).min(period.last_day());
        let until_now = period.days().filter(|day| *day <= end);
        if due {
            return Plan::EveryDay(until_now.collect());
        }
        let first = end.checked_sub((RECENT_DAYS - 1).days()).unwrap_or(end);
        let recent = until_now.filter(|day| *day >= first && !last.mixed.contains(day));
        Plan::Days(recent.collect())
    }
}

/// Which days of a period a reading is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Covered {
    /// All of them.
    Whole,
    /// These; the others stay as they are known.
    Days(BTreeSet<Date>),
}

impl Covered {
    /// Returns whether the reading is about no day at all.
    pub fn is_empty(&self) -> bool {
        matches!(self, Covered::Days(days) if days.is_empty())
    }

    /// Returns whether the reading is about a day.
    pub fn includes(&self, day: Date) -> bool {
        match self {
            Covered::Whole => true,
            Covered::Days(days) => days.contains(&day),
        }
    }
}

/// What is known of an account's bills.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountReadings {
    /// When the last complete reading began.
    #[serde(default)]
    pub read_at: Option<Timestamp>,
    /// When the last reading failed, if none has succeeded since.
    #[serde(default)]
    pub failed_at: Option<Timestamp>,
    /// 账单截至: the last day that the bill holds completely.
    #[serde(default)]
    pub bill_to: Option<Date>,
    /// The periods that were read.
    #[serde(default)]
    pub periods: BTreeMap<BillPeriod, PeriodReading>,
    /// A reading is being recorded. If the process ends meanwhile, all users of the account are computed again.
    #[serde(default)]
    pub recording: bool,
}

impl AccountReadings {
    /// Returns how current a link's amount is. It is fresh once every month that can be read was read; `has_bill` says
    /// whether there is a bill of the project from a reading of an older airgate, which read only linked projects.
    ///
    /// A link that is not monitored stays as it was when it was switched off. A failure does not concern a link that was made
    /// after it.
    pub fn freshness(
        &self,
        link: &ProjectLink,
        mut has_bill: impl FnMut(BillPeriod) -> bool,
    ) -> Freshness {
        if !link.monitored.is_on() {
            return link.freshness;
        }
        let read_at = self.read_at.filter(|at| {
            let current = BillPeriod::of(*at);
            if link.since > current {
                return false;
            }
            let mut known = self.periods.range(link.since..=current).peekable();
            link.since.through(current).all(|month| {
                let reading = known.next_if(|(of, _)| **of == month);
                reading.is_some_and(|(_, known)| known.covers(&link.project))
                    || month.is_beyond_reach(current)
                    || has_bill(month)
            })
        });
        let has_failed = self.failed_at.is_some_and(|at| at >= link.created);
        match read_at {
            read_at if has_failed => Freshness::Stale(read_at),
            Some(at) => Freshness::Fresh(at),
            None => Freshness::Pending,
        }
    }
}

/// Returns the last day that a bill holds completely (账单截至), if its last row is of `last_row`.
///
/// A day counts once a later one has rows, or after 3 days: a detail bill is complete the day after, a split bill comes up
/// to 2 days late (docs/platforms/volcengine.md §7.6).
pub fn bill_so_far(last_row: Option<Date>, now: Timestamp) -> Date {
    let today = beijing_day(now);
    let before = |day: Date, days: i64| day.checked_sub(days.days()).unwrap_or(day);
    let certain = before(today, BILLED_AFTER_DAYS);
    last_row.map_or(certain, |row| before(row.min(today), 1).max(certain))
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;
    use crate::domain::{Counts, Money, Switch};

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    /// A large bill that was last read completely at `at`.
    fn large(at_text: &str) -> PeriodReading {
        PeriodReading { rows: READ_WHOLE_UP_TO + 1, ..PeriodReading::complete(at(at_text)) }
    }

    fn shown(plan: &Plan) -> String {
        let range = |days: &BTreeSet<Date>| match (days.first(), days.last()) {
            (Some(first), Some(last)) => format!("{first} {last} {}", days.len()),
            _ => "none".to_owned(),
        };
        match plan {
            Plan::Whole => "whole".to_owned(),
            Plan::Nothing => "nothing".to_owned(),
            Plan::Days(days) => format!("days {}", range(days)),
            Plan::EveryDay(days) => format!("every day {}", range(days)),
        }
    }

    #[test]
    fn a_large_bill_is_read_by_its_last_days_and_completely_once_a_day() {
        let period: BillPeriod = "2026-11".parse().unwrap();
        for (complete_at, now, plan) in [
            (
                "2026-11-23T10:00:00+08:00",
                "2026-11-23T11:00:00+08:00",
                "days 2026-11-21 2026-11-23 3",
            ),
            (
                "2026-11-23T23:59:00+08:00",
                "2026-11-24T00:01:00+08:00",
                "every day 2026-11-01 2026-11-24 24",
            ),
            (
                "2026-11-01T10:00:00+08:00",
                "2026-11-01T11:00:00+08:00",
                "days 2026-11-01 2026-11-01 1",
            ),
            // The month is over.
            (
                "2026-12-01T10:00:00+08:00",
                "2026-12-01T11:00:00+08:00",
                "days 2026-11-28 2026-11-30 3",
            ),
            (
                "2026-12-01T10:00:00+08:00",
                "2026-12-02T11:00:00+08:00",
                "every day 2026-11-01 2026-11-30 30",
            ),
            // On the 6th it must be read after ten although it was read before.
            (
                "2026-12-06T09:00:00+08:00",
                "2026-12-06T09:30:00+08:00",
                "days 2026-11-28 2026-11-30 3",
            ),
            (
                "2026-12-06T09:00:00+08:00",
                "2026-12-06T10:00:00+08:00",
                "every day 2026-11-01 2026-11-30 30",
            ),
            (
                "2026-12-16T09:00:00+08:00",
                "2026-12-16T10:00:00+08:00",
                "every day 2026-11-01 2026-11-30 30",
            ),
        ] {
            let plan_now = Plan::of(period, at(now), Some(&large(complete_at)));
            assert_eq!(shown(&plan_now), plan, "{complete_at} {now}");
        }
    }

    #[test]
    fn what_is_small_or_not_known_or_cannot_be_read_by_day_is_read_whole() {
        let period: BillPeriod = "2026-11".parse().unwrap();
        let now = at("2026-11-23T11:00:00+08:00");
        let (today, yesterday) = ("2026-11-23T10:00:00+08:00", "2026-11-22T10:00:00+08:00");
        assert_eq!(Plan::of(period, now, None), Plan::Whole);
        let small = PeriodReading { rows: READ_WHOLE_UP_TO, ..large(today) };
        assert_eq!(Plan::of(period, now, Some(&small)), Plan::Whole);
        let refused = |at| PeriodReading { day_filter: DayFilter::Refused, ..large(at) };
        assert_eq!(Plan::of(period, now, Some(&refused(today))), Plan::Nothing);
        assert_eq!(Plan::of(period, now, Some(&refused(yesterday))), Plan::Whole);
        let (midday, night) = (at("2026-11-23T12:00:00+08:00"), at("2026-11-23T23:00:00+08:00"));
        assert_eq!(Plan::of(period, midday, Some(&refused(today))), Plan::Whole);
        let again = refused("2026-11-23T12:00:00+08:00");
        assert_eq!(Plan::of(period, night, Some(&again)), Plan::Nothing);
        // Days that hold rows of other months are only read with the whole bill.
        let mixed = |at| PeriodReading { mixed: [date(2026, 11, 22)].into(), ..large(at) };
        assert_eq!(Plan::of(period, now, Some(&mixed(yesterday))), Plan::Whole);
        let rest = [date(2026, 11, 21), date(2026, 11, 23)].into();
        assert_eq!(Plan::of(period, now, Some(&mixed(today))), Plan::Days(rest));
    }

    #[test]
    fn a_settled_period_is_read_once_more_on_the_16th() {
        let period: BillPeriod = "2026-10".parse().unwrap();
        for (read_at, now, open) in [
            ("2026-11-06T09:59:59+08:00", "2026-11-06T10:00:00+08:00", true),
            ("2026-11-06T10:00:00+08:00", "2026-11-06T10:00:01+08:00", false),
            ("2026-11-06T10:00:00+08:00", "2026-11-16T09:59:59+08:00", false),
            ("2026-11-06T10:00:00+08:00", "2026-11-16T10:00:00+08:00", true),
            ("2026-11-16T10:00:00+08:00", "2026-11-30T10:00:00+08:00", false),
        ] {
            assert_eq!(period.is_open(at(read_at), at(now)), open, "{read_at} {now}");
        }
    }

    #[test]
    fn the_bill_holds_a_day_once_a_later_one_has_rows_or_it_is_long_past() {
        let now = at("2026-11-23T11:00:00+08:00");
        for (last_row, so_far) in [
            (None, date(2026, 11, 20)),
            (Some(date(2026, 11, 2)), date(2026, 11, 20)),
            (Some(date(2026, 11, 22)), date(2026, 11, 21)),
            (Some(date(2026, 11, 23)), date(2026, 11, 22)),
            // A row of the future says nothing about today.
            (Some(date(2026, 11, 30)), date(2026, 11, 22)),
        ] {
            assert_eq!(bill_so_far(last_row, now), so_far, "{last_row:?}");
        }
    }

    fn link(since: &str) -> ProjectLink {
        ProjectLink {
            user: "main/alice".parse().unwrap(),
            project: "team-a".parse().unwrap(),
            display_name: String::new(),
            monitored: Switch::On,
            since: since.parse().unwrap(),
            counts: Counts::Whole,
            spending: Money::ZERO,
            freshness: Freshness::Pending,
            created: at("2026-11-01T00:00:00Z"),
        }
    }

    /// The months from `first` to November were read.
    fn read(first: &str, failed: bool) -> AccountReadings {
        let read_at = at("2026-11-23T02:00:00Z");
        let first: BillPeriod = first.parse().unwrap();
        let months = first.through(BillPeriod::of(read_at));
        AccountReadings {
            read_at: Some(read_at),
            failed_at: failed.then(|| at("2026-11-23T03:00:00Z")),
            periods: months.map(|month| (month, PeriodReading::complete(read_at))).collect(),
            ..AccountReadings::default()
        }
    }

    #[test]
    fn an_amount_is_fresh_once_every_readable_month_is_known() {
        let read_at = at("2026-11-23T02:00:00Z");
        let none = |_| false;
        let fresh = Freshness::Fresh(read_at);
        assert_eq!(
            AccountReadings::default().freshness(&link("2026-11"), none),
            Freshness::Pending
        );
        assert_eq!(read("2026-10", false).freshness(&link("2026-10"), none), fresh);
        assert_eq!(read("2026-10", false).freshness(&link("2026-09"), none), Freshness::Pending);
        assert_eq!(read("2026-10", false).freshness(&link("2026-12"), none), Freshness::Pending);
        // A bill that an older airgate read.
        let september = |month: BillPeriod| month.to_string() == "2026-09";
        assert_eq!(read("2026-10", false).freshness(&link("2026-09"), september), fresh);
        // Months that can no longer be read.
        assert_eq!(read("2024-12", false).freshness(&link("2020-01"), none), fresh);
        let mut unreadable = read("2026-10", false);
        for known in unreadable.periods.values_mut() {
            known.uncounted = ["team-a".to_owned()].into();
        }
        assert_eq!(unreadable.freshness(&link("2026-11"), none), Freshness::Pending);
    }

    #[test]
    fn a_failed_reading_makes_monitored_amounts_stale_and_keeps_their_time() {
        let (none, read_at) = (|_| false, at("2026-11-23T02:00:00Z"));
        let failed = read("2026-11", true);
        assert_eq!(failed.freshness(&link("2026-11"), none), Freshness::Stale(Some(read_at)));
        assert_eq!(failed.freshness(&link("2026-10"), none), Freshness::Stale(None));
        let later = ProjectLink { created: at("2026-11-23T04:00:00Z"), ..link("2026-10") };
        assert_eq!(failed.freshness(&later, none), Freshness::Pending);
        let off = ProjectLink { monitored: Switch::Off, ..link("2026-11") };
        assert_eq!(failed.freshness(&off, none), Freshness::Pending, "as it was");
    }
}
