//! Chat-facing: events of the platform become requests, use cases do them, cards answer.
//!
//! What a person asked for, its effect, the mark that the event was handled, and the reply that is owed for it are
//! committed in one transaction; only then is the event acknowledged.

mod actions;
mod answers;
mod catch_up;
mod chats;
pub mod command;
mod create;
mod greeting;
mod names;
mod noted;
pub mod request;
mod roles;

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use parking_lot::Mutex;
use tokio::time::Instant;

pub use actions::ACTIONS;
pub use catch_up::CatchUpError;
pub use roles::Roles;

use crate::app::export::Table;
use crate::app::outcome::MonitorView;
use crate::app::quota::person;
use crate::cards::Cards;
use crate::clock::Clock;
use crate::domain::period::beijing;
use crate::domain::{
    ChatId, Dispatch, FilePlace, MessageId, OpenId, Operator, Report, Settings, TaskKind,
    UpdateTarget,
};
use crate::feishu::{self, CallbackAnswer, ChatKind, Event, EventKind, MessageReceived};
use crate::monitor::{self, Monitor};
use crate::outbox::{Alerts, chat_lane, file_lane};
use crate::owed::Wakers;
use crate::store::{NewMessage, Source, Store, StoreError, View, WriteTx};

/// A message waits so long for the bot's own id to be read, and those that come soon after it do not. The platform waits 3 s
/// for the answer.
const OWN_ID_PATIENCE: Duration = Duration::from_secs(1);
const OWN_ID_AGAIN: Duration = Duration::from_secs(5);

/// What became of an event.
#[derive(Clone, Debug, PartialEq)]
pub enum Reaction {
    /// Handled; a reply is owed.
    Handled,
    /// Handled; the callback is answered with this.
    Answered(CallbackAnswer),
    /// Handled, and refused for want of a role.
    Denied(CallbackAnswer),
    /// Handled before: nothing was done again.
    Duplicate,
    /// Nothing to do about it.
    Ignored,
}

impl Reaction {
    /// The contract's word for metrics.
    pub fn outcome(&self) -> &'static str {
        match self {
            Reaction::Handled | Reaction::Answered(_) | Reaction::Ignored => "ok",
            Reaction::Denied(_) => "denied",
            Reaction::Duplicate => "duplicate",
        }
    }
}

/// The bot.
pub struct Bot {
    store: Store,
    reader: Arc<Reader>,
    roles: Roles,
    feishu: feishu::Client,
    wakers: Wakers,
    chats: chats::ChatOrder,
    own_id: Mutex<Option<OpenId>>,
    own_id_asked: Mutex<Option<Instant>>,
    names: names::Asked,
}

/// What it takes to make a card of a transaction's view.
struct Reader {
    store: Store,
    cards: Arc<Cards>,
    settings: Settings,
    project_policies: Vec<String>,
    base_url: String,
    alerts: Alerts,
    monitor: Arc<Monitor>,
    clock: Clock,
}

impl Reader {
    fn settings<S: Source>(&self, tx: &View<S>) -> Result<Settings, StoreError> {
        self.alerts.settings_in_force(tx)
    }

    fn monitor_view<S: Source>(
        &self,
        tx: &View<S>,
        settings: &Settings,
    ) -> Result<MonitorView, StoreError> {
        monitor::view(tx, settings, self.monitor.progress(), self.monitor.is_enabled())
    }
}

/// What [`Bot::new`] is made of.
pub struct Parts {
    /// State.
    pub store: Store,
    /// Makes cards.
    pub cards: Arc<Cards>,
    /// Who may do what.
    pub roles: Roles,
    /// Settings of the configuration; saved ones win.
    pub settings: Settings,
    /// Raises alerts; knows the settings in force.
    pub alerts: Alerts,
    /// Policies that are attached within each project that is linked (`access.project_policies`).
    pub project_policies: Vec<String>,
    /// Whose host a webhook may be on: `feishu.base_url`.
    pub base_url: String,
    /// For its card.
    pub monitor: Arc<Monitor>,
    /// For names of people and the bot's own id.
    pub feishu: feishu::Client,
    /// Time.
    pub clock: Clock,
    /// Whom to tell.
    pub wakers: Wakers,
}

/// What a command answers: a card, and work that reports to it.
struct Reply {
    card: String,
    task: Option<TaskKind>,
    /// A table that follows as a file.
    file: Option<Table>,
}

impl Reply {
    fn card(card: crate::cards::Card) -> Self {
        Self { card: card.into_string(), task: None, file: None }
    }

    fn then(self, task: Option<TaskKind>) -> Self {
        Self { task, ..self }
    }
}

impl Bot {
    /// A bot over these parts.
    pub fn new(parts: Parts) -> Arc<Self> {
        let known = parts.store.read(View::bot_open_id).ok().flatten();
        Arc::new(Self {
            store: parts.store.clone(),
            reader: Arc::new(Reader {
                store: parts.store,
                cards: parts.cards,
                settings: parts.settings,
                project_policies: parts.project_policies,
                base_url: parts.base_url,
                alerts: parts.alerts,
                monitor: parts.monitor,
                clock: parts.clock,
            }),
            roles: parts.roles,
            feishu: parts.feishu,
            wakers: parts.wakers,
            chats: chats::ChatOrder::default(),
            own_id: Mutex::new(known),
            own_id_asked: Mutex::default(),
            names: names::Asked::default(),
        })
    }

    /// Handles an event once, however often it arrives.
    ///
    /// # Errors
    /// The store's: the event was not handled, the platform should send it again.
    pub async fn handle(&self, event: Event) -> Result<Reaction, StoreError> {
        match event.kind {
            EventKind::Message(message) => self.message(event.event_id, message).await,
            EventKind::CardAction(action) => self.action(event.event_id, action).await,
            EventKind::BotMenu { operator_open_id, event_key } => {
                self.menu(event.event_id, operator_open_id, &event_key).await
            }
            EventKind::ChatEntered { chat_id, operator_open_id } => {
                self.meet(chat_id.clone(), true, event.created_at).await?;
                self.chat_entered(event.event_id, chat_id, operator_open_id).await
            }
            EventKind::BotAdded { chat_id, operator_open_id, name } => {
                self.meet(chat_id.clone(), false, event.created_at).await?;
                self.bot_added(event.event_id, chat_id, operator_open_id, name).await
            }
            EventKind::BotRemoved { chat_id } | EventKind::ChatDisbanded { chat_id } => {
                self.bot_removed(event.event_id, chat_id).await
            }
        }
    }

    async fn message(
        &self,
        event_id: String,
        message: MessageReceived,
    ) -> Result<Reaction, StoreError> {
        if !message.sender_is_user {
            return Ok(Reaction::Ignored);
        }
        let (Ok(sender), Ok(message_id)) = (
            OpenId::new(message.sender_open_id.clone()),
            MessageId::new(message.message_id.clone()),
        ) else {
            return Ok(Reaction::Ignored);
        };
        let _turn = self.chats.turn(&message.chat_id).await;
        let own_id = self.own_id_for(&message).await;
        let read = message.text_for_bot(own_id.as_ref().map(OpenId::as_str));
        let text = match (message.chat_kind, read) {
            (ChatKind::Direct, read) => read.map(|read| read.words()).unwrap_or_default(),
            (ChatKind::Group, Some(read)) if read.mentioned => read.words(),
            (ChatKind::Group, _) => return Ok(Reaction::Ignored),
        };
        let mut keys = vec![format!("m:{message_id}")];
        keys.extend((!event_id.is_empty()).then(|| format!("e:{event_id}")));
        let place = Place {
            lane: chat_lane(&message.chat_id),
            destination: Destination::Reply(message_id),
            direct: message.chat_kind == ChatKind::Direct,
            heard: Some((message.chat_id.clone(), message.created_at)),
            keys,
        };
        self.answer(sender, &text, place).await
    }

    /// The bot's own id, which tells whether a message in a group is for it. Just after the first start it may not have been
    /// read yet; the message is not to be lost for that.
    async fn own_id_for(&self, message: &MessageReceived) -> Option<OpenId> {
        let known = self.own_id.lock().clone();
        let is_needed = message.chat_kind == ChatKind::Group && !message.mentions.is_empty();
        if known.is_some() || !is_needed {
            return known;
        }
        {
            let mut asked = self.own_id_asked.lock();
            if asked.is_some_and(|asked| asked.elapsed() < OWN_ID_AGAIN) {
                return None;
            }
            *asked = Some(Instant::now());
        }
        match tokio::time::timeout(OWN_ID_PATIENCE, self.learn_own_id()).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "the bot's own id could not be read"),
            Err(_) => tracing::warn!("the bot's own id could not be read in time"),
        }
        self.own_id.lock().clone()
    }

    /// Rings for what a transaction made owed.
    fn ring(&self, task: Option<&TaskKind>) {
        self.wakers.outbox.notify_one();
        match task {
            Some(TaskKind::MonitorRun) => self.wakers.monitor.notify_one(),
            Some(
                TaskKind::Sync
                | TaskKind::RefreshProjects { .. }
                | TaskKind::CreateUser { .. }
                | TaskKind::UpdateProfile { .. }
                | TaskKind::CheckAccount { .. }
                | TaskKind::ReadBalances,
            ) => self.wakers.tasks.notify_one(),
            None => {}
        }
    }
}

/// Where an answer goes.
enum Destination {
    /// In answer to a message.
    Reply(MessageId),
    /// Into the direct chat with a person.
    Person(OpenId),
}

/// Where a command came from, and by which keys it is known.
struct Place {
    lane: String,
    destination: Destination,
    /// Whether only the person reads the answer.
    direct: bool,
    /// The chat it was written in, and when.
    heard: Option<(String, Timestamp)>,
    keys: Vec<String>,
}

impl Place {
    /// Claims the command, and remembers the chat it came from. False for what was handled before.
    fn begin(&self, tx: &WriteTx, sender: &OpenId, now: Timestamp) -> Result<bool, StoreError> {
        if !tx.claim(&self.keys, now)? {
            return Ok(false);
        }
        self.note_chat(tx, sender)?;
        Ok(true)
    }

    fn note_chat(&self, tx: &WriteTx, sender: &OpenId) -> Result<(), StoreError> {
        let Some((chat, at)) = &self.heard else { return Ok(()) };
        tx.know_chat(chat, self.direct, *at)?;
        match ChatId::new(chat.as_str()) {
            Ok(chat) if self.direct => tx.put_direct_chat(sender, &chat),
            _ => Ok(()),
        }
    }

    /// Makes a reply owed, and the work that reports to it.
    fn owe(&self, tx: &WriteTx, reply: &Reply, now: Timestamp) -> Result<(), StoreError> {
        let card = reply.card.clone();
        let dispatch = match &self.destination {
            Destination::Reply(to) => Dispatch::Reply { to: to.clone(), card },
            Destination::Person(person) => Dispatch::ToPerson { person: person.clone(), card },
        };
        let message = NewMessage::new(&self.lane, dispatch, now);
        let owed = tx.owe(message, now)?;
        if let Some(table) = reply.file {
            let place = match &self.destination {
                Destination::Reply(to) => FilePlace::Message { id: to.clone() },
                Destination::Person(person) => FilePlace::Person { id: person.clone() },
            };
            let at = now.to_zoned(beijing()).strftime("%Y%m%d-%H%M%S");
            let (name, table) = (format!("airgate-{}-{at}.csv", table.word()), table.word());
            let dispatch = Dispatch::File { place, table: table.to_owned(), name };
            tx.owe(NewMessage::new(&file_lane(&self.lane), dispatch, now), now)?;
        }
        if let Some(task) = &reply.task {
            let target = UpdateTarget::SentBy { owed };
            let report = Report { target, lane: self.lane.clone() };
            tx.add_task(task.clone(), Some(report), now)?;
        }
        Ok(())
    }
}

fn operator<S: Source>(tx: &View<S>, open_id: &OpenId) -> Result<Operator, StoreError> {
    person(tx, open_id.clone())
}
