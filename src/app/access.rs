//! Cutting and restoring access: the change is recorded here as pending; enforcement carries it out.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::outcome::AccessView;
use super::{Error, Refusal, users};
use crate::domain::{
    AccessCause, AccessGoal, AccessStanding, Operator, PendingAccess, ProjectName,
    RememberedAccess, Report, Settings, User, UserKey, UserStatus,
};
use crate::store::{Source, StoreError, View, WriteTx};

/// Checks whether this change can be requested now.
///
/// # Errors
/// The [`Refusal`] that says why it cannot.
pub fn check<S: Source>(tx: &View<S>, key: &UserKey, goal: AccessGoal) -> Result<User, Error> {
    let user = users::get(tx, key)?;
    if user.status == UserStatus::Gone {
        return Err(Refusal::UserGone(key.clone()).into());
    }
    let pending = tx.access_pending(key)?;
    if pending.as_ref().is_some_and(|pending| pending.goal == goal) {
        return Err(Refusal::AccessPending.into());
    }
    // Reversing a pending change is always allowed.
    if pending.is_none() {
        match (goal, user.status) {
            (AccessGoal::Restored, UserStatus::Active) => {
                return Err(Refusal::AccessUnchanged { user: key.clone(), goal }.into());
            }
            // Keys and login that somebody else switched off leave the other paths open.
            // What the month limit has cut comes back by itself, unless a person cuts it, too.
            (AccessGoal::Cut, _)
                if tx.access_standing(&user)? == AccessStanding::Cut
                    && tx.month_cut(key)?.is_none() =>
            {
                return Err(Refusal::AccessUnchanged { user: key.clone(), goal }.into());
            }
            (AccessGoal::Restored, _) if tx.access_remembered(key)?.is_none() => {
                return Err(Refusal::NothingRemembered.into());
            }
            _ => {}
        }
    }
    Ok(user)
}

/// Reads what the question before a change of access shows.
///
/// # Errors
/// As [`check`].
pub fn view<S: Source>(
    tx: &View<S>,
    settings: &Settings,
    key: &UserKey,
    goal: AccessGoal,
    now: Timestamp,
) -> Result<AccessView, Error> {
    let user = check(tx, key, goal)?;
    let detail = users::detail(tx, settings, user, now)?;
    Ok(AccessView { sharers: sharers(tx, key)?, detail })
}

/// Withdraws a change of access that is under way: what it has done so far is undone. Returns what is wanted instead.
///
/// # Errors
/// [`Refusal::NothingUnderWay`] if no such change is pending, and as [`check`].
pub fn withdraw(
    tx: &WriteTx,
    key: &UserKey,
    goal: AccessGoal,
    operator: Operator,
    report: Option<Report>,
    now: Timestamp,
) -> Result<AccessGoal, Error> {
    if tx.access_pending(key)?.is_none_or(|pending| pending.goal != goal) {
        return Err(Refusal::NothingUnderWay(key.clone()).into());
    }
    let wanted = match goal {
        AccessGoal::Cut => AccessGoal::Restored,
        AccessGoal::Restored => AccessGoal::Cut,
    };
    request(tx, key, wanted, operator, report, now)?;
    Ok(wanted)
}

/// A project that concerns a user's access.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TiedProject {
    /// The project.
    pub name: ProjectName,
    /// How it is tied to the user.
    pub tie: Tie,
}

/// How a project is tied to a user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tie {
    /// Linked, and no other user of the account is. Users who are gone do not count.
    Own,
    /// Linked, and so are others.
    Shared,
    /// No longer linked: a cut remembers things in it.
    Former,
}

/// Returns the projects linked to a user, by name.
pub fn linked_projects<S: Source>(
    tx: &View<S>,
    user: &UserKey,
) -> Result<Vec<TiedProject>, StoreError> {
    let sharers = sharers(tx, user)?;
    let tied = |name: ProjectName| TiedProject {
        tie: if sharers.contains_key(&name) { Tie::Shared } else { Tie::Own },
        name,
    };
    Ok(tx.links_of(user)?.into_iter().map(|link| tied(link.project)).collect())
}

/// Returns the projects that a change of access works in: the linked ones, and those in which a cut remembers things.
pub fn projects_to_change<S: Source>(
    tx: &View<S>,
    user: &UserKey,
) -> Result<Vec<TiedProject>, StoreError> {
    let mut projects = linked_projects(tx, user)?;
    let memory = tx.access_remembered(user)?;
    for name in memory.iter().flat_map(RememberedAccess::projects) {
        if !projects.iter().any(|project| project.name == *name) {
            projects.push(TiedProject { name: name.clone(), tie: Tie::Former });
        }
    }
    Ok(projects)
}

/// Returns, for each linked project that the user does not have alone, the other users of the account who are linked to
/// it. Users who are gone do not count.
fn sharers<S: Source>(
    tx: &View<S>,
    user: &UserKey,
) -> Result<BTreeMap<ProjectName, Vec<UserKey>>, StoreError> {
    let directory = tx.directory();
    let mut sharers = tx.sharers(user)?;
    for others in sharers.values_mut() {
        others.retain(|other| {
            directory.get(other).is_none_or(|known| known.status != UserStatus::Gone)
        });
    }
    sharers.retain(|_, others| !others.is_empty());
    Ok(sharers)
}

/// Records a change of access that a person decided as pending. Enforcement reports to `report` once it is confirmed.
///
/// # Errors
/// As [`check`].
pub fn request(
    tx: &WriteTx,
    key: &UserKey,
    goal: AccessGoal,
    operator: Operator,
    report: Option<Report>,
    now: Timestamp,
) -> Result<(), Error> {
    check(tx, key, goal)?;
    let cause = AccessCause::Manual { operator };
    let pending = PendingAccess::new(goal, cause, now).reporting_to(report);
    match goal {
        AccessGoal::Cut => tx.begin_cut(key, &pending)?,
        AccessGoal::Restored => tx.put_access_pending(key, &pending)?,
    }
    Ok(())
}
