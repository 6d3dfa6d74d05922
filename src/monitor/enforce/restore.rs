//! Restoring access: exactly what was remembered, as far as it still exists. A part that cannot be restored is retried,
//! and keeps none of the others closed.

use super::failure::Failures;
use super::{Outcome, is_missing, read_back, unless_gone};
use crate::app::sync::{user_keys, user_login};
use crate::domain::{HeldPolicy, PolicyScope, RememberedAccess, Switch, UserAccess, UserKey};
use crate::monitor::policies::is_attached_already;
use crate::volcengine::{self, KeyStatus};

/// Makes one attempt at a restore, up to reading it back.
pub(super) async fn restore(
    api: &volcengine::AccountClient,
    user: &UserKey,
    remembered: Option<&RememberedAccess>,
) -> Result<Outcome, Failures> {
    let mut failures = Failures::default();
    let read = user_keys(api, user).await;
    if let Err(error) = &read
        && is_missing(api, user, error).await?
    {
        return Ok(Outcome::Missing);
    }
    let name = user.username.as_str();
    let keys = failures.keep(read);
    let login = failures.keep(user_login(api, user).await);
    let mut attached = true;
    if let Some(remembered) = remembered {
        // Everything remembered is switched on, whatever was read: a read may still show the state from before the cut.
        let keys = keys.iter().flatten().filter(|key| remembered.keys().contains(&key.id.as_str()));
        for key in keys {
            let on = api.update_access_key(name, &key.id, KeyStatus::Active).await;
            failures.keep(unless_gone(on));
        }
        if remembered.login() && login.flatten().is_some() {
            failures.keep(unless_gone(api.set_login_allowed(name, true).await));
        }
        attached = attach_policies(api, name, &remembered.policies, &mut failures).await;
    }
    failures.into_result()?;
    Ok(read_back(api, user, |after| attached && is_restored(after, remembered)).await?)
}

/// Attaches each remembered policy in its scope. Returns whether all that still exist are attached.
async fn attach_policies(
    api: &volcengine::AccountClient,
    name: &str,
    wanted: &[HeldPolicy],
    failures: &mut Failures,
) -> bool {
    if wanted.is_empty() {
        return true;
    }
    // Within projects first: once the user holds a policy in the whole account, the cloud refuses to attach it in a project.
    let mut wanted: Vec<&HeldPolicy> = wanted.iter().collect();
    wanted.sort_by_key(|policy| policy.scope == PolicyScope::Global);
    let mut settled: Vec<&HeldPolicy> = Vec::new();
    for policy in &wanted {
        match api.attach_policy(name, policy).await {
            Ok(()) => {}
            // Already held in another way, or deleted with its project in the meantime: reading back would not show it.
            Err(error) if error.is_not_found() || is_attached_already(&error) => {
                settled.push(policy);
            }
            Err(error) => drop(failures.keep::<(), _>(Err(error))),
        }
    }
    let after = failures.keep(api.attached_policies(name).await).unwrap_or_default();
    wanted.iter().all(|policy| settled.contains(policy) || after.contains(policy))
}

/// Returns whether everything remembered that still exists is active.
fn is_restored(after: &UserAccess, remembered: Option<&RememberedAccess>) -> bool {
    remembered.is_none_or(|remembered| {
        let keys = after.keys.iter().filter(|key| remembered.keys().contains(&key.id.as_str()));
        let login = !remembered.login() || after.login != Some(Switch::Off);
        keys.map(|key| key.active).all(Switch::is_on) && login
    })
}
