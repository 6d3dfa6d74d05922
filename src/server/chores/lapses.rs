//! Ends what has a last day: requests and second approvals that nobody decided, and temporary quota.

use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use tokio_util::sync::CancellationToken;

use super::runner::{Chore, Needs};
use crate::app::people::OwnerNotice;
use crate::app::{approvals, batches, requests, temporary};
use crate::clock::Clock;
use crate::domain::{Act, Deed};
use crate::outbox::Alerts;
use crate::owed::Wakers;
use crate::store::{Store, StoreError, WriteTx};

/// How often it looks.
const INTERVAL: Duration = Duration::from_secs(60);

/// Lets requests and approvals lapse, and books temporary quota back. What fell due while the service was down follows at
/// the start, once.
pub(super) struct EndWhatIsOver {
    store: Store,
    alerts: Alerts,
    clock: Clock,
    wakers: Wakers,
}

impl EndWhatIsOver {
    pub(super) fn new(needs: &Needs<'_>) -> Self {
        Self {
            store: needs.store.clone(),
            alerts: needs.alerts.clone(),
            clock: needs.clock.clone(),
            wakers: needs.wakers.clone(),
        }
    }

    /// Returns how much it has ended.
    async fn end(&self) -> Result<usize, StoreError> {
        let mut count: usize = 0;
        loop {
            if !self.is_something_over().await? {
                return Ok(count);
            }
            let (alerts, now) = (self.alerts.clone(), self.clock.now());
            let (ended, more) = self.store.writing(move |tx| end_in(tx, &alerts, now)).await?;
            count = count.saturating_add(ended);
            if !more {
                return Ok(count);
            }
        }
    }

    /// Looks on a snapshot first, so that writers wait only if there is something to do.
    async fn is_something_over(&self) -> Result<bool, StoreError> {
        let now = self.clock.now();
        let today = crate::domain::beijing_day(now);
        self.store
            .reading(move |tx| {
                for request in tx.pending_requests()? {
                    if requests::is_over(tx, &request, now)? {
                        return Ok(true);
                    }
                }
                Ok(!tx.overdue_temporaries(today, 1)?.is_empty()
                    || tx.waiting_approvals()?.iter().any(|approval| approval.lapses(now))
                    || batches::is_over(tx, now)?)
            })
            .await
    }
}

fn end_in(
    tx: &WriteTx,
    alerts: &Alerts,
    now: jiff::Timestamp,
) -> Result<(usize, bool), StoreError> {
    let words = alerts.words();
    let note = |it: &crate::domain::Temporary| words.t("quota.book_back", &[("day", &it.last_day)]);
    let (ended, more) = temporary::book_back(tx, note, now)?;
    let mut count = ended.len();
    for entry in ended.into_iter().filter_map(|ended| ended.entry) {
        let user = entry.user.clone();
        let deed = Deed::Allocated { amount: entry.amount };
        let step = Act { deed, by: entry.operator.clone(), at: now };
        let told = alerts.tell_owner(tx, &user, &OwnerNotice::Quota(entry), now);
        tx.or_left_out(&user, told)?;
        tx.or_left_out(&user, alerts.follow_up(tx, &user, &step, now))?;
    }
    for lapsed in approvals::lapse(tx, now)? {
        count = count.saturating_add(1);
        alerts.refresh_approval(tx, &lapsed.approval, now)?;
        if let Some(request) = &lapsed.request {
            alerts.refresh_request(tx, request, now)?;
        }
    }
    for request in requests::lapse(tx, now)? {
        count = count.saturating_add(1);
        alerts.refresh_request(tx, &request, now)?;
        let notice = OwnerNotice::Request(request.clone());
        alerts.tell_operator(tx, &request.by, &request.user, &notice, now)?;
    }
    let (lapsed, rows_left) = batches::lapse(tx, now)?;
    for batch in lapsed {
        count = count.saturating_add(1);
        alerts.refresh_batch(tx, &batch, now)?;
    }
    Ok((count, more || rows_left))
}

impl Chore for EndWhatIsOver {
    fn name(&self) -> &'static str {
        "lapses"
    }

    fn run<'a>(&'a mut self, stop: &'a CancellationToken) -> BoxFuture<'a, Duration> {
        async move {
            match stop.run_until_cancelled(self.end()).await {
                Some(Ok(count)) if count > 0 => self.wakers.outbox.notify_one(),
                Some(Err(error)) => tracing::error!(%error, "what is over could not be ended"),
                Some(Ok(_)) | None => {}
            }
            INTERVAL
        }
        .boxed()
    }
}
