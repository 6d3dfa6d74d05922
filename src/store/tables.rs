//! Tables, their keys, and how values are encoded.
//!
//! Keys are typed tuples in the order they are listed. Values are JSON: self-describing, with defaults for what an older
//! file lacks, so that yesterday's file opens tomorrow.

use std::borrow::Borrow;
use std::cell::RefCell;
use std::ops::{ControlFlow, RangeBounds};

use redb::{
    Key, ReadTransaction, ReadableTable, TableDefinition, TableError, Value, WriteTransaction,
};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::StoreError;
use super::directory::Directory;

/// A table of JSON values.
pub(super) type Json<K> = TableDefinition<'static, K, &'static [u8]>;

type One = &'static str;
type Two = (&'static str, &'static str);
type Three = (&'static str, &'static str, &'static str);

/// name -> value: schema version, saved settings, the monitor's memory …
pub(super) const META: Json<One> = TableDefinition::new("meta");
/// name -> last number given out
pub(super) const COUNTERS: TableDefinition<'static, One, u64> = TableDefinition::new("counters");
/// account
pub(super) const ACCOUNTS: Json<One> = TableDefinition::new("accounts");
/// account, or name of a pair that waits to be checked -> sealed key pair; the key is what it is bound to
pub(super) const SECRETS: TableDefinition<'static, One, &'static [u8]> =
    TableDefinition::new("secrets");
/// (account, username)
pub(super) const USERS: Json<Two> = TableDefinition::new("users");
/// (account, username, project)
pub(super) const LINKS: Json<Three> = TableDefinition::new("links");
/// (account, project)
pub(super) const PROJECTS: Json<Two> = TableDefinition::new("projects");
/// account -> when its projects were last listed, milliseconds since 1970
pub(super) const PROJECTS_LISTED: TableDefinition<'static, One, i64> =
    TableDefinition::new("projects_listed");
/// (account, username, seq)
pub(super) const LEDGER: Json<(One, One, u64)> = TableDefinition::new("ledger");
/// (account, project, period as YYYYMM)
pub(super) const BILLS: Json<(One, One, u32)> = TableDefinition::new("bills");
/// (period as YYYYMM, account, username, project or "" for the total)
pub(super) const SPENDING: Json<(u32, One, One, One)> = TableDefinition::new("spending");
/// period as YYYYMM -> the sum of all users' totals
pub(super) const PERIOD_TOTALS: Json<u32> = TableDefinition::new("period_totals");
/// (period as YYYYMM, rank of the user's total, account, username): the users of a period, dearest first
pub(super) const SPENDING_RANKED: TableDefinition<'static, (u32, i128, One, One), ()> =
    TableDefinition::new("spending_ranked");
/// alert id
pub(super) const ALERTS: Json<u64> = TableDefinition::new("alerts");
/// (account, username, alert id): alerts of one user
pub(super) const USER_ALERTS: TableDefinition<'static, (One, One, u64), ()> =
    TableDefinition::new("user_alerts");
/// (kind, alert id): alerts of one kind
pub(super) const KIND_ALERTS: TableDefinition<'static, (One, u64), ()> =
    TableDefinition::new("kind_alerts");
/// (account, username) -> change of access under way
pub(super) const ACCESS_PENDING: Json<Two> = TableDefinition::new("access_pending");
/// (account, username) -> what a restore puts back
pub(super) const ACCESS_REMEMBERED: Json<Two> = TableDefinition::new("access_remembered");
/// (account, username, project) -> policies that airgate attached there, or is to
pub(super) const AUTHORISATIONS: Json<Three> = TableDefinition::new("authorisations");
/// (account, username, project) of those for which something is owed
pub(super) const AUTHORISATIONS_OWED: TableDefinition<'static, Three, ()> =
    TableDefinition::new("authorisations_owed");
/// creation id
pub(super) const CREATIONS: Json<u64> = TableDefinition::new("creations");
/// `e:` event id, `m:` message id -> when it was seen, milliseconds since 1970
pub(super) const SEEN: TableDefinition<'static, One, i64> = TableDefinition::new("seen");
/// (when, key of `seen`)
pub(super) const SEEN_BY_TIME: TableDefinition<'static, (i64, One), ()> =
    TableDefinition::new("seen_by_time");
/// op -> outcome
pub(super) const OPS: Json<One> = TableDefinition::new("ops");
/// (when, op)
pub(super) const OPS_BY_TIME: TableDefinition<'static, (i64, One), ()> =
    TableDefinition::new("ops_by_time");
/// (lane, id) -> owed message
pub(super) const OUTBOX: Json<(One, u64)> = TableDefinition::new("outbox");
/// (alert id, owed id) -> how far that way of delivering the alert is
pub(super) const ALERT_OWED: TableDefinition<'static, (u64, u64), u8> =
    TableDefinition::new("alert_owed");
/// owed id -> message id that it became
pub(super) const SENT: TableDefinition<'static, u64, One> = TableDefinition::new("sent");
/// owed id -> message that was given up
pub(super) const FAILED: Json<u64> = TableDefinition::new("failed");
/// task id
pub(super) const TASKS: Json<u64> = TableDefinition::new("tasks");
/// open_id -> name
pub(super) const PEOPLE: Json<One> = TableDefinition::new("people");
/// open_id -> the direct chat with that person
pub(super) const DIRECT_CHATS: TableDefinition<'static, One, One> =
    TableDefinition::new("direct_chats");
/// who or which chat was welcomed -> when, milliseconds since 1970
pub(super) const WELCOMED: TableDefinition<'static, One, i64> = TableDefinition::new("welcomed");
/// account -> its balance as last read
pub(super) const BALANCES: Json<One> = TableDefinition::new("balances");

/// chat_id -> what kind of chat it is, and when the bot was last spoken to there
pub(super) const CHATS: Json<One> = TableDefinition::new("chats");

/// One transaction's view of the tables, and the users as it sees them.
pub struct View<S>(pub(super) S, pub(super) RefCell<Directory>);

/// What a read and a write transaction have in common.
pub trait Source {
    /// An open table.
    type Table<'a, K: Key + 'static, V: Value + 'static>: ReadableTable<K, V>
    where
        Self: 'a;

    /// Opens a table.
    ///
    /// # Errors
    /// redb's.
    fn table<K: Key + 'static, V: Value + 'static>(
        &self,
        table: TableDefinition<'static, K, V>,
    ) -> Result<Self::Table<'_, K, V>, TableError>;
}

impl Source for ReadTransaction {
    type Table<'a, K: Key + 'static, V: Value + 'static> = redb::ReadOnlyTable<K, V>;

    fn table<K: Key + 'static, V: Value + 'static>(
        &self,
        table: TableDefinition<'static, K, V>,
    ) -> Result<Self::Table<'_, K, V>, TableError> {
        self.open_table(table)
    }
}

impl Source for WriteTransaction {
    type Table<'a, K: Key + 'static, V: Value + 'static> = redb::Table<'a, K, V>;

    fn table<K: Key + 'static, V: Value + 'static>(
        &self,
        table: TableDefinition<'static, K, V>,
    ) -> Result<Self::Table<'_, K, V>, TableError> {
        self.open_table(table)
    }
}

impl<S: Source> View<S> {
    pub(super) fn get<'k, K: Key + 'static, T: DeserializeOwned>(
        &self,
        table: Json<K>,
        name: &'static str,
        key: impl Borrow<K::SelfType<'k>>,
    ) -> Result<Option<T>, StoreError> {
        match self.0.table(table)?.get(key)? {
            Some(value) => Ok(Some(decode(name, value.value())?)),
            None => Ok(None),
        }
    }

    /// Calls `each` for the rows of `range`, in key order (or from the end), until it breaks.
    pub(super) fn scan<'k, K, T, Q, R>(
        &self,
        table: Json<K>,
        name: &'static str,
        range: R,
        order: Order,
        mut each: impl FnMut(K::SelfType<'_>, T) -> ControlFlow<()>,
    ) -> Result<(), StoreError>
    where
        K: Key + 'static,
        T: DeserializeOwned,
        Q: Borrow<K::SelfType<'k>> + 'k,
        R: RangeBounds<Q> + 'k,
    {
        let table = self.0.table(table)?;
        let mut rows = table.range::<Q>(range)?;
        while let Some(row) = match order {
            Order::Ascending => rows.next(),
            Order::Descending => rows.next_back(),
        } {
            let (key, value) = row?;
            if each(key.value(), decode(name, value.value())?).is_break() {
                break;
            }
        }
        Ok(())
    }
}

/// From which end a range is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    /// From the first key.
    Ascending,
    /// From the last key.
    Descending,
}

impl View<WriteTransaction> {
    pub(super) fn put<'k, K: Key + 'static, T: Serialize>(
        &self,
        table: Json<K>,
        name: &'static str,
        key: impl Borrow<K::SelfType<'k>>,
        value: &T,
    ) -> Result<(), StoreError> {
        let bytes = serde_json::to_vec(value)
            .map_err(|source| StoreError::Codec { table: name, source })?;
        self.0.open_table(table)?.insert(key, bytes.as_slice())?;
        Ok(())
    }

    /// The next number of a counter, from 1. Numbers are never given out twice.
    pub(super) fn next_number(&self, counter: &'static str) -> Result<u64, StoreError> {
        let mut counters = self.0.open_table(COUNTERS)?;
        let next = counters.get(counter)?.map_or(0, |last| last.value()).saturating_add(1);
        counters.insert(counter, next)?;
        Ok(next)
    }

    /// Makes every table, so that snapshots never meet a missing one.
    pub(super) fn create_tables(&self) -> Result<(), StoreError> {
        visit_tables(&mut Create(&self.0))
    }
}

/// Does something to each table, whatever its types are.
pub(super) trait Visitor {
    /// Why it stops.
    type Error;

    /// Does it to one table.
    fn visit<K: Key + 'static, V: Value + 'static>(
        &mut self,
        table: TableDefinition<'static, K, V>,
    ) -> Result<(), Self::Error>;
}

/// Shows `visitor` every table. The one list of them: what is not in it is neither made nor backed up.
pub(super) fn visit_tables<T: Visitor>(visitor: &mut T) -> Result<(), T::Error> {
    visitor.visit(META)?;
    visitor.visit(COUNTERS)?;
    visitor.visit(ACCOUNTS)?;
    visitor.visit(SECRETS)?;
    visitor.visit(USERS)?;
    visitor.visit(LINKS)?;
    visitor.visit(PROJECTS)?;
    visitor.visit(PROJECTS_LISTED)?;
    visitor.visit(LEDGER)?;
    visitor.visit(BILLS)?;
    visitor.visit(SPENDING)?;
    visitor.visit(PERIOD_TOTALS)?;
    visitor.visit(SPENDING_RANKED)?;
    visitor.visit(ALERTS)?;
    visitor.visit(USER_ALERTS)?;
    visitor.visit(KIND_ALERTS)?;
    visitor.visit(ACCESS_PENDING)?;
    visitor.visit(ACCESS_REMEMBERED)?;
    visitor.visit(AUTHORISATIONS)?;
    visitor.visit(AUTHORISATIONS_OWED)?;
    visitor.visit(CREATIONS)?;
    visitor.visit(SEEN)?;
    visitor.visit(SEEN_BY_TIME)?;
    visitor.visit(OPS)?;
    visitor.visit(OPS_BY_TIME)?;
    visitor.visit(OUTBOX)?;
    visitor.visit(ALERT_OWED)?;
    visitor.visit(SENT)?;
    visitor.visit(FAILED)?;
    visitor.visit(TASKS)?;
    visitor.visit(PEOPLE)?;
    visitor.visit(CHATS)?;
    visitor.visit(DIRECT_CHATS)?;
    visitor.visit(WELCOMED)?;
    visitor.visit(BALANCES)?;
    Ok(())
}

struct Create<'a>(&'a WriteTransaction);

impl Visitor for Create<'_> {
    type Error = StoreError;

    fn visit<K: Key + 'static, V: Value + 'static>(
        &mut self,
        table: TableDefinition<'static, K, V>,
    ) -> Result<(), StoreError> {
        self.0.open_table(table)?;
        Ok(())
    }
}

pub(super) fn decode<T: DeserializeOwned>(
    table: &'static str,
    bytes: &[u8],
) -> Result<T, StoreError> {
    serde_json::from_slice(bytes).map_err(|source| StoreError::Codec { table, source })
}
