//! Users.

use jiff::Timestamp;
use redb::ReadableTable;

use super::tables::{READINGS, USERS};
use super::view::{Source, View};
use super::{Directory, StoreError, WriteTx, keys};
use crate::domain::sync::{CloudUser, SyncChanges, after_sync};
use crate::domain::{AccessGoal, AccountId, User, UserKey, Username};

impl<S: Source> View<S> {
    /// Returns one user.
    pub fn user(&self, key: &UserKey) -> Result<Option<User>, StoreError> {
        let user = self.get_again(USERS, keys::of_user(key))?;
        Ok(self.dated_users(user.into_iter().collect())?.pop())
    }

    /// Sets when the spending of users was last read. A reading is noted with the account, not with each user.
    fn dated_users(&self, mut users: Vec<User>) -> Result<Vec<User>, StoreError> {
        let readings = self.open(READINGS)?;
        let mut known: Option<(AccountId, Option<Timestamp>)> = None;
        for user in &mut users {
            let account = &user.key.account;
            let known = match known.take().filter(|(of, _)| of == account) {
                Some(same) => known.insert(same),
                None => {
                    let row = readings.get(account.as_str())?;
                    let row = row.map(|row| READINGS.decode_shared(row.value())).transpose()?;
                    known.insert((account.clone(), row.and_then(|row| row.read_at)))
                }
            };
            if user.spending_updated_at.is_some() {
                user.spending_updated_at = user.spending_updated_at.max(known.1);
            }
        }
        Ok(users)
    }

    /// Returns the directory: all users in memory, with what lists and look-ups need to know about them.
    pub fn directory(&self) -> Directory {
        self.1.borrow().clone()
    }

    /// Returns every user, by account and name. For background work; anything that a person waits for uses
    /// [`View::directory`].
    pub fn users(&self) -> Result<Vec<User>, StoreError> {
        self.dated_users(self.all(USERS)?)
    }

    /// Returns every user of one account, by name.
    pub fn users_of(&self, account: &AccountId) -> Result<Vec<User>, StoreError> {
        let users =
            self.with_prefix(USERS, (account.as_str(), ""), |key| key.0 == account.as_str());
        self.dated_users(users?)
    }
}

impl WriteTx {
    /// Writes a user.
    pub fn put_user(&self, user: &User) -> Result<(), StoreError> {
        self.put(USERS, keys::of_user(&user.key), user)?;
        let before = self.directory();
        self.1.borrow_mut().insert(user);
        let differs = match (before.get(&user.key), self.directory().get(&user.key)) {
            (Some(before), Some(after)) => after.shows_otherwise(before),
            _ => false,
        };
        if differs { self.cards_changed(&user.key) } else { Ok(()) }
    }

    /// Takes over a complete listing of an account's users, as [`after_sync`] decides. A change of access that is pending
    /// for a user who is gone now is dropped. Renamed users keep everything stored about them.
    pub fn apply_sync(
        &self,
        account: &AccountId,
        listed: &[CloudUser],
        confirmed_gone: &[Username],
        began: Timestamp,
        now: Timestamp,
    ) -> Result<SyncChanges, StoreError> {
        let known = self.users_of(account)?;
        let synced = after_sync(account, known, listed, confirmed_gone, began, now);
        self.move_users(&synced.changes.moved)?;
        for user in synced.present.iter().chain(&synced.gone) {
            self.put_user(user)?;
        }
        for user in &synced.gone {
            // A cut goes on: what the user left at 方舟 still has to be closed.
            let cut = self.access_pending(&user.key)?.is_some_and(|it| it.goal == AccessGoal::Cut);
            if !cut {
                self.clear_access_pending(&user.key)?;
            }
        }
        Ok(synced.changes)
    }
}
