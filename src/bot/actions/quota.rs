//! `quota.open` and `quota.allocate`: a user's quota, and adding to it or deducting from it.

use jiff::Timestamp;

use super::action::{Action, Change, ClickContext, ClickOutcome};
use super::fields::Fields;
use crate::app::outcome::QuotaView;
use crate::app::quota::Allocation;
use crate::app::{Error, Refusal, quota};
use crate::bot::handlers::Handlers;
use crate::cards::{Card, CardContext, Toast};
use crate::domain::{Money, OpenId, UserKey};
use crate::store::{Source, View, WriteTx};

/// `quota.open`
#[derive(Debug, PartialEq, Eq)]
pub struct QuotaOpen {
    /// The user.
    pub user: UserKey,
}

impl Action for QuotaOpen {
    fn read(fields: &Fields<'_>) -> Result<Self, Refusal> {
        Ok(Self { user: fields.user()? })
    }

    fn show<S: Source>(
        &self,
        handlers: &Handlers,
        tx: &View<S>,
        ctx: &CardContext,
    ) -> Result<Card, Error> {
        quota_card(handlers, tx, &self.user, ctx)
    }
}

fn quota_card<S: Source>(
    handlers: &Handlers,
    tx: &View<S>,
    user: &UserKey,
    ctx: &CardContext,
) -> Result<Card, Error> {
    let settings = handlers.settings(tx)?;
    Ok(handlers.cards.quota(&quota::view(tx, &settings, user)?, ctx))
}

/// `quota.allocate`
#[derive(Debug, PartialEq, Eq)]
pub struct Allocate {
    /// The user.
    pub user: UserKey,
    /// As typed.
    pub amount: String,
    /// As typed.
    pub note: String,
}

impl Action for Allocate {
    fn read(fields: &Fields<'_>) -> Result<Self, Refusal> {
        Ok(Self {
            user: fields.user()?,
            // A candidate carries what was typed with the command.
            amount: fields.text("amount").unwrap_or_else(|| fields.typed("amount")),
            note: fields.text("note").unwrap_or_else(|| fields.free_text("note")),
        })
    }

    fn show<S: Source>(
        &self,
        handlers: &Handlers,
        tx: &View<S>,
        ctx: &CardContext,
    ) -> Result<Card, Error> {
        quota_card(handlers, tx, &self.user, ctx)
    }
}

impl Change for Allocate {
    fn perform(
        &self,
        handlers: &Handlers,
        tx: &WriteTx,
        click: &ClickContext,
    ) -> Result<ClickOutcome, Error> {
        let amount = Money::parse_input(&self.amount).map_err(Refusal::from)?;
        let (by, now) = (&click.operator, click.card_ctx.now);
        let (view, toast) = allocate(handlers, tx, &self.user, amount, &self.note, by, now)?;
        let card = handlers.cards.quota(&view, &click.with_empty_form());
        Ok(ClickOutcome::card(card).with_toast(&handlers.cards, &toast))
    }
}

/// Allocates for a click on the card and for `/quota NAME AMOUNT` alike. Returns the quota afterwards, and what to say.
pub fn allocate(
    handlers: &Handlers,
    tx: &WriteTx,
    user: &UserKey,
    amount: Money,
    note: &str,
    by: &OpenId,
    now: Timestamp,
) -> Result<(QuotaView, Toast), Error> {
    let settings = handlers.settings(tx)?;
    let by = handlers.operator(tx, by)?;
    let new = Allocation { user, amount, note, operator: &by };
    let done = quota::allocate(tx, &settings, &new, now)?;
    let toast = Toast::QuotaAllocated { amount: done.entry.amount, total: done.entry.total_after };
    Ok((done.quota, toast))
}
