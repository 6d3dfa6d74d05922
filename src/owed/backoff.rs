//! Exponential back-off with jitter.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

/// Random delay added to each pause, in milliseconds, so that rows that failed together are not all retried at once.
const JITTER: std::ops::Range<u64> = 0..250;

/// The pauses between attempts: `first`, doubled after each failure, capped at `longest`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    /// The pause after the first failure.
    pub first: Duration,
    /// The cap.
    pub longest: Duration,
}

impl Backoff {
    /// Returns when to retry what has just failed, after `failures` earlier failures.
    pub fn retry_at(self, failures: u32, now: Timestamp) -> Timestamp {
        after(now, self.pause(failures))
    }

    /// Like [`Backoff::retry_at`], but no sooner than the remote side asked for.
    pub fn retry_no_sooner(self, at_least: Duration, failures: u32, now: Timestamp) -> Timestamp {
        after(now, self.pause(failures).max(at_least))
    }

    /// Returns whether a row whose next attempt was set to `at` is due. A time beyond the longest back-off was written
    /// before the clock was set back: waiting for it could take days.
    pub fn is_due(self, at: Timestamp, now: Timestamp) -> bool {
        let ahead = at.duration_since(now);
        let longest = self.longest.saturating_add(Duration::from_millis(JITTER.end));
        !ahead.is_positive() || SignedDuration::try_from(longest).is_ok_and(|most| ahead > most)
    }

    fn pause(self, failures: u32) -> Duration {
        self.first.saturating_mul(2u32.saturating_pow(failures)).min(self.longest)
    }
}

fn after(now: Timestamp, pause: Duration) -> Timestamp {
    let jitter = Duration::from_millis(rand::random_range(JITTER));
    SignedDuration::try_from(pause.saturating_add(jitter))
        .ok()
        .and_then(|pause| now.checked_add(pause).ok())
        .unwrap_or(now)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BACKOFF: Backoff =
        Backoff { first: Duration::from_millis(500), longest: Duration::from_secs(60) };

    fn millis(at: Timestamp) -> i64 {
        at.duration_since(Timestamp::UNIX_EPOCH).as_millis().try_into().unwrap()
    }

    #[test]
    fn pauses_double_up_to_the_cap() {
        let pauses = [500, 1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000];
        for (failures, pause) in (0..).zip(pauses) {
            let at = millis(BACKOFF.retry_at(failures, Timestamp::UNIX_EPOCH));
            assert!((pause..pause + 250).contains(&at), "after {failures} failures: {at} ms");
        }
        let at = millis(BACKOFF.retry_at(u32::MAX, Timestamp::UNIX_EPOCH));
        assert!((60_000..60_250).contains(&at), "however often it failed: {at} ms");
    }

    #[test]
    fn a_row_does_not_wait_for_the_old_time_after_the_clock_was_set_back() {
        let now: Timestamp = "2026-11-23T00:00:00Z".parse().unwrap();
        for (ahead, due) in [
            (SignedDuration::from_mins(-1), true),
            (SignedDuration::ZERO, true),
            (SignedDuration::from_millis(1), false),
            (SignedDuration::from_millis(60_249), false),
            (SignedDuration::from_secs(61), true),
            (SignedDuration::from_hours(24), true),
        ] {
            assert_eq!(BACKOFF.is_due(now.checked_add(ahead).unwrap(), now), due, "{ahead}");
        }
    }

    #[test]
    fn a_pause_that_the_remote_side_asked_for_is_a_minimum() {
        let at_least = Duration::from_secs(3);
        for (failures, pause) in [(0, 3_000), (2, 3_000), (3, 4_000), (20, 60_000)] {
            let at = millis(BACKOFF.retry_no_sooner(at_least, failures, Timestamp::UNIX_EPOCH));
            assert!((pause..pause + 250).contains(&at), "after {failures} failures: {at} ms");
        }
    }
}
