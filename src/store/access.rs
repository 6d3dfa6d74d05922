//! Pending changes of access, and what a restore puts back.

use std::ops::ControlFlow;

use jiff::Timestamp;
use redb::ReadableTable;
use serde::de::DeserializeOwned;

use super::tables::{ACCESS_PATHS, ACCESS_PENDING, ACCESS_PROOFS, ACCESS_REMEMBERED, Json};
use super::view::{Order, Source, View};
use super::{StoreError, WriteTx, keys};
use crate::domain::{
    AccessCause, AccessGoal, AccessItem, AccessPath, AccessStanding, PathReports, PendingAccess,
    Proof, RememberedAccess, User, UserAccess, UserKey, UserStatus,
};

impl<S: Source> View<S> {
    /// Returns a user's pending change of access. One that cannot be read counts as missing: the next decision to cut
    /// replaces it.
    pub fn access_pending(&self, user: &UserKey) -> Result<Option<PendingAccess>, StoreError> {
        self.get_or_skip(ACCESS_PENDING, keys::of_user(user))
    }

    /// Returns all pending changes of access that can be read: none waits for another user's.
    pub fn all_access_pending(&self) -> Result<Vec<(UserKey, PendingAccess)>, StoreError> {
        self.of_users(ACCESS_PENDING)
    }

    /// Returns what a restore would put back.
    pub fn access_remembered(
        &self,
        user: &UserKey,
    ) -> Result<Option<RememberedAccess>, StoreError> {
        self.get(ACCESS_REMEMBERED, keys::of_user(user))
    }

    /// Returns how the paths of a user stood when they were last read; empty for a user whose access was never cut, or
    /// has been restored. What cannot be read is read from the cloud again.
    pub fn access_paths(&self, user: &UserKey) -> Result<PathReports, StoreError> {
        Ok(self.get_or_skip(ACCESS_PATHS, keys::of_user(user))?.unwrap_or_default())
    }

    /// Returns [`View::access_paths`] of all users that have any.
    pub fn all_access_paths(&self) -> Result<Vec<(UserKey, PathReports)>, StoreError> {
        self.of_users(ACCESS_PATHS)
    }

    /// Returns what the usage after a user's cut says; `None` if it is not watched, or cannot be read.
    pub fn access_proof(&self, user: &UserKey) -> Result<Option<Proof>, StoreError> {
        self.get_or_skip(ACCESS_PROOFS, keys::of_user(user))
    }

    /// Returns [`View::access_proof`] of all users that have one.
    pub fn all_access_proofs(&self) -> Result<Vec<(UserKey, Proof)>, StoreError> {
        self.of_users(ACCESS_PROOFS)
    }

    /// Returns every row of a table by user that can be read.
    fn of_users<T: DeserializeOwned>(
        &self,
        table: Json<(&'static str, &'static str), T>,
    ) -> Result<Vec<(UserKey, T)>, StoreError> {
        let mut all = Vec::new();
        self.scan_readable::<_, _, (&str, &str), _>(table, .., Order::Ascending, |key, row| {
            all.extend(keys::user(key).map(|user| (user, row)));
            ControlFlow::Continue(())
        })?;
        Ok(all)
    }

    /// Returns what cuts of other users of the account remember on a path of 方舟; with `in_force`, only cuts that nobody is
    /// restoring.
    pub fn held_by_others(
        &self,
        user: &UserKey,
        path: AccessPath,
        in_force: bool,
    ) -> Result<Vec<AccessItem>, StoreError> {
        let mut held = Vec::new();
        if !path.is_ark() {
            return Ok(held);
        }
        for (other, memory) in self.of_users(ACCESS_REMEMBERED)? {
            if other.account != user.account || other == *user || memory.on(path).is_empty() {
                continue;
            }
            let pending = self.access_pending(&other)?.map(|pending| pending.goal);
            let is_cut = match pending {
                Some(goal) => goal == AccessGoal::Cut,
                None => {
                    self.directory().get(&other).map(|it| it.status) == Some(UserStatus::Disabled)
                }
            };
            if is_cut || !in_force {
                held.extend_from_slice(memory.on(path));
            }
        }
        Ok(held)
    }

    /// Returns how a user's access stands with airgate. A restore that is late does not count as a change: it keeps no cut
    /// from coming.
    pub fn access_standing(&self, user: &User) -> Result<AccessStanding, StoreError> {
        match self.access_pending(&user.key)? {
            Some(pending) if pending.goal == AccessGoal::Restored && pending.delay_alerted => {
                return Ok(AccessStanding::NotCut);
            }
            Some(pending) => return Ok(AccessStanding::Changing(pending.goal)),
            None => {}
        }
        // Only whether there is a memory: one that cannot be read must not keep the monitor from deciding about others.
        let is_cut = user.status == UserStatus::Disabled
            && self.open(ACCESS_REMEMBERED)?.get(keys::of_user(&user.key))?.is_some();
        Ok(if is_cut { AccessStanding::Cut } else { AccessStanding::NotCut })
    }
}

impl WriteTx {
    /// Records a cut as pending. If a restore is pending, it may have opened only a part: the next one opens all that is
    /// remembered.
    pub fn begin_cut(&self, user: &UserKey, cut: &PendingAccess) -> Result<(), StoreError> {
        if self.access_pending(user)?.is_some()
            && let Some(remembered) = self.access_remembered(user)?
        {
            // What it has opened is open again, and not by others.
            let closed = Default::default();
            let remembered =
                RememberedAccess { cut: cut.since, closed, month: None, cause: None, ..remembered };
            self.put_access_remembered(user, &remembered)?;
        }
        self.put_access_pending(user, cut)
    }

    /// Records a change of access as pending, or updates it.
    pub fn put_access_pending(
        &self,
        user: &UserKey,
        pending: &PendingAccess,
    ) -> Result<(), StoreError> {
        if self.access_pending(user)?.is_none_or(|known| known.goal != pending.goal) {
            self.cards_changed(user)?;
        }
        self.put(ACCESS_PENDING, keys::of_user(user), pending)
    }

    /// Removes a change of access that has been confirmed or withdrawn. Returns whether one was pending.
    pub fn clear_access_pending(&self, user: &UserKey) -> Result<bool, StoreError> {
        let was_pending = self.open(ACCESS_PENDING)?.remove(keys::of_user(user))?.is_some();
        if was_pending {
            self.cards_changed(user)?;
        }
        Ok(was_pending)
    }

    /// Stores what a restore puts back. Must be committed before the first write to the cloud.
    pub fn put_access_remembered(
        &self,
        user: &UserKey,
        remembered: &RememberedAccess,
    ) -> Result<(), StoreError> {
        self.put(ACCESS_REMEMBERED, keys::of_user(user), remembered)
    }

    /// Forgets what a restore puts back.
    pub fn clear_access_remembered(&self, user: &UserKey) -> Result<(), StoreError> {
        self.open(ACCESS_REMEMBERED)?.remove(keys::of_user(user))?;
        Ok(())
    }

    /// Stores how the paths of a user stand. Paths that are not among `reports` stay as they are.
    pub fn put_access_paths(&self, user: &UserKey, reports: PathReports) -> Result<(), StoreError> {
        let mut known = self.access_paths(user)?;
        known.extend(reports);
        self.put(ACCESS_PATHS, keys::of_user(user), &known)
    }

    /// Forgets how the paths of a user stood: access is restored.
    pub fn clear_access_paths(&self, user: &UserKey) -> Result<(), StoreError> {
        self.open(ACCESS_PATHS)?.remove(keys::of_user(user))?;
        Ok(())
    }

    /// Stores what the usage after a user's cut says.
    pub fn put_access_proof(&self, user: &UserKey, proof: &Proof) -> Result<(), StoreError> {
        self.put(ACCESS_PROOFS, keys::of_user(user), proof)
    }

    /// Ends the watch over a user's usage after a cut.
    pub fn clear_access_proof(&self, user: &UserKey) -> Result<(), StoreError> {
        self.open(ACCESS_PROOFS)?.remove(keys::of_user(user))?;
        Ok(())
    }

    /// Records that a change of access is confirmed. Returns the user, if known.
    pub fn confirm_access(
        &self,
        key: &UserKey,
        goal: AccessGoal,
        now: Timestamp,
    ) -> Result<Option<User>, StoreError> {
        let Some(mut user) = self.user(key)? else { return Ok(None) };
        user.updated = now;
        user.status = match goal {
            AccessGoal::Cut => UserStatus::Disabled,
            // What was off before the cut stays off.
            AccessGoal::Restored => {
                let access = UserAccess { keys: user.access_keys.clone(), login: user.login };
                access.status(UserStatus::Active)
            }
        };
        self.put_user(&user)?;
        self.clear_access_pending(key)?;
        if goal.uses_up_memory() {
            self.clear_access_remembered(key)?;
            self.clear_access_paths(key)?;
            self.clear_access_proof(key)?;
        }
        Ok(Some(user))
    }

    /// Does [`WriteTx::record_access`] for a reading that began at `began`, unless something newer is known: while a
    /// change of access is pending, enforcement writes the status, and anything it read back after `began` is newer.
    ///
    /// If it shows that access cut by airgate was opened again, the user stays disabled, and another cut becomes pending.
    pub fn record_access_read(
        &self,
        key: &UserKey,
        access: &UserAccess,
        began: Timestamp,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let Some(mut user) = self.user(key)? else { return Ok(()) };
        // A time ahead of now was written before the clock was set back.
        let is_newer = user.access_read_at.is_some_and(|at| (began..=now).contains(&at));
        if self.access_pending(key)?.is_some() || is_newer {
            return Ok(());
        }
        let is_reopened = user.status == UserStatus::Disabled
            && self.access_remembered(key)?.is_some()
            && !access.is_cut();
        user.take_access(access, now);
        if is_reopened {
            user.status = UserStatus::Disabled;
            let cause = AccessCause::Reopened { items: access.open_items() };
            let cut = PendingAccess::new(AccessGoal::Cut, cause, now);
            self.put_access_pending(key, &cut)?;
        }
        self.put_user(&user)
    }

    /// Takes over keys and login as just read from the cloud, and the status that they imply. Returns the user, if
    /// known.
    pub fn record_access(
        &self,
        key: &UserKey,
        access: &UserAccess,
        now: Timestamp,
    ) -> Result<Option<User>, StoreError> {
        let Some(mut user) = self.user(key)? else { return Ok(None) };
        user.take_access(access, now);
        self.put_user(&user)?;
        Ok(Some(user))
    }
}
