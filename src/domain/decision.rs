//! The monitor's decision: a pure function of stored state.

use std::collections::BTreeSet;

use super::{
    AccessCause, AccessGoal, Limit, Money, Month, Thresholds, Unbilled, Usage, User, UserStatus,
};

/// The usage, in percent of the quota or of the month limit, at which access is cut. The same for everyone, whatever their
/// warning thresholds.
///
/// The texts of a cut say that it is used up: for another value they need other words.
pub const CUT_AT: u16 = Usage::USED_UP;

/// What to do about one user now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Decision {
    /// At most one warning, however many thresholds were passed at once; none beside a cut, ordered now or in progress.
    pub warn: Option<Warn>,
    /// Every threshold of the quota that is newly reached; each is marked as triggered.
    pub newly_triggered: Vec<u16>,
    /// The same of the month limit.
    pub newly_triggered_in_month: Vec<u16>,
    /// Whether to cut the user's access, and what demands it.
    pub cut: Option<Limit>,
}

/// A warning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Warn {
    /// The highest threshold newly reached, in percent.
    pub threshold: u16,
    /// Of what.
    pub of: Limit,
}

/// How a user's access stands with airgate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccessStanding {
    /// airgate holds no cut. Keys and login that somebody else switched off are no cut: what they do not open goes on.
    NotCut,
    /// A change is in progress, to this end.
    Changing(AccessGoal),
    /// airgate has cut it, and remembers what to restore.
    Cut,
}

/// Decides for one user. Users who are gone or not monitored, and those with neither quota nor month limit, are left alone.
///
/// `month` is what was spent in the current month, for users with a limit; `unbilled` is what counts beside the bill, as
/// configured; `defaults` are the global thresholds.
pub fn decide(
    user: &User,
    month: Option<&Month>,
    unbilled: Option<&Unbilled>,
    defaults: &Thresholds,
    access: AccessStanding,
) -> Decision {
    if !is_watched(user) {
        return Decision::default();
    }
    let thresholds = user.thresholds.as_ref().unwrap_or(defaults).percents();
    let newly = |usage: Usage, triggered: &BTreeSet<u16>| -> Vec<u16> {
        let reached = thresholds.iter().copied().filter(|percent| usage.reaches(*percent));
        reached.filter(|percent| !triggered.contains(percent)).collect()
    };
    let newly_triggered = newly(
        user.usage_with(unbilled.map_or(Money::ZERO, Unbilled::for_warnings)),
        &user.triggered,
    );
    let in_month = user.month_usage_with(month, |period| {
        unbilled.map_or(Money::ZERO, |unbilled| unbilled.for_warnings_in(period))
    });
    let newly_triggered_in_month = match (month, in_month) {
        (Some(month), Some(usage)) => newly(usage, &user.triggered_in(month.period)),
        _ => Vec::new(),
    };
    let warning =
        |newly: &[u16], of| newly.last().map(|threshold| Warn { threshold: *threshold, of });
    let quota = warning(&newly_triggered, Limit::Quota);
    let in_month = warning(&newly_triggered_in_month, Limit::Month);
    let higher = match (quota, in_month) {
        (Some(quota), Some(in_month)) if in_month.threshold > quota.threshold => Some(in_month),
        (Some(quota), _) => Some(quota),
        (None, in_month) => in_month,
    };
    // A change in progress takes precedence, such as a person's restore; the next cycle checks again.
    let cut = must_be_cut(user, month, unbilled).filter(|_| access == AccessStanding::NotCut);
    let is_cut_now = cut.is_some()
        || (access == AccessStanding::Changing(AccessGoal::Cut)
            && must_be_cut(user, month, unbilled).is_some());
    Decision {
        // One event, one alert: that of the cut.
        warn: higher.filter(|_| !is_cut_now),
        newly_triggered,
        newly_triggered_in_month,
        cut,
    }
}

/// Returns whether [`decide`] can ask for anything because of the quota and by the bill alone, by what is kept in memory about
/// a user: `percent` is the usage in whole percent, rounded down, if anything is allocated. False means that it asks for
/// nothing.
pub fn is_due(status: UserStatus, percent: Option<i64>, thresholds: &Thresholds) -> bool {
    let lowest = thresholds.percents().iter().copied().min().map_or(CUT_AT, |low| low.min(CUT_AT));
    status != UserStatus::Gone && percent.is_some_and(|percent| percent >= i64::from(lowest))
}

/// Returns what demands that this user has no access, if anything does. The one rule for when a cut applies: [`decide`]
/// orders cuts by it, and the enforcer withdraws a pending cut once it no longer holds.
pub fn must_be_cut(
    user: &User,
    month: Option<&Month>,
    unbilled: Option<&Unbilled>,
) -> Option<Limit> {
    if !is_watched(user) || !user.auto_disable.is_on() {
        return None;
    }
    let in_month = user.month_usage_with(month, |period| {
        unbilled.map_or(Money::ZERO, |unbilled| unbilled.for_cuts_in(period))
    });
    let in_month = in_month.is_some_and(|usage| usage.reaches(CUT_AT));
    let usage = user.usage_with(unbilled.map_or(Money::ZERO, Unbilled::for_cuts));
    match (usage.reaches(CUT_AT), in_month) {
        (true, true) => Some(Limit::Both),
        (true, false) => Some(Limit::Quota),
        (false, true) => Some(Limit::Month),
        (false, false) => None,
    }
}

/// Returns whether a pending cut with this cause is still wanted: one that a person asked for is, one that the monitor
/// ordered as long as something demands it. A month that has begun and was not read yet is no reason to withdraw it.
pub fn is_still_demanded(
    cause: &AccessCause,
    user: &User,
    month: Option<&Month>,
    unbilled: Option<&Unbilled>,
) -> bool {
    let is_unread = match (cause, month) {
        (AccessCause::MonthLimit { period }, Some(month)) => {
            month.period > *period && !month.is_read && is_watched(user)
        }
        _ => false,
    };
    !cause.is_limit() || is_unread || must_be_cut(user, month, unbilled).is_some()
}

/// Returns whether the monitor decides anything about this user.
fn is_watched(user: &User) -> bool {
    let is_limited = user.is_allocated() || user.month_limit.is_some();
    user.status != UserStatus::Gone && user.monitored.is_on() && is_limited
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{BillPeriod, EstimateUse, Money, MonthSpent, Switch};
    use proptest::prelude::*;

    fn user(consumed: &str, quota: &str) -> User {
        let mut user =
            User::new("main/alice".parse().unwrap(), "2026-11-01T00:00:00Z".parse().unwrap());
        user.status = UserStatus::Active;
        user.consumed = consumed.parse().unwrap();
        user.quota = quota.parse().unwrap();
        user
    }

    fn check(user: &User, warn: Option<u16>, newly: &[u16], cut: bool) {
        let expected = Decision {
            warn: warn.map(|threshold| Warn { threshold, of: Limit::Quota }),
            newly_triggered: newly.to_vec(),
            newly_triggered_in_month: Vec::new(),
            cut: cut.then_some(Limit::Quota),
        };
        assert_eq!(
            decide(user, None, None, &Thresholds::default(), AccessStanding::NotCut),
            expected
        );
    }

    fn november(spent: &str) -> Month {
        let period = "2026-11".parse().unwrap();
        Month { period, spent: spent.parse().unwrap(), is_read: true }
    }

    fn limit(user: &mut User, limit: &str) {
        user.month_limit = Some(limit.parse::<Money>().unwrap().try_into().unwrap());
    }

    #[test]
    fn thresholds_warn_once_usage_reaches_them() {
        check(&user("49.99", "100"), None, &[], false);
        check(&user("50", "100"), Some(50), &[50], false);
        check(&user("85", "100"), Some(80), &[50, 80], false);
        check(&user("99.95", "100"), Some(90), &[50, 80, 90], false);
        // One event, one alert: the cut.
        check(&user("100", "100"), None, &[50, 80, 90], true);
        check(&user("250", "100"), None, &[50, 80, 90], true);
    }

    #[test]
    fn a_triggered_threshold_does_not_warn_again() {
        let mut user = user("85", "100");
        user.triggered = [50, 80].into();
        check(&user, None, &[], false);
        user.consumed = "90".parse().unwrap();
        check(&user, Some(90), &[90], false);
        // A refund takes usage back below a threshold: it stays triggered.
        user.triggered = [50, 80, 90].into();
        user.consumed = "40".parse().unwrap();
        check(&user, None, &[], false);
    }

    #[test]
    fn a_lower_threshold_added_later_warns_although_a_higher_one_is_triggered() {
        let mut user = user("85", "100");
        user.triggered = [80].into();
        check(&user, Some(50), &[50], false);
    }

    #[test]
    fn own_thresholds_take_precedence_and_may_exceed_100() {
        let mut user = user("260", "100");
        user.thresholds = Some(Thresholds::new([150, 250, 400]).unwrap());
        user.auto_disable = Switch::Off;
        check(&user, Some(250), &[150, 250], false);
    }

    #[test]
    fn users_who_are_unallocated_gone_or_unmonitored_are_left_alone() {
        check(&user("100", "0"), None, &[], false);
        let mut gone = user("200", "100");
        gone.status = UserStatus::Gone;
        check(&gone, None, &[], false);
        let mut unmonitored = user("200", "100");
        unmonitored.monitored = Switch::Off;
        check(&unmonitored, None, &[], false);
    }

    #[test]
    fn a_cut_is_ordered_and_withdrawn_by_one_rule() {
        let with = |consumed: &str, quota: &str, change: fn(&mut User)| {
            let mut user = user(consumed, quota);
            change(&mut user);
            user
        };
        let unchanged: fn(&mut User) = |_| {};
        for (consumed, quota, change, cut) in [
            ("99.99", "100", unchanged, false),
            ("100", "100", unchanged, true),
            ("250", "100", unchanged, true),
            // Nothing allocated: neither cut, nor kept cut once the allocation has been deducted.
            ("0", "0", unchanged, false),
            ("50", "0", unchanged, false),
            ("50", "-10", unchanged, false),
            ("200", "100", |user| user.auto_disable = Switch::Off, false),
            ("200", "100", |user| user.monitored = Switch::Off, false),
            ("200", "100", |user| user.status = UserStatus::Gone, false),
            ("200", "100", |user| user.status = UserStatus::Unknown, true),
            // Own thresholds are for warnings.
            ("200", "100", |user| user.thresholds = Some(Thresholds::new([400]).unwrap()), true),
            ("60", "100", |user| user.thresholds = Some(Thresholds::new([50]).unwrap()), false),
        ] {
            let user = with(consumed, quota, change);
            assert_eq!(must_be_cut(&user, None, None).is_some(), cut, "the enforcer: {user:?}");
            let decision =
                decide(&user, None, None, &Thresholds::default(), AccessStanding::NotCut);
            assert_eq!(decision.cut.is_some(), cut, "the monitor: {user:?}");
        }
    }

    proptest! {
        #[test]
        fn a_cut_is_never_withdrawn_by_the_facts_that_ordered_it(
            consumed in -1_000i64..300_000, quota in -1_000i64..200_000,
            auto_disable: bool, monitored: bool, gone: bool,
        ) {
            let mut user = user("0", "0");
            user.consumed = Money::from_fen(consumed);
            user.quota = Money::from_fen(quota);
            user.auto_disable = auto_disable.into();
            user.monitored = monitored.into();
            if gone {
                user.status = UserStatus::Gone;
            }
            let decision = decide(&user, None, None, &Thresholds::default(), AccessStanding::NotCut);
            prop_assert_eq!(decision.cut, must_be_cut(&user, None, None));
            let percent = user.usage().whole_percent();
            let due = is_due(user.status, percent, &Thresholds::default());
            prop_assert!(due || decision == Decision::default(), "{:?}", decision);
        }
    }

    #[test]
    fn an_estimate_counts_beside_the_bill_as_configured() {
        for (consumed, estimated, counts, warn, cut) in [
            ("70", "29.99", EstimateUse::Warn, Some(90), false),
            ("70", "30", EstimateUse::Warn, Some(90), false),
            ("70", "30", EstimateUse::Cut, None, true),
            ("70", "29.99", EstimateUse::Cut, Some(90), false),
            ("70", "30", EstimateUse::Show, Some(50), false),
            ("0", "50", EstimateUse::Warn, Some(50), false),
            ("100", "0", EstimateUse::Show, None, true),
        ] {
            let user = user(consumed, "100");
            let unbilled = Unbilled {
                amount: estimated.parse().unwrap(),
                in_month: None,
                since: jiff::civil::date(2026, 11, 22),
                read_at: "2026-11-23T02:00:00Z".parse().unwrap(),
                counts,
                is_old: false,
            };
            let access = AccessStanding::NotCut;
            let decision = decide(&user, None, Some(&unbilled), &Thresholds::default(), access);
            let warned = decision.warn.map(|warn| warn.threshold);
            let cut = cut.then_some(Limit::Quota);
            assert_eq!((warned, decision.cut), (warn, cut), "{consumed} {unbilled:?}");
            assert_eq!(must_be_cut(&user, None, Some(&unbilled)), cut, "{consumed} {unbilled:?}");
        }
    }

    #[test]
    fn the_month_limit_counts_what_is_estimated_of_its_month() {
        let october = "2026-10".parse().unwrap();
        let november = november("60");
        for (of, estimated, counts, warn, cut) in [
            (november.period, "39.99", EstimateUse::Cut, Some(90), false),
            (november.period, "40", EstimateUse::Cut, None, true),
            (november.period, "40", EstimateUse::Warn, Some(90), false),
            (november.period, "40", EstimateUse::Show, Some(50), false),
            // The bill of the former month is late: it is none of this one.
            (october, "500", EstimateUse::Cut, Some(50), false),
        ] {
            let mut user = user("60", "100000");
            limit(&mut user, "100");
            let spent = estimated.parse().unwrap();
            let unbilled = Unbilled {
                amount: spent,
                in_month: Some(MonthSpent { period: of, spent }),
                since: jiff::civil::date(2026, 10, 31),
                read_at: "2026-11-23T02:00:00Z".parse().unwrap(),
                counts,
                is_old: false,
            };
            let (month, access) = (Some(&november), AccessStanding::NotCut);
            let decision = decide(&user, month, Some(&unbilled), &Thresholds::default(), access);
            let warned = decision.warn.map(|warn| (warn.threshold, warn.of));
            let cut = cut.then_some(Limit::Month);
            assert_eq!(
                (warned, decision.cut),
                (warn.map(|it| (it, Limit::Month)), cut),
                "{unbilled:?}"
            );
            assert_eq!(must_be_cut(&user, month, Some(&unbilled)), cut, "{unbilled:?}");
        }
    }

    #[test]
    fn what_is_spent_after_temporary_quota_has_ended_is_too_much() {
        let ended = |consumed, quota| User {
            quota_ended: Some(jiff::civil::date(2026, 11, 20)),
            ..user(consumed, quota)
        };
        for (user, cut) in [
            (ended("0.01", "0"), true),
            (ended("0", "0"), false),
            (ended("-5", "0"), false),
            // Something is left, or was allocated again.
            (ended("50", "100"), false),
            (ended("100", "100"), true),
            (user("500", "0"), false),
        ] {
            let decision =
                decide(&user, None, None, &Thresholds::default(), AccessStanding::NotCut);
            assert_eq!(decision.cut.is_some(), cut, "{user:?}");
            assert_eq!(must_be_cut(&user, None, None).is_some(), cut, "the enforcer: {user:?}");
            let due = is_due(user.status, user.usage().whole_percent(), &Thresholds::default());
            assert!(due || !cut, "{user:?}");
        }
    }

    #[test]
    fn only_automatic_disable_cuts_and_never_twice() {
        let mut manual = user("200", "100");
        manual.auto_disable = Switch::Off;
        check(&manual, Some(90), &[50, 80, 90], false);
        let mut by_hand = user("200", "100");
        by_hand.status = UserStatus::Disabled;
        check(&by_hand, None, &[50, 80, 90], true);
        let mut unknown = user("200", "100");
        unknown.status = UserStatus::Unknown;
        check(&unknown, None, &[50, 80, 90], true);
        for (access, warns) in [
            (AccessStanding::Changing(AccessGoal::Restored), true),
            (AccessStanding::Changing(AccessGoal::Cut), false),
            (AccessStanding::Cut, true),
        ] {
            let decision = decide(&by_hand, None, None, &Thresholds::default(), access);
            assert!(decision.cut.is_none(), "{access:?}");
            assert_eq!(decision.warn.is_some(), warns, "{access:?}");
            assert_eq!(decision.newly_triggered, [50, 80, 90], "{access:?}");
        }
        // A cut that a person asked for may be withdrawn: what is reached meanwhile is told.
        let changing = AccessStanding::Changing(AccessGoal::Cut);
        let decision = decide(&user("85", "100"), None, None, &Thresholds::default(), changing);
        assert_eq!(decision.warn.map(|warn| warn.threshold), Some(80));
    }

    #[test]
    fn the_month_limit_counts_beside_the_quota_and_the_higher_threshold_warns() {
        for (consumed, quota, spent, warn, cut) in [
            ("49.99", "100", "39.99", None, None),
            ("50", "100", "40", Some((50, Limit::Quota)), None),
            ("10", "100", "40", Some((50, Limit::Month)), None),
            ("50", "100", "64", Some((80, Limit::Month)), None),
            ("85", "100", "40", Some((80, Limit::Quota)), None),
            ("85", "100", "64", Some((80, Limit::Quota)), None),
            ("85", "100", "79.9999", Some((90, Limit::Month)), None),
            // One event, one alert: it names what demands the cut.
            ("85", "100", "80", None, Some(Limit::Month)),
            ("100", "100", "79.9999", None, Some(Limit::Quota)),
            ("100", "100", "80", None, Some(Limit::Both)),
            // Nothing allocated: the month limit alone.
            ("500", "0", "39.99", None, None),
            ("500", "0", "64", Some((80, Limit::Month)), None),
            ("500", "0", "80", None, Some(Limit::Month)),
            // Refunds.
            ("-5", "0", "-5", None, None),
        ] {
            let mut user = user(consumed, quota);
            limit(&mut user, "80");
            let month = november(spent);
            let access = AccessStanding::NotCut;
            let decision = decide(&user, Some(&month), None, &Thresholds::default(), access);
            let warned = decision.warn.map(|warn| (warn.threshold, warn.of));
            assert_eq!((warned, decision.cut), (warn, cut), "{consumed} of {quota}, {spent}");
            assert_eq!(must_be_cut(&user, Some(&month), None), cut);
        }
    }

    #[test]
    fn a_pending_cut_is_withdrawn_once_nothing_demands_it() {
        let period: BillPeriod = "2026-11".parse().unwrap();
        let by_month = AccessCause::MonthLimit { period };
        let december =
            |spent: &str, is_read| Month { period: period.next(), is_read, ..november(spent) };
        for (cause, consumed, limited, month, demanded) in [
            (&by_month, "50", "50", november("50"), true),
            (&by_month, "50", "50.01", november("50"), false),
            // The quota is used up in the meantime, and the other way round.
            (&by_month, "100", "200", november("50"), true),
            (&AccessCause::QuotaUsedUp, "50", "50", november("50"), true),
            (&AccessCause::QuotaUsedUp, "50", "60", november("50"), false),
            // Another month has begun: it ends once that is sure.
            (&by_month, "50", "50", december("0", false), true),
            (&by_month, "50", "50", december("0", true), false),
        ] {
            let mut user = user(consumed, "100");
            limit(&mut user, limited);
            let found = is_still_demanded(cause, &user, Some(&month), None);
            assert_eq!(found, demanded, "{cause:?} {consumed} {limited} {month:?}");
        }
        let reopened = AccessCause::Reopened { items: Default::default() };
        assert!(is_still_demanded(&reopened, &user("0", "0"), None, None));
    }

    proptest! {
        #[test]
        fn the_month_limit_never_cuts_below_itself(
            spent in -1_000_000_i128..2_000_000, scale in 0_u32..12, limited in 1_i64..1_000_000,
            quota in 0_i64..1_000, consumed in -10_i64..1_000,
        ) {
            let mut user = user("0", "0");
            user.quota = Money::from_fen(quota);
            user.consumed = Money::from_fen(consumed);
            let bound = Money::from_fen(limited);
            user.month_limit = Some(bound.try_into().unwrap());
            let spent = Money::new(rust_decimal::Decimal::from_i128_with_scale(spent, scale));
            let month = Month { spent, ..november("0") };
            let decision =
                decide(&user, Some(&month), None, &Thresholds::default(), AccessStanding::NotCut);
            let quota_says = quota > 0 && consumed >= quota;
            let month_says = spent >= bound;
            let wanted = match (quota_says, month_says) {
                (true, true) => Some(Limit::Both),
                (true, false) => Some(Limit::Quota),
                (false, true) => Some(Limit::Month),
                (false, false) => None,
            };
            prop_assert_eq!(decision.cut, wanted);
            // Deciding again after acting does nothing.
            user.triggered.extend(decision.newly_triggered);
            user.trigger_in(month.period, decision.newly_triggered_in_month);
            let after = decide(&user, Some(&month), None, &Thresholds::default(), AccessStanding::Cut);
            prop_assert_eq!(after, Decision::default());
        }
    }

    proptest! {
        #[test]
        fn deciding_again_after_acting_does_nothing(
            consumed in -1_000_000i64..5_000_000, quota in 0i64..1_000_000,
            percents in prop::collection::btree_set(1u16..=500, 1..=10),
        ) {
            let mut user = user("0", "0");
            user.consumed = Money::from_fen(consumed);
            user.quota = Money::from_fen(quota);
            user.thresholds = Some(Thresholds::new(percents).unwrap());
            let first = decide(&user, None, None, &Thresholds::default(), AccessStanding::NotCut);
            let own = user.thresholds.clone().unwrap();
            let due = is_due(user.status, user.usage().whole_percent(), &own);
            prop_assert!(due || first == Decision::default());
            let warns = !first.newly_triggered.is_empty() && first.cut.is_none();
            prop_assert_eq!(first.warn.is_some(), warns);
            prop_assert!(first.cut.is_none() || consumed >= quota);
            user.triggered.extend(first.newly_triggered);
            let after = if first.cut.is_some() { AccessStanding::Cut } else { AccessStanding::NotCut };
            prop_assert_eq!(decide(&user, None, None, &Thresholds::default(), after), Decision::default());
        }
    }
}
