//! What is owed to the outside: messages by lane, and tasks.

use std::collections::HashSet;
use std::ops::{Bound, ControlFlow};

use jiff::{SignedDuration, Timestamp};
use redb::{ReadableTable, ReadableTableMetadata};

use super::tables::{
    ALERT_OWED, COUNTERS, FAILED, OUTBOX, Order, SENT, Source, TASKS, View, decode,
};
use super::{StoreError, WriteTx};
use crate::domain::{
    Dispatch, FailedMessage, MessageId, Notice, OwedMessage, Report, Task, TaskKind, UpdateTarget,
};

/// Ids of delivered messages kept: for updates of them, and to tell them from a message whose delivery is unclear. A
/// chat takes 5 messages a second, so these reach back more than the hour that matters there.
const SENT_KEPT: u64 = 20_000;
/// Of a long lane so many rows, the last ones, are looked through for updates of a card.
const RENEWED_AMONG: usize = 200;
/// Messages that were given up and are still shown.
const FAILED_KEPT: u64 = 100;
/// By then a click has been answered and shown.
const AFTER_CLICK: SignedDuration = SignedDuration::from_millis(800);

/// How one way of delivering an alert stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
enum Way {
    Owed = 0,
    Delivered = 1,
    Failed = 2,
}

/// A message to be owed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewMessage {
    /// The order it goes out in: see [`OwedMessage::lane`].
    pub lane: String,
    /// What.
    pub dispatch: Dispatch,
    /// Not to be sent before.
    pub not_before: Timestamp,
    /// The alert it delivers.
    pub alert: Option<u64>,
    /// Mobile numbers of people it mentions.
    pub mention_mobiles: Vec<String>,
    /// See [`OwedMessage::plain`].
    pub plain: bool,
}

impl NewMessage {
    /// A message that delivers no alert and mentions nobody, to be sent from `now` on.
    pub fn new(lane: &str, dispatch: Dispatch, now: Timestamp) -> Self {
        Self {
            lane: lane.to_owned(),
            dispatch,
            not_before: now,
            alert: None,
            mention_mobiles: Vec::new(),
            plain: false,
        }
    }

    /// It delivers this alert.
    #[must_use]
    pub fn for_alert(self, alert: Option<u64>) -> Self {
        Self { alert, ..self }
    }

    /// It mentions the people behind these mobile numbers.
    #[must_use]
    pub fn mentioning(self, mention_mobiles: Vec<String>) -> Self {
        Self { mention_mobiles, ..self }
    }

    /// It is the plain form of one whose card was refused.
    #[must_use]
    pub fn plain(self) -> Self {
        Self { plain: true, ..self }
    }
}

impl<S: Source> View<S> {
    /// The first owed message of every lane.
    ///
    /// # Errors
    /// The store's.
    pub fn lane_heads(&self) -> Result<Vec<OwedMessage>, StoreError> {
        let table = self.0.table(OUTBOX)?;
        let mut heads: Vec<OwedMessage> = Vec::new();
        // One look-up a lane: after an outage a lane may hold thousands of cards.
        while let Some(row) = match heads.last() {
            None => table.range::<(&str, u64)>(..)?.next(),
            Some(head) => {
                let end = Bound::Excluded((head.lane.as_str(), u64::MAX));
                table.range::<(&str, u64)>((end, Bound::Unbounded))?.next()
            }
        } {
            let (_, value) = row?;
            heads.push(decode("outbox", value.value())?);
        }
        Ok(heads)
    }

    /// An owed message.
    ///
    /// # Errors
    /// The store's.
    pub fn owed(&self, lane: &str, id: u64) -> Result<Option<OwedMessage>, StoreError> {
        self.get(OUTBOX, "outbox", (lane, id))
    }

    /// The id of the message that became owed last.
    ///
    /// # Errors
    /// The store's.
    pub fn last_owed(&self) -> Result<u64, StoreError> {
        Ok(self.0.table(COUNTERS)?.get("owed")?.map_or(0, |last| last.value()))
    }

    /// How many messages are owed.
    ///
    /// # Errors
    /// The store's.
    pub fn owed_count(&self) -> Result<usize, StoreError> {
        Ok(usize::try_from(self.0.table(OUTBOX)?.len()?).unwrap_or(usize::MAX))
    }

    /// The message that an owed one became.
    ///
    /// # Errors
    /// The store's.
    pub fn sent_as(&self, owed: u64) -> Result<Option<MessageId>, StoreError> {
        let id = self.0.table(SENT)?.get(owed)?.map(|id| id.value().to_owned());
        Ok(id.and_then(|id| MessageId::new(id).ok()))
    }

    /// The ids of all messages that are known to be delivered, as far back as they are kept.
    ///
    /// # Errors
    /// The store's.
    pub fn sent_messages(&self) -> Result<HashSet<String>, StoreError> {
        let sent = self.0.table(SENT)?;
        let ids = sent.iter()?.map(|row| row.map(|(_, id)| id.value().to_owned()));
        Ok(ids.collect::<Result<_, _>>()?)
    }

    /// The last messages that were given up, newest first.
    ///
    /// # Errors
    /// The store's.
    pub fn failed_messages(&self, count: usize) -> Result<Vec<FailedMessage>, StoreError> {
        let mut failed = Vec::new();
        self.scan::<_, FailedMessage, u64, _>(
            FAILED,
            "failed",
            ..,
            Order::Descending,
            |_, message| {
                failed.push(message);
                if failed.len() < count {
                    ControlFlow::Continue(())
                } else {
                    ControlFlow::Break(())
                }
            },
        )?;
        Ok(failed)
    }

    /// Tasks in the order they were asked for.
    ///
    /// # Errors
    /// The store's.
    pub fn tasks(&self) -> Result<Vec<Task>, StoreError> {
        let mut tasks = Vec::new();
        self.scan::<_, Task, u64, _>(TASKS, "tasks", .., Order::Ascending, |_, task| {
            tasks.push(task);
            ControlFlow::Continue(())
        })?;
        Ok(tasks)
    }
}

impl WriteTx {
    /// Makes a message owed. Returns its id.
    ///
    /// # Errors
    /// The store's.
    pub fn owe(&self, message: NewMessage, now: Timestamp) -> Result<u64, StoreError> {
        let id = self.next_number("owed")?;
        let owed = OwedMessage {
            id,
            lane: message.lane,
            dispatch: message.dispatch,
            uuid: uuid::Uuid::new_v4().to_string(),
            created: now,
            not_before: message.not_before,
            attempts: 0,
            first_tried: None,
            last_tried: None,
            last_error: None,
            alert: message.alert,
            mention_mobiles: message.mention_mobiles,
            plain: message.plain,
        };
        self.put_owed(&owed)?;
        if let Some(alert) = owed.alert {
            self.0.open_table(ALERT_OWED)?.insert((alert, id), Way::Owed as u8)?;
            self.set_alert_notice(alert, Notice::Owed)?;
        }
        Ok(id)
    }

    /// Notes of every message that may have been on its way when the process last ended that it may have been
    /// delivered: the first of each lane, where it was due.
    ///
    /// # Errors
    /// The store's.
    pub fn doubt_lane_heads(&self, now: Timestamp) -> Result<(), StoreError> {
        for mut owed in self.lane_heads()? {
            if owed.not_before <= now && owed.dispatch.makes_a_message() {
                // It cannot have been tried earlier.
                owed.first_tried.get_or_insert(owed.not_before.max(owed.created));
                owed.last_tried = Some(now);
                self.put_owed(&owed)?;
            }
        }
        Ok(())
    }

    pub(super) fn put_owed(&self, owed: &OwedMessage) -> Result<(), StoreError> {
        self.put(OUTBOX, "outbox", (owed.lane.as_str(), owed.id), owed)
    }

    /// Keeps what a try learned, where it is still owed. What it is to say stays as it stands by now: see
    /// [`WriteTx::renew_updates`].
    ///
    /// # Errors
    /// The store's.
    pub fn note_try(&self, owed: &OwedMessage) -> Result<(), StoreError> {
        match self.owed(&owed.lane, owed.id)? {
            Some(standing) => {
                self.put_owed(&OwedMessage { dispatch: standing.dispatch, ..owed.clone() })
            }
            None => Ok(()),
        }
    }

    /// Whether it is to say something else by now than when it was read as `owed`: see [`WriteTx::renew_updates`].
    ///
    /// # Errors
    /// The store's.
    pub fn was_renewed(&self, owed: &OwedMessage) -> Result<bool, StoreError> {
        let standing = self.owed(&owed.lane, owed.id)?;
        Ok(standing.is_some_and(|standing| standing.dispatch != owed.dispatch))
    }

    /// A message shows a newer card than the updates of it that were owed up to `last`: those become updates to this one,
    /// so that an older card never takes its place.
    ///
    /// # Errors
    /// The store's.
    pub fn renew_updates(
        &self,
        lane: &str,
        message: &MessageId,
        newer: &str,
        last: u64,
    ) -> Result<(), StoreError> {
        let mut updates = Vec::new();
        let mut looked_at = 0;
        self.scan::<_, OwedMessage, _, _>(
            OUTBOX,
            "outbox",
            (lane, 0)..=(lane, last),
            Order::Descending,
            |_, owed| {
                looked_at += 1;
                if matches!(owed.dispatch, Dispatch::Update { .. }) {
                    updates.push(owed);
                }
                match looked_at < RENEWED_AMONG {
                    true => ControlFlow::Continue(()),
                    false => ControlFlow::Break(()),
                }
            },
        )?;
        for mut owed in updates {
            let Dispatch::Update { target, card } = &mut owed.dispatch else { continue };
            let is_its = match target {
                UpdateTarget::Message { id } => id == message,
                UpdateTarget::SentBy { owed } => self.sent_as(*owed)?.as_ref() == Some(message),
            };
            if is_its && card != newer {
                newer.clone_into(card);
                self.put_owed(&owed)?;
            }
        }
        Ok(())
    }

    /// An owed message was delivered, as `message` where it made one. An alert whose last owed message this was becomes
    /// delivered. An update that is to show something newer by now stays owed.
    ///
    /// # Errors
    /// The store's.
    pub fn delivered(
        &self,
        owed: &OwedMessage,
        message: Option<&MessageId>,
    ) -> Result<(), StoreError> {
        if self.was_renewed(owed)? {
            return Ok(());
        }
        self.0.open_table(OUTBOX)?.remove((owed.lane.as_str(), owed.id))?;
        if let Some(message) = message {
            let mut sent = self.0.open_table(SENT)?;
            sent.insert(owed.id, message.as_str())?;
            sent.retain_in::<u64, _>(..owed.id.saturating_sub(SENT_KEPT), |_, _| false)?;
        }
        self.settle_alert(owed, Way::Delivered)
    }

    /// An owed message is given up.
    ///
    /// # Errors
    /// The store's.
    pub fn give_up(
        &self,
        owed: &OwedMessage,
        reason: &str,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.0.open_table(OUTBOX)?.remove((owed.lane.as_str(), owed.id))?;
        let failed = FailedMessage { owed: owed.clone(), reason: reason.to_owned(), at: now };
        self.put(FAILED, "failed", owed.id, &failed)?;
        let mut table = self.0.open_table(FAILED)?;
        while table.len()? > FAILED_KEPT {
            table.pop_first()?;
        }
        drop(table);
        self.settle_alert(owed, Way::Failed)
    }

    /// Notes how one way of delivering an alert ended. When none is left, the alert counts as delivered if any of them
    /// reached somebody.
    fn settle_alert(&self, owed: &OwedMessage, way: Way) -> Result<(), StoreError> {
        let Some(alert) = owed.alert else { return Ok(()) };
        let mut table = self.0.open_table(ALERT_OWED)?;
        table.insert((alert, owed.id), way as u8)?;
        let ways = table
            .range((alert, 0)..=(alert, u64::MAX))?
            .map(|row| row.map(|(_, way)| way.value()))
            .collect::<Result<Vec<u8>, _>>()?;
        if ways.contains(&(Way::Owed as u8)) {
            return Ok(());
        }
        table.retain_in((alert, 0)..=(alert, u64::MAX), |_, _| false)?;
        drop(table);
        let delivered = ways.contains(&(Way::Delivered as u8));
        self.set_alert_notice(alert, if delivered { Notice::Delivered } else { Notice::Failed })
    }

    /// Asks for a task. Returns its id.
    ///
    /// # Errors
    /// The store's.
    pub fn add_task(
        &self,
        kind: TaskKind,
        report: Option<Report>,
        now: Timestamp,
    ) -> Result<u64, StoreError> {
        let id = self.next_number("tasks")?;
        self.put(TASKS, "tasks", id, &Task { id, kind, report, created: now })?;
        Ok(id)
    }

    /// A card that somebody acted on is no longer replaced by balances that were asked for before: it may hold what they
    /// are typing.
    ///
    /// # Errors
    /// The store's.
    pub fn silence_balances(&self, message: &MessageId) -> Result<(), StoreError> {
        for mut task in self.tasks()? {
            let shown = match &task.report {
                Some(Report { target: UpdateTarget::Message { id }, .. }) => Some(id.clone()),
                Some(Report { target: UpdateTarget::SentBy { owed }, .. }) => {
                    self.sent_as(*owed)?
                }
                None => None,
            };
            if task.kind == TaskKind::ReadBalances && shown.as_ref() == Some(message) {
                task.report = None;
                self.put(TASKS, "tasks", task.id, &task)?;
            }
        }
        Ok(())
    }

    /// A task is done.
    ///
    /// # Errors
    /// The store's.
    pub fn finish_task(&self, id: u64) -> Result<bool, StoreError> {
        Ok(self.0.open_table(TASKS)?.remove(id)?.is_some())
    }

    /// A task as it stands now; `None` where it is done.
    ///
    /// # Errors
    /// The store's.
    pub fn task(&self, id: u64) -> Result<Option<Task>, StoreError> {
        self.get(TASKS, "tasks", id)
    }

    /// Owes the result of what was asked for at `asked` to the card that shows it as under way. An update that overtakes
    /// the answer to the click it follows would be undone by it, so it waits a moment.
    ///
    /// # Errors
    /// The store's.
    pub fn owe_report(
        &self,
        report: &Report,
        card: String,
        asked: Timestamp,
        now: Timestamp,
    ) -> Result<u64, StoreError> {
        let target: UpdateTarget = report.target.clone();
        let answered = asked.checked_add(AFTER_CLICK).unwrap_or(now);
        let dispatch = Dispatch::Update { target, card };
        let message = NewMessage {
            not_before: answered.max(now),
            ..NewMessage::new(&report.lane, dispatch, now)
        };
        self.owe(message, now)
    }
}
