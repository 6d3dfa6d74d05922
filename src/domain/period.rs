//! Bill periods: calendar months in Beijing time.

use std::fmt;
use std::str::FromStr;

use jiff::civil::{Date, date};
use jiff::tz::{Offset, TimeZone};
use jiff::{Timestamp, ToSpan};
use serde::{Deserialize, Serialize};

/// A calendar month in Beijing time (UTC+8), written `YYYY-MM`, whatever the host's zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct BillPeriod {
    year: i16,
    month: i8,
}

/// Not a month of the form `YYYY-MM` between 2000-01 and 2999-12.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a month of the form YYYY-MM")]
pub struct PeriodError;

/// How many months before the current one bills can be read: "at most 24 months" (docs/platforms/volcengine.md §7).
const READABLE_MONTHS: i32 = 23;

/// Returns Beijing's zone. China has had no daylight saving time since 1991, so a fixed offset is exact.
pub fn beijing() -> TimeZone {
    TimeZone::fixed(Offset::constant(8))
}

/// Returns the day in Beijing that an instant belongs to.
pub fn beijing_day(at: Timestamp) -> Date {
    at.to_zoned(beijing()).date()
}

/// Returns the instant at which a day in Beijing ends.
pub fn end_of(day: Date) -> Option<Timestamp> {
    let next = day.tomorrow().ok()?.to_zoned(beijing()).ok()?;
    Some(next.timestamp())
}

impl BillPeriod {
    /// Creates a period from its year (2000 to 2999) and month (1 to 12).
    pub fn new(year: i16, month: i8) -> Result<Self, PeriodError> {
        if (2000..=2999).contains(&year) && (1..=12).contains(&month) {
            Ok(Self { year, month })
        } else {
            Err(PeriodError)
        }
    }

    /// Returns the period that an instant belongs to.
    pub fn of(at: Timestamp) -> Self {
        let day = beijing_day(at);
        Self { year: day.year().clamp(2000, 2999), month: day.month() }
    }

    /// Returns the year, 2000 to 2999.
    pub fn year(self) -> i16 {
        self.year
    }

    /// Returns the month, 1 to 12.
    pub fn month(self) -> i8 {
        self.month
    }

    /// Returns the following month; the last representable one stays the same.
    pub fn next(self) -> Self {
        match (self.year, self.month) {
            (2999, 12) => self,
            (year, 12) => Self { year: year + 1, month: 1 },
            (year, month) => Self { year, month: month + 1 },
        }
    }

    /// Returns the previous month; the first representable one stays the same.
    pub fn previous(self) -> Self {
        match (self.year, self.month) {
            (2000, 1) => self,
            (year, 1) => Self { year: year - 1, month: 12 },
            (year, month) => Self { year, month: month - 1 },
        }
    }

    /// Returns the number of months from `earlier` to `self`; negative if `earlier` is later.
    pub fn months_since(self, earlier: BillPeriod) -> i32 {
        (i32::from(self.year) - i32::from(earlier.year)) * 12 + i32::from(self.month)
            - i32::from(earlier.month)
    }

    /// Returns every period from `self` to `last`, both included; none if `last` is earlier.
    pub fn through(self, last: BillPeriod) -> impl Iterator<Item = BillPeriod> {
        let first = (self <= last).then_some(self);
        std::iter::successors(first, move |period| (*period < last).then(|| period.next()))
    }

    /// Returns the earliest period whose bills can still be read in this one: 23 months back, but not before 2022-01,
    /// when bills begin (docs/platforms/volcengine.md §7).
    pub fn first_readable(self) -> Self {
        let mut first = self;
        for _ in 0..READABLE_MONTHS {
            first = first.previous();
        }
        first.max(Self { year: 2022, month: 1 })
    }

    /// Returns whether the bills of this period can no longer be read in `current`.
    pub fn is_beyond_reach(self, current: BillPeriod) -> bool {
        current.months_since(self) > READABLE_MONTHS
    }

    /// Returns the instant from which a complete reading of this period is final: the 6th of the following month, 10:00
    /// Beijing time. Bills arrive one to two days late, corrections until the 5th (docs/platforms/volcengine.md §7.6).
    pub fn settles_at(self) -> Timestamp {
        self.next().tenth_hour_of(6)
    }

    /// Returns the instant from which a settled period is read once more: the 16th of the following month, 10:00 Beijing
    /// time. Contract billing is final on the 6th working day, after long holidays up to the 16th
    /// (docs/platforms/volcengine.md §7.6).
    pub fn checked_again_at(self) -> Timestamp {
        self.next().tenth_hour_of(16)
    }

    fn tenth_hour_of(self, day: i8) -> Timestamp {
        date(self.year, self.month, day)
            .at(10, 0, 0, 0)
            .to_zoned(beijing())
            .map_or(Timestamp::MAX, |at| at.timestamp())
    }

    /// Returns whether the period must still be read at `now`, if it was last read completely at `read_at`: it is read
    /// until it has settled, and once more on the 16th.
    pub fn is_open(self, read_at: Timestamp, now: Timestamp) -> bool {
        let again = self.checked_again_at();
        // A reading of the future says nothing: the clock was ahead when it was made.
        read_at > now || read_at < self.settles_at() || (read_at < again && now >= again)
    }

    /// Returns the month that a day belongs to.
    pub fn of_day(day: Date) -> Result<Self, PeriodError> {
        Self::new(day.year(), day.month())
    }

    /// Returns every day of the month, in order.
    pub fn days(self) -> impl Iterator<Item = Date> {
        let last = self.last_day();
        std::iter::successors(Some(self.first_day()), move |day| {
            day.tomorrow().ok().filter(|next| *next <= last)
        })
    }

    /// Returns the first day of the month.
    pub fn first_day(self) -> Date {
        date(self.year, self.month, 1)
    }

    /// Returns the last day of the month.
    pub fn last_day(self) -> Date {
        self.first_day()
            .checked_add(1.month())
            .and_then(|day| day.checked_sub(1.day()))
            .unwrap_or(self.first_day())
    }
}

impl fmt::Display for BillPeriod {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}", self.year, self.month)
    }
}

impl FromStr for BillPeriod {
    type Err = PeriodError;

    fn from_str(text: &str) -> Result<Self, PeriodError> {
        let (year, month) = text.split_once('-').ok_or(PeriodError)?;
        if year.len() != 4
            || month.len() != 2
            || !text.bytes().all(|b| b.is_ascii_digit() || b == b'-')
        {
            return Err(PeriodError);
        }
        Self::new(year.parse().map_err(|_| PeriodError)?, month.parse().map_err(|_| PeriodError)?)
    }
}

impl TryFrom<String> for BillPeriod {
    type Error = PeriodError;
    fn try_from(text: String) -> Result<Self, PeriodError> {
        text.parse()
    }
}

impl From<BillPeriod> for String {
    fn from(period: BillPeriod) -> String {
        period.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn months_turn_at_midnight_in_beijing() {
        assert_eq!(BillPeriod::of(at("2026-10-31T15:59:59Z")).to_string(), "2026-10");
        assert_eq!(BillPeriod::of(at("2026-10-31T16:00:00Z")).to_string(), "2026-11");
        assert_eq!(BillPeriod::of(at("2026-12-31T16:00:00Z")).to_string(), "2027-01");
    }

    #[test]
    fn a_period_settles_on_the_6th_at_ten() {
        let period: BillPeriod = "2026-12".parse().unwrap();
        assert_eq!(period.settles_at(), at("2027-01-06T02:00:00Z"));
    }

    #[test]
    fn bills_reach_back_two_years_and_begin_in_2022() {
        for (current, first) in [
            ("2026-11", "2024-12"),
            ("2026-01", "2024-02"),
            ("2023-12", "2022-01"),
            ("2022-05", "2022-01"),
        ] {
            let period: fn(&str) -> BillPeriod = |text| text.parse().unwrap();
            assert_eq!(period(current).first_readable().to_string(), first);
        }
    }

    #[test]
    fn days_of_a_month() {
        let february: BillPeriod = "2028-02".parse().unwrap();
        assert_eq!(february.first_day().to_string(), "2028-02-01");
        assert_eq!(february.last_day().to_string(), "2028-02-29");
    }

    #[test]
    fn only_year_dash_month_is_a_period() {
        for text in [
            "2026-13",
            "2026-00",
            "2026-1",
            "26-01",
            "2026/01",
            "2026-01-01",
            "",
            "+026-01",
            "1999-12",
            "２０２６-01",
        ] {
            assert_eq!(text.parse::<BillPeriod>(), Err(PeriodError), "{text}");
        }
    }

    proptest! {
        #[test]
        fn text_round_trips_and_steps_invert(year in 2001i16..2990, month in 1i8..=12, n in 0usize..40) {
            let period = BillPeriod::new(year, month).unwrap();
            prop_assert_eq!(period.to_string().parse::<BillPeriod>().unwrap(), period);
            prop_assert_eq!(period.next().previous(), period);
            let later = period.through(BillPeriod::new(2999, 12).unwrap()).nth(n).unwrap();
            prop_assert_eq!(later.months_since(period), i32::try_from(n).unwrap());
        }
    }
}
