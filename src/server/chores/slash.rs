//! Offers the commands as slash commands.

use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use tokio_util::sync::CancellationToken;

use super::super::slash::{Registered, register};
use super::runner::{Chore, Needs};
use crate::feishu::Client;
use crate::store::Store;

/// How often the list is compared again: a scope may be granted later, and people edit the list.
const INTERVAL: Duration = Duration::from_secs(24 * 3600);
/// Retry delay if Feishu did not answer.
const RETRY: Duration = Duration::from_secs(300);

/// Keeps the list of slash commands: at startup, and once a day.
pub(super) struct OfferCommands {
    client: Client,
    store: Store,
    /// Whether the log says that the app has no slash commands.
    told: bool,
}

impl OfferCommands {
    pub(super) fn new(needs: &Needs<'_>) -> Self {
        Self { client: needs.feishu.clone(), store: needs.store.clone(), told: false }
    }

    async fn offer(&mut self) -> Duration {
        match register(&self.client, &self.store).await {
            Ok(Registered::Done { changes: 0 }) => INTERVAL,
            Ok(Registered::Done { changes }) => {
                tracing::info!(changes, "the slash commands are up to date");
                INTERVAL
            }
            Ok(Registered::Unavailable) => {
                if !std::mem::replace(&mut self.told, true) {
                    tracing::info!(
                        "the app cannot offer slash commands: it lacks application:app_slash_command:write, or the tenant has none; \
                         everything else works"
                    );
                }
                INTERVAL
            }
            Err(error) => {
                tracing::debug!(%error, "the slash commands were not compared; retrying");
                RETRY
            }
        }
    }
}

impl Chore for OfferCommands {
    fn name(&self) -> &'static str {
        "slash commands"
    }

    fn run<'a>(&'a mut self, stop: &'a CancellationToken) -> BoxFuture<'a, Duration> {
        let stop = stop.clone();
        async move { stop.run_until_cancelled(self.offer()).await.unwrap_or(RETRY) }.boxed()
    }
}
