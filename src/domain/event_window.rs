//! How long an event from the chat platform stays relevant.

use jiff::SignedDuration;

/// The age up to which an event is acted on, and how long its id is remembered so that a repeat is recognised. All code
/// must use this one value: an event that is still acted on after its id was forgotten would be handled twice.
///
/// Feishu repeats an unanswered event after 15 s, 5 min, 1 h and 6 h, so the last repeat comes about
/// 7 h 5 min after the first push (docs/platforms/feishu.md §7, docs/behaviour.md §4).
pub const EVENT_WINDOW: SignedDuration = SignedDuration::from_hours(8);
