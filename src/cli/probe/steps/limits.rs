//! Probe 7: whether limits of 0 stop text.

use serde_json::{Value, json};

use super::super::super::Failure;
use super::super::Bench;
use super::super::calls::{ModelAnswer, after, ark};
use super::super::state::Owed;
use super::super::transcript::{Finding, fields};
use super::super::undo::endpoint_field;
use crate::volcengine::{ErrorKind, PresetEndpoint};

pub(super) async fn run(bench: &mut Bench, finding: &mut Finding) -> Result<(), Failure> {
    preset(bench, finding).await?;
    own(bench, finding).await
}

/// By Model ID.
async fn preset(bench: &mut Bench, finding: &mut Finding) -> Result<(), Failure> {
    let Some(model) = bench.model.clone() else {
        finding.by_hand("name a Model ID of a cheap text model with --model");
        return Ok(());
    };
    if let Some(answer) = bench.call_model(&model).await {
        finding.saw(format!("a call by Model ID {}", answer.words()));
        if answer
            == ModelAnswer::Refused(404, "InvalidEndpointOrModel.ModelIDAccessDisabled".into())
        {
            finding.follows("this account may not use Model IDs: nothing to close");
            return Ok(());
        }
    }
    let found = async || bench.api.preset_endpoints(&bench.project).await;
    let is_there = |list: &Result<Vec<PresetEndpoint>, _>| match list {
        Ok(list) => list.iter().any(|preset| is_of(preset, &model)),
        Err(_) => true,
    };
    let (_, list) = bench.patience.until(bench.patience.short, found, is_there).await;
    let list = match list {
        Ok(list) => list,
        Err(error) => {
            finding.saw(format!(
                "InnerDescribeModelEndpoints: {}",
                error.code().map_or_else(|| error.explanation(), super::super::transcript::plain)
            ));
            finding.follows("preset endpoints cannot be limited by API: only the project's keys stop calls by Model ID");
            return Ok(());
        }
    };
    let Some(id) = list.iter().find(|preset| is_of(preset, &model)).map(|it| it.id.clone()) else {
        finding.saw(format!(
            "InnerDescribeModelEndpoints lists {} and none of this model",
            list.len()
        ));
        return Ok(());
    };
    let saved = match bench.api.preset_limits(&id).await {
        Ok(limits) => limits,
        Err(error) => {
            finding.saw(format!("the limits cannot be read: {}", error.explanation()));
            return Ok(());
        }
    };
    let detail = ark(&bench.api, "InnerDescribeModelEndpointDetail", json!({ "Id": id })).await;
    if let Ok(result) = &detail.result {
        finding.saw(format!("InnerDescribeModelEndpointDetail: {}", fields(result)));
    }
    bench.journal.owe(Owed::PresetLimits { id: id.clone(), limits: saved.to_string() })?;
    let zero = json!({"Id": id, "RateLimit": {"Rpm": 0, "Tpm": 0}});
    let answer = ark(&bench.api, "InnerUpdateModelEndpoint", zero).await;
    finding.saw(format!("RateLimit 0, 0: {}", answer.line()));
    if !answer.worked() {
        finding.follows(match answer.is(&ErrorKind::BadInput) || answer.is_console_only() {
            true => "text by Model ID cannot be limited: only the project's keys stop it (access.model_keys)",
            false => "no clear answer: run the probe again",
        });
        return Ok(());
    }
    let most = bench.patience.short;
    let look = async || bench.api.preset_limits(&id).await;
    let (shown, _) = {
        let zero = |limits: &Result<crate::volcengine::PresetLimits, _>| {
            limits.as_ref().is_ok_and(|limits| limits.text_is_zero())
        };
        bench.patience.until(most, look, zero).await
    };
    finding.saw(format!("the detail shows 0 {}", after(shown, most)));
    let refused = zero_ends_calls(bench, &model, finding).await;
    finding.follows(match (shown, refused) {
        (Some(_), Some(true)) => "limits of 0 stop text by Model ID: preset_endpoints closes it",
        (Some(_), Some(false)) => {
            "limits of 0 are shown and calls go on: preset_endpoints does not close text. Use access.model_keys"
        }
        (None, _) => "the limit is accepted and not applied: text by Model ID is stopped by keys only (access.model_keys)",
        (Some(_), None) => "limits of 0 are shown; whether calls end was not seen",
    });
    let one = json!({"Id": id, "RateLimit": {"Rpm": 1, "Tpm": 1}});
    let answer = ark(&bench.api, "InnerUpdateModelEndpoint", one).await;
    finding.saw(format!("RateLimit 1, 1: {}", answer.line()));
    Ok(())
}

fn is_of(preset: &PresetEndpoint, model: &str) -> bool {
    !preset.id.is_empty()
        && (preset.model == model || model.starts_with(&format!("{}-", preset.model)))
}

/// By endpoint.
async fn own(bench: &mut Bench, finding: &mut Finding) -> Result<(), Failure> {
    let Some(id) = bench.endpoint.clone() else { return Ok(()) };
    let Some(saved) = endpoint_field(bench, &id, "RateLimit").await.filter(Value::is_object) else {
        finding.saw("the endpoint shows no RateLimit, so that it could not be put back: not tried");
        return Ok(());
    };
    bench.journal.owe(Owed::EndpointLimits { id: id.clone(), limits: saved })?;
    for limit in [0, 1] {
        let body = json!({"Id": id, "RateLimit": {"Rpm": limit, "Tpm": limit}});
        let answer = ark(&bench.api, "UpdateEndpoint", body).await;
        finding.saw(format!("RateLimit {limit}, {limit} of the endpoint: {}", answer.line()));
        if !answer.worked() {
            return Ok(());
        }
        if limit == 0 {
            zero_ends_calls(bench, &id, finding).await;
        }
    }
    Ok(())
}

/// Returns whether calls end; `None` if it cannot be seen.
async fn zero_ends_calls(bench: &Bench, model: &str, finding: &mut Finding) -> Option<bool> {
    bench.key.as_ref()?;
    let most = bench.patience.short;
    let call = async || bench.call_model(model).await;
    let refused = |answer: &Option<ModelAnswer>| answer.as_ref().is_some_and(|it| it.is_refused());
    let (took, answer) = bench.patience.until(most, call, refused).await;
    let words = answer.map_or_else(String::new, |answer| answer.words());
    finding.saw(format!("a call {words} ({})", after(took, most)));
    Some(took.is_some())
}
