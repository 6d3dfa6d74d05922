//! Probes 1, 10, 11, 20 and 21.

use std::collections::BTreeMap;

use secrecy::SecretString;
use serde_json::{Value, json};

use super::super::super::Failure;
use super::super::Bench;
use super::super::calls::{after, ark, billing, iam};
use super::super::state::Owed;
use super::super::transcript::{Finding, fields, shown};
use crate::volcengine::{ArkJob, ErrorKind, JobKind, JobPhase, LoginAccess};

/// The name of the throw-away IAM API key.
const API_KEY: &str = "airgate-probe";

/// Probe 1.
pub(super) async fn account(bench: &Bench, finding: &mut Finding) {
    let users = iam(&bench.api, "ListUsers", [("Limit", "100"), ("Offset", "0")]).await;
    let balance = billing(&bench.api, "QueryBalanceAcct", json!({})).await;
    finding.saw(users.line());
    finding.saw(balance.line());
    let first = users.list("UserMetadata").and_then(|list| list.first());
    let of_user = first.and_then(|user| user.get("AccountId")).and_then(number);
    let of_balance = balance.field("AccountID").and_then(number);
    finding.follows(match (of_user, of_balance) {
        (Some(one), Some(other)) if one == other => {
            "AccountId of users and AccountID of the balance are the same: it pins the account"
        }
        (Some(_), Some(_)) => "AccountId and AccountID differ: report it",
        _ => "one of the answers names no account",
    });
}

fn number(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.trim().to_owned()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// Probe 10, the half that changes nothing.
pub(super) async fn login(bench: &Bench, finding: &mut Finding) {
    let answer = iam(&bench.api, "GetLoginProfile", [("UserName", &bench.user)]).await;
    finding.saw(answer.line());
    if let Ok(result) = &answer.result {
        finding.saw(fields(result));
    }
    finding.follows(match bench.api.login_profile(&bench.user).await {
        Ok(LoginAccess::NoProfile) => "airgate reads this as a missing login profile",
        Ok(LoginAccess::Allowed | LoginAccess::Forbidden) => {
            "airgate reads this as a login profile. If the user has none, report it"
        }
        Err(_) => "airgate cannot read this: report it",
    });
}

/// Probe 11.
pub(super) async fn iam_keys(bench: &mut Bench, finding: &mut Finding) -> Result<(), Failure> {
    let user = bench.user.clone();
    match bench.api.iam_api_keys(&user).await {
        Ok(keys) if keys.iter().any(|key| key.name == API_KEY) => {
            finding.by_hand(format!(
                "the user has an IAM API key {API_KEY} that is not this probe's: delete it"
            ));
            return Ok(());
        }
        Ok(_) => {}
        Err(error) if error.is_no_such_action() => {
            finding.saw("ListApiKeys of IAM: InvalidActionOrVersion");
            finding
                .follows("the account has no IAM API keys: the path api_keys has nothing to close");
            return Ok(());
        }
        Err(error) => {
            finding.saw(format!("ListApiKeys of IAM: {}", error.explanation()));
            return Ok(());
        }
    }
    bench.journal.owe(Owed::IamApiKey { name: API_KEY.to_owned() })?;
    let answer = iam(&bench.api, "CreateApiKey", [("UserName", &user), ("Name", API_KEY)]).await;
    finding.saw(answer.line());
    let Ok(result) = &answer.result else { return Ok(()) };
    finding.saw(fields(result));
    let secret = result.pointer("/ApiKey/Secret").and_then(Value::as_str);
    let target = bench.endpoint.as_ref().or(bench.model.as_ref());
    let (Some(secret), Some(target)) = (secret, target) else {
        finding.saw("not tried on a model: no secret in the answer, or nothing to call");
        return Ok(());
    };
    let answer = bench.models.call(&SecretString::from(secret.to_owned()), target).await;
    finding.saw(format!("a call of {target} with it {}", answer.words()));
    finding.follows(match answer.works() {
        true => "IAM API keys open models: the path api_keys matters",
        false => "IAM API keys do not open models",
    });
    Ok(())
}

/// Probe 20.
pub(super) async fn job(bench: &mut Bench, finding: &mut Finding) -> Result<(), Failure> {
    let jobs = match bench.api.jobs_of(JobKind::Batch, &bench.project).await {
        Ok(jobs) => jobs,
        Err(error) => {
            finding.saw(format!("ListBatchInferenceJobs: {}", error.explanation()));
            return Ok(());
        }
    };
    let mut active = jobs.iter().filter(|job| job.phase == JobPhase::Active && !job.id.is_empty());
    let (Some(job), None) = (active.next(), active.next()) else {
        finding.by_hand("start one tiny batch job in the project (方舟控制台 → 批量推理), then run the probe again");
        return Ok(());
    };
    let id = job.id.clone();
    bench.journal.owe(Owed::ResumeJob { id: id.clone() })?;
    let stop = ark(&bench.api, "StopBatchInferenceJob", json!({ "Id": id })).await;
    finding.saw(stop.line());
    if !stop.worked() {
        return Ok(());
    }
    let phase = async |wanted: fn(&JobPhase) -> bool| {
        let look = async || bench.api.jobs_of(JobKind::Batch, &bench.project).await;
        let is = |list: &Result<Vec<ArkJob>, _>| {
            let list = list.as_ref().map(Vec::as_slice).unwrap_or_default();
            list.iter().any(|job| job.id == id && wanted(&job.phase))
        };
        bench.patience.until(bench.patience.long, look, is).await.0
    };
    let long = bench.patience.long;
    let ended = phase(|phase| *phase == JobPhase::Ended).await;
    finding.saw(format!("the job has ended {}", after(ended, long)));
    let resume = ark(&bench.api, "ResumeBatchInferenceJob", json!({ "Id": id })).await;
    finding.saw(format!("Id in the body: {}", resume.line()));
    if resume.is(&ErrorKind::BadInput) {
        finding.follows("Resume does not take Id from the body; airgate then tries the query");
        return Ok(());
    }
    let back = phase(|phase| *phase == JobPhase::Active).await;
    finding.saw(format!("the job is active again {}", after(back, long)));
    if ended.is_some() && back.is_some() {
        finding.follows("batch jobs stop and go on: stop_jobs = true is safe for them");
    }
    Ok(())
}

/// Probe 21.
pub(super) async fn pace(bench: &Bench, finding: &mut Finding) {
    let one = || async {
        let body = json!({"ProjectName": bench.project.as_str(), "PageNumber": 1, "PageSize": 10});
        ark(&bench.hasty, "ListEndpoints", body).await
    };
    let answers = futures::future::join_all((0..20).map(|_| one())).await;
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for answer in &answers {
        let status = answer.result.as_ref().err().and_then(|error| error.status());
        let status = status.map_or(json!(200), |status| json!(status));
        *counts.entry(format!("HTTP {} {}", shown(&status), answer.code())).or_default() += 1;
    }
    for (what, count) in &counts {
        finding.saw(format!("{count} of 20: {what}"));
    }
    let worked = answers.iter().filter(|answer| answer.worked()).count();
    finding.follows(match worked {
        20 => "20 reads at once are not throttled: volcengine.ark_qps may be raised".to_owned(),
        _ => format!("{worked} of 20 reads at once pass: keep volcengine.ark_qps at 2"),
    });
}
