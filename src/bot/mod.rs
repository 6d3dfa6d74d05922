//! The chat-facing layer: platform events become typed requests, use cases of `app` carry them out, and cards answer.
//!
//! An event's changes, the record that it was handled, and the resulting reply or task are committed in one
//! transaction. Only then is the event acknowledged, so that a repeated event changes nothing.
//!
//! # A click
//!
//! 1. `events.rs` passes it to `clicks.rs`, which looks up the operator's role and stops if there is none.
//! 2. `actions/table.rs` finds the row of the action's word and reads the fields into the row's type. The row says which
//!    role is needed; `roles::Allowed` is the proof that it was checked.
//! 3. An action that only reads opens its card on a snapshot and writes nothing, unless opening starts work or an older
//!    update of the clicked message is still owed.
//! 4. An action that changes something is claimed, performed and shown in one write transaction. A form that was submitted
//!    before (the same `op`) gets its first outcome again.
//! 5. A refusal rolls the transaction back; a second one records it and shows the card with what was typed.
//! 6. The loops that the row names, and those of an added task, are woken. The callback is answered with a toast and a card.
//!
//! # A message
//!
//! 1. `messages.rs` waits for the turn of its chat and extracts the text for the bot. `greeting.rs` treats a menu item
//!    like a message.
//! 2. `commands/parse.rs` turns the text into a command of the table, together with the role that it needs.
//! 3. `commands/answer.rs` makes the reply: on a snapshot for a command that only reads, else in the write transaction
//!    that also claims the message and enqueues the reply. A refusal rolls back, and the reply says why.
//! 4. The outbox is woken; it sends the reply.

mod actions;
mod catch_up;
mod chats;
mod click_records;
mod clicks;
pub mod commands;
mod events;
mod files;
mod greeting;
mod handlers;
mod leavers;
mod messages;
mod names;
mod state;

mod origin;
mod own_id;
mod reaction;
mod roles;

#[cfg(test)]
mod tests;

pub use actions::{ACTIONS, Chat, Form, Op, Request, Row};
pub use catch_up::CatchUpError;
pub use reaction::{HandleError, Reaction};
pub use roles::Roles;
pub use state::{Bot, Parts};
