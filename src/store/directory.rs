//! What lists and look-ups need to know about every user, kept in memory: 100,000 users are searched and counted
//! without decoding a row from disk.
//!
//! Each transaction has the directory of the state it sees: a snapshot has the one that was committed with what it reads;
//! a transaction that changes users changes its own copy, which others see once it is durable. Copies share their common
//! parts.

use std::any::Any;
use std::collections::BTreeSet;
use std::sync::Arc;

use imbl::OrdMap;
use parking_lot::Mutex;

use super::{StoreError, WriteTx};
use crate::domain::decision::is_due;
use crate::domain::{
    AccountId, BillPeriod, Money, OpenId, Switch, Thresholds, Usage, User, UserKey, UserStatus,
};

/// Separates the parts of [`Entry::folded`]; names do not contain it.
const PART: char = '\u{0}';

/// What is kept in memory about one user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Account and user name.
    pub user: UserKey,
    /// Names and remark in lower case: `account/username`, display name, remark.
    folded: Box<str>,
    /// What is known about the user's access.
    pub status: UserStatus,
    /// The allocated total.
    pub quota: Money,
    /// Whether temporary quota ended and left nothing allocated.
    ended: bool,
    /// Whether thresholds are triggered that the bill has not reached.
    early: bool,
    /// The spending that counts.
    pub consumed: Money,
    /// Usage in whole percent, rounded down; `None` if nothing is allocated.
    pub percent: Option<i64>,
    /// Usage in millionths, rounded down: orders users before amounts have to be multiplied; `None` as above.
    pub millionths: Option<i64>,
    /// Whether the monitor checks the user.
    pub monitored: Switch,
    /// How many projects are linked.
    pub links: u32,
    /// Whether it was alerted that quota or month limit will soon be used up.
    pub forecast_alerted: bool,
    /// Whether a month limit is set.
    pub is_limited: bool,
    /// Usage of the month limit, and the month that it was last computed for.
    month: Option<(Option<BillPeriod>, Usage)>,
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
            user: user.key.clone(),
            folded: format!("{key}{PART}{display}{PART}{}", part(&user.remark)).into(),
            status: user.status,
            quota: user.quota,
            ended: user.quota_ended.is_some(),
            early: user.has_early(),
            consumed: user.consumed,
            percent: user.usage().whole_percent(),
            millionths: user.usage().millionths(),
            monitored: user.monitored,
            links: 0,
            forecast_alerted: user.forecast_alerted.is_some(),
            is_limited: user.month_limit.is_some(),
            month: user.month_limit.map(|limit| match user.month_spent {
                Some(known) => (Some(known.period), Usage::new(known.spent, limit.amount())),
                None => (None, Usage::new(Money::ZERO, limit.amount())),
            }),
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
    /// [`crate::domain::decision::is_due`]. Not known here is what a month limit or a turn of the month demands.
    pub fn is_due(&self, defaults: &Thresholds) -> bool {
        let thresholds = self.thresholds.as_deref().unwrap_or(defaults);
        let may_be = self.is_limited && self.status != UserStatus::Gone;
        may_be
            || self.early
            || self.status == UserStatus::Disabled
            || is_due(self.status, self.percent, thresholds)
    }

    /// Returns the usage of the month limit in `period`; `None` without a limit. Spending that was last recorded in another
    /// month counts nothing.
    pub fn month_usage(&self, period: BillPeriod) -> Option<Usage> {
        let (of, usage) = self.month?;
        Some(if of == Some(period) { usage } else { usage.of_nothing() })
    }

    /// Returns whether the user has a month limit whose usage was never computed: that of an older file.
    pub(super) fn lacks_month(&self) -> bool {
        matches!(self.month, Some((None, _)))
    }

    /// Returns the usage of the quota with something more than what is billed: see [`User::usage_with`].
    pub fn usage_with(&self, more: Money) -> Usage {
        match self.ended {
            true => Usage::of_ended(self.consumed + more, self.quota),
            false => Usage::new(self.consumed + more, self.quota),
        }
    }

    /// Returns whether [`Entry::is_due`] by the quota could hold if `more` was spent.
    pub fn is_due_with(&self, more: Money, defaults: &Thresholds) -> bool {
        let thresholds = self.thresholds.as_deref().unwrap_or(defaults);
        is_due(self.status, self.usage_with(more).whole_percent(), thresholds)
    }

    /// Returns whether somebody changed what cards of the user show. Spending is not counted, nor is a status that becomes
    /// known.
    pub(super) fn shows_otherwise(&self, before: &Self) -> bool {
        let status = |it: &Self| (it.status != UserStatus::Unknown).then_some(it.status);
        let limit = |it: &Self| it.month.map(|(_, usage)| usage.quota());
        let of = |it: &Self| (it.quota, it.monitored, it.is_limited, limit(it));
        status(before).is_some_and(|status| status != self.status)
            || of(self) != of(before)
            || self.folded != before.folded
            || self.thresholds != before.thresholds
            || self.owner != before.owner
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
    /// How many projects are linked to a user, known or not; none if there is no entry.
    links: OrdMap<UserKey, u32>,
    /// See [`Directory::remembered`]. Shared by the copies with the same users.
    remembered: Arc<Mutex<Option<Arc<dyn Any + Send + Sync>>>>,
}

impl Directory {
    /// Returns all users, by account and name.
    pub fn iter(&self) -> impl Iterator<Item = (&UserKey, &Entry)> {
        self.users.iter().map(|(key, entry)| (key, &**entry))
    }

    /// Returns all users, by account and name, to be kept.
    pub fn entries(&self) -> impl Iterator<Item = &Arc<Entry>> {
        self.users.values()
    }

    /// Returns one user.
    pub fn get(&self, user: &UserKey) -> Option<&Entry> {
        self.users.get(user).map(|entry| &**entry)
    }

    /// Returns what `make` computes from all users, and remembers it until a user changes. Only the last one is remembered:
    /// `is_wanted` says whether it is for the same purpose.
    pub fn remembered<T: Any + Send + Sync, E>(
        &self,
        is_wanted: impl FnOnce(&T) -> bool,
        make: impl FnOnce() -> Result<T, E>,
    ) -> Result<Arc<T>, E> {
        let mut remembered = self.remembered.lock();
        let last = remembered.clone().and_then(|last| last.downcast::<T>().ok());
        if let Some(last) = last.filter(|last| is_wanted(last)) {
            return Ok(last);
        }
        let made = Arc::new(make()?);
        *remembered = Some(Arc::clone(&made) as Arc<dyn Any + Send + Sync>);
        Ok(made)
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

    /// Loads the users from disk.
    pub(super) fn load(tx: &WriteTx) -> Result<Self, StoreError> {
        let mut directory = Self { links: tx.link_counts()?.into(), ..Self::default() };
        for user in tx.users()? {
            directory.insert(&user);
        }
        Ok(directory)
    }

    pub(super) fn remove(&mut self, user: &UserKey) {
        self.users.remove(user);
        self.remembered = Arc::default();
    }

    /// Counts a link that was made, or one that was removed.
    pub(super) fn count_link(&mut self, user: &UserKey, made: bool) {
        let before = self.links.get(user).copied().unwrap_or(0);
        let links = if made { before.saturating_add(1) } else { before.saturating_sub(1) };
        match links {
            0 => self.links.remove(user),
            links => self.links.insert(user.clone(), links),
        };
        if let Some(entry) = self.users.get_mut(user) {
            *entry = Arc::new(Entry { links, ..Entry::clone(entry) });
            self.remembered = Arc::default();
        }
    }

    pub(super) fn insert(&mut self, user: &User) {
        let links = self.links.get(&user.key).copied().unwrap_or(0);
        let entry = Entry { links, ..Entry::of(user) };
        if self.users.get(&user.key).is_none_or(|known| **known != entry) {
            if !self.accounts.contains(&user.key.account) {
                Arc::make_mut(&mut self.accounts).insert(user.key.account.clone());
            }
            self.users.insert(user.key.clone(), Arc::new(entry));
            self.remembered = Arc::default();
        }
    }
}
