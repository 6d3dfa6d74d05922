//! Reading alert records.

use super::outcome::AlertsView;
use crate::domain::{AlertKind, UserKey};
use crate::store::{Source, StoreError, View};

/// Alerts on one page.
pub const ALERTS_A_PAGE: usize = 8;

/// Reads what the alerts card shows: alerts, newest first.
pub fn view<S: Source>(
    tx: &View<S>,
    user: Option<&UserKey>,
    kind: Option<AlertKind>,
    page: usize,
) -> Result<AlertsView, StoreError> {
    let page_at = |page: usize| {
        let skip = page.saturating_sub(1).saturating_mul(ALERTS_A_PAGE);
        tx.alerts(user, kind, skip, ALERTS_A_PAGE)
    };
    let mut page = page.max(1);
    let (mut alerts, total) = page_at(page)?;
    let pages = total.div_ceil(ALERTS_A_PAGE).max(1);
    if page > pages {
        page = pages;
        alerts = page_at(page)?.0;
    }
    let counts = tx.alert_counts(user, AlertsView::COUNTED)?;
    Ok(AlertsView { alerts, page, pages, total, user: user.cloned(), kind, counts })
}
