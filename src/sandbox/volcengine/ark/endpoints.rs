//! Inference endpoints (`docs/platforms/ark.md` §A.2).

use serde_json::{Value, json};

use super::super::context::Context;
use super::super::params::Params;
use super::super::refusal::{Refusal, Reply, reply};
use super::common::{Filter, denied, not_found, page, project, tags, time, with_limits};
use super::presets::new_limits;
use crate::sandbox::world::{ArkRules, Endpoint, EndpointStatus};

fn status_text(status: EndpointStatus, rules: &ArkRules) -> &'static str {
    match status {
        EndpointStatus::Running => rules.running_text,
        EndpointStatus::Pending => "Pending",
        EndpointStatus::Stopped => rules.stopped_text,
        EndpointStatus::Other(text) => text,
    }
}

fn wire(endpoint: &Endpoint, status: &str) -> Value {
    let shown = json!({
        "Id": endpoint.id,
        "Name": endpoint.name,
        "Description": "",
        "ProjectName": endpoint.project,
        "EndpointModelType": "FoundationModel",
        "ModelReference": {"FoundationModel": {
            "Name": endpoint.model.name,
            "ModelVersion": endpoint.model.version,
        }},
        "ModelUnitId": endpoint.model_unit,
        "Status": status,
        "StatusReason": "",
        "SupportRolling": true,
        "RollingId": "",
        "Tags": tags(endpoint.creator.as_ref()),
        "CreateTime": time(endpoint.created),
        "UpdateTime": time(endpoint.updated),
    });
    with_limits(shown, &endpoint.limits)
}

pub(in super::super) fn list(context: &mut Context<'_>, params: &Params) -> Result<Reply, Refusal> {
    let project = project(params)?;
    let filter = Filter::read(params, "Statuses")?;
    let rules = &context.rules.ark;
    let endpoints = context.account.ark.endpoints.values_mut();
    let rows: Vec<(&Endpoint, &str)> = endpoints
        .filter(|endpoint| endpoint.project == project)
        .map(|endpoint| {
            let status = status_text(endpoint.status.read(), rules);
            (&*endpoint, status)
        })
        .filter(|(e, status)| filter.passes(&e.id, &e.name, status, e.creator.as_ref()))
        .collect();
    page(params, rows, |(endpoint, status)| wire(endpoint, status))
}

/// The endpoint of `Id`. A preset endpoint is none.
fn named<'a>(context: &'a mut Context<'_>, params: &Params) -> Result<&'a mut Endpoint, Refusal> {
    let id = params.required("Id")?;
    if context.account.ark.presets.contains_key(&id) {
        return Err(denied("UnsupportedEndpoint", format!("The endpoint {id} is preset.")));
    }
    context.account.ark.endpoints.get_mut(&id).ok_or_else(|| not_found("Endpoint", &id))
}

/// The answer has no wrapper around the endpoint.
pub(in super::super) fn get(context: &mut Context<'_>, params: &Params) -> Result<Reply, Refusal> {
    let rules = context.rules.ark.clone();
    let endpoint = named(context, params)?;
    let status = status_text(endpoint.status.read(), &rules);
    reply(&wire(endpoint, status))
}

fn turn(
    context: &mut Context<'_>,
    params: &Params,
    wanted: EndpointStatus,
) -> Result<Reply, Refusal> {
    let (now, lag) = (context.now, context.rules.lag);
    let strict = context.rules.ark.repeats_are_refused;
    let endpoint = named(context, params)?;
    if strict && *endpoint.status.get() == wanted {
        return Err(denied("InvalidState", format!("The endpoint {} is so already.", endpoint.id)));
    }
    endpoint.status.set(wanted, lag);
    endpoint.updated = now;
    Ok(None)
}

pub(in super::super) fn stop(context: &mut Context<'_>, params: &Params) -> Result<Reply, Refusal> {
    turn(context, params, EndpointStatus::Stopped)
}

pub(in super::super) fn start(
    context: &mut Context<'_>,
    params: &Params,
) -> Result<Reply, Refusal> {
    turn(context, params, EndpointStatus::Running)
}

pub(in super::super) fn update(
    context: &mut Context<'_>,
    params: &Params,
) -> Result<Reply, Refusal> {
    params.only(&["Id", "Name", "Description", "RateLimit", "ContentGeneration"])?;
    let (now, rules) = (context.now, context.rules.ark.clone());
    let name = params.text("Name")?;
    let endpoint = named(context, params)?;
    endpoint.limits = new_limits(params, &endpoint.limits, &rules)?;
    if let Some(name) = name {
        endpoint.name = name;
    }
    endpoint.updated = now;
    Ok(None)
}
