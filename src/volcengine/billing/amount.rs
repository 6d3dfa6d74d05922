//! Reads the amounts of bills, which are JSON strings or JSON numbers of any scale, without floats.

use rust_decimal::Decimal;
use serde_json::value::RawValue;

use crate::domain::Money;

/// Returns the exact amount of a JSON value; `None` if it is missing, empty, not a number, or beyond 28 digits.
pub(super) fn amount(value: Option<&RawValue>) -> Option<Money> {
    let json = value?.get();
    if json.starts_with('"') {
        let text: String = serde_json::from_str(json).ok()?;
        decimal(text.trim()).map(Money::new)
    } else {
        decimal(json).map(Money::new)
    }
}

/// Reads `-12.340`, or `1e-7` with an exponent, without rounding.
fn decimal(text: &str) -> Option<Decimal> {
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
        None => (text, 0),
    };
    let (negative, digits) = match mantissa.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, mantissa.strip_prefix('+').unwrap_or(mantissa)),
    };
    let (whole, fraction) = match digits.split_once('.') {
        Some((_, "")) => return None,
        Some(parts) => parts,
        None => (digits, ""),
    };
    let all_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !all_digits(whole) || !all_digits(fraction) {
        return None;
    }
    let significant = format!("{whole}{fraction}");
    let trimmed = significant.trim_end_matches('0');
    let dropped = significant.len() - trimmed.len();
    let trimmed = trimmed.trim_start_matches('0');
    if trimmed.is_empty() {
        return Some(Decimal::ZERO);
    }
    let mut units: i128 = if trimmed.len() <= 29 {
        trimmed.parse().ok()?
    } else {
        return None;
    };
    // units * 10^-scale
    let scale =
        i64::try_from(fraction.len()).ok()? - i64::try_from(dropped).ok()? - i64::from(exponent);
    if scale < 0 {
        let zeros = u32::try_from(-scale).ok()?;
        units = units.checked_mul(10_i128.checked_pow(zeros)?)?;
    }
    let units = if negative { -units } else { units };
    Decimal::try_from_i128_with_scale(units, u32::try_from(scale.max(0)).ok()?).ok()
}

/// Returns the exact sum; `None` if it needs more than 28 digits, where the decimal type would round.
pub(super) fn exact_sum(a: Money, b: Money) -> Option<Money> {
    if a.is_zero() {
        return Some(b);
    }
    if b.is_zero() {
        return Some(a);
    }
    let scale = a.decimal().scale().max(b.decimal().scale());
    a.checked_add(b).filter(|sum| sum.is_zero() || sum.decimal().scale() == scale)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(json: &str) -> Option<String> {
        let raw = RawValue::from_string(json.to_owned()).unwrap();
        amount(Some(&raw)).map(|money| money.decimal().normalize().to_string())
    }

    #[test]
    fn text_and_numbers_of_any_scale_are_read() {
        for (json, exact) in [
            (r#""0.07""#, "0.07"),
            (r#""0.5192000001""#, "0.5192000001"),
            (r#"" -90.123456 ""#, "-90.123456"),
            (r#""+1.50""#, "1.5"),
            ("0.002", "0.002"),
            ("-0.002", "-0.002"),
            ("180", "180"),
            ("0.1", "0.1"),
            ("0.30000000000000004", "0.30000000000000004"),
            ("12345678901234567.89", "12345678901234567.89"),
            ("1e-7", "0.0000001"),
            ("1.25E+2", "125"),
            ("-1.5e1", "-15"),
            (r#""1E-8""#, "0.00000001"),
            ("0e99", "0"),
            (r#""-0.00""#, "0"),
            (r#""0.00000000000000000000000000000000000000""#, "0"),
            (r#""1.00000000000000000000000000000000000000""#, "1"),
            (r#""79228162514264337593543950335""#, "79228162514264337593543950335"),
        ] {
            assert_eq!(read(json).as_deref(), Some(exact), "{json}");
        }
    }

    #[test]
    fn anything_but_an_exact_amount_is_refused() {
        for json in [
            "null",
            r#""""#,
            r#""  ""#,
            r#""-""#,
            r#""--1""#,
            r#""1,000.00""#,
            r#""1_000""#,
            r#""¥1""#,
            r#""1.""#,
            r#""1.2.3""#,
            r#"".5""#,
            r#""1e""#,
            r#""1e1.5""#,
            r#""NaN""#,
            r#""0x10""#,
            "1e-29",
            "1e99",
            "1e999999999999",
            "1e-2147483648",
            r#""79228162514264337593543950336""#,
            r#""1.00000000000000000000000000001""#,
            r#""99999999999999999999999999999999999999999999""#,
            "true",
            "[]",
            r#"{"Amount":"1"}"#,
        ] {
            assert_eq!(read(json), None, "{json}");
        }
        assert_eq!(amount(None), None);
    }

    #[test]
    fn a_sum_that_would_be_rounded_is_refused() {
        let money = |text: &str| text.parse::<Money>().unwrap();
        let big = money("10000000000000000000");
        assert_eq!(exact_sum(big, money("0.0000000001")), None);
        assert_eq!(exact_sum(big, money("0.01")), Some(money("10000000000000000000.01")));
        let max = Money::new(Decimal::MAX);
        assert_eq!(exact_sum(max, money("1")), None);
    }

    proptest! {
        #[test]
        fn an_amount_is_read_as_written(units in any::<i64>(), scale in 0u32..=18) {
            let exact = Decimal::new(units, scale);
            prop_assert_eq!(read(&exact.to_string()), Some(exact.normalize().to_string()));
            let scientific = format!("{units}e-{scale}");
            prop_assert_eq!(read(&scientific), Some(exact.normalize().to_string()));
            prop_assert_eq!(read(&format!("\"{scientific}\"")), Some(exact.normalize().to_string()));
        }

        #[test]
        fn sums_are_exact_or_refused(a in any::<i64>(), b in any::<i64>(), p in 0u32..=18, q in 0u32..=18) {
            let sum = exact_sum(Money::new(Decimal::new(a, p)), Money::new(Decimal::new(b, q)));
            // On integers of 18 decimals.
            let exact = i128::from(a) * 10_i128.pow(18 - p) + i128::from(b) * 10_i128.pow(18 - q);
            if let Some(sum) = sum {
                let scale = sum.decimal().scale();
                prop_assert_eq!(sum.decimal().mantissa() * 10_i128.pow(18 - scale), exact);
            } else {
                prop_assert!(exact.abs() > 10_i128.pow(28));
            }
        }

        #[test]
        fn reading_never_panics(text in "\\PC{0,40}", number in "-?[0-9]{1,40}(\\.[0-9]{1,40})?([eE][+-]?[0-9]{1,12})?") {
            let _ = decimal(&text);
            let _ = decimal(&number);
        }
    }
}
