//! Where a command came from, and the reply that goes back there.

use jiff::Timestamp;

use crate::app::export::Export;
use crate::cards::Card;
use crate::domain::period::beijing;
use crate::domain::{
    ChatId, Dispatch, FilePlace, MessageId, OpenId, Report, TaskKind, UpdateTarget,
};
use crate::outbox::{Alerts, file_lane};
use crate::store::{NewMessage, StoreError, WriteTx};

/// The answer to a command: a card, and work that reports to it.
pub(super) struct Reply {
    pub(super) card: Card,
    pub(super) task: Option<TaskKind>,
    /// A table that follows as a file.
    pub(super) file: Option<Export>,
    /// The last change of cards that the snapshot had from which the card was made; `None` if it was made in the transaction
    /// that enqueues it.
    pub(super) seen: Option<u64>,
}

impl Reply {
    /// Only a card.
    pub(super) fn card(card: Card) -> Self {
        Self { card, task: None, file: None, seen: None }
    }

    /// The same with background work.
    pub(super) fn with_task(self, task: TaskKind) -> Self {
        Self { task: Some(task), ..self }
    }

    /// The same, made from a snapshot.
    pub(super) fn made_on(self, seen: u64) -> Self {
        Self { seen: Some(seen), ..self }
    }

    /// The same with a table as a file.
    pub(super) fn with_file(self, export: Export) -> Self {
        Self { file: Some(export), ..self }
    }
}

/// Where a reply goes.
pub(super) enum Destination {
    /// In reply to a message.
    Reply(MessageId),
    /// Into the direct chat with a person.
    Person(OpenId),
}

/// Where a command came from, and the keys by which it is handled once.
pub(super) struct Origin {
    pub(super) lane: String,
    pub(super) destination: Destination,
    /// Whether only the sender reads the reply.
    pub(super) direct: bool,
    /// The chat it was written in, and when.
    pub(super) chat: Option<(String, Timestamp)>,
    pub(super) keys: Vec<String>,
}

impl Origin {
    /// Claims the command and remembers its chat. Returns false if it was handled before.
    pub(super) fn claim(
        &self,
        tx: &WriteTx,
        sender: &OpenId,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        if !tx.claim(&self.keys, now)? {
            return Ok(false);
        }
        self.remember_chat(tx, sender)?;
        Ok(true)
    }

    fn remember_chat(&self, tx: &WriteTx, sender: &OpenId) -> Result<(), StoreError> {
        let Some((chat, at)) = &self.chat else { return Ok(()) };
        tx.know_chat(chat, self.direct, *at)?;
        match ChatId::new(chat.as_str()) {
            Ok(chat) if self.direct => tx.put_direct_chat(sender, &chat),
            _ => Ok(()),
        }
    }

    /// Enqueues a reply, and the work that reports to it.
    pub(super) fn enqueue(
        &self,
        tx: &WriteTx,
        alerts: &Alerts,
        reply: &Reply,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let card = reply.card.as_str().to_owned();
        let dispatch = match &self.destination {
            Destination::Reply(to) => Dispatch::Reply { to: to.clone(), card },
            Destination::Person(person) => Dispatch::ToPerson { person: person.clone(), card },
        };
        let owed = tx.owe(NewMessage::new(&self.lane, dispatch, now), now)?;
        let report = Report { target: UpdateTarget::SentBy { owed }, lane: self.lane.clone() };
        let seen = reply.seen.map_or_else(|| tx.card_changes(), Ok)?;
        alerts.will_show(tx, &report, &reply.card, seen, now)?;
        if let Some(export) = reply.file {
            let place = match &self.destination {
                Destination::Reply(to) => FilePlace::Message { id: to.clone() },
                Destination::Person(person) => FilePlace::Person { id: person.clone() },
            };
            owe_file(tx, export, place, &self.lane, now)?;
        }
        if let Some(task) = &reply.task {
            tx.add_task(task.clone(), Some(report), now)?;
        }
        Ok(())
    }
}

/// Enqueues a table as a file, for the recipient of a lane.
pub(super) fn owe_file(
    tx: &WriteTx,
    export: Export,
    place: FilePlace,
    lane: &str,
    now: Timestamp,
) -> Result<(), StoreError> {
    let at = now.to_zoned(beijing()).strftime("%Y%m%d-%H%M%S");
    let name = format!("airgate-{}-{at}.csv", export.word().replace(' ', "-"));
    let dispatch = Dispatch::File { place, table: export.word(), name };
    tx.owe(NewMessage::new(&file_lane(lane), dispatch, now), now).map(drop)
}
