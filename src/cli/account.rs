//! `airgate account`: main accounts, while the service is stopped.

use std::io::{BufRead, IsTerminal};

use secrecy::{ExposeSecret, SecretString};

use super::table::{Layout, table};
use super::words::t;
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
pub(super) struct List {
    #[command(flatten)]
    config: ConfigFile,
}

#[derive(Debug, clap::Args)]
pub(super) struct Named {
    /// Account ID
    id: String,
    #[command(flatten)]
    config: ConfigFile,
}

/// What to do while the service holds the store.
const INSTEAD: &str = "cli.account_instead";
/// Access key IDs of Volcengine have 47 characters, temporary ones more; those of the stand-in have 16.
const SHORTEST_ID: usize = 16;
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
        return Err(Failure::Configuration(t("cli.account_name", &[("limit", &MAX_NAME)])));
    }
    let config = options.config.load()?;
    let store = open_store(&config, INSTEAD)?;
    if store.read(|tx| tx.account(&id)).map_err(store_failed)?.is_some() {
        return Err(Failure::Failed(t("cli.account_exists", &[("id", &id)])));
    }
    let secrets = read_secrets()?;
    refuse_used(&store, &secrets, &id)?;
    let account =
        store.save_account(&id, name, &secrets, Clock::system().now()).map_err(store_failed)?;
    output::line(&t("cli.account_added", &[("id", &account.id), ("hint", &account.hint)]));
    Ok(())
}

fn rotate(options: &Named) -> Result<(), Failure> {
    let (store, known) = named(options)?;
    let secrets = read_secrets()?;
    refuse_used(&store, &secrets, &known.id)?;
    let account = store
        .save_account(&known.id, &known.name, &secrets, Clock::system().now())
        .map_err(store_failed)?;
    output::line(&t(
        "cli.account_rotated",
        &[("id", &account.id), ("hint", &account.hint), ("was", &known.hint)],
    ));
    Ok(())
}

fn switch(options: &Named, active: Switch) -> Result<(), Failure> {
    let (store, known) = named(options)?;
    store
        .write(|tx| tx.set_account_active(&known.id, active, Clock::system().now()))
        .map_err(store_failed)?;
    output::line(&t("cli.account_state", &[("id", &known.id), ("state", &word(active))]));
    Ok(())
}

fn list(options: &List) -> Result<(), Failure> {
    let config = options.config.load()?;
    let store = open_store(&config, INSTEAD)?;
    let accounts = store.read(View::accounts).map_err(store_failed)?;
    if accounts.is_empty() {
        output::line(&t("cli.no_accounts", &[]));
        return Ok(());
    }
    let rows: Vec<[String; 5]> = accounts
        .into_iter()
        .map(|account| {
            let updated = account.updated.to_zoned(beijing()).strftime("%Y-%m-%d %H:%M");
            let updated = updated.to_string();
            let state = word(account.active);
            [account.id.to_string(), account.name, account.hint, state, updated]
        })
        .collect();
    let header = [
        t("cli.head_id", &[]),
        t("cli.head_name", &[]),
        t("cli.head_key", &[]),
        t("cli.head_state", &[]),
        t("cli.head_updated", &[]),
    ];
    output::line(&table(header.each_ref().map(String::as_str), &rows, Layout::Lines));
    Ok(())
}

/// Opens the store and finds the account that the options name.
fn named(options: &Named) -> Result<(Store, Account), Failure> {
    let id = account_id(&options.id)?;
    let config = options.config.load()?;
    let store = open_existing_store(&config, INSTEAD)?;
    match store.read(|tx| tx.account(&id)).map_err(store_failed)? {
        Some(account) => Ok((store, account)),
        None => Err(Failure::Failed(t("cli.no_such_account", &[("id", &id)]))),
    }
}

fn account_id(text: &str) -> Result<AccountId, Failure> {
    AccountId::new(text).map_err(|error| {
        let id = text.escape_debug();
        Failure::Configuration(t("cli.bad_account_id", &[("id", &id), ("error", &error)]))
    })
}

fn word(active: Switch) -> String {
    if active.is_on() { t("cli.account_on", &[]) } else { t("cli.account_off", &[]) }
}

/// The same main account must not be added twice: its users would count double.
fn refuse_used(store: &Store, secrets: &AccountSecrets, id: &AccountId) -> Result<(), Failure> {
    let key = secrets.access_key_id.expose_secret();
    match store.account_with_key(key, id).map_err(store_failed)? {
        None => Ok(()),
        Some(other) => Err(Failure::Failed(t("cli.account_twice", &[("other", &other)]))),
    }
}

/// Reads two lines from standard input; prompts without echo on a terminal.
fn read_secrets() -> Result<AccountSecrets, Failure> {
    let unreadable =
        |error: std::io::Error| Failure::Failed(t("cli.pair_unreadable", &[("error", &error)]));
    let (access_key_id, secret_key): (SecretString, SecretString) = if std::io::stdin()
        .is_terminal()
    {
        let ask = |prompt: &str| {
            rpassword::prompt_password(t(prompt, &[])).map(SecretString::from).map_err(unreadable)
        };
        (ask("cli.ask_id")?, ask("cli.ask_secret")?)
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
        (Some(access_key_id), Some(secret_key)) => {
            warn_if_odd(access_key_id.expose_secret());
            Ok(AccountSecrets { access_key_id, secret_key })
        }
        _ => Err(Failure::Failed(t("cli.pair_missing", &[]))),
    }
}

/// Says so if a text does not look like an access key ID: perhaps the lines were swapped, or something else was pasted.
fn warn_if_odd(id: &str) {
    if !id.starts_with("AK") || id.len() < SHORTEST_ID {
        let hint: String = id.chars().take(4).collect();
        output::error(&t("cli.pair_odd", &[("hint", &format!("{hint}…"))]));
    }
}

fn store_failed(error: StoreError) -> Failure {
    failed(error)
}
