//! Users: lookup, listing, and what a sync changes.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use jiff::Timestamp;

use super::tables::{Order, Source, USERS, View};
use super::{Directory, StoreError, WriteTx};
use crate::domain::{AccessKeyInfo, AccountId, Switch, User, UserKey, UserStatus, Username};

/// What a sync reads of one IAM user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CloudUser {
    /// Name within the account.
    pub username: Username,
    /// The cloud's own id.
    pub cloud_id: String,
    /// Display name.
    pub display_name: String,
    /// E-mail.
    pub email: String,
    /// Mobile phone.
    pub phone: String,
}

/// User names that a sync added, changed and found gone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SyncChanges {
    /// New ones.
    pub added: Vec<String>,
    /// Data or presence changed.
    pub changed: Vec<String>,
    /// No longer in the cloud.
    pub gone: Vec<String>,
}

impl<S: Source> View<S> {
    /// One user.
    ///
    /// # Errors
    /// The store's.
    pub fn user(&self, key: &UserKey) -> Result<Option<User>, StoreError> {
        self.get(USERS, "users", (key.account.as_str(), key.username.as_str()))
    }

    /// All users in memory, with what lists and look-ups need of them.
    pub fn directory(&self) -> Directory {
        self.1.borrow().clone()
    }

    /// Every user, by account and name. For work in the background: what somebody waits for asks [`View::directory`].
    ///
    /// # Errors
    /// The store's.
    pub fn users(&self) -> Result<Vec<User>, StoreError> {
        let mut users = Vec::new();
        self.scan::<_, User, (&str, &str), _>(USERS, "users", .., Order::Ascending, |_, user| {
            users.push(user);
            ControlFlow::Continue(())
        })?;
        Ok(users)
    }

    /// Every user of one account, by name.
    ///
    /// # Errors
    /// The store's.
    pub fn users_of(&self, account: &AccountId) -> Result<Vec<User>, StoreError> {
        let mut users = Vec::new();
        self.scan::<_, User, _, _>(
            USERS,
            "users",
            (account.as_str(), "")..,
            Order::Ascending,
            |(of, _), user| {
                if of != account.as_str() {
                    return ControlFlow::Break(());
                }
                users.push(user);
                ControlFlow::Continue(())
            },
        )?;
        Ok(users)
    }
}

impl WriteTx {
    /// Writes a user.
    ///
    /// # Errors
    /// The store's.
    pub fn put_user(&self, user: &User) -> Result<(), StoreError> {
        let key = (user.key.account.as_str(), user.key.username.as_str());
        self.put(USERS, "users", key, user)?;
        self.1.borrow_mut().insert(user);
        Ok(())
    }

    /// Takes over what a complete listing of an account's users said that began at `began`. Data that airgate itself has
    /// written to the cloud since then is newer, and left alone. Users of the account that are not in `listed` and are
    /// confirmed in `gone` become [`UserStatus::Gone`]; others that were not listed are left alone.
    ///
    /// # Errors
    /// The store's.
    pub fn apply_sync(
        &self,
        account: &AccountId,
        listed: &[CloudUser],
        gone: &[Username],
        began: Timestamp,
        now: Timestamp,
    ) -> Result<SyncChanges, StoreError> {
        let mut changes = SyncChanges::default();
        let mut known: BTreeMap<Username, User> = self
            .users_of(account)?
            .into_iter()
            .map(|user| (user.key.username.clone(), user))
            .collect();
        for cloud in listed {
            let key = UserKey::new(account.clone(), cloud.username.clone());
            match known.remove(&cloud.username) {
                None => {
                    let user = take_over(User::new(key, now), cloud, began);
                    self.put_user(&user)?;
                    changes.added.push(cloud.username.to_string());
                }
                Some(before) => {
                    let mut after = take_over(before.clone(), cloud, began);
                    if after.status == UserStatus::Gone {
                        after.status = UserStatus::Unknown;
                        after.access_read_at = None;
                    }
                    if after != before {
                        after.updated = now;
                        self.put_user(&after)?;
                        changes.changed.push(cloud.username.to_string());
                    }
                }
            }
        }
        for (username, mut user) in known {
            if gone.contains(&username) && user.status != UserStatus::Gone {
                user.status = UserStatus::Gone;
                user.access_keys.clear();
                user.login = None;
                user.updated = now;
                self.put_user(&user)?;
                self.clear_access_pending(&user.key)?;
                changes.gone.push(username.to_string());
            }
        }
        Ok(changes)
    }

    /// [`WriteTx::record_access`] for a reading that began at `began`, unless something newer is known: while a change of
    /// access is under way, enforcement writes the status; and one that was read back since is newer than the reading.
    ///
    /// # Errors
    /// The store's.
    pub fn record_access_read(
        &self,
        key: &UserKey,
        keys: &[AccessKeyInfo],
        login: Option<Switch>,
        began: Timestamp,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let read_at = self.user(key)?.and_then(|user| user.access_read_at);
        if self.access_pending(key)?.is_none() && read_at.is_none_or(|at| at < began) {
            self.record_access(key, keys, login, now)?;
        }
        Ok(())
    }

    /// Takes over keys and login as just read from the cloud, and the status that follows from them: cut where there is
    /// something and nothing of it works. Returns the user, where there is one.
    ///
    /// # Errors
    /// The store's.
    pub fn record_access(
        &self,
        key: &UserKey,
        keys: &[AccessKeyInfo],
        login: Option<Switch>,
        now: Timestamp,
    ) -> Result<Option<User>, StoreError> {
        let Some(mut user) = self.user(key)? else { return Ok(None) };
        let working = keys.iter().any(|key| key.active.is_on()) || login == Some(Switch::On);
        let nothing = keys.is_empty() && login.is_none();
        user.status = match (working, nothing) {
            (true, _) => UserStatus::Active,
            // Nothing to switch off: cut only if airgate cut it.
            (false, true) if user.status == UserStatus::Disabled => UserStatus::Disabled,
            (false, true) => UserStatus::Active,
            (false, false) => UserStatus::Disabled,
        };
        user.access_keys = keys.to_vec();
        user.login = login;
        user.access_read_at = Some(now);
        user.updated = now;
        self.put_user(&user)?;
        Ok(Some(user))
    }
}

fn take_over(mut user: User, cloud: &CloudUser, began: Timestamp) -> User {
    user.cloud_id.clone_from(&cloud.cloud_id);
    if user.profile_written_at.is_some_and(|written| written >= began) {
        return user;
    }
    user.display_name.clone_from(&cloud.display_name);
    user.email.clone_from(&cloud.email);
    user.phone.clone_from(&cloud.phone);
    user
}
