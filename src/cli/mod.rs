//! The command line: one file per sub-command. Exit codes: 0 success, 1 failure, 2 wrong usage or configuration.

mod account;
mod app;
mod backup;
mod check;
mod completions;
mod demo;
mod desk;
mod export;
mod log;
mod operator;
mod output;
mod private_file;
mod probe;
mod progress;
mod rekey;
mod restore;
mod serve;
mod setup;
mod table;
mod words;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

use self::words::t;

use crate::config::{self, Config, ConfigError};
use crate::store::opening::Opening;
use crate::store::{Store, StoreError};

/// Keeps Volcengine sub-accounts within their quota, from inside Feishu chat.
#[derive(Debug, Parser)]
#[command(name = "airgate", version, about, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the whole product on this machine, without any accounts: stand-ins, sample data and a chat page in the browser
    Demo(demo::Options),
    /// Make the Feishu app by QR code, write the configuration, and send the first card
    Setup(setup::Options),
    /// Run the service
    Serve(serve::Options),
    /// Check configuration, store, Feishu and Volcengine, and say how to fix what fails
    Check(check::Options),
    /// Find out on a real account what no document says, with a throw-away user and project; undoes everything
    Probe(probe::Options),
    /// Manage main accounts, while the service is stopped
    #[command(subcommand)]
    Account(account::Command),
    /// Copy the store to a new file, while the service is stopped
    Backup(backup::Options),
    /// Restore the store from a backup, while the service is stopped
    Restore(restore::Options),
    /// Write a table to standard output, while the service is stopped
    Export(export::Options),
    /// Re-encrypt all secrets with a new master key, while the service is stopped
    Rekey(rekey::Options),
    /// Print the completions for a shell
    Completions(completions::Options),
}

/// The option that names the configuration file.
#[derive(Debug, clap::Args)]
struct ConfigFile {
    /// Configuration file [default: config.toml, if there is one]
    #[arg(long, value_name = "FILE", env = "AIRGATE_CONFIG")]
    config: Option<PathBuf>,
}

impl ConfigFile {
    /// Returns the named file, otherwise `config.toml` if there is one.
    fn path(&self) -> Option<&Path> {
        let default = Path::new("config.toml");
        match &self.config {
            Some(path) => Some(path),
            None => default.exists().then_some(default),
        }
    }

    /// Says where the configuration comes from, for people.
    fn origin(&self) -> String {
        match self.path() {
            Some(path) => path.display().to_string(),
            None => t("cli.environment", &[]),
        }
    }

    /// Says what to do if there is no file.
    fn hint(&self) -> Option<String> {
        self.path().is_none().then(|| t("cli.no_file", &[]))
    }

    /// Loads the configuration from the file and the environment; without a file, from the environment alone.
    fn try_load(&self) -> Result<Config, ConfigError> {
        Config::load(self.path(), config::environment())
    }

    fn load(&self) -> Result<Config, Failure> {
        self.try_load().map_err(|problems| {
            let lines = problems.problems().iter().map(|problem| {
                let fault = operator::said(&problem.fault, words::spoken());
                format!("{} {fault}\n", problem.subject)
            });
            let text = format!("{}{}", lines.collect::<String>(), self.hint().unwrap_or_default());
            Failure::Configuration(text.trim_end().to_owned())
        })
    }
}

/// Why a command failed, as printed to standard error.
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

/// Opens the store. `instead` is the key of the text that says what to do if the service is running.
fn open_store(config: &Config, instead: &str) -> Result<Store, Failure> {
    open_store_followed(config, instead, &Opening::default())
}

/// Like [`open_store`]; `opening` says how far it has come.
fn open_store_followed(
    config: &Config,
    instead: &str,
    opening: &Opening,
) -> Result<Store, Failure> {
    let key = config.security.master_key.expose();
    Store::open_followed(&config.store.path, key, opening).map_err(|error| {
        Failure::Failed(match error {
            StoreError::InUse(path) => {
                t("cli.in_use", &[("path", &path.display()), ("instead", &t(instead, &[]))])
            }
            StoreError::WrongKey => t("cli.wrong_key", &[]),
            error => operator::said(&error.to_string(), words::spoken()),
        })
    })
}

/// Opens a store that must already exist.
fn open_existing_store(config: &Config, instead: &str) -> Result<Store, Failure> {
    let path = &config.store.path;
    if path.symlink_metadata().is_err() {
        return Err(Failure::Failed(t("cli.no_store", &[("path", &path.display())])));
    }
    let _progress = progress::Progress::start(&t("cli.opening", &[]));
    open_store(config, instead)
}

/// Wraps any error as a failure.
fn failed(error: impl std::fmt::Display) -> Failure {
    Failure::Failed(operator::said(&error.to_string(), words::spoken()))
}

/// Parses the arguments and runs the command.
pub fn main() -> ExitCode {
    words::choose();
    let cli = match parsed() {
        Ok(cli) => cli,
        Err(error) => return misused(&error),
    };
    // An Err means that a provider is already installed.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let done = match cli.command {
        Command::Demo(options) => demo::run(&options),
        Command::Setup(options) => setup::run(&options),
        Command::Serve(options) => serve::run(&options),
        Command::Check(options) => check::run(&options),
        Command::Probe(options) => probe::run(&options),
        Command::Account(command) => account::run(&command),
        Command::Backup(options) => backup::run(&options),
        Command::Restore(options) => restore::run(&options),
        Command::Export(options) => export::run(&options),
        Command::Rekey(options) => rekey::run(&options),
        Command::Completions(options) => completions::run(&options),
    };
    let code = match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            output::error(&failure.to_string());
            failure.exit_code()
        }
    };
    output::end_log();
    code
}

/// Parses the arguments, with help in the language that was chosen.
fn parsed() -> Result<Cli, clap::Error> {
    let matches = words::localized(Cli::command(), words::spoken()).try_get_matches()?;
    Cli::from_arg_matches(&matches)
}

/// Prints help and version as they are, and a usage error on one line, with exit code 2.
fn misused(error: &clap::Error) -> ExitCode {
    use clap::error::ErrorKind::{
        DisplayHelp, DisplayHelpOnMissingArgumentOrSubcommand, DisplayVersion,
    };
    if matches!(
        error.kind(),
        DisplayHelp | DisplayVersion | DisplayHelpOnMissingArgumentOrSubcommand
    ) {
        // An Err means that the pipe is closed.
        let _ = error.print();
    } else {
        output::error(&words::misuse(error));
    }
    ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2))
}

/// Creates a runtime for the commands that need one.
fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::Failed(t("cli.no_runtime", &[("error", &error)])))
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

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn wrong_usage_is_one_line() {
        for (arguments, said) in [
            (
                &["airgate", "serv"][..],
                "unrecognized subcommand 'serv'; a similar subcommand exists: 'serve'; usage: airgate <COMMAND> (see \
                 --help)",
            ),
            (
                &["airgate", "serve", "x"],
                "unexpected argument 'x' found; usage: airgate serve [OPTIONS] (see --help)",
            ),
            (
                &["airgate", "account", "rotate"],
                "the following required arguments were not provided: <ID>; usage: airgate account rotate <ID> (see \
                 --help)",
            ),
            (
                &["airgate", "export", "bills"],
                "invalid value 'bills' for '<TABLE>' [possible values: users, spending, days, ledger, alerts, links, owners, limits] (see --help)",
            ),
        ] {
            let error = Cli::try_parse_from(arguments).unwrap_err();
            assert_eq!(words::joined(&error.to_string()), said);
            assert_eq!(error.exit_code(), 2);
        }
    }
}
