//! Cutting access: remembering what is active, then switching it off. Keys, login and policies are closed each by itself, and
//! so is each key and each policy: one that cannot be read or closed is retried and keeps none of the others open.

use super::failure::{EnforceError, Failures};
use super::{Enforcer, Outcome, is_missing, read_back, unless_detached, unless_gone};
use crate::app::sync::{user_keys, user_login};
use crate::domain::{
    AccessCause, AccessKeyInfo, GrantState, HeldPolicy, PendingAccess, PolicyScope,
    RememberedAccess, Switch, UserAccess, UserKey, must_be_cut,
};
use crate::store::StoreError;
use crate::volcengine::{self, ErrorKind, KeyStatus};

/// While no connection comes about, this many attempts stop at the first call: the cloud is probably out of reach as a whole.
/// After that one call that hangs must not keep the rest open.
const UNCONNECTED_ATTEMPTS: u32 = 3;

/// Whether a cut is still wanted, decided in the transaction that precedes the writes to the cloud.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Permit {
    Go,
    Withdrawn,
}

/// The part of the access that is about to be closed, and what of it is active.
enum Part {
    Keys(Vec<String>),
    Login(bool),
    Policies(Vec<HeldPolicy>),
}

impl Enforcer {
    /// One attempt at a cut, up to reading it back.
    pub(super) async fn cut(
        &self,
        api: &volcengine::AccountClient,
        user: &UserKey,
        pending: &PendingAccess,
        remembered: Option<&RememberedAccess>,
    ) -> Result<Outcome, Failures> {
        let mut failures = Failures::default();
        let read = user_keys(api, user).await;
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
        if let Some(keys) = &keys {
            if keys.iter().any(|key| api.uses_key(&key.id)) {
                return Err(EnforceError::OwnKey.into());
            }
            if self.close_keys(api, user, pending, keys, remembered, &mut failures).await?
                == Permit::Withdrawn
            {
                return Ok(Outcome::Withdrawn);
            }
        }
        if let Some(Some(login)) = failures.keep(user_login(api, user).await)
            && self.close_login(api, user, pending, login, remembered, &mut failures).await?
                == Permit::Withdrawn
        {
            return Ok(Outcome::Withdrawn);
        }
        // Only the keys say whether airgate itself works with this user, whose policies it needs.
        if keys.is_some()
            && let Some(held) = failures.keep(self.held(api, user).await)
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
        let active = keys.iter().filter(|key| key.active.is_on()).map(|key| key.id.clone());
        let part = Part::Keys(active.collect());
        if self.permit(user, pending, part).await? == Permit::Withdrawn {
            return Ok(Permit::Withdrawn);
        }
        let maybe_on = |key: &AccessKeyInfo| {
            let known = remembered.is_some_and(|known| known.active_keys.contains(&key.id));
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
        if self.permit(user, pending, Part::Login(login.is_on())).await? == Permit::Withdrawn {
            return Ok(Permit::Withdrawn);
        }
        if login.is_on() || remembered.is_some_and(|known| known.login_allowed) {
            let off = api.set_login_allowed(user.username.as_str(), false).await;
            failures.keep(unless_gone(off));
        }
        Ok(Permit::Go)
    }

    /// The policies that a cut detaches; none where it leaves policies alone.
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
        if self.permit(user, pending, Part::Policies(held.clone())).await? == Permit::Withdrawn {
            return Ok(Permit::Withdrawn);
        }
        for policy in remembered.iter().flat_map(|remembered| &remembered.policies) {
            if !held.contains(policy) {
                held.push(policy.clone());
            }
        }
        for policy in &held {
            let detached = api.detach_policy(user.username.as_str(), policy).await;
            failures.keep(unless_detached(detached));
        }
        Ok(Permit::Go)
    }

    /// Checks once more that the cut is wanted, and remembers what is active of this part: one transaction, committed before
    /// the part's first write to the cloud.
    async fn permit(
        &self,
        user: &UserKey,
        tried: &PendingAccess,
        part: Part,
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
                if pending.cause == AccessCause::Reopened && earlier.is_some() {
                    // A restore gives back what was active before the cut, not what was opened since.
                    return Ok(Permit::Go);
                }
                let (keys, login, mut held) = match part {
                    Part::Keys(keys) => (keys, false, Vec::new()),
                    Part::Login(allowed) => (Vec::new(), allowed, Vec::new()),
                    Part::Policies(held) => (Vec::new(), false, held),
                };
                // A policy that is to be detached for good must not be restored.
                for project in tx.authorisations_of(&key)? {
                    let scope = PolicyScope::Project(project.project);
                    for grant in project.grants {
                        let leaves = grant.state == GrantState::Detaching;
                        held.retain(|policy| {
                            !(leaves && policy.scope == scope && policy.name == grant.policy)
                        });
                    }
                }
                let remembered =
                    RememberedAccess::before_cut(earlier, keys, login, held, pending.since);
                tx.put_access_remembered(&key, &remembered)?;
                Ok(Permit::Go)
            })
            .await
    }
}
