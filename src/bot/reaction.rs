//! What became of an event.

use crate::feishu::CallbackAnswer;

/// What became of an event.
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
