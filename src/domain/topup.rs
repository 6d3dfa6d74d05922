//! Amounts that a card offers for a top-up.

use rust_decimal::{Decimal, RoundingStrategy};

use super::{Money, Usage};

/// The fixed amount on offer.
const FIXED: Money = Money::new(Decimal::from_parts(100_000, 0, 0, false, 2));

/// How an amount on offer is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Preset {
    /// ¥1,000.
    Fixed,
    /// A fifth of the quota.
    Fifth,
    /// What leaves half of the quota unspent.
    HalfFree,
}

/// An amount on offer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Offer {
    /// How it was found.
    pub preset: Preset,
    /// The amount, above 0, to the 分.
    pub amount: Money,
    /// The usage that it leads to, below 100 %.
    pub usage: Usage,
}

/// Returns the amounts to offer for a quota of which `counted` is spent. Amounts that leave it used up are not among them:
/// access would be cut again.
pub fn offers(quota: Money, counted: Money) -> Vec<Offer> {
    let fifth = quota.decimal().checked_div(Decimal::from(5)).unwrap_or_default();
    let half_free = counted.decimal() * Decimal::TWO - quota.decimal();
    let up = RoundingStrategy::AwayFromZero;
    let mut offers: Vec<Offer> = Vec::new();
    for (preset, amount) in [
        (Preset::Fixed, FIXED),
        (Preset::Fifth, Money::new(fifth).rounded()),
        (Preset::HalfFree, Money::new(half_free.round_dp_with_strategy(2, up))),
    ] {
        let usage = Usage::new(counted, quota + amount);
        let is_new = !offers.iter().any(|offer| offer.amount == amount);
        let is_possible = amount.is_positive() && amount <= Money::MAX_SINGLE;
        if is_new && is_possible && !usage.is_used_up() {
            offers.push(Offer { preset, amount, usage });
        }
    }
    offers
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn money(text: &str) -> Money {
        text.parse().unwrap()
    }

    fn shown(quota: &str, counted: &str) -> Vec<(Preset, String, String)> {
        let all = offers(money(quota), money(counted)).into_iter();
        let shown =
            all.map(|it| (it.preset, it.amount.to_string(), it.usage.percent().to_string()));
        shown.collect()
    }

    #[test]
    fn amounts_are_exact_and_leave_the_quota_below_its_end() {
        let of = |preset, amount: &str, percent: &str| (preset, amount.into(), percent.into());
        assert_eq!(
            shown("2000", "2100"),
            [
                of(Preset::Fixed, "¥1,000.00", "70.0"),
                of(Preset::Fifth, "¥400.00", "87.5"),
                of(Preset::HalfFree, "¥2,200.00", "50.0"),
            ]
        );
        // A thousand would not do, and a fifth neither.
        assert_eq!(shown("2000", "9999.991"), [of(Preset::HalfFree, "¥17,999.99", "50.0")]);
        // Little is spent: half is free already.
        assert_eq!(
            shown("100", "10"),
            [of(Preset::Fixed, "¥1,000.00", "0.9"), of(Preset::Fifth, "¥20.00", "8.3")]
        );
        // Nothing is allocated.
        assert_eq!(shown("0", "0"), [of(Preset::Fixed, "¥1,000.00", "0.0")]);
        // The same amount is offered once.
        assert_eq!(shown("5000", "3000").len(), 1);
    }

    proptest! {
        #[test]
        fn half_of_the_quota_is_free_afterwards(
            quota in 0_i64..1_000_000_000, counted in 0_i128..10_000_000_000_000, scale in 2_u32..8,
        ) {
            let counted = Money::new(Decimal::from_i128_with_scale(counted, scale));
            for offer in offers(Money::from_fen(quota), counted) {
                prop_assert!(!offer.usage.is_used_up());
                if offer.preset == Preset::HalfFree {
                    let after = Money::from_fen(quota) + offer.amount;
                    prop_assert!(counted.decimal() * Decimal::TWO <= after.decimal());
                }
            }
        }
    }
}
