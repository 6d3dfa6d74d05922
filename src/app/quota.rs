//! Quota: what the card shows, and allocating.

use jiff::Timestamp;

use super::outcome::{Level, QuotaView};
use super::{Error, Refusal, users};
use crate::domain::{
    Booking, LedgerEntry, Money, OpenId, Operator, Parties, Settings, TemporaryState, UserKey,
    UserStatus, ledger, oldest_stale,
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
    let mut temporary = tx.temporaries_of(key)?;
    temporary.retain(|it| it.state == TemporaryState::Running);
    temporary.sort_by_key(|it| it.last_day);
    Ok(QuotaView {
        temporary,
        approvals: tx.waiting_approvals_of(key)?,
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

/// Books an allocation: the one way into the ledger. People allocate through [`super::approvals::allocate`].
///
/// # Errors
/// [`Refusal::NoSuchUser`], [`Refusal::UserGone`] when adding to a user who is gone, [`Refusal::Ledger`].
pub fn book(tx: &WriteTx, new: &Allocation<'_>, now: Timestamp) -> Result<LedgerEntry, Error> {
    book_naming(tx, new, Parties::default(), now)
}

/// Books an allocation and names who else had a part in it.
///
/// # Errors
/// As [`book`].
pub(super) fn book_naming(
    tx: &WriteTx,
    new: &Allocation<'_>,
    parties: Parties,
    now: Timestamp,
) -> Result<LedgerEntry, Error> {
    let booking = prepare(tx, new, now)?.naming(parties);
    tx.put_booking(&booking)?;
    Ok(booking.entry().clone())
}

/// Returns the booking of an allocation without writing it.
///
/// # Errors
/// As [`book`].
pub(super) fn prepare<S: Source>(
    tx: &View<S>,
    new: &Allocation<'_>,
    now: Timestamp,
) -> Result<Booking, Error> {
    let user = users::get(tx, new.user)?;
    if user.status == UserStatus::Gone && new.amount.is_positive() {
        return Err(Refusal::UserGone(new.user.clone()).into());
    }
    let (_, booked) = tx.ledger(new.user, 1)?;
    let unbilled = tx.unbilled(&user)?.map_or(Money::ZERO, |unbilled| unbilled.for_warnings());
    let (amount, note) = (new.amount, new.note.trim());
    let booking = ledger::book(user, unbilled, booked, amount, note, new.operator, now)
        .map_err(Refusal::from)?;
    Ok(booking)
}

/// Returns a person as an operator, with their name if it is known.
pub fn person<S: Source>(tx: &View<S>, open_id: OpenId) -> Result<Operator, StoreError> {
    Ok(Operator::Person { name: tx.person_name(&open_id)?, open_id })
}
