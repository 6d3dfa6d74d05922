//! Spending by day: what a chart shows, and the change of a month against the month before.

use std::collections::BTreeMap;

use jiff::ToSpan;
use jiff::civil::Date;
use rust_decimal::{Decimal, RoundingStrategy};

use super::{BillPeriod, Money};

/// How many days a chart shows.
const CHARTED: i64 = 30;

/// Where an amount of a day comes from. Cards set each off by its colour and in words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Series {
    /// The bill.
    Billed,
    /// 估算: what the usage since then says, until the bill holds the day.
    Estimated,
}

/// One bar of a chart by day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DayAmount {
    /// The day in Beijing.
    pub day: Date,
    /// Where the amount comes from.
    pub series: Series,
    /// The exact amount.
    pub amount: Money,
}

/// Amounts by day, for a chart.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DayChart {
    /// In order of the days. Each day is there once as billed, also one without spending.
    pub days: Vec<DayAmount>,
    /// 账单截至: the last day that the bills hold completely, if it is before the last one shown.
    pub bill_to: Option<Date>,
}

impl DayChart {
    /// Returns a chart of billed amounts.
    pub fn billed(days: impl IntoIterator<Item = (Date, Money)>, bill_to: Option<Date>) -> Self {
        let days: Vec<DayAmount> = days
            .into_iter()
            .map(|(day, amount)| DayAmount { day, series: Series::Billed, amount })
            .collect();
        let last = days.last().map(|bar| bar.day);
        Self { days, bill_to: bill_to.filter(|day| last.is_some_and(|last| *day < last)) }
    }

    /// Adds what is estimated beside the bill; a day on which that is nothing gets no bar.
    #[must_use]
    pub fn with_estimates(mut self, estimates: &BTreeMap<Date, Money>) -> Self {
        let bars = std::mem::take(&mut self.days).into_iter();
        let with_estimate = |bar: DayAmount| {
            let amount = estimates.get(&bar.day).filter(|amount| amount.is_positive());
            let estimated = amount.map(|amount| DayAmount {
                series: Series::Estimated,
                amount: *amount,
                ..bar
            });
            std::iter::once(bar).chain(estimated)
        };
        self.days = bars.flat_map(with_estimate).collect();
        self
    }

    /// Returns whether no day has an amount.
    pub fn is_empty(&self) -> bool {
        self.days.iter().all(|bar| bar.amount.is_zero())
    }

    /// Returns whether a part is estimated.
    pub fn has_estimates(&self) -> bool {
        self.days.iter().any(|bar| bar.series == Series::Estimated)
    }
}

/// Returns the last 30 days, the last of them `today`.
pub fn charted_days(today: Date) -> Vec<Date> {
    let days = (0..CHARTED).rev().filter_map(|back| today.checked_sub(back.days()).ok());
    days.collect()
}

/// A month's total beside that of the month before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change {
    /// If not all days are billed: how many from the first on are compared, in both months.
    pub first_days: Option<i8>,
    /// The exact amount of the month.
    pub now: Money,
    /// The exact amount of the month before.
    pub before: Money,
}

impl Change {
    /// Returns by how much the amount grew; negative if it fell.
    pub fn difference(&self) -> Money {
        self.now - self.before
    }

    /// Returns the growth in percent with one decimal, rounded half away from zero. `None` if there is no amount to
    /// compare with.
    pub fn percent(&self) -> Option<Decimal> {
        if !self.before.is_positive() {
            return None;
        }
        let grown = self.difference().decimal().checked_mul(Decimal::ONE_HUNDRED)?;
        let percent = grown.checked_div(self.before.decimal())?;
        let mut percent = percent.round_dp_with_strategy(1, RoundingStrategy::MidpointAwayFromZero);
        percent.rescale(1);
        Some(percent)
    }
}

/// Which days of a month can be compared with the month before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparable {
    /// All of both.
    Whole,
    /// The first days of both, this many.
    First(i8),
}

impl Comparable {
    /// Returns how many first days; `None`: all.
    pub fn first_days(self) -> Option<i8> {
        match self {
            Comparable::Whole => None,
            Comparable::First(days) => Some(days),
        }
    }

    /// Returns whether a day of either month is compared.
    pub fn includes(self, day: Date) -> bool {
        self.first_days().is_none_or(|days| day.day() <= days)
    }
}

/// Returns which days of a month can be compared with the month before, if the bill holds all days up to `bill_to`.
/// `None`: no day is complete yet.
pub fn comparable(period: BillPeriod, bill_to: Date) -> Option<Comparable> {
    if bill_to >= period.last_day() {
        return Some(Comparable::Whole);
    }
    if bill_to < period.first_day() {
        return None;
    }
    Some(Comparable::First(bill_to.day().min(period.previous().last_day().day())))
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    #[test]
    fn a_running_month_is_compared_by_the_days_that_both_months_have() {
        let of = |period: &str, day| comparable(period.parse().unwrap(), day);
        for (period, bill_to, wanted) in [
            ("2026-11", date(2026, 10, 31), None),
            ("2026-11", date(2026, 11, 1), Some(Comparable::First(1))),
            ("2026-11", date(2026, 11, 21), Some(Comparable::First(21))),
            ("2026-11", date(2026, 11, 30), Some(Comparable::Whole)),
            ("2026-11", date(2027, 2, 3), Some(Comparable::Whole)),
            // February is shorter.
            ("2026-03", date(2026, 3, 30), Some(Comparable::First(28))),
            ("2026-01", date(2026, 1, 30), Some(Comparable::First(30))),
        ] {
            assert_eq!(of(period, bill_to), wanted, "{period} {bill_to}");
        }
    }

    #[test]
    fn a_change_is_shown_in_percent_of_what_there_was() {
        let percent = |now: &str, before: &str| {
            let (now, before) = (now.parse().unwrap(), before.parse().unwrap());
            let change = Change { first_days: None, now, before };
            change.percent().map(|percent| percent.to_string())
        };
        for (now, before, wanted) in [
            ("110", "100", Some("10.0")),
            ("99.95", "100", Some("-0.1")),
            ("0", "100", Some("-100.0")),
            ("-50", "100", Some("-150.0")),
            ("100", "0", None),
            ("100", "-5", None),
            ("9999999999.99", "0.000001", Some("999999999998999900.0")),
        ] {
            assert_eq!(percent(now, before).as_deref(), wanted, "{now} {before}");
        }
    }

    #[test]
    fn a_chart_has_thirty_days_and_says_to_which_the_bill_is_complete() {
        let days = charted_days(date(2026, 3, 1));
        assert_eq!((days.len(), days[0]), (30, date(2026, 1, 31)));
        let chart = |bill_to| DayChart::billed(days.iter().map(|d| (*d, Money::ZERO)), bill_to);
        assert!(chart(None).is_empty() && !chart(None).has_estimates());
        assert_eq!(chart(Some(date(2026, 2, 27))).bill_to, Some(date(2026, 2, 27)));
        assert_eq!(chart(Some(date(2026, 3, 1))).bill_to, None);
        let (last, far) = (date(2026, 3, 1), date(2025, 1, 1));
        let estimates = [(last, "7.5"), (date(2026, 2, 28), "0"), (far, "9")];
        let estimates = estimates.map(|(day, amount)| (day, amount.parse().unwrap()));
        let chart = chart(None).with_estimates(&estimates.into());
        assert!(!chart.is_empty() && chart.has_estimates());
        let [.., billed, estimated] = &chart.days[..] else { panic!("{chart:?}") };
        assert_eq!((chart.days.len(), billed.day, estimated.day), (31, last, last));
        assert_eq!((billed.series, estimated.series), (Series::Billed, Series::Estimated));
    }
}
