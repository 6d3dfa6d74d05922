//! Restoring access: exactly what was remembered, as far as it still exists.

use super::{EnforceError, Outcome, read_back, unless_gone};
use crate::domain::{HeldPolicy, PolicyScope, RememberedAccess, Switch, UserAccess, UserKey};
use crate::volcengine::{self, ErrorKind, KeyStatus};

/// One attempt at a restore, up to reading it back.
pub(super) async fn restore(
    api: &volcengine::AccountClient,
    user: &UserKey,
    before: &UserAccess,
    remembered: Option<&RememberedAccess>,
) -> Result<Outcome, EnforceError> {
    switch_on(api, user, before, remembered).await?;
    let attached = attach_policies(api, user, remembered).await?;
    read_back(api, user, |after| attached && is_restored(after, remembered)).await
}

/// Switches on what is remembered, whatever was read: a read may still show the state before the cut.
async fn switch_on(
    api: &volcengine::AccountClient,
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

/// Attaches each remembered policy in its scope. Returns whether all that still exist are attached.
async fn attach_policies(
    api: &volcengine::AccountClient,
    user: &UserKey,
    remembered: Option<&RememberedAccess>,
) -> Result<bool, volcengine::Error> {
    let name = user.username.as_str();
    let Some(wanted) = remembered.map(|r| &r.policies).filter(|wanted| !wanted.is_empty()) else {
        return Ok(true);
    };
    // Within projects first: once the user holds a policy in the whole account, the cloud refuses to attach it in a project.
    let mut wanted: Vec<&HeldPolicy> = wanted.iter().collect();
    wanted.sort_by_key(|policy| policy.scope == PolicyScope::Global);
    let mut settled: Vec<&HeldPolicy> = Vec::new();
    for policy in &wanted {
        match api.attach_policy(name, policy).await {
            Ok(()) => {}
            // Already held some other way, or deleted in the meantime with its project: reading back would not show it.
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

/// Whether everything remembered that still exists is active.
fn is_restored(after: &UserAccess, remembered: Option<&RememberedAccess>) -> bool {
    remembered.is_none_or(|remembered| {
        let keys = after.keys.iter().filter(|key| remembered.active_keys.contains(&key.id));
        let login = !remembered.login_allowed || after.login != Some(Switch::Off);
        keys.map(|key| key.active).all(Switch::is_on) && login
    })
}
