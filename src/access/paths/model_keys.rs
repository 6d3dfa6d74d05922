//! API keys of 方舟, which belong to a project and open everything in it (docs/platforms/ark.md §A.4).

use super::{Opened, Path, Reading, Standing, Target, standing};
use crate::access::failure::PathError;
use crate::app::access::TiedProject;
use crate::domain::{AccessGoal, AccessItem, ModelKeys as Rule, NotCovered};
use crate::volcengine::{ArkKey, ArkKeyState, KeysOf};

pub(in crate::access) struct ModelKeys;

impl Path for ModelKeys {
    // A new secret is given once.
    const CLOSES_AGAIN: bool = false;

    async fn read(target: Target<'_>) -> Result<Reading, PathError> {
        let mut reading = Reading::default();
        for project in target.projects {
            let all = target.has_all_of(project);
            // A key that was closed while the project was the user's own may be a colleague's.
            let of = match all || target.goal == AccessGoal::Restored {
                true => KeysOf::Everybody,
                false if target.user.cloud_id.is_empty() => {
                    // Whose keys they are cannot be told.
                    reading.add_shared(project);
                    continue;
                }
                false => KeysOf::User(&target.user.cloud_id),
            };
            let read = target.api.ark_keys(&project.name, of).await;
            for key in reading.keep(read).unwrap_or_default() {
                let (item, standing) = one(key, project, target);
                if target.goal == AccessGoal::Cut || target.knows(&item) {
                    reading.add(item, standing);
                }
            }
        }
        Ok(reading)
    }

    async fn close(target: Target<'_>, item: &AccessItem) -> Result<(), PathError> {
        let (id, project) = (number(item)?, item.project.as_ref());
        match (&target.rules.model_keys, project) {
            (Rule::Rotate, _) if target.taken.contains(&item.id) => Err(PathError::NotApplied),
            (Rule::Rotate, _) => Ok(target.api.regenerate_ark_key(id).await?),
            (Rule::Disable { disable, .. }, Some(project)) => {
                Ok(target.api.switch_ark_key(disable, id, project).await?)
            }
            (Rule::Disable { .. } | Rule::Report, _) => Ok(()),
        }
    }

    async fn open(target: Target<'_>, item: &AccessItem) -> Result<Opened, PathError> {
        match (&target.rules.model_keys, &item.project) {
            // The old secret does not come back.
            _ if item.before.is_some() => Ok(Opened::Gone),
            (Rule::Disable { enable, .. }, Some(project)) => {
                target.api.switch_ark_key(enable, number(item)?, project).await?;
                Ok(Opened::Accepted)
            }
            // How it is switched on is no longer configured.
            _ => Ok(Opened::Gone),
        }
    }
}

fn one(key: ArkKey, project: &TiedProject, target: Target<'_>) -> (AccessItem, Standing) {
    let name = if key.name.is_empty() { key.sid } else { key.name };
    let item = AccessItem::new(key.id.to_string()).named(name).within(&project.name);
    let works = key.state != ArkKeyState::Off;
    match target.rules.model_keys {
        _ if target.goal == AccessGoal::Restored => (item, standing(works)),
        Rule::Report if works => (item, Standing::NotCovered(NotCovered::LeftToPerson)),
        Rule::Rotate if works => {
            let item = AccessItem { before: Some(key.fingerprint), ..item };
            // The secret that was known before the cut is the one that must not work.
            let known = target.known.iter().find(|known| known.is_same(&item));
            let rotated = known
                .and_then(|known| known.before.as_ref())
                .is_some_and(|before| item.before.as_ref() != Some(before));
            (item, standing(!rotated))
        }
        Rule::Report | Rule::Rotate | Rule::Disable { .. } => (item, standing(works)),
    }
}

/// Returns the number of a key. An item without one cannot be addressed.
fn number(item: &AccessItem) -> Result<i64, PathError> {
    item.id.parse().ok().filter(|id| *id != 0).ok_or(PathError::NotApplied)
}
