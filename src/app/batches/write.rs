//! Writing the rows of a batch that is decided.

use std::time::{Duration, Instant};

use jiff::Timestamp;

use crate::app::quota::Allocation;
use crate::app::{SplitRefusal, approvals, policies, projects};
use crate::domain::{
    Batch, BatchRow, BatchState, BillPeriod, Counts, Joining, LedgerEntry, LinkPolicies, Parties,
    ProjectLink, RowChange,
};
use crate::store::{StoreError, WriteTx};

/// How many rows one step looks at.
const ROWS: usize = 200;
/// How long one step writes at most, apart from its last row and the commit: a click that waits for it must not wait for
/// 50 ms (docs/behaviour.md §8).
const STEP_TAKES: Duration = Duration::from_millis(5);

/// Writes the next rows of a batch that is decided. `booked` is called for each entry of the ledger. Returns whether rows are
/// left.
pub fn write_step(
    tx: &WriteTx,
    batch: &Batch,
    link_policies: &LinkPolicies,
    mut booked: impl FnMut(&LedgerEntry) -> Result<(), StoreError>,
) -> Result<bool, StoreError> {
    let began = Instant::now();
    let rows = tx.batch_rows(batch.id, 0, ROWS)?;
    for (number, row) in &rows {
        if let Some(entry) = write_row(tx, batch, (*number, row), link_policies)? {
            booked(&entry)?;
        }
        if began.elapsed() >= STEP_TAKES {
            break;
        }
    }
    Ok(!rows.is_empty())
}

/// Writes a row, which cannot be refused any more, and removes it. Returns what was booked.
fn write_row(
    tx: &WriteTx,
    batch: &Batch,
    (number, row): (u64, &BatchRow),
    link_policies: &LinkPolicies,
) -> Result<Option<LedgerEntry>, StoreError> {
    let BatchState::Applying { at, confirmed_by, .. } = &batch.state else { return Ok(None) };
    tx.remove_batch_row(batch.id, number, row)?;
    tx.cards_changed(&row.user)?;
    let at = *at;
    let Some(mut user) = tx.user(&row.user)? else {
        tracing::error!(user = %row.user, batch = batch.id, "the user of a row is not known any more");
        return Ok(None);
    };
    match &row.change {
        RowChange::Allocate { amount, note, until } => {
            let new = Allocation { user: &row.user, amount: *amount, note, operator: &batch.by };
            let parties =
                Parties { requested_by: None, confirmed_by: confirmed_by.clone(), until: *until };
            return match approvals::book_decided(tx, &new, parties, at).split_refusal()? {
                Ok(entry) => Ok(Some(entry)),
                Err(refusal) => {
                    tracing::error!(user = %row.user, batch = batch.id, %refusal, "a row was not booked");
                    Ok(None)
                }
            };
        }
        RowChange::Link { project, since, joining } => {
            link(tx, row, (project, *since, *joining), at)?;
            policies::want(tx, &row.user, project, link_policies, None, at)?;
            return Ok(None);
        }
        RowChange::MonthLimit { limit } => {
            if *limit != user.month_limit {
                let month = tx.month_of(&row.user, BillPeriod::of(at), at)?;
                let unbilled = tx.unbilled(&user)?;
                user.set_month_limit(*limit, &month, unbilled.as_ref());
            }
        }
        RowChange::Thresholds { thresholds } => user.thresholds.clone_from(thresholds),
        RowChange::AutoDisable { to } => user.auto_disable = *to,
        RowChange::Owner { person } => user.owner = Some(person.clone()),
    }
    user.updated = at;
    tx.put_user(&user)?;
    Ok(None)
}

/// Links a project. If the user counts a part, so do those who have it already.
fn link(
    tx: &WriteTx,
    row: &BatchRow,
    (project, since, joining): (&crate::domain::ProjectName, BillPeriod, Option<Joining>),
    at: Timestamp,
) -> Result<(), StoreError> {
    // Somebody else may have been linked since it was decided; the user's own links cannot have changed.
    let joining = joining.unwrap_or(Joining::Whole);
    let payers = tx.payers(&row.user.account, project.as_str())?;
    if joining == Joining::Part {
        for payer in payers.iter().filter(|payer| payer.counts != Counts::Part) {
            if let Some(link) = tx.link(&payer.user, project)? {
                tx.put_link(&ProjectLink { counts: Counts::Part, ..link })?;
                tx.cards_changed(&payer.user)?;
            }
        }
    }
    projects::put_new_link(tx, &row.user, project, since, joining, at)?;
    if joining == Joining::Part {
        tx.refresh_sharers(&row.user, project, at)?;
    }
    Ok(())
}
