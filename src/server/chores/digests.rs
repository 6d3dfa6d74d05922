//! Sends the digest of a week or month when it is due.

use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::runner::{Chore, Needs};
use crate::clock::Clock;
use crate::domain::Switch;
use crate::outbox::Alerts;
use crate::owed::Wakers;
use crate::store::Store;

/// How often it looks whether one is due: the clock may have been set.
const INTERVAL: Duration = Duration::from_secs(60);

/// Sends digests. One that fell due while the service was down follows at the start.
pub(super) struct SendDigests {
    store: Store,
    alerts: Alerts,
    clock: Clock,
    wakers: Wakers,
    /// Whether bills are read, so that a digest can wait for them.
    monitored: Switch,
}

impl SendDigests {
    pub(super) fn new(needs: &Needs<'_>) -> Self {
        Self {
            store: needs.store.clone(),
            alerts: needs.alerts.clone(),
            clock: needs.clock.clone(),
            wakers: needs.wakers.clone(),
            monitored: needs.config.monitor.enabled.into(),
        }
    }
}

impl Chore for SendDigests {
    fn name(&self) -> &'static str {
        "digests"
    }

    fn run<'a>(&'a mut self, stop: &'a CancellationToken) -> BoxFuture<'a, Duration> {
        async move {
            let sending = self.alerts.send_digests(&self.store, self.monitored, self.clock.now());
            match stop.run_until_cancelled(sending).await {
                Some(Ok(true)) => self.wakers.outbox.notify_one(),
                Some(Err(error)) => tracing::error!(%error, "digests could not be sent"),
                Some(Ok(false)) | None => {}
            }
            INTERVAL
        }
        .boxed()
    }

    fn wake(&self) -> Option<&Notify> {
        Some(&self.wakers.digests)
    }
}
