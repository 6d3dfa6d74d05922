//! Temporary allocations: each by the ledger entry that added it, and those that run by their last day.

use std::ops::ControlFlow;

use jiff::civil::Date;
use redb::ReadableTable;

use super::tables::{TEMPORARY, TEMPORARY_RUNNING};
use super::view::{Order, Source, View};
use super::{StoreError, WriteTx, keys};
use crate::domain::{Temporary, TemporaryState, UserKey};

impl<S: Source> View<S> {
    /// Returns the temporary allocations of a user, oldest first, whether they run or not.
    pub fn temporaries_of(&self, user: &UserKey) -> Result<Vec<Temporary>, StoreError> {
        let mut found = Vec::new();
        let range = keys::of_numbered(user, 0)..=keys::of_numbered(user, u64::MAX);
        self.scan(TEMPORARY, range, Order::Ascending, |_, temporary| {
            found.push(temporary);
            ControlFlow::Continue(())
        })?;
        Ok(found)
    }

    /// Returns a temporary allocation by the ledger entry that added it.
    pub fn temporary(&self, user: &UserKey, seq: u64) -> Result<Option<Temporary>, StoreError> {
        self.get(TEMPORARY, keys::of_numbered(user, seq))
    }

    /// Returns up to `count` of the allocations that still run although their last day is before `today`. Rows that cannot be
    /// read are left out.
    pub fn overdue_temporaries(
        &self,
        today: Date,
        count: usize,
    ) -> Result<Vec<Temporary>, StoreError> {
        let mut found = Vec::new();
        for row in self.open(TEMPORARY_RUNNING)?.range(..(keys::of_day(today), "", "", 0))? {
            let (key, _) = row?;
            let (_, account, username, seq) = key.value();
            let user = keys::user((account, username));
            let Some(user) = user else { continue };
            found.extend(self.get_or_skip(TEMPORARY, keys::of_numbered(&user, seq))?);
            if found.len() >= count {
                break;
            }
        }
        Ok(found)
    }
}

impl WriteTx {
    /// Writes a temporary allocation.
    pub fn put_temporary(&self, temporary: &Temporary) -> Result<(), StoreError> {
        let key = keys::of_numbered(&temporary.user, temporary.seq);
        self.put(TEMPORARY, key, temporary)?;
        let by_day = (keys::of_day(temporary.last_day), key.0, key.1, key.2);
        let mut running = self.open(TEMPORARY_RUNNING)?;
        if temporary.state == TemporaryState::Running {
            running.insert(by_day, ())?;
        } else {
            running.remove(by_day)?;
        }
        Ok(())
    }

    pub(super) fn move_temporaries(&self, from: &UserKey, to: &UserKey) -> Result<(), StoreError> {
        for temporary in self.temporaries_of(from)? {
            let key = keys::of_numbered(from, temporary.seq);
            self.open(TEMPORARY)?.remove(key)?;
            let by_day = (keys::of_day(temporary.last_day), key.0, key.1, key.2);
            self.open(TEMPORARY_RUNNING)?.remove(by_day)?;
            self.put_temporary(&Temporary { user: to.clone(), ..temporary })?;
        }
        Ok(())
    }
}
