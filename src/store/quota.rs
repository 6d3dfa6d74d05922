//! The quota ledger.

use std::ops::ControlFlow;

use jiff::Timestamp;

use super::tables::{LEDGER, Order, Source, View};
use super::{StoreError, WriteTx};
use crate::domain::ledger::{check_note, total_after};
use crate::domain::{LedgerEntry, LedgerError, Money, Operator, UserKey};

/// Why an allocation was not booked.
#[derive(Debug, thiserror::Error)]
pub enum AllocateError {
    /// The ledger's rules refuse it.
    #[error(transparent)]
    Refused(#[from] LedgerError),
    /// There is no such user.
    #[error("no such user")]
    NoSuchUser,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl<S: Source> View<S> {
    /// The last `count` ledger entries of a user, newest first, and how many there are in all.
    ///
    /// # Errors
    /// The store's.
    pub fn ledger(
        &self,
        user: &UserKey,
        count: usize,
    ) -> Result<(Vec<LedgerEntry>, u64), StoreError> {
        let (account, username) = (user.account.as_str(), user.username.as_str());
        let mut entries = Vec::new();
        let range = (account, username, 0)..=(account, username, u64::MAX);
        self.scan::<_, LedgerEntry, _, _>(
            LEDGER,
            "ledger",
            range,
            Order::Descending,
            |_, entry| {
                entries.push(entry);
                if entries.len() < count {
                    ControlFlow::Continue(())
                } else {
                    ControlFlow::Break(())
                }
            },
        )?;
        let total = entries.first().map_or(0, |entry| entry.seq);
        entries.truncate(count);
        Ok((entries, total))
    }
}

impl WriteTx {
    /// Books an allocation: the entry, the user's new quota, and, where quota is added, `triggered` emptied.
    ///
    /// # Errors
    /// [`AllocateError::Refused`] where the total would fall below 0 or the note is too long.
    pub fn allocate(
        &self,
        user: &UserKey,
        amount: Money,
        note: &str,
        operator: &Operator,
        now: Timestamp,
    ) -> Result<LedgerEntry, AllocateError> {
        let mut record = self.user(user)?.ok_or(AllocateError::NoSuchUser)?;
        check_note(note)?;
        let after = total_after(record.quota, amount)?;
        let (_, count) = self.ledger(user, 1)?;
        let entry = LedgerEntry {
            seq: count + 1,
            user: user.clone(),
            amount,
            total_after: after,
            note: note.to_owned(),
            operator: operator.clone(),
            at: now,
        };
        let key = (user.account.as_str(), user.username.as_str(), entry.seq);
        self.put(LEDGER, "ledger", key, &entry)?;
        record.quota = after;
        if amount.is_positive() {
            record.triggered.clear();
        }
        record.updated = now;
        self.put_user(&record)?;
        Ok(entry)
    }
}
