//! Cutting access: remembering what is active, then switching it off.

use super::settle::withdraw;
use super::{EnforceError, Enforcer, Outcome, read_back, unless_gone};
use crate::domain::{
    AccessCause, AccessKeyInfo, GrantState, HeldPolicy, PendingAccess, PolicyScope,
    RememberedAccess, Switch, UserAccess, UserKey, must_be_cut,
};
use crate::store::StoreError;
use crate::volcengine::{self, KeyStatus};

/// Whether a cut is still wanted, decided in the transaction that precedes the first write.
enum Permit {
    Go,
    Withdrawn,
}

impl Enforcer {
    /// One attempt at a cut, up to reading it back.
    pub(super) async fn cut(
        &self,
        api: &volcengine::AccountClient,
        user: &UserKey,
        pending: &PendingAccess,
        before: UserAccess,
        remembered: Option<&RememberedAccess>,
    ) -> Result<Outcome, EnforceError> {
        if before.keys.iter().any(|key| api.uses_key(&key.id)) {
            return Err(EnforceError::OwnKey);
        }
        // Keys and login are switched off even while the policies cannot be read.
        let (held, unread) = match self.held(api, user).await {
            Ok(held) => (held, None),
            Err(error) => (Vec::new(), Some(error)),
        };
        match self.permit_cut(user, pending, &before, held.clone()).await? {
            Permit::Go => {
                switch_off(api, user, &before, remembered).await?;
                self.detach(api, user, held, remembered).await?;
            }
            Permit::Withdrawn => return Ok(Outcome::Withdrawn),
        }
        if let Some(error) = unread {
            return Err(error.into());
        }
        let outcome = read_back(api, user, UserAccess::is_cut).await?;
        match self.held(api, user).await?.is_empty() {
            true => Ok(outcome),
            false => Err(EnforceError::NotYet),
        }
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
        mut held: Vec<HeldPolicy>,
        remembered: Option<&RememberedAccess>,
    ) -> Result<(), volcengine::Error> {
        if let Some(remembered) = remembered.filter(|_| self.parts.detach_policies) {
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

    /// Checks once more that the cut is wanted, and remembers what is active now: one transaction, committed before the first
    /// write to the cloud.
    async fn permit_cut(
        &self,
        user: &UserKey,
        tried: &PendingAccess,
        before: &UserAccess,
        mut held: Vec<HeldPolicy>,
    ) -> Result<Permit, StoreError> {
        let (key, tried, before) = (user.clone(), tried.clone(), before.clone());
        self.parts
            .store
            .writing(move |tx| {
                let Some(pending) = tx.access_pending(&key)? else { return Ok(Permit::Withdrawn) };
                if !pending.is_same_change(&tried) {
                    return Ok(Permit::Withdrawn);
                }
                let Some(record) = tx.user(&key)? else { return Ok(Permit::Withdrawn) };
                if pending.cause == AccessCause::QuotaUsedUp && !must_be_cut(&record) {
                    withdraw(tx, &key, pending)?;
                    return Ok(Permit::Withdrawn);
                }
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
}

/// Switches off what was read as on, and what airgate may just have switched on: the read may be stale.
async fn switch_off(
    api: &volcengine::AccountClient,
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
