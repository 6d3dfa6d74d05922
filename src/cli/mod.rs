//! The command line. One file per sub-command; exit codes: 0 done, 1 failed, 2 wrong usage or configuration.

mod account;
mod backup;
mod check;
mod completions;
mod demo;
mod export;
mod output;
mod progress;
mod rekey;
mod restore;
mod serve;
mod table;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::config::{self, Config, Problems};
use crate::store::{Store, StoreError};

/// Keeps Volcengine sub-accounts within their quota, from inside Feishu chat.
#[derive(Debug, Parser)]
#[command(
    name = "airgate",
    version,
    about,
    arg_required_else_help = true,
    after_help = "Examples:
  airgate demo                    try everything, with no accounts anywhere
  airgate check                   is the configuration right, do Feishu and Volcengine answer?
  airgate account add main        add a main account; asks for its access key
  airgate serve                   run the service

Exit codes: 0 done, 1 failed, 2 wrong usage or configuration. AIRGATE_LOG_FORMAT=json logs JSON, RUST_LOG chooses what."
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// The whole product on this machine, with no accounts anywhere: stand-ins, sample data, a chat page in the browser
    Demo(demo::Options),
    /// The service
    Serve(serve::Options),
    /// Checks configuration, store, Feishu and Volcengine, with the mend for each failure
    Check(check::Options),
    /// Main accounts, while the service is stopped
    #[command(subcommand)]
    Account(account::Command),
    /// Copies the store to a new file, while the service is stopped
    Backup(backup::Options),
    /// Puts a backup in the store's place, while the service is stopped
    Restore(restore::Options),
    /// Writes a table to standard output, while the service is stopped
    Export(export::Options),
    /// Seals all secrets under a new master key, while the service is stopped
    Rekey(rekey::Options),
    /// Prints the completions for a shell
    Completions(completions::Options),
}

/// Where the configuration is.
#[derive(Debug, clap::Args)]
struct ConfigFile {
    /// Configuration file
    #[arg(long, value_name = "FILE", env = "AIRGATE_CONFIG")]
    config: Option<PathBuf>,
}

impl ConfigFile {
    /// The named file; else `config.toml`, where there is one.
    fn path(&self) -> Option<&Path> {
        let default = Path::new("config.toml");
        match &self.config {
            Some(path) => Some(path),
            None => default.exists().then_some(default),
        }
    }

    /// Where the configuration comes from, in words.
    fn origin(&self) -> String {
        match self.path() {
            Some(path) => path.display().to_string(),
            None => "from the environment".to_owned(),
        }
    }

    /// What to do where there is no file.
    fn hint(&self) -> Option<&'static str> {
        let hint = "no config.toml here: copy config.example.toml, or name one with --config";
        self.path().is_none().then_some(hint)
    }

    /// The configuration of the file; where there is none, of the environment alone.
    fn try_load(&self) -> Result<Config, Problems> {
        Config::load(self.path(), config::environment())
    }

    fn load(&self) -> Result<Config, Failure> {
        self.try_load().map_err(|problems| {
            let text = format!("{problems}\n{}", self.hint().unwrap_or_default());
            Failure::Configuration(text.trim_end().to_owned())
        })
    }
}

/// Why a command failed, in the words that go to standard error.
#[derive(Debug, thiserror::Error)]
enum Failure {
    /// Exit code 2.
    #[error("{0}")]
    Configuration(String),
    /// Exit code 1.
    #[error("{0}")]
    Failed(String),
}

impl Failure {
    fn exit_code(&self) -> ExitCode {
        match self {
            Failure::Configuration(_) => ExitCode::from(2),
            Failure::Failed(_) => ExitCode::from(1),
        }
    }
}

/// Opens the store. `instead` names the chat command to use while the service runs.
fn open_store(config: &Config, instead: &str) -> Result<Store, Failure> {
    Store::open(&config.store.path, config.security.master_key.expose()).map_err(
        |error| match error {
            StoreError::InUse(path) => Failure::Failed(format!(
                "the store {} is in use by a running airgate: {instead}",
                path.display()
            )),
            error => Failure::Failed(error.to_string()),
        },
    )
}

/// The same where there has to be a store already: nothing is made.
fn open_existing_store(config: &Config, instead: &str) -> Result<Store, Failure> {
    let path = &config.store.path;
    if path.symlink_metadata().is_err() {
        return Err(Failure::Failed(format!(
            "there is no store at {}: check store.path, or start the service once",
            path.display()
        )));
    }
    open_store(config, instead)
}

/// Any error as the reason of a failure.
fn failed(error: impl std::fmt::Display) -> Failure {
    Failure::Failed(error.to_string())
}

/// Runs the command that the arguments name.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return misused(&error),
    };
    // An Err means that a provider is installed already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let done = match cli.command {
        Command::Demo(options) => demo::run(&options),
        Command::Serve(options) => serve::run(&options),
        Command::Check(options) => check::run(&options),
        Command::Account(command) => account::run(&command),
        Command::Backup(options) => backup::run(&options),
        Command::Restore(options) => restore::run(&options),
        Command::Export(options) => export::run(&options),
        Command::Rekey(options) => rekey::run(&options),
        Command::Completions(options) => completions::run(&options),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            output::error(&failure.to_string());
            failure.exit_code()
        }
    }
}

/// Help and version as they are; wrong usage in one line, exit code 2.
fn misused(error: &clap::Error) -> ExitCode {
    use clap::error::ErrorKind::{
        DisplayHelp, DisplayHelpOnMissingArgumentOrSubcommand, DisplayVersion,
    };
    if matches!(
        error.kind(),
        DisplayHelp | DisplayVersion | DisplayHelpOnMissingArgumentOrSubcommand
    ) {
        // An Err means a closed pipe.
        let _ = error.print();
    } else {
        output::error(&usage_error(&error.to_string()));
    }
    ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2))
}

/// What clap says in several lines, in one: what is wrong, its tips, how to use it.
fn usage_error(text: &str) -> String {
    let parts: Vec<String> = text
        .trim_start_matches("error: ")
        .split("\n\n")
        .map(|part| part.split_whitespace().collect::<Vec<_>>().join(" "))
        .filter(|part| !part.is_empty() && !part.starts_with("For more information"))
        .map(|part| part.replacen("Usage: ", "usage: ", 1).replacen("tip: ", "", 1))
        .collect();
    format!("{} (--help says more)", parts.join("; "))
}

/// A runtime for the commands that need one.
fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::Failed(format!("no runtime: {error}")))
}

/// Waits for Ctrl-C or SIGTERM.
async fn until_told_to_stop() {
    let interrupt = tokio::signal::ctrl_c();
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        match signal(SignalKind::terminate()) {
            Ok(mut terminate) => {
                tokio::select! {
                    _ = interrupt => {}
                    _ = terminate.recv() => {}
                }
            }
            Err(_) => {
                let _ = interrupt.await;
            }
        }
    }
    #[cfg(not(unix))]
    {
        let _ = interrupt.await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn wrong_usage_is_one_line() {
        for (arguments, said) in [
            (
                &["airgate", "serv"][..],
                "unrecognized subcommand 'serv'; a similar subcommand exists: 'serve'; usage: airgate <COMMAND> (--help says \
                 more)",
            ),
            (
                &["airgate", "serve", "x"],
                "unexpected argument 'x' found; usage: airgate serve [OPTIONS] (--help says more)",
            ),
            (
                &["airgate", "account", "rotate"],
                "the following required arguments were not provided: <ID>; usage: airgate account rotate <ID> (--help says \
                 more)",
            ),
            (
                &["airgate", "export", "bills"],
                "invalid value 'bills' for '<TABLE>' [possible values: users, spending, ledger, alerts] (--help says more)",
            ),
        ] {
            let error = Cli::try_parse_from(arguments).unwrap_err();
            assert_eq!(usage_error(&error.to_string()), said);
            assert_eq!(error.exit_code(), 2);
        }
    }
}
