//! `airgate account`: main accounts, while the service is stopped.

use std::io::{BufRead, IsTerminal};

use secrecy::{ExposeSecret, SecretString};

use super::{ConfigFile, Failure, open_store, output};
use crate::clock::Clock;
use crate::domain::AccountId;
use crate::store::{AccountSecrets, StoreError, View};

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Adds a main account; reads access key id and secret key as two lines from standard input
    Add(Add),
    /// Lists the main accounts
    List(List),
}

#[derive(Debug, clap::Args)]
pub(super) struct Add {
    /// A slug: lower-case letters, digits, `-` and `_`
    id: String,
    /// What people call it; the id where not given
    #[arg(long)]
    name: Option<String>,
    #[command(flatten)]
    config: ConfigFile,
}

#[derive(Debug, clap::Args)]
pub(super) struct List {
    #[command(flatten)]
    config: ConfigFile,
}

/// While the service runs, the store is its own.
const INSTEAD: &str = "stop it first, or manage accounts in chat with /accounts";
/// Longest name, in characters.
const MAX_NAME: usize = 200;

pub(super) fn run(command: &Command) -> Result<(), Failure> {
    match command {
        Command::Add(options) => add(options),
        Command::List(options) => list(options),
    }
}

fn add(options: &Add) -> Result<(), Failure> {
    let id = AccountId::new(options.id.as_str()).map_err(|error| {
        Failure::Configuration(format!(
            "`{}` cannot be an account id: {error}; use lower-case letters, digits, `-` and `_`",
            options.id
        ))
    })?;
    let name = options.name.clone().unwrap_or_else(|| id.to_string());
    if name.trim().is_empty() || name.chars().count() > MAX_NAME {
        return Err(Failure::Configuration(format!(
            "the name must have 1 to {MAX_NAME} characters"
        )));
    }
    let config = options.config.load()?;
    let store = open_store(&config, INSTEAD)?;
    let known = store.read(|tx| tx.account(&id)).map_err(failed)?;
    if known.is_some() {
        return Err(Failure::Failed(format!("account `{id}` is there already")));
    }
    let secrets = read_secrets()?;
    let account =
        store.save_account(&id, name.trim(), &secrets, Clock::system().now()).map_err(failed)?;
    output::line(&format!("account `{}` added, access key {}", account.id, account.hint));
    Ok(())
}

fn list(options: &List) -> Result<(), Failure> {
    let config = options.config.load()?;
    let store = open_store(&config, INSTEAD)?;
    let accounts = store.read(View::accounts).map_err(failed)?;
    if accounts.is_empty() {
        output::line("no accounts yet: add one with `airgate account add ID`");
    }
    for account in accounts {
        let state = if account.active.is_on() { "on" } else { "off" };
        output::line(&format!("{}\t{}\t{}\t{state}", account.id, account.name, account.hint));
    }
    Ok(())
}

/// Two lines from standard input; on a terminal asked for, without echo.
fn read_secrets() -> Result<AccountSecrets, Failure> {
    let unreadable =
        |error: std::io::Error| Failure::Failed(format!("cannot read the key pair: {error}"));
    let (access_key_id, secret_key): (SecretString, SecretString) =
        if std::io::stdin().is_terminal() {
            let ask = |prompt| rpassword::prompt_password(prompt).map(SecretString::from);
            (ask("access key id: ").map_err(unreadable)?, ask("secret key: ").map_err(unreadable)?)
        } else {
            let mut lines = std::io::stdin().lock().lines();
            let mut next = || -> Result<SecretString, Failure> {
                Ok(lines.next().transpose().map_err(unreadable)?.unwrap_or_default().into())
            };
            (next()?, next()?)
        };
    let usable = |secret: &SecretString| {
        let text = secret.expose_secret().trim();
        let plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic());
        plain.then(|| SecretString::from(text.to_owned()))
    };
    match (usable(&access_key_id), usable(&secret_key)) {
        (Some(access_key_id), Some(secret_key)) => Ok(AccountSecrets { access_key_id, secret_key }),
        _ => Err(Failure::Failed(
            "give the access key id and the secret key as two lines on standard input".to_owned(),
        )),
    }
}

fn failed(error: StoreError) -> Failure {
    Failure::Failed(error.to_string())
}
