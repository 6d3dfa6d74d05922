//! Which part of a bill no user pays for (未归属), and making a user pay for it.

use jiff::Timestamp;

use super::billing::listed_label;
use super::outcome::{AccountShare, RestLinking, RestPart, RestRow, RestView};
use super::projects::{self, NewLink};
use super::{Error, Refusal, paginate, users};
use crate::domain::{
    Account, AccountId, BillPeriod, Money, ProjectLink, ProjectName, Switch, UserKey, UserStatus,
    Username,
};
use crate::store::{Source, StoreError, View, WriteTx};

/// Rows on one page of what no user pays for.
pub const REST_A_PAGE: usize = 10;
/// How many users can be chosen; others are typed.
const MAX_CANDIDATES: usize = 60;
/// The project of bill rows that have none (docs/platforms/volcengine.md §7.1).
const NO_PROJECT: &str = "-";

/// Returns whether rows of a project belong to one.
pub(super) fn is_named(project: &ProjectName) -> bool {
    project.as_str() != NO_PROJECT
}

/// Reads how each account's bill of a period divides into what users pay for and the rest. Returns also the names of active
/// accounts whose bill is not known.
///
/// # Errors
/// A [`StoreError`].
pub fn shares<S: Source>(
    tx: &View<S>,
    period: BillPeriod,
    now: Timestamp,
) -> Result<(Vec<AccountShare>, Vec<String>), StoreError> {
    let (mut shares, mut unread) = (Vec::new(), Vec::new());
    for account in tx.accounts()? {
        match share(tx, &account, period, now)? {
            Some(share) => shares.push(share),
            None if account.active.is_on() => unread.push(account.name),
            None => {}
        }
    }
    if shares.is_empty() {
        unread.clear();
    }
    Ok((shares, unread))
}

fn share<S: Source>(
    tx: &View<S>,
    account: &Account,
    period: BillPeriod,
    now: Timestamp,
) -> Result<Option<AccountShare>, StoreError> {
    let Some(bill) = tx.account_bill(&account.id, period)? else { return Ok(None) };
    let readings = tx.account_readings(&account.id)?;
    let known = readings.periods.get(&period);
    let is_open = known.is_none_or(|known| period.is_open(known.complete_at, now));
    Ok(Some(AccountShare {
        account: account.id.clone(),
        name: account.name.clone(),
        bill: bill.in_cents(),
        has_rest: !bill.unattributed.is_zero(),
        bill_to: readings.bill_to.filter(|day| *day < period.last_day()),
        stale: (is_open && readings.failed_at.is_some()).then_some(readings.read_at),
        uncounted: known.map_or(0, |known| known.uncounted.len()),
    }))
}

/// Reads what no user pays for in one period of an account, by project, largest amount first. `linking` is a project that is
/// about to be linked.
///
/// # Errors
/// [`Refusal::NoSuchAccount`], or a [`StoreError`].
pub fn view<S: Source>(
    tx: &View<S>,
    account: &AccountId,
    period: BillPeriod,
    page: usize,
    linking: Option<&ProjectName>,
    now: Timestamp,
) -> Result<RestView, Error> {
    let known = tx.account(account)?.ok_or_else(|| Refusal::NoSuchAccount(account.to_string()))?;
    let mut without: Option<Money> = None;
    let mut amounts: Vec<(Option<ProjectName>, Money)> = Vec::new();
    for (name, amount) in tx.unattributed(account, period)? {
        match ProjectName::new(name).ok().filter(is_named) {
            Some(_) if amount.is_zero() => {}
            Some(project) => amounts.push((Some(project), amount)),
            None => *without.get_or_insert(Money::ZERO) += amount,
        }
    }
    amounts.extend(without.filter(|sum| !sum.is_zero()).map(|sum| (None, sum)));
    amounts.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    let total = amounts.len();
    let is_there = |wanted: &&ProjectName| {
        amounts.iter().any(|(project, _)| project.as_ref() == Some(*wanted))
    };
    let linking = match linking.filter(is_there) {
        Some(project) => link_form(tx, account, period, project, now)?,
        None => None,
    };
    let (amounts, page, pages) = paginate(amounts, page, REST_A_PAGE);
    let mut rows = Vec::with_capacity(amounts.len());
    for (project, amount) in amounts {
        let part = match project {
            Some(project) => part_of(tx, account, project)?,
            None => RestPart::NoProject,
        };
        rows.push(RestRow { amount, part });
    }
    Ok(RestView {
        account: account.clone(),
        share: share(tx, &known, period, now)?,
        account_name: known.name,
        period,
        rows,
        page,
        pages,
        total,
        linking,
    })
}

/// Reads who is linked to a project that nobody pays for.
fn part_of<S: Source>(
    tx: &View<S>,
    account: &AccountId,
    project: ProjectName,
) -> Result<RestPart, StoreError> {
    let (mut off, mut later) = (Vec::new(), Vec::new());
    for link in links_of(tx, account, &project)? {
        match link.monitored {
            Switch::On => later.push((link.user, link.since)),
            Switch::Off => off.push(link.user),
        }
    }
    Ok(RestPart::Project { label: listed_label(tx, account, &project)?, project, off, later })
}

fn links_of<S: Source>(
    tx: &View<S>,
    account: &AccountId,
    project: &ProjectName,
) -> Result<Vec<ProjectLink>, StoreError> {
    let users = tx.users_linked_to(account, project.as_str())?;
    users.iter().filter_map(|user| tx.link(user, project).transpose()).collect()
}

/// Reads what the form for linking a project shows; `None` if somebody is linked to it by now.
fn link_form<S: Source>(
    tx: &View<S>,
    account: &AccountId,
    period: BillPeriod,
    project: &ProjectName,
    now: Timestamp,
) -> Result<Option<RestLinking>, StoreError> {
    if !tx.users_linked_to(account, project.as_str())?.is_empty() {
        return Ok(None);
    }
    let mut cost = Money::ZERO;
    for month in period.through(BillPeriod::of(now)) {
        cost += tx.bill(account, project, month)?.map_or(Money::ZERO, |bill| bill.amount);
    }
    let directory = tx.directory();
    let present: Vec<&UserKey> = directory
        .iter()
        .filter(|(key, user)| key.account == *account && user.status != UserStatus::Gone)
        .map(|(key, _)| key)
        .collect();
    let mut candidates = Vec::new();
    for key in present.iter().take(MAX_CANDIDATES) {
        let display_name = tx.user(key)?.map(|user| user.display_name).unwrap_or_default();
        candidates.push(((*key).clone(), display_name));
    }
    Ok(Some(RestLinking {
        project: project.clone(),
        label: listed_label(tx, account, project)?,
        cost,
        more: present.len().saturating_sub(candidates.len()),
        candidates,
    }))
}

/// A wish that a user pays for a project of an account from a period on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewPayer {
    /// The account.
    pub account: AccountId,
    /// The project.
    pub project: ProjectName,
    /// The first period that counts, if the user is not linked yet.
    pub since: BillPeriod,
    /// Chosen from the list, as `account/username`; empty = none.
    pub chosen: String,
    /// Typed instead; empty = none.
    pub typed: String,
}

/// What made a user pay for a project.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Assigned {
    /// A new link.
    Linked(ProjectLink),
    /// The link that was there is monitored again.
    SwitchedOn(ProjectLink),
}

impl Assigned {
    /// Returns the link.
    pub fn link(&self) -> &ProjectLink {
        match self {
            Assigned::Linked(link) | Assigned::SwitchedOn(link) => link,
        }
    }
}

/// Makes a user pay for a project that nobody pays for: links it, or switches the monitoring of the user's link on.
///
/// # Errors
/// [`Refusal::NoUser`], [`Refusal::NoSuchUser`], [`Refusal::PaidFor`] if somebody pays for it by now, and those of
/// [`projects::add`].
pub fn assign(tx: &WriteTx, wish: &NewPayer, now: Timestamp) -> Result<Assigned, Error> {
    let NewPayer { account, project, .. } = wish;
    let user = payer(tx, wish)?;
    let links = links_of(tx, account, project)?;
    if links.iter().any(|link| link.user == user && link.monitored.is_on()) {
        return Err(Refusal::AlreadyLinked(project.clone()).into());
    }
    let payers = tx.payers(account, project.as_str())?;
    if !payers.is_empty() {
        let with = payers.into_iter().map(|payer| payer.user).collect();
        return Err(Refusal::PaidFor { project: project.clone(), with }.into());
    }
    if links.iter().any(|link| link.user == user) {
        projects::toggle(tx, &user, project, Switch::On, now)?;
        let link = tx.link(&user, project)?;
        let link = link.ok_or_else(|| Refusal::NotLinked(project.clone()))?;
        return Ok(Assigned::SwitchedOn(link));
    }
    let new = NewLink {
        project: project.to_string(),
        since: wish.since.to_string(),
        ..NewLink::default()
    };
    Ok(Assigned::Linked(projects::add(tx, &user, &new, now)?.link))
}

/// Returns the user that was chosen or typed. Only users of the project's account count.
fn payer(tx: &WriteTx, wish: &NewPayer) -> Result<UserKey, Error> {
    let name = match (wish.typed.trim(), wish.chosen.trim()) {
        ("", "") => return Err(Refusal::NoUser.into()),
        ("", chosen) => chosen,
        (typed, _) => typed,
    };
    let of_account = |name: &str| Username::new(name).ok();
    let own = match of_account(name).map(|name| UserKey::new(wish.account.clone(), name)) {
        Some(key) => tx.user(&key)?,
        None => None,
    };
    let user = match own {
        Some(user) => user,
        None => users::find(tx, name)?,
    };
    if user.key.account != wish.account {
        return Err(Refusal::NoSuchUser { name: name.to_owned(), nearest: Vec::new() }.into());
    }
    Ok(user.key)
}

#[cfg(test)]
mod tests;
