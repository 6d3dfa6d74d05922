//! Changes of access under way, and what a restore puts back.

use std::ops::ControlFlow;

use jiff::Timestamp;

use super::tables::{ACCESS_PENDING, ACCESS_REMEMBERED, Order, Source, View};
use super::{StoreError, WriteTx};
use crate::domain::{
    AccessGoal, AccessKeyInfo, AccountId, PendingAccess, RememberedAccess, Switch, User, UserKey,
    UserStatus, Username,
};

impl<S: Source> View<S> {
    /// The change of access that a user is owed.
    ///
    /// # Errors
    /// The store's.
    pub fn access_pending(&self, user: &UserKey) -> Result<Option<PendingAccess>, StoreError> {
        let key = (user.account.as_str(), user.username.as_str());
        self.get(ACCESS_PENDING, "access_pending", key)
    }

    /// All changes of access under way.
    ///
    /// # Errors
    /// The store's.
    pub fn all_access_pending(&self) -> Result<Vec<(UserKey, PendingAccess)>, StoreError> {
        let mut all = Vec::new();
        self.scan::<_, PendingAccess, (&str, &str), _>(
            ACCESS_PENDING,
            "access_pending",
            ..,
            Order::Ascending,
            |key, pending| {
                if let (Ok(account), Ok(username)) = (AccountId::new(key.0), Username::new(key.1)) {
                    all.push((UserKey::new(account, username), pending));
                }
                ControlFlow::Continue(())
            },
        )?;
        Ok(all)
    }

    /// What a restore would put back.
    ///
    /// # Errors
    /// The store's.
    pub fn access_remembered(
        &self,
        user: &UserKey,
    ) -> Result<Option<RememberedAccess>, StoreError> {
        let key = (user.account.as_str(), user.username.as_str());
        self.get(ACCESS_REMEMBERED, "access_remembered", key)
    }
}

impl WriteTx {
    /// Makes a change of access owed, or updates it.
    ///
    /// # Errors
    /// The store's.
    pub fn put_access_pending(
        &self,
        user: &UserKey,
        pending: &PendingAccess,
    ) -> Result<(), StoreError> {
        let key = (user.account.as_str(), user.username.as_str());
        self.put(ACCESS_PENDING, "access_pending", key, pending)
    }

    /// A change of access is done, or withdrawn. Returns whether one was owed.
    ///
    /// # Errors
    /// The store's.
    pub fn clear_access_pending(&self, user: &UserKey) -> Result<bool, StoreError> {
        let key = (user.account.as_str(), user.username.as_str());
        Ok(self.0.open_table(ACCESS_PENDING)?.remove(key)?.is_some())
    }

    /// Keeps what a restore puts back. Committed before the first write to the cloud.
    ///
    /// # Errors
    /// The store's.
    pub fn put_access_remembered(
        &self,
        user: &UserKey,
        remembered: &RememberedAccess,
    ) -> Result<(), StoreError> {
        let key = (user.account.as_str(), user.username.as_str());
        self.put(ACCESS_REMEMBERED, "access_remembered", key, remembered)
    }

    /// Forgets it, after it was put back.
    ///
    /// # Errors
    /// The store's.
    pub fn clear_access_remembered(&self, user: &UserKey) -> Result<(), StoreError> {
        let key = (user.account.as_str(), user.username.as_str());
        self.0.open_table(ACCESS_REMEMBERED)?.remove(key)?;
        Ok(())
    }
}

impl WriteTx {
    /// A change of access was read back as done: takes over what was read, sets the status, and settles what was owed.
    ///
    /// # Errors
    /// The store's.
    pub fn confirm_access(
        &self,
        user: &UserKey,
        goal: AccessGoal,
        keys: &[AccessKeyInfo],
        login: Option<Switch>,
        now: Timestamp,
    ) -> Result<Option<User>, StoreError> {
        let Some(mut record) = self.record_access(user, keys, login, now)? else { return Ok(None) };
        record.status = match goal {
            AccessGoal::Cut => UserStatus::Disabled,
            AccessGoal::Restored => UserStatus::Active,
        };
        self.put_user(&record)?;
        self.clear_access_pending(user)?;
        if goal == AccessGoal::Restored {
            self.clear_access_remembered(user)?;
        }
        Ok(Some(record))
    }
}
