//! Probe 9: a deny-all policy.

use super::super::super::Failure;
use super::super::Bench;
use super::super::calls::{Answer, after, iam};
use super::super::state::Owed;
use super::super::transcript::Finding;
use super::user::{Signer, list, signer};
use crate::volcengine::{ErrorKind, PolicyDocument};

/// The throw-away policy. Not the one that airgate cuts with.
pub(super) const POLICY: &str = "airgate-probe-deny-all";

pub(super) async fn run(bench: &mut Bench, finding: &mut Finding) -> Result<(), Failure> {
    match bench.api.custom_policy(POLICY).await {
        Ok(None) => {}
        Ok(Some(_)) => {
            finding
                .by_hand(format!("the policy {POLICY} exists and is not this probe's: delete it"));
            return Ok(());
        }
        Err(error) => {
            finding.saw(format!("GetPolicy: {}", error.explanation()));
            return Ok(());
        }
    }
    let Some(Signer { api, .. }) = signer(bench, finding).await? else { return Ok(()) };
    let document = PolicyDocument::deny_all();
    bench.journal.owe(Owed::DeletePolicy { name: POLICY.to_owned() })?;
    let query = [
        ("PolicyName", POLICY),
        ("PolicyDocument", document.as_str()),
        ("Description", "airgate probe"),
    ];
    let answer = iam(&bench.api, "CreatePolicy", query).await;
    finding.saw(answer.line());
    if !answer.worked() {
        finding.follows(match answer.is(&ErrorKind::BadInput) {
            true => "\"Action\": [\"*\"] is refused: airgate uses its list of services (deny_all stays on)",
            false => "the policy cannot be made: check the rights of airgate's key",
        });
        return Ok(());
    }
    finding.follows("\"Action\": [\"*\"] is accepted");
    bench.journal.owe(Owed::Policy { name: POLICY.to_owned(), custom: true, project: None })?;
    let answer = bench.policy_call(true, POLICY, true, None).await;
    finding.saw(answer.line());
    if !answer.worked() {
        return Ok(());
    }
    let long = bench.patience.long;
    let signed = async || list(bench, &api).await;
    let denied = |answer: &Answer| answer.is(&ErrorKind::Permission);
    let (took, last) = bench.patience.until(long, signed, denied).await;
    finding.saw(format!("signed calls are denied {}: {}", after(took, long), last.line()));
    finding.follows(match took {
        Some(took) => format!("deny-all bites within {} s", took.as_secs().saturating_add(1)),
        None => "deny-all did not bite: do not rely on the path `signed`".to_owned(),
    });
    let attached = bench.policy_call(true, POLICY, true, None).await;
    finding.saw(format!("again: {}", attached.line()));
    let project = bench.project.as_str().to_owned();
    bench.journal.owe(Owed::Policy {
        name: POLICY.to_owned(),
        custom: true,
        project: Some(project.clone()),
    })?;
    let within = bench.policy_call(true, POLICY, true, Some(&project)).await;
    finding.saw(format!("in a project while global: {}", within.line()));
    let detached = bench.policy_call(false, POLICY, true, None).await;
    finding.saw(detached.line());
    let again = bench.policy_call(false, POLICY, true, None).await;
    finding.saw(format!("again: {}", again.line()));
    finding.follows(format!(
        "attached twice: {}; in a project while global: {}; detached twice: {}",
        attached.code(),
        within.code(),
        again.code()
    ));
    Ok(())
}
