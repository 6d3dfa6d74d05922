//! Cutting access: remembering what is active, then switching it off. Login, each key and each policy are closed
//! separately: one that cannot be read or closed is retried, and keeps none of the others open.

use std::time::Duration;

use tokio::time::timeout;

use super::failure::{EnforceError, Failures};
use super::{Enforcer, Outcome, is_missing, read_back, unless_gone};
use crate::app::sync::{user_keys, user_login};
use crate::domain::{
    AccessCause, AccessItem, AccessKeyInfo, AccessPath, GrantState, HeldPolicy, PendingAccess,
    RememberedAccess, Switch, UserAccess, UserKey, must_be_cut,
};
use crate::store::StoreError;
use crate::volcengine::{self, ErrorKind, KeyStatus};

/// While no connection succeeds, this many attempts stop at the first call: the whole cloud is probably unreachable.
/// After that, one call that hangs must not keep the rest open.
const UNCONNECTED_ATTEMPTS: u32 = 3;

/// How long closing the keys waits for login and policies to be read.
const READ_TOGETHER: Duration = Duration::from_secs(3);

/// Whether a cut is still wanted, decided in the transaction that precedes the writes to the cloud.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Permit {
    Go,
    Withdrawn,
}

/// The access that is active, as far as it was read.
#[derive(Clone, Default)]
struct Active {
    keys: Vec<String>,
    login: bool,
    policies: Vec<HeldPolicy>,
}

impl Active {
    fn keys(keys: &[AccessKeyInfo]) -> Self {
        let active = keys.iter().filter(|key| key.active.is_on()).map(|key| key.id.clone());
        Self { keys: active.collect(), ..Self::default() }
    }
}

impl Enforcer {
    /// Makes one attempt at a cut, up to reading it back.
    pub(super) async fn cut(
        &self,
        api: &volcengine::AccountClient,
        user: &UserKey,
        pending: &PendingAccess,
        remembered: Option<&RememberedAccess>,
    ) -> Result<Outcome, Failures> {
        let mut failures = Failures::default();
        // All active access is remembered before the first write. Slow reads are left for later: the keys are closed
        // first.
        let (read, login, held) = tokio::join!(
            user_keys(api, user),
            timeout(READ_TOGETHER, user_login(api, user)),
            timeout(READ_TOGETHER, self.held(api, user)),
        );
        match &read {
            Err(error) if is_missing(api, user, error).await? => return Ok(Outcome::Missing),
            Err(error)
                if matches!(error.kind(), ErrorKind::Transport(_))
                    && pending.attempts < UNCONNECTED_ATTEMPTS =>
            {
                return read.map(|_| Outcome::Withdrawn).map_err(Failures::from);
            }
            _ => {}
        }
        let keys = failures.keep(read);
        if keys.iter().flatten().any(|key| api.uses_key(&key.id)) {
            return Err(EnforceError::OwnKey.into());
        }
        let active = Active {
            login: matches!(&login, Ok(Ok(Some(Switch::On)))),
            policies: held.iter().flatten().flatten().cloned().collect(),
            ..Active::keys(keys.as_deref().unwrap_or_default())
        };
        if self.permit(user, pending, active).await? == Permit::Withdrawn {
            return Ok(Outcome::Withdrawn);
        }
        if let Some(keys) = &keys
            && self.close_keys(api, user, pending, keys, remembered, &mut failures).await?
                == Permit::Withdrawn
        {
            return Ok(Outcome::Withdrawn);
        }
        let login = match login {
            Ok(read) => read,
            Err(_) => user_login(api, user).await,
        };
        if let Some(Some(login)) = failures.keep(login)
            && self.close_login(api, user, pending, login, remembered, &mut failures).await?
                == Permit::Withdrawn
        {
            return Ok(Outcome::Withdrawn);
        }
        // Only the keys show whether airgate itself uses this user, whose policies it would then need.
        let held = match held {
            Ok(read) => read,
            Err(_) => self.held(api, user).await,
        };
        let held = failures.keep(held);
        if keys.is_some()
            && let Some(held) = held
            && self.detach(api, user, pending, held, remembered, &mut failures).await?
                == Permit::Withdrawn
        {
            return Ok(Outcome::Withdrawn);
        }
        failures.into_result()?;
        let outcome = read_back(api, user, UserAccess::is_cut).await?;
        match self.held(api, user).await?.is_empty() {
            true => Ok(outcome),
            false => Err(EnforceError::NotYet.into()),
        }
    }

    /// Switches off the keys read as active, and those that airgate may just have switched on: the read may be stale.
    async fn close_keys(
        &self,
        api: &volcengine::AccountClient,
        user: &UserKey,
        pending: &PendingAccess,
        keys: &[AccessKeyInfo],
        remembered: Option<&RememberedAccess>,
        failures: &mut Failures,
    ) -> Result<Permit, StoreError> {
        if self.permit(user, pending, Active::keys(keys)).await? == Permit::Withdrawn {
            return Ok(Permit::Withdrawn);
        }
        let maybe_on = |key: &AccessKeyInfo| {
            let known = remembered.is_some_and(|known| known.keys().contains(&key.id.as_str()));
            key.active.is_on() || known
        };
        for key in keys.iter().filter(|key| maybe_on(key)) {
            let name = user.username.as_str();
            let off = api.update_access_key(name, &key.id, KeyStatus::Inactive).await;
            failures.keep(unless_gone(off));
        }
        Ok(Permit::Go)
    }

    /// Forbids login if it was read as allowed, or if airgate may just have allowed it: the read may be stale.
    async fn close_login(
        &self,
        api: &volcengine::AccountClient,
        user: &UserKey,
        pending: &PendingAccess,
        login: Switch,
        remembered: Option<&RememberedAccess>,
        failures: &mut Failures,
    ) -> Result<Permit, StoreError> {
        let active = Active { login: login.is_on(), ..Active::default() };
        if self.permit(user, pending, active).await? == Permit::Withdrawn {
            return Ok(Permit::Withdrawn);
        }
        if login.is_on() || remembered.is_some_and(|known| known.login()) {
            let off = api.set_login_allowed(user.username.as_str(), false).await;
            failures.keep(unless_gone(off));
        }
        Ok(Permit::Go)
    }

    /// Returns the policies that a cut detaches; none if cuts leave policies alone.
    async fn held(
        &self,
        api: &volcengine::AccountClient,
        user: &UserKey,
    ) -> Result<Vec<HeldPolicy>, volcengine::Error> {
        if !self.parts.detach_policies {
            return Ok(Vec::new());
        }
        api.attached_policies(user.username.as_str()).await
    }

    /// Detaches the policies read as attached, and those that airgate may just have attached: the read may be stale.
    async fn detach(
        &self,
        api: &volcengine::AccountClient,
        user: &UserKey,
        pending: &PendingAccess,
        mut held: Vec<HeldPolicy>,
        remembered: Option<&RememberedAccess>,
        failures: &mut Failures,
    ) -> Result<Permit, StoreError> {
        if !self.parts.detach_policies {
            return Ok(Permit::Go);
        }
        let active = Active { policies: held.clone(), ..Active::default() };
        if self.permit(user, pending, active).await? == Permit::Withdrawn {
            return Ok(Permit::Withdrawn);
        }
        for policy in remembered.iter().flat_map(|remembered| &remembered.policies) {
            if !held.contains(policy) {
                held.push(policy.clone());
            }
        }
        for policy in &held {
            let detached = api.detach_policy(user.username.as_str(), policy).await;
            failures.keep(unless_gone(detached));
        }
        Ok(Permit::Go)
    }

    /// Checks once more that the cut is wanted, and remembers what is active, in one transaction that is committed before
    /// the writes to the cloud.
    async fn permit(
        &self,
        user: &UserKey,
        tried: &PendingAccess,
        active: Active,
    ) -> Result<Permit, StoreError> {
        let (key, tried) = (user.clone(), tried.clone());
        self.parts
            .store
            .writing(move |tx| {
                let Some(pending) = tx.access_pending(&key)? else { return Ok(Permit::Withdrawn) };
                if !pending.is_same_change(&tried) {
                    return Ok(Permit::Withdrawn);
                }
                let Some(record) = tx.user(&key)? else { return Ok(Permit::Withdrawn) };
                if pending.cause == AccessCause::QuotaUsedUp && !must_be_cut(&record) {
                    super::settle::withdraw(tx, &key, pending)?;
                    return Ok(Permit::Withdrawn);
                }
                let earlier = tx.access_remembered(&key)?;
                if matches!(pending.cause, AccessCause::Reopened { .. }) && earlier.is_some() {
                    // A restore gives back what was active before the cut, not what has been opened since.
                    return Ok(Permit::Go);
                }
                let Active { keys, login, policies: mut held } = active;
                // A policy that is to be detached for good must not be restored.
                for known in tx.authorisations_of(&key)? {
                    for grant in known.grants {
                        let leaves = grant.state == GrantState::Detaching;
                        held.retain(|policy| {
                            !(leaves && policy.scope == known.scope && policy.name == grant.policy)
                        });
                    }
                }
                let keys: Vec<_> = keys.into_iter().map(AccessItem::new).collect();
                let login: Vec<_> =
                    login.then(|| AccessItem::new(AccessItem::LOGIN)).into_iter().collect();
                let (cut, on) = (pending.since, AccessPath::AccessKeys);
                let remembered = RememberedAccess::before_cut(earlier, on, &keys, cut);
                let mut remembered =
                    RememberedAccess::before_cut(Some(remembered), AccessPath::Login, &login, cut);
                held.retain(|policy| !remembered.policies.contains(policy));
                remembered.policies.extend(held);
                tx.put_access_remembered(&key, &remembered)?;
                Ok(Permit::Go)
            })
            .await
    }
}
