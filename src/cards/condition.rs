//! A user's condition in words and colours.

use super::facts::{self, Tag};
use super::wording::Wording;
use crate::domain::{AccessGoal, Condition, Operator, PendingAccess, Shade, User, UserStatus};

impl Wording {
    /// The condition as a tag.
    pub(super) fn condition(&self, user: &User, condition: Condition) -> Tag {
        let text = match condition {
            Condition::AccountOff => self.t("condition.account_off", &[]),
            Condition::NotMonitored => match &user.monitored_by {
                Some(by @ Operator::Person { .. }) => {
                    self.t("condition.not_monitored_by", &[("operator", &self.operator(by))])
                }
                Some(Operator::System) | None => self.t("condition.not_monitored", &[]),
            },
            Condition::NoProject => self.t("condition.no_project", &[]),
            Condition::Unallocated { spends: true } => {
                self.t("condition.unfunded", &[("amount", &user.consumed)])
            }
            Condition::Unallocated { spends: false } => self.t("usage.unallocated", &[]),
            Condition::Within => self.t("condition.within", &[]),
            Condition::Close { threshold, .. } => {
                self.t("condition.close", &[("threshold", &threshold)])
            }
            Condition::Over => self.t("condition.over", &[]),
        };
        Tag { text, colour: condition_colour(condition) }
    }

    /// How a user stands, in one tag: the status where it says more than the condition.
    pub(super) fn standing(
        &self,
        user: &User,
        condition: Condition,
        pending: Option<&PendingAccess>,
    ) -> Tag {
        match (pending, user.status) {
            (None, UserStatus::Active) => self.condition(user, condition),
            // Not read yet: what is known is said.
            (None, UserStatus::Unknown) if condition != Condition::Within => {
                self.condition(user, condition)
            }
            _ => facts::status(*self, user, pending),
        }
    }
}

/// The colour of a condition's tag.
fn condition_colour(condition: Condition) -> &'static str {
    match condition {
        Condition::AccountOff | Condition::NotMonitored | Condition::NoProject => "neutral",
        Condition::Unallocated { spends: true } => "orange",
        Condition::Unallocated { spends: false } => "neutral",
        Condition::Within => "green",
        Condition::Close { .. } | Condition::Over => match condition.shade() {
            Shade::Red => "red",
            Shade::Orange => "orange",
            Shade::Yellow | Shade::Calm => "yellow",
        },
    }
}

/// The header colour of a card about one user. A change of access that is under way comes first.
pub(super) fn user_template(
    user: &User,
    condition: Condition,
    pending: Option<&PendingAccess>,
) -> &'static str {
    match (pending.map(|pending| pending.goal), user.status, condition_colour(condition)) {
        (Some(AccessGoal::Cut), ..) => "orange",
        (Some(AccessGoal::Restored), ..) => "blue",
        (None, UserStatus::Gone, _)
        | (None, UserStatus::Active | UserStatus::Unknown, "neutral") => "grey",
        (None, UserStatus::Disabled, _) => "red",
        (None, _, colour) => colour,
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::cards::Locale;
    use crate::domain::AccessCause;

    #[test]
    fn green_is_only_who_is_active_within_limits_and_left_alone() {
        let words = Wording::new(Locale::ZhCn);
        let pending =
            |goal| PendingAccess::new(goal, AccessCause::QuotaUsedUp, Timestamp::UNIX_EPOCH);
        let cut = pending(AccessGoal::Cut);
        let back = pending(AccessGoal::Restored);
        let mut user = User::new("main/alice".parse().unwrap(), Timestamp::UNIX_EPOCH);
        user.status = UserStatus::Active;
        let looks = |user: &User, condition, pending| {
            let tag = words.standing(user, condition, pending);
            (user_template(user, condition, pending), tag.colour)
        };
        let close = |percent| Condition::Close { threshold: 50, percent };
        assert_eq!(looks(&user, Condition::Within, None), ("green", "green"));
        assert_eq!(looks(&user, close(50), None), ("yellow", "yellow"));
        assert_eq!(looks(&user, close(80), None), ("orange", "orange"));
        assert_eq!(looks(&user, close(90), None), ("red", "red"));
        assert_eq!(looks(&user, Condition::Over, None), ("red", "red"));
        assert_eq!(looks(&user, Condition::AccountOff, None), ("grey", "neutral"));
        assert_eq!(looks(&user, Condition::NotMonitored, None), ("grey", "neutral"));
        assert_eq!(looks(&user, Condition::NoProject, None), ("grey", "neutral"));
        assert_eq!(looks(&user, Condition::Within, Some(&cut)), ("orange", "orange"));
        assert_eq!(looks(&user, Condition::Over, Some(&back)), ("blue", "blue"));
        user.status = UserStatus::Disabled;
        assert_eq!(looks(&user, Condition::Within, None), ("red", "red"));
        user.status = UserStatus::Gone;
        assert_eq!(looks(&user, Condition::Within, None), ("grey", "neutral"));
    }
}
