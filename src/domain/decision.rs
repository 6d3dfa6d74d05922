//! The monitor's decision: a pure function of stored state.

use super::{Money, Thresholds, Unbilled, Usage, User, UserStatus};

/// The usage, in percent of the quota, at which access is cut. The same for everyone, whatever their warning thresholds.
///
/// The texts of a cut say that the quota is used up: for another value they need other words.
pub const CUT_AT: u16 = Usage::USED_UP;

/// What to do about one user now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Decision {
    /// The highest threshold newly reached, in percent: one warning, however many were passed at once.
    pub warn: Option<u16>,
    /// Every threshold newly reached; each is marked as triggered.
    pub newly_triggered: Vec<u16>,
    /// Whether to cut the user's access.
    pub cut: bool,
}

/// How a user's access stands with airgate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccessStanding {
    /// airgate holds no cut. Keys and login that somebody else switched off are no cut: what they do not open goes on.
    NotCut,
    /// A change is in progress.
    Changing,
    /// airgate has cut it, and remembers what to restore.
    Cut,
}

/// Decides for one user. Users who are gone, not monitored, or have nothing allocated are left alone.
///
/// `unbilled` is what counts beside the bill, as configured; `defaults` are the global thresholds.
pub fn decide(
    user: &User,
    unbilled: Option<&Unbilled>,
    defaults: &Thresholds,
    access: AccessStanding,
) -> Decision {
    if !is_watched(user) {
        return Decision::default();
    }
    let usage = usage_with(user, unbilled.map(Unbilled::for_warnings));
    let newly_triggered: Vec<u16> = user
        .thresholds
        .as_ref()
        .unwrap_or(defaults)
        .percents()
        .iter()
        .copied()
        .filter(|percent| usage.reaches(*percent) && !user.triggered.contains(percent))
        .collect();
    Decision {
        warn: newly_triggered.last().copied(),
        newly_triggered,
        // A change in progress takes precedence, such as a person's restore; the next cycle checks again.
        cut: must_be_cut(user, unbilled) && access == AccessStanding::NotCut,
    }
}

/// Returns whether [`decide`] can ask for anything by the bill alone, by what is kept in memory about a user: `percent` is
/// the usage in whole percent, rounded down, if anything is allocated. False means that it asks for nothing.
pub fn is_due(status: UserStatus, percent: Option<i64>, thresholds: &Thresholds) -> bool {
    let lowest = thresholds.percents().iter().copied().min().map_or(CUT_AT, |low| low.min(CUT_AT));
    status != UserStatus::Gone && percent.is_some_and(|percent| percent >= i64::from(lowest))
}

/// Returns whether the quota demands that this user has no access. The one rule for when a cut applies: [`decide`]
/// orders cuts by it, and the enforcer withdraws a pending cut once it no longer holds.
pub fn must_be_cut(user: &User, unbilled: Option<&Unbilled>) -> bool {
    let usage = usage_with(user, unbilled.map(Unbilled::for_cuts));
    is_watched(user) && user.auto_disable.is_on() && usage.reaches(CUT_AT)
}

/// Returns the usage of the quota by what is billed and something more.
fn usage_with(user: &User, more: Option<Money>) -> Usage {
    Usage::new(user.consumed + more.unwrap_or(Money::ZERO), user.quota)
}

/// Returns whether the monitor decides anything about this user.
fn is_watched(user: &User) -> bool {
    user.status != UserStatus::Gone && user.monitored.is_on() && user.is_allocated()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{EstimateUse, Switch};
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
        let expected = Decision { warn, newly_triggered: newly.to_vec(), cut };
        assert_eq!(decide(user, None, &Thresholds::default(), AccessStanding::NotCut), expected);
    }

    #[test]
    fn thresholds_warn_once_usage_reaches_them() {
        check(&user("49.99", "100"), None, &[], false);
        check(&user("50", "100"), Some(50), &[50], false);
        check(&user("85", "100"), Some(80), &[50, 80], false);
        check(&user("99.95", "100"), Some(90), &[50, 80, 90], false);
        check(&user("100", "100"), Some(90), &[50, 80, 90], true);
        check(&user("250", "100"), Some(90), &[50, 80, 90], true);
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
            assert_eq!(must_be_cut(&user, None), cut, "the enforcer: {user:?}");
            let decision = decide(&user, None, &Thresholds::default(), AccessStanding::NotCut);
            assert_eq!(decision.cut, cut, "the monitor: {user:?}");
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
            let decision = decide(&user, None, &Thresholds::default(), AccessStanding::NotCut);
            prop_assert_eq!(decision.cut, must_be_cut(&user, None));
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
            ("70", "30", EstimateUse::Cut, Some(90), true),
            ("70", "29.99", EstimateUse::Cut, Some(90), false),
            ("70", "30", EstimateUse::Show, Some(50), false),
            ("0", "50", EstimateUse::Warn, Some(50), false),
            ("100", "0", EstimateUse::Show, Some(90), true),
        ] {
            let user = user(consumed, "100");
            let unbilled = Unbilled {
                amount: estimated.parse().unwrap(),
                since: jiff::civil::date(2026, 11, 22),
                read_at: "2026-11-23T02:00:00Z".parse().unwrap(),
                counts,
                is_old: false,
            };
            let access = AccessStanding::NotCut;
            let decision = decide(&user, Some(&unbilled), &Thresholds::default(), access);
            assert_eq!((decision.warn, decision.cut), (warn, cut), "{consumed} {unbilled:?}");
            assert_eq!(must_be_cut(&user, Some(&unbilled)), cut, "{consumed} {unbilled:?}");
        }
    }

    #[test]
    fn only_automatic_disable_cuts_and_never_twice() {
        let mut manual = user("200", "100");
        manual.auto_disable = Switch::Off;
        check(&manual, Some(90), &[50, 80, 90], false);
        let mut by_hand = user("200", "100");
        by_hand.status = UserStatus::Disabled;
        check(&by_hand, Some(90), &[50, 80, 90], true);
        let mut unknown = user("200", "100");
        unknown.status = UserStatus::Unknown;
        check(&unknown, Some(90), &[50, 80, 90], true);
        for access in [AccessStanding::Changing, AccessStanding::Cut] {
            let decision = decide(&by_hand, None, &Thresholds::default(), access);
            assert!(!decision.cut, "{access:?}");
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
            let first = decide(&user, None, &Thresholds::default(), AccessStanding::NotCut);
            let own = user.thresholds.clone().unwrap();
            let due = is_due(user.status, user.usage().whole_percent(), &own);
            prop_assert!(due || first == Decision::default());
            prop_assert_eq!(first.warn.is_some(), !first.newly_triggered.is_empty());
            prop_assert!(!first.cut || consumed >= quota);
            user.triggered.extend(first.newly_triggered);
            let after = if first.cut { AccessStanding::Cut } else { AccessStanding::NotCut };
            prop_assert_eq!(decide(&user, None, &Thresholds::default(), after), Decision::default());
        }
    }
}
