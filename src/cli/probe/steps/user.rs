//! An access key of the throw-away user, for the probes that sign in its name.

use super::super::super::Failure;
use super::super::Bench;
use super::super::calls::{Answer, after, ark};
use super::super::state::Owed;
use super::super::transcript::Finding;
use crate::domain::{PolicyKind, PolicyScope};
use crate::volcengine::{AccountClient, Credentials};
use serde_json::json;

/// The policy that lets the throw-away user work in the throw-away project.
const POLICY: &str = "ArkFullAccess";

/// An access key that works.
pub(super) struct Signer {
    pub(super) api: AccountClient,
    pub(super) key_id: String,
}

/// Makes an access key, and lets it read endpoints of the project. `None`, with the reason in the finding, if that does not
/// work. What it made is owed.
pub(super) async fn signer(
    bench: &mut Bench,
    finding: &mut Finding,
) -> Result<Option<Signer>, Failure> {
    let user = bench.user.clone();
    let before = match bench.api.list_access_keys(&user).await {
        Ok(keys) => keys.into_iter().map(|key| key.id).collect::<Vec<_>>(),
        Err(error) => {
            finding.saw(format!("ListAccessKeys: {}", error.explanation()));
            return Ok(None);
        }
    };
    let unnamed = Owed::AccessKeysBut { before };
    bench.journal.owe(unnamed.clone())?;
    let key = match bench.api.create_access_key(&user).await {
        Ok(key) => key,
        Err(error) => {
            finding.saw(format!("CreateAccessKey: {}", error.explanation()));
            return Ok(None);
        }
    };
    bench.journal.owe_instead(&unnamed, Owed::AccessKey { id: key.id.clone() })?;
    if !attach(bench, finding).await? {
        return Ok(None);
    }
    let key_id = key.id.clone();
    let credentials = Credentials { access_key_id: key.id, secret_key: key.secret };
    let api = bench.client.account(credentials);
    let long = bench.patience.long;
    let (took, answer) =
        bench.patience.until(long, async || list(bench, &api).await, Answer::worked).await;
    finding.saw(format!("{} by the new access key {}", answer.line(), after(took, long)));
    Ok(took.map(|_| Signer { api, key_id }))
}

/// Lists the endpoints of the project, signed by this key.
pub(super) async fn list(bench: &Bench, api: &AccountClient) -> Answer {
    let body = json!({"ProjectName": bench.project.as_str(), "PageNumber": 1, "PageSize": 10});
    ark(api, "ListEndpoints", body).await
}

/// Attaches the policy in the project, unless the user has it.
async fn attach(bench: &mut Bench, finding: &mut Finding) -> Result<bool, Failure> {
    let held = match bench.api.attached_policies(&bench.user).await {
        Ok(held) => held,
        Err(error) => {
            finding.saw(format!("ListAttachedUserPolicies: {}", error.explanation()));
            return Ok(false);
        }
    };
    let covers = |scope: &PolicyScope| match scope {
        PolicyScope::Global => true,
        PolicyScope::Project(project) => *project == bench.project,
    };
    let has = |held: &crate::domain::HeldPolicy| {
        held.name == POLICY && held.kind == PolicyKind::System && covers(&held.scope)
    };
    if held.iter().any(has) {
        return Ok(true);
    }
    let project = bench.project.as_str().to_owned();
    bench.journal.owe(Owed::Policy {
        name: POLICY.to_owned(),
        custom: false,
        project: Some(project.clone()),
    })?;
    let answer = bench.policy_call(true, POLICY, false, Some(&project)).await;
    finding.saw(format!("{POLICY} in the project: {}", answer.line()));
    Ok(answer.worked())
}
