//! Which part of an account's bill no user pays for (未归属). Sums are kept, so that no reader has to add them up.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;

use jiff::Timestamp;
use jiff::civil::Date;
use redb::ReadableTable;

use super::tables::{ACCOUNT_BILLS, BILLS, DAYS, LINKS_BY_PROJECT, READINGS, UNATTRIBUTED};
use super::view::{Order, Source, View};
use super::{StoreError, WriteTx, keys};
use crate::domain::{
    AccountBill, AccountId, AccountReadings, BillPeriod, Money, ProjectBill, ProjectName,
    UserStatus,
};

impl<S: Source> View<S> {
    /// Returns what is known of an account's bills.
    pub fn account_readings(
        &self,
        account: &AccountId,
    ) -> Result<Arc<AccountReadings>, StoreError> {
        Ok(self.get_shared(READINGS, account.as_str())?.unwrap_or_default())
    }

    /// Returns an account's bill of a period; `None` if it was not read with all projects.
    pub fn account_bill(
        &self,
        account: &AccountId,
        period: BillPeriod,
    ) -> Result<Option<AccountBill>, StoreError> {
        if !self.account_readings(account)?.periods.contains_key(&period) {
            return Ok(None);
        }
        let bill = self.get_again(ACCOUNT_BILLS, (account.as_str(), keys::of_period(period)))?;
        Ok(Some(bill.unwrap_or_default()))
    }

    /// Returns what no user pays for, by project ("" for rows without one), largest amount first.
    pub fn unattributed(
        &self,
        account: &AccountId,
        period: BillPeriod,
    ) -> Result<Vec<(String, Money)>, StoreError> {
        let (account, number) = (account.as_str(), keys::of_period(period));
        let mut rows = Vec::new();
        self.scan(
            UNATTRIBUTED,
            (account, number, "")..(account, number + 1, ""),
            Order::Ascending,
            |key, amount| {
                rows.push((key.2.to_owned(), amount));
                ControlFlow::Continue(())
            },
        )?;
        rows.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        Ok(rows)
    }

    /// Returns the amounts of an account's days, as [`View::each_day`] finds them.
    pub fn days(
        &self,
        account: &AccountId,
        first: Date,
        last: Date,
    ) -> Result<Vec<(Date, String, Money)>, StoreError> {
        let mut days = Vec::new();
        self.each_day(account, first, last, |day, project, amount| {
            days.push((day, project.to_owned(), amount));
        })?;
        Ok(days)
    }

    /// Calls `each` with the amounts of an account's days from `first` to `last`, both included, by day and project ("" for rows
    /// without one). Days without spending have none.
    pub fn each_day(
        &self,
        account: &AccountId,
        first: Date,
        last: Date,
        mut each: impl FnMut(Date, &str, Money),
    ) -> Result<(), StoreError> {
        let account = account.as_str();
        let range = (account, keys::of_day(first), "")..(account, keys::of_day(last) + 1, "");
        self.scan(DAYS, range, Order::Ascending, |key, amount| {
            if let Some(day) = keys::day(key.1) {
                each(day, key.2, amount);
            }
            ControlFlow::Continue(())
        })
    }

    /// Returns every day's amount of every account, by account, day and project ("" for rows without one).
    pub fn all_days(&self) -> Result<Vec<(AccountId, Date, String, Money)>, StoreError> {
        let mut days = Vec::new();
        self.scan::<_, _, (&str, u32, &str), _>(DAYS, .., Order::Ascending, |key, amount| {
            if let (Ok(account), Some(day)) = (AccountId::new(key.0), keys::day(key.1)) {
                days.push((account, day, key.2.to_owned(), amount));
            }
            ControlFlow::Continue(())
        })?;
        Ok(days)
    }

    /// Returns the projects that monitored links of users in the cloud count, each with the first period that counts.
    pub fn counted_projects(
        &self,
        account: &AccountId,
    ) -> Result<BTreeMap<ProjectName, BillPeriod>, StoreError> {
        let directory = self.directory();
        let mut counted = BTreeMap::new();
        for row in self.open(LINKS_BY_PROJECT)?.range((account.as_str(), "", "")..)? {
            let (key, mark) = row?;
            let (of, project, username) = key.value();
            if of != account.as_str() {
                break;
            }
            let (Some((first, _)), Some(user)) =
                (keys::counted_from(mark.value()), keys::user((of, username)))
            else {
                continue;
            };
            if directory.get(&user).is_none_or(|entry| entry.status == UserStatus::Gone) {
                continue;
            }
            let Ok(project) = ProjectName::new(project) else { continue };
            let earliest = counted.entry(project).or_insert(first);
            *earliest = first.min(*earliest);
        }
        Ok(counted)
    }

    /// Returns the first period as YYYYMM that some user pays for a project; the largest number if nobody does.
    fn paid_from(&self, account: &AccountId, project: &str) -> Result<u32, StoreError> {
        let mut first = u32::MAX;
        for row in self.open(LINKS_BY_PROJECT)?.range((account.as_str(), project, "")..)? {
            let (key, mark) = row?;
            let (of, name, _) = key.value();
            if (of, name) != (account.as_str(), project) {
                break;
            }
            if let Some((since, _)) = keys::counted_from(mark.value()) {
                first = first.min(keys::of_period(since));
            }
        }
        Ok(first)
    }
}

impl WriteTx {
    pub(super) fn put_account_readings(
        &self,
        account: &AccountId,
        readings: &AccountReadings,
    ) -> Result<(), StoreError> {
        self.put(READINGS, account.as_str(), readings)
    }

    /// Writes a project's bill of a period, and the sums that it belongs to, if the amount differs or is new.
    pub(super) fn put_bill(
        &self,
        account: &AccountId,
        project: &str,
        period: BillPeriod,
        amount: Money,
        read_at: Timestamp,
    ) -> Result<(), StoreError> {
        let key = (account.as_str(), project, keys::of_period(period));
        let before = self.get(BILLS, key)?.map(|bill| bill.amount);
        if before == Some(amount) {
            return Ok(());
        }
        self.put(BILLS, key, &ProjectBill { amount, read_at })?;
        let sums = (account.as_str(), key.2);
        let mut bill = self.get(ACCOUNT_BILLS, sums)?.unwrap_or_default();
        bill.total = bill.total - before.unwrap_or(Money::ZERO) + amount;
        self.put(ACCOUNT_BILLS, sums, &bill)?;
        let is_paid = self.paid_from(account, project)? <= key.2;
        self.set_unattributed(account, key.2, project, (!is_paid).then_some(amount))
    }

    /// Notes which periods of a project nobody pays for, after its links have changed.
    pub(super) fn attribute(&self, account: &AccountId, project: &str) -> Result<(), StoreError> {
        let paid_from = self.paid_from(account, project)?;
        let of_project = (account.as_str(), project, 0)..=(account.as_str(), project, u32::MAX);
        let mut bills = Vec::new();
        self.scan(BILLS, of_project, Order::Ascending, |key, bill| {
            bills.push((key.2, bill.amount));
            ControlFlow::Continue(())
        })?;
        for (period, amount) in bills {
            let amount = (period < paid_from).then_some(amount);
            self.set_unattributed(account, period, project, amount)?;
        }
        Ok(())
    }

    fn set_unattributed(
        &self,
        account: &AccountId,
        period: u32,
        project: &str,
        amount: Option<Money>,
    ) -> Result<(), StoreError> {
        let key = (account.as_str(), period, project);
        let before = self.get(UNATTRIBUTED, key)?;
        if before == amount {
            return Ok(());
        }
        match &amount {
            Some(amount) => self.put(UNATTRIBUTED, key, amount)?,
            None => drop(self.open(UNATTRIBUTED)?.remove(key)?),
        }
        let sums = (account.as_str(), period);
        let mut bill = self.get(ACCOUNT_BILLS, sums)?.unwrap_or_default();
        bill.unattributed =
            bill.unattributed - before.unwrap_or(Money::ZERO) + amount.unwrap_or(Money::ZERO);
        self.put(ACCOUNT_BILLS, sums, &bill)
    }
}
