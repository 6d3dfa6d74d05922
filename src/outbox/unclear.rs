//! Sends whose outcome is unknown. For an hour the message's `uuid` makes a retry safe; later the chat's history is
//! searched first.
//!
//! A message is recognized as ours if this app wrote it in the same chat, since it was first tried, of the same kind, in
//! reply to the same message (or to none), with the same title (a card) or name (a file), and if it is not known as the
//! delivery of another message. If Feishu shows a card without its title, it counts as ours if no other fits: whatever
//! else this app wrote there at that time is known to be delivered.
//!
//! If the history cannot be searched (the app may not read it, the direct chat is not known, too much was written there),
//! the message is sent again: one alert too many is better than none.

use jiff::{SignedDuration, Timestamp};
use secrecy::ExposeSecret;
use serde_json::Value;

use super::failure::Failure;
use super::lanes::chat_of;
use super::{Outbox, secrets};
use crate::clock::Moment;
use crate::domain::{ChatId, Dispatch, FilePlace, MessageId, OwedMessage};
use crate::feishu::{Disposition, Error, OwnContent};

/// How long a retry under the same `uuid` is safe. Feishu remembers a `uuid` for an hour ("Send message"); the margin is
/// for slow requests, since an upload may precede the send.
const UUID_HOLDS: SignedDuration = SignedDuration::from_mins(55);
/// Searched before the first try and after the last one: Feishu's clock may differ from ours, and a request may have been slow.
const MARGIN: SignedDuration = SignedDuration::from_mins(5);
/// Taken as the age of a first try that is dated in the future.
const UNKNOWN_AGE: SignedDuration = SignedDuration::from_hours(24);
/// Max pages (of 50) read of a history.
const PAGES: usize = 40;
/// How long after the first try a history that cannot be read for now is retried; then the message is sent anyway.
const HISTORY_RETRIED_FOR: SignedDuration = SignedDuration::from_hours(2);

/// What a message is recognised by.
struct Likeness {
    parent: Option<String>,
    content: OwnContent,
}

impl Likeness {
    fn is_card(&self) -> bool {
        matches!(self.content, OwnContent::Card(_))
    }
}

impl Outbox {
    /// Makes sure that a message may be sent now. If an earlier try was unclear and Feishu may have forgotten its `uuid`,
    /// searches the chat for it. Returns the message found; if there is none, the message gets a new `uuid`, stored before it
    /// is used.
    pub(super) async fn settle_unclear(
        &self,
        owed: &mut OwedMessage,
    ) -> Result<Option<MessageId>, Failure> {
        let Some(first) = owed.first_tried.filter(|_| owed.dispatch.makes_a_message()) else {
            return Ok(None);
        };
        let age = self.since_first_try(owed, first);
        if age < UUID_HOLDS {
            return Ok(None);
        }
        match self.look_up(owed, first).await {
            Ok(Some(message)) => {
                tracing::info!(owed = owed.id, %message, "found in the chat: it was delivered earlier");
                return Ok(Some(message));
            }
            Ok(None) => {}
            Err(Failure::Feishu(error)) if may_be_retried(&error) && age < HISTORY_RETRIED_FOR => {
                return Err(error.into());
            }
            Err(Failure::Feishu(error)) => tracing::warn!(
                owed = owed.id,
                lane = owed.lane,
                %error,
                "the chat's history cannot be read (the app may lack the scope im:message:readonly, or for groups \
                 im:message.group_msg); the message is sent again, although it may have been delivered"
            ),
            Err(failure) => return Err(failure),
        }
        owed.uuid = uuid::Uuid::new_v4().to_string();
        owed.first_tried = None;
        owed.last_tried = None;
        self.first_tries.lock().remove(&owed.id);
        let row = owed.clone();
        self.parts.store.writing(move |tx| tx.note_try(&row)).await?;
        Ok(None)
    }

    /// Returns how long ago the first try was. A process that has made it itself has measured it; otherwise only the date
    /// tells, and [`UNKNOWN_AGE`] if the clock was set back.
    fn since_first_try(&self, owed: &OwedMessage, first: Timestamp) -> SignedDuration {
        let measured = self.first_tries.lock().get(&owed.id).copied();
        age(measured, first, self.parts.clock.moment())
    }

    /// Searches the chat's history for the message.
    pub(super) async fn look_up(
        &self,
        owed: &OwedMessage,
        first: Timestamp,
    ) -> Result<Option<MessageId>, Failure> {
        let Some(chat) = self.chat_it_goes_to(owed).await? else { return Ok(None) };
        let likeness = self.likeness(owed).await?;
        let others = self.parts.store.reading(|tx| tx.sent_messages()).await?;
        let age = self.since_first_try(owed, first);
        let now = self.parts.clock.now();
        let (since, until) = searched(first, owed.last_tried.unwrap_or(now), age, now);
        let mut page: Option<String> = None;
        let mut untitled: Option<String> = None;
        for _ in 0..PAGES {
            let read = self
                .parts
                .feishu
                .own_messages(chat.as_str(), since, until, page.as_deref())
                .await?;
            for message in read.messages {
                if message.parent_id != likeness.parent || others.contains(&message.message_id) {
                    continue;
                }
                if message.content == likeness.content {
                    return Ok(MessageId::new(message.message_id).ok());
                }
                if likeness.is_card() && message.content == OwnContent::Card(None) {
                    untitled.get_or_insert(message.message_id);
                }
            }
            page = read.next;
            if page.is_none() {
                return Ok(untitled.and_then(|id| MessageId::new(id).ok()));
            }
        }
        tracing::warn!(
            owed = owed.id,
            lane = owed.lane,
            "too many messages were written in the meantime to search them all"
        );
        Ok(None)
    }

    /// Returns the chat it goes to, if known.
    async fn chat_it_goes_to(&self, owed: &OwedMessage) -> Result<Option<ChatId>, Failure> {
        let person = match &owed.dispatch {
            Dispatch::ToChat { chat, .. } => return Ok(Some(chat.clone())),
            Dispatch::ToPerson { person, .. }
            | Dispatch::Secret { person, .. }
            | Dispatch::File { place: FilePlace::Person { id: person }, .. } => person.clone(),
            _ => return Ok(chat_of(&owed.lane)),
        };
        Ok(self.parts.store.reading(move |tx| tx.direct_chat(&person)).await?)
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
                let card = secrets::opened(&self.parts.store, person, sealed).await?;
                OwnContent::Card(Some(title(card.expose_secret())))
            }
            dispatch => OwnContent::Card(Some(title(dispatch.card()))),
        };
        Ok(Likeness { parent, content })
    }
}

/// Returns how long before `now` the first try was: as measured from `began`, otherwise by its date.
fn age(began: Option<Moment>, first: Timestamp, now: Moment) -> SignedDuration {
    if let Some(began) = began {
        return SignedDuration::try_from(now.shifted_since(began)).unwrap_or(SignedDuration::MAX);
    }
    let age = now.at().duration_since(first);
    if age < -MARGIN { UNKNOWN_AGE } else { age }
}

/// Returns the part of the history to search: from the first try, dated `first` and `age` ago, to the `last` one, and to
/// now. If the clock was set in between, nobody knows which of the dates was right.
fn searched(
    first: Timestamp,
    last: Timestamp,
    age: SignedDuration,
    now: Timestamp,
) -> (Timestamp, Timestamp) {
    let first = now.checked_sub(age).map_or(first, |began| began.min(first));
    let last = last.max(now);
    let (since, until) = (first.checked_sub(MARGIN), last.checked_add(MARGIN));
    (since.unwrap_or(first), until.unwrap_or(last))
}

/// Returns the title of a card; empty if it has none.
fn title(card: &str) -> String {
    let card: Value = serde_json::from_str(card).unwrap_or_default();
    let title = card.pointer("/header/title/content").and_then(Value::as_str);
    title.unwrap_or_default().to_owned()
}

/// Returns whether a later read may succeed.
fn may_be_retried(error: &Error) -> bool {
    matches!(
        error.disposition(),
        Disposition::RetryAfter(_)
            | Disposition::RetryLater
            | Disposition::Unclear
            | Disposition::Credentials
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;

    const MINUTE: SignedDuration = SignedDuration::from_mins(1);

    #[tokio::test(start_paused = true)]
    async fn the_hour_of_a_uuid_passes_whatever_the_date_says() {
        let clock = Clock::manual("2026-11-23T02:00:00Z".parse().unwrap());
        let began = clock.moment();
        let first = began.at();
        clock.advance(SignedDuration::from_hours(-24));
        tokio::time::advance(std::time::Duration::from_secs(3600)).await;
        let now = clock.moment();
        let measured = age(Some(began), first, now);
        assert_eq!(measured, MINUTE * 60);
        let (since, until) = searched(first, first, measured, now.at());
        assert_eq!(now.at().duration_since(since), MINUTE * 65);
        assert_eq!(until.duration_since(first), MARGIN);
        // After a restart nobody knows.
        assert_eq!(age(None, first, now), UNKNOWN_AGE);
        assert!(UNKNOWN_AGE > UUID_HOLDS);
    }

    #[tokio::test(start_paused = true)]
    async fn a_clock_that_was_behind_hides_no_message() {
        let clock = Clock::manual(Timestamp::UNIX_EPOCH);
        let began = clock.moment();
        let today: Timestamp = "2026-11-23T02:00:00Z".parse().unwrap();
        clock.set(today);
        let measured = age(Some(began), began.at(), clock.moment());
        let (since, until) = searched(began.at(), began.at(), measured, clock.now());
        assert!(since < began.at() && until > today, "{since} {until}");
    }
}
