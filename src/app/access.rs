//! Cutting and restoring access: the change is recorded here as pending; enforcement carries it out.

use jiff::Timestamp;

use super::outcome::AccessView;
use super::{Error, Refusal, users};
use crate::domain::{
    AccessCause, AccessGoal, Operator, PendingAccess, RememberedAccess, Report, Settings, User,
    UserKey, UserStatus,
};
use crate::store::{Source, View, WriteTx};

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
            (AccessGoal::Cut, UserStatus::Disabled)
            | (AccessGoal::Restored, UserStatus::Active) => {
                return Err(Refusal::AccessUnchanged.into());
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
) -> Result<AccessView, Error> {
    let user = check(tx, key, goal)?;
    let detail = users::detail(tx, settings, user)?;
    Ok(AccessView { sharers: tx.sharers(key)?, detail })
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
    // A pending restore may have put back only part: the next restore must put back everything that is remembered.
    if goal == AccessGoal::Cut
        && tx.access_pending(key)?.is_some()
        && let Some(remembered) = tx.access_remembered(key)?
    {
        tx.put_access_remembered(key, &RememberedAccess { cut: now, ..remembered })?;
    }
    let cause = AccessCause::Manual { operator };
    let pending = PendingAccess::new(goal, cause, now).reporting_to(report);
    tx.put_access_pending(key, &pending)?;
    Ok(())
}
