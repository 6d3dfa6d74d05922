//! Keeps a fresh tenant token.

use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use tokio_util::sync::CancellationToken;

use super::runner::{Chore, Needs};
use crate::bot::Bot;
use crate::feishu;

/// How often the token is refreshed, so that readiness is accurate even when nothing is sent.
const INTERVAL: Duration = Duration::from_secs(30 * 60);
/// Retry delay after a failed refresh.
const RETRY: Duration = Duration::from_secs(10);

/// Refreshes the tenant token, and looks up the bot's own id once Feishu answers.
pub(super) struct KeepToken {
    feishu: feishu::Client,
    bot: Arc<Bot>,
    knows_own_id: bool,
}

impl KeepToken {
    pub(super) fn new(needs: &Needs<'_>) -> Self {
        Self { feishu: needs.feishu.clone(), bot: Arc::clone(needs.bot), knows_own_id: false }
    }

    async fn refresh(&mut self) -> Result<(), feishu::Error> {
        self.feishu.refresh_token().await?;
        if !self.knows_own_id {
            self.bot.learn_own_id().await?;
            self.knows_own_id = true;
        }
        Ok(())
    }
}

impl Chore for KeepToken {
    fn name(&self) -> &'static str {
        "token"
    }

    fn run<'a>(&'a mut self, stop: &'a CancellationToken) -> BoxFuture<'a, Duration> {
        async move {
            match stop.run_until_cancelled(self.refresh()).await {
                Some(Err(error)) => {
                    tracing::warn!(%error, "Feishu cannot be reached");
                    RETRY
                }
                Some(Ok(())) | None => INTERVAL,
            }
        }
        .boxed()
    }
}
