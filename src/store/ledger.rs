//! The quota ledger.

use std::ops::ControlFlow;

use super::tables::LEDGER;
use super::view::{Order, Source, View};
use super::{StoreError, WriteTx, keys};
use crate::domain::{Booking, LedgerEntry, UserKey};

impl<S: Source> View<S> {
    /// Returns the last `count` ledger entries of a user, newest first, and how many there are in all.
    pub fn ledger(
        &self,
        user: &UserKey,
        count: usize,
    ) -> Result<(Vec<LedgerEntry>, u64), StoreError> {
        let mut entries = Vec::new();
        let range = keys::of_numbered(user, 0)..=keys::of_numbered(user, u64::MAX);
        self.scan(LEDGER, range, Order::Descending, |_, entry| {
            entries.push(entry);
            if entries.len() < count { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        })?;
        let total = entries.first().map_or(0, |entry| entry.seq);
        entries.truncate(count);
        Ok((entries, total))
    }
}

impl WriteTx {
    /// Writes an entry and the user whose quota it changed. Only [`crate::app::quota::book`] calls this: it is the one way
    /// into the ledger.
    pub fn put_booking(&self, booking: &Booking) -> Result<(), StoreError> {
        let entry = booking.entry();
        self.put(LEDGER, keys::of_numbered(&entry.user, entry.seq), entry)?;
        self.put_user(booking.user())
    }
}
