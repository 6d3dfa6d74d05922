//! The outbox: delivers messages to Feishu.
//!
//! A message is a row, written in the transaction of its cause. It is delivered at least once, in order within its lane,
//! or given up with a reason that people can read.
//!
//! # Lanes
//!
//! A lane is a queue for one recipient: a chat, a person or the webhook. Each chat also has a lane for its files, and one for
//! updates of older cards, which nobody waits for.
//! Only the first message of a lane is attempted; the others wait for it. Lanes do not wait for one another.
//!
//! # The states of a message
//!
//! ```text
//!             head of its lane, due              Feishu accepts it
//!     owed ───────────────────────────▶ tried ───────────────────────▶ delivered
//!      ▲                                  │                               ▲
//!      ├── refused for now: back-off ─────┤                               │ found
//!      │                                  │                 after 55 min  │
//!      ├── within 55 min: same uuid ──────┼─▶ unclear ──────────────▶ looked up
//!      │                                  │                               │
//!      ├── new uuid ──────────────────────┼───────────────────────────────┘ not there
//!      │                                  │
//!      │                                  │ cannot succeed
//!      │                                  ▼
//!      └── a substitute is owed ────── given up, shown on /monitor
//! ```
//!
//! - **Owed.** While the head of a lane is delayed, the whole lane waits. So does every lane that needs a call for which
//!   the app's rate limit was hit.
//! - **Tried** (`deliver`). The message goes out under its `uuid`, an idempotency key that Feishu honours for an hour.
//! - **Unclear** (`unclear`). No answer: the message may have arrived. Within that hour a retry with the same `uuid` is
//!   safe. Afterwards the chat's history is searched for the message; if it is not there, it goes out under a new `uuid`.
//!   After a start, the head of each lane counts as tried: the process may have ended while it was being sent.
//! - **Failing** (`poison`). A message on which the platform fails for 15 minutes, with an error or without an answer, is tried in its plain form as
//!   well; if that goes out, it takes the message's place. While the app lacks a scope,
//!   messages wait, and administrators are told.
//! - **Given up** (`substitute`). The transaction that gives a message up also enqueues what replaces it, so that an alert
//!   never counts as lost in between.
//!
//! # One message
//!
//! The monitor raises an alert: a row for the alert chat's lane. The outbox posts it; the connection breaks before
//! the answer. The row records when it was first tried, and becomes due again after half a second. The retry carries
//! the same `uuid`: Feishu recognises it and answers with the message that the first try created. The row is removed
//! and the id kept, so that later updates of the card find it.

mod alerts;
mod deciders;
mod deliver;
mod digest;
mod elsewhere;
mod failure;
mod file;
mod lanes;
mod leavers;
mod mentions;
mod people;
mod poison;
mod secrets;
mod shown;
mod substitute;
mod unclear;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use parking_lot::Mutex;
use reqwest::Url;
use secrecy::SecretString;
use tokio_util::sync::CancellationToken;

pub use alerts::{Alerts, TOLD_TOGETHER};
pub use lanes::{HOOK_LANE, chat_lane, chat_of, file_lane, is_group, person_lane};
pub use people::People;

use crate::cards::Cards;
use crate::clock::{Clock, Moment};
use crate::domain::{Dispatch, FilePlace, OwedMessage};
use crate::feishu::{
    self, RECALL_ENDPOINT, REPLY_ENDPOINT, SEND_ENDPOINT, UPDATE_ENDPOINT, UPLOAD_ENDPOINT,
};
use crate::owed::{self, Backoff, Due, InFlight, Owed, Waits, Wakers};
use crate::store::{Store, StoreError};

/// Poll interval in case a wake-up is missed or the clock jumps.
const POLL: Duration = Duration::from_secs(2);
/// Pauses between the tries of one message.
const BACKOFF: Backoff =
    Backoff { first: Duration::from_millis(500), longest: Duration::from_secs(300) };
/// The same while Feishu's rate limit allows an earlier retry. If the limit is hit again and again, the pause that
/// Feishu asks for is not enough.
const BACKOFF_UNDER_A_LIMIT: Backoff =
    Backoff { first: BACKOFF.first, longest: Duration::from_secs(15) };

/// Delivers owed messages.
pub struct Outbox {
    parts: OutboxParts,
    people: People,
    /// When each endpoint may be called again after the app's rate limit was hit, whatever the lane.
    limited: Mutex<HashMap<&'static str, Timestamp>>,
    /// When this process first tried the messages whose delivery is unclear, by id. Unlike [`OwedMessage::first_tried`],
    /// this does not change with the host's date.
    first_tries: Mutex<HashMap<u64, Moment>>,
    /// Until when the messages wait, by id.
    waits: Waits<u64>,
    /// Until when the endpoints wait.
    limits: Waits<&'static str>,
}

/// What [`Outbox::new`] needs.
pub struct OutboxParts {
    /// Holds the rows.
    pub store: Store,
    /// The platform.
    pub feishu: feishu::Client,
    /// The host that a webhook must be on.
    pub base_url: Url,
    /// Renders substitutes, and the reasons of failures.
    pub cards: Arc<Cards>,
    /// For alerts that go to the administrators instead.
    pub alerts: Alerts,
    /// The custom bot's signing secret.
    pub webhook_secret: Option<SecretString>,
    /// Timeout of one post to the webhook.
    pub webhook_timeout: Duration,
    /// The source of the current time.
    pub clock: Clock,
    /// Wakes the outbox.
    pub wakers: Wakers,
}

impl Outbox {
    /// Builds an outbox from its parts.
    pub fn new(parts: OutboxParts) -> Arc<Self> {
        let people = People::new(parts.feishu.clone());
        let (limited, first_tries) = (Mutex::default(), Mutex::default());
        let (waits, limits) = (Waits::new(BACKOFF), Waits::new(BACKOFF));
        Arc::new(Self { parts, people, limited, first_tries, waits, limits })
    }

    /// Delivers until `stop`; then finishes the tries in flight.
    pub async fn run(self: Arc<Self>, stop: CancellationToken) {
        // Before anything is tried: the process may have ended with tries in flight.
        while let Err(error) = self.doubt_what_was_in_flight().await {
            tracing::error!(%error, "the outbox cannot be read");
            if stop.run_until_cancelled(tokio::time::sleep(POLL)).await.is_none() {
                return;
            }
        }
        let wake = Arc::clone(&self.parts.wakers.outbox);
        owed::run(self, wake, InFlight::default(), stop).await;
    }

    async fn doubt_what_was_in_flight(&self) -> Result<(), StoreError> {
        let now = self.parts.clock.now();
        let was_due = move |at| BACKOFF.is_due(at, now);
        self.parts.store.writing(move |tx| tx.doubt_lane_heads(was_due, now)).await
    }

    /// Returns for how long the gateway rejects the calls that this message needs.
    fn limited_for(&self, dispatch: &Dispatch, now: Moment) -> Duration {
        let needs: &[&'static str] = match dispatch {
            Dispatch::ToChat { .. } | Dispatch::ToPerson { .. } | Dispatch::Secret { .. } => {
                &[SEND_ENDPOINT]
            }
            Dispatch::Reply { .. } => &[REPLY_ENDPOINT],
            Dispatch::Update { .. } => &[UPDATE_ENDPOINT],
            Dispatch::Recall { .. } => &[RECALL_ENDPOINT],
            Dispatch::File { place: FilePlace::Message { .. }, .. } => {
                &[UPLOAD_ENDPOINT, REPLY_ENDPOINT]
            }
            Dispatch::File { place: FilePlace::Person { .. }, .. } => {
                &[UPLOAD_ENDPOINT, SEND_ENDPOINT]
            }
            Dispatch::Webhook { .. } => &[],
        };
        let limited = self.limited.lock();
        let waits = needs.iter().filter_map(|endpoint| {
            limited.get(endpoint).map(|until| self.limits.remaining(endpoint, *until, now))
        });
        waits.max().unwrap_or_default()
    }
}

/// The heads of the lanes. All lanes share one group: there is one bot.
impl Owed for Outbox {
    const WHAT: &'static str = "messages";
    const PER_GROUP: usize = 16;
    const REST: Duration = POLL;

    type Row = OwedMessage;
    type Key = String;
    type Group = ();
    type Error = StoreError;

    async fn due(&self) -> Result<Due<OwedMessage>, StoreError> {
        let heads = loop {
            // Read together: what was enqueued with a change of cards is not sent before the change is looked at.
            let reading = self.parts.store.reading(|tx| {
                let changed = !tx.cards_due(1)?.is_empty();
                Ok::<_, StoreError>((changed, tx.lane_heads()?))
            });
            let (changed, heads) = reading.await?;
            if !changed {
                break heads;
            }
            let (alerts, now) = (self.parts.alerts.clone(), self.parts.clock.now());
            self.parts.store.writing(move |tx| alerts.update_cards(tx, now)).await?;
        };
        let now = self.parts.clock.moment();
        let ids: HashSet<u64> = heads.iter().map(|owed| owed.id).collect();
        self.waits.retain(|id| ids.contains(id));
        let mut due = Due { rows: Vec::new(), poll_after: POLL };
        for owed in heads {
            let wait = self.waits.remaining(owed.id, owed.not_before, now);
            let wait = wait.max(self.limited_for(&owed.dispatch, now));
            if wait.is_zero() {
                due.rows.push(owed);
            } else {
                due.poll_after = due.poll_after.min(wait);
            }
        }
        Ok(due)
    }

    fn key(owed: &OwedMessage) -> String {
        owed.lane.clone()
    }

    fn group(_: &String) {}

    async fn attempt(&self, mut owed: OwedMessage) -> Result<(), StoreError> {
        let began = self.parts.clock.moment();
        let delivered = match self.settle_unclear(&mut owed).await {
            Ok(None) => self.deliver(&owed).await,
            settled => settled,
        };
        match delivered {
            Ok(message) => {
                tracing::info!(owed = owed.id, lane = owed.lane, "delivered");
                self.first_tries.lock().remove(&owed.id);
                let store = &self.parts.store;
                store.writing(move |tx| tx.delivered(&owed, message.as_ref())).await
            }
            Err(failure) => self.note_failure(owed, failure, began).await,
        }
    }
}
