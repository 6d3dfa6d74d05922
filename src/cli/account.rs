//! `airgate account`: main accounts, while the service is stopped.

use std::io::{BufRead, IsTerminal};

use secrecy::{ExposeSecret, SecretString};

use super::table::{Layout, table};
use super::{ConfigFile, Failure, failed, open_existing_store, open_store, output};
use crate::clock::Clock;
use crate::config::unmarked;
use crate::domain::period::beijing;
use crate::domain::{Account, AccountId, Switch};
use crate::store::{AccountSecrets, Store, StoreError, View};

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Add a main account; reads access key ID and secret key as two lines from standard input
    Add(Add),
    /// List the main accounts
    List(List),
    /// Replace an account's access key pair, read as two lines from standard input
    Rotate(Named),
    /// Enable an account
    Enable(Named),
    /// Disable an account: its users are kept but no longer read
    Disable(Named),
}

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  airgate account add main --name 云上主体
  printf '%s\\n%s\\n' \"$ACCESS_KEY_ID\" \"$SECRET_KEY\" | airgate account add labs

Run `airgate check` to see whether Volcengine accepts the key pair.")]
pub(super) struct Add {
    /// Account ID: lower-case letters, digits, `-` and `_`
    id: String,
    /// Display name [default: the account ID]
    #[arg(long)]
    name: Option<String>,
    #[command(flatten)]
    config: ConfigFile,
}

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  airgate account list")]
pub(super) struct List {
    #[command(flatten)]
    config: ConfigFile,
}

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  airgate account rotate main
  airgate account disable labs
  airgate account enable labs")]
pub(super) struct Named {
    /// Account ID
    id: String,
    #[command(flatten)]
    config: ConfigFile,
}

/// What to do while the service holds the store.
const INSTEAD: &str = "stop it first, or manage accounts in chat with /accounts";
/// Maximum length of a display name, in characters.
const MAX_NAME: usize = 200;

pub(super) fn run(command: &Command) -> Result<(), Failure> {
    match command {
        Command::Add(options) => add(options),
        Command::List(options) => list(options),
        Command::Rotate(options) => rotate(options),
        Command::Enable(options) => switch(options, Switch::On),
        Command::Disable(options) => switch(options, Switch::Off),
    }
}

fn add(options: &Add) -> Result<(), Failure> {
    let id = account_id(&options.id)?;
    let name = options.name.clone().unwrap_or_else(|| id.to_string());
    let name = name.trim();
    if name.is_empty() || name.chars().count() > MAX_NAME || name.chars().any(char::is_control) {
        return Err(Failure::Configuration(format!(
            "the name must be 1 to {MAX_NAME} characters on one line"
        )));
    }
    let config = options.config.load()?;
    let store = open_store(&config, INSTEAD)?;
    if store.read(|tx| tx.account(&id)).map_err(store_failed)?.is_some() {
        return Err(Failure::Failed(format!(
            "account `{id}` already exists: replace its key pair with `airgate account rotate {id}`"
        )));
    }
    let secrets = read_secrets()?;
    refuse_used(&store, &secrets, &id)?;
    let account =
        store.save_account(&id, name, &secrets, Clock::system().now()).map_err(store_failed)?;
    output::line(&format!("account `{}` added, access key {}", account.id, account.hint));
    Ok(())
}

fn rotate(options: &Named) -> Result<(), Failure> {
    let (store, known) = named(options)?;
    let secrets = read_secrets()?;
    refuse_used(&store, &secrets, &known.id)?;
    let account = store
        .save_account(&known.id, &known.name, &secrets, Clock::system().now())
        .map_err(store_failed)?;
    output::line(&format!(
        "account `{}` has a new key pair, access key {} (was {})",
        account.id, account.hint, known.hint
    ));
    Ok(())
}

fn switch(options: &Named, active: Switch) -> Result<(), Failure> {
    let (store, known) = named(options)?;
    store
        .write(|tx| tx.set_account_active(&known.id, active, Clock::system().now()))
        .map_err(store_failed)?;
    output::line(&format!("account `{}` is {}", known.id, word(active)));
    Ok(())
}

fn list(options: &List) -> Result<(), Failure> {
    let config = options.config.load()?;
    let store = open_store(&config, INSTEAD)?;
    let accounts = store.read(View::accounts).map_err(store_failed)?;
    if accounts.is_empty() {
        output::line("there are no accounts yet: add one with `airgate account add ID`");
        return Ok(());
    }
    let rows: Vec<[String; 5]> = accounts
        .into_iter()
        .map(|account| {
            let updated = account.updated.to_zoned(beijing()).strftime("%Y-%m-%d %H:%M");
            let updated = updated.to_string();
            let state = word(account.active).to_owned();
            [account.id.to_string(), account.name, account.hint, state, updated]
        })
        .collect();
    output::line(&table(
        ["id", "name", "access key", "state", "updated (Beijing)"],
        &rows,
        Layout::Lines,
    ));
    Ok(())
}

/// Opens the store and finds the account that the options name.
fn named(options: &Named) -> Result<(Store, Account), Failure> {
    let id = account_id(&options.id)?;
    let config = options.config.load()?;
    let store = open_existing_store(&config, INSTEAD)?;
    match store.read(|tx| tx.account(&id)).map_err(store_failed)? {
        Some(account) => Ok((store, account)),
        None => Err(Failure::Failed(format!(
            "there is no account `{id}`: `airgate account list` lists all accounts"
        ))),
    }
}

fn account_id(text: &str) -> Result<AccountId, Failure> {
    AccountId::new(text).map_err(|error| {
        Failure::Configuration(format!(
            "`{}` is not a valid account ID: {error}; use lower-case letters, digits, `-` and `_`",
            text.escape_debug()
        ))
    })
}

fn word(active: Switch) -> &'static str {
    if active.is_on() { "on" } else { "off" }
}

/// The same main account must not be added twice: its users would count double.
fn refuse_used(store: &Store, secrets: &AccountSecrets, id: &AccountId) -> Result<(), Failure> {
    let key = secrets.access_key_id.expose_secret();
    match store.account_with_key(key, id).map_err(store_failed)? {
        None => Ok(()),
        Some(other) => Err(Failure::Failed(format!(
            "this access key belongs to account `{other}`: a main account cannot be added twice"
        ))),
    }
}

/// Reads two lines from standard input; prompts without echo on a terminal.
fn read_secrets() -> Result<AccountSecrets, Failure> {
    let unreadable =
        |error: std::io::Error| Failure::Failed(format!("cannot read the key pair: {error}"));
    let (access_key_id, secret_key): (SecretString, SecretString) =
        if std::io::stdin().is_terminal() {
            let ask = |prompt| rpassword::prompt_password(prompt).map(SecretString::from);
            (ask("access key ID: ").map_err(unreadable)?, ask("secret key: ").map_err(unreadable)?)
        } else {
            let mut lines = std::io::stdin().lock().lines();
            let mut next = || -> Result<SecretString, Failure> {
                let line = lines.next().transpose().map_err(unreadable)?.unwrap_or_default();
                Ok(unmarked(&line).into())
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
            "pass the access key ID and the secret key as two lines on standard input".to_owned(),
        )),
    }
}

fn store_failed(error: StoreError) -> Failure {
    failed(error)
}
