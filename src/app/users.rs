//! Finding, listing and showing users.

use super::outcome::{Level, UserDetail, UserFilter, UserRow, UsersPage};
use super::{Error, Refusal, paginate};
use crate::domain::typed::parsed_text;
use crate::domain::{
    AccountId, Money, OpenId, ProjectLink, Settings, Thresholds, User, UserKey, UserStatus,
    Username, oldest_stale,
};
use crate::store::{Directory, Entry, Source, StoreError, View};

/// Rows on one page of the users card.
pub const USERS_A_PAGE: usize = 8;

/// Returns the user that a person means by `name`: `username` or `account/username`, exactly as written, otherwise
/// ignoring case, or a display name that only one user has.
///
/// # Errors
/// [`Refusal::NoSuchUser`] with the nearest names, [`Refusal::AmbiguousUser`] with all candidates.
pub fn find<S: Source>(tx: &View<S>, name: &str) -> Result<User, Error> {
    let name = name.trim();
    if let Ok(key) = name.parse::<UserKey>()
        && let Some(user) = tx.user(&key)?
    {
        return Ok(user);
    }
    if let Some(user) = exactly(tx, name)? {
        return Ok(user);
    }
    let directory = tx.directory();
    let folded = name.to_lowercase();
    let named = |is: &dyn Fn(&Entry) -> bool| {
        let found = directory.iter().filter(|(_, entry)| is(entry)).map(|(key, _)| tx.user(key));
        found.filter_map(Result::transpose).collect::<Result<Vec<User>, StoreError>>()
    };
    let same = named(&|entry| entry.username() == folded || entry.key() == folded)?;
    if let Some(user) = only(name, same)? {
        return Ok(user);
    }
    // A display name that only one user has identifies them.
    let is_called = |entry: &Entry| parsed_text(entry.display_name()) == parsed_text(&folded);
    if let Some(user) = only(name, named(&is_called)?)? {
        return Ok(user);
    }
    Err(Refusal::NoSuchUser { name: name.to_owned(), nearest: nearest(&folded, &directory) }.into())
}

/// Returns the user owned by `person`, who was mentioned. Users who are gone count only if there is no other.
///
/// # Errors
/// [`Refusal::OwnsNobody`], [`Refusal::SeveralOwned`] with all candidates.
pub fn owned_by<S: Source>(tx: &View<S>, person: &OpenId) -> Result<User, Error> {
    let directory = tx.directory();
    let owned = |gone: bool| -> Result<Vec<User>, StoreError> {
        directory
            .iter()
            .filter(|(_, entry)| entry.owner.as_ref() == Some(person))
            .filter(|(_, entry)| (entry.status == UserStatus::Gone) == gone)
            .filter_map(|(key, _)| tx.user(key).transpose())
            .collect()
    };
    let mut found = owned(false)?;
    if found.is_empty() {
        found = owned(true)?;
    }
    let called = || -> Result<String, StoreError> {
        Ok(tx.person_name(person)?.unwrap_or_else(|| person.to_string()))
    };
    if found.len() > 1 {
        let candidates = found.into_iter().map(|user| user.key).collect();
        return Err(Refusal::SeveralOwned { person: called()?, candidates }.into());
    }
    match found.pop() {
        Some(user) => Ok(user),
        None => Err(Refusal::OwnsNobody { person: called()? }.into()),
    }
}

/// Returns the user that a value on a card names: `account/username`, or `username` if only one account has it.
///
/// # Errors
/// [`Refusal::NoSuchUser`], [`Refusal::AmbiguousUser`] with all candidates.
pub fn key_of<S: Source>(tx: &View<S>, text: &str) -> Result<UserKey, Error> {
    if let Ok(key) = text.parse() {
        return Ok(key);
    }
    exactly(tx, text)?
        .map(|user| user.key)
        .ok_or_else(|| Refusal::NoSuchUser { name: text.to_owned(), nearest: Vec::new() }.into())
}

/// Returns the user with exactly this name.
fn exactly<S: Source>(tx: &View<S>, name: &str) -> Result<Option<User>, Error> {
    let Ok(username) = Username::new(name) else { return Ok(None) };
    let mut found = Vec::new();
    for account in tx.accounts()? {
        found.extend(tx.user(&UserKey::new(account.id, username.clone()))?);
    }
    Ok(only(name, found)?)
}

/// Reads one user.
///
/// # Errors
/// [`Refusal::NoSuchUser`].
pub fn get<S: Source>(tx: &View<S>, key: &UserKey) -> Result<User, Error> {
    tx.user(key)?
        .ok_or_else(|| Refusal::NoSuchUser { name: key.to_string(), nearest: Vec::new() }.into())
}

fn only(name: &str, mut found: Vec<User>) -> Result<Option<User>, Refusal> {
    if found.len() > 1 {
        let candidates = found.into_iter().map(|user| user.key).collect();
        return Err(Refusal::AmbiguousUser { name: name.to_owned(), candidates });
    }
    Ok(found.pop())
}

fn nearest(name: &str, directory: &Directory) -> Vec<UserKey> {
    let length = name.chars().count();
    let close = (length / 3).max(1);
    let mut scored: Vec<(usize, &UserKey)> = directory
        .iter()
        .filter_map(|(key, entry)| {
            let username = entry.username();
            if username.contains(name) || entry.display_name().contains(name) {
                return Some((0, key));
            }
            // Comparing is slow, and names whose lengths differ this much cannot be close.
            if username.chars().count().abs_diff(length) > close {
                return None;
            }
            let distance = strsim::osa_distance(name, username);
            (distance <= close).then_some((distance, key))
        })
        .collect();
    scored.sort();
    scored.into_iter().take(3).map(|(_, key)| key.clone()).collect()
}

/// Returns one page of the users that match the filter and the search text; users who are gone come last.
pub fn list<S: Source>(
    tx: &View<S>,
    settings: &Settings,
    filter: UserFilter,
    query: &str,
    page: usize,
) -> Result<UsersPage, StoreError> {
    let directory = tx.directory();
    let folded = query.trim().to_lowercase();
    let mut counts = [0usize; 4];
    let mut matching: Vec<&UserKey> = Vec::new();
    let mut gone: Vec<&UserKey> = Vec::new();
    let (mut total_quota, mut total_consumed) = (Money::ZERO, Money::ZERO);
    for (key, entry) in directory.iter() {
        let thresholds = entry.thresholds.as_deref().unwrap_or(&settings.thresholds);
        let level = Level::at(entry.percent, thresholds);
        for (count, filter) in counts.iter_mut().zip(UserFilter::ALL) {
            *count += usize::from(passes(entry, level, filter));
        }
        if passes(entry, level, filter) && entry.contains(&folded) {
            total_quota += entry.quota;
            total_consumed += entry.consumed;
            match entry.status {
                UserStatus::Gone => gone.push(key),
                _ => matching.push(key),
            }
        }
    }
    matching.append(&mut gone);
    let count = matching.len();
    let (page_users, page, pages) = paginate(matching, page, USERS_A_PAGE);
    let mut rows = Vec::with_capacity(page_users.len());
    for key in page_users {
        let Some(user) = tx.user(key)? else { continue };
        let links = sorted(tx.links_of(key)?);
        rows.push(UserRow {
            ambiguous: directory.is_ambiguous(key),
            level: Level::of(&user, thresholds_of(&user, settings)),
            pending: tx.access_pending(&user.key)?,
            projects: links
                .iter()
                .map(|link| (link.label().to_owned(), link.monitored.is_on()))
                .collect(),
            stale: oldest_stale(&links),
            user,
        });
    }
    Ok(UsersPage {
        rows,
        page,
        pages,
        matching: count,
        counts,
        filter,
        query: query.trim().to_owned(),
        total_quota,
        total_consumed,
    })
}

fn passes(user: &Entry, level: Level, filter: UserFilter) -> bool {
    let gone = user.status == UserStatus::Gone;
    match filter {
        UserFilter::All => true,
        UserFilter::Warning => !gone && level >= Level::Warning,
        UserFilter::Disabled => user.status == UserStatus::Disabled,
        UserFilter::Unallocated => !gone && level == Level::Unallocated,
    }
}

/// Reads everything about one user.
pub fn detail<S: Source>(
    tx: &View<S>,
    settings: &Settings,
    user: User,
) -> Result<UserDetail, StoreError> {
    let thresholds = thresholds_of(&user, settings).clone();
    Ok(UserDetail {
        account_name: account_name(tx, &user.key.account)?,
        links: sorted(tx.links_of(&user.key)?),
        level: Level::of(&user, &thresholds),
        thresholds,
        pending: tx.access_pending(&user.key)?,
        remembered: tx.access_remembered(&user.key)?,
        paths: tx.access_paths(&user.key)?,
        proof: tx.access_proof(&user.key)?,
        owner_name: match &user.owner {
            Some(owner) => tx.person_name(owner)?,
            None => None,
        },
        user,
    })
}

/// Returns the name of an account, or its id if the account is not known.
pub fn account_name<S: Source>(tx: &View<S>, id: &AccountId) -> Result<String, StoreError> {
    Ok(tx.account(id)?.map_or_else(|| id.to_string(), |account| account.name))
}

/// Returns the thresholds in force for a user.
pub fn thresholds_of<'a>(user: &'a User, settings: &'a Settings) -> &'a Thresholds {
    user.thresholds.as_ref().unwrap_or(&settings.thresholds)
}

/// Sorts links: monitored ones first, each group by spending, largest first.
pub fn sorted(mut links: Vec<ProjectLink>) -> Vec<ProjectLink> {
    links.sort_by(|a, b| {
        (!a.monitored.is_on())
            .cmp(&!b.monitored.is_on())
            .then_with(|| b.spending.cmp(&a.spending))
            .then_with(|| a.project.cmp(&b.project))
    });
    links
}
