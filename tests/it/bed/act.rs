//! What people, platforms and time do to the service.

use std::time::Duration;

use airgate::domain::{CycleReport, Switch, User};
use airgate::sandbox::feishu::{ClickAction, ClickResult, Message, Sealed, SentEvent};
use serde_json::Value;

use super::Bed;
use crate::shared::configuration::NOWHERE;
use crate::shared::environment::ADMIN;
use crate::shared::samples::{self, user_key};
use crate::shared::text::phrase;
use crate::shared::wait::TIMEOUT;

impl Bed {
    /// Says something to the bot in the person's direct chat, and waits for the reply.
    pub async fn ask(&self, person: &str, text: &str) -> Message {
        let chat = self.feishu.direct_chat(person);
        self.ask_in(person, &chat, text, false).await
    }

    /// The same in any chat.
    pub async fn ask_in(&self, person: &str, chat: &str, text: &str, mention: bool) -> Message {
        let sent = self.feishu.say(person, chat, text, mention).await;
        assert_eq!(sent.status, Some(200), "{text}");
        self.reply_to(&sent).await.unwrap_or_else(|| panic!("no reply to {text:?}"))
    }

    /// Waits for the reply to a message.
    pub async fn reply_to(&self, sent: &SentEvent) -> Option<Message> {
        let id = sent.message_id.clone()?;
        self.feishu
            .wait_for(
                move |state| {
                    state
                        .all_messages()
                        .iter()
                        .find(|m| m.reply_to.as_deref() == Some(id.as_str()))
                        .cloned()
                },
                TIMEOUT,
            )
            .await
    }

    /// Reads users and projects into the store, by `/sync`.
    pub async fn sync(&self) -> Message {
        let reply = self.ask(ADMIN, "/sync").await;
        self.no_longer_shows(&reply.message_id, &phrase("processing.sync")).await
    }

    /// Runs one cycle to its end, and waits until nothing is owed.
    pub async fn cycle(&self) -> CycleReport {
        let report = self.service().monitor().cycle().await.unwrap();
        self.settled().await;
        report
    }

    /// Puts active users into the store, without a sync.
    pub fn add_users(&self, users: &[&str]) {
        samples::add_users(&self.store, users, self.clock.now());
    }

    /// Links a project, monitored; an empty `since` means the current period.
    pub fn link(&self, user: &str, project: &str, since: &str) {
        samples::link(&self.store, user, project, since, self.clock.now());
    }

    /// Switches the monitoring of a link.
    pub fn toggle(&self, user: &str, project: &str, monitored: bool) {
        let (project, now) = (project.parse().unwrap(), self.clock.now());
        let to = Switch::from(monitored);
        self.store
            .write(|tx| airgate::app::projects::toggle(tx, &user_key(user), &project, to, now))
            .unwrap();
    }

    pub fn allocate(&self, user: &str, amount: &str) {
        samples::allocate(&self.store, user, amount, "", self.clock.now());
    }

    /// Changes a user's record.
    pub fn change(&self, user: &str, change: impl FnOnce(&mut User)) {
        self.store
            .write(|tx| {
                let mut record = tx.user(&user_key(user))?.unwrap();
                change(&mut record);
                tx.put_user(&record)
            })
            .unwrap();
    }

    /// The event of a message that the service has not received yet.
    pub async fn unsent(&self, person: &str, chat: &str, text: &str) -> SentEvent {
        self.feishu.set_service_url(NOWHERE);
        let sent = self.feishu.say(person, chat, text, false).await;
        assert_eq!(sent.status, None);
        self.feishu.set_service_url(&self.url(""));
        sent
    }

    /// Posts a body unchanged. Returns the status and the answer's JSON, null if it is none.
    pub async fn post(&self, path: &str, sealed: Sealed) -> (u16, Value) {
        let mut request = reqwest::Client::new().post(self.url(path)).body(sealed.body);
        for (name, value) in sealed.headers {
            request = request.header(name, value);
        }
        let response = request.send().await.unwrap();
        let status = response.status().as_u16();
        (status, response.json().await.unwrap_or_default())
    }

    /// The status and text of a page.
    pub async fn get(&self, path: &str) -> (u16, String) {
        let response = reqwest::get(self.url(path)).await.unwrap();
        (response.status().as_u16(), response.text().await.unwrap())
    }

    /// Presses the button whose callback value has all members of `wanted`.
    pub async fn press(&self, person: &str, message_id: &str, wanted: Value) -> ClickResult {
        let button = self
            .feishu
            .find_button(message_id, |value| has(value, &wanted))
            .unwrap_or_else(|| panic!("no button {wanted} on {}", self.texts(message_id)));
        answered(self.feishu.click(person, message_id, button).await)
    }

    /// Fills in and sends the form whose submit button has this action.
    pub async fn submit(
        &self,
        person: &str,
        message_id: &str,
        action: &str,
        fields: Value,
    ) -> ClickResult {
        let fields = fields.as_object().unwrap().clone();
        let wanted = |value: &Value| value["action"] == action;
        answered(self.feishu.form_click(person, message_id, wanted, fields).await)
    }

    /// A click with this value and these form fields, whether or not the card has such a button.
    pub async fn forged(
        &self,
        person: &str,
        message_id: &str,
        value: Value,
        form: Option<Value>,
    ) -> ClickResult {
        let action = ClickAction {
            tag: "button".to_owned(),
            value: Some(value),
            name: form.as_ref().map(|_| "submit".to_owned()),
            form_value: form.and_then(|form| form.as_object().cloned()),
            ..ClickAction::default()
        };
        answered(self.feishu.click_raw(person, message_id, action).await)
    }
}

/// Whether a callback's value has all members of `wanted`.
pub fn has(value: &Value, wanted: &Value) -> bool {
    wanted.as_object().unwrap().iter().all(|(name, member)| value.get(name) == Some(member))
}

/// A click that was answered as `docs/behaviour.md` says: 200, with a valid card or toast, within 1 s.
pub fn answered(result: ClickResult) -> ClickResult {
    assert_eq!((result.status, result.error.as_deref()), (Some(200), None), "{result:?}");
    assert!(result.elapsed < Duration::from_secs(1), "{result:?}");
    result
}

/// The toast of a click after its kind, as `error: …`; empty without one.
pub fn toast_of(result: &ClickResult) -> String {
    let toast = result.toast.as_ref();
    toast.map(|toast| format!("{}: {}", toast.kind, toast.content)).unwrap_or_default()
}
