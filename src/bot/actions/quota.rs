//! `quota.open`, `quota.allocate`, `quota.allocate_enable` and `quota.undo`: a user's quota, adding to it or deducting from it,
//! the same with access restored, and taking it back.

use jiff::Timestamp;
use jiff::civil::Date;

use super::action::{Action, Change, ClickContext, ClickOutcome};
use super::consequence::Said;
use super::fields::Fields;
use crate::app::approvals::{NewQuota, Outcome};
use crate::app::outcome::QuotaView;
use crate::app::people::{OwnerNotice, PeopleRefusal};
use crate::app::quota::{Allocation, AskedBack};
use crate::app::{Error, Refusal, approvals, quota, undo};
use crate::bot::handlers::Handlers;
use crate::cards::{Card, CardContext, Toast, Typed};
use crate::domain::ledger::check_note;
use crate::domain::{
    AccessGoal, Act, Deed, LedgerEntry, Money, OpenId, Operator, UserKey, temporary,
};
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
    /// As typed or picked; empty if it is for good.
    pub until: String,
    /// Whether it was asked back about.
    pub sure: bool,
}

impl Action for Allocate {
    fn read(fields: &Fields<'_>) -> Result<Self, Refusal> {
        Ok(Self {
            user: fields.user()?,
            // A candidate carries what was typed with the command.
            amount: fields.text("amount").unwrap_or_else(|| fields.typed("amount")),
            note: fields.text("note").unwrap_or_else(|| fields.free_text("note")),
            until: match fields.text("until") {
                Some(until) => until,
                None => fields.typed_or_none("until")?,
            },
            sure: fields.is_set("sure"),
        })
    }

    fn show<S: Source>(
        &self,
        handlers: &Handlers,
        tx: &View<S>,
        ctx: &CardContext,
    ) -> Result<Card, Error> {
        match self.question(tx)? {
            Some(asked) => Ok(handlers.cards.ask_back(&asked, &self.typed(), ctx)),
            None => quota_card(handlers, tx, &self.user, ctx),
        }
    }
}

impl Allocate {
    /// What is asked back before it is booked.
    fn question<S: Source>(&self, tx: &View<S>) -> Result<Option<AskedBack>, Error> {
        question(tx, &self.user, &self.amount, self.typed(), self.sure)
    }

    fn typed(&self) -> Typed<'_> {
        Typed { note: &self.note, until: &self.until, with_access: false }
    }
}

fn question<S: Source>(
    tx: &View<S>,
    user: &UserKey,
    amount: &str,
    typed: Typed<'_>,
    sure: bool,
) -> Result<Option<AskedBack>, Error> {
    // What would be refused is refused at once.
    match Money::parse_input(amount) {
        Ok(amount) if !sure && check_note(typed.note).is_ok() => quota::asks_back(tx, user, amount),
        _ => Ok(None),
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
        let until = temporary::last_day(&self.until, ctx.now).map_err(PeopleRefusal::LastDay)?;
        if let Some(asked) = self.question(tx)? {
            let card = handlers.cards.ask_back(&asked, &self.typed(), &ctx);
            return Ok(ClickOutcome::card(card));
        }
        let wanted = Wanted { user: &self.user, amount, note: &self.note, until };
        let done = allocate(handlers, tx, &wanted, &click.operator, &ctx)?;
        let card = handlers.cards.quota(&done.quota, &done.said.on(ctx));
        Ok(done.said.outcome(handlers, card, &done.toast))
    }
}

/// What is to be allocated.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// Whose quota.
    pub user: &'a UserKey,
    /// How much.
    pub amount: Money,
    /// Why.
    pub note: &'a str,
    /// The last day, if it is temporary.
    pub until: Option<Date>,
}

impl<'a> Wanted<'a> {
    fn by(self, operator: &'a Operator) -> NewQuota<'a> {
        let Wanted { user, amount, note, until } = self;
        NewQuota { until, ..NewQuota::from(Allocation { user, amount, note, operator }) }
    }
}

/// An allocation that was booked, or waits for a second administrator.
pub struct Allocated {
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
    wanted: &Wanted<'_>,
    by: &OpenId,
    ctx: &CardContext,
) -> Result<Allocated, Error> {
    let settings = handlers.settings(tx)?;
    let (by, before) = (handlers.operator(tx, by)?, tx.user(wanted.user)?);
    let (outcome, quota) = approvals::allocate_on_card(tx, &settings, &wanted.by(&by), ctx.now)?;
    let toast = match outcome {
        Outcome::Booked(entry) => {
            handlers.alerts.tell_owner(
                tx,
                &entry.user,
                &OwnerNotice::Quota(entry.clone()),
                ctx.now,
            )?;
            add_to_alerts(handlers, tx, &entry, ctx.now)?;
            Toast::QuotaAllocated { amount: entry.amount, total: entry.total_after }
        }
        Outcome::WaitsForSecond(waits) => {
            handlers.alerts.ask_for_second(tx, waits, ctx.now)?;
            Toast::SecondNeeded { amount: wanted.amount }
        }
    };
    let said = handlers.said(tx, wanted.user, before.as_ref(), ctx)?;
    Ok(Allocated { quota, toast, said })
}

/// Adds an entry of the ledger to the user's alerts.
pub(super) fn add_to_alerts(
    handlers: &Handlers,
    tx: &WriteTx,
    entry: &LedgerEntry,
    now: Timestamp,
) -> Result<(), Error> {
    let deed = Deed::Allocated { amount: entry.amount };
    let step = Act { deed, by: entry.operator.clone(), at: now };
    Ok(handlers.alerts.follow_up(tx, &entry.user, &step, now)?)
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
    /// As typed or picked; empty if it is for good.
    pub until: String,
    /// Whether it is an amount on offer, or was asked back about.
    pub sure: bool,
}

impl Action for AllocateEnable {
    fn read(fields: &Fields<'_>) -> Result<Self, Refusal> {
        Ok(Self {
            user: fields.user()?,
            amount: fields.text("amount").unwrap_or_else(|| fields.typed("amount")),
            note: fields.text("note").unwrap_or_else(|| fields.free_text("note")),
            until: match fields.text("until") {
                Some(until) => until,
                None => fields.typed_or_none("until")?,
            },
            sure: fields.is_set("sure"),
        })
    }

    fn show<S: Source>(
        &self,
        handlers: &Handlers,
        tx: &View<S>,
        ctx: &CardContext,
    ) -> Result<Card, Error> {
        match question(tx, &self.user, &self.amount, self.typed(), self.sure)? {
            Some(asked) => Ok(handlers.cards.ask_back(&asked, &self.typed(), ctx)),
            None => quota_card(handlers, tx, &self.user, ctx),
        }
    }
}

impl AllocateEnable {
    fn typed(&self) -> Typed<'_> {
        Typed { note: &self.note, until: &self.until, with_access: true }
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
        let until = temporary::last_day(&self.until, ctx.now).map_err(PeopleRefusal::LastDay)?;
        if let Some(asked) = question(tx, &self.user, &self.amount, self.typed(), self.sure)? {
            let card = handlers.cards.ask_back(&asked, &self.typed(), &ctx);
            return Ok(ClickOutcome::card(card));
        }
        let by = handlers.operator(tx, &click.operator)?;
        let new = Wanted { user: &self.user, amount, note: &self.note, until }.by(&by);
        let (settings, report) = (handlers.settings(tx)?, click.report.clone());
        let (outcome, quota) =
            approvals::allocate_and_restore(tx, &settings, &new, report, ctx.now)?;
        let toast = match outcome {
            Outcome::Booked(entry) => {
                let notice = OwnerNotice::Quota(entry.clone());
                handlers.alerts.tell_owner(tx, &self.user, &notice, ctx.now)?;
                add_to_alerts(handlers, tx, &entry, ctx.now)?;
                let deed = Deed::Access { goal: AccessGoal::Restored };
                let step = Act { deed, by: by.clone(), at: ctx.now };
                handlers.alerts.follow_up(tx, &self.user, &step, ctx.now)?;
                Toast::AllocatedAndEnabling { user: self.user.clone(), amount: entry.amount }
            }
            Outcome::WaitsForSecond(waits) => {
                handlers.alerts.ask_for_second(tx, waits, ctx.now)?;
                Toast::SecondNeeded { amount }
            }
        };
        let said = handlers.said(tx, &self.user, None, &ctx)?;
        let card = handlers.cards.quota(&quota, &said.on(ctx));
        Ok(said.outcome(handlers, card, &toast))
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
        let before = tx.user(&self.user)?;
        let done = undo::undo(tx, &settings, &self.user, self.entry, &by, ctx.now)?;
        let notice = OwnerNotice::Quota(done.entry.clone());
        match &done.of.parties.requested_by {
            // Who was told that it was granted.
            Some(asked) => {
                handlers.alerts.tell_operator(tx, asked, &self.user, &notice, ctx.now)?;
            }
            None => handlers.alerts.tell_owner(tx, &self.user, &notice, ctx.now)?,
        }
        let deed = Deed::Undone { amount: done.of.amount };
        let step = Act { deed, by, at: ctx.now };
        handlers.alerts.follow_up(tx, &self.user, &step, ctx.now)?;
        let said = handlers.said(tx, &self.user, before.as_ref(), &ctx)?;
        let toast = Toast::QuotaUndone {
            amount: done.of.amount,
            total: done.entry.total_after,
            with_access: done.of.with_access,
        };
        let card = handlers.cards.quota(&done.quota, &said.on(ctx));
        Ok(said.outcome(handlers, card, &toast))
    }
}
