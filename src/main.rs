//! The `airgate` command.

fn main() {}
