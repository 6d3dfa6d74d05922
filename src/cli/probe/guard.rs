//! What a probe must not touch: users and projects that airgate knows, and airgate's own user.

use secrecy::ExposeSecret;

use super::super::{Failure, failed, open_existing_store};
use crate::config::Config;
use crate::domain::{AccountId, AccountNumber, ProjectName, UserKey, Username};
use crate::store::{AccountSecrets, StoreError};
use crate::volcengine::AccountClient;

/// What to do while the service holds the store.
const INSTEAD: &str = "cli.probe_instead";

/// A main account, as the store has it.
pub(super) struct Chosen {
    pub(super) id: AccountId,
    pub(super) number: Option<AccountNumber>,
    pub(super) secrets: AccountSecrets,
    /// The access keys that airgate works with, of every account.
    own_keys: Vec<String>,
    /// Why the user and the project cannot be used, if airgate knows them.
    known: Option<String>,
}

/// Reads the account, and what airgate knows about the user and the project. The store is closed afterwards.
pub(super) fn read(
    config: &Config,
    account: Option<&str>,
    throw_away: Option<(&str, &ProjectName)>,
) -> Result<Chosen, Failure> {
    let store = open_existing_store(config, INSTEAD)?;
    let accounts = store.read(|tx| tx.accounts()).map_err(failed)?;
    let found = match (account, accounts.as_slice()) {
        (Some(id), all) => all.iter().find(|known| known.id.as_str() == id).ok_or_else(|| {
            format!("there is no account `{}`: `airgate account list` lists all", id.escape_debug())
        }),
        (None, [one]) => Ok(one),
        (None, []) => Err("there is no account: add one with `airgate account add ID`".to_owned()),
        (None, _) => Err("there are several accounts: name one with --account ID".to_owned()),
    };
    let found = found.map_err(Failure::Failed)?;
    let (id, number) = (found.id.clone(), found.number);
    let mut own_keys = Vec::new();
    let mut chosen = None;
    for known in &accounts {
        let Some(secrets) = store.account_secrets(&known.id).map_err(failed)? else { continue };
        own_keys.push(secrets.access_key_id.expose_secret().to_owned());
        if known.id == id {
            chosen = Some(secrets);
        }
    }
    let secrets = chosen.ok_or_else(|| {
        Failure::Failed(format!("account `{id}` has no key pair: `airgate account rotate {id}`"))
    })?;
    let known = match throw_away {
        None => None,
        Some((user, project)) => {
            let name = Username::new(user).map_err(|error| {
                Failure::Configuration(format!("--user is not a user's name: {error}"))
            })?;
            let user = UserKey::new(id.clone(), name);
            store.read(|tx| refusal(tx, &user, project)).map_err(failed)?
        }
    };
    Ok(Chosen { id, number, secrets, own_keys, known })
}

/// Says why a user and a project are not throw-away ones.
fn refusal<S: crate::store::Source>(
    tx: &crate::store::View<S>,
    user: &UserKey,
    project: &ProjectName,
) -> Result<Option<String>, StoreError> {
    if project.as_str() == "default" {
        return Ok(Some("the project `default` is everybody's".to_owned()));
    }
    let links = tx.links_of_account(&user.account)?;
    if let Some(link) = links.iter().find(|link| link.project == *project) {
        return Ok(Some(format!("the project {project} is linked to {}", link.user.username)));
    }
    let name = &user.username;
    if links.iter().any(|link| link.user == *user) {
        return Ok(Some(format!("the user {name} has linked projects")));
    }
    if tx.access_pending(user)?.is_some() || tx.access_remembered(user)?.is_some() {
        return Ok(Some(format!("the access of the user {name} is cut or changing")));
    }
    let Some(known) = tx.user(user)? else { return Ok(None) };
    if known.is_allocated() || !known.consumed.is_zero() || known.owner.is_some() {
        return Ok(Some(format!("the user {name} has a quota, consumption or an owner")));
    }
    Ok(None)
}

impl Chosen {
    /// Refuses a user or project that airgate looks after, or that does not exist, and airgate's own user.
    pub(super) async fn check(
        &self,
        api: &AccountClient,
        user: &str,
        project: &ProjectName,
    ) -> Result<(), Failure> {
        let refuse = |why: String| {
            Err(Failure::Failed(format!(
                "{why}: a probe needs a user and a project that nobody works with; make them in the console (docs/probe.md)"
            )))
        };
        if let Some(why) = &self.known {
            return refuse(why.clone());
        }
        if api.get_user(user).await.map_err(failed)?.is_none() {
            return refuse(format!("there is no user {user}"));
        }
        let keys = api.list_access_keys(user).await.map_err(failed)?;
        if keys.iter().any(|key| self.own_keys.contains(&key.id)) {
            return refuse(format!("airgate works with an access key of the user {user}"));
        }
        if keys.iter().any(|key| key.id.is_empty()) {
            return refuse(format!("an access key of the user {user} has no id"));
        }
        let projects = api.list_projects().await.map_err(failed)?;
        if !projects.iter().any(|known| known.name == project.as_str()) {
            return refuse(format!("there is no project {project}"));
        }
        Ok(())
    }
}
