//! Whether a cut is still wanted, decided in the transaction that precedes the writes to the cloud. The same transaction
//! remembers what is open.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::domain::{
    AccessCause, AccessGoal, AccessItem, AccessPath, PendingAccess, ProjectName, Reach,
    RememberedAccess, UserKey, UserStatus, add_items, is_still_demanded,
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

/// What a cut has read on a path.
pub(super) struct Found<'a> {
    /// What is open.
    pub(super) open: &'a [AccessItem],
    /// What is closed.
    pub(super) closed: &'a [AccessItem],
    /// How much of each project the cut closes.
    pub(super) reach: &'a BTreeMap<ProjectName, Reach>,
}

/// Checks once more that the cut is wanted, and remembers what is open on `path`.
pub(super) fn permit(
    tx: &WriteTx,
    user: &UserKey,
    tried: &PendingAccess,
    path: AccessPath,
    read: &Found<'_>,
    now: Timestamp,
) -> Result<Permit, StoreError> {
    let Some(pending) = tx.access_pending(user)? else { return Ok(Permit::Withdrawn) };
    if !pending.is_same_change(tried) {
        return Ok(Permit::Withdrawn);
    }
    let Some(record) = tx.user(user)? else { return Ok(Permit::Withdrawn) };
    // The things of a user who is gone are closed whatever the quota says: nobody can top it up any more.
    let is_gone = record.status == UserStatus::Gone;
    let month = tx.month(&record, now)?;
    let unbilled = pending.beside_bill(tx.unbilled(&record)?, record.consumed, month.as_ref());
    let is_wanted = is_still_demanded(&pending.cause, &record, month.as_ref(), unbilled.as_ref());
    if !is_gone && !is_wanted {
        withdraw(tx, user, pending, now)?;
        return Ok(Permit::Withdrawn);
    }
    let known = tx.access_remembered(user)?;
    let cut = cut_of(&pending, known.as_ref());
    let reach = |item: &AccessItem| {
        let project = item.project.as_ref();
        project.and_then(|project| read.reach.get(project)).copied().unwrap_or(Reach::Mine)
    };
    let mut memory = match known {
        Some(mut known) if known.cut == cut && known.closed.contains(&path) => {
            known.open_again(path, read.open, reach);
            known
        }
        known => RememberedAccess::before_cut(known, path, read.open, cut),
    };
    // What another cut has closed is opened by whichever restore comes last.
    for held in tx.held_by_others(user, path, false)? {
        if read.closed.iter().any(|item| item.is_same(&held)) {
            add_items(&mut memory.paths, path, &[held]);
        }
    }
    tx.put_access_remembered(user, &memory)?;
    Ok(Permit::Go(memory.touched_on(path)))
}

/// Returns which cut a change continues: the first one, if access was opened again after it.
pub(super) fn cut_of(pending: &PendingAccess, known: Option<&RememberedAccess>) -> Timestamp {
    match (&pending.cause, known) {
        (AccessCause::Reopened { .. }, Some(known)) => known.cut,
        _ => pending.since,
    }
}

/// Withdraws a cut that neither quota nor month limit demands any more. If an attempt has begun to close things, they are restored.
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
