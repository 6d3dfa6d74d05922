//! Changes of many users at once (批量): from the list of users, or from a file that an administrator dropped into the chat.
//!
//! A batch is prepared, shown, and applied as it was shown: to exactly these users, all of them or none, once. While it is
//! applied, its rows are written in short steps; until a user's row is written, nobody else changes that user.

use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::{
    BillPeriod, Joining, MessageId, Money, MonthLimit, OpenId, Operator, ProjectName, Report,
    Switch, Thresholds, UserKey,
};

/// How many rows a batch has at most.
pub const MAX_ROWS: usize = 5_000;
/// How many users may divide a project after a batch: each new one divides it again for all.
pub const MAX_SHARERS: usize = 100;
/// How many rows, and how many reasons, a card shows.
pub const SHOWN: usize = 20;
/// How long a preview can be applied, how long a batch waits for a second administrator, and how long the same file is
/// refused after it was applied.
pub const KEPT_FOR: SignedDuration = SignedDuration::from_hours(24);

/// What a row does to its user.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "does")]
pub enum RowChange {
    /// Adds to the quota or, below 0, deducts from it.
    Allocate {
        /// How much.
        amount: Money,
        /// Why.
        #[serde(default)]
        note: String,
        /// The last day of a temporary allocation.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until: Option<Date>,
    },
    /// Sets the month limit.
    MonthLimit {
        /// `None` = no limit.
        limit: Option<MonthLimit>,
    },
    /// Sets the user's own thresholds.
    Thresholds {
        /// `None` = the global ones.
        thresholds: Option<Thresholds>,
    },
    /// Switches automatic disable.
    AutoDisable {
        /// On or off.
        to: Switch,
    },
    /// Links a project.
    Link {
        /// Which one.
        project: ProjectName,
        /// The first month that counts.
        since: BillPeriod,
        /// What happens to the links of others; `None` where nobody has the project.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        joining: Option<Joining>,
    },
    /// Sets the owner.
    Owner {
        /// The person.
        person: OpenId,
    },
}

/// What all rows of a batch do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BatchKind {
    /// [`RowChange::Allocate`]
    Quota,
    /// [`RowChange::MonthLimit`]
    Limits,
    /// [`RowChange::Thresholds`]
    Thresholds,
    /// [`RowChange::AutoDisable`]
    AutoDisable,
    /// [`RowChange::Link`]
    Links,
    /// [`RowChange::Owner`]
    Owners,
}

impl RowChange {
    /// Returns what kind of change it is.
    pub fn kind(&self) -> BatchKind {
        match self {
            RowChange::Allocate { .. } => BatchKind::Quota,
            RowChange::MonthLimit { .. } => BatchKind::Limits,
            RowChange::Thresholds { .. } => BatchKind::Thresholds,
            RowChange::AutoDisable { .. } => BatchKind::AutoDisable,
            RowChange::Link { .. } => BatchKind::Links,
            RowChange::Owner { .. } => BatchKind::Owners,
        }
    }
}

/// One user and what is done to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BatchRow {
    /// The user.
    pub user: UserKey,
    /// What is done.
    pub change: RowChange,
}

/// How a row's user stood when the batch was prepared.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "was", content = "it")]
pub enum Was {
    /// The quota.
    Quota(Money),
    /// The month limit.
    Limit(Option<MonthLimit>),
    /// The user's own thresholds.
    Thresholds(Option<Thresholds>),
    /// Automatic disable.
    AutoDisable(Switch),
    /// How many others pay for the project.
    Payers(usize),
    /// The owner.
    Owner(Option<OpenId>),
}

/// A row that a card shows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShownRow {
    /// The row.
    pub row: BatchRow,
    /// How the user stood.
    pub was: Was,
}

/// A user, or a line of a file, that is not in the batch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftOut {
    /// Whom or what it is about: `account/username`, or the number of the line.
    pub what: String,
    /// Why, in the language of the cards.
    pub reason: String,
}

/// What a batch would do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BatchPlan {
    /// What its rows do.
    pub kind: BatchKind,
    /// How many rows it has.
    pub rows: usize,
    /// What its allocations add up to.
    #[serde(default)]
    pub total: Money,
    /// How many rows need a second administrator.
    #[serde(default)]
    pub second: usize,
    /// How many users it leaves with nothing allocated, so that the quota limits them no more.
    #[serde(default)]
    pub run_free: usize,
    /// The first rows.
    pub shown: Vec<ShownRow>,
    /// The first of those that are left out.
    #[serde(default)]
    pub left_out: Vec<LeftOut>,
    /// How many are left out.
    #[serde(default)]
    pub left_out_count: usize,
}

/// Where a batch comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "from")]
pub enum BatchSource {
    /// Users of the list, all changed alike.
    List {
        /// Which users, as the list's filter, search text and account.
        place: String,
        /// What is done to each.
        change: RowChange,
    },
    /// A file.
    File {
        /// The message with the file.
        message: MessageId,
        /// The platform's key of the file.
        key: String,
        /// Its name.
        name: String,
        /// What its rows say, hashed; empty until it was read.
        #[serde(default)]
        digest: String,
    },
}

/// How a batch stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "is")]
pub enum BatchState {
    /// It is being prepared.
    Preparing,
    /// There is nothing to apply: nothing was changed.
    Unusable {
        /// Why.
        reasons: Vec<LeftOut>,
        /// How many reasons there are.
        count: usize,
    },
    /// It can be applied.
    Previewed {
        /// Since when.
        at: Timestamp,
    },
    /// A second administrator is asked.
    WaitsForSecond {
        /// Since when.
        at: Timestamp,
    },
    /// It was to be applied and is checked once more.
    Checking {
        /// Since when.
        at: Timestamp,
        /// The second administrator.
        #[serde(default)]
        confirmed_by: Option<Operator>,
    },
    /// It is decided, and its rows are being written.
    Applying {
        /// When it was decided: the time of everything that it changes.
        at: Timestamp,
        /// The second administrator.
        #[serde(default)]
        confirmed_by: Option<Operator>,
    },
    /// It was applied.
    Applied {
        /// When.
        at: Timestamp,
        /// The second administrator.
        #[serde(default)]
        confirmed_by: Option<Operator>,
    },
    /// It could no longer be applied: nothing was changed.
    Stopped {
        /// When.
        at: Timestamp,
        /// Why.
        reasons: Vec<LeftOut>,
        /// How many reasons there are.
        count: usize,
    },
    /// The second administrator refused it: nothing was changed.
    Refused {
        /// Who.
        by: Operator,
        /// When.
        at: Timestamp,
    },
    /// Nobody applied or confirmed it in time: nothing was changed.
    Lapsed {
        /// When.
        at: Timestamp,
    },
}

impl BatchState {
    /// Returns whether nothing will happen to it any more.
    pub fn is_final(&self) -> bool {
        matches!(
            self,
            BatchState::Unusable { .. }
                | BatchState::Applied { .. }
                | BatchState::Stopped { .. }
                | BatchState::Refused { .. }
                | BatchState::Lapsed { .. }
        )
    }

    /// Returns whether its rows are being written.
    pub fn is_applying(&self) -> bool {
        matches!(self, BatchState::Applying { .. })
    }

    /// Returns since when it waits for a person.
    pub fn waits_since(&self) -> Option<Timestamp> {
        match self {
            BatchState::Previewed { at } | BatchState::WaitsForSecond { at } => Some(*at),
            _ => None,
        }
    }
}

/// A batch. Its rows are stored apart.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Batch {
    /// Ascending in the order of asking.
    pub id: u64,
    /// Where it comes from.
    pub source: BatchSource,
    /// Who made it, and alone may apply it.
    pub by: Operator,
    /// When.
    pub at: Timestamp,
    /// How it stands.
    pub state: BatchState,
    /// What it would do, once that is known.
    #[serde(default)]
    pub plan: Option<BatchPlan>,
    /// The cards that show it.
    #[serde(default)]
    pub cards: Vec<Report>,
    /// The last owner who was told what it booked: they are told in the order of their ids.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub told: Option<OpenId>,
}

/// Why a batch cannot be applied or decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BatchError {
    /// Somebody else made it.
    #[error("somebody else made it")]
    NotTheirs,
    /// Nobody confirms what they entered themselves.
    #[error("nobody confirms their own batch")]
    Own,
    /// It is applied, refused, lapsed, or not prepared yet.
    #[error("it does not wait for this")]
    Closed,
}

impl Batch {
    /// Returns whether it lapses at `now`.
    pub fn lapses(&self, now: Timestamp) -> bool {
        self.state.waits_since().is_some_and(|since| now.duration_since(since) >= KEPT_FOR)
    }

    /// Checks that `person` may apply it at `now`.
    ///
    /// # Errors
    /// [`BatchError::NotTheirs`], [`BatchError::Closed`].
    pub fn check_apply(&self, person: &OpenId, now: Timestamp) -> Result<(), BatchError> {
        if !self.by.is(person) {
            Err(BatchError::NotTheirs)
        } else if !matches!(self.state, BatchState::Previewed { .. }) || self.lapses(now) {
            Err(BatchError::Closed)
        } else {
            Ok(())
        }
    }

    /// Checks that `person` may decide about it at `now`.
    ///
    /// # Errors
    /// [`BatchError::Own`], [`BatchError::Closed`].
    pub fn check_decision(&self, person: &OpenId, now: Timestamp) -> Result<(), BatchError> {
        if !matches!(self.state, BatchState::WaitsForSecond { .. }) || self.lapses(now) {
            Err(BatchError::Closed)
        } else if self.by.is(person) {
            Err(BatchError::Own)
        } else {
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(state: BatchState) -> Batch {
        let by = Operator::Person { open_id: "ou_1".parse().unwrap(), name: None };
        let source = BatchSource::List {
            place: String::new(),
            change: RowChange::AutoDisable { to: Switch::On },
        };
        Batch {
            id: 1,
            source,
            by,
            at: Timestamp::UNIX_EPOCH,
            state,
            plan: None,
            cards: vec![],
            told: None,
        }
    }

    #[test]
    fn only_who_made_it_applies_it_and_only_somebody_else_confirms_it() {
        let at = Timestamp::UNIX_EPOCH;
        let (own, other): (OpenId, OpenId) = ("ou_1".parse().unwrap(), "ou_2".parse().unwrap());
        let previewed = batch(BatchState::Previewed { at });
        assert_eq!(previewed.check_apply(&own, at), Ok(()));
        assert_eq!(previewed.check_apply(&other, at), Err(BatchError::NotTheirs));
        assert_eq!(previewed.check_decision(&other, at), Err(BatchError::Closed));
        let waits = batch(BatchState::WaitsForSecond { at });
        assert_eq!(waits.check_decision(&other, at), Ok(()));
        assert_eq!(waits.check_decision(&own, at), Err(BatchError::Own));
        assert_eq!(waits.check_apply(&own, at), Err(BatchError::Closed));
    }

    #[test]
    fn both_end_after_a_day() {
        let at = Timestamp::UNIX_EPOCH;
        let (own, other): (OpenId, OpenId) = ("ou_1".parse().unwrap(), "ou_2".parse().unwrap());
        let last = at + KEPT_FOR - SignedDuration::from_secs(1);
        let over = at + KEPT_FOR;
        let previewed = batch(BatchState::Previewed { at });
        assert_eq!(previewed.check_apply(&own, last), Ok(()));
        assert_eq!(previewed.check_apply(&own, over), Err(BatchError::Closed));
        let waits = batch(BatchState::WaitsForSecond { at });
        assert_eq!(waits.check_decision(&other, last), Ok(()));
        assert_eq!(waits.check_decision(&other, over), Err(BatchError::Closed));
        let applied = batch(BatchState::Applied { at, confirmed_by: None });
        assert!(!applied.lapses(over) && applied.state.is_final());
    }
}
