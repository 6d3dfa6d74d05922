//! Amounts that look like a slip of the finger: a zero too many.

use super::Money;

/// How many times larger than what is usual an amount is asked back about.
const TIMES: usize = 10;
/// ¥1,000, in fen: up to here, nothing is asked.
const SMALL: i64 = 100_000;
/// ¥1,000,000, in fen: from here on, an amount is asked back about if there is nothing to compare it with.
const LARGE: i64 = 100_000_000;

/// What an amount is far above.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FarAbove {
    /// The user's quota, which is larger than any single allocation.
    Quota(Money),
    /// The largest allocation so far.
    Largest(Money),
    /// Nothing was allocated yet.
    Nothing,
}

/// Returns what a typed amount is more than ten times larger than: the quota, or the largest allocation so far if that is
/// more. `None` if it need not be asked back about.
pub fn far_above(amount: Money, quota: Money, largest: Money) -> Option<FarAbove> {
    let usual = quota.max(largest);
    if amount <= Money::from_fen(SMALL) {
        return None;
    }
    if !usual.is_positive() {
        return (amount >= Money::from_fen(LARGE)).then_some(FarAbove::Nothing);
    }
    let what = if quota >= largest { FarAbove::Quota(quota) } else { FarAbove::Largest(largest) };
    (amount > usual.times(TIMES)).then_some(what)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(amount: &str, quota: &str, largest: &str) -> Option<FarAbove> {
        let money = |text: &str| text.parse::<Money>().unwrap();
        far_above(money(amount), money(quota), money(largest))
    }

    #[test]
    fn more_than_ten_times_the_usual_is_asked_back_about() {
        let money = |text: &str| text.parse::<Money>().unwrap();
        assert_eq!(asked("20000", "2000", "500"), None);
        assert_eq!(asked("20000.01", "2000", "500"), Some(FarAbove::Quota(money("2000"))));
        assert_eq!(asked("20000", "0", "1999"), Some(FarAbove::Largest(money("1999"))));
        assert_eq!(asked("20000", "100", "5000"), None);
    }

    #[test]
    fn small_amounts_and_deductions_are_never_asked_about() {
        assert_eq!(asked("1000", "1", "1"), None);
        assert_eq!(asked("-900000", "1000000", "1"), None);
    }

    #[test]
    fn a_first_allocation_is_asked_about_from_a_million_on() {
        assert_eq!(asked("999999.99", "0", "0"), None);
        assert_eq!(asked("1000000", "0", "0"), Some(FarAbove::Nothing));
    }
}
