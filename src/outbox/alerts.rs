//! Raising an alert: the record and its messages, in one transaction. Later transactions add to its card what was done about
//! it.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::lanes::{HOOK_LANE, chat_lane, person_lane};
use super::shown::ShownCards;
use crate::app::group_roles::RoleGroups;
use crate::app::outcome::UserDetail;
use crate::app::people::OwnerNotice;
use crate::app::settings::settings_in_force;
use crate::app::users;
use crate::cards::{AlertVia, Card, Cards, Wording};
use crate::domain::{
    AccessGoal, Act, AlertBody, AlertRecord, Deed, Dispatch, OpenId, Operator, Settings,
    UpdateTarget, UserKey, Warned,
};
use crate::store::{AlertPost, NewMessage, Source, StoreError, View, WriteTx};

/// From this many on, the users that are warned in one cycle share a card.
pub const TOLD_TOGETHER: usize = 5;
/// How many of a user's cards in a chat are brought up to date.
const UPDATED_IN_A_CHAT: usize = 3;
/// How many of a user's alerts are searched for them.
const SEARCHED: usize = 20;
/// Feishu updates a card for 14 days ("Update app card"); the margin is for a slow delivery.
const CAN_BE_UPDATED: SignedDuration = SignedDuration::from_hours(13 * 24);

/// Raises alerts, and knows who receives them. Clones are cheap.
#[derive(Clone)]
pub struct Alerts {
    cards: Arc<Cards>,
    configured: Arc<Settings>,
    admins: Arc<[OpenId]>,
    viewers: Arc<[OpenId]>,
    groups: RoleGroups,
    shown: ShownCards,
}

impl Alerts {
    /// Sends alerts as cards to the chat and webhook of the settings in force, or to `admins` if neither is set.
    pub fn new(cards: Arc<Cards>, configured: Settings, admins: Vec<OpenId>) -> Self {
        let (configured, groups) = (Arc::new(configured), RoleGroups::default());
        let shown = ShownCards::default();
        Self { cards, configured, admins: admins.into(), viewers: Arc::default(), groups, shown }
    }

    /// Knows who may read besides the administrators.
    #[must_use]
    pub fn with_viewers(self, viewers: Vec<OpenId>) -> Self {
        Self { viewers: viewers.into(), ..self }
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

    /// Returns what the cards in chats show.
    pub(super) fn shown(&self) -> &ShownCards {
        &self.shown
    }

    /// Returns the configuration's settings, for when the store cannot be read.
    pub fn configured(&self) -> &Settings {
        &self.configured
    }

    /// Returns whether this person is an administrator.
    pub(super) fn is_admin(&self, person: &OpenId, now: Timestamp) -> bool {
        self.admins(now).contains(person)
    }

    /// Returns whether this person has a role.
    pub(super) fn may_read(&self, person: &OpenId, now: Timestamp) -> bool {
        self.admins.contains(person)
            || self.viewers.contains(person)
            || self.groups.people(now).contains(person)
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
        self.post(tx, &alert, now)?;
        Ok(alert)
    }

    /// Adds the record of a warning that is told together with others by [`Alerts::tell_together`]. Until then, the record
    /// waits in the store: a process that ends in between loses none.
    pub fn warn_together(
        &self,
        tx: &WriteTx,
        user: &UserKey,
        body: AlertBody,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let alert = record(tx, Some(user), body, now)?;
        let mut waiting = tx.told_together()?;
        waiting.push(alert.id);
        tx.put_told_together(&waiting)
    }

    /// Tells of the warnings that wait: on one card, or each on its own if they are few.
    pub fn tell_together(&self, tx: &WriteTx, now: Timestamp) -> Result<(), StoreError> {
        let waiting = tx.told_together()?;
        tx.put_told_together(&[])?;
        let alerts = waiting.iter().filter_map(|id| tx.alert(*id).transpose());
        let alerts = alerts.collect::<Result<Vec<_>, _>>()?;
        if alerts.len() < TOLD_TOGETHER {
            for alert in &alerts {
                self.post(tx, alert, now)?;
            }
            return Ok(());
        }
        let mut users: Vec<Warned> = alerts.iter().filter_map(Warned::of).collect();
        users.sort_by(|a, b| {
            let of = |it: &Warned| it.usage().percent();
            of(b).cmp(&of(a)).then_with(|| a.user.cmp(&b.user))
        });
        // Their owners are told one by one.
        for alert in &alerts {
            self.tell_owner_of(tx, alert, now)?;
        }
        let alerts = alerts.iter().map(|alert| alert.id).collect();
        let told = tx.add_alert(None, AlertBody::Warnings { alerts, users }, now)?;
        self.post(tx, &told, now)
    }

    /// Enqueues the delivery of an alert that was recorded.
    fn post(&self, tx: &WriteTx, alert: &AlertRecord, now: Timestamp) -> Result<(), StoreError> {
        let settings = self.settings_in_force(tx)?;
        if let (Some(user), AlertBody::Disable { .. }) = (&alert.user, &alert.body) {
            let deed = Deed::Access { goal: AccessGoal::Cut };
            let step = Act { deed, by: Operator::System, at: now };
            self.update(tx, &settings, user, Some(&step), Some(alert.id), now)?;
        }
        if let Some(chat) = &settings.alert_chat {
            let card = self.card(tx, &settings, alert, AlertVia::Chat, None)?;
            let dispatch = Dispatch::ToChat { chat: chat.clone(), card };
            enqueue(tx, &settings, alert, &chat_lane(chat.as_str()), dispatch, None, now)?;
        }
        if settings.webhook_url.is_some() {
            let card = self.card(tx, &settings, alert, AlertVia::Webhook, None)?;
            enqueue(tx, &settings, alert, HOOK_LANE, Dispatch::Webhook { card }, None, now)?;
        }
        if settings.alert_chat.is_none() && settings.webhook_url.is_none() {
            self.to_admins(tx, &settings, alert, None, now)?;
        }
        self.tell_owner_of(tx, alert, now)
    }

    /// Tells the owner of an alert's user about it, if it is for owners.
    fn tell_owner_of(
        &self,
        tx: &WriteTx,
        alert: &AlertRecord,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        match (&alert.user, owners_notice(alert)) {
            (Some(user), Some(notice)) => self.tell_owner(tx, user, &notice, now),
            _ => Ok(()),
        }
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
            enqueue(tx, settings, alert, &person_lane(admin), dispatch, reason, now)?;
        }
        Ok(())
    }

    /// Adds a step to the latest alerts of a user and brings their cards up to date, the last ones of each chat. The caller
    /// wakes the outbox.
    pub fn follow_up(
        &self,
        tx: &WriteTx,
        user: &UserKey,
        step: &Act,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.update(tx, &self.settings_in_force(tx)?, user, Some(step), None, now)
    }

    /// Brings the cards of the latest alerts of a user up to date.
    pub fn refresh(&self, tx: &WriteTx, user: &UserKey, now: Timestamp) -> Result<(), StoreError> {
        self.update(tx, &self.settings_in_force(tx)?, user, None, None, now)
    }

    /// Returns the card of an alert as it is now, for the message in which it was clicked.
    pub fn card_now<S: Source>(
        &self,
        tx: &View<S>,
        alert: u64,
        now: Timestamp,
    ) -> Result<Option<Card>, StoreError> {
        let Some(alert) = tx.alert(alert)? else { return Ok(None) };
        let settings = self.settings_in_force(tx)?;
        self.card_at(tx, &settings, &alert, AlertVia::Chat, None, now).map(Some)
    }

    fn update(
        &self,
        tx: &WriteTx,
        settings: &Settings,
        user: &UserKey,
        step: Option<&Act>,
        except: Option<u64>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let (recent, _) = tx.alerts(Some(user), None, 0, SEARCHED)?;
        let mut in_chat: HashMap<String, usize> = HashMap::new();
        for mut alert in recent {
            let is_young = now.duration_since(alert.at) < CAN_BE_UPDATED;
            // Nothing was done about it: its card is as it was posted.
            let is_untouched = step.is_none() && alert.steps.is_empty();
            let is_left_out = is_untouched || Some(alert.id) == except;
            if !is_young || !alert.takes_steps(now) || is_left_out {
                continue;
            }
            let mut posts = tx.alert_posts(alert.id)?;
            posts.retain(|(_, post)| {
                let count = in_chat.entry(post.lane.clone()).or_default();
                *count += 1;
                *count <= UPDATED_IN_A_CHAT
            });
            if posts.is_empty() {
                continue;
            }
            if let Some(step) = step {
                alert.add_step(step.clone());
            }
            let closed = self.is_closed(tx, settings, &alert, now)?;
            alert.closed = closed.then(|| alert.closed.unwrap_or(now));
            tx.put_alert(&alert)?;
            for (owed, post) in posts {
                self.owe_update(tx, settings, &alert, owed, &post, now)?;
            }
        }
        Ok(())
    }

    fn is_closed(
        &self,
        tx: &WriteTx,
        settings: &Settings,
        alert: &AlertRecord,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let detail = detail_of(tx, settings, alert, now)?;
        Ok(detail.is_some_and(|detail| alert.standing(detail.situation()).is_closed()))
    }

    /// Enqueues the card as it is now, unless the message will never be there.
    fn owe_update(
        &self,
        tx: &WriteTx,
        settings: &Settings,
        alert: &AlertRecord,
        owed: u64,
        post: &AlertPost,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let target = match tx.sent_as(owed)? {
            Some(id) => UpdateTarget::Message { id },
            None if tx.owed(&post.lane, owed)?.is_some() => UpdateTarget::SentBy { owed },
            None => return Ok(()),
        };
        let fallback = post.fallback.as_deref();
        let card = self.card_at(tx, settings, alert, AlertVia::Chat, fallback, now)?.into_string();
        let message = NewMessage::new(&post.lane, Dispatch::Update { target, card }, now);
        tx.owe(message, now).map(drop)
    }

    fn card(
        &self,
        tx: &WriteTx,
        settings: &Settings,
        alert: &AlertRecord,
        via: AlertVia,
        reason: Option<&str>,
    ) -> Result<String, StoreError> {
        Ok(self.card_at(tx, settings, alert, via, reason, alert.at)?.into_string())
    }

    fn card_at<S: Source>(
        &self,
        tx: &View<S>,
        settings: &Settings,
        alert: &AlertRecord,
        via: AlertVia,
        reason: Option<&str>,
        now: Timestamp,
    ) -> Result<Card, StoreError> {
        let detail = detail_of(tx, settings, alert, now)?;
        Ok(self.cards.alert(alert, detail.as_ref(), via, reason))
    }
}

/// Returns the user of an alert as they are now.
fn detail_of<S: Source>(
    tx: &View<S>,
    settings: &Settings,
    alert: &AlertRecord,
    now: Timestamp,
) -> Result<Option<UserDetail>, StoreError> {
    let Some(key) = &alert.user else { return Ok(None) };
    let Some(user) = tx.user(key)? else { return Ok(None) };
    users::detail(tx, settings, user, now).map(Some)
}

/// Returns what the user's owner is told of an alert: warnings, cuts and forecasts; errors are for administrators.
fn owners_notice(alert: &AlertRecord) -> Option<OwnerNotice> {
    match alert.body {
        AlertBody::Warning { .. } | AlertBody::Disable { .. } | AlertBody::Forecast { .. } => {
            Some(OwnerNotice::Alert(alert.clone()))
        }
        AlertBody::Error { .. } | AlertBody::Manual { .. } | AlertBody::Warnings { .. } => None,
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
    reason: Option<&str>,
    now: Timestamp,
) -> Result<(), StoreError> {
    let can_be_updated = !matches!(dispatch, Dispatch::Webhook { .. });
    let (mobiles, people) = match dispatch {
        Dispatch::ToPerson { .. } => (Vec::new(), Vec::new()),
        _ => (settings.mobiles.clone(), settings.people.clone()),
    };
    let message = NewMessage::new(lane, dispatch, now)
        .for_alert(Some(alert.id))
        .mentioning(mobiles)
        .mentioning_people(people);
    let owed = tx.owe(message, now)?;
    if can_be_updated && alert.is_incident() {
        let post = AlertPost { lane: lane.to_owned(), fallback: reason.map(str::to_owned) };
        tx.put_alert_post(alert.id, owed, &post)?;
    }
    Ok(())
}
