//! One transaction's view of the tables: reading, writing and scanning rows.

use std::borrow::Borrow;
use std::cell::RefCell;
use std::fmt::Debug;
use std::ops::{ControlFlow, RangeBounds};
use std::sync::Arc;

use redb::{
    Key, ReadTransaction, ReadableTable, TableDefinition, TableError, Value, WriteTransaction,
};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::StoreError;
use super::directory::Directory;
use super::tables::{COUNTERS, Declared, Json, Visitor, name_once, visit_tables};

/// One transaction's view of the tables, and the users as it sees them.
pub struct View<S>(pub(super) S, pub(super) RefCell<Directory>);

/// What a read and a write transaction have in common.
pub trait Source {
    /// An open table.
    type Table<'a, K: Key + 'static, V: Value + 'static>: ReadableTable<K, V>
    where
        Self: 'a;

    /// Opens a table.
    fn table<K: Key + 'static, V: Value + 'static>(
        &self,
        table: TableDefinition<'static, K, V>,
    ) -> Result<Self::Table<'_, K, V>, TableError>;
}

impl Source for Arc<ReadTransaction> {
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

/// The direction in which a range is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    /// From the first key.
    Ascending,
    /// From the last key.
    Descending,
}

impl<S: Source> View<S> {
    pub(super) fn open<D: Declared>(
        &self,
        table: D,
    ) -> Result<S::Table<'_, D::Key, D::Value>, StoreError> {
        Ok(self.0.table(table.definition())?)
    }

    /// Lets a chore go on with others where a row about `whom` cannot be read: that is named in the log, once, and gives
    /// `None`. Whoever makes `read` writes only after the last read.
    pub fn or_left_out<T>(
        &self,
        whom: impl Debug,
        read: Result<T, StoreError>,
    ) -> Result<Option<T>, StoreError> {
        match read {
            Ok(value) => Ok(Some(value)),
            Err(error @ StoreError::Codec { table, .. }) => {
                name_once(table, whom, &error);
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    pub(super) fn get<'k, K: Key + 'static, T: DeserializeOwned>(
        &self,
        table: Json<K, T>,
        key: impl Borrow<K::SelfType<'k>>,
    ) -> Result<Option<T>, StoreError> {
        match self.open(table)?.get(key)? {
            Some(value) => Ok(Some(table.decode(value.value())?)),
            None => Ok(None),
        }
    }

    /// Like [`View::get`], for rows that are read often; see [`super::decoded`].
    pub(super) fn get_again<'k, K: Key + 'static, T>(
        &self,
        table: Json<K, T>,
        key: impl Borrow<K::SelfType<'k>>,
    ) -> Result<Option<T>, StoreError>
    where
        T: DeserializeOwned + Clone + Send + Sync + 'static,
    {
        self.open(table)?.get(key)?.map(|row| table.decode_again(row.value())).transpose()
    }

    /// Like [`View::get_again`], for large rows, which are not copied.
    pub(super) fn get_shared<'k, K: Key + 'static, T>(
        &self,
        table: Json<K, T>,
        key: impl Borrow<K::SelfType<'k>>,
    ) -> Result<Option<Arc<T>>, StoreError>
    where
        T: DeserializeOwned + Clone + Send + Sync + 'static,
    {
        self.open(table)?.get(key)?.map(|row| table.decode_shared(row.value())).transpose()
    }

    /// Like [`View::get`], but a value that cannot be read counts as missing.
    pub(super) fn get_or_skip<'k, K: Key + 'static, T: DeserializeOwned>(
        &self,
        table: Json<K, T>,
        key: impl Borrow<K::SelfType<'k>>,
    ) -> Result<Option<T>, StoreError>
    where
        K::SelfType<'k>: Debug,
    {
        let rows = self.open(table)?;
        let value = rows.get(key.borrow())?;
        Ok(value.and_then(|value| table.decode_or_skip(key.borrow(), value.value())))
    }

    /// Returns every value of a table, in key order.
    pub(super) fn all<K: Key + 'static, T: DeserializeOwned>(
        &self,
        table: Json<K, T>,
    ) -> Result<Vec<T>, StoreError> {
        self.open(table)?.iter()?.map(|row| table.decode(row?.1.value())).collect()
    }

    /// Returns the values from the key `first` on, in key order, up to the first key that does not `belong` to the
    /// prefix.
    pub(super) fn with_prefix<'k, K: Key + 'static, T: DeserializeOwned>(
        &self,
        table: Json<K, T>,
        first: K::SelfType<'k>,
        belongs: impl Fn(K::SelfType<'_>) -> bool,
    ) -> Result<Vec<T>, StoreError> {
        let mut values = Vec::new();
        for row in self.open(table)?.range::<K::SelfType<'k>>(first..)? {
            let (key, value) = row?;
            if !belongs(key.value()) {
                break;
            }
            values.push(table.decode(value.value())?);
        }
        Ok(values)
    }

    /// Calls `each` for the rows of `range` that can be read, in key order (or from the end), until it breaks.
    pub(super) fn scan_readable<'k, K, T, Q, R>(
        &self,
        table: Json<K, T>,
        range: R,
        order: Order,
        mut each: impl FnMut(K::SelfType<'_>, T) -> ControlFlow<()>,
    ) -> Result<(), StoreError>
    where
        K: Key + 'static,
        for<'r> K::SelfType<'r>: Debug,
        T: DeserializeOwned,
        Q: Borrow<K::SelfType<'k>> + 'k,
        R: RangeBounds<Q> + 'k,
    {
        self.rows(table, range, order, |key, bytes| match table.decode_or_skip(&key, bytes) {
            Some(value) => Ok(each(key, value)),
            None => Ok(ControlFlow::Continue(())),
        })
    }

    /// Calls `each` for the rows of `range`, in key order (or from the end), until it breaks. Fails at the first that cannot
    /// be read.
    pub(super) fn scan<'k, K, T, Q, R>(
        &self,
        table: Json<K, T>,
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
        self.rows(table, range, order, |key, bytes| Ok(each(key, table.decode(bytes)?)))
    }

    fn rows<'k, K, T, Q, R>(
        &self,
        table: Json<K, T>,
        range: R,
        order: Order,
        mut each: impl FnMut(K::SelfType<'_>, &[u8]) -> Result<ControlFlow<()>, StoreError>,
    ) -> Result<(), StoreError>
    where
        K: Key + 'static,
        Q: Borrow<K::SelfType<'k>> + 'k,
        R: RangeBounds<Q> + 'k,
    {
        let opened = self.open(table)?;
        let mut rows = opened.range::<Q>(range)?;
        while let Some(row) = match order {
            Order::Ascending => rows.next(),
            Order::Descending => rows.next_back(),
        } {
            let (key, value) = row?;
            if each(key.value(), value.value())?.is_break() {
                break;
            }
        }
        Ok(())
    }
}

impl View<WriteTransaction> {
    pub(super) fn put<'k, K: Key + 'static, T: Serialize>(
        &self,
        table: Json<K, T>,
        key: impl Borrow<K::SelfType<'k>>,
        value: &T,
    ) -> Result<(), StoreError> {
        let bytes = table.encode(value)?;
        self.open(table)?.insert(key, bytes.as_slice())?;
        Ok(())
    }

    /// Returns the next number of a counter, from 1. No number is assigned twice.
    pub(super) fn next_number(&self, counter: &'static str) -> Result<u64, StoreError> {
        let mut counters = self.open(COUNTERS)?;
        let next = counters.get(counter)?.map_or(0, |last| last.value()).saturating_add(1);
        counters.insert(counter, next)?;
        Ok(next)
    }

    /// Creates every table that is missing, so that snapshots never meet a missing one.
    pub(super) fn create_tables(&self) -> Result<(), StoreError> {
        visit_tables(&mut Create(&self.0))
    }
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
