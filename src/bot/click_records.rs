//! What the transaction of a click records beside its effect: the promised task, a form's outcome, and which enqueued
//! updates the answered card supersedes.

use jiff::Timestamp;

use super::actions::{ClickContext, ClickOutcome};
use crate::cards::Tone;
use crate::domain::{OpId, Report, UpdateTarget};
use crate::outbox::person_lane;
use crate::store::{OpOutcome, StoreError, WriteTx};

/// Adds the task that an answer promises. It reports to the clicked card.
pub(super) fn add_task(
    tx: &WriteTx,
    outcome: &ClickOutcome,
    click: &ClickContext,
    now: Timestamp,
) -> Result<(), StoreError> {
    if let Some(task) = &outcome.task {
        tx.add_task(task.clone(), click.report.clone(), now)?;
    }
    Ok(())
}

/// Puts the answered card in place of updates of the clicked message that were enqueued up to `last_owed`: it is newer.
pub(super) fn supersede_updates(
    tx: &WriteTx,
    outcome: &ClickOutcome,
    click: &ClickContext,
    last_owed: u64,
) -> Result<(), StoreError> {
    match (&outcome.card, &click.report) {
        (Some(card), Some(Report { target: UpdateTarget::Message { id }, lane })) => {
            tx.renew_updates(lane, id, card.as_str(), last_owed)?;
            // Answers to the bot's menu are in the person's lane.
            tx.renew_updates(&person_lane(&click.operator), id, card.as_str(), last_owed)
        }
        _ => Ok(()),
    }
}

/// Stores a form's first outcome, which answers every later submit of the same form.
pub(super) fn put_op_outcome(
    tx: &WriteTx,
    op: Option<&OpId>,
    outcome: &ClickOutcome,
    now: Timestamp,
) -> Result<(), StoreError> {
    let Some(op) = op else { return Ok(()) };
    let toast = outcome.toast.as_ref().map(|(_, text)| text.clone()).unwrap_or_default();
    let succeeded = matches!(outcome.toast, Some((Tone::Success, _)));
    tx.put_op_outcome(op, &OpOutcome { refused: outcome.refused, succeeded, toast, at: now })
}
