//! Undoing an allocation of the last minutes.

use jiff::Timestamp;

use super::outcome::Undone;
use super::{Error, Refusal, quota, temporary};
use crate::domain::{LedgerEntry, Operator, Settings, TemporaryState, UserKey};
use crate::store::{Source, StoreError, View, WriteTx};

/// Undoes an allocation of the last minutes: books its amount back as an entry of its own. Access is not touched, and a
/// temporary allocation ends with it.
///
/// # Errors
/// [`Refusal::NothingToUndo`], [`Refusal::UndoneAlready`], [`Refusal::UndoTooLate`], [`Refusal::Ledger`] where the total would
/// fall below 0.
pub fn undo(
    tx: &WriteTx,
    settings: &Settings,
    key: &UserKey,
    seq: u64,
    operator: &Operator,
    now: Timestamp,
) -> Result<Undone, Error> {
    let (_, booked) = tx.ledger(key, 1)?;
    // The entries since the wanted one, newest first.
    let since = usize::try_from(booked.saturating_sub(seq)).unwrap_or(usize::MAX);
    let (entries, _) = tx.ledger(key, since.saturating_add(1))?;
    let entry = entries.iter().find(|entry| entry.seq == seq && entry.is_undoable());
    let entry = entry.ok_or(Refusal::NothingToUndo)?;
    if entry.undone_by(&entries).is_some() {
        return Err(Refusal::UndoneAlready.into());
    }
    if !entry.is_recent(now) || has_ended(tx, entry, &entries)? {
        return Err(Refusal::UndoTooLate.into());
    }
    let undone = quota::take_back(tx, entry, operator, now)?;
    temporary::undone(tx, key, seq, now)?;
    Ok(Undone { of: entry.clone(), entry: undone, quota: quota::view(tx, settings, key, now)? })
}

/// Returns whether temporary quota has ended so that undoing `entry` would be wrong: the entry was booked back already, or it
/// is a deduction that may have left less to book back. Undoing that would turn temporary quota into quota for good, which
/// nobody has approved.
fn has_ended<S: Source>(
    tx: &View<S>,
    entry: &LedgerEntry,
    since: &[LedgerEntry],
) -> Result<bool, StoreError> {
    // Also if the clock was set back in between.
    let books_back =
        |later: &LedgerEntry| later.operator == Operator::System && later.amount.is_negative();
    if entry.amount.is_negative()
        && since.iter().any(|later| later.seq > entry.seq && books_back(later))
    {
        return Ok(true);
    }
    let ended = |state: &TemporaryState| match state {
        TemporaryState::Ended { at, .. } => Some(*at),
        TemporaryState::Running | TemporaryState::Undone { .. } => None,
    };
    let temporaries = tx.temporaries_of(&entry.user)?;
    Ok(temporaries
        .iter()
        .filter_map(|it| Some((it.seq, ended(&it.state)?)))
        .any(|(seq, at)| seq == entry.seq || (entry.amount.is_negative() && at >= entry.at)))
}
