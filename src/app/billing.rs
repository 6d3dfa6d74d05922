//! Reading spending: per month, per user, per project.

use jiff::Timestamp;

use super::outcome::{BillingProject, BillingUser, BillingView, EstimatedAccount, UserMonths};
use super::{Error, Refusal, days, paginate, rest, users};
use crate::domain::{
    AccountId, BillPeriod, EstimateUse, Money, ProjectName, SpendingRecord, UserKey, oldest_stale,
};
use crate::store::{Source, StoreError, View};

/// Users on one page of the billing card.
pub const USERS_A_PAGE: usize = 8;
/// Projects on one page of a user's billing card.
pub const PROJECTS_A_PAGE: usize = 40;
/// Months that can be chosen and that a user's history shows.
const MONTHS_SHOWN: usize = 24;
/// Months in the chart.
const MONTHS_CHARTED: usize = 6;

/// Reads what the billing card shows: all users of a period, or one user's projects and months. A page holds users, or
/// projects of that one user.
///
/// # Errors
/// [`Refusal::NoSuchUser`], [`Refusal::PeriodOutOfRange`] for a future month or one before all bills, or a [`StoreError`].
pub fn view<S: Source>(
    tx: &View<S>,
    period: Option<BillPeriod>,
    user: Option<&UserKey>,
    page: usize,
    now: Timestamp,
) -> Result<BillingView, Error> {
    let current = BillPeriod::of(now);
    let period = period.unwrap_or(current);
    let mut periods = tx.spending_periods()?;
    let recorded = periods.last().copied().unwrap_or(current);
    let first = recorded.min(current.first_readable());
    if period > current.max(periods.first().copied().unwrap_or(current)) || period < first {
        return Err(Refusal::PeriodOutOfRange { period, first, last: current }.into());
    }
    periods.extend([current, period]);
    periods.sort_unstable_by(|a, b| b.cmp(a));
    periods.dedup();
    periods.truncate(MONTHS_SHOWN);
    if !periods.contains(&period) {
        periods.push(period);
    }

    let of_user = match user {
        Some(key) => Some(months(tx, key, &periods)?),
        None => None,
    };
    let asked = page.max(1);
    let (shown, mut page, mut pages, total_users, total) = match user {
        Some(key) => {
            let records = tx.spending_of(key, period)?;
            let own: Vec<(UserKey, Money)> = records
                .into_iter()
                .filter(|record| record.project.is_none())
                .map(|record| (record.user, record.amount))
                .collect();
            let (count, total) = (own.len(), own.iter().map(|(_, total)| *total).sum());
            (own, 1, 1, count, total)
        }
        None => {
            let count = tx.spenders_in(period)?;
            let pages = count.div_ceil(USERS_A_PAGE).max(1);
            let page = asked.min(pages);
            let shown = tx.top_spenders_in(period, (page - 1) * USERS_A_PAGE, USERS_A_PAGE)?;
            (shown, page, pages, count, tx.period_total(period)?)
        }
    };
    let directory = tx.directory();
    let mut users = Vec::with_capacity(shown.len());
    for (key, total) in shown {
        let records = tx.spending_of(&key, period)?;
        let ambiguous = directory.is_ambiguous(&key);
        users.push(billing_user(tx, key, total, &records, ambiguous)?);
    }
    if let (Some(_), Some(own)) = (&of_user, users.first_mut()) {
        let projects = std::mem::take(&mut own.projects);
        (own.projects, page, pages) = paginate(projects, asked, PROJECTS_A_PAGE);
    }
    let recent = recent(tx, recorded, current, of_user.as_ref(), now)?;
    let (shares, unread, charted) = match user {
        Some(key) => {
            let links = tx.links_of(key)?;
            (Vec::new(), Vec::new(), days::of_user_in(tx, &key.account, &links, period, now)?)
        }
        None => {
            let (shares, unread) = rest::shares(tx, period, now)?;
            let accounts: Vec<AccountId> =
                shares.iter().map(|share| share.account.clone()).collect();
            let charted = days::of_accounts(tx, &accounts, period, now)?;
            (shares, unread, charted)
        }
    };
    let change = days::change(tx, &shares, period)?;
    let month_end = if period == current { days::month_end(tx, &shares, now)? } else { None };
    let shows_estimates = of_user.is_none() && period == current;
    let estimates = if shows_estimates { estimates(tx)? } else { Vec::new() };
    Ok(BillingView {
        period,
        periods,
        users,
        page,
        pages,
        total_users,
        total,
        recent,
        of_user,
        shares,
        unread,
        change,
        month_end,
        days: charted,
        estimates,
    })
}

/// Returns what is estimated of each account, if anything is known of it.
fn estimates<S: Source>(tx: &View<S>) -> Result<Vec<EstimatedAccount>, StoreError> {
    let mut estimates = Vec::new();
    for account in tx.accounts()?.into_iter().filter(|account| account.active.is_on()) {
        let Some(estimate) = tx.account_estimate(&account.id)? else { continue };
        let is_used = estimate.counts > EstimateUse::Off;
        if is_used && (estimate.total.is_positive() || estimate.trouble.is_some()) {
            estimates.push(EstimatedAccount { name: account.name, estimate });
        }
    }
    Ok(estimates)
}

/// Returns the totals of the last months up to the current one without a gap, oldest first: of everybody, the bills of the
/// accounts where they are known. Months before anything was `recorded` are left out.
fn recent<S: Source>(
    tx: &View<S>,
    recorded: BillPeriod,
    current: BillPeriod,
    of_user: Option<&UserMonths>,
    now: Timestamp,
) -> Result<Vec<(BillPeriod, Money)>, StoreError> {
    let back = std::iter::successors(Some(current), |period| Some(period.previous()));
    let mut months: Vec<BillPeriod> =
        back.take(MONTHS_CHARTED).take_while(|period| *period >= recorded).collect();
    months.reverse();
    let total = |period: BillPeriod| match of_user {
        Some(own) => {
            let known = own.months.iter().find(|(month, _)| *month == period);
            Ok(known.map_or(Money::ZERO, |(_, total)| *total))
        }
        None => {
            let (shares, _) = rest::shares(tx, period, now)?;
            match shares.as_slice() {
                [] => tx.period_total(period),
                known => Ok(known.iter().map(|share| share.bill.total).sum()),
            }
        }
    };
    months.into_iter().map(|period| Ok((period, total(period)?))).collect()
}

/// Returns one user's part of a period.
pub(super) fn billing_user<S: Source>(
    tx: &View<S>,
    key: UserKey,
    total: Money,
    records: &[SpendingRecord],
    ambiguous: bool,
) -> Result<BillingUser, StoreError> {
    let links = tx.links_of(&key)?;
    let shared = tx.sharing_among(&links)?;
    let mut projects: Vec<BillingProject> = records
        .iter()
        .filter_map(|record| record.project.clone().map(|project| (record, project)))
        // A record of nothing says nothing.
        .filter(|(record, _)| !record.amount.rounded().is_zero())
        .map(|(record, project)| {
            let link = links.iter().find(|link| link.project == project);
            Ok(BillingProject {
                label: match link {
                    Some(link) => link.label().to_owned(),
                    None => listed_label(tx, &key.account, &project)?,
                },
                freshness: link.map(|link| link.freshness),
                amount: record.amount,
                shared: shared.iter().find(|known| known.project == project).cloned(),
                project,
            })
        })
        .collect::<Result<_, StoreError>>()?;
    projects.sort_by(|a, b| b.amount.cmp(&a.amount).then_with(|| a.project.cmp(&b.project)));
    Ok(BillingUser {
        display_name: tx.user(&key)?.map(|user| user.display_name).unwrap_or_default(),
        ambiguous,
        total,
        projects,
        stale: oldest_stale(&links),
        key,
    })
}

/// Returns what a project is called, by the list of projects.
pub(super) fn listed_label<S: Source>(
    tx: &View<S>,
    account: &AccountId,
    project: &ProjectName,
) -> Result<String, StoreError> {
    let listed = tx.project(account, project)?.map(|listed| listed.display_name);
    Ok(listed.filter(|name| !name.trim().is_empty()).unwrap_or_else(|| project.to_string()))
}

fn months<S: Source>(
    tx: &View<S>,
    key: &UserKey,
    periods: &[BillPeriod],
) -> Result<UserMonths, Error> {
    let user = users::get(tx, key)?;
    let mut months = Vec::new();
    for period in periods {
        let records = tx.spending_of(key, *period)?;
        if let Some(total) = records.iter().find(|record| record.project.is_none()) {
            months.push((*period, total.amount));
        }
    }
    Ok(UserMonths { user, months })
}
