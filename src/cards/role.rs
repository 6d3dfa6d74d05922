//! Who may do what: the contract's three roles.

/// A person's role. It is looked up by the open_id of an event, never taken from what a card carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// May do everything.
    Admin,
    /// May use every command and card that reads.
    Viewer,
    /// Anybody else: only `/help` and `/me`.
    Stranger,
}

impl Role {
    /// Whether the person may change things.
    pub fn may_change(self) -> bool {
        self == Role::Admin
    }

    /// Whether the person may read what administrators read.
    pub fn may_read(self) -> bool {
        self != Role::Stranger
    }
}
