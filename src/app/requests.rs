//! Requests for quota: asking, withdrawing, deciding, and what the cards show.

use jiff::Timestamp;
use jiff::civil::Date;

use super::approvals::{self, NewQuota, Outcome};
use super::people::PeopleRefusal;
use super::quota::Allocation;
use super::{Error, Refusal, users};
use crate::domain::ledger::MAX_NOTE_CHARS;
use crate::domain::typed::parsed_text;
use crate::domain::{
    Approval, Batch, BatchState, Decided, Forecast, LedgerEntry, Money, Month, OpenId, Operator,
    QuotaRequest, RequestError, RequestState, Settings, Unbilled, User, UserKey, UserStatus,
    temporary,
};
use crate::store::{Source, StoreError, View, WriteTx};

/// How many earlier requests and ledger entries the card of a request shows.
const EARLIER_SHOWN: usize = 3;

/// What an owner asks for.
#[derive(Clone, Copy, Debug)]
pub struct NewRequest<'a> {
    /// For whom.
    pub user: &'a UserKey,
    /// How much.
    pub amount: Money,
    /// Why.
    pub reason: &'a str,
    /// The last day, if it is for some time only.
    pub until: Option<Date>,
}

/// A decision, as an administrator made it.
#[derive(Clone, Copy, Debug)]
pub enum Decision<'a> {
    /// This amount is granted.
    Grant {
        /// How much.
        amount: Money,
        /// For the person who asked.
        note: &'a str,
    },
    /// Nothing is granted.
    Refuse {
        /// For the person who asked.
        note: &'a str,
    },
}

/// What a decision led to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestDecided {
    /// The request as it is now.
    pub request: QuotaRequest,
    /// What was booked.
    pub entry: Option<LedgerEntry>,
    /// The approval that the allocation waits for.
    pub approval: Option<Approval>,
}

/// What an administrator needs to decide.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestView {
    /// The request.
    pub request: QuotaRequest,
    /// The user.
    pub user: User,
    /// The account's name.
    pub account_name: String,
    /// What is estimated beyond the bill; `None` if nothing is.
    pub unbilled: Option<Unbilled>,
    /// What the month counts against the limit; `None` without one.
    pub month: Option<Month>,
    /// What the spending leads to; `None` if too little is known.
    pub forecast: Option<Forecast>,
    /// The last requests before this one, newest first.
    pub earlier: Vec<QuotaRequest>,
    /// The last changes of the quota, newest first.
    pub entries: Vec<LedgerEntry>,
}

/// What waits for a decision, oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WaitingView {
    /// Open requests.
    pub requests: Vec<QuotaRequest>,
    /// Allocations that wait for a second administrator.
    pub approvals: Vec<Approval>,
    /// Changes of many users that wait for one.
    pub batches: Vec<Batch>,
}

/// Reads what waits for a decision.
pub fn waiting<S: Source>(tx: &View<S>, now: Timestamp) -> Result<WaitingView, StoreError> {
    let mut requests = tx.pending_requests()?;
    requests.retain(|request| request.state == RequestState::Open && !request.lapses(now));
    for request in &mut requests {
        request.by = named(tx, request.by.clone())?;
    }
    let mut approvals = tx.waiting_approvals()?;
    approvals.retain(|approval| !approval.lapses(now));
    let mut batches = tx.open_batches()?;
    batches.retain(|batch| {
        matches!(batch.state, BatchState::WaitsForSecond { .. }) && !batch.lapses(now)
    });
    Ok(WaitingView { requests, approvals, batches })
}

/// Returns the keys of the users that a person owns and that still are in the cloud.
pub fn owned<S: Source>(tx: &View<S>, person: &OpenId) -> Vec<UserKey> {
    let directory = tx.directory();
    let own = directory.iter().filter(|(_, entry)| {
        entry.owner.as_ref() == Some(person) && entry.status != UserStatus::Gone
    });
    own.map(|(key, _)| key.clone()).collect()
}

/// Returns the user that a person asks for without naming one.
///
/// # Errors
/// [`PeopleRefusal::OwnsNone`], [`PeopleRefusal::OwnsSeveral`].
pub fn only_owned<S: Source>(tx: &View<S>, person: &OpenId) -> Result<UserKey, Error> {
    match owned(tx, person).as_slice() {
        [] => Err(PeopleRefusal::OwnsNone.into()),
        [only] => Ok(only.clone()),
        _ => Err(PeopleRefusal::OwnsSeveral.into()),
    }
}

/// Returns the user of this name that a person owns: `username`, `account/username` or a display name, ignoring case.
///
/// # Errors
/// [`PeopleRefusal::NotOwner`], whether or not there is such a user; [`PeopleRefusal::OwnsSeveral`].
pub fn owned_called<S: Source>(
    tx: &View<S>,
    person: &OpenId,
    name: &str,
) -> Result<UserKey, Error> {
    let directory = tx.directory();
    let name = parsed_text(name.trim()).to_lowercase();
    let called: Vec<_> = owned(tx, person)
        .into_iter()
        .filter(|key| {
            directory.iter().any(|(other, entry)| {
                other == key
                    && (entry.username() == name
                        || entry.key() == name
                        || parsed_text(entry.display_name()) == name)
            })
        })
        .collect();
    match called.as_slice() {
        [] => Err(PeopleRefusal::NotOwner.into()),
        [only] => Ok(only.clone()),
        _ => Err(PeopleRefusal::OwnsSeveral.into()),
    }
}

/// Makes a request of `by`.
///
/// # Errors
/// [`PeopleRefusal::NotOwner`], also if there is no such user; [`Refusal::UserGone`], [`PeopleRefusal::NoReason`],
/// [`PeopleRefusal::ReasonTooLong`], [`PeopleRefusal::NotAboveZero`], [`PeopleRefusal::OverLimit`],
/// [`PeopleRefusal::LastDay`], [`PeopleRefusal::Pending`].
pub fn ask(
    tx: &WriteTx,
    settings: &Settings,
    new: &NewRequest<'_>,
    by: &Operator,
    now: Timestamp,
) -> Result<QuotaRequest, Error> {
    let user = tx.user(new.user)?;
    let owned = user.filter(|user| user.owner.as_ref().is_some_and(|owner| by.is(owner)));
    let Some(user) = owned else { return Err(PeopleRefusal::NotOwner.into()) };
    if user.status == UserStatus::Gone {
        return Err(Refusal::UserGone(user.key).into());
    }
    let reason = new.reason.trim();
    match reason.chars().count() {
        0 => return Err(PeopleRefusal::NoReason.into()),
        chars if chars > MAX_NOTE_CHARS => return Err(PeopleRefusal::ReasonTooLong(chars).into()),
        _ => {}
    }
    if !new.amount.is_positive() {
        return Err(PeopleRefusal::NotAboveZero.into());
    }
    if let Some(limit) = settings.approval.request_limit.filter(|limit| new.amount > *limit) {
        return Err(PeopleRefusal::OverLimit(limit).into());
    }
    if let Some(day) = new.until {
        temporary::check(day, now).map_err(PeopleRefusal::LastDay)?;
    }
    if let Some(mut pending) = tx.pending_request_of(&user.key)? {
        if !is_over(tx, &pending, now)? {
            return Err(PeopleRefusal::Pending.into());
        }
        pending.state = RequestState::Lapsed { at: now };
        tx.put_request(&pending)?;
    }
    let request = QuotaRequest {
        id: tx.next_request()?,
        user: user.key,
        amount: new.amount,
        reason: reason.to_owned(),
        until: new.until,
        by: by.clone(),
        at: now,
        state: RequestState::Open,
        cards: Vec::new(),
    };
    tx.put_request(&request)?;
    Ok(request)
}

/// Withdraws a request.
///
/// # Errors
/// [`PeopleRefusal::Unknown`], [`PeopleRefusal::NotTheirs`], [`PeopleRefusal::RequestClosed`].
pub fn withdraw(
    tx: &WriteTx,
    id: u64,
    person: &OpenId,
    now: Timestamp,
) -> Result<QuotaRequest, Error> {
    let mut request = tx.request(id)?.ok_or(PeopleRefusal::Unknown)?;
    request.check_withdrawal(person).map_err(|error| refused(&request, error, now))?;
    request.state = RequestState::Withdrawn { at: now };
    tx.put_request(&request)?;
    Ok(request)
}

/// Decides about a request. What is granted is booked, or waits for a second administrator, like any allocation.
///
/// # Errors
/// [`PeopleRefusal::Unknown`], [`PeopleRefusal::RequestClosed`], [`PeopleRefusal::OwnRequest`],
/// [`PeopleRefusal::ReasonTooLong`], [`PeopleRefusal::NotAboveZero`], and what [`approvals::allocate`] refuses.
pub fn decide(
    tx: &WriteTx,
    settings: &Settings,
    id: u64,
    decision: Decision<'_>,
    by: &Operator,
    now: Timestamp,
) -> Result<RequestDecided, Error> {
    let mut request = tx.request(id)?.ok_or(PeopleRefusal::Unknown)?;
    let Operator::Person { open_id, .. } = by else { return Err(PeopleRefusal::Unknown.into()) };
    request.check_decision(open_id, now).map_err(|error| refused(&request, error, now))?;
    if is_over(tx, &request, now)? {
        return Err(PeopleRefusal::RequestClosed(Box::new(RequestState::Lapsed { at: now })).into());
    }
    let (Decision::Grant { note, .. } | Decision::Refuse { note }) = decision;
    let note = note.trim();
    let chars = note.chars().count();
    if chars > MAX_NOTE_CHARS {
        return Err(PeopleRefusal::ReasonTooLong(chars).into());
    }
    let decided = Decided { by: by.clone(), at: now, note: note.to_owned() };
    let (mut entry, mut approval) = (None, None);
    request.state = match decision {
        Decision::Refuse { .. } => RequestState::Refused { decided },
        Decision::Grant { amount, .. } => {
            if !amount.is_positive() {
                return Err(PeopleRefusal::NotAboveZero.into());
            }
            let (user, reason) = (&request.user, request.reason.as_str());
            let new = NewQuota {
                allocation: Allocation { user, amount, note: reason, operator: by },
                until: request.until,
                request: Some((request.id, request.by.clone())),
                with_access: false,
            };
            match approvals::allocate(tx, &settings.approval, &new, now)? {
                Outcome::Booked(booked) => {
                    let seq = booked.seq;
                    entry = Some(booked);
                    RequestState::Granted { decided, amount, seq }
                }
                Outcome::WaitsForSecond(waits) => {
                    let id = waits.id;
                    approval = Some(waits);
                    RequestState::WaitsForSecond { decided, amount, approval: id }
                }
            }
        }
    };
    tx.put_request(&request)?;
    Ok(RequestDecided { request, entry, approval })
}

fn refused(request: &QuotaRequest, error: RequestError, now: Timestamp) -> PeopleRefusal {
    match error {
        RequestError::Own => PeopleRefusal::OwnRequest,
        RequestError::NotTheirs => PeopleRefusal::NotTheirs,
        RequestError::Closed if request.lapses(now) => {
            PeopleRefusal::RequestClosed(Box::new(RequestState::Lapsed { at: now }))
        }
        RequestError::Closed => PeopleRefusal::RequestClosed(Box::new(request.state.clone())),
    }
}

/// Returns whether an open request has lapsed: it is too old, or the person who asked is no longer the user's owner.
pub fn is_over<S: Source>(
    tx: &View<S>,
    request: &QuotaRequest,
    now: Timestamp,
) -> Result<bool, StoreError> {
    if request.state != RequestState::Open {
        return Ok(false);
    }
    let directory = tx.directory();
    let owner = directory.get(&request.user).and_then(|entry| entry.owner.as_ref());
    Ok(request.lapses(now) || !owner.is_some_and(|owner| request.is_by(owner)))
}

/// Lets every request lapse that is over. Returns them.
pub fn lapse(tx: &WriteTx, now: Timestamp) -> Result<Vec<QuotaRequest>, StoreError> {
    let mut lapsed = Vec::new();
    for mut request in tx.pending_requests()? {
        if is_over(tx, &request, now)? {
            request.state = RequestState::Lapsed { at: now };
            tx.put_request(&request)?;
            lapsed.push(request);
        }
    }
    Ok(lapsed)
}

/// Returns the operator with the name that is known by now: who writes to the bot for the first time has none yet.
pub(super) fn named<S: Source>(tx: &View<S>, operator: Operator) -> Result<Operator, StoreError> {
    match operator {
        Operator::Person { open_id, name: None } => {
            Ok(Operator::Person { name: tx.person_name(&open_id)?, open_id })
        }
        other => Ok(other),
    }
}

/// Reads what an administrator needs to decide about a request.
///
/// # Errors
/// [`PeopleRefusal::Unknown`], [`Refusal::NoSuchUser`].
pub fn view<S: Source>(tx: &View<S>, id: u64, now: Timestamp) -> Result<RequestView, Error> {
    let mut request = tx.request(id)?.ok_or(PeopleRefusal::Unknown)?;
    request.by = named(tx, request.by)?;
    let user = users::get(tx, &request.user)?;
    let mut earlier = tx.requests_of(&request.user, EARLIER_SHOWN + 1)?;
    earlier.retain(|other| other.id < request.id);
    earlier.truncate(EARLIER_SHOWN);
    Ok(RequestView {
        account_name: users::account_name(tx, &user.key.account)?,
        unbilled: tx.unbilled(&user)?,
        month: tx.month(&user, now)?,
        forecast: tx.forecast(&user, now)?,
        entries: tx.ledger(&user.key, EARLIER_SHOWN)?.0,
        earlier,
        user,
        request,
    })
}

#[cfg(test)]
mod tests;
