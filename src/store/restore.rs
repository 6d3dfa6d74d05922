//! Replacing the store with a backup.
//!
//! The backup is copied next to the store and checked there. The store is not touched until the copy is known to be
//! complete, to have a layout that opens, and to belong to this key. Then the store gets a second name, and the copy
//! takes over the first one, so that there is a store at every moment.

use std::cell::RefCell;
use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;
use redb::{Database, DatabaseError, ReadableDatabase};
use tempfile::NamedTempFile;

use super::backup::{Shortage, folder_of, free_space, room, sync_folder, temporary_in};
use super::seal::Sealer;
use super::view::View;
use super::{SCHEMA_VERSION, StoreError, builder};

/// What to do with an existing store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Present {
    /// Keep it, and refuse to restore.
    Refuse,
    /// Rename it in the same folder.
    SetAside,
}

/// Why nothing was restored.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// The backup cannot be read.
    #[error("cannot read {path}: {source}")]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// It is not a complete store.
    #[error("{path} is damaged or not a backup of airgate ({reason}): use another one")]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// What was found.
        reason: String,
    },
    /// It was made by a newer version.
    #[error(
        "{path} has layout version {found}, but this airgate only knows {SCHEMA_VERSION}: restore it with the newer one"
    )]
    OtherSchema {
        /// Which file.
        path: PathBuf,
        /// Its layout version.
        found: u64,
    },
    /// Another master key sealed its secrets.
    #[error(
        "{0} was written with another master key: set security.master_key to the key used then"
    )]
    OtherKey(PathBuf),
    /// A store exists already.
    #[error("there is a store at {0}: use --force to replace it with the backup")]
    Exists(PathBuf),
    /// The service is running.
    #[error("the store {0} is in use by a running airgate: stop it first")]
    InUse(PathBuf),
    /// The backup is the store.
    #[error("{0} is the store itself")]
    Same(PathBuf),
    /// The disk has no room for the copy besides what the store needs.
    #[error("{folder} {shortage}; nothing was changed: free some space, and run this again")]
    NoRoom {
        /// The folder of the store.
        folder: PathBuf,
        /// How much is missing.
        shortage: Shortage,
    },
    /// A disk error.
    #[error("cannot write {path}: {source}")]
    Io {
        /// Which file.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
}

/// Puts the backup `file` at `store`. Returns the new name of the previous store, if there was one.
///
/// # Errors
/// [`RestoreError`], and nothing is changed.
pub fn restore(
    file: &Path,
    store: &Path,
    master_key: &[u8; 32],
    present: Present,
    now: Timestamp,
) -> Result<Option<PathBuf>, RestoreError> {
    let unreadable = |source| RestoreError::Unreadable { path: file.to_owned(), source };
    let io = |source| RestoreError::Io { path: store.to_owned(), source };
    let source = file.canonicalize().map_err(unreadable)?;
    if !source.is_file() {
        return Err(unreadable(std::io::Error::other("not a regular file")));
    }
    let exists = store.symlink_metadata().is_ok();
    if exists && store.canonicalize().is_ok_and(|store| store == source) {
        return Err(RestoreError::Same(file.to_owned()));
    }
    if exists && present == Present::Refuse {
        return Err(RestoreError::Exists(store.to_owned()));
    }
    // Held until the end, so that nobody opens it in the meantime. A store that does not open is damaged, which is why
    // it is being replaced.
    let _held = match guarded(|| builder().open(store)) {
        Some(Err(DatabaseError::DatabaseAlreadyOpen)) => {
            return Err(RestoreError::InUse(store.to_owned()));
        }
        held => held,
    };
    let folder = folder_of(store);
    std::fs::create_dir_all(folder).map_err(io)?;
    // The service would fail on a full disk, at its first write.
    let size = source.metadata().map_err(unreadable)?.len();
    room(size, free_space(folder).map_err(io)?)
        .map_err(|shortage| RestoreError::NoRoom { folder: folder.to_owned(), shortage })?;
    let copy = temporary_in(folder, ".airgate-restore-").map_err(io)?;
    let mut reader = File::open(&source).map_err(unreadable)?;
    std::io::copy(&mut reader, &mut copy.as_file()).map_err(io)?;
    examine(copy.path(), file, master_key)?;
    keep_owner(copy.as_file(), if exists { store } else { folder });
    copy.as_file().sync_all().map_err(io)?;

    let aside = exists.then(|| {
        let mut name = store.file_name().unwrap_or_default().to_owned();
        name.push(format!(".before-restore-{}", now.strftime("%Y%m%dT%H%M%S%.3fZ")));
        store.with_file_name(name)
    });
    if let Some(aside) = &aside {
        // A hard link keeps the store at both names; a file system without hard links takes a rename.
        if std::fs::hard_link(store, aside).is_err() {
            if aside.symlink_metadata().is_ok() {
                return Err(io(std::io::Error::other(format!("{} exists", aside.display()))));
            }
            std::fs::rename(store, aside).map_err(io)?;
        }
        copy.persist(store).map_err(|error| io(error.error))?;
    } else {
        copy.persist_noclobber(store).map_err(|error| io(error.error))?;
    }
    sync_folder(folder);
    Ok(aside)
}

/// Checks that a backup of `size` bytes can be fetched beside the store at `store`, and restored from there.
pub fn room_to_fetch(size: u64, store: &Path) -> Result<(), RestoreError> {
    let folder = folder_of(store);
    let io = |source| RestoreError::Io { path: folder.to_owned(), source };
    // Fetched, copied, and as much again.
    room(size.saturating_add(size / 2), free_space(folder).map_err(io)?)
        .map_err(|shortage| RestoreError::NoRoom { folder: folder.to_owned(), shortage })
}

/// Creates an empty file beside the store at `store`, mode 0600, that is deleted when it is dropped. Creates the folder if it is
/// missing.
pub fn beside(store: &Path) -> Result<NamedTempFile, RestoreError> {
    let folder = folder_of(store);
    let io = |source| RestoreError::Io { path: folder.to_owned(), source };
    std::fs::create_dir_all(folder).map_err(io)?;
    temporary_in(folder, ".airgate-fetch-").map_err(io)
}

/// Gives `copy` the owner of `like`, so that the service can open what root restored. Other users can neither do this nor
/// need it.
#[cfg(unix)]
fn keep_owner(copy: &File, like: &Path) {
    use std::os::unix::fs::{MetadataExt, fchown};
    if let Ok(data) = like.metadata() {
        let _ = fchown(copy, Some(data.uid()), Some(data.gid()));
    }
}

#[cfg(not(unix))]
fn keep_owner(_: &File, _: &Path) {}

/// Checks that the store at `copy`, a copy of `file`, is complete, has a layout that can be opened, and belongs to this
/// key.
fn examine(copy: &Path, file: &Path, master_key: &[u8; 32]) -> Result<(), RestoreError> {
    let damaged = |reason: String| RestoreError::Damaged { path: file.to_owned(), reason };
    let opened = guarded(|| {
        // redb would turn an empty file into a store.
        let length = std::fs::metadata(copy).map_err(|error| error.to_string())?.len();
        if length == 0 {
            return Err("the file is empty".to_owned());
        }
        let mut db = builder().open(copy).map_err(|error| error.to_string())?;
        match db.check_integrity() {
            Ok(true) => {}
            Ok(false) => return Err("its checksums do not match".to_owned()),
            Err(error) => return Err(error.to_string()),
        }
        let found = layout_and_key(&db, master_key).map_err(|error| error.to_string())?;
        db.close().map_err(|error| error.to_string())?;
        Ok(found)
    });
    let found = opened
        .unwrap_or_else(|| Err("it cannot be read".to_owned()))
        .map_err(|reason| damaged(reason.replace(['\n', '\r'], " ")))?;
    match found {
        (None, _) => Err(damaged("it has no layout version".to_owned())),
        // An older layout is migrated when the store is opened.
        (Some(found), _) if found > SCHEMA_VERSION => {
            Err(RestoreError::OtherSchema { path: file.to_owned(), found })
        }
        (Some(_), false) => Err(RestoreError::OtherKey(file.to_owned())),
        (Some(_), true) => Ok(()),
    }
}

/// Returns the layout version, and whether `key` can open the secrets in it.
fn layout_and_key(db: &Database, master_key: &[u8; 32]) -> Result<(Option<u64>, bool), StoreError> {
    let view = View(Arc::new(db.begin_read()?), RefCell::default());
    Ok((view.schema_version()?, view.is_key_of(&Sealer::new(master_key))?))
}

/// Runs `open`. redb may panic on a damaged file, which gives `None` here.
fn guarded<T>(open: impl FnOnce() -> T) -> Option<T> {
    catch_unwind(AssertUnwindSafe(open)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::OpenId;
    use crate::store::Store;

    const KEY: [u8; 32] = [7; 32];

    struct Bed {
        folder: tempfile::TempDir,
        store: PathBuf,
        backup: PathBuf,
    }

    fn now() -> Timestamp {
        "2026-11-23T02:00:00Z".parse().unwrap()
    }

    fn person() -> OpenId {
        OpenId::new("ou_1").unwrap()
    }

    fn name_in(path: &Path) -> Option<String> {
        Store::open(path, &KEY).unwrap().read(|tx| tx.person_name(&person())).unwrap()
    }

    /// A backup with the name "then", and a store with the name "now".
    fn bed() -> Bed {
        let folder = tempfile::tempdir().unwrap();
        let (store, backup) =
            (folder.path().join("data/airgate.redb"), folder.path().join("backup.redb"));
        let open = Store::open(&store, &KEY).unwrap();
        open.write(|tx| tx.put_person_name(&person(), "then")).unwrap();
        open.backup(&backup, &|| true).unwrap();
        open.write(|tx| tx.put_person_name(&person(), "now")).unwrap();
        Bed { folder, store, backup }
    }

    impl Bed {
        fn restore(&self, file: &Path, present: Present) -> Result<Option<PathBuf>, RestoreError> {
            restore(file, &self.store, &KEY, present, now())
        }

        /// Asserts that nothing was changed, and nothing is left over.
        fn untouched(&self) {
            assert_eq!(name_in(&self.store).as_deref(), Some("now"));
            let files = std::fs::read_dir(self.store.parent().unwrap()).unwrap().count();
            assert_eq!(files, 1);
        }
    }

    #[test]
    fn the_old_store_stays_beside_the_restored_one() {
        let bed = bed();
        assert!(matches!(bed.restore(&bed.backup, Present::Refuse), Err(RestoreError::Exists(_))));
        bed.untouched();
        let aside = bed.restore(&bed.backup, Present::SetAside).unwrap().unwrap();
        assert_eq!(
            aside.file_name().unwrap().to_str().unwrap(),
            "airgate.redb.before-restore-20261123T020000.000Z"
        );
        assert_eq!(name_in(&bed.store).as_deref(), Some("then"));
        assert_eq!(name_in(&aside).as_deref(), Some("now"));
        assert!(bed.backup.exists());
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(bed.store.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        }
    }

    #[test]
    fn without_an_existing_store_nothing_is_set_aside() {
        let bed = bed();
        let fresh = bed.folder.path().join("new/folder/airgate.redb");
        assert_eq!(restore(&bed.backup, &fresh, &KEY, Present::Refuse, now()).unwrap(), None);
        assert_eq!(name_in(&fresh).as_deref(), Some("then"));
    }

    #[test]
    fn a_file_that_is_not_a_backup_is_refused() {
        let bed = bed();
        for (name, content) in [("empty", ""), ("text", "hello"), ("long", &"x".repeat(100_000))] {
            let path = bed.folder.path().join(name);
            std::fs::write(&path, content).unwrap();
            let refused = bed.restore(&path, Present::SetAside);
            assert!(matches!(refused, Err(RestoreError::Damaged { .. })), "{name}: {refused:?}");
        }
        let none = bed.restore(&bed.folder.path().join("none"), Present::SetAside);
        assert!(matches!(none, Err(RestoreError::Unreadable { .. })));
        let same = bed.restore(&bed.store, Present::SetAside);
        assert!(matches!(same, Err(RestoreError::Same(_))));
        bed.untouched();
    }

    #[test]
    fn another_key_or_version_is_refused_and_named() {
        let bed = bed();
        let refused = restore(&bed.backup, &bed.store, &[8; 32], Present::SetAside, now());
        assert!(matches!(refused, Err(RestoreError::OtherKey(_))));
        let old = Store::open(&bed.backup, &KEY).unwrap();
        old.write(|tx| tx.put_schema_version(SCHEMA_VERSION + 1)).unwrap();
        drop(old);
        let refused = bed.restore(&bed.backup, Present::SetAside);
        let is_next = |found| found == SCHEMA_VERSION + 1;
        assert!(
            matches!(refused, Err(RestoreError::OtherSchema { found, .. }) if is_next(found)),
            "{refused:?}"
        );
        bed.untouched();
    }

    #[test]
    fn a_backup_of_an_older_layout_is_accepted() {
        let bed = bed();
        let old = Store::open(&bed.backup, &KEY).unwrap();
        old.write(|tx| tx.put_schema_version(1)).unwrap();
        drop(old);
        bed.restore(&bed.backup, Present::SetAside).unwrap();
        let version = Store::open(&bed.store, &KEY).unwrap().read(|tx| tx.schema_version());
        assert_eq!(version.unwrap(), Some(SCHEMA_VERSION));
    }

    #[test]
    fn a_store_in_use_is_left_alone() {
        let bed = bed();
        let open = Store::open(&bed.store, &KEY).unwrap();
        let refused = bed.restore(&bed.backup, Present::SetAside);
        assert!(matches!(refused, Err(RestoreError::InUse(_))), "{refused:?}");
        drop(open);
        bed.untouched();
    }

    #[test]
    fn a_disk_without_room_is_left_as_it_is() {
        let bed = bed();
        // Longer than any disk, and empty on this one.
        let free = free_space(bed.folder.path()).unwrap();
        let huge = File::options().write(true).open(&bed.backup).unwrap();
        huge.set_len((free / 2).saturating_add(1 << 30)).unwrap();
        let refused = bed.restore(&bed.backup, Present::SetAside);
        assert!(matches!(refused, Err(RestoreError::NoRoom { .. })), "{refused:?}");
        bed.untouched();
    }

    #[test]
    fn a_damaged_store_is_replaced() {
        let bed = bed();
        std::fs::write(&bed.store, "rubbish").unwrap();
        let aside = bed.restore(&bed.backup, Present::SetAside).unwrap().unwrap();
        assert_eq!(name_in(&bed.store).as_deref(), Some("then"));
        assert_eq!(std::fs::read_to_string(aside).unwrap(), "rubbish");
    }

    /// Wherever a bit flips, the backup is refused, or none of its content was hit.
    #[test]
    fn a_flipped_bit_never_changes_what_is_restored() {
        let bed = bed();
        let whole = std::fs::read(&bed.backup).unwrap();
        let used = whole.iter().rposition(|byte| *byte != 0).unwrap();
        let mut refused = 0;
        for at in (0..used.min(4096)).step_by(61).chain((4096..used).step_by(2_003)) {
            let mut changed = whole.clone();
            changed[at] ^= 0x10;
            let path = bed.folder.path().join("changed.redb");
            std::fs::write(&path, changed).unwrap();
            let target = bed.folder.path().join("target.redb");
            match restore(&path, &target, &KEY, Present::Refuse, now()) {
                Ok(_) => {
                    assert_eq!(name_in(&target).as_deref(), Some("then"), "byte {at}");
                    std::fs::remove_file(&target).unwrap();
                }
                Err(_) => refused += 1,
            }
        }
        assert!(refused > 0);
        for length in [1, 100, 4096, whole.len() / 2, whole.len() - 1] {
            let path = bed.folder.path().join("short.redb");
            std::fs::write(&path, &whole[..length]).unwrap();
            let refused = bed.restore(&path, Present::SetAside);
            assert!(matches!(refused, Err(RestoreError::Damaged { .. })), "{length}: {refused:?}");
        }
        bed.untouched();
    }
}
