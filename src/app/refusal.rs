//! Why a request of a person was refused: facts, worded by the chat layer in the person's language.

use crate::domain::ledger::LedgerError;
use crate::domain::{AmountError, BillPeriod, ProjectName, ThresholdsError, UserKey};

/// A refusal. Nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The person's role does not allow it.
    #[error("not allowed for this role")]
    NotAllowed,
    /// No user of that name; the nearest names.
    #[error("no user `{name}`")]
    NoSuchUser {
        /// What was typed.
        name: String,
        /// Nearest known users, best first, at most 3.
        nearest: Vec<UserKey>,
    },
    /// More than one account has a user of that name.
    #[error("`{name}` is the name of several users")]
    AmbiguousUser {
        /// What was typed.
        name: String,
        /// All of them.
        candidates: Vec<UserKey>,
    },
    /// The user is no longer in the cloud.
    #[error("{0} is gone from the cloud")]
    UserGone(UserKey),
    /// The amount was refused.
    #[error("amount refused: {0}")]
    BadAmount(AmountError),
    /// The ledger refused the entry.
    #[error("ledger: {0}")]
    Ledger(LedgerError),
    /// Not a month.
    #[error("`{0}` is not a month of the form YYYY-MM")]
    BadPeriod(String),
    /// A month outside what bills can be read for.
    #[error("{period} is not between {first} and {last}")]
    PeriodOutOfRange {
        /// What was asked for.
        period: BillPeriod,
        /// First allowed.
        first: BillPeriod,
        /// Last allowed.
        last: BillPeriod,
    },
    /// Thresholds were refused.
    #[error("thresholds: {0}")]
    BadThresholds(ThresholdsError),
    /// No project was chosen or typed.
    #[error("no project given")]
    NoProject,
    /// Two different projects were given, one chosen and one typed.
    #[error("two projects given")]
    TwoProjects,
    /// A project name that cannot be one.
    #[error("`{0}` cannot be a project name")]
    BadProject(String),
    /// The project is linked already.
    #[error("{0} is linked already")]
    AlreadyLinked(ProjectName),
    /// The project is not linked.
    #[error("{0} is not linked")]
    NotLinked(ProjectName),
    /// Access is already as wanted.
    #[error("access is already as wanted")]
    AccessUnchanged,
    /// A change of access is under way.
    #[error("a change of access is under way")]
    AccessPending,
    /// Nothing is remembered to be restored: access was not cut by airgate.
    #[error("nothing is remembered to be restored")]
    NothingRemembered,
    /// There is no active account.
    #[error("no active account")]
    NoAccount,
    /// A field of a card action is missing or has the wrong form: the card is older than this version, or was not made by it.
    #[error("the card action lacks or garbles `{0}`")]
    BadField(&'static str),
    /// A user is not made.
    #[error(transparent)]
    Create(#[from] super::create::CreateRefusal),
    /// No such action or form.
    #[error("unknown action `{0}`")]
    UnknownAction(String),
}

impl From<LedgerError> for Refusal {
    fn from(error: LedgerError) -> Self {
        Refusal::Ledger(error)
    }
}

impl From<AmountError> for Refusal {
    fn from(error: AmountError) -> Self {
        Refusal::BadAmount(error)
    }
}

impl From<ThresholdsError> for Refusal {
    fn from(error: ThresholdsError) -> Self {
        Refusal::BadThresholds(error)
    }
}
