//! What the app is granted and subscribed to in the developer console. `airgate check` compares the app with this list,
//! and a test the README.

use super::event::EventType;

/// A scope of the app (权限).
#[derive(Clone, Copy, Debug)]
pub struct Scope {
    /// Any one of these suffices. The first is the narrowest, and the one to ask for.
    pub any_of: &'static [&'static str],
    /// Whether airgate does not work without it.
    pub is_required: bool,
    /// Whether a review is certain, so that only a person should ask for it.
    pub is_sensitive: bool,
    /// What it is for.
    pub enables: &'static str,
}

impl Scope {
    /// The scope to ask for.
    pub fn name(&self) -> &'static str {
        self.any_of.first().copied().unwrap_or_default()
    }
}

/// The scopes that every app made by QR code has from the start, as far as airgate uses them
/// (docs/platforms/feishu.md §12.4).
pub static TEMPLATE_SCOPES: &[&str] = &[
    "application:app_slash_command:read",
    "application:app_slash_command:write",
    "application:application:self_manage",
    "contact:contact.base:readonly",
    "im:chat.members:bot_access",
    "im:chat:read",
    "im:message.group_at_msg:readonly",
    "im:message.p2p_msg:readonly",
    "im:message:readonly",
    "im:message:send_as_bot",
    "im:message:update",
    "im:resource",
];

/// The events likewise.
pub static TEMPLATE_EVENTS: &[EventType] =
    &[EventType::Message, EventType::BotAdded, EventType::BotRemoved];

/// The callback for clicks on cards. It is subscribed to apart from the events.
pub const CARD_CALLBACK: &str = "card.action.trigger";

/// An event that the app subscribes to (事件).
#[derive(Clone, Copy, Debug)]
pub struct Subscription {
    /// Which.
    pub event: EventType,
    /// Whether airgate does not work without it.
    pub is_required: bool,
    /// Any one of these scopes is needed for it; empty if none is.
    pub scopes: &'static [&'static str],
    /// What it is for.
    pub enables: &'static str,
}

const fn required(any_of: &'static [&'static str], enables: &'static str) -> Scope {
    Scope { any_of, is_required: true, is_sensitive: false, enables }
}

const fn optional(any_of: &'static [&'static str], enables: &'static str) -> Scope {
    Scope { any_of, is_required: false, is_sensitive: false, enables }
}

const fn sensitive(any_of: &'static [&'static str], enables: &'static str) -> Scope {
    Scope { any_of, is_required: false, is_sensitive: true, enables }
}

/// Every scope, those that are required first (docs/platforms/feishu.md §4, §5, §8, §12.1).
pub static SCOPES: &[Scope] = &[
    required(
        &["im:message:send_as_bot", "im:message", "im:message:send"],
        "send and reply to messages",
    ),
    required(
        &["im:message:update", "im:message", "im:message:send_as_bot"],
        "update cards that were sent",
    ),
    required(&["im:message.p2p_msg:readonly"], "receive direct messages"),
    required(
        &["im:message.group_at_msg:readonly", "im:message.group_at_msg.include_bot:readonly"],
        "receive messages in groups that mention the bot",
    ),
    required(&["im:resource"], "upload the files of /export"),
    required(&["im:chat:read", "im:chat", "im:chat:readonly"], "read the bot's groups"),
    required(
        &["im:chat.members:bot_access", "im:chat", "im:chat:readonly"],
        "learn that the bot was added to a group, or removed from one",
    ),
    required(&["contact:user.id:readonly"], "find people by mobile number: alert_mobiles, owners"),
    required(
        &[
            "contact:contact.base:readonly",
            "contact:contact:readonly_as_app",
            "contact:contact:access_as_app",
        ],
        "read people",
    ),
    required(
        &[
            "contact:user.base:readonly",
            "contact:contact:readonly_as_app",
            "contact:contact:access_as_app",
        ],
        "read the names of administrators, viewers and owners",
    ),
    optional(
        &["im:message:readonly", "im:message", "im:message.history:readonly"],
        "look up in the chat whether an unclear message was delivered, and what was written while the long connection was down; download CSV files to import",
    ),
    sensitive(&["im:message.group_msg"], "the same in groups"),
    optional(
        &["im:chat.members:read", "im:chat", "im:chat:readonly", "im:chat.group_info:readonly"],
        "read the members of `admin_chat_id` and `viewer_chat_id`",
    ),
    optional(
        &[
            "application:application.app_version:readonly",
            "application:application:self_manage",
            "admin:app.info:readonly",
        ],
        "let `airgate check` see the subscriptions",
    ),
    optional(
        &["application:application:patch"],
        "let `airgate setup` and `airgate check --fix` change the app's settings",
    ),
    optional(&["application:app_slash_command:read"], "compare the list of slash commands"),
    optional(&["application:app_slash_command:write"], "offer the commands as slash commands"),
    optional(
        &["im:chat.members:write_only", "im:chat"],
        "join the alert group, if it is a public one",
    ),
];

/// Any one of these is needed to hear of the members of groups.
const MEMBERS: &[&str] = &["im:chat.members:read", "im:chat", "im:chat:readonly"];

/// Every event. `card.action.trigger` is a callback and has a page of its own in the console.
pub static SUBSCRIPTIONS: &[Subscription] = &[
    Subscription {
        event: EventType::Message,
        is_required: true,
        scopes: &["im:message.p2p_msg:readonly", "im:message.group_at_msg:readonly"],
        enables: "commands",
    },
    Subscription {
        event: EventType::BotMenu,
        is_required: false,
        scopes: &[],
        enables: "items of the bot's menu whose event key is a command, like `users`",
    },
    Subscription {
        event: EventType::ChatEntered,
        is_required: false,
        scopes: &[],
        enables: "a welcome card in the direct chat",
    },
    Subscription {
        event: EventType::BotAdded,
        is_required: false,
        scopes: &["im:chat.members:bot_access", "im:chat", "im:chat:readonly"],
        enables: "a welcome card in a group, which shows the group's id",
    },
    Subscription {
        event: EventType::BotRemoved,
        is_required: false,
        scopes: &["im:chat.members:bot_access", "im:chat", "im:chat:readonly"],
        enables: "forget a group that the bot was removed from",
    },
    Subscription {
        event: EventType::ChatDisbanded,
        is_required: false,
        scopes: &["im:chat:read", "im:chat", "im:chat:readonly"],
        enables: "forget a group that was dissolved",
    },
    Subscription {
        event: EventType::MembersAdded,
        is_required: false,
        scopes: MEMBERS,
        enables: "roles from groups follow at once when somebody joins",
    },
    Subscription {
        event: EventType::MembersLeft,
        is_required: false,
        scopes: MEMBERS,
        enables: "roles from groups end at once when somebody leaves",
    },
    Subscription {
        event: EventType::MembersWithdrawn,
        is_required: false,
        scopes: MEMBERS,
        enables: "the same when an invitation is taken back",
    },
    Subscription {
        event: EventType::PersonLeft,
        is_required: false,
        scopes: &[
            "contact:contact.base:readonly",
            "contact:contact:readonly_as_app",
            "contact:contact:access_as_app",
        ],
        enables: "tell administrators that the owner of users has left the company",
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scopes_cover_the_events() {
        for subscription in SUBSCRIPTIONS {
            // Who hears of members can read them as well: both belong to roles from groups, which are optional.
            let is_optional = subscription.scopes == MEMBERS;
            let is_covered = subscription.scopes.is_empty()
                || SCOPES.iter().any(|scope| {
                    (scope.is_required || is_optional)
                        && subscription.scopes.contains(&scope.name())
                });
            assert!(is_covered, "{}", subscription.event.as_str());
        }
    }

    #[test]
    fn every_event_that_is_handled_is_listed_once() {
        for event in EventType::ALL.iter().filter(|event| **event != EventType::CardAction) {
            let listed = SUBSCRIPTIONS.iter().filter(|one| one.event == *event).count();
            assert_eq!(listed, 1, "{}", event.as_str());
        }
    }
}
