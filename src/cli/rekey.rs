//! `airgate rekey`: changes the master key.

use std::io::{BufRead, IsTerminal};

use secrecy::{ExposeSecret, SecretString};

use super::progress::Progress;
use super::words::t;
use super::{ConfigFile, Failure, failed, open_existing_store, output};
use crate::config::{MasterKey, unmarked};

/// The variable that may hold the new key.
const VARIABLE: &str = "AIRGATE_NEW_MASTER_KEY";

#[derive(Debug, clap::Args)]
pub(super) struct Options {
    #[command(flatten)]
    config: ConfigFile,
}

/// What to do while the service holds the store.
const INSTEAD: &str = "cli.rekey_instead";

pub(super) fn run(options: &Options) -> Result<(), Failure> {
    let config = options.config.load()?;
    let store = open_existing_store(&config, INSTEAD)?;
    let text = new_key()?;
    let key: MasterKey = text.expose_secret().trim().parse().map_err(|error| {
        Failure::Configuration(t("cli.bad_new_key", &[("error", &error), ("variable", &VARIABLE)]))
    })?;
    if key.expose() == config.security.master_key.expose() {
        return Err(Failure::Failed(t("cli.same_key", &[])));
    }
    let _progress = Progress::start(&t("cli.reencrypting", &[]));
    let pairs = store.rekey(key.expose()).map_err(failed)?;
    output::line(&t("cli.rekeyed", &[("count", &pairs)]));
    Ok(())
}

/// Reads the key from the environment, otherwise one line from standard input; prompts without echo on a terminal.
fn new_key() -> Result<SecretString, Failure> {
    if let Ok(text) = std::env::var(VARIABLE) {
        return Ok(text.into());
    }
    let unreadable =
        |error: std::io::Error| Failure::Failed(t("cli.new_key_unreadable", &[("error", &error)]));
    if std::io::stdin().is_terminal() {
        return Ok(rpassword::prompt_password(t("cli.ask_new_key", &[]))
            .map_err(unreadable)?
            .into());
    }
    let line = std::io::stdin().lock().lines().next().transpose().map_err(unreadable)?;
    Ok(unmarked(&line.unwrap_or_default()).into())
}
