//! Attaches and detaches the policies of linked projects, tried until it is done.
//!
//! What airgate attached must be told from what the user held before: the user's policies are read first, and that a
//! policy is about to be attached is committed before the call. So a repeat after an unclear failure or a crash still
//! knows whose it is.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use jiff::SignedDuration;
use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::app::cloud::{Cloud, CloudError};
use crate::app::projects;
use crate::cards::{CardContext, Cards};
use crate::clock::Clock;
use crate::domain::{
    Authorisation, Grant, GrantState, HeldPolicy, PolicyKind, PolicyScope, Role, UserKey,
    UserStatus,
};
use crate::store::{Store, StoreError, WriteTx};
use crate::volcengine::{self, ErrorKind};

/// Users served side by side; less than the enforcer's, which must always find room.
const USERS_AT_ONCE: usize = 4;
/// The longest pause between two tries.
const LONGEST_PAUSE: Duration = Duration::from_secs(600);
/// While something is owed, the rows are looked at again after so long even if nobody rang.
const LOOK_AGAIN: Duration = Duration::from_secs(1);
/// While nothing is.
const IDLE: Duration = Duration::from_secs(30);

/// What [`Authoriser::new`] is made of.
pub struct Parts {
    /// Where the rows are.
    pub store: Store,
    /// The cloud.
    pub cloud: Cloud,
    /// Makes the reports.
    pub cards: Arc<Cards>,
    /// Time.
    pub clock: Clock,
    /// Whether a cut takes all policies: then nothing is attached to a user whose access is cut.
    pub cut_takes_policies: bool,
    /// Users whose access or policies are being changed: shared with enforcement, so that an attachment and a cut never
    /// overtake each other.
    pub in_flight: Arc<Mutex<HashSet<UserKey>>>,
    /// Rung when something was made owed here.
    pub bell: Arc<Notify>,
    /// Rung when a message was made owed.
    pub outbox_bell: Arc<Notify>,
}

/// Carries out what is owed to users' policies within their projects.
pub struct Authoriser {
    parts: Parts,
    mine: Mutex<HashSet<UserKey>>,
}

/// What a call showed of a grant: where it was begun and what becomes of it.
struct Step {
    policy: String,
    from: GrantState,
    to: Result<To, String>,
}

/// What becomes of a grant.
enum To {
    State(GrantState),
    Kind(PolicyKind),
    Gone,
}

impl Authoriser {
    /// An authoriser over these parts.
    pub fn new(parts: Parts) -> Arc<Self> {
        Arc::new(Self { parts, mine: Mutex::new(HashSet::new()) })
    }

    /// Works until `stop`; then finishes the tries that are under way.
    pub async fn run(self: Arc<Self>, stop: CancellationToken) {
        let mut tries = JoinSet::new();
        loop {
            let pause = match self.parts.store.reading(|tx| tx.authorisations_owed()).await {
                Ok(owed) if owed.is_empty() => IDLE,
                Ok(owed) => {
                    self.start_due(owed, &mut tries);
                    LOOK_AGAIN
                }
                Err(error) => {
                    tracing::error!(%error, "authorisations cannot be read");
                    LOOK_AGAIN
                }
            };
            tokio::select! {
                () = stop.cancelled() => break,
                () = self.parts.bell.notified() => {}
                Some(_) = tries.join_next(), if !tries.is_empty() => {}
                () = tokio::time::sleep(pause) => {}
            }
        }
        while tries.join_next().await.is_some() {}
    }

    fn start_due(self: &Arc<Self>, owed: Vec<Authorisation>, tries: &mut JoinSet<()>) {
        let now = self.parts.clock.now();
        for owed in owed.into_iter().filter(|owed| owed.next_at <= now) {
            {
                let mut mine = self.mine.lock();
                if mine.len() >= USERS_AT_ONCE
                    || !self.parts.in_flight.lock().insert(owed.user.clone())
                {
                    continue;
                }
                mine.insert(owed.user.clone());
            }
            let authoriser = Arc::clone(self);
            tries.spawn(async move {
                let user = owed.user.clone();
                let tried =
                    std::panic::AssertUnwindSafe(authoriser.attempt(owed)).catch_unwind().await;
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
                authoriser.parts.in_flight.lock().remove(&user);
                authoriser.mine.lock().remove(&user);
            });
        }
    }

    /// One try for one project of one user.
    async fn attempt(&self, listed: Authorisation) -> Result<(), StoreError> {
        let (user, project) = (listed.user.clone(), listed.project.clone());
        let cut_takes_policies = self.parts.cut_takes_policies;
        // Read again now that nobody else changes this user.
        let read = self.parts.store.reading(move |tx| {
            let (Some(owed), Some(record)) = (tx.authorisation(&user, &project)?, tx.user(&user)?)
            else {
                return Ok(None);
            };
            let waits = tx.access_pending(&user)?.is_some()
                || (cut_takes_policies && record.status == UserStatus::Disabled);
            Ok::<_, StoreError>(Some((owed, waits, record.status)))
        });
        let Some((owed, waits, status)) = read.await? else {
            return Ok(());
        };
        if status == UserStatus::Gone {
            return self.change(&owed, |authorisation| authorisation.grants.clear()).await;
        }
        if waits && !owed.grants.iter().any(|grant| grant.state == GrantState::Detaching) {
            return Ok(());
        }
        let api = match self.parts.cloud.account(&owed.user.account).await {
            Ok(api) => api,
            Err(CloudError::Store(error)) => return Err(error),
            Err(error) => {
                let reason = self.parts.cards.words().trouble(&error.into());
                return self.note(&owed, Some(&reason)).await;
            }
        };
        let mut failure = None;
        if !waits {
            failure = self.look(&api, &owed).await?;
        }
        let (user, project) = (owed.user.clone(), owed.project.clone());
        let now = self.parts.store.reading(move |tx| tx.authorisation(&user, &project)).await?;
        for grant in now.map(|now| now.grants).unwrap_or_default() {
            match grant.state {
                GrantState::Attaching if !waits => self.attach(&api, &owed, &grant).await?,
                GrantState::Detaching => self.detach(&api, &owed, &grant).await?,
                _ => {}
            }
        }
        self.note(&owed, failure.as_deref()).await
    }

    /// Tells what the user holds already from what is to be attached, and commits that it is about to be. Returns why that could
    /// not be told.
    async fn look(
        &self,
        api: &volcengine::Account,
        owed: &Authorisation,
    ) -> Result<Option<String>, StoreError> {
        if !owed.grants.iter().any(|grant| grant.state == GrantState::Owed) {
            return Ok(None);
        }
        let held = match api.attached_policies(owed.user.username.as_str()).await {
            Ok(held) => held,
            Err(error) => return Ok(Some(self.parts.cards.words().trouble(&error.into()))),
        };
        let scope = PolicyScope::Project(owed.project.clone());
        self.change(owed, move |authorisation| {
            for grant in authorisation.grants.iter_mut().filter(|g| g.state == GrantState::Owed) {
                let holds = |held: &HeldPolicy| {
                    held.name == grant.policy
                        && (held.scope == PolicyScope::Global || held.scope == scope)
                };
                match held.iter().find(|held| holds(held)) {
                    Some(held) => {
                        grant.state = GrantState::Held;
                        grant.kind = Some(held.kind);
                    }
                    None => {
                        grant.state = GrantState::Attaching;
                        grant.kind = Some(PolicyKind::System);
                    }
                }
            }
        })
        .await?;
        Ok(None)
    }

    async fn attach(
        &self,
        api: &volcengine::Account,
        owed: &Authorisation,
        grant: &Grant,
    ) -> Result<(), StoreError> {
        let username = owed.user.username.as_str();
        let mut kind = grant.kind.unwrap_or(PolicyKind::System);
        loop {
            let asked = api.attach_policy(username, &held(owed, grant, kind)).await;
            let to = match asked {
                Ok(()) => Ok(To::State(GrantState::Attached)),
                Err(error) if holds_already(&error) => Ok(To::State(GrantState::Attached)),
                Err(error) if no_such_policy(&error) && kind == PolicyKind::System => {
                    Ok(To::Kind(PolicyKind::Custom))
                }
                Err(error) => {
                    if no_such_policy(&error) {
                        // Neither kind exists (yet): from the beginning the next time.
                        let to = Ok(To::Kind(PolicyKind::System));
                        self.settle(owed, grant, to).await?;
                    }
                    Err(self.parts.cards.words().trouble(&error.into()))
                }
            };
            let again = matches!(to, Ok(To::Kind(_)));
            self.settle(owed, grant, to).await?;
            if !again {
                return Ok(());
            }
            kind = PolicyKind::Custom;
        }
    }

    async fn detach(
        &self,
        api: &volcengine::Account,
        owed: &Authorisation,
        grant: &Grant,
    ) -> Result<(), StoreError> {
        let held = held(owed, grant, grant.kind.unwrap_or(PolicyKind::System));
        let to = match api.detach_policy(owed.user.username.as_str(), &held).await {
            Ok(()) => Ok(To::Gone),
            // Not attached, or the user or the project is gone: nothing to take away.
            Err(error) if error.is_not_found() => Ok(To::Gone),
            Err(error) => Err(self.parts.cards.words().trouble(&error.into())),
        };
        self.settle(owed, grant, to).await
    }

    /// Notes how a call ended, unless something else is wanted of the grant by now.
    async fn settle(
        &self,
        owed: &Authorisation,
        grant: &Grant,
        to: Result<To, String>,
    ) -> Result<(), StoreError> {
        let step = Step { policy: grant.policy.clone(), from: grant.state, to };
        if let Err(error) = &step.to {
            tracing::warn!(user = %owed.user, project = %owed.project, policy = step.policy, error, "a policy is not changed yet");
        }
        self.change(owed, move |authorisation| {
            let mut grants = std::mem::take(&mut authorisation.grants);
            grants.retain_mut(|grant| {
                if grant.policy != step.policy {
                    return true;
                }
                match &step.to {
                    Ok(To::Kind(kind)) => grant.kind = Some(*kind),
                    _ if grant.state != step.from => {}
                    Ok(To::Gone) => return false,
                    Ok(To::State(state)) => {
                        grant.state = *state;
                        grant.error = None;
                    }
                    Err(error) => grant.error = Some(error.clone()),
                }
                true
            });
            authorisation.grants = grants;
        })
        .await
    }

    async fn change(
        &self,
        owed: &Authorisation,
        change: impl FnOnce(&mut Authorisation) + Send + 'static,
    ) -> Result<(), StoreError> {
        let (user, project) = (owed.user.clone(), owed.project.clone());
        self.parts
            .store
            .writing(move |tx| {
                if let Some(mut authorisation) = tx.authorisation(&user, &project)? {
                    change(&mut authorisation);
                    tx.put_authorisation(&authorisation)?;
                }
                Ok(())
            })
            .await
    }

    /// A try has ended: when the next one is due, and the card that waits for this.
    async fn note(&self, tried: &Authorisation, failure: Option<&str>) -> Result<(), StoreError> {
        let doubled = Duration::from_secs(1)
            .saturating_mul(2u32.saturating_pow(tried.attempts.min(16)))
            .min(LONGEST_PAUSE)
            .saturating_add(Duration::from_millis(rand::random_range(0..250)));
        let now = self.parts.clock.now();
        let next_at = SignedDuration::try_from(doubled)
            .ok()
            .and_then(|pause| now.checked_add(pause).ok())
            .unwrap_or(now);
        let (tried, failure) = (tried.clone(), failure.map(str::to_owned));
        let cards = Arc::clone(&self.parts.cards);
        self.parts
            .store
            .writing(move |tx| {
                if let Some(mut known) = tx.authorisation(&tried.user, &tried.project)?
                    && known.since == tried.since
                {
                    if let Some(failure) = failure {
                        for grant in known.grants.iter_mut().filter(|grant| grant.is_owed()) {
                            grant.error = Some(failure.clone());
                        }
                    }
                    known.attempts = known.attempts.saturating_add(1);
                    known.next_at = next_at;
                    known.report = None;
                    tx.put_authorisation(&known)?;
                    if known.is_owed() {
                        tracing::info!(user = %known.user, project = %known.project, "policies are still owed");
                    }
                }
                report(tx, &cards, &tried, now)
            })
            .await?;
        self.parts.outbox_bell.notify_one();
        Ok(())
    }
}

/// Shows the projects card anew, where one waits for the outcome of the first try.
fn report(
    tx: &WriteTx,
    cards: &Cards,
    tried: &Authorisation,
    now: jiff::Timestamp,
) -> Result<(), StoreError> {
    let Some(report) = &tried.report else {
        return Ok(());
    };
    match projects::view(tx, &tried.user, 1, now) {
        Ok(view) => {
            let card = cards.projects(&view, &CardContext::new(Role::Admin, now)).into_string();
            tx.owe_report(report, card, tried.since, now)?;
            Ok(())
        }
        Err(crate::app::Error::Store(error)) => Err(error),
        Err(crate::app::Error::Refused(_)) => Ok(()),
    }
}

fn held(owed: &Authorisation, grant: &Grant, kind: PolicyKind) -> HeldPolicy {
    let scope = PolicyScope::Project(owed.project.clone());
    HeldPolicy { name: grant.policy.clone(), kind, scope }
}

fn holds_already(error: &volcengine::Error) -> bool {
    matches!(error.kind(), ErrorKind::AlreadyExists | ErrorKind::Conflict)
}

/// Says that the policy does not exist, not its user or project.
fn no_such_policy(error: &volcengine::Error) -> bool {
    error.is_not_found() && error.code().is_some_and(|code| code.starts_with("Policy"))
}
