//! The one source of the current time. Everything that needs "now" is passed a [`Clock`], so that tests of months, retries and
//! schedules need no sleep, and the demo can jump ahead.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use jiff::{SignedDuration, Timestamp};

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
    /// The host's clock.
    pub fn system() -> Self {
        Self { source: Source::System(Arc::new(AtomicI64::new(0))) }
    }

    /// A clock that stays at `at` until [`Clock::advance`] or [`Clock::set`] moves it.
    pub fn manual(at: Timestamp) -> Self {
        Self { source: Source::Manual(Arc::new(AtomicI64::new(at.as_millisecond()))) }
    }

    /// The current instant, in whole milliseconds.
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

#[cfg(test)]
mod tests {
    use super::*;

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
