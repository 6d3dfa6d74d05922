//! Requests for quota and second approvals: `me.open`, `quota.request`, `request.withdraw`, `request.open`,
//! `request.decide`, `approval.open`, `approval.decide`, `requests.list`.

use super::action::{Action, Change, ClickContext, ClickOutcome};
use super::fields::Fields;
use super::quota::add_to_alerts;
use crate::app::people::{OwnerNotice, PeopleRefusal};
use crate::app::requests::{self, Decision, NewRequest};
use crate::app::{Error, Refusal, approvals, me};
use crate::bot::handlers::Handlers;
use crate::cards::{Card, CardContext, Toast};
use crate::domain::{Money, QuotaRequest, RequestState, UserKey, temporary};
use crate::store::{Source, View, WriteTx};

/// Makes the card of the person's own users, or of one of them.
pub fn me_card<S: Source>(
    handlers: &Handlers,
    tx: &View<S>,
    chosen: Option<&UserKey>,
    ctx: &CardContext,
) -> Result<Card, Error> {
    let person = ctx.person.as_ref().ok_or(Refusal::NotAllowed)?;
    let view = me::view(tx, &handlers.settings(tx)?, person, chosen, ctx.now)?;
    Ok(handlers.cards.me(&view, ctx))
}

/// `me.open`
#[derive(Debug, PartialEq, Eq)]
pub struct MeOpen {
    /// One of the person's users; `None` for all.
    pub user: Option<UserKey>,
}

impl Action for MeOpen {
    fn read(fields: &Fields<'_>) -> Result<Self, Refusal> {
        Ok(Self { user: fields.optional_user()? })
    }

    fn show<S: Source>(
        &self,
        handlers: &Handlers,
        tx: &View<S>,
        ctx: &CardContext,
    ) -> Result<Card, Error> {
        me_card(handlers, tx, self.user.as_ref(), ctx)
    }
}

/// `quota.request`
#[derive(Debug, PartialEq, Eq)]
pub struct QuotaAsk {
    /// The user.
    pub user: UserKey,
    /// As typed.
    pub amount: String,
    /// As typed.
    pub reason: String,
    /// As typed or picked.
    pub until: String,
}

impl Action for QuotaAsk {
    fn read(fields: &Fields<'_>) -> Result<Self, Refusal> {
        Ok(Self {
            user: fields.user()?,
            amount: fields.typed("amount"),
            reason: fields.free_text("reason"),
            until: fields.typed_or_none("until")?,
        })
    }

    fn show<S: Source>(
        &self,
        handlers: &Handlers,
        tx: &View<S>,
        ctx: &CardContext,
    ) -> Result<Card, Error> {
        me_card(handlers, tx, Some(&self.user), ctx)
    }
}

impl Change for QuotaAsk {
    fn perform(
        &self,
        handlers: &Handlers,
        tx: &WriteTx,
        click: &ClickContext,
    ) -> Result<ClickOutcome, Error> {
        let now = click.card_ctx.now;
        let new = NewRequest {
            user: &self.user,
            amount: Money::parse_input(&self.amount).map_err(Refusal::from)?,
            reason: &self.reason,
            until: temporary::last_day(&self.until, now).map_err(PeopleRefusal::LastDay)?,
        };
        let by = handlers.operator(tx, &click.operator)?;
        let request = requests::ask(tx, &handlers.settings(tx)?, &new, &by, now)?;
        handlers.alerts.ask_for_decision(tx, request, now)?;
        let card = me_card(handlers, tx, Some(&self.user), &click.with_empty_form())?;
        Ok(ClickOutcome::card(card).with_toast(&handlers.cards, &Toast::RequestMade))
    }
}

/// `request.withdraw`
#[derive(Debug, PartialEq, Eq)]
pub struct RequestWithdraw {
    /// The request.
    pub request: u64,
}

impl Action for RequestWithdraw {
    fn read(fields: &Fields<'_>) -> Result<Self, Refusal> {
        Ok(Self { request: fields.id("request")? })
    }

    fn show<S: Source>(
        &self,
        handlers: &Handlers,
        tx: &View<S>,
        ctx: &CardContext,
    ) -> Result<Card, Error> {
        let user = tx.request(self.request)?.map(|request| request.user);
        me_card(handlers, tx, user.as_ref(), ctx)
    }
}

impl Change for RequestWithdraw {
    fn perform(
        &self,
        handlers: &Handlers,
        tx: &WriteTx,
        click: &ClickContext,
    ) -> Result<ClickOutcome, Error> {
        let now = click.card_ctx.now;
        let request = requests::withdraw(tx, self.request, &click.operator, now)?;
        handlers.alerts.refresh_request(tx, &request, now)?;
        let card = me_card(handlers, tx, Some(&request.user), &click.with_empty_form())?;
        Ok(ClickOutcome::card(card).with_toast(&handlers.cards, &Toast::RequestWithdrawn))
    }
}

/// `request.open`
#[derive(Debug, PartialEq, Eq)]
pub struct RequestOpen {
    /// The request.
    pub request: u64,
}

impl Action for RequestOpen {
    fn read(fields: &Fields<'_>) -> Result<Self, Refusal> {
        Ok(Self { request: fields.id("request")? })
    }

    fn show<S: Source>(
        &self,
        handlers: &Handlers,
        tx: &View<S>,
        ctx: &CardContext,
    ) -> Result<Card, Error> {
        request_card(handlers, tx, self.request, ctx)
    }
}

fn request_card<S: Source>(
    handlers: &Handlers,
    tx: &View<S>,
    id: u64,
    ctx: &CardContext,
) -> Result<Card, Error> {
    let view = requests::view(tx, id, ctx.now)?;
    Ok(handlers.cards.request(&view, ctx))
}

/// `request.decide`
#[derive(Debug, PartialEq, Eq)]
pub struct RequestDecide {
    /// The request.
    pub request: u64,
    /// Whether it is granted.
    pub grants: bool,
    /// As typed; empty: what was asked for.
    pub amount: String,
    /// As typed.
    pub note: String,
}

impl Action for RequestDecide {
    fn read(fields: &Fields<'_>) -> Result<Self, Refusal> {
        Ok(Self {
            request: fields.id("request")?,
            grants: fields.decision("grant", "refuse")?,
            amount: fields.typed("amount"),
            note: fields.free_text("note"),
        })
    }

    fn show<S: Source>(
        &self,
        handlers: &Handlers,
        tx: &View<S>,
        ctx: &CardContext,
    ) -> Result<Card, Error> {
        request_card(handlers, tx, self.request, ctx)
    }
}

impl RequestDecide {
    fn decision(&self, request: &QuotaRequest) -> Result<Decision<'_>, Refusal> {
        let note = self.note.as_str();
        if !self.grants {
            return Ok(Decision::Refuse { note });
        }
        let amount = match self.amount.trim() {
            "" => request.amount,
            typed => Money::parse_input(typed)?,
        };
        Ok(Decision::Grant { amount, note })
    }
}

impl Change for RequestDecide {
    fn perform(
        &self,
        handlers: &Handlers,
        tx: &WriteTx,
        click: &ClickContext,
    ) -> Result<ClickOutcome, Error> {
        let (now, settings) = (click.card_ctx.now, handlers.settings(tx)?);
        let request = tx.request(self.request)?.ok_or(PeopleRefusal::Unknown)?;
        let decision = self.decision(&request)?;
        let by = handlers.operator(tx, &click.operator)?;
        let done = requests::decide(tx, &settings, self.request, decision, &by, now)?;
        let alerts = &handlers.alerts;
        if let Some(approval) = done.approval {
            alerts.ask_for_second(tx, approval, now)?;
        }
        alerts.refresh_request(tx, &done.request, now)?;
        tell_who_asked(handlers, tx, &done.request, now)?;
        if let Some(entry) = &done.entry {
            add_to_alerts(handlers, tx, entry, now)?;
        }
        let toast = match &done.request.state {
            RequestState::Granted { amount, .. } => Toast::RequestGranted { amount: *amount },
            RequestState::WaitsForSecond { amount, .. } => Toast::SecondNeeded { amount: *amount },
            _ => Toast::RequestRefused,
        };
        let card = request_card(handlers, tx, self.request, &click.with_empty_form())?;
        Ok(ClickOutcome::card(card).with_toast(&handlers.cards, &toast))
    }
}

/// Tells the person who asked what became of their request. An amount that waits for a second administrator is no news
/// yet.
fn tell_who_asked(
    handlers: &Handlers,
    tx: &WriteTx,
    request: &QuotaRequest,
    now: jiff::Timestamp,
) -> Result<(), Error> {
    if !request.is_pending() {
        let notice = OwnerNotice::Request(request.clone());
        handlers.alerts.tell_operator(tx, &request.by, &request.user, &notice, now)?;
    }
    Ok(())
}

/// `approval.open`
#[derive(Debug, PartialEq, Eq)]
pub struct ApprovalOpen {
    /// The approval.
    pub approval: u64,
}

impl Action for ApprovalOpen {
    fn read(fields: &Fields<'_>) -> Result<Self, Refusal> {
        Ok(Self { approval: fields.id("approval")? })
    }

    fn show<S: Source>(
        &self,
        handlers: &Handlers,
        tx: &View<S>,
        ctx: &CardContext,
    ) -> Result<Card, Error> {
        approval_card(handlers, tx, self.approval, ctx)
    }
}

fn approval_card<S: Source>(
    handlers: &Handlers,
    tx: &View<S>,
    id: u64,
    ctx: &CardContext,
) -> Result<Card, Error> {
    let view = approvals::view(tx, id, ctx.now)?;
    Ok(handlers.cards.approval(&view, ctx))
}

/// `approval.decide`
#[derive(Debug, PartialEq, Eq)]
pub struct ApprovalDecide {
    /// The approval.
    pub approval: u64,
    /// Whether it is confirmed.
    pub confirms: bool,
}

impl Action for ApprovalDecide {
    fn read(fields: &Fields<'_>) -> Result<Self, Refusal> {
        Ok(Self {
            approval: fields.id("approval")?,
            confirms: fields.decision("confirm", "refuse")?,
        })
    }

    fn show<S: Source>(
        &self,
        handlers: &Handlers,
        tx: &View<S>,
        ctx: &CardContext,
    ) -> Result<Card, Error> {
        approval_card(handlers, tx, self.approval, ctx)
    }
}

impl Change for ApprovalDecide {
    fn perform(
        &self,
        handlers: &Handlers,
        tx: &WriteTx,
        click: &ClickContext,
    ) -> Result<ClickOutcome, Error> {
        let now = click.card_ctx.now;
        let by = handlers.operator(tx, &click.operator)?;
        let alerts = &handlers.alerts;
        let author = tx.approval(self.approval)?.map(|approval| approval.by);
        if let Some(author) = author.filter(|author| self.confirms && !handlers.is_admin(author)) {
            let done = approvals::void(tx, self.approval, &by, now)?;
            alerts.refresh_approval(tx, &done.approval, now)?;
            if let Some(request) = &done.request {
                alerts.refresh_request(tx, request, now)?;
            }
            let card = approval_card(handlers, tx, self.approval, &click.with_empty_form())?;
            let toast = Toast::Refused(PeopleRefusal::AuthorLeft(author).into());
            let outcome = ClickOutcome { refused: true, ..ClickOutcome::card(card) };
            return Ok(outcome.with_toast(&handlers.cards, &toast));
        }
        let done = approvals::decide(tx, self.approval, self.confirms, &by, now)?;
        alerts.refresh_approval(tx, &done.approval, now)?;
        if let Some(entry) = &done.entry {
            add_to_alerts(handlers, tx, entry, now)?;
        }
        if let Some(request) = &done.request {
            alerts.refresh_request(tx, request, now)?;
            tell_who_asked(handlers, tx, request, now)?;
        } else if let Some(entry) = &done.entry {
            alerts.tell_owner(tx, &entry.user, &OwnerNotice::Quota(entry.clone()), now)?;
        }
        let toast = match done.entry {
            Some(entry) => Toast::SecondConfirmed { amount: entry.amount },
            None => Toast::SecondRefused,
        };
        let card = approval_card(handlers, tx, self.approval, &click.with_empty_form())?;
        Ok(ClickOutcome::card(card).with_toast(&handlers.cards, &toast))
    }
}

/// `requests.list`
#[derive(Debug, PartialEq, Eq)]
pub struct RequestsList {
    /// The page, from 1.
    pub page: usize,
}

impl Action for RequestsList {
    fn read(fields: &Fields<'_>) -> Result<Self, Refusal> {
        Ok(Self { page: fields.page() })
    }

    fn show<S: Source>(
        &self,
        handlers: &Handlers,
        tx: &View<S>,
        ctx: &CardContext,
    ) -> Result<Card, Error> {
        Ok(handlers.cards.requests(&requests::waiting(tx, ctx.now)?, self.page, ctx))
    }
}
