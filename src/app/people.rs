//! Why a request or an approval was refused, and what owners are told: facts, which the chat layer puts into words.

use crate::domain::{
    AccessGoal, AlertRecord, ApprovalError, ApprovalState, LastDayError, LedgerEntry, Money,
    Operator, QuotaRequest, RequestState,
};

/// A refusal about requests, approvals and temporary quota. Nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PeopleRefusal {
    /// The person is not the owner of the user. It does not say whether there is such a user.
    #[error("not the owner of that user")]
    NotOwner,
    /// The person is the owner of no user.
    #[error("the owner of no user")]
    OwnsNone,
    /// The person is the owner of several users and named none.
    #[error("the owner of several users")]
    OwnsSeveral,
    /// A request without a reason.
    #[error("no reason given")]
    NoReason,
    /// The reason has this many characters: too many.
    #[error("a reason of {0} characters")]
    ReasonTooLong(usize),
    /// A request for a negative amount, or a temporary deduction.
    #[error("the amount must be above 0")]
    NotAboveZero,
    /// More than a single request may ask for.
    #[error("more than {0}, the limit of a request")]
    OverLimit(Money),
    /// The user has a pending request already.
    #[error("there is a pending request")]
    Pending,
    /// There is no such request or approval.
    #[error("no such request")]
    Unknown,
    /// The request is no longer open.
    #[error("the request is no longer open")]
    RequestClosed(Box<RequestState>),
    /// Nobody decides about their own request.
    #[error("their own request")]
    OwnRequest,
    /// Only the person who asked withdraws a request.
    #[error("somebody else asked")]
    NotTheirs,
    /// The allocation no longer waits.
    #[error("the allocation no longer waits")]
    ApprovalClosed(Box<ApprovalState>),
    /// Whoever entered the allocation is no administrator any more.
    #[error("entered by somebody who is no administrator any more")]
    AuthorLeft(Operator),
    /// Nobody confirms what they entered or asked for.
    #[error("their own allocation")]
    OwnApproval(ApprovalError),
    /// Not a last day.
    #[error("last day: {0}")]
    LastDay(LastDayError),
}

/// What a user's owner is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OwnerNotice {
    /// An alert was raised.
    Alert(AlertRecord),
    /// The quota was changed.
    Quota(LedgerEntry),
    /// Access was cut or restored.
    Access(AccessGoal),
    /// A request was decided, or has lapsed.
    Request(QuotaRequest),
}
