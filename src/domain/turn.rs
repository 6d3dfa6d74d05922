//! The month limit of a user, and what follows at the turn of the month.

use std::collections::BTreeSet;

use super::{
    BillPeriod, Money, Month, MonthLimit, MonthSpent, MonthTriggered, Unbilled, Usage, User,
    UserStatus,
};

/// What to do about a user whom the month limit has cut, once another month has begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// Nothing yet: it is the same month, or the new one has not been read.
    Wait,
    /// Restore access.
    Restore,
    /// The limit is reached in the new month, too: the cut belongs to that month.
    Again,
    /// The quota is used up, too: the cut stays until a person restores access.
    QuotaToo,
}

impl User {
    /// Returns the usage of the month limit; `None` without one.
    pub fn month_usage(&self, month: Option<&Month>) -> Option<Usage> {
        self.month_usage_with(month, |_| Money::ZERO)
    }

    /// Returns the usage of the month limit with something more than what is billed of the month; `None` without a limit.
    pub fn month_usage_with(
        &self,
        month: Option<&Month>,
        more: impl FnOnce(BillPeriod) -> Money,
    ) -> Option<Usage> {
        let (month, limit) = (month?, self.month_limit?);
        Some(Usage::new(month.spent + more(month.period), limit.amount()))
    }

    /// Returns the thresholds of the month limit that were alerted in `period`.
    pub fn triggered_in(&self, period: BillPeriod) -> BTreeSet<u16> {
        let triggered = self.month_triggered.as_ref().filter(|known| known.period == period);
        triggered.map(|known| known.percents.clone()).unwrap_or_default()
    }

    /// Notes thresholds of the month limit as alerted.
    pub fn trigger_in(&mut self, period: BillPeriod, percents: impl IntoIterator<Item = u16>) {
        let mut known = self.triggered_in(period);
        known.extend(percents);
        let early = self.early_in(period);
        self.month_triggered = Some(MonthTriggered { period, percents: known, early });
    }

    /// Sets the month limit. Thresholds above the usage that it leaves can warn again; `unbilled` is what counts beside the bill.
    pub fn set_month_limit(
        &mut self,
        limit: Option<MonthLimit>,
        month: &Month,
        unbilled: Option<&Unbilled>,
    ) {
        self.month_limit = limit;
        let Month { period, spent, .. } = *month;
        self.month_spent = limit.map(|_| MonthSpent { period, spent });
        let left = self.month_usage_with(Some(month), |period| {
            unbilled.map_or(Money::ZERO, |unbilled| unbilled.for_warnings_in(period))
        });
        let mut known = self.triggered_in(month.period);
        known.retain(|percent| left.is_some_and(|usage| usage.reaches(*percent)));
        let early = &self.early_in(month.period) & &known;
        self.month_triggered = (!known.is_empty()).then_some(MonthTriggered {
            period: month.period,
            percents: known,
            early,
        });
    }
}

/// Decides about a user who was cut by the month limit of `cut_in` alone, and by no person. A clock that is set back makes
/// the month an earlier one: nothing is restored then. `unbilled` is what counts beside the bill.
pub fn at_turn(
    user: &User,
    month: &Month,
    unbilled: Option<&Unbilled>,
    cut_in: BillPeriod,
) -> Turn {
    let is_watched = user.status == UserStatus::Disabled && user.monitored.is_on();
    if !is_watched || month.period <= cut_in || !month.is_read {
        return Turn::Wait;
    }
    let estimated = unbilled.map_or(Money::ZERO, Unbilled::for_cuts);
    if user.usage_with(estimated).is_used_up() {
        return Turn::QuotaToo;
    }
    let in_month = user.month_usage_with(Some(month), |period| {
        unbilled.map_or(Money::ZERO, |unbilled| unbilled.for_cuts_in(period))
    });
    match in_month {
        Some(usage) if usage.is_used_up() && user.auto_disable.is_on() => Turn::Again,
        _ => Turn::Restore,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{EstimateUse, Switch};

    fn user(consumed: &str, quota: &str, limit: Option<&str>) -> User {
        let mut user = User::new("main/alice".parse().unwrap(), jiff::Timestamp::UNIX_EPOCH);
        user.status = UserStatus::Disabled;
        user.consumed = consumed.parse().unwrap();
        user.quota = quota.parse().unwrap();
        user.month_limit = limit.map(|limit| limit.parse::<Money>().unwrap().try_into().unwrap());
        user
    }

    fn month(period: &str, spent: &str) -> Month {
        Month { period: period.parse().unwrap(), spent: spent.parse().unwrap(), is_read: true }
    }

    #[test]
    fn a_cut_of_the_month_limit_ends_with_the_month_unless_something_else_demands_it() {
        type Change = fn(&mut User, &mut Month);
        let unchanged: Change = |_, _| {};
        for (period, spent, consumed, quota, limit, change, turn) in [
            ("2026-12", "0", "500", "1000", Some("500"), unchanged, Turn::Restore),
            ("2027-03", "0", "500", "1000", Some("500"), unchanged, Turn::Restore),
            ("2026-12", "499.99", "999.99", "1000", Some("500"), unchanged, Turn::Restore),
            // Nothing allocated: only the month limit counts.
            ("2026-12", "0", "500", "0", Some("500"), unchanged, Turn::Restore),
            // The limit was removed in the meantime.
            ("2026-12", "900", "500", "1000", None, unchanged, Turn::Restore),
            // Not yet: the same month, a clock that was set back, a month that was not read.
            ("2026-11", "0", "500", "1000", Some("500"), unchanged, Turn::Wait),
            ("2026-10", "0", "500", "1000", Some("500"), unchanged, Turn::Wait),
            (
                "2026-12",
                "0",
                "500",
                "1000",
                Some("500"),
                |_, month| month.is_read = false,
                Turn::Wait,
            ),
            (
                "2026-12",
                "0",
                "500",
                "1000",
                Some("500"),
                |user, _| user.monitored = Switch::Off,
                Turn::Wait,
            ),
            (
                "2026-12",
                "0",
                "500",
                "1000",
                Some("500"),
                |user, _| user.status = UserStatus::Gone,
                Turn::Wait,
            ),
            // Something else demands the cut.
            ("2026-12", "0", "1000", "1000", Some("500"), unchanged, Turn::QuotaToo),
            ("2026-12", "500", "1000", "2000", Some("500"), unchanged, Turn::Again),
            (
                "2026-12",
                "500",
                "1000",
                "2000",
                Some("500"),
                |user, _| user.auto_disable = Switch::Off,
                Turn::Restore,
            ),
        ] {
            let (mut user, mut month) = (user(consumed, quota, limit), month(period, spent));
            change(&mut user, &mut month);
            let found = at_turn(&user, &month, None, "2026-11".parse().unwrap());
            assert_eq!(found, turn, "{month:?} {user:?}");
        }
    }

    #[test]
    fn a_quota_that_the_estimate_uses_up_keeps_the_cut_as_configured() {
        for (counts, turn) in
            [(EstimateUse::Warn, Turn::Restore), (EstimateUse::Cut, Turn::QuotaToo)]
        {
            let unbilled = Unbilled {
                amount: "100".parse().unwrap(),
                since: jiff::civil::date(2026, 11, 30),
                in_month: None,
                read_at: "2026-12-01T02:00:00Z".parse().unwrap(),
                counts,
                is_old: false,
            };
            let (user, month) = (user("900", "1000", Some("500")), month("2026-12", "0"));
            let found = at_turn(&user, &month, Some(&unbilled), "2026-11".parse().unwrap());
            assert_eq!(found, turn, "{counts:?}");
        }
    }

    #[test]
    fn thresholds_of_the_month_limit_count_in_one_month() {
        let mut user = user("0", "0", Some("100"));
        let period = |text: &str| text.parse::<BillPeriod>().unwrap();
        user.trigger_in(period("2026-11"), [50]);
        user.trigger_in(period("2026-11"), [80]);
        assert_eq!(Vec::from_iter(user.triggered_in(period("2026-11"))), [50, 80]);
        assert!(user.triggered_in(period("2026-12")).is_empty());
        // A higher limit takes out the thresholds above the usage that it leaves, a lower one none.
        let limit = |text: &str| Some(text.parse::<Money>().unwrap().try_into().unwrap());
        user.set_month_limit(limit("150"), &month("2026-11", "85"), None);
        assert_eq!(Vec::from_iter(user.triggered_in(period("2026-11"))), [50]);
        user.set_month_limit(limit("90"), &month("2026-11", "85"), None);
        assert_eq!(Vec::from_iter(user.triggered_in(period("2026-11"))), [50]);
        user.set_month_limit(None, &month("2026-11", "85"), None);
        assert!(user.month_triggered.is_none());
    }
}
