//! Makes backups of the store.

use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use tokio_util::sync::CancellationToken;

use super::runner::{Chore, Needs};
use crate::clock::Clock;
use crate::store::Store;
use crate::store::backup::{BackupError, BackupFolder};

/// Makes one backup per `store.backup_interval_hours`. A failure is logged, and the next attempt comes an interval later.
pub(super) struct MakeBackup {
    folder: BackupFolder,
    interval: Duration,
    store: Store,
    clock: Clock,
}

impl MakeBackup {
    /// `None` if no folder for backups is configured.
    pub(super) fn new(needs: &Needs<'_>) -> Option<Self> {
        let config = &needs.config.store;
        let folder = config.backup_dir.as_ref()?;
        Some(Self {
            folder: BackupFolder::new(folder, &config.path, config.backup_keep.get()),
            interval: config.backup_interval,
            store: needs.store.clone(),
            clock: needs.clock.clone(),
        })
    }
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
            let copying = tokio::task::spawn_blocking(move || {
                folder.add(&store, now, &|| !stop.is_cancelled())
            });
            match copying.await {
                Ok(Ok((path, removed))) => {
                    tracing::info!(path = %path.display(), removed, "backup made");
                }
                Ok(Err(BackupError::Stopped)) => {}
                Ok(Err(error)) => tracing::error!(%error, "no backup was made"),
                Err(error) => tracing::error!(%error, "no backup was made"),
            }
            self.interval
        }
        .boxed()
    }
}
