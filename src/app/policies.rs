//! Policies that a user is granted with linked projects. `monitor` makes the calls to the cloud.

use jiff::Timestamp;

use crate::domain::{Authorisation, LinkPolicies, PolicyScope, ProjectName, Report, UserKey};
use crate::store::{StoreError, WriteTx};

/// Records that a project was linked and that `policies` are to be attached: within it, and in the whole account.
pub fn want(
    tx: &WriteTx,
    user: &UserKey,
    project: &ProjectName,
    policies: &LinkPolicies,
    report: Option<Report>,
    now: Timestamp,
) -> Result<(), StoreError> {
    let scopes = [
        (PolicyScope::Project(project.clone()), &policies.project),
        (PolicyScope::Global, &policies.global),
    ];
    for (scope, policies) in scopes {
        let known = tx.authorisation(user, &scope)?;
        if policies.is_empty() && known.is_none() {
            continue;
        }
        let mut wanted = known.unwrap_or_else(|| Authorisation::new(user.clone(), scope, now));
        wanted.want(policies);
        put(tx, wanted, report.clone(), now)?;
    }
    Ok(())
}

/// Records that a link was removed, after it was: the policies that airgate attached within the project are to be detached
/// and, if it was the user's last link, those in the whole account. A later restore of access does not bring them back.
pub fn release(
    tx: &WriteTx,
    user: &UserKey,
    project: &ProjectName,
    report: Option<Report>,
    now: Timestamp,
) -> Result<(), StoreError> {
    let last = tx.links_of(user)?.is_empty();
    let scopes = [Some(PolicyScope::Project(project.clone())), last.then_some(PolicyScope::Global)];
    for scope in scopes.into_iter().flatten() {
        let Some(mut known) = tx.authorisation(user, &scope)? else { continue };
        known.release();
        if let Some(mut remembered) = tx.access_remembered(user)? {
            remembered.policies.retain(|held| {
                held.scope != scope || !known.grants.iter().any(|grant| grant.policy == held.name)
            });
            tx.put_access_remembered(user, &remembered)?;
        }
        put(tx, known, report.clone(), now)?;
    }
    Ok(())
}

/// Writes it as work that begins now. The report waits for an attempt, so it is dropped if none is needed.
fn put(
    tx: &WriteTx,
    known: Authorisation,
    report: Option<Report>,
    now: Timestamp,
) -> Result<(), StoreError> {
    let report = report.filter(|_| known.is_owed());
    tx.put_authorisation(&Authorisation { since: now, attempts: 0, next_at: now, report, ..known })
}
