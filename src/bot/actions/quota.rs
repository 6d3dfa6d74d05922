//! `quota.open`, `quota.allocate`, `quota.allocate_enable` and `quota.undo`: a user's quota, adding to it or deducting from it,
//! the same with access restored, and taking it back.

use super::action::{Action, Change, ClickContext, ClickOutcome};
use super::consequence::Said;
use super::fields::Fields;
use crate::app::outcome::QuotaView;
use crate::app::quota::Allocation;
use crate::app::{Error, Refusal, quota};
use crate::bot::handlers::Handlers;
use crate::cards::{Card, CardContext, Toast};
use crate::domain::{AccessGoal, Act, Deed, Money, OpenId, UserKey};
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
    Ok(handlers.cards.quota(&quota::view(tx, &settings, user, ctx.now)?, ctx))
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
        let ctx = click.with_empty_form();
        let by = &click.operator;
        let done = allocate(handlers, tx, &self.user, amount, &self.note, by, &ctx)?;
        let card = handlers.cards.quota(&done.quota, &done.said.on(ctx));
        Ok(done.said.outcome(handlers, card, &done.toast))
    }
}

/// An allocation that was booked.
pub struct Booked {
    /// The quota afterwards.
    pub quota: QuotaView,
    /// What was done.
    pub toast: Toast,
    /// What it leads to.
    pub said: Said,
}

/// Allocates for a click on the card and for `/quota NAME AMOUNT` alike.
pub fn allocate(
    handlers: &Handlers,
    tx: &WriteTx,
    user: &UserKey,
    amount: Money,
    note: &str,
    by: &OpenId,
    ctx: &CardContext,
) -> Result<Booked, Error> {
    let settings = handlers.settings(tx)?;
    let by = handlers.operator(tx, by)?;
    let new = Allocation { user, amount, note, operator: &by };
    let done = quota::allocate(tx, &settings, &new, ctx.now)?;
    let deed = Deed::Allocated { amount: done.entry.amount };
    handlers.alerts.follow_up(tx, user, &Act { deed, by, at: ctx.now }, ctx.now)?;
    let toast = Toast::QuotaAllocated { amount: done.entry.amount, total: done.entry.total_after };
    let said = handlers.said(tx, user, None, ctx)?;
    Ok(Booked { quota: done.quota, toast, said })
}

/// `quota.allocate_enable`: 追加并启用.
#[derive(Debug, PartialEq, Eq)]
pub struct AllocateEnable {
    /// The user.
    pub user: UserKey,
    /// On the button, or as typed.
    pub amount: String,
    /// As typed.
    pub note: String,
}

impl Action for AllocateEnable {
    fn read(fields: &Fields<'_>) -> Result<Self, Refusal> {
        Ok(Self {
            user: fields.user()?,
            amount: fields.text("amount").unwrap_or_else(|| fields.typed("amount")),
            note: fields.free_text("note"),
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

impl Change for AllocateEnable {
    fn perform(
        &self,
        handlers: &Handlers,
        tx: &WriteTx,
        click: &ClickContext,
    ) -> Result<ClickOutcome, Error> {
        let amount = Money::parse_input(&self.amount).map_err(Refusal::from)?;
        let ctx = click.with_empty_form();
        let by = handlers.operator(tx, &click.operator)?;
        let new = Allocation { user: &self.user, amount, note: &self.note, operator: &by };
        let (settings, report) = (handlers.settings(tx)?, click.report.clone());
        let done = quota::allocate_and_restore(tx, &settings, &new, report, ctx.now)?;
        let goal = AccessGoal::Restored;
        for deed in [Deed::Allocated { amount: done.entry.amount }, Deed::Access { goal }] {
            let step = Act { deed, by: by.clone(), at: ctx.now };
            handlers.alerts.follow_up(tx, &self.user, &step, ctx.now)?;
        }
        let said = handlers.said(tx, &self.user, None, &ctx)?;
        let card = handlers.cards.quota(&done.quota, &said.on(ctx));
        let (user, amount) = (self.user.clone(), done.entry.amount);
        Ok(said.outcome(handlers, card, &Toast::AllocatedAndEnabling { user, amount }))
    }
}

/// `quota.undo`
#[derive(Debug, PartialEq, Eq)]
pub struct QuotaUndo {
    /// The user.
    pub user: UserKey,
    /// The ledger entry to undo.
    pub entry: u64,
}

impl Action for QuotaUndo {
    fn read(fields: &Fields<'_>) -> Result<Self, Refusal> {
        let entry = fields.number("entry").ok_or(Refusal::BadField("entry"))?;
        Ok(Self { user: fields.user()?, entry })
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

impl Change for QuotaUndo {
    fn perform(
        &self,
        handlers: &Handlers,
        tx: &WriteTx,
        click: &ClickContext,
    ) -> Result<ClickOutcome, Error> {
        let (ctx, settings) = (click.with_empty_form(), handlers.settings(tx)?);
        let by = handlers.operator(tx, &click.operator)?;
        let done = quota::undo(tx, &settings, &self.user, self.entry, &by, ctx.now)?;
        let deed = Deed::Undone { amount: done.of.amount };
        let step = Act { deed, by, at: ctx.now };
        handlers.alerts.follow_up(tx, &self.user, &step, ctx.now)?;
        let said = handlers.said(tx, &self.user, None, &ctx)?;
        let toast = Toast::QuotaUndone {
            amount: done.of.amount,
            total: done.entry.total_after,
            with_access: done.of.with_access,
        };
        let card = handlers.cards.quota(&done.quota, &said.on(ctx));
        Ok(said.outcome(handlers, card, &toast))
    }
}
