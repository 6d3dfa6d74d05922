//! What is owed to the outside is data: rows written with their cause, delivered in order per lane until they are
//! confirmed, or given up with a clear reason.

mod alerts;
mod deliver;
mod file;
mod people;
mod reason;
mod secrets;
mod substitute;
mod unclear;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use jiff::{SignedDuration, Timestamp};
use parking_lot::Mutex;
use reqwest::Url;
use secrecy::SecretString;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

pub use alerts::{Audience, note, raise};
pub use people::People;
pub use substitute::chat_of;

use crate::cards::Cards;
use crate::clock::Clock;
use crate::domain::{Dispatch, FilePlace, OpenId, OwedMessage, Settings};
use crate::feishu::{self, REPLY_ENDPOINT, SEND_ENDPOINT, UPDATE_ENDPOINT, UPLOAD_ENDPOINT};
use crate::store::{Store, StoreError};

/// Lanes that are served side by side.
const LANES_AT_ONCE: usize = 16;
/// The rows are looked at again after so long even if nobody rang: clocks may jump.
const LOOK_AGAIN: Duration = Duration::from_secs(2);
/// The longest pause between two tries.
const LONGEST_PAUSE: Duration = Duration::from_secs(300);

/// The same where a limit of the platform's says to wait for less.
const LONGEST_UNDER_A_LIMIT: Duration = Duration::from_secs(15);

/// The lane of everything that is shown in a chat.
pub fn chat_lane(chat: &str) -> String {
    format!("chat:{chat}")
}

/// The lane of what goes to a person whose chat is not known.
pub fn person_lane(person: &OpenId) -> String {
    format!("person:{person}")
}

/// The lane of files that go where the messages of `lane` go: a slow upload must not hold up the chat's answers.
pub fn file_lane(lane: &str) -> String {
    format!("{FILES}{lane}")
}

/// The lane of a chat's messages, given that or the one of its files.
fn message_lane(lane: &str) -> &str {
    lane.strip_prefix(FILES).unwrap_or(lane)
}

const FILES: &str = "file:";

/// The lane of the custom bot's webhook.
pub const HOOK_LANE: &str = "hook";

/// Delivers what is owed.
pub struct Outbox {
    store: Store,
    feishu: feishu::Client,
    base_url: Url,
    cards: Arc<Cards>,
    people: People,
    settings: Settings,
    webhook_secret: Option<SecretString>,
    webhook_timeout: Duration,
    admins: Vec<OpenId>,
    clock: Clock,
    bell: Arc<Notify>,
    limited: Mutex<HashMap<&'static str, Timestamp>>,
}

/// What [`Outbox::new`] is made of.
pub struct Parts {
    /// Where the rows are.
    pub store: Store,
    /// The platform.
    pub feishu: feishu::Client,
    /// Whose host a webhook may be on.
    pub base_url: Url,
    /// For alerts that go to somebody else instead.
    pub cards: Arc<Cards>,
    /// Settings of the configuration; saved ones win.
    pub settings: Settings,
    /// The custom bot's signing secret.
    pub webhook_secret: Option<SecretString>,
    /// Of one post to the webhook.
    pub webhook_timeout: Duration,
    /// Who gets an alert whose chat is gone.
    pub admins: Vec<OpenId>,
    /// Time.
    pub clock: Clock,
    /// Rung whenever something was made owed.
    pub bell: Arc<Notify>,
}

impl Outbox {
    /// An outbox over these parts.
    pub fn new(parts: Parts) -> Arc<Self> {
        Arc::new(Self {
            people: People::new(parts.feishu.clone()),
            store: parts.store,
            feishu: parts.feishu,
            base_url: parts.base_url,
            cards: parts.cards,
            settings: parts.settings,
            webhook_secret: parts.webhook_secret,
            webhook_timeout: parts.webhook_timeout,
            admins: parts.admins,
            clock: parts.clock,
            bell: parts.bell,
            limited: Mutex::default(),
        })
    }

    /// Delivers until `stop`; then finishes the tries that are under way.
    pub async fn run(self: Arc<Self>, stop: CancellationToken) {
        // Before anything is tried: the process may have ended with tries under way.
        while let Err(error) = self.doubt_what_was_under_way().await {
            tracing::error!(%error, "the outbox cannot be read");
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(LOOK_AGAIN) => {}
            }
        }
        let mut tries = JoinSet::new();
        // Belongs to this loop alone: a lane becomes free between two looks at the rows, never between a look and the
        // tries that follow from it. Otherwise a row that was delivered in that moment would be sent a second time.
        let mut busy = HashSet::new();
        loop {
            let pause = match self.store.reading(|tx| tx.lane_heads()).await {
                Ok(heads) => self.start_due(heads, &mut busy, &mut tries),
                Err(error) => {
                    tracing::error!(%error, "the outbox cannot be read");
                    LOOK_AGAIN
                }
            };
            tokio::select! {
                () = stop.cancelled() => break,
                () = self.bell.notified() => {}
                Some(done) = tries.join_next(), if !tries.is_empty() => match done {
                    Ok(lane) => {
                        busy.remove(&lane);
                    }
                    Err(error) => tracing::error!(%error, "a try was broken off"),
                },
                () = tokio::time::sleep(pause) => {}
            }
        }
        while tries.join_next().await.is_some() {}
    }

    /// Starts a try for the head of every lane that is due and free. Returns how long until the next one is due.
    fn start_due(
        self: &Arc<Self>,
        heads: Vec<OwedMessage>,
        busy: &mut HashSet<String>,
        tries: &mut JoinSet<String>,
    ) -> Duration {
        let now = self.clock.now();
        let mut pause = LOOK_AGAIN;
        for owed in heads {
            let due = owed.not_before.max(self.limited_until(&owed.dispatch).unwrap_or(now));
            if due > now {
                let wait = due.duration_since(now);
                pause = pause.min(wait.try_into().unwrap_or(LOOK_AGAIN));
                continue;
            }
            if busy.len() >= LANES_AT_ONCE || !busy.insert(owed.lane.clone()) {
                continue;
            }
            let outbox = Arc::clone(self);
            tries.spawn(async move {
                let lane = owed.lane.clone();
                // A panic must not take the lane away for good.
                let tried = std::panic::AssertUnwindSafe(outbox.attempt(owed)).catch_unwind().await;
                match tried {
                    Ok(Ok(())) => return lane,
                    Ok(Err(error)) => tracing::error!(%error, lane, "a try could not be noted"),
                    Err(_) => tracing::error!(lane, "a try panicked"),
                }
                // The row is as it was, due: without a rest it would be tried again at once, and for ever.
                tokio::time::sleep(LOOK_AGAIN).await;
                lane
            });
        }
        pause
    }

    async fn attempt(&self, mut owed: OwedMessage) -> Result<(), StoreError> {
        let began = self.clock.now();
        let delivered = match self.settle_unclear(&mut owed).await {
            Ok(None) => self.deliver(&owed).await,
            settled => settled,
        };
        match delivered {
            Ok(message) => {
                tracing::info!(owed = owed.id, lane = owed.lane, "delivered");
                self.store.writing(move |tx| tx.delivered(&owed, message.as_ref())).await
            }
            Err(failure) => self.note_failure(owed, failure, began).await,
        }
    }

    async fn doubt_what_was_under_way(&self) -> Result<(), StoreError> {
        let now = self.clock.now();
        self.store.writing(move |tx| tx.doubt_lane_heads(now)).await
    }

    /// Until when the gateway takes no more of the calls that this one needs, whatever the lane.
    fn limited_until(&self, dispatch: &Dispatch) -> Option<Timestamp> {
        let needs: &[&'static str] = match dispatch {
            Dispatch::ToChat { .. } | Dispatch::ToPerson { .. } | Dispatch::Secret { .. } => {
                &[SEND_ENDPOINT]
            }
            Dispatch::Reply { .. } => &[REPLY_ENDPOINT],
            Dispatch::Update { .. } => &[UPDATE_ENDPOINT],
            Dispatch::File { place: FilePlace::Message { .. }, .. } => {
                &[UPLOAD_ENDPOINT, REPLY_ENDPOINT]
            }
            Dispatch::File { place: FilePlace::Person { .. }, .. } => {
                &[UPLOAD_ENDPOINT, SEND_ENDPOINT]
            }
            Dispatch::Webhook { .. } => &[],
        };
        let limited = self.limited.lock();
        needs.iter().filter_map(|endpoint| limited.get(endpoint)).max().copied()
    }

    fn retry_at(&self, attempts: u32, at_least: Option<Duration>) -> Timestamp {
        let doubled = Duration::from_millis(500)
            .saturating_mul(2u32.saturating_pow(attempts.min(16)))
            .min(LONGEST_PAUSE);
        let jitter = Duration::from_millis(rand::random_range(0..250));
        // Where the limit is reached again and again, what was said to be enough is not.
        let pause = at_least
            .map_or(doubled, |least| least.max(doubled.min(LONGEST_UNDER_A_LIMIT)))
            .saturating_add(jitter);
        let now = self.clock.now();
        SignedDuration::try_from(pause)
            .ok()
            .and_then(|pause| now.checked_add(pause).ok())
            .unwrap_or(now)
    }
}
