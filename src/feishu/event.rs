//! What the platform reports: the event envelope and the events that are acted on.
//!
//! Reading is lenient: unknown fields, missing optional ones, other key orders and `null`s do not matter. An
//! event that lacks what it takes to act on it (who, where, which) is [`Incoming::Unhandled`], not an error: it
//! came from the platform, and a refusal would only make it come again.

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::callback::{Malformed, Rejection};
use super::card_action::CardAction;
use super::message::MessageReceived;

/// Events are pushed again for 7 h 5 min 15 s at most ("Receive events", retries); what is older than this is
/// not worth acting on, and the memory of event ids need not reach further back.
const STALE_AFTER: SignedDuration = SignedDuration::from_hours(8);

/// Names of event types are short; a longer one is cut, so that logs stay bounded.
const TYPE_LIMIT: usize = 100;

/// A payload that came from the platform.
#[derive(Clone, Debug, PartialEq)]
#[allow(clippy::large_enum_variant)] // One per request, matched at once: a box would be one more allocation.
pub enum Incoming {
    /// A url_verification; answer `{"challenge": …}`.
    Challenge(String),
    /// Something to act on, once per [`Event::event_id`].
    Event(Event),
    /// Older than 8 h; answer 200 and leave it.
    Stale {
        /// Identifies the event; empty where it had no id.
        event_id: String,
        /// E.g. `im.message.receive_v1`.
        event_type: String,
    },
    /// Of a kind that is not acted on, or without what it takes; answer 200.
    Unhandled {
        /// Identifies the event; empty where it had no id.
        event_id: String,
        /// E.g. `im.message.receive_v1`.
        event_type: String,
    },
}

/// Something happened. It may be reported more than once, under the same id.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// Identifies the event across repetitions.
    pub event_id: String,
    /// When it happened, by the platform's clock.
    pub created_at: Timestamp,
    /// The tenant it happened in; empty where the platform does not say.
    pub tenant_key: String,
    /// What happened.
    pub kind: EventKind,
}

/// What happened.
#[derive(Clone, Debug, PartialEq)]
pub enum EventKind {
    /// A message that the bot can see (im.message.receive_v1). Deduplicate by its message id, too: the
    /// platform does not promise one event id for repetitions of a message.
    Message(MessageReceived),
    /// Somebody used a component of a card (card.action.trigger).
    CardAction(CardAction),
    /// Somebody chose an item of the bot's menu in the direct chat (application.bot.menu_v6). It names no chat:
    /// answer by open_id.
    BotMenu {
        /// Who chose it.
        operator_open_id: String,
        /// The key that the item was given in the console.
        event_key: String,
    },
    /// Somebody opened the direct chat (im.chat.access_event.bot_p2p_chat_entered_v1); sent every time.
    ChatEntered {
        /// The direct chat.
        chat_id: String,
        /// Who opened it.
        operator_open_id: String,
    },
    /// The bot was added to a group (im.chat.member.bot.added_v1).
    BotAdded {
        /// The group.
        chat_id: String,
        /// Who added it, where the platform says.
        operator_open_id: Option<String>,
        /// The group's name; empty where the platform does not say.
        name: String,
    },
    /// The bot was removed from a group (im.chat.member.bot.deleted_v1).
    BotRemoved {
        /// The group.
        chat_id: String,
    },
    /// A group was dissolved (im.chat.disbanded_v1).
    ChatDisbanded {
        /// The group.
        chat_id: String,
    },
}

impl EventKind {
    /// The platform's name for this kind of event.
    pub fn event_type(&self) -> EventType {
        match self {
            Self::Message(_) => EventType::Message,
            Self::CardAction(_) => EventType::CardAction,
            Self::BotMenu { .. } => EventType::BotMenu,
            Self::ChatEntered { .. } => EventType::ChatEntered,
            Self::BotAdded { .. } => EventType::BotAdded,
            Self::BotRemoved { .. } => EventType::BotRemoved,
            Self::ChatDisbanded { .. } => EventType::ChatDisbanded,
        }
    }
}

/// Declares [`EventType`]: each event type and the platform's name for it, once.
macro_rules! event_types {
    ($($(#[$doc:meta])* $variant:ident = $name:literal,)*) => {
        /// The event types that airgate subscribes to.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum EventType {
            $($(#[$doc])* $variant,)*
        }

        impl EventType {
            /// The platform's name, e.g. `im.message.receive_v1`.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }

            /// The type with this name; none where airgate does not subscribe to it.
            pub fn from_name(name: &str) -> Option<Self> {
                match name {
                    $($name => Some(Self::$variant),)*
                    _ => None,
                }
            }
        }
    };
}

event_types! {
    /// See [`EventKind::Message`].
    Message = "im.message.receive_v1",
    /// See [`EventKind::CardAction`].
    CardAction = "card.action.trigger",
    /// See [`EventKind::BotMenu`].
    BotMenu = "application.bot.menu_v6",
    /// See [`EventKind::ChatEntered`].
    ChatEntered = "im.chat.access_event.bot_p2p_chat_entered_v1",
    /// See [`EventKind::BotAdded`].
    BotAdded = "im.chat.member.bot.added_v1",
    /// See [`EventKind::BotRemoved`].
    BotRemoved = "im.chat.member.bot.deleted_v1",
    /// See [`EventKind::ChatDisbanded`].
    ChatDisbanded = "im.chat.disbanded_v1",
}

/// Reads a payload whose origin is already certain: the plain JSON of an HTTP callback behind its checks, or of
/// a long-connection frame, which has no signature. `now` decides what is stale.
///
/// Fails with [`Malformed::NotAnEvent`] only. Events of version 1.0 (`uuid`, `ts`) are recognised and
/// [`Incoming::Unhandled`]: none of them is acted on.
pub fn parse_payload(payload: &Value, now: Timestamp) -> Result<Incoming, Rejection> {
    if is_url_verification(payload) {
        return string(payload, "challenge")
            .map(Incoming::Challenge)
            .ok_or(Malformed::NotAnEvent.into());
    }
    let Some(header) = payload.get("header") else {
        return parse_version_1(payload);
    };
    let event_type = string(header, "event_type").ok_or(Malformed::NotAnEvent)?;
    let event_id = string(header, "event_id");
    let created_at = header.get("create_time").and_then(instant);
    if created_at.is_some_and(|at| now.duration_since(at) > STALE_AFTER) {
        return Ok(Incoming::Stale {
            event_id: event_id.unwrap_or_default(),
            event_type: bounded(&event_type),
        });
    }
    let created_at = created_at.unwrap_or(now);
    let kind =
        payload.get("event").and_then(|event| parse_kind(&event_type, event, payload, created_at));
    Ok(match (event_id, kind) {
        (Some(event_id), Some(kind)) => Incoming::Event(Event {
            event_id,
            created_at,
            tenant_key: string(header, "tenant_key").unwrap_or_default(),
            kind,
        }),
        // Without an id a repetition could not be told from a new event.
        (event_id, _) => Incoming::Unhandled {
            event_id: event_id.unwrap_or_default(),
            event_type: bounded(&event_type),
        },
    })
}

/// Whether this is the platform's question on saving a request URL.
pub(super) fn is_url_verification(payload: &Value) -> bool {
    payload.get("type").and_then(Value::as_str) == Some("url_verification")
}

/// Version 1.0: `{"uuid", "ts", "token", "type": "event_callback", "event": {"type"}}`.
fn parse_version_1(payload: &Value) -> Result<Incoming, Rejection> {
    match payload.get("event") {
        Some(event) if string(payload, "type").is_some() => Ok(Incoming::Unhandled {
            event_id: string(payload, "uuid").unwrap_or_default(),
            event_type: bounded(&string(event, "type").unwrap_or_default()),
        }),
        _ => Err(Malformed::NotAnEvent.into()),
    }
}

fn parse_kind(
    event_type: &str,
    event: &Value,
    payload: &Value,
    created_at: Timestamp,
) -> Option<EventKind> {
    let chat_id = || string(event, "chat_id");
    let operator_id = || string(event.get("operator_id")?, "open_id");
    Some(match EventType::from_name(event_type)? {
        EventType::Message => EventKind::Message(MessageReceived::parse(event, created_at)?),
        EventType::CardAction => EventKind::CardAction(CardAction::parse(event, payload)?),
        EventType::BotMenu => EventKind::BotMenu {
            operator_open_id: string(event.get("operator")?.get("operator_id")?, "open_id")?,
            event_key: string(event, "event_key")?,
        },
        EventType::ChatEntered => {
            EventKind::ChatEntered { chat_id: chat_id()?, operator_open_id: operator_id()? }
        }
        EventType::BotAdded => EventKind::BotAdded {
            chat_id: chat_id()?,
            operator_open_id: operator_id(),
            name: string(event, "name").unwrap_or_default(),
        },
        EventType::BotRemoved => EventKind::BotRemoved { chat_id: chat_id()? },
        EventType::ChatDisbanded => EventKind::ChatDisbanded { chat_id: chat_id()? },
    })
}

/// A field that is a string and not empty. The platform writes `""` and `null` for what it does not tell.
pub(super) fn string(object: &Value, field: &str) -> Option<String> {
    object.get(field)?.as_str().filter(|text| !text.is_empty()).map(str::to_owned)
}

/// An instant written as a number of seconds, milliseconds or microseconds since 1970, told apart by the number
/// of digits: 10, 13 or 16. The unit differs between events (ms) and card callbacks (µs). Anything else is none.
pub(super) fn instant(value: &Value) -> Option<Timestamp> {
    let digits = match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        _ => return None,
    };
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let count: i64 = digits.parse().ok()?;
    match digits.len() {
        10 => Timestamp::from_second(count),
        13 => Timestamp::from_millisecond(count),
        16 => Timestamp::from_microsecond(count),
        _ => return None,
    }
    .ok()
}

fn bounded(event_type: &str) -> String {
    event_type.chars().take(TYPE_LIMIT).collect()
}
