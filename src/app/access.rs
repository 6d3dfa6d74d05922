//! Cutting and restoring access, as far as the store goes: what is wanted becomes owed; enforcement does it.

use jiff::Timestamp;

use super::{Error, Refusal, users};
use crate::domain::{
    AccessCause, AccessGoal, Operator, PendingAccess, RememberedAccess, Report, User, UserKey,
    UserStatus,
};
use crate::store::{View, WriteTx};

/// Whether a person may ask for this change now.
///
/// # Errors
/// Why not.
pub fn check<S: crate::store::Source>(
    tx: &View<S>,
    key: &UserKey,
    goal: AccessGoal,
) -> Result<User, Error> {
    let user = users::get(tx, key)?;
    if user.status == UserStatus::Gone {
        return Err(Refusal::UserGone(key.clone()).into());
    }
    let pending = tx.access_pending(key)?;
    if pending.as_ref().is_some_and(|pending| pending.goal == goal) {
        return Err(Refusal::AccessPending.into());
    }
    // Turning back what is under way is always allowed.
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

/// Makes a change of access owed, decided by a person. Enforcement reports to `report` when it is confirmed.
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
    // A restore that is under way has put back only a part yet: what is remembered stays what the next restore puts back.
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
