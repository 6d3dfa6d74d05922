//! The engine that carries out what is owed to the outside world.
//!
//! airgate never calls a remote service from the transaction that decides on the call. The transaction writes a row
//! that says what is owed; a loop reads the rows and works through them. Four such loops run in the service: messages
//! ([`crate::outbox`]), access changes ([`crate::access`]), policies ([`crate::monitor`]), and tasks ([`crate::work`]). Each implements
//! [`Owed`]; [`run`] is the loop that all of them share.
//!
//! # The states of a row
//!
//! ```text
//!           due, its key is free,
//!           its group has room               Ok: the outcome is in the store
//!    due ───────────────────────▶ in flight ─────────────────────────────────▶ done
//!     ▲                               │                                          │
//!     │                               │ Err or panic: nothing was recorded       │ the row is gone, or
//!     │         after Owed::REST      ▼                                          │ comes back at a later time
//!     ├──────────────────────────  resting                                       │
//!     └──────────────────────────────────────────────────────────────────────────┘
//! ```
//!
//! - **Due.** [`Owed::due`] returns the rows that may be attempted now. A row whose time has not come is left out;
//!   the answer also says how long to wait before reading again.
//! - **In flight.** One attempt per [key](Owed::Key) and a limited number per [group](Owed::Group). The other rows of the
//!   same key wait and start in their order.
//! - **Done.** The attempt has written its outcome: the row is removed, or has a later time ([`Backoff`]). A remote failure
//!   that was recorded is an `Ok` here.
//! - **Resting.** The attempt panicked, or its outcome could not be written. The row is unchanged and still due: without
//!   a rest, it would be attempted again at once, and forever. Its key stays taken during the rest.
//!
//! # One round
//!
//! A transaction enqueues a message and wakes the outbox. The loop reads the rows, finds the message at the head of
//! a lane that is free, and starts an attempt. Meanwhile, the loop sleeps until the next wake-up, the end of an
//! attempt, or the poll interval, whichever comes first, and reads the rows again. When the attempt ends, the loop
//! frees the lane and reads the rows once more: the message is gone, and the next one of its lane starts.
//!
//! # A row is never attempted twice
//!
//! Only the loop frees a key, after an attempt has ended and before it reads the rows again. If the attempt itself
//! freed its key, that could happen between reading the rows and starting them: a row that had just been done would
//! still be in the list, its key would be free, and it would be sent a second time.
//!
//! # Stopping
//!
//! After a stop, nothing is started, rests are cut short, and [`run`] returns once the attempts in flight have ended.
//! A loop whose attempts may be aborted drops the future instead.

mod backoff;
mod engine;
#[cfg(test)]
mod tests;
mod waits;
mod wakers;

pub use backoff::Backoff;
pub use engine::{Due, InFlight, Owed, run};
pub use waits::Waits;
pub use wakers::Wakers;

#[cfg(test)]
pub(crate) use engine::Starts;
