//! Reading messages back (获取指定消息的内容, 获取会话历史消息).

use serde_json::{Value, json};

use super::super::core::{Core, TENANT};
use super::super::http::{ApiResponse, Call};
use super::super::state::{Message, Sender, State};
use super::content::invalid;
use super::request::{Outcome, field, known_query, page_size, page_start, part};

/// How a card is shown (`card_msg_content_type`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CardForm {
    /// Flattened, without the title of a 2.0 card.
    Flat,
    /// The JSON as it was sent (`user_card_content`).
    Sent,
    /// The client's own JSON, as text in `json_card` (`raw_card_content`).
    Raw,
}

impl CardForm {
    fn of(call: &Call) -> Result<Self, ApiResponse> {
        match call.query("card_msg_content_type") {
            None => Ok(Self::Flat),
            Some("user_card_content") => Ok(Self::Sent),
            Some("raw_card_content") => Ok(Self::Raw),
            Some(_) => Err(field("card_msg_content_type", "unknown")),
        }
    }
}

/// A message as the platform shows it to the app.
pub fn as_json(core: &Core, state: &State, message: &Message, form: CardForm) -> Value {
    let (id, id_type, sender_type) = match &message.sender {
        Sender::Bot => (core.config.app_id.as_str(), "app_id", "app"),
        Sender::Person(open_id) => (open_id.as_str(), "open_id", "user"),
        Sender::Hook(id) => (id.as_str(), "app_id", "app"),
    };
    let mut shown = json!({
        "message_id": message.message_id,
        "msg_type": message.kind,
        "create_time": message.created_at.as_millisecond().to_string(),
        "update_time": message.updated_at.as_millisecond().to_string(),
        "deleted": message.recalled,
        "updated": message.revisions > 0,
        "chat_id": message.chat_id,
        "sender": {"id": id, "id_type": id_type, "sender_type": sender_type, "tenant_key": TENANT},
        "body": {"content": readable(core, state, message, form)},
    });
    if let (true, Some(shown)) = (message.mentions_bot, shown.as_object_mut()) {
        // Unlike in events, the id is the open_id itself, and nothing marks it as a bot.
        let mention = json!([{
            "key": "@_user_1",
            "id": core.bot_open_id,
            "id_type": "open_id",
            "name": core.config.bot_name,
            "tenant_key": TENANT,
        }]);
        shown.insert("mentions".to_owned(), mention);
    }
    if let (Some(parent), Some(shown)) = (&message.reply_to, shown.as_object_mut()) {
        shown.insert("root_id".to_owned(), Value::from(parent.as_str()));
        shown.insert("parent_id".to_owned(), Value::from(parent.as_str()));
    }
    shown
}

/// A received file ("接收消息内容") carries its name next to the key.
fn file(state: &State, message: &Message) -> String {
    let key = message.json().get("file_key").and_then(Value::as_str).map(str::to_owned);
    let name = key.as_deref().and_then(|key| state.file(key)).map(|file| &file.name);
    json!({ "file_key": key, "file_name": name }).to_string()
}

/// The content of a message. A card requested without another form is flattened: a notice in the old form, whose
/// title is null for 2.0 cards.
fn readable(core: &Core, state: &State, message: &Message, form: CardForm) -> String {
    if message.recalled {
        return "This message was recalled".to_owned();
    }
    if message.mentions_bot {
        let name = format!("@{}", core.config.bot_name);
        return message.content.replacen(&name, "@_user_1", 1);
    }
    if message.kind == "file" {
        return file(state, message);
    }
    if !message.is_card() {
        return message.content.clone();
    }
    let card = message.json();
    let title = card.pointer("/header/title/content");
    match form {
        CardForm::Sent if !state.quirks.history_hides_titles => card.to_string(),
        CardForm::Raw if !state.quirks.history_hides_titles => {
            let title = title.map(|title| {
                json!({"tag": "plain_text", "property": {"content": title, "textAlign": "left"}})
            });
            let raw = json!({"schema": 2, "header": {"tag": "card_header", "property": {"title": title}}});
            json!({"json_card": raw.to_string(), "json_attachment": "{}", "card_schema": 2})
                .to_string()
        }
        _ => json!({
            "title": null,
            "elements": [[{"tag": "text", "text": "请升级至最新版本客户端，以查看内容"}]],
        })
        .to_string(),
    }
}

/// GET /im/v1/messages/:id.
pub fn message(core: &Core, call: &Call) -> Outcome {
    known_query(call, &["user_id_type", "card_msg_content_type"])?;
    let form = CardForm::of(call)?;
    let state = core.state.lock();
    let id = part(call, 4);
    if !id.starts_with("om_") {
        return Err(ApiResponse::refuse(99_992_351, "The message_id is malformed."));
    }
    let message = state.message(id).ok_or_else(|| invalid("invalid message_id"))?;
    Ok(ApiResponse::data(json!({"items": [as_json(core, &state, message, form)]})))
}

/// GET /im/v1/messages?container_id_type=chat.
pub fn messages(core: &Core, call: &Call) -> Outcome {
    known_query(
        call,
        &[
            "container_id_type",
            "container_id",
            "start_time",
            "end_time",
            "sort_type",
            "page_size",
            "page_token",
            "card_msg_content_type",
        ],
    )?;
    if call.query("container_id_type") != Some("chat") {
        return Err(field("container_id_type", "only chat is supported"));
    }
    let chat_id = call.query("container_id").ok_or_else(|| field("container_id", "is required"))?;
    let (from, until) = (seconds(call, "start_time")?, seconds(call, "end_time")?);
    let descending = match call.query("sort_type") {
        None | Some("ByCreateTimeAsc") => false,
        Some("ByCreateTimeDesc") => true,
        Some(_) => return Err(field("sort_type", "unknown")),
    };
    let form = CardForm::of(call)?;
    let (size, start) = (page_size(call, 20, (1, 50))?, page_start(call)?);
    let state = core.state.lock();
    match state.chats.get(chat_id) {
        None => return Err(invalid("invalid container_id")),
        Some(chat) if !chat.has_bot || chat.dissolved => {
            return Err(ApiResponse::refuse(230_002, "Bot can NOT be out of the chat."));
        }
        Some(_) => {}
    }
    let mut found: Vec<_> = state
        .messages(chat_id)
        .filter(|message| {
            let at = message.created_at.as_second();
            from.is_none_or(|from| at >= from) && until.is_none_or(|until| at <= until)
        })
        .collect();
    if descending {
        found.reverse();
    }
    let end = start.saturating_add(size);
    let more = found.len() > end;
    let shown = found.iter().skip(start).take(size);
    let items: Vec<_> = shown.map(|message| as_json(core, &state, message, form)).collect();
    let mut data = json!({"has_more": more, "items": items});
    if let (true, Some(data)) = (more, data.as_object_mut()) {
        data.insert("page_token".to_owned(), Value::from(format!("page-{end}")));
    }
    Ok(ApiResponse::data(data))
}

/// A timestamp in whole seconds since 1970.
fn seconds(call: &Call, name: &str) -> Result<Option<i64>, ApiResponse> {
    match call.query(name) {
        None => Ok(None),
        Some(text) if text.len() <= 10 => {
            text.parse().map(Some).map_err(|_| field(name, "seconds since 1970"))
        }
        Some(_) => Err(field(name, "seconds since 1970, not milliseconds")),
    }
}
