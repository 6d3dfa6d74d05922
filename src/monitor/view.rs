//! What the monitor card shows.

use jiff::SignedDuration;

use super::Progress;
use crate::app::outcome::{FailedDelivery, MonitorView};
use crate::domain::Settings;
use crate::store::{Source, StoreError, View};

/// How many undelivered messages the monitor card lists.
const FAILED_SHOWN: usize = 5;
/// A message that is still tried is listed if its next attempt is at least this long after it was enqueued.
const STUCK_AFTER: SignedDuration = SignedDuration::from_mins(1);

/// Reads what the monitor card shows.
pub fn view<S: Source>(
    tx: &View<S>,
    settings: &Settings,
    progress: Progress,
    enabled: bool,
) -> Result<MonitorView, StoreError> {
    Ok(MonitorView {
        enabled,
        interval_seconds: settings.interval.as_secs(),
        running_since: progress.running_since,
        next_at: progress.next_at,
        late_since: progress.late_since,
        state: tx.monitor_state()?,
        accounts: tx.accounts()?,
        owed: tx.owed_count()?,
        failed: undelivered(tx)?,
        access_pending: tx.all_access_pending()?,
    })
}

/// The messages that keep their lanes waiting, then the last abandoned ones.
fn undelivered<S: Source>(tx: &View<S>) -> Result<Vec<FailedDelivery>, StoreError> {
    let waiting = tx.lane_heads()?.into_iter().filter_map(|head| {
        // A message that is retried within seconds is not worth a line.
        let is_stuck = head.not_before.duration_since(head.created) >= STUCK_AFTER;
        let reason = head.last_error.filter(|_| is_stuck)?;
        Some(FailedDelivery { target: head.lane, reason, at: head.created })
    });
    let abandoned = tx.failed_messages(FAILED_SHOWN)?.into_iter().map(|failed| FailedDelivery {
        target: failed.owed.lane,
        reason: failed.reason,
        at: failed.at,
    });
    Ok(waiting.chain(abandoned).take(FAILED_SHOWN).collect())
}
