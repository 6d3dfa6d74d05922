//! Cards of a user that people have in their chats: which they are, and which change they already show.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{OpenId, Role, UpdateTarget};

/// A card about one user that is brought up to date when the user changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UserCard {
    /// The user: `/user`.
    User,
    /// The quota and its history: `/quota`.
    Quota,
}

/// Where a message was sent that shows a card of a user.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CardPlace {
    /// The message.
    pub target: UpdateTarget,
    /// The lane in which it was sent.
    pub lane: String,
    /// What it shows.
    pub card: UserCard,
    /// For whom its buttons are.
    pub role: Role,
    /// Whether it is in a group.
    #[serde(default)]
    pub in_group: bool,
    /// Who asked for it.
    #[serde(default)]
    pub person: Option<OpenId>,
    /// When it was sent.
    pub at: Timestamp,
    /// The last change of cards that it shows: see [`CardChange::number`].
    pub seen: u64,
}

/// A change of a user that older cards do not show yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CardChange {
    /// Ascending. What was rendered from a state with this change or a later one shows it.
    pub number: u64,
    /// The message that was enqueued last before the change. Later ones show it.
    pub last_owed: u64,
}
