//! Row values known only to the store and its callers.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// How a form was answered when it was first submitted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpOutcome {
    /// Whether the toast was an error.
    pub refused: bool,
    /// Whether the toast reported success. If neither is set, it said that something has begun.
    #[serde(default)]
    pub succeeded: bool,
    /// The toast's text.
    pub toast: String,
    /// When it was answered.
    pub at: Timestamp,
}

/// Where an alert was posted as a card that can be updated.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlertPost {
    /// The lane of the message.
    pub lane: String,
    /// Why it was posted there instead of in the alert chat.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fallback: Option<String>,
}

/// A chat that the bot knows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KnownChat {
    /// Whether it is a direct chat between one person and the bot; otherwise it is a group.
    pub direct: bool,
    /// When the last message was sent to the bot there, or when the bot first saw the chat.
    pub last_message: Timestamp,
}
