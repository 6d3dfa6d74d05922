//! Brings cards of a user that are in other chats, or in older messages, up to date after a change of the user.
//!
//! The transaction of a change marks the user (`cards_changed`). Before the outbox reads what is due, it turns the marks
//! into updates: the last cards of each chat, those that do not show the change yet. A card knows by a number which changes
//! it shows, so that one that was rendered with the change, or after it, is not updated again.

use std::collections::HashMap;

use jiff::{SignedDuration, Timestamp};

use super::alerts::Alerts;
use super::shown::Shown;
use crate::app::{SplitRefusal, quota, users};
use crate::cards::{Card, CardContext, Shows};
use crate::domain::{
    CardChange, CardPlace, Dispatch, MessageId, Report, UpdateTarget, UserCard, UserKey,
    update_lane,
};
use crate::store::{NewMessage, Source, StoreError, View, WriteTx};

/// How many of a user's cards in a chat are brought up to date.
const UPDATED_IN_A_CHAT: usize = 3;
/// How many users one transaction handles: clicks wait for it.
const AT_ONCE: usize = 50;
/// Feishu updates a card for 14 days ("Update app card"); the margin is for a slow delivery.
const CAN_BE_UPDATED: SignedDuration = SignedDuration::from_hours(13 * 24);

/// A message with a card of the user.
struct Candidate {
    message: Option<MessageId>,
    target: UpdateTarget,
    lane: String,
    card: UserCard,
    ctx: CardContext,
    seen: u64,
    at: Timestamp,
}

impl Alerts {
    /// Notes what a clicked message shows now. `seen` is the last change ([`View::card_changes`]) of the state that the card was
    /// rendered from.
    pub fn shows(&self, at: &Report, card: &Card, seen: u64, now: Timestamp) {
        if let UpdateTarget::Message { id } = &at.target {
            let shows = card.shows().map(|shows| Box::new(shows.clone()));
            let shown = Shown { lane: at.lane.clone(), shows, seen, at: now };
            self.shown().put(id.clone(), shown);
        }
    }

    /// Notes what a message shows that was sent, or is updated, in this transaction.
    pub fn will_show(
        &self,
        tx: &WriteTx,
        at: &Report,
        card: &Card,
        seen: u64,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.shows(at, card, seen, now);
        let Some(shows) = card.shows() else { return Ok(()) };
        let place = CardPlace {
            target: at.target.clone(),
            lane: at.lane.clone(),
            card: shows.card,
            role: shows.ctx.role,
            in_group: shows.ctx.in_group,
            person: shows.ctx.person.clone(),
            at: now,
            seen,
        };
        tx.add_card_place(&shows.user, place)
    }

    /// Enqueues updates for some of the users that have changed. Returns whether there were any.
    pub(super) fn update_cards(&self, tx: &WriteTx, now: Timestamp) -> Result<bool, StoreError> {
        let due = tx.cards_due(AT_ONCE)?;
        for (user, change) in &due {
            match self.update_cards_of(tx, user, *change, now) {
                // Nobody's messages wait for a row that cannot be read.
                Err(error @ StoreError::Codec { .. }) => {
                    tracing::error!(%user, %error, "cards of a user are not brought up to date");
                }
                done => done?,
            }
            tx.cards_updated(user)?;
        }
        Ok(!due.is_empty())
    }

    fn update_cards_of(
        &self,
        tx: &WriteTx,
        user: &UserKey,
        change: CardChange,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let mut places = tx.card_places(user)?;
        let seen = tx.card_changes()?;
        let mut in_chat: HashMap<String, usize> = HashMap::new();
        for candidate in self.candidates(tx, user, &mut places)? {
            let count = in_chat.entry(candidate.lane.clone()).or_default();
            *count = count.saturating_add(1);
            let is_young = now.duration_since(candidate.at) < CAN_BE_UPDATED;
            if *count > UPDATED_IN_A_CHAT || !is_young || candidate.seen >= change.number {
                continue;
            }
            // Who lost the role learns nothing new from the cards that they have.
            let reader = candidate.ctx.person.as_ref().filter(|_| !candidate.ctx.in_group);
            if reader.is_some_and(|reader| !self.may_read(reader, now)) {
                continue;
            }
            let Some(card) = self.card_of(tx, user, &candidate, now)? else { continue };
            owe_newer(tx, &candidate, change, card, now)?;
            if let Some(message) = &candidate.message {
                self.shown().seen(message, seen);
            }
            for place in places.iter_mut().filter(|place| place.target == candidate.target) {
                place.seen = seen;
            }
        }
        tx.put_card_places(user, places, now)
    }

    /// The messages that show a card of the user, latest first. Drops the places of those that show something else by now, or
    /// were never delivered.
    fn candidates(
        &self,
        tx: &WriteTx,
        user: &UserKey,
        places: &mut Vec<CardPlace>,
    ) -> Result<Vec<Candidate>, StoreError> {
        let mut found = Vec::new();
        let mut kept = Vec::new();
        for place in places.drain(..) {
            let message = tx.message_of(&place.target)?;
            let is_clicked =
                message.as_ref().is_some_and(|message| self.shown().of(message).is_some());
            let is_there = message.is_some() || is_owed(tx, &place)?;
            // What was clicked since is found below.
            if is_clicked || !is_there {
                if message.as_ref().is_some_and(|message| self.still_shows(message, user)) {
                    kept.push(place);
                }
                continue;
            }
            let mut ctx = CardContext::new(place.role, place.at);
            ctx.in_group = place.in_group;
            ctx.person.clone_from(&place.person);
            found.push(Candidate {
                message,
                target: place.target.clone(),
                lane: place.lane.clone(),
                card: place.card,
                ctx,
                seen: place.seen,
                at: place.at,
            });
            kept.push(place);
        }
        for (message, shown) in self.shown().of_user(user) {
            let Some(shows) = shown.shows else { continue };
            let Shows { card, ctx, .. } = *shows;
            found.push(Candidate {
                target: UpdateTarget::Message { id: message.clone() },
                message: Some(message),
                lane: shown.lane,
                card,
                ctx,
                seen: shown.seen,
                at: shown.at,
            });
        }
        *places = kept;
        found.sort_by_key(|candidate| std::cmp::Reverse(candidate.at));
        Ok(found)
    }

    fn still_shows(&self, message: &MessageId, user: &UserKey) -> bool {
        let shown = self.shown().of(message).and_then(|shown| shown.shows);
        shown.is_some_and(|shows| shows.user == *user)
    }

    fn card_of<S: Source>(
        &self,
        tx: &View<S>,
        user: &UserKey,
        candidate: &Candidate,
        now: Timestamp,
    ) -> Result<Option<Card>, StoreError> {
        let settings = self.settings_in_force(tx)?;
        let ctx = CardContext { now, ..candidate.ctx.clone() };
        match candidate.card {
            UserCard::User => {
                let Some(record) = tx.user(user)? else { return Ok(None) };
                let detail = users::card(tx, &settings, record, now)?;
                Ok(Some(self.cards().user(&detail, &ctx)))
            }
            UserCard::Quota => {
                let view = quota::view(tx, &settings, user, now).split_refusal()?.ok();
                Ok(view.map(|view| self.cards().quota(&view, &ctx)))
            }
        }
    }
}

/// Whether the message is still to be sent.
fn is_owed(tx: &WriteTx, place: &CardPlace) -> Result<bool, StoreError> {
    match place.target {
        UpdateTarget::SentBy { owed } => Ok(tx.owed(&place.lane, owed)?.is_some()),
        UpdateTarget::Message { .. } => Ok(true),
    }
}

/// Enqueues a card, unless an update of the message is owed: one that was enqueued with the change or after it shows the
/// change, an older one takes over the card.
fn owe_newer(
    tx: &WriteTx,
    at: &Candidate,
    change: CardChange,
    card: Card,
    now: Timestamp,
) -> Result<(), StoreError> {
    let card = card.into_string();
    if let Some(message) = &at.message
        && let Some(owed) = tx.newest_update(&at.lane, message)?
    {
        return match owed > change.last_owed {
            true => Ok(()),
            false => tx.renew_updates(&at.lane, message, &card, u64::MAX),
        };
    }
    let dispatch = Dispatch::Update { target: at.target.clone(), card };
    // One that is still to be sent is ahead of its update in its own lane.
    let lane = if at.message.is_some() { update_lane(&at.lane) } else { at.lane.clone() };
    tx.owe(NewMessage::new(&lane, dispatch, now), now).map(drop)
}
