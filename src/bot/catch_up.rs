//! After a gap in the long connection: what people wrote meanwhile is read from the histories of the chats that the bot
//! knows, and answered once, like what arrives by itself.

use jiff::{SignedDuration, Timestamp};

use super::{Bot, Reaction};
use crate::feishu::{self, ChatKind, Disposition, EventType, MessageReceived};
use crate::store::{KnownChat, StoreError};

/// Messages older than this are not acted on any more, as events are not (contract §4). What was handled is remembered
/// for as long.
const STALE_AFTER: SignedDuration = SignedDuration::from_hours(8);
/// Clocks differ, and a message may have been on its way when the connection ended. What is read twice is handled once.
const MARGIN: SignedDuration = SignedDuration::from_mins(2);
/// The most chats that are read, those with the latest messages first, and pages (of 50) of each.
const CHATS: usize = 500;
const PAGES: usize = 20;

/// The event that such a message would have come with.
const MESSAGE: &str = EventType::Message.as_str();

/// Why catching up ended early. What was reached is handled; the whole can be repeated.
#[derive(Debug, thiserror::Error)]
pub enum CatchUpError {
    /// The platform cannot be asked just now.
    #[error(transparent)]
    Feishu(#[from] feishu::Error),
    /// The store's.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Bot {
    /// Handles what was written since `since` (at most 8 h ago) and has not been handled; in groups, what mentions the
    /// bot. Answers how many messages that were.
    ///
    /// # Errors
    /// Where the platform or the store fails for now. A chat that cannot be read for good is passed over.
    pub async fn catch_up(&self, since: Timestamp) -> Result<usize, CatchUpError> {
        // Here the platform does not say which mention is a bot's.
        if self.own_id.lock().is_none() {
            self.learn_own_id().await?;
        }
        let chats = self.store.reading(|tx| tx.known_chats()).await?;
        let mut handled: usize = 0;
        for (chat_id, chat) in chats.into_iter().take(CHATS) {
            match self.catch_up_in(&chat_id, &chat, since, &mut handled).await {
                Ok(()) => {}
                Err(CatchUpError::Feishu(error)) => match error.disposition() {
                    Disposition::ChatGone => {
                        self.store.writing(move |tx| tx.forget_chat(&chat_id)).await?;
                    }
                    Disposition::RetryAfter(_)
                    | Disposition::RetryLater
                    | Disposition::Unclear
                    | Disposition::Credentials => return Err(error.into()),
                    _ => tracing::warn!(
                        chat_id,
                        %error,
                        "a chat's history cannot be read; the app may lack the scope im:message:readonly, or for \
                         groups im:message.group_msg"
                    ),
                },
                Err(error) => return Err(error),
            }
        }
        Ok(handled)
    }

    async fn catch_up_in(
        &self,
        chat_id: &str,
        chat: &KnownChat,
        since: Timestamp,
        handled: &mut usize,
    ) -> Result<(), CatchUpError> {
        let kind = if chat.direct { ChatKind::Direct } else { ChatKind::Group };
        let from = earlier(since, MARGIN).max(self.oldest());
        let mut page: Option<String> = None;
        for _ in 0..PAGES {
            let read = self.feishu.chat_messages(chat_id, kind, from, page.as_deref()).await?;
            for message in read.messages {
                // Time has passed since the first page was asked for.
                if message.created_at >= self.oldest() && self.handle_late(message).await? {
                    *handled = handled.saturating_add(1);
                }
            }
            page = read.next;
            if page.is_none() {
                return Ok(());
            }
        }
        tracing::warn!(chat_id, "more was written meanwhile than is read");
        Ok(())
    }

    /// Whether there was something to do.
    async fn handle_late(&self, message: MessageReceived) -> Result<bool, StoreError> {
        let message_id = message.message_id.clone();
        // There is no event, hence no event id: the message's id is its key.
        let reaction = self.message(String::new(), message).await?;
        if matches!(reaction, Reaction::Ignored | Reaction::Duplicate) {
            return Ok(false);
        }
        let outcome = reaction.outcome();
        tracing::info!(message_id, outcome, "a message written during a gap");
        metrics::counter!("airgate_events_total", "type" => MESSAGE, "outcome" => outcome)
            .increment(1);
        Ok(true)
    }

    /// Remembers a chat before anything is said in it.
    pub(super) async fn meet(
        &self,
        chat_id: String,
        direct: bool,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        let chat = chat_id.clone();
        // People open chats more often than they meet the bot.
        if self.store.reading(move |tx| tx.known_chat(&chat)).await?.is_none() {
            self.store.writing(move |tx| tx.know_chat(&chat_id, direct, at)).await?;
        }
        Ok(())
    }

    fn oldest(&self) -> Timestamp {
        earlier(self.reader.clock.now(), STALE_AFTER)
    }
}

fn earlier(at: Timestamp, by: SignedDuration) -> Timestamp {
    at.checked_sub(by).unwrap_or(Timestamp::MIN)
}
