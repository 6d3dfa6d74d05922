//! The state of the stand-in: people, chats, messages, tokens, and the log of requests.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::time::Duration;

use axum::body::Bytes;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::console::Console;
use super::quirks::Quirks;
use super::registration::Registration;
use super::wire;

/// Lifetime of a token (自建应用获取 tenant_access_token).
const TOKEN_LIFE: SignedDuration = SignedDuration::from_secs(7200);
/// A token with at least this much lifetime left is returned again.
const TOKEN_REUSE: SignedDuration = SignedDuration::from_mins(30);
/// Deduplication window of a `uuid` (发送消息).
const UUID_LIFE: SignedDuration = SignedDuration::from_hours(1);
/// How long a 2.0 card can be updated.
pub(super) const CARD_LIFE: SignedDuration = SignedDuration::from_hours(14 * 24);
/// Max requests, and max rate windows, kept.
const KEPT: usize = 10_000;

/// Who wrote a message.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Sender {
    /// The app under test.
    Bot,
    /// A person, by open_id.
    Person(String),
    /// A custom bot, by the id in its address.
    Hook(String),
}

/// A message in its current state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// `om_…`.
    pub message_id: String,
    /// The chat it is in.
    pub chat_id: String,
    /// Who wrote it.
    pub sender: Sender,
    /// The message it replies to.
    pub reply_to: Option<String>,
    /// `msg_type`: `text`, `interactive`, `file` …
    pub kind: String,
    /// Its current content, JSON text.
    pub content: String,
    /// How many times the content was changed after sending.
    pub revisions: u32,
    /// Whether its text begins with a mention of the bot.
    pub mentions_bot: bool,
    /// Whether the app recalled it.
    pub recalled: bool,
    /// When it was sent.
    pub created_at: Timestamp,
    /// When its content was last changed.
    pub updated_at: Timestamp,
    /// Clicks in flight; they lock the card against other updates.
    pub(super) locks: u32,
}

impl Message {
    /// A new message, as sent.
    pub(super) fn new(
        chat_id: &str,
        sender: Sender,
        kind: &str,
        content: String,
        now: Timestamp,
    ) -> Self {
        Self {
            message_id: wire::fresh_id("om_"),
            chat_id: chat_id.to_owned(),
            sender,
            reply_to: None,
            kind: kind.to_owned(),
            content,
            revisions: 0,
            mentions_bot: false,
            recalled: false,
            created_at: now,
            updated_at: now,
            locks: 0,
        }
    }

    /// The content as JSON; null if it is not JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.content).unwrap_or(Value::Null)
    }

    /// Whether it is a card.
    pub fn is_card(&self) -> bool {
        self.kind == "interactive"
    }

    /// Gives a card its new content.
    pub(super) fn replace_content(&mut self, content: String, now: Timestamp) {
        self.content = content;
        self.revisions = self.revisions.saturating_add(1);
        self.updated_at = now;
    }
}

/// A person of the tenant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// `ou_…`.
    pub open_id: String,
    /// `on_…`, derived from the open_id.
    pub union_id: String,
    /// Derived from the open_id.
    pub user_id: String,
    /// The display name.
    pub name: String,
    /// Mainland number without `+86`, or with `+` and country code.
    pub mobile: String,
}

/// What kind of chat it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChatKind {
    /// Between the app and the person of this open_id.
    Direct(String),
    /// A group that everyone is in.
    Group,
}

/// A chat.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chat {
    /// `oc_…`.
    pub chat_id: String,
    /// The group's name, or the person's.
    pub name: String,
    /// Direct or group.
    pub kind: ChatKind,
    /// Whether the app's bot is in it.
    pub has_bot: bool,
    /// Whether its owner dissolved it.
    pub dissolved: bool,
    /// Whether everybody can find and join it.
    pub public: bool,
    /// The members of a group, by open_id and tenant; `None`: everybody.
    pub members: Option<Vec<(String, String)>>,
}

/// A request that the stand-in answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The endpoint's name: `token`, `send`, `reply`, `patch`, `recall`, `message`, `messages`, `users.by_contact`,
    /// `user`, `chats`, `chats.search`, `chat`, `chat.join`, `bot`, `file`, `hook`, `registration`, `app`, `app.config`,
    /// `app.publish`, `scopes`, `scopes.apply`, `app_versions`, `contact.scopes`, `connections`, `slash.…`, `connection.endpoint`, `connection.upgrade`, or `unknown`.
    pub endpoint: &'static str,
    /// The HTTP status of the answer, before a fault spoilt it.
    pub status: u16,
    /// The platform's code, 0 for success; -1 if a fault kept the request from being handled.
    pub code: i64,
    /// The platform's text.
    pub message: String,
    /// When it was answered.
    pub at: Timestamp,
}

/// An event that was sent to the service.
#[derive(Clone, Debug, PartialEq)]
pub struct SentEvent {
    /// `header.event_id`.
    pub event_id: String,
    /// `im.message.receive_v1` …
    pub event_type: String,
    /// The message that it is about, if any.
    pub message_id: Option<String>,
    /// The HTTP status of the answer; `None`: no answer within 3 s, or no connection.
    pub status: Option<u16>,
    /// How long the answer took.
    pub elapsed: Duration,
    /// The envelope before encryption.
    pub envelope: Value,
}

/// A custom bot.
pub(super) struct Hook {
    pub secret: Option<String>,
    pub chat_id: String,
}

/// An uploaded file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UploadedFile {
    /// `file_v3_…`.
    pub file_key: String,
    /// With its extension.
    pub name: String,
    /// `file_type` of the upload.
    pub kind: String,
    /// The content.
    pub bytes: Bytes,
}

struct Token {
    value: String,
    until: Timestamp,
}

/// Everything, under one lock.
#[derive(Default)]
pub struct State {
    pub(super) people: BTreeMap<String, Person>,
    pub(super) chats: BTreeMap<String, Chat>,
    pub(super) hooks: HashMap<String, Hook>,
    pub(super) files: HashMap<String, UploadedFile>,
    pub(super) quirks: Quirks,
    pub(super) console: Console,
    pub(super) registration: Registration,
    messages: Vec<Message>,
    by_id: HashMap<String, usize>,
    tokens: Vec<Token>,
    uuids: HashMap<String, (Timestamp, String)>,
    windows: HashMap<String, VecDeque<Timestamp>>,
    requests: VecDeque<Request>,
}

impl State {
    /// The chat's messages in the order they were sent, recalled ones included.
    pub fn messages(&self, chat_id: &str) -> impl Iterator<Item = &Message> {
        self.messages.iter().filter(move |message| message.chat_id == chat_id)
    }

    /// Every message of every chat, in the order they were sent.
    pub fn all_messages(&self) -> &[Message] {
        &self.messages
    }

    /// One message.
    pub fn message(&self, message_id: &str) -> Option<&Message> {
        self.messages.get(*self.by_id.get(message_id)?)
    }

    /// The requests that were answered, oldest first; only the last ten thousand are kept.
    pub fn requests(&self) -> impl DoubleEndedIterator<Item = &Request> {
        self.requests.iter()
    }

    /// An uploaded file.
    pub fn file(&self, file_key: &str) -> Option<&UploadedFile> {
        self.files.get(file_key)
    }

    /// The people, by open_id.
    pub fn people(&self) -> impl Iterator<Item = &Person> {
        self.people.values()
    }

    /// The app's settings.
    pub fn console(&self) -> &Console {
        &self.console
    }

    /// The registration of apps.
    pub fn registration(&self) -> &Registration {
        &self.registration
    }

    /// The chats, by chat id.
    pub fn chats(&self) -> impl Iterator<Item = &Chat> {
        self.chats.values()
    }

    pub(super) fn message_mut(&mut self, message_id: &str) -> Option<&mut Message> {
        self.messages.get_mut(*self.by_id.get(message_id)?)
    }

    pub(super) fn add_message(&mut self, message: Message) {
        let at = self.messages.len();
        self.by_id.insert(message.message_id.clone(), at);
        self.messages.push(message);
    }

    pub(super) fn record(&mut self, request: Request) {
        if self.requests.len() >= KEPT {
            self.requests.pop_front();
        }
        self.requests.push_back(request);
    }

    /// The person with this open_id, union_id or user_id.
    pub(super) fn person(&self, id: &str) -> Option<&Person> {
        self.people.get(id).or_else(|| {
            self.people.values().find(|person| person.union_id == id || person.user_id == id)
        })
    }

    /// The ids of a person as events carry them; a stranger has no union_id.
    pub(super) fn ids_of(&self, person: &str) -> Value {
        self.person(person).map_or_else(
            || json!({"union_id": null, "user_id": null, "open_id": person}),
            Person::ids,
        )
    }

    /// Every token that is still valid.
    pub fn tokens(&self) -> Vec<String> {
        self.tokens.iter().map(|token| token.value.clone()).collect()
    }

    /// A token and its remaining seconds: the current one while it has half an hour left, else a new one.
    pub(super) fn token(&mut self, now: Timestamp) -> (String, i64) {
        self.tokens.retain(|token| token.until > now);
        let left = |token: &Token| token.until.duration_since(now);
        if let Some(token) = self.tokens.last().filter(|token| left(token) >= TOKEN_REUSE) {
            return (token.value.clone(), left(token).as_secs());
        }
        let value = wire::fresh_id("t-");
        let until = now.checked_add(TOKEN_LIFE).unwrap_or(now);
        self.tokens.push(Token { value: value.clone(), until });
        (value, TOKEN_LIFE.as_secs())
    }

    pub(super) fn knows_token(&self, value: &str, now: Timestamp) -> bool {
        self.tokens.iter().any(|token| token.value == value && token.until > now)
    }

    pub(super) fn forget_tokens(&mut self) {
        self.tokens.clear();
    }

    /// The message that this `uuid` already sent within the hour.
    pub(super) fn sent_as(&mut self, uuid: &str, now: Timestamp) -> Option<String> {
        self.uuids.retain(|_, (at, _)| now.duration_since(*at) < UUID_LIFE);
        self.uuids.get(uuid).map(|(_, message)| message.clone())
    }

    pub(super) fn remember_uuid(&mut self, uuid: &str, message_id: &str, now: Timestamp) {
        self.uuids.insert(uuid.to_owned(), (now, message_id.to_owned()));
    }

    /// Counts one more event in the sliding window of `key`. Returns false if the window is full.
    pub(super) fn admit(
        &mut self,
        key: String,
        limit: usize,
        window: SignedDuration,
        now: Timestamp,
    ) -> bool {
        if self.windows.len() > KEPT {
            self.windows.clear();
        }
        let times = self.windows.entry(key).or_default();
        while times.front().is_some_and(|at| now.duration_since(*at) >= window) {
            times.pop_front();
        }
        let free = times.len() < limit;
        if free {
            times.push_back(now);
        }
        free
    }
}

impl Person {
    pub(super) fn new(open_id: &str, name: &str, mobile: &str) -> Self {
        let user_id = wire::derived_id("", open_id);
        Self {
            open_id: open_id.to_owned(),
            union_id: wire::derived_id("on_", open_id),
            user_id: user_id.get(..8).unwrap_or_default().to_owned(),
            name: name.to_owned(),
            mobile: mobile.to_owned(),
        }
    }

    /// `sender_id` and `operator_id` of events. user_id is null: the app lacks the permission for employee ids.
    pub(super) fn ids(&self) -> Value {
        json!({"union_id": self.union_id, "user_id": null, "open_id": self.open_id})
    }
}
