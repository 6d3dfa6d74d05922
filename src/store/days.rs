//! Amounts by day. The sum of each day is kept, so that no reader has to add up its projects.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::ops::ControlFlow;

use jiff::civil::Date;
use redb::ReadableTable;

use super::recording::DayRow;
use super::tables::{DAY_TOTALS, DAYS, DAYS_ONCE};
use super::view::{Order, Source, View};
use super::{StoreError, WriteTx, keys};
use crate::domain::{AccountId, Money, ProjectName};

impl<S: Source> View<S> {
    /// Returns a project's amount on each of these days, in their order; zero on days without spending.
    pub fn project_days(
        &self,
        account: &AccountId,
        project: &ProjectName,
        days: &[Date],
    ) -> Result<Vec<Money>, StoreError> {
        let table = self.open(DAYS)?;
        let amounts = days.iter().map(|day| {
            let row = table.get((account.as_str(), keys::of_day(*day), project.as_str()))?;
            row.map_or(Ok(Money::ZERO), |row| DAYS.decode(row.value()))
        });
        amounts.collect()
    }

    /// Returns an account's amount on each of these days, in their order; zero on days without spending.
    pub fn account_days(
        &self,
        account: &AccountId,
        days: &[Date],
    ) -> Result<Vec<Money>, StoreError> {
        days.iter().map(|day| self.day_total(account, keys::of_day(*day))).collect()
    }

    /// Returns the part of an account's days from `first` to `last`, both included, that is no use: orders, refunds and
    /// corrections, by project ("" for rows without one) and day. Days without such rows have none.
    pub fn once(
        &self,
        account: &AccountId,
        first: Date,
        last: Date,
    ) -> Result<BTreeMap<(String, Date), Money>, StoreError> {
        let account = account.as_str();
        let range = (account, keys::of_day(first), "")..(account, keys::of_day(last) + 1, "");
        let mut days = BTreeMap::new();
        self.scan(DAYS_ONCE, range, Order::Ascending, |key, amount| {
            days.extend(keys::day(key.1).map(|day| ((key.2.to_owned(), day), amount)));
            ControlFlow::Continue(())
        })?;
        Ok(days)
    }

    fn day_total(&self, account: &AccountId, day: u32) -> Result<Money, StoreError> {
        match self.get(DAY_TOTALS, (account.as_str(), day))? {
            Some(total) => Ok(total),
            None => self.sum_of_day(account, day),
        }
    }

    /// Adds up the projects of a day: one that was written before sums were kept, or without spending.
    fn sum_of_day(&self, account: &AccountId, day: u32) -> Result<Money, StoreError> {
        let account = account.as_str();
        let mut sum = Money::ZERO;
        self.scan(
            DAYS,
            (account, day, "")..(account, day + 1, ""),
            Order::Ascending,
            |_, amount| {
                sum += amount;
                ControlFlow::Continue(())
            },
        )?;
        Ok(sum)
    }
}

impl WriteTx {
    /// Writes amounts of days (`None`: there is none any more), and the sums that they belong to.
    pub(super) fn put_days(
        &self,
        account: &AccountId,
        rows: Vec<DayRow>,
    ) -> Result<(), StoreError> {
        let mut totals: BTreeMap<u32, Money> = BTreeMap::new();
        for (day, project, amount) in rows {
            let day = keys::of_day(day);
            let total = match totals.entry(day) {
                Entry::Vacant(entry) => entry.insert(self.day_total(account, day)?),
                Entry::Occupied(entry) => entry.into_mut(),
            };
            let key = (account.as_str(), day, project.as_str());
            let before = self.get(DAYS, key)?.unwrap_or(Money::ZERO);
            match &amount {
                Some(amount) => self.put(DAYS, key, amount)?,
                None => drop(self.open(DAYS)?.remove(key)?),
            }
            *total = *total - before + amount.unwrap_or(Money::ZERO);
        }
        for (day, total) in totals {
            self.put(DAY_TOTALS, (account.as_str(), day), &total)?;
        }
        Ok(())
    }

    /// Writes the parts of days that are no use.
    pub(super) fn put_once(
        &self,
        account: &AccountId,
        rows: Vec<DayRow>,
    ) -> Result<(), StoreError> {
        for (day, project, amount) in rows {
            let key = (account.as_str(), keys::of_day(day), project.as_str());
            match &amount {
                Some(amount) => self.put(DAYS_ONCE, key, amount)?,
                None => drop(self.open(DAYS_ONCE)?.remove(key)?),
            }
        }
        Ok(())
    }
}
