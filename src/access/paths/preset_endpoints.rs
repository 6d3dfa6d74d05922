//! Preset endpoints of 方舟: the hidden ones behind calls by Model ID, which cannot be stopped but limited to nothing
//! (docs/platforms/ark.md §A.3).

use super::{Opened, Path, Reading, Standing, Target};
use crate::access::failure::PathError;
use crate::app::access::TiedProject;
use crate::domain::{AccessGoal, AccessItem, NotCovered, ProjectName};
use crate::volcengine::{PresetEndpoint, PresetLimits};

pub(in crate::access) struct PresetEndpoints;

impl Path for PresetEndpoints {
    async fn read(target: Target<'_>) -> Result<Reading, PathError> {
        let mut reading = Reading::default();
        for project in target.projects {
            let listed = match target.has_all_of(project) {
                true => {
                    let read = target.api.preset_endpoints(&project.name).await;
                    reading.keep(read).unwrap_or_default()
                }
                false => {
                    // Others call models there, and nothing tells whose call it is.
                    reading.add_shared(project);
                    match target.goal {
                        AccessGoal::Cut => Vec::new(),
                        AccessGoal::Restored => remembered(project, target),
                    }
                }
            };
            for preset in listed {
                one(preset, &project.name, target, &mut reading).await;
            }
        }
        Ok(reading)
    }

    async fn close(target: Target<'_>, item: &AccessItem) -> Result<(), PathError> {
        Ok(target.api.set_preset_limits(&item.id, &PresetLimits::zero()).await?)
    }

    async fn open(target: Target<'_>, item: &AccessItem) -> Result<Opened, PathError> {
        let saved = item.before.as_deref().unwrap_or("{}");
        let limits: PresetLimits = saved.parse().map_err(|_| PathError::NotApplied)?;
        target.api.set_preset_limits(&item.id, &limits).await?;
        Ok(Opened::Accepted)
    }
}

impl PresetEndpoints {
    /// Reads the limits of one preset endpoint, in turn: two calls, however many there are.
    pub(in crate::access) async fn read_one(
        target: Target<'_>,
        turn: usize,
    ) -> Result<Reading, PathError> {
        let mut reading = Reading::default();
        for project in target.projects {
            if !target.has_all_of(project) {
                reading.add_shared(project);
                continue;
            }
            let read = target.api.preset_endpoints(&project.name).await;
            let listed = reading.keep(read).unwrap_or_default();
            let unknown = |preset: &&PresetEndpoint| !target.taken.contains(&preset.id);
            // Every other time one that the cut has not closed: it may be new.
            let new: Vec<_> = listed.iter().filter(unknown).cloned().collect();
            let pool = if turn.is_multiple_of(2) && !new.is_empty() { &new } else { &listed };
            let chosen = turn.checked_rem(pool.len()).and_then(|n| pool.get(n).cloned());
            if let Some(chosen) = chosen {
                one(chosen, &project.name, target, &mut reading).await;
            }
        }
        Ok(reading)
    }
}

/// Returns those that a restore opens in a project that has become shared since.
fn remembered(project: &TiedProject, target: Target<'_>) -> Vec<PresetEndpoint> {
    let known = target.known.iter().filter(|item| item.project.as_ref() == Some(&project.name));
    let preset = |item: &AccessItem| PresetEndpoint {
        id: item.id.clone(),
        model: item.name.clone(),
        limits: None,
    };
    known.map(preset).collect()
}

async fn one(
    preset: PresetEndpoint,
    project: &ProjectName,
    target: Target<'_>,
    reading: &mut Reading,
) {
    let item = AccessItem::new(&preset.id).named(preset.model).within(project);
    let limits = match target.api.preset_limits(&preset.id).await {
        Ok(limits) => limits,
        Err(error) if error.is_no_such_action() => {
            reading.add(item, Standing::NotCovered(NotCovered::NoSuchAction));
            return;
        }
        Err(error) if error.is_not_found() => return,
        Err(error) => {
            reading.failures.push(error.into());
            return;
        }
    };
    let stands = match (limits.content_is_zero(), limits.text_is_zero()) {
        (true, true) => Standing::Closed,
        // Nobody has seen the cloud limit text this way.
        (true, false) if target.taken.contains(&item.id) => {
            Standing::NotCovered(NotCovered::LimitsIgnored)
        }
        _ => Standing::Open,
    };
    reading.add(AccessItem { before: Some(limits.to_string()), ..item }, stands);
}
