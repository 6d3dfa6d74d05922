//! Quota: what the card shows, and allocating.

use jiff::Timestamp;

use super::outcome::{Allocated, Level, QuotaView};
use super::{Error, Refusal, users};
use crate::domain::{
    LedgerEntry, Money, OpenId, Operator, Settings, UserKey, UserStatus, ledger, oldest_stale,
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
) -> Result<QuotaView, Error> {
    let user = users::get(tx, key)?;
    let (entries, total_entries) = tx.ledger(key, ENTRIES_SHOWN)?;
    let links = tx.links_of(key)?;
    Ok(QuotaView {
        level: Level::of(&user, users::thresholds_of(&user, settings)),
        user,
        entries,
        total_entries,
        stale: oldest_stale(&links),
    })
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
    let user = users::get(tx, new.user)?;
    if user.status == UserStatus::Gone && new.amount.is_positive() {
        return Err(Refusal::UserGone(new.user.clone()).into());
    }
    let (_, booked) = tx.ledger(new.user, 1)?;
    let unbilled = tx.unbilled(&user)?.map_or(Money::ZERO, |unbilled| unbilled.for_warnings());
    let (amount, note) = (new.amount, new.note.trim());
    let booking = ledger::book(user, unbilled, booked, amount, note, new.operator, now)
        .map_err(Refusal::from)?;
    tx.put_booking(&booking)?;
    Ok(booking.entry().clone())
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
    Ok(Allocated { entry, quota: view(tx, settings, new.user)? })
}

/// Returns a person as an operator, with their name if it is known.
pub fn person<S: Source>(tx: &View<S>, open_id: OpenId) -> Result<Operator, StoreError> {
    Ok(Operator::Person { name: tx.person_name(&open_id)?, open_id })
}
