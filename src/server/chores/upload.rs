//! Copies backups to a bucket.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use jiff::{SignedDuration, Timestamp};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::backup::rest;
use super::backup_watch::BackupWatch;
use super::runner::{Chore, Needs};
use crate::bucket::{Bucket, BucketError};
use crate::clock::Clock;
use crate::domain::BackupPlace;
use crate::server::error::ServiceError;
use crate::store::Store;
use crate::store::backup::{BackupError, BackupFolder};
use crate::store::backup_names::BackupNames;

/// How many attempts in a row have to fail until people are told: a bucket may be away for a while.
const PATIENCE: u32 = 3;
/// The pause after a failure doubles at most this often.
const DOUBLINGS: u32 = 4;

/// Copies the newest backup of `store.backup_dir` to the bucket if it is not there yet: the same file, whose secrets are sealed.
/// Without a folder, it makes a backup beside the store when the last one in the bucket is `store.backup_interval_hours` old, and
/// removes it once it is in the bucket. The newest `store.backup_keep` stay there; objects with other names are never touched.
pub(super) struct UploadBackup {
    bucket: Bucket,
    names: BackupNames,
    keep: usize,
    /// Where the file to copy is.
    folder: BackupFolder,
    /// Whether this chore makes the files in `folder`, and removes them.
    staged: bool,
    interval: SignedDuration,
    again: Duration,
    made: Arc<Notify>,
    store: Store,
    clock: Clock,
    watch: BackupWatch,
}

/// Why no backup is in the bucket.
#[derive(Debug, thiserror::Error)]
enum UploadError {
    #[error(transparent)]
    Bucket(#[from] BucketError),
    #[error(transparent)]
    Backup(#[from] BackupError),
    #[error("the bucket does not list {0}, which was just copied to it")]
    NotListed(String),
    #[error("the backup was aborted by a panic")]
    Panicked,
}

impl UploadError {
    fn said(&self) -> Option<String> {
        match self {
            UploadError::Bucket(error) => error.said(),
            UploadError::Backup(error) => error.said(),
            UploadError::NotListed(_) | UploadError::Panicked => None,
        }
    }

    fn is_stop(&self) -> bool {
        matches!(
            self,
            UploadError::Bucket(BucketError::Stopped) | UploadError::Backup(BackupError::Stopped)
        )
    }
}

impl UploadBackup {
    /// Returns `None` if no bucket is configured. `made` wakes it when there is a new file in `store.backup_dir`.
    pub(super) fn new(needs: &Needs<'_>, made: Arc<Notify>) -> Result<Option<Self>, ServiceError> {
        let config = &needs.config.store;
        let Some(target) = &config.backup_bucket else { return Ok(None) };
        let bucket = Bucket::new(&target.address, &target.keys, needs.timeouts.bucket)?;
        let keep = config.backup_keep.get();
        let folder = match &config.backup_dir {
            Some(folder) => BackupFolder::new(folder, &config.path, keep),
            None => BackupFolder::new(&staging(&config.path), &config.path, 1),
        };
        Ok(Some(Self {
            bucket,
            names: BackupNames::in_bucket(&config.path),
            keep,
            folder,
            staged: config.backup_dir.is_none(),
            interval: SignedDuration::try_from(config.backup_interval)
                .unwrap_or(SignedDuration::MAX),
            again: needs.timeouts.backup_again,
            made,
            store: needs.store.clone(),
            clock: needs.clock.clone(),
            watch: BackupWatch::new(BackupPlace::Bucket, PATIENCE, needs),
        }))
    }

    /// Returns when the newest backup in the bucket was made, if any, and how long to wait for the next run.
    async fn attempt(
        &self,
        now: Timestamp,
        stop: &CancellationToken,
    ) -> Result<(Option<Timestamp>, SignedDuration), UploadError> {
        let listed = tokio::select! {
            () = stop.cancelled() => return Err(BucketError::Stopped.into()),
            listed = self.bucket.list() => listed?,
        };
        let last = self.names.newest(listed.iter().map(|object| object.name.as_str()), now);
        let last = last.map(|(at, _)| at);
        let folder = self.folder.clone();
        let found = blocking(move || Ok(folder.newest(now))).await?;
        let (mut waiting, done) = match found {
            Some((at, path)) if last.is_some_and(|last| at <= last) => (None, Some(path)),
            found => (found, None),
        };
        if let Some(path) = done.filter(|_| self.staged) {
            remove(&path).await;
        }
        if waiting.is_none() && self.staged {
            if let Some(rest) = rest(last, None, self.interval, now) {
                return Ok((last, rest));
            }
            let (folder, store, stop) = (self.folder.clone(), self.store.clone(), stop.clone());
            let made = blocking(move || folder.add(&store, now, &|| !stop.is_cancelled())).await?;
            waiting = Some((now, made.path));
        }
        let Some((at, path)) = waiting else { return Ok((last, self.interval)) };
        let name = self.names.name(at);
        let expected = self.bucket.upload(&name, &path, stop).await?;
        self.confirm(&name, expected, now).await?;
        if self.staged {
            remove(&path).await;
        }
        Ok((Some(at), self.interval))
    }

    /// Checks that the bucket has the whole of it, then removes the oldest ones.
    async fn confirm(&self, name: &str, expected: u64, now: Timestamp) -> Result<(), UploadError> {
        let listed = self.bucket.list().await?;
        let Some(object) = listed.iter().find(|object| object.name == name) else {
            return Err(UploadError::NotListed(name.to_owned()));
        };
        if object.size != expected {
            let (name, found) = (name.to_owned(), object.size);
            return Err(BucketError::Size { name, found, expected }.into());
        }
        let names = listed.into_iter().map(|object| object.name);
        let mut removed = 0_u32;
        for old in self.names.surplus(names, self.keep, now) {
            // The backup is there; an old one that stays is tried again after the next one.
            match self.bucket.remove(&old).await {
                Ok(()) => removed = removed.saturating_add(1),
                Err(error) => {
                    tracing::warn!(name = old, %error, "an old backup in the bucket stays");
                }
            }
        }
        tracing::info!(name, bytes = expected, removed, "backup copied to the bucket");
        Ok(())
    }
}

impl Chore for UploadBackup {
    fn name(&self) -> &'static str {
        "upload"
    }

    fn wake(&self) -> Option<&Notify> {
        Some(&self.made)
    }

    fn run<'a>(&'a mut self, stop: &'a CancellationToken) -> BoxFuture<'a, Duration> {
        async move {
            let now = self.clock.now();
            match self.attempt(now, stop).await {
                Ok((newest, pause)) => {
                    if let Some(at) = newest {
                        self.watch.worked(at).await;
                    }
                    Duration::try_from(pause).unwrap_or(Duration::MAX)
                }
                Err(error) if error.is_stop() => self.again,
                Err(error) => {
                    tracing::error!(%error, "no backup was copied to the bucket");
                    self.watch.failed(error.said()).await;
                    let doublings = self.watch.failures().saturating_sub(1).min(DOUBLINGS);
                    self.again.saturating_mul(2_u32.saturating_pow(doublings))
                }
            }
        }
        .boxed()
    }
}

/// Runs what blocks on a thread of its own. Waits for it even after a stop: until then the store's file is in use.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, BackupError> + Send + 'static,
) -> Result<T, UploadError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => Ok(done?),
        Err(_) => Err(UploadError::Panicked),
    }
}

async fn remove(path: &std::path::Path) {
    if let Err(error) = tokio::fs::remove_file(path).await {
        tracing::warn!(path = %path.display(), %error, "a file cannot be removed");
    }
}

/// Returns the folder beside the store for a backup on its way to the bucket.
fn staging(store: &std::path::Path) -> PathBuf {
    let mut name = std::ffi::OsString::from(".");
    name.push(store.file_name().unwrap_or_default());
    name.push(".upload");
    store.with_file_name(name)
}
