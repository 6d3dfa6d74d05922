//! What is kept of estimates: amounts by day beyond the bill, what they are used for, and whether they agreed with the bill
//! once it came. How money is shared out among projects is in [`super::estimate`].

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::Date;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::{BillPeriod, ChargedParts, Explained, Money, MonthSpent, ProjectName};

/// How many days in a row the estimate must be off before that is alerted.
const OFF_DAYS: u32 = 3;

/// `monitor.estimate`: what the estimate is used for. Each word includes the ones before it.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum EstimateUse {
    /// Nothing is estimated.
    #[default]
    Off,
    /// It is shown.
    Show,
    /// Thresholds count it.
    Warn,
    /// The cut counts it, too.
    Cut,
}

/// Returns what an estimate adds to the bill: a day that the bill holds in part counts once.
pub fn beyond_bill(estimated: Money, billed: Money) -> Money {
    (estimated - billed).max(Money::ZERO)
}

/// What a project is estimated to have spent on a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProjectEstimate {
    /// As last read.
    pub amount: Money,
    /// As read in the evening of that day, to be compared with the bill.
    #[serde(default)]
    pub evening: Option<Money>,
}

/// What is known of an account's money of one day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DayTotal {
    /// The account's money.
    pub total: Money,
    /// The part of it that is in no project's estimate.
    pub hidden: Money,
    /// The part of it that is beyond the bill.
    #[serde(default)]
    pub beyond: Money,
    /// The part of `hidden` that later usage may still explain.
    #[serde(default)]
    pub pending: Money,
    /// The hidden part as read in the evening of the day.
    #[serde(default)]
    pub evening: Option<Money>,
}

/// The estimate of an account.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountEstimate {
    /// What it is used for.
    pub counts: EstimateUse,
    /// When it was last read; `None` if it never was.
    #[serde(default)]
    pub read_at: Option<Timestamp>,
    /// Why the last reading failed, if it did.
    #[serde(default)]
    pub trouble: Option<String>,
    /// The days that are estimated.
    #[serde(default)]
    pub days: BTreeMap<Date, DayTotal>,
    /// The account's money beyond the bill.
    #[serde(default)]
    pub total: Money,
    /// The part of it that is in no project's estimate.
    #[serde(default)]
    pub hidden: Money,
    /// The part of that which usage may still explain.
    #[serde(default)]
    pub pending: Money,
    /// Projects whose usage was to be read again and is older, or was never read. At most a few are named.
    #[serde(default)]
    pub older: Vec<ProjectName>,
    /// How many there are.
    #[serde(default)]
    pub older_count: usize,
    /// When the oldest of them was read; `None` if one never was.
    #[serde(default)]
    pub oldest: Option<Timestamp>,
    /// The part of the list price that is charged, from days that are settled.
    #[serde(default)]
    pub charged: Option<ChargedParts>,
    /// Up to which money the usage of the projects is known.
    #[serde(default)]
    pub explained: Explained,
    /// The last day that was compared with the bill.
    #[serde(default)]
    pub judged_to: Option<Date>,
    /// How many days in a row the estimate was off.
    #[serde(default)]
    pub off_days: u32,
    /// Whether that was alerted.
    #[serde(default)]
    pub alerted: bool,
}

/// What the comparison of estimates with the bill gives rise to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EstimateVerdict {
    /// Off by more than a third on three days in a row.
    Off,
    /// On a day after that, it is not.
    Recovered,
}

impl AccountEstimate {
    /// Takes note of whether the estimate of a day's evening was off; `None` if there was none. Returns what is to be alerted.
    pub fn judge(&mut self, day: Date, off: Option<bool>) -> Option<EstimateVerdict> {
        if self.judged_to.is_some_and(|judged| day <= judged) {
            return None;
        }
        self.judged_to = Some(day);
        match off {
            None => None,
            Some(true) => {
                self.off_days = self.off_days.saturating_add(1);
                let alert = self.off_days >= OFF_DAYS && !self.alerted;
                self.alerted |= alert;
                alert.then_some(EstimateVerdict::Off)
            }
            Some(false) => {
                self.off_days = 0;
                std::mem::take(&mut self.alerted).then_some(EstimateVerdict::Recovered)
            }
        }
    }
}

/// Returns whether the estimate of a day differs from its bill by more than a third of the bill, summed over the projects.
/// What was hidden is no error: it was said.
pub fn is_off(
    estimated: &BTreeMap<String, Money>,
    hidden: Money,
    billed: &BTreeMap<String, Money>,
) -> bool {
    let of = |amounts: &BTreeMap<String, Money>, project: &String| {
        amounts.get(project).copied().unwrap_or(Money::ZERO)
    };
    let mut projects: Vec<&String> = estimated.keys().chain(billed.keys()).collect();
    projects.sort_unstable();
    projects.dedup();
    let differs = |project: &String| {
        Money::new((of(estimated, project) - of(billed, project)).decimal().abs())
    };
    let difference: Money = projects.into_iter().map(differs).sum();
    let bill: Money = billed.values().copied().sum();
    let unexplained = difference - hidden.max(Money::ZERO);
    unexplained.decimal() * Decimal::from(3) > bill.decimal().max(Decimal::ZERO)
        && unexplained.is_positive()
}

/// What an account has spent beyond the bill, and nobody knows yet in which project. It may be anybody's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hidden {
    /// How much, exactly.
    pub amount: Money,
    /// The part of it that usage may explain within the hour.
    pub pending: Money,
    /// The first day that the bill does not hold.
    pub since: Date,
    /// Why the estimate could not be read completely, if it could not.
    pub reason: Option<String>,
}

/// What a user's monitored projects are estimated to have spent beyond the bill.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unbilled {
    /// How much, rounded to 2 decimals; never below 0.
    pub amount: Money,
    /// The part of it that is of the month in which it was read, for the month limit; `None` in older records.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub in_month: Option<MonthSpent>,
    /// The first day that the bill does not hold.
    pub since: Date,
    /// When it was read; if the usage of one of the projects is older, when that was.
    pub read_at: Timestamp,
    /// What it is used for.
    pub counts: EstimateUse,
    /// Whether the last reading failed.
    #[serde(default)]
    pub is_old: bool,
}

impl Unbilled {
    /// Returns it with `more` of `period` beside it.
    pub fn with(self, more: Money, period: BillPeriod) -> Self {
        let in_month = Some(MonthSpent { period, spent: self.of_month(period) + more });
        Self { amount: self.amount + more, in_month, ..self }
    }

    /// Returns the part that is of a month.
    pub(super) fn of_month(&self, period: BillPeriod) -> Money {
        let part = self.in_month.filter(|part| part.period == period);
        part.map_or(Money::ZERO, |part| part.spent)
    }

    /// Returns what thresholds of the month limit count beside what is billed of a month.
    pub fn for_warnings_in(&self, period: BillPeriod) -> Money {
        if self.counts >= EstimateUse::Warn { self.of_month(period) } else { Money::ZERO }
    }

    /// Returns what the cut by the month limit counts beside what is billed of a month.
    pub fn for_cuts_in(&self, period: BillPeriod) -> Money {
        if self.counts >= EstimateUse::Cut { self.of_month(period) } else { Money::ZERO }
    }

    /// Returns what thresholds count beside what is billed.
    pub fn for_warnings(&self) -> Money {
        if self.counts >= EstimateUse::Warn { self.amount } else { Money::ZERO }
    }

    /// Returns what the cut counts beside what is billed.
    pub fn for_cuts(&self) -> Money {
        if self.counts >= EstimateUse::Cut { self.amount } else { Money::ZERO }
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    const DAY: Date = date(2026, 11, 23);

    fn money(text: &str) -> Money {
        text.parse().unwrap()
    }

    #[test]
    fn a_day_that_is_billed_in_part_counts_once() {
        for (estimated, billed, more) in [
            ("10", "0", "10"),
            ("10", "4", "6"),
            ("10", "10", "0"),
            ("10", "12", "0"),
            ("-5", "0", "0"),
        ] {
            assert_eq!(beyond_bill(money(estimated), money(billed)), money(more));
        }
    }

    #[test]
    fn three_evenings_in_a_row_that_are_off_are_alerted_once() {
        let mut estimate = AccountEstimate::default();
        let mut day = DAY;
        for (off, alert) in [
            (Some(true), None),
            (Some(true), None),
            (Some(false), None),
            (Some(true), None),
            (Some(true), None),
            // The service was down in the evening.
            (None, None),
            (Some(true), Some(EstimateVerdict::Off)),
            (Some(true), None),
            (Some(false), Some(EstimateVerdict::Recovered)),
            (Some(false), None),
        ] {
            assert_eq!(estimate.judge(day, off), alert, "{day}");
            assert_eq!(estimate.judge(day, Some(true)), None, "a day is judged once");
            day = day.tomorrow().unwrap();
        }
    }

    #[test]
    fn an_estimate_is_off_by_more_than_a_third_of_the_bill_beyond_what_was_hidden() {
        let amounts = |list: &[(&str, &str)]| -> BTreeMap<String, Money> {
            list.iter().map(|(name, amount)| ((*name).to_owned(), money(amount))).collect()
        };
        for (estimated, hidden, billed, off) in [
            (&[("a", "80"), ("b", "20")][..], "0", &[("a", "90"), ("b", "30")][..], false),
            (&[("a", "80")], "0", &[("a", "120")], false),
            (&[("a", "79.99")], "0", &[("a", "120")], true),
            (&[("a", "79.99")], "1", &[("a", "120")], false),
            (&[("a", "170")], "0", &[("a", "120")], true),
            // The sum is right, the parts are not.
            (&[("a", "100"), ("b", "0")], "0", &[("a", "0"), ("b", "100")], true),
            (&[], "120", &[("", "120")], false),
            (&[("a", "0.01")], "0", &[], true),
            (&[], "0", &[], false),
        ] {
            let found = is_off(&amounts(estimated), money(hidden), &amounts(billed));
            assert_eq!(found, off, "{estimated:?} {hidden} {billed:?}");
        }
    }

    #[test]
    fn only_what_is_configured_counts() {
        for (counts, warnings, cuts) in [
            (EstimateUse::Off, "0", "0"),
            (EstimateUse::Show, "0", "0"),
            (EstimateUse::Warn, "7", "0"),
            (EstimateUse::Cut, "7", "7"),
        ] {
            let (amount, read_at) = (money("7"), Timestamp::UNIX_EPOCH);
            let unbilled =
                Unbilled { amount, in_month: None, since: DAY, read_at, counts, is_old: false };
            let counted = (unbilled.for_warnings(), unbilled.for_cuts());
            assert_eq!(counted, (money(warnings), money(cuts)), "{counts:?}");
        }
    }
}
