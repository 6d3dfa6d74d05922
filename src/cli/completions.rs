//! `airgate completions`: prints a shell's completion script.

use clap::CommandFactory;
use clap_complete::Shell;

use super::{Cli, Failure, output};

#[derive(Debug, clap::Args)]
pub(super) struct Options {
    /// Shell to print completions for
    #[arg(value_enum, value_name = "SHELL")]
    shell: Shell,
}

pub(super) fn run(options: &Options) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(options.shell, &mut Cli::command(), "airgate", &mut script);
    output::line(String::from_utf8_lossy(&script).trim_end());
    Ok(())
}
