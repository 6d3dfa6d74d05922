//! Changes of many users: prepared, checked once more, written in short steps.

use std::time::Duration;

use super::Worker;
use crate::app::batch_refusal::BatchRefusal;
use crate::app::batches::{self, Decision, Looked, Prepared};
use crate::app::outcome::ListPlace;
use crate::app::{Refusal, SplitRefusal};
use crate::domain::{
    Act, Batch, BatchKind, BatchRow, BatchSource, BatchState, Deed, LedgerEntry, LeftOut,
    RowChange, Task,
};
use crate::outbox::Alerts;
use crate::store::{StoreError, WriteTx};

/// How many rows of a preview are stored in one transaction.
const STORED_AT_ONCE: usize = 200;
/// How many owners are told in one transaction.
const OWNERS_AT_ONCE: usize = 20;
/// The pause between two steps, in which clicks get their turn.
const BREATH: Duration = Duration::from_millis(1);

impl Worker {
    /// Carries a batch on until it waits for a person or is over.
    pub(super) async fn carry_batch_on(&self, task: Task, id: u64) -> Result<(), StoreError> {
        if let Some(report) = task.report.clone() {
            let known = self.batch(id).await?;
            if known.is_some_and(|batch| !batch.cards.contains(&report)) {
                self.change_batch(id, move |batch| batch.cards.push(report)).await?;
            }
        }
        while let Some(batch) = self.batch(id).await? {
            match (&batch.state, &batch.source) {
                (BatchState::Preparing, BatchSource::List { place, change }) => {
                    let (place, change) = (place.clone(), change.clone());
                    self.prepare_list(batch, place, change).await?;
                }
                (BatchState::Preparing, BatchSource::File { .. }) => {
                    self.prepare_file(batch).await?;
                }
                (BatchState::Checking { .. }, _) => self.check_batch(batch).await?,
                (BatchState::Applying { .. }, _) => self.write_batch(batch).await?,
                _ => break,
            }
            self.parts.wakers.outbox.notify_one();
        }
        let now = self.parts.clock.now();
        self.finish(task, None, now).await
    }

    async fn batch(&self, id: u64) -> Result<Option<Batch>, StoreError> {
        self.parts.store.reading(move |tx| tx.batch(id)).await
    }

    async fn change_batch(
        &self,
        id: u64,
        change: impl FnOnce(&mut Batch) + Send + 'static,
    ) -> Result<(), StoreError> {
        self.parts
            .store
            .writing(move |tx| {
                if let Some(mut batch) = tx.batch(id)? {
                    change(&mut batch);
                    tx.put_batch(&batch)?;
                }
                Ok(())
            })
            .await
    }

    /// Gives a batch another state, and shows it.
    pub(super) async fn set_batch(&self, batch: Batch) -> Result<(), StoreError> {
        let (alerts, now) = (self.parts.alerts.clone(), self.parts.clock.now());
        self.parts
            .store
            .writing(move |tx| {
                // Other cards may have been added in the meantime.
                let cards = tx.batch(batch.id)?.map_or_else(Vec::new, |known| known.cards);
                let batch = Batch { cards, ..batch };
                tx.put_batch(&batch)?;
                alerts.refresh_batch(tx, &batch, now)
            })
            .await
    }

    async fn prepare_list(
        &self,
        batch: Batch,
        place: String,
        change: RowChange,
    ) -> Result<(), StoreError> {
        let (alerts, now, by) =
            (self.parts.alerts.clone(), self.parts.clock.now(), batch.by.clone());
        let made = self.parts.store.reading(move |tx| {
            let settings = alerts.settings_in_force(tx)?;
            // Not the list of everybody in the place of one that cannot be read.
            let Ok(place) = serde_json::from_str::<ListPlace>(&place) else {
                return Ok(Err(Refusal::BadField("place")));
            };
            let rows =
                batches::rows_of_list(tx, &settings, &place, &change, now).split_refusal()?;
            let rows = match rows {
                Ok(rows) => rows,
                Err(refusal) => return Ok(Err(refusal)),
            };
            let users: Vec<String> = rows.iter().map(|row| row.user.to_string()).collect();
            let made = batches::prepare(tx, &settings.approval, &by, rows, now)?;
            Ok::<_, StoreError>(Ok((users, made)))
        });
        match made.await? {
            Err(refusal) => self.unusable(batch, vec![(0, refusal)], |_| String::new()).await,
            Ok((users, made)) => {
                let what = |at: usize| users.get(at).cloned().unwrap_or_default();
                if made.rows.is_empty() {
                    return self.unusable(batch, made.refused, what).await;
                }
                self.preview(batch, made, what).await
            }
        }
    }

    /// Ends a batch that has nothing to apply.
    pub(super) async fn unusable(
        &self,
        batch: Batch,
        refused: Vec<(usize, Refusal)>,
        what: impl Fn(usize) -> String,
    ) -> Result<(), StoreError> {
        let words = self.parts.cards.words();
        let (reasons, count) = batches::reasons(&refused, what, |it| words.refusal(it));
        self.set_batch(Batch { state: BatchState::Unusable { reasons, count }, ..batch }).await
    }

    /// Stores the rows, in short transactions, and shows them.
    pub(super) async fn preview(
        &self,
        batch: Batch,
        made: Prepared,
        what: impl Fn(usize) -> String,
    ) -> Result<(), StoreError> {
        let (id, store) = (batch.id, &self.parts.store);
        // A preparation that a crash ended may have stored some.
        while store.writing(move |tx| remove_some(tx, id)).await? {}
        let mut first = 0_u64;
        for rows in made.rows.chunks(STORED_AT_ONCE) {
            let (rows, from) = (rows.to_vec(), first);
            first = first.saturating_add(u64::try_from(rows.len()).unwrap_or(u64::MAX));
            store.writing(move |tx| tx.put_batch_rows(id, from, &rows)).await?;
        }
        let words = self.parts.cards.words();
        let (left_out, count) = batches::reasons(&made.refused, what, |it| words.refusal(it));
        let plan = made.plan.map(|plan| crate::domain::BatchPlan {
            left_out,
            left_out_count: count,
            ..plan
        });
        let state = BatchState::Previewed { at: self.parts.clock.now() };
        self.set_batch(Batch { state, plan, ..batch }).await
    }

    /// Looks at every row once more, outside of any write transaction, then decides in a short one.
    async fn check_batch(&self, batch: Batch) -> Result<(), StoreError> {
        let (alerts, now) = (self.parts.alerts.clone(), self.parts.clock.now());
        let id = batch.id;
        let looked = self.parts.store.reading({
            let alerts = alerts.clone();
            move |tx| {
                let rows = tx.batch_rows(id, 0, usize::MAX)?;
                let rules = alerts.settings_in_force(tx)?.approval;
                let looked = batches::look(tx, &rules, &batch, &rows, now)?;
                Ok::<_, StoreError>((batch, rows, looked))
            }
        });
        let (batch, rows, looked) = looked.await?;
        let cards = std::sync::Arc::clone(&self.parts.cards);
        self.parts
            .store
            .writing(move |tx| decide(tx, &alerts, &cards.words(), &batch, &rows, &looked, now))
            .await
    }

    /// Writes the rows of a batch that is decided.
    async fn write_batch(&self, batch: Batch) -> Result<(), StoreError> {
        let batch = std::sync::Arc::new(batch);
        loop {
            let (alerts, now) = (self.parts.alerts.clone(), self.parts.clock.now());
            let (policies, of) = (self.parts.link_policies.clone(), std::sync::Arc::clone(&batch));
            let more = self.parts.store.writing(move |tx| {
                batches::write_step(tx, &of, &policies, |entry| follow_up(tx, &alerts, entry, now))
            });
            if !more.await? {
                break;
            }
            tokio::time::sleep(BREATH).await;
        }
        self.parts.wakers.policies.notify_one();
        self.tell_owners(&batch).await?;
        let BatchState::Applying { at, confirmed_by, .. } = batch.state.clone() else {
            return Ok(());
        };
        let state = BatchState::Applied { at, confirmed_by };
        self.set_batch(Batch { state, ..Batch::clone(&batch) }).await
    }

    /// Tells each owner what was booked for their users, in one message; some owners at a time.
    async fn tell_owners(&self, batch: &Batch) -> Result<(), StoreError> {
        let BatchState::Applying { at, .. } = batch.state else { return Ok(()) };
        if batch.plan.as_ref().is_none_or(|plan| plan.kind != BatchKind::Quota) {
            return Ok(());
        }
        let (id, by, alerts) = (batch.id, batch.by.clone(), self.parts.alerts.clone());
        let booked = self.parts.store.reading(move |tx| {
            if !alerts.settings_in_force(tx)?.notify_owners {
                return Ok(Vec::new());
            }
            let told = tx.batch(id)?.and_then(|batch| batch.told);
            let mut booked = batches::booked_by_owner(tx, &by, at)?;
            booked.retain(|owner, _| told.as_ref().is_none_or(|told| owner > told));
            Ok::<Vec<_>, StoreError>(booked.into_iter().collect())
        });
        for some in booked.await?.chunks(OWNERS_AT_ONCE) {
            let (some, alerts) = (some.to_vec(), self.parts.alerts.clone());
            let now = self.parts.clock.now();
            let told = self.parts.store.writing(move |tx| {
                for (owner, booked) in &some {
                    alerts.tell_owner_of_all(tx, owner, booked, now)?;
                }
                if let Some(mut batch) = tx.batch(id)? {
                    batch.told = some.last().map(|(owner, _)| owner.clone());
                    tx.put_batch(&batch)?;
                }
                Ok::<_, StoreError>(())
            });
            told.await?;
        }
        Ok(())
    }
}

/// Adds a booking to the user's alerts.
fn follow_up(
    tx: &WriteTx,
    alerts: &Alerts,
    entry: &LedgerEntry,
    now: jiff::Timestamp,
) -> Result<(), StoreError> {
    let deed = Deed::Allocated { amount: entry.amount };
    let step = Act { deed, by: entry.operator.clone(), at: now };
    alerts.follow_up(tx, &entry.user, &step, now)
}

/// Writes what is decided about a batch, and shows it.
fn decide(
    tx: &WriteTx,
    alerts: &Alerts,
    words: &crate::cards::Wording,
    batch: &Batch,
    rows: &[(u64, BatchRow)],
    looked: &Looked,
    now: jiff::Timestamp,
) -> Result<(), StoreError> {
    let Some(known) = tx.batch(batch.id)? else { return Ok(()) };
    let BatchState::Checking { confirmed_by, .. } = known.state.clone() else { return Ok(()) };
    let rules = alerts.settings_in_force(tx)?.approval;
    let state = match batches::settle(tx, &rules, &known, rows, looked, now)? {
        Decision::Apply => {
            if let BatchSource::File { digest, .. } = &known.source {
                tx.put_file_applied(digest, known.id)?;
            }
            BatchState::Applying { at: now, confirmed_by }
        }
        Decision::WaitForSecond => BatchState::WaitsForSecond { at: now },
        Decision::Stop(refused) => {
            let what =
                |at: usize| rows.get(at).map_or_else(String::new, |(_, row)| row.user.to_string());
            let (reasons, count): (Vec<LeftOut>, usize) =
                batches::reasons(&refused, what, |it| words.refusal(it));
            BatchState::Stopped { at: now, reasons, count }
        }
    };
    let asks = matches!(state, BatchState::WaitsForSecond { .. });
    let mut batch = Batch { state, ..known };
    tx.put_batch(&batch)?;
    alerts.refresh_batch(tx, &batch, now)?;
    if asks {
        batch = alerts.ask_for_batch(tx, batch, now)?;
    }
    tracing::info!(batch = batch.id, rows = rows.len(), asks, "a change of many users was decided");
    Ok(())
}

/// Removes some rows of a batch. Returns whether there were any.
fn remove_some(tx: &WriteTx, batch: u64) -> Result<bool, StoreError> {
    let rows = tx.batch_rows(batch, 0, STORED_AT_ONCE)?;
    for (number, row) in &rows {
        tx.remove_batch_row(batch, *number, row)?;
    }
    Ok(!rows.is_empty())
}

/// The refusal of a whole batch.
pub(super) fn as_a_whole(refusal: impl Into<BatchRefusal>) -> Vec<(usize, Refusal)> {
    vec![(0, Refusal::Batch(refusal.into()))]
}
