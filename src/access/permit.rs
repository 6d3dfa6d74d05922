//! Whether a cut is still wanted, decided in the transaction that precedes the writes to the cloud. The same transaction
//! remembers what is open.

use jiff::Timestamp;

use crate::domain::{
    AccessCause, AccessGoal, AccessItem, AccessPath, PendingAccess, RememberedAccess, UserKey,
    UserStatus, add_items, must_be_cut,
};
use crate::store::{StoreError, WriteTx};

/// The answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Permit {
    /// Close it; this is what a restore of the path would open.
    Go(Vec<AccessItem>),
    /// No longer wanted: anything closed is put back, or will be.
    Withdrawn,
}

/// Checks once more that the cut is wanted, and remembers what is open on `path`.
pub(super) fn permit(
    tx: &WriteTx,
    user: &UserKey,
    tried: &PendingAccess,
    path: AccessPath,
    open: &[AccessItem],
    now: Timestamp,
) -> Result<Permit, StoreError> {
    let Some(pending) = tx.access_pending(user)? else { return Ok(Permit::Withdrawn) };
    if !pending.is_same_change(tried) {
        return Ok(Permit::Withdrawn);
    }
    let Some(record) = tx.user(user)? else { return Ok(Permit::Withdrawn) };
    // The things of a user who is gone are closed whatever the quota says: nobody can top it up any more.
    let is_gone = record.status == UserStatus::Gone;
    let unbilled = tx.unbilled(&record)?;
    let is_wanted = is_gone || must_be_cut(&record, unbilled.as_ref());
    if pending.cause == AccessCause::QuotaUsedUp && !is_wanted {
        withdraw(tx, user, pending, now)?;
        return Ok(Permit::Withdrawn);
    }
    let known = tx.access_remembered(user)?;
    let cut = cut_of(&pending, known.as_ref());
    let was_closed =
        known.as_ref().is_some_and(|known| known.cut == cut && known.closed.contains(&path));
    let memory = match known {
        // A restore gives back what was open before the cut, not what has been opened since.
        Some(mut known) if was_closed => {
            let new: Vec<AccessItem> = open
                .iter()
                .filter(|item| !known.on(path).iter().any(|known| known.is_same(item)))
                .cloned()
                .collect();
            add_items(&mut known.reopened, path, &new);
            known
        }
        known => RememberedAccess::before_cut(known, path, open, cut),
    };
    tx.put_access_remembered(user, &memory)?;
    Ok(Permit::Go(memory.on(path).to_vec()))
}

/// Returns which cut a change continues: the first one, if access was opened again after it.
pub(super) fn cut_of(pending: &PendingAccess, known: Option<&RememberedAccess>) -> Timestamp {
    match (&pending.cause, known) {
        (AccessCause::Reopened { .. }, Some(known)) => known.cut,
        _ => pending.since,
    }
}

/// Withdraws a cut that the quota no longer demands. If an attempt has begun to close things, they are restored.
pub(super) fn withdraw(
    tx: &WriteTx,
    user: &UserKey,
    pending: PendingAccess,
    now: Timestamp,
) -> Result<(), StoreError> {
    let remembered = tx.access_remembered(user)?;
    if remembered.is_some_and(|remembered| remembered.cut == pending.since) {
        let back = PendingAccess {
            goal: AccessGoal::Restored,
            attempts: 0,
            next_at: now,
            paths: Default::default(),
            ..pending
        };
        tx.put_access_pending(user, &back)
    } else {
        tx.clear_access_paths(user)?;
        tx.clear_access_pending(user).map(drop)
    }
}
