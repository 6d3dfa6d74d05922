//! Money in 元 (CNY): exact decimals, never a float.

use std::fmt;
use std::iter::Sum;
use std::ops::{Add, AddAssign, Neg, Sub};
use std::str::FromStr;

use rust_decimal::{Decimal, RoundingStrategy};
use serde::{Deserialize, Serialize};

/// An amount in 元 at full precision. Sums are exact; rounding to 分 happens only in [`Money::rounded`] and when shown.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Money(Decimal);

/// Why a typed amount was refused. The chat layer chooses the words that a person reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AmountError {
    /// Nothing was typed.
    #[error("the amount is empty")]
    Empty,
    /// Not an amount at all.
    #[error("not an amount")]
    NotANumber,
    /// Commas that do not separate thousands (`1,00`).
    #[error("misplaced commas")]
    MisplacedCommas,
    /// Finer than 分.
    #[error("more than 2 decimals")]
    TooManyDecimals,
    /// An allocation of nothing.
    #[error("the amount is 0")]
    Zero,
    /// Beyond [`Money::MAX_SINGLE`].
    #[error("the amount is above 9,999,999,999.99")]
    TooLarge,
}

impl Money {
    /// 0 元.
    pub const ZERO: Money = Money(Decimal::ZERO);

    /// The largest single amount that may be typed: ¥9,999,999,999.99.
    pub const MAX_SINGLE: Money = Money(Decimal::from_parts(0xD4A5_0FFF, 0xE8, 0, false, 2));

    /// Creates an amount from an exact decimal in 元.
    pub const fn new(amount: Decimal) -> Self {
        Money(amount)
    }

    /// Creates an amount from whole 分 (1/100 元).
    pub fn from_fen(fen: i64) -> Self {
        Money(Decimal::new(fen, 2))
    }

    /// Returns the exact decimal in 元.
    pub const fn decimal(self) -> Decimal {
        self.0
    }

    /// Returns it rounded to 2 decimals, half away from zero: how amounts are stored on a user and shown.
    pub fn rounded(self) -> Self {
        let mut amount = self.0.round_dp_with_strategy(2, RoundingStrategy::MidpointAwayFromZero);
        amount.rescale(2);
        Money(amount)
    }

    /// Returns whether the amount is exactly 0.
    pub fn is_zero(self) -> bool {
        self.0.is_zero()
    }

    /// Returns whether the amount is below 0.
    pub fn is_negative(self) -> bool {
        self.0.is_sign_negative() && !self.0.is_zero()
    }

    /// Returns whether the amount is above 0.
    pub fn is_positive(self) -> bool {
        self.0.is_sign_positive() && !self.0.is_zero()
    }

    /// Adds, or returns `None` instead of an overflow (28 significant digits).
    pub fn checked_add(self, other: Money) -> Option<Money> {
        self.0.checked_add(other.0).map(Money)
    }

    /// Returns one of `count` equal parts, cut off after the last decimal that the amount has, or after 分.
    pub fn divided(self, count: usize) -> Self {
        let part = self.0.checked_div(Decimal::from(count)).unwrap_or(self.0);
        Money(part.trunc_with_scale(self.0.scale().max(2)))
    }

    /// Returns `count` times the amount. Only for what [`Money::divided`] has returned, so it cannot overflow.
    pub fn times(self, count: usize) -> Self {
        Money(self.0.saturating_mul(Decimal::from(count)))
    }

    /// Reads what a person typed as an amount to allocate: `1000`, `+1000`, `-200.5`, `1,000.00`, `¥1000`, `007`,
    /// full-width digits and signs, `500元`, `1万`, `1.5万`. Refuses 0, more than 2 decimals (of 元), misplaced commas and
    /// more than [`Money::MAX_SINGLE`] either way.
    ///
    /// ```
    /// use airgate::domain::{AmountError, Money};
    /// assert_eq!(Money::parse_input("-¥1,000.5").unwrap().to_string(), "-¥1,000.50");
    /// assert_eq!(Money::parse_input("1.5万").unwrap().to_string(), "¥15,000.00");
    /// assert_eq!(Money::parse_input("1,00"), Err(AmountError::MisplacedCommas));
    /// ```
    pub fn parse_input(text: &str) -> Result<Money, AmountError> {
        let text: String = text.trim().chars().map(narrow).collect();
        let mut rest = text.trim();
        if rest.is_empty() {
            return Err(AmountError::Empty);
        }
        let mut negative = None;
        let mut currency = false;
        // One sign and one currency mark, in either order: `-¥5`, `¥-5`.
        loop {
            match rest.chars().next() {
                Some(sign @ ('+' | '-')) if negative.is_none() => {
                    negative = Some(sign == '-');
                    rest = rest.get(1..).unwrap_or("").trim_start();
                }
                Some('¥') if !currency => {
                    currency = true;
                    rest = rest.strip_prefix('¥').unwrap_or("").trim_start();
                }
                _ => break,
            }
        }
        let rest = rest.strip_suffix('元').map_or(rest, str::trim_end);
        let (rest, unit, decimals) = match rest.strip_suffix('万') {
            Some(rest) => (rest.trim_end(), TEN_THOUSAND, 6),
            None => (rest, Decimal::ONE, 2),
        };
        let (whole, fraction) = match rest.split_once('.') {
            Some((_, "")) => return Err(AmountError::NotANumber),
            Some((whole, fraction)) => (whole, fraction),
            None => (rest, ""),
        };
        let digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
        if whole.is_empty()
            || !digits(fraction)
            || !whole.bytes().all(|b| b.is_ascii_digit() || b == b',')
        {
            return Err(AmountError::NotANumber);
        }
        if whole.contains(',') {
            let mut groups = whole.split(',');
            let first = groups.next().unwrap_or("");
            if first.is_empty() || first.len() > 3 || groups.any(|group| group.len() != 3) {
                return Err(AmountError::MisplacedCommas);
            }
        }
        if fraction.len() > decimals {
            return Err(AmountError::TooManyDecimals);
        }
        let whole: String = whole.chars().filter(|c| *c != ',').collect();
        let whole = whole.trim_start_matches('0');
        if whole.len() > 10 {
            return Err(AmountError::TooLarge);
        }
        let magnitude = Decimal::from_str(&format!("0{whole}.{fraction:0<2}"))
            .map_err(|_| AmountError::NotANumber)?;
        let mut magnitude = magnitude * unit;
        if magnitude > Money::MAX_SINGLE.0 {
            return Err(AmountError::TooLarge);
        }
        magnitude.rescale(2);
        let amount = Money(if negative == Some(true) { -magnitude } else { magnitude });
        if amount.is_zero() {
            return Err(AmountError::Zero);
        }
        Ok(amount)
    }

    /// Returns plain text with 2 decimals and no separators (`-200.50`), for forms and CSV.
    pub fn plain(self) -> String {
        format!("{:.2}", self.rounded().0)
    }
}

/// 万.
const TEN_THOUSAND: Decimal = Decimal::from_parts(10_000, 0, 0, false, 0);

/// Maps full-width digits, signs, comma, point and both yen signs to their narrow form.
fn narrow(c: char) -> char {
    match c {
        '\u{FF01}'..='\u{FF5E}' => char::from_u32(c as u32 - 0xFEE0).unwrap_or(c),
        '￥' => '¥',
        '−' => '-',
        '\u{3000}' => ' ',
        _ => c,
    }
}

impl fmt::Display for Money {
    /// Formats as `¥1,234.56`, `-¥200.50`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rounded = self.rounded();
        // An amount near the largest decimal has no room for 分.
        let missing = 2_u32.saturating_sub(rounded.0.scale());
        let fen = rounded.0.mantissa().unsigned_abs().saturating_mul(10_u128.pow(missing));
        f.write_str(if rounded.is_negative() { "-¥" } else { "¥" })?;
        thousands(fen / 100, f)?;
        write!(f, ".{:02}", fen % 100)
    }
}

/// Formats a whole number with a comma after each group of three digits.
fn thousands(number: u128, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match (number / 1000, number % 1000) {
        (0, last) => write!(f, "{last}"),
        (rest, last) => {
            thousands(rest, f)?;
            write!(f, ",{last:03}")
        }
    }
}

impl FromStr for Money {
    type Err = rust_decimal::Error;

    /// Parses an exact amount as platforms write it (`-90.123456`), with any number of decimals up to 28.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Decimal::from_str_exact(text.trim()).map(Money)
    }
}

impl Add for Money {
    type Output = Money;
    fn add(self, other: Money) -> Money {
        Money(self.0 + other.0)
    }
}

impl AddAssign for Money {
    fn add_assign(&mut self, other: Money) {
        self.0 += other.0;
    }
}

impl Sub for Money {
    type Output = Money;
    fn sub(self, other: Money) -> Money {
        Money(self.0 - other.0)
    }
}

impl Neg for Money {
    type Output = Money;
    fn neg(self) -> Money {
        Money(-self.0)
    }
}

impl Sum for Money {
    fn sum<I: Iterator<Item = Money>>(amounts: I) -> Money {
        amounts.fold(Money::ZERO, Add::add)
    }
}

/// Rounds amounts to 分 so that they add up to `total` as it is shown: what rounding leaves goes to those that lost most of it.
/// Amounts that are not parts of the total are rounded each by itself.
pub fn shown_parts(amounts: &[Money], total: Money) -> Vec<Money> {
    let mut parts: Vec<Money> = amounts.iter().map(|amount| amount.rounded()).collect();
    let exact: Money = amounts.iter().copied().sum();
    let shown: Money = parts.iter().copied().sum();
    let missing = total.rounded() - shown;
    if exact.rounded() != total.rounded() || missing.is_zero() {
        return parts;
    }
    let cent = if missing.is_negative() { Money::from_fen(-1) } else { Money::from_fen(1) };
    let mut order: Vec<(usize, Money)> =
        amounts.iter().zip(&parts).map(|(exact, part)| *exact - *part).enumerate().collect();
    order.sort_by(|a, b| match missing.is_negative() {
        true => a.1.cmp(&b.1),
        false => b.1.cmp(&a.1),
    });
    let mut left = missing;
    for (index, _) in order {
        if left.is_zero() {
            break;
        }
        if let Some(part) = parts.get_mut(index) {
            *part += cent;
            left = left - cent;
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(input: &str, shown: &str) {
        assert_eq!(
            Money::parse_input(input).map(|m| m.to_string()),
            Ok(shown.to_owned()),
            "{input:?}"
        );
    }

    #[test]
    fn parts_are_shown_so_that_they_add_up() {
        let money = |text: &str| text.parse::<Money>().unwrap();
        let shown = |amounts: &[&str], total: &str| -> Vec<String> {
            let amounts: Vec<Money> = amounts.iter().map(|text| money(text)).collect();
            shown_parts(&amounts, money(total)).iter().map(ToString::to_string).collect()
        };
        assert_eq!(shown(&["1.004", "1.004", "1.004"], "3.012"), ["¥1.01", "¥1.00", "¥1.00"]);
        assert_eq!(shown(&["1.005", "1.006", "1.007"], "3.018"), ["¥1.00", "¥1.01", "¥1.01"]);
        assert_eq!(shown(&["1", "2"], "3"), ["¥1.00", "¥2.00"]);
        // Not its parts.
        assert_eq!(shown(&["1.004", "2.004"], "99"), ["¥1.00", "¥2.00"]);
        assert_eq!(shown(&[], "5"), Vec::<String>::new());
    }

    #[test]
    fn amounts_may_be_written_in_yuan_and_in_tens_of_thousands() {
        check("500元", "¥500.00");
        check("-200.5 元", "-¥200.50");
        check("￥５００元", "¥500.00");
        check("1万", "¥10,000.00");
        check("1.5万", "¥15,000.00");
        check("-1.234567万元", "-¥12,345.67");
        check("1,000万", "¥10,000,000.00");
        check("999999.999999万", "¥9,999,999,999.99");
        for (input, error) in [
            ("万", AmountError::NotANumber),
            ("元", AmountError::NotANumber),
            ("1.万", AmountError::NotANumber),
            ("1万万", AmountError::NotANumber),
            ("1元5", AmountError::NotANumber),
            ("1.2345678万", AmountError::TooManyDecimals),
            ("1.234元", AmountError::TooManyDecimals),
            ("0万", AmountError::Zero),
            ("1000000万", AmountError::TooLarge),
            ("9999999999万", AmountError::TooLarge),
        ] {
            assert_eq!(Money::parse_input(input), Err(error), "{input:?}");
        }
    }

    #[test]
    fn accepted_amounts() {
        check("1000", "¥1,000.00");
        check("+1000", "¥1,000.00");
        check("-200.5", "-¥200.50");
        check("1,000.00", "¥1,000.00");
        check("¥1000", "¥1,000.00");
        check("￥1000", "¥1,000.00");
        check("-¥5", "-¥5.00");
        check("¥-5", "-¥5.00");
        check("007", "¥7.00");
        check("  42 ", "¥42.00");
        check("１，０００．５０", "¥1,000.50");
        check("－２００", "-¥200.00");
        check("＋7", "¥7.00");
        check("9,999,999,999.99", "¥9,999,999,999.99");
        check("0.01", "¥0.01");
        check("000000000000001", "¥1.00");
    }

    #[test]
    fn refused_amounts() {
        use AmountError::*;
        for (input, error) in [
            ("", Empty),
            ("  ", Empty),
            ("abc", NotANumber),
            ("1e3", NotANumber),
            ("--1", NotANumber),
            ("¥¥1", NotANumber),
            ("1.", NotANumber),
            (".5", NotANumber),
            ("1.2.3", NotANumber),
            ("-", NotANumber),
            ("1 000", NotANumber),
            ("1。5", NotANumber),
            ("1、000", NotANumber),
            ("NaN", NotANumber),
            ("1,00", MisplacedCommas),
            (",100", MisplacedCommas),
            ("1,,000", MisplacedCommas),
            ("1000,000", MisplacedCommas),
            ("100,", MisplacedCommas),
            ("1.234", TooManyDecimals),
            ("0", Zero),
            ("-0.00", Zero),
            ("10000000000", TooLarge),
            ("-10,000,000,000", TooLarge),
            ("99999999999999999999999999999999999999", TooLarge),
        ] {
            assert_eq!(Money::parse_input(input), Err(error), "{input:?}");
        }
    }

    #[test]
    fn the_largest_single_amount() {
        assert_eq!(Money::MAX_SINGLE.plain(), "9999999999.99");
        assert_eq!(Money::parse_input("9999999999.99"), Ok(Money::MAX_SINGLE));
    }

    #[test]
    fn amounts_are_shown_rounded_half_away_from_zero() {
        for (exact, shown) in [
            ("0.005", "¥0.01"),
            ("-0.005", "-¥0.01"),
            ("0.0049999", "¥0.00"),
            ("-0.001", "¥0.00"),
            ("999.995", "¥1,000.00"),
            ("1234567.894999", "¥1,234,567.89"),
        ] {
            assert_eq!(exact.parse::<Money>().unwrap().to_string(), shown, "{exact}");
        }
    }

    #[test]
    fn platform_amounts_keep_every_digit() {
        let m: Money = "0.5192000001".parse().unwrap();
        assert_eq!(m.decimal().to_string(), "0.5192000001");
        assert!("".parse::<Money>().is_err());
        assert!("1,000".parse::<Money>().is_err());
        assert!("NaN".parse::<Money>().is_err());
    }

    proptest! {
        #[test]
        fn parsing_never_panics(text in "\\PC{0,40}") {
            let _ = Money::parse_input(&text);
            let _ = text.parse::<Money>();
        }

        #[test]
        fn what_is_shown_can_be_typed(fen in -999_999_999_999i64..=999_999_999_999) {
            prop_assume!(fen != 0);
            let amount = Money::from_fen(fen);
            prop_assert_eq!(Money::parse_input(&amount.to_string()), Ok(amount));
            prop_assert_eq!(Money::parse_input(&amount.plain()), Ok(amount));
        }

        #[test]
        fn sums_are_exact_at_six_decimals(micros in prop::collection::vec(-1_000_000_000_000i64..1_000_000_000_000, 0..200)) {
            let sum: Money = micros.iter().map(|m| Money::new(Decimal::new(*m, 6))).sum();
            let exact: i128 = micros.iter().map(|m| i128::from(*m)).sum();
            prop_assert_eq!(sum.decimal(), Decimal::from_i128_with_scale(exact, 6));
            // Half away from zero, computed on integers.
            let fen = (exact.abs() + 5_000) / 10_000 * exact.signum();
            prop_assert_eq!(sum.rounded().decimal(), Decimal::from_i128_with_scale(fen, 2));
        }
    }
}
