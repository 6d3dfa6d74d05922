//! What the transaction of a click notes beside its effect: work that is promised, a form's outcome, and which owed updates
//! the clicked card has outrun.

use jiff::Timestamp;

use super::actions::{Click, Done};
use super::request::Request;
use crate::cards::Tone;
use crate::domain::{Report, UpdateTarget};
use crate::outbox::person_lane;
use crate::store::{OpOutcome, StoreError, WriteTx};

/// The work that an answer promises, reported to the clicked card.
pub(super) fn owe_task(
    tx: &WriteTx,
    done: &Done,
    click: &Click,
    now: Timestamp,
) -> Result<(), StoreError> {
    if let Some(task) = &done.task {
        tx.add_task(task.clone(), click.report.clone(), now)?;
    }
    Ok(())
}

/// The clicked card shows something newer than what was owed to it by then.
pub(super) fn renew(
    tx: &WriteTx,
    done: &Done,
    click: &Click,
    last_owed: u64,
) -> Result<(), StoreError> {
    match (&done.card, &click.report) {
        (Some(card), Some(Report { target: UpdateTarget::Message { id }, lane })) => {
            tx.renew_updates(lane, id, card.as_str(), last_owed)?;
            // What the menu was asked for is owed there.
            tx.renew_updates(&person_lane(&click.operator), id, card.as_str(), last_owed)
        }
        _ => Ok(()),
    }
}

/// A form's first outcome, answered again to whoever submits it once more.
pub(super) fn note_outcome(
    tx: &WriteTx,
    request: &Request,
    done: &Done,
    now: Timestamp,
) -> Result<(), StoreError> {
    let Some(op) = request.op() else { return Ok(()) };
    let toast = done.toast.as_ref().map(|(_, text)| text.clone()).unwrap_or_default();
    let succeeded = matches!(done.toast, Some((Tone::Success, _)));
    tx.put_op_outcome(op, &OpOutcome { refused: done.refused, succeeded, toast, at: now })
}

/// The clicked card is not replaced any more by balances that were asked for before.
pub(super) fn silence(tx: &WriteTx, click: &Click) -> Result<(), StoreError> {
    match &click.report {
        Some(Report { target: UpdateTarget::Message { id }, .. }) => {
            tx.drop_pending_balance_updates(id)
        }
        _ => Ok(()),
    }
}
