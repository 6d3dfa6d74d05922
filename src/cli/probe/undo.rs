//! Undoes what a probe has changed. Everything here can be done twice, and is done although nothing may have been changed: a
//! list that is late must not count as a proof that nothing was.

use serde_json::{Map, Value, json};

use super::super::Failure;
use super::Bench;
use super::calls::{Answer, ark, iam};
use super::state::Owed;
use crate::domain::PolicyKind;
use crate::volcengine::{EndpointStatus, ErrorKind, KeyStatus, PresetLimits};

/// What an undo came to.
pub(super) struct Undone {
    /// One line per thing.
    pub(super) lines: Vec<String>,
    /// What a person has to do, for things that could not be undone.
    pub(super) by_hand: Vec<String>,
}

/// Undoes all that is owed, the last first.
pub(super) async fn settle(bench: &mut Bench) -> Result<Undone, Failure> {
    let mut undone = Undone { lines: Vec::new(), by_hand: Vec::new() };
    for owed in bench.journal.saved().owed.clone().into_iter().rev() {
        match undo(bench, &owed).await {
            Ok(line) => {
                bench.journal.paid(&owed)?;
                undone.lines.push(format!("undone: {line}"));
            }
            Err(why) => {
                undone.lines.push(format!("NOT undone: {why}"));
                undone.by_hand.push(owed.by_hand(&bench.user));
            }
        }
    }
    Ok(undone)
}

/// Undoes one thing; the error says what was answered instead.
async fn undo(bench: &Bench, owed: &Owed) -> Result<String, String> {
    let api = &bench.api;
    let user = bench.user.as_str();
    match owed {
        Owed::StartEndpoint { id } => start_endpoint(bench, id).await,
        Owed::SwitchKeyOn { id, sid, body, fields } => {
            let answer = ark(api, "UpdateApiKey", body.clone()).await;
            if answer.is(&ErrorKind::NotFound) {
                return Ok(format!("the API key {sid} is gone"));
            }
            if answer.may_come() {
                return Err(answer.line());
            }
            let look = async || key_fields(bench, *id).await;
            let same = |found: &Option<Map<String, Value>>| found.as_ref() == Some(fields);
            let (took, _) = bench.patience.until(bench.patience.long, look, same).await;
            took.map(|_| format!("the API key {sid} is as it was")).ok_or_else(|| answer.line())
        }
        Owed::PresetLimits { id, limits } => {
            let saved: PresetLimits = limits.parse().map_err(|_| "limits as saved".to_owned())?;
            let set = api.set_preset_limits(id, &saved).await;
            let look = async || api.preset_limits(id).await;
            let same = |now: &Result<PresetLimits, _>| now.as_ref().is_ok_and(|now| *now == saved);
            let (took, _) = bench.patience.until(bench.patience.long, look, same).await;
            match (took, set) {
                (Some(_), _) => Ok(format!("the limits of {id} are as they were")),
                (None, Err(error)) if error.is_not_found() => Ok(format!("{id} is gone")),
                (None, _) => Err(format!("the limits of {id} are not as they were")),
            }
        }
        Owed::EndpointLimits { id, limits } => {
            let body = json!({"Id": id, "RateLimit": limits});
            let answer = ark(api, "UpdateEndpoint", body).await;
            if answer.is(&ErrorKind::NotFound) {
                return Ok(format!("{id} is gone"));
            }
            let look = async || endpoint_field(bench, id, "RateLimit").await;
            let same = |now: &Option<Value>| now.as_ref() == Some(limits);
            let (took, _) = bench.patience.until(bench.patience.long, look, same).await;
            took.map(|_| format!("the limits of {id} are as they were"))
                .ok_or_else(|| answer.line())
        }
        Owed::AccessKeysBut { before } => {
            let keys = api.list_access_keys(user).await.map_err(|error| error.explanation())?;
            let new = keys.iter().filter(|key| !before.contains(&key.id) && !key.id.is_empty());
            let mut deleted = 0;
            for key in new {
                delete_access_key(bench, &key.id).await?;
                deleted += 1;
            }
            Ok(format!("{deleted} access keys that {user} did not have before are deleted"))
        }
        Owed::AccessKey { id } => {
            delete_access_key(bench, id).await?;
            Ok(format!("the access key of {user} is deleted"))
        }
        Owed::Policy { name, custom, project } => {
            detach(bench, name, *custom, project.as_deref()).await
        }
        Owed::DeletePolicy { name } => {
            let answer = iam(api, "DeletePolicy", [("PolicyName", name)]).await;
            if answer.worked() || answer.is(&ErrorKind::NotFound) {
                return Ok(format!("the policy {name} is deleted"));
            }
            Err(answer.line())
        }
        Owed::IamApiKey { name } => delete_api_keys(bench, name).await,
        Owed::ResumeJob { id } => {
            let done = api.resume_job(crate::volcengine::JobKind::Batch, id).await;
            match done {
                Ok(()) => Ok(format!("the batch job {id} goes on")),
                // It runs, or is over.
                Err(error) if *error.kind() == ErrorKind::OperationDenied => {
                    Ok(format!("the batch job {id} needs nothing"))
                }
                Err(error) if error.is_not_found() => Ok(format!("the batch job {id} is gone")),
                Err(error) => Err(error.explanation()),
            }
        }
    }
}

async fn start_endpoint(bench: &Bench, id: &str) -> Result<String, String> {
    let answer = ark(&bench.api, "StartEndpoint", json!({ "Id": id })).await;
    if answer.is(&ErrorKind::NotFound) {
        return Ok(format!("the endpoint {id} is gone"));
    }
    // Refused: it runs already.
    if !answer.worked() && !answer.is(&ErrorKind::OperationDenied) {
        return Err(answer.line());
    }
    let look = async || bench.endpoint_status(id).await;
    let runs = |status: &Option<EndpointStatus>| *status == Some(EndpointStatus::Running);
    let (took, _) = bench.patience.until(bench.patience.long, look, runs).await;
    took.map(|_| format!("the endpoint {id} runs")).ok_or_else(|| answer.line())
}

async fn delete_access_key(bench: &Bench, id: &str) -> Result<(), String> {
    let (api, user) = (&bench.api, bench.user.as_str());
    // An active key cannot be deleted.
    match api.update_access_key(user, id, KeyStatus::Inactive).await {
        Err(error) if error.is_not_found() => return Ok(()),
        Err(error) => return Err(error.explanation()),
        Ok(()) => {}
    }
    let delete = async || api.delete_access_key(user, id).await;
    let gone = |answer: &Result<(), crate::volcengine::Error>| match answer {
        Ok(()) => true,
        Err(error) => error.is_not_found(),
    };
    let (took, answer) = bench.patience.until(bench.patience.long, delete, gone).await;
    match (took, answer) {
        (None, Err(error)) => Err(error.explanation()),
        _ => Ok(()),
    }
}

async fn detach(
    bench: &Bench,
    name: &str,
    custom: bool,
    project: Option<&str>,
) -> Result<String, String> {
    let answer = bench.policy_call(false, name, custom, project).await;
    let kind = if custom { PolicyKind::Custom } else { PolicyKind::System };
    let look = async || bench.api.attached_policies(&bench.user).await;
    let holds = |held: &crate::domain::HeldPolicy| {
        let scope = match &held.scope {
            crate::domain::PolicyScope::Global => None,
            crate::domain::PolicyScope::Project(name) => Some(name.as_str()),
        };
        held.name == name && held.kind == kind && scope == project
    };
    let gone = |list: &Result<Vec<_>, crate::volcengine::Error>| match list {
        Ok(list) => !list.iter().any(holds),
        // The user.
        Err(error) => error.is_not_found(),
    };
    let (took, _) = bench.patience.until(bench.patience.long, look, gone).await;
    took.map(|_| format!("the policy {name} is detached")).ok_or_else(|| answer.line())
}

async fn delete_api_keys(bench: &Bench, name: &str) -> Result<String, String> {
    let (api, user) = (&bench.api, bench.user.as_str());
    let keys = match api.iam_api_keys(user).await {
        Ok(keys) => keys,
        Err(error) if error.is_not_found() || error.is_no_such_action() => Vec::new(),
        Err(error) => return Err(error.explanation()),
    };
    for key in keys.iter().filter(|key| key.name == name) {
        let query = [("UserName", user), ("Id", key.id.as_str())];
        let answer: Answer = iam(api, "DeleteApiKey", query).await;
        if !answer.worked() && !answer.is(&ErrorKind::NotFound) {
            return Err(answer.line());
        }
    }
    Ok(format!("no IAM API key {name} is left"))
}

/// Returns the fields of a key in the list that may say whether it works.
pub(super) async fn key_fields(bench: &Bench, id: i64) -> Option<Map<String, Value>> {
    let item = bench.raw_key(id).await.ok().flatten()?;
    let named = |name: &&str| item.get(*name).map(|value| ((*name).to_owned(), value.clone()));
    Some(["Status", "Disable", "Disabled"].iter().filter_map(named).collect())
}

/// Returns a field of an endpoint as the list shows it.
pub(super) async fn endpoint_field(bench: &Bench, id: &str, field: &str) -> Option<Value> {
    let answer = ark(&bench.api, "GetEndpoint", json!({ "Id": id })).await;
    answer.field(field).cloned()
}
