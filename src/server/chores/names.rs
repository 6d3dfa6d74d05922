//! Looks up the names of people whom the bot came to know.

use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::runner::{Chore, Needs};
use crate::bot::Bot;

/// How often missing display names are looked up.
const INTERVAL: Duration = Duration::from_secs(30 * 60);
/// Retry delay if Feishu did not answer.
const RETRY: Duration = Duration::from_secs(60);

/// Looks up missing display names: at startup, when new people appear, and from time to time.
pub(super) struct LearnNames {
    bot: Arc<Bot>,
    wake: Arc<Notify>,
}

impl LearnNames {
    pub(super) fn new(needs: &Needs<'_>) -> Self {
        Self { bot: Arc::clone(needs.bot), wake: Arc::clone(&needs.wakers.names) }
    }
}

impl Chore for LearnNames {
    fn name(&self) -> &'static str {
        "names"
    }

    fn run<'a>(&'a mut self, stop: &'a CancellationToken) -> BoxFuture<'a, Duration> {
        async move {
            let all_known = stop.run_until_cancelled(self.bot.learn_names()).await;
            if all_known.unwrap_or(true) { INTERVAL } else { RETRY }
        }
        .boxed()
    }

    fn wake(&self) -> Option<&Notify> {
        Some(&self.wake)
    }
}
