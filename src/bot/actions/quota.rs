//! `quota.open` and `quota.allocate`: a user's quota, and adding to it or deducting from it.

use jiff::Timestamp;
use jiff::civil::Date;

use super::action::{Action, Change, ClickContext, ClickOutcome};
use super::fields::Fields;
use crate::app::approvals::{NewQuota, Outcome};
use crate::app::outcome::QuotaView;
use crate::app::people::{OwnerNotice, PeopleRefusal};
use crate::app::quota::Allocation;
use crate::app::{Error, Refusal, approvals, quota};
use crate::bot::handlers::Handlers;
use crate::cards::{Card, CardContext, Toast};
use crate::domain::{Money, OpenId, UserKey, temporary};
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
    /// As typed or picked; empty if it is for good.
    pub until: String,
}

impl Action for Allocate {
    fn read(fields: &Fields<'_>) -> Result<Self, Refusal> {
        Ok(Self {
            user: fields.user()?,
            // A candidate carries what was typed with the command.
            amount: fields.text("amount").unwrap_or_else(|| fields.typed("amount")),
            note: fields.text("note").unwrap_or_else(|| fields.free_text("note")),
            until: fields.typed("until"),
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
        let until = temporary::last_day(&self.until, now).map_err(PeopleRefusal::LastDay)?;
        let wanted = Wanted { user: &self.user, amount, note: &self.note, until };
        let (view, toast) = allocate(handlers, tx, &wanted, by, now)?;
        let card = handlers.cards.quota(&view, &click.with_empty_form());
        Ok(ClickOutcome::card(card).with_toast(&handlers.cards, &toast))
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

/// Allocates for a click on the card and for `/quota NAME AMOUNT` alike. Returns the quota afterwards, and what to say.
pub fn allocate(
    handlers: &Handlers,
    tx: &WriteTx,
    wanted: &Wanted<'_>,
    by: &OpenId,
    now: Timestamp,
) -> Result<(QuotaView, Toast), Error> {
    let Wanted { user, amount, note, until } = *wanted;
    let settings = handlers.settings(tx)?;
    let by = handlers.operator(tx, by)?;
    let allocation = Allocation { user, amount, note, operator: &by };
    let new = NewQuota { until, ..NewQuota::from(allocation) };
    let (outcome, view) = approvals::allocate_on_card(tx, &settings, &new, now)?;
    let toast = match outcome {
        Outcome::Booked(entry) => {
            handlers.alerts.tell_owner(tx, user, &OwnerNotice::Quota(entry.clone()), now)?;
            Toast::QuotaAllocated { amount: entry.amount, total: entry.total_after }
        }
        Outcome::WaitsForSecond(waits) => {
            handlers.alerts.ask_for_second(tx, waits, now)?;
            Toast::SecondNeeded { amount }
        }
    };
    Ok((view, toast))
}
