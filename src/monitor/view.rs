//! What the monitor card shows.

use super::Progress;
use crate::app::outcome::{FailedDelivery, MonitorView};
use crate::domain::Settings;
use crate::store::{Source, StoreError, View};

/// How many abandoned messages the monitor card lists.
const FAILED_SHOWN: usize = 5;

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
        failed: tx
            .failed_messages(FAILED_SHOWN)?
            .into_iter()
            .map(|failed| FailedDelivery {
                target: failed.owed.lane,
                reason: failed.reason,
                at: failed.at,
            })
            .collect(),
        access_pending: tx.all_access_pending()?,
    })
}
