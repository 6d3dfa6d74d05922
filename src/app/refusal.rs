//! Why a person's request was refused: facts, which the chat layer puts into words in the person's language.

use std::collections::BTreeMap;

use super::batch_refusal::BatchRefusal;
use super::people::PeopleRefusal;
use crate::address::AddressError;
use crate::domain::contact::ContactError;
use crate::domain::ledger::LedgerError;
use crate::domain::{
    AccessGoal, AccountId, AmountError, BillPeriod, ProjectName, ThresholdsError, UserKey,
};

/// A text field with a maximum length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TextField {
    /// The administrators' remark on a user.
    Remark,
    /// A main account's name.
    AccountName,
}

/// A refusal. Nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The person's role does not allow it.
    #[error("not allowed for this role")]
    NotAllowed,
    /// No user with that name; holds the nearest names.
    #[error("no user `{name}`")]
    NoSuchUser {
        /// What was typed.
        name: String,
        /// Nearest known users, best first, at most 3.
        nearest: Vec<UserKey>,
    },
    /// More than one account has a user with that name.
    #[error("`{name}` is the name of several users")]
    AmbiguousUser {
        /// What was typed.
        name: String,
        /// All of them.
        candidates: Vec<UserKey>,
    },
    /// The mentioned person is nobody's owner.
    #[error("{person} is the owner of no user")]
    OwnsNobody {
        /// The person's name if it is known, else the id.
        person: String,
    },
    /// The mentioned person is the owner of more than one user.
    #[error("{person} is the owner of several users")]
    SeveralOwned {
        /// The person's name if it is known, else the id.
        person: String,
        /// All of them.
        candidates: Vec<UserKey>,
    },
    /// The platform does not say who is mentioned, or the mention means everybody.
    #[error("the mention names no single person")]
    NobodyMentioned,
    /// The user is no longer in the cloud.
    #[error("{0} is gone from the cloud")]
    UserGone(UserKey),
    /// The card is older than the user of that name: it means an earlier one.
    #[error("the card is older than {0}")]
    CardOlderThanUser(UserKey),
    /// The amount was refused.
    #[error("amount refused: {0}")]
    BadAmount(AmountError),
    /// A month limit below 0.
    #[error("a month limit must be above 0")]
    NegativeMonthLimit,
    /// The ledger refused the entry.
    #[error("ledger: {0}")]
    Ledger(LedgerError),
    /// The time for undoing the entry has passed.
    #[error("too late to undo it")]
    UndoTooLate,
    /// The entry is undone already.
    #[error("it is undone already")]
    UndoneAlready,
    /// There is no such entry, or it is one that undoes another.
    #[error("there is nothing to undo")]
    NothingToUndo,
    /// Not a month.
    #[error("`{0}` is not a month of the form YYYY-MM")]
    BadPeriod(String),
    /// A month whose bills cannot be read.
    #[error("{period} is not between {first} and {last}")]
    PeriodOutOfRange {
        /// The requested month.
        period: BillPeriod,
        /// First allowed.
        first: BillPeriod,
        /// Last allowed.
        last: BillPeriod,
    },
    /// Thresholds were refused.
    #[error("thresholds: {0}")]
    BadThresholds(ThresholdsError),
    /// No user was chosen or typed.
    #[error("no user given")]
    NoUser,
    /// Others pay for the project.
    #[error("{project} is linked to others")]
    PaidFor {
        /// The project.
        project: ProjectName,
        /// Who pays for it.
        with: Vec<UserKey>,
    },
    /// No project was chosen or typed.
    #[error("no project given")]
    NoProject,
    /// Others pay for these projects already, and it was not said what happens to them.
    #[error("others pay for these projects already")]
    ProjectTaken(BTreeMap<ProjectName, Vec<UserKey>>),
    /// Not a project name.
    #[error("`{0}` cannot be a project name")]
    BadProject(String),
    /// The project is linked already.
    #[error("{0} is linked already")]
    AlreadyLinked(ProjectName),
    /// The project is not linked.
    #[error("{0} is not linked")]
    NotLinked(ProjectName),
    /// Access is already cut, or already works.
    #[error("the access of {user} is already as requested")]
    AccessUnchanged {
        /// Whose access.
        user: UserKey,
        /// What it already is.
        goal: AccessGoal,
    },
    /// The same change of access is pending.
    #[error("the change of access is pending")]
    AccessPending,
    /// The change of access that was to be withdrawn is not under way.
    #[error("no such change of access of {0} is under way")]
    NothingUnderWay(UserKey),
    /// There is nothing to restore: airgate did not cut the access.
    #[error("there is nothing to restore")]
    NothingRemembered,
    /// There is no active account.
    #[error("no active account")]
    NoAccount,
    /// Not a number of seconds that chat may set.
    #[error("`{0}` is not a usable interval")]
    BadInterval(String),
    /// An address that alerts must not be sent to.
    #[error("webhook address {0}")]
    BadWebhook(AddressError),
    /// Not a mobile number.
    #[error("`{0}` is not a mobile number")]
    BadMobile(String),
    /// More mobile numbers than this maximum.
    #[error("more than {0} mobile numbers")]
    TooManyMobiles(usize),
    /// Not the id of a chat.
    #[error("`{0}` is not a chat_id")]
    BadChat(String),
    /// Not a person in Feishu.
    #[error("`{0}` is not an open_id")]
    BadPerson(String),
    /// A text is too long.
    #[error("{field:?} has {chars} characters, more than {limit}")]
    TooLong {
        /// Which field.
        field: TextField,
        /// The maximum length, in characters.
        limit: usize,
        /// How long it is.
        chars: usize,
    },
    /// Not a display name.
    #[error("a display name of {chars} characters, or of several lines")]
    BadDisplayName {
        /// How long it is, in characters.
        chars: usize,
    },
    /// Not an e-mail address.
    #[error("`{0}` is not an e-mail address")]
    BadEmail(String),
    /// Not an account id.
    #[error("`{0}` cannot be an account id")]
    BadAccountId(String),
    /// There is already an account with that id.
    #[error("account {0} exists already")]
    AccountExists(AccountId),
    /// There is no such account.
    #[error("no account `{0}`")]
    NoSuchAccount(String),
    /// A key pair is incomplete or contains impossible characters.
    #[error("the key pair is incomplete or garbled")]
    BadKeyPair,
    /// Secrets are entered and shown in direct chats only.
    #[error("only in the direct chat")]
    DirectChatOnly,
    /// A card with secrets is recalled only by whom it was sent to, in their direct chat.
    #[error("secrets are recalled only in the direct chat")]
    RecallElsewhere,
    /// A field of a card action is missing or malformed: the card is from another version, or not from airgate.
    #[error("the card action lacks or garbles `{0}`")]
    BadField(&'static str),
    /// A user was not created.
    #[error(transparent)]
    Create(#[from] CreateRefusal),
    /// About requests, approvals and temporary quota.
    #[error(transparent)]
    People(#[from] PeopleRefusal),
    /// About changes of many users.
    #[error(transparent)]
    Batch(#[from] BatchRefusal),
    /// No such action or form.
    #[error("unknown action `{0}`")]
    UnknownAction(String),
}

impl Refusal {
    /// Returns whether it is about who the person is. Like a missing role, it uses nothing up, and others see nothing of it.
    pub fn is_about_the_person(&self) -> bool {
        matches!(
            self,
            Refusal::NotAllowed
                | Refusal::People(
                    PeopleRefusal::OwnRequest
                        | PeopleRefusal::OwnApproval(_)
                        | PeopleRefusal::NotTheirs
                        | PeopleRefusal::NotOwner
                )
                | Refusal::Batch(BatchRefusal::NotTheirs | BatchRefusal::Own)
        )
    }
}

/// A field of the form that creates a user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CreateField {
    /// The main account.
    Account,
    /// The user name.
    Username,
    /// The display name.
    DisplayName,
    /// The e-mail address.
    Email,
    /// The mobile phone.
    Phone,
    /// The first project.
    Project,
    /// The first quota.
    Quota,
}

/// Why a user is not created. Nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CreateRefusal {
    /// What is wrong with the form, field by field.
    #[error("{} fields of the form are wrong", .0.len())]
    Fields(Vec<(CreateField, Refusal)>),
    /// The user name breaks the cloud's rules.
    #[error("`{0}` cannot be a user name")]
    Username(String),
    /// Several accounts are active and none was chosen, or the chosen one is not active.
    #[error("no account chosen")]
    Account,
    /// The account does not list the project.
    #[error("the account does not list the project `{0}`")]
    Project(String),
    /// Others pay for the project already. The projects card asks what happens to them.
    #[error("others pay for the project {0} already")]
    ProjectTaken(ProjectName, Vec<UserKey>),
    /// A first quota below 0.
    #[error("a first quota is positive")]
    Quota,
    /// airgate knows a user with that name.
    #[error("{0} exists")]
    Exists(UserKey),
    /// The same user is being created.
    #[error("{0} is being created")]
    Running(UserKey),
    /// The creation is too old to be known.
    #[error("the creation is no longer known")]
    Forgotten,
    /// Nothing is left to do.
    #[error("the user is complete")]
    Complete,
}

impl From<ContactError> for Refusal {
    fn from(error: ContactError) -> Self {
        match error {
            ContactError::DisplayName { chars } => Refusal::BadDisplayName { chars },
            ContactError::Email(text) => Refusal::BadEmail(text),
            ContactError::Phone(text) => Refusal::BadMobile(text),
        }
    }
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
