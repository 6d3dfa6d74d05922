//! The monitor's decision: a pure function of stored state.

use super::{PendingAccess, Thresholds, User, UserStatus};

/// What is to be done about one user now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Decision {
    /// The highest threshold newly reached, in percent: one warning, however many were passed at once.
    pub warn: Option<u16>,
    /// Every threshold newly reached: they become triggered.
    pub newly_triggered: Vec<u16>,
    /// Whether access is to be cut.
    pub disable: bool,
}

/// Decides for one user. Nothing for those who are gone, not monitored, or have nothing allocated.
///
/// `defaults` are the global thresholds; `pending` is a change of access already under way.
pub fn decide(user: &User, defaults: &Thresholds, pending: Option<&PendingAccess>) -> Decision {
    if user.status == UserStatus::Gone || !user.monitored.is_on() || !user.is_allocated() {
        return Decision::default();
    }
    let usage = user.usage();
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
        disable: usage.is_used_up()
            && user.auto_disable.is_on()
            && user.status != UserStatus::Disabled
            // A person who is just restoring access decides; the next cycle looks again.
            && pending.is_none(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{AccessCause, AccessGoal, Money, Switch};
    use proptest::prelude::*;

    fn user(consumed: &str, quota: &str) -> User {
        let mut user =
            User::new("main/alice".parse().unwrap(), "2026-11-01T00:00:00Z".parse().unwrap());
        user.status = UserStatus::Active;
        user.consumed = consumed.parse().unwrap();
        user.quota = quota.parse().unwrap();
        user
    }

    fn check(user: &User, warn: Option<u16>, newly: &[u16], disable: bool) {
        let expected = Decision { warn, newly_triggered: newly.to_vec(), disable };
        assert_eq!(decide(user, &Thresholds::default(), None), expected);
    }

    #[test]
    fn thresholds() {
        check(&user("49.99", "100"), None, &[], false);
        check(&user("50", "100"), Some(50), &[50], false);
        check(&user("85", "100"), Some(80), &[50, 80], false);
        check(&user("99.95", "100"), Some(90), &[50, 80, 90], false);
        check(&user("100", "100"), Some(90), &[50, 80, 90], true);
        check(&user("250", "100"), Some(90), &[50, 80, 90], true);
    }

    #[test]
    fn what_was_alerted_is_not_alerted_again() {
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
    fn own_thresholds_win_and_may_pass_100() {
        let mut user = user("260", "100");
        user.thresholds = Some(Thresholds::new([150, 250, 400]).unwrap());
        user.auto_disable = Switch::Off;
        check(&user, Some(250), &[150, 250], false);
    }

    #[test]
    fn who_is_left_alone() {
        check(&user("100", "0"), None, &[], false);
        let mut gone = user("200", "100");
        gone.status = UserStatus::Gone;
        check(&gone, None, &[], false);
        let mut unmonitored = user("200", "100");
        unmonitored.monitored = Switch::Off;
        check(&unmonitored, None, &[], false);
    }

    #[test]
    fn who_is_disabled() {
        let mut manual = user("200", "100");
        manual.auto_disable = Switch::Off;
        check(&manual, Some(90), &[50, 80, 90], false);
        let mut already = user("200", "100");
        already.status = UserStatus::Disabled;
        check(&already, Some(90), &[50, 80, 90], false);
        let mut unknown = user("200", "100");
        unknown.status = UserStatus::Unknown;
        check(&unknown, Some(90), &[50, 80, 90], true);
        let pending = PendingAccess {
            goal: AccessGoal::Cut,
            cause: AccessCause::QuotaUsedUp,
            since: already.created,
            attempts: 0,
            next_at: already.created,
            last_error: None,
            delay_alerted: false,
            report: None,
        };
        let decision = decide(&user("200", "100"), &Thresholds::default(), Some(&pending));
        assert!(!decision.disable, "one is under way");
    }

    proptest! {
        #[test]
        fn deciding_again_after_it_was_done_does_nothing(
            consumed in -1_000_000i64..5_000_000, quota in 0i64..1_000_000,
            percents in prop::collection::btree_set(1u16..=500, 1..=10),
        ) {
            let mut user = user("0", "0");
            user.consumed = Money::from_fen(consumed);
            user.quota = Money::from_fen(quota);
            user.thresholds = Some(Thresholds::new(percents).unwrap());
            let first = decide(&user, &Thresholds::default(), None);
            prop_assert_eq!(first.warn.is_some(), !first.newly_triggered.is_empty());
            prop_assert!(!first.disable || consumed >= quota);
            user.triggered.extend(first.newly_triggered);
            if first.disable {
                user.status = UserStatus::Disabled;
            }
            prop_assert_eq!(decide(&user, &Thresholds::default(), None), Decision::default());
        }
    }
}
