//! Chat commands: one table makes the parser, the help card and the README's list.

mod answer;
mod command;
mod help;
mod month;
mod parse;
mod queries;
mod table;

#[cfg(test)]
mod tests;

pub use command::{Arguments, Change, Command, ParseError, Query, Spec, Whom};
pub use month::Month;
pub use parse::{Parsed, parse};
pub use table::COMMANDS;
