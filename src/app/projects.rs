//! Project links: what the card shows; linking, switching, removing.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use super::batch_refusal::BatchRefusal;
use super::outcome::ProjectsView;
use super::{Error, Refusal, paginate, users};
use crate::clock::is_recent;
use crate::domain::{
    AccountId, BillPeriod, Counts, Freshness, Joining, Money, ProjectInfo, ProjectLink,
    ProjectName, Switch, User, UserKey, UserStatus,
};
use crate::store::{Source, StoreError, View, WriteTx};

/// Links on one page of the projects card.
pub const LINKS_A_PAGE: usize = 6;
/// How many projects the card offers for linking.
const MAX_CANDIDATES: usize = 100;
/// The age from which a list of projects is read again when a projects card is opened.
const MAX_LIST_AGE: SignedDuration = SignedDuration::from_mins(10);

/// Reads what the projects card shows.
///
/// # Errors
/// [`Refusal::NoSuchUser`], or a [`StoreError`].
pub fn view<S: Source>(
    tx: &View<S>,
    key: &UserKey,
    page: usize,
    now: Timestamp,
) -> Result<ProjectsView, Error> {
    let user = users::get(tx, key)?;
    let links = users::sorted(tx.links_of(key)?);
    let mut candidates: Vec<_> = tx
        .projects_of(&key.account)?
        .into_iter()
        .filter(|project| !links.iter().any(|link| link.project == project.name))
        .collect();
    let more_candidates = keep_first(&mut candidates);
    let total = links.len();
    let monitored = links.iter().filter(|link| link.monitored.is_on()).count();
    let linked: BTreeSet<ProjectName> = links.iter().map(|link| link.project.clone()).collect();
    let (links, page, pages) = paginate(links, page, LINKS_A_PAGE);
    let mut authorisations = tx.authorisations_of(key)?;
    authorisations.retain(|known| {
        known.scope.project().is_none_or(|project| {
            !linked.contains(project) || links.iter().any(|link| link.project == *project)
        })
    });
    let shared = tx.sharing_among(&links)?;
    let mut taken = BTreeMap::new();
    for candidate in &candidates {
        let payers = tx.payers(&key.account, candidate.name.as_str())?;
        if !payers.is_empty() {
            let payers: Vec<UserKey> = payers.into_iter().map(|payer| payer.user).collect();
            taken.insert(candidate.name.clone(), payers);
        }
    }
    let suspended = tx.access_remembered(key)?.is_some_and(|known| !known.policies.is_empty());
    Ok(ProjectsView {
        user,
        links,
        page,
        pages,
        total,
        monitored,
        candidates,
        more_candidates,
        listed_at: tx.projects_listed_at(&key.account)?,
        current: BillPeriod::of(now),
        authorisations,
        suspended,
        shared,
        taken,
    })
}

/// Returns the projects of the accounts of these users, by display name, and how many more there are.
pub fn to_choose<S: Source>(
    tx: &View<S>,
    users: &[UserKey],
) -> Result<(Vec<ProjectInfo>, usize), StoreError> {
    let accounts: BTreeSet<&AccountId> = users.iter().map(|user| &user.account).collect();
    let mut projects = Vec::new();
    for account in accounts {
        projects.extend(tx.projects_of(account)?);
    }
    // Names repeat between accounts; a link is by name.
    let mut names = BTreeSet::new();
    projects.retain(|project| names.insert(project.name.clone()));
    let more = keep_first(&mut projects);
    Ok((projects, more))
}

/// Sorts projects to choose from by what they are called, and keeps the first. Returns how many others there are.
fn keep_first(projects: &mut Vec<ProjectInfo>) -> usize {
    projects.sort_by(|a, b| {
        (a.display_name.as_str(), &a.name).cmp(&(b.display_name.as_str(), &b.name))
    });
    let more = projects.len().saturating_sub(MAX_CANDIDATES);
    projects.truncate(MAX_CANDIDATES);
    more
}

/// Returns whether the account's list of projects is too old to choose from.
pub fn list_is_old(view: &ProjectsView, now: Timestamp) -> bool {
    view.listed_at.is_none_or(|at| !is_recent(at, MAX_LIST_AGE, now))
}

/// The link that a person requested.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewLink {
    /// As chosen or typed.
    pub project: String,
    /// First bill period that counts; empty = the current one.
    pub since: String,
    /// What happens to the links of others, where they have the project already.
    pub joining: Option<Joining>,
}

/// The projects that a person chose, and the one that was typed, to be linked at once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewLinks {
    /// Chosen from the list.
    pub chosen: Vec<String>,
    /// Typed; empty = none.
    pub typed: String,
    /// As in [`NewLink::since`].
    pub since: String,
    /// As in [`NewLink::joining`].
    pub joining: Option<Joining>,
}

/// What was linked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Linked {
    /// The link.
    pub link: ProjectLink,
    /// Whether it is in the account's list of projects; a typed name may be mistyped.
    pub listed: bool,
    /// Who paid for the project already.
    pub others: Vec<UserKey>,
    /// The same users as they were before.
    pub others_before: Vec<User>,
    /// What happened to their links.
    pub joining: Joining,
}

/// Links projects and monitors them: all, or none if one is refused.
///
/// # Errors
/// As [`add`]. [`Refusal::ProjectTaken`] names all that are taken.
pub fn add_all(
    tx: &WriteTx,
    key: &UserKey,
    new: &NewLinks,
    now: Timestamp,
) -> Result<Vec<Linked>, Error> {
    let typed = Some(&new.typed).filter(|name| !name.trim().is_empty());
    let mut names: Vec<&str> = Vec::new();
    for name in new.chosen.iter().chain(typed) {
        if !names.contains(&name.trim()) {
            names.push(name.trim());
        }
    }
    if names.is_empty() {
        return Err(Refusal::NoProject.into());
    }
    let mut linked = Vec::new();
    let mut taken = BTreeMap::new();
    for name in names {
        let link =
            NewLink { project: name.to_owned(), since: new.since.clone(), joining: new.joining };
        match add(tx, key, &link, now).map_err(Error::refusal) {
            Ok(link) => linked.push(link),
            Err(Ok(Refusal::ProjectTaken(by))) => taken.extend(by),
            Err(Ok(refusal)) => return Err(refusal.into()),
            Err(Err(error)) => return Err(error.into()),
        }
    }
    if taken.is_empty() { Ok(linked) } else { Err(Refusal::ProjectTaken(taken).into()) }
}

/// Links a project and monitors it.
///
/// # Errors
/// A refusal of the project's name or of the period, [`Refusal::AlreadyLinked`], [`Refusal::UserGone`], and
/// [`Refusal::ProjectTaken`] where others pay for it and `new` does not say what happens to them.
pub fn add(tx: &WriteTx, key: &UserKey, new: &NewLink, now: Timestamp) -> Result<Linked, Error> {
    let user = users::get(tx, key)?;
    users::not_in_batch(tx, key)?;
    if tx.links_are_written()? {
        return Err(BatchRefusal::LinksBusy.into());
    }
    if user.status == UserStatus::Gone {
        return Err(Refusal::UserGone(key.clone()).into());
    }
    let name = new.project.trim();
    if name.is_empty() {
        return Err(Refusal::NoProject.into());
    }
    let project = ProjectName::new(name).map_err(|_| Refusal::BadProject(name.to_owned()))?;
    let since = parse_since(&new.since, BillPeriod::of(now))?;
    if tx.link(key, &project)?.is_some() {
        return Err(Refusal::AlreadyLinked(project).into());
    }
    let payers = tx.payers(&key.account, project.as_str())?;
    let payers: Vec<UserKey> = payers.into_iter().map(|payer| payer.user).collect();
    let joining = match new.joining {
        _ if payers.is_empty() => Joining::Whole,
        Some(joining) => joining,
        None => return Err(Refusal::ProjectTaken([(project, payers)].into()).into()),
    };
    let others_before: Result<Vec<User>, _> =
        payers.iter().filter_map(|payer| tx.user(payer).transpose()).collect();
    let others_before = others_before?;
    make_room(tx, &project, &payers, joining)?;
    tx.cards_changed(key)?;
    let listed = put_new_link(tx, key, &project, since, joining, now)?;
    for payer in &payers {
        tx.refresh_spending(payer, now, false)?;
    }
    let link = tx.link(key, &project)?.ok_or(Refusal::NotLinked(project))?;
    Ok(Linked { link, listed, others: payers, others_before, joining })
}

/// Writes a new link, and counts what was read of the project already. Returns whether the project is in the account's list.
pub(super) fn put_new_link(
    tx: &WriteTx,
    key: &UserKey,
    project: &ProjectName,
    since: BillPeriod,
    joining: Joining,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let known = tx.project(&key.account, project)?;
    let listed = known.is_some();
    tx.put_link(&ProjectLink {
        user: key.clone(),
        display_name: known.map(|project| project.display_name).unwrap_or_default(),
        project: project.clone(),
        monitored: Switch::On,
        since,
        counts: joining.counts(),
        spending: Money::ZERO,
        freshness: Freshness::Pending,
        created: now,
    })?;
    tx.refresh_spending(key, now, false)?;
    Ok(listed)
}

/// Changes the links of those who have a project, before another user is linked to it.
fn make_room(
    tx: &WriteTx,
    project: &ProjectName,
    payers: &[UserKey],
    joining: Joining,
) -> Result<(), StoreError> {
    for payer in payers {
        let Some(link) = tx.link(payer, project)? else { continue };
        let link = match joining {
            Joining::Move => ProjectLink { monitored: Switch::Off, ..link },
            Joining::Part => ProjectLink { counts: Counts::Part, ..link },
            Joining::Whole => link,
        };
        tx.put_link(&link)?;
        // Also where the link stays as it is: the cards say with whom a project is shared.
        tx.cards_changed(payer)?;
    }
    Ok(())
}

/// Reads the first month that counts; an empty text means the current one.
///
/// # Errors
/// [`Refusal::BadPeriod`], [`Refusal::PeriodOutOfRange`].
pub(super) fn parse_since(text: &str, current: BillPeriod) -> Result<BillPeriod, Refusal> {
    let period = read_since(text, current)?;
    within_reach(period, current)?;
    Ok(period)
}

/// Reads the first month of a link; empty means the current one.
///
/// # Errors
/// [`Refusal::BadPeriod`].
pub(super) fn read_since(text: &str, current: BillPeriod) -> Result<BillPeriod, Refusal> {
    match text.trim() {
        "" => Ok(current),
        text => text.parse().map_err(|_| Refusal::BadPeriod(text.to_owned())),
    }
}

/// Checks that the bills of a link's first month can be read.
///
/// # Errors
/// [`Refusal::PeriodOutOfRange`].
pub(super) fn within_reach(period: BillPeriod, current: BillPeriod) -> Result<(), Refusal> {
    let first = current.first_readable();
    if period < first || period > current {
        return Err(Refusal::PeriodOutOfRange { period, first, last: current });
    }
    Ok(())
}

/// Switches the monitoring of one link, and recomputes the user's consumption.
///
/// # Errors
/// [`Refusal::NotLinked`], [`Refusal::NoSuchUser`].
pub fn toggle(
    tx: &WriteTx,
    key: &UserKey,
    project: &ProjectName,
    monitored: Switch,
    now: Timestamp,
) -> Result<(), Error> {
    users::get(tx, key)?;
    users::not_in_batch(tx, key)?;
    let link = tx.link(key, project)?.ok_or_else(|| Refusal::NotLinked(project.clone()))?;
    tx.put_link(&ProjectLink { monitored, ..link })?;
    tx.refresh_spending(key, now, false)?;
    tx.refresh_sharers(key, project, now)?;
    Ok(tx.cards_changed(key)?)
}

/// Switches the monitoring of all links. Returns how many there are.
///
/// # Errors
/// [`Refusal::NoSuchUser`].
pub fn toggle_all(
    tx: &WriteTx,
    key: &UserKey,
    monitored: Switch,
    now: Timestamp,
) -> Result<usize, Error> {
    users::get(tx, key)?;
    users::not_in_batch(tx, key)?;
    let links = tx.links_of(key)?;
    for link in &links {
        tx.put_link(&ProjectLink { monitored, ..link.clone() })?;
    }
    tx.refresh_spending(key, now, false)?;
    for link in &links {
        tx.refresh_sharers(key, &link.project, now)?;
    }
    tx.cards_changed(key)?;
    Ok(links.len())
}

/// Removes a link; its spending records stay.
///
/// # Errors
/// [`Refusal::NotLinked`], [`Refusal::NoSuchUser`].
pub fn remove(
    tx: &WriteTx,
    key: &UserKey,
    project: &ProjectName,
    now: Timestamp,
) -> Result<(), Error> {
    users::get(tx, key)?;
    users::not_in_batch(tx, key)?;
    if !tx.remove_link(key, project)? {
        return Err(Refusal::NotLinked(project.clone()).into());
    }
    tx.refresh_spending(key, now, false)?;
    tx.refresh_sharers(key, project, now)?;
    Ok(tx.cards_changed(key)?)
}

/// Returns the open periods of an account's monitored links, each with the projects that need it: what a cycle reads from
/// the cloud. A period that was read holds every project, those that were linked later, too.
pub fn open_periods<S: Source>(
    tx: &View<S>,
    account: &AccountId,
    now: Timestamp,
) -> Result<BTreeMap<BillPeriod, BTreeSet<ProjectName>>, StoreError> {
    let current = BillPeriod::of(now);
    let first = current.first_readable();
    let readings = tx.account_readings(account)?;
    let mut open = BTreeMap::new();
    for (project, since) in tx.counted_projects(account)? {
        for period in since.max(first).through(current) {
            let known = readings.periods.get(&period).filter(|known| known.covers(&project));
            let is_open = match known {
                Some(known) => period.is_open(known.complete_at, now),
                None => {
                    let bill = tx.bill(account, &project, period)?;
                    bill.is_none_or(|bill| bill.is_open(period, now))
                }
            };
            if is_open {
                open.entry(period).or_insert_with(BTreeSet::new).insert(project.clone());
            }
        }
    }
    Ok(open)
}
