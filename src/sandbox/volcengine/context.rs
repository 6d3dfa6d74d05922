//! The account, the caller, the rules and the time that an action works with.

use jiff::Timestamp;

use super::permissions::Caller;
use crate::sandbox::world::{FakeAccount, Rules};

/// The context of an action.
pub(super) struct Context<'a> {
    pub(super) account: &'a mut FakeAccount,
    pub(super) caller: &'a Caller,
    pub(super) rules: &'a Rules,
    pub(super) now: Timestamp,
}
