//! Makes backups of the store.

use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use jiff::{SignedDuration, Timestamp};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::backup_watch::BackupWatch;
use super::runner::{Chore, Needs};
use crate::clock::Clock;
use crate::domain::BackupPlace;
use crate::store::Store;
use crate::store::backup::{BackupError, BackupFolder, Made};

/// Makes a backup when the last one is `store.backup_interval_hours` old, even if that one was made before a restart: a
/// service that restarts again and again must not push the older copies out. A failure is logged, and the next attempt
/// follows one interval later.
pub(super) struct MakeBackup {
    folder: BackupFolder,
    interval: SignedDuration,
    /// When the last attempt failed.
    failed: Option<Timestamp>,
    /// Wakes what copies backups to a bucket.
    made: Arc<Notify>,
    store: Store,
    clock: Clock,
    watch: BackupWatch,
}

impl MakeBackup {
    /// Returns `None` if no folder for backups is configured.
    pub(super) fn new(needs: &Needs<'_>, made: Arc<Notify>) -> Option<Self> {
        let config = &needs.config.store;
        let folder = config.backup_dir.as_ref()?;
        Some(Self {
            folder: BackupFolder::new(folder, &config.path, config.backup_keep.get()),
            interval: SignedDuration::try_from(config.backup_interval)
                .unwrap_or(SignedDuration::MAX),
            failed: None,
            made,
            store: needs.store.clone(),
            clock: needs.clock.clone(),
            // The next attempt comes an interval later.
            watch: BackupWatch::new(BackupPlace::Folder, 1, needs),
        })
    }
}

/// What one run did.
enum Run {
    Made(Made),
    NotDue(SignedDuration, Option<Timestamp>),
}

impl Chore for MakeBackup {
    fn name(&self) -> &'static str {
        "backup"
    }

    /// Waits for the copy even after `stop`, which aborts it: until then the store's file is in use.
    fn run<'a>(&'a mut self, stop: &'a CancellationToken) -> BoxFuture<'a, Duration> {
        async move {
            let (folder, store) = (self.folder.clone(), self.store.clone());
            let (now, stop) = (self.clock.now(), stop.clone());
            let (interval, failed) = (self.interval, self.failed);
            let copying = tokio::task::spawn_blocking(move || {
                let last = folder.newest(now).map(|(at, _)| at);
                match rest(last, failed, interval, now) {
                    Some(rest) => Ok(Run::NotDue(rest, last)),
                    None => folder.add(&store, now, &|| !stop.is_cancelled()).map(Run::Made),
                }
            });
            let mut pause = interval;
            let error = match copying.await {
                Ok(Ok(Run::Made(made))) => {
                    let removed = made.removed;
                    tracing::info!(path = %made.path.display(), removed, "backup made");
                    if let Some((path, error)) = made.undeleted {
                        tracing::warn!(path = %path.display(), %error, "a file cannot be removed");
                    }
                    self.watch.worked(now).await;
                    self.made.notify_one();
                    None
                }
                Ok(Ok(Run::NotDue(rest, last))) => {
                    if let Some(last) = last {
                        self.watch.newest(last);
                    }
                    pause = rest;
                    None
                }
                Ok(Err(BackupError::Stopped)) => None,
                Ok(Err(error)) => Some((error.to_string(), error.said())),
                Err(error) => Some((error.to_string(), None)),
            };
            if let Some((error, said)) = error {
                self.failed = Some(now);
                tracing::error!(error, "no backup was made");
                self.watch.failed(said).await;
            }
            Duration::try_from(pause).unwrap_or(Duration::MAX)
        }
        .boxed()
    }
}

/// Returns how long it is until a backup is due, given when the last one was made and when the last attempt failed;
/// `None` if it is due at `now`. A time in the future says nothing: the clock was set back.
pub(super) fn rest(
    made: Option<Timestamp>,
    failed: Option<Timestamp>,
    interval: SignedDuration,
    now: Timestamp,
) -> Option<SignedDuration> {
    let last = made.into_iter().chain(failed).filter(|at| *at <= now).max()?;
    let left = interval.saturating_sub(now.duration_since(last));
    left.is_positive().then_some(left)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_backup_is_due_an_interval_after_the_last_one_or_the_last_failure() {
        let now: Timestamp = "2026-11-23T02:00:00Z".parse().unwrap();
        let day = SignedDuration::from_hours(24);
        let hours = |hours| Some(now - SignedDuration::from_hours(hours));
        for (made, failed, left) in [
            (None, None, None),
            (hours(0), None, Some(24)),
            (hours(23), None, Some(1)),
            (hours(24), None, None),
            (hours(30), hours(2), Some(22)),
            (hours(50), hours(24), None),
            (hours(-5), hours(-5), None),
        ] {
            let left = left.map(SignedDuration::from_hours);
            assert_eq!(rest(made, failed, day, now), left, "{made:?} {failed:?}");
        }
    }
}
