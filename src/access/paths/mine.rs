//! What of a project belongs to a user.

use super::Target;
use crate::app::access::LinkedProject;
use crate::domain::Models;
use crate::volcengine::Creator;

impl Target<'_> {
    /// Returns whether everything in a project is closed with the user.
    pub(super) fn has_all_of(&self, project: &LinkedProject) -> bool {
        match self.rules.models {
            Models::Off => false,
            Models::Own => project.own,
            Models::Linked => true,
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
