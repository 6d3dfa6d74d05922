//! `airgate rekey`: another master key.

use std::io::{BufRead, IsTerminal};

use secrecy::{ExposeSecret, SecretString};

use super::progress::Progress;
use super::{ConfigFile, Failure, failed, open_existing_store, output};
use crate::config::MasterKey;

/// Where the new key may be.
const VARIABLE: &str = "AIRGATE_NEW_MASTER_KEY";

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  openssl rand -base64 32 > new.key && airgate rekey < new.key
  AIRGATE_NEW_MASTER_KEY=$(cat new.key) airgate rekey

The configuration holds the present key until this is done, and the new one from then on. Everything is sealed anew in
one transaction: it is done whole or not at all. Backups made before need the old key.")]
pub(super) struct Options {
    #[command(flatten)]
    config: ConfigFile,
}

/// While the service runs, the store is its own.
const INSTEAD: &str = "stop it first (no chat command changes the master key)";

pub(super) fn run(options: &Options) -> Result<(), Failure> {
    let config = options.config.load()?;
    let store = open_existing_store(&config, INSTEAD)?;
    let text = new_key()?;
    let key: MasterKey = text.expose_secret().trim().parse().map_err(|error| {
        Failure::Configuration(format!(
            "the new master key {error}: give 32 bytes, made with `openssl rand -base64 32`, in {VARIABLE} or as one \
             line of standard input"
        ))
    })?;
    if key.expose() == config.security.master_key.expose() {
        return Err(Failure::Failed(
            "the new master key is the one in use: nothing to do".to_owned(),
        ));
    }
    let _progress = Progress::start("sealing the secrets anew");
    let pairs = store.rekey(key.expose()).map_err(failed)?;
    output::line(&format!(
        "{pairs} key {} sealed anew; now set security.master_key to the new key",
        if pairs == 1 { "pair" } else { "pairs" }
    ));
    Ok(())
}

/// From the environment; else one line of standard input, asked for without echo on a terminal.
fn new_key() -> Result<SecretString, Failure> {
    if let Ok(text) = std::env::var(VARIABLE) {
        return Ok(text.into());
    }
    let unreadable =
        |error: std::io::Error| Failure::Failed(format!("cannot read the new master key: {error}"));
    if std::io::stdin().is_terminal() {
        return Ok(rpassword::prompt_password("new master key: ").map_err(unreadable)?.into());
    }
    let line = std::io::stdin().lock().lines().next().transpose().map_err(unreadable)?;
    Ok(line.unwrap_or_default().into())
}
