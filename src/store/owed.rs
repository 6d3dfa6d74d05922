//! What is owed to the outside world: messages by lane, and tasks.

use std::collections::HashSet;
use std::ops::{Bound, ControlFlow};

use jiff::{SignedDuration, Timestamp};
use redb::{ReadableTable, ReadableTableMetadata};

use super::tables::{ALERT_OWED, COUNTERS, FAILED, OUTBOX, SENT, TASKS};
use super::view::{Order, Source, View};
use super::{StoreError, WriteTx};
use crate::domain::{
    Dispatch, FailedMessage, MessageId, Notice, OpenId, OwedMessage, Report, Task, TaskKind,
    UpdateTarget, update_lane, updated_lane,
};

/// How many ids of delivered messages are kept: to update these messages, and to tell them from one whose delivery is
/// unclear. A chat accepts 5 messages a second, so they cover more than the hour that matters for the latter.
const SENT_KEPT: u64 = 20_000;
/// How many of a lane's newest rows are searched for updates of the same card.
const SEARCHED_FOR_UPDATES: usize = 200;
/// How many messages whose delivery was given up are kept.
const FAILED_KEPT: u64 = 100;
/// Time allowed for the client to display the callback's answer before an update is sent.
const AFTER_CLICK: SignedDuration = SignedDuration::from_millis(800);

/// The state of one of an alert's deliveries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
enum Way {
    Owed = 0,
    Delivered = 1,
    Failed = 2,
}

/// A message to enqueue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewMessage {
    /// The queue whose order it is sent in: see [`OwedMessage::lane`].
    pub lane: String,
    /// What is sent, and where.
    pub dispatch: Dispatch,
    /// The earliest time to send it.
    pub not_before: Timestamp,
    /// The alert it delivers.
    pub alert: Option<u64>,
    /// Mobile numbers of the people it mentions.
    pub mention_mobiles: Vec<String>,
    /// People it mentions as well.
    pub mention_people: Vec<OpenId>,
    /// See [`OwedMessage::plain`].
    pub plain: bool,
    /// See [`OwedMessage::tells_owner_of`].
    pub tells_owner_of: Option<u64>,
    /// See [`OwedMessage::tells_owner`].
    pub tells_owner: Option<String>,
}

impl NewMessage {
    /// Creates a message that delivers no alert and mentions nobody, due `now`.
    pub fn new(lane: &str, dispatch: Dispatch, now: Timestamp) -> Self {
        Self {
            lane: lane.to_owned(),
            dispatch,
            not_before: now,
            alert: None,
            mention_mobiles: Vec::new(),
            mention_people: Vec::new(),
            plain: false,
            tells_owner_of: None,
            tells_owner: None,
        }
    }

    /// Sets the alert that it tells a user's owner about.
    #[must_use]
    pub fn telling_owner_of(self, tells_owner_of: Option<u64>) -> Self {
        Self { tells_owner_of, ..self }
    }

    /// Sets the title of what it tells an owner.
    #[must_use]
    pub fn telling_owner(self, tells_owner: Option<String>) -> Self {
        Self { tells_owner, ..self }
    }

    /// Sets the alert that it delivers.
    #[must_use]
    pub fn for_alert(self, alert: Option<u64>) -> Self {
        Self { alert, ..self }
    }

    /// Mentions the people behind these mobile numbers.
    #[must_use]
    pub fn mentioning(self, mention_mobiles: Vec<String>) -> Self {
        Self { mention_mobiles, ..self }
    }

    /// Mentions these people.
    #[must_use]
    pub fn mentioning_people(self, mention_people: Vec<OpenId>) -> Self {
        Self { mention_people, ..self }
    }

    /// Marks it as the plain form of a message whose card was refused.
    #[must_use]
    pub fn plain(self) -> Self {
        Self { plain: true, ..self }
    }
}

impl<S: Source> View<S> {
    /// Returns the first owed message of every lane that can be read: a row that cannot be read keeps nobody waiting.
    pub fn lane_heads(&self) -> Result<Vec<OwedMessage>, StoreError> {
        let table = self.open(OUTBOX)?;
        let mut heads: Vec<OwedMessage> = Vec::new();
        let mut passed: Option<(String, u64)> = None;
        // One look-up per lane: after an outage a lane may hold thousands of cards.
        loop {
            let start = match &passed {
                None => Bound::Unbounded,
                Some((lane, id)) => Bound::Excluded((lane.as_str(), *id)),
            };
            let next = table.range::<(&str, u64)>((start, Bound::Unbounded))?.next();
            let Some((key, value)) = next.transpose()? else { return Ok(heads) };
            let (lane, id) = key.value();
            let head = OUTBOX.decode_or_skip((lane, id), value.value());
            passed = Some((lane.to_owned(), if head.is_some() { u64::MAX } else { id }));
            heads.extend(head);
        }
    }

    /// Returns an owed message.
    pub fn owed(&self, lane: &str, id: u64) -> Result<Option<OwedMessage>, StoreError> {
        self.get(OUTBOX, (lane, id))
    }

    /// Returns the id of the message that was enqueued last.
    pub fn last_owed(&self) -> Result<u64, StoreError> {
        Ok(self.open(COUNTERS)?.get("owed")?.map_or(0, |last| last.value()))
    }

    /// Returns whether an update of `message` is among the newest messages of a lane: what [`WriteTx::renew_updates`] would
    /// look at.
    pub fn has_updates(&self, lane: &str, message: &MessageId) -> Result<bool, StoreError> {
        Ok(!self.updates_of(lane, message, u64::MAX)?.is_empty())
    }

    /// Returns the newest owed update of `message` in a lane.
    pub fn newest_update(
        &self,
        lane: &str,
        message: &MessageId,
    ) -> Result<Option<u64>, StoreError> {
        Ok(self.updates_of(lane, message, u64::MAX)?.first().map(|owed| owed.id))
    }

    /// Returns the owed updates of `message` up to `last`, newest first: those of a lane, and those that nobody waits for.
    fn updates_of(
        &self,
        lane: &str,
        message: &MessageId,
        last: u64,
    ) -> Result<Vec<OwedMessage>, StoreError> {
        let mut updates = self.updates_in(lane, message, last)?;
        updates.extend(self.updates_in(&update_lane(lane), message, last)?);
        updates.sort_by_key(|owed| std::cmp::Reverse(owed.id));
        Ok(updates)
    }

    fn updates_in(
        &self,
        lane: &str,
        message: &MessageId,
        last: u64,
    ) -> Result<Vec<OwedMessage>, StoreError> {
        let mut updates = Vec::new();
        let mut seen = 0;
        self.scan_readable(OUTBOX, (lane, 0)..=(lane, last), Order::Descending, |_, owed| {
            seen += 1;
            if matches!(owed.dispatch, Dispatch::Update { .. }) {
                updates.push(owed);
            }
            if seen < SEARCHED_FOR_UPDATES {
                ControlFlow::Continue(())
            } else {
                ControlFlow::Break(())
            }
        })?;
        let mut of_message = Vec::new();
        for owed in updates {
            let Dispatch::Update { target, .. } = &owed.dispatch else { continue };
            if self.message_of(target)?.as_ref() == Some(message) {
                of_message.push(owed);
            }
        }
        Ok(of_message)
    }

    /// Returns the message that an update is for; `None` while it is not sent.
    pub fn message_of(&self, target: &UpdateTarget) -> Result<Option<MessageId>, StoreError> {
        match target {
            UpdateTarget::Message { id } => Ok(Some(id.clone())),
            UpdateTarget::SentBy { owed } => self.sent_as(*owed),
        }
    }

    /// Returns how many messages are owed.
    pub fn owed_count(&self) -> Result<usize, StoreError> {
        Ok(usize::try_from(self.open(OUTBOX)?.len()?).unwrap_or(usize::MAX))
    }

    /// Returns the message that was sent for an owed one.
    pub fn sent_as(&self, owed: u64) -> Result<Option<MessageId>, StoreError> {
        let id = self.open(SENT)?.get(owed)?.map(|id| id.value().to_owned());
        Ok(id.and_then(|id| MessageId::new(id).ok()))
    }

    /// Returns the ids of all messages that are known to be delivered, as far back as they are kept.
    pub fn sent_messages(&self) -> Result<HashSet<String>, StoreError> {
        let sent = self.open(SENT)?;
        let ids = sent.iter()?.map(|row| row.map(|(_, id)| id.value().to_owned()));
        Ok(ids.collect::<Result<_, _>>()?)
    }

    /// Returns the last messages whose delivery was given up, newest first.
    pub fn failed_messages(&self, count: usize) -> Result<Vec<FailedMessage>, StoreError> {
        let mut failed = Vec::new();
        self.scan_readable::<_, _, u64, _>(FAILED, .., Order::Descending, |_, message| {
            failed.push(message);
            if failed.len() < count { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        })?;
        Ok(failed)
    }

    /// Returns the tasks that can be read, in the order they were requested.
    pub fn tasks(&self) -> Result<Vec<Task>, StoreError> {
        let mut tasks = Vec::new();
        self.scan_readable::<_, _, u64, _>(TASKS, .., Order::Ascending, |_, task| {
            tasks.push(task);
            ControlFlow::Continue(())
        })?;
        Ok(tasks)
    }
}

impl WriteTx {
    /// Enqueues a message. Returns its id.
    pub fn owe(&self, message: NewMessage, now: Timestamp) -> Result<u64, StoreError> {
        if let Dispatch::Update { target, card } = &message.dispatch
            && updated_lane(&message.lane).is_none()
            && let Some(id) = self.message_of(target)?
        {
            // What waits in the lane of updates must not put an older card in the place of this one.
            for owed in self.updates_in(&update_lane(&message.lane), &id, u64::MAX)? {
                self.renew(owed, card)?;
            }
        }
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
            failing_since: None,
            last_error: None,
            alert: message.alert,
            mention_mobiles: message.mention_mobiles,
            mention_people: message.mention_people,
            plain: message.plain,
            tells_owner_of: message.tells_owner_of,
            tells_owner: message.tells_owner,
        };
        self.put_owed(&owed)?;
        if let Some(alert) = owed.alert {
            self.open(ALERT_OWED)?.insert((alert, id), Way::Owed as u8)?;
            self.set_alert_notice(alert, Notice::Owed)?;
        }
        Ok(id)
    }

    /// Marks every message that may have been in flight when the process last ended as possibly delivered: the first of
    /// each lane, if it `was_due`.
    pub fn doubt_lane_heads(
        &self,
        was_due: impl Fn(Timestamp) -> bool,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        for mut owed in self.lane_heads()? {
            if was_due(owed.not_before) && owed.dispatch.makes_a_message() {
                // No earlier attempt is possible.
                let first = *owed.first_tried.get_or_insert(owed.not_before.max(owed.created));
                // Never earlier than it was: the clock may have been set back.
                owed.last_tried = owed.last_tried.max(Some(now.max(first)));
                self.put_owed(&owed)?;
            }
        }
        Ok(())
    }

    pub(super) fn put_owed(&self, owed: &OwedMessage) -> Result<(), StoreError> {
        self.put(OUTBOX, (owed.lane.as_str(), owed.id), owed)
    }

    /// Records an attempt at a message that is still owed. Its content stays as it is in the store, where it may have
    /// changed in the meantime: see [`WriteTx::renew_updates`].
    pub fn note_try(&self, owed: &OwedMessage) -> Result<(), StoreError> {
        match self.owed(&owed.lane, owed.id)? {
            Some(standing) => {
                self.put_owed(&OwedMessage { dispatch: standing.dispatch, ..owed.clone() })
            }
            None => Ok(()),
        }
    }

    /// Returns whether its content has changed since it was read as `owed`: see [`WriteTx::renew_updates`].
    pub fn was_renewed(&self, owed: &OwedMessage) -> Result<bool, StoreError> {
        let standing = self.owed(&owed.lane, owed.id)?;
        Ok(standing.is_some_and(|standing| standing.dispatch != owed.dispatch))
    }

    /// Replaces the card in every update of `message` that was enqueued up to `last`: the message already shows the `newer`
    /// card, and an older one must never replace it.
    pub fn renew_updates(
        &self,
        lane: &str,
        message: &MessageId,
        newer: &str,
        last: u64,
    ) -> Result<(), StoreError> {
        for owed in self.updates_of(lane, message, last)? {
            self.renew(owed, newer)?;
        }
        Ok(())
    }

    fn renew(&self, mut owed: OwedMessage, newer: &str) -> Result<(), StoreError> {
        match &mut owed.dispatch {
            Dispatch::Update { card, .. } if card != newer => {
                newer.clone_into(card);
                self.put_owed(&owed)
            }
            _ => Ok(()),
        }
    }

    /// Records that an owed message was delivered, as `message` if it created one. If this was the last owed message of
    /// an alert, the alert becomes delivered. An update whose content has changed in the meantime stays owed.
    pub fn delivered(
        &self,
        owed: &OwedMessage,
        message: Option<&MessageId>,
    ) -> Result<(), StoreError> {
        if self.was_renewed(owed)? {
            return Ok(());
        }
        self.settle(owed, message)
    }

    /// Removes a message that is delivered.
    fn settle(&self, owed: &OwedMessage, message: Option<&MessageId>) -> Result<(), StoreError> {
        self.open(OUTBOX)?.remove((owed.lane.as_str(), owed.id))?;
        if let Some(message) = message {
            let mut sent = self.open(SENT)?;
            sent.insert(owed.id, message.as_str())?;
            sent.retain_in::<u64, _>(..owed.id.saturating_sub(SENT_KEPT), |_, _| false)?;
        }
        self.settle_alert(owed, Way::Delivered)
    }

    /// Records that the plain form of an owed message was delivered in its place, as `message` if it created one. The
    /// full message is listed as given up.
    pub fn replaced(
        &self,
        owed: &OwedMessage,
        message: Option<&MessageId>,
        reason: &str,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.note_failed(owed, reason, now)?;
        self.settle(owed, message)
    }

    /// Gives up the delivery of an owed message.
    pub fn give_up(
        &self,
        owed: &OwedMessage,
        reason: &str,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.open(OUTBOX)?.remove((owed.lane.as_str(), owed.id))?;
        self.note_failed(owed, reason, now)?;
        self.settle_alert(owed, Way::Failed)
    }

    fn note_failed(
        &self,
        owed: &OwedMessage,
        reason: &str,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let failed = FailedMessage { owed: owed.clone(), reason: reason.to_owned(), at: now };
        self.put(FAILED, owed.id, &failed)?;
        let mut table = self.open(FAILED)?;
        while table.len()? > FAILED_KEPT {
            table.pop_first()?;
        }
        Ok(())
    }

    /// Records how one of an alert's deliveries ended. When none is left, the alert counts as delivered if any of them
    /// succeeded.
    fn settle_alert(&self, owed: &OwedMessage, state: Way) -> Result<(), StoreError> {
        let Some(alert) = owed.alert else { return Ok(()) };
        let mut table = self.open(ALERT_OWED)?;
        table.insert((alert, owed.id), state as u8)?;
        let states = table
            .range((alert, 0)..=(alert, u64::MAX))?
            .map(|row| row.map(|(_, state)| state.value()))
            .collect::<Result<Vec<u8>, _>>()?;
        if states.contains(&(Way::Owed as u8)) {
            return Ok(());
        }
        table.retain_in((alert, 0)..=(alert, u64::MAX), |_, _| false)?;
        drop(table);
        let delivered = states.contains(&(Way::Delivered as u8));
        self.set_alert_notice(alert, if delivered { Notice::Delivered } else { Notice::Failed })
    }

    /// Enqueues a task. Returns its id.
    pub fn add_task(
        &self,
        kind: TaskKind,
        report: Option<Report>,
        now: Timestamp,
    ) -> Result<u64, StoreError> {
        let id = self.next_number("tasks")?;
        self.put(TASKS, id, &Task { id, kind, report, created: now })?;
        Ok(id)
    }

    /// Drops the pending balance updates of a card that somebody acted on: they may be typing into it.
    pub fn drop_pending_balance_updates(&self, message: &MessageId) -> Result<(), StoreError> {
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
                self.put(TASKS, task.id, &task)?;
            }
        }
        Ok(())
    }

    /// Removes a task that is done. Returns whether it existed.
    pub fn finish_task(&self, id: u64) -> Result<bool, StoreError> {
        Ok(self.open(TASKS)?.remove(id)?.is_some())
    }

    /// Returns a task as it is now; `None` once it is done.
    pub fn task(&self, id: u64) -> Result<Option<Task>, StoreError> {
        self.get(TASKS, id)
    }

    /// Enqueues the recall of a message that was clicked at `now`. It waits a moment, as the answer to the click is still on
    /// its way.
    pub fn owe_recall(
        &self,
        message: &MessageId,
        lane: &str,
        now: Timestamp,
    ) -> Result<u64, StoreError> {
        let dispatch = Dispatch::Recall { message: message.clone() };
        let not_before = now.checked_add(AFTER_CLICK).unwrap_or(now);
        self.owe(NewMessage { not_before, ..NewMessage::new(lane, dispatch, now) }, now)
    }

    /// Enqueues the result of a request made at `requested_at`, as an update of the card that shows it in progress. The
    /// update waits a moment: if it overtook the answer to the click, that answer would undo it.
    pub fn owe_report(
        &self,
        report: &Report,
        card: String,
        requested_at: Timestamp,
        now: Timestamp,
    ) -> Result<u64, StoreError> {
        let target: UpdateTarget = report.target.clone();
        let answered = requested_at.checked_add(AFTER_CLICK).unwrap_or(now);
        let dispatch = Dispatch::Update { target, card };
        let message = NewMessage {
            not_before: answered.max(now),
            ..NewMessage::new(&report.lane, dispatch, now)
        };
        self.owe(message, now)
    }
}
