//! A user's condition, shown beside its status, and what its usage is measured by: quota or month limit, whichever is
//! stricter (docs/behaviour.md §1).

use super::{Limit, Money, Month, Switch, Thresholds, Unbilled, Usage, User, UserStatus};

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

/// Why the monitor decides nothing about a user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unwatched {
    /// A person has switched monitoring off.
    SwitchedOff,
    /// The user has no monitored project.
    NoProject,
    /// The user is no longer in the cloud.
    Gone,
}

/// How a user stands with its limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    /// No threshold is reached.
    Within,
    /// Close to a limit.
    Close {
        /// The highest threshold that is reached, in percent.
        threshold: u16,
        /// Of what.
        of: Limit,
    },
    /// A limit is used up.
    Over {
        /// Which.
        of: Limit,
    },
    /// Nothing limits the user, and it spends.
    Unlimited,
    /// Nothing is decided about the user.
    Unwatched(Unwatched),
    /// The main account is switched off: its bills are not read.
    AccountOff,
}

/// A step of the ladder of colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rung {
    /// Below 50 %, or without a limit.
    Plain,
    /// From 50 %.
    Yellow,
    /// From 80 %.
    Orange,
    /// From 90 %.
    Red,
}

impl Rung {
    /// Returns the step of a usage. It does not depend on thresholds.
    pub fn of(usage: Option<Usage>) -> Self {
        let reaches = |percent| usage.is_some_and(|usage| usage.reaches(percent));
        match () {
            () if reaches(90) => Rung::Red,
            () if reaches(80) => Rung::Orange,
            () if reaches(50) => Rung::Yellow,
            () => Rung::Plain,
        }
    }
}

/// What a condition is told from, beside the user.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// Whether the main account is on.
    pub account: Switch,
    /// Whether some link of the user is monitored.
    pub has_monitored_link: bool,
    /// What the current month counts, for users with a limit.
    pub month: Option<&'a Month>,
    /// What is estimated beside the bill.
    pub unbilled: Option<&'a Unbilled>,
    /// The global thresholds.
    pub defaults: &'a Thresholds,
}

/// Returns a user's condition.
///
/// What keeps the monitor from deciding comes first: a number that nobody follows is no news about limits.
pub fn condition(user: &User, facts: &Facts<'_>) -> Condition {
    if user.status == UserStatus::Gone {
        return Condition::Unwatched(Unwatched::Gone);
    }
    if !facts.account.is_on() {
        return Condition::AccountOff;
    }
    if !user.monitored.is_on() {
        return Condition::Unwatched(Unwatched::SwitchedOff);
    }
    if !facts.has_monitored_link {
        return Condition::Unwatched(Unwatched::NoProject);
    }
    let counted = Counted::of(user, facts.month, facts.unbilled);
    let Some((of, usage)) = counted.stricter() else {
        let spends = (user.consumed + counted.estimated).is_positive();
        return if spends { Condition::Unlimited } else { Condition::Within };
    };
    if usage.is_used_up() {
        let both = [counted.quota, counted.month].into_iter().flatten().all(Usage::is_used_up)
            && counted.quota.is_some()
            && counted.month.is_some();
        return Condition::Over { of: if both { Limit::Both } else { of } };
    }
    let thresholds = user.thresholds.as_ref().unwrap_or(facts.defaults).percents();
    let reached = thresholds.iter().copied().filter(|percent| usage.reaches(*percent)).max();
    reached.map_or(Condition::Within, |threshold| Condition::Close { threshold, of })
}

/// Returns the colour beside a condition: that of the usage that decides, and none for what is not watched.
pub fn rung(user: &User, facts: &Facts<'_>) -> Rung {
    match condition(user, facts) {
        Condition::Unwatched(_) | Condition::AccountOff | Condition::Unlimited => Rung::Plain,
        Condition::Within | Condition::Close { .. } | Condition::Over { .. } => {
            let stricter = Counted::of(user, facts.month, facts.unbilled).stricter();
            Rung::of(stricter.map(|(_, usage)| usage))
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;
    use crate::domain::EstimateUse;

    fn user(consumed: &str, quota: &str, limit: Option<&str>) -> User {
        let mut user = User::new("main/alice".parse().unwrap(), jiff::Timestamp::UNIX_EPOCH);
        user.status = UserStatus::Active;
        user.consumed = consumed.parse().unwrap();
        user.quota = quota.parse().unwrap();
        user.month_limit = limit.map(|limit| limit.parse::<Money>().unwrap().try_into().unwrap());
        user
    }

    fn month(spent: &str) -> Month {
        let (period, spent) = ("2026-11".parse().unwrap(), spent.parse().unwrap());
        Month { period, spent, is_read: true }
    }

    fn estimate(amount: &str, counts: EstimateUse) -> Unbilled {
        Unbilled {
            amount: amount.parse().unwrap(),
            since: date(2026, 11, 22),
            read_at: jiff::Timestamp::UNIX_EPOCH,
            counts,
            is_old: false,
        }
    }

    const CLOSE_50: Condition = Condition::Close { threshold: 50, of: Limit::Quota };

    #[test]
    fn a_condition_follows_the_stricter_limit_and_what_is_estimated() {
        use Condition::{Close, Over, Unlimited, Within};
        let close = |threshold, of| Close { threshold, of };
        // consumed, quota, (month limit, spent in the month), estimate -> condition, colour
        for (consumed, quota, limit, estimated, wanted, colour) in [
            ("0", "100", None, None, Within, Rung::Plain),
            ("49.99", "100", None, None, Within, Rung::Plain),
            ("50", "100", None, None, CLOSE_50, Rung::Yellow),
            ("79.99", "100", None, None, CLOSE_50, Rung::Yellow),
            ("80", "100", None, None, close(80, Limit::Quota), Rung::Orange),
            ("89.999", "100", None, None, close(80, Limit::Quota), Rung::Orange),
            ("90", "100", None, None, close(90, Limit::Quota), Rung::Red),
            ("99.95", "100", None, None, close(90, Limit::Quota), Rung::Red),
            ("100", "100", None, None, Over { of: Limit::Quota }, Rung::Red),
            ("-5", "100", None, None, Within, Rung::Plain),
            // The month limit beside the quota.
            ("10", "100", Some(("50", "40")), None, close(80, Limit::Month), Rung::Orange),
            ("60", "100", Some(("50", "10")), None, CLOSE_50, Rung::Yellow),
            ("50", "100", Some(("50", "25")), None, CLOSE_50, Rung::Yellow),
            ("60", "100", Some(("50", "50")), None, Over { of: Limit::Month }, Rung::Red),
            ("100", "100", Some(("50", "10")), None, Over { of: Limit::Quota }, Rung::Red),
            ("100", "100", Some(("50", "60")), None, Over { of: Limit::Both }, Rung::Red),
            ("60", "0", Some(("50", "25")), None, close(50, Limit::Month), Rung::Yellow),
            ("60", "0", Some(("50", "50")), None, Over { of: Limit::Month }, Rung::Red),
            // Nothing allocated.
            ("0", "0", None, None, Within, Rung::Plain),
            ("0.01", "0", None, None, Unlimited, Rung::Plain),
            ("0", "0", None, Some(("1", EstimateUse::Warn)), Unlimited, Rung::Plain),
            // The estimate counts for the quota as thresholds count it, never for the month limit.
            ("40", "100", None, Some(("45", EstimateUse::Show)), Within, Rung::Plain),
            (
                "40",
                "100",
                None,
                Some(("45", EstimateUse::Warn)),
                close(80, Limit::Quota),
                Rung::Orange,
            ),
            (
                "40",
                "100",
                None,
                Some(("60", EstimateUse::Cut)),
                Over { of: Limit::Quota },
                Rung::Red,
            ),
            ("0", "1000", Some(("50", "20")), Some(("40", EstimateUse::Cut)), Within, Rung::Plain),
        ] {
            let user = user(consumed, quota, limit.map(|(limit, _)| limit));
            let month = limit.map(|(_, spent)| month(spent));
            let unbilled = estimated.map(|(amount, counts)| estimate(amount, counts));
            let facts = Facts {
                account: Switch::On,
                has_monitored_link: true,
                month: month.as_ref(),
                unbilled: unbilled.as_ref(),
                defaults: &Thresholds::default(),
            };
            let what = format!("{consumed} of {quota}, {limit:?}, {estimated:?}");
            assert_eq!(condition(&user, &facts), wanted, "{what}");
            assert_eq!(rung(&user, &facts), colour, "{what}");
        }
    }

    #[test]
    fn own_thresholds_name_the_condition_and_never_choose_the_colour() {
        let mut user = user("60", "100", None);
        user.thresholds = Some("70, 120".parse().unwrap());
        let defaults = Thresholds::default();
        let facts = Facts {
            account: Switch::On,
            has_monitored_link: true,
            month: None,
            unbilled: None,
            defaults: &defaults,
        };
        assert_eq!(
            (condition(&user, &facts), rung(&user, &facts)),
            (Condition::Within, Rung::Yellow)
        );
        user.consumed = "130".parse().unwrap();
        let over = Condition::Over { of: Limit::Quota };
        assert_eq!((condition(&user, &facts), rung(&user, &facts)), (over, Rung::Red));
    }

    #[test]
    fn what_nobody_watches_is_said_before_any_number() {
        type Change = fn(&mut User, &mut Facts<'_>);
        let (defaults, cases): (_, [(Change, Condition); 6]) = (
            Thresholds::default(),
            [
                (|_, facts| facts.account = Switch::Off, Condition::AccountOff),
                (
                    |user, _| user.monitored = Switch::Off,
                    Condition::Unwatched(Unwatched::SwitchedOff),
                ),
                (
                    |_, facts| facts.has_monitored_link = false,
                    Condition::Unwatched(Unwatched::NoProject),
                ),
                (|user, _| user.status = UserStatus::Gone, Condition::Unwatched(Unwatched::Gone)),
                (
                    |user, facts| {
                        (user.monitored, facts.account) = (Switch::Off, Switch::Off);
                    },
                    Condition::AccountOff,
                ),
                (
                    |user, facts| {
                        (user.status, facts.account) = (UserStatus::Gone, Switch::Off);
                    },
                    Condition::Unwatched(Unwatched::Gone),
                ),
            ],
        );
        for (change, wanted) in cases {
            let mut user = user("100", "100", None);
            let mut facts = Facts {
                account: Switch::On,
                has_monitored_link: true,
                month: None,
                unbilled: None,
                defaults: &defaults,
            };
            change(&mut user, &mut facts);
            let found = (condition(&user, &facts), rung(&user, &facts));
            assert_eq!(found, (wanted, Rung::Plain));
        }
    }
}
