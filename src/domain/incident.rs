//! What was done about an alert, and how it stands now.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::{
    AccessGoal, AlertBody, AlertRecord, Limit, Money, Month, Operator, Outlook, PendingAccess,
    Problem, Unbilled, User, UserStatus,
};

/// How many steps of an alert are kept, the newest ones.
const STEPS_KEPT: usize = 20;
/// How long an alert that is dealt with still takes steps: what follows at once, such as an undo, belongs to it.
const CLOSED_FOR: SignedDuration = SignedDuration::from_hours(1);

/// Something that was done to the user of an alert.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "deed")]
pub enum Deed {
    /// Quota was added; deducted if the amount is negative.
    Allocated {
        /// How much.
        amount: Money,
    },
    /// An allocation was undone.
    Undone {
        /// What had been allocated.
        amount: Money,
    },
    /// A change of access was ordered.
    Access {
        /// The end state to reach.
        goal: AccessGoal,
    },
    /// A change of access that was under way was withdrawn.
    Withdrawn {
        /// The end state that is no longer wanted.
        goal: AccessGoal,
    },
    /// A change of access that was late is confirmed.
    Confirmed {
        /// The end state that is reached.
        goal: AccessGoal,
    },
}

/// A step in the history of an alert.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Act {
    /// What was done.
    #[serde(flatten)]
    pub deed: Deed,
    /// Who did it.
    pub by: Operator,
    /// When.
    pub at: Timestamp,
}

/// How an alert stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Nobody has dealt with it.
    Open,
    /// What was done has not taken effect yet.
    UnderWay,
    /// What it warned of is over.
    DealtWith,
    /// A later alert took its place: access is cut.
    Overtaken,
}

impl Standing {
    /// Returns whether nothing is left to do about the alert.
    pub fn is_closed(self) -> bool {
        matches!(self, Standing::DealtWith | Standing::Overtaken)
    }
}

/// What is known about the user of an alert.
#[derive(Clone, Copy, Debug)]
pub struct Situation<'a> {
    /// The user.
    pub user: &'a User,
    /// A pending change of access.
    pub pending: Option<&'a PendingAccess>,
    /// What counts beside the bill.
    pub unbilled: Option<&'a Unbilled>,
    /// The current month, for users with a limit.
    pub month: Option<&'a Month>,
}

impl Situation<'_> {
    fn pending(&self) -> Option<AccessGoal> {
        self.pending.map(|pending| pending.goal)
    }

    fn is_cut(&self) -> bool {
        match self.pending() {
            Some(goal) => goal == AccessGoal::Cut,
            None => self.user.status == UserStatus::Disabled,
        }
    }

    fn reaches(&self, of: Limit, percent: u16) -> bool {
        let estimated = self.unbilled.map_or(Money::ZERO, Unbilled::for_warnings);
        let quota = || self.user.usage_with(estimated).reaches(percent);
        let month = || {
            let usage = self.user.month_usage_with(self.month, |period| {
                self.unbilled.map_or(Money::ZERO, |unbilled| unbilled.for_warnings_in(period))
            });
            usage.is_some_and(|it| it.reaches(percent))
        };
        match of {
            Limit::Quota => quota(),
            Limit::Month => month(),
            Limit::Both => quota() || month(),
        }
    }
}

impl AlertRecord {
    /// Returns whether something can be done about it, so that it takes steps.
    pub fn is_incident(&self) -> bool {
        self.user.is_some()
            && match &self.body {
                AlertBody::Warning { .. } | AlertBody::Disable { .. } => true,
                AlertBody::Forecast { outlook } => matches!(outlook, Outlook::RunsOut { .. }),
                AlertBody::Error { problem } => matches!(
                    problem,
                    Problem::AccessDelayed { .. }
                        | Problem::AccessReopened { .. }
                        | Problem::StillSpending { .. }
                ),
                AlertBody::Manual { .. } | AlertBody::Warnings { .. } => false,
            }
    }

    /// Returns whether what is done at `now` is added to it: it is not closed, or was closed a moment ago.
    pub fn takes_steps(&self, now: Timestamp) -> bool {
        self.is_incident() && self.closed.is_none_or(|at| now.duration_since(at) < CLOSED_FOR)
    }

    /// Adds a step.
    pub fn add_step(&mut self, step: Act) {
        self.steps.push(step);
        let surplus = self.steps.len().saturating_sub(STEPS_KEPT);
        self.steps.drain(..surplus);
    }

    /// Returns how it stands. An alert to which nothing was done is open.
    pub fn standing(&self, now: Situation<'_>) -> Standing {
        if !self.is_incident() || self.steps.is_empty() {
            return Standing::Open;
        }
        let restored = || match (now.pending(), now.user.status) {
            (Some(AccessGoal::Restored), _) => Standing::UnderWay,
            (None, UserStatus::Active | UserStatus::Gone) => Standing::DealtWith,
            _ => Standing::Open,
        };
        match &self.body {
            AlertBody::Disable { .. } => restored(),
            AlertBody::Warning { threshold, of, .. } => self.eased(now, *of, *threshold),
            AlertBody::Forecast { outlook: Outlook::RunsOut { runs_out, .. } } => {
                let given = |step: &Act| match &step.deed {
                    Deed::Allocated { amount } => *amount,
                    Deed::Undone { amount } => -*amount,
                    _ => Money::ZERO,
                };
                let given: Money = self.steps.iter().map(given).sum();
                match self.eased(now, runs_out.of, super::CUT_AT) {
                    Standing::DealtWith if !now.is_cut() && !given.is_positive() => Standing::Open,
                    standing => standing,
                }
            }
            AlertBody::Error { problem: Problem::AccessDelayed { goal, .. } } => {
                match now.pending() {
                    None => Standing::DealtWith,
                    Some(pending) if pending != *goal => Standing::UnderWay,
                    Some(_) => Standing::Open,
                }
            }
            AlertBody::Error { .. } => restored(),
            AlertBody::Manual { .. } | AlertBody::Warnings { .. } | AlertBody::Forecast { .. } => {
                Standing::Open
            }
        }
    }

    /// How an alert about spending stands: it is over once usage is below `percent`, or access is cut.
    fn eased(&self, now: Situation<'_>, of: Limit, percent: u16) -> Standing {
        if now.is_cut() {
            let ordered = self
                .steps
                .iter()
                .rev()
                .find(|step| matches!(step.deed, Deed::Access { goal: AccessGoal::Cut }));
            return match ordered {
                Some(Act { by: Operator::Person { .. }, .. }) => Standing::DealtWith,
                _ => Standing::Overtaken,
            };
        }
        if now.reaches(of, percent) { Standing::Open } else { Standing::DealtWith }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{AccessCause, Figures, Notice};

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn user(consumed: &str, quota: &str) -> User {
        let mut user = User::new("main/alice".parse().unwrap(), Timestamp::UNIX_EPOCH);
        user.status = UserStatus::Active;
        user.consumed = consumed.parse().unwrap();
        user.quota = quota.parse().unwrap();
        user
    }

    fn alert(body: AlertBody) -> AlertRecord {
        AlertRecord {
            id: 1,
            user: Some("main/alice".parse().unwrap()),
            body,
            notice: Notice::Owed,
            at: at("2026-11-23T02:00:00Z"),
            steps: Vec::new(),
            closed: None,
        }
    }

    fn figures() -> Figures {
        Figures::of(&user("90", "100"), &[], &[])
    }

    fn warning() -> AlertRecord {
        alert(AlertBody::Warning { threshold: 90, of: Limit::Quota, figures: figures() })
    }

    fn cut() -> AlertRecord {
        let paths = Default::default();
        alert(AlertBody::Disable { of: Limit::Quota, figures: figures(), paths })
    }

    fn step(deed: Deed, by: Operator) -> Act {
        Act { deed, by, at: at("2026-11-23T02:01:00Z") }
    }

    fn person() -> Operator {
        Operator::Person { open_id: "ou_1".parse().unwrap(), name: None }
    }

    fn pending(goal: AccessGoal) -> PendingAccess {
        PendingAccess::new(goal, AccessCause::QuotaUsedUp, at("2026-11-23T02:00:00Z"))
    }

    fn standing(alert: &AlertRecord, user: &User, pending: Option<&PendingAccess>) -> Standing {
        alert.standing(Situation { user, pending, unbilled: None, month: None })
    }

    #[test]
    fn an_alert_to_which_nothing_was_done_is_open_whatever_the_user_looks_like() {
        assert_eq!(standing(&warning(), &user("10", "100"), None), Standing::Open);
        assert_eq!(standing(&cut(), &user("10", "100"), None), Standing::Open);
    }

    #[test]
    fn a_warning_is_dealt_with_by_a_top_up_below_it_and_overtaken_by_a_cut() {
        let mut alert = warning();
        let amount = "5".parse().unwrap();
        alert.add_step(step(Deed::Allocated { amount }, person()));
        assert_eq!(standing(&alert, &user("90", "100"), None), Standing::Open);
        assert_eq!(standing(&alert, &user("90", "105"), None), Standing::DealtWith);
        alert.add_step(step(Deed::Access { goal: AccessGoal::Cut }, Operator::System));
        let mut disabled = user("100", "100");
        disabled.status = UserStatus::Disabled;
        assert_eq!(standing(&alert, &disabled, None), Standing::Overtaken);
        alert.add_step(step(Deed::Access { goal: AccessGoal::Cut }, person()));
        assert_eq!(standing(&alert, &disabled, None), Standing::DealtWith);
    }

    #[test]
    fn a_cut_is_dealt_with_only_once_access_works_again() {
        let mut alert = cut();
        let mut user = user("100", "100");
        user.status = UserStatus::Disabled;
        alert.add_step(step(Deed::Allocated { amount: "50".parse().unwrap() }, person()));
        assert_eq!(standing(&alert, &user, None), Standing::Open, "a top-up opens nothing");
        alert.add_step(step(Deed::Access { goal: AccessGoal::Restored }, person()));
        let back = pending(AccessGoal::Restored);
        assert_eq!(standing(&alert, &user, Some(&back)), Standing::UnderWay);
        user.status = UserStatus::Active;
        assert_eq!(standing(&alert, &user, None), Standing::DealtWith);
        assert_eq!(standing(&alert, &user, Some(&pending(AccessGoal::Cut))), Standing::Open);
    }

    #[test]
    fn a_closed_alert_takes_steps_for_a_moment() {
        let mut alert = cut();
        assert!(alert.takes_steps(at("2027-01-01T00:00:00Z")));
        alert.closed = Some(at("2026-11-23T02:00:00Z"));
        assert!(alert.takes_steps(at("2026-11-23T02:59:00Z")));
        assert!(!alert.takes_steps(at("2026-11-23T03:00:00Z")));
        let manual = alert_of_a_person();
        assert!(!manual.takes_steps(manual.at));
    }

    fn alert_of_a_person() -> AlertRecord {
        alert(AlertBody::manual(AccessGoal::Cut, person()))
    }

    #[test]
    fn only_the_newest_steps_are_kept() {
        let mut alert = cut();
        for fen in 0..30 {
            let amount = Money::from_fen(fen);
            alert.add_step(step(Deed::Allocated { amount }, person()));
        }
        assert_eq!(alert.steps.len(), STEPS_KEPT);
        assert_eq!(alert.steps[0].deed, Deed::Allocated { amount: Money::from_fen(10) });
    }
}
