//! Inference endpoints of 方舟 (docs/platforms/ark.md §A.2).

use super::{Opened, Path, Reading, Standing, Target};
use crate::access::failure::PathError;
use crate::app::access::TiedProject;
use crate::domain::{AccessGoal, AccessItem, NotCovered};
use crate::volcengine::{ArkEndpoint, EndpointStatus};

pub(in crate::access) struct Endpoints;

impl Path for Endpoints {
    async fn read(target: Target<'_>) -> Result<Reading, PathError> {
        let mut reading = Reading::default();
        for project in target.projects {
            if let Some(endpoints) = {
                let read = target.api.endpoints(&project.name).await;
                reading.keep(read)
            } {
                add(target, project, endpoints, &mut reading);
            }
        }
        Ok(reading)
    }

    async fn close(target: Target<'_>, item: &AccessItem) -> Result<(), PathError> {
        match target.api.stop_endpoint(&item.id).await.map_err(PathError::from) {
            // A stop whose answer was lost: before it, the endpoint was in another state.
            Err(error) if error.is_denied_now() && target.has_changed(item) => Ok(()),
            stopped => Ok(stopped?),
        }
    }

    async fn open(target: Target<'_>, item: &AccessItem) -> Result<Opened, PathError> {
        target.api.start_endpoint(&item.id).await?;
        Ok(Opened::Accepted)
    }
}

impl Target<'_> {
    /// Returns whether an endpoint was in another state, one that the cloud names in a known way, when the cut began.
    fn has_changed(&self, item: &AccessItem) -> bool {
        let before = self.known.iter().find(|known| known.is_same(item));
        item.before.is_some() && before.is_some_and(|before| before.before.is_none())
    }
}

fn add(
    target: Target<'_>,
    project: &TiedProject,
    endpoints: Vec<ArkEndpoint>,
    reading: &mut Reading,
) {
    let mut others = false;
    for endpoint in endpoints {
        let before = match &endpoint.status {
            EndpointStatus::Other(word) => Some(word.clone()),
            EndpointStatus::Running | EndpointStatus::Stopped => None,
        };
        let item = AccessItem::new(&endpoint.id).named(&endpoint.name).within(&project.name);
        let item = AccessItem { before, ..item };
        let mine = target.has_all_of(project) || target.made(endpoint.creator.as_ref());
        if mine || target.restores(&item) {
            let standing = of(&endpoint, &item, target);
            reading.add(item, standing);
        } else {
            others |= endpoint.status != EndpointStatus::Stopped;
        }
    }
    if others {
        reading.add_shared(project);
    }
}

fn of(endpoint: &ArkEndpoint, item: &AccessItem, target: Target<'_>) -> Standing {
    let stopped = match endpoint.status {
        EndpointStatus::Running => false,
        EndpointStatus::Stopped => true,
        // It may still be stopping: only what it was before the cut counts, or that it was started and has failed.
        EndpointStatus::Other(_) if target.goal == AccessGoal::Restored => {
            let has_failed = endpoint.status.has_failed() && target.taken.contains(&item.id);
            let is_as_before =
                |known: &AccessItem| known.is_same(item) && known.before == item.before;
            !has_failed && !target.known.iter().any(is_as_before)
        }
        // How a stopped endpoint is spelt is in no source: any other word after a stop that was accepted.
        EndpointStatus::Other(_) => target.taken.contains(&item.id),
    };
    match stopped {
        false => Standing::Open,
        // It costs money by the hour whether it is called or not.
        true if endpoint.model_unit => Standing::NotCovered(NotCovered::CannotStop),
        true => Standing::Closed,
    }
}
