//! Records what was read of an account's bills: only what differs, and only users whose projects changed.
//!
//! Everything that can be prepared is prepared on a snapshot ([`View::bill_changes`]); the monitor is the only writer of
//! bills. The changes are then written in steps of bounded size ([`WriteTx::record_step`]), so that no click waits for a
//! long transaction. Each step leaves the users in it consistent: all of their projects' bills are written together with
//! them. A mark says that a recording has begun: after a crash, the next one visits all users of the account.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::civil::Date;
use jiff::{Timestamp, ToSpan};
use redb::ReadableTable;

use super::tables::BILLS;
use super::view::{Source, View};
use super::{StoreError, WriteTx, keys};
use crate::domain::unbilled::beyond_bill;
use crate::domain::{
    AccountId, AccountReadings, BillPeriod, Covered, Money, PeriodReading, ProjectName, UserKey,
    UserStatus, beijing_day,
};

/// How much one step writes at most, in rows of days.
const STEP: usize = 1_000;
/// How long one step writes at most, apart from its last row or user and the commit: a click that waits for it must not wait
/// for 50 ms (docs/behaviour.md §8), however large the tables are and whatever else the machine does.
pub(super) const STEP_TAKES: Duration = Duration::from_millis(5);
/// How many rows of days are written before the time is looked at again.
const DAYS_AT_ONCE: usize = 100;
/// How many days a bill is waited for that lacks most of a day's spending.
const WAITED_FOR: i64 = 6;
/// What a bill costs, with the sums it belongs to.
const BILL: usize = 5;
/// What a user costs, with its totals; each of its projects costs a bill more, and a row for each month that it counts.
const USER: usize = 20;

/// What was read of one account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordedReading {
    /// Which account.
    pub account: AccountId,
    /// The periods that were read; `None` if the account could not be read completely.
    pub bills: Option<BTreeMap<BillPeriod, PeriodBill>>,
    /// The last day that the bill holds completely, if it is known.
    pub bill_to: Option<Date>,
    /// Whether it is the split bill, which can be late, or stop.
    pub is_split: bool,
    /// When the reading began.
    pub at: Timestamp,
}

/// What was read of one period.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeriodBill {
    /// Which days.
    pub covered: Covered,
    /// The exact amount of each of these days, by project ("" for rows without one).
    pub days: BTreeMap<(String, Date), Money>,
    /// The part of them that is no use: orders, refunds and corrections.
    pub once: BTreeMap<(String, Date), Money>,
    /// Projects that monitored links count: without rows they cost zero, and that is noted.
    pub wanted: BTreeSet<ProjectName>,
    /// What is known of the period now.
    pub reading: PeriodReading,
}

impl RecordedReading {
    /// Returns a complete reading of whole periods, with each project's amount on the first day.
    pub fn of_months(
        account: AccountId,
        bills: impl IntoIterator<Item = ((ProjectName, BillPeriod), Money)>,
        at: Timestamp,
    ) -> Self {
        let mut periods: BTreeMap<BillPeriod, PeriodBill> = BTreeMap::new();
        for ((project, period), amount) in bills {
            let bill = periods.entry(period).or_insert_with(|| PeriodBill {
                covered: Covered::Whole,
                days: BTreeMap::new(),
                once: BTreeMap::new(),
                wanted: BTreeSet::new(),
                reading: PeriodReading::complete(at),
            });
            bill.days.insert((project.to_string(), period.first_day()), amount);
            bill.wanted.insert(project);
        }
        Self { account, bills: Some(periods), bill_to: None, is_split: true, at }
    }

    /// Returns a reading that failed.
    pub fn failed(account: AccountId, at: Timestamp) -> Self {
        Self { account, bills: None, bill_to: None, is_split: true, at }
    }
}

/// A day, a project, and its amount there; `None`: it has none any more.
pub(super) type DayRow = (Date, String, Option<Money>);

/// What a reading changes, and what is left to write of it.
#[derive(Clone, Debug)]
pub struct BillChanges {
    account: AccountId,
    at: Timestamp,
    days: Vec<DayRow>,
    /// The same of what is no use.
    once: Vec<DayRow>,
    bills: BTreeMap<String, Vec<(BillPeriod, Money)>>,
    /// Whose numbers are to be computed.
    users: BTreeSet<UserKey>,
    /// Written last.
    readings: AccountReadings,
    begun: bool,
    visited: u64,
}

impl BillChanges {
    /// Returns how many users were computed so far.
    pub fn visited(&self) -> u64 {
        self.visited
    }
}

impl<S: Source> View<S> {
    /// Compares a reading with what is stored.
    pub fn bill_changes(&self, reading: &RecordedReading) -> Result<BillChanges, StoreError> {
        let account = &reading.account;
        let mut readings = Arc::unwrap_or_clone(self.account_readings(account)?);
        let mut changes = BillChanges {
            account: account.clone(),
            at: reading.at,
            days: Vec::new(),
            once: Vec::new(),
            bills: BTreeMap::new(),
            users: BTreeSet::new(),
            readings: AccountReadings::default(),
            begun: readings.recording,
            visited: 0,
        };
        let Some(bills) = &reading.bills else {
            readings.failed_at = Some(reading.at);
            changes.readings = readings;
            return Ok(changes);
        };
        for (period, bill) in bills {
            let is_first = !readings.periods.contains_key(period);
            self.compare(account, *period, bill, is_first, &mut changes)?;
            readings.periods.insert(*period, bill.reading.clone());
        }
        for project in changes.bills.keys() {
            changes.users.extend(self.users_linked_to(account, project)?);
        }
        let directory = self.directory();
        let unknown = directory.iter().filter(|(key, entry)| {
            key.account == *account && entry.status != UserStatus::Gone && entry.lacks_month()
        });
        changes.users.extend(unknown.map(|(key, _)| key.clone()));
        if readings.recording {
            changes.users.extend(self.users_of(account)?.into_iter().map(|user| user.key));
        }
        // A bill that is read once a day is as old as that reading.
        // Earlier periods that are read after it make it no newer.
        let last = readings.periods.last_key_value().map(|(period, _)| *period);
        let newest = bills.last_key_value().filter(|(period, _)| Some(**period) == last);
        let newest = newest.map(|(_, bill)| &bill.covered);
        if newest.is_some_and(|covered| !covered.is_empty()) {
            readings.read_at = Some(reading.at);
            // A day that has not ended was noted while the clock was ahead.
            let known = readings.bill_to.filter(|day| *day < beijing_day(reading.at));
            // The other list attributes models to no project: nothing can be compared there.
            let held = match reading.is_split {
                true => self.held_to(account, bills, reading.bill_to, reading.at)?,
                false => reading.bill_to,
            };
            readings.bill_to = known.max(held);
        }
        readings.failed_at = None;
        readings.recording = false;
        changes.readings = readings;
        Ok(changes)
    }

    /// Returns the last day that a bill holds, of which `bill_to` is said. A day on which projects are known to have spent, and
    /// of which the bill has not even half in these projects, is not held for a week: a split bill that has stopped, or is late
    /// with a product, must not end the estimate.
    fn held_to(
        &self,
        account: &AccountId,
        bills: &BTreeMap<BillPeriod, PeriodBill>,
        bill_to: Option<Date>,
        now: Timestamp,
    ) -> Result<Option<Date>, StoreError> {
        let (Some(to), Some(estimate)) = (bill_to, self.account_estimate(account)?) else {
            return Ok(bill_to);
        };
        let today = beijing_day(now);
        let week_ago = today.checked_sub(WAITED_FOR.days()).unwrap_or(today);
        for day in estimate.days.keys().filter(|day| week_ago <= **day && **day <= to) {
            let estimated = self.estimated_on(account, *day)?;
            let read: Vec<_> = bills.values().filter(|bill| bill.covered.includes(*day)).collect();
            let stored = self.days(account, *day, *day)?.into_iter();
            let stored: BTreeMap<String, Money> =
                stored.map(|(_, project, amount)| (project, amount)).collect();
            let billed = |project: &String| {
                let rows = read.iter().filter_map(|bill| bill.days.get(&(project.clone(), *day)));
                rows.chain(stored.get(project)).copied().max().unwrap_or(Money::ZERO)
            };
            let all: Money = estimated.iter().map(|(_, amount)| *amount).sum();
            let missing =
                estimated.iter().map(|(project, amount)| beyond_bill(*amount, billed(project)));
            let missing: Money = missing.sum();
            if all.is_positive() && missing + missing > all {
                tracing::warn!(%account, %day, %missing, "the bill lacks most of a day's spending");
                return Ok(day.yesterday().ok());
            }
        }
        Ok(bill_to)
    }

    fn compare(
        &self,
        account: &AccountId,
        period: BillPeriod,
        bill: &PeriodBill,
        is_first: bool,
        changes: &mut BillChanges,
    ) -> Result<(), StoreError> {
        let is_counted = |project: &str| !bill.reading.uncounted.contains(project);
        let mut before: BTreeMap<(String, Date), Money> = BTreeMap::new();
        for (day, project, amount) in self.days(account, period.first_day(), period.last_day())? {
            if is_counted(&project) {
                before.insert((project, day), amount);
            }
        }
        let (rows, after) = differences(bill, &bill.days, &before);
        changes.days.extend(rows);
        let known = self.once(account, period.first_day(), period.last_day())?.into_iter();
        let known = known.filter(|((project, _), _)| is_counted(project)).collect();
        changes.once.extend(differences(bill, &bill.once, &known).0);

        let mut sums: BTreeMap<String, Money> = BTreeMap::new();
        for project in before.keys().map(|(project, _)| project) {
            sums.entry(project.clone()).or_insert(Money::ZERO);
        }
        for ((project, _), amount) in after {
            *sums.entry(project.clone()).or_insert(Money::ZERO) += amount;
        }
        for project in &bill.wanted {
            sums.entry(project.to_string()).or_insert(Money::ZERO);
        }
        if is_first {
            // Bills without days, of an older airgate.
            for project in self.billed_projects(account, period)? {
                sums.entry(project).or_insert(Money::ZERO);
            }
        }
        for (project, sum) in sums {
            let key = (account.as_str(), project.as_str(), keys::of_period(period));
            let known = self.get(BILLS, key)?.map(|bill| bill.amount);
            let is_wanted =
                || ProjectName::new(&*project).is_ok_and(|name| bill.wanted.contains(&name));
            let is_new = known.is_none() && (!sum.is_zero() || is_wanted());
            if is_counted(&project) && (is_new || known.is_some_and(|known| known != sum)) {
                changes.bills.entry(project).or_default().push((period, sum));
            }
        }
        Ok(())
    }

    /// Returns the projects that have a bill of a period.
    fn billed_projects(
        &self,
        account: &AccountId,
        period: BillPeriod,
    ) -> Result<Vec<String>, StoreError> {
        let wanted = keys::of_period(period);
        let mut projects = Vec::new();
        for row in self.open(BILLS)?.range((account.as_str(), "", 0)..)? {
            let (key, _) = row?;
            let (of, project, number) = key.value();
            if of != account.as_str() {
                break;
            }
            if number == wanted {
                projects.push(project.to_owned());
            }
        }
        Ok(projects)
    }
}

/// Compares what was `read` of days with what was known `before`. Returns what differs, and what is known now. What cannot be
/// counted is in neither.
fn differences<'a>(
    bill: &PeriodBill,
    read: &'a BTreeMap<(String, Date), Money>,
    before: &'a BTreeMap<(String, Date), Money>,
) -> (Vec<DayRow>, BTreeMap<&'a (String, Date), Money>) {
    let is_counted = |project: &str| !bill.reading.uncounted.contains(project);
    let read = read.iter().filter(|((project, _), sum)| is_counted(project) && !sum.is_zero());
    let mut after: BTreeMap<&(String, Date), Money> = read.map(|(key, sum)| (key, *sum)).collect();
    for (key, amount) in before {
        if !bill.covered.includes(key.1) {
            after.insert(key, *amount);
        }
    }
    let mut rows = Vec::new();
    for (key, amount) in &after {
        if before.get(*key) != Some(amount) {
            rows.push((key.1, key.0.clone(), Some(*amount)));
        }
    }
    let gone = before.keys().filter(|key| !after.contains_key(key));
    rows.extend(gone.map(|(project, day)| (*day, project.clone(), None)));
    (rows, after)
}

impl WriteTx {
    /// Records readings at once, in the caller's transaction. Returns how many users were computed.
    pub fn record_cycle(&self, readings: &[RecordedReading]) -> Result<u64, StoreError> {
        let mut visited = 0;
        for reading in readings {
            let mut changes = self.bill_changes(reading)?;
            while !self.record_step(&mut changes)? {}
            visited += changes.visited;
        }
        Ok(visited)
    }

    /// Writes a bounded part of the changes. Returns whether that was the last one.
    pub fn record_step(&self, changes: &mut BillChanges) -> Result<bool, StoreError> {
        let (mut left, begun) = (STEP, Instant::now());
        loop {
            if !changes.days.is_empty() {
                self.begin(changes)?;
                let few = left.min(DAYS_AT_ONCE);
                let few = changes.days.split_off(changes.days.len().saturating_sub(few));
                left = left.saturating_sub(few.len());
                self.put_days(&changes.account, few)?;
            } else if !changes.once.is_empty() {
                self.begin(changes)?;
                let few = left.min(DAYS_AT_ONCE);
                let few = changes.once.split_off(changes.once.len().saturating_sub(few));
                left = left.saturating_sub(few.len());
                self.put_once(&changes.account, few)?;
            } else if let Some(user) = changes.users.pop_first() {
                self.begin(changes)?;
                let cost = self.visit(&user, changes)?;
                left = left.saturating_sub(cost);
            } else if let Some((project, bills)) = changes.bills.pop_first() {
                self.begin(changes)?;
                left = left.saturating_sub(self.put_bills(changes, &project, &bills)?);
            } else {
                self.put_account_readings(&changes.account, &changes.readings)?;
                return Ok(true);
            }
            if left == 0 || begun.elapsed() >= STEP_TAKES {
                return Ok(false);
            }
        }
    }

    /// Marks that a recording has begun.
    fn begin(&self, changes: &mut BillChanges) -> Result<(), StoreError> {
        if !std::mem::replace(&mut changes.begun, true) {
            let known = self.account_readings(&changes.account)?;
            let marked = AccountReadings { recording: true, ..Arc::unwrap_or_clone(known) };
            self.put_account_readings(&changes.account, &marked)?;
        }
        Ok(())
    }

    /// Writes the bills of a user's projects, and computes the user from them. Returns what it cost.
    fn visit(&self, user: &UserKey, changes: &mut BillChanges) -> Result<usize, StoreError> {
        let mut cost = USER;
        for link in self.links_of(user)? {
            let months = BillPeriod::of(changes.at).months_since(link.since);
            cost += BILL + usize::try_from(months).unwrap_or_default();
            if let Some(bills) = changes.bills.remove(link.project.as_str()) {
                cost += self.put_bills(changes, link.project.as_str(), &bills)?;
            }
        }
        changes.users.remove(user);
        if self.refresh_spending(user, changes.at, true)?.is_some() {
            changes.visited += 1;
        }
        Ok(cost)
    }

    /// Writes a project's bills. Users that it is linked to are computed after that.
    fn put_bills(
        &self,
        changes: &mut BillChanges,
        project: &str,
        bills: &[(BillPeriod, Money)],
    ) -> Result<usize, StoreError> {
        for (period, amount) in bills {
            self.put_bill(&changes.account, project, *period, *amount, changes.at)?;
        }
        // Also those that were linked since the reading was compared.
        changes.users.extend(self.users_linked_to(&changes.account, project)?);
        Ok(bills.len() * BILL)
    }
}
