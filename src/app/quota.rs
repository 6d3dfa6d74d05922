//! Quota: what the card shows, and allocating.

use jiff::Timestamp;

use super::outcome::{Allocated, QuotaView, Undone};
use super::{Error, Refusal, access, users};
use crate::domain::{
    AccessGoal, Booking, LedgerEntry, Money, Offer, OpenId, Operator, Report, Settings, Unbilled,
    User, UserKey, UserStatus, ledger, offers, oldest_stale,
};
use crate::store::{Source, StoreError, View, WriteTx};

/// Ledger entries on the quota card.
const ENTRIES_SHOWN: usize = 10;

/// Reads what the quota card shows.
///
/// # Errors
/// [`Refusal::NoSuchUser`].
pub fn view<S: Source>(
    tx: &View<S>,
    settings: &Settings,
    key: &UserKey,
    now: Timestamp,
) -> Result<QuotaView, Error> {
    let user = users::get(tx, key)?;
    let (entries, total_entries) = tx.ledger(key, ENTRIES_SHOWN)?;
    let links = tx.links_of(key)?;
    Ok(QuotaView {
        condition: users::condition_of(tx, settings, &user, now)?,
        offers: amounts_to_offer(tx, &user)?,
        undoable: entries.first().filter(|it| it.can_be_undone(now)).map(|it| it.seq),
        pending: tx.access_pending(key)?,
        can_restore: access::check(tx, key, AccessGoal::Restored)
            .map(|_| true)
            .or_else(|error| error.refusal().map(|_| false))?,
        user,
        entries,
        total_entries,
        stale: oldest_stale(&links),
    })
}

/// Returns the amounts to offer for a top-up. What is estimated is counted as far as warnings or cuts count it, so that
/// what is offered is enough.
fn amounts_to_offer<S: Source>(tx: &View<S>, user: &User) -> Result<Vec<Offer>, StoreError> {
    if user.status == UserStatus::Gone {
        return Ok(Vec::new());
    }
    let estimated = tx.unbilled(user)?.map_or(Money::ZERO, |unbilled| unbilled.for_warnings());
    Ok(offers(user.quota, user.consumed + estimated))
}

/// An amount to add to a user's quota or, if it is below 0, to deduct from it.
#[derive(Clone, Copy, Debug)]
pub struct Allocation<'a> {
    /// Whose quota.
    pub user: &'a UserKey,
    /// How much.
    pub amount: Money,
    /// Why; trimmed when it is booked.
    pub note: &'a str,
    /// Who decided it.
    pub operator: &'a Operator,
}

/// Books an allocation: the one way into the ledger, whether from a command, a form or the creation of a user.
///
/// # Errors
/// [`Refusal::NoSuchUser`], [`Refusal::UserGone`] when adding to a user who is gone, [`Refusal::Ledger`].
pub fn book(tx: &WriteTx, new: &Allocation<'_>, now: Timestamp) -> Result<LedgerEntry, Error> {
    let booking = booking(tx, new, now)?;
    tx.put_booking(&booking)?;
    Ok(booking.entry().clone())
}

/// The entry that an allocation becomes, and the user after it.
fn booking(tx: &WriteTx, new: &Allocation<'_>, now: Timestamp) -> Result<Booking, Error> {
    let user = users::get(tx, new.user)?;
    if user.status == UserStatus::Gone && new.amount.is_positive() {
        return Err(Refusal::UserGone(new.user.clone()).into());
    }
    let (_, booked) = tx.ledger(new.user, 1)?;
    let unbilled = tx.unbilled(&user)?.map_or(Money::ZERO, |unbilled| unbilled.for_warnings());
    let (amount, note) = (new.amount, new.note.trim());
    let booking = ledger::book(user, unbilled, booked, amount, note, new.operator, now);
    Ok(booking.map_err(Refusal::from)?)
}

/// Books an allocation and returns the quota card that results.
///
/// # Errors
/// As [`book`].
pub fn allocate(
    tx: &WriteTx,
    settings: &Settings,
    new: &Allocation<'_>,
    now: Timestamp,
) -> Result<Allocated, Error> {
    let entry = book(tx, new, now)?;
    Ok(Allocated { entry, quota: view(tx, settings, new.user, now)? })
}

/// Books an allocation and has access restored, or neither. Enforcement reports to `report` once access works.
///
/// # Errors
/// As [`book`] and [`access::request`].
pub fn allocate_and_restore(
    tx: &WriteTx,
    settings: &Settings,
    new: &Allocation<'_>,
    report: Option<Report>,
    now: Timestamp,
) -> Result<Allocated, Error> {
    let booking = booking(tx, new, now)?.with_access();
    tx.put_booking(&booking)?;
    let (entry, goal) = (booking.entry().clone(), AccessGoal::Restored);
    access::request(tx, new.user, goal, new.operator.clone(), report, now)?;
    Ok(Allocated { entry, quota: view(tx, settings, new.user, now)? })
}

/// Undoes an allocation of the last minutes: books its amount back as an entry of its own. Access is not touched.
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
    let user = users::get(tx, key)?;
    let (_, booked) = tx.ledger(key, 1)?;
    // The entries since the wanted one, newest first.
    let since = usize::try_from(booked.saturating_sub(seq)).unwrap_or(usize::MAX);
    let (entries, _) = tx.ledger(key, since.saturating_add(1))?;
    let entry = entries.iter().find(|entry| entry.seq == seq && entry.undoes.is_none());
    let entry = entry.ok_or(Refusal::NothingToUndo)?;
    if entry.undone_by(&entries).is_some() {
        return Err(Refusal::UndoneAlready.into());
    }
    if !entry.is_recent(now) {
        return Err(Refusal::UndoTooLate.into());
    }
    let unbilled = tx.unbilled(&user)?.as_ref().map_or(Money::ZERO, Unbilled::for_warnings);
    let booking = ledger::undo(user, unbilled, booked, entry, operator, now);
    let booking = booking.map_err(Refusal::from)?;
    tx.put_booking(&booking)?;
    Ok(Undone {
        of: entry.clone(),
        entry: booking.entry().clone(),
        quota: view(tx, settings, key, now)?,
    })
}

/// Returns a person as an operator, with their name if it is known.
pub fn person<S: Source>(tx: &View<S>, open_id: OpenId) -> Result<Operator, StoreError> {
    Ok(Operator::Person { name: tx.person_name(&open_id)?, open_id })
}
