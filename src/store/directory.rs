//! What lists and look-ups need to know about every user, kept in memory: 100,000 users are searched and counted
//! without decoding a row from disk.
//!
//! A directory belongs to one revision of the users, and each transaction has the directory of the state it sees: a
//! snapshot looks it up by the revision it reads; a transaction that changes users changes its own copy, which others
//! see once it is committed. Copies share their common parts.

use std::collections::BTreeSet;
use std::sync::Arc;

use imbl::OrdMap;
use parking_lot::Mutex;
use redb::ReadableTable;

use super::tables::COUNTERS;
use super::view::Source;
use super::{StoreError, WriteTx};
use crate::domain::decision::is_due;
use crate::domain::{AccountId, Money, OpenId, Thresholds, User, UserKey, UserStatus};

/// The counter that goes up whenever users change.
const REVISION: &str = "users_revision";
/// How many revisions are kept. A few are enough: a snapshot looks up its own right after it is taken.
const KEPT: usize = 4;

/// Separates the parts of [`Entry::folded`]; names do not contain it.
const PART: char = '\u{0}';

/// What is kept in memory about one user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Names and remark in lower case: `account/username`, display name, remark.
    folded: Box<str>,
    /// What is known about the user's access.
    pub status: UserStatus,
    /// The allocated total.
    pub quota: Money,
    /// The spending that counts.
    pub consumed: Money,
    /// Usage in whole percent, rounded down; `None` if nothing is allocated.
    pub percent: Option<i64>,
    /// The user's own thresholds; `None` = the global default.
    pub thresholds: Option<Box<Thresholds>>,
    /// The Feishu person behind the user.
    pub owner: Option<OpenId>,
}

impl Entry {
    fn of(user: &User) -> Self {
        let part = |text: &str| text.replace(PART, " ").to_lowercase();
        let (key, display) = (part(&user.key.to_string()), part(&user.display_name));
        Self {
            folded: format!("{key}{PART}{display}{PART}{}", part(&user.remark)).into(),
            status: user.status,
            quota: user.quota,
            consumed: user.consumed,
            percent: user.usage().whole_percent(),
            thresholds: user.thresholds.clone().map(Box::new),
            owner: user.owner.clone(),
        }
    }

    /// Returns whether key, display name or remark contain `folded`, a text in lower case. An empty text matches
    /// everyone.
    pub fn contains(&self, folded: &str) -> bool {
        self.folded.contains(folded)
    }

    /// Returns whether the monitor may have to warn about the user or cut its access: see
    /// [`crate::domain::decision::is_due`].
    pub fn is_due(&self, defaults: &Thresholds) -> bool {
        let thresholds = self.thresholds.as_deref().unwrap_or(defaults);
        is_due(self.status, self.percent, thresholds)
    }

    /// Returns `account/username` in lower case.
    pub fn key(&self) -> &str {
        self.folded.split(PART).next().unwrap_or_default()
    }

    /// Returns the user name in lower case.
    pub fn username(&self) -> &str {
        self.key().split_once('/').map_or("", |(_, username)| username)
    }

    /// Returns the display name in lower case.
    pub fn display_name(&self) -> &str {
        self.folded.split(PART).nth(1).unwrap_or_default()
    }
}

/// All users at one revision.
#[derive(Clone, Debug, Default)]
pub struct Directory {
    users: OrdMap<UserKey, Arc<Entry>>,
    accounts: Arc<BTreeSet<AccountId>>,
    changed: bool,
}

impl Directory {
    /// Returns all users, by account and name.
    pub fn iter(&self) -> impl Iterator<Item = (&UserKey, &Entry)> {
        self.users.iter().map(|(key, entry)| (key, &**entry))
    }

    /// Returns one user.
    pub fn get(&self, user: &UserKey) -> Option<&Entry> {
        self.users.get(user).map(|entry| &**entry)
    }

    /// Returns whether another account has a user of the same name, so that the account must be shown.
    pub fn is_ambiguous(&self, user: &UserKey) -> bool {
        self.accounts.iter().any(|account| {
            *account != user.account
                && self.users.contains_key(&UserKey::new(account.clone(), user.username.clone()))
        })
    }

    /// Returns how many users of an account are in the cloud.
    pub fn present_in(&self, account: &AccountId) -> usize {
        let users = self.users.iter().filter(|(key, _)| key.account == *account);
        users.filter(|(_, entry)| entry.status != UserStatus::Gone).count()
    }

    pub(super) fn remove(&mut self, user: &UserKey) {
        self.changed |= self.users.remove(user).is_some();
    }

    pub(super) fn insert(&mut self, user: &User) {
        let entry = Entry::of(user);
        if self.users.get(&user.key).is_none_or(|known| **known != entry) {
            if !self.accounts.contains(&user.key.account) {
                Arc::make_mut(&mut self.accounts).insert(user.key.account.clone());
            }
            self.users.insert(user.key.clone(), Arc::new(entry));
            self.changed = true;
        }
    }
}

/// The directories of the last revisions: the committed ones, and one that may be about to be committed.
#[derive(Default)]
pub(super) struct Directories(Mutex<Vec<(u64, Directory)>>);

impl Directories {
    /// Returns the directory of the state that a transaction sees; `None` once it was evicted.
    pub(super) fn seen_by<S: Source>(&self, tx: &S) -> Result<Option<Directory>, StoreError> {
        let counted = tx.table(COUNTERS)?.get(REVISION)?.map_or(0, |last| last.value());
        let kept = self.0.lock();
        Ok(kept.iter().find(|(revision, _)| *revision == counted).map(|(_, kept)| kept.clone()))
    }

    /// Returns the directory that a write transaction begins with; there is only one such transaction at a time.
    pub(super) fn latest(&self) -> Directory {
        self.0.lock().last().map(|(_, directory)| directory.clone()).unwrap_or_default()
    }

    /// Publishes the users as changed by `tx` under a new revision, right before the commit.
    pub(super) fn publish(&self, tx: &WriteTx) -> Result<(), StoreError> {
        let mut directory = tx.1.borrow_mut();
        if directory.changed {
            directory.changed = false;
            self.keep(tx.next_number(REVISION)?, directory.clone());
        }
        Ok(())
    }

    /// Loads the users from disk.
    pub(super) fn load(&self, tx: &WriteTx) -> Result<(), StoreError> {
        let mut directory = Directory::default();
        for user in tx.users()? {
            directory.insert(&user);
        }
        directory.changed = false;
        let counted = tx.open(COUNTERS)?.get(REVISION)?.map_or(0, |last| last.value());
        self.keep(counted, directory);
        Ok(())
    }

    fn keep(&self, revision: u64, directory: Directory) {
        let mut kept = self.0.lock();
        // The revision of a transaction that was not committed is assigned again.
        kept.retain(|(known, _)| *known < revision);
        kept.push((revision, directory));
        let surplus = kept.len().saturating_sub(KEPT);
        kept.drain(..surplus);
    }
}
