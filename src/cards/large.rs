//! The question before an amount is booked: it is far above what is usual, or ends the limit of the quota.

use super::engine::template;
use super::{Card, CardContext, Cards};
use crate::app::quota::{AskedBack, AskedWhy};
use crate::domain::{FarAbove, Usage};

/// What was typed besides the amount.
#[derive(Clone, Copy, Debug)]
pub struct Typed<'a> {
    /// Why.
    pub note: &'a str,
    /// The last day; empty if it is for good.
    pub until: &'a str,
    /// Whether access is restored with it.
    pub with_access: bool,
}

/// The facts of the card.
struct LargeFacts<'a> {
    key: String,
    named: bool,
    display: &'a str,
    title: String,
    plain: String,
    /// Whether it deducts the last of the quota.
    frees: bool,
    why: String,
    after: String,
    note: Option<String>,
    until: Option<&'a str>,
    go: String,
    action: &'static str,
}

template!("large");

impl Cards {
    /// Asks back before an amount is booked: `quota.allocate`, `quota.allocate_enable`, `/quota`.
    pub fn ask_back(&self, asked: &AskedBack, typed: &Typed<'_>, ctx: &CardContext) -> Card {
        let words = self.words;
        let AskedBack { user, amount, why } = asked;
        let frees = *why == AskedWhy::LeavesNothing;
        let why = match why {
            AskedWhy::FarAbove(FarAbove::Quota(quota)) => {
                words.t("large.above_quota", &[("quota", quota)])
            }
            AskedWhy::FarAbove(FarAbove::Largest(largest)) => {
                words.t("large.above_largest", &[("amount", largest)])
            }
            AskedWhy::FarAbove(FarAbove::Nothing) => words.t("large.first", &[]),
            AskedWhy::LeavesNothing => match user.month_limit {
                Some(limit) => words.t("large.frees_but_month", &[("limit", &limit.amount())]),
                None => words.t("large.frees", &[]),
            },
        };
        let quota = user.quota.checked_add(*amount).unwrap_or(*amount);
        let usage = Usage::new(user.consumed, quota);
        let shown = if frees { -*amount } else { *amount };
        let name = super::text::clip(user.key.username.as_str(), 64);
        let title = if frees { "large.title_frees" } else { "large.title" };
        let facts = LargeFacts {
            key: user.key.to_string(),
            named: user.display_name != user.key.username.as_str() && !user.display_name.is_empty(),
            display: user.display_name.as_str(),
            title: words.t(title, &[("user", &name), ("amount", &shown)]),
            frees,
            plain: amount.plain(),
            why,
            after: if frees {
                words.t("large.leads_to_nothing", &[("amount", &user.consumed)])
            } else {
                words.t("large.leads_to", &[("quota", &quota), ("percent", &usage.percent())])
            },
            // A callback value carries it: line ends of other systems are not text.
            note: Some(typed.note.replace('\r', "")).filter(|note| !note.is_empty()),
            until: Some(typed.until).filter(|until| !until.is_empty()),
            go: {
                let key = match (frees, typed.with_access) {
                    (true, false) => "large.go_frees",
                    (true, true) => "large.go_frees_enable",
                    (false, true) => "large.go_enable",
                    (false, false) => "large.go",
                };
                words.t(key, &[("amount", &shown)])
            },
            action: if typed.with_access { "quota.allocate_enable" } else { "quota.allocate" },
        };
        self.card(ctx, &facts)
    }
}
