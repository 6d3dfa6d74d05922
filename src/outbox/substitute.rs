//! What replaces a message that cannot be delivered as it is.

use jiff::{SignedDuration, Timestamp};

use super::alerts::Alerts;
use super::lanes::{chat_of, message_lane, person_lane};
use crate::cards::{Cards, Tone};
use crate::clock::is_recent;
use crate::domain::{Dispatch, FilePlace, OwedMessage, updated_lane};
use crate::feishu::Disposition;
use crate::store::{NewMessage, Source, StoreError, View, WriteTx};

/// Administrators are told about abandoned messages at most this often; `/monitor` lists all of them.
const TELL_INTERVAL: SignedDuration = SignedDuration::from_hours(1);
/// The key of the text that tells administrators of an abandoned message.
const GIVEN_UP: &str = "undelivered.text";

/// Enqueues what replaces a message that is about to be given up: an alert goes to the administrators, a card too old to be
/// updated is sent as a new one, a card that Feishu refuses becomes a plain one. If nothing can replace it, the
/// administrators are told.
pub(super) fn substitute(
    tx: &WriteTx,
    cards: &Cards,
    alerts: &Alerts,
    owed: &OwedMessage,
    disposition: Disposition,
    reason: &str,
    now: Timestamp,
) -> Result<(), StoreError> {
    let settings = alerts.settings_in_force(tx)?;
    let alert = match owed.alert {
        Some(id) => tx.alert(id)?,
        None => None,
    };
    match (&owed.dispatch, &alert, disposition) {
        // Nobody waits for it, and the card that is there still says what was true.
        (Dispatch::Update { .. }, ..) if updated_lane(&owed.lane).is_some() => Ok(()),
        // The creation's card says so; what a recalled message showed is gone from it already.
        (Dispatch::Secret { .. } | Dispatch::Recall { .. }, ..) => Ok(()),
        // Without an alert chat the webhook was the only way to deliver the alert.
        (Dispatch::Webhook { .. }, Some(alert), _) if settings.alert_chat.is_none() => {
            alerts.to_admins(tx, &settings, alert, Some(reason), now)
        }
        (Dispatch::Webhook { .. }, ..) => {
            tell_admins(tx, cards, alerts, owed, GIVEN_UP, reason, now)
        }
        // Someone who recalls a message is not waiting for its reply.
        (
            Dispatch::Reply { .. }
            | Dispatch::Update { .. }
            | Dispatch::File { place: FilePlace::Message { .. }, .. },
            _,
            Disposition::MessageGone,
        ) => Ok(()),
        (Dispatch::File { .. }, ..) => {
            let dispatch = plain_form(tx, cards, owed, reason)?;
            tx.owe(NewMessage::new(message_lane(&owed.lane), dispatch, now), now).map(drop)
        }
        (_, _, Disposition::Refused) if !owed.plain => {
            let dispatch = plain_form(tx, cards, owed, reason)?;
            let message = NewMessage::new(&owed.lane, dispatch, now).for_alert(owed.alert).plain();
            let message = message.telling_owner_of(owed.tells_owner_of);
            tx.owe(message.telling_owner(owed.tells_owner.clone()), now).map(drop)
        }
        (Dispatch::ToPerson { person, .. }, ..) if owed.tells_owner.is_some() => {
            let title = owed.tells_owner.as_deref().unwrap_or_default();
            alerts.owner_not_reached(tx, person, title, reason, now)
        }
        (Dispatch::ToPerson { person, .. }, ..) if owed.tells_owner_of.is_some() => {
            // Enqueued by an earlier version.
            let Some(alert) = tx.alert(owed.tells_owner_of.unwrap_or_default())? else {
                return Ok(());
            };
            alerts.owner_not_reached(tx, person, &cards.words().alert_title(&alert), reason, now)
        }
        (Dispatch::ToChat { .. }, Some(alert), _) => {
            alerts.to_admins(tx, &settings, alert, Some(reason), now)
        }
        (Dispatch::Update { card, .. }, _, Disposition::TooOldToUpdate) => {
            match chat_of(&owed.lane) {
                Some(chat) => {
                    let dispatch = Dispatch::ToChat { chat, card: card.clone() };
                    let message = NewMessage::new(&owed.lane, dispatch, now).for_alert(owed.alert);
                    tx.owe(message, now).map(drop)
                }
                None => tell_admins(tx, cards, alerts, owed, GIVEN_UP, reason, now),
            }
        }
        _ => tell_admins(tx, cards, alerts, owed, GIVEN_UP, reason, now),
    }
}

/// Returns the simplest form of a message: a card with the alert's title or, without an alert, a fixed one. A message
/// that is already plain gets the fixed one as well: an alert's title may hold text from outside.
pub(super) fn plain_form<S: Source>(
    tx: &View<S>,
    cards: &Cards,
    owed: &OwedMessage,
    reason: &str,
) -> Result<Dispatch, StoreError> {
    let words = cards.words();
    if let Dispatch::File { place, table, .. } = &owed.dispatch {
        let title = words.t("export.failed", &[("table", table)]);
        let card = cards.message(Tone::Error, &title, reason).into_string();
        return Ok(match place.clone() {
            FilePlace::Message { id } => Dispatch::Reply { to: id, card },
            FilePlace::Person { id } => Dispatch::ToPerson { person: id, card },
        });
    }
    let alert = match owed.alert.filter(|_| !owed.plain) {
        Some(id) => tx.alert(id)?,
        None => None,
    };
    let title = alert
        .as_ref()
        .map_or_else(|| words.t("undelivered.refused", &[]), |alert| words.alert_title(alert));
    let text = words.t("undelivered.plain", &[]);
    let card = cards.message(Tone::Warning, &title, &text).into_string();
    Ok(with_card(&owed.dispatch, card))
}

fn with_card(dispatch: &Dispatch, card: String) -> Dispatch {
    match dispatch.clone() {
        Dispatch::ToChat { chat, .. } => Dispatch::ToChat { chat, card },
        Dispatch::ToPerson { person, .. } => Dispatch::ToPerson { person, card },
        Dispatch::Reply { to, .. } => Dispatch::Reply { to, card },
        Dispatch::Update { target, .. } => Dispatch::Update { target, card },
        Dispatch::Webhook { .. } => Dispatch::Webhook { card },
        Dispatch::Secret { person, .. } => Dispatch::ToPerson { person, card },
        // These have no card that could be refused.
        other @ (Dispatch::File { .. } | Dispatch::Recall { .. }) => other,
    }
}

/// Tells each administrator of a message that is given up or has to wait; `text` is the key of the text.
pub(super) fn tell_admins(
    tx: &WriteTx,
    cards: &Cards,
    alerts: &Alerts,
    owed: &OwedMessage,
    text: &str,
    reason: &str,
    now: Timestamp,
) -> Result<(), StoreError> {
    // If an administrator cannot be reached, the others are not told about it.
    let to_admin =
        matches!(&owed.dispatch, Dispatch::ToPerson { person, .. } if alerts.is_admin(person, now));
    let told = tx.undelivered_told_at()?;
    if to_admin || told.is_some_and(|at| is_recent(at, TELL_INTERVAL, now)) {
        return Ok(());
    }
    tx.put_undelivered_told_at(now)?;
    let words = cards.words();
    let text = words.t(text, &[("target", &owed.lane), ("reason", &reason)]);
    let title = words.t("undelivered.title", &[]);
    for admin in &alerts.admins(now) {
        let card = cards.message(Tone::Warning, &title, &text).into_string();
        let dispatch = Dispatch::ToPerson { person: admin.clone(), card };
        tx.owe(NewMessage::new(&person_lane(admin), dispatch, now), now)?;
    }
    Ok(())
}
