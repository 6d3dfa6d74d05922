//! Thresholds that only an estimate has reached. What was told too early must not keep the bill from being told.

use std::collections::BTreeSet;

use super::{BillPeriod, Money, Month, Usage, User};

impl User {
    /// Marks thresholds as triggered. Those that the bill does not reach are remembered: see [`User::arm_again`].
    pub fn trigger(&mut self, percents: impl IntoIterator<Item = u16>) {
        let billed = self.usage();
        mark(&mut self.triggered, &mut self.triggered_early, percents, billed);
    }

    /// The same for thresholds of the month limit.
    pub fn trigger_month(&mut self, month: &Month, percents: impl IntoIterator<Item = u16>) {
        let Some(billed) = self.month_usage(Some(month)) else { return };
        self.trigger_in(month.period, []);
        if let Some(known) = &mut self.month_triggered {
            mark(&mut known.percents, &mut known.early, percents, billed);
        }
    }

    /// Takes out the thresholds that only an estimate has reached and that are not reached any more, although `beyond` counts
    /// beside the bill: what is estimated, and what may be the user's. Returns whether anything changed.
    ///
    /// Usage has to be a tenth below a threshold: an estimate that wavers around one must not warn again and again.
    pub fn arm_again(&mut self, beyond: Money) -> bool {
        let (billed, all) = (self.usage(), self.usage_with(beyond));
        arm(&mut self.triggered, &mut self.triggered_early, billed, all)
    }

    /// The same for thresholds of the month limit: `beyond` counts beside what is billed of the month.
    pub fn arm_again_in(&mut self, month: &Month, beyond: Money) -> bool {
        let usage = |more| self.month_usage_with(Some(month), |_| more);
        let (Some(billed), Some(all)) = (usage(Money::ZERO), usage(beyond)) else { return false };
        let known = self.month_triggered.as_mut().filter(|known| known.period == month.period);
        known.is_some_and(|known| arm(&mut known.percents, &mut known.early, billed, all))
    }

    /// Returns the thresholds of the month limit that only an estimate has reached in `period`.
    pub fn early_in(&self, period: BillPeriod) -> BTreeSet<u16> {
        let known = self.month_triggered.as_ref().filter(|known| known.period == period);
        known.map(|known| known.early.clone()).unwrap_or_default()
    }

    /// Returns whether an estimate alone has reached thresholds, of the quota or of the month limit.
    pub fn has_early(&self) -> bool {
        let in_month = self.month_triggered.as_ref().is_some_and(|known| !known.early.is_empty());
        in_month || !self.triggered_early.is_empty()
    }
}

fn mark(
    triggered: &mut BTreeSet<u16>,
    early: &mut BTreeSet<u16>,
    percents: impl IntoIterator<Item = u16>,
    billed: Usage,
) {
    for percent in percents {
        triggered.insert(percent);
        if billed.reaches(percent) {
            early.remove(&percent);
        } else {
            early.insert(percent);
        }
    }
}

fn arm(
    triggered: &mut BTreeSet<u16>,
    early: &mut BTreeSet<u16>,
    billed: Usage,
    all: Usage,
) -> bool {
    let before = early.len();
    early.retain(|percent| {
        if billed.reaches(*percent) || !triggered.contains(percent) {
            return false;
        }
        let gone_by = !all.reaches(percent - percent / 10);
        if gone_by {
            triggered.remove(percent);
        }
        !gone_by
    });
    early.len() != before
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_only_an_estimate_has_reached_is_told_again_once_the_bill_says_it() {
        let mut user =
            User::new("main/alice".parse().unwrap(), "2026-11-01T00:00:00Z".parse().unwrap());
        user.quota = "100".parse().unwrap();
        // (billed, beyond it) -> (triggered, of them early); 50, 80 and 90 were reached at first, 50 by the bill.
        for (billed, beyond, triggered, early) in [
            ("55", "40", &[50, 80, 90][..], &[80, 90][..]),
            // The estimate wavers.
            ("55", "27", &[50, 80, 90], &[80, 90]),
            ("55", "25.99", &[50, 80], &[80]),
            ("55", "17", &[50, 80], &[80]),
            ("55", "16.99", &[50], &[]),
            // The bill says it.
            ("85", "0", &[50, 80, 90], &[90]),
            ("95", "0", &[50, 80, 90], &[]),
            // A refund of what was billed tells nothing again.
            ("10", "0", &[50], &[]),
        ] {
            user.consumed = "55".parse().unwrap();
            (user.triggered, user.triggered_early) = Default::default();
            user.trigger([50, 80, 90]);
            assert_eq!(Vec::from_iter(user.triggered_early.clone()), [80, 90]);
            user.consumed = billed.parse().unwrap();
            user.arm_again(beyond.parse().unwrap());
            let found = (Vec::from_iter(user.triggered), Vec::from_iter(user.triggered_early));
            assert_eq!(found, (triggered.to_vec(), early.to_vec()), "{billed} {beyond}");
            (user.triggered, user.triggered_early) = Default::default();
        }
    }

    #[test]
    fn a_threshold_that_quota_has_taken_out_is_not_early_any_more() {
        let mut user =
            User::new("main/alice".parse().unwrap(), "2026-11-01T00:00:00Z".parse().unwrap());
        user.quota = "100".parse().unwrap();
        user.trigger([50]);
        user.triggered.clear();
        assert!(user.arm_again("60".parse().unwrap()));
        assert!(user.triggered.is_empty() && user.triggered_early.is_empty());
    }

    #[test]
    fn thresholds_of_the_month_limit_are_armed_again_within_their_month() {
        let mut user =
            User::new("main/alice".parse().unwrap(), "2026-11-01T00:00:00Z".parse().unwrap());
        let amount: Money = "100".parse().unwrap();
        user.month_limit = Some(amount.try_into().unwrap());
        let month = |period: &str, spent: &str| Month {
            period: period.parse().unwrap(),
            spent: spent.parse().unwrap(),
            is_read: true,
        };
        let november = month("2026-11", "55");
        user.trigger_month(&november, [50, 80]);
        assert_eq!(Vec::from_iter(user.early_in(november.period)), [80]);
        assert!(user.has_early());
        assert!(!user.arm_again_in(&november, "20".parse().unwrap()), "the estimate wavers");
        assert!(!user.arm_again_in(&month("2026-12", "0"), Money::ZERO), "another month");
        assert!(user.arm_again_in(&november, "16".parse().unwrap()));
        assert_eq!(Vec::from_iter(user.triggered_in(november.period)), [50]);
        assert!(!user.has_early());
        // The bill says it: it is told, and stays told.
        let billed = month("2026-11", "85");
        user.trigger_month(&billed, [80]);
        assert!(!user.has_early() && !user.arm_again_in(&billed, Money::ZERO));
        assert_eq!(Vec::from_iter(user.triggered_in(november.period)), [50, 80]);
    }
}
