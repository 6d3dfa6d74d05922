//! What takes the place of a message that cannot be delivered as it is.

use jiff::{SignedDuration, Timestamp};

use super::alerts::{Audience, to_admins};
use super::{chat_lane, message_lane, person_lane};
use crate::cards::Tone;
use crate::domain::{ChatId, Dispatch, FilePlace, OwedMessage};
use crate::feishu::Disposition;
use crate::store::{NewMessage, StoreError, WriteTx};

/// Administrators are told of messages that were given up at most so often; `/monitor` lists them all.
const TOLD_EVERY: SignedDuration = SignedDuration::from_hours(1);

/// Owes what takes the place of a message that is about to be given up: an alert goes to the administrators, a card that is
/// too old to be updated is sent anew, a card that the platform refuses becomes a plain one. Where nothing can take its
/// place, the administrators are told.
///
/// # Errors
/// The store's.
pub(super) fn in_place_of(
    tx: &WriteTx,
    audience: Audience<'_>,
    owed: &OwedMessage,
    disposition: Disposition,
    reason: &str,
    now: Timestamp,
) -> Result<(), StoreError> {
    let alert = match owed.alert {
        Some(id) => tx.alert(id)?,
        None => None,
    };
    let words = audience.cards.words();
    match (&owed.dispatch, &alert, disposition) {
        // The card of what it belongs to says so.
        (Dispatch::Secret { .. }, ..) => Ok(()),
        // Without an alert chat the webhook was the only way: the alert itself goes on.
        (Dispatch::Webhook { .. }, Some(alert), _) if audience.settings.alert_chat.is_none() => {
            to_admins(tx, audience, alert, Some(reason), now)
        }
        (Dispatch::Webhook { .. }, ..) => tell_admins(tx, audience, owed, reason, now),
        (Dispatch::File { place, table, .. }, ..) => {
            let title = words.t("export.failed", &[("table", table)]);
            let card = audience.cards.message(Tone::Error, &title, reason).into_string();
            let dispatch = match place.clone() {
                FilePlace::Message { id } => Dispatch::Reply { to: id, card },
                FilePlace::Person { id } => Dispatch::ToPerson { person: id, card },
            };
            tx.owe(NewMessage::new(message_lane(&owed.lane), dispatch, now), now).map(drop)
        }
        (dispatch, _, Disposition::Refused) if !owed.plain => {
            let title = alert.as_ref().map_or_else(
                || words.t("undelivered.refused", &[]),
                |alert| words.alert_title(alert),
            );
            let text = words.t("undelivered.plain", &[]);
            let card = audience.cards.message(Tone::Warning, &title, &text).into_string();
            let message = NewMessage::new(&owed.lane, with_card(dispatch, card), now)
                .for_alert(owed.alert)
                .plain();
            tx.owe(message, now).map(drop)
        }
        (Dispatch::ToChat { .. }, Some(alert), _) => {
            to_admins(tx, audience, alert, Some(reason), now)
        }
        (Dispatch::Update { card, .. }, _, Disposition::TooOldToUpdate) => {
            match chat_of(&owed.lane) {
                Some(chat) => {
                    let dispatch = Dispatch::ToChat { chat, card: card.clone() };
                    let message = NewMessage::new(&owed.lane, dispatch, now).for_alert(owed.alert);
                    tx.owe(message, now).map(drop)
                }
                None => tell_admins(tx, audience, owed, reason, now),
            }
        }
        // Whoever takes a message back does not wait for its answer.
        (Dispatch::Reply { .. } | Dispatch::Update { .. }, _, Disposition::MessageGone) => Ok(()),
        _ => tell_admins(tx, audience, owed, reason, now),
    }
}

fn with_card(dispatch: &Dispatch, card: String) -> Dispatch {
    match dispatch.clone() {
        Dispatch::ToChat { chat, .. } => Dispatch::ToChat { chat, card },
        Dispatch::ToPerson { person, .. } => Dispatch::ToPerson { person, card },
        Dispatch::Reply { to, .. } => Dispatch::Reply { to, card },
        Dispatch::Update { target, .. } => Dispatch::Update { target, card },
        Dispatch::Webhook { .. } => Dispatch::Webhook { card },
        secret @ Dispatch::Secret { .. } => secret,
        // It holds no card that could be refused.
        file @ Dispatch::File { .. } => file,
    }
}

fn tell_admins(
    tx: &WriteTx,
    audience: Audience<'_>,
    owed: &OwedMessage,
    reason: &str,
    now: Timestamp,
) -> Result<(), StoreError> {
    // Of a message to an administrator that cannot be delivered, nobody is told by another one.
    let to_admin = matches!(&owed.dispatch, Dispatch::ToPerson { person, .. } if audience.admins.contains(person));
    let told = tx.undelivered_told_at()?;
    if to_admin || told.is_some_and(|at| now.duration_since(at) < TOLD_EVERY) {
        return Ok(());
    }
    tx.put_undelivered_told_at(now)?;
    let words = audience.cards.words();
    let text = words.t("undelivered.text", &[("target", &owed.lane), ("reason", &reason)]);
    let title = words.t("undelivered.title", &[]);
    for admin in audience.admins {
        let card = audience.cards.message(Tone::Warning, &title, &text).into_string();
        let dispatch = Dispatch::ToPerson { person: admin.clone(), card };
        tx.owe(NewMessage::new(&person_lane(admin), dispatch, now), now)?;
    }
    Ok(())
}

/// The chat of a lane, if it is one of a chat or of its files.
pub fn chat_of(lane: &str) -> Option<ChatId> {
    let chat = message_lane(lane).strip_prefix(&chat_lane(""))?;
    ChatId::new(chat).ok()
}

#[cfg(test)]
mod tests {
    use super::super::file_lane;
    use super::*;

    #[test]
    fn a_chat_lane_names_its_chat() {
        assert_eq!(chat_of(&chat_lane("oc_1")).unwrap().as_str(), "oc_1");
        assert_eq!(chat_of(&file_lane(&chat_lane("oc_1"))).unwrap().as_str(), "oc_1");
        assert_eq!(chat_of("hook"), None);
        assert_eq!(chat_of("chat:"), None);
    }
}
