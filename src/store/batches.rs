//! Changes of many users: each batch by its number, its rows by number and by user. A row is there until it is written.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use jiff::Timestamp;
use redb::ReadableTable;

use super::tables::{
    BATCH_ROWS, BATCH_USERS, BATCHES, BATCHES_APPLYING, BATCHES_OPEN, FILES_APPLIED,
};
use super::view::{Order, Source, View};
use super::{StoreError, WriteTx, keys};
use crate::domain::{Batch, BatchKind, BatchRow, BatchSource, UserKey};

impl<S: Source> View<S> {
    /// Returns a batch.
    pub fn batch(&self, id: u64) -> Result<Option<Batch>, StoreError> {
        self.get(BATCHES, id)
    }

    /// Returns every batch to which something can still happen, oldest first. Those that cannot be read are left out.
    pub fn open_batches(&self) -> Result<Vec<Batch>, StoreError> {
        let numbers = self
            .open(BATCHES_OPEN)?
            .iter()?
            .map(|row| row.map(|(id, _)| id.value()))
            .collect::<Result<Vec<u64>, _>>()?;
        numbers.into_iter().filter_map(|id| self.get_or_skip(BATCHES, id).transpose()).collect()
    }

    /// Returns the rows of a batch that are not written yet, from the number `first` on, at most `count`.
    pub fn batch_rows(
        &self,
        batch: u64,
        first: u64,
        count: usize,
    ) -> Result<Vec<(u64, BatchRow)>, StoreError> {
        let mut rows = Vec::new();
        if count == 0 {
            return Ok(rows);
        }
        self.scan(BATCH_ROWS, (batch, first)..=(batch, u64::MAX), Order::Ascending, |key, row| {
            rows.push((key.1, row));
            if rows.len() < count { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        })?;
        Ok(rows)
    }

    /// Returns the decided batch that has yet to write a row of this user.
    pub fn batch_applying_to(&self, user: &UserKey) -> Result<Option<u64>, StoreError> {
        let applying = self.open(BATCHES_APPLYING)?;
        let (account, username) = keys::of_user(user);
        for row in applying.iter()? {
            let batch = row?.0.value();
            let of_user = (account, username, batch, 0)..=(account, username, batch, u64::MAX);
            if self.open(BATCH_USERS)?.range(of_user)?.next().is_some() {
                return Ok(Some(batch));
            }
        }
        Ok(None)
    }

    /// Returns whether a batch that is being written links projects: who pays for them is not settled until it is done.
    pub fn links_are_written(&self) -> Result<bool, StoreError> {
        for row in self.open(BATCHES_APPLYING)?.iter()? {
            let batch = self.batch(row?.0.value())?;
            let plan = batch.as_ref().and_then(|batch| batch.plan.as_ref());
            if plan.is_some_and(|plan| plan.kind == BatchKind::Links) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Returns up to `count` of the batches that were asked for before `at` and are over, oldest first. Those that cannot be read
    /// are left out.
    pub fn batches_before(&self, at: Timestamp, count: usize) -> Result<Vec<Batch>, StoreError> {
        let mut found = Vec::new();
        let open: BTreeSet<u64> = self
            .open(BATCHES_OPEN)?
            .iter()?
            .map(|row| row.map(|(id, _)| id.value()))
            .collect::<Result<_, _>>()?;
        self.scan_readable::<_, Batch, u64, _>(BATCHES, .., Order::Ascending, |_, batch| {
            // They are numbered as they were asked for.
            if batch.at >= at || found.len() >= count {
                return ControlFlow::Break(());
            }
            if batch.state.is_final() && !open.contains(&batch.id) {
                found.push(batch);
            }
            ControlFlow::Continue(())
        })?;
        Ok(found)
    }

    /// Returns the batch that last applied a file with these rows.
    pub fn file_applied(&self, digest: &str) -> Result<Option<u64>, StoreError> {
        Ok(self.open(FILES_APPLIED)?.get(digest)?.map(|batch| batch.value()))
    }
}

impl WriteTx {
    /// Returns the number of a new batch.
    pub fn next_batch(&self) -> Result<u64, StoreError> {
        self.next_number("batches")
    }

    /// Writes a batch, without its rows.
    pub fn put_batch(&self, batch: &Batch) -> Result<(), StoreError> {
        self.put(BATCHES, batch.id, batch)?;
        let mut applying = self.open(BATCHES_APPLYING)?;
        if batch.state.is_applying() {
            applying.insert(batch.id, ())?;
        } else {
            applying.remove(batch.id)?;
        }
        // One that is over stays among them until its rows are removed.
        let over = batch.state.is_final() && self.batch_rows(batch.id, 0, 1)?.is_empty();
        let mut open = self.open(BATCHES_OPEN)?;
        if over {
            open.remove(batch.id)?;
        } else {
            open.insert(batch.id, ())?;
        }
        Ok(())
    }

    /// Removes a batch that is over, and that it applied a file.
    pub fn remove_batch(&self, batch: &Batch) -> Result<(), StoreError> {
        self.open(BATCHES)?.remove(batch.id)?;
        self.open(BATCHES_OPEN)?.remove(batch.id)?;
        if let BatchSource::File { digest, .. } = &batch.source {
            let mut applied = self.open(FILES_APPLIED)?;
            let by = applied.get(digest.as_str())?.map(|by| by.value());
            if by == Some(batch.id) {
                applied.remove(digest.as_str())?;
            }
        }
        Ok(())
    }

    /// Writes rows of a batch, numbered from `first` on.
    pub fn put_batch_rows(
        &self,
        batch: u64,
        first: u64,
        rows: &[BatchRow],
    ) -> Result<(), StoreError> {
        for (number, row) in (first..).zip(rows) {
            self.put(BATCH_ROWS, (batch, number), row)?;
            let (account, username) = keys::of_user(&row.user);
            self.open(BATCH_USERS)?.insert((account, username, batch, number), ())?;
        }
        Ok(())
    }

    /// Removes a row, once it is written.
    pub fn remove_batch_row(
        &self,
        batch: u64,
        number: u64,
        row: &BatchRow,
    ) -> Result<(), StoreError> {
        self.open(BATCH_ROWS)?.remove((batch, number))?;
        let (account, username) = keys::of_user(&row.user);
        self.open(BATCH_USERS)?.remove((account, username, batch, number))?;
        Ok(())
    }

    /// Notes that a batch applied a file with these rows.
    pub fn put_file_applied(&self, digest: &str, batch: u64) -> Result<(), StoreError> {
        self.open(FILES_APPLIED)?.insert(digest, batch)?;
        Ok(())
    }

    /// Rows follow a rename.
    pub(super) fn move_batch_rows(&self, from: &UserKey, to: &UserKey) -> Result<(), StoreError> {
        let (account, username) = keys::of_user(from);
        let range = (account, username, 0, 0)..=(account, username, u64::MAX, u64::MAX);
        let numbers = self
            .open(BATCH_USERS)?
            .range(range)?
            .map(|row| row.map(|(key, _)| (key.value().2, key.value().3)))
            .collect::<Result<Vec<(u64, u64)>, _>>()?;
        for (batch, number) in numbers {
            let Some(row) = self.get(BATCH_ROWS, (batch, number))? else { continue };
            self.remove_batch_row(batch, number, &row)?;
            self.put_batch_rows(batch, number, &[BatchRow { user: to.clone(), ..row }])?;
        }
        Ok(())
    }
}
