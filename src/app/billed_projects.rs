//! What each project of the accounts cost in a month, whoever pays for it: a shared project counts once.

use std::collections::BTreeMap;

use jiff::civil::Date;

use super::outcome::AccountShare;
use super::{billing, days, paginate, rest};
use crate::domain::{
    AccountId, BillPeriod, Change, Comparable, Money, Part, ProjectName, Spent, UserKey,
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
        let comparable = days::comparable_of(tx, &share.account, period)?;
        for (name, spent) in spent_in(tx, &share.account, period, comparable)? {
            let change = comparable.map(|days| Change {
                first_days: days.first_days(),
                now: spent.compared,
                before: spent.before,
            });
            found.push((share, name, spent.amount, change));
        }
    }
    found.sort_by(|a, b| {
        b.2.cmp(&a.2).then_with(|| (&a.0.account, &a.1).cmp(&(&b.0.account, &b.1)))
    });
    let (found, page, pages) = paginate(found, page, PROJECTS_A_PAGE);
    let mut rows = Vec::with_capacity(found.len());
    for (share, project, amount, change) in found {
        let account = &share.account;
        let (label, users) = match &project {
            Some(project) => {
                let payers = tx.payers(account, project.as_str())?;
                let paying = payers.into_iter().filter(|payer| payer.since <= period);
                let users = paying.map(|payer| payer.user).collect();
                (billing::listed_label(tx, account, project)?, users)
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
    Ok(BilledProjects { rows, page, pages })
}

/// Adds up the days of an account's month by project. Projects that cost nothing are left out.
fn spent_in<S: Source>(
    tx: &View<S>,
    account: &AccountId,
    period: BillPeriod,
    comparable: Option<Comparable>,
) -> Result<BTreeMap<Option<ProjectName>, Spent>, StoreError> {
    // By name as it is in the bill, so that a name is looked at once and not for each day.
    let mut sums: BTreeMap<String, Spent> = BTreeMap::new();
    let is_compared = |day: Date| comparable.is_some_and(|days| days.includes(day));
    let mut add = |name: &str, amount: Money, part: Part| match sums.get_mut(name) {
        Some(sum) => sum.add(amount, part),
        None => sums.entry(name.to_owned()).or_default().add(amount, part),
    };
    tx.each_day(account, period.first_day(), period.last_day(), |day, name, amount| {
        add(name, amount, Part::Now { compared: is_compared(day) });
    })?;
    if comparable.is_some() {
        let before = period.previous();
        tx.each_day(account, before.first_day(), before.last_day(), |day, name, amount| {
            if is_compared(day) {
                add(name, amount, Part::Before);
            }
        })?;
    }
    let mut spent: BTreeMap<Option<ProjectName>, Spent> = BTreeMap::new();
    for (name, sum) in sums {
        spent.entry(ProjectName::new(name).ok().filter(rest::is_named)).or_default().plus(sum);
    }
    spent.retain(|_, sum| !sum.amount.is_zero());
    Ok(spent)
}
