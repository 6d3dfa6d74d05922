//! Tests of the store. This file has what they have in common.

mod alerts;
mod crash;
mod directory;
mod estimate;
mod exactly_once;
mod ledger;
mod links;
mod old_values;
mod opening;
mod owed;
mod properties;
mod recording;
mod released;
mod rename;
mod spending;
mod together;
mod unreadable;
mod users;

use jiff::Timestamp;
use redb::backends::InMemoryBackend;
use rust_decimal::Decimal;

use super::{ReadTx, Store, StoreError, WriteTx};
use crate::app::Error;
use crate::app::quota::{self, Allocation};
use crate::domain::{
    AccountId, BillPeriod, Counts, Freshness, LedgerEntry, Money, Operator, ProjectLink,
    ProjectName, Switch, User, UserKey,
};

pub(super) const KEY: [u8; 32] = [7; 32];

pub(super) fn in_memory() -> Store {
    Store::with_backend(InMemoryBackend::new(), &KEY).unwrap()
}

pub(super) fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// 2026-11-23, 10:00 in Beijing.
pub(super) fn now() -> Timestamp {
    at("2026-11-23T02:00:00Z")
}

pub(super) fn account(id: &str) -> AccountId {
    AccountId::new(id).unwrap()
}

pub(super) fn user(key: &str) -> UserKey {
    key.parse().unwrap()
}

pub(super) fn project(name: &str) -> ProjectName {
    ProjectName::new(name).unwrap()
}

pub(super) fn month(text: &str) -> BillPeriod {
    text.parse().unwrap()
}

pub(super) fn money(text: &str) -> Money {
    text.parse().unwrap()
}

pub(super) fn micros(micros: i128) -> Money {
    Money::new(Decimal::from_i128_with_scale(micros, 6))
}

/// Commits what `f` does.
pub(super) fn write<T>(store: &Store, f: impl FnOnce(&WriteTx) -> Result<T, StoreError>) -> T {
    store.write(f).unwrap()
}

/// Reads from a snapshot.
pub(super) fn seen<T>(store: &Store, f: impl FnOnce(&ReadTx) -> Result<T, StoreError>) -> T {
    store.read(f).unwrap()
}

/// Adds a user with nothing allocated.
pub(super) fn add_user(store: &Store, key: &str) -> User {
    let user = User::new(user(key), now());
    write(store, |tx| tx.put_user(&user));
    user
}

/// A monitored link, not read yet.
pub(super) fn link(key: &str, name: &str, since: &str) -> ProjectLink {
    ProjectLink {
        user: user(key),
        project: project(name),
        display_name: String::new(),
        monitored: Switch::On,
        since: month(since),
        counts: Counts::Whole,
        spending: Money::ZERO,
        freshness: Freshness::Pending,
        created: now(),
    }
}

/// Books an allocation made by a person.
pub(super) fn allocate(
    tx: &WriteTx,
    user: &UserKey,
    amount: Money,
    note: &str,
    at: Timestamp,
) -> Result<LedgerEntry, Error> {
    quota::book(tx, &Allocation { user, amount, note, operator: &somebody() }, at)
}

pub(super) fn somebody() -> Operator {
    Operator::Person { open_id: "ou_1".parse().unwrap(), name: Some("王".to_owned()) }
}
