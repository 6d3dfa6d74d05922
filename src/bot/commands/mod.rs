//! Chat commands: one table makes the parser, the help card and the README's list.

mod answer;
mod command;
mod help;
mod parse;
mod queries;
mod table;

pub use command::{Arguments, Change, Command, ParseError, Query, Spec};
pub use parse::{Parsed, parse};
pub use table::COMMANDS;
