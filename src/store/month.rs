//! What users have spent in one month, for the month limit. Computed from the bills of the month alone: rows of another month
//! never count, however late they arrive.

use jiff::Timestamp;

use super::tables::ACCESS_REMEMBERED;
use super::view::{Source, View};
use super::{StoreError, WriteTx, keys};
use crate::domain::{BillPeriod, Money, Month, ProjectName, User, UserKey, share};

impl<S: Source> View<S> {
    /// Returns what the current month counts against a user's limit; `None` without a limit.
    pub fn month(&self, user: &User, now: Timestamp) -> Result<Option<Month>, StoreError> {
        match user.month_limit {
            Some(_) => Ok(Some(self.month_of(&user.key, BillPeriod::of(now), now)?)),
            None => Ok(None),
        }
    }

    /// Returns what a user's monitored links have spent in a month.
    pub fn month_of(
        &self,
        user: &UserKey,
        period: BillPeriod,
        now: Timestamp,
    ) -> Result<Month, StoreError> {
        let amounts = self.month_amounts(user, period)?;
        // A reading of the future says nothing: the clock was ahead when it was made.
        let readings = self.account_readings(&user.account)?;
        let is_read = amounts.is_empty()
            || readings.periods.get(&period).is_some_and(|read| read.complete_at <= now);
        let spent = amounts.into_iter().map(|(_, amount)| amount).sum();
        Ok(Month { period, spent, is_read })
    }

    /// Returns the exact amount of each monitored link of a user that counts a month, as last read.
    pub fn month_amounts(
        &self,
        user: &UserKey,
        period: BillPeriod,
    ) -> Result<Vec<(ProjectName, Money)>, StoreError> {
        let mut amounts = Vec::new();
        for link in self.links_of(user)? {
            if link.monitored.is_on() && link.since <= period {
                let bill = self.bill(&user.account, &link.project, period)?;
                let bill = bill.map_or(Money::ZERO, |bill| bill.amount);
                let amount = share(bill, user, period, &self.sharers_of(&link)?);
                amounts.push((link.project, amount));
            }
        }
        Ok(amounts)
    }

    /// Returns the month whose limit alone has cut a user's access; `None` if something else has, or nothing. What is
    /// remembered of a cut and cannot be read counts as something else.
    pub fn month_cut(&self, user: &UserKey) -> Result<Option<BillPeriod>, StoreError> {
        let memory = self.get_or_skip(ACCESS_REMEMBERED, keys::of_user(user))?;
        Ok(memory.and_then(|memory| memory.month))
    }
}

impl WriteTx {
    /// Notes the month whose limit alone demands that a user's access stays cut; `None`: something else demands it.
    pub fn set_month_cut(
        &self,
        user: &UserKey,
        month: Option<BillPeriod>,
    ) -> Result<(), StoreError> {
        match self.access_remembered(user)? {
            Some(mut memory) if memory.month != month => {
                memory.month = month;
                self.put_access_remembered(user, &memory)
            }
            _ => Ok(()),
        }
    }
}
