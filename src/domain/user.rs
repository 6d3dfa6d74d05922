//! IAM users as airgate keeps them.

use std::collections::BTreeSet;

use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::{
    Money, MonthLimit, MonthSpent, MonthTriggered, OpenId, Operator, Thresholds, Usage, UserKey,
};

/// On or off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Switch {
    /// Switched on.
    On,
    /// Switched off.
    Off,
}

impl Switch {
    /// Returns whether it is on.
    pub fn is_on(self) -> bool {
        self == Switch::On
    }
}

impl From<bool> for Switch {
    fn from(on: bool) -> Self {
        if on { Switch::On } else { Switch::Off }
    }
}

/// What is known about a user's access to the cloud.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum UserStatus {
    /// Has access.
    Active,
    /// Access is cut.
    Disabled,
    /// Keys and login have not been read.
    #[default]
    Unknown,
    /// 已移除: no longer in the cloud after a sync. Kept with its history, listed last, not monitored.
    Gone,
}

impl UserStatus {
    /// Every status, in the order lists use.
    pub const ALL: [UserStatus; 4] =
        [UserStatus::Active, UserStatus::Disabled, UserStatus::Unknown, UserStatus::Gone];

    /// Returns the word for it in metrics and CSV (docs/behaviour.md §1).
    pub fn word(self) -> &'static str {
        match self {
            UserStatus::Active => "active",
            UserStatus::Disabled => "disabled",
            UserStatus::Unknown => "unknown",
            UserStatus::Gone => "gone",
        }
    }
}

/// An access key of a user: its id only, never its secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccessKeyInfo {
    /// `AKLT…`
    pub id: String,
    /// Whether the cloud accepts it.
    pub active: Switch,
}

/// Changes to a user's personal data in the cloud: `None` leaves a value as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Profile {
    /// Display name.
    #[serde(default)]
    pub display_name: Option<String>,
    /// E-mail.
    #[serde(default)]
    pub email: Option<String>,
    /// Mobile phone.
    #[serde(default)]
    pub phone: Option<String>,
}

impl Profile {
    /// Returns whether it changes nothing.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// What was in force when a user's forecast was alerted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ForecastAlerted {
    /// The quota.
    pub quota: Money,
    /// The month limit.
    pub limit: Option<MonthLimit>,
}

impl ForecastAlerted {
    /// Takes note of what is in force now.
    pub fn of(user: &User) -> Self {
        Self { quota: user.quota, limit: user.month_limit }
    }
}

/// An IAM sub-account and what airgate keeps about it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// Account and user name.
    pub key: UserKey,
    /// The cloud's own id, which survives a rename.
    #[serde(default)]
    pub cloud_id: String,
    /// Display name in the cloud.
    #[serde(default)]
    pub display_name: String,
    /// E-mail in the cloud.
    #[serde(default)]
    pub email: String,
    /// Mobile phone in the cloud.
    #[serde(default)]
    pub phone: String,
    /// When airgate last wrote display name, e-mail or phone to the cloud.
    #[serde(default)]
    pub profile_written_at: Option<Timestamp>,
    /// What is known about the user's access.
    #[serde(default)]
    pub status: UserStatus,
    /// Access keys as last read.
    #[serde(default)]
    pub access_keys: Vec<AccessKeyInfo>,
    /// Whether console login was allowed when last read; `None` if there is no login profile or it was not read.
    #[serde(default)]
    pub login: Option<Switch>,
    /// When keys and login were last read.
    #[serde(default)]
    pub access_read_at: Option<Timestamp>,
    /// Allocated total, the last ledger entry's `total_after`.
    #[serde(default)]
    pub quota: Money,
    /// The last day of temporary quota whose end left nothing allocated. From then on whatever is spent is too much, until
    /// something is allocated again: without this the user would count as one that was never given anything, and run free.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quota_ended: Option<Date>,
    /// Spending over the monitored links, rounded to 2 decimals.
    #[serde(default)]
    pub consumed: Money,
    /// When `consumed` was last computed from a bill reading.
    #[serde(default)]
    pub spending_updated_at: Option<Timestamp>,
    /// Whether the monitor checks this user.
    pub monitored: Switch,
    /// Who last switched that; `None` if nobody did, or an older airgate noted it.
    #[serde(default)]
    pub monitored_by: Option<Operator>,
    /// The user's own thresholds; `None` = the global default.
    #[serde(default)]
    pub thresholds: Option<Thresholds>,
    /// Whether access is cut when the quota is used up.
    pub auto_disable: Switch,
    /// Thresholds already alerted, in percent.
    #[serde(default)]
    pub triggered: BTreeSet<u16>,
    /// Those of them that only the estimate has reached so far.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub triggered_early: BTreeSet<u16>,
    /// 月度上限: what may be spent in one month.
    #[serde(default)]
    pub month_limit: Option<MonthLimit>,
    /// What the monitored links have spent in a month, for users with a limit; computed with `consumed`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub month_spent: Option<MonthSpent>,
    /// Thresholds of the month limit already alerted.
    #[serde(default)]
    pub month_triggered: Option<MonthTriggered>,
    /// What was in force when it was alerted that quota or month limit will soon be used up; `None` once that has ended.
    #[serde(default)]
    pub forecast_alerted: Option<ForecastAlerted>,
    /// Free text written by administrators.
    #[serde(default)]
    pub remark: String,
    /// The Feishu person behind the user.
    #[serde(default)]
    pub owner: Option<OpenId>,
    /// When the user got its name from another one, or was renamed to it. Cards that are older mean somebody else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub named_at: Option<Timestamp>,
    /// When airgate first saw the user.
    pub created: Timestamp,
    /// When anything above last changed.
    pub updated: Timestamp,
}

impl User {
    /// Creates a user as first seen by a sync: monitoring and automatic disable on, nothing allocated.
    pub fn new(key: UserKey, now: Timestamp) -> Self {
        Self {
            key,
            cloud_id: String::new(),
            display_name: String::new(),
            email: String::new(),
            phone: String::new(),
            profile_written_at: None,
            status: UserStatus::Unknown,
            access_keys: Vec::new(),
            login: None,
            access_read_at: None,
            quota: Money::ZERO,
            quota_ended: None,
            consumed: Money::ZERO,
            spending_updated_at: None,
            monitored: Switch::On,
            monitored_by: None,
            thresholds: None,
            auto_disable: Switch::On,
            triggered: BTreeSet::new(),
            triggered_early: BTreeSet::new(),
            month_limit: None,
            month_spent: None,
            month_triggered: None,
            forecast_alerted: None,
            remark: String::new(),
            owner: None,
            named_at: None,
            created: now,
            updated: now,
        }
    }

    /// Returns the usage: consumed against quota.
    pub fn usage(&self) -> Usage {
        self.usage_with(Money::ZERO)
    }

    /// Returns the usage with something more than what is billed.
    pub fn usage_with(&self, more: Money) -> Usage {
        match self.quota_ended {
            Some(_) => Usage::of_ended(self.consumed + more, self.quota),
            None => Usage::new(self.consumed + more, self.quota),
        }
    }

    /// Returns max(0, quota - consumed).
    pub fn remaining(&self) -> Money {
        (self.quota - self.consumed).max(Money::ZERO)
    }

    /// Returns whether a card that was rendered at `rendered` may mean an earlier user of the same name; `None` for one whose
    /// time is not known, which an earlier version of airgate sent. A clock that was set back makes no card older.
    pub fn is_younger_than_card(&self, rendered: Option<Timestamp>, now: Timestamp) -> bool {
        let since = match rendered {
            Some(_) => self.named_at.max(Some(self.created)),
            None => self.named_at,
        };
        // Ids of cards hold milliseconds.
        let is_older = |since: Timestamp| {
            rendered.is_none_or(|at| at.as_millisecond() < since.as_millisecond())
        };
        since.is_some_and(|since| since <= now && is_older(since))
    }

    /// Returns whether deducting this amount would end the limit of the quota: nothing would be allocated any more, so the user
    /// would be neither alerted nor disabled because of it.
    pub fn would_run_free(&self, amount: Money) -> bool {
        self.status != UserStatus::Gone
            && self.quota_ended.is_none()
            && self.quota.is_positive()
            && self.quota.checked_add(amount) == Some(Money::ZERO)
    }

    /// Returns whether a quota limits the user: anything is allocated, or was until it ended.
    pub fn is_allocated(&self) -> bool {
        self.quota.is_positive() || self.quota_ended.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_card_from_before_the_user_had_its_name_means_somebody_else() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let fresh = User::new("main/alice".parse().unwrap(), at(100));
        assert!(fresh.is_younger_than_card(Some(at(99)), at(200)));
        assert!(!fresh.is_younger_than_card(Some(at(100)), at(200)));
        // The clock was set back after the user was found.
        assert!(!fresh.is_younger_than_card(Some(at(50)), at(60)));
        // A card of an earlier version: only known to be older than a name that was given since.
        assert!(!fresh.is_younger_than_card(None, at(200)));
        let renamed = User { named_at: Some(at(150)), ..fresh };
        assert!(renamed.is_younger_than_card(Some(at(149)), at(200)));
        assert!(!renamed.is_younger_than_card(Some(at(150)), at(200)));
        assert!(renamed.is_younger_than_card(None, at(200)));
    }
}
