//! Messages that people type to the bot.
#![no_main]

use airgate::bot::commands::{Change, Command, parse};
use airgate::domain::Money;
use airgate::feishu::Piece;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let parse = |text: &str| parse(&[Piece::Words(text.to_owned())]);
    if let Ok(Command::Change(Change::Allocate { amount, .. })) = parse(text).command {
        assert_eq!(Money::parse_input(&amount.plain()), Ok(amount));
    }
    // Surrounding whitespace is ignored.
    assert_eq!(parse(text), parse(&format!(" {text}\n")));
});
