//! Reading users and projects of main accounts from the cloud.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};

use super::cloud::{Cloud, CloudError};
use super::outcome::{AccountSync, Unread};
use crate::clock::{Clock, is_recent};
use crate::domain::sync::SyncChanges;
use crate::domain::{
    AccessKeyInfo, Account, AccountId, CloudUser, ProjectInfo, ProjectName, Switch, User,
    UserAccess, UserKey, UserStatus, Username,
};
use crate::store::{Store, StoreError};
use crate::volcengine::{self, KeyStatus, LoginAccess};

/// The most users whose keys and login one sync reads: each takes two calls at the account's rate limit. The others
/// follow with the next sync, longest unread first.
const MAX_ACCESS_READS: usize = 200;
/// How many users in a row may be unreadable before the rest are skipped: the cause is then not one user.
const FAILURES_IN_A_ROW: u32 = 3;
/// The age from which keys and login are read again.
const MIN_ACCESS_AGE: SignedDuration = SignedDuration::from_mins(1);

/// Reads all users and projects of one account into the store. An account that cannot be read is left as it is, with the
/// reason in the result.
pub async fn account(
    store: &Store,
    cloud: &Cloud,
    clock: &Clock,
    account: &Account,
) -> Result<AccountSync, StoreError> {
    match read_account(store, cloud, clock, account).await {
        Ok(sync) => Ok(sync),
        Err(CloudError::Store(error)) => Err(error),
        Err(error) => Ok(AccountSync {
            account: account.id.clone(),
            name: account.name.clone(),
            users: 0,
            added: Vec::new(),
            changed: Vec::new(),
            gone: Vec::new(),
            error: Some(error.into()),
            unread: Vec::new(),
        }),
    }
}

async fn read_account(
    store: &Store,
    cloud: &Cloud,
    clock: &Clock,
    account: &Account,
) -> Result<AccountSync, CloudError> {
    let id = &account.id;
    let api = cloud.account(id).await?;
    let (changes, listed) = read_users(store, cloud, &api, clock, id).await?;
    // The users have been read. If the rest cannot be read, it stays as it was and is reported; the next sync retries.
    let mut unread = Vec::new();
    for (what, read) in [
        (Unread::Projects, refresh_projects(store, cloud, clock, id).await.map(drop)),
        (Unread::Access, read_access(store, &api, clock, id).await),
    ] {
        match read {
            Ok(()) => {}
            Err(CloudError::Store(error)) => return Err(error.into()),
            Err(error) => {
                tracing::warn!(account = %id, ?what, %error, "part of an account could not be read");
                unread.push((what, error.into()));
            }
        }
    }
    Ok(AccountSync {
        account: id.clone(),
        name: account.name.clone(),
        users: listed,
        added: changes.added,
        changed: changes.changed,
        gone: changes.gone,
        error: None,
        unread,
    })
}

/// Reads all users of one account into the store, and nothing else of it.
pub async fn users(
    store: &Store,
    cloud: &Cloud,
    clock: &Clock,
    id: &AccountId,
) -> Result<SyncChanges, CloudError> {
    let api = cloud.account(id).await?;
    Ok(read_users(store, cloud, &api, clock, id).await?.0)
}

/// Reads all users of one account into the store. Returns what changed, and how many there are.
async fn read_users(
    store: &Store,
    cloud: &Cloud,
    api: &volcengine::AccountClient,
    clock: &Clock,
    id: &AccountId,
) -> Result<(SyncChanges, usize), CloudError> {
    let began = clock.now();
    let users = api.list_users().await?;
    let number = match users.iter().find_map(|user| user.account) {
        Some(number) => Some(number),
        None => api.balance_owner().await,
    };
    if let Some(number) = number {
        cloud.keep_number(id, number).await?;
    }
    let listed: Vec<CloudUser> = users
        .into_iter()
        .filter_map(|user| match Username::new(user.username.clone()) {
            Ok(username) => Some(CloudUser {
                username,
                cloud_id: user.id,
                display_name: user.display_name,
                email: user.email,
                phone: user.phone,
            }),
            Err(error) => {
                tracing::warn!(account = %id, %error, "a user with an unusable name is skipped");
                None
            }
        })
        .collect();
    let gone = confirm_gone(store, api, id, &listed).await?;
    let (account, count, now) = (id.clone(), listed.len(), clock.now());
    let changes =
        store.writing(move |tx| tx.apply_sync(&account, &listed, &gone, began, now)).await?;
    Ok((changes, count))
}

/// Returns which of the missing users are gone. A list that changes while it is paged can skip a row: each user missing
/// from it is looked up by name before they count as gone. If a look-up fails permanently, the list is read once more
/// instead.
async fn confirm_gone(
    store: &Store,
    api: &volcengine::AccountClient,
    id: &AccountId,
    listed: &[CloudUser],
) -> Result<Vec<Username>, CloudError> {
    let account = id.clone();
    let known = store.reading(move |tx| tx.users_of(&account)).await?;
    let present: BTreeSet<&Username> = listed.iter().map(|user| &user.username).collect();
    let mut missing: Vec<Username> = known
        .into_iter()
        .filter(|user| user.status != UserStatus::Gone)
        .map(|user| user.key.username)
        .filter(|username| !present.contains(username))
        .collect();
    let mut unanswered = false;
    let mut gone = Vec::new();
    for username in std::mem::take(&mut missing) {
        match api.get_user(username.as_str()).await {
            Ok(None) => gone.push(username),
            Ok(Some(_)) => {}
            Err(error) if error.is_transient() => return Err(error.into()),
            Err(error) => {
                tracing::warn!(account = %id, %error, "a missing user cannot be looked up");
                unanswered = true;
                missing.push(username);
            }
        }
    }
    if unanswered {
        let again = api.list_users().await?;
        let listed = |username: &Username| again.iter().any(|u| u.username == username.as_str());
        gone.extend(missing.into_iter().filter(|username| !listed(username)));
    }
    Ok(gone)
}

async fn read_access(
    store: &Store,
    api: &volcengine::AccountClient,
    clock: &Clock,
    id: &AccountId,
) -> Result<(), CloudError> {
    let account = id.clone();
    let mut users: Vec<User> = store.reading(move |tx| tx.users_of(&account)).await?;
    let now = clock.now();
    users.retain(|user| {
        user.status != UserStatus::Gone
            && user.access_read_at.is_none_or(|at| !is_recent(at, MIN_ACCESS_AGE, now))
    });
    users.sort_by_key(|user| user.access_read_at);
    let (mut failure, mut in_a_row) = (None, 0);
    for user in users.into_iter().take(MAX_ACCESS_READS) {
        let began = clock.now();
        let access = match user_access(api, &user.key).await {
            Ok(access) => access,
            // Deleted in the meantime: the next sync finds that they are gone.
            Err(error) if error.is_not_found() => continue,
            Err(error) => {
                in_a_row += 1;
                failure.get_or_insert(error);
                if in_a_row >= FAILURES_IN_A_ROW {
                    break;
                }
                continue;
            }
        };
        in_a_row = 0;
        let now = clock.now();
        store.writing(move |tx| tx.record_access_read(&user.key, &access, began, now)).await?;
    }
    failure.map_or(Ok(()), |error| Err(error.into()))
}

/// Reads keys and login of a user.
pub async fn user_access(
    api: &volcengine::AccountClient,
    key: &UserKey,
) -> Result<UserAccess, volcengine::Error> {
    let keys = user_keys(api, key).await?;
    let login = user_login(api, key).await?;
    Ok(UserAccess { keys, login })
}

/// Reads the access keys of a user.
pub async fn user_keys(
    api: &volcengine::AccountClient,
    key: &UserKey,
) -> Result<Vec<AccessKeyInfo>, volcengine::Error> {
    let keys = api.list_access_keys(key.username.as_str()).await?;
    // Only what is certainly off counts as off.
    let info = |key: volcengine::AccessKey| AccessKeyInfo {
        active: Switch::from(key.status != KeyStatus::Inactive),
        id: key.id,
    };
    Ok(keys.into_iter().map(info).collect())
}

/// Reads whether a user can log in to the console; `None` if there is no login profile.
pub async fn user_login(
    api: &volcengine::AccountClient,
    key: &UserKey,
) -> Result<Option<Switch>, volcengine::Error> {
    Ok(match api.login_profile(key.username.as_str()).await? {
        LoginAccess::NoProfile => None,
        LoginAccess::Forbidden => Some(Switch::Off),
        LoginAccess::Allowed => Some(Switch::On),
    })
}

/// Reads an account's projects into the store. Returns when they were read.
pub async fn refresh_projects(
    store: &Store,
    cloud: &Cloud,
    clock: &Clock,
    id: &AccountId,
) -> Result<Timestamp, CloudError> {
    let began = clock.now();
    let listed = cloud.account(id).await?.list_projects().await?;
    let projects: Vec<ProjectInfo> = listed
        .into_iter()
        .filter_map(|project| {
            let name = ProjectName::new(project.name).ok()?;
            Some(ProjectInfo { account: id.clone(), name, display_name: project.display_name })
        })
        .collect();
    let (account, now) = (id.clone(), clock.now());
    store
        .writing(move |tx| {
            // Another listing may have begun later and ended earlier.
            if tx.projects_listed_at(&account)?.is_none_or(|listed| listed <= began) {
                tx.replace_projects(&account, &projects, now)?;
            }
            Ok::<_, StoreError>(())
        })
        .await?;
    Ok(now)
}
