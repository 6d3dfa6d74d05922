//! When a cycle is due. Measured on both clocks, so that the interval holds even if the machine is suspended or its clock
//! is set, in either direction.

use std::time::Duration;

use crate::clock::Moment;

/// A monitor that has been idle for more than this many intervals and [`GRACE`] is late.
const LATE_INTERVALS: u32 = 3;
/// See [`LATE_INTERVALS`]: time for a long cycle of a short interval.
const GRACE: Duration = Duration::from_secs(300);

/// The time between cycles, and when the last one was due.
#[derive(Clone, Copy, Debug)]
pub(super) struct Schedule {
    interval: Duration,
    last: Moment,
}

impl Schedule {
    /// Creates a schedule whose last cycle was due at `last`.
    pub(super) fn new(interval: Duration, last: Moment) -> Self {
        Self { interval, last }
    }

    /// The time between cycles.
    pub(super) fn interval(&self) -> Duration {
        self.interval
    }

    /// Returns how long it is until a cycle is due; zero if one is.
    pub(super) fn remaining(&self, now: Moment) -> Duration {
        self.interval.saturating_sub(now.since(self.last))
    }

    /// Returns whether a cycle is due. If so, the next one is due an interval after this one was; if more than one was
    /// missed, an interval from now.
    pub(super) fn take_due(&mut self, now: Moment) -> bool {
        let Some(over) = now.since(self.last).checked_sub(self.interval) else { return false };
        self.last = if over < self.interval { now.earlier(over) } else { now };
        true
    }
}

/// Returns whether a monitor that runs no cycle, and whose last recorded one ended at `active`, should have recorded
/// another long ago.
pub(super) fn is_late(interval: Duration, active: Moment, now: Moment) -> bool {
    now.shifted_since(active) > interval.saturating_mul(LATE_INTERVALS).saturating_add(GRACE)
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;
    use crate::clock::Clock;

    const INTERVAL: Duration = Duration::from_secs(600);

    fn clock() -> Clock {
        Clock::manual("2026-11-23T00:00:00Z".parse().unwrap())
    }

    /// Lets the machine run for `seconds`, during which its clock is set `forward` by as many more.
    async fn pass(clock: &Clock, seconds: u64, forward: i64) {
        tokio::time::advance(Duration::from_secs(seconds)).await;
        let seconds = i64::try_from(seconds).unwrap();
        clock.advance(SignedDuration::from_secs(seconds + forward));
    }

    #[tokio::test(start_paused = true)]
    async fn a_cycle_is_due_every_interval_whatever_the_clock_does() {
        const DAY: i64 = 86_400;
        let clock = clock();
        let mut schedule = Schedule::new(INTERVAL, clock.moment());
        // Seconds that pass, how far the clock is set, and whether a cycle is due then.
        for (seconds, forward, due) in [
            (599, 0, false),
            (1, 0, true),
            (1, 0, false),
            // A tick that comes late does not move the ones after it.
            (604, 0, true),
            (595, 0, true),
            // The machine was suspended for longer than the interval: one cycle at once, the next an interval later.
            (1, 5_000, true),
            (599, 0, false),
            (1, 0, true),
            // And again: the schedule survives it more than once.
            (1, DAY, true),
            (600, 0, true),
            // The clock is set back by a day: the interval is measured on the other clock.
            (300, -DAY, false),
            (299, 0, false),
            (1, 0, true),
            (600, 0, true),
        ] {
            pass(&clock, seconds, forward).await;
            let now = clock.moment();
            assert_eq!(schedule.remaining(now).is_zero(), due, "{seconds} s, {forward} s forward");
            assert_eq!(schedule.take_due(now), due, "{seconds} s, {forward} s forward");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_cycle_that_came_due_before_the_start_is_due_at_the_start() {
        let clock = clock();
        let now = clock.moment();
        for (ago, due_in) in [(0, 600), (599, 1), (600, 0), (90_000, 0)] {
            let last = now.at().checked_sub(SignedDuration::from_secs(ago)).unwrap();
            let schedule = Schedule::new(INTERVAL, now.dated(last));
            assert_eq!(schedule.remaining(now), Duration::from_secs(due_in), "{ago} s ago");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_monitor_is_late_after_three_intervals_and_five_minutes() {
        let clock = clock();
        let begun = clock.moment();
        pass(&clock, 3 * 600 + 300, 0).await;
        assert!(!is_late(INTERVAL, begun, clock.moment()));
        pass(&clock, 1, 0).await;
        assert!(is_late(INTERVAL, begun, clock.moment()));
        pass(&clock, 0, -86_400).await;
        assert!(is_late(INTERVAL, begun, clock.moment()), "the clock was set back");
    }
}
