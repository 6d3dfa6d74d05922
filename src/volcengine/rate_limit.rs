//! The rate limiter: Volcengine limits the calls per account (5 per second on the bill lists;
//! docs/platforms/volcengine.md §7.6), so calls wait here instead of being refused there.

use std::num::NonZeroU32;
use std::time::Instant;

use governor::clock::Clock as _;
use governor::middleware::NoOpMiddleware;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};

/// Uses tokio's clock instead of governor's, because the limiter sleeps on tokio's: tests can pause both together.
#[derive(Clone, Debug)]
struct TokioClock;

impl governor::clock::Clock for TokioClock {
    type Instant = Instant;

    fn now(&self) -> Instant {
        tokio::time::Instant::now().into_std()
    }
}

/// Spaces calls evenly, so that no one-second window has more than `qps` of them.
pub(super) struct CallLimiter {
    limiter: RateLimiter<NotKeyed, InMemoryState, TokioClock, NoOpMiddleware<Instant>>,
    /// Held while waiting, so that callers pass in order of arrival and none starves.
    queue: tokio::sync::Mutex<()>,
}

impl CallLimiter {
    pub(super) fn new(qps: NonZeroU32) -> Self {
        // A burst of one: with a bucket of `qps`, the first second could see twice as many calls.
        let quota = Quota::per_second(qps).allow_burst(NonZeroU32::MIN);
        Self {
            limiter: RateLimiter::direct_with_clock(quota, TokioClock),
            queue: tokio::sync::Mutex::new(()),
        }
    }

    /// Waits until the next call is allowed.
    pub(super) async fn acquire(&self) {
        let _queued = self.queue.lock().await;
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
    async fn no_second_has_more_calls_than_allowed() {
        let limiter = Arc::new(CallLimiter::new(NonZeroU32::new(5).unwrap()));
        let start = tokio::time::Instant::now();
        let calls = (0..23).map(|_| {
            let limiter = limiter.clone();
            async move {
                limiter.acquire().await;
                start.elapsed()
            }
        });
        let mut passed = futures::future::join_all(calls).await;
        passed.sort();
        for window in passed.windows(6) {
            // 1 ms of tolerance for tokio's timers.
            let span = window[5] - window[0];
            assert!(span >= Duration::from_millis(999), "{span:?}");
        }
        assert!(passed[22] <= Duration::from_millis(4_500), "{:?}", passed[22]);
    }
}
