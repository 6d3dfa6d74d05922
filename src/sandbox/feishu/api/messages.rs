//! Sending, replying, updating and recalling (发送消息, 回复消息, 更新已发送的消息卡片, 撤回消息).

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::super::cards::Via;
use super::super::core::{Change, Core};
use super::super::http::{ApiResponse, Call};
use super::super::state::{CARD_LIFE, ChatKind, Message, Sender, State};
use super::content::{self, invalid};
use super::reading::{CardForm, as_json};
use super::request::{Body, Outcome, field, known_query, part};

/// Messages per second in a chat; updates per second of a message.
const RATE: usize = 5;
const SECOND: SignedDuration = SignedDuration::from_secs(1);
/// Longest `uuid`, in characters.
const UUID_LIMIT: usize = 50;

fn too_fast() -> ApiResponse {
    ApiResponse::refuse(
        230_020,
        "This operation triggers the frequency limit. Please reduce the frequency of requests.",
    )
}

/// POST /im/v1/messages.
pub fn send(core: &Core, call: &Call) -> Outcome {
    known_query(call, &["receive_id_type"])?;
    let body = Body::read(call, &["receive_id", "msg_type", "content", "uuid"])?;
    let kind =
        call.query("receive_id_type").ok_or_else(|| field("receive_id_type", "is required"))?;
    let receiver = body.required("receive_id")?;
    let draft = Draft::read(&body)?;
    let senders = ["im:message:send_as_bot", "im:message", "im:message:send"];
    if !core.state.lock().console.grants(&senders) {
        return Err(ApiResponse::lacks_scope(&senders));
    }
    let now = core.now();
    core.change(|state| {
        if let Some(first) = draft.already_sent(state, now) {
            return Ok(first);
        }
        let chat_id = receiver_chat(state, kind, receiver)?;
        draft.deliver(core, state, call.body.len(), &chat_id, None)
    })
    .map(|message| announce(core, message))
}

/// POST /im/v1/messages/:id/reply.
pub fn reply(core: &Core, call: &Call) -> Outcome {
    known_query(call, &[])?;
    let body = Body::read(call, &["content", "msg_type", "reply_in_thread", "uuid"])?;
    body.flag("reply_in_thread")?;
    let draft = Draft::read(&body)?;
    let now = core.now();
    core.change(|state| {
        if let Some(first) = draft.already_sent(state, now) {
            return Ok(first);
        }
        let parent = standing(state, part(call, 4))?;
        let (chat, parent) = (parent.chat_id.clone(), parent.message_id.clone());
        draft.deliver(core, state, call.body.len(), &chat, Some(parent))
    })
    .map(|message| announce(core, message))
}

fn announce(core: &Core, sent: Sent) -> ApiResponse {
    let data = as_json(core, &core.state.lock(), &sent.message, CardForm::Flat);
    if sent.fresh {
        core.tell(Change::Message(sent.message.message_id));
    }
    ApiResponse::data(data)
}

struct Sent {
    message: Message,
    fresh: bool,
}

struct Draft<'a> {
    kind: &'a str,
    content: &'a str,
    uuid: Option<&'a str>,
}

impl<'a> Draft<'a> {
    fn read(body: &'a Body) -> Result<Self, ApiResponse> {
        let uuid = body.optional("uuid")?.filter(|uuid| !uuid.is_empty());
        if uuid.is_some_and(|uuid| uuid.chars().count() > UUID_LIMIT) {
            return Err(field("uuid", "at most 50 characters"));
        }
        Ok(Self { kind: body.required("msg_type")?, content: body.required("content")?, uuid })
    }

    /// The message already sent with this `uuid`.
    fn already_sent(&self, state: &mut State, now: Timestamp) -> Option<Sent> {
        let first = state.sent_as(self.uuid?, now)?;
        let message = state.message(&first)?.clone();
        Some(Sent { message, fresh: false })
    }

    fn deliver(
        &self,
        core: &Core,
        state: &mut State,
        size: usize,
        chat_id: &str,
        reply_to: Option<String>,
    ) -> Result<Sent, ApiResponse> {
        reachable(state, chat_id)?;
        content::check(state, self.kind, self.content, Via::Send, size)?;
        let now = core.now();
        if core.limited() && !state.admit(format!("chat {chat_id}"), RATE, SECOND, now) {
            return Err(too_fast());
        }
        let content = self.content.to_owned();
        let message = Message::new(chat_id, Sender::Bot, self.kind, content, now);
        let message = Message { reply_to, ..message };
        if let Some(uuid) = self.uuid {
            state.remember_uuid(uuid, &message.message_id, now);
        }
        state.add_message(message.clone());
        Ok(Sent { message, fresh: true })
    }
}

fn receiver_chat(state: &State, kind: &str, id: &str) -> Result<String, ApiResponse> {
    let invalid_id = || ApiResponse::refuse(230_034, "The receive_id is invalid.");
    let prefix = match kind {
        "open_id" => "ou_",
        "union_id" => "on_",
        "chat_id" => "oc_",
        "user_id" => "",
        "email" => return Err(invalid_id()),
        _ => return Err(field("receive_id_type", "unknown")),
    };
    if !id.starts_with(prefix) {
        return Err(invalid_id());
    }
    if kind == "chat_id" {
        return match state.chats.get(id) {
            Some(chat) => Ok(chat.chat_id.clone()),
            None => Err(invalid_id()),
        };
    }
    let person = state
        .person(id)
        .filter(|person| match kind {
            "open_id" => person.open_id == id,
            "union_id" => person.union_id == id,
            _ => person.user_id == id,
        })
        .filter(|person| {
            let visible_to = state.console.visible_to.as_ref();
            visible_to.is_none_or(|people| people.contains(&person.open_id))
        })
        .ok_or_else(|| {
            ApiResponse::refuse(230_013, "Bot has NO availability to this user, or no such user.")
        })?;
    state
        .chats
        .values()
        .find(|chat| chat.kind == ChatKind::Direct(person.open_id.clone()))
        .map(|chat| chat.chat_id.clone())
        .ok_or_else(invalid_id)
}

/// Whether the bot can write into the chat.
fn reachable(state: &State, chat_id: &str) -> Result<(), ApiResponse> {
    match state.chats.get(chat_id) {
        Some(chat) if chat.dissolved => {
            Err(ApiResponse::refuse(232_009, "The chat has been dissolved."))
        }
        Some(chat) if chat.has_bot => Ok(()),
        _ => Err(ApiResponse::refuse(230_002, "Bot can NOT be out of the chat.")),
    }
}

/// A message that exists and was not recalled.
pub fn standing<'a>(state: &'a State, message_id: &str) -> Result<&'a Message, ApiResponse> {
    if !message_id.starts_with("om_") {
        return Err(ApiResponse::refuse(99_992_351, "The message_id is malformed."));
    }
    match state.message(message_id) {
        None => Err(invalid("invalid message_id")),
        Some(message) if message.recalled => {
            Err(ApiResponse::refuse(230_011, "The message was withdrawn."))
        }
        Some(message) => Ok(message),
    }
}

/// PATCH /im/v1/messages/:id.
pub fn patch(core: &Core, call: &Call) -> Outcome {
    known_query(call, &[])?;
    let body = Body::read(call, &["content"])?;
    let card = body.required("content")?;
    let id = part(call, 4);
    let now = core.now();
    core.change(|state| {
        let message = standing(state, id)?;
        if message.sender != Sender::Bot {
            return Err(ApiResponse::refuse(
                230_027,
                "Lack of necessary permissions: the message was not sent by this app.",
            ));
        }
        if !message.is_card() {
            return Err(invalid("This message is NOT a card."));
        }
        if now.duration_since(message.created_at) > CARD_LIFE {
            return Err(ApiResponse::refuse(230_031, "The card has expired."));
        }
        let shared = message.json().pointer("/config/update_multi") == Some(&Value::Bool(true));
        let locked = message.locks > 0;
        reachable(state, &message.chat_id)?;
        if !shared {
            let message = "the card was sent without update_multi: true";
            return Err(content::refused_card(300_302, "/config", message, 1));
        }
        content::check(state, "interactive", card, Via::Patch, call.body.len())?;
        if locked {
            return Err(content::refused_card(11_310, "", "card action is lock", 1));
        }
        if core.limited() && !state.admit(format!("patch {id}"), RATE, SECOND, now) {
            return Err(too_fast());
        }
        if let Some(message) = state.message_mut(id) {
            message.replace_content(card.to_owned(), now);
        }
        Ok(())
    })?;
    core.tell(Change::Updated(id.to_owned()));
    Ok(ApiResponse::data(json!({})))
}

/// DELETE /im/v1/messages/:id.
pub fn recall(core: &Core, call: &Call) -> Outcome {
    known_query(call, &[])?;
    let id = part(call, 4);
    core.change(|state| {
        if standing(state, id)?.sender != Sender::Bot {
            return Err(ApiResponse::refuse(230_026, "No permission to recall this message."));
        }
        if let Some(message) = state.message_mut(id) {
            message.recalled = true;
        }
        Ok(())
    })?;
    core.tell(Change::Recalled(id.to_owned()));
    Ok(ApiResponse::data(json!({})))
}
