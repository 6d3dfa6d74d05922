//! Commits that share a flush to the disk, and the durable state that readers see.
//!
//! Transactions run one after another. One that is finished while others wait is committed without a flush, and its
//! caller waits; the last one flushes for all of them. So a disk that flushes 1,000 times a second does not limit the store
//! to 1,000 changes a second, and a lone transaction is flushed at once.
//!
//! - A caller gets its result only after the flush: what was acknowledged is durable. A flush that fails acknowledges
//!   none of them.
//! - Readers see only what was flushed. Otherwise a message could be sent for a change that a crash takes back.

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use parking_lot::{Condvar, Mutex, MutexGuard, RwLock};
use redb::{Database, Durability, ReadTransaction, ReadableDatabase};
use tokio_util::sync::CancellationToken;

use super::directory::Directory;
use super::view::View;
use super::{ReadTx, StoreError, WriteTx};

/// The most transactions that one flush acknowledges, so that the first one does not wait for an endless queue.
const AT_ONCE: u64 = 64;

/// The database, and the order of its transactions.
pub(super) struct Commits {
    /// What readers see; the last flushed state.
    durable: RwLock<Snapshot>,
    /// Held by the transaction that runs.
    turn: Mutex<Latest>,
    /// How many transactions wait for their turn.
    waiting: AtomicUsize,
    /// How many transactions were committed.
    committed: AtomicU64,
    flushed: Mutex<Flushed>,
    has_flushed: Condvar,
    /// Cancelled when a commit has failed. redb then refuses writes until the file is reopened; only then is it known what
    /// was written.
    pub(super) broken: CancellationToken,
    db: Database,
}

#[derive(Clone)]
struct Snapshot {
    tx: Arc<ReadTransaction>,
    directory: Directory,
}

/// What the next transaction begins with.
struct Latest {
    directory: Directory,
    /// How many commits, the last ones, are not flushed.
    unflushed: u64,
}

struct Flushed {
    /// How many transactions are durable.
    commits: u64,
    /// Whether a flush has failed: there will not be another one.
    failed: bool,
}

impl Commits {
    /// Begins with the state of the database, which `directory` belongs to.
    pub(super) fn new(db: Database, directory: Directory) -> Result<Self, StoreError> {
        let tx = Arc::new(db.begin_read()?);
        Ok(Self {
            durable: RwLock::new(Snapshot { tx, directory: directory.clone() }),
            turn: Mutex::new(Latest { directory, unflushed: 0 }),
            waiting: AtomicUsize::new(0),
            committed: AtomicU64::new(0),
            flushed: Mutex::new(Flushed { commits: 0, failed: false }),
            has_flushed: Condvar::new(),
            broken: CancellationToken::new(),
            db,
        })
    }

    /// Returns the last durable state.
    pub(super) fn snapshot(&self) -> ReadTx {
        let Snapshot { tx, directory } = self.durable.read().clone();
        View(tx, RefCell::new(directory))
    }

    /// Runs `f` when it is its turn, commits its changes, and returns once they are durable. An error of `f` rolls them back.
    pub(super) fn write<T, E: From<StoreError>>(
        &self,
        f: impl FnOnce(&WriteTx) -> Result<T, E>,
    ) -> Result<T, E> {
        self.waiting.fetch_add(1, Ordering::SeqCst);
        let latest = self.turn.lock();
        self.waiting.fetch_sub(1, Ordering::SeqCst);
        let mut turn = Turn { commits: self, latest };
        let tx = self.db.begin_write().map_err(StoreError::from)?;
        let tx = View(tx, RefCell::new(turn.latest.directory.clone()));
        let value = f(&tx)?;
        let number = turn.commit(tx)?;
        drop(turn);
        self.wait_for(number)?;
        Ok(value)
    }

    /// Returns how many transactions were committed.
    pub(super) fn count(&self) -> u64 {
        self.committed.load(Ordering::SeqCst)
    }

    /// Returns how many transactions wait for their turn.
    #[cfg(test)]
    pub(super) fn waiting(&self) -> usize {
        self.waiting.load(Ordering::SeqCst)
    }

    #[cfg(test)]
    pub(super) fn into_database(self) -> Database {
        self.db
    }

    fn wait_for(&self, number: u64) -> Result<(), StoreError> {
        let mut flushed = self.flushed.lock();
        while flushed.commits < number && !flushed.failed {
            self.has_flushed.wait(&mut flushed);
        }
        if flushed.commits < number { Err(StoreError::NotFlushed) } else { Ok(()) }
    }
}

/// The right to run a transaction. Whoever gives it back while nobody waits has flushed what others left unflushed, also
/// after an error or a panic.
struct Turn<'a> {
    commits: &'a Commits,
    latest: MutexGuard<'a, Latest>,
}

impl Turn<'_> {
    /// Commits a transaction, and flushes it unless a waiting one will. Returns its number.
    fn commit(&mut self, tx: WriteTx) -> Result<u64, StoreError> {
        let View(mut tx, directory) = tx;
        let others_follow = self.commits.waiting.load(Ordering::SeqCst) > 0
            && self.latest.unflushed.saturating_add(1) < AT_ONCE;
        // It is refused only for transactions that change savepoints; these are flushed.
        let unflushed = others_follow && tx.set_durability(Durability::None).is_ok();
        if let Err(error) = tx.commit() {
            return Err(self.fail(error.into()));
        }
        self.latest.directory = directory.into_inner();
        let number = self.commits.committed.fetch_add(1, Ordering::SeqCst).saturating_add(1);
        if unflushed {
            self.latest.unflushed = self.latest.unflushed.saturating_add(1);
        } else {
            self.publish()?;
        }
        Ok(number)
    }

    /// Flushes what was committed without a flush: any commit that is durable makes the earlier ones durable.
    fn flush(&mut self) -> Result<(), StoreError> {
        let flushed = self.commits.db.begin_write().map_err(StoreError::from);
        match flushed.and_then(|tx| Ok(tx.commit()?)) {
            Ok(()) => self.publish(),
            Err(error) => Err(self.fail(error)),
        }
    }

    /// Shows readers the state that has been flushed, and lets its callers go on.
    fn publish(&mut self) -> Result<(), StoreError> {
        self.latest.unflushed = 0;
        let tx = match self.commits.db.begin_read() {
            Ok(tx) => Arc::new(tx),
            Err(error) => return Err(self.fail(error.into())),
        };
        let directory = self.latest.directory.clone();
        let before =
            std::mem::replace(&mut *self.commits.durable.write(), Snapshot { tx, directory });
        // Not while readers wait for the lock.
        drop(before);
        self.commits.flushed.lock().commits = self.commits.count();
        self.commits.has_flushed.notify_all();
        Ok(())
    }

    fn fail(&mut self, error: StoreError) -> StoreError {
        tracing::error!(%error, "a commit failed: the store must be reopened");
        self.latest.unflushed = 0;
        self.commits.broken.cancel();
        self.commits.flushed.lock().failed = true;
        self.commits.has_flushed.notify_all();
        error
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        if self.latest.unflushed > 0 && self.commits.waiting.load(Ordering::SeqCst) == 0 {
            // Those who wait for it learn of a failure.
            let _ = self.flush();
        }
    }
}
