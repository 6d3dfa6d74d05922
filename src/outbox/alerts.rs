//! Raising an alert: the record and what is owed for it, in one transaction.

use jiff::Timestamp;

use super::{HOOK_LANE, chat_lane, person_lane};
use crate::app::users;
use crate::cards::{AlertVia, Cards};
use crate::domain::{AlertBody, AlertRecord, Dispatch, OpenId, Settings, UserKey};
use crate::store::{NewMessage, StoreError, WriteTx};

/// Who hears of an alert.
#[derive(Clone, Copy)]
pub struct Audience<'a> {
    /// Makes the card.
    pub cards: &'a Cards,
    /// Settings in force: chat, webhook, people to mention.
    pub settings: &'a Settings,
    /// Who gets it where neither chat nor webhook is set.
    pub admins: &'a [OpenId],
}

/// Adds an alert record and owes its delivery: to the alert chat and the webhook; where neither is set, to each
/// administrator.
///
/// # Errors
/// The store's.
pub fn raise(
    tx: &WriteTx,
    audience: Audience<'_>,
    user: Option<&UserKey>,
    body: AlertBody,
    now: Timestamp,
) -> Result<AlertRecord, StoreError> {
    let alert = tx.add_alert(user, body, now)?;
    count(&alert);
    let settings = audience.settings;
    if let Some(chat) = &settings.alert_chat {
        let card = card(tx, audience, &alert, AlertVia::Chat, None)?;
        let dispatch = Dispatch::ToChat { chat: chat.clone(), card };
        owe(tx, audience, &alert, chat_lane(chat.as_str()), dispatch, now)?;
    }
    if settings.webhook_url.is_some() {
        let card = card(tx, audience, &alert, AlertVia::Webhook, None)?;
        owe(tx, audience, &alert, HOOK_LANE.to_owned(), Dispatch::Webhook { card }, now)?;
    }
    if settings.alert_chat.is_none() && settings.webhook_url.is_none() {
        to_admins(tx, audience, &alert, None, now)?;
    }
    Ok(alert)
}

/// Adds an alert record that nobody has to be told of: a person did it, and sees it on the card.
///
/// # Errors
/// The store's.
pub fn note(
    tx: &WriteTx,
    user: &UserKey,
    body: AlertBody,
    now: Timestamp,
) -> Result<AlertRecord, StoreError> {
    let alert = tx.add_alert(Some(user), body, now)?;
    count(&alert);
    Ok(alert)
}

fn count(alert: &AlertRecord) {
    metrics::counter!("airgate_alerts_total", "type" => alert.body.kind().word()).increment(1);
}

/// Owes an alert to each administrator's direct chat.
///
/// # Errors
/// The store's.
pub(super) fn to_admins(
    tx: &WriteTx,
    audience: Audience<'_>,
    alert: &AlertRecord,
    reason: Option<&str>,
    now: Timestamp,
) -> Result<(), StoreError> {
    for admin in audience.admins {
        let card = card(tx, audience, alert, AlertVia::Chat, reason)?;
        let dispatch = Dispatch::ToPerson { person: admin.clone(), card };
        owe(tx, audience, alert, person_lane(admin), dispatch, now)?;
    }
    Ok(())
}

fn card(
    tx: &WriteTx,
    audience: Audience<'_>,
    alert: &AlertRecord,
    via: AlertVia,
    reason: Option<&str>,
) -> Result<String, StoreError> {
    let user = match &alert.user {
        Some(key) => tx.user(key)?,
        None => None,
    };
    let detail = match user {
        Some(user) => Some(users::detail(tx, audience.settings, user)?),
        None => None,
    };
    Ok(audience.cards.alert(alert, detail.as_ref(), via, reason).into_string())
}

fn owe(
    tx: &WriteTx,
    audience: Audience<'_>,
    alert: &AlertRecord,
    lane: String,
    dispatch: Dispatch,
    now: Timestamp,
) -> Result<(), StoreError> {
    let mention_mobiles = match dispatch {
        Dispatch::ToPerson { .. } => Vec::new(),
        _ => audience.settings.mobiles.clone(),
    };
    let message =
        NewMessage::new(&lane, dispatch, now).for_alert(Some(alert.id)).mentioning(mention_mobiles);
    tx.owe(message, now)?;
    Ok(())
}
