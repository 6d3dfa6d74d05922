//! What each project of the accounts cost in a month, whoever pays for it: a shared project counts once.

use std::collections::BTreeMap;

use jiff::civil::Date;

use super::outcome::AccountShare;
use super::{paginate, rest};
use crate::domain::{
    AccountId, BillPeriod, Change, Comparable, Money, ProjectName, UserKey, comparable,
};
use crate::store::{Source, StoreError, View};

/// Projects on one page.
pub const PROJECTS_A_PAGE: usize = 8;

/// A project and what it cost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BilledProject {
    /// The account.
    pub account: AccountId,
    /// Its name, where there are several.
    pub account_name: Option<String>,
    /// The project; `None` for rows of the bill that have none.
    pub project: Option<ProjectName>,
    /// What people call it.
    pub label: String,
    /// The exact amount.
    pub amount: Money,
    /// Who pays for it.
    pub users: Vec<UserKey>,
    /// The month beside the month before, if the account's bills hold the same days of both.
    pub change: Option<Change>,
}

/// A page of projects, largest amount first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BilledProjects {
    /// The projects of this page.
    pub rows: Vec<BilledProject>,
    /// The number of this page, from 1.
    pub page: usize,
    /// The number of pages, at least 1.
    pub pages: usize,
    /// How many projects the month has.
    pub total: usize,
}

/// An amount, with the first days of this month and of the month before.
#[derive(Clone, Copy, Default)]
struct Sums {
    amount: Money,
    now: Money,
    before: Money,
}

/// Reads what the projects of these accounts cost in a month.
pub fn page<S: Source>(
    tx: &View<S>,
    shares: &[AccountShare],
    period: BillPeriod,
    page: usize,
) -> Result<BilledProjects, StoreError> {
    let mut found = Vec::new();
    for share in shares {
        let days = comparable_days(tx, &share.account, period)?;
        for (name, sums) in sums_of(tx, &share.account, period, days)? {
            let change = days.map(|days| Change {
                first_days: match days {
                    Comparable::Whole => None,
                    Comparable::First(days) => Some(days),
                },
                now: sums.now,
                before: sums.before,
            });
            found.push((share, name, sums.amount, change));
        }
    }
    found.sort_by(|a, b| {
        b.2.cmp(&a.2).then_with(|| (&a.0.account, &a.1).cmp(&(&b.0.account, &b.1)))
    });
    let total = found.len();
    let (found, page, pages) = paginate(found, page, PROJECTS_A_PAGE);
    let mut rows = Vec::with_capacity(found.len());
    for (share, project, amount, change) in found {
        let account = &share.account;
        let (label, users) = match &project {
            Some(project) => {
                let payers = tx.payers(account, project.as_str())?;
                let paying = payers.into_iter().filter(|payer| payer.since <= period);
                let users = paying.map(|payer| payer.user).collect();
                (rest::label_of(tx, account, project)?, users)
            }
            None => (String::new(), Vec::new()),
        };
        rows.push(BilledProject {
            account: account.clone(),
            account_name: (shares.len() > 1).then(|| share.name.clone()),
            project,
            label,
            amount,
            users,
            change,
        });
    }
    Ok(BilledProjects { rows, page, pages, total })
}

/// Returns which days of the month and the month before can be compared; `None` if the account's bill of either is not known
/// completely.
fn comparable_days<S: Source>(
    tx: &View<S>,
    account: &AccountId,
    period: BillPeriod,
) -> Result<Option<Comparable>, StoreError> {
    let readings = tx.account_readings(account)?;
    let is_counted = |month: BillPeriod| {
        readings.periods.get(&month).is_some_and(|known| known.uncounted.is_empty())
    };
    Ok(match readings.bill_to {
        Some(bill_to) if is_counted(period) && is_counted(period.previous()) => {
            comparable(period, bill_to)
        }
        _ => None,
    })
}

/// Adds up the days of an account's month by project. Projects that cost nothing are left out.
fn sums_of<S: Source>(
    tx: &View<S>,
    account: &AccountId,
    period: BillPeriod,
    days: Option<Comparable>,
) -> Result<Vec<(Option<ProjectName>, Sums)>, StoreError> {
    let mut sums: BTreeMap<Option<ProjectName>, Sums> = BTreeMap::new();
    let is_compared = |day: Date| match days {
        None => false,
        Some(Comparable::Whole) => true,
        Some(Comparable::First(days)) => day.day() <= days,
    };
    let named = |name: String| ProjectName::new(name).ok().filter(rest::is_named);
    for (day, name, amount) in tx.days(account, period.first_day(), period.last_day())? {
        let sum = sums.entry(named(name)).or_default();
        sum.amount += amount;
        if is_compared(day) {
            sum.now += amount;
        }
    }
    if days.is_some() {
        let before = period.previous();
        for (day, name, amount) in tx.days(account, before.first_day(), before.last_day())? {
            if is_compared(day)
                && let Some(sum) = sums.get_mut(&named(name))
            {
                sum.before += amount;
            }
        }
    }
    Ok(sums.into_iter().filter(|(_, sum)| !sum.amount.is_zero()).collect())
}
