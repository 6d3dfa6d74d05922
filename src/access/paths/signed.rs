//! Every request signed in the user's name: refused while the user holds a policy that denies everything, which beats
//! every policy that allows something (docs/platforms/ark.md §B.2).

use super::{Opened, Path, Reading, Standing, Target, standing};
use crate::access::deny_all::NAMES;
use crate::access::failure::PathError;
use crate::domain::{AccessGoal, AccessItem, HeldPolicy, PolicyKind, PolicyScope};
use crate::volcengine;

pub(in crate::access) struct Signed;

impl Path for Signed {
    /// The thing on this path is a policy, named by its item; it is closed while the user holds it.
    async fn read(target: Target<'_>) -> Result<Reading, PathError> {
        if target.goal == AccessGoal::Restored {
            let held = target.api.attached_policies(target.username()).await?;
            let held = |item: &AccessItem| (item.clone(), standing(!holds(&held, &item.id)));
            return Ok(target.known.iter().map(held).collect());
        }
        let account = &target.user.key.account;
        let name = match target.only_reads {
            false => target.policies.name(target.api, account).await?,
            true => match target.policies.find(target.api, account).await? {
                Some(name) => name,
                // Nobody can hold it.
                None => {
                    let [name, ..] = NAMES;
                    return Ok(Reading::from_iter([(AccessItem::new(name), Standing::Open)]));
                }
            },
        };
        let held = target.api.attached_policies(target.username()).await?;
        for other in NAMES.into_iter().filter(|other| *other != name && holds(&held, other)) {
            // From a time when the first name was taken.
            if target.policies.is_ours(target.api, account, other).await? {
                return Ok(Reading::from_iter([(AccessItem::new(other), Standing::Closed)]));
            }
        }
        let standing = standing(!holds(&held, name));
        Ok(Reading::from_iter([(AccessItem::new(name), standing)]))
    }

    async fn close(target: Target<'_>, item: &AccessItem) -> Result<(), PathError> {
        match target.api.attach_policy(target.username(), &policy(&item.id)).await {
            Ok(()) => Ok(()),
            Err(error) if error.is_already_exists() => Ok(()),
            Err(error) => {
                if error.code().is_some_and(|code| code.starts_with("Policy")) {
                    // Deleted since it was looked at, perhaps.
                    target.policies.forget(&target.user.key.account);
                }
                Err(error.into())
            }
        }
    }

    async fn open(target: Target<'_>, item: &AccessItem) -> Result<Opened, PathError> {
        target.api.detach_policy(target.username(), &policy(&item.id)).await?;
        Ok(Opened::Accepted)
    }
}

fn policy(name: &str) -> HeldPolicy {
    HeldPolicy { name: name.to_owned(), kind: PolicyKind::Custom, scope: PolicyScope::Global }
}

fn holds(held: &[HeldPolicy], name: &str) -> bool {
    held.contains(&policy(name))
}

/// Attaches again what a cut by an older airgate detached, each policy in its scope. Returns why some are not attached.
pub(in crate::access) async fn attach_again(
    api: &volcengine::AccountClient,
    username: &str,
    policies: &[HeldPolicy],
) -> Vec<PathError> {
    // Within projects first: once the user holds a policy in the whole account, the cloud refuses to attach it in a project.
    let mut wanted: Vec<&HeldPolicy> = policies.iter().collect();
    wanted.sort_by_key(|policy| policy.scope == PolicyScope::Global);
    let mut failures = Vec::new();
    for policy in wanted {
        match api.attach_policy(username, policy).await {
            Ok(()) => {}
            // Already held in another way, or deleted with its project in the meantime.
            Err(error) if error.is_not_found() || error.is_already_exists() => {}
            Err(error) => failures.push(error.into()),
        }
    }
    failures
}
