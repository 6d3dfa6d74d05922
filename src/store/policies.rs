//! Policies that airgate attached within linked projects, and those for which something is still owed.

use std::ops::ControlFlow;

use redb::ReadableTable;

use super::tables::{AUTHORISATIONS, AUTHORISATIONS_OWED, Order, Source, View};
use super::{StoreError, WriteTx};
use crate::domain::{AccountId, Authorisation, ProjectName, UserKey, Username};

const NAME: &str = "authorisations";

fn key<'a>(user: &'a UserKey, project: &'a ProjectName) -> (&'a str, &'a str, &'a str) {
    (user.account.as_str(), user.username.as_str(), project.as_str())
}

impl<S: Source> View<S> {
    /// What airgate attached to a user within a project, or is to.
    ///
    /// # Errors
    /// The store's.
    pub fn authorisation(
        &self,
        user: &UserKey,
        project: &ProjectName,
    ) -> Result<Option<Authorisation>, StoreError> {
        self.get(AUTHORISATIONS, NAME, key(user, project))
    }

    /// The same for all projects of a user, those that are no longer linked among them.
    ///
    /// # Errors
    /// The store's.
    pub fn authorisations_of(&self, user: &UserKey) -> Result<Vec<Authorisation>, StoreError> {
        let (account, username) = (user.account.as_str(), user.username.as_str());
        let mut all = Vec::new();
        self.scan::<_, Authorisation, _, _>(
            AUTHORISATIONS,
            NAME,
            (account, username, "")..,
            Order::Ascending,
            |key, authorisation| {
                if (key.0, key.1) != (account, username) {
                    return ControlFlow::Break(());
                }
                all.push(authorisation);
                ControlFlow::Continue(())
            },
        )?;
        Ok(all)
    }

    /// All for which something is owed.
    ///
    /// # Errors
    /// The store's.
    pub fn authorisations_owed(&self) -> Result<Vec<Authorisation>, StoreError> {
        let mut keys = Vec::new();
        for row in self.0.table(AUTHORISATIONS_OWED)?.iter()? {
            let (key, ()) = row.map(|(key, value)| (key, value.value()))?;
            let (account, username, project) = key.value();
            if let (Ok(account), Ok(username), Ok(project)) =
                (AccountId::new(account), Username::new(username), ProjectName::new(project))
            {
                keys.push((UserKey::new(account, username), project));
            }
        }
        let mut owed = Vec::with_capacity(keys.len());
        for (user, project) in keys {
            owed.extend(self.authorisation(&user, &project)?);
        }
        Ok(owed)
    }
}

impl WriteTx {
    /// Writes it; one without any policy is taken out.
    ///
    /// # Errors
    /// The store's.
    pub fn put_authorisation(&self, authorisation: &Authorisation) -> Result<(), StoreError> {
        let key = key(&authorisation.user, &authorisation.project);
        if authorisation.grants.is_empty() {
            self.0.open_table(AUTHORISATIONS)?.remove(key)?;
        } else {
            self.put(AUTHORISATIONS, NAME, key, authorisation)?;
        }
        let mut owed = self.0.open_table(AUTHORISATIONS_OWED)?;
        if authorisation.is_owed() {
            owed.insert(key, ())?;
        } else {
            owed.remove(key)?;
        }
        Ok(())
    }
}
