//! Sends of which it is not known whether they arrived. For an hour the message's `uuid` makes a repetition safe; later the
//! chat's history is asked first.
//!
//! What is recognised: a message of this app in the same chat, written while it was tried, of the same kind, in answer to
//! the same message (or to none), with the same title (a card) or name (a file), which is no other message that is known
//! to be delivered. More than its title the platform does not give back of a card.
//!
//! Where that cannot be found out (the app may not read the history, the direct chat is not known, too much was written
//! there) the message is sent again: one alert too many is better than none.

use jiff::{SignedDuration, Timestamp};
use secrecy::ExposeSecret;
use serde_json::Value;

use super::deliver::Failure;
use super::substitute::chat_of;
use super::{Outbox, secrets};
use crate::domain::{ChatId, Dispatch, FilePlace, MessageId, OwedMessage};
use crate::feishu::{Disposition, Error, OwnContent};

/// The platform knows a `uuid` for an hour ("Send message"). Less a margin for slow requests: an upload may come before.
const UUID_HOLDS: SignedDuration = SignedDuration::from_mins(55);
/// The platform's clock may differ from ours, and a request may have been on its way for a while.
const MARGIN: SignedDuration = SignedDuration::from_mins(5);
/// Pages (of 50) of a history that are read.
const PAGES: usize = 40;
/// For so long after the first try a history is asked for again that cannot be read for now; then the message is sent
/// anyway.
const ASKED_FOR: SignedDuration = SignedDuration::from_hours(2);

/// What a message is recognised by.
struct Likeness {
    parent: Option<String>,
    content: OwnContent,
}

impl Outbox {
    /// Makes sure that a message may be sent now. Where an earlier try was unclear and the platform may have forgotten its
    /// `uuid`, it is looked for: answers the message that it became; where it became none, it gets a new `uuid` (kept
    /// before it is used).
    pub(super) async fn settle_unclear(
        &self,
        owed: &mut OwedMessage,
    ) -> Result<Option<MessageId>, Failure> {
        let Some(first) = owed.first_tried.filter(|_| owed.dispatch.makes_a_message()) else {
            return Ok(None);
        };
        let age = self.clock.now().duration_since(first);
        if age < UUID_HOLDS {
            return Ok(None);
        }
        match self.look_up(owed, first).await {
            Ok(Some(message)) => {
                tracing::info!(owed = owed.id, %message, "found in the chat: it had been delivered");
                return Ok(Some(message));
            }
            Ok(None) => {}
            Err(Failure::Feishu(error)) if may_be_asked_again(&error) && age < ASKED_FOR => {
                return Err(error.into());
            }
            Err(Failure::Feishu(error)) => tracing::warn!(
                owed = owed.id,
                lane = owed.lane,
                %error,
                "whether it was delivered cannot be read from the chat (the app may lack the scope im:message:readonly, \
                 or for groups im:message.group_msg): it is sent again"
            ),
            Err(failure) => return Err(failure),
        }
        owed.uuid = uuid::Uuid::new_v4().to_string();
        owed.first_tried = None;
        owed.last_tried = None;
        let row = owed.clone();
        self.store.writing(move |tx| tx.note_try(&row)).await?;
        Ok(None)
    }

    /// The message that it became, as far as the chat's history tells.
    async fn look_up(
        &self,
        owed: &OwedMessage,
        first: Timestamp,
    ) -> Result<Option<MessageId>, Failure> {
        let Some(chat) = self.chat_it_goes_to(owed).await? else { return Ok(None) };
        let likeness = self.likeness(owed).await?;
        let others = self.store.reading(|tx| tx.sent_messages()).await?;
        let last = owed.last_tried.unwrap_or_else(|| self.clock.now());
        let since = first.checked_sub(MARGIN).unwrap_or(first);
        let until = last.checked_add(MARGIN).unwrap_or(last);
        let mut page: Option<String> = None;
        for _ in 0..PAGES {
            let read =
                self.feishu.own_messages(chat.as_str(), since, until, page.as_deref()).await?;
            let found = read.messages.into_iter().find(|message| {
                message.parent_id == likeness.parent
                    && message.content == likeness.content
                    && !others.contains(&message.message_id)
            });
            if let Some(found) = found {
                return Ok(MessageId::new(found.message_id).ok());
            }
            page = read.next;
            if page.is_none() {
                return Ok(None);
            }
        }
        tracing::warn!(owed = owed.id, lane = owed.lane, "more was written meanwhile than is read");
        Ok(None)
    }

    /// The chat it goes to, as far as it is known.
    async fn chat_it_goes_to(&self, owed: &OwedMessage) -> Result<Option<ChatId>, Failure> {
        let person = match &owed.dispatch {
            Dispatch::ToChat { chat, .. } => return Ok(Some(chat.clone())),
            Dispatch::ToPerson { person, .. }
            | Dispatch::Secret { person, .. }
            | Dispatch::File { place: FilePlace::Person { id: person }, .. } => person.clone(),
            _ => return Ok(chat_of(&owed.lane)),
        };
        Ok(self.store.reading(move |tx| tx.direct_chat(&person)).await?)
    }

    async fn likeness(&self, owed: &OwedMessage) -> Result<Likeness, Failure> {
        let parent = match &owed.dispatch {
            Dispatch::Reply { to, .. }
            | Dispatch::File { place: FilePlace::Message { id: to }, .. } => Some(to.to_string()),
            _ => None,
        };
        let content = match &owed.dispatch {
            Dispatch::File { name, .. } => OwnContent::File(name.clone()),
            Dispatch::Secret { person, sealed, .. } => {
                let card = secrets::opened(&self.store, person, sealed).await?;
                OwnContent::Card(title(card.expose_secret()))
            }
            dispatch => OwnContent::Card(title(dispatch.card())),
        };
        Ok(Likeness { parent, content })
    }
}

/// The title of a card; empty where it has none.
fn title(card: &str) -> String {
    let card: Value = serde_json::from_str(card).unwrap_or_default();
    let title = card.pointer("/header/title/content").and_then(Value::as_str);
    title.unwrap_or_default().to_owned()
}

/// Whether the trouble may be over later.
fn may_be_asked_again(error: &Error) -> bool {
    matches!(
        error.disposition(),
        Disposition::RetryAfter(_)
            | Disposition::RetryLater
            | Disposition::Unclear
            | Disposition::Credentials
    )
}
