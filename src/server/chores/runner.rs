//! What a chore is, and the loop that runs it.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::app::group_roles::RoleGroups;
use crate::bot::Bot;
use crate::clock::Clock;
use crate::config::Config;
use crate::feishu;
use crate::outbox::Alerts;
use crate::owed::Wakers;
use crate::server::clients::Timeouts;
use crate::store::Store;

/// How long a chore rests after it panicked.
const PANIC_PAUSE: Duration = Duration::from_secs(60);

/// Something to do at startup and from time to time.
pub(in crate::server) trait Chore: Send + Sync {
    /// Returns the chore's name, for the log.
    fn name(&self) -> &'static str;

    /// Runs once and returns how long to wait before the next run. Must return soon after `stop` is cancelled.
    fn run<'a>(&'a mut self, stop: &'a CancellationToken) -> BoxFuture<'a, Duration>;

    /// Wakes the chore before its time.
    fn wake(&self) -> Option<&Notify> {
        None
    }
}

/// What chores need.
pub(in crate::server) struct Needs<'a> {
    pub config: &'a Config,
    pub store: &'a Store,
    pub feishu: &'a feishu::Client,
    pub bot: &'a Arc<Bot>,
    pub alerts: &'a Alerts,
    pub groups: &'a RoleGroups,
    pub wakers: &'a Wakers,
    pub timeouts: &'a Timeouts,
    pub clock: &'a Clock,
}

/// Runs a chore at once and then whenever it is due or woken, until `stop`. A panic costs one run.
pub(in crate::server) async fn run(
    mut chore: Box<dyn Chore>,
    clock: Clock,
    stop: CancellationToken,
) {
    while !stop.is_cancelled() {
        let pause = match AssertUnwindSafe(chore.run(&stop)).catch_unwind().await {
            Ok(pause) => pause,
            Err(_) => {
                tracing::error!(chore = chore.name(), "a chore panicked");
                PANIC_PAUSE
            }
        };
        let woken = async {
            match chore.wake() {
                Some(wake) => wake.notified().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = stop.cancelled() => return,
            () = woken => {}
            () = clock.sleep(pause) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
    use tokio::time::Instant;

    const HOUR: Duration = Duration::from_secs(3600);

    /// Reports when it ran; panics on its second run.
    struct Reporting {
        runs: UnboundedSender<Instant>,
        count: u32,
        wake: Arc<Notify>,
    }

    impl Chore for Reporting {
        fn name(&self) -> &'static str {
            "reporting"
        }

        fn run<'a>(&'a mut self, _: &'a CancellationToken) -> BoxFuture<'a, Duration> {
            async {
                self.count += 1;
                let _ = self.runs.send(Instant::now());
                assert!(self.count != 2, "the second run");
                HOUR
            }
            .boxed()
        }

        fn wake(&self) -> Option<&Notify> {
            Some(&self.wake)
        }
    }

    async fn next(runs: &mut UnboundedReceiver<Instant>) -> Instant {
        runs.recv().await.expect("another run")
    }

    #[tokio::test(start_paused = true)]
    async fn a_chore_runs_at_once_on_time_when_woken_and_after_a_panic_until_the_stop() {
        let (sender, mut runs) = unbounded_channel();
        let (wake, stop) = (Arc::new(Notify::new()), CancellationToken::new());
        let chore = Reporting { runs: sender, count: 0, wake: Arc::clone(&wake) };
        let begin = Instant::now();
        let running = tokio::spawn(run(Box::new(chore), Clock::system(), stop.clone()));
        assert_eq!(next(&mut runs).await - begin, Duration::ZERO, "at once");
        let second = next(&mut runs).await;
        assert!(second - begin >= HOUR, "when it is due");
        let third = next(&mut runs).await;
        let pause = third - second;
        assert!(pause >= PANIC_PAUSE && pause < HOUR, "after the panic: {pause:?}");
        wake.notify_one();
        assert!(next(&mut runs).await - third < PANIC_PAUSE, "when woken");
        stop.cancel();
        running.await.unwrap();
        assert!(runs.recv().await.is_none(), "never after the stop");
    }
}
