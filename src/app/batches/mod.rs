//! Changes of many users at once: asked for, prepared, applied, decided about.
//!
//! ```text
//!  Preparing ──▶ Unusable
//!      │
//!      ▼         apply (who made it)            all can be applied
//!  Previewed ───────────────▶ Checking ────────────────────────────▶ Applying ──▶ Applied
//!      │                       ▲    │ └──▶ Stopped
//!      │                confirm│    ▼ part of it needs a second administrator
//!      └──▶ Lapsed ◀── WaitsForSecond ──▶ Refused
//! ```
//!
//! *Checking* looks at every row on a snapshot, then decides in one short transaction, which looks again at those rows whose
//! user was changed in between. From then on nothing can be refused: until a row is written, others are refused a change of its
//! user ([`BatchRefusal::Busy`]). So rows can be written in short steps ([`write_step`]), and a crash in between is followed by
//! the rest.

mod check;
mod write;

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use super::batch_refusal::BatchRefusal;
use super::listing;
use super::outcome::ListPlace;
use super::{Error, Refusal, SplitRefusal};
use crate::domain::batch::{MAX_ROWS, SHOWN};
use crate::domain::{
    ApprovalRules, Batch, BatchError, BatchPlan, BatchRow, BatchSource, BatchState, LedgerEntry,
    LeftOut, Money, OpenId, Operator, Report, RowChange, Settings, ShownRow, TaskKind, Was,
};
use crate::store::{Directory, Source, StoreError, View, WriteTx};

#[cfg(test)]
mod tests;

pub use check::{Checked, Checker};
pub use write::write_step;

/// Asks for a batch. The task prepares it and reports to `report`.
pub fn ask(
    tx: &WriteTx,
    source: BatchSource,
    by: &Operator,
    report: Option<Report>,
    now: Timestamp,
) -> Result<Batch, StoreError> {
    let batch = Batch {
        id: tx.next_batch()?,
        source,
        by: by.clone(),
        at: now,
        state: BatchState::Preparing,
        plan: None,
        cards: report.into_iter().collect(),
        told: None,
    };
    tx.put_batch(&batch)?;
    Ok(batch)
}

/// Returns a batch.
///
/// # Errors
/// [`BatchRefusal::Unknown`].
pub fn get<S: Source>(tx: &View<S>, id: u64) -> Result<Batch, Error> {
    Ok(tx.batch(id)?.ok_or(BatchRefusal::Unknown)?)
}

/// The rows of a batch, and those that are not in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prepared {
    /// The rows.
    pub rows: Vec<BatchRow>,
    /// What they do; `None` if there is no row.
    pub plan: Option<BatchPlan>,
    /// Everything that was refused, by the number of the row asked for.
    pub refused: Vec<(usize, Refusal)>,
    /// The rows asked for that leave a user with nothing allocated, by number.
    pub free: BTreeSet<usize>,
}

/// Checks rows. Those that are refused are left out.
pub fn prepare<S: Source>(
    tx: &View<S>,
    rules: &ApprovalRules,
    by: &Operator,
    rows: Vec<BatchRow>,
    now: Timestamp,
) -> Result<Prepared, StoreError> {
    let mut checker = Checker::new(rules, by, &rows, now);
    let (mut kept, mut refused, mut shown) = (Vec::new(), Vec::new(), Vec::new());
    let (mut total, mut second, mut free) = (Money::ZERO, 0_usize, BTreeSet::new());
    for (number, row) in rows.into_iter().enumerate() {
        match checker.check(tx, &row).split_refusal()? {
            Ok(Checked { was, second: needs, runs_free }) => {
                if runs_free {
                    free.insert(number);
                }
                second = second.saturating_add(usize::from(needs));
                if let RowChange::Allocate { amount, .. } = &row.change {
                    total += *amount;
                }
                if shown.len() < SHOWN {
                    shown.push(ShownRow { row: row.clone(), was });
                }
                kept.push(row);
            }
            Err(refusal) => refused.push((number, refusal)),
        }
    }
    let plan = kept.first().map(|first: &BatchRow| BatchPlan {
        kind: first.change.kind(),
        rows: kept.len(),
        total,
        second,
        run_free: free.len(),
        shown,
        left_out: Vec::new(),
        left_out_count: refused.len(),
    });
    Ok(Prepared { rows: kept, plan, refused, free })
}

/// Returns the rows that change the users of the list alike.
///
/// # Errors
/// [`BatchRefusal::TooMany`].
pub fn rows_of_list<S: Source>(
    tx: &View<S>,
    settings: &Settings,
    place: &ListPlace,
    change: &RowChange,
    now: Timestamp,
) -> Result<Vec<BatchRow>, Error> {
    let users = listing::matching(tx, settings, place, now)?;
    if users.len() > MAX_ROWS {
        return Err(BatchRefusal::TooMany { found: users.len(), most: MAX_ROWS }.into());
    }
    Ok(users.into_iter().map(|user| BatchRow { user, change: change.clone() }).collect())
}

/// Has a previewed batch applied by who made it.
///
/// # Errors
/// [`BatchRefusal::Unknown`], [`BatchRefusal::NotTheirs`], [`BatchRefusal::Closed`].
pub fn apply(tx: &WriteTx, id: u64, by: &OpenId, now: Timestamp) -> Result<Batch, Error> {
    let batch = get(tx, id)?;
    batch.check_apply(by, now).map_err(|error| refusal(error, &batch, now))?;
    let state = BatchState::Checking { at: now, confirmed_by: None };
    let batch = Batch { state, ..batch };
    tx.put_batch(&batch)?;
    Ok(batch)
}

/// Confirms or refuses a batch that waits for a second administrator.
///
/// # Errors
/// [`BatchRefusal::Unknown`], [`BatchRefusal::Own`], [`BatchRefusal::Closed`].
pub fn decide(
    tx: &WriteTx,
    id: u64,
    confirms: bool,
    by: &Operator,
    now: Timestamp,
) -> Result<Batch, Error> {
    let batch = waiting(tx, id, by, now)?;
    let state = if confirms {
        BatchState::Checking { at: now, confirmed_by: Some(by.clone()) }
    } else {
        BatchState::Refused { by: by.clone(), at: now }
    };
    let batch = Batch { state, ..batch };
    tx.put_batch(&batch)?;
    Ok(batch)
}

/// Ends a batch whose author is no administrator any more, in the place of a confirmation: nothing is applied, for this reason.
///
/// # Errors
/// As [`decide`].
pub fn void(
    tx: &WriteTx,
    id: u64,
    reason: String,
    by: &Operator,
    now: Timestamp,
) -> Result<Batch, Error> {
    let batch = waiting(tx, id, by, now)?;
    let reasons = vec![LeftOut { what: String::new(), reason }];
    let batch = Batch { state: BatchState::Stopped { at: now, reasons, count: 1 }, ..batch };
    tx.put_batch(&batch)?;
    Ok(batch)
}

/// Returns a batch whose second decision is up to `by`.
fn waiting(tx: &WriteTx, id: u64, by: &Operator, now: Timestamp) -> Result<Batch, Error> {
    let batch = get(tx, id)?;
    let Operator::Person { open_id, .. } = by else { return Err(BatchRefusal::Unknown.into()) };
    batch.check_decision(open_id, now).map_err(|error| refusal(error, &batch, now))?;
    Ok(batch)
}

fn refusal(error: BatchError, batch: &Batch, now: Timestamp) -> BatchRefusal {
    match error {
        BatchError::NotTheirs => BatchRefusal::NotTheirs,
        BatchError::Own => BatchRefusal::Own,
        BatchError::Closed if batch.lapses(now) => {
            BatchRefusal::Closed(Box::new(BatchState::Lapsed { at: now }))
        }
        BatchError::Closed => BatchRefusal::Closed(Box::new(batch.state.clone())),
    }
}

/// What a last look at all rows says, and the users as they were then.
pub struct Looked {
    /// Why it cannot be applied, by the number of the row.
    pub refused: Vec<(usize, Refusal)>,
    /// How many rows need a second administrator.
    pub second: usize,
    /// The rows that leave a user with nothing allocated, by number.
    free: BTreeSet<usize>,
    users: Directory,
}

/// Looks at all rows once more, on a snapshot.
pub fn look<S: Source>(
    tx: &View<S>,
    rules: &ApprovalRules,
    batch: &Batch,
    rows: &[(u64, BatchRow)],
    now: Timestamp,
) -> Result<Looked, StoreError> {
    let rows = rows.iter().map(|(_, row)| row.clone()).collect();
    let prepared = prepare(tx, rules, &batch.by, rows, now)?;
    let second = prepared.plan.as_ref().map_or(0, |plan| plan.second);
    let Prepared { refused, free, .. } = prepared;
    Ok(Looked { refused, second, free, users: tx.directory() })
}

/// The number of no row: for a reason that is about the whole batch.
const OF_ALL: usize = usize::MAX;

/// What was decided about a batch that is being checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Its rows are to be written.
    Apply,
    /// A second administrator is needed.
    WaitForSecond,
    /// It cannot be applied, for these reasons by the number of the row.
    Stop(Vec<(usize, Refusal)>),
}

/// Decides, given what a last look said. Looks again at the rows whose user has changed since, or whose project others have by
/// now. The caller writes the state that follows.
///
/// # Errors
/// A [`StoreError`].
pub fn settle(
    tx: &WriteTx,
    rules: &ApprovalRules,
    batch: &Batch,
    rows: &[(u64, BatchRow)],
    looked: &Looked,
    now: Timestamp,
) -> Result<Decision, StoreError> {
    if let BatchSource::File { digest, .. } = &batch.source
        && let Some(refusal) = applied_before(tx, digest, now)?
    {
        return Ok(Decision::Stop(vec![(OF_ALL, refusal.into())]));
    }
    let links = rows.iter().any(|(_, row)| matches!(row.change, RowChange::Link { .. }));
    if links && tx.links_are_written()? {
        return Ok(Decision::Stop(vec![(OF_ALL, BatchRefusal::LinksBusy.into())]));
    }
    let users = tx.directory();
    let mut checker = Checker::new(rules, &batch.by, rows.iter().map(|(_, row)| row), now);
    let (mut refused, mut second) = (looked.refused.clone(), looked.second);
    let mut free = looked.free.clone();
    for (number, (_, row)) in rows.iter().enumerate() {
        let same = match (looked.users.get(&row.user), users.get(&row.user)) {
            (Some(before), Some(now)) => std::ptr::eq(before, now),
            (before, now) => before.is_none() && now.is_none(),
        };
        // A user who is linked to a project is another entry; whether others have the project by now matters only to a row that
        // does not say how it counts then.
        let alone = match &row.change {
            RowChange::Link { project, joining: None, .. } => {
                tx.payers(&row.user.account, project.as_str())?.is_empty()
            }
            _ => true,
        };
        // Another batch that was decided meanwhile has changed no user yet.
        let untouched = tx.batch_applying_to(&row.user)?.is_none();
        if same && alone && untouched {
            continue;
        }
        match checker.check(tx, row).split_refusal()? {
            Ok(checked) => {
                second = second.saturating_add(usize::from(checked.second));
                if checked.runs_free {
                    free.insert(number);
                } else {
                    free.remove(&number);
                }
            }
            Err(refusal) => refused.push((number, refusal)),
        }
    }
    refused.sort_by_key(|(number, _)| *number);
    refused.dedup_by_key(|(number, _)| *number);
    // Whoever applies it was told of fewer.
    let told = batch.plan.as_ref().map_or(0, |plan| plan.run_free);
    if refused.is_empty() && free.len() > told {
        let more = BatchRefusal::MoreRunFree { told, found: free.len() };
        return Ok(Decision::Stop(vec![(OF_ALL, more.into())]));
    }
    let confirmed = matches!(&batch.state, BatchState::Checking { confirmed_by: Some(_), .. });
    Ok(if !refused.is_empty() {
        Decision::Stop(refused)
    } else if second > 0 && !confirmed {
        Decision::WaitForSecond
    } else {
        Decision::Apply
    })
}

/// Returns what `by` booked at this time for users with an owner, by owner: what a batch has booked. Whoever made it is not among
/// them: who does it sees it.
pub fn booked_by_owner<S: Source>(
    tx: &View<S>,
    by: &Operator,
    at: Timestamp,
) -> Result<BTreeMap<OpenId, Vec<LedgerEntry>>, StoreError> {
    let directory = tx.directory();
    let mut booked: BTreeMap<OpenId, Vec<LedgerEntry>> = BTreeMap::new();
    for (key, user) in directory.iter() {
        let Some(owner) = user.owner.as_ref().filter(|owner| !by.is(owner)) else { continue };
        // Most users have nothing from this time.
        let newest = tx.or_left_out(key, tx.ledger(key, 1))?;
        if newest.is_none_or(|(newest, _)| newest.first().is_none_or(|entry| entry.at < at)) {
            continue;
        }
        let Some((entries, _)) = tx.or_left_out(key, tx.ledger(key, ENTRIES_SINCE))? else {
            continue;
        };
        let of_batch = |entry: &LedgerEntry| {
            entry.at == at && entry.undoes.is_none() && entry.operator.same_as(by)
        };
        if let Some(entry) = entries.into_iter().find(of_batch) {
            booked.entry(owner.clone()).or_default().push(entry);
        }
    }
    Ok(booked)
}

/// How many entries may have been added to a user's ledger since a batch wrote its own, a moment ago.
const ENTRIES_SINCE: usize = 20;

/// Returns why a file is refused whose rows were applied within a day.
pub fn applied_before<S: Source>(
    tx: &View<S>,
    digest: &str,
    now: Timestamp,
) -> Result<Option<BatchRefusal>, StoreError> {
    let Some(batch) = tx.file_applied(digest)? else { return Ok(None) };
    let Some(batch) = tx.batch(batch)? else { return Ok(None) };
    Ok(match &batch.state {
        BatchState::Applying { at, .. } | BatchState::Applied { at, .. }
            if now.duration_since(*at) < crate::domain::batch::KEPT_FOR =>
        {
            Some(BatchRefusal::AppliedBefore { at: *at, by: batch.by })
        }
        _ => None,
    })
}

/// Returns the first reasons as they are stored, with their count.
pub fn reasons(
    all: &[(usize, Refusal)],
    what: impl Fn(usize) -> String,
    words: impl Fn(&Refusal) -> String,
) -> (Vec<LeftOut>, usize) {
    let first = all.iter().take(SHOWN);
    let first = first.map(|(at, refusal)| LeftOut { what: what(*at), reason: words(refusal) });
    (first.collect(), all.len())
}

/// Returns the names of the people that the shown rows of a batch name, as far as they are known.
pub fn people<S: Source>(
    tx: &View<S>,
    batch: &Batch,
) -> Result<BTreeMap<OpenId, String>, StoreError> {
    let mut names = BTreeMap::new();
    for shown in batch.plan.iter().flat_map(|plan| &plan.shown) {
        let RowChange::Owner { person } = &shown.row.change else { continue };
        let before = match &shown.was {
            Was::Owner(before) => before.as_ref(),
            _ => None,
        };
        for person in before.into_iter().chain([person]) {
            if let Some(name) = tx.person_name(person)? {
                names.insert(person.clone(), name);
            }
        }
    }
    Ok(names)
}

/// Returns the task that carries a batch on.
pub fn task(batch: &Batch) -> TaskKind {
    let downloads =
        batch.state == BatchState::Preparing && matches!(batch.source, BatchSource::File { .. });
    TaskKind::Batch { batch: batch.id, downloads }
}

/// Lets every batch lapse that has waited too long, and removes rows of those that are over, and those that were over long ago.
/// Returns those that lapsed, and whether there may be more to remove.
pub fn lapse(tx: &WriteTx, now: Timestamp) -> Result<(Vec<Batch>, bool), StoreError> {
    let (mut lapsed, mut more) = (Vec::new(), false);
    for mut batch in tx.open_batches()? {
        if batch.lapses(now) {
            batch.state = BatchState::Lapsed { at: now };
            tx.put_batch(&batch)?;
            lapsed.push(batch.clone());
        }
        if batch.state.is_final() {
            let rows = tx.batch_rows(batch.id, 0, REMOVED_AT_ONCE);
            let Some(rows) = tx.or_left_out(batch.id, rows)? else { continue };
            for (number, row) in &rows {
                tx.remove_batch_row(batch.id, *number, row)?;
            }
            more |= rows.len() == REMOVED_AT_ONCE;
            tx.put_batch(&batch)?;
        }
    }
    let old = tx.batches_before(now - FORGOTTEN_AFTER, FORGOTTEN_AT_ONCE)?;
    more |= old.len() == FORGOTTEN_AT_ONCE;
    for batch in &old {
        tx.remove_batch(batch)?;
    }
    Ok((lapsed, more))
}

/// Returns whether [`lapse`] has something to do.
pub fn is_over<S: Source>(tx: &View<S>, now: Timestamp) -> Result<bool, StoreError> {
    let open = tx.open_batches()?;
    Ok(open.iter().any(|it| it.lapses(now) || it.state.is_final())
        || !tx.batches_before(now - FORGOTTEN_AFTER, 1)?.is_empty())
}

/// How long a batch that is over is kept: a card can be clicked for 14 days after it was sent (卡片 JSON 2.0 版本更新说明).
const FORGOTTEN_AFTER: SignedDuration = SignedDuration::from_hours(15 * 24);
/// How many are forgotten in one transaction.
const FORGOTTEN_AT_ONCE: usize = 20;

/// How many rows are removed in one transaction: clicks must not wait for it.
const REMOVED_AT_ONCE: usize = 200;
