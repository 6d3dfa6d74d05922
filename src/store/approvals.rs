//! Second approvals: each by its number, with the numbers of those that wait.

use redb::ReadableTable;

use super::tables::{APPROVALS, APPROVALS_WAITING};
use super::view::{Source, View};
use super::{StoreError, WriteTx};
use crate::domain::{Approval, ApprovalState, UserKey};

impl<S: Source> View<S> {
    /// Returns an approval.
    pub fn approval(&self, id: u64) -> Result<Option<Approval>, StoreError> {
        self.get(APPROVALS, id)
    }

    /// Returns every approval that waits, oldest first. Those that cannot be read are left out: nobody can decide them.
    pub fn waiting_approvals(&self) -> Result<Vec<Approval>, StoreError> {
        let numbers = self.waiting_numbers()?;
        numbers.into_iter().filter_map(|id| self.get_or_skip(APPROVALS, id).transpose()).collect()
    }

    /// Returns the approvals for a user that wait, oldest first. They count for the rule: one that cannot be read, of whomever,
    /// is an error.
    pub fn waiting_approvals_of(&self, user: &UserKey) -> Result<Vec<Approval>, StoreError> {
        let numbers = self.waiting_numbers()?;
        let mut waiting: Vec<Approval> = numbers
            .into_iter()
            .filter_map(|id| self.approval(id).transpose())
            .collect::<Result<_, _>>()?;
        waiting.retain(|approval| approval.user == *user);
        Ok(waiting)
    }

    fn waiting_numbers(&self) -> Result<Vec<u64>, StoreError> {
        let waiting = self.open(APPROVALS_WAITING)?;
        let numbers = waiting.iter()?.map(|row| row.map(|(id, _)| id.value()));
        Ok(numbers.collect::<Result<_, _>>()?)
    }
}

impl WriteTx {
    /// Returns the number of a new approval.
    pub fn next_approval(&self) -> Result<u64, StoreError> {
        self.next_number("approvals")
    }

    /// Writes an approval.
    pub fn put_approval(&self, approval: &Approval) -> Result<(), StoreError> {
        self.put(APPROVALS, approval.id, approval)?;
        let mut waiting = self.open(APPROVALS_WAITING)?;
        if approval.state == ApprovalState::Waiting {
            waiting.insert(approval.id, ())?;
        } else {
            waiting.remove(approval.id)?;
        }
        drop(waiting);
        // The quota card names what waits.
        self.cards_changed(&approval.user)
    }

    /// Those that wait follow a rename; the others are history.
    pub(super) fn move_approvals(&self, from: &UserKey, to: &UserKey) -> Result<(), StoreError> {
        for approval in self.waiting_approvals_of(from)? {
            self.put_approval(&Approval { user: to.clone(), ..approval })?;
        }
        Ok(())
    }
}
