//! Batch inference and tuning jobs of 方舟 (docs/platforms/ark.md §A.5).

use super::{Opened, Path, Reading, Standing, Target};
use crate::access::failure::PathError;
use crate::domain::{AccessGoal, AccessItem, NotCovered, ProjectName};
use crate::volcengine::{ArkJob, JobKind, JobPhase};

pub(in crate::access) struct Jobs;

/// What an item keeps of a job's kind.
const TUNING: &str = "tuning";

impl Path for Jobs {
    // A job that is over cannot be stopped.
    const CLOSES_AGAIN: bool = false;

    async fn read(target: Target<'_>) -> Result<Reading, PathError> {
        let mut reading = Reading::default();
        for project in target.projects {
            for kind in JobKind::ALL {
                let read = target.api.jobs_of(kind, &project.name).await;
                for job in reading.keep(read).unwrap_or_default() {
                    let item = item(&job, &project.name);
                    let mine = target.has_all_of(project) || target.made(job.creator.as_ref());
                    if (mine || target.restores(&item))
                        && let Some(standing) = of(&job, &item, target)
                    {
                        reading.add(item, standing);
                    }
                }
            }
        }
        Ok(reading)
    }

    async fn close(target: Target<'_>, item: &AccessItem) -> Result<(), PathError> {
        Ok(target.api.stop_job(kind(item), &item.id).await?)
    }

    async fn open(target: Target<'_>, item: &AccessItem) -> Result<Opened, PathError> {
        match target.api.resume_job(kind(item), &item.id).await.map_err(PathError::from) {
            Ok(()) => Ok(Opened::Accepted),
            Err(error) if error.is_denied_now() || error.is_bad_input() => {
                ended(target, item, error).await
            }
            Err(error) => Err(error),
        }
    }
}

/// Says what became of a job that the cloud does not resume: it goes on already if an answer was lost, or has ended since. One
/// that is still being stopped can be resumed later.
async fn ended(
    target: Target<'_>,
    item: &AccessItem,
    refused: PathError,
) -> Result<Opened, PathError> {
    let Some(project) = &item.project else { return Ok(Opened::Gone) };
    let jobs = target.api.jobs_of(kind(item), project).await?;
    let job = jobs.iter().find(|job| job.id == item.id);
    match job.map(|job| &job.phase) {
        Some(JobPhase::Active) => Ok(Opened::Accepted),
        Some(JobPhase::Stopping | JobPhase::Other(_)) => Err(refused),
        Some(JobPhase::Ended) | None => Ok(Opened::Gone),
    }
}

fn item(job: &ArkJob, project: &ProjectName) -> AccessItem {
    let before = (job.kind == JobKind::Tuning).then(|| TUNING.to_owned());
    AccessItem { before, ..AccessItem::new(&job.id).named(&job.name).within(project) }
}

fn kind(item: &AccessItem) -> JobKind {
    match item.before.as_deref() {
        Some(TUNING) => JobKind::Tuning,
        _ => JobKind::Batch,
    }
}

/// Returns how a job stands; `None` for one that is over and was not stopped by airgate.
fn of(job: &ArkJob, item: &AccessItem, target: Target<'_>) -> Option<Standing> {
    let restored = target.goal == AccessGoal::Restored && target.taken.contains(&item.id);
    match &job.phase {
        JobPhase::Active | JobPhase::Other(_) => {
            let can_go_on = job.kind == JobKind::Batch || job.resumable == Some(true);
            Some(match can_go_on || target.goal == AccessGoal::Restored {
                true => Standing::Open,
                false => Standing::NotCovered(NotCovered::CannotStop),
            })
        }
        // A job that was resumed may be over by now.
        JobPhase::Ended | JobPhase::Stopping if restored => Some(Standing::Open),
        JobPhase::Stopping => Some(Standing::Closed),
        JobPhase::Ended => target.knows(item).then_some(Standing::Closed),
    }
}
