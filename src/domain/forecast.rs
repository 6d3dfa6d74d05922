//! What the spending of the last complete days leads to. A rate is kept as a sum over a number of days, so that nothing is
//! rounded before the end.

use std::collections::BTreeMap;

use jiff::ToSpan;
use jiff::civil::Date;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::{BillPeriod, ForecastAlerted, Limit, Money, Month, MonthLimit, User, UserStatus};

/// How many complete days a rate is computed from, at most.
pub const RATE_DAYS: i64 = 7;
/// A rate of fewer days says too little.
const LEAST_DAYS: i64 = 3;
/// A bill that ends longer ago than this many days says nothing about today.
pub const OLDEST_BILL: i64 = 10;
/// What is farther away than this many days is not foretold.
const FARTHEST: i64 = 3_650;
/// What was spent on complete days.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rate {
    /// The exact sum. Days with more refunds than spending count as 0.
    pub spent: Money,
    /// Of how many days, at least 3.
    pub days: u32,
    /// The last of them.
    pub to: Date,
}

impl Rate {
    /// Computes the rate of the last 7 days up to `to`, none before `first`; `None` if that leaves fewer than 3 days.
    pub fn of(amounts: &BTreeMap<Date, Money>, first: Date, to: Date) -> Option<Self> {
        let first = first.max(before(to, RATE_DAYS - 1));
        let days = i64::from(days_between(first, to)?) + 1;
        if days < LEAST_DAYS {
            return None;
        }
        let spent = amounts.range(first..=to).map(|(_, amount)| (*amount).max(Money::ZERO)).sum();
        Some(Self { spent, days: u32::try_from(days).ok()?, to })
    }

    /// Returns what a day cost on average, to be shown.
    pub fn a_day(self) -> Money {
        let average = self.spent.decimal().checked_div(Decimal::from(self.days));
        Money::new(average.unwrap_or(Decimal::ZERO)).rounded()
    }

    /// Returns what `days` days will cost.
    fn over(self, days: i64) -> Money {
        let sum = self.spent.decimal().checked_mul(Decimal::from(days.max(0)));
        let cost = sum.and_then(|sum| sum.checked_div(Decimal::from(self.days)));
        Money::new(cost.unwrap_or(Decimal::ZERO))
    }

    /// Returns what a month will have cost in the end: `spent` of it is known, by day in `days`; of those after `bill_to` not
    /// everything is.
    pub fn month_end(
        self,
        period: BillPeriod,
        bill_to: Date,
        spent: Money,
        days: &BTreeMap<Date, Money>,
    ) -> Money {
        let (first, last) = (period.first_day(), period.last_day());
        let counted_from = bill_to.max(before(first, 1));
        let later = days.iter().filter(|(day, _)| **day > counted_from && **day <= last);
        let after: Money = later.map(|(_, amount)| *amount).sum();
        let left = days_between(counted_from, last).map_or(0, i64::from);
        (spent - after + self.over(left)).max(spent)
    }

    /// Returns the number of days after which `amount` is used up; `None` if it never is, or only in the far future.
    fn days_for(self, amount: Money) -> Option<i64> {
        if !amount.is_positive() {
            return Some(0);
        }
        (1..=FARTHEST).find_or_bisect(|days| self.uses_up(amount, days))
    }

    /// Returns whether `days` days use up `amount`: compared without dividing.
    fn uses_up(self, amount: Money, days: i64) -> bool {
        let spent = self.spent.decimal().checked_mul(Decimal::from(days));
        let needed = amount.decimal().checked_mul(Decimal::from(self.days));
        match (spent, needed) {
            (Some(spent), Some(needed)) => spent >= needed,
            (None, _) => true,
            (_, None) => false,
        }
    }
}

/// Finds the first number of a range from which on a condition holds.
trait Bisect {
    fn find_or_bisect(self, holds: impl Fn(i64) -> bool) -> Option<i64>;
}

impl Bisect for std::ops::RangeInclusive<i64> {
    fn find_or_bisect(self, holds: impl Fn(i64) -> bool) -> Option<i64> {
        let (mut low, mut high) = (*self.start(), *self.end());
        if !holds(high) {
            return None;
        }
        while low < high {
            let middle = low.midpoint(high);
            if holds(middle) {
                high = middle;
            } else {
                low = middle + 1;
            }
        }
        Some(low)
    }
}

/// What a forecast of a user is made from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spending {
    /// Today in Beijing.
    pub today: Date,
    /// The last day that the bill holds completely, before today.
    pub bill_to: Date,
    /// The first complete day after the user's first link was made.
    pub first: Date,
    /// What the monitored links cost by day, for the days of the rate and all later ones.
    pub days: BTreeMap<Date, Money>,
}

/// When something runs out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunsOut {
    /// The day, today at the earliest.
    pub on: Date,
    /// Of what: the one that is reached first.
    pub of: Limit,
}

/// What will happen if a user goes on spending as in the last days.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Forecast {
    /// What it is based on.
    pub rate: Rate,
    /// When quota or month limit is used up; `None` if neither is in sight, or one is used up already.
    pub runs_out: Option<RunsOut>,
    /// What the current month will have cost in the end.
    pub month_end: Money,
}

/// Foretells a user's spending. `month` is what the monitored links have spent in the current month. `None` if too little is
/// known.
pub fn forecast(user: &User, month: &Month, spending: &Spending) -> Option<Forecast> {
    let Spending { today, bill_to, first, days } = spending;
    if days_between(*bill_to, *today)? > i32::try_from(OLDEST_BILL).ok()? {
        return None;
    }
    let rate = Rate::of(days, *first, *bill_to)?;
    let later = || days.iter().filter(|(day, _)| **day > *bill_to);
    let after: Money = later().map(|(_, amount)| *amount).sum();
    let (month_first, month_last) = (month.period.first_day(), month.period.last_day());
    let after_in_month: Money =
        later().filter(|(day, _)| **day >= month_first).map(|(_, amount)| *amount).sum();
    let until = |from: Date, left: Money| -> Option<Date> {
        let on = from.checked_add(rate.days_for(left)?.days()).ok()?;
        Some(on.max(*today))
    };
    let quota_left = user.quota - user.consumed;
    let quota = match user.is_allocated() && quota_left.is_positive() {
        true => until(*bill_to, quota_left + after),
        false => None,
    };
    let counted_from = (*bill_to).max(before(month_first, 1));
    let limit = user.month_limit.map(MonthLimit::amount).filter(|limit| *limit > month.spent);
    let in_month = limit
        .and_then(|limit| until(counted_from, limit - (month.spent - after_in_month)))
        .filter(|on| *on <= month_last);
    let is_used_up = user.usage().is_used_up()
        || user.month_usage(Some(month)).is_some_and(|usage| usage.is_used_up());
    let runs_out = match (quota, in_month) {
        (Some(quota), Some(in_month)) if in_month < quota => {
            Some(RunsOut { on: in_month, of: Limit::Month })
        }
        (Some(on), _) => Some(RunsOut { on, of: Limit::Quota }),
        (None, Some(on)) => Some(RunsOut { on, of: Limit::Month }),
        (None, None) => None,
    };
    let left = i64::from(days_between(counted_from, month_last)?);
    let month_end = (month.spent - after_in_month + rate.over(left)).max(month.spent);
    Some(Forecast { rate, runs_out: runs_out.filter(|_| !is_used_up), month_end })
}

/// What to do about something that is alerted once when it begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IncidentChange {
    /// It is as it was.
    Nothing,
    /// It begins.
    Begins,
    /// It ends.
    Ends,
}

/// Decides about a user's forecast, given that a date within `within` days is close; 0 is off. More quota or another month
/// limit that moves the date away ends the incident. So does a date twice as far away; one that only comes and goes with the
/// spending of each day is not alerted again and again.
pub fn run_out(user: &User, forecast: &Forecast, today: Date, within: u32) -> IncidentChange {
    let reach = |days: u32| today.checked_add(i64::from(days).days()).unwrap_or(today);
    let is_within = |days| forecast.runs_out.is_some_and(|out| out.on <= reach(days));
    let is_watched =
        user.monitored.is_on() && matches!(user.status, UserStatus::Active | UserStatus::Unknown);
    match user.forecast_alerted {
        _ if within == 0 => IncidentChange::Nothing,
        None if is_watched && is_within(within) => IncidentChange::Begins,
        Some(alerted) if !is_within(within) => {
            let is_other = alerted != ForecastAlerted::of(user);
            if is_other || !is_within(within.saturating_mul(2)) {
                IncidentChange::Ends
            } else {
                IncidentChange::Nothing
            }
        }
        None | Some(_) => IncidentChange::Nothing,
    }
}

/// Returns the day that is `days` days earlier.
pub fn before(day: Date, days: i64) -> Date {
    day.checked_sub(days.days()).unwrap_or(day)
}

/// Returns the number of days from `first` to `last`; negative if `last` is earlier.
fn days_between(first: Date, last: Date) -> Option<i32> {
    first.until(last).ok().map(|span| span.get_days())
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;
    use proptest::prelude::*;

    use super::*;

    fn money(text: &str) -> Money {
        text.parse().unwrap()
    }

    fn november(day: i8) -> Date {
        date(2026, 11, day)
    }

    /// The amounts of consecutive days up to the 20th.
    fn up_to_20(amounts: &[&str]) -> BTreeMap<Date, Money> {
        let days = (1..=20).rev().zip(amounts.iter().rev());
        days.map(|(day, amount)| (november(day), money(amount))).collect()
    }

    #[test]
    fn a_rate_is_that_of_the_last_seven_complete_days() {
        for (amounts, first, rate) in [
            (&["99", "1", "2", "3", "4", "5", "6", "7"][..], 1, Some(("28", 7))),
            // Refunds of a day count as nothing spent.
            (&["1", "2", "-50", "4", "5", "6", "7"], 1, Some(("25", 7))),
            (&["1", "2", "3"], 18, Some(("6", 3))),
            (&["1", "2", "3"], 19, None),
            // Days without spending are days.
            (&["7"], 1, Some(("7", 7))),
            (&[], 1, Some(("0", 7))),
        ] {
            let found = Rate::of(&up_to_20(amounts), november(first), november(20));
            let found = found.map(|rate| (rate.spent, rate.days));
            assert_eq!(found, rate.map(|(spent, days)| (money(spent), days)), "{amounts:?}");
        }
    }

    #[test]
    fn what_runs_out_first_is_foretold() {
        // (days, later days, consumed, quota, spent in the month, limit) -> (date, of what, month's end)
        let ten = &["10"; 7][..];
        let third = &["1", "0", "0", "0", "0", "0", "0"][..];
        for (days, later, consumed, quota, spent, limit, out, month_end) in [
            // 100 left at the end of the 20th, 10 a day: the 30th.
            (ten, &[][..], "900", "1000", "200", None, Some(("2026-11-30", Limit::Quota)), "300"),
            (ten, &[], "900", "1000.01", "200", None, Some(("2026-12-01", Limit::Quota)), "300"),
            // What is known of later days does not count twice.
            (
                ten,
                &["10", "5"],
                "915",
                "1000",
                "215",
                None,
                Some(("2026-11-30", Limit::Quota)),
                "300",
            ),
            // But the month has cost at least what is known.
            (ten, &["500"], "1400", "9000", "700", None, Some(("2029-02-07", Limit::Quota)), "700"),
            // The month limit is stricter.
            (
                ten,
                &[],
                "100",
                "1000",
                "200",
                Some("250"),
                Some(("2026-11-25", Limit::Month)),
                "300",
            ),
            (
                ten,
                &[],
                "990",
                "1000",
                "200",
                Some("250"),
                Some(("2026-11-23", Limit::Quota)),
                "300",
            ),
            // It counts only until the month ends.
            (ten, &[], "0", "0", "200", Some("301"), None, "300"),
            (ten, &[], "0", "0", "200", Some("300"), Some(("2026-11-30", Limit::Month)), "300"),
            // Used up already, or nothing to use up.
            (ten, &[], "1000", "1000", "200", None, None, "300"),
            (ten, &[], "10", "1000", "200", Some("200"), None, "300"),
            (ten, &[], "10", "0", "200", None, None, "300"),
            // A seventh a day: nothing is rounded on the way.
            (
                third,
                &[],
                "999",
                "1000",
                "1",
                None,
                Some(("2026-11-27", Limit::Quota)),
                "2.4285714285714285714285714286",
            ),
            // Nothing is spent, or so little that it lasts for decades.
            (&["0"], &[], "0", "1000", "0", None, None, "0"),
            (third, &[], "0", "1000000", "1", None, None, "2.4285714285714285714285714286"),
        ] {
            let mut user = User::new("main/alice".parse().unwrap(), jiff::Timestamp::UNIX_EPOCH);
            (user.consumed, user.quota) = (money(consumed), money(quota));
            user.month_limit = limit.map(|limit| money(limit).try_into().unwrap());
            let period = "2026-11".parse().unwrap();
            let month = Month { period, spent: money(spent), is_read: true };
            let mut all = up_to_20(days);
            all.extend((21..).zip(later).map(|(day, amount)| (november(day), money(amount))));
            let spending = Spending {
                today: november(23),
                bill_to: november(20),
                first: november(1),
                days: all,
            };
            let found = forecast(&user, &month, &spending).unwrap();
            let shown = found.runs_out.map(|out| (out.on.to_string(), out.of));
            let wanted = out.map(|(on, of)| (on.to_owned(), of));
            assert_eq!(shown, wanted, "{consumed} of {quota}, {spent} of {limit:?}");
            assert_eq!(found.month_end, money(month_end), "{spent}");
        }
    }

    #[test]
    fn in_the_first_days_of_a_month_the_whole_month_is_foretold() {
        let mut user = User::new("main/alice".parse().unwrap(), jiff::Timestamp::UNIX_EPOCH);
        user.quota = money("10000");
        let days = (24..=30).map(|day| (november(day), money("10")));
        let spending = |bill_to, today| Spending {
            today,
            bill_to,
            first: november(1),
            days: days.clone().collect(),
        };
        let month = Month { period: "2026-12".parse().unwrap(), spent: Money::ZERO, is_read: true };
        let found = forecast(&user, &month, &spending(november(30), date(2026, 12, 2))).unwrap();
        assert_eq!(found.month_end, money("310"));
        // A bill that ends long ago says nothing about today.
        let old = spending(november(20), date(2026, 12, 1));
        assert_eq!(forecast(&user, &month, &old), None);
    }

    #[test]
    fn a_date_that_comes_close_is_alerted_once_until_a_top_up_moves_it_away() {
        let mut user = User::new("main/alice".parse().unwrap(), jiff::Timestamp::UNIX_EPOCH);
        user.quota = money("100");
        let rate = Rate { spent: money("70"), days: 7, to: november(20) };
        for (out, top_up, change) in [
            (Some(27), "0", IncidentChange::Nothing),
            (Some(26), "0", IncidentChange::Begins),
            (Some(25), "0", IncidentChange::Nothing),
            // It comes and goes with the spending of each day.
            (Some(29), "0", IncidentChange::Nothing),
            (Some(26), "0", IncidentChange::Nothing),
            // A top-up that does not move it far enough, then one that does.
            (Some(26), "1", IncidentChange::Nothing),
            (Some(27), "10", IncidentChange::Ends),
            (Some(26), "0", IncidentChange::Begins),
            // Spending that falls far enough ends it, too.
            (Some(30), "0", IncidentChange::Ends),
            (Some(23), "0", IncidentChange::Begins),
            (None, "0", IncidentChange::Ends),
        ] {
            user.quota += money(top_up);
            let on = out.map(|day| RunsOut { on: november(day), of: Limit::Quota });
            let forecast = Forecast { rate, runs_out: on, month_end: Money::ZERO };
            let found = run_out(&user, &forecast, november(23), 3);
            assert_eq!(found, change, "{out:?} {top_up}");
            match change {
                IncidentChange::Begins => user.forecast_alerted = Some(ForecastAlerted::of(&user)),
                IncidentChange::Ends => user.forecast_alerted = None,
                IncidentChange::Nothing => {}
            }
            assert_eq!(run_out(&user, &forecast, november(23), 0), IncidentChange::Nothing);
        }
        user.status = UserStatus::Disabled;
        let on = Some(RunsOut { on: november(23), of: Limit::Quota });
        let forecast = Forecast { rate, runs_out: on, month_end: Money::ZERO };
        assert_eq!(run_out(&user, &forecast, november(23), 3), IncidentChange::Nothing);
    }

    proptest! {
        #[test]
        fn the_day_that_uses_it_up_is_the_first_that_does(
            spent in 1_i64..1_000_000, days in 3_u32..8, amount in 1_i64..100_000_000,
        ) {
            let rate = Rate { spent: Money::from_fen(spent), days, to: november(20) };
            let left = Money::from_fen(amount);
            // In whole numbers: the least n with n * spent >= amount * days.
            let exact = (amount * i64::from(days) + spent - 1) / spent;
            prop_assert_eq!(rate.days_for(left), (exact <= FARTHEST).then_some(exact));
        }
    }
}
