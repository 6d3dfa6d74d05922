//! Spending by day: of a user's projects, and of whole accounts.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::Date;

use super::outcome::AccountShare;
use crate::domain::{
    AccountId, BillPeriod, Change, Comparable, DayChart, Money, ProjectLink, Rate, beijing_day,
    charted_days, comparable, share,
};
use crate::store::{Source, StoreError, View};

/// Reads the last 30 days of a user's monitored projects. A link counts from its first month on.
pub fn of_user<S: Source>(
    tx: &View<S>,
    account: &AccountId,
    links: &[ProjectLink],
    now: Timestamp,
) -> Result<DayChart, StoreError> {
    of_links(tx, account, links, charted_days(beijing_day(now)))
}

/// Reads days of a user's monitored projects for the card of a month: the last 30, or those of an earlier month.
pub fn of_user_in<S: Source>(
    tx: &View<S>,
    account: &AccountId,
    links: &[ProjectLink],
    period: BillPeriod,
    now: Timestamp,
) -> Result<DayChart, StoreError> {
    of_links(tx, account, links, days_for(period, now))
}

fn of_links<S: Source>(
    tx: &View<S>,
    account: &AccountId,
    links: &[ProjectLink],
    days: Vec<Date>,
) -> Result<DayChart, StoreError> {
    let mut sums = vec![Money::ZERO; days.len()];
    for link in links.iter().filter(|link| link.monitored.is_on()) {
        let first = link.since.first_day();
        let payers = tx.sharers_of(link)?;
        let amounts = tx.project_days(account, &link.project, &days)?;
        for ((sum, day), amount) in sums.iter_mut().zip(&days).zip(amounts) {
            if let (true, Ok(period)) = (*day >= first, BillPeriod::of_day(*day)) {
                *sum += share(amount, &link.user, period, &payers);
            }
        }
    }
    let bill_to = tx.account_readings(account)?.bill_to;
    let estimates = tx.estimated_days(account, links)?;
    Ok(DayChart::billed(days.into_iter().zip(sums), bill_to).with_estimates(&estimates))
}

/// Reads days of accounts together: the last 30, or those of an earlier month. The bills hold all of them completely only
/// up to the first of their last days.
pub fn of_accounts<S: Source>(
    tx: &View<S>,
    accounts: &[AccountId],
    period: BillPeriod,
    now: Timestamp,
) -> Result<DayChart, StoreError> {
    let days = days_for(period, now);
    let mut sums = vec![Money::ZERO; days.len()];
    let mut bill_to: Option<Date> = None;
    let mut estimates: BTreeMap<Date, Money> = BTreeMap::new();
    for account in accounts {
        for (sum, amount) in sums.iter_mut().zip(tx.account_days(account, &days)?) {
            *sum += amount;
        }
        let own = tx.account_readings(account)?.bill_to;
        bill_to = bill_to.into_iter().chain(own).min();
        for (day, amount) in tx.estimated_days_of(account)? {
            *estimates.entry(day).or_insert(Money::ZERO) += amount;
        }
    }
    Ok(DayChart::billed(days.into_iter().zip(sums), bill_to).with_estimates(&estimates))
}

fn days_for(period: BillPeriod, now: Timestamp) -> Vec<Date> {
    if period >= BillPeriod::of(now) {
        return charted_days(beijing_day(now));
    }
    period.days().collect()
}

/// Returns what the current month of accounts will have cost in the end, if they go on as in the last days. `None` if too little
/// is known of one of them.
pub fn month_end<S: Source>(
    tx: &View<S>,
    shares: &[AccountShare],
    now: Timestamp,
) -> Result<Option<Money>, StoreError> {
    let (today, period) = (beijing_day(now), BillPeriod::of(now));
    let mut sum = None;
    for share in shares {
        let Some((first, to)) = tx.known_days(&share.account, today)? else { return Ok(None) };
        let days: Vec<Date> = charted_days(today);
        let amounts: BTreeMap<Date, Money> =
            days.iter().copied().zip(tx.account_days(&share.account, &days)?).collect();
        let Some(rate) = Rate::of(&amounts, first, to) else { return Ok(None) };
        let end = rate.month_end(period, to, share.bill.total, &amounts);
        sum = Some(sum.unwrap_or(Money::ZERO) + end);
    }
    Ok(sum)
}

/// Returns which days of a month and the month before can be compared; `None` if the account's bill of either is not known
/// completely.
pub(super) fn comparable_of<S: Source>(
    tx: &View<S>,
    account: &AccountId,
    period: BillPeriod,
) -> Result<Option<Comparable>, StoreError> {
    let readings = tx.account_readings(account)?;
    let is_counted = |month: BillPeriod| {
        readings.periods.get(&month).is_some_and(|known| known.uncounted.is_empty())
    };
    let is_known = is_counted(period) && is_counted(period.previous());
    Ok(readings.bill_to.filter(|_| is_known).and_then(|bill_to| comparable(period, bill_to)))
}

/// Compares a month of accounts with the month before: the same days of both. `None` if some account's bill of either is not
/// known completely.
pub fn change<S: Source>(
    tx: &View<S>,
    shares: &[AccountShare],
    period: BillPeriod,
) -> Result<Option<Change>, StoreError> {
    let previous = period.previous();
    let mut change: Option<Change> = None;
    for share in shares {
        let Some(comparable) = comparable_of(tx, &share.account, period)? else { return Ok(None) };
        let sum = |month: BillPeriod| -> Result<Money, StoreError> {
            let days: Vec<Date> = month.days().filter(|day| comparable.includes(*day)).collect();
            Ok(tx.account_days(&share.account, &days)?.into_iter().sum())
        };
        let first_days = comparable.first_days();
        let own = Change { first_days, now: sum(period)?, before: sum(previous)? };
        change = Some(match change {
            None => own,
            // Bills that hold different days have no sum that can be named.
            Some(sum) if sum.first_days != own.first_days => return Ok(None),
            Some(sum) => Change { now: sum.now + own.now, before: sum.before + own.before, ..own },
        });
    }
    Ok(change)
}
