//! Batch and tuning jobs (`docs/platforms/ark.md` §A.5).

use serde_json::{Value, json};

use super::super::context::Context;
use super::super::params::Params;
use super::super::refusal::{Refusal, Reply, reply};
use super::common::{Filter, denied, not_found, page, project, tags, time};
use crate::sandbox::world::{Job, JobKind, Phase};

fn wire(job: &Job, phase: Phase) -> Value {
    let mut status = json!({
        "Phase": phase.as_str(),
        "PhaseTime": time(job.created),
        "Message": "",
    });
    if let (JobKind::Tuning, Some(fields)) = (job.kind, status.as_object_mut()) {
        fields.insert("Resumable".to_owned(), job.resumable.into());
    }
    json!({
        "Id": job.id,
        "Name": job.name,
        "ProjectName": job.project,
        "Status": status,
        "RequestCounts": {"Total": 1_000, "Completed": 120, "Failed": 0},
        "CompletionWindow": "1d",
        "CreateTime": time(job.created),
        "Tags": tags(job.creator.as_ref()),
    })
}

fn list(context: &mut Context<'_>, params: &Params, kind: JobKind) -> Result<Reply, Refusal> {
    let project = project(params)?;
    let filter = Filter::read(params, "Phases")?;
    let jobs = context.account.ark.jobs.values_mut();
    let rows: Vec<(&Job, Phase)> = jobs
        .filter(|job| job.project == project && job.kind == kind)
        .map(|job| {
            let phase = job.phase.read();
            (&*job, phase)
        })
        .filter(|(job, phase)| {
            filter.passes(&job.id, &job.name, phase.as_str(), job.creator.as_ref())
        })
        .collect();
    page(params, rows, |(job, phase)| wire(job, phase))
}

fn named<'a>(
    context: &'a mut Context<'_>,
    id: &str,
    kind: JobKind,
) -> Result<&'a mut Job, Refusal> {
    let job = context.account.ark.jobs.get_mut(id).filter(|job| job.kind == kind);
    job.ok_or_else(|| not_found("Job", id))
}

/// A stopped job shows as `Terminating` for at least one read.
fn stop(context: &mut Context<'_>, params: &Params, kind: JobKind) -> Result<Reply, Refusal> {
    let reads = context.rules.lag.max(1);
    let job = named(context, &params.required("Id")?, kind)?;
    if !job.phase.get().can_stop() {
        return Err(denied("InvalidState", format!("The job {} has ended.", job.id)));
    }
    job.phase.pass(Phase::Terminating, Phase::Terminated, reads);
    Ok(None)
}

fn resume(context: &mut Context<'_>, params: &Params, kind: JobKind) -> Result<Reply, Refusal> {
    let lag = context.rules.lag;
    let id = if context.rules.ark.resume_takes_the_query {
        params.in_query("Id").ok_or_else(|| params.missing("Id"))?
    } else {
        params.required("Id")?
    };
    let job = named(context, &id, kind)?;
    if *job.phase.get() != Phase::Terminated || !job.resumable {
        return Err(denied("InvalidState", format!("The job {id} cannot be resumed.")));
    }
    job.phase.set(Phase::Running, lag);
    reply(&json!({"Id": id}))
}

pub(in super::super) fn list_batch(
    context: &mut Context<'_>,
    params: &Params,
) -> Result<Reply, Refusal> {
    list(context, params, JobKind::Batch)
}

pub(in super::super) fn stop_batch(
    context: &mut Context<'_>,
    params: &Params,
) -> Result<Reply, Refusal> {
    stop(context, params, JobKind::Batch)
}

pub(in super::super) fn resume_batch(
    context: &mut Context<'_>,
    params: &Params,
) -> Result<Reply, Refusal> {
    resume(context, params, JobKind::Batch)
}

pub(in super::super) fn list_tuning(
    context: &mut Context<'_>,
    params: &Params,
) -> Result<Reply, Refusal> {
    list(context, params, JobKind::Tuning)
}

pub(in super::super) fn terminate_tuning(
    context: &mut Context<'_>,
    params: &Params,
) -> Result<Reply, Refusal> {
    stop(context, params, JobKind::Tuning)
}

pub(in super::super) fn resume_tuning(
    context: &mut Context<'_>,
    params: &Params,
) -> Result<Reply, Refusal> {
    resume(context, params, JobKind::Tuning)
}
