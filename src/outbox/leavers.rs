//! Telling administrators that the owner of users has left the company.

use jiff::Timestamp;

use super::alerts::Alerts;
use crate::app::requests;
use crate::domain::{AlertBody, OpenId, Problem};
use crate::store::{StoreError, WriteTx};

/// How many users the alert names.
const USERS_NAMED: usize = 8;

impl Alerts {
    /// Raises an alert that names the users of an owner who has left, once for each person; none if there are no such users.
    /// The users stay as they are.
    pub fn owner_left(
        &self,
        tx: &WriteTx,
        person: &OpenId,
        name: &str,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let mut users = requests::owned(tx, person);
        if users.is_empty() || !tx.note_left(person)? {
            return Ok(());
        }
        let known = tx.person_name(person)?;
        let name = known.or_else(|| (!name.trim().is_empty()).then(|| name.trim().to_owned()));
        let more = users.len().saturating_sub(USERS_NAMED);
        users.truncate(USERS_NAMED);
        let problem = Problem::OwnerLeft { person: person.clone(), name, users, more };
        self.raise(tx, None, AlertBody::Error { problem }, now).map(drop)
    }
}
