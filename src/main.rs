//! The `airgate` command, which hands over to [`airgate::cli`].

use std::process::ExitCode;

fn main() -> ExitCode {
    airgate::cli::main()
}
