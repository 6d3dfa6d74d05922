//! Why something failed at the cloud, for people: typed, so that cards say it in their reader's language. The cloud's
//! own words stay untranslated, because its support and its documents use them.

use serde::{Deserialize, Serialize};

use super::cloud::CloudError;
use crate::domain::{AccountId, AccountNumber, BillPeriod, Money, ProjectName, WrongAccount};
use crate::volcengine::{self, ErrorKind, TransportFault};

/// A failure at the cloud.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trouble {
    /// What went wrong, which decides what to do.
    pub cause: Cause,
    /// What the cloud said, if anything.
    pub said: Said,
}

/// What the cloud itself said about a failure; bounded, and without secrets.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Said {
    /// The API action (`ListUsers`).
    pub action: Option<String>,
    /// Its code and message, or which row of a bill it is about.
    pub words: Option<String>,
    /// The HTTP status.
    pub status: Option<u16>,
    /// The id that the vendor's support asks for.
    pub request_id: Option<String>,
}

/// The cause of a failure at the cloud.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// Above the rate limit.
    Throttled,
    /// A failure inside the cloud.
    Server,
    /// No connection.
    Unreachable,
    /// No answer in time.
    NoAnswer,
    /// The answer was cut short.
    Broken,
    /// The access key or its signature was refused.
    Credentials,
    /// The host's clock is off.
    Clock,
    /// The access key may not read bills.
    BillPermission,
    /// The access key may not manage users.
    UserPermission,
    /// The same about 方舟.
    ModelPermission,
    /// The object does not exist.
    NotFound,
    /// The object exists already.
    AlreadyExists,
    /// Refused in the object's current state.
    Conflict,
    /// A quota of the cloud is used up.
    Limit,
    /// A value was refused.
    BadInput,
    /// The client is misconfigured.
    Configuration,
    /// An answer that is not the API's, or an unknown code.
    Unexpected,
    /// Split bills are not switched on.
    NoSplitBill {
        /// The cloud's warning.
        warning: String,
    },
    /// The bill is empty, with a warning.
    EmptyBill {
        /// The cloud's warning.
        warning: String,
    },
    /// A row is not in CNY.
    ForeignCurrency {
        /// Its currency.
        currency: String,
    },
    /// A row has no usable amount.
    EmptyAmount {
        /// The amount's field name in the API.
        field: String,
        /// The value found instead.
        found: String,
    },
    /// A bill changed twice while it was read.
    UnsettledBill,
    /// A bill that cannot be true.
    AbsurdBill {
        /// The month.
        period: BillPeriod,
        /// The project.
        project: ProjectName,
        /// The amount it gives.
        amount: Money,
    },
    /// The key pair belongs to another main account.
    OtherAccount {
        /// The account's number.
        known: AccountNumber,
        /// The number of the main account that the pair belongs to.
        found: AccountNumber,
    },
    /// The key pair belongs to a main account that airgate has under another id.
    KnownAccount {
        /// That id.
        account: AccountId,
    },
    /// The account was removed.
    NoSuchAccount,
    /// The store failed, not the cloud.
    Store,
    /// A change was accepted but is not visible yet.
    NotShownYet,
    /// The access to cut is that of airgate's own key.
    OwnKey,
    /// Whether airgate itself uses this user cannot be told while the access keys cannot be read.
    KeysUnread,
    /// The cloud accepted a change and does not show it.
    NotApplied,
    /// Every name of airgate's policy is taken by policies with other documents.
    PolicyNamesTaken,
}

impl From<Cause> for Trouble {
    fn from(cause: Cause) -> Self {
        Self { cause, said: Said::default() }
    }
}

impl From<&volcengine::Error> for Trouble {
    fn from(error: &volcengine::Error) -> Self {
        let mut row = None;
        let cause = match error.kind() {
            ErrorKind::Throttled => Cause::Throttled,
            ErrorKind::Server => Cause::Server,
            ErrorKind::Transport(TransportFault::Connect) => Cause::Unreachable,
            ErrorKind::Transport(TransportFault::Timeout) => Cause::NoAnswer,
            ErrorKind::Transport(TransportFault::Broken) => Cause::Broken,
            ErrorKind::Credentials => Cause::Credentials,
            ErrorKind::ClockSkew => Cause::Clock,
            ErrorKind::Permission if error.is_about_bills() => Cause::BillPermission,
            ErrorKind::Permission if error.is_about_models() => Cause::ModelPermission,
            ErrorKind::Permission => Cause::UserPermission,
            ErrorKind::NotFound => Cause::NotFound,
            ErrorKind::AlreadyExists => Cause::AlreadyExists,
            ErrorKind::Conflict | ErrorKind::OperationDenied => Cause::Conflict,
            ErrorKind::Limit => Cause::Limit,
            ErrorKind::BadInput => Cause::BadInput,
            ErrorKind::Configuration => Cause::Configuration,
            ErrorKind::Unexpected | ErrorKind::NoSuchAction => Cause::Unexpected,
            ErrorKind::SplitBillNotEnabled(warning) if error.action() == "ListSplitBillDetail" => {
                Cause::NoSplitBill { warning: warning.clone() }
            }
            ErrorKind::SplitBillNotEnabled(warning) => {
                Cause::EmptyBill { warning: warning.clone() }
            }
            ErrorKind::ForeignCurrency { currency, row: which } => {
                row = Some(which.clone());
                Cause::ForeignCurrency { currency: currency.clone() }
            }
            ErrorKind::EmptyAmount { field, found, row: which } => {
                row = Some(which.clone());
                Cause::EmptyAmount { field: (*field).to_owned(), found: found.clone() }
            }
            ErrorKind::UnsettledBill(_) => Cause::UnsettledBill,
        };
        // Without a code, the words are this client's or a proxy's, not the cloud's: the log has them.
        let words = error.code().map(|code| match error.message() {
            "" => code.to_owned(),
            message => format!("{code}: {message}"),
        });
        let said = Said {
            action: Some(error.action().to_owned()),
            words: words.or(row),
            status: error.status(),
            request_id: error.request_id().map(ToOwned::to_owned),
        };
        Self { cause, said }
    }
}

impl From<&CloudError> for Trouble {
    fn from(error: &CloudError) -> Self {
        match error {
            CloudError::NoSuchAccount(_) => Cause::NoSuchAccount.into(),
            CloudError::SealedPair(_) | CloudError::Store(_) => Cause::Store.into(),
            CloudError::AbsurdBill { period, project, amount } => {
                Cause::AbsurdBill { period: *period, project: project.clone(), amount: *amount }
                    .into()
            }
            CloudError::WrongAccount(problem) => problem.into(),
            CloudError::Cloud(error) => error.into(),
        }
    }
}

impl From<&WrongAccount> for Trouble {
    fn from(problem: &WrongAccount) -> Self {
        match problem {
            WrongAccount::Other { known, found } => {
                Cause::OtherAccount { known: *known, found: *found }.into()
            }
            WrongAccount::Known { account } => {
                Cause::KnownAccount { account: account.clone() }.into()
            }
        }
    }
}

impl From<CloudError> for Trouble {
    fn from(error: CloudError) -> Self {
        (&error).into()
    }
}

impl From<volcengine::Error> for Trouble {
    fn from(error: volcengine::Error) -> Self {
        (&error).into()
    }
}
