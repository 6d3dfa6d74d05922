//! Policies that airgate attached with linked projects, with an index of those that still need a call to the cloud.

use redb::ReadableTable;

use super::tables::{AUTHORISATIONS, AUTHORISATIONS_OWED};
use super::view::{Source, View};
use super::{StoreError, WriteTx, keys};
use crate::domain::{Authorisation, PolicyScope, UserKey};

impl<S: Source> View<S> {
    /// Returns the policies that airgate attached to a user in a scope, or has yet to attach.
    pub fn authorisation(
        &self,
        user: &UserKey,
        scope: &PolicyScope,
    ) -> Result<Option<Authorisation>, StoreError> {
        self.get(AUTHORISATIONS, keys::of_scope(user, scope))
    }

    /// Returns the same for all scopes of a user, including projects that are no longer linked.
    pub fn authorisations_of(&self, user: &UserKey) -> Result<Vec<Authorisation>, StoreError> {
        let (account, username) = keys::of_user(user);
        self.with_prefix(AUTHORISATIONS, (account, username, ""), |key| {
            (key.0, key.1) == (account, username)
        })
    }

    /// Returns all authorisations that can be read and still need a call to the cloud.
    pub fn authorisations_owed(&self) -> Result<Vec<Authorisation>, StoreError> {
        let all = self.open(AUTHORISATIONS)?;
        let mut owed = Vec::new();
        for row in self.open(AUTHORISATIONS_OWED)?.iter()? {
            let key = row?.0;
            if let Some(value) = all.get(key.value())? {
                owed.extend(AUTHORISATIONS.decode_or_skip(key.value(), value.value()));
            }
        }
        Ok(owed)
    }
}

impl WriteTx {
    /// Writes an authorisation, or removes it if no policy is left.
    pub fn put_authorisation(&self, authorisation: &Authorisation) -> Result<(), StoreError> {
        let key = keys::of_scope(&authorisation.user, &authorisation.scope);
        if authorisation.grants.is_empty() {
            self.open(AUTHORISATIONS)?.remove(key)?;
        } else {
            self.put(AUTHORISATIONS, key, authorisation)?;
        }
        let mut owed = self.open(AUTHORISATIONS_OWED)?;
        if authorisation.is_owed() {
            owed.insert(key, ())?;
        } else {
            owed.remove(key)?;
        }
        Ok(())
    }
}
