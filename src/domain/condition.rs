//! A user's condition: how it stands with what it may spend, in one word for lists and cards (docs/behaviour.md §1).

use super::{Month, Switch, Thresholds, Usage, User};

/// How a user stands with quota and month limit. The stricter of the two decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    /// The main account is switched off: nobody watches its users.
    AccountOff,
    /// Monitoring is switched off.
    NotMonitored,
    /// No project is monitored: what the user spends counts nowhere, so nobody watches it.
    NoProject,
    /// Neither a quota nor a month limit.
    Unallocated {
        /// Whether it spends all the same.
        spends: bool,
    },
    /// Below every threshold.
    Within,
    /// At or above a threshold, below 100 %.
    Close {
        /// The highest threshold reached, in percent.
        threshold: u16,
        /// The usage in whole percent, rounded down.
        percent: i64,
    },
    /// At 100 % or above.
    Over,
}

/// What a condition follows from, as far as it is kept in memory: percentages are whole, rounded down.
#[derive(Clone, Copy, Debug)]
pub struct Standing<'a> {
    /// Whether the main account is on.
    pub account: Switch,
    /// Whether the user is monitored.
    pub monitored: Switch,
    /// Usage of the quota; `None` if nothing is allocated.
    pub quota: Option<i64>,
    /// Usage of the month limit; `None` without one.
    pub month: Option<i64>,
    /// Whether anything was consumed.
    pub spends: bool,
    /// Whether a link is monitored.
    pub has_project: bool,
    /// The thresholds in force.
    pub thresholds: &'a Thresholds,
}

impl Standing<'_> {
    /// Returns the higher usage of the two.
    pub fn percent(&self) -> Option<i64> {
        self.quota.max(self.month)
    }
}

impl Condition {
    /// Returns the condition of a user. `month` is what the current month counts against its limit; `has_project` says whether a
    /// link is monitored.
    pub fn of_user(
        user: &User,
        month: Option<&Month>,
        account: Switch,
        has_project: bool,
        thresholds: &Thresholds,
    ) -> Self {
        Self::of(&Standing {
            has_project,
            account,
            monitored: user.monitored,
            quota: user.usage().whole_percent(),
            month: user.month_usage(month).and_then(Usage::whole_percent),
            spends: user.consumed.is_positive(),
            thresholds,
        })
    }

    /// Returns the condition that follows from `standing`.
    pub fn of(standing: &Standing<'_>) -> Self {
        if !standing.account.is_on() {
            return Condition::AccountOff;
        }
        if !standing.monitored.is_on() {
            return Condition::NotMonitored;
        }
        let Some(percent) = standing.percent() else {
            return Condition::Unallocated { spends: standing.spends };
        };
        if percent >= i64::from(Usage::USED_UP) {
            return Condition::Over;
        }
        let reached = standing.thresholds.percents().iter().rev();
        match reached.copied().find(|threshold| percent >= i64::from(*threshold)) {
            Some(threshold) => Condition::Close { threshold, percent },
            // 0.0 % of it is used because nothing is looked at.
            None if !standing.has_project => Condition::NoProject,
            None => Condition::Within,
        }
    }

    /// Returns how loud it is shown.
    pub fn shade(self) -> Shade {
        match self {
            Condition::Close { percent, .. } => Shade::at(Some(percent)),
            Condition::Over => Shade::Red,
            _ => Shade::Calm,
        }
    }

    /// Returns whether the user is close to what it may spend, or over it.
    pub fn is_warning(self) -> bool {
        matches!(self, Condition::Close { .. } | Condition::Over)
    }
}

/// How loud a usage is shown, by itself and whatever the thresholds are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Shade {
    /// Below 50 %.
    Calm,
    /// 50 % and more.
    Yellow,
    /// 80 % and more.
    Orange,
    /// 90 % and more.
    Red,
}

impl Shade {
    /// Returns the shade of a usage in whole percent, rounded down; calm if nothing is allocated.
    pub fn at(percent: Option<i64>) -> Self {
        match percent {
            Some(90..) => Shade::Red,
            Some(80..) => Shade::Orange,
            Some(50..) => Shade::Yellow,
            _ => Shade::Calm,
        }
    }

    /// Returns the shade of a usage.
    pub fn of(usage: Usage) -> Self {
        Self::at(usage.whole_percent())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Money;

    #[test]
    fn the_condition_says_what_holds_and_the_stricter_limit_decides() {
        let (on, off) = (Switch::On, Switch::Off);
        let default = Thresholds::default();
        let check = |account, monitored, quota, month, spends, expected| {
            let standing = Standing {
                account,
                monitored,
                quota,
                month,
                spends,
                has_project: true,
                thresholds: &default,
            };
            assert_eq!(Condition::of(&standing), expected, "{standing:?}");
        };
        check(on, on, Some(49), None, true, Condition::Within);
        check(on, on, Some(50), None, true, Condition::Close { threshold: 50, percent: 50 });
        check(on, on, Some(89), None, true, Condition::Close { threshold: 80, percent: 89 });
        check(on, on, Some(99), None, true, Condition::Close { threshold: 90, percent: 99 });
        check(on, on, Some(100), None, true, Condition::Over);
        // The month limit counts beside the quota, also without one.
        check(on, on, Some(10), Some(80), true, Condition::Close { threshold: 80, percent: 80 });
        check(on, on, Some(10), Some(100), true, Condition::Over);
        check(on, on, Some(120), Some(3), true, Condition::Over);
        check(on, on, None, Some(3), true, Condition::Within);
        check(on, on, None, None, true, Condition::Unallocated { spends: true });
        check(on, on, None, None, false, Condition::Unallocated { spends: false });
        // Nobody watches: that comes first.
        check(on, off, Some(127), None, true, Condition::NotMonitored);
        check(off, off, Some(127), None, true, Condition::AccountOff);
        check(off, on, Some(10), None, true, Condition::AccountOff);
    }

    #[test]
    fn who_has_a_limit_but_no_monitored_project_is_watched_by_nobody() {
        let default = Thresholds::default();
        let check = |quota, month, monitored, expected| {
            let standing = Standing {
                account: Switch::On,
                monitored,
                quota,
                month,
                spends: false,
                has_project: false,
                thresholds: &default,
            };
            assert_eq!(Condition::of(&standing), expected, "{standing:?}");
        };
        check(Some(0), None, Switch::On, Condition::NoProject);
        check(None, Some(0), Switch::On, Condition::NoProject);
        check(None, None, Switch::On, Condition::Unallocated { spends: false });
        check(Some(0), None, Switch::Off, Condition::NotMonitored);
        // Temporary quota that ended is still enforced.
        check(Some(100), None, Switch::On, Condition::Over);
        assert!(!Condition::NoProject.is_warning());
    }

    #[test]
    fn thresholds_above_100_do_not_soften_over() {
        let own = Thresholds::new([150, 400]).unwrap();
        let standing = |percent| Standing {
            account: Switch::On,
            monitored: Switch::On,
            quota: Some(percent),
            month: None,
            spends: true,
            has_project: true,
            thresholds: &own,
        };
        assert_eq!(Condition::of(&standing(99)), Condition::Within);
        assert_eq!(Condition::of(&standing(100)), Condition::Over);
        assert_eq!(Condition::of(&standing(500)), Condition::Over);
    }

    #[test]
    fn shades_are_exact_at_their_limits() {
        for (consumed, shade) in [
            ("0", Shade::Calm),
            ("49.9999", Shade::Calm),
            ("50", Shade::Yellow),
            ("79.9999", Shade::Yellow),
            ("80", Shade::Orange),
            ("89.9999", Shade::Orange),
            ("90", Shade::Red),
            ("390", Shade::Red),
        ] {
            let usage = Usage::new(consumed.parse::<Money>().unwrap(), "100".parse().unwrap());
            assert_eq!(Shade::of(usage), shade, "{consumed}");
        }
        assert_eq!(Shade::at(None), Shade::Calm);
    }
}
