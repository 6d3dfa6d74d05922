//! Preset endpoints, behind calls by Model ID (`docs/platforms/ark.md` §A.3).

use serde_json::{Value, json};

use super::super::context::Context;
use super::super::params::Params;
use super::super::refusal::{GatewayCode, Refusal, Reply, reply};
use super::common::{not_found, page, project, with_limits};
use crate::sandbox::world::{ArkRules, ContentLimits, Limits, Preset, RateLimit, RateLimitRule};

fn check_known(context: &Context<'_>) -> Result<(), Refusal> {
    context.rules.ark.has_preset_actions.then_some(()).ok_or_else(|| {
        Refusal::gateway(GatewayCode::InvalidActionOrVersion, "Could not find the operation.")
    })
}

fn wire(preset: &Preset) -> Value {
    json!({
        "Id": preset.id,
        "ModelId": preset.model.id(),
        "Name": preset.model.name,
        "ProjectName": preset.project,
        "Status": "Running",
    })
}

/// The limits after a change by `RateLimit` and `ContentGeneration`.
pub(super) fn new_limits(
    params: &Params,
    old: &Limits,
    rules: &ArkRules,
) -> Result<Limits, Refusal> {
    let mut new = *old;
    // -1 and an absent field: no limit of its own.
    let number = |fields: &Params, name: &str, old: Option<i64>| {
        let kept = if rules.limits_are_merged { old } else { None };
        let value = fields.int(name)?.or(kept).unwrap_or(-1);
        if value < -1 {
            return Err(fields.invalid(name, "is negative"));
        }
        Ok(value)
    };
    if let Some(fields) = params.object("RateLimit")? {
        fields.only(&["Rpm", "Tpm"])?;
        let rpm = number(&fields, "Rpm", old.rate.map(|rate| rate.rpm))?;
        let tpm = number(&fields, "Tpm", old.rate.map(|rate| rate.tpm))?;
        match rules.rate_limit {
            RateLimitRule::Refused => {
                return Err(params.invalid("RateLimit", "is not supported"));
            }
            RateLimitRule::Dropped => {}
            RateLimitRule::Obeyed | RateLimitRule::ZeroMeansNone => {
                new.rate = (rpm, tpm).ne(&(-1, -1)).then_some(RateLimit { rpm, tpm });
            }
        }
    }
    if let Some(fields) = params.object("ContentGeneration")? {
        fields.only(&["ConcurrentRequests", "CreateTaskRpm"])?;
        let concurrent =
            number(&fields, "ConcurrentRequests", old.content.map(|limits| limits.concurrent))?;
        let create_task_rpm =
            number(&fields, "CreateTaskRpm", old.content.map(|limits| limits.create_task_rpm))?;
        new.content = (concurrent, create_task_rpm)
            .ne(&(-1, -1))
            .then_some(ContentLimits { concurrent, create_task_rpm });
    }
    Ok(new)
}

pub(in super::super) fn list(context: &mut Context<'_>, params: &Params) -> Result<Reply, Refusal> {
    check_known(context)?;
    let project = project(params)?;
    let presets = context.account.ark.presets.values();
    let rows: Vec<&Preset> = presets.filter(|preset| preset.project == project).collect();
    page(params, rows, wire)
}

fn named<'a>(context: &'a mut Context<'_>, params: &Params) -> Result<&'a mut Preset, Refusal> {
    check_known(context)?;
    let id = params.required("Id")?;
    context.account.ark.presets.get_mut(&id).ok_or_else(|| not_found("ModelEndpoint", &id))
}

pub(in super::super) fn get(context: &mut Context<'_>, params: &Params) -> Result<Reply, Refusal> {
    let wrapped = context.rules.ark.detail_is_wrapped;
    let preset = named(context, params)?;
    let limits = preset.limits.read();
    let shown = with_limits(wire(preset), &limits);
    if wrapped { reply(&json!({"Endpoint": shown})) } else { reply(&shown) }
}

pub(in super::super) fn update(
    context: &mut Context<'_>,
    params: &Params,
) -> Result<Reply, Refusal> {
    params.only(&["Id", "RateLimit", "ContentGeneration"])?;
    let (lag, rules) = (context.rules.lag, context.rules.ark.clone());
    let preset = named(context, params)?;
    let limits = new_limits(params, preset.limits.get(), &rules)?;
    preset.limits.set(limits, lag);
    Ok(None)
}
