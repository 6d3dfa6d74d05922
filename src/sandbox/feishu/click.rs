//! A person acts on a card (处理卡片回调, 卡片回传交互回调).

use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};

use super::core::{Change, TENANT};
use super::form::{self, ClickAction, NoSuchComponent};
use super::handle::FakeFeishu;
use super::http::Reply;
use super::quirks::{Quirks, Unticked};
use super::state::{CARD_LIFE, Message, Sender};
use super::{cards, wire};

/// The toast shown after a click.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShownToast {
    /// `info`, `success`, `error` or `warning`.
    pub kind: String,
    /// Its text.
    pub content: String,
}

/// The outcome of a click.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ClickResult {
    /// HTTP status of the service's answer; `None` if there was none, or nothing was sent.
    pub status: Option<u16>,
    /// The toast, if any.
    pub toast: Option<ShownToast>,
    /// Whether the answer replaced the card.
    pub card_updated: bool,
    /// The error that the person sees: the platform's code and text (`200341 …`), or why the client sent nothing.
    pub error: Option<String>,
    /// How long the answer took.
    pub elapsed: Duration,
}

impl ClickResult {
    fn failed(error: impl ToString) -> Self {
        Self { error: Some(error.to_string()), ..Self::default() }
    }
}

/// The action as it arrives.
fn quirky(action: ClickAction, quirks: &Quirks) -> ClickAction {
    let value = match action.value {
        Some(_) if quirks.submits_lack_value && action.form_value.is_some() => None,
        Some(value) if quirks.values_are_text => Some(Value::from(value.to_string())),
        value => value,
    };
    let form_value = action.form_value.map(|form| quirky_form(form, quirks));
    ClickAction { value, form_value, ..action }
}

fn quirky_form(mut form: Map<String, Value>, quirks: &Quirks) -> Map<String, Value> {
    form.retain(|_, value| match value {
        Value::Bool(false) => quirks.unticked != Unticked::Missing,
        Value::String(text) => !(text.is_empty() && quirks.empty_fields_are_left_out),
        _ => true,
    });
    for value in form.values_mut() {
        if *value == Value::Bool(false) && quirks.unticked == Unticked::Empty {
            *value = Value::from("");
        }
    }
    form
}

impl FakeFeishu {
    /// A person acts on a component of the current card. If it is missing or disabled, or a required field is empty,
    /// nothing is sent: `error` says why and `status` is `None`.
    pub async fn click(&self, person: &str, message_id: &str, action: ClickAction) -> ClickResult {
        let allowed = self.card(message_id).and_then(|card| {
            form::allows(&card, &action)?;
            self.submits(&card, &action)
        });
        match allowed {
            Ok(()) => self.click_raw(person, message_id, action).await,
            Err(refusal) => ClickResult::failed(refusal),
        }
    }

    /// Sends any action on any message, as a forged or outdated client might do.
    pub async fn click_raw(
        &self,
        person: &str,
        message_id: &str,
        action: ClickAction,
    ) -> ClickResult {
        let Some(message) = self.message(message_id) else {
            return ClickResult::failed(NoSuchComponent::NoCard(message_id.to_owned()));
        };
        let quirks = self.read(|state| state.quirks.clone());
        let event = json!({
            "operator": self.operator(person, &quirks),
            "token": wire::fresh_id("c-"),
            "action": action_json(&quirky(action, &quirks)),
            "host": "im_message",
            "context": {"open_message_id": message_id, "open_chat_id": message.chat_id},
        });
        let now = self.core.now();
        let micros = now.as_microsecond().to_string();
        let envelope = self.envelope("card.action.trigger", &micros, event);

        // Held until the answer is applied, or this future is dropped.
        let lock = CardLock::take(self, message_id);
        let start = Instant::now();
        let reply = if self.core.connections.subscribed() {
            let kind = if quirks.clicks_are_card_frames { "card" } else { "event" };
            self.core.connections.push(&envelope, kind, self.core.config.reply_timeout).await
        } else {
            let nonce = uuid::Uuid::new_v4().to_string();
            self.post("/feishu/card", self.seal_as(&envelope, wire::go_time(now), nonce)).await
        };
        let elapsed = start.elapsed();
        let result = self.take_answer(&message, reply);
        drop(lock);
        if result.card_updated {
            self.core.tell(Change::Updated(message_id.to_owned()));
        }
        ClickResult { elapsed, ..result }
    }

    /// A click on the first button (or interactive container) outside forms whose callback value `wanted` accepts.
    pub fn find_button(
        &self,
        message_id: &str,
        wanted: impl Fn(&Value) -> bool,
    ) -> Option<ClickAction> {
        form::find_button(&self.card(message_id).ok()?, wanted)
    }

    /// The action of pressing the submit button that `wanted` accepts: the form's initial values, overridden by `fields`.
    ///
    /// # Errors
    /// Why the client would send nothing.
    pub fn fill_form(
        &self,
        message_id: &str,
        wanted: impl Fn(&Value) -> bool,
        fields: Map<String, Value>,
    ) -> Result<ClickAction, NoSuchComponent> {
        let card = self.card(message_id)?;
        let action = form::submit(&card, wanted, &fields)?;
        self.submits(&card, &action)?;
        Ok(action)
    }

    /// Fills a form and presses its submit button; `wanted` gets the button's callback value (null if it
    /// has none). Like [`FakeFeishu::click`], refuses what the client would not send.
    pub async fn form_click(
        &self,
        person: &str,
        message_id: &str,
        wanted: impl Fn(&Value) -> bool,
        fields: Map<String, Value>,
    ) -> ClickResult {
        match self.fill_form(message_id, wanted, fields) {
            Ok(action) => self.click_raw(person, message_id, action).await,
            Err(refusal) => ClickResult::failed(refusal),
        }
    }

    /// Whether the client submits the form, for a submit button (docs/platforms/feishu.md §9.1).
    fn submits(&self, card: &Value, action: &ClickAction) -> Result<(), NoSuchComponent> {
        if self.read(|state| state.quirks.bare_checkers_submit) {
            return Ok(());
        }
        form::has_no_bare_checker(card, action)
    }

    /// The card of a message, if it accepts clicks.
    fn card(&self, message_id: &str) -> Result<Value, NoSuchComponent> {
        let none = |why: &str| NoSuchComponent::NoCard(format!("{message_id} {why}"));
        let message = self.message(message_id).ok_or_else(|| none("does not exist"))?;
        if message.sender != Sender::Bot {
            return Err(none("was not sent by the app; it never calls back"));
        }
        if !message.is_card() || message.recalled {
            return Err(none("is no card, or was recalled"));
        }
        if self.core.now().duration_since(message.created_at) > CARD_LIFE {
            return Err(none("is older than 14 days"));
        }
        Ok(message.json())
    }

    fn operator(&self, person: &str, quirks: &Quirks) -> Value {
        let mut operator = self.read(|state| state.ids_of(person));
        if let Some(members) = operator.as_object_mut() {
            members.remove("user_id");
        }
        if quirks.operators_are_nested {
            operator = json!({ "user_id": operator });
        }
        if let Some(members) = operator.as_object_mut() {
            members.insert("tenant_key".to_owned(), Value::from(TENANT));
        }
        operator
    }

    /// Applies the service's answer to the message.
    fn take_answer(&self, message: &Message, reply: Reply) -> ClickResult {
        let (status, body) = match reply {
            Reply::TimedOut => return ClickResult::failed("200341 no answer within 3 s"),
            Reply::NoConnection if self.core.connections.subscribed() => {
                return ClickResult::failed("200340 nobody is connected");
            }
            Reply::NoConnection if self.core.service_url.lock().is_none() => {
                return ClickResult::failed("200340 no callback address");
            }
            Reply::NoConnection => return ClickResult::failed("200342 no connection"),
            Reply::Answered { status, body } => (status, body),
        };
        let failed = |error: String| ClickResult {
            status: Some(status),
            error: Some(error),
            ..ClickResult::default()
        };
        if status != 200 {
            return failed(format!("200671 HTTP {status}"));
        }
        let answer: Value = serde_json::from_str(&body).unwrap_or(Value::Null);
        let card = answer.pointer("/card/data").cloned();
        if let Err(faults) = cards::check_callback_answer(&body) {
            let old = card
                .as_ref()
                .is_some_and(|card| card.get("schema").and_then(Value::as_str) != Some("2.0"));
            // A fault inside `card` is a bad card, any other a bad answer.
            let shape = faults.iter().find(|fault| !fault.path.starts_with("/card"));
            let (code, first) = match shape {
                Some(fault) => (200_672, Some(fault)),
                None if old => (200_830, faults.first()),
                None => (200_673, faults.first()),
            };
            let words = first.map(ToString::to_string).unwrap_or_default();
            tracing::warn!(code, words, "a callback's answer was refused");
            return failed(format!("{code} {words}"));
        }
        if answer.pointer("/card/type").and_then(Value::as_str) == Some("template") {
            return failed("200673 no such template".to_owned());
        }
        let now = self.core.now();
        let card_updated = card.is_some_and(|card| {
            self.core.change(|state| {
                let standing =
                    state.message_mut(&message.message_id).filter(|message| !message.recalled);
                match standing {
                    Some(message) => message.replace_content(card.to_string(), now),
                    None => return false,
                }
                true
            })
        });
        ClickResult {
            status: Some(status),
            toast: answer.get("toast").map(|toast| {
                let text = |name| toast.get(name).and_then(Value::as_str);
                ShownToast {
                    kind: text("type").unwrap_or("info").to_owned(),
                    content: text("content").unwrap_or_default().to_owned(),
                }
            }),
            card_updated,
            ..ClickResult::default()
        }
    }
}

/// `event.action`, with the client's time zone for the components that carry it.
fn action_json(action: &ClickAction) -> Value {
    let mut json = serde_json::to_value(action).unwrap_or_default();
    let zoned = matches!(
        action.tag.as_str(),
        "button" | "interactive_container" | "date_picker" | "picker_time" | "picker_datetime"
    );
    if let (true, Some(json)) = (zoned, json.as_object_mut()) {
        json.insert("timezone".to_owned(), Value::from("Asia/Shanghai"));
    }
    json
}

/// Locks a card against other updates while a click is handled.
struct CardLock<'a> {
    feishu: &'a FakeFeishu,
    message_id: &'a str,
}

impl<'a> CardLock<'a> {
    fn take(feishu: &'a FakeFeishu, message_id: &'a str) -> Self {
        let lock = Self { feishu, message_id };
        lock.count(|locks| locks.saturating_add(1));
        lock
    }

    fn count(&self, change: impl FnOnce(u32) -> u32) {
        self.feishu.core.change(|state| {
            if let Some(message) = state.message_mut(self.message_id) {
                message.locks = change(message.locks);
            }
        });
    }
}

impl Drop for CardLock<'_> {
    fn drop(&mut self) {
        self.count(|locks| locks.saturating_sub(1));
    }
}
