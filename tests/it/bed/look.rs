//! Reads what the store, the chats and the service hold.

use airgate::domain::{AlertKind, AlertRecord, Money, User};
use airgate::sandbox::feishu::{Message, Sender};
use airgate::store::StoreError;
use serde_json::Value;

use super::Bed;
use crate::shared::cards::{callback_values, field_of, text_of};
use crate::shared::environment::GROUP;
use crate::shared::samples::user_key;
use crate::shared::wait::{eventually, eventually_ok};

impl Bed {
    pub fn message(&self, message_id: &str) -> Message {
        self.feishu.message(message_id).unwrap()
    }

    /// What a person reads on a message now.
    pub fn texts(&self, message_id: &str) -> String {
        text_of(&self.message(message_id))
    }

    /// The callback values on a card now, in order.
    pub fn values(&self, message_id: &str) -> Vec<Value> {
        callback_values(&self.message(message_id))
    }

    /// What a form field of a card holds now, before anybody types.
    pub fn field(&self, message_id: &str, name: &str) -> Value {
        field_of(&self.message(message_id), name)
            .unwrap_or_else(|| panic!("no field {name} on {}", self.texts(message_id)))
    }

    /// Waits until a message shows a text.
    pub async fn shows(&self, message_id: &str, text: &str) -> Message {
        let what = format!("{text:?} on a card");
        eventually(&what, || self.texts(message_id).contains(text)).await;
        self.message(message_id)
    }

    /// Waits until a message shows one of several texts.
    pub async fn shows_one_of(&self, message_id: &str, texts: &[String]) -> Message {
        let what = format!("one of {texts:?} on a card");
        let is_shown = || {
            let shown = self.texts(message_id);
            texts.iter().any(|text| shown.contains(text))
        };
        eventually(&what, is_shown).await;
        self.message(message_id)
    }

    /// Waits until a message no longer shows a text.
    pub async fn no_longer_shows(&self, message_id: &str, text: &str) -> Message {
        let what = format!("{text:?} to leave a card");
        eventually(&what, || !self.texts(message_id).contains(text)).await;
        self.message(message_id)
    }

    /// Messages, changes of access and tasks that the service still has to deliver.
    pub fn owed(&self) -> usize {
        let count = self.store.read(|tx| {
            let messages = tx.owed_count()?;
            let messages = messages + tx.cards_due(1)?.len();
            Ok::<_, StoreError>(messages + tx.all_access_pending()?.len() + tx.tasks()?.len())
        });
        count.unwrap()
    }

    /// Waits until nothing is owed: no message, no change of access, no task.
    pub async fn settled(&self) {
        eventually_ok("nothing to be owed", async || match self.owed() {
            0 => Ok(()),
            owed => Err(format!("{owed} are")),
        })
        .await;
    }

    /// Waits until a condition on the bed holds.
    pub async fn eventually(&self, what: &str, condition: impl Fn(&Self) -> bool) {
        eventually(what, || condition(self)).await;
    }

    /// Waits until the service knows the bot's own id.
    pub async fn introduced(&self) {
        eventually("the bot's own id", || {
            self.store.read(|tx| tx.bot_open_id()).unwrap().is_some()
        })
        .await;
    }

    /// Waits until `/readyz` answers with this status; returns the reason it gives.
    pub async fn readyz_becomes(&self, wanted: u16) -> String {
        let what = format!("/readyz to answer {wanted}");
        eventually_ok(&what, async || {
            let (status, body) = self.get("/readyz").await;
            let body: Value = serde_json::from_str(&body).unwrap();
            let reason = body["reason"].as_str().unwrap_or_default().to_owned();
            if status == wanted { Ok(reason) } else { Err((status, reason)) }
        })
        .await
    }

    /// A user as stored.
    pub fn user(&self, user: &str) -> User {
        self.store.read(|tx| tx.user(&user_key(user))).unwrap().unwrap()
    }

    pub fn quota(&self, user: &str) -> String {
        self.user(user).quota.to_string()
    }

    pub fn consumed(&self, user: &str) -> String {
        self.user(user).consumed.to_string()
    }

    /// How many entries a user's ledger has, after checking that they add up to the quota.
    pub fn ledger_entries(&self, user: &str) -> usize {
        let (entries, count) =
            self.store.read(|tx| tx.ledger(&user_key(user), usize::MAX)).unwrap();
        assert_eq!(entries.len() as u64, count, "{user}");
        let sum: Money = entries.iter().map(|entry| entry.amount).sum();
        assert_eq!(sum, self.user(user).quota, "{user}: ledger and quota");
        entries.len()
    }

    /// A user's exact spending in a month on a project, or in total if the project is empty.
    pub fn amount(&self, user: &str, period: &str, project: &str) -> Option<String> {
        let records =
            self.store.read(|tx| tx.spending_of(&user_key(user), period.parse().unwrap()));
        records
            .unwrap()
            .into_iter()
            .find(|record| record.project.as_ref().map_or("", |name| name.as_str()) == project)
            .map(|record| record.amount.decimal().normalize().to_string())
    }

    /// Whether the cloud gives a user of `main` no access at all.
    pub fn is_cut_off(&self, username: &str) -> bool {
        self.cloud.read(|world| world.user("main", username).unwrap().is_cut_off())
    }

    /// Every alert record, oldest first.
    pub fn alert_records(&self) -> Vec<AlertRecord> {
        let (mut alerts, _) = self.store.read(|tx| tx.alerts(None, None, 0, 1000)).unwrap();
        alerts.reverse();
        alerts
    }

    /// The kinds of all alert records, oldest first.
    pub fn alert_kinds(&self) -> Vec<AlertKind> {
        self.alert_records().iter().map(|alert| alert.body.kind()).collect()
    }

    /// The messages of the alert group.
    pub fn alerts(&self) -> Vec<Message> {
        self.feishu.messages(GROUP)
    }

    /// The bot's messages in a chat, oldest first.
    pub fn by_the_bot(&self, chat: &str) -> Vec<Message> {
        let mut messages = self.feishu.messages(chat);
        messages.retain(|message| message.sender == Sender::Bot);
        messages
    }

    /// How many messages the bot has sent.
    pub fn sent_count(&self) -> usize {
        self.feishu.read(|state| {
            state.all_messages().iter().filter(|message| message.sender == Sender::Bot).count()
        })
    }

    /// How many of the bot's messages answer this one.
    pub fn replies_to(&self, message_id: &str) -> usize {
        self.feishu.read(|state| {
            let messages = state.all_messages().iter();
            messages
                .filter(|message| message.sender == Sender::Bot)
                .filter(|message| message.reply_to.as_deref() == Some(message_id))
                .count()
        })
    }

    /// How many requests Feishu has received at an endpoint.
    pub fn requests(&self, endpoint: &str) -> usize {
        self.feishu.requests().iter().filter(|request| request.endpoint == endpoint).count()
    }
}
