//! What of a project belongs to a user.

use std::collections::BTreeMap;

use super::Target;
use crate::app::access::{Tie, TiedProject};
use crate::domain::{AccessGoal, AccessItem, AccessRules, Models, ProjectName, Reach};
use crate::volcengine::Creator;

/// Returns how much of a project is closed with the user.
fn reach(rules: &AccessRules, project: &TiedProject) -> Reach {
    match (rules.models, project.tie) {
        (Models::Off, _) | (_, Tie::Former) | (Models::Own, Tie::Shared) => Reach::Mine,
        (Models::Own, Tie::Own) | (Models::Linked, _) => Reach::All,
    }
}

/// Returns how much of each linked project is closed with the user.
pub(in crate::access) fn reaches(
    rules: &AccessRules,
    projects: &[TiedProject],
) -> BTreeMap<ProjectName, Reach> {
    let linked = projects.iter().filter(|project| project.tie != Tie::Former);
    linked.map(|project| (project.name.clone(), reach(rules, project))).collect()
}

impl Target<'_> {
    /// Returns whether everything in a project is closed with the user.
    pub(super) fn has_all_of(&self, project: &TiedProject) -> bool {
        reach(self.rules, project) == Reach::All
    }

    /// Returns whether a thing is one that a restore opens. A cut leaves alone what it has closed before, if it is neither
    /// the user's nor in a project that the user has alone: a colleague may have opened it again.
    pub(super) fn restores(&self, item: &AccessItem) -> bool {
        self.goal == AccessGoal::Restored && self.knows(item)
    }

    /// Returns whether the user made a thing. A name counts only if there is no id on one side: names are given again.
    pub(super) fn made(&self, creator: Option<&Creator>) -> bool {
        let Some(creator) = creator else { return false };
        if creator.user_id.is_empty() || self.user.cloud_id.is_empty() {
            creator.username == self.username()
        } else {
            creator.user_id == self.user.cloud_id
        }
    }
}
