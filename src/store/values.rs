//! Values of rows that only the store and its callers know.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// How the first arrival of a form was answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpOutcome {
    /// Whether the toast was an error.
    pub refused: bool,
    /// Whether it was one of success. Neither: it said that something began.
    #[serde(default)]
    pub succeeded: bool,
    /// The toast's text.
    pub toast: String,
    /// When it was answered.
    pub at: Timestamp,
}

/// A chat that the bot knows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KnownChat {
    /// Between one person and the bot; otherwise a group.
    pub direct: bool,
    /// When the bot was last spoken to there, or met the chat.
    pub last_message: Timestamp,
}
