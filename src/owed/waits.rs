//! How long rows still have to wait, whatever the host's date does.

use std::collections::HashMap;
use std::hash::Hash;
use std::time::Duration;

use jiff::Timestamp;
use parking_lot::Mutex;

use super::Backoff;
use crate::clock::Moment;

/// Measures the waits of rows on both clocks. A row is stored with the date of its next attempt, and a date alone does not
/// keep an interval: if the clock is set back by a minute, it is a minute further away. So a wait is measured from when this
/// process first saw it. After a restart only the date is left, and the back-off bounds what it may ask for.
#[derive(Debug)]
pub struct Waits<K> {
    backoff: Backoff,
    /// The date that each row waits for, and when it was first seen.
    seen: Mutex<HashMap<K, (Timestamp, Moment)>>,
}

impl<K: Eq + Hash> Waits<K> {
    /// Creates an empty set of waits for rows that are retried after `backoff`.
    pub fn new(backoff: Backoff) -> Self {
        Self { backoff, seen: Mutex::default() }
    }

    /// Returns how long it is until the attempt that was set for `at`; zero if it is due.
    pub fn remaining(&self, key: K, at: Timestamp, now: Moment) -> Duration {
        let mut seen = self.seen.lock();
        let known = seen.entry(key).or_insert((at, now));
        if known.0 != at {
            *known = (at, now);
        }
        let since = known.1;
        if at <= now.at() || self.backoff.is_due(at, since.at()) {
            return Duration::ZERO;
        }
        let wait = Duration::try_from(at.duration_since(since.at())).unwrap_or_default();
        wait.saturating_sub(now.shifted_since(since))
    }

    /// Forgets the rows that no longer exist.
    pub fn retain(&self, exists: impl Fn(&K) -> bool) {
        self.seen.lock().retain(|key, _| exists(key));
    }
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;
    use crate::clock::Clock;

    const BACKOFF: Backoff =
        Backoff { first: Duration::from_millis(500), longest: Duration::from_secs(60) };

    /// A row waits for 30 s, of which `seconds` pass while the date moves by `date` seconds.
    #[tokio::test(start_paused = true)]
    async fn a_wait_keeps_its_length_whatever_the_clock_does() {
        const DAY: i64 = 86_400;
        for (what, seconds, date, left) in [
            ("nothing happens", 29, 29, 1),
            ("nothing happens", 30, 30, 0),
            ("the clock is set back by less than the longest wait", 29, 29 - 20, 1),
            ("the clock is set back by less than the longest wait", 30, 30 - 20, 0),
            ("the clock is set back by a day", 29, 29 - DAY, 1),
            ("the clock is set back by a day", 30, 30 - DAY, 0),
            ("the machine is suspended for an hour", 1, 3_600, 0),
            ("the clock is set ahead by a day", 1, DAY, 0),
        ] {
            let clock = Clock::manual("2026-11-23T00:00:00Z".parse().unwrap());
            let waits = Waits::new(BACKOFF);
            let at = clock.now() + SignedDuration::from_secs(30);
            assert_eq!(waits.remaining("a", at, clock.moment()), Duration::from_secs(30));
            tokio::time::advance(Duration::from_secs(seconds)).await;
            clock.advance(SignedDuration::from_secs(date));
            let remaining = waits.remaining("a", at, clock.moment());
            assert_eq!(remaining, Duration::from_secs(left), "{what}, after {seconds} s");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_row_that_is_retried_waits_again_and_one_that_is_gone_is_forgotten() {
        let clock = Clock::manual("2026-11-23T00:00:00Z".parse().unwrap());
        let waits = Waits::new(BACKOFF);
        let at = |seconds| clock.now() + SignedDuration::from_secs(seconds);
        let second = Duration::from_secs(1);
        assert_eq!(waits.remaining("a", at(1), clock.moment()), second);
        assert_eq!(waits.remaining("a", at(2), clock.moment()), 2 * second);
        waits.retain(|key| *key != "a");
        assert!(waits.seen.lock().is_empty());
    }

    /// As after a restart: the date was written by another process, before the clock was set back.
    #[tokio::test(start_paused = true)]
    async fn a_date_further_ahead_than_the_longest_wait_is_not_waited_for() {
        let clock = Clock::manual("2026-11-23T00:00:00Z".parse().unwrap());
        let waits = Waits::new(BACKOFF);
        let at = clock.now() + SignedDuration::from_hours(24);
        assert_eq!(waits.remaining("a", at, clock.moment()), Duration::ZERO);
    }
}
