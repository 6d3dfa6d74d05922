//! Messages: those that the bot receives, with their text and mentions, and its own in a chat's history.

use jiff::Timestamp;
use serde_json::Value;

use super::fields::{instant, string};

/// Where a message was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChatKind {
    /// Between one person and the bot.
    Direct,
    /// Anything else, including unknown kinds: in a group the bot only reacts to mentions.
    Group,
}

/// A mention in a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mention {
    /// The placeholder in the text, `@_user_1`.
    pub key: String,
    /// The person or bot; `None` for everybody (`@all`).
    pub open_id: Option<String>,
    /// The name as shown.
    pub name: String,
    /// Whether it is a bot, if the platform says.
    pub is_bot: Option<bool>,
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
    /// The text of a text or post message, with the placeholders of [`MessageReceived::mentions`] in it. `None` for
    /// other kinds (image, file, sticker, …) and for recalled messages. Links stay `[text](url)`.
    pub text: Option<String>,
    /// The mentions in the text.
    pub mentions: Vec<Mention>,
}

/// A message as the bot should read it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TextForBot {
    /// Whether the bot is mentioned.
    pub mentioned: bool,
    /// The trimmed text, without mentions of the bot; names replace the other placeholders.
    pub text: String,
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

/// The content of an own message in the history, which shows only the title of a JSON 2.0 card.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OwnContent {
    /// A card's title; empty if it has none.
    Card(String),
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
        let text = |name: &str| string(&content, name).unwrap_or_default();
        Some(Self {
            message_id: string(item, "message_id")?,
            parent_id: string(item, "parent_id").filter(|parent| !parent.is_empty()),
            content: match string(item, "msg_type").as_deref() {
                Some("interactive") => OwnContent::Card(text("title")),
                Some("file") => OwnContent::File(text("file_name")),
                _ => OwnContent::Other,
            },
        })
    }
}

impl MessageReceived {
    /// Returns the text as the bot with this open_id should read it; `None` if the message has no text.
    ///
    /// While the bot's own open_id is unknown, a mention counts as its own if the platform says that it is a bot.
    pub fn text_for_bot(&self, bot_open_id: Option<&str>) -> Option<TextForBot> {
        let text = self.text.as_deref()?;
        let is_me = |mention: &Mention| match bot_open_id {
            Some(me) => mention.open_id.as_deref() == Some(me),
            None => mention.is_bot == Some(true),
        };
        let mut read = String::with_capacity(text.len());
        let mut rest = text;
        while let Some((before, from_at)) = rest.find('@').and_then(|at| rest.split_at_checked(at))
        {
            read.push_str(before);
            match self.mention_at(from_at) {
                Some((mention, after)) if is_me(mention) => {
                    // The words on either side of the mention stay separate.
                    if !read.is_empty() && !read.ends_with(char::is_whitespace) {
                        read.push(' ');
                    }
                    rest = after.trim_start_matches([' ', '\t', '\u{a0}']);
                }
                Some((mention, after)) => {
                    read.push_str(&mention.name);
                    rest = after;
                }
                None => {
                    read.push('@');
                    rest = from_at.get(1..).unwrap_or_default();
                }
            }
        }
        read.push_str(rest);
        Some(TextForBot {
            mentioned: self.mentions.iter().any(is_me),
            text: read.trim().to_owned(),
        })
    }

    /// Returns the mention whose placeholder `text` starts with, and the text after it. `@_user_1` does not match
    /// `@_user_12`.
    fn mention_at<'t>(&self, text: &'t str) -> Option<(&Mention, &'t str)> {
        self.mentions
            .iter()
            .filter_map(|mention| Some((mention, text.strip_prefix(mention.key.as_str())?)))
            .find(|(_, after)| !after.starts_with(|next: char| next.is_ascii_digit()))
    }

    /// Returns `None` if the message id, the chat or the author is missing.
    pub(super) fn parse(event: &Value, event_created_at: Timestamp) -> Option<Self> {
        let message = event.get("message")?;
        let sender = event.get("sender")?;
        let mentions = parse_mentions(message);
        let text = read_text(message, "message_type", message, &mentions);
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
            text,
            mentions,
        })
    }

    /// Parses a message of the history, whose shape differs from the event's ("Get chat history",
    /// docs/platforms/feishu.md §4.8). Returns `None` if it was recalled, or lacks a field that a reply needs.
    pub(super) fn from_history(item: &Value, chat_kind: ChatKind) -> Option<Self> {
        if item.get("deleted").and_then(Value::as_bool) == Some(true) {
            return None;
        }
        let sender = item.get("sender")?;
        let mentions = parse_mentions(item);
        Some(Self {
            message_id: string(item, "message_id")?,
            chat_id: string(item, "chat_id")?,
            chat_kind,
            sender_open_id: string(sender, "id")?,
            sender_is_user: string(sender, "sender_type").as_deref() == Some("user")
                && string(sender, "id_type").as_deref() == Some("open_id"),
            created_at: item.get("create_time").and_then(instant)?,
            text: read_text(item, "msg_type", item.get("body")?, &mentions),
            mentions,
        })
    }
}

fn parse_mentions(message: &Value) -> Vec<Mention> {
    let mentions = message.get("mentions").and_then(Value::as_array);
    mentions.into_iter().flatten().filter_map(parse_mention).collect()
}

/// Reads the text. `body` is the object with the content: the message itself in events, its member `body` in the history.
fn read_text(
    message: &Value,
    type_field: &str,
    body: &Value,
    mentions: &[Mention],
) -> Option<String> {
    let message_type = string(message, type_field)?;
    let content = serde_json::from_str(&string(body, "content")?).ok()?;
    read_content(&message_type, &content, mentions)
}

fn parse_mention(mention: &Value) -> Option<Mention> {
    Some(Mention {
        // A placeholder starts with @; anything else could match ordinary text.
        key: string(mention, "key").filter(|key| key.len() > 1 && key.starts_with('@'))?,
        // An object of ids in events, the open_id itself in the history.
        open_id: string(mention, "id")
            .or_else(|| mention.get("id").and_then(|id| string(id, "open_id"))),
        name: string(mention, "name").unwrap_or_default(),
        is_bot: string(mention, "mentioned_type").map(|kind| kind == "bot"),
    })
}

fn read_content(message_type: &str, content: &Value, mentions: &[Mention]) -> Option<String> {
    match message_type {
        "text" => content.get("text")?.as_str().map(str::to_owned),
        "post" => read_post(content, mentions),
        _ => None,
    }
}

/// Returns the text of a post: title and paragraphs, one per line. Skips pictures and the like; a post with nothing else
/// has no text.
fn read_post(content: &Value, mentions: &[Mention]) -> Option<String> {
    let title = string(content, "title");
    let paragraphs = content.get("content")?.as_array()?;
    let lines: Vec<String> = title
        .into_iter()
        .chain(paragraphs.iter().map(|paragraph| {
            let mut line = Line::default();
            for element in paragraph.as_array().into_iter().flatten() {
                if element.get("tag").and_then(Value::as_str) == Some("at") {
                    line.push_mention(element, mentions);
                } else if let Some(text) = element.get("text").and_then(Value::as_str) {
                    line.push_text(text);
                }
            }
            line.text
        }))
        .filter(|line| !line.is_empty())
        .collect();
    (!lines.is_empty()).then(|| lines.join("\n"))
}

#[derive(Default)]
struct Line {
    text: String,
    ends_in_mention: bool,
}

impl Line {
    fn push_text(&mut self, text: &str) {
        // In a post a mention is a separate element; joined, "@_user_1" and "0" would be user 10.
        if self.ends_in_mention && text.starts_with(|first: char| first.is_ascii_digit()) {
            self.text.push(' ');
        }
        self.text.push_str(text);
        self.ends_in_mention &= text.is_empty();
    }

    /// `user_id` is the placeholder in a received post; posts by apps have been seen with the open_id.
    fn push_mention(&mut self, element: &Value, mentions: &[Mention]) {
        let Some(user_id) = string(element, "user_id") else {
            return;
        };
        let known = mentions
            .iter()
            .find(|mention| mention.key == user_id || mention.open_id.as_ref() == Some(&user_id));
        match known {
            Some(mention) => {
                self.text.push_str(&mention.key);
                self.ends_in_mention = true;
            }
            None => {
                let name = string(element, "user_name").unwrap_or(user_id);
                self.push_text(&name);
            }
        }
    }
}
