//! Files that are imported: downloaded, read, the people in them looked up.

use std::time::Duration;

use super::Worker;
use super::batch::as_a_whole;
use crate::app::batch_refusal::BatchRefusal;
use crate::app::import::{self, People};
use crate::app::sheet::{self, MAX_BYTES, Sheet, SheetError};
use crate::app::{Refusal, batches};
use crate::domain::{Batch, BatchSource, BatchState, LeftOut, OpenId};
use crate::feishu::{self, Disposition};
use crate::store::StoreError;

/// How often a download is tried, and the pause before the second attempt; later ones are longer.
const ATTEMPTS: u32 = 4;
const PAUSE: Duration = Duration::from_millis(500);
/// The longest pause that the platform can ask for here: somebody waits for the preview.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

impl Worker {
    /// Reads the file of a batch, and shows what it would do or why it is refused.
    pub(super) async fn prepare_file(&self, batch: Batch) -> Result<(), StoreError> {
        let BatchSource::File { message, key, name, .. } = batch.source.clone() else {
            return Ok(());
        };
        let sheet = match self.sheet(message.as_str(), &key).await {
            Ok(Ok(sheet)) => sheet,
            Ok(Err(error)) => return self.unusable(batch, as_a_whole(error), no_line).await,
            Err(error) => {
                tracing::warn!(%error, batch = batch.id, "a file was not read");
                return self.not_downloaded(batch, &error).await;
            }
        };
        let people = match self.people_of(&sheet).await {
            Ok(people) => people,
            Err(error) => {
                tracing::warn!(%error, batch = batch.id, "the owners in a file were not found");
                return self.not_downloaded(batch, &error).await;
            }
        };
        let digest = sheet.digest.clone();
        let (alerts, now, by) =
            (self.parts.alerts.clone(), self.parts.clock.now(), batch.by.clone());
        let of = digest.clone();
        let made = self.parts.store.reading(move |tx| {
            if let Some(refusal) = batches::applied_before(tx, &of, now)? {
                return Ok(Err(refusal));
            }
            let read = import::rows(&sheet, &people, now);
            let rules = alerts.settings_in_force(tx)?.approval;
            let rows = import::without_present_links(tx, read.rows)?;
            let (lines, rows): (Vec<u64>, Vec<_>) = rows.into_iter().unzip();
            let made = batches::prepare(tx, &rules, &by, rows, now)?;
            Ok::<_, StoreError>(Ok((lines, read.refused, made)))
        });
        let (lines, unread, made) = match made.await? {
            Ok(made) => made,
            Err(refusal) => return self.unusable(batch, as_a_whole(refusal), no_line).await,
        };
        let line = |at: usize| lines.get(at).copied().unwrap_or_default();
        let refused = made.refused.iter().map(|(at, refusal)| (line(*at), refusal.clone()));
        let mut refused: Vec<(u64, Refusal)> = unread.into_iter().chain(refused).collect();
        if refused.is_empty() && made.rows.is_empty() {
            return self.unusable(batch, as_a_whole(BatchRefusal::NothingToChange), no_line).await;
        }
        if !refused.is_empty() {
            refused.sort_by_key(|(line, _)| *line);
            let at_line = refused
                .into_iter()
                .map(|(line, refusal)| (usize::try_from(line).unwrap_or(usize::MAX), refusal));
            return self.unusable(batch, at_line.collect(), |line| line.to_string()).await;
        }
        let source = BatchSource::File { message, key, name, digest };
        self.preview(Batch { source, ..batch }, made, no_line).await
    }

    /// Downloads and reads a file.
    async fn sheet(
        &self,
        message: &str,
        key: &str,
    ) -> Result<Result<Sheet, SheetError>, feishu::Error> {
        let mut patience = Patience::new();
        let bytes = loop {
            match self.parts.feishu.download(message, key, MAX_BYTES).await {
                Ok(bytes) => break bytes,
                Err(error) => patience.wait_after(error).await?,
            }
        };
        let Some(bytes) = bytes else { return Ok(Err(SheetError::TooLarge)) };
        // Reading 5,000 rows takes longer than a thread of the runtime may be held.
        let read = tokio::task::spawn_blocking(move || sheet::read(&bytes)).await;
        Ok(read.unwrap_or(Err(SheetError::NotText)))
    }

    /// Looks up the people behind the mobile numbers in a file.
    async fn people_of(&self, sheet: &Sheet) -> Result<People, feishu::Error> {
        let mobiles = import::mobiles(sheet);
        if mobiles.is_empty() {
            return Ok(People::new());
        }
        let mut patience = Patience::new();
        let found = loop {
            match self.parts.feishu.open_ids_by_mobile(&mobiles).await {
                Ok(found) => break found,
                Err(error) => patience.wait_after(error).await?,
            }
        };
        let person = |id: Option<String>| id.and_then(|id| OpenId::new(id).ok());
        Ok(found.into_iter().map(|(mobile, id)| (mobile, person(id))).collect())
    }

    async fn not_downloaded(&self, batch: Batch, error: &feishu::Error) -> Result<(), StoreError> {
        let words = self.parts.cards.words();
        let key = match error.disposition() {
            Disposition::NotPermitted | Disposition::Credentials => "batch.no_access",
            _ => "batch.failed",
        };
        let reason = words.t(key, &[("reason", error)]);
        let reasons = vec![LeftOut { what: String::new(), reason }];
        self.set_batch(Batch { state: BatchState::Unusable { reasons, count: 1 }, ..batch }).await
    }
}

fn no_line(_: usize) -> String {
    String::new()
}

/// Repeats a call that reads while the platform is down or asks to wait.
struct Patience {
    left: u32,
    pause: Duration,
}

impl Patience {
    fn new() -> Self {
        Self { left: ATTEMPTS, pause: PAUSE }
    }

    /// Waits until the next attempt.
    ///
    /// # Errors
    /// The error itself, if another attempt would not help, or there were enough.
    async fn wait_after(&mut self, error: feishu::Error) -> Result<(), feishu::Error> {
        self.left = self.left.saturating_sub(1);
        let wait = match error.disposition() {
            _ if self.left == 0 => return Err(error),
            Disposition::RetryAfter(wait) => wait.min(LONGEST_PAUSE),
            Disposition::RetryLater | Disposition::Unclear => self.pause,
            _ => return Err(error),
        };
        tokio::time::sleep(wait).await;
        self.pause = self.pause.saturating_mul(2);
        Ok(())
    }
}
