//! Raising an alert: the record and its messages, in one transaction.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::Timestamp;

use super::lanes::{HOOK_LANE, chat_lane, person_lane};
use crate::app::group_roles::RoleGroups;
use crate::app::people::OwnerNotice;
use crate::app::settings::settings_in_force;
use crate::app::users;
use crate::cards::{AlertVia, Cards, Wording};
use crate::domain::{AlertBody, AlertRecord, Dispatch, OpenId, Settings, UserKey};
use crate::store::{NewMessage, Source, StoreError, View, WriteTx};

/// Raises alerts, and knows who receives them. Clones are cheap.
#[derive(Clone)]
pub struct Alerts {
    cards: Arc<Cards>,
    configured: Arc<Settings>,
    admins: Arc<[OpenId]>,
    groups: RoleGroups,
}

impl Alerts {
    /// Sends alerts as cards to the chat and webhook of the settings in force, or to `admins` if neither is set.
    pub fn new(cards: Arc<Cards>, configured: Settings, admins: Vec<OpenId>) -> Self {
        let (configured, groups) = (Arc::new(configured), RoleGroups::default());
        Self { cards, configured, admins: admins.into(), groups }
    }

    /// Counts the members of groups as administrators, too.
    #[must_use]
    pub fn with_groups(self, groups: RoleGroups) -> Self {
        Self { groups, ..self }
    }

    /// Returns the settings in force: what was saved in chat takes precedence over the configuration.
    pub fn settings_in_force<S: Source>(&self, tx: &View<S>) -> Result<Settings, StoreError> {
        settings_in_force(tx, &self.configured)
    }

    /// Returns the wording of the cards.
    pub fn words(&self) -> Wording {
        self.cards.words()
    }

    /// Returns what makes the cards.
    pub(super) fn cards(&self) -> &Cards {
        &self.cards
    }

    /// Returns the configuration's settings, for when the store cannot be read.
    pub fn configured(&self) -> &Settings {
        &self.configured
    }

    /// Returns whether this person is an administrator.
    pub(super) fn is_admin(&self, person: &OpenId, now: Timestamp) -> bool {
        self.admins(now).contains(person)
    }

    /// Returns the administrators.
    pub(super) fn admins(&self, now: Timestamp) -> BTreeSet<OpenId> {
        self.admins.iter().cloned().chain(self.groups.admins(now)).collect()
    }

    /// Adds an alert record and enqueues its delivery to the alert chat and the webhook. If neither is set, each
    /// administrator receives it.
    pub fn raise(
        &self,
        tx: &WriteTx,
        user: Option<&UserKey>,
        body: AlertBody,
        now: Timestamp,
    ) -> Result<AlertRecord, StoreError> {
        let alert = record(tx, user, body, now)?;
        let settings = self.settings_in_force(tx)?;
        if let Some(chat) = &settings.alert_chat {
            let card = self.card(tx, &settings, &alert, AlertVia::Chat, None)?;
            let dispatch = Dispatch::ToChat { chat: chat.clone(), card };
            enqueue(tx, &settings, &alert, &chat_lane(chat.as_str()), dispatch, now)?;
        }
        if settings.webhook_url.is_some() {
            let card = self.card(tx, &settings, &alert, AlertVia::Webhook, None)?;
            enqueue(tx, &settings, &alert, HOOK_LANE, Dispatch::Webhook { card }, now)?;
        }
        if settings.alert_chat.is_none() && settings.webhook_url.is_none() {
            self.to_admins(tx, &settings, &alert, None, now)?;
        }
        if let (Some(user), Some(notice)) = (user, owners_notice(&alert)) {
            self.tell_owner(tx, user, &notice, now)?;
        }
        Ok(alert)
    }

    /// Adds an alert record without telling anyone: a person caused it, and sees it on the card.
    pub fn note(
        &self,
        tx: &WriteTx,
        user: &UserKey,
        body: AlertBody,
        now: Timestamp,
    ) -> Result<AlertRecord, StoreError> {
        record(tx, Some(user), body, now)
    }

    /// Enqueues an alert to each administrator's direct chat, with the reason if it could not be delivered elsewhere.
    pub(super) fn to_admins(
        &self,
        tx: &WriteTx,
        settings: &Settings,
        alert: &AlertRecord,
        reason: Option<&str>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        for admin in &self.admins(now) {
            let card = self.card(tx, settings, alert, AlertVia::Chat, reason)?;
            let dispatch = Dispatch::ToPerson { person: admin.clone(), card };
            enqueue(tx, settings, alert, &person_lane(admin), dispatch, now)?;
        }
        Ok(())
    }

    fn card(
        &self,
        tx: &WriteTx,
        settings: &Settings,
        alert: &AlertRecord,
        via: AlertVia,
        reason: Option<&str>,
    ) -> Result<String, StoreError> {
        let user = match &alert.user {
            Some(key) => tx.user(key)?,
            None => None,
        };
        let detail = match user {
            Some(user) => Some(users::detail(tx, settings, user, alert.at)?),
            None => None,
        };
        Ok(self.cards.alert(alert, detail.as_ref(), via, reason).into_string())
    }
}

/// Returns what the user's owner is told of an alert: warnings, cuts and forecasts; errors are for administrators.
fn owners_notice(alert: &AlertRecord) -> Option<OwnerNotice> {
    match alert.body {
        AlertBody::Warning { .. } | AlertBody::Disable { .. } | AlertBody::Forecast { .. } => {
            Some(OwnerNotice::Alert(alert.clone()))
        }
        AlertBody::Error { .. } | AlertBody::Manual { .. } => None,
    }
}

fn record(
    tx: &WriteTx,
    user: Option<&UserKey>,
    body: AlertBody,
    now: Timestamp,
) -> Result<AlertRecord, StoreError> {
    let alert = tx.add_alert(user, body, now)?;
    metrics::counter!("airgate_alerts_total", "type" => alert.body.kind().word()).increment(1);
    Ok(alert)
}

fn enqueue(
    tx: &WriteTx,
    settings: &Settings,
    alert: &AlertRecord,
    lane: &str,
    dispatch: Dispatch,
    now: Timestamp,
) -> Result<(), StoreError> {
    let mention_mobiles = match dispatch {
        Dispatch::ToPerson { .. } => Vec::new(),
        _ => settings.mobiles.clone(),
    };
    let message =
        NewMessage::new(lane, dispatch, now).for_alert(Some(alert.id)).mentioning(mention_mobiles);
    tx.owe(message, now)?;
    Ok(())
}
