//! Authorisation for linked projects: the policies that a user is granted within a project. `work` makes the calls to
//! the cloud.

use jiff::Timestamp;

use crate::domain::{Authorisation, PolicyScope, ProjectName, Report, UserKey};
use crate::store::{StoreError, WriteTx};

/// Records that a project was linked and that `policies` are to be attached within it.
pub fn want(
    tx: &WriteTx,
    user: &UserKey,
    project: &ProjectName,
    policies: &[String],
    report: Option<Report>,
    now: Timestamp,
) -> Result<(), StoreError> {
    let known = tx.authorisation(user, project)?;
    if policies.is_empty() && known.is_none() {
        return Ok(());
    }
    let mut wanted =
        known.unwrap_or_else(|| Authorisation::new(user.clone(), project.clone(), now));
    wanted.want(policies);
    tx.put_authorisation(&Authorisation { since: now, attempts: 0, next_at: now, report, ..wanted })
}

/// Records that a link was removed: the policies that airgate attached within the project are to be detached, and a later
/// restore of access does not bring them back.
pub fn release(
    tx: &WriteTx,
    user: &UserKey,
    project: &ProjectName,
    report: Option<Report>,
    now: Timestamp,
) -> Result<(), StoreError> {
    let Some(mut known) = tx.authorisation(user, project)? else { return Ok(()) };
    known.release();
    if let Some(mut remembered) = tx.access_remembered(user)? {
        let scope = PolicyScope::Project(project.clone());
        remembered.policies.retain(|held| {
            held.scope != scope || !known.grants.iter().any(|grant| grant.policy == held.name)
        });
        tx.put_access_remembered(user, &remembered)?;
    }
    tx.put_authorisation(&Authorisation { since: now, attempts: 0, next_at: now, report, ..known })
}
