//! Finding, listing and showing users.

use jiff::Timestamp;

use super::batch_refusal::BatchRefusal;
use super::outcome::UserDetail;
use super::{Error, Refusal, days};
use crate::domain::typed::parsed_text;
use crate::domain::{
    AccountId, BillPeriod, Condition, DayChart, OpenId, ProjectLink, Settings, Switch, Thresholds,
    User, UserKey, UserStatus, Username,
};
use crate::store::{Directory, Entry, Source, StoreError, View};

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

/// Checks that no batch has yet to write a row of the user: whoever changed the user now would do so in between.
///
/// # Errors
/// [`BatchRefusal::Busy`].
pub(super) fn not_in_batch<S: Source>(tx: &View<S>, key: &UserKey) -> Result<(), Error> {
    match tx.batch_applying_to(key)? {
        Some(_) => Err(BatchRefusal::Busy.into()),
        None => Ok(()),
    }
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

/// Reads everything about one user.
pub fn detail<S: Source>(
    tx: &View<S>,
    settings: &Settings,
    user: User,
    now: Timestamp,
) -> Result<UserDetail, StoreError> {
    let thresholds = thresholds_of(&user, settings).clone();
    let links = sorted(tx.links_of(&user.key)?);
    let account = tx.account(&user.key.account)?;
    let month = tx.month(&user, now)?;
    Ok(UserDetail {
        condition: condition_of(tx, settings, &user, now)?,
        account_name: account.map_or_else(|| user.key.account.to_string(), |account| account.name),
        shared: tx.sharing_among(&links)?,
        links,
        unbilled: tx.unbilled(&user)?,
        hidden: tx.hidden_from(&user)?,
        thresholds,
        pending: tx.access_pending(&user.key)?,
        remembered: tx.access_remembered(&user.key)?,
        paths: tx.access_paths(&user.key)?,
        proof: tx.access_proof(&user.key)?,
        month,
        spent: None,
        forecast: tx.forecast(&user, now)?,
        undoable: tx.ledger(&user.key, 1)?.0.pop().filter(|entry| entry.can_be_undone(now)),
        owner_name: match &user.owner {
            Some(owner) => tx.person_name(owner)?,
            None => None,
        },
        days: DayChart::default(),
        user,
    })
}

/// Reads what the user's own card shows: everything, and the last 30 days.
pub fn card<S: Source>(
    tx: &View<S>,
    settings: &Settings,
    user: User,
    now: Timestamp,
) -> Result<UserDetail, StoreError> {
    let mut detail = detail(tx, settings, user, now)?;
    let period = BillPeriod::of(now);
    detail.spent = Some(tx.spent_in(&detail.user.key, period)?);
    detail.days = days::of_user(tx, &detail.user.key.account, &detail.links, now)?;
    Ok(detail)
}

/// Returns the name of an account, or its id if the account is not known.
pub fn account_name<S: Source>(tx: &View<S>, id: &AccountId) -> Result<String, StoreError> {
    Ok(tx.account(id)?.map_or_else(|| id.to_string(), |account| account.name))
}

/// Returns how a user stands with quota and month limit.
pub fn condition_of<S: Source>(
    tx: &View<S>,
    settings: &Settings,
    user: &User,
    now: Timestamp,
) -> Result<Condition, StoreError> {
    let month = tx.month(user, now)?;
    let account = tx.account(&user.key.account)?.map_or(Switch::On, |account| account.active);
    let has_project = has_project(&tx.links_of(&user.key)?);
    let thresholds = thresholds_of(user, settings);
    Ok(Condition::of_user(user, month.as_ref(), account, has_project, thresholds))
}

/// Returns whether a link is monitored.
pub(super) fn has_project(links: &[ProjectLink]) -> bool {
    links.iter().any(|link| link.monitored.is_on())
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
