//! Messages: those that the bot receives, with their text and mentions, and its own in a chat's history.

use jiff::Timestamp;
use serde_json::Value;

use super::fields::{instant, string};
use super::text::{self, Mention, Part, TextForBot};

/// Where a message was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChatKind {
    /// Between one person and the bot.
    Direct,
    /// Anything else, including unknown kinds: in a group the bot only reacts to mentions.
    Group,
}

/// A message that the bot received ("Receive message", docs/platforms/feishu.md §8).
#[derive(Clone, Debug, PartialEq)]
pub struct MessageReceived {
    /// `om_…`; identifies the message across repeated pushes of the event.
    pub message_id: String,
    /// `oc_…`
    pub chat_id: String,
    /// Where it was written.
    pub chat_kind: ChatKind,
    /// The author.
    pub sender_open_id: String,
    /// False for bots and apps.
    pub sender_is_user: bool,
    /// When it was written.
    pub created_at: Timestamp,
    /// What a text or post message says. `None` for other kinds (image, file, sticker, …) and for recalled messages.
    pub(super) parts: Option<Vec<Part>>,
    /// The mentions in the text.
    pub mentions: Vec<Mention>,
    /// The file, if that is what was sent.
    pub file: Option<SentFile>,
}

/// A file that somebody sent (docs/platforms/feishu.md §4.10). The event says neither its size nor its type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SentFile {
    /// The platform's key, for [`super::Client::download`].
    pub key: String,
    /// Its name; empty if the platform does not say.
    pub name: String,
}

/// One of this app's own messages as the history shows it ("Get chat history", docs/platforms/feishu.md §4.8).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnMessage {
    /// `om_…`
    pub message_id: String,
    /// The message it replies to.
    pub parent_id: Option<String>,
    /// Its visible content.
    pub content: OwnContent,
}

/// The content of an own message in the history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OwnContent {
    /// A card, by its title. `None` means that the history does not show it: the card cannot be told from others, and it
    /// may well be the one that is looked for.
    Card(Option<String>),
    /// A file's name.
    File(String),
    /// Anything else.
    Other,
}

impl OwnMessage {
    /// Returns `None` if the message was recalled or is not from this app.
    pub(super) fn from_history(item: &Value, app_id: &str) -> Option<Self> {
        let sender = item.get("sender")?;
        let is_own = string(sender, "id_type").as_deref() == Some("app_id")
            && string(sender, "id").as_deref() == Some(app_id);
        if !is_own || item.get("deleted").and_then(Value::as_bool) == Some(true) {
            return None;
        }
        let content: Value = item
            .get("body")
            .and_then(|body| string(body, "content"))
            .and_then(|content| serde_json::from_str(&content).ok())
            .unwrap_or_default();
        Some(Self {
            message_id: string(item, "message_id")?,
            parent_id: string(item, "parent_id").filter(|parent| !parent.is_empty()),
            content: match string(item, "msg_type").as_deref() {
                Some("interactive") => OwnContent::Card(card_title(&content)),
                Some("file") => OwnContent::File(string(&content, "file_name").unwrap_or_default()),
                _ => OwnContent::Other,
            },
        })
    }
}

/// Returns the title of a card in any of the forms in which the history shows cards (docs/platforms/feishu.md §4.8): the
/// raw form around its JSON, the JSON as it was sent, or the flattened form.
fn card_title(content: &Value) -> Option<String> {
    let inner = match content.get("json_card") {
        Some(Value::String(text)) => Some(serde_json::from_str(text).ok()?),
        Some(card @ Value::Object(_)) => Some(card.clone()),
        _ => None,
    };
    let card: &Value = inner.as_ref().unwrap_or(content);
    let title = [card.pointer("/header/property/title"), card.pointer("/header/title")]
        .into_iter()
        .flatten()
        .find_map(|title| title_text(title, TITLE_DEPTH));
    title.or_else(|| string(card, "title"))
}

/// How deep the raw form may hide the text of a title.
const TITLE_DEPTH: u32 = 4;

/// Finds the `content` of a title. The raw form puts it at an undocumented depth.
fn title_text(title: &Value, depth: u32) -> Option<String> {
    if let Some(text) = string(title, "content") {
        return Some(text);
    }
    let deeper = depth.checked_sub(1)?;
    title.as_object()?.values().find_map(|inner| title_text(inner, deeper))
}

impl MessageReceived {
    /// Returns the message as the bot with this open_id should read it; `None` if the message has no text.
    ///
    /// While the bot's own open_id is unknown, a mention counts as its own if the platform says that it is a bot.
    pub fn text_for_bot(&self, bot_open_id: Option<&str>) -> Option<TextForBot> {
        let parts = self.parts.as_deref()?;
        let is_me = |mention: &Mention| match bot_open_id {
            Some(me) => mention.open_id.as_deref() == Some(me),
            None => mention.is_bot == Some(true),
        };
        let mine: Vec<&str> = self
            .mentions
            .iter()
            .filter(|mention| is_me(mention))
            .filter_map(|mention| mention.open_id.as_deref())
            .collect();
        Some(TextForBot {
            mentioned: self.mentions.iter().any(is_me),
            pieces: text::for_bot(parts, |id| id.is_some_and(|id| mine.contains(&id))),
        })
    }

    /// Returns `None` if the message id, the chat or the author is missing.
    pub(super) fn parse(event: &Value, event_created_at: Timestamp) -> Option<Self> {
        let message = event.get("message")?;
        let sender = event.get("sender")?;
        let mut mentions = parse_mentions(message);
        let parts = read_parts(message, "message_type", message, &mut mentions);
        Some(Self {
            message_id: string(message, "message_id")?,
            chat_id: string(message, "chat_id")?,
            chat_kind: match string(message, "chat_type").as_deref() {
                Some("p2p") => ChatKind::Direct,
                _ => ChatKind::Group,
            },
            sender_open_id: string(sender.get("sender_id")?, "open_id")?,
            sender_is_user: string(sender, "sender_type").is_none_or(|kind| kind == "user"),
            created_at: message.get("create_time").and_then(instant).unwrap_or(event_created_at),
            parts,
            mentions,
            file: read_file(message, "message_type", message),
        })
    }

    /// Parses a message of the history, whose shape differs from the event's ("Get chat history",
    /// docs/platforms/feishu.md §4.8). Returns `None` if it was recalled, or lacks a field that a reply needs.
    pub(super) fn from_history(item: &Value, chat_kind: ChatKind) -> Option<Self> {
        if item.get("deleted").and_then(Value::as_bool) == Some(true) {
            return None;
        }
        let sender = item.get("sender")?;
        let mut mentions = parse_mentions(item);
        let parts = read_parts(item, "msg_type", item.get("body")?, &mut mentions);
        Some(Self {
            message_id: string(item, "message_id")?,
            chat_id: string(item, "chat_id")?,
            chat_kind,
            sender_open_id: string(sender, "id")?,
            sender_is_user: string(sender, "sender_type").as_deref() == Some("user")
                && string(sender, "id_type").as_deref() == Some("open_id"),
            created_at: item.get("create_time").and_then(instant)?,
            parts,
            mentions,
            file: read_file(item, "msg_type", item.get("body")?),
        })
    }
}

/// Reads the file of a message. Folders are not files.
fn read_file(message: &Value, type_field: &str, body: &Value) -> Option<SentFile> {
    if string(message, type_field)? != "file" {
        return None;
    }
    let content: Value = serde_json::from_str(&string(body, "content")?).ok()?;
    Some(SentFile {
        key: string(&content, "file_key")?,
        name: string(&content, "file_name").unwrap_or_default(),
    })
}

fn parse_mentions(message: &Value) -> Vec<Mention> {
    let mentions = message.get("mentions").and_then(Value::as_array);
    mentions.into_iter().flatten().filter_map(Mention::parse).collect()
}

/// Reads what a message says. `body` is the object with the content: the message itself in events, its member `body` in the
/// history.
fn read_parts(
    message: &Value,
    type_field: &str,
    body: &Value,
    mentions: &mut Vec<Mention>,
) -> Option<Vec<Part>> {
    let message_type = string(message, type_field)?;
    let content = serde_json::from_str(&string(body, "content")?).ok()?;
    text::read(&message_type, &content, mentions)
}
