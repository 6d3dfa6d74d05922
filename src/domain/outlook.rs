//! What is told of the days and the balance of an account, beside its users' forecasts.

use std::collections::BTreeMap;

use jiff::civil::Date;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::forecast::{RATE_DAYS, before};
use super::{IncidentChange, Money, Rate};

/// A day is compared with the median of this many days before it.
pub const SPIKE_DAYS: i64 = 14;
/// How many of them must be known.
const SPIKE_LEAST_DAYS: usize = 7;
/// How many times the median a day must cost.
const SPIKE_FACTOR: i64 = 3;
/// What a day must cost at least, in fen.
const SPIKE_LEAST: i64 = 10_000;

/// A project's day that cost far more than usual.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spike {
    /// The project.
    pub project: String,
    /// What the day cost.
    pub amount: Money,
    /// What the days before it cost in the middle.
    pub median: Money,
}

/// Returns whether a project's day costs at least ¥100 and three times the median of the 14 days before it. Days before
/// `known_from`, and before a new project's first spending, do not count; at least 7 must be left. A project that spent nothing
/// in those days has a median of 0.
pub fn spike(
    project: &str,
    amounts: &BTreeMap<Date, Money>,
    day: Date,
    known_from: Date,
) -> Option<Spike> {
    let amount = *amounts.get(&day)?;
    let mut from = known_from.max(before(day, SPIKE_DAYS));
    if let Some((first, _)) = amounts.range(from..day).find(|(_, amount)| !amount.is_zero()) {
        from = *first;
    }
    let of = |day: &Date| amounts.get(day).copied().unwrap_or(Money::ZERO);
    let days = std::iter::successors(Some(from), |day| day.tomorrow().ok());
    let mut history: Vec<Money> = days.take_while(|it| *it < day).map(|day| of(&day)).collect();
    if history.len() < SPIKE_LEAST_DAYS || amount < Money::from_fen(SPIKE_LEAST) {
        return None;
    }
    history.sort_unstable();
    let middle = history.len() / 2;
    let upper = history.get(middle)?.decimal();
    let lower = match history.len() % 2 {
        0 => history.get(middle.checked_sub(1)?)?.decimal(),
        _ => upper,
    };
    let twice = upper + lower;
    let is_spike = amount.decimal() * Decimal::TWO >= twice * Decimal::from(SPIKE_FACTOR);
    let median = Money::new(twice / Decimal::TWO);
    is_spike.then(|| Spike { project: project.to_owned(), amount, median })
}

/// Decides about an account's balance, given that one that lasts less than `within` days is low; 0 is off. It is no longer low
/// once it lasts a day longer.
pub fn balance(is_alerted: bool, available: Money, rate: Rate, within: u32) -> IncidentChange {
    let lasts = |days: u32| !available.is_negative() && !falls_short(available, rate, days);
    match is_alerted {
        _ if within == 0 => IncidentChange::Nothing,
        false if !lasts(within) => IncidentChange::Begins,
        true if lasts(within.saturating_add(1)) => IncidentChange::Ends,
        _ => IncidentChange::Nothing,
    }
}

/// Returns whether an amount lasts less than `days` days.
fn falls_short(amount: Money, rate: Rate, days: u32) -> bool {
    let have = amount.decimal().checked_mul(Decimal::from(rate.days));
    let need = rate.spent.decimal().checked_mul(Decimal::from(days));
    match (have, need) {
        (Some(have), Some(need)) => have < need,
        (None, _) => false,
        (_, None) => true,
    }
}

/// What was alerted about an account.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountOutlook {
    /// The last day that was searched for spikes.
    #[serde(default)]
    pub judged_to: Option<Date>,
    /// Whether a low balance was alerted.
    #[serde(default)]
    pub balance_low: bool,
}

impl AccountOutlook {
    /// Returns the days to search for spikes, if the bill holds all days up to `bill_to`: at first only that one, later also
    /// those that were completed with it. A day of the future was noted while the clock was ahead.
    pub fn days_to_judge(&self, bill_to: Date, today: Date) -> Vec<Date> {
        let oldest = before(bill_to, RATE_DAYS - 1);
        let first = match self.judged_to.filter(|judged| *judged < today) {
            Some(judged) => judged.tomorrow().unwrap_or(judged).max(oldest),
            None => bill_to,
        };
        let days = std::iter::successors(Some(first), |day| day.tomorrow().ok());
        days.take_while(|day| *day <= bill_to).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn money(text: &str) -> Money {
        text.parse().unwrap()
    }

    fn november(day: i8) -> Date {
        jiff::civil::date(2026, 11, day)
    }

    /// The amounts of consecutive days up to the 20th.
    fn up_to_20(amounts: &[&str]) -> BTreeMap<Date, Money> {
        let days = (1..=20).rev().zip(amounts.iter().rev());
        days.map(|(day, amount)| (november(day), money(amount))).collect()
    }

    #[test]
    fn a_spike_is_three_times_the_median_and_a_hundred() {
        let steady = ["40"; 14];
        let with = |last: &'static str| -> Vec<&'static str> {
            steady.iter().copied().chain([last]).collect()
        };
        for (amounts, known_from, median) in [
            (with("120"), 1, Some("40")),
            (with("119.99"), 1, None),
            // The median of an even number of days: 35.
            (vec!["30", "30", "30", "30", "40", "40", "40", "40", "105"], 1, Some("35")),
            (vec!["30", "30", "30", "30", "40", "40", "40", "40", "104.99"], 1, None),
            // Less than ¥100, however unusual.
            (vec!["1", "1", "1", "1", "1", "1", "1", "99.99"], 1, None),
            (vec!["1", "1", "1", "1", "1", "1", "1", "100"], 1, Some("1")),
            // A new project is not judged before it has 7 days.
            (vec!["1", "1", "1", "1", "1", "1", "100"], 1, None),
            // One that cost nothing before is.
            (vec!["100"], 1, Some("0")),
            // Unless that is not known.
            (vec!["100"], 14, None),
            (vec!["100"], 13, Some("0")),
            (vec![], 1, None),
        ] {
            let found = spike("p", &up_to_20(&amounts), november(20), november(known_from));
            assert_eq!(found.map(|spike| spike.median), median.map(money), "{amounts:?}");
        }
    }

    #[test]
    fn each_day_is_judged_once() {
        let judged = |judged_to: Option<i8>, bill_to, today| -> Vec<i8> {
            let known =
                AccountOutlook { judged_to: judged_to.map(november), ..AccountOutlook::default() };
            let days = known.days_to_judge(november(bill_to), november(today));
            days.into_iter().map(Date::day).collect()
        };
        assert_eq!(judged(None, 20, 22), [20]);
        assert!(judged(Some(20), 20, 22).is_empty());
        assert_eq!(judged(Some(18), 20, 22), [19, 20]);
        assert_eq!(judged(Some(1), 20, 22), [14, 15, 16, 17, 18, 19, 20]);
        assert_eq!(judged(Some(25), 20, 22), [20], "the clock was ahead");
    }

    #[test]
    fn a_balance_is_low_until_it_lasts_a_day_longer() {
        let rate = Rate { spent: money("70"), days: 7, to: november(20) };
        for (alerted, available, change) in [
            (false, "70", IncidentChange::Nothing),
            (false, "69.99", IncidentChange::Begins),
            (true, "69.99", IncidentChange::Nothing),
            (true, "79.99", IncidentChange::Nothing),
            (true, "80", IncidentChange::Ends),
            (false, "-0.01", IncidentChange::Begins),
        ] {
            assert_eq!(balance(alerted, money(available), rate, 7), change, "{available}");
            assert_eq!(balance(alerted, money(available), rate, 0), IncidentChange::Nothing);
        }
    }
}
