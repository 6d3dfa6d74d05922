//! Bills as read, and what follows from them: links' spending, monthly records, users' consumption.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::{ControlFlow, Range};

use jiff::Timestamp;
use redb::ReadableTable;

use super::tables::{BILLS, Order, PERIOD_TOTALS, SPENDING, SPENDING_RANKED, Source, View, decode};
use super::{StoreError, WriteTx};
use crate::domain::{
    AccountId, BillPeriod, Freshness, Money, ProjectBill, ProjectName, SpendingRecord, User,
    UserKey,
};

/// What one cycle read of one account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordedReading {
    /// Which account.
    pub account: AccountId,
    /// Complete sums per project and period; `None` where the account could not be read completely.
    pub bills: Option<BTreeMap<(ProjectName, BillPeriod), Money>>,
    /// Every project that the cycle set out to read.
    pub projects: BTreeSet<ProjectName>,
    /// When the reading ended.
    pub at: Timestamp,
}

fn number(period: BillPeriod) -> u32 {
    u32::from(period.year().unsigned_abs()) * 100 + u32::from(period.month().unsigned_abs())
}

/// Where a total stands among those of its period: the higher, the lower. Exact to 8 decimals, which is more than anybody sees.
fn rank(total: Money) -> i128 {
    const DECIMALS: u32 = 8;
    let total = total.decimal().round_dp(DECIMALS);
    let scale = 10_i128.pow(DECIMALS.saturating_sub(total.scale()));
    total.mantissa().saturating_mul(scale).saturating_neg()
}

/// The rows of a period in the table of ranks.
fn ranks_in(period: BillPeriod) -> Range<(u32, i128, &'static str, &'static str)> {
    (number(period), i128::MIN, "", "")..(number(period) + 1, i128::MIN, "", "")
}

impl<S: Source> View<S> {
    /// A project's bill of one period, as last read.
    ///
    /// # Errors
    /// The store's.
    pub fn bill(
        &self,
        account: &AccountId,
        project: &ProjectName,
        period: BillPeriod,
    ) -> Result<Option<ProjectBill>, StoreError> {
        self.get(BILLS, "bills", (account.as_str(), project.as_str(), number(period)))
    }

    /// All spending records of a period, by user, each user's total first.
    ///
    /// # Errors
    /// The store's.
    pub fn spending_in(&self, period: BillPeriod) -> Result<Vec<SpendingRecord>, StoreError> {
        let wanted = number(period);
        let mut records = Vec::new();
        self.scan::<_, SpendingRecord, _, _>(
            SPENDING,
            "spending",
            (wanted, "", "", "")..,
            Order::Ascending,
            |key, record| {
                if key.0 != wanted {
                    return ControlFlow::Break(());
                }
                records.push(record);
                ControlFlow::Continue(())
            },
        )?;
        Ok(records)
    }

    /// Users of a period with their totals, dearest first: `count` of them after skipping `skip`.
    ///
    /// # Errors
    /// The store's.
    pub fn dearest_in(
        &self,
        period: BillPeriod,
        skip: usize,
        count: usize,
    ) -> Result<Vec<(UserKey, Money)>, StoreError> {
        let totals = self.0.table(SPENDING)?;
        let mut dearest = Vec::new();
        for row in self.0.table(SPENDING_RANKED)?.range(ranks_in(period))?.skip(skip).take(count) {
            let (key, ()) = row.map(|(key, value)| (key, value.value()))?;
            let (period, _, account, username) = key.value();
            if let Some(total) = totals.get((period, account, username, ""))? {
                let total: SpendingRecord = decode("spending", total.value())?;
                dearest.push((total.user, total.amount));
            }
        }
        Ok(dearest)
    }

    /// How many users have spending records of a period.
    ///
    /// # Errors
    /// The store's.
    pub fn spenders_in(&self, period: BillPeriod) -> Result<usize, StoreError> {
        Ok(self.0.table(SPENDING_RANKED)?.range(ranks_in(period))?.count())
    }

    /// A user's spending records of a period, the total first.
    ///
    /// # Errors
    /// The store's.
    pub fn spending_of(
        &self,
        user: &UserKey,
        period: BillPeriod,
    ) -> Result<Vec<SpendingRecord>, StoreError> {
        let (account, username) = (user.account.as_str(), user.username.as_str());
        let first = (number(period), account, username, "");
        let mut records = Vec::new();
        self.scan::<_, SpendingRecord, _, _>(
            SPENDING,
            "spending",
            first..,
            Order::Ascending,
            |key, record| {
                if (key.0, key.1, key.2) != (number(period), account, username) {
                    return ControlFlow::Break(());
                }
                records.push(record);
                ControlFlow::Continue(())
            },
        )?;
        Ok(records)
    }

    /// The sum of all users' totals of a period, kept so that nobody has to add up.
    ///
    /// # Errors
    /// The store's.
    pub fn period_total(&self, period: BillPeriod) -> Result<Money, StoreError> {
        let total = self.get(PERIOD_TOTALS, "period_totals", number(period))?;
        Ok(total.unwrap_or(Money::ZERO))
    }

    /// The periods that have spending records, newest first.
    ///
    /// # Errors
    /// The store's.
    pub fn spending_periods(&self) -> Result<Vec<BillPeriod>, StoreError> {
        let table = self.0.table(SPENDING)?;
        let mut periods = Vec::new();
        let mut below = u32::MAX;
        // One look-up a period: from the last key of what is left.
        while let Some(row) =
            table.range::<(u32, &str, &str, &str)>(..(below, "", "", ""))?.next_back()
        {
            let (key, _) = row?;
            below = key.value().0;
            let year = i16::try_from(below / 100).unwrap_or(0);
            let month = i8::try_from(below % 100).unwrap_or(0);
            periods.extend(BillPeriod::new(year, month));
        }
        Ok(periods)
    }
}

impl WriteTx {
    /// Ranks the totals that are there: of a store from before there were ranks.
    ///
    /// # Errors
    /// The store's.
    pub(super) fn rank_all(&self) -> Result<(), StoreError> {
        let spending = self.0.open_table(SPENDING)?;
        let mut ranks = self.0.open_table(SPENDING_RANKED)?;
        for row in spending.iter()? {
            let (key, value) = row?;
            let (period, account, username, project) = key.value();
            if project.is_empty() {
                let total: SpendingRecord = decode("spending", value.value())?;
                ranks.insert((period, rank(total.amount), account, username), ())?;
            }
        }
        Ok(())
    }

    /// Records a cycle: bills, links, monthly records and users of all accounts at once. Accounts that could not be read
    /// keep their amounts, and their monitored links are marked stale. Returns how many users were brought up to date.
    ///
    /// # Errors
    /// The store's.
    pub fn record_cycle(&self, readings: &[RecordedReading]) -> Result<u64, StoreError> {
        let mut users = 0;
        for reading in readings {
            for ((project, period), amount) in reading.bills.iter().flatten() {
                let key = (reading.account.as_str(), project.as_str(), number(*period));
                let bill = ProjectBill { amount: *amount, read_at: reading.at };
                self.put(BILLS, "bills", key, &bill)?;
            }
            for user in self.users_of(&reading.account)? {
                if self.mark_links(&user, reading)? && reading.bills.is_some() {
                    self.refresh_spending(&user.key, reading.at, true)?;
                    users += 1;
                }
            }
        }
        Ok(users)
    }

    /// Sets how current the monitored links of a user are after a reading. Returns whether the user has links at all: what
    /// was read for others shows on those that are switched off, too.
    fn mark_links(&self, user: &User, reading: &RecordedReading) -> Result<bool, StoreError> {
        let current = BillPeriod::of(reading.at);
        let mut any = false;
        for mut link in self.links_of(&user.key)? {
            any = true;
            if !link.monitored.is_on() {
                continue;
            }
            let freshness = match &reading.bills {
                None => link.freshness.after_failure(),
                Some(_) if !reading.projects.contains(&link.project) => link.freshness,
                Some(_) => {
                    // Linked while the cycle ran, with earlier months: those come with the next cycle.
                    let covered = link.since.through(current).map(|period| {
                        Ok(self.bill(&reading.account, &link.project, period)?.is_some()
                            || current.months_since(period) > BILL_MONTHS)
                    });
                    let covered = covered.collect::<Result<Vec<bool>, StoreError>>()?;
                    if covered.into_iter().all(|read| read) {
                        Freshness::Fresh(reading.at)
                    } else {
                        link.freshness
                    }
                }
            };
            if freshness != link.freshness {
                link.freshness = freshness;
                self.put_link(&link)?;
            }
        }
        Ok(any)
    }

    /// Recomputes what follows from the bills for one user: each link's spending since its first period, the monthly
    /// records and totals, and what counts as consumed. Also after a link was added, removed or switched. `read` says
    /// whether a bill reading is the cause.
    ///
    /// A link that is switched off shows what its project is known to have cost, but its monthly records, and with them the
    /// totals, stay as they were when it was switched off; switched on again, they catch up.
    ///
    /// # Errors
    /// The store's.
    pub fn refresh_spending(
        &self,
        key: &UserKey,
        now: Timestamp,
        read: bool,
    ) -> Result<Option<User>, StoreError> {
        let Some(mut user) = self.user(key)? else { return Ok(None) };
        let mut consumed = Money::ZERO;
        let mut touched = BTreeSet::new();
        for mut link in self.links_of(key)? {
            let mut spending = Money::ZERO;
            for (period, bill) in self.bills_since(&key.account, &link.project, link.since)? {
                spending += bill.amount;
                // What is read for others is not this user's while the link is switched off: a project that was handed over
                // would count for both, month after month.
                if link.monitored.is_on()
                    && self.put_spending(
                        key,
                        Some(&link.project),
                        period,
                        bill.amount,
                        bill.read_at,
                    )?
                {
                    touched.insert(period);
                }
            }
            if link.monitored.is_on() {
                consumed += spending;
            }
            if spending != link.spending {
                link.spending = spending;
                self.put_link(&link)?;
            }
        }
        for period in touched {
            let total = self
                .spending_of(key, period)?
                .iter()
                .filter(|record| record.project.is_some())
                .map(|record| record.amount)
                .sum();
            self.put_spending(key, None, period, total, now)?;
        }
        user.consumed = consumed.rounded();
        if read {
            user.spending_updated_at = Some(now);
        }
        user.updated = now;
        self.put_user(&user)?;
        Ok(Some(user))
    }

    fn bills_since(
        &self,
        account: &AccountId,
        project: &ProjectName,
        since: BillPeriod,
    ) -> Result<Vec<(BillPeriod, ProjectBill)>, StoreError> {
        let (account, project) = (account.as_str(), project.as_str());
        let range = (account, project, number(since))..=(account, project, u32::MAX);
        let mut bills = Vec::new();
        self.scan::<_, ProjectBill, _, _>(BILLS, "bills", range, Order::Ascending, |key, bill| {
            let year = i16::try_from(key.2 / 100).unwrap_or(0);
            let month = i8::try_from(key.2 % 100).unwrap_or(0);
            if let Ok(period) = BillPeriod::new(year, month) {
                bills.push((period, bill));
            }
            ControlFlow::Continue(())
        })?;
        Ok(bills)
    }

    /// Writes a monthly record if its amount differs. Returns whether it did.
    fn put_spending(
        &self,
        user: &UserKey,
        project: Option<&ProjectName>,
        period: BillPeriod,
        amount: Money,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let name = project.map_or("", ProjectName::as_str);
        let key = (number(period), user.account.as_str(), user.username.as_str(), name);
        let known: Option<SpendingRecord> = self.get(SPENDING, "spending", key)?;
        let before = known.as_ref().map(|record| record.amount);
        if before == Some(amount) {
            return Ok(false);
        }
        if project.is_none() {
            let total = self.period_total(period)? - before.unwrap_or(Money::ZERO) + amount;
            self.put(PERIOD_TOTALS, "period_totals", number(period), &total)?;
            let (account, username) = (key.1, key.2);
            let mut ranks = self.0.open_table(SPENDING_RANKED)?;
            if let Some(before) = before {
                ranks.remove((number(period), rank(before), account, username))?;
            }
            ranks.insert((number(period), rank(amount), account, username), ())?;
        }
        let record = SpendingRecord {
            user: user.clone(),
            project: project.cloned(),
            period,
            amount,
            updated: now,
        };
        self.put(SPENDING, "spending", key, &record)?;
        Ok(true)
    }
}

/// How many months back bills can be read: "at most 24 months" (volcengine facts, §7).
pub const BILL_MONTHS: i32 = 23;
