//! Usage: consumed against quota, compared exactly.

use std::cmp::Ordering;

use rust_decimal::prelude::ToPrimitive;
use rust_decimal::{Decimal, RoundingStrategy};

use super::Money;

/// consumed / quota. Comparisons are exact; only what is shown is rounded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Usage {
    consumed: Money,
    quota: Money,
}

impl Usage {
    /// The percent at which a quota is used up.
    pub const USED_UP: u16 = 100;

    /// Creates the usage of `quota` by `consumed`.
    pub fn new(consumed: Money, quota: Money) -> Self {
        Self { consumed, quota }
    }

    /// Creates the usage of a quota that was given for some time only, of which `quota` is left. Where nothing is left, any
    /// spending uses all of it.
    pub fn of_ended(consumed: Money, quota: Money) -> Self {
        if quota.is_positive() || !consumed.is_positive() {
            return Self::new(consumed, quota);
        }
        Self { consumed, quota: consumed }
    }

    /// Returns what is allocated.
    pub fn quota(self) -> Money {
        self.quota
    }

    /// Returns whether usage is at or above `percent`. Always false if nothing is allocated.
    pub fn reaches(self, percent: u16) -> bool {
        // consumed / quota >= percent / 100, without dividing.
        self.quota.is_positive()
            && self
                .consumed
                .decimal()
                .checked_mul(Decimal::ONE_HUNDRED)
                .is_none_or(|consumed| consumed >= self.quota.decimal() * Decimal::from(percent))
    }

    /// Returns usage in whole percent, rounded down: it is at or above a whole percentage exactly when usage reaches
    /// that percentage. `None` if nothing is allocated.
    pub fn whole_percent(self) -> Option<i64> {
        if !self.quota.is_positive() {
            return None;
        }
        let quota = self.quota.decimal();
        let Some(consumed) = self.consumed.decimal().checked_mul(Decimal::ONE_HUNDRED) else {
            return Some(i64::MAX);
        };
        let mut percent =
            consumed.checked_div(quota).map_or(Decimal::MAX, |percent| percent.floor());
        // A quotient with too many digits may have been rounded up.
        if percent.checked_mul(quota).is_some_and(|reached| reached > consumed) {
            percent -= Decimal::ONE;
        }
        Some(percent.to_i64().unwrap_or(i64::MAX))
    }

    /// Returns the usage of the same quota of which nothing is used.
    #[must_use]
    pub fn of_nothing(self) -> Self {
        Self { consumed: Money::ZERO, ..self }
    }

    /// Returns usage in millionths of the quota, rounded down; `None` if nothing is allocated. Usages whose millionths are
    /// the same are told apart by [`Usage::exactly`].
    pub fn millionths(self) -> Option<i64> {
        const MILLION: Decimal = Decimal::from_parts(1_000_000, 0, 0, false, 0);
        if !self.quota.is_positive() {
            return None;
        }
        let parts = self.consumed.decimal().checked_mul(MILLION);
        let parts = parts.and_then(|parts| parts.checked_div(self.quota.decimal()));
        Some(parts.and_then(|parts| parts.floor().to_i64()).unwrap_or(i64::MAX))
    }

    /// Returns the usage that decides: this one, or that of a month limit if a larger part of it is used.
    #[must_use]
    pub fn or_stricter(self, month: Option<Self>) -> Self {
        month.filter(|month| month.exactly(self).is_gt()).unwrap_or(self)
    }

    /// Compares two usages exactly, without dividing. A usage of nothing allocated is less than any other.
    pub fn exactly(self, other: Self) -> Ordering {
        match (self.quota.is_positive(), other.quota.is_positive()) {
            (true, true) => {
                let own = self.consumed.decimal().checked_mul(other.quota.decimal());
                let others = other.consumed.decimal().checked_mul(self.quota.decimal());
                match (own, others) {
                    (Some(own), Some(others)) => own.cmp(&others),
                    // Beyond 28 digits: to the percent.
                    _ => self.whole_percent().cmp(&other.whole_percent()),
                }
            }
            (own, others) => own.cmp(&others),
        }
    }

    /// Returns whether the quota is used up.
    pub fn is_used_up(self) -> bool {
        self.reaches(Self::USED_UP)
    }

    /// Returns usage in percent with one decimal, rounded half away from zero; 0 if nothing is allocated. Anything
    /// below 100 % shows at most 99.9: people must not read "100.0 %" beside a user who is rightly not disabled.
    pub fn percent(self) -> Decimal {
        if !self.quota.is_positive() {
            return Decimal::new(0, 1);
        }
        let percent = self
            .consumed
            .decimal()
            .checked_mul(Decimal::ONE_HUNDRED)
            .and_then(|consumed| consumed.checked_div(self.quota.decimal()))
            .unwrap_or(Decimal::MAX);
        let mut shown = percent.round_dp_with_strategy(1, RoundingStrategy::MidpointAwayFromZero);
        if !self.is_used_up() {
            shown = shown.min(Decimal::new(999, 1));
        }
        shown.rescale(1);
        shown
    }

    /// Returns how many of a bar's `cells` are filled: none only for no usage, all only for 100 % or more.
    pub fn filled(self, cells: u32) -> u32 {
        if !self.quota.is_positive() || !self.consumed.is_positive() {
            return 0;
        }
        if self.is_used_up() {
            return cells;
        }
        let filled = (self.percent() * Decimal::from(cells) / Decimal::ONE_HUNDRED).floor();
        u32::try_from(filled).unwrap_or(0).clamp(1, cells.saturating_sub(1).max(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn usage(consumed: &str, quota: &str) -> Usage {
        Usage::new(consumed.parse().unwrap(), quota.parse().unwrap())
    }

    #[test]
    fn usages_are_ordered_exactly() {
        // The same in millionths, and not the same.
        let (less, more) = (usage("3333333.33", "9999999.99"), usage("3333333.34", "9999999.99"));
        let (third, sixth) = (usage("1", "3"), usage("2", "6"));
        assert_eq!(usage("1", "3").millionths(), Some(333_333));
        assert_eq!(less.exactly(more), Ordering::Less);
        assert_eq!(third.exactly(sixth), Ordering::Equal);
        assert_eq!(usage("99999999.99", "100000000").exactly(usage("1", "1")), Ordering::Less);
        assert_eq!(usage("5", "0").exactly(usage("0", "1")), Ordering::Less);
        assert_eq!(usage("5", "0").millionths(), None);
        assert_eq!(usage("-1", "3").millionths(), Some(-333_334));
    }

    #[test]
    fn usage_is_compared_exactly_and_shown_with_one_decimal() {
        for (consumed, quota, shown, used_up) in [
            ("0", "0", "0.0", false),
            ("5", "0", "0.0", false),
            ("52.34", "100", "52.3", false),
            ("52.35", "100", "52.4", false),
            ("99.95", "100", "99.9", false),
            ("99.99999999", "100", "99.9", false),
            ("100", "100", "100.0", true),
            ("123.45", "100", "123.5", true),
            ("-3", "100", "-3.0", false),
            ("1", "3", "33.3", false),
            ("9999999999.99", "0.01", "99999999999900.0", true),
        ] {
            let usage = usage(consumed, quota);
            assert_eq!(usage.percent().to_string(), shown, "{consumed}/{quota}");
            assert_eq!(usage.is_used_up(), used_up, "{consumed}/{quota}");
        }
    }

    #[test]
    fn the_larger_part_is_found_exactly() {
        for ((consumed, quota), (other, others), exceeds) in [
            (("50", "100"), ("49.99999999", "100"), true),
            (("1", "3"), ("33.33333333", "100"), true),
            (("1", "3"), ("2", "6"), false),
            (("0", "5"), ("0", "9"), false),
            (("-1", "5"), ("0", "9"), false),
            (("7", "0"), ("1", "9"), false),
            (("7", "0"), ("-1", "9"), false),
            (("1", "9"), ("7", "0"), true),
            (("9999999999.99", "0.01"), ("9999999999.98", "0.01"), true),
        ] {
            let found = usage(consumed, quota).exactly(usage(other, others)).is_gt();
            assert_eq!(found, exceeds, "{consumed}/{quota} {other}/{others}");
        }
    }

    #[test]
    fn thresholds_are_reached_exactly() {
        assert!(usage("80", "100").reaches(80));
        assert!(!usage("79.9999", "100").reaches(80));
        assert!(usage("1", "3").reaches(33));
        assert!(!usage("1", "3").reaches(34));
        assert!(!usage("1", "0").reaches(1));
    }

    proptest::proptest! {
        #[test]
        fn whole_percents_say_exactly_what_is_reached(
            consumed in -1_000_000_000_000_i64..1_000_000_000_000,
            scale in 0_u32..28,
            quota in -5_i64..1_000_000_000,
            percent in 1_u16..200,
        ) {
            let usage = Usage::new(
                Money::new(Decimal::from_i128_with_scale(consumed.into(), scale)),
                Money::from_fen(quota),
            );
            let reached = usage.whole_percent().is_some_and(|whole| whole >= percent.into());
            proptest::prop_assert_eq!(reached, usage.reaches(percent));
            // Right at the edge, and the smallest step below it.
            let edge = usage.quota.decimal() * Decimal::from(percent) / Decimal::ONE_HUNDRED;
            for consumed in [edge, edge - Decimal::new(1, 20)] {
                let usage = Usage::new(Money::new(consumed), usage.quota);
                let reached = usage.whole_percent().is_some_and(|whole| whole >= percent.into());
                proptest::prop_assert_eq!(reached, usage.reaches(percent));
            }
        }
    }

    #[test]
    fn a_bar_is_empty_only_for_nothing_and_full_only_when_used_up() {
        assert_eq!(usage("0", "100").filled(10), 0);
        assert_eq!(usage("0.01", "100").filled(10), 1);
        assert_eq!(usage("52", "100").filled(10), 5);
        assert_eq!(usage("99.99", "100").filled(10), 9);
        assert_eq!(usage("100", "100").filled(10), 10);
        assert_eq!(usage("-5", "100").filled(10), 0);
    }
}
