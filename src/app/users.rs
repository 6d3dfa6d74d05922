//! Finding, listing and showing users.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::outcome::{Level, UserDetail, UserFilter, UserRow, UsersPage};
use super::{Error, Refusal, paginate};
use crate::domain::{
    AccountId, Freshness, Money, ProjectLink, Settings, Thresholds, User, UserKey, UserStatus,
    Username,
};
use crate::store::{StoreError, View};

/// Rows of the users card.
pub const USERS_A_PAGE: usize = 8;

/// The user that a person means by `name`: `username` or `account/username`, exactly as written, else in other case.
///
/// # Errors
/// [`Refusal::NoSuchUser`] with the nearest names, [`Refusal::AmbiguousUser`] with all candidates.
pub fn find<S: crate::store::Source>(tx: &View<S>, name: &str) -> Result<User, Error> {
    let name = name.trim();
    if let Ok(key) = name.parse::<UserKey>()
        && let Some(user) = tx.user(&key)?
    {
        return Ok(user);
    }
    if let Ok(username) = Username::new(name) {
        let mut exact = Vec::new();
        for account in tx.accounts()? {
            exact.extend(tx.user(&UserKey::new(account.id, username.clone()))?);
        }
        if let Some(user) = only(name, exact)? {
            return Ok(user);
        }
    }
    let users = tx.users()?;
    let folded = name.to_lowercase();
    let same = users
        .iter()
        .filter(|user| {
            user.key.username.as_str().to_lowercase() == folded
                || user.key.to_string().to_lowercase() == folded
        })
        .cloned()
        .collect();
    if let Some(user) = only(name, same)? {
        return Ok(user);
    }
    // A display name that only one user has is as good as a name.
    let displayed =
        users.iter().filter(|user| user.display_name.to_lowercase() == folded).cloned().collect();
    if let Some(user) = only(name, displayed)? {
        return Ok(user);
    }
    Err(Refusal::NoSuchUser { name: name.to_owned(), nearest: nearest(&folded, &users) }.into())
}

/// The user of a card's value.
///
/// # Errors
/// [`Refusal::NoSuchUser`].
pub fn get<S: crate::store::Source>(tx: &View<S>, key: &UserKey) -> Result<User, Error> {
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

fn nearest(name: &str, users: &[User]) -> Vec<UserKey> {
    let mut scored: Vec<(usize, &UserKey)> = users
        .iter()
        .filter_map(|user| {
            let username = user.key.username.as_str().to_lowercase();
            let distance = strsim::damerau_levenshtein(name, &username);
            let contains =
                username.contains(name) || user.display_name.to_lowercase().contains(name);
            let close = distance <= (name.chars().count() / 3).max(1);
            (close || contains).then_some((if contains { 0 } else { distance }, &user.key))
        })
        .collect();
    scored.sort();
    scored.into_iter().take(3).map(|(_, key)| key.clone()).collect()
}

/// One page of the users that match filter and search text; gone users come last.
///
/// # Errors
/// The store's.
pub fn list<S: crate::store::Source>(
    tx: &View<S>,
    settings: &Settings,
    filter: UserFilter,
    query: &str,
    page: usize,
) -> Result<UsersPage, StoreError> {
    let users = tx.users()?;
    let mut names: BTreeMap<&Username, usize> = BTreeMap::new();
    for user in &users {
        *names.entry(&user.key.username).or_default() += 1;
    }
    let folded = query.trim().to_lowercase();
    let found = |user: &User| {
        folded.is_empty()
            || user.key.to_string().to_lowercase().contains(&folded)
            || user.display_name.to_lowercase().contains(&folded)
            || user.remark.to_lowercase().contains(&folded)
    };
    let mut counts = [0usize; 4];
    for user in &users {
        for (count, filter) in counts.iter_mut().zip(UserFilter::ALL) {
            *count += usize::from(passes(user, filter, settings));
        }
    }
    let mut matching: Vec<&User> =
        users.iter().filter(|user| passes(user, filter, settings) && found(user)).collect();
    matching.sort_by_key(|user| user.status == UserStatus::Gone);
    let total_quota = matching.iter().map(|user| user.quota).sum();
    let total_consumed = matching.iter().map(|user| user.consumed).sum::<Money>();
    let count = matching.len();
    let (page_users, page, pages) = paginate(matching, page, USERS_A_PAGE);
    let mut rows = Vec::with_capacity(page_users.len());
    for user in page_users {
        let links = sorted(tx.links_of(&user.key)?);
        rows.push(UserRow {
            user: user.clone(),
            ambiguous: names.get(&user.key.username).is_some_and(|count| *count > 1),
            level: Level::of(user, thresholds_of(user, settings)),
            pending: tx.access_pending(&user.key)?,
            projects: links
                .iter()
                .map(|link| (link.label().to_owned(), link.monitored.is_on()))
                .collect(),
            stale: stale(&links),
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

fn passes(user: &User, filter: UserFilter, settings: &Settings) -> bool {
    let gone = user.status == UserStatus::Gone;
    match filter {
        UserFilter::All => true,
        UserFilter::Warning => {
            !gone && Level::of(user, thresholds_of(user, settings)) >= Level::Warning
        }
        UserFilter::Disabled => user.status == UserStatus::Disabled,
        UserFilter::Unallocated => !gone && !user.is_allocated(),
    }
}

/// Everything about one user.
///
/// # Errors
/// The store's.
pub fn detail<S: crate::store::Source>(
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
        owner_name: match &user.owner {
            Some(owner) => tx.person_name(owner)?,
            None => None,
        },
        user,
    })
}

/// What people call an account: its name, or its id where it is not known.
///
/// # Errors
/// The store's.
pub fn account_name<S: crate::store::Source>(
    tx: &View<S>,
    id: &AccountId,
) -> Result<String, StoreError> {
    Ok(tx.account(id)?.map_or_else(|| id.to_string(), |account| account.name))
}

/// The thresholds in force for a user.
pub fn thresholds_of<'a>(user: &'a User, settings: &'a Settings) -> &'a Thresholds {
    user.thresholds.as_ref().unwrap_or(&settings.thresholds)
}

/// Monitored links first, dearest first.
pub fn sorted(mut links: Vec<ProjectLink>) -> Vec<ProjectLink> {
    links.sort_by(|a, b| {
        (!a.monitored.is_on())
            .cmp(&!b.monitored.is_on())
            .then_with(|| b.spending.cmp(&a.spending))
            .then_with(|| a.project.cmp(&b.project))
    });
    links
}

/// The oldest time that a stale amount of the monitored links is from; `Some(None)` where one was never read.
pub fn stale(links: &[ProjectLink]) -> Option<Option<Timestamp>> {
    links
        .iter()
        .filter(|link| link.monitored.is_on())
        .filter_map(|link| match link.freshness {
            Freshness::Stale(since) => Some(since),
            Freshness::Fresh(_) | Freshness::Pending => None,
        })
        .min()
}
