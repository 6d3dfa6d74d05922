//! What a person types as an amount.
#![no_main]

use airgate::domain::Money;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    // As platforms write it, too: no panic.
    let _ = text.parse::<Money>();
    let Ok(amount) = Money::parse_input(text) else { return };
    assert!(!amount.is_zero());
    assert!(amount.decimal().abs() <= Money::MAX_SINGLE.decimal());
    assert_eq!(amount, amount.rounded(), "at most 2 decimals");
    // What is shown and what a form holds is read as the same amount.
    assert_eq!(Money::parse_input(&amount.to_string()), Ok(amount));
    assert_eq!(Money::parse_input(&amount.plain()), Ok(amount));
});
