//! Amounts that people type.
#![no_main]

use airgate::domain::Money;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    // The format of platforms must not panic either.
    let _ = text.parse::<Money>();
    let Ok(amount) = Money::parse_input(text) else { return };
    assert!(!amount.is_zero());
    assert!(amount.decimal().abs() <= Money::MAX_SINGLE.decimal());
    assert_eq!(amount, amount.rounded(), "at most 2 decimals");
    // The shown text and the form text parse to the same amount.
    assert_eq!(Money::parse_input(&amount.to_string()), Ok(amount));
    assert_eq!(Money::parse_input(&amount.plain()), Ok(amount));
});
