//! The rate limiters: Volcengine limits the calls per main account, over all clients (5 per second on the bill lists;
//! docs/platforms/volcengine.md §7.6), so calls wait here instead of being refused there.
//!
//! A key pair has a limiter of its own until a response says which main account it belongs to. From then on all key pairs
//! of that account share one.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use governor::clock::Clock as _;
use governor::middleware::NoOpMiddleware;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};
use parking_lot::Mutex;

use crate::domain::AccountNumber;

/// Beyond this many, unused limiters are evicted.
pub(super) const MAX_IDLE: usize = 256;

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

/// Which limit a call counts against.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lane {
    /// IAM and billing together.
    Central,
    /// 方舟, which limits its own calls.
    Ark,
}

/// The limiters of one main account, or of a key of an unknown one.
struct Lanes {
    central: CallLimiter,
    ark: CallLimiter,
}

/// The limiters of a client.
pub(super) struct Limiters {
    qps: NonZeroU32,
    ark_qps: NonZeroU32,
    by_key: Mutex<HashMap<String, Arc<KeyState>>>,
    by_account: Mutex<HashMap<AccountNumber, Arc<Lanes>>>,
}

/// What is known about an access key.
pub(super) struct KeyState {
    /// Counts until the account is known.
    own: Arc<Lanes>,
    account: OnceLock<(AccountNumber, Arc<Lanes>)>,
}

impl Limiters {
    pub(super) fn new(qps: NonZeroU32, ark_qps: NonZeroU32) -> Self {
        Self { qps, ark_qps, by_key: Mutex::default(), by_account: Mutex::default() }
    }

    /// Returns the state of an access key, the same for as long as anybody uses it.
    pub(super) fn key(&self, access_key_id: &str) -> Arc<KeyState> {
        let mut keys = self.by_key.lock();
        if keys.len() >= MAX_IDLE {
            keys.retain(|_, key| Arc::strong_count(key) > 1);
            self.by_account.lock().retain(|_, limiter| Arc::strong_count(limiter) > 1);
        }
        let new = || {
            let own = Arc::new(Lanes {
                central: CallLimiter::new(self.qps),
                ark: CallLimiter::new(self.ark_qps),
            });
            Arc::new(KeyState { own, account: OnceLock::new() })
        };
        keys.entry(access_key_id.to_owned()).or_insert_with(new).clone()
    }

    /// Records which main account a key belongs to.
    pub(super) fn learn(&self, key: &KeyState, number: AccountNumber) {
        key.account.get_or_init(|| {
            let mut accounts = self.by_account.lock();
            (number, accounts.entry(number).or_insert_with(|| key.own.clone()).clone())
        });
    }

    #[cfg(test)]
    pub(super) fn keys(&self) -> usize {
        self.by_key.lock().len()
    }
}

impl KeyState {
    /// Returns the main account, once it is known.
    pub(super) fn account(&self) -> Option<AccountNumber> {
        self.account.get().map(|(number, _)| *number)
    }

    /// Waits until the next call is allowed.
    pub(super) async fn acquire(&self, lane: Lane) {
        let lanes = self.account.get().map_or(&self.own, |(_, shared)| shared);
        match lane {
            Lane::Central => lanes.central.acquire().await,
            Lane::Ark => lanes.ark.acquire().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
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

    #[tokio::test(start_paused = true)]
    async fn the_keys_of_one_account_share_its_limiter_once_it_is_known() {
        let limiters = Limiters::new(NonZeroU32::new(4).unwrap(), NonZeroU32::new(2).unwrap());
        let [one, two, other] = ["one", "two", "other"].map(|id| limiters.key(id));
        let start = tokio::time::Instant::now();
        for key in [&one, &two, &other] {
            key.acquire(Lane::Central).await;
        }
        assert_eq!(start.elapsed(), Duration::ZERO);
        limiters.learn(&one, AccountNumber::new(1));
        limiters.learn(&two, AccountNumber::new(1));
        limiters.learn(&other, AccountNumber::new(2));
        assert_eq!(two.account(), Some(AccountNumber::new(1)));
        for _ in 0..4 {
            one.acquire(Lane::Central).await;
            two.acquire(Lane::Central).await;
        }
        let took = start.elapsed();
        assert!(took >= Duration::from_millis(1_999), "{took:?}");
        let start = tokio::time::Instant::now();
        other.acquire(Lane::Central).await;
        assert_eq!(start.elapsed(), Duration::ZERO);
        // A key that is used later shares it, too.
        limiters.learn(&limiters.key("late"), AccountNumber::new(1));
        limiters.key("late").acquire(Lane::Central).await;
        assert!(start.elapsed() >= Duration::from_millis(249), "{:?}", start.elapsed());
    }

    #[tokio::test(start_paused = true)]
    async fn ark_has_a_limit_of_its_own_which_all_keys_of_the_account_share() {
        let limiters = Limiters::new(NonZeroU32::new(4).unwrap(), NonZeroU32::new(2).unwrap());
        let [one, two] = ["one", "two"].map(|id| limiters.key(id));
        limiters.learn(&one, AccountNumber::new(1));
        limiters.learn(&two, AccountNumber::new(1));
        let start = tokio::time::Instant::now();
        one.acquire(Lane::Ark).await;
        one.acquire(Lane::Central).await;
        assert_eq!(start.elapsed(), Duration::ZERO);
        for key in [&two, &one, &two, &one] {
            key.acquire(Lane::Ark).await;
        }
        let took = start.elapsed();
        assert!(took >= Duration::from_millis(1_999), "{took:?}");
        assert!(took <= Duration::from_millis(2_100), "{took:?}");
        // Waiting for it delayed no bill.
        two.acquire(Lane::Central).await;
        assert_eq!(start.elapsed(), took);
    }
}
