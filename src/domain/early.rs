//! Thresholds that only an estimate has reached. What was told too early must not keep the bill from being told.

use super::{Money, User};

impl User {
    /// Marks thresholds as triggered. Those that the bill does not reach are remembered: see [`User::arm_again`].
    pub fn trigger(&mut self, percents: impl IntoIterator<Item = u16>) {
        for percent in percents {
            self.triggered.insert(percent);
            if self.usage().reaches(percent) {
                self.triggered_early.remove(&percent);
            } else {
                self.triggered_early.insert(percent);
            }
        }
    }

    /// Takes out the thresholds that only an estimate has reached and that are not reached any more, although `beyond` counts
    /// beside the bill: what is estimated, and what may be the user's. Returns whether anything changed.
    ///
    /// Usage has to be a tenth below a threshold: an estimate that wavers around one must not warn again and again.
    pub fn arm_again(&mut self, beyond: Money) -> bool {
        let before = self.triggered_early.len();
        let (billed, all) = (self.usage(), self.usage_with(beyond));
        let gone_by = |percent: &u16| !all.reaches(percent - percent / 10);
        let early = std::mem::take(&mut self.triggered_early);
        for percent in early {
            if billed.reaches(percent) || !self.triggered.contains(&percent) {
                continue;
            }
            if gone_by(&percent) {
                self.triggered.remove(&percent);
            } else {
                self.triggered_early.insert(percent);
            }
        }
        self.triggered_early.len() != before
    }
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
}
