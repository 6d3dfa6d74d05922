//! Quota: the card's facts, and allocating.

use jiff::Timestamp;

use super::outcome::{Allocated, Level, QuotaView};
use super::{Error, Refusal, users};
use crate::domain::{Money, Operator, Settings, UserKey, UserStatus};
use crate::store::{StoreError, View, WriteTx};

/// Ledger entries on the quota card.
const ENTRIES_SHOWN: usize = 10;

/// The quota card's facts.
///
/// # Errors
/// [`Refusal::NoSuchUser`], or the store's.
pub fn view<S: crate::store::Source>(
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
        stale: users::stale(&links),
    })
}

/// Books an amount to a user's quota.
///
/// # Errors
/// [`Refusal::NoSuchUser`], [`Refusal::UserGone`] for adding to a user who is gone, [`Refusal::Ledger`].
pub fn allocate(
    tx: &WriteTx,
    settings: &Settings,
    key: &UserKey,
    amount: Money,
    note: &str,
    operator: &Operator,
    now: Timestamp,
) -> Result<Allocated, Error> {
    let user = users::get(tx, key)?;
    if user.status == UserStatus::Gone && amount.is_positive() {
        return Err(Refusal::UserGone(key.clone()).into());
    }
    let entry = tx.allocate(key, amount, note.trim(), operator, now)?;
    Ok(Allocated { entry, quota: view(tx, settings, key)? })
}

/// Who did it, with the name where it is known.
///
/// # Errors
/// The store's.
pub fn person<S: crate::store::Source>(
    tx: &View<S>,
    open_id: crate::domain::OpenId,
) -> Result<Operator, StoreError> {
    Ok(Operator::Person { name: tx.person_name(&open_id)?, open_id })
}
