//! Quota: what the card shows, and allocating.

use jiff::Timestamp;
use jiff::civil::Date;

use super::outcome::QuotaView;
use super::{Error, Refusal, access, users};
use crate::domain::{
    AccessGoal, Booking, FarAbove, LedgerEntry, Money, Offer, OpenId, Operator, Parties, Settings,
    Temporary, TemporaryState, Unbilled, User, UserKey, UserStatus, far_above, ledger, offers,
    oldest_stale,
};
use crate::store::{Source, StoreError, View, WriteTx};

/// Ledger entries on the quota card.
const ENTRIES_SHOWN: usize = 10;

/// Max ledger entries among which the largest is looked for.
const ENTRIES_COMPARED: usize = 200;

/// An amount that is asked back about before it is booked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AskedBack {
    /// Whose quota.
    pub user: User,
    /// The amount.
    pub amount: Money,
    /// Why it is asked back about.
    pub why: AskedWhy,
}

/// Why an amount is asked back about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AskedWhy {
    /// It looks like a slip: it is far above what is usual.
    FarAbove(FarAbove),
    /// It leaves nothing allocated, so the quota limits the user no more ([`User::would_run_free`]).
    LeavesNothing,
}

/// Returns whether a typed amount is asked back about: it looks like a slip ([`far_above`]), or ends the limit of the quota.
///
/// # Errors
/// [`Refusal::NoSuchUser`].
pub fn asks_back<S: Source>(
    tx: &View<S>,
    key: &UserKey,
    amount: Money,
) -> Result<Option<AskedBack>, Error> {
    let user = users::get(tx, key)?;
    if user.would_run_free(amount) {
        return Ok(Some(AskedBack { user, amount, why: AskedWhy::LeavesNothing }));
    }
    let (entries, _) = tx.ledger(key, ENTRIES_COMPARED)?;
    // What was taken back was a slip itself, perhaps.
    let stands =
        |entry: &&LedgerEntry| entry.undoes.is_none() && entry.undone_by(&entries).is_none();
    let amounts = entries.iter().filter(stands).map(|entry| entry.amount);
    let largest = amounts.max().unwrap_or(Money::ZERO);
    let above = far_above(amount, user.quota, largest);
    Ok(above.map(|above| AskedBack { user, amount, why: AskedWhy::FarAbove(above) }))
}

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
    let mut temporary = tx.temporaries_of(key)?;
    temporary.retain(|it| it.state == TemporaryState::Running);
    temporary.sort_by_key(|it| it.last_day);
    Ok(QuotaView {
        temporary,
        approvals: tx.waiting_approvals_of(key)?,
        condition: users::condition_of(tx, settings, &user, now)?,
        thresholds: users::thresholds_of(&user, settings).clone(),
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

/// Books an allocation: the one way into the ledger. People allocate through [`super::approvals::allocate`].
///
/// # Errors
/// [`Refusal::NoSuchUser`], [`Refusal::UserGone`] when adding to a user who is gone, [`Refusal::Ledger`].
pub fn book(tx: &WriteTx, new: &Allocation<'_>, now: Timestamp) -> Result<LedgerEntry, Error> {
    book_naming(tx, new, Parties::default(), false, now)
}

/// Books an allocation, names who else had a part in it, and says whether access is restored with it.
///
/// # Errors
/// As [`book`].
pub(super) fn book_naming(
    tx: &WriteTx,
    new: &Allocation<'_>,
    parties: Parties,
    with_access: bool,
    now: Timestamp,
) -> Result<LedgerEntry, Error> {
    let booking = prepare(tx, new, now)?.naming(parties);
    let booking = if with_access { booking.with_access() } else { booking };
    tx.put_booking(&booking)?;
    Ok(booking.entry().clone())
}

/// Books back temporary quota whose last day was `day`.
///
/// # Errors
/// As [`book`].
pub(super) fn book_back(
    tx: &WriteTx,
    back: &Allocation<'_>,
    day: Date,
    now: Timestamp,
) -> Result<LedgerEntry, Error> {
    let booking = prepare(tx, back, now)?.ending(day);
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
    users::not_in_batch(tx, new.user)?;
    booking_of(tx, user, new, now)
}

/// Books what a batch has decided: nobody has changed the user's quota since it was checked. Unlike [`book`], it does not ask
/// whether the user has left the cloud in the meantime.
///
/// # Errors
/// As [`book`].
pub(super) fn book_decided(
    tx: &WriteTx,
    new: &Allocation<'_>,
    parties: Parties,
    now: Timestamp,
) -> Result<LedgerEntry, Error> {
    let user = users::get(tx, new.user)?;
    let booking = booking_of(tx, user, new, now)?.naming(parties);
    tx.put_booking(&booking)?;
    Ok(booking.entry().clone())
}

fn booking_of<S: Source>(
    tx: &View<S>,
    user: User,
    new: &Allocation<'_>,
    now: Timestamp,
) -> Result<Booking, Error> {
    let (_, booked) = tx.ledger(new.user, 1)?;
    let unbilled = tx.unbilled(&user)?.map_or(Money::ZERO, |unbilled| unbilled.for_warnings());
    let (amount, note) = (new.amount, new.note.trim());
    let booking = ledger::book(user, unbilled, booked, amount, note, new.operator, now);
    Ok(booking.map_err(Refusal::from)?)
}

/// Books an entry's amount back. Whether the entry may be undone is checked by [`super::undo`].
///
/// # Errors
/// [`Refusal::NoSuchUser`], [`Refusal::Ledger`] where the total would fall below 0.
pub(super) fn take_back(
    tx: &WriteTx,
    entry: &LedgerEntry,
    operator: &Operator,
    now: Timestamp,
) -> Result<LedgerEntry, Error> {
    let user = users::get(tx, &entry.user)?;
    users::not_in_batch(tx, &entry.user)?;
    let (_, booked) = tx.ledger(&entry.user, 1)?;
    let unbilled = tx.unbilled(&user)?.as_ref().map_or(Money::ZERO, Unbilled::for_warnings);
    let booking = ledger::undo(user, unbilled, booked, entry, operator, now);
    let mut booking = booking.map_err(Refusal::from)?;
    // Temporary quota that ended since then, while this entry was there to be left of it.
    let ended =
        |it: &Temporary| matches!(it.state, TemporaryState::Ended { at, .. } if at >= entry.at);
    let temporaries = tx.temporaries_of(&entry.user)?;
    if let Some(day) = temporaries.iter().filter(|it| ended(it)).map(|it| it.last_day).max() {
        booking = booking.ending(day);
    }
    tx.put_booking(&booking)?;
    Ok(booking.entry().clone())
}

/// Returns a person as an operator, with their name if it is known.
pub fn person<S: Source>(tx: &View<S>, open_id: OpenId) -> Result<Operator, StoreError> {
    Ok(Operator::Person { name: tx.person_name(&open_id)?, open_id })
}
