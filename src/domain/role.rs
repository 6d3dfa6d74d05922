//! Who may do what: three roles, and what an action or a command requires (docs/behaviour.md §2).

use serde::{Deserialize, Serialize};

/// A person's role. It is looked up by the open_id of an event, never taken from what a card carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// May do everything.
    Admin,
    /// May use every command and card that only reads.
    Viewer,
    /// Everyone else: only `/help` and `/me`.
    Stranger,
}

impl Role {
    /// Returns whether the person may change things.
    pub fn may_change(self) -> bool {
        self == Role::Admin
    }

    /// Returns whether the person may read what administrators read.
    pub fn may_read(self) -> bool {
        self != Role::Stranger
    }

    /// Returns whether the role is enough for `needs`.
    pub fn meets(self, needs: Needs) -> bool {
        match needs {
            Needs::Anyone => true,
            Needs::Viewer => self.may_read(),
            Needs::Admin => self.may_change(),
        }
    }
}

/// The role that a command or an action requires.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needs {
    /// None.
    Anyone,
    /// Viewer or administrator.
    Viewer,
    /// Administrator.
    Admin,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_role_meets_what_it_should_and_no_more() {
        for (role, anyone, viewer, admin) in [
            (Role::Admin, true, true, true),
            (Role::Viewer, true, true, false),
            (Role::Stranger, true, false, false),
        ] {
            assert_eq!(role.meets(Needs::Anyone), anyone);
            assert_eq!(role.meets(Needs::Viewer), viewer);
            assert_eq!(role.meets(Needs::Admin), admin);
        }
    }
}
