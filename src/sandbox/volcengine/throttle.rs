//! The rate limit of each account.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use tokio::time::Instant;

/// The rate window: a second, less an allowance for network jitter, which can move calls closer together.
const WINDOW: Duration = Duration::from_millis(950);

/// Recent calls by account.
#[derive(Debug, Default)]
pub(super) struct Throttle {
    recent: HashMap<String, VecDeque<Instant>>,
}

impl Throttle {
    /// Whether one more call of the account is within the limit; if so it is counted.
    pub(super) fn admit(&mut self, account: &str, limit: u32, now: Instant) -> bool {
        let recent = self.recent.entry(account.to_owned()).or_default();
        while recent.front().is_some_and(|at| now.saturating_duration_since(*at) >= WINDOW) {
            recent.pop_front();
        }
        if recent.len() >= usize::try_from(limit).unwrap_or(usize::MAX) {
            return false;
        }
        recent.push_back(now);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_account_has_its_own_rate_limit() {
        let mut throttle = Throttle::default();
        let start = Instant::now();
        let mut admit =
            |account, millis| throttle.admit(account, 2, start + Duration::from_millis(millis));
        assert!(admit("a", 0) && admit("a", 400));
        assert!(!admit("a", 900));
        assert!(admit("b", 900));
        // The refused call does not count; the first one has left the window.
        assert!(admit("a", 1_000));
        assert!(!admit("a", 1_001));
        assert!(admit("a", 1_400));
    }
}
