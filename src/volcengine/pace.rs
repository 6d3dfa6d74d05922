//! Pacing: the cloud limits the calls per account (5 a second on the bill lists), so calls wait their turn here instead of
//! being refused there.

use std::num::NonZeroU32;
use std::time::Instant;

use governor::clock::Clock as _;
use governor::middleware::NoOpMiddleware;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};

/// tokio's clock rather than governor's own: the waiting below is tokio's, so both stand still together in tests.
#[derive(Clone, Debug)]
struct TokioClock;

impl governor::clock::Clock for TokioClock {
    type Instant = Instant;

    fn now(&self) -> Instant {
        tokio::time::Instant::now().into_std()
    }
}

/// Lets calls through evenly spaced, so that no second ever sees more than `qps` of them.
pub(super) struct Pacer {
    limiter: RateLimiter<NotKeyed, InMemoryState, TokioClock, NoOpMiddleware<Instant>>,
    /// Held while waiting: callers pass in the order they came, and none can starve.
    queue: tokio::sync::Mutex<()>,
}

impl Pacer {
    pub(super) fn new(qps: NonZeroU32) -> Self {
        // A burst of one: a bucket of `qps` would let twice as many through in the first second.
        let quota = Quota::per_second(qps).allow_burst(NonZeroU32::MIN);
        Self {
            limiter: RateLimiter::direct_with_clock(quota, TokioClock),
            queue: tokio::sync::Mutex::new(()),
        }
    }

    /// Waits for this call's turn. Never fails.
    pub(super) async fn turn(&self) {
        let _place = self.queue.lock().await;
        while let Err(early) = self.limiter.check() {
            tokio::time::sleep(early.wait_time_from(TokioClock.now())).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::time::Duration;

    #[tokio::test(start_paused = true)]
    async fn no_second_sees_more_calls_than_allowed() {
        let pacer = Arc::new(Pacer::new(NonZeroU32::new(5).unwrap()));
        let start = tokio::time::Instant::now();
        let calls = (0..23).map(|_| {
            let pacer = pacer.clone();
            async move {
                pacer.turn().await;
                start.elapsed()
            }
        });
        let mut passed = futures::future::join_all(calls).await;
        passed.sort();
        for window in passed.windows(6) {
            // A hair of tolerance for tokio's millisecond timers.
            let span = window[5] - window[0];
            assert!(span >= Duration::from_millis(999), "{span:?}");
        }
        assert!(passed[22] <= Duration::from_millis(4_500), "{:?}", passed[22]);
    }
}
