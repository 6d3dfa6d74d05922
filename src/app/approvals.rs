//! Allocating: the one entry for everybody who adds to a quota, whether by command, form, button, request or the
//! creation of a user. What reaches `approval.second_from` waits here for a second administrator.

use jiff::Timestamp;
use jiff::civil::Date;

use super::outcome::QuotaView;
use super::people::PeopleRefusal;
use super::quota::{self, Allocation};
use super::{Error, access, users};
use crate::domain::approval::{allocated_lately, needs_second};
use crate::domain::{
    AccessGoal, Approval, ApprovalError, ApprovalRules, ApprovalState, Decided, LastDayError,
    LedgerEntry, Money, Operator, Parties, QuotaRequest, Report, RequestState, Settings, Temporary,
    TemporaryState, User, temporary,
};
use crate::store::{Source, StoreError, View, WriteTx};

/// Ledger entries that are looked at for the sum of a day: more within 24 h are counted in steps of this size.
const ENTRIES_AT_ONCE: usize = 100;

/// An allocation, and what belongs to it.
#[derive(Clone, Debug)]
pub struct NewQuota<'a> {
    /// Whose, how much, why and by whom.
    pub allocation: Allocation<'a>,
    /// The last day, if it is temporary.
    pub until: Option<Date>,
    /// The request that it grants, and who asked.
    pub request: Option<(u64, Operator)>,
    /// Whether access is restored with it: [`allocate_and_restore`].
    pub with_access: bool,
}

impl<'a> From<Allocation<'a>> for NewQuota<'a> {
    fn from(allocation: Allocation<'a>) -> Self {
        Self { allocation, until: None, request: None, with_access: false }
    }
}

/// What became of an allocation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is in the ledger.
    Booked(LedgerEntry),
    /// It waits for a second administrator. The caller asks for one: `outbox::Alerts::ask_for_second`.
    WaitsForSecond(Approval),
}

/// A decision on an approval.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApprovalDecided {
    /// The approval as it is now.
    pub approval: Approval,
    /// What was booked.
    pub entry: Option<LedgerEntry>,
    /// The request that the allocation grants, as it is now.
    pub request: Option<QuotaRequest>,
}

/// What the card of an approval shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApprovalView {
    /// The approval.
    pub approval: Approval,
    /// The user.
    pub user: User,
    /// What the same person allocated to the user within 24 h, this included.
    pub lately: Money,
}

/// Books an allocation, or lets it wait for a second administrator.
///
/// # Errors
/// [`crate::app::Refusal::NoSuchUser`], [`crate::app::Refusal::UserGone`], [`crate::app::Refusal::Ledger`] as booking it
/// would; [`PeopleRefusal::NotAboveZero`] for a temporary deduction, [`PeopleRefusal::LastDay`].
pub fn allocate(
    tx: &WriteTx,
    rules: &ApprovalRules,
    new: &NewQuota<'_>,
    now: Timestamp,
) -> Result<Outcome, Error> {
    let Allocation { user, amount, note, operator } = new.allocation;
    if let Some(day) = new.until {
        temporary::check(day, now).map_err(PeopleRefusal::LastDay)?;
        if !amount.is_positive() {
            return Err(PeopleRefusal::NotAboveZero.into());
        }
    }
    if !needs_second(rules, lately(tx, user, operator, now)?, amount) {
        let requested_by = new.request.as_ref().map(|(_, asked)| asked.clone());
        let parties = Parties { requested_by, confirmed_by: None, until: new.until };
        let entry = enter(tx, &new.allocation, parties, new.with_access, now)?;
        return Ok(Outcome::Booked(entry));
    }
    quota::prepare(tx, &new.allocation, now)?;
    let approval = Approval {
        id: tx.next_approval()?,
        user: user.clone(),
        amount,
        note: note.trim().to_owned(),
        until: new.until,
        by: operator.clone(),
        at: now,
        request: new.request.clone(),
        state: ApprovalState::Waiting,
        cards: Vec::new(),
    };
    tx.put_approval(&approval)?;
    Ok(Outcome::WaitsForSecond(approval))
}

/// Allocates and returns the quota card that results, too.
///
/// # Errors
/// As [`allocate`].
pub fn allocate_on_card(
    tx: &WriteTx,
    settings: &Settings,
    new: &NewQuota<'_>,
    now: Timestamp,
) -> Result<(Outcome, QuotaView), Error> {
    let outcome = allocate(tx, &settings.approval, new, now)?;
    Ok((outcome, quota::view(tx, settings, new.allocation.user, now)?))
}

/// Allocates and has access restored, or neither. Enforcement reports to `report` once access works. What waits for a second
/// administrator restores nothing, and neither does their confirmation.
///
/// # Errors
/// As [`allocate`] and [`access::request`].
pub fn allocate_and_restore(
    tx: &WriteTx,
    settings: &Settings,
    new: &NewQuota<'_>,
    report: Option<Report>,
    now: Timestamp,
) -> Result<(Outcome, QuotaView), Error> {
    let new = NewQuota { with_access: true, ..new.clone() };
    let Allocation { user, operator, .. } = new.allocation;
    let goal = AccessGoal::Restored;
    let outcome = allocate(tx, &settings.approval, &new, now)?;
    match &outcome {
        Outcome::Booked(_) => {
            access::request(tx, user, goal, operator.clone(), report, now)?;
        }
        Outcome::WaitsForSecond(_) => {
            access::check(tx, user, goal)?;
        }
    }
    Ok((outcome, quota::view(tx, settings, user, now)?))
}

/// Books an allocation that nobody has to confirm any more.
fn enter(
    tx: &WriteTx,
    allocation: &Allocation<'_>,
    parties: Parties,
    with_access: bool,
    now: Timestamp,
) -> Result<LedgerEntry, Error> {
    let until = parties.until;
    let entry = quota::book_naming(tx, allocation, parties, with_access, now)?;
    put_temporary(tx, &entry, until)?;
    Ok(entry)
}

/// Books what a batch has decided.
///
/// # Errors
/// As [`quota::book`].
pub(super) fn book_decided(
    tx: &WriteTx,
    allocation: &Allocation<'_>,
    parties: Parties,
    now: Timestamp,
) -> Result<LedgerEntry, Error> {
    let until = parties.until;
    let entry = quota::book_decided(tx, allocation, parties, now)?;
    put_temporary(tx, &entry, until)?;
    Ok(entry)
}

/// Has an entry booked back after its last day.
fn put_temporary(tx: &WriteTx, entry: &LedgerEntry, until: Option<Date>) -> Result<(), StoreError> {
    let Some(last_day) = until else { return Ok(()) };
    tx.put_temporary(&Temporary {
        user: entry.user.clone(),
        seq: entry.seq,
        amount: entry.amount,
        last_day,
        state: TemporaryState::Running,
    })
}

/// Returns what an operator allocated to a user within 24 h, or tries to.
pub(super) fn lately<S: Source>(
    tx: &View<S>,
    user: &crate::domain::UserKey,
    operator: &Operator,
    now: Timestamp,
) -> Result<Money, StoreError> {
    let waiting = tx.waiting_approvals_of(user)?;
    let mut count = ENTRIES_AT_ONCE;
    loop {
        let (entries, total) = tx.ledger(user, count)?;
        let all = entries.len() < count || u64::try_from(count).is_ok_and(|count| count >= total);
        let reached = entries.last().is_none_or(|oldest| {
            now.duration_since(oldest.at) >= crate::domain::approval::SUMMED_OVER
        });
        if all || reached {
            return Ok(allocated_lately(operator, &entries, &waiting, now));
        }
        count = count.saturating_mul(4);
    }
}

/// Confirms or refuses an allocation that waits.
///
/// # Errors
/// [`PeopleRefusal::Unknown`], [`PeopleRefusal::ApprovalClosed`], [`PeopleRefusal::OwnApproval`]; what booking refuses;
/// [`PeopleRefusal::LastDay`] if the last day is over by now.
pub fn decide(
    tx: &WriteTx,
    id: u64,
    confirms: bool,
    by: &Operator,
    now: Timestamp,
) -> Result<ApprovalDecided, Error> {
    let mut approval = waiting(tx, id, by, now)?;
    let mut booked = None;
    approval.state = if confirms {
        if approval.until.is_some_and(|day| temporary::is_over(day, now)) {
            return Err(PeopleRefusal::LastDay(LastDayError::Past).into());
        }
        let allocation = Allocation {
            user: &approval.user,
            amount: approval.amount,
            note: &approval.note,
            operator: &approval.by,
        };
        let parties = Parties {
            requested_by: approval.request.as_ref().map(|(_, asked)| asked.clone()),
            confirmed_by: Some(by.clone()),
            until: approval.until,
        };
        let entry = enter(tx, &allocation, parties, false, now)?;
        let seq = entry.seq;
        booked = Some(entry);
        ApprovalState::Confirmed { by: by.clone(), at: now, seq }
    } else {
        ApprovalState::Refused { by: by.clone(), at: now }
    };
    tx.put_approval(&approval)?;
    let request = follow(tx, &approval)?;
    Ok(ApprovalDecided { approval, entry: booked, request })
}

/// Ends an approval whose author is no administrator any more, in the place of a confirmation: nothing is booked, and a request
/// that it was to grant is open again.
///
/// # Errors
/// As [`decide`].
pub fn void(
    tx: &WriteTx,
    id: u64,
    by: &Operator,
    now: Timestamp,
) -> Result<ApprovalDecided, Error> {
    let mut approval = waiting(tx, id, by, now)?;
    approval.state = ApprovalState::Void { at: now };
    tx.put_approval(&approval)?;
    let request = follow(tx, &approval)?;
    Ok(ApprovalDecided { approval, entry: None, request })
}

/// Returns an approval that `by` may decide.
fn waiting(tx: &WriteTx, id: u64, by: &Operator, now: Timestamp) -> Result<Approval, Error> {
    let approval = tx.approval(id)?.ok_or(PeopleRefusal::Unknown)?;
    let Operator::Person { open_id, .. } = by else { return Err(PeopleRefusal::Unknown.into()) };
    approval.check_decision(open_id, now).map_err(|error| match error {
        ApprovalError::Closed => PeopleRefusal::ApprovalClosed(Box::new(closed(&approval, now))),
        own @ (ApprovalError::Own | ApprovalError::AskedFor) => PeopleRefusal::OwnApproval(own),
    })?;
    Ok(approval)
}

/// Returns the state of an approval that cannot be decided: one that is too old has lapsed, also before that is written.
fn closed(approval: &Approval, now: Timestamp) -> ApprovalState {
    if approval.lapses(now) { ApprovalState::Lapsed { at: now } } else { approval.state.clone() }
}

/// Lets the request that an approval grants follow what became of it. One whose approval has lapsed is open again.
fn follow(tx: &WriteTx, approval: &Approval) -> Result<Option<QuotaRequest>, StoreError> {
    let Some((id, _)) = approval.request else { return Ok(None) };
    let Some(mut request) = tx.request(id)? else { return Ok(None) };
    let RequestState::WaitsForSecond { decided, amount, approval: waits_for } = &request.state
    else {
        return Ok(None);
    };
    if *waits_for != approval.id {
        return Ok(None);
    }
    request.state = match &approval.state {
        ApprovalState::Waiting => return Ok(None),
        ApprovalState::Confirmed { seq, .. } => {
            RequestState::Granted { decided: decided.clone(), amount: *amount, seq: *seq }
        }
        ApprovalState::Refused { by, at } => RequestState::Refused {
            decided: Decided { by: by.clone(), at: *at, note: String::new() },
        },
        ApprovalState::Lapsed { .. } | ApprovalState::Void { .. } => RequestState::Open,
    };
    tx.put_request(&request)?;
    Ok(Some(request))
}

/// Lets every approval lapse that has waited too long. Returns them, with the requests that are open again.
pub fn lapse(tx: &WriteTx, now: Timestamp) -> Result<Vec<ApprovalDecided>, StoreError> {
    let mut lapsed = Vec::new();
    for mut approval in tx.waiting_approvals()? {
        if approval.lapses(now) {
            approval.state = ApprovalState::Lapsed { at: now };
            tx.put_approval(&approval)?;
            let request = tx.or_left_out(&approval.user, follow(tx, &approval))?.flatten();
            lapsed.push(ApprovalDecided { approval, entry: None, request });
        }
    }
    Ok(lapsed)
}

/// Reads what the card of an approval shows.
///
/// # Errors
/// [`PeopleRefusal::Unknown`], [`crate::app::Refusal::NoSuchUser`].
pub fn view<S: Source>(tx: &View<S>, id: u64, now: Timestamp) -> Result<ApprovalView, Error> {
    let mut approval = tx.approval(id)?.ok_or(PeopleRefusal::Unknown)?;
    if let Some((id, asked)) = approval.request.take() {
        approval.request = Some((id, super::requests::named(tx, asked)?));
    }
    let user = users::get(tx, &approval.user)?;
    Ok(ApprovalView { lately: lately(tx, &approval.user, &approval.by, now)?, user, approval })
}
