//! The bot's own id, which tells whether a mention in a group means the bot. It is read once and stored. While it is
//! unknown, a message in a group that depends on it is not judged: the platform sends it again.

use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

use super::reaction::HandleError;
use crate::domain::OpenId;
use crate::feishu::{self, ChatKind, Mention, MessageReceived};
use crate::store::{Store, View};

/// How long a message waits for the look-up. The platform waits 3 s for the acknowledgement.
const TIMEOUT: Duration = Duration::from_secs(1);
/// Minimum interval between look-ups that messages start.
const RETRY_AFTER: Duration = Duration::from_secs(5);

/// The bot's own id.
pub(super) struct OwnId {
    store: Store,
    feishu: feishu::Client,
    known: Mutex<Option<OpenId>>,
    last_lookup: Mutex<Option<Instant>>,
}

impl OwnId {
    /// The stored id, if there is one.
    pub(super) fn new(store: Store, feishu: feishu::Client) -> Self {
        let known = store.read(View::bot_open_id).ok().flatten();
        Self { store, feishu, known: Mutex::new(known), last_lookup: Mutex::default() }
    }

    /// The id, if it is known.
    pub(super) fn known(&self) -> Option<OpenId> {
        self.known.lock().clone()
    }

    /// Reads the id from the platform and stores it.
    pub(super) async fn look_up(&self) -> Result<(), feishu::Error> {
        let info = self.feishu.bot_info().await?;
        if let Ok(id) = OpenId::new(info.open_id) {
            *self.known.lock() = Some(id.clone());
            if let Err(error) = self.store.writing(move |tx| tx.put_bot_open_id(&id)).await {
                tracing::warn!(%error, "the bot's own id could not be stored");
            }
        }
        Ok(())
    }

    /// The id for reading `message`. Shortly after the first start it may be unknown; the message then waits for it, so
    /// that it is not misread.
    ///
    /// # Errors
    /// [`HandleError::OwnIdUnknown`] if only the id tells whether a message in a group is for the bot, and the platform
    /// does not answer in time.
    pub(super) async fn for_message(
        &self,
        message: &MessageReceived,
    ) -> Result<Option<OpenId>, HandleError> {
        let known = self.known();
        let may_be_me =
            |mention: &Mention| mention.open_id.is_some() && mention.is_bot != Some(false);
        let is_needed =
            message.chat_kind == ChatKind::Group && message.mentions.iter().any(may_be_me);
        if known.is_some() || !is_needed {
            return Ok(known);
        }
        let may_look_up = {
            let mut last = self.last_lookup.lock();
            let may = last.is_none_or(|last| last.elapsed() >= RETRY_AFTER);
            if may {
                *last = Some(Instant::now());
            }
            may
        };
        if may_look_up {
            match tokio::time::timeout(TIMEOUT, self.look_up()).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => tracing::warn!(%error, "the bot's own id could not be read"),
                Err(_) => tracing::warn!("the bot's own id could not be read in time"),
            }
        }
        self.known().map(Some).ok_or(HandleError::OwnIdUnknown)
    }
}
