//! Authorisation of linked projects, as far as the store goes: which policies are owed to a user within a project.

use jiff::Timestamp;

use crate::domain::{Authorisation, PolicyScope, ProjectName, Report, UserKey};
use crate::store::{StoreError, WriteTx};

/// A project was linked: `policies` are owed to the user within it.
///
/// # Errors
/// The store's.
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

/// A link was removed: what airgate attached within the project is to be detached, and is not to come back with access
/// that is restored later.
///
/// # Errors
/// The store's.
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
