//! Probe 5: whether temporary keys outlive the access key that made them. Also the living half of probe 6.

use secrecy::SecretString;
use serde_json::{Value, json};

use super::super::super::Failure;
use super::super::Bench;
use super::super::calls::{Answer, ModelAnswer, after, ark};
use super::super::state::Owed;
use super::super::transcript::Finding;
use super::user::{Signer, list, signer};
use crate::volcengine::KeyStatus;

/// How long the temporary key lives, in seconds.
const LIFE: i64 = 900;

pub(super) async fn run(bench: &mut Bench, finding: &mut Finding) -> Result<(), Failure> {
    let Some(endpoint) = bench.endpoint.clone() else {
        finding.by_hand(
            "make one endpoint of a cheap text model in the project, then run the probe again",
        );
        return Ok(());
    };
    let Some(Signer { api, key_id }) = signer(bench, finding).await? else { return Ok(()) };
    let body = json!({"DurationSeconds": LIFE, "ResourceType": "endpoint", "ResourceIds": [endpoint],
        "ProjectName": bench.project.as_str()});
    let answer = ark(&api, "GetApiKey", body).await;
    finding.saw(format!("{} ({LIFE} s)", answer.line()));
    let Some(key) = answer.field("ApiKey").and_then(Value::as_str) else { return Ok(()) };
    let key = SecretString::from(key.to_owned());
    let long = bench.patience.long;
    let call = async || bench.models.call(&key, &endpoint).await;
    let (took, first) = bench.patience.until(long, call, ModelAnswer::works).await;
    finding.saw(format!("a call with it {}", first.words()));
    if took.is_none() {
        return Ok(());
    }
    if let Err(error) = bench.api.update_access_key(&bench.user, &key_id, KeyStatus::Inactive).await
    {
        finding.saw(format!("UpdateAccessKey inactive: {}", error.explanation()));
        return Ok(());
    }
    let signed = async || list(bench, &api).await;
    let (took, last) = bench.patience.until(long, signed, |answer: &Answer| !answer.worked()).await;
    finding.saw(format!("access key off; signed calls end {}: {}", after(took, long), last.line()));
    let call = async || bench.models.call(&key, &endpoint).await;
    // A refusal may come late as well.
    let short = bench.patience.short;
    let (_, after_off) = bench.patience.until(short, call, ModelAnswer::is_refused).await;
    finding.saw(format!("a call with the temporary key {}", after_off.words()));
    finding.follows(match after_off {
        ModelAnswer::Works => {
            "temporary keys outlive the access key: only a stopped endpoint ends them. Keep access.models at \"own\" or \
             \"linked\", and deny ark:GetApiKey to users"
        }
        ModelAnswer::Refused(..) => "temporary keys end with the access key",
        ModelAnswer::Unclear(_) => "whether temporary keys outlive the access key was not seen",
    });
    if let Some(answer) = bench.call_model(&endpoint).await {
        finding.saw(format!("a call with the project's API key {}", answer.words()));
    }
    bench.journal.owe(Owed::StartEndpoint { id: endpoint.clone() })?;
    let stop = ark(&bench.api, "StopEndpoint", json!({ "Id": endpoint })).await;
    finding.saw(stop.line());
    let call = async || bench.models.call(&key, &endpoint).await;
    let (took, last) = bench.patience.until(long, call, ModelAnswer::is_refused).await;
    finding.saw(format!("a call with the temporary key {} {}", last.words(), after(took, long)));
    if took.is_some() && after_off.works() {
        finding.follows("stopping the endpoint ends the temporary key");
    }
    Ok(())
}
