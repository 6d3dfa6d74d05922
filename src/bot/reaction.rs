//! The outcome of an event.

use crate::feishu::CallbackAnswer;
use crate::store::StoreError;

/// The outcome of an event.
#[derive(Clone, Debug, PartialEq)]
pub enum Reaction {
    /// Handled; a reply is enqueued.
    Handled,
    /// Handled; this answers the callback.
    Answered(CallbackAnswer),
    /// Handled and refused: the person's role does not allow it.
    Denied(CallbackAnswer),
    /// Handled before: nothing was done again.
    Duplicate,
    /// There was nothing to do.
    Ignored,
}

impl Reaction {
    /// The label value in metrics (docs/behaviour.md §4).
    pub fn outcome(&self) -> &'static str {
        match self {
            Reaction::Handled | Reaction::Answered(_) | Reaction::Ignored => "ok",
            Reaction::Denied(_) => "denied",
            Reaction::Duplicate => "duplicate",
        }
    }
}

/// Why an event was not handled. The platform should send it again.
#[derive(Debug, thiserror::Error)]
pub enum HandleError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A message in a group mentions somebody, and it is not known yet whether that is the bot.
    #[error("the bot's own id is not known yet")]
    OwnIdUnknown,
}
