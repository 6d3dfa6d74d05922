//! A user's condition in words and colours.

use super::facts::Tag;
use super::wording::Wording;
use crate::domain::{Condition, Operator, Shade, Usage, User, UserStatus};

impl Wording {
    /// The condition as a tag.
    pub(super) fn condition(&self, user: &User, condition: Condition, shade: Shade) -> Tag {
        let text = match condition {
            Condition::AccountOff => self.t("condition.account_off", &[]),
            Condition::NotMonitored => match &user.monitored_by {
                Some(by @ Operator::Person { .. }) => {
                    self.t("condition.not_monitored_by", &[("operator", &self.operator(by))])
                }
                Some(Operator::System) | None => self.t("condition.not_monitored", &[]),
            },
            Condition::Unallocated { spends: true } => {
                self.t("condition.unfunded", &[("amount", &user.consumed)])
            }
            Condition::Unallocated { spends: false } => self.t("usage.unallocated", &[]),
            Condition::Within => self.t("condition.within", &[]),
            Condition::Close { threshold } => {
                self.t("condition.close", &[("threshold", &threshold)])
            }
            Condition::Over => self.t("condition.over", &[]),
        };
        Tag { text, colour: condition_colour(condition, shade) }
    }
}

/// The colour of a condition's tag.
fn condition_colour(condition: Condition, shade: Shade) -> &'static str {
    match (condition, shade) {
        (Condition::AccountOff | Condition::NotMonitored, _) => "neutral",
        (Condition::Unallocated { spends }, _) => {
            if spends {
                "orange"
            } else {
                "neutral"
            }
        }
        (Condition::Within, _) => "green",
        (Condition::Over, _) | (Condition::Close { .. }, Shade::Red) => "red",
        (Condition::Close { .. }, Shade::Orange) => "orange",
        (Condition::Close { .. }, Shade::Calm | Shade::Yellow) => "yellow",
    }
}

/// The header colour of a card about one user.
pub(super) fn user_template(user: &User, condition: Condition, shade: Shade) -> &'static str {
    match (user.status, condition_colour(condition, shade)) {
        (UserStatus::Gone, _) | (UserStatus::Active | UserStatus::Unknown, "neutral") => "grey",
        (UserStatus::Disabled, _) => "red",
        (_, colour) => colour,
    }
}

/// The usage that decides a condition: of the quota or of the month limit, whichever is higher.
pub(super) fn stricter(quota: Usage, month: Option<Usage>) -> Usage {
    match month {
        Some(month) if month.exactly(quota).is_gt() => month,
        _ => quota,
    }
}
