//! The command line. One file per sub-command; exit codes: 0 done, 1 failed, 2 wrong usage or configuration.

mod account;
mod demo;
mod output;
mod serve;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::config::{self, Config};
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
    /// The whole product on this machine, with no accounts anywhere: stand-ins, sample data, a chat page in the browser
    Demo(demo::Options),
    /// The service
    Serve(serve::Options),
    /// Main accounts, while the service is stopped
    #[command(subcommand)]
    Account(account::Command),
}

/// Where the configuration is.
#[derive(Debug, clap::Args)]
struct ConfigFile {
    /// Configuration file
    #[arg(long, value_name = "FILE", env = "AIRGATE_CONFIG")]
    config: Option<PathBuf>,
}

impl ConfigFile {
    /// The configuration of the named file; else of `config.toml`, where there is one; else of the environment alone.
    fn load(&self) -> Result<Config, Failure> {
        let default = Path::new("config.toml");
        let path = match &self.config {
            Some(path) => Some(path.as_path()),
            None => default.exists().then_some(default),
        };
        Config::load(path, config::environment()).map_err(|problems| {
            let mut text = problems.to_string();
            if path.is_none() {
                text.push_str(
                    "\nno config.toml here: copy config.example.toml, or name one with --config",
                );
            }
            Failure::Configuration(text)
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

/// Runs the command that the arguments name.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    // An Err means that a provider is installed already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let done = match cli.command {
        Command::Demo(options) => demo::run(&options),
        Command::Serve(options) => serve::run(&options),
        Command::Account(command) => account::run(&command),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            output::error(&failure.to_string());
            failure.exit_code()
        }
    }
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
}
