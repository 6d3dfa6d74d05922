//! What the transaction of a click records besides its effect: the promised task, a form's outcome, and which enqueued
//! updates the answered card supersedes.

use jiff::Timestamp;

use super::actions::{ClickContext, ClickOutcome};
use crate::cards::Tone;
use crate::domain::{OpId, Report, UpdateTarget};
use crate::outbox::{Alerts, person_lane};
use crate::store::{OpOutcome, Source, StoreError, View, WriteTx};

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

/// Returns whether an update of the clicked message is owed that the card of the answer is newer than.
pub(super) fn has_older_updates<S: Source>(
    tx: &View<S>,
    outcome: &ClickOutcome,
    click: &ClickContext,
) -> Result<bool, StoreError> {
    match (&outcome.card, &click.report) {
        (Some(_), Some(Report { target: UpdateTarget::Message { id }, lane })) => {
            Ok(tx.has_updates(lane, id)? || tx.has_updates(&person_lane(&click.operator), id)?)
        }
        _ => Ok(false),
    }
}

/// Replaces updates of the clicked message enqueued up to `last_owed` with the card of the answer, which is newer.
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

/// Notes that the clicked message shows the card of the answer, rendered from a state with the change `seen`.
pub(super) fn note_shown(alerts: &Alerts, outcome: &ClickOutcome, click: &ClickContext, seen: u64) {
    if let (Some(card), Some(report)) = (&outcome.card, &click.report) {
        alerts.shows(report, card, seen, click.card_ctx.now);
    }
}

/// The same for a card that was rendered in the transaction of its change.
pub(super) fn will_show(
    tx: &WriteTx,
    alerts: &Alerts,
    outcome: &ClickOutcome,
    click: &ClickContext,
) -> Result<(), StoreError> {
    match (&outcome.card, &click.report) {
        (Some(card), Some(report)) => {
            alerts.will_show(tx, report, card, tx.card_changes()?, click.card_ctx.now)
        }
        _ => Ok(()),
    }
}

/// Stores a form's first outcome, which answers every later submission of the same form.
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
