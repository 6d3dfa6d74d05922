//! Probe 4: an endpoint stopped and started.

use serde_json::json;

use super::super::super::Failure;
use super::super::Bench;
use super::super::calls::{ModelAnswer, after, ark};
use super::super::state::Owed;
use super::super::transcript::{Finding, shown};
use super::super::undo::endpoint_field;
use crate::volcengine::EndpointStatus;

pub(super) async fn run(bench: &mut Bench, finding: &mut Finding) -> Result<(), Failure> {
    let Some(id) = bench.endpoint.clone() else {
        finding.by_hand(
            "make one endpoint of a cheap text model in the project, then run the probe again",
        );
        return Ok(());
    };
    let long = bench.patience.long;
    let status = endpoint_field(bench, &id, "Status").await;
    finding.saw(format!("Status before: {}", status.as_ref().map_or("none".into(), shown)));
    bench.journal.owe(Owed::StartEndpoint { id: id.clone() })?;
    let answer = ark(&bench.api, "StopEndpoint", json!({ "Id": id })).await;
    finding.saw(answer.line());
    if !answer.worked() {
        if answer.is_console_only() {
            finding.follows(
                "this access key may not stop endpoints: attach ArkFullAccess to its user",
            );
        }
        return Ok(());
    }
    see_stopped(bench, &id, finding).await;
    if let Some(answer) = bench.call_model(&id).await {
        let call = async || bench.call_model(&id).await;
        let refused =
            |answer: &Option<ModelAnswer>| answer.as_ref().is_some_and(|it| it.is_refused());
        let (took, last) = match answer.is_refused() {
            true => (Some(std::time::Duration::ZERO), Some(answer)),
            false => bench.patience.until(long, call, refused).await,
        };
        let words = last.map_or_else(String::new, |answer| answer.words());
        finding.saw(format!("a call {words} {} more", after(took, long)));
        finding.follows(match took {
            Some(_) => "a stopped endpoint takes no calls: access.models closes it",
            None => "calls of a stopped endpoint still work: report it",
        });
    }
    let again = ark(&bench.api, "StopEndpoint", json!({ "Id": id })).await;
    finding.saw(format!("again: {}", again.line()));
    let start = ark(&bench.api, "StartEndpoint", json!({ "Id": id })).await;
    finding.saw(start.line());
    let look = async || bench.endpoint_status(&id).await;
    let runs = |status: &Option<EndpointStatus>| *status == Some(EndpointStatus::Running);
    let (took, _) = bench.patience.until(long, look, runs).await;
    let status = endpoint_field(bench, &id, "Status").await;
    let word = status.as_ref().map_or("none".into(), shown);
    finding.saw(format!("Status {word} {}", after(took, long)));
    if bench.key.is_some() {
        let call = async || bench.call_model(&id).await;
        let works = |answer: &Option<ModelAnswer>| answer.as_ref().is_some_and(ModelAnswer::works);
        let (took, _) = bench.patience.until(long, call, works).await;
        finding.saw(format!("a call works again {}", after(took, long)));
    }
    let again = ark(&bench.api, "StartEndpoint", json!({ "Id": id })).await;
    finding.saw(format!("again: {}", again.line()));
    Ok(())
}

/// Waits for the status of a stopped endpoint.
async fn see_stopped(bench: &Bench, id: &str, finding: &mut Finding) {
    let long = bench.patience.long;
    let look = async || bench.endpoint_status(id).await;
    let stopped = |status: &Option<EndpointStatus>| {
        status.as_ref().is_some_and(|status| *status != EndpointStatus::Running)
    };
    let (took, status) = bench.patience.until(long, look, stopped).await;
    let word = endpoint_field(bench, id, "Status").await;
    let word = word.as_ref().map_or("none".into(), shown);
    finding.saw(format!("Status {word} {}", after(took, long)));
    match status {
        Some(EndpointStatus::Stopped) => finding.follows(format!("{word} is read as stopped")),
        Some(EndpointStatus::Other(_)) => finding.follows(format!(
            "{word} is an unknown word; airgate takes it for stopped after its own StopEndpoint. Report it"
        )),
        _ => finding.follows("the list does not show that the endpoint is stopped: report it"),
    }
}
