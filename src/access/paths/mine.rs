//! What of a project belongs to a user.

use super::Target;
use crate::app::access::{Tie, TiedProject};
use crate::domain::Models;
use crate::volcengine::Creator;

impl Target<'_> {
    /// Returns whether everything in a project is closed with the user.
    pub(super) fn has_all_of(&self, project: &TiedProject) -> bool {
        match (self.rules.models, project.tie) {
            (Models::Off, _) | (_, Tie::Former) => false,
            (Models::Own, tie) => tie == Tie::Own,
            (Models::Linked, _) => true,
        }
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
