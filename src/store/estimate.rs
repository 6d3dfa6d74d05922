//! Estimates of what the bill does not hold yet: by day and project, replaced when the bill holds the day.
//!
//! What an estimate adds to the bill is computed when it is asked for, from the two amounts of each day: whatever the order
//! of recordings and whenever the process ends, no money counts twice.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::time::Instant;

use jiff::Timestamp;
use jiff::civil::Date;
use serde::Deserialize;

use super::recording::STEP_TAKES;
use super::tables::{DAYS, DAYS_ONCE, ESTIMATED, ESTIMATES, USAGE};
use super::view::{Order, Source, View};
use super::{StoreError, WriteTx, keys};
use crate::domain::unbilled::{beyond_bill, is_off};
use crate::domain::{
    AccountEstimate, AccountId, BillPeriod, DayTotal, EstimateUse, EstimateVerdict, Hidden, Money,
    Month, MonthSpent, ProjectEstimate, ProjectLink, ProjectName, ProjectUsage, SharedDay,
    Unbilled, User, UserKey, share,
};

/// How many rows one step writes, so that no click waits long (docs/behaviour.md §8).
const STEP: usize = 1_000;
/// How many rows are written before the time is looked at again.
const LOOKED_AT_AFTER: usize = 50;

/// A row of [`USAGE`], of which only the time is needed.
#[derive(Deserialize)]
struct ReadAt {
    read_at: Timestamp,
}

/// What was estimated of one account.
#[derive(Clone, Debug)]
pub struct EstimateReading {
    /// Which account.
    pub account: AccountId,
    /// When the reading began.
    pub at: Timestamp,
    /// The day whose evening it is, if it is evening: its estimates are kept to be compared with the bill.
    pub evening: Option<Date>,
    /// The days that were read, with the account's money of each; `None` if it could not be read.
    pub days: Option<BTreeMap<Date, SharedDay>>,
    /// The usage that was read now, by project.
    pub usage: BTreeMap<ProjectName, ProjectUsage>,
    /// What is known apart from amounts; the store fills in the amounts and what was judged.
    pub state: AccountEstimate,
}

/// What a reading changes, and what is left to write of it.
#[derive(Clone, Debug)]
pub struct EstimateChanges {
    account: AccountId,
    rows: Vec<(Date, String, Option<ProjectEstimate>)>,
    usage: BTreeMap<ProjectName, ProjectUsage>,
    state: AccountEstimate,
    verdicts: Vec<EstimateVerdict>,
}

impl EstimateChanges {
    /// Takes what is to be alerted, in the transaction of the first step.
    pub fn take_verdicts(&mut self) -> Vec<EstimateVerdict> {
        std::mem::take(&mut self.verdicts)
    }
}

impl<S: Source> View<S> {
    /// Returns what is known of an account's estimate; `None` if nothing was ever estimated.
    pub fn account_estimate(
        &self,
        account: &AccountId,
    ) -> Result<Option<AccountEstimate>, StoreError> {
        self.get(ESTIMATES, account.as_str())
    }

    /// Returns what a user's monitored projects are estimated to have spent beyond the bill, in the months that count; `None`
    /// if nothing is estimated.
    pub fn unbilled(&self, user: &User) -> Result<Option<Unbilled>, StoreError> {
        let account = &user.key.account;
        let Some(estimate) = self.open_estimate(account)? else { return Ok(None) };
        let Some(read_at) = estimate.read_at else { return Ok(None) };
        let Some(since) = estimate.days.keys().next().copied() else { return Ok(None) };
        let (mut amount, mut oldest) = (Money::ZERO, read_at);
        // A day of the future, seen while the clock was ahead, is of no month yet.
        let last = Some(BillPeriod::of(read_at));
        let mut in_month = Money::ZERO;
        for link in self.links_of(&user.key)? {
            let own = self.estimated_of(&link, &estimate)?;
            if own.values().any(|amount| amount.is_positive()) {
                oldest = oldest.min(self.usage_read_at(account, &link.project)?.unwrap_or(oldest));
            }
            for (day, more) in own {
                amount += more;
                if BillPeriod::of_day(day).ok() == last {
                    in_month += more;
                }
            }
        }
        let read_at = oldest;
        let is_old = estimate.trouble.is_some();
        let amount = amount.rounded();
        let in_month = last.map(|period| MonthSpent { period, spent: in_month.rounded() });
        Ok(Some(Unbilled { amount, in_month, since, read_at, counts: estimate.counts, is_old }))
    }

    /// Returns what an account has spent beyond the bill in no project that is known, if a user has a project that counts and so
    /// may have spent it; `None` if there is nothing.
    pub fn hidden_from(&self, user: &User) -> Result<Option<Hidden>, StoreError> {
        let Some(estimate) = self.open_estimate(&user.key.account)? else { return Ok(None) };
        let Some(since) = estimate.days.keys().next().copied() else { return Ok(None) };
        let is_linked = self.links_of(&user.key)?.iter().any(|link| link.monitored.is_on());
        let is_hidden = estimate.hidden.rounded().is_positive();
        let hidden = Hidden {
            amount: estimate.hidden,
            pending: estimate.pending.min(estimate.hidden),
            since,
            reason: estimate.trouble,
        };
        Ok((is_linked && is_hidden).then_some(hidden))
    }

    /// Arms thresholds of a user again that only an estimate has reached and that says less now: see [`User::arm_again`].
    /// Nothing is said by an estimate that could not be read. Returns whether anything changed.
    pub fn arm_again(
        &self,
        user: &mut User,
        month: Option<&Month>,
        unbilled: Option<&Unbilled>,
    ) -> Result<bool, StoreError> {
        if !user.has_early() {
            return Ok(false);
        }
        let beyond = match unbilled {
            Some(unbilled) if unbilled.is_old => return Ok(false),
            Some(unbilled) => {
                let hidden =
                    self.hidden_from(user)?.filter(|_| unbilled.counts >= EstimateUse::Warn);
                unbilled.for_warnings() + hidden.map_or(Money::ZERO, |hidden| hidden.amount)
            }
            None if self.open_estimate(&user.key.account)?.is_none() => Money::ZERO,
            None => return Ok(false),
        };
        // What is estimated of earlier months keeps a threshold of this one: that only tells less often.
        let in_month = month.is_some_and(|month| user.arm_again_in(month, beyond));
        Ok(user.arm_again(beyond) || in_month)
    }

    /// Returns the estimate of an account if it is used, with the days that the bill does not hold.
    fn open_estimate(&self, account: &AccountId) -> Result<Option<AccountEstimate>, StoreError> {
        let Some(mut estimate) = self.account_estimate(account)? else { return Ok(None) };
        if estimate.counts == EstimateUse::Off {
            return Ok(None);
        }
        let bill_to = self.account_readings(account)?.bill_to;
        estimate.days.retain(|day, _| bill_to.is_none_or(|bill_to| *day > bill_to));
        Ok(Some(estimate))
    }

    /// Returns what is estimated of an account beyond the bill, by day.
    pub fn estimated_days_of(
        &self,
        account: &AccountId,
    ) -> Result<BTreeMap<Date, Money>, StoreError> {
        let estimate = self.open_estimate(account)?;
        let days = estimate.into_iter().flat_map(|estimate| estimate.days);
        Ok(days.map(|(day, total)| (day, total.beyond)).collect())
    }

    /// Returns what a user's monitored links are estimated to have spent beyond the bill, by day: the parts of
    /// [`View::unbilled`].
    pub fn estimated_days(
        &self,
        account: &AccountId,
        links: &[ProjectLink],
    ) -> Result<BTreeMap<Date, Money>, StoreError> {
        let mut days = BTreeMap::new();
        let Some(estimate) = self.open_estimate(account)? else { return Ok(days) };
        for link in links {
            for (day, amount) in self.estimated_of(link, &estimate)? {
                *days.entry(day).or_insert(Money::ZERO) += amount;
            }
        }
        Ok(days)
    }

    /// Returns a link's part of an open estimate by day, as far as the link counts.
    fn estimated_of(
        &self,
        link: &ProjectLink,
        estimate: &AccountEstimate,
    ) -> Result<BTreeMap<Date, Money>, StoreError> {
        let mut days = BTreeMap::new();
        if !link.monitored.is_on() {
            return Ok(days);
        }
        let payers = self.sharers_of(link)?;
        for day in estimate.days.keys() {
            let Ok(period) = BillPeriod::of_day(*day) else { continue };
            if period >= link.since {
                let account = &link.user.account;
                let beyond = self.estimated_beyond(account, *day, link.project.as_str())?;
                days.insert(*day, share(beyond, &link.user, period, &payers));
            }
        }
        Ok(days)
    }

    /// Returns when the usage of a project was read, if it ever was.
    fn usage_read_at(
        &self,
        account: &AccountId,
        project: &ProjectName,
    ) -> Result<Option<Timestamp>, StoreError> {
        let row = self.get(USAGE.holding::<ReadAt>(), (account.as_str(), project.as_str()))?;
        Ok(row.map(|usage| usage.read_at))
    }

    fn estimated_beyond(
        &self,
        account: &AccountId,
        day: Date,
        project: &str,
    ) -> Result<Money, StoreError> {
        let key = (account.as_str(), keys::of_day(day), project);
        let Some(estimated) = self.get(ESTIMATED, key)? else { return Ok(Money::ZERO) };
        let billed = self.get(DAYS, key)?.unwrap_or(Money::ZERO);
        let once = self.get(DAYS_ONCE, key)?.unwrap_or(Money::ZERO);
        Ok(beyond_bill(estimated.amount, spent(billed, once)))
    }

    /// Returns the users with a monitored link to a project that has an estimate.
    pub fn estimated_users(&self, account: &AccountId) -> Result<BTreeSet<UserKey>, StoreError> {
        let mut projects = BTreeSet::new();
        for (_, project, _) in self.estimates_of(account)? {
            projects.insert(project);
        }
        let mut users = BTreeSet::new();
        for project in projects {
            users.extend(self.payers(account, &project)?.into_iter().map(|payer| payer.user));
        }
        Ok(users)
    }

    /// Returns the usage of an account's projects as last read.
    pub fn project_usage(
        &self,
        account: &AccountId,
    ) -> Result<BTreeMap<ProjectName, ProjectUsage>, StoreError> {
        let mut known = BTreeMap::new();
        let from = (account.as_str(), "");
        self.scan_readable(USAGE, from.., Order::Ascending, |(of, project), usage| {
            if of != account.as_str() {
                return ControlFlow::Break(());
            }
            if let Ok(project) = ProjectName::new(project) {
                known.insert(project, usage);
            }
            ControlFlow::Continue(())
        })?;
        Ok(known)
    }

    /// Returns what the projects of an account are estimated to have spent on a day.
    pub(super) fn estimated_on(
        &self,
        account: &AccountId,
        day: Date,
    ) -> Result<Vec<(String, Money)>, StoreError> {
        let mut rows = Vec::new();
        let number = keys::of_day(day);
        let range =
            (account.as_str(), number, "")..(account.as_str(), number.saturating_add(1), "");
        self.scan(ESTIMATED, range, Order::Ascending, |(_, _, project), estimate| {
            rows.push((project.to_owned(), estimate.amount));
            ControlFlow::Continue(())
        })?;
        Ok(rows)
    }

    fn estimates_of(
        &self,
        account: &AccountId,
    ) -> Result<Vec<(Date, String, ProjectEstimate)>, StoreError> {
        let mut rows = Vec::new();
        let range = (account.as_str(), 0, "")..(account.as_str(), u32::MAX, "");
        self.scan(ESTIMATED, range, Order::Ascending, |(_, day, project), estimate| {
            rows.extend(keys::day(day).map(|day| (day, project.to_owned(), estimate)));
            ControlFlow::Continue(())
        })?;
        Ok(rows)
    }

    /// Compares a reading with what is stored, and days that the bill holds now with what was estimated.
    pub fn estimate_changes(
        &self,
        reading: EstimateReading,
    ) -> Result<EstimateChanges, StoreError> {
        let account = &reading.account;
        let before = self.account_estimate(account)?.unwrap_or_default();
        let bill_to = self.account_readings(account)?.bill_to;
        let is_open = |day: Date| bill_to.is_none_or(|bill_to| day > bill_to);
        let is_read = reading.days.is_some();
        let mut state = AccountEstimate {
            days: before.days.clone(),
            judged_to: before.judged_to,
            off_days: before.off_days,
            alerted: before.alerted,
            read_at: if is_read { Some(reading.at) } else { before.read_at },
            charged: reading.state.charged.or(before.charged),
            explained: if is_read { reading.state.explained } else { before.explained },
            ..reading.state
        };
        let mut stored: BTreeMap<Date, BTreeMap<String, ProjectEstimate>> = BTreeMap::new();
        for (day, project, estimate) in self.estimates_of(account)? {
            stored.entry(day).or_default().insert(project, estimate);
        }
        let mut changes = EstimateChanges {
            account: account.clone(),
            rows: Vec::new(),
            usage: reading.usage,
            state: AccountEstimate::default(),
            verdicts: Vec::new(),
        };
        for (day, shared) in reading.days.into_iter().flatten().filter(|(day, _)| is_open(*day)) {
            let is_evening = reading.evening == Some(day);
            let known = stored.entry(day).or_default();
            let evening = before.days.get(&day).and_then(|known| known.evening);
            let evening = if is_evening { Some(shared.hidden) } else { evening };
            let total = DayTotal {
                total: shared.total(),
                hidden: shared.hidden,
                pending: shared.pending,
                beyond: Money::ZERO,
                evening,
            };
            state.days.insert(day, total);
            let mut gone: BTreeSet<String> = known.keys().cloned().collect();
            for (project, amount) in shared.projects {
                gone.remove(project.as_str());
                let evening = known.get(project.as_str()).and_then(|known| known.evening);
                let evening = if is_evening { Some(amount) } else { evening };
                let estimate = ProjectEstimate { amount, evening };
                if known.insert(project.to_string(), estimate) != Some(estimate) {
                    changes.rows.push((day, project.to_string(), Some(estimate)));
                }
            }
            for project in gone {
                known.remove(&project);
                changes.rows.push((day, project, None));
            }
        }
        if state.counts == EstimateUse::Off {
            for (day, estimates) in stored {
                changes.rows.extend(estimates.into_keys().map(|project| (day, project, None)));
            }
            return Ok(changes);
        }
        let over: Vec<Date> = state.days.keys().copied().filter(|day| !is_open(*day)).collect();
        for day in over {
            let total = state.days.remove(&day);
            let estimates = stored.remove(&day).unwrap_or_default();
            let off = match total.and_then(|total| total.evening) {
                Some(hidden) => Some(self.is_estimate_off(account, day, &estimates, hidden)?),
                None => None,
            };
            changes.verdicts.extend(state.judge(day, off));
            changes.rows.extend(estimates.into_keys().map(|project| (day, project, None)));
        }
        state.pending = state.days.values().map(|day| day.pending).sum();
        (state.total, state.hidden) = self.beyond_bill(account, &mut state.days, &stored)?;
        changes.state = state;
        Ok(changes)
    }

    fn is_estimate_off(
        &self,
        account: &AccountId,
        day: Date,
        estimates: &BTreeMap<String, ProjectEstimate>,
        hidden: Money,
    ) -> Result<bool, StoreError> {
        let evening = estimates
            .iter()
            .filter_map(|(project, estimate)| Some((project.clone(), estimate.evening?)));
        let billed = self.days(account, day, day)?.into_iter();
        let billed = billed.map(|(_, project, amount)| (project, amount)).collect();
        Ok(is_off(&evening.collect(), hidden, &billed))
    }

    /// Notes the account's money of each day beyond the bill. Returns its sum, and the part of it that is in no project's estimate.
    fn beyond_bill(
        &self,
        account: &AccountId,
        totals: &mut BTreeMap<Date, DayTotal>,
        estimates: &BTreeMap<Date, BTreeMap<String, ProjectEstimate>>,
    ) -> Result<(Money, Money), StoreError> {
        let (mut total, mut visible) = (Money::ZERO, Money::ZERO);
        for (day, of_day) in totals {
            let billed = self.days(account, *day, *day)?;
            let once = self.once(account, *day, *day)?;
            let spent = |(_, project, amount): (Date, String, Money)| {
                let once = once.get(&(project.clone(), *day)).copied().unwrap_or(Money::ZERO);
                (project, spent(amount, once))
            };
            let billed: BTreeMap<String, Money> = billed.into_iter().map(spent).collect();
            let sum: Money = billed.values().copied().sum();
            let mut of_projects = Money::ZERO;
            for (project, estimate) in estimates.get(day).into_iter().flatten() {
                let known = billed.get(project).copied().unwrap_or(Money::ZERO);
                of_projects += beyond_bill(estimate.amount, known);
            }
            visible += of_projects;
            of_day.beyond = beyond_bill(of_day.total, sum).max(of_projects);
            total += of_day.beyond;
        }
        Ok((total, total - visible))
    }
}

/// Returns what a bill of a day says of spending. What was paid back is of other use than what is estimated: it must not raise
/// the estimate.
fn spent(billed: Money, once: Money) -> Money {
    billed - once.min(Money::ZERO)
}

impl WriteTx {
    /// Writes a bounded part of the changes. Returns whether that was the last one.
    pub fn estimate_step(&self, changes: &mut EstimateChanges) -> Result<bool, StoreError> {
        let account = changes.account.as_str();
        // First, because days that were judged must not be judged again once some of their rows are gone.
        if self.account_estimate(&changes.account)?.as_ref() != Some(&changes.state) {
            self.put(ESTIMATES, account, &changes.state)?;
        }
        let begun = Instant::now();
        for written in 1..=STEP {
            if let Some((day, project, estimate)) = changes.rows.pop() {
                let key = (account, keys::of_day(day), project.as_str());
                match &estimate {
                    Some(estimate) => self.put(ESTIMATED, key, estimate)?,
                    None => drop(self.open(ESTIMATED)?.remove(key)?),
                }
            } else if let Some((project, usage)) = changes.usage.pop_first() {
                self.put(USAGE, (account, project.as_str()), &usage)?;
            } else {
                return Ok(true);
            }
            if written % LOOKED_AT_AFTER == 0 && begun.elapsed() >= STEP_TAKES {
                break;
            }
        }
        Ok(false)
    }
}
