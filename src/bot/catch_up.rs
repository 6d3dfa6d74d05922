//! Catching up after a gap in the long connection: reads the messages written meanwhile from the histories of the chats
//! that the bot knows, and answers each once, like one that arrives as an event.

use jiff::{SignedDuration, Timestamp};

use super::reaction::{HandleError, Reaction};
use super::state::Bot;
use crate::domain::EVENT_WINDOW;
use crate::feishu::{self, ChatKind, Disposition, EventType, MessageReceived};
use crate::store::{KnownChat, StoreError};

/// How far before the gap reading starts: clocks differ, and a message may have been in flight when the connection
/// ended. A message that is read twice is handled once.
const MARGIN: SignedDuration = SignedDuration::from_mins(2);
/// Max chats to read, those with the latest messages first.
const MAX_CHATS: usize = 500;
/// Max pages to read per chat, of 50 messages each.
const MAX_PAGES: usize = 20;

/// How many chats in a row may fail before the rest wait: the cause is then not one chat.
const FAILURES_IN_A_ROW: u32 = 3;

/// The type of event that would have delivered such a message.
const MESSAGE_EVENT: &str = EventType::Message.as_str();

/// Why catching up ended early. Messages read so far have been handled; catching up can be repeated.
#[derive(Debug, thiserror::Error)]
pub enum CatchUpError {
    /// The platform is unavailable.
    #[error(transparent)]
    Feishu(#[from] feishu::Error),
    /// A message could not be handled.
    #[error(transparent)]
    Handle(#[from] HandleError),
}

impl From<StoreError> for CatchUpError {
    fn from(error: StoreError) -> Self {
        CatchUpError::Handle(error.into())
    }
}

impl Bot {
    /// Handles messages since `since` (at most 8 h ago) that have not been handled; in groups, those that mention the bot.
    /// Returns how many there were.
    ///
    /// # Errors
    /// The platform or the store failed, and a retry may help. One chat that fails keeps no other waiting; one that can never
    /// be read is skipped.
    pub async fn catch_up(&self, since: Timestamp) -> Result<usize, CatchUpError> {
        // A history does not say which mention is a bot's.
        if self.own_id.known().is_none() {
            self.own_id.look_up().await?;
        }
        let chats = self.store.reading(|tx| tx.known_chats()).await?;
        let mut handled: usize = 0;
        let (mut failure, mut in_a_row) = (None, 0_u32);
        for (chat_id, chat) in chats.into_iter().take(MAX_CHATS) {
            match self.catch_up_in(&chat_id, &chat, since, &mut handled).await {
                Ok(()) => in_a_row = 0,
                Err(CatchUpError::Feishu(error)) => match error.disposition() {
                    Disposition::ChatGone => {
                        self.store.writing(move |tx| tx.forget_chat(&chat_id)).await?;
                    }
                    // Limits and credentials are the app's.
                    Disposition::RetryAfter(_) | Disposition::Credentials => {
                        return Err(error.into());
                    }
                    Disposition::RetryLater | Disposition::Unclear => {
                        tracing::info!(chat_id, %error, "a chat's history cannot be read yet");
                        failure.get_or_insert(error.into());
                        in_a_row = in_a_row.saturating_add(1);
                    }
                    _ => tracing::warn!(
                        chat_id,
                        %error,
                        "a chat's history cannot be read; the app may lack the scope im:message:readonly, or for \
                         groups im:message.group_msg"
                    ),
                },
                // The next chat may still succeed.
                Err(error) => {
                    tracing::warn!(chat_id, %error, "a message cannot be handled yet");
                    failure.get_or_insert(error);
                    in_a_row = in_a_row.saturating_add(1);
                }
            }
            if in_a_row >= FAILURES_IN_A_ROW {
                break;
            }
        }
        failure.map_or(Ok(handled), Err)
    }

    async fn catch_up_in(
        &self,
        chat_id: &str,
        chat: &KnownChat,
        since: Timestamp,
        handled: &mut usize,
    ) -> Result<(), CatchUpError> {
        // A mark in the future was written before the clock was set back.
        let oldest = self.oldest();
        let since = if since > self.handlers.clock.now() { oldest } else { since };
        let kind = if chat.direct { ChatKind::Direct } else { ChatKind::Group };
        let from = earlier(since, MARGIN).max(oldest);
        let mut page: Option<String> = None;
        for _ in 0..MAX_PAGES {
            let read = self.feishu.chat_messages(chat_id, kind, from, page.as_deref()).await?;
            for message in read.messages {
                // Time has passed since the first page was requested.
                if message.created_at >= self.oldest() && self.handle_late(message).await? {
                    *handled = handled.saturating_add(1);
                }
            }
            page = read.next;
            if page.is_none() {
                return Ok(());
            }
        }
        tracing::warn!(chat_id, "a chat has more new messages than airgate reads");
        Ok(())
    }

    /// Returns whether the message was handled now.
    async fn handle_late(&self, message: MessageReceived) -> Result<bool, HandleError> {
        let message_id = message.message_id.clone();
        // There is no event, so the message's id is its only key.
        let reaction = self.message(String::new(), message).await?;
        if matches!(reaction, Reaction::Ignored | Reaction::Duplicate) {
            return Ok(false);
        }
        let outcome = reaction.outcome();
        tracing::info!(message_id, outcome, "handled a message written during a gap");
        metrics::counter!("airgate_events_total", "type" => MESSAGE_EVENT, "outcome" => outcome)
            .increment(1);
        Ok(true)
    }

    /// Remembers a chat before the first message in it.
    pub(super) async fn remember_chat(
        &self,
        chat_id: String,
        direct: bool,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        let chat = chat_id.clone();
        // People open a known chat far more often than a new one.
        if self.store.reading(move |tx| tx.known_chat(&chat)).await?.is_none() {
            self.store.writing(move |tx| tx.know_chat(&chat_id, direct, at)).await?;
        }
        Ok(())
    }

    fn oldest(&self) -> Timestamp {
        earlier(self.handlers.clock.now(), EVENT_WINDOW)
    }
}

fn earlier(at: Timestamp, by: SignedDuration) -> Timestamp {
    at.checked_sub(by).unwrap_or(Timestamp::MIN)
}
