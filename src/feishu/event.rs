//! The event envelope and the events that airgate handles (docs/platforms/feishu.md §7.2, §8).
//!
//! Parsing is lenient: unknown fields, missing optional fields, key order and `null`s do not matter. An event
//! without a required field (who, where, which) is [`Incoming::Unhandled`], not an error: it came from the
//! platform, and refusing it would only make the platform push it again.

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::card_action::CardAction;
use super::fields::{instant, string};
use super::message::MessageReceived;
use super::rejection::{Malformed, Rejection};

/// Longer names of event types are cut, so that log lines stay bounded.
const TYPE_LIMIT: usize = 100;

/// An authenticated payload from the platform.
#[derive(Clone, Debug, PartialEq)]
#[allow(clippy::large_enum_variant)] // One per request, matched immediately: a box would only add an allocation.
pub enum Incoming {
    /// A url_verification: answer `{"challenge": …}`.
    Challenge(String),
    /// An event to handle, once per [`Event::event_id`].
    Event(Event),
    /// An event older than the age limit: answer 200 and ignore it.
    Stale {
        /// Identifies the event; empty if it has no id.
        event_id: String,
        /// E.g. `im.message.receive_v1`.
        event_type: String,
    },
    /// An event of a type that is not handled, or without a required field: answer 200.
    Unhandled {
        /// Identifies the event; empty if it has no id.
        event_id: String,
        /// E.g. `im.message.receive_v1`.
        event_type: String,
    },
}

/// An event. The platform may push it more than once, under the same id.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// Identifies the event across repeated pushes.
    pub event_id: String,
    /// When it happened, by the platform's clock.
    pub created_at: Timestamp,
    /// The tenant that the app belongs to, if the envelope says. An app made in a tenant hears of no other.
    pub tenant_key: Option<String>,
    /// What happened.
    pub kind: EventKind,
}

/// What happened.
#[derive(Clone, Debug, PartialEq)]
pub enum EventKind {
    /// A message that the bot can see. Deduplicate by message id too: the platform does not promise the same event
    /// id when it pushes a message again.
    Message(MessageReceived),
    /// Somebody used a component of a card.
    CardAction(CardAction),
    /// Somebody chose an item from the bot's menu in the direct chat. The event names no chat: reply by open_id.
    BotMenu {
        /// The person who chose it.
        operator_open_id: String,
        /// The item's key from the developer console.
        event_key: String,
    },
    /// Somebody opened the direct chat; sent every time.
    ChatEntered {
        /// The direct chat.
        chat_id: String,
        /// The person who opened it.
        operator_open_id: String,
    },
    /// The bot was added to a group.
    BotAdded {
        /// The group.
        chat_id: String,
        /// The person who added it, if the platform says.
        operator_open_id: Option<String>,
        /// The group's name; empty if the platform does not say.
        name: String,
    },
    /// The bot was removed from a group.
    BotRemoved {
        /// The group.
        chat_id: String,
    },
    /// A group was dissolved.
    ChatDisbanded {
        /// The group.
        chat_id: String,
    },
    /// People joined a group.
    MembersChanged {
        /// The group.
        chat_id: String,
    },
    /// People left a group or were removed, or their invitation was taken back.
    MembersLeft {
        /// The group.
        chat_id: String,
        /// Those whom the event names, `ou_…`.
        open_ids: Vec<String>,
    },
    /// A person left the company.
    PersonLeft {
        /// The person, `ou_…`.
        open_id: String,
        /// The name; empty if the platform does not say.
        name: String,
    },
}

impl EventKind {
    /// Returns the type of this event.
    pub fn event_type(&self) -> EventType {
        match self {
            Self::Message(_) => EventType::Message,
            Self::CardAction(_) => EventType::CardAction,
            Self::BotMenu { .. } => EventType::BotMenu,
            Self::ChatEntered { .. } => EventType::ChatEntered,
            Self::BotAdded { .. } => EventType::BotAdded,
            Self::BotRemoved { .. } => EventType::BotRemoved,
            Self::ChatDisbanded { .. } => EventType::ChatDisbanded,
            Self::MembersChanged { .. } => EventType::MembersAdded,
            Self::MembersLeft { .. } => EventType::MembersLeft,
            Self::PersonLeft { .. } => EventType::PersonLeft,
        }
    }
}

/// Declares [`EventType`]: each event type and the platform's name for it, once.
macro_rules! event_types {
    ($($(#[$doc:meta])* $variant:ident = $name:literal,)*) => {
        /// The event types that airgate handles.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum EventType {
            $($(#[$doc])* $variant,)*
        }

        impl EventType {
            /// Every type.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// Returns the platform's name, e.g. `im.message.receive_v1`.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }

            /// Returns the type with this name, or `None` if airgate does not handle it.
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
    /// See [`EventKind::MembersChanged`].
    MembersAdded = "im.chat.member.user.added_v1",
    /// See [`EventKind::MembersLeft`].
    MembersLeft = "im.chat.member.user.deleted_v1",
    /// An invitation that was taken back: see [`EventKind::MembersLeft`].
    MembersWithdrawn = "im.chat.member.user.withdrawn_v1",
    /// See [`EventKind::PersonLeft`].
    PersonLeft = "contact.user.deleted_v3",
}

/// Parses a payload that is already authenticated: the JSON of a verified HTTP callback, or of a long-connection
/// frame, which needs no signature. An event older than `max_age` at `now` is [`Incoming::Stale`].
///
/// Fails only with [`Malformed::NotAnEvent`]. Version 1.0 events (`uuid`, `ts`) are recognised but
/// [`Incoming::Unhandled`].
pub fn parse_payload(
    payload: &Value,
    now: Timestamp,
    max_age: SignedDuration,
) -> Result<Incoming, Rejection> {
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
    if created_at.is_some_and(|at| now.duration_since(at) > max_age) {
        return Ok(Incoming::Stale {
            event_id: event_id.unwrap_or_default(),
            event_type: bounded(&event_type),
        });
    }
    let created_at = created_at.unwrap_or(now);
    let tenant_key = string(header, "tenant_key");
    let kind =
        payload.get("event").and_then(|event| parse_kind(&event_type, event, payload, created_at));
    Ok(match (event_id, kind) {
        (Some(event_id), Some(kind)) => {
            Incoming::Event(Event { event_id, created_at, tenant_key, kind })
        }
        // Without an id, a repeated push would look like a new event.
        (event_id, _) => Incoming::Unhandled {
            event_id: event_id.unwrap_or_default(),
            event_type: bounded(&event_type),
        },
    })
}

/// Returns whether this is the request that the platform sends when somebody saves a request URL.
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
        EventType::MembersAdded => EventKind::MembersChanged { chat_id: chat_id()? },
        EventType::MembersLeft | EventType::MembersWithdrawn => {
            EventKind::MembersLeft { chat_id: chat_id()?, open_ids: people_of(event) }
        }
        EventType::PersonLeft => {
            let person = event.get("object")?;
            EventKind::PersonLeft {
                open_id: string(person, "open_id")?,
                name: string(person, "name").unwrap_or_default(),
            }
        }
    })
}

/// Returns the people that a change of a group's members names.
fn people_of(event: &Value) -> Vec<String> {
    let users = event.get("users").and_then(Value::as_array);
    let ids = users.into_iter().flatten().filter_map(|user| user.get("user_id"));
    ids.filter_map(|ids| string(ids, "open_id")).collect()
}

fn bounded(event_type: &str) -> String {
    event_type.chars().take(TYPE_LIMIT).collect()
}
