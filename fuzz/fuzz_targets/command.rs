//! Messages that people type to the bot.
#![no_main]

use airgate::bot::command::{Command, parse};
use airgate::domain::Money;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    match parse(text) {
        Ok(command) => {
            let _ = command.needs();
            if let Command::Allocate { amount, .. } = command {
                assert_eq!(Money::parse_input(&amount.plain()), Ok(amount));
            }
        }
        Err(error) => {
            let _ = error.needs();
        }
    }
    // Surrounding whitespace is ignored.
    assert_eq!(parse(text), parse(&format!(" {text}\n")));
});
