//! The enforcer: cuts and restores access. Runs independently of the cycle and retries until the cloud confirms.
//!
//! # The states of an access change
//!
//! ```text
//!                          no longer demanded
//!     pending ────────────────────────────────────────────────▶ withdrawn
//!        │                                                          ▲
//!        │  every path by itself, all at the same time              │ topped up
//!        │  ┌────────────────────────────────────────────────┐      │ during the cut
//!        └─▶│ read ──▶ remembered ──▶ closed ──▶ read back   │──────┤
//!           │  │       one transaction   │           │       │      │ every path is closed
//!           │  └──────────────┬──────────┴───────────┘       │      │ or not covered
//!           │                 ▼ failed, not shown yet        │      ▼
//!           │   this path again, after its own back-off      │   confirmed
//!           └────────────────────────────────────────────────┘
//!                 after a minute: one alert, with how every path stands
//! ```
//!
//! - **Pending.** A row ([`PendingAccess`]), written by the monitor's decision or by a person. A newer request for the same
//!   user replaces it; an attempt made for the older one then changes nothing in the store.
//! - **Paths** ([`paths`]). A user can spend in eight ways ([`AccessPath`]), each of which knows how to read what is on it,
//!   and how to close and open one thing. The rest is the same for all ([`engine`]). A path that fails or hangs keeps none
//!   of the others open, and is retried by itself.
//! - **Remembered** ([`permit`]). Before the first write to a path, what is open on it is committed
//!   ([`RememberedAccess`](crate::domain::RememberedAccess)), in the transaction that asks once more whether the cut is
//!   wanted. Neither a crash nor a failed attempt can lose it.
//! - **Read back.** The cloud shows the result. Only when every configured path is closed, or known not to be covered,
//!   does the user count as disabled.
//! - **Confirmed** ([`settle`]). Status, alert, and the card of the person who requested it are written in one
//!   transaction.
//! - **Withdrawn.** Neither quota nor month limit demands the cut any more ([`is_still_demanded`](crate::domain::is_still_demanded)). If an attempt has
//!   begun to close things, a restore is pending instead; otherwise the row is removed.
//! - **Late.** A change that is still pending after a minute raises one alert, and is retried indefinitely.
//! - **Missing.** The cloud has no user with that name: the account's users are read. The change follows a user who was
//!   renamed. For a user who is gone, what is left at 方舟 is closed; then the change ends.
//!
//! A restore passes through the same states backwards, except that there is nothing to remember and nothing to withdraw.
//!
//! # After a cut
//!
//! While a user is disabled, the cycles look at its paths in turns ([`looks`]); what was opened again outside airgate is
//! closed by another cut, and a restore leaves it closed unless it was open before. For two days, the usage of the user's
//! own projects is read ([`proof`]): what still spends is alerted.
//!
//! # One cut
//!
//! A cycle finds the quota used up and writes a pending cut. The enforcer reads all paths: two active keys, a login, an
//! endpoint. Each path remembers what is open on it and closes it; the second key fails. After half a second that path is
//! due again, and no other: the attempt reads one active key, adds nothing to what is remembered, switches it off, and reads
//! it back. Now every path is closed: the user is disabled, the alert goes out. When an administrator enables the user again,
//! exactly the two keys, the login and the endpoint come back, and the policy `airgate-deny-all` is detached.

mod deny_all;
mod engine;
mod failure;
mod looks;
mod own_key;
mod paths;
mod permit;
mod proof;
mod settle;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use jiff::{SignedDuration, Timestamp};
use parking_lot::Mutex;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::app::access::{TiedProject, projects_to_change};
use crate::app::cloud::Cloud;
use crate::cards::Cards;
use crate::clock::{Clock, Moment};
use crate::domain::{
    AccessGoal, AccessPath, AccessRules, Account, AccountId, PathProgress, PendingAccess, User,
    UserKey, UserStatus,
};
use crate::outbox::Alerts;
use crate::owed::{self, Backoff, Due, InFlight, Owed, Waits, Wakers};
use crate::store::{Source, Store, StoreError, View};
use crate::volcengine::AccountClient;

use deny_all::DenyAll;
use engine::{Ended, Scene};
use looks::Turns;
use own_key::Guard;

/// A change that is not confirmed after this time raises one alert.
const ALERT_AFTER: Duration = Duration::from_secs(60);
/// Pauses between the attempts at one path.
const BACKOFF: Backoff =
    Backoff { first: Duration::from_millis(500), longest: Duration::from_secs(60) };
/// While a change is pending, a path that was read back as done is read again after this time: somebody may have opened it
/// while another path keeps failing.
const DONE_FOR: SignedDuration = SignedDuration::from_mins(10);
/// How long an attempt waits to learn whose name it is.
const NAMED_WITHIN: Duration = Duration::from_secs(3);
/// Poll interval while a change is pending.
const POLL: Duration = Duration::from_secs(1);
/// Poll interval otherwise, in case a wake-up is missed.
const IDLE_POLL: Duration = Duration::from_secs(30);

/// Carries out pending access changes, and looks at what has been cut.
pub struct Enforcer {
    parts: EnforcerParts,
    policies: DenyAll,
    /// When this process first saw each pending change, which is named by its [`PendingAccess::since`].
    seen: Mutex<HashMap<(UserKey, Timestamp), Moment>>,
    turns: Turns,
    /// Until when the changes wait, and each of their paths.
    waits: Waits<(UserKey, Option<AccessPath>)>,
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
    /// The users whose access or policies are being changed: shared with the loop for the policies of linked projects.
    pub in_flight: InFlight<UserKey>,
    /// What a cut closes.
    pub rules: AccessRules,
}

/// Why the work on a path ended although it is not done.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stopped {
    Withdrawn,
    NoSuchUser,
    /// Its turn comes again with the next attempt.
    Later,
}

impl Enforcer {
    /// Builds an enforcer from its parts.
    pub fn new(parts: EnforcerParts) -> Arc<Self> {
        let policies = DenyAll::new(parts.store.clone(), parts.alerts.clone(), parts.clock.clone());
        Arc::new(Self {
            parts,
            policies,
            seen: Mutex::default(),
            turns: Turns::default(),
            waits: Waits::new(BACKOFF),
        })
    }

    /// Enforces until `stop`; then finishes the attempts in flight.
    pub async fn run(self: Arc<Self>, stop: CancellationToken) {
        let wake = Arc::clone(&self.parts.wakers.access);
        let in_flight = self.parts.in_flight.clone();
        owed::run(self, wake, in_flight, stop).await;
    }

    /// Returns the late pending changes that are not alerted yet, whatever their attempts do at the moment: an alert does
    /// not wait for a back-off or for a call that hangs.
    fn late<'p>(
        &self,
        pending: &'p [(UserKey, PendingAccess)],
    ) -> Vec<&'p (UserKey, PendingAccess)> {
        let now = self.parts.clock.moment();
        let mut seen = self.seen.lock();
        let id = |(user, pending): &(UserKey, PendingAccess)| (user.clone(), pending.since);
        let ids: HashMap<_, _> = pending.iter().map(|change| (id(change), ())).collect();
        seen.retain(|id, _| ids.contains_key(id));
        let is_late = |change: &&(UserKey, PendingAccess)| {
            let since = *seen.entry(id(change)).or_insert_with(|| now.dated(change.1.since));
            !change.1.delay_alerted && now.shifted_since(since) > ALERT_AFTER
        };
        pending.iter().filter(is_late).collect()
    }

    /// Returns the paths whose turn it is, in the order in which they begin.
    fn due_paths(&self, user: &UserKey, pending: &PendingAccess, now: Moment) -> Vec<AccessPath> {
        let is_due = |path: &AccessPath| {
            pending.paths.get(path).is_none_or(|progress| match progress.done {
                Some(done) => now.at().duration_since(done).abs() > DONE_FOR,
                None => {
                    let id = (user.clone(), Some(*path));
                    self.waits.remaining(id, progress.next_at, now).is_zero()
                }
            })
        };
        let mut due: Vec<AccessPath> = AccessPath::ALL.into_iter().filter(is_due).collect();
        if pending.goal == AccessGoal::Restored {
            due.reverse();
        }
        due
    }

    /// Works on one path until it is done, or no other path is being worked on: one that hangs delays no retry of another.
    async fn work(
        &self,
        scene: &Scene<'_>,
        path: AccessPath,
        busy: &watch::Sender<usize>,
    ) -> Result<Option<Stopped>, StoreError> {
        let user = &scene.user.key;
        let known = scene.pending.paths.get(&path);
        let mut taken = known.map(|progress| progress.taken.clone()).unwrap_or_default();
        loop {
            let ended = match scene.attempt(path, taken).await {
                Ok(Ended::Read(outcome)) => {
                    let noted =
                        self.note_path(user, scene.pending, path, outcome, scene.reach()).await;
                    noted.map(|noted| noted.ok_or(Stopped::Withdrawn))
                }
                Ok(Ended::Withdrawn) => Ok(Err(Stopped::Withdrawn)),
                Ok(Ended::NoSuchUser) => Ok(Err(Stopped::NoSuchUser)),
                Err(error) => Err(error),
            };
            busy.send_modify(|busy| *busy = busy.saturating_sub(1));
            let progress: PathProgress = match ended? {
                Err(stopped) => return Ok(Some(stopped)),
                Ok(progress) if progress.done.is_some() => return Ok(None),
                Ok(progress) => progress,
            };
            let wait = progress.next_at.duration_since(self.parts.clock.now());
            let wait = Duration::try_from(wait).unwrap_or_default().min(BACKOFF.longest);
            let mut others = busy.subscribe();
            tokio::select! {
                biased;
                _ = others.wait_for(|busy| *busy == 0) => return Ok(Some(Stopped::Later)),
                () = tokio::time::sleep(wait) => {}
            }
            busy.send_modify(|busy| *busy += 1);
            taken = progress.taken;
        }
    }

    /// Returns whether the cloud has given the user's name to somebody else, or to nobody. What cannot be read in time keeps
    /// nothing open.
    async fn is_somebody_else(&self, api: &AccountClient, user: &User, due: &[AccessPath]) -> bool {
        let by_name = user.status != UserStatus::Gone && due.iter().any(|path| !path.is_ark());
        if !by_name || user.cloud_id.is_empty() {
            return false;
        }
        let named = api.get_user(user.key.username.as_str());
        match tokio::time::timeout(NAMED_WITHIN, named).await {
            Ok(Ok(Some(named))) => !named.id.is_empty() && named.id != user.cloud_id,
            Ok(Ok(None)) => true,
            Ok(Err(_)) | Err(_) => false,
        }
    }

    async fn enforce(&self, state: &Known, user: &User) -> Result<(), StoreError> {
        let pending = &state.pending;
        let api = match self.parts.cloud.account(&user.key.account).await {
            Ok(api) => api,
            Err(crate::app::cloud::CloudError::Store(error)) => return Err(error),
            Err(error) => {
                let reason = self.parts.cards.words().trouble(&error.into());
                return self.note_failure(&user.key, pending, reason).await;
            }
        };
        let due = self.due_paths(&user.key, pending, self.parts.clock.moment());
        if self.is_somebody_else(&api, user, &due).await {
            return self.settle_missing(&user.key, pending).await;
        }
        let reads_keys = user.status != UserStatus::Gone && due.contains(&AccessPath::AccessKeys);
        let guard = Guard::new(&api, state.account.as_ref(), user, reads_keys);
        let scene = Scene {
            store: &self.parts.store,
            clock: &self.parts.clock,
            words: self.parts.cards.words(),
            api: &api,
            rules: &self.parts.rules,
            policies: &self.policies,
            user,
            projects: &state.projects,
            pending,
            guard: &guard,
        };
        let busy = watch::Sender::new(due.len());
        let ended = join_all(due.into_iter().map(|path| self.work(&scene, path, &busy))).await;
        let mut stopped = Vec::new();
        for ended in ended {
            stopped.extend(ended?);
        }
        if stopped.contains(&Stopped::Withdrawn) {
            tracing::info!(user = %user.key, "access change withdrawn");
            return Ok(());
        }
        if stopped.contains(&Stopped::NoSuchUser) {
            return self.settle_missing(&user.key, pending).await;
        }
        self.conclude(&user.key, pending).await
    }
}

/// What the store knows when an attempt begins.
struct Known {
    pending: PendingAccess,
    account: Option<Account>,
    projects: Vec<TiedProject>,
}

fn known<S: Source>(
    tx: &View<S>,
    user: &UserKey,
) -> Result<Option<(Known, Option<User>)>, StoreError> {
    let Some(pending) = tx.access_pending(user)? else { return Ok(None) };
    let (account, projects) = (tx.account(&user.account)?, projects_to_change(tx, user)?);
    Ok(Some((Known { pending, account, projects }, tx.user(user)?)))
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
        for (user, change) in self.late(&pending) {
            self.alert_delay(user, change).await;
        }
        let now = self.parts.clock.moment();
        let users: HashSet<&UserKey> = pending.iter().map(|(user, _)| user).collect();
        self.waits.retain(|(user, _)| users.contains(user));
        let is_due = |(user, pending): &(UserKey, PendingAccess)| {
            // The paths are seen first: a change that is due has a path that is.
            self.due_paths(user, pending, now);
            self.waits.remaining((user.clone(), None), pending.next_at, now).is_zero()
        };
        let due = pending.iter().filter(|change| is_due(change));
        Ok(Due { rows: due.map(|(user, _)| user.clone()).collect(), poll_after: POLL })
    }

    fn key(user: &UserKey) -> UserKey {
        user.clone()
    }

    fn group(user: &UserKey) -> AccountId {
        user.account.clone()
    }

    async fn attempt(&self, user: UserKey) -> Result<(), StoreError> {
        let key = user.clone();
        match self.parts.store.reading(move |tx| known(tx, &key)).await? {
            None => return Ok(()),
            Some((known, Some(record))) => self.enforce(&known, &record).await?,
            Some((_, None)) => {
                self.parts.store.writing(move |tx| tx.clear_access_pending(&user)).await?;
            }
        }
        self.parts.wakers.outbox.notify_one();
        // Policies wait while an access change of their user is pending.
        self.parts.wakers.policies.notify_one();
        Ok(())
    }
}
