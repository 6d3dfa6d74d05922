//! Samples of what is asked back, and of work that takes long.

use super::samples::{self, Size, amount, text};
use super::{Sample, Via};
use crate::app::quota::{AskedBack, AskedWhy};
use crate::app::steps::{FirstStep, FirstSteps};
use crate::cards::{CardContext, Cards, Processing, SyncProgress, Typed};
use crate::domain::FarAbove;
use crate::domain::typed::free_text;

pub fn all(cards: &Cards, ctx: &CardContext, size: Size) -> Vec<Sample> {
    let user = samples::detail(size).user;
    let large = |above| AskedBack {
        user: user.clone(),
        amount: amount(size, "500000"),
        why: AskedWhy::FarAbove(above),
    };
    // As a form's field is read: nothing invisible is left of it.
    let typed = text(size, 500);
    let note = free_text(&typed);
    let plain = Typed { note: "", until: "", with_access: false };
    let full = Typed { note: &note, until: "12-31", with_access: true };
    let quota = FarAbove::Quota(amount(size, "2000"));
    let largest = FarAbove::Largest(amount(size, "1000"));
    let waits_for = (0..if size == Size::Small { 1 } else { 40 }).map(|_| text(size, 200));
    let progress = SyncProgress { done: 1, total: 2, waits_for: waits_for.collect(), seconds: 15 };
    [
        ("large_quota", cards.ask_back(&large(quota), &plain, ctx)),
        ("large_largest", cards.ask_back(&large(largest), &full, ctx)),
        (
            "large_first",
            cards.ask_back(
                &AskedBack { user: samples::no_quota().user, ..large(FarAbove::Nothing) },
                &plain,
                ctx,
            ),
        ),
        ("steps", cards.first_steps(&FirstSteps::default(), ctx)),
        (
            "steps_some",
            cards.first_steps(&FirstSteps::of(&[FirstStep::Account, FirstStep::Sync]), ctx),
        ),
        ("steps_all", cards.first_steps(&FirstSteps::of(&FirstStep::ALL), ctx)),
        ("processing_syncing", cards.processing(&Processing::Syncing(progress), ctx)),
    ]
    .into_iter()
    .map(|(name, card)| Sample { name: name.to_owned(), card, via: Via::Send })
    .collect()
}

/// Deductions after which nothing is allocated.
pub fn ending_limits(cards: &Cards, ctx: &CardContext, size: Size) -> Vec<Sample> {
    let ask = |user: crate::domain::User| {
        let amount = -user.quota;
        let asked = AskedBack { user, amount, why: AskedWhy::LeavesNothing };
        cards.ask_back(&asked, &Typed { note: "", until: "", with_access: false }, ctx)
    };
    let sample = |name: &str, card| Sample { name: name.to_owned(), card, via: Via::Send };
    vec![
        sample("large_frees", ask(samples::detail(size).user)),
        sample("large_frees_month", ask(samples::limited_detail(size).user)),
    ]
}
