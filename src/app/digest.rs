//! The digest of a week or month (汇总): what everybody spent, or the users of one owner. Amounts are those of the bills' days; an
//! account whose bill is not known is named, never counted as zero.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;
use jiff::civil::Date;

use super::{billing, days, rest, users};
use crate::domain::{
    AccountId, AccountReadings, AlertBody, AlertKind, BillPeriod, Change, Comparable, Condition,
    DayChart, DigestSpan, Forecast, Money, OpenId, Outlook, Part, Payer, ProjectName, ProjectOf,
    ProjectSpent, RunsOut, Settings, Spent, Spike, Switch, Tally, User, UserKey, UserStatus,
    largest, together,
};
use crate::store::{Source, StoreError, View};

/// How many users are named.
pub const USERS_NAMED: usize = 5;
/// How many users of an owner's own are named.
pub const OWN_USERS_NAMED: usize = 8;
/// How many projects are named.
pub const PROJECTS_NAMED: usize = 5;
/// How many users are named whose quota runs out.
const RUNS_OUT_NAMED: usize = 5;
/// How many users are named without an owner, or without a quota.
const LACKING_NAMED: usize = 5;
/// How many unusual days are named.
const SPIKES_NAMED: usize = 5;
/// How many users, largest first, are searched for a quota that runs out, beside those who were alerted.
const FORETOLD: usize = 30;
/// How many alerts are searched for unusual days at once.
const SEARCHED_AT_ONCE: usize = 500;

/// What a digest says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DigestView {
    /// The week or month.
    pub span: DigestSpan,
    /// Whether it is the part of one owner.
    pub own: bool,
    /// What is known of the bills; all sums are of these accounts.
    pub known: Known,
    /// The sum.
    pub total: Spent,
    /// The part that no user pays for.
    pub unattributed: Money,
    /// Against the span before; `None` if not known of every account.
    pub change: Option<Change>,
    /// The days of the span.
    pub days: DayChart,
    /// What is estimated of days in the span that the bills do not hold yet.
    pub estimated: Money,
    /// The users with the largest amounts.
    pub users: Vec<DigestUser>,
    /// How many other users have an amount.
    pub more_users: usize,
    /// The projects with the largest amounts.
    pub projects: Vec<DigestProject>,
    /// How many other projects have an amount.
    pub more_projects: usize,
    /// Unusual days that were found since the digest before, newest first.
    pub spikes: Vec<(Date, Spike)>,
    /// How things stand now; `None` in a digest of the past.
    pub now: Option<Standing>,
}

/// What is known of the bills of a span.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Known {
    /// How many accounts' bills are counted.
    pub accounts: usize,
    /// The names of active accounts whose bills are not known.
    pub unread: Vec<String>,
    /// The last day that all counted bills hold completely, if it is before the span's last.
    pub bill_to: Option<Date>,
    /// When the oldest reading was made of an account that could not be read since; `Some(None)`: never.
    pub stale: Option<Option<Timestamp>>,
    /// How many projects have rows that cannot be counted.
    pub uncounted: usize,
}

/// A user of the digest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DigestUser {
    /// The user.
    pub user: User,
    /// Whether the name alone is ambiguous.
    pub ambiguous: bool,
    /// How it stands with quota and month limit.
    pub condition: Condition,
    /// What it counts in the span.
    pub spent: Spent,
    /// What its spending leads to; only in an owner's digest of the last full span.
    pub forecast: Option<Forecast>,
}

/// A project of the digest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DigestProject {
    /// The account's name, if there are several accounts.
    pub account: Option<String>,
    /// What it is called; `None` for rows without a project.
    pub label: Option<String>,
    /// What it cost in the span.
    pub spent: Spent,
    /// Who pays for it, by name.
    pub payers: Vec<UserKey>,
}

/// How things stand when the digest is made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// What the current month will have cost in the end; `None` if too little is known.
    pub month_end: Option<Money>,
    /// Users whose quota or month limit will be used up, earliest first.
    pub runs_out: Vec<(UserKey, RunsOut)>,
    /// Users without an owner.
    pub without_owner: Lacking,
    /// Users with neither quota nor month limit.
    pub without_quota: Lacking,
    /// Users without a project: what they spend counts nowhere.
    pub without_project: Lacking,
}

/// Users who lack something.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lacking {
    /// How many.
    pub count: usize,
    /// Some of them, those who have spent most (without a project: those to whom most is allocated) first.
    pub named: Vec<UserKey>,
}

/// An account whose bills of the span are known.
struct Counted {
    id: AccountId,
    name: String,
    readings: Arc<AccountReadings>,
    /// The last day that the bill holds completely, within the span.
    bill_to: Date,
}

/// Returns whether there is anything to tell of: an account, and a record of spending.
///
/// # Errors
/// A [`StoreError`].
pub fn has_anything<S: Source>(tx: &View<S>) -> Result<bool, StoreError> {
    Ok(!tx.accounts()?.is_empty() && !tx.spending_periods()?.is_empty())
}

/// Returns the owners of users in the cloud, by id.
pub fn owners<S: Source>(tx: &View<S>) -> BTreeSet<OpenId> {
    let directory = tx.directory();
    let there = directory.iter().filter(|(_, entry)| entry.status != UserStatus::Gone);
    there.filter_map(|(_, entry)| entry.owner.clone()).collect()
}

/// Returns everybody's users, gone ones included, by owner: for many owners at once.
pub fn owned<S: Source>(tx: &View<S>) -> BTreeMap<OpenId, Vec<UserKey>> {
    let mut owned: BTreeMap<OpenId, Vec<UserKey>> = BTreeMap::new();
    for (key, entry) in tx.directory().iter() {
        if let Some(owner) = &entry.owner {
            owned.entry(owner.clone()).or_default().push(key.clone());
        }
    }
    owned
}

/// Reads the digest of a span: of everybody, or of these users, whom one person owns.
///
/// # Errors
/// A [`StoreError`].
pub fn view<S: Source>(
    tx: &View<S>,
    settings: &Settings,
    span: DigestSpan,
    own: Option<Vec<UserKey>>,
    now: Timestamp,
) -> Result<DigestView, StoreError> {
    let (counted, mut known) = accounts(tx, span, own.as_deref())?;
    let comparable = comparable(span, &counted);
    let mut tally = Tally::default();
    let mut estimates: BTreeMap<Date, Money> = BTreeMap::new();
    let mut payers: BTreeMap<ProjectOf, Vec<Payer>> = BTreeMap::new();
    for account in &counted {
        let estimated = match &own {
            None => {
                everything(tx, account, span, comparable, &mut tally, &mut payers)?;
                tx.estimated_days_of(&account.id)?
            }
            Some(own) => {
                let own: Vec<&UserKey> =
                    own.iter().filter(|key| key.account == account.id).collect();
                of_owner(tx, account, &own, span, comparable, &mut tally, &mut payers)?;
                let mut links = Vec::new();
                for key in own {
                    let of_user = tx.links_of(key)?.into_iter();
                    links.extend(of_user.filter(|link| link.monitored.is_on()));
                }
                // A project that several of them share as a whole is estimated once.
                once(&mut links);
                tx.estimated_days(&account.id, &links)?
            }
        };
        for (day, amount) in estimated {
            *estimates.entry(day).or_insert(Money::ZERO) += amount;
        }
    }
    estimates
        .retain(|day, amount| amount.is_positive() && (span.first()..=span.last()).contains(day));
    known.bill_to = counted.iter().map(|it| it.bill_to).min().filter(|day| *day < span.last());
    let is_current = span == DigestSpan::last_full(span.kind(), now);
    let named = if own.is_some() { OWN_USERS_NAMED } else { USERS_NAMED };
    let (users, more_users) =
        users_of(tx, settings, &tally, named, own.as_deref(), now, is_current)?;
    let (projects, more_projects) = projects_of(tx, &tally, &payers, &counted)?;
    let charted = span.days().map(|day| {
        let amount = tally.days.get(&day).copied().unwrap_or(Money::ZERO);
        (day, amount)
    });
    let standing = match (&own, is_current) {
        (None, true) => Some(standing(tx, &tally, now)?),
        _ => None,
    };
    let concerned: BTreeSet<&ProjectOf> = payers.keys().collect();
    let concerns = |project: &ProjectOf| own.is_none() || concerned.contains(project);
    Ok(DigestView {
        span,
        own: own.is_some(),
        unattributed: tally.unattributed.amount,
        change: comparable.map(|days| Change {
            first_days: days.first_days(),
            now: tally.total.compared,
            before: tally.total.before,
        }),
        total: tally.total,
        estimated: estimates.values().copied().sum(),
        days: DayChart::billed(charted, known.bill_to).with_estimates(&estimates),
        users,
        more_users,
        projects,
        more_projects,
        spikes: spikes(tx, span, now, concerns)?,
        now: standing,
        known,
    })
}

/// Reads which accounts' bills of the span are known.
fn accounts<S: Source>(
    tx: &View<S>,
    span: DigestSpan,
    own: Option<&[UserKey]>,
) -> Result<(Vec<Counted>, Known), StoreError> {
    let (mut counted, mut known) = (Vec::new(), Known::default());
    for account in tx.accounts()? {
        if own.is_some_and(|own| !own.iter().any(|key| key.account == account.id)) {
            continue;
        }
        let readings = tx.account_readings(&account.id)?;
        let mut periods = span.periods().peekable();
        let is_read = periods.peek().is_some()
            && periods.all(|period| readings.periods.contains_key(&period));
        match readings.bill_to.filter(|bill_to| is_read && *bill_to >= span.first()) {
            Some(bill_to) => {
                known.uncounted += span
                    .periods()
                    .filter_map(|period| readings.periods.get(&period))
                    .flat_map(|reading| &reading.uncounted)
                    .collect::<BTreeSet<_>>()
                    .len();
                if readings.failed_at.is_some() && bill_to < span.last() {
                    let oldest = known.stale.unwrap_or(readings.read_at);
                    known.stale = Some(oldest.min(readings.read_at));
                }
                counted.push(Counted {
                    bill_to: bill_to.min(span.last()),
                    id: account.id,
                    name: account.name,
                    readings,
                });
            }
            None if account.active.is_on() => known.unread.push(account.name),
            None => {}
        }
    }
    known.accounts = counted.len();
    Ok((counted, known))
}

/// Returns which days can be compared with the span before, of all accounts; `None` if one of them does not know it.
fn comparable(span: DigestSpan, counted: &[Counted]) -> Option<Comparable> {
    let before = span.previous();
    let knows = |account: &Counted| {
        let periods = &account.readings.periods;
        // What is not counted would be a change that did not happen.
        let whole = |period| periods.get(&period).is_some_and(|known| known.uncounted.is_empty());
        before.periods().count() > 0 && before.periods().chain(span.periods()).all(whole)
    };
    if !counted.iter().all(knows) {
        return None;
    }
    span.comparable(counted.iter().map(|account| account.bill_to).min()?)
}

/// Returns what an amount of a day counts as. The day is counted from 0.
fn part(place: usize, comparable: Option<Comparable>) -> bool {
    match comparable {
        None => false,
        Some(Comparable::Whole) => true,
        Some(Comparable::First(days)) => usize::try_from(days).is_ok_and(|days| place < days),
    }
}

/// Returns the days of the span and those of the one before that are compared, each with its part.
fn parts(span: DigestSpan, comparable: Option<Comparable>) -> BTreeMap<Date, Part> {
    let before = span.previous().days().enumerate();
    let before = before.filter(|(place, _)| part(*place, comparable));
    let before = before.map(|(_, day)| (day, Part::Before));
    let now = span.days().enumerate();
    let now = now.map(|(place, day)| (day, Part::Now { compared: part(place, comparable) }));
    before.chain(now).collect()
}

/// Adds up all projects of an account.
fn everything<S: Source>(
    tx: &View<S>,
    account: &Counted,
    span: DigestSpan,
    comparable: Option<Comparable>,
    tally: &mut Tally,
    payers: &mut BTreeMap<ProjectOf, Vec<Payer>>,
) -> Result<(), StoreError> {
    let parts = parts(span, comparable);
    let Some((first, _)) = parts.first_key_value() else { return Ok(()) };
    // Row by row: projects times two months are too many to hold.
    let mut projects: BTreeMap<String, ProjectSpent> = BTreeMap::new();
    tx.each_day(&account.id, *first, span.last(), |day, project, amount| {
        let Some(part) = parts.get(&day) else { return };
        match projects.get_mut(project) {
            Some(spent) => spent.add(day, amount, *part),
            None => projects.entry(project.to_owned()).or_default().add(day, amount, *part),
        }
        if let Part::Now { .. } = part {
            tally.add_day(day, amount);
        }
    })?;
    for (name, spent) in projects {
        let project = (account.id.clone(), name);
        let who = tx.payers(&account.id, &project.1)?;
        tally.add(&project, &spent, &who, None);
        payers.insert(project, who);
    }
    Ok(())
}

/// Adds up what an owner's users count of their projects in an account.
fn of_owner<S: Source>(
    tx: &View<S>,
    account: &Counted,
    own: &[&UserKey],
    span: DigestSpan,
    comparable: Option<Comparable>,
    tally: &mut Tally,
    payers: &mut BTreeMap<ProjectOf, Vec<Payer>>,
) -> Result<(), StoreError> {
    let mut projects: BTreeSet<ProjectName> = BTreeSet::new();
    for key in own {
        let links = tx.links_of(key)?.into_iter().filter(|link| link.monitored.is_on());
        projects.extend(links.map(|link| link.project));
    }
    let parts = parts(span, comparable);
    let days: Vec<Date> = parts.keys().copied().collect();
    let is_own = |key: &UserKey| own.contains(&key);
    for name in projects {
        let project = (account.id.clone(), name.to_string());
        let who = tx.payers(&account.id, name.as_str())?;
        let amounts = tx.project_days(&account.id, &name, &days)?;
        let mut spent = ProjectSpent::default();
        for ((day, part), amount) in parts.iter().zip(amounts) {
            if amount.is_zero() {
                continue;
            }
            spent.add(*day, amount, *part);
            if let (Part::Now { .. }, Ok(period)) = (part, BillPeriod::of_day(*day)) {
                tally.add_day(*day, together(amount, period, &who, &is_own));
            }
        }
        tally.add(&project, &spent, &who, Some(&is_own));
        payers.insert(project, who);
    }
    Ok(())
}

/// Keeps one link of each project that is counted as a whole.
fn once(links: &mut Vec<crate::domain::ProjectLink>) {
    use crate::domain::Counts;
    let whole: BTreeSet<ProjectName> = links
        .iter()
        .filter(|link| link.counts == Counts::Whole)
        .map(|link| link.project.clone())
        .collect();
    let mut seen = BTreeSet::new();
    links.retain(|link| match (link.counts, whole.contains(&link.project)) {
        (Counts::Whole, _) => seen.insert(link.project.clone()),
        (Counts::Part, is_whole) => !is_whole,
    });
}

fn users_of<S: Source>(
    tx: &View<S>,
    settings: &Settings,
    tally: &Tally,
    count: usize,
    own: Option<&[UserKey]>,
    now: Timestamp,
    is_current: bool,
) -> Result<(Vec<DigestUser>, usize), StoreError> {
    let (mut shown, mut more) = largest(&tally.users, count);
    let directory = tx.directory();
    // An owner sees users without spending, too.
    if let Some(own) = own {
        let is_there = |key: &UserKey| {
            directory.get(key).is_some_and(|entry| entry.status != UserStatus::Gone)
        };
        let idle: Vec<&UserKey> = own
            .iter()
            .filter(|key| tally.users.get(key).is_none_or(|spent| spent.amount.rounded().is_zero()))
            .filter(|key| is_there(key) && !shown.iter().any(|(known, _)| known == *key))
            .collect();
        let room = count.saturating_sub(shown.len());
        more = more.saturating_add(idle.len().saturating_sub(room));
        let spent = |key: &UserKey| tally.users.get(key).copied().unwrap_or_default();
        shown.extend(idle.into_iter().take(room).map(|key| (key.clone(), spent(key))));
    }
    let mut users = Vec::with_capacity(shown.len());
    for (key, spent) in shown {
        let Some(user) = tx.user(&key)? else { continue };
        users.push(DigestUser {
            ambiguous: directory.is_ambiguous(&key),
            condition: users::condition_of(tx, settings, &user, now)?,
            forecast: match own.is_some() && is_current {
                true => tx.forecast(&user, now)?,
                false => None,
            },
            user,
            spent,
        });
    }
    Ok((users, more))
}

fn projects_of<S: Source>(
    tx: &View<S>,
    tally: &Tally,
    payers: &BTreeMap<ProjectOf, Vec<Payer>>,
    counted: &[Counted],
) -> Result<(Vec<DigestProject>, usize), StoreError> {
    let (shown, more) = largest(&tally.projects, PROJECTS_NAMED);
    let several = counted.len() > 1;
    let name = |id: &AccountId| {
        let known = counted.iter().find(|account| account.id == *id);
        known.map(|account| account.name.clone()).filter(|name| !name.is_empty())
    };
    let mut projects = Vec::with_capacity(shown.len());
    for (project, spent) in shown {
        let (account, named) = &project;
        let label = match ProjectName::new(named.as_str()).ok().filter(rest::is_named) {
            Some(name) => Some(billing::listed_label(tx, account, &name)?),
            None => None,
        };
        let who = payers.get(&project).map_or(&[][..], Vec::as_slice);
        projects.push(DigestProject {
            account: several.then(|| name(account).unwrap_or_else(|| account.to_string())),
            label,
            spent,
            payers: who.iter().map(|payer| payer.user.clone()).collect(),
        });
    }
    Ok((projects, more))
}

/// Returns the unusual days that were found since the digest before was due, and those of the span itself.
fn spikes<S: Source>(
    tx: &View<S>,
    span: DigestSpan,
    now: Timestamp,
    concerns: impl Fn(&ProjectOf) -> bool,
) -> Result<Vec<(Date, Spike)>, StoreError> {
    let (from, to) = (span.previous().due_at(), span.due_at().min(now));
    // Nothing about the span was found before it began.
    let oldest = from.min(span.begins_at());
    let mut found = Vec::new();
    let mut alerts = Vec::new();
    loop {
        let skip = alerts.len();
        let (more, all) = tx.alerts(None, Some(AlertKind::Forecast), skip, SEARCHED_AT_ONCE)?;
        let is_past = more.last().is_none_or(|alert| alert.at < oldest);
        alerts.extend(more);
        if is_past || alerts.len() >= all {
            break;
        }
    }
    for alert in alerts {
        let AlertBody::Forecast { outlook: Outlook::Spikes { account, day, projects } } =
            alert.body
        else {
            continue;
        };
        let is_of_span = (span.first()..=span.last()).contains(&day);
        if !is_of_span && (alert.at <= from || alert.at > to) {
            continue;
        }
        let concerned = projects
            .into_iter()
            .filter(|spike| concerns(&(account.clone(), spike.project.clone())));
        found.extend(concerned.map(|spike| (day, spike)));
    }
    found.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| b.1.amount.cmp(&a.1.amount)));
    found.truncate(SPIKES_NAMED);
    Ok(found)
}

fn standing<S: Source>(
    tx: &View<S>,
    tally: &Tally,
    now: Timestamp,
) -> Result<Standing, StoreError> {
    let (shares, unread) = rest::shares(tx, BillPeriod::of(now), now)?;
    let month_end = match unread.is_empty() && !shares.is_empty() {
        true => days::month_end(tx, &shares, now)?,
        false => None,
    };
    let directory = tx.directory();
    let mut candidates: BTreeSet<UserKey> =
        largest(&tally.users, FORETOLD).0.into_iter().map(|(key, _)| key).collect();
    let (mut without_owner, mut without_quota) = (Vec::new(), Vec::new());
    let mut without_project = Vec::new();
    for (key, entry) in directory.iter() {
        if entry.status == UserStatus::Gone {
            continue;
        }
        if entry.forecast_alerted {
            candidates.insert(key.clone());
        }
        if entry.owner.is_none() {
            without_owner.push((entry.consumed, key));
        }
        if entry.percent.is_none() && !entry.is_limited {
            without_quota.push((entry.consumed, key));
        }
        if entry.links == 0 {
            without_project.push((entry.quota, key));
        }
    }
    let mut runs_out = Vec::new();
    for key in candidates {
        let Some(user) = tx.user(&key)?.filter(|user| user.monitored == Switch::On) else {
            continue;
        };
        let forecast = tx.forecast(&user, now)?;
        runs_out.extend(forecast.and_then(|it| it.runs_out).map(|out| (key, out)));
    }
    runs_out.sort_by(|a, b| a.1.on.cmp(&b.1.on).then_with(|| a.0.cmp(&b.0)));
    runs_out.truncate(RUNS_OUT_NAMED);
    Ok(Standing {
        month_end,
        runs_out,
        without_owner: lacking(without_owner),
        without_quota: lacking(without_quota),
        without_project: lacking(without_project),
    })
}

fn lacking(mut users: Vec<(Money, &UserKey)>) -> Lacking {
    users.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.cmp(b.1)));
    let named = users.iter().take(LACKING_NAMED).map(|(_, key)| (*key).clone());
    Lacking { count: users.len(), named: named.collect() }
}
