//! The one source of the current time. Everything that needs "now" is passed a [`Clock`], so that tests of months, retries and
//! schedules need no sleep, and the demo can jump ahead.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

/// How often a sleeper checks whether the machine was suspended.
const LOOK: Duration = Duration::from_secs(60);

/// A clock that can be shifted. Clones share the shift.
#[derive(Clone, Debug)]
pub struct Clock {
    source: Source,
}

#[derive(Clone, Debug)]
enum Source {
    /// The host's clock plus a shift in milliseconds.
    System(Arc<AtomicI64>),
    /// Stays at this many milliseconds since 1970 until it is moved.
    Manual(Arc<AtomicI64>),
}

impl Clock {
    /// Returns the host's clock.
    pub fn system() -> Self {
        Self { source: Source::System(Arc::new(AtomicI64::new(0))) }
    }

    /// Creates a clock that stays at `at` until [`Clock::advance`] or [`Clock::set`] moves it.
    pub fn manual(at: Timestamp) -> Self {
        Self { source: Source::Manual(Arc::new(AtomicI64::new(at.as_millisecond()))) }
    }

    /// Returns the current instant, in whole milliseconds.
    #[allow(clippy::disallowed_methods)] // The one place that may read the host's clock.
    pub fn now(&self) -> Timestamp {
        let millis = match &self.source {
            Source::System(shift) => {
                Timestamp::now().as_millisecond().saturating_add(shift.load(Ordering::SeqCst))
            }
            Source::Manual(at) => at.load(Ordering::SeqCst),
        };
        Timestamp::from_millisecond(millis).unwrap_or(Timestamp::MAX)
    }

    /// Returns the current time on both clocks, to measure from.
    #[allow(clippy::disallowed_methods)] // The one place that may ask the host.
    pub fn moment(&self) -> Moment {
        let host = match &self.source {
            Source::System(_) => Timestamp::now(),
            Source::Manual(_) => self.now(),
        };
        Moment { at: self.now(), host, instant: Instant::now() }
    }

    /// Waits. A suspend of the machine counts as waiting.
    pub async fn sleep(&self, pause: Duration) {
        let start = self.moment();
        loop {
            let left = pause.saturating_sub(self.moment().since(start));
            if left.is_zero() {
                return;
            }
            tokio::time::sleep(left.min(LOOK)).await;
        }
    }

    /// Moves the clock forward (or back, by a negative duration).
    pub fn advance(&self, by: SignedDuration) {
        let millis = i64::try_from(by.as_millis()).unwrap_or(i64::MAX);
        let (Source::System(cell) | Source::Manual(cell)) = &self.source;
        cell.fetch_add(millis, Ordering::SeqCst);
    }

    /// Moves the clock to `at`.
    pub fn set(&self, at: Timestamp) {
        self.advance(at.duration_since(self.now()));
    }
}

/// A point in time on both clocks of the host. The one that tells the date can be set, forward and back. The other only
/// ever goes forward, but stands still while the machine is suspended. So a duration is the longer of the two measurements:
/// a suspend counts, and a clock that was set back does not stretch it.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    /// By the service's clock, including its shift.
    at: Timestamp,
    /// By the host's clock: a shift of the service's clock is not elapsed time for schedules.
    host: Timestamp,
    instant: Instant,
}

impl Moment {
    /// The date and time.
    pub fn at(self) -> Timestamp {
        self.at
    }

    /// Returns how long it has been since `earlier`.
    pub fn since(self, earlier: Moment) -> Duration {
        self.measured(earlier, |moment| moment.host)
    }

    /// Like [`Moment::since`], but a shift of the service's clock counts as well.
    pub fn shifted_since(self, earlier: Moment) -> Duration {
        self.measured(earlier, |moment| moment.at)
    }

    fn measured(self, earlier: Moment, date: impl Fn(Moment) -> Timestamp) -> Duration {
        let by_date = date(self).duration_since(date(earlier));
        let by_instant = self.instant.saturating_duration_since(earlier.instant);
        Duration::try_from(by_date).unwrap_or_default().max(by_instant)
    }

    /// Returns the moment that is `by` before this one, on both clocks.
    #[must_use]
    pub fn earlier(self, by: Duration) -> Moment {
        let back = |at: Timestamp| {
            SignedDuration::try_from(by).ok().and_then(|by| at.checked_sub(by).ok()).unwrap_or(at)
        };
        Moment {
            at: back(self.at),
            host: back(self.host),
            instant: self.instant.checked_sub(by).unwrap_or(self.instant),
        }
    }

    /// Returns a moment at this time of the service's clock, before the process began to measure.
    #[must_use]
    pub fn dated(self, at: Timestamp) -> Moment {
        let ago = self.at.duration_since(at);
        Moment { at, host: self.host.checked_sub(ago).unwrap_or(self.host), instant: self.instant }
    }
}

/// Returns whether `at` is less than `span` away from `now`. A time further ahead was written before the clock was set back:
/// whoever waited for it to pass could wait for days.
pub fn is_recent(at: Timestamp, span: SignedDuration, now: Timestamp) -> bool {
    now.duration_since(at).abs() < span
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_far_ahead_is_not_recent() {
        let now: Timestamp = "2026-11-23T00:00:00Z".parse().unwrap();
        let hour = SignedDuration::from_hours(1);
        for (minutes, recent) in [(-60, false), (-59, true), (0, true), (59, true), (60, false)] {
            let at = now + SignedDuration::from_mins(minutes);
            assert_eq!(is_recent(at, hour, now), recent, "{minutes}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_suspend_counts_as_sleep() {
        let clock = Clock::manual("2026-11-23T00:00:00Z".parse().unwrap());
        let hour = Duration::from_secs(3600);
        let start = Instant::now();
        clock.sleep(hour).await;
        assert_eq!(start.elapsed(), hour);
        let (start, sleeper) = (Instant::now(), clock.clone());
        let asleep = tokio::spawn(async move { sleeper.sleep(hour).await });
        tokio::task::yield_now().await;
        clock.advance(SignedDuration::from_hours(2));
        asleep.await.unwrap();
        assert_eq!(start.elapsed(), LOOK);
    }

    #[tokio::test(start_paused = true)]
    async fn a_duration_is_the_longer_of_both_measurements() {
        let clock = Clock::manual("2026-11-23T00:00:00Z".parse().unwrap());
        let start = clock.moment();
        let minutes = |count: u64| Duration::from_secs(60 * count);
        // An ordinary minute.
        tokio::time::advance(minutes(1)).await;
        clock.advance(SignedDuration::from_mins(1));
        assert_eq!(clock.moment().since(start), minutes(1));
        // The machine sleeps for an hour.
        clock.advance(SignedDuration::from_hours(1));
        assert_eq!(clock.moment().since(start), minutes(61));
        // The clock is set back by a day: the time that has passed on the other one counts.
        clock.advance(SignedDuration::from_hours(-24));
        assert_eq!(clock.moment().since(start), minutes(1));
        assert_eq!(clock.moment().since(clock.moment().earlier(minutes(5))), minutes(5));
    }

    #[test]
    fn a_manual_clock_moves_only_when_told_and_clones_share_it() {
        let start: Timestamp = "2026-11-23T00:00:00Z".parse().unwrap();
        let clock = Clock::manual(start);
        let other = clock.clone();
        clock.advance(SignedDuration::from_hours(2));
        assert_eq!(other.now(), "2026-11-23T02:00:00Z".parse::<Timestamp>().unwrap());
        other.set(start);
        assert_eq!(clock.now(), start);
    }
}
