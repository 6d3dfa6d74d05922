//! The store: one redb file. Only this folder writes to the disk. It owns tables, keys, encoding and transactions; the
//! rules for what is written are in `domain`.
//!
//! Reads and writes are transactions: [`Store::read`] gives a snapshot, [`Store::write`] commits all of its closure's
//! effects or none. A request's effect, its event id or `op`, and the messages it sends go into one transaction. Concurrent
//! transactions share a flush: see [`commit`].
//! redb calls block: async callers use [`Store::reading`] and [`Store::writing`], which run on a blocking thread, or
//! [`Store::looking`], and no transaction lives across an await.

mod access;
mod accounts;
mod alerts;
mod approvals;
mod attribution;
pub mod backup;
pub mod backup_names;
mod batches;
mod card_places;
mod chats;
mod commit;
mod creation;
mod days;
mod decoded;
mod directory;
mod estimate;
mod events;
mod forecast;
mod keys;
mod ledger;
mod links;
mod meta;
mod migrations;
mod month;
pub mod opening;
mod owed;
mod policies;
mod recording;
mod rekey;
mod rename;
mod requests;
pub mod restore;
pub mod seal;
mod spending;
mod tables;
mod temporary;
#[cfg(test)]
mod tests;
mod users;
mod values;
mod view;

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use commit::Commits;
use opening::{Opening, Stage};
use redb::{Database, StorageBackend};

pub use accounts::{AccountSecrets, WaitingPair};
pub use directory::{Directory, Entry};
pub use estimate::{EstimateChanges, EstimateReading};
pub use owed::NewMessage;
pub use recording::{BillChanges, PeriodBill, RecordedReading};
pub use values::{AlertPost, KnownChat, OpOutcome};
pub use view::{Source, View};

/// The version of the file's layout. A file with an older one is migrated when it is opened; a newer one is refused.
///
/// 1: the first. 2: users of a period ranked by their total, alerts sorted by kind. 3: days; links by project; what no user
/// pays for.
pub const SCHEMA_VERSION: u64 = 3;

/// redb's page cache. The default of 1 GiB would break the limit on memory (docs/behaviour.md §8).
const CACHE_BYTES: usize = 64 * 1024 * 1024;

/// A read that takes longer than this does not run on a thread of the runtime.
const QUICK: Duration = Duration::from_millis(2);

/// Length of redb's magic number at the beginning of a file (its design document, "Super-header").
const MAGIC_BYTES: usize = 9;
/// Everything that redb writes before the magic number fits within these bytes.
const HEADER_BYTES: usize = 512;
/// A file that redb is still creating is smaller.
const MAX_UNFINISHED_BYTES: u64 = 16 * 1024 * 1024;

/// A snapshot of the store.
pub type ReadTx = View<Arc<redb::ReadTransaction>>;
/// A transaction that may change the store.
pub type WriteTx = View<redb::WriteTransaction>;

/// What can go wrong with the store.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Another process has it open.
    #[error(
        "the store {0} is in use by another airgate process; stop it first, or use the chat commands"
    )]
    InUse(PathBuf),
    /// It was written by a newer airgate.
    #[error(
        "the store has layout version {found}, but this airgate only knows {SCHEMA_VERSION}; use the newer one"
    )]
    NewerSchema {
        /// The version in the file.
        found: u64,
    },
    /// The master key does not open the secrets in it.
    #[error("security.master_key is not the key this store was written with")]
    WrongKey,
    /// A sealed secret cannot be opened.
    #[error("a sealed secret cannot be opened: it was changed, or belongs to another account")]
    Unsealable,
    /// The file cannot be created or opened.
    #[error("cannot open the store {path}: {source}")]
    Io {
        /// Which file.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// redb's error.
    #[error("store: {0}")]
    Redb(#[from] Box<redb::Error>),
    /// A value cannot be read.
    #[error("store: a value of table `{table}` cannot be read: {source}")]
    Codec {
        /// Which table.
        table: &'static str,
        /// The cause.
        source: serde_json::Error,
    },
    /// The flush that was to make a transaction durable failed. Whether it is on disk is unknown.
    #[error("store: the changes could not be written to the disk")]
    NotFlushed,
    /// The transaction's closure panicked.
    #[error("store: the transaction was aborted by a panic")]
    Aborted,
}

macro_rules! from_redb {
    ($($error:ty),*) => {$(
        impl From<$error> for StoreError {
            fn from(error: $error) -> Self {
                StoreError::Redb(Box::new(error.into()))
            }
        }
    )*};
}
from_redb!(
    redb::DatabaseError,
    redb::TransactionError,
    redb::TableError,
    redb::StorageError,
    redb::CommitError
);

/// A handle on the store. Clones share it.
#[derive(Clone)]
pub struct Store {
    commits: Arc<Commits>,
    /// Its file; `None` on other backends.
    path: Option<Arc<Path>>,
    sealer: Arc<seal::Sealer>,
    /// How long the last read of [`Store::looking`] took, in microseconds.
    looked: Arc<AtomicU64>,
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Store")
    }
}

impl Store {
    /// Opens the store at `path`, creating it (mode 0600) and its folder if missing.
    ///
    /// # Errors
    /// [`StoreError::InUse`], [`StoreError::WrongKey`], [`StoreError::NewerSchema`], or an I/O error.
    pub fn open(path: &Path, master_key: &[u8; 32]) -> Result<Self, StoreError> {
        Self::open_followed(path, master_key, &Opening::default())
    }

    /// Like [`Store::open`], which may take minutes after a kill or an upgrade: `opening` says how far it has come.
    ///
    /// # Errors
    /// As [`Store::open`].
    pub fn open_followed(
        path: &Path,
        master_key: &[u8; 32],
        opening: &Opening,
    ) -> Result<Self, StoreError> {
        let io = |source| StoreError::Io { path: path.to_owned(), source };
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            std::fs::create_dir_all(folder).map_err(io)?;
        }
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(path).map_err(io)?;
        discard_unfinished(&file).map_err(io)?;
        let opened = redb::backends::FileBackend::new(file)
            .and_then(|backend| builder_followed(opening).create_with_backend(backend));
        match opened {
            Ok(db) => Self::over(db, Some(path.into()), master_key, opening),
            Err(redb::DatabaseError::DatabaseAlreadyOpen) => {
                Err(StoreError::InUse(path.to_owned()))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Opens a store on any backend: in memory, or one that drops unsynced writes.
    ///
    /// # Errors
    /// As [`Store::open`].
    pub fn with_backend(
        backend: impl StorageBackend,
        master_key: &[u8; 32],
    ) -> Result<Self, StoreError> {
        let opening = Opening::default();
        Self::over(builder().create_with_backend(backend)?, None, master_key, &opening)
    }

    fn over(
        db: Database,
        path: Option<Arc<Path>>,
        master_key: &[u8; 32],
        opening: &Opening,
    ) -> Result<Self, StoreError> {
        let sealer = seal::Sealer::new(master_key);
        let tx = View(db.begin_write()?, Default::default());
        // A newer layout may have tables with these names and other types.
        tx.check_schema()?;
        tx.create_tables()?;
        tx.migrate(opening)?;
        tx.check_key(&sealer)?;
        opening.is_at(Stage::Loading);
        let directory = Directory::load(&tx)?;
        tx.0.commit()?;
        let commits = Arc::new(Commits::new(db, directory)?);
        Ok(Self { commits, path, sealer: Arc::new(sealer), looked: Arc::default() })
    }

    /// Runs `f` on a snapshot of the last durable state.
    pub fn read<T, E: From<StoreError>>(
        &self,
        f: impl FnOnce(&ReadTx) -> Result<T, E>,
    ) -> Result<T, E> {
        f(&self.commits.snapshot())
    }

    /// Runs `f` and commits its changes; an error from `f` rolls everything back. Returns once the changes are on disk.
    ///
    /// # Errors
    /// The error of `f`, or of the store. After a failed commit the effect may or may not be on disk: it is unknown,
    /// not undone.
    pub fn write<T, E: From<StoreError>>(
        &self,
        f: impl FnOnce(&WriteTx) -> Result<T, E>,
    ) -> Result<T, E> {
        self.commits.write(f)
    }

    /// Returns how many transactions were committed since the store was opened.
    pub fn commits(&self) -> u64 {
        self.commits.count()
    }

    /// Waits until a commit has failed. After that, nothing can be written: the process should be restarted.
    pub async fn broken(&self) {
        self.commits.broken.cancelled().await;
    }

    /// [`Store::read`] on a blocking thread.
    ///
    /// # Errors
    /// As [`Store::read`].
    pub async fn reading<T, E>(
        &self,
        f: impl FnOnce(&ReadTx) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        let store = self.clone();
        match tokio::task::spawn_blocking(move || store.read(f)).await {
            Ok(result) => result,
            Err(_) => Err(StoreError::Aborted.into()),
        }
    }

    /// [`Store::read`] for somebody who waits for an answer, with a short `f`. Runs it on this thread, because most
    /// answers come from memory in less time than a switch to another thread takes. A slow disk must not hold up the
    /// runtime, though: after a read that was slow, the next ones run on a blocking thread until one is quick again.
    ///
    /// # Errors
    /// As [`Store::read`].
    pub async fn looking<T, E>(
        &self,
        f: impl FnOnce(&ReadTx) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        let looked = Arc::clone(&self.looked);
        let timed = move |store: &Self| {
            let started = Instant::now();
            let result = store.read(f);
            let took = u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX);
            looked.store(took, Ordering::Relaxed);
            result
        };
        if Duration::from_micros(self.looked.load(Ordering::Relaxed)) < QUICK {
            return timed(self);
        }
        let store = self.clone();
        match tokio::task::spawn_blocking(move || timed(&store)).await {
            Ok(result) => result,
            Err(_) => Err(StoreError::Aborted.into()),
        }
    }

    /// [`Store::write`] on a blocking thread.
    ///
    /// # Errors
    /// As [`Store::write`].
    pub async fn writing<T, E>(
        &self,
        f: impl FnOnce(&WriteTx) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        let store = self.clone();
        match tokio::task::spawn_blocking(move || store.write(f)).await {
            Ok(result) => result,
            Err(_) => Err(StoreError::Aborted.into()),
        }
    }
}

/// Empties a file whose creation was interrupted: redb writes its magic number last, and never opens a file without one.
/// Such a file holds only zeros after a header without a magic number.
fn discard_unfinished(mut file: &File) -> std::io::Result<()> {
    let length = file.metadata()?.len();
    // A locked file is being created right now.
    if length == 0 || length > MAX_UNFINISHED_BYTES || file.try_lock().is_err() {
        return Ok(());
    }
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    file.rewind()?;
    let is_empty = |part: Option<&[u8]>| part.is_some_and(|part| part.iter().all(|b| *b == 0));
    if is_empty(bytes.get(..MAGIC_BYTES)) && is_empty(bytes.get(HEADER_BYTES..)) {
        file.set_len(0)?;
    }
    file.unlock()
}

fn builder() -> redb::Builder {
    builder_followed(&Opening::default())
}

fn builder_followed(opening: &Opening) -> redb::Builder {
    let opening = opening.clone();
    let mut builder = Database::builder();
    builder.set_cache_size(CACHE_BYTES);
    // After a kill, redb reads the whole file up to three times.
    builder.set_repair_callback(move |session| {
        opening.has_checked(&format!("{:.2}", session.progress()));
        tracing::warn!(
            stage = %opening.stage(),
            "the store was not closed properly: it is being checked as a whole"
        );
    });
    builder
}
