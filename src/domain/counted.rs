//! What a user's usage is measured by: quota or month limit, whichever is stricter (docs/behaviour.md §1).

use super::{Limit, Money, Month, Unbilled, Usage, User};

/// A user's usage of everything that limits it, as thresholds count it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counted {
    /// Of the quota, by bill and, as configured, estimate; `None` if nothing is allocated.
    pub quota: Option<Usage>,
    /// Of the month limit, by the bill of the month alone; `None` without a limit.
    pub month: Option<Usage>,
    /// What the estimate adds to the usage of the quota.
    pub estimated: Money,
}

impl Counted {
    /// Returns a user's usage. `month` is what the current month counts, for users with a limit; `unbilled` is what is estimated
    /// beside the bill.
    pub fn of(user: &User, month: Option<&Month>, unbilled: Option<&Unbilled>) -> Self {
        let estimated = unbilled.map_or(Money::ZERO, Unbilled::for_warnings);
        Self {
            quota: user.is_allocated().then(|| user.usage_with(estimated)),
            month: user.month_usage(month),
            estimated,
        }
    }

    /// Returns what decides, and its usage: that of which the larger part is used, the quota if both are equal. `None` if
    /// nothing limits the user.
    pub fn stricter(&self) -> Option<(Limit, Usage)> {
        match (self.quota, self.month) {
            (Some(quota), Some(month)) if month.exceeds(quota) => Some((Limit::Month, month)),
            (Some(quota), _) => Some((Limit::Quota, quota)),
            (None, Some(month)) => Some((Limit::Month, month)),
            (None, None) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;
    use crate::domain::EstimateUse;

    #[test]
    fn the_stricter_of_quota_and_month_limit_decides_and_the_estimate_counts_as_configured() {
        // consumed, quota, (month limit, spent in the month), estimate -> of what, consumed, in percent
        for (consumed, quota, limit, estimated, wanted) in [
            ("50", "100", None, None, Some((Limit::Quota, "50.0"))),
            ("10", "100", Some(("50", "40")), None, Some((Limit::Month, "80.0"))),
            ("60", "100", Some(("50", "10")), None, Some((Limit::Quota, "60.0"))),
            ("50", "100", Some(("50", "25")), None, Some((Limit::Quota, "50.0"))),
            ("60", "0", Some(("50", "25")), None, Some((Limit::Month, "50.0"))),
            ("60", "0", None, None, None),
            // The estimate counts for the quota as thresholds count it, never for the month limit.
            ("40", "100", None, Some(EstimateUse::Show), Some((Limit::Quota, "40.0"))),
            ("40", "100", None, Some(EstimateUse::Warn), Some((Limit::Quota, "85.0"))),
            ("0", "1000", Some(("50", "20")), Some(EstimateUse::Cut), Some((Limit::Month, "40.0"))),
        ] {
            let mut user = User::new("main/alice".parse().unwrap(), jiff::Timestamp::UNIX_EPOCH);
            (user.consumed, user.quota) = (consumed.parse().unwrap(), quota.parse().unwrap());
            let money = |text: &str| text.parse::<Money>().unwrap();
            user.month_limit = limit.map(|(limit, _)| money(limit).try_into().unwrap());
            let period = "2026-11".parse().unwrap();
            let month =
                limit.map(|(_, spent)| Month { period, spent: money(spent), is_read: true });
            let unbilled = estimated.map(|counts| Unbilled {
                amount: money("45"),
                since: date(2026, 11, 22),
                read_at: jiff::Timestamp::UNIX_EPOCH,
                counts,
                is_old: false,
            });
            let found = Counted::of(&user, month.as_ref(), unbilled.as_ref()).stricter();
            let found = found.map(|(of, usage)| (of, usage.percent().to_string()));
            let wanted = wanted.map(|(of, percent)| (of, percent.to_owned()));
            assert_eq!(found, wanted, "{consumed} of {quota}, {limit:?}, {estimated:?}");
        }
    }
}
