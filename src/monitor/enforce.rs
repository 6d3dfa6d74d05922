//! Step 4 of a cycle, on its own feet: cutting and restoring access, tried until it is read back as done.
//!
//! What is wanted is a row. What was active is remembered durably before the first write, so that neither a crash nor a
//! half-done try can forget it; the quota is read again right before, so that a top-up in between wins.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use jiff::{SignedDuration, Timestamp};
use parking_lot::Mutex;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::app::cloud::{Cloud, CloudError};
use crate::app::sync::{UserAccess, user_access};
use crate::app::trouble::{Cause, Trouble};
use crate::app::users;
use crate::cards::{CardContext, Cards};
use crate::clock::Clock;
use crate::domain::{
    AccessCause, AccessGoal, AccessKeyInfo, AlertBody, Figures, GrantState, HeldPolicy, OpenId,
    PendingAccess, PolicyScope, Problem, RememberedAccess, Role, Settings, Switch, User, UserKey,
    UserStatus,
};
use crate::outbox::{Audience, note, raise};
use crate::owed::Wakers;
use crate::store::{Store, StoreError, WriteTx};
use crate::volcengine::{self, ErrorKind, KeyStatus};

/// A change that is not confirmed after so long is alerted, once.
const ALERT_AFTER: SignedDuration = SignedDuration::from_mins(1);
/// Users of one account served side by side, at the account's own pace. An account whose calls hang holds up no other.
const USERS_AT_ONCE: usize = 8;
/// The longest pause between two tries.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// Pauses between reads after a write: reads may show the old state for seconds ("UpdateAccessKey"), and writing again
/// instead of waiting may start that anew.
const READ_BACK_PAUSES: [Duration; 5] = [
    Duration::ZERO,
    Duration::from_millis(200),
    Duration::from_millis(400),
    Duration::from_millis(800),
    Duration::from_millis(1600),
];
/// The rows are looked at again after so long even if nobody rang.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// Carries out what is owed to users' access.
pub struct Enforcer {
    store: Store,
    cloud: Cloud,
    cards: Arc<Cards>,
    settings: Settings,
    admins: Vec<OpenId>,
    clock: Clock,
    wakers: Wakers,
    in_flight: Arc<Mutex<HashSet<UserKey>>>,
    policies_too: bool,
}

/// How a try went.
enum Tried {
    /// Read back as done.
    Confirmed(UserAccess),
    /// No longer wanted; nothing was written.
    Withdrawn,
}

/// Whether a change is still wanted, decided in the transaction that precedes the first write.
enum Permit {
    Go,
    Withdrawn,
}

#[derive(Debug, thiserror::Error)]
enum EnforceError {
    #[error(transparent)]
    Cloud(#[from] CloudError),
    #[error("the cloud still shows something else")]
    NotYet,
    /// Cutting it would leave airgate without access, and nothing could be restored any more.
    #[error(
        "the access key that airgate itself works with belongs to this user; give the account a key of another user"
    )]
    OwnKey,
}

impl From<StoreError> for EnforceError {
    fn from(error: StoreError) -> Self {
        EnforceError::Cloud(error.into())
    }
}

impl From<volcengine::Error> for EnforceError {
    fn from(error: volcengine::Error) -> Self {
        EnforceError::Cloud(error.into())
    }
}

impl From<EnforceError> for Trouble {
    fn from(error: EnforceError) -> Self {
        match error {
            EnforceError::Cloud(error) => error.into(),
            EnforceError::NotYet => Cause::NotShownYet.into(),
            EnforceError::OwnKey => Cause::OwnKey.into(),
        }
    }
}

impl Enforcer {
    /// An enforcer over these parts; `settings` are those of the configuration.
    pub fn new(
        store: Store,
        cloud: Cloud,
        cards: Arc<Cards>,
        settings: Settings,
        admins: Vec<OpenId>,
        clock: Clock,
        wakers: Wakers,
    ) -> Self {
        let in_flight = Arc::default();
        let policies_too = false;
        Self { store, cloud, cards, settings, admins, clock, wakers, in_flight, policies_too }
    }

    /// The same, where a cut also detaches every policy of the user (`access.detach_policies`).
    #[must_use]
    pub fn taking_policies(self, policies_too: bool) -> Self {
        Self { policies_too, ..self }
    }

    /// The users whose access is being changed, for whoever must not interfere.
    pub fn in_flight(&self) -> Arc<Mutex<HashSet<UserKey>>> {
        Arc::clone(&self.in_flight)
    }

    /// Enforces until `stop`; then finishes the tries that are under way.
    pub async fn run(self: Arc<Self>, stop: CancellationToken) {
        let mut tries = JoinSet::new();
        loop {
            let pause = match self.store.reading(|tx| tx.all_access_pending()).await {
                Ok(pending) => self.start_due(pending, &mut tries).await,
                Err(error) => {
                    tracing::error!(%error, "changes of access cannot be read");
                    LOOK_AGAIN
                }
            };
            tokio::select! {
                () = stop.cancelled() => break,
                () = self.wakers.access.notified() => {}
                Some(_) = tries.join_next(), if !tries.is_empty() => {}
                () = tokio::time::sleep(pause) => {}
            }
        }
        while tries.join_next().await.is_some() {}
    }

    async fn start_due(
        self: &Arc<Self>,
        pending: Vec<(UserKey, PendingAccess)>,
        tries: &mut JoinSet<()>,
    ) -> Duration {
        if pending.is_empty() {
            // Nothing is owed: a ring or a restart will tell.
            return LOOK_AGAIN.saturating_mul(30);
        }
        let now = self.clock.now();
        for (user, pending) in pending {
            if !pending.delay_alerted && now.duration_since(pending.since) > ALERT_AFTER {
                self.alert_delay(&user).await;
            }
            if pending.next_at > now {
                continue;
            }
            let mut in_flight = self.in_flight.lock();
            let served = in_flight.iter().filter(|other| other.account == user.account).count();
            if served >= USERS_AT_ONCE || !in_flight.insert(user.clone()) {
                continue;
            }
            drop(in_flight);
            let enforcer = Arc::clone(self);
            tries.spawn(async move {
                let tried =
                    std::panic::AssertUnwindSafe(enforcer.attempt(&user)).catch_unwind().await;
                let rest = match tried {
                    Ok(Ok(())) => Duration::ZERO,
                    Ok(Err(error)) => {
                        tracing::error!(%user, %error, "a try could not be noted");
                        LOOK_AGAIN
                    }
                    Err(_) => {
                        tracing::error!(%user, "a try panicked");
                        LOOK_AGAIN
                    }
                };
                // The row is as it was, due: without a rest it would be tried again at once, and for ever.
                tokio::time::sleep(rest).await;
                enforcer.in_flight.lock().remove(&user);
            });
        }
        LOOK_AGAIN
    }

    async fn attempt(&self, user: &UserKey) -> Result<(), StoreError> {
        let key = user.clone();
        let pending = self.store.reading(move |tx| tx.access_pending(&key)).await?;
        let Some(pending) = pending else { return Ok(()) };
        match self.enforce(user, &pending).await {
            Ok(Tried::Confirmed(access)) => self.confirm(user, pending, access).await?,
            Ok(Tried::Withdrawn) => tracing::info!(%user, "no longer wanted"),
            Err(error) => {
                tracing::warn!(%user, goal = ?pending.goal, %error, "access not changed yet");
                let reason = self.cards.words().trouble(&error.into());
                self.note_failure(user, pending, reason).await?;
            }
        }
        self.wakers.outbox.notify_one();
        self.wakers.policies.notify_one();
        Ok(())
    }

    async fn enforce(
        &self,
        user: &UserKey,
        pending: &PendingAccess,
    ) -> Result<Tried, EnforceError> {
        let api = self.cloud.account(&user.account).await?;
        let before = user_access(&api, user).await?;
        let key = user.clone();
        let remembered = self.store.reading(move |tx| tx.access_remembered(&key)).await?;
        match pending.goal {
            AccessGoal::Cut if before.keys.iter().any(|key| api.works_with(&key.id)) => {
                Err(EnforceError::OwnKey)
            }
            AccessGoal::Cut => {
                // Keys and login are cut even while the policies cannot be read.
                let (held, unread) = match self.held(&api, user).await {
                    Ok(held) => (held, None),
                    Err(error) => (Vec::new(), Some(error)),
                };
                match self.permit_cut(user, pending, &before, held.clone()).await? {
                    Permit::Go => {
                        cut(&api, user, &before, remembered.as_ref()).await?;
                        self.take_policies(&api, user, held, remembered.as_ref()).await?;
                    }
                    Permit::Withdrawn => return Ok(Tried::Withdrawn),
                }
                if let Some(error) = unread {
                    return Err(error.into());
                }
                let read = read_back(&api, user, UserAccess::is_cut).await?;
                match self.held(&api, user).await?.is_empty() {
                    true => Ok(read),
                    false => Err(EnforceError::NotYet),
                }
            }
            AccessGoal::Restored => {
                restore(&api, user, &before, remembered.as_ref()).await?;
                let policies_back = attach_again(&api, user, remembered.as_ref()).await?;
                read_back(&api, user, |after| {
                    policies_back && is_restored(after, remembered.as_ref())
                })
                .await
            }
        }
    }

    /// The policies that a cut takes; none where it leaves policies alone.
    async fn held(
        &self,
        api: &volcengine::Account,
        user: &UserKey,
    ) -> Result<Vec<HeldPolicy>, volcengine::Error> {
        if !self.policies_too {
            return Ok(Vec::new());
        }
        api.attached_policies(user.username.as_str()).await
    }

    /// Detaches what is read as attached, and what airgate may just have attached: that read may still be of before.
    async fn take_policies(
        &self,
        api: &volcengine::Account,
        user: &UserKey,
        mut held: Vec<HeldPolicy>,
        remembered: Option<&RememberedAccess>,
    ) -> Result<(), volcengine::Error> {
        if let Some(remembered) = remembered.filter(|_| self.policies_too) {
            for policy in &remembered.policies {
                if !held.contains(policy) {
                    held.push(policy.clone());
                }
            }
        }
        for policy in &held {
            unless_gone(api.detach_policy(user.username.as_str(), policy).await)?;
        }
        Ok(())
    }

    /// Looks at quota and wishes once more, and remembers what is active now: both in one transaction, committed before
    /// the first write to the cloud.
    async fn permit_cut(
        &self,
        user: &UserKey,
        tried: &PendingAccess,
        before: &UserAccess,
        mut held: Vec<HeldPolicy>,
    ) -> Result<Permit, StoreError> {
        let (key, tried, before) = (user.clone(), tried.clone(), before.clone());
        self.store
            .writing(move |tx| {
                let Some(pending) = tx.access_pending(&key)? else { return Ok(Permit::Withdrawn) };
                if (pending.goal, pending.since) != (tried.goal, tried.since) {
                    return Ok(Permit::Withdrawn);
                }
                let Some(record) = tx.user(&key)? else { return Ok(Permit::Withdrawn) };
                if pending.cause == AccessCause::QuotaUsedUp && !must_be_cut(&record) {
                    let earlier = tx.access_remembered(&key)?;
                    return withdraw(tx, &key, pending, earlier.as_ref());
                }
                // What is to be taken away for good is not to come back.
                for project in tx.authorisations_of(&key)? {
                    let scope = PolicyScope::Project(project.project);
                    for grant in project.grants {
                        let leaves = grant.state == GrantState::Detaching;
                        held.retain(|policy| {
                            !(leaves && policy.scope == scope && policy.name == grant.policy)
                        });
                    }
                }
                let active = before.keys.iter().filter(|access_key| access_key.active.is_on());
                let remembered = RememberedAccess::before_cut(
                    tx.access_remembered(&key)?,
                    active.map(|access_key| access_key.id.clone()).collect(),
                    before.login == Some(Switch::On),
                    held,
                    pending.since,
                );
                tx.put_access_remembered(&key, &remembered)?;
                Ok(Permit::Go)
            })
            .await
    }

    async fn confirm(
        &self,
        user: &UserKey,
        tried: PendingAccess,
        access: UserAccess,
    ) -> Result<(), StoreError> {
        let (key, cards, admins) = (user.clone(), Arc::clone(&self.cards), self.admins.clone());
        let (configured, now) = (self.settings.clone(), self.clock.now());
        self.store
            .writing(move |tx| {
                let Some(pending) = tx.access_pending(&key)? else { return Ok(()) };
                if (pending.goal, pending.since) != (tried.goal, tried.since) {
                    // Somebody wants something else by now; that is tried next.
                    return Ok(());
                }
                let Some(record) = tx.user(&key)? else { return Ok(()) };
                let quota_cut =
                    pending.goal == AccessGoal::Cut && pending.cause == AccessCause::QuotaUsedUp;
                if quota_cut && !must_be_cut(&record) {
                    // Topped up while the cut was made: put everything back.
                    let earlier = tx.access_remembered(&key)?;
                    withdraw(tx, &key, pending, earlier.as_ref())?;
                    return Ok(());
                }
                let Some(record) =
                    tx.confirm_access(&key, pending.goal, &access.keys, access.login, now)?
                else {
                    return Ok(());
                };
                let settings = tx.saved_settings()?.over(&configured);
                let audience = Audience { cards: &cards, settings: &settings, admins: &admins };
                match (&pending.cause, pending.goal) {
                    (AccessCause::QuotaUsedUp, AccessGoal::Cut) => {
                        let figures = Figures::of(&record, &tx.links_of(&key)?);
                        raise(tx, audience, Some(&key), AlertBody::Disable { figures }, now)?;
                    }
                    // A cut that was taken back before anybody heard of it.
                    (AccessCause::QuotaUsedUp, AccessGoal::Restored) => {}
                    (AccessCause::Manual { operator }, goal) => {
                        let body = AlertBody::Manual { goal, operator: operator.clone() };
                        note(tx, &key, body, now)?;
                    }
                }
                if let Some(report) = &pending.report {
                    let detail = users::detail(tx, &settings, record)?;
                    let card =
                        cards.user(&detail, &CardContext::new(Role::Admin, now)).into_string();
                    tx.owe_report(report, card, pending.since, now)?;
                }
                tracing::info!(user = %key, goal = ?pending.goal, "access changed and read back");
                Ok(())
            })
            .await
    }

    async fn note_failure(
        &self,
        user: &UserKey,
        tried: PendingAccess,
        reason: String,
    ) -> Result<(), StoreError> {
        let doubled = Duration::from_millis(500)
            .saturating_mul(2u32.saturating_pow(tried.attempts.min(16)))
            .min(LONGEST_PAUSE)
            .saturating_add(Duration::from_millis(rand::random_range(0..250)));
        let now = self.clock.now();
        let next_at = SignedDuration::try_from(doubled)
            .ok()
            .and_then(|pause| now.checked_add(pause).ok())
            .unwrap_or(now);
        let key = user.clone();
        self.store
            .writing(move |tx| {
                if let Some(mut pending) = tx.access_pending(&key)?
                    && (pending.goal, pending.since) == (tried.goal, tried.since)
                {
                    pending.attempts = pending.attempts.saturating_add(1);
                    pending.next_at = next_at;
                    pending.last_error = Some(reason);
                    tx.put_access_pending(&key, &pending)?;
                }
                Ok(())
            })
            .await
    }

    async fn alert_delay(&self, user: &UserKey) {
        let (key, cards, admins) = (user.clone(), Arc::clone(&self.cards), self.admins.clone());
        let (configured, now) = (self.settings.clone(), self.clock.now());
        let noted: Result<(), StoreError> = self
            .store
            .writing(move |tx| {
                let Some(mut pending) = tx.access_pending(&key)? else { return Ok(()) };
                if pending.delay_alerted || !is_late(&pending, now) {
                    return Ok(());
                }
                pending.delay_alerted = true;
                tx.put_access_pending(&key, &pending)?;
                let settings = tx.saved_settings()?.over(&configured);
                let audience = Audience { cards: &cards, settings: &settings, admins: &admins };
                let reason = pending.last_error.clone().unwrap_or_default();
                let problem = Problem::AccessDelayed { goal: pending.goal, reason };
                raise(tx, audience, Some(&key), AlertBody::Error { problem }, now)?;
                Ok(())
            })
            .await;
        if let Err(error) = noted {
            tracing::error!(%user, %error, "a delay could not be alerted");
        }
        self.wakers.outbox.notify_one();
    }
}

fn is_late(pending: &PendingAccess, now: Timestamp) -> bool {
    now.duration_since(pending.since) > ALERT_AFTER
}

/// Whether the monitor's reason for a cut still holds.
fn must_be_cut(user: &User) -> bool {
    user.usage().is_used_up()
        && user.auto_disable.is_on()
        && user.monitored.is_on()
        && user.status != UserStatus::Gone
}

/// Takes back a cut that the quota no longer asks for: where a try has begun to switch things off, they are put back.
fn withdraw(
    tx: &WriteTx,
    user: &UserKey,
    pending: PendingAccess,
    remembered: Option<&RememberedAccess>,
) -> Result<Permit, StoreError> {
    if remembered.is_some_and(|remembered| remembered.cut == pending.since) {
        let back = PendingAccess { goal: AccessGoal::Restored, attempts: 0, ..pending };
        tx.put_access_pending(user, &back)?;
    } else {
        tx.clear_access_pending(user)?;
    }
    Ok(Permit::Withdrawn)
}

/// Reads until what was written shows.
async fn read_back(
    api: &volcengine::Account,
    user: &UserKey,
    is_done: impl Fn(&UserAccess) -> bool,
) -> Result<Tried, EnforceError> {
    for pause in READ_BACK_PAUSES {
        tokio::time::sleep(pause).await;
        let after = user_access(api, user).await?;
        if is_done(&after) {
            return Ok(Tried::Confirmed(after));
        }
    }
    Err(EnforceError::NotYet)
}

/// Switches off what is read as on, and what airgate may just have switched on: that read may still be of before.
async fn cut(
    api: &volcengine::Account,
    user: &UserKey,
    before: &UserAccess,
    remembered: Option<&RememberedAccess>,
) -> Result<(), volcengine::Error> {
    let name = user.username.as_str();
    let maybe_on = |key: &AccessKeyInfo| {
        key.active.is_on() || remembered.is_some_and(|known| known.active_keys.contains(&key.id))
    };
    for key in before.keys.iter().filter(|key| maybe_on(key)) {
        unless_gone(api.update_access_key(name, &key.id, KeyStatus::Inactive).await)?;
    }
    let login_maybe_on = before.login == Some(Switch::On)
        || (before.login.is_some() && remembered.is_some_and(|known| known.login_allowed));
    if login_maybe_on {
        unless_gone(api.set_login_allowed(name, false).await)?;
    }
    Ok(())
}

/// Puts each remembered policy back in its scope. Answers whether all of them are there again that still exist.
async fn attach_again(
    api: &volcengine::Account,
    user: &UserKey,
    remembered: Option<&RememberedAccess>,
) -> Result<bool, volcengine::Error> {
    let name = user.username.as_str();
    let Some(wanted) = remembered.map(|r| &r.policies).filter(|wanted| !wanted.is_empty()) else {
        return Ok(true);
    };
    let mut settled = Vec::new();
    for policy in wanted {
        match api.attach_policy(name, policy).await {
            Ok(()) => {}
            // Held otherwise already, or deleted meanwhile with its project: nothing that reading back would show.
            Err(error) if error.is_not_found() => settled.push(policy),
            Err(error)
                if matches!(error.kind(), ErrorKind::AlreadyExists | ErrorKind::Conflict) =>
            {
                settled.push(policy);
            }
            Err(error) => return Err(error),
        }
    }
    let after = api.attached_policies(name).await?;
    Ok(wanted.iter().all(|policy| settled.contains(&policy) || after.contains(policy)))
}

/// Switches on what is remembered, whatever was read: a read may still show what was before the cut.
async fn restore(
    api: &volcengine::Account,
    user: &UserKey,
    before: &UserAccess,
    remembered: Option<&RememberedAccess>,
) -> Result<(), volcengine::Error> {
    let name = user.username.as_str();
    let Some(remembered) = remembered else { return Ok(()) };
    for key in before.keys.iter().filter(|key| remembered.active_keys.contains(&key.id)) {
        unless_gone(api.update_access_key(name, &key.id, KeyStatus::Active).await)?;
    }
    if remembered.login_allowed && before.login.is_some() {
        unless_gone(api.set_login_allowed(name, true).await)?;
    }
    Ok(())
}

/// Whether everything remembered that still exists is active.
fn is_restored(after: &UserAccess, remembered: Option<&RememberedAccess>) -> bool {
    remembered.is_none_or(|remembered| {
        let keys = after.keys.iter().filter(|key| remembered.active_keys.contains(&key.id));
        let login = !remembered.login_allowed || after.login != Some(Switch::Off);
        keys.map(|key| key.active).all(Switch::is_on) && login
    })
}

/// What was deleted meanwhile needs no switching.
fn unless_gone(result: Result<(), volcengine::Error>) -> Result<(), volcengine::Error> {
    match result {
        Err(error) if error.is_not_found() => Ok(()),
        result => result,
    }
}
