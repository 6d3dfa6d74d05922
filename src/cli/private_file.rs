//! Files that only their owner can read, written durably.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

use tempfile::NamedTempFile;

/// Replaces the file at `path`, or makes it, with mode 0600. It is on the disk when the call returns.
pub(super) fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    written(path, bytes)?.persist(path).map_err(|error| error.error)?;
    sync(folder_of(path))
}

/// The same, but fails with [`io::ErrorKind::AlreadyExists`] instead of replacing a file.
pub(super) fn create(path: &Path, bytes: &[u8]) -> io::Result<()> {
    written(path, bytes)?.persist_noclobber(path).map_err(|error| error.error)?;
    sync(folder_of(path))
}

/// The contents in a new file beside `path`, which is created with mode 0600.
fn written(path: &Path, bytes: &[u8]) -> io::Result<NamedTempFile> {
    let mut file = NamedTempFile::new_in(folder_of(path))?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    Ok(file)
}

/// Returns the folder of a file.
pub(super) fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// Removes a file durably.
pub(super) fn remove(path: &Path) -> io::Result<()> {
    std::fs::remove_file(path)?;
    sync(folder_of(path))
}

#[cfg(unix)]
fn sync(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

#[cfg(not(unix))]
fn sync(_: &Path) -> io::Result<()> {
    Ok(())
}

/// Locks the folder of a file for as long as the returned handle lives. Fails if another process has.
#[cfg(unix)]
pub(super) fn lock_folder(path: &Path) -> io::Result<Option<File>> {
    let folder = File::open(folder_of(path))?;
    match folder.try_lock() {
        Ok(()) => Ok(Some(folder)),
        Err(std::fs::TryLockError::WouldBlock) => Ok(None),
        Err(std::fs::TryLockError::Error(error)) => Err(error),
    }
}

#[cfg(not(unix))]
pub(super) fn lock_folder(_: &Path) -> io::Result<Option<()>> {
    Ok(Some(()))
}
