//! Attaches and detaches the policies that come with linked projects, retried until the cloud has done it.
//!
//! # The states of a policy in a scope: a project, or the whole account
//!
//! ```text
//!     owed ──held already──▶ held (not airgate's to detach)
//!       │
//!       └──▶ attaching ──▶ attached ──link removed──▶ detaching ──▶ gone
//! ```
//!
//! What airgate attached must be distinguishable from what the user held before. So the user's policies are read first,
//! and "attaching" is committed before the call: a retry after a lost answer or a crash still knows whose policy it is. A
//! conflict says only that the user has the policy somewhere, so the policies are read once more.
//!
//! While an access change of the user is pending, policies wait.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::app::cloud::{Cloud, CloudError};
use crate::app::projects;
use crate::cards::{CardContext, Cards};
use crate::clock::Clock;
use crate::domain::{
    Authorisation, Grant, GrantState, HeldPolicy, PolicyKind, PolicyScope, ProjectName, Role,
    UserKey, UserStatus,
};
use crate::owed::{self, Backoff, Due, InFlight, Owed, Waits, Wakers};
use crate::store::{Store, StoreError, WriteTx};
use crate::volcengine::{self, ErrorKind};

/// Pauses between the attempts at one scope of a user.
const BACKOFF: Backoff =
    Backoff { first: Duration::from_secs(1), longest: Duration::from_secs(600) };
/// Poll interval while something is owed.
const POLL: Duration = Duration::from_secs(1);
/// Poll interval otherwise, in case a wake-up is missed.
const IDLE_POLL: Duration = Duration::from_secs(30);

/// Carries out what is owed to users' policies.
pub struct Policies {
    parts: PoliciesParts,
    waits: Waits<(UserKey, PolicyScope)>,
}

/// What [`Policies::new`] needs.
pub struct PoliciesParts {
    /// Holds the rows.
    pub store: Store,
    /// The cloud.
    pub cloud: Cloud,
    /// Renders the reports.
    pub cards: Arc<Cards>,
    /// The source of the current time.
    pub clock: Clock,
    /// Wakes this loop, and the outbox.
    pub wakers: Wakers,
    /// The users whose access or policies are being changed: shared with the [`Enforcer`](super::Enforcer), so that an
    /// attachment and a cut never overtake each other.
    pub in_flight: InFlight<UserKey>,
}

/// The outcome of a call for a grant: the state in which it began, and what becomes of the grant.
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

/// Scopes of users. The scopes of one user are handled one after the other, since they share the user's list of
/// policies, and only a few users at once, since access changes matter more.
impl Owed for Policies {
    const WHAT: &'static str = "policies";
    const PER_GROUP: usize = 4;
    const REST: Duration = POLL;

    type Row = Authorisation;
    type Key = UserKey;
    type Group = ();
    type Error = StoreError;

    async fn due(&self) -> Result<Due<Authorisation>, StoreError> {
        let mut rows = self.parts.store.reading(|tx| tx.authorisations_owed()).await?;
        let poll_after = if rows.is_empty() { IDLE_POLL } else { POLL };
        let now = self.parts.clock.moment();
        let id = |owed: &Authorisation| (owed.user.clone(), owed.scope.clone());
        let ids: HashSet<_> = rows.iter().map(id).collect();
        self.waits.retain(|id| ids.contains(id));
        rows.retain(|owed| self.waits.remaining(id(owed), owed.next_at, now).is_zero());
        Ok(Due { rows, poll_after })
    }

    fn key(owed: &Authorisation) -> UserKey {
        owed.user.clone()
    }

    fn group(_: &UserKey) {}

    /// Makes one attempt in one scope of one user.
    async fn attempt(&self, listed: Authorisation) -> Result<(), StoreError> {
        let (user, scope) = (listed.user.clone(), listed.scope.clone());
        // Read again: the enforcer may have worked on this user since.
        let read = self.parts.store.reading(move |tx| {
            let (Some(owed), Some(record)) = (tx.authorisation(&user, &scope)?, tx.user(&user)?)
            else {
                return Ok(None);
            };
            let waits = tx.access_pending(&user)?.is_some();
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
            failure = self.begin(&api, &owed).await?;
        }
        let (user, scope) = (owed.user.clone(), owed.scope.clone());
        let now = self.parts.store.reading(move |tx| tx.authorisation(&user, &scope)).await?;
        for grant in now.map(|now| now.grants).unwrap_or_default() {
            match grant.state {
                GrantState::Attaching if !waits => self.attach(&api, &owed, &grant).await?,
                GrantState::Detaching => self.detach(&api, &owed, &grant).await?,
                _ => {}
            }
        }
        self.note(&owed, failure.as_deref()).await
    }
}

impl Policies {
    /// Builds the loop from its parts.
    pub fn new(parts: PoliciesParts) -> Arc<Self> {
        Arc::new(Self { parts, waits: Waits::new(BACKOFF) })
    }

    /// Works until `stop`; then finishes the attempts in flight.
    pub async fn run(self: Arc<Self>, stop: CancellationToken) {
        let wake = Arc::clone(&self.parts.wakers.policies);
        let in_flight = self.parts.in_flight.clone();
        owed::run(self, wake, in_flight, stop).await;
    }

    /// Separates what the user holds already from what is to be attached, and commits the latter as attaching. Returns the
    /// reason if the cloud did not say what the user holds.
    async fn begin(
        &self,
        api: &volcengine::AccountClient,
        owed: &Authorisation,
    ) -> Result<Option<String>, StoreError> {
        if !owed.grants.iter().any(|grant| grant.state == GrantState::Owed) {
            return Ok(None);
        }
        let held = match api.attached_policies(owed.user.username.as_str()).await {
            Ok(held) => held,
            Err(error) => return Ok(Some(self.parts.cards.words().trouble(&error.into()))),
        };
        self.change(owed, move |authorisation| {
            let scope = &authorisation.scope;
            for grant in authorisation.grants.iter_mut().filter(|g| g.state == GrantState::Owed) {
                let covers = |held: &&HeldPolicy| {
                    held.name == grant.policy
                        && (held.scope == PolicyScope::Global || held.scope == *scope)
                };
                match held.iter().find(covers) {
                    Some(held) => {
                        grant.state = GrantState::Held;
                        grant.kind = Some(held.kind.clone());
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
        api: &volcengine::AccountClient,
        owed: &Authorisation,
        grant: &Grant,
    ) -> Result<(), StoreError> {
        let username = owed.user.username.as_str();
        let mut kind = grant.kind.clone().unwrap_or(PolicyKind::System);
        loop {
            let attached = api.attach_policy(username, &policy_of(owed, grant, kind.clone())).await;
            let to = match attached {
                Ok(()) => Ok(To::State(GrantState::Attached)),
                Err(error) if is_attached_already(&error) => {
                    self.whose(api, owed, grant, error).await
                }
                Err(error) if no_such_policy(&error) && kind == PolicyKind::System => {
                    Ok(To::Kind(PolicyKind::Custom))
                }
                Err(error) => {
                    if no_such_policy(&error) {
                        // Neither kind exists (yet): the next attempt starts with the vendor's again.
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

    /// Finds out what a conflict means: an earlier attempt attached the policy in this scope, or somebody has attached it
    /// in the whole account, where it covers every project and is not airgate's. If neither shows, it is tried again.
    async fn whose(
        &self,
        api: &volcengine::AccountClient,
        owed: &Authorisation,
        grant: &Grant,
        conflict: volcengine::Error,
    ) -> Result<To, String> {
        let words = self.parts.cards.words();
        let held = api
            .attached_policies(owed.user.username.as_str())
            .await
            .map_err(|error| words.trouble(&error.into()))?;
        let holds = |scope: &PolicyScope| {
            held.iter().any(|held| held.name == grant.policy && held.scope == *scope)
        };
        if holds(&owed.scope) {
            Ok(To::State(GrantState::Attached))
        } else if holds(&PolicyScope::Global) {
            Ok(To::State(GrantState::Held))
        } else {
            Err(words.trouble(&conflict.into()))
        }
    }

    async fn detach(
        &self,
        api: &volcengine::AccountClient,
        owed: &Authorisation,
        grant: &Grant,
    ) -> Result<(), StoreError> {
        let kind = grant.kind.clone().unwrap_or(PolicyKind::System);
        let policy = policy_of(owed, grant, kind);
        let to = match api.detach_policy(owed.user.username.as_str(), &policy).await {
            Ok(()) => Ok(To::Gone),
            // Not attached, or the user or the project is gone: nothing to detach.
            Err(error) if error.is_not_found() => Ok(To::Gone),
            Err(error) => Err(self.parts.cards.words().trouble(&error.into())),
        };
        self.settle(owed, grant, to).await
    }

    /// Records the outcome of a call, unless the grant has been changed in the meantime.
    async fn settle(
        &self,
        owed: &Authorisation,
        grant: &Grant,
        to: Result<To, String>,
    ) -> Result<(), StoreError> {
        let step = Step { policy: grant.policy.clone(), from: grant.state, to };
        if let Err(error) = &step.to {
            let scope = shown(&owed.scope);
            tracing::warn!(user = %owed.user, scope, policy = step.policy, error, "policy not changed yet");
        }
        self.change(owed, move |authorisation| {
            let mut grants = std::mem::take(&mut authorisation.grants);
            grants.retain_mut(|grant| {
                if grant.policy != step.policy {
                    return true;
                }
                match &step.to {
                    Ok(To::Kind(kind)) => grant.kind = Some(kind.clone()),
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
        let (user, scope) = (owed.user.clone(), owed.scope.clone());
        self.parts
            .store
            .writing(move |tx| {
                if let Some(mut authorisation) = tx.authorisation(&user, &scope)? {
                    change(&mut authorisation);
                    tx.put_authorisation(&authorisation)?;
                }
                Ok(())
            })
            .await
    }

    /// Ends an attempt: sets when the next one is due, and updates the card that waits for this one.
    async fn note(&self, tried: &Authorisation, failure: Option<&str>) -> Result<(), StoreError> {
        let now = self.parts.clock.now();
        let next_at = BACKOFF.retry_at(tried.attempts, now);
        let (tried, failure) = (tried.clone(), failure.map(str::to_owned));
        let cards = Arc::clone(&self.parts.cards);
        self.parts
            .store
            .writing(move |tx| {
                if let Some(mut known) = tx.authorisation(&tried.user, &tried.scope)?
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
                        let scope = shown(&known.scope);
                        tracing::info!(user = %known.user, scope, "policies are still owed");
                    }
                }
                report(tx, &cards, &tried, now)
            })
            .await?;
        self.parts.wakers.outbox.notify_one();
        Ok(())
    }
}

/// Updates the projects card, if one waits for the outcome of the first attempt.
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

fn policy_of(owed: &Authorisation, grant: &Grant, kind: PolicyKind) -> HeldPolicy {
    HeldPolicy { name: grant.policy.clone(), kind, scope: owed.scope.clone() }
}

/// Returns a scope as logs show it.
fn shown(scope: &PolicyScope) -> &str {
    scope.project().map_or("the whole account", ProjectName::as_str)
}

/// Returns whether a failure to attach says that it is attached. Any other conflict is a failure.
fn is_attached_already(error: &volcengine::Error) -> bool {
    *error.kind() == ErrorKind::AlreadyExists
}

/// Returns whether it is the policy that does not exist, rather than its user or project.
fn no_such_policy(error: &volcengine::Error) -> bool {
    error.is_not_found() && error.code().is_some_and(|code| code.starts_with("Policy"))
}
