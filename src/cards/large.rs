//! The question before a large amount is allocated.

use super::engine::template;
use super::{Card, CardContext, Cards};
use crate::app::quota::LargeAmount;
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
    name: &'a str,
    display: &'a str,
    amount: String,
    plain: String,
    why: String,
    after: String,
    note: Option<String>,
    until: Option<&'a str>,
    with_access: bool,
    action: &'static str,
}

template!("large");

impl Cards {
    /// Asks back before an amount that is far above what is usual: `quota.allocate`, `quota.allocate_enable`, `/quota`.
    pub fn large_amount(&self, large: &LargeAmount, typed: &Typed<'_>, ctx: &CardContext) -> Card {
        let words = self.words;
        let LargeAmount { user, amount, above } = large;
        let why = match above {
            FarAbove::Quota(quota) => words.t("large.above_quota", &[("quota", quota)]),
            FarAbove::Largest(largest) => words.t("large.above_largest", &[("amount", largest)]),
            FarAbove::Nothing => words.t("large.first", &[]),
        };
        let quota = user.quota.checked_add(*amount).unwrap_or(*amount);
        let usage = Usage::new(user.consumed, quota);
        let facts = LargeFacts {
            key: user.key.to_string(),
            name: user.key.username.as_str(),
            display: user.display_name.as_str(),
            amount: amount.to_string(),
            plain: amount.plain(),
            why,
            after: words.t("large.leads_to", &[("quota", &quota), ("percent", &usage.percent())]),
            // A callback value carries it: line ends of other systems are not text.
            note: Some(typed.note.replace('\r', "")).filter(|note| !note.is_empty()),
            until: Some(typed.until).filter(|until| !until.is_empty()),
            with_access: typed.with_access,
            action: if typed.with_access { "quota.allocate_enable" } else { "quota.allocate" },
        };
        self.card(ctx, &facts)
    }
}
