//! Bills as read, and what is computed from them: links' spending, monthly records, users' consumption. The rules are
//! in `domain::spending` and `domain::link`; this file keeps the rows.

use std::collections::BTreeSet;
use std::ops::{ControlFlow, Range};

use jiff::Timestamp;
use redb::ReadableTable;

use super::tables::{BILLS, PERIOD_SPENDERS, PERIOD_TOTALS, SPENDING, SPENDING_RANKED};
use super::view::{Order, Source, View};
use super::{StoreError, WriteTx, keys};
use crate::domain::{
    AccountId, BillPeriod, BilledLink, Consumption, Counts, Money, MonthSpent, ProjectBill,
    ProjectLink, ProjectName, SpendingRecord, User, UserKey, share,
};

/// Returns the sort key of a total: larger totals come first. Exact to 8 decimals, more than is ever shown.
pub(super) fn rank(total: Money) -> i128 {
    const DECIMALS: u32 = 8;
    let total = total.decimal().round_dp(DECIMALS);
    let scale = 10_i128.pow(DECIMALS.saturating_sub(total.scale()));
    total.mantissa().saturating_mul(scale).saturating_neg()
}

/// The rank of a user without spending.
const NOTHING: i128 = 0;

/// Returns the rows of a period in the table of ranks.
fn ranks_in(period: BillPeriod) -> Range<(u32, i128, &'static str, &'static str)> {
    let number = keys::of_period(period);
    (number, i128::MIN, "", "")..(number + 1, i128::MIN, "", "")
}

impl<S: Source> View<S> {
    /// Returns a project's bill of one period, as last read.
    pub fn bill(
        &self,
        account: &AccountId,
        project: &ProjectName,
        period: BillPeriod,
    ) -> Result<Option<ProjectBill>, StoreError> {
        self.get(BILLS, (account.as_str(), project.as_str(), keys::of_period(period)))
    }

    /// Returns all spending records of a period, by user, each user's total first.
    pub fn spending_in(&self, period: BillPeriod) -> Result<Vec<SpendingRecord>, StoreError> {
        let wanted = keys::of_period(period);
        self.with_prefix(SPENDING, (wanted, "", "", ""), |key| key.0 == wanted)
    }

    /// Returns the users with spending in a period and their totals, largest first, refunds last: `count` of them after
    /// skipping `skip`.
    pub fn top_spenders_in(
        &self,
        period: BillPeriod,
        skip: usize,
        count: usize,
    ) -> Result<Vec<(UserKey, Money)>, StoreError> {
        let totals = self.open(SPENDING)?;
        let mut spenders = Vec::new();
        let mut skipped = 0;
        for row in self.open(SPENDING_RANKED)?.range(ranks_in(period))? {
            let (key, _) = row?;
            let (period, rank, account, username) = key.value();
            if rank == NOTHING {
                continue;
            }
            if skipped < skip {
                skipped += 1;
                continue;
            }
            if spenders.len() == count {
                break;
            }
            if let Some(total) = totals.get((period, account, username, ""))? {
                let total = SPENDING.decode(total.value())?;
                spenders.push((total.user, total.amount));
            }
        }
        Ok(spenders)
    }

    /// Calls `each` for the users with spending in a period, largest total first, until it breaks.
    pub fn each_spender_in(
        &self,
        period: BillPeriod,
        mut each: impl FnMut(UserKey) -> ControlFlow<()>,
    ) -> Result<(), StoreError> {
        for row in self.open(SPENDING_RANKED)?.range(ranks_in(period))? {
            let (key, _) = row?;
            let (_, rank, account, username) = key.value();
            if let Some(user) = keys::user((account, username)).filter(|_| rank != NOTHING)
                && each(user).is_break()
            {
                break;
            }
        }
        Ok(())
    }

    /// Returns what a user has spent in a period, over all its projects.
    pub fn spent_in(&self, user: &UserKey, period: BillPeriod) -> Result<Money, StoreError> {
        let total: Option<SpendingRecord> =
            self.get(SPENDING, keys::of_spending(period, user, None))?;
        Ok(total.map_or(Money::ZERO, |total| total.amount))
    }

    /// Returns how many users have spending in a period. A record of 0 is none: on the first of a month every user has
    /// one.
    pub fn spenders_in(&self, period: BillPeriod) -> Result<usize, StoreError> {
        if let Some(count) = self.get(PERIOD_SPENDERS, keys::of_period(period))? {
            return Ok(usize::try_from(count).unwrap_or(usize::MAX));
        }
        let mut count = 0;
        for row in self.open(SPENDING_RANKED)?.range(ranks_in(period))? {
            let (key, _) = row?;
            count += usize::from(key.value().1 != NOTHING);
        }
        Ok(count)
    }

    /// Returns a user's spending records of a period, the total first.
    pub fn spending_of(
        &self,
        user: &UserKey,
        period: BillPeriod,
    ) -> Result<Vec<SpendingRecord>, StoreError> {
        let first = keys::of_spending(period, user, None);
        let prefix = (first.0, first.1, first.2);
        self.with_prefix(SPENDING, first, |key| (key.0, key.1, key.2) == prefix)
    }

    /// Returns the sum of all users' totals of a period, kept so that no reader has to add them up.
    pub fn period_total(&self, period: BillPeriod) -> Result<Money, StoreError> {
        let total = self.get(PERIOD_TOTALS, keys::of_period(period))?;
        Ok(total.unwrap_or(Money::ZERO))
    }

    /// Returns the periods that have spending records, newest first.
    pub fn spending_periods(&self) -> Result<Vec<BillPeriod>, StoreError> {
        let table = self.open(SPENDING)?;
        let mut periods = Vec::new();
        let mut below = u32::MAX;
        // One look-up per period: the last of the remaining keys.
        while let Some(row) =
            table.range::<(u32, &str, &str, &str)>(..(below, "", "", ""))?.next_back()
        {
            let (key, _) = row?;
            below = key.value().0;
            periods.extend(keys::period(below));
        }
        Ok(periods)
    }
}

impl WriteTx {
    /// Recomputes a user's [`Consumption`] from the bills: each link's spending, the monthly records and totals, and
    /// what counts as consumed. Also called after a link was added, removed or switched; `read` says whether a bill
    /// reading is the cause.
    pub fn refresh_spending(
        &self,
        key: &UserKey,
        now: Timestamp,
        read: bool,
    ) -> Result<Option<User>, StoreError> {
        let Some(mut user) = self.user(key)? else { return Ok(None) };
        let mut links = Vec::new();
        for link in self.links_of(key)? {
            let mut bills = self.bills_since(&key.account, &link.project, link.since)?;
            let payers = self.sharers_of(&link)?;
            for (period, bill) in &mut bills {
                bill.amount = share(bill.amount, key, *period, &payers);
            }
            links.push(BilledLink { link, bills });
        }
        let consumption = Consumption::of(&links);
        for (BilledLink { link, .. }, spending) in links.iter().zip(&consumption.spending) {
            if *spending != link.spending {
                self.put_link(&ProjectLink { spending: *spending, ..link.clone() })?;
            }
        }
        let mut touched = BTreeSet::new();
        for (project, period, bill) in &consumption.records {
            if self.put_spending(key, Some(project), *period, bill.amount, bill.read_at)? {
                touched.insert(*period);
            }
        }
        for period in touched {
            let total = SpendingRecord::total_of(&self.spending_of(key, period)?);
            self.put_spending(key, None, period, total, now)?;
        }
        user.consumed = consumption.consumed;
        let period = BillPeriod::of(now);
        user.month_spent = user.month_limit.map(|_| MonthSpent {
            period,
            spent: links.iter().map(|billed| billed.spent_in(period)).sum(),
        });
        if read {
            user.spending_updated_at = Some(now);
        }
        user.updated = now;
        self.put_user(&user)?;
        Ok(Some(user))
    }

    /// Recomputes the other users who count a part of a project, after a link to it was made, switched or removed.
    pub fn refresh_sharers(
        &self,
        user: &UserKey,
        project: &ProjectName,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        for payer in self.payers(&user.account, project.as_str())? {
            if payer.counts == Counts::Part && payer.user != *user {
                self.refresh_spending(&payer.user, now, false)?;
            }
        }
        Ok(())
    }

    pub(super) fn bills_since(
        &self,
        account: &AccountId,
        project: &ProjectName,
        since: BillPeriod,
    ) -> Result<Vec<(BillPeriod, ProjectBill)>, StoreError> {
        let (account, project) = (account.as_str(), project.as_str());
        let range = (account, project, keys::of_period(since))..=(account, project, u32::MAX);
        let mut bills = Vec::new();
        self.scan(BILLS, range, Order::Ascending, |key, bill| {
            bills.extend(keys::period(key.2).map(|period| (period, bill)));
            ControlFlow::Continue(())
        })?;
        Ok(bills)
    }

    /// Writes a monthly record if its amount differs. Returns whether it was written.
    fn put_spending(
        &self,
        user: &UserKey,
        project: Option<&ProjectName>,
        period: BillPeriod,
        amount: Money,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let key = keys::of_spending(period, user, project);
        let before = self.get(SPENDING, key)?.map(|record| record.amount);
        if before == Some(amount) {
            return Ok(false);
        }
        if project.is_none() {
            let total = self.period_total(period)? - before.unwrap_or(Money::ZERO) + amount;
            let (number, account, username, _) = key;
            self.put(PERIOD_TOTALS, number, &total)?;
            let spent = before.is_some_and(|before| rank(before) != NOTHING);
            let spends = rank(amount) != NOTHING;
            if spent != spends {
                let count = self.spenders_in(period)?;
                let count = if spends { count.saturating_add(1) } else { count.saturating_sub(1) };
                self.put(PERIOD_SPENDERS, number, &u64::try_from(count).unwrap_or(u64::MAX))?;
            }
            let mut ranks = self.open(SPENDING_RANKED)?;
            if let Some(before) = before {
                ranks.remove((number, rank(before), account, username))?;
            }
            ranks.insert((number, rank(amount), account, username), ())?;
        }
        let record = SpendingRecord {
            user: user.clone(),
            project: project.cloned(),
            period,
            amount,
            updated: now,
        };
        self.put(SPENDING, key, &record)?;
        Ok(true)
    }
}
