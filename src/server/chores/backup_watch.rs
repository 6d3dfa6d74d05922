//! Tells administrators, once, that backups fail, and once more that they work again.

use jiff::Timestamp;

use super::runner::Needs;
use crate::clock::Clock;
use crate::domain::{AlertBody, BackupPlace, Problem};
use crate::outbox::Alerts;
use crate::owed::Wakers;
use crate::store::{Store, StoreError};

/// Follows the backups in one place, across restarts.
pub(super) struct BackupWatch {
    place: BackupPlace,
    /// How many attempts in a row have to fail until people are told.
    patience: u32,
    failures: u32,
    store: Store,
    alerts: Alerts,
    wakers: Wakers,
    clock: Clock,
}

impl BackupWatch {
    pub(super) fn new(place: BackupPlace, patience: u32, needs: &Needs<'_>) -> Self {
        Self {
            place,
            patience,
            failures: 0,
            store: needs.store.clone(),
            alerts: needs.alerts.clone(),
            wakers: needs.wakers.clone(),
            clock: needs.clock.clone(),
        }
    }

    /// Returns how many attempts in a row have failed.
    pub(super) fn failures(&self) -> u32 {
        self.failures
    }

    /// Shows when the newest backup was made.
    pub(super) fn newest(&self, at: Timestamp) {
        let seconds = u32::try_from(at.as_second()).unwrap_or(u32::MAX);
        metrics::gauge!("airgate_backup_last_success_timestamp_seconds", "to" => self.place.word())
            .set(seconds);
    }

    /// Notes that the backup of `at` is where it belongs.
    pub(super) async fn worked(&mut self, at: Timestamp) {
        self.failures = 0;
        self.newest(at);
        self.tell(Problem::BackupRecovered { place: self.place }).await;
    }

    /// Notes that an attempt failed, and what the system or the service said.
    pub(super) async fn failed(&mut self, reason: Option<String>) {
        self.failures = self.failures.saturating_add(1);
        let place = self.place;
        metrics::counter!("airgate_backup_failures_total", "to" => place.word()).increment(1);
        if self.failures >= self.patience {
            self.tell(Problem::BackupFailing { place, reason }).await;
        }
    }

    /// Raises the alert if it says something new.
    async fn tell(&self, problem: Problem) {
        let (place, alerts, now) = (self.place, self.alerts.clone(), self.clock.now());
        let failing = matches!(problem, Problem::BackupFailing { .. });
        let known = self
            .store
            .reading(move |tx| Ok::<_, StoreError>(tx.failing_backups()?.contains(&place)));
        let told = match known.await {
            Ok(known) if known == failing => return,
            Ok(_) => self
                .store
                .writing(move |tx| {
                    tx.put_failing_backup(place, failing)?;
                    alerts.raise(tx, None, AlertBody::Error { problem }, now)
                })
                .await
                .map(drop),
            Err(error) => Err(error),
        };
        match told {
            Ok(()) => self.wakers.outbox.notify_one(),
            Err(error) => tracing::error!(%error, "the alert about backups was not raised"),
        }
    }
}
