//! Temporary quota: booked back the day after its last day, once.

use jiff::Timestamp;

use super::batch_refusal::BatchRefusal;
use super::quota::{self, Allocation};
use super::{Error, Refusal, SplitRefusal};
use crate::domain::{
    LedgerEntry, Operator, Temporary, TemporaryState, User, UserKey, beijing_day, temporary,
};
use crate::store::{StoreError, WriteTx};

/// How many are booked back in one transaction: clicks must not wait for it.
const AT_ONCE: usize = 50;

/// A temporary allocation that has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    /// The allocation as it is now.
    pub temporary: Temporary,
    /// What was booked back; `None` if nothing was left of the quota.
    pub entry: Option<LedgerEntry>,
}

/// Books back what is overdue. `note` is the ledger's note. Returns what ended, and whether there may be more. Where a row that
/// belongs to one cannot be read, it stays, and the others end.
///
/// # Errors
/// A [`StoreError`]. What booking refuses is logged, and counts as ended with nothing booked back.
pub fn book_back(
    tx: &WriteTx,
    note: impl Fn(&Temporary) -> String,
    now: Timestamp,
) -> Result<(Vec<Ended>, bool), StoreError> {
    let mut count = AT_ONCE;
    loop {
        let overdue = tx.overdue_temporaries(beijing_day(now), count)?;
        let is_all = overdue.len() < count;
        let (mut ended, mut more) = (Vec::new(), !is_all);
        for temporary in overdue {
            let user = temporary.user.clone();
            ended.extend(tx.or_left_out(&user, end(tx, temporary, &note, now))?.flatten());
            if ended.len() >= AT_ONCE {
                more = true;
                break;
            }
        }
        if is_all || !ended.is_empty() {
            // Those that stay do not make it go round and round.
            return Ok((ended, more));
        }
        count = count.saturating_mul(4);
    }
}

/// Ends one allocation. Returns `None` if its turn comes later. Whatever is read is read before anything is written.
fn end(
    tx: &WriteTx,
    mut temporary: Temporary,
    note: impl Fn(&Temporary) -> String,
    now: Timestamp,
) -> Result<Option<Ended>, StoreError> {
    let quota = tx.user(&temporary.user)?.map(|user| user.quota).unwrap_or_default();
    let back = temporary::to_book_back(temporary.amount, quota);
    let mut entry = None;
    if back.is_positive() {
        let note = note(&temporary);
        let allocation = Allocation {
            user: &temporary.user,
            amount: -back,
            note: &note,
            operator: &Operator::System,
        };
        match quota::book_back(tx, &allocation, temporary.last_day, now).split_refusal()? {
            Ok(booked) => entry = Some(booked),
            // Its turn comes once the batch has written the user.
            Err(Refusal::Batch(BatchRefusal::Busy)) => return Ok(None),
            Err(refusal) => {
                tracing::error!(user = %temporary.user, %refusal, "temporary quota stays");
            }
        }
    }
    let user = match &entry {
        // Booking noted it.
        Some(_) => None,
        None => tx.user(&temporary.user)?.filter(|user| !user.quota.is_positive()),
    };
    if let Some(user) = user {
        // Somebody deducted it before its day: it has ended all the same.
        let ended = User { quota_ended: Some(temporary.last_day), updated: now, ..user };
        tx.put_user(&ended)?;
    }
    let booked_back = entry.as_ref().map(|entry| -entry.amount).unwrap_or_default();
    temporary.state = TemporaryState::Ended { at: now, booked_back };
    tx.put_temporary(&temporary)?;
    Ok(Some(Ended { temporary, entry }))
}

/// Ends a temporary allocation whose ledger entry was undone: nothing is booked back. Whoever undoes an entry calls
/// this.
///
/// # Errors
/// A [`StoreError`].
pub fn undone(tx: &WriteTx, user: &UserKey, seq: u64, now: Timestamp) -> Result<(), Error> {
    if let Some(mut temporary) = tx.temporary(user, seq)?
        && temporary.state == TemporaryState::Running
    {
        temporary.state = TemporaryState::Undone { at: now };
        tx.put_temporary(&temporary)?;
    }
    Ok(())
}
