//! Backups: a snapshot of the store, copied into a new file that is itself a store and opens with the same key.
//!
//! The copy is made from one read transaction, so it does not block a running service. It has a temporary name until it is
//! complete and synced to disk. An existing file is never overwritten.

use std::fs::File;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use redb::{
    Database, Key, ReadTransaction, ReadableTable, TableDefinition, TableHandle, Value,
    WriteTransaction,
};
use tempfile::NamedTempFile;

use super::backup_names::BackupNames;
use super::tables::{Visitor, visit_tables};
use super::{Store, StoreError};

/// redb's page cache for the copy, which is only written to.
const COPY_CACHE_BYTES: usize = 16 * 1024 * 1024;
/// How many rows are copied between two checks for cancellation.
const ROWS_PER_CHECK: usize = 1_000;

/// Why no backup was made.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// The file exists.
    #[error("{0} exists already: name a new file")]
    Exists(PathBuf),
    /// A disk error.
    #[error("cannot write {path}: {source}")]
    Io {
        /// Which file or folder.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// The disk has no room for a copy besides what the store itself needs.
    #[error("{folder} {shortage}; free some space, or set store.backup_dir to another disk")]
    NoRoom {
        /// The folder for the backup.
        folder: PathBuf,
        /// How much is missing.
        shortage: Shortage,
    },
    /// The service is shutting down.
    #[error("the backup was cancelled")]
    Stopped,
    /// The copy lacks a table of the store.
    #[error("the backup lacks the table `{0}`, which this airgate does not know")]
    Incomplete(String),
    /// A store error.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl BackupError {
    /// Returns what the system says about it, in no words of airgate's: for people whose language is not known here.
    pub fn said(&self) -> Option<String> {
        match self {
            BackupError::Io { source, .. } => Some(source.to_string()),
            BackupError::NoRoom { shortage: Shortage { free, needed }, .. } => {
                Some(format!("{free} MiB < {needed} MiB"))
            }
            BackupError::Exists(_)
            | BackupError::Stopped
            | BackupError::Incomplete(_)
            | BackupError::Store(_) => None,
        }
    }
}

macro_rules! from_redb {
    ($($error:ty),*) => {$(
        impl From<$error> for BackupError {
            fn from(error: $error) -> Self {
                BackupError::Store(error.into())
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

impl Store {
    /// Copies the store as it is now to the new file `path` (mode 0600). `go_on` is called from time to time; returning
    /// `false` cancels the copy. Leaves nothing behind if it fails.
    ///
    /// # Errors
    /// [`BackupError::Exists`] if `path` exists; otherwise a disk or store error.
    pub fn backup(&self, path: &Path, go_on: &dyn Fn() -> bool) -> Result<(), BackupError> {
        self.backup_as(path, ".airgate-backup-", go_on)
    }

    fn backup_as(
        &self,
        path: &Path,
        temporary: &str,
        go_on: &dyn Fn() -> bool,
    ) -> Result<(), BackupError> {
        let io = |source| BackupError::Io { path: path.to_owned(), source };
        if path.symlink_metadata().is_ok() {
            return Err(BackupError::Exists(path.to_owned()));
        }
        let folder = folder_of(path);
        let size = self.path.as_ref().map_or(Ok(0), |path| path.metadata().map(|data| data.len()));
        room(size.map_err(io)?, free_space(folder).map_err(io)?)
            .map_err(|shortage| BackupError::NoRoom { folder: folder.to_owned(), shortage })?;
        let file = temporary_in(folder, temporary).map_err(io)?;
        let from = self.commits.snapshot().0;
        let mut builder = Database::builder();
        builder.set_cache_size(COPY_CACHE_BYTES);
        let backend = redb::backends::FileBackend::new(file.reopen().map_err(io)?)?;
        let copy = builder.create_with_backend(backend)?;
        let into = copy.begin_write()?;
        visit_tables(&mut Copy { from: &from, into: &into, go_on })?;
        complete(&from, &into)?;
        into.commit()?;
        copy.close()?;
        file.as_file().sync_all().map_err(io)?;
        file.persist_noclobber(path).map_err(|error| match error.error.kind() {
            std::io::ErrorKind::AlreadyExists => BackupError::Exists(path.to_owned()),
            _ => io(error.error),
        })?;
        sync_folder(folder);
        Ok(())
    }
}

/// The folder in which the running service keeps its backups.
#[derive(Clone, Debug)]
pub struct BackupFolder {
    folder: PathBuf,
    names: BackupNames,
    keep: usize,
}

impl BackupFolder {
    /// Manages backups of the store at `store` in `folder`, of which the newest `keep` are kept.
    pub fn new(folder: &Path, store: &Path, keep: usize) -> Self {
        Self { folder: folder.to_owned(), names: BackupNames::new(store), keep }
    }

    /// Returns the newest backup of this store that was made until `now`: a name from the future comes from a clock that
    /// was wrong. `None` if there is no backup or no folder.
    pub fn newest(&self, now: Timestamp) -> Option<(Timestamp, PathBuf)> {
        let names = self.file_names().ok()?;
        let (at, name) = self.names.newest(names.iter().map(String::as_str), now)?;
        Some((at, self.folder.join(name)))
    }

    /// Makes a backup named after `now`, then removes the oldest backups of this store until `keep` are left. Files with
    /// other names are left alone.
    ///
    /// # Errors
    /// As [`Store::backup`]. If it fails, nothing is removed.
    pub fn add(
        &self,
        store: &Store,
        now: Timestamp,
        go_on: &dyn Fn() -> bool,
    ) -> Result<Made, BackupError> {
        let io = |source| BackupError::Io { path: self.folder.clone(), source };
        create_folder(&self.folder).map_err(io)?;
        let temporary = format!(".{}-backup-", self.names.stem());
        // A killed process may have left an unfinished file. No other process can be writing one: only one has the
        // store open.
        let unfinished = self
            .file_names()
            .map_err(io)?
            .into_iter()
            .filter(|name| name.starts_with(&temporary) && name.ends_with(TEMPORARY_SUFFIX));
        let (_, undeletable) = self.remove(unfinished);
        let path = self.folder.join(self.names.name(now));
        store.backup_as(&path, &temporary, go_on)?;
        let old = self.names.surplus(self.file_names().map_err(io)?, self.keep, now);
        let (removed, undeleted) = self.remove(old.into_iter());
        Ok(Made { path, removed, undeleted: undeletable.or(undeleted) })
    }

    /// Removes files. Returns how many, and the first error: one file that cannot be removed does not keep the others.
    fn remove(
        &self,
        names: impl Iterator<Item = String>,
    ) -> (usize, Option<(PathBuf, std::io::Error)>) {
        let (mut removed, mut failed) = (0, None);
        for name in names {
            let path = self.folder.join(name);
            match std::fs::remove_file(&path) {
                Ok(()) => removed += 1,
                Err(error) => {
                    failed.get_or_insert((path, error));
                }
            }
        }
        (removed, failed)
    }

    /// Returns the names of all regular files in the folder.
    fn file_names(&self) -> std::io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in std::fs::read_dir(&self.folder)? {
            let entry = entry?;
            if entry.file_type()?.is_file()
                && let Ok(name) = entry.file_name().into_string()
            {
                names.push(name);
            }
        }
        Ok(names)
    }
}

/// A backup that was made.
#[derive(Debug)]
pub struct Made {
    /// Its file.
    pub path: PathBuf,
    /// How many old ones were removed.
    pub removed: usize,
    /// A file that should have been removed and could not.
    pub undeleted: Option<(PathBuf, std::io::Error)>,
}

/// A disk that has no room for a copy of a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "has {free} MiB free, and {needed} MiB are needed: the copy and as much again for the store to grow"
)]
pub struct Shortage {
    /// Free space, in MiB.
    pub free: u64,
    /// Needed space, in MiB.
    pub needed: u64,
}

/// Checks that a copy of a store of `size` bytes leaves as much free space as the copy takes up.
pub(super) fn room(size: u64, free: u64) -> Result<(), Shortage> {
    const MIB: u64 = 1024 * 1024;
    let needed = size.saturating_mul(2);
    if free >= needed {
        return Ok(());
    }
    Err(Shortage { free: free / MIB, needed: needed.div_ceil(MIB) })
}

/// Returns how many bytes this process may still write to the disk of `folder`.
pub(super) fn free_space(folder: &Path) -> std::io::Result<u64> {
    let disk = rustix::fs::statvfs(folder)?;
    Ok(disk.f_bavail.saturating_mul(disk.f_frsize))
}

const TEMPORARY_SUFFIX: &str = ".tmp";

/// Creates a new file, mode 0600, that is deleted unless it is renamed.
pub(super) fn temporary_in(folder: &Path, prefix: &str) -> std::io::Result<NamedTempFile> {
    tempfile::Builder::new().prefix(prefix).suffix(TEMPORARY_SUFFIX).tempfile_in(folder)
}

/// Returns the folder that `path` is in.
pub(super) fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// Syncs a folder, so that the names in it are on disk. Not every file system supports this, and none needs it to stay
/// consistent.
pub(super) fn sync_folder(folder: &Path) {
    let _ = File::open(folder).and_then(|folder| folder.sync_all());
}

fn create_folder(folder: &Path) -> std::io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

struct Copy<'a> {
    from: &'a ReadTransaction,
    into: &'a WriteTransaction,
    go_on: &'a dyn Fn() -> bool,
}

impl Visitor for Copy<'_> {
    type Error = BackupError;

    fn visit<K: Key + 'static, V: Value + 'static>(
        &mut self,
        table: TableDefinition<'static, K, V>,
    ) -> Result<(), BackupError> {
        let from = self.from.open_table(table)?;
        let mut into = self.into.open_table(table)?;
        for (i, row) in from.iter()?.enumerate() {
            if i % ROWS_PER_CHECK == 0 && !(self.go_on)() {
                return Err(BackupError::Stopped);
            }
            let (key, value) = row?;
            into.insert(key.value(), value.value())?;
        }
        Ok(())
    }
}

/// Checks that every table of the store is in the copy.
fn complete(from: &ReadTransaction, into: &WriteTransaction) -> Result<(), BackupError> {
    let copied: Vec<String> = into.list_tables()?.map(|table| table.name().to_owned()).collect();
    match from.list_tables()?.find(|table| !copied.iter().any(|name| name == table.name())) {
        Some(table) => Err(BackupError::Incomplete(table.name().to_owned())),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{AccountId, OpenId};
    use crate::store::AccountSecrets;
    use redb::{ReadableTableMetadata, backends::InMemoryBackend};

    const KEY: [u8; 32] = [7; 32];
    const NOW: &str = "2026-11-23T02:00:00.5Z";

    fn filled() -> Store {
        let store = Store::with_backend(InMemoryBackend::new(), &KEY).unwrap();
        let secrets = AccountSecrets {
            access_key_id: "AKLTx".to_owned().into(),
            secret_key: "secret".to_owned().into(),
        };
        let id = AccountId::new("main").unwrap();
        store.save_account(&id, "name", &secrets, NOW.parse().unwrap()).unwrap();
        store
            .write(|tx| {
                for i in 0..5_000 {
                    let id = OpenId::new(format!("ou_{i}")).unwrap();
                    tx.put_person_name(&id, &format!("person {i}"))?;
                }
                tx.claim(&["e:1".to_owned()], NOW.parse().unwrap())?;
                Ok::<_, StoreError>(())
            })
            .unwrap();
        store
    }

    /// Rows of every table.
    struct Rows<'a>(&'a ReadTransaction, Vec<(String, u64)>);

    impl Visitor for Rows<'_> {
        type Error = StoreError;

        fn visit<K: Key + 'static, V: Value + 'static>(
            &mut self,
            table: TableDefinition<'static, K, V>,
        ) -> Result<(), StoreError> {
            let rows = self.0.open_table(table)?.len()?;
            self.1.push((table.name().to_owned(), rows));
            Ok(())
        }
    }

    fn rows(store: &Store) -> Vec<(String, u64)> {
        store
            .read(|tx| {
                let mut rows = Rows(&tx.0, Vec::new());
                visit_tables(&mut rows)?;
                Ok::<_, StoreError>(rows.1)
            })
            .unwrap()
    }

    #[test]
    fn a_backup_is_a_store_with_every_row() {
        let (folder, store) = (tempfile::tempdir().unwrap(), filled());
        let path = folder.path().join("copy.redb");
        store.backup(&path, &|| true).unwrap();
        assert!(matches!(store.backup(&path, &|| true), Err(BackupError::Exists(_))));
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        }
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing else is left");
        let copy = Store::open(&path, &KEY).unwrap();
        assert_eq!(rows(&copy), rows(&store));
        assert!(copy.account_secrets(&AccountId::new("main").unwrap()).unwrap().is_some());
        drop(copy);
        assert!(matches!(Store::open(&path, &[8; 32]), Err(StoreError::WrongKey)));
    }

    #[test]
    fn writes_during_the_copy_are_not_in_it_and_are_not_held_up() {
        let (folder, store) = (tempfile::tempdir().unwrap(), filled());
        let path = folder.path().join("copy.redb");
        let late = OpenId::new("ou_late").unwrap();
        let write = || {
            store.write(|tx| tx.put_person_name(&late, "late")).unwrap();
            true
        };
        store.backup(&path, &write).unwrap();
        let copy = Store::open(&path, &KEY).unwrap();
        assert_eq!(copy.read(|tx| tx.person_name(&late)).unwrap(), None);
        assert!(store.read(|tx| tx.person_name(&late)).unwrap().is_some());
    }

    #[test]
    fn a_cancelled_backup_leaves_nothing() {
        let (folder, store) = (tempfile::tempdir().unwrap(), filled());
        let path = folder.path().join("copy.redb");
        assert!(matches!(store.backup(&path, &|| false), Err(BackupError::Stopped)));
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_table_missing_from_the_list_is_noticed() {
        let (folder, store) = (tempfile::tempdir().unwrap(), filled());
        const OTHER: TableDefinition<'static, &str, u64> = TableDefinition::new("other");
        store
            .write(|tx| {
                tx.open(OTHER)?;
                Ok::<_, StoreError>(())
            })
            .unwrap();
        let done = store.backup(&folder.path().join("copy.redb"), &|| true);
        assert!(matches!(done, Err(BackupError::Incomplete(name)) if name == "other"));
    }

    #[test]
    fn the_newest_are_kept_and_only_own_files_are_removed() {
        let (folder, store) = (tempfile::tempdir().unwrap(), filled());
        let others = [
            "airgate.redb",
            "airgate-20200101T000000.000Z.redb.old",
            "airgate-20200101T000000Z.redb",
            "airgate-2020-01-01.redb",
            "other-20200101T000000.000Z.redb",
            "airgate-before-20200101T000000.000Z.redb",
        ];
        for name in others {
            std::fs::write(folder.path().join(name), "mine").unwrap();
        }
        std::fs::create_dir(folder.path().join("airgate-20200101T000000.001Z.redb")).unwrap();
        std::fs::write(folder.path().join(".airgate-backup-killed.tmp"), "half").unwrap();
        let backups = BackupFolder::new(folder.path(), Path::new("/x/airgate.redb"), 2);
        let start: Timestamp = NOW.parse().unwrap();
        let mut made = Vec::new();
        for hour in 0..4 {
            let now = start + jiff::SignedDuration::from_hours(hour);
            let last = |now| backups.newest(now).map(|(at, _)| at);
            assert!(last(now).is_none_or(|last| last < now));
            made.push(backups.add(&store, now, &|| true).unwrap());
            assert_eq!(last(now), Some(now));
            assert_eq!(last(now - jiff::SignedDuration::from_secs(1)).is_some(), hour > 0);
        }
        assert_eq!(made.iter().map(|made| made.removed).collect::<Vec<_>>(), [0, 0, 1, 1]);
        assert_eq!(
            made[0].path.file_name().unwrap().to_str().unwrap(),
            "airgate-20261123T020000.500Z.redb"
        );
        let present: Vec<bool> = made.iter().map(|made| made.path.exists()).collect();
        assert_eq!(present, [false, false, true, true]);
        for name in others {
            assert!(folder.path().join(name).exists(), "{name}");
        }
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), others.len() + 1 + 2);
    }

    #[test]
    fn a_backup_leaves_the_store_room_to_grow() {
        const GIB: u64 = 1024 * 1024 * 1024;
        assert!(room(GIB, 2 * GIB).is_ok());
        assert!(room(0, 0).is_ok(), "a store in memory");
        let shortage = room(GIB, 2 * GIB - 1).unwrap_err();
        let error = BackupError::NoRoom { folder: "/backups".into(), shortage };
        let told = "/backups has 2047 MiB free, and 2048 MiB are needed: ";
        assert!(error.to_string().starts_with(told), "{error}");
        assert!(free_space(&std::env::temp_dir()).unwrap() > 0);
    }

    #[test]
    fn backups_of_a_clock_that_was_ahead_go_first_and_hold_nothing_up() {
        let (folder, store) = (tempfile::tempdir().unwrap(), filled());
        let backups = BackupFolder::new(folder.path(), Path::new("/x/airgate.redb"), 2);
        let now: Timestamp = NOW.parse().unwrap();
        for day in 1..=2 {
            let ahead = now + jiff::SignedDuration::from_hours(24 * day);
            backups.add(&store, ahead, &|| true).unwrap();
        }
        assert_eq!(backups.newest(now), None);
        let first = backups.add(&store, now, &|| true).unwrap();
        assert_eq!((first.path.exists(), first.removed), (true, 1));
        let later = now + jiff::SignedDuration::from_hours(1);
        let second = backups.add(&store, later, &|| true).unwrap();
        assert!(first.path.exists() && second.path.exists());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2);
    }
}
