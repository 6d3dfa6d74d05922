//! The `airgate` command: parses the command line and hands over.

use std::process::ExitCode;

fn main() -> ExitCode {
    airgate::cli::main()
}
