//! The first main account: its key pair is asked for, tried, and pinned to the account's number.

use secrecy::ExposeSecret;

use super::super::words::t;
use super::super::{Failure, check, desk, output};
use super::said;
use crate::app::cloud::Cloud;
use crate::clock::Clock;
use crate::config::Config;
use crate::domain::{Account, AccountId, check_number};
use crate::server::{Timeouts, cloud_client};
use crate::store::{AccountSecrets, Store, View};

/// Its id, which commands use.
const ID: &str = "main";
/// How often a pair that is refused may be typed again.
const TRIES: u32 = 5;

/// Asks for a key pair, unless the store has an account. An empty answer leaves it for later.
pub(super) async fn add(
    config: &Config,
    store: &Store,
    left: &mut Vec<String>,
) -> Result<(), Failure> {
    if store.read(View::accounts).map_err(said)?.is_empty() {
        let client = cloud_client(config, &Timeouts::default(), Clock::system()).map_err(said)?;
        let cloud = Cloud::new(store.clone(), client);
        output::line(&t("setup.account", &[]));
        if !ask(&cloud, store).await? {
            left.push(t("setup.todo_account", &[]));
            return Ok(());
        }
    }
    left.extend(check::account_problems(config, store).await.map_err(said)?);
    Ok(())
}

/// Returns whether an account was added.
async fn ask(cloud: &Cloud, store: &Store) -> Result<bool, Failure> {
    for _ in 0..TRIES {
        let Some(access_key_id) = desk::secret(&t("cli.ask_id", &[])).await.map_err(said)? else {
            return Ok(false);
        };
        let Some(secret_key) = desk::secret(&t("cli.ask_secret", &[])).await.map_err(said)? else {
            return Ok(false);
        };
        match add_pair(cloud, store, AccountSecrets { access_key_id, secret_key }).await {
            Ok(account) => {
                let number =
                    account.number.map(|number| number.get().to_string()).unwrap_or_default();
                output::line(&t(
                    "setup.account_added",
                    &[("id", &account.id), ("number", &number), ("hint", &account.hint)],
                ));
                return Ok(true);
            }
            Err(error) => output::error(&t("setup.account_refused", &[("error", &error)])),
        }
    }
    Ok(false)
}

async fn add_pair(
    cloud: &Cloud,
    store: &Store,
    secrets: AccountSecrets,
) -> Result<Account, String> {
    let text = |error: &dyn std::fmt::Display| error.to_string();
    let plain = |secret: &secrecy::SecretString| {
        secret.expose_secret().bytes().all(|byte| byte.is_ascii_graphic())
    };
    if !plain(&secrets.access_key_id) || !plain(&secrets.secret_key) {
        return Err(t("cli.pair_missing", &[]));
    }
    let number = cloud.with(&secrets).check().await.map_err(|error| check::in_words(&error))?;
    let id = AccountId::new(ID).map_err(|error| text(&error))?;
    let accounts = store.read(View::accounts).map_err(|error| text(&error))?;
    if let Some(number) = number {
        check_number(&accounts, &id, number).map_err(|error| text(&error))?;
    }
    let name = t("setup.account_name", &[]);
    let saved =
        store.save_account_and(&id, &name, &secrets, Clock::system().now(), |tx, account| {
            match number {
                Some(number) => {
                    tx.put_account_number(&id, number)?;
                    Ok(Account { number: Some(number), pair_checked: true, ..account })
                }
                None => Ok(account),
            }
        });
    saved.map_err(|error| text(&error))
}
