//! What people do, sent to the service as the platform sends it (事件订阅, 接收消息).

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::core::{Change, TENANT};
use super::handle::FakeFeishu;
use super::http::Reply;
use super::state::{ChatKind, Message, Sender, SentEvent, UploadedFile};
use super::wire;

/// How many events are kept for [`FakeFeishu::redeliver_pending`].
const KEPT_EVENTS: usize = 1000;

/// A body and its signature headers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sealed {
    /// Content type and the three `X-Lark-…` headers.
    pub headers: Vec<(&'static str, String)>,
    /// The bytes to send as they are.
    pub body: String,
}

impl FakeFeishu {
    /// A person writes into a chat (their direct chat or a group). The message is added to the chat and sent to the
    /// service. With `mention_bot` the text starts with a mention of the bot.
    pub async fn say(
        &self,
        person: &str,
        chat_id: &str,
        text: &str,
        mention_bot: bool,
    ) -> SentEvent {
        let now = self.core.now();
        let shown =
            if mention_bot { format!("@{} {text}", self.bot_name()) } else { text.to_owned() };
        let content = json!({"text": shown}).to_string();
        let sender = Sender::Person(person.to_owned());
        let message = Message {
            mentions_bot: mention_bot,
            ..Message::new(chat_id, sender, "text", content, now)
        };
        let message_id = message.message_id.clone();
        let (ids, direct) = self.core.change(|state| {
            state.add_message(message);
            let direct = state
                .chats
                .get(chat_id)
                .is_some_and(|chat| matches!(chat.kind, ChatKind::Direct(_)));
            (state.ids_of(person), direct)
        });
        self.core.tell(Change::Message(message_id.clone()));

        let millis = now.as_millisecond().to_string();
        let content = if mention_bot {
            json!({"text": format!("@_user_1 {text}")})
        } else {
            json!({"text": text})
        };
        let mut sent_message = json!({
            "message_id": message_id,
            "create_time": millis,
            "update_time": millis,
            "chat_id": chat_id,
            "chat_type": if direct { "p2p" } else { "group" },
            "message_type": "text",
            "content": content.to_string(),
        });
        if let (true, Some(members)) = (mention_bot, sent_message.as_object_mut()) {
            let mention = json!([{
                "key": "@_user_1",
                "id": {"union_id": wire::derived_id("on_", self.bot_open_id()), "user_id": "",
                    "open_id": self.bot_open_id()},
                "mentioned_type": "bot",
                "name": self.bot_name(),
                "tenant_key": TENANT,
            }]);
            members.insert("mentions".to_owned(), mention);
        }
        let event = json!({
            "sender": {"sender_id": ids, "sender_type": "user", "tenant_key": TENANT},
            "message": sent_message,
        });
        let mut sent = self.draft_event("im.message.receive_v1", event);
        sent.message_id = Some(message_id);
        self.send_event(sent).await
    }

    /// A person sends a message of any kind. `content` and `mentions` are those of the event; the chat keeps the content,
    /// but the history does not show the mentions.
    pub async fn say_raw(
        &self,
        person: &str,
        chat_id: &str,
        kind: &str,
        content: &Value,
        mentions: Value,
    ) -> SentEvent {
        let now = self.core.now();
        let sender = Sender::Person(person.to_owned());
        let message = Message::new(chat_id, sender, kind, content.to_string(), now);
        let message_id = message.message_id.clone();
        let (ids, direct) = self.core.change(|state| {
            state.add_message(message);
            let kind = state.chats.get(chat_id).map(|chat| &chat.kind);
            (state.ids_of(person), matches!(kind, Some(ChatKind::Direct(_))))
        });
        self.core.tell(Change::Message(message_id.clone()));
        let millis = now.as_millisecond().to_string();
        let event = json!({
            "sender": {"sender_id": ids, "sender_type": "user", "tenant_key": TENANT},
            "message": {
                "message_id": message_id,
                "create_time": millis,
                "update_time": millis,
                "chat_id": chat_id,
                "chat_type": if direct { "p2p" } else { "group" },
                "message_type": kind,
                "content": content.to_string(),
                "mentions": mentions,
            },
        });
        let mut sent = self.draft_event("im.message.receive_v1", event);
        sent.message_id = Some(message_id);
        self.send_event(sent).await
    }

    /// A person sends a file. The event says neither its size nor its type.
    pub async fn say_file(
        &self,
        person: &str,
        chat_id: &str,
        name: &str,
        bytes: impl Into<axum::body::Bytes>,
    ) -> SentEvent {
        let file = UploadedFile {
            file_key: wire::fresh_id("file_v3_"),
            name: name.to_owned(),
            kind: "stream".to_owned(),
            bytes: bytes.into(),
        };
        let key = file.file_key.clone();
        self.core.change(|state| state.files.insert(key.clone(), file));
        let content = json!({"file_key": key, "file_name": name});
        self.say_raw(person, chat_id, "file", &content, json!([])).await
    }

    /// A person opens their direct chat with the bot (用户进入与机器人的会话). The platform sends this event each time.
    pub async fn enter(&self, person: &str) -> SentEvent {
        let ids = self.read(|state| state.ids_of(person));
        let event = json!({"chat_id": self.direct_chat(person), "operator_id": ids});
        self.push_event("im.chat.access_event.bot_p2p_chat_entered_v1", event).await
    }

    /// Sends any other event to the service, e.g. `im.chat.member.bot.deleted_v1`; `event` is the envelope's `event`.
    pub async fn push_event(&self, event_type: &str, event: Value) -> SentEvent {
        self.send_event(self.draft_event(event_type, event)).await
    }

    /// Sends the same event again, freshly encrypted and signed, as the platform does if there was no answer.
    pub async fn redeliver(&self, event: &SentEvent) -> SentEvent {
        self.deliver(event.clone()).await
    }

    /// Resends every event that was not answered 200 in time. Returns how many succeeded.
    pub async fn redeliver_pending(&self) -> usize {
        let pending = std::mem::take(&mut *self.core.undelivered.lock());
        let mut through: usize = 0;
        for event in pending {
            if self.send_event(event).await.status == Some(200) {
                through = through.saturating_add(1);
            }
        }
        through
    }

    /// The platform's check when an address is saved: the service must return the challenge.
    ///
    /// # Errors
    /// What the service answered instead.
    pub async fn verify_address(&self, path: &str) -> Result<(), String> {
        let challenge = wire::fresh_id("");
        let body = json!({
            "challenge": challenge,
            "token": self.core.config.verification_token,
            "type": "url_verification",
        });
        // It is unsigned even if events are signed.
        let mut sealed = self.seal(&body);
        sealed.headers.truncate(1);
        match self.post(path, sealed).await {
            Reply::Answered { status: 200, body } => {
                let answer: Value = serde_json::from_str(&body).map_err(|e| e.to_string())?;
                if answer.get("challenge").and_then(Value::as_str) == Some(challenge.as_str()) {
                    Ok(())
                } else {
                    Err(format!("the challenge did not come back: {body}"))
                }
            }
            Reply::Answered { status, body } => Err(format!("HTTP {status}: {body}")),
            Reply::TimedOut => Err("no answer within 3 s".to_owned()),
            Reply::NoConnection => Err("no connection".to_owned()),
        }
    }

    /// Encrypts (if the app has an Encrypt Key) and signs a body as the platform does. For tests that post
    /// custom bodies.
    pub fn seal(&self, plain: &Value) -> Sealed {
        let timestamp = self.core.now().as_second().to_string();
        let nonce = rand::random_range(100_000_000_u32..1_000_000_000).to_string();
        self.seal_as(plain, timestamp, nonce)
    }

    pub(super) fn seal_as(&self, plain: &Value, timestamp: String, nonce: String) -> Sealed {
        let config = &self.core.config;
        let plain = plain.to_string();
        let body = match &config.encrypt_key {
            Some(key) => {
                let text = wire::encrypt(key, rand::random(), plain.as_bytes());
                json!({"encrypt": text}).to_string()
            }
            None => plain,
        };
        let key = config.encrypt_key.as_deref().unwrap_or("");
        let signature = wire::signature(&timestamp, &nonce, key, &body);
        Sealed {
            headers: vec![
                ("Content-Type", "application/json; charset=utf-8".to_owned()),
                ("X-Lark-Request-Timestamp", timestamp),
                ("X-Lark-Request-Nonce", nonce),
                ("X-Lark-Signature", signature),
            ],
            body,
        }
    }

    /// The envelope (schema 2.0) around an event; `create_time` in the unit that the type uses.
    pub fn envelope(&self, event_type: &str, create_time: &str, event: Value) -> Value {
        let config = &self.core.config;
        let lacks_tenant = self.read(|state| state.quirks.envelopes_lack_tenant);
        json!({
            "schema": "2.0",
            "header": {
                "event_id": wire::fresh_id(""),
                "token": config.verification_token,
                "create_time": create_time,
                "event_type": event_type,
                "tenant_key": if lacks_tenant { "" } else { TENANT },
                "app_id": config.app_id,
            },
            "event": event,
        })
    }

    fn draft_event(&self, event_type: &str, event: Value) -> SentEvent {
        let millis = self.core.now().as_millisecond().to_string();
        let envelope = self.envelope(event_type, &millis, event);
        SentEvent {
            event_id: event_id(&envelope),
            event_type: event_type.to_owned(),
            message_id: None,
            status: None,
            elapsed: Duration::ZERO,
            envelope,
        }
    }

    /// Delivers an event, and keeps it if that fails.
    async fn send_event(&self, event: SentEvent) -> SentEvent {
        let sent = self.deliver(event).await;
        if sent.status != Some(200) {
            let mut undelivered = self.core.undelivered.lock();
            if undelivered.len() >= KEPT_EVENTS {
                undelivered.pop_front();
            }
            undelivered.push_back(sent.clone());
        }
        sent
    }

    async fn deliver(&self, mut event: SentEvent) -> SentEvent {
        let start = Instant::now();
        let reply = if self.core.connections.subscribed() {
            self.core
                .connections
                .push(&event.envelope, "event", self.core.config.reply_timeout)
                .await
        } else {
            self.post("/feishu/event", self.seal(&event.envelope)).await
        };
        event.status = match reply {
            Reply::Answered { status, .. } => Some(status),
            Reply::TimedOut | Reply::NoConnection => None,
        };
        event.elapsed = start.elapsed();
        event
    }

    /// Posts to the service, with the platform's timeout.
    pub(super) async fn post(&self, path: &str, sealed: Sealed) -> Reply {
        let Some(base) = self.core.service_url.lock().clone() else {
            return Reply::NoConnection;
        };
        let mut request = self.core.client.post(format!("{base}{path}")).body(sealed.body);
        for (name, value) in sealed.headers {
            request = request.header(name, value);
        }
        let exchange = async {
            let response = request.send().await?;
            let status = response.status().as_u16();
            Ok::<_, reqwest::Error>((status, response.text().await?))
        };
        match tokio::time::timeout(self.core.config.reply_timeout, exchange).await {
            Ok(Ok((status, body))) => Reply::Answered { status, body },
            Ok(Err(error)) => {
                tracing::warn!(%error, "the service cannot be reached");
                Reply::NoConnection
            }
            Err(_) => Reply::TimedOut,
        }
    }
}

fn event_id(envelope: &Value) -> String {
    envelope.pointer("/header/event_id").and_then(Value::as_str).unwrap_or_default().to_owned()
}
