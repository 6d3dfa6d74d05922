//! `airgate rekey`: changes the master key.

use std::io::{BufRead, IsTerminal};

use secrecy::{ExposeSecret, SecretString};

use super::progress::Progress;
use super::{ConfigFile, Failure, failed, open_existing_store, output};
use crate::config::{MasterKey, unmarked};

/// The variable that may hold the new key.
const VARIABLE: &str = "AIRGATE_NEW_MASTER_KEY";

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  openssl rand -base64 32 > new.key && airgate rekey < new.key
  AIRGATE_NEW_MASTER_KEY=$(cat new.key) airgate rekey

Keep the current key in the configuration until the command is done, then set the new one. All secrets are re-encrypted in
one transaction, so either all of them change or none. Earlier backups still need the old key.")]
pub(super) struct Options {
    #[command(flatten)]
    config: ConfigFile,
}

/// What to do while the service holds the store.
const INSTEAD: &str = "stop it first (there is no chat command that changes the master key)";

pub(super) fn run(options: &Options) -> Result<(), Failure> {
    let config = options.config.load()?;
    let store = open_existing_store(&config, INSTEAD)?;
    let text = new_key()?;
    let key: MasterKey = text.expose_secret().trim().parse().map_err(|error| {
        Failure::Configuration(format!(
            "the new master key {error}: pass 32 bytes, generated with `openssl rand -base64 32`, in {VARIABLE} or as one \
             line on standard input"
        ))
    })?;
    if key.expose() == config.security.master_key.expose() {
        return Err(Failure::Failed(
            "the new master key is already in use: nothing to do".to_owned(),
        ));
    }
    let _progress = Progress::start("re-encrypting the secrets");
    let pairs = store.rekey(key.expose()).map_err(failed)?;
    output::line(&format!(
        "{pairs} key {} re-encrypted; now set security.master_key to the new key",
        if pairs == 1 { "pair" } else { "pairs" }
    ));
    Ok(())
}

/// Reads the key from the environment, otherwise one line from standard input; prompts without echo on a terminal.
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
    Ok(unmarked(&line.unwrap_or_default()).into())
}
