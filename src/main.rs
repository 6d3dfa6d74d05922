//! The `airgate` command; all it does is call [`airgate::cli`].

use std::process::ExitCode;

fn main() -> ExitCode {
    airgate::cli::main()
}
