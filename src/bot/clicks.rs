//! A click on a card: read, checked, claimed, carried out, recorded, answered.

use std::sync::Arc;

use jiff::Timestamp;

use super::actions::{
    Changing, Chat, ClickContext, ClickOutcome, Does, Opened, Reading, Request, Row, form_values,
    value_of,
};
use super::click_records::{
    add_task, has_older_updates, note_shown, put_op_outcome, supersede_updates, will_show,
};
use super::handlers::Handlers;
use super::reaction::Reaction;
use super::roles::Allowed;
use super::state::Bot;
use crate::app::{Error, Refusal, SplitRefusal, users};
use crate::cards::{AlertsPlace, Card, CardContext, ListPlace, Toast, Tone};
use crate::domain::{
    ChatId, Dispatch, MessageId, Needs, OpId, OpenId, Report, Role, UpdateTarget, UserKey,
};
use crate::feishu::{CallbackAnswer, CardAction, ToastKind};
use crate::outbox::chat_lane;
use crate::store::{NewMessage, Source, StoreError, View, WriteTx};

/// A click as it arrived.
struct IncomingClick {
    /// The key by which it is handled once.
    keys: Vec<String>,
    context: ClickContext,
    /// The alert whose card was clicked.
    alert: Option<ClickedAlert>,
    /// The user whom the value names.
    user: Option<UserKey>,
}

/// An alert whose card was clicked. Its card stays where it is: what a click opens is a reply, and what it does is added.
#[derive(Clone)]
struct ClickedAlert {
    id: u64,
    card: Report,
}

/// A card that was opened on a snapshot.
struct Looked {
    outcome: ClickOutcome,
    click: ClickContext,
    /// The last message that had been enqueued, if something has to be written.
    last_owed: Option<u64>,
    /// The last change of cards.
    seen: u64,
}

/// A click that changes something. Shared by the transaction that performs it and the one that records a refusal.
struct ChangingClick {
    incoming: IncomingClick,
    row: &'static Row,
    op: Option<OpId>,
    action: Changing,
}

impl Bot {
    /// Handles a card action.
    pub(super) async fn click(
        &self,
        event_id: String,
        action: CardAction,
    ) -> Result<Reaction, StoreError> {
        let words = self.handlers.cards.words();
        let refuse = |refusal: Refusal| {
            CallbackAnswer::toast(ToastKind::Error, words.toast(&Toast::Refused(refusal)))
        };
        let Ok(operator) = OpenId::new(action.operator_open_id.clone()) else {
            return Ok(Reaction::Ignored);
        };
        let role = self.roles.of(&operator);
        let action = CardAction { value: value_of(&action).into_owned(), ..action };
        // A person without a role does not learn which actions and users exist, except those for everybody.
        if !role.may_read() && !Request::is_for_anyone(&action) {
            return Ok(Reaction::Denied(refuse(Refusal::NotAllowed)));
        }
        let action = match self.with_account(action, role).await.split_refusal()? {
            Ok(action) => action,
            Err(refusal) => return Ok(Reaction::Answered(refuse(refusal))),
        };
        let Request { row, op, does } = match Request::of(&action) {
            Ok(request) => request,
            Err(refusal) => return Ok(Reaction::Answered(refuse(refusal))),
        };
        let Some(allowed) = Allowed::check(role, row.needs) else {
            return Ok(Reaction::Denied(refuse(Refusal::NotAllowed)));
        };
        // An op that somebody without a role sends never stands for that of a card for those with one.
        let op = match (row.needs, op) {
            (Needs::Anyone, Some(op)) => OpId::new(format!("o-{op}")).ok(),
            (_, op) => op,
        };
        let value = serde_json::Value::Object(action.value.clone());
        // What everybody may do is on no alert.
        let id = value.get("alert").filter(|_| role.may_read()).and_then(serde_json::Value::as_u64);
        let (alert, report) = match (id, report(&action)) {
            (Some(id), Some(card)) => (Some(ClickedAlert { id, card }), None),
            (_, report) => (None, report),
        };
        let user = value.get("user").and_then(serde_json::Value::as_str);
        let incoming = IncomingClick {
            user: user.and_then(|user| user.parse().ok()),
            keys: (!event_id.is_empty()).then(|| format!("e:{event_id}")).into_iter().collect(),
            context: ClickContext {
                operator: operator.clone(),
                chat: action.chat_id.clone().and_then(|chat| ChatId::new(chat).ok()),
                card_ctx: CardContext::new(allowed.role(), self.handlers.clock.now())
                    .with_back(ListPlace::of_value(&value))
                    .with_alerts(AlertsPlace::of_value(&value))
                    .with_form(form_values(&action))
                    .for_person(operator),
                report,
            },
            alert,
        };
        let outcome = match does {
            Does::Reads(action) => self.open(incoming, action).await?,
            Does::Changes(action) => {
                self.carry_out(ChangingClick { incoming, row, op, action }).await?
            }
        };
        let Some(outcome) = outcome else { return Ok(Reaction::Duplicate) };
        row.wakes.iter().for_each(|wake| self.wake(*wake));
        if let Some(task) = &outcome.task {
            self.wake_for_task(task);
        }
        Ok(Reaction::Answered(callback_answer(outcome)))
    }

    /// Completes a user's name. Cards write a user as `account/username`; a value may also hold a bare `username`, as
    /// people type it, if only one account has it.
    async fn with_account(&self, mut action: CardAction, role: Role) -> Result<CardAction, Error> {
        if !role.may_read() {
            return Ok(action);
        }
        let bare = match action.value.get("user").and_then(serde_json::Value::as_str) {
            Some(name) if !name.is_empty() && !name.contains('/') => name.to_owned(),
            _ => return Ok(action),
        };
        let key = self.store.looking(move |tx| users::key_of(tx, &bare)).await?;
        action.value.insert("user".to_owned(), key.to_string().into());
        Ok(action)
    }

    /// Opens a card below an alert, as a reply: the alert stays an alert. A click that was handled before sends none.
    async fn open_below(
        &self,
        incoming: IncomingClick,
        below: Report,
        action: Reading,
    ) -> Result<Option<ClickOutcome>, StoreError> {
        let now = incoming.context.card_ctx.now;
        let handlers = Arc::clone(&self.handlers);
        let opened = self.store.writing(move |tx| {
            if !tx.claim(&incoming.keys, now)? {
                return Ok(None);
            }
            let click = handlers.locate(tx, &incoming)?;
            let opened = action.open(&handlers, tx, &click.with_empty_form());
            match opened.split_refusal()? {
                Ok(opened) => handlers.reply_below(tx, &below, opened, now)?,
                Err(refusal) => return Ok(Some(handlers.refused_alone(refusal))),
            }
            Ok::<_, StoreError>(Some(
                ClickOutcome::default().with_toast(&handlers.cards, &Toast::Replied),
            ))
        });
        let outcome = opened.await?;
        self.wakers.outbox.notify_one();
        Ok(outcome)
    }

    /// Opens a card on a snapshot, so that it does not wait for writers. Nothing is written, not even that the click was
    /// handled: Feishu never repeats one, and a repetition would only show the card again. The exceptions are rare: work that
    /// opening starts, and updates of the clicked message that are still owed and must not bring back an older card.
    /// Returns `None` if the click has been handled before and is one of these.
    async fn open(
        &self,
        incoming: IncomingClick,
        action: Reading,
    ) -> Result<Option<ClickOutcome>, StoreError> {
        if let Some(alert) = incoming.alert.clone() {
            return self.open_below(incoming, alert.card, action).await;
        }
        let now = incoming.context.card_ctx.now;
        let (incoming, action) = (Arc::new(incoming), Arc::new(action));
        let mut looked = self.look(&incoming, &action).await?;
        if self.store.looking(|tx| tx.card_changes()).await? != looked.seen {
            // Updates of the change may not know yet that this message shows another card.
            looked = self.look(&incoming, &action).await?;
        }
        let Looked { outcome, click, last_owed, .. } = looked;
        let Some(last_owed) = last_owed else { return Ok(Some(outcome)) };
        let recorded = self.store.writing(move |tx| {
            if !tx.claim(&incoming.keys, now)? {
                return Ok(None);
            }
            add_task(tx, &outcome, &click, now)?;
            supersede_updates(tx, &outcome, &click, last_owed)?;
            Ok::<_, StoreError>(Some(outcome))
        });
        recorded.await
    }

    /// Opens a card on a snapshot, and notes that its message shows it.
    async fn look(
        &self,
        incoming: &Arc<IncomingClick>,
        action: &Arc<Reading>,
    ) -> Result<Looked, StoreError> {
        let (incoming, action) = (Arc::clone(incoming), Arc::clone(action));
        let handlers = Arc::clone(&self.handlers);
        let opened = self.store.looking(move |tx| {
            let click = handlers.locate(tx, &incoming)?;
            let opened = action.open(&handlers, tx, &click.with_empty_form());
            let outcome = match opened.split_refusal()? {
                Ok(opened) => opened.into(),
                Err(refusal) => {
                    let show = |ctx: &CardContext| action.show(&handlers, tx, ctx);
                    handlers.refused_click(&click, refusal, show)?
                }
            };
            let due = outcome.task.is_some() || has_older_updates(tx, &outcome, &click)?;
            let last_owed = due.then(|| tx.last_owed()).transpose()?;
            let seen = tx.card_changes()?;
            note_shown(&handlers.alerts, &outcome, &click, seen);
            Ok::<_, StoreError>(Looked { outcome, click, last_owed, seen })
        });
        opened.await
    }

    /// Performs, records and shows a change in one transaction. A refusal rolls it back, and a second transaction records
    /// the refusal. Returns `None` if the click was handled before.
    async fn carry_out(&self, click: ChangingClick) -> Result<Option<ClickOutcome>, StoreError> {
        let click = Arc::new(click);
        let (handlers, performed) = (Arc::clone(&self.handlers), Arc::clone(&click));
        let done = self.store.writing(move |tx| handlers.perform_click(tx, &performed)).await;
        match done.split_refusal()? {
            Ok(outcome) => Ok(outcome),
            Err(refusal) => {
                let handlers = Arc::clone(&self.handlers);
                self.store.writing(move |tx| handlers.record_refusal(tx, &click, refusal)).await
            }
        }
    }
}

/// The clicked card, where a later result is shown.
fn report(action: &CardAction) -> Option<Report> {
    let id = MessageId::new(action.message_id.clone()?).ok()?;
    let lane = chat_lane(action.chat_id.as_deref().unwrap_or(id.as_str()));
    Some(Report { target: UpdateTarget::Message { id }, lane })
}

fn callback_answer(outcome: ClickOutcome) -> CallbackAnswer {
    let answer = match outcome.toast {
        Some((tone, text)) => CallbackAnswer::toast(toast_kind(tone), text),
        None => CallbackAnswer::default(),
    };
    match outcome.card {
        Some(card) => answer.with_card(card.into_string()),
        None => answer,
    }
}

fn toast_kind(tone: Tone) -> ToastKind {
    match tone {
        Tone::Info => ToastKind::Info,
        Tone::Success => ToastKind::Success,
        Tone::Warning => ToastKind::Warning,
        Tone::Error => ToastKind::Error,
    }
}

impl Handlers {
    /// Enqueues an opened card as a reply to a message, and the work that updates it.
    fn reply_below(
        &self,
        tx: &WriteTx,
        below: &Report,
        opened: Opened,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let UpdateTarget::Message { id } = &below.target else { return Ok(()) };
        let dispatch = Dispatch::Reply { to: id.clone(), card: opened.card.as_str().to_owned() };
        let owed = tx.owe(NewMessage::new(&below.lane, dispatch, now), now)?;
        let report = Report { target: UpdateTarget::SentBy { owed }, lane: below.lane.clone() };
        self.alerts.will_show(tx, &report, &opened.card, tx.card_changes()?, now)?;
        if let Some(task) = opened.task {
            tx.add_task(task, Some(report), now)?;
        }
        Ok(())
    }

    /// Adds what the store knows of the clicked message: the kind of its chat. One that is not known to be the person's own
    /// counts as a group.
    fn locate<S: Source>(
        &self,
        tx: &View<S>,
        incoming: &IncomingClick,
    ) -> Result<ClickContext, StoreError> {
        let mut click = incoming.context.clone();
        if let Some(chat) = &click.chat {
            click.card_ctx.in_group = match tx.known_chat(chat.as_str())? {
                Some(known) => !known.direct,
                None => tx.direct_chat(&click.operator)?.as_ref() != Some(chat),
            };
            let group = Some(chat).filter(|_| click.card_ctx.in_group);
            click.card_ctx.role = self.roles.of_card(click.card_ctx.role, group);
        }
        Ok(click)
    }

    /// Performs a click, unless it was claimed or its form was applied before. Any error rolls the transaction back, so that
    /// a refused click has changed nothing.
    fn perform_click(
        &self,
        tx: &WriteTx,
        click: &ChangingClick,
    ) -> Result<Option<ClickOutcome>, Error> {
        let ChangingClick { incoming, row, op, action } = click;
        let now = incoming.context.card_ctx.now;
        if !tx.claim(&incoming.keys, now)? {
            return Ok(None);
        }
        if row.chat == Chat::Direct && !is_in_direct_chat(tx, &incoming.context)? {
            return Ok(Some(self.refused_alone(row.refusal_elsewhere())));
        }
        let context = self.locate(tx, incoming)?;
        if let Some(user) = meant_another(tx, click, now)? {
            // Neither the form nor an offer may come back: they were meant for somebody else.
            let refusal = Refusal::CardOlderThanUser(user);
            let text = self.cards.words().refusal(&refusal);
            let title = self.cards.words().t("refused.title", &[]);
            let card = Some(self.cards.message(Tone::Error, &title, &text));
            let outcome = ClickOutcome { card, ..self.refused_alone(refusal) };
            let outcome = self.keeping_alert(tx, incoming, outcome)?;
            supersede_updates(tx, &outcome, &context, u64::MAX)?;
            will_show(tx, &self.alerts, &outcome, &context)?;
            return Ok(Some(outcome));
        }
        if let Some(outcome) = self.first_outcome(tx, click, &context)? {
            will_show(tx, &self.alerts, &outcome, &context)?;
            return self.keeping_alert(tx, incoming, outcome).map(Some).map_err(Error::from);
        }
        let outcome = action.perform(self, tx, &context)?;
        let outcome = self.keeping_alert(tx, incoming, outcome)?;
        put_op_outcome(tx, op.as_ref(), &outcome, now)?;
        add_task(tx, &outcome, &context, now)?;
        supersede_updates(tx, &outcome, &context, u64::MAX)?;
        will_show(tx, &self.alerts, &outcome, &context)?;
        Ok(Some(outcome))
    }

    /// Records that a click was refused, unless it has been handled in the meantime.
    fn record_refusal(
        &self,
        tx: &WriteTx,
        click: &ChangingClick,
        refusal: Refusal,
    ) -> Result<Option<ClickOutcome>, StoreError> {
        let ChangingClick { incoming, op, action, .. } = click;
        let now = incoming.context.card_ctx.now;
        if !tx.claim(&incoming.keys, now)? {
            return Ok(None);
        }
        if refusal.is_about_the_person() {
            let outcome = ClickOutcome { refused: true, ..ClickOutcome::default() };
            return Ok(Some(outcome.with_toast(&self.cards, &Toast::Refused(refusal))));
        }
        let context = self.locate(tx, incoming)?;
        if let Some(outcome) = self.first_outcome(tx, click, &context)? {
            will_show(tx, &self.alerts, &outcome, &context)?;
            return self.keeping_alert(tx, incoming, outcome).map(Some);
        }
        let show = |ctx: &CardContext| action.show(self, tx, ctx);
        let outcome = self.refused_click(&context, refusal, show)?;
        let outcome = self.keeping_alert(tx, incoming, outcome)?;
        put_op_outcome(tx, op.as_ref(), &outcome, now)?;
        supersede_updates(tx, &outcome, &context, u64::MAX)?;
        will_show(tx, &self.alerts, &outcome, &context)?;
        Ok(Some(outcome))
    }

    /// The first outcome of a form that was submitted before with the same `op`.
    fn first_outcome(
        &self,
        tx: &WriteTx,
        click: &ChangingClick,
        context: &ClickContext,
    ) -> Result<Option<ClickOutcome>, StoreError> {
        let Some(op) = &click.op else { return Ok(None) };
        let Some(first) = tx.op_outcome(op)? else { return Ok(None) };
        // An applied form must not come back filled in, under a new `op`: one more press would apply it again.
        let ctx = if first.refused {
            context.card_ctx.clone().with_banner(Tone::Error, first.toast.clone())
        } else {
            context.with_empty_form()
        };
        let card = unless_refused(click.action.show(self, tx, &ctx))?;
        let tone = match (first.refused, first.succeeded) {
            (true, _) => Tone::Error,
            (false, true) => Tone::Success,
            (false, false) => Tone::Info,
        };
        let toast = (!first.toast.is_empty()).then_some((tone, first.toast));
        Ok(Some(ClickOutcome { toast, card, refused: first.refused, task: None }))
    }

    /// The same answer, with the alert as it is now if an alert was clicked: nothing else may take its place.
    fn keeping_alert(
        &self,
        tx: &WriteTx,
        incoming: &IncomingClick,
        outcome: ClickOutcome,
    ) -> Result<ClickOutcome, StoreError> {
        let Some(alert) = &incoming.alert else { return Ok(outcome) };
        let card = self.alerts.card_now(tx, alert.id, incoming.context.card_ctx.now)?;
        Ok(ClickOutcome { card, ..outcome })
    }

    /// A refusal that shows no card.
    fn refused_alone(&self, refusal: Refusal) -> ClickOutcome {
        let toast = Toast::Refused(refusal);
        let outcome = ClickOutcome { refused: true, ..ClickOutcome::default() };
        outcome.with_toast(&self.cards, &toast)
    }

    /// A refusal: a toast, and the card with what was typed.
    fn refused_click(
        &self,
        click: &ClickContext,
        refusal: Refusal,
        show: impl FnOnce(&CardContext) -> Result<Card, Error>,
    ) -> Result<ClickOutcome, StoreError> {
        let words = self.cards.words();
        let told = words.refusal(&refusal);
        let toast = Toast::Refused(refusal);
        let (tone, text) = (toast.tone(), words.toast(&toast));
        let ctx = click.card_ctx.clone().with_banner(tone, told);
        let card = unless_refused(show(&ctx))?;
        Ok(ClickOutcome { toast: Some((tone, text)), card, refused: true, task: None })
    }
}

/// Returns the user whom the click names, if the card may have meant an earlier user of that name.
fn meant_another(
    tx: &WriteTx,
    click: &ChangingClick,
    now: Timestamp,
) -> Result<Option<UserKey>, StoreError> {
    let ChangingClick { incoming, op, .. } = click;
    let (Some(key), Some(op)) = (&incoming.user, op) else { return Ok(None) };
    let another = match &incoming.alert {
        // An alert goes with its user, whatever the user is called by now.
        Some(alert) => tx.alert(alert.id)?.and_then(|it| it.user).is_some_and(|it| it != *key),
        None => tx.user(key)?.is_some_and(|it| it.is_younger_than_card(op.rendered_at(), now)),
    };
    Ok(another.then(|| key.clone()))
}

/// Whether the click came from the operator's own direct chat with the bot.
fn is_in_direct_chat(tx: &WriteTx, click: &ClickContext) -> Result<bool, StoreError> {
    Ok(click.chat.is_some() && tx.direct_chat(&click.operator)? == click.chat)
}

/// The card, if it can be shown.
fn unless_refused(card: Result<Card, Error>) -> Result<Option<Card>, StoreError> {
    Ok(card.split_refusal()?.ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_goes_to_the_clicked_card_in_its_chat() {
        let mut action = CardAction {
            operator_open_id: "ou_1".to_owned(),
            message_id: Some("om_1".to_owned()),
            chat_id: Some("oc_1".to_owned()),
            value: serde_json::Map::new(),
            name: None,
            form: serde_json::Map::new(),
            option: None,
            input: None,
        };
        let found = report(&action).unwrap();
        assert_eq!(found.lane, "chat:oc_1");
        action.message_id = None;
        assert_eq!(report(&action), None);
    }
}
