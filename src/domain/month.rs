//! 月度上限: what a user may spend in one Beijing month, beside the quota.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::{BillPeriod, Money};

/// What is used up, or soon will be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Limit {
    /// The quota.
    #[default]
    Quota,
    /// The month limit.
    Month,
    /// Both.
    Both,
}

/// What a user may spend in one month over the monitored links; above 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "Money", into = "Money")]
pub struct MonthLimit(Money);

/// A month limit must be above 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a month limit must be above 0")]
pub struct NotAboveZero;

impl MonthLimit {
    /// Returns the amount.
    pub fn amount(self) -> Money {
        self.0
    }
}

impl TryFrom<Money> for MonthLimit {
    type Error = NotAboveZero;

    fn try_from(amount: Money) -> Result<Self, NotAboveZero> {
        if amount.is_positive() { Ok(Self(amount)) } else { Err(NotAboveZero) }
    }
}

impl From<MonthLimit> for Money {
    fn from(limit: MonthLimit) -> Money {
        limit.0
    }
}

/// What the monitored links of a user have spent in a month.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Month {
    /// Which month.
    pub period: BillPeriod,
    /// The exact amount, as far as bills were read.
    pub spent: Money,
    /// Whether the month's bill has been read at all.
    pub is_read: bool,
}

/// What the monitored links of a user have spent in a month, as kept with the user. In any other month that is nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MonthSpent {
    /// Which month.
    pub period: BillPeriod,
    /// The exact amount, as last read.
    pub spent: Money,
}

/// The thresholds of the month limit that were alerted in a month. They do not count in any other month.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MonthTriggered {
    /// Which month.
    pub period: BillPeriod,
    /// The thresholds, in percent.
    pub percents: BTreeSet<u16>,
    /// Those of them that only an estimate has reached: see [`User::arm_again_in`](super::User::arm_again_in).
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub early: BTreeSet<u16>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_above_zero_also_in_the_store() {
        for bad in ["\"0\"", "\"-1\""] {
            assert!(serde_json::from_str::<MonthLimit>(bad).is_err(), "{bad}");
        }
        let limit: MonthLimit = serde_json::from_str("\"0.01\"").unwrap();
        assert_eq!(serde_json::to_string(&limit).unwrap(), "\"0.01\"");
    }
}
