//! The enforcer: cuts and restores access. Runs independently of the cycle and retries until the cloud confirms.
//!
//! # The states of an access change
//!
//! ```text
//!                          no longer demanded
//!     pending ───────────────────────────────────────────────▶ withdrawn
//!        │                                                        ▲
//!        │ still demanded: one transaction                        │ topped up during the cut
//!        ▼                                                        │
//!     remembered ─────▶ closed ─────▶ read back ──────────────────┤
//!        │                │               │                       │ still demanded
//!        │ failed         │ failed        │ not shown yet         ▼
//!        └────────────────┴───────┬───────┘                   confirmed
//!                                 ▼
//!            pending again, after a back-off; one alert once it is late
//! ```
//!
//! - **Pending.** A row ([`PendingAccess`]), written by the monitor's decision or by a person. A newer request for the same
//!   user replaces it; an attempt made for the older one then changes nothing in the store.
//! - **Remembered.** Before the first write to the cloud, the keys, login and policies that are active are committed
//!   ([`RememberedAccess`](crate::domain::RememberedAccess)). Neither a crash nor a failed attempt can lose them.
//! - **Closed** ([`cut`]). Keys and login are switched off, and with `access.detach_policies` the policies are detached.
//! - **Read back.** The cloud shows the result. Only then does the user count as disabled.
//! - **Confirmed** ([`settle`]). Status, alert, and the card of the person who requested it are written in one
//!   transaction.
//! - **Withdrawn** ([`settle`]). The quota no longer demands the cut ([`must_be_cut`](crate::domain::must_be_cut)). If an
//!   attempt has begun to switch things off, a restore is pending instead; otherwise the row is removed.
//! - **Late.** A change that is still pending after a minute raises one alert, and is retried indefinitely.
//! - **Missing** ([`settle`]). The cloud has no user with that name: the account's users are read. The change follows a user
//!   who was renamed, and ends if the user is gone.
//!
//! Each key, the login and each policy is read and switched separately. Parts that fail are named and retried, the rest
//! is done.
//!
//! A restore ([`restore`]) passes through the same states, except that there is nothing to remember and nothing to withdraw.
//!
//! # One cut
//!
//! A cycle finds the quota used up and writes a pending cut. The enforcer reads two active keys and a login, remembers them,
//! and switches off the first key; the second call fails. The row becomes due again after half a second. The second
//! attempt reads one active key, adds nothing to what is remembered, switches off the rest, and reads everything back as
//! off. The user is disabled, the alert goes out. When an administrator enables the user again, exactly the two keys
//! and the login come back.

mod cut;
mod failure;
mod restore;
mod settle;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;

use crate::app::cloud::Cloud;
use crate::app::sync::user_access;
use crate::cards::Cards;
use crate::clock::{Clock, Moment};
use crate::domain::{AccessGoal, AccountId, PendingAccess, UserAccess, UserKey};
use crate::outbox::Alerts;
use crate::owed::{self, Backoff, Due, InFlight, Owed, Wakers};
use crate::store::{Store, StoreError};
use crate::volcengine;

use failure::{EnforceError, Failures};

/// A change that is not confirmed after this time raises one alert.
const ALERT_AFTER: Duration = Duration::from_secs(60);
/// Pauses between the attempts at one change.
const BACKOFF: Backoff =
    Backoff { first: Duration::from_millis(500), longest: Duration::from_secs(60) };
/// Pauses before each read after a write. Reads may show the old state for seconds ("UpdateAccessKey"), and writing again
/// instead of waiting may restart that delay.
const READ_BACK_PAUSES: [Duration; 5] = [
    Duration::ZERO,
    Duration::from_millis(200),
    Duration::from_millis(400),
    Duration::from_millis(800),
    Duration::from_millis(1600),
];
/// Poll interval while a change is pending.
const POLL: Duration = Duration::from_secs(1);
/// Poll interval otherwise, in case a wake-up is missed.
const IDLE_POLL: Duration = Duration::from_secs(30);

/// Carries out pending access changes.
pub struct Enforcer {
    parts: EnforcerParts,
    /// When this process first saw each pending change, which is named by its [`PendingAccess::since`].
    seen: Mutex<HashMap<(UserKey, Timestamp), Moment>>,
}

/// What [`Enforcer::new`] needs.
pub struct EnforcerParts {
    /// Holds the rows.
    pub store: Store,
    /// The cloud.
    pub cloud: Cloud,
    /// Renders the cards of the people who requested changes.
    pub cards: Arc<Cards>,
    /// For confirmed cuts, and changes that are late.
    pub alerts: Alerts,
    /// The source of the current time.
    pub clock: Clock,
    /// Wakes the enforcer, and the loops whose work follows from it.
    pub wakers: Wakers,
    /// The users whose access or policies are being changed: shared with [`Policies`](super::Policies).
    pub in_flight: InFlight<UserKey>,
    /// Whether a cut also detaches every policy of the user (`access.detach_policies`).
    pub detach_policies: bool,
}

/// The outcome of an attempt.
enum Outcome {
    /// Read back as done.
    Confirmed(UserAccess),
    /// No longer wanted: anything switched off is put back, or will be.
    Withdrawn,
    /// The cloud has no user with that name.
    Missing,
}

impl Enforcer {
    /// Builds an enforcer from its parts.
    pub fn new(parts: EnforcerParts) -> Arc<Self> {
        Arc::new(Self { parts, seen: Mutex::default() })
    }

    /// Enforces until `stop`; then finishes the attempts in flight.
    pub async fn run(self: Arc<Self>, stop: CancellationToken) {
        let wake = Arc::clone(&self.parts.wakers.access);
        let in_flight = self.parts.in_flight.clone();
        owed::run(self, wake, in_flight, stop).await;
    }

    async fn enforce(&self, user: &UserKey, pending: &PendingAccess) -> Result<Outcome, Failures> {
        let api = self.parts.cloud.account(&user.account).await?;
        let key = user.clone();
        let remembered = self.parts.store.reading(move |tx| tx.access_remembered(&key)).await?;
        match pending.goal {
            AccessGoal::Cut => self.cut(&api, user, pending, remembered.as_ref()).await,
            AccessGoal::Restored => restore::restore(&api, user, remembered.as_ref()).await,
        }
    }

    /// Returns the late pending changes that are not alerted yet, whenever their next attempt is due: an alert does not
    /// wait for a back-off.
    fn late(&self, pending: &[(UserKey, PendingAccess)]) -> Vec<UserKey> {
        let now = self.parts.clock.moment();
        let mut seen = self.seen.lock();
        let id = |(user, pending): &(UserKey, PendingAccess)| (user.clone(), pending.since);
        let ids: HashMap<_, _> = pending.iter().map(|change| (id(change), ())).collect();
        seen.retain(|id, _| ids.contains_key(id));
        let is_late = |change: &&(UserKey, PendingAccess)| {
            let since = *seen.entry(id(change)).or_insert_with(|| now.dated(change.1.since));
            !change.1.delay_alerted && now.shifted_since(since) > ALERT_AFTER
        };
        pending.iter().filter(is_late).map(|(user, _)| user.clone()).collect()
    }
}

/// Users with a pending change. Accounts are the groups: an account whose calls hang delays no other.
impl Owed for Enforcer {
    const WHAT: &'static str = "access changes";
    const PER_GROUP: usize = 8;
    const REST: Duration = POLL;

    type Row = UserKey;
    type Key = UserKey;
    type Group = AccountId;
    type Error = StoreError;

    async fn due(&self) -> Result<Due<UserKey>, StoreError> {
        let pending = self.parts.store.reading(|tx| tx.all_access_pending()).await?;
        if pending.is_empty() {
            return Ok(Due { rows: Vec::new(), poll_after: IDLE_POLL });
        }
        let now = self.parts.clock.now();
        for user in self.late(&pending) {
            self.alert_delay(&user).await;
        }
        let due = pending.into_iter().filter(|(_, pending)| BACKOFF.is_due(pending.next_at, now));
        Ok(Due { rows: due.map(|(user, _)| user).collect(), poll_after: POLL })
    }

    fn key(user: &UserKey) -> UserKey {
        user.clone()
    }

    fn group(user: &UserKey) -> AccountId {
        user.account.clone()
    }

    async fn attempt(&self, user: UserKey) -> Result<(), StoreError> {
        let key = user.clone();
        let pending = self.parts.store.reading(move |tx| tx.access_pending(&key)).await?;
        let Some(pending) = pending else { return Ok(()) };
        match self.enforce(&user, &pending).await {
            Ok(Outcome::Confirmed(access)) => self.confirm(&user, pending, access).await?,
            Ok(Outcome::Withdrawn) => tracing::info!(%user, "access change withdrawn"),
            Ok(Outcome::Missing) => self.settle_missing(&user, pending).await?,
            Err(failures) => {
                tracing::warn!(%user, goal = ?pending.goal, ?failures, "access not changed yet");
                let reason = failures.in_words(self.parts.cards.words());
                self.note_failure(&user, pending, reason).await?;
            }
        }
        self.parts.wakers.outbox.notify_one();
        // Policies wait while an access change of their user is pending.
        self.parts.wakers.policies.notify_one();
        Ok(())
    }
}

/// Reads until what was written shows.
async fn read_back(
    api: &volcengine::AccountClient,
    user: &UserKey,
    is_done: impl Fn(&UserAccess) -> bool,
) -> Result<Outcome, EnforceError> {
    for pause in READ_BACK_PAUSES {
        tokio::time::sleep(pause).await;
        let after = user_access(api, user).await?;
        if is_done(&after) {
            return Ok(Outcome::Confirmed(after));
        }
    }
    Err(EnforceError::NotYet)
}

/// Treats an object that was deleted in the meantime as changed.
fn unless_gone(result: Result<(), volcengine::Error>) -> Result<(), volcengine::Error> {
    match result {
        Err(error) if error.is_not_found() => Ok(()),
        result => result,
    }
}

/// Returns whether the keys of a user could not be read because there is no such user.
async fn is_missing(
    api: &volcengine::AccountClient,
    user: &UserKey,
    error: &volcengine::Error,
) -> Result<bool, volcengine::Error> {
    Ok(error.is_not_found() && api.get_user(user.username.as_str()).await?.is_none())
}
