//! 二次审批: a large allocation that one administrator entered is booked only when another one confirms it.

use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::{LedgerEntry, Money, OpenId, Operator, Report, UserKey};

/// How long an approval waits.
pub const WAITS_FOR: SignedDuration = SignedDuration::from_hours(24);

/// The time over which the allocations of one operator to one user add up.
pub const SUMMED_OVER: SignedDuration = SignedDuration::from_hours(24);

/// The rules of section `[approval]`. The default switches both off.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ApprovalRules {
    /// The sum of one operator's allocations to one user within 24 h from which a second administrator is needed.
    pub second_from: Option<Money>,
    /// The largest amount of a request.
    pub request_limit: Option<Money>,
}

/// An allocation that waits for a second administrator, or did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approval {
    /// Ascending in the order of entering.
    pub id: u64,
    /// Whose quota.
    pub user: UserKey,
    /// How much.
    pub amount: Money,
    /// Why.
    #[serde(default)]
    pub note: String,
    /// The last day of a temporary allocation.
    #[serde(default)]
    pub until: Option<Date>,
    /// Who entered it.
    pub by: Operator,
    /// When.
    pub at: Timestamp,
    /// The [`super::QuotaRequest::id`] that it grants, and who asked.
    #[serde(default)]
    pub request: Option<(u64, Operator)>,
    /// How it stands.
    pub state: ApprovalState,
    /// The cards that ask for a decision.
    #[serde(default)]
    pub cards: Vec<Report>,
}

/// How an approval stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "is")]
pub enum ApprovalState {
    /// Nobody has decided.
    Waiting,
    /// Booked.
    Confirmed {
        /// By whom.
        by: Operator,
        /// When.
        at: Timestamp,
        /// The ledger entry.
        seq: u64,
    },
    /// Not booked.
    Refused {
        /// By whom.
        by: Operator,
        /// When.
        at: Timestamp,
    },
    /// Nobody decided in time: not booked.
    Lapsed {
        /// When.
        at: Timestamp,
    },
    /// Whoever entered it was no administrator any more when somebody confirmed it: not booked.
    Void {
        /// When.
        at: Timestamp,
    },
}

/// Why an approval cannot be decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ApprovalError {
    /// It no longer waits.
    #[error("it no longer waits")]
    Closed,
    /// The person entered the allocation.
    #[error("nobody confirms their own allocation")]
    Own,
    /// The quota was asked for by this person.
    #[error("nobody confirms what they asked for")]
    AskedFor,
}

impl Approval {
    /// Returns whether it lapses at `now`.
    pub fn lapses(&self, now: Timestamp) -> bool {
        self.state == ApprovalState::Waiting && now.duration_since(self.at) >= WAITS_FOR
    }

    /// Checks that `person` may decide at `now`.
    ///
    /// # Errors
    /// [`ApprovalError`].
    pub fn check_decision(&self, person: &OpenId, now: Timestamp) -> Result<(), ApprovalError> {
        if self.state != ApprovalState::Waiting || self.lapses(now) {
            Err(ApprovalError::Closed)
        } else if self.by.is(person) {
            Err(ApprovalError::Own)
        } else if self.request.as_ref().is_some_and(|(_, asked)| asked.is(person)) {
            Err(ApprovalError::AskedFor)
        } else {
            Ok(())
        }
    }
}

/// Returns whether an allocation of `amount` needs a second administrator, given what the same operator allocated to
/// the same user within [`SUMMED_OVER`]. Deductions never do, and take nothing off the sum: otherwise a deduction would
/// make room for money that was spent already.
pub fn needs_second(rules: &ApprovalRules, allocated: Money, amount: Money) -> bool {
    match rules.second_from {
        Some(from) if amount.is_positive() => match allocated.checked_add(amount) {
            Some(sum) => sum >= from,
            None => true,
        },
        _ => false,
    }
}

/// Returns what `operator` allocated within [`SUMMED_OVER`] before `now`: the ledger's entries (newest first, of one user)
/// and what waits for a second administrator.
pub fn allocated_lately<'a>(
    operator: &Operator,
    entries: impl IntoIterator<Item = &'a LedgerEntry>,
    waiting: impl IntoIterator<Item = &'a Approval>,
    now: Timestamp,
) -> Money {
    let lately = |at: Timestamp| now.duration_since(at) < SUMMED_OVER;
    let booked = entries
        .into_iter()
        .filter(|entry| lately(entry.at) && entry.operator.same_as(operator))
        .map(|entry| entry.amount);
    let waits = waiting
        .into_iter()
        .filter(|approval| approval.state == ApprovalState::Waiting && !approval.lapses(now))
        .filter(|approval| approval.by.same_as(operator))
        .map(|approval| approval.amount);
    booked.chain(waits).filter(|amount| amount.is_positive()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(hours: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + hours * 3600).unwrap()
    }

    fn id(text: &str) -> OpenId {
        OpenId::new(text).unwrap()
    }

    fn person(text: &str, name: Option<&str>) -> Operator {
        Operator::Person { open_id: id(text), name: name.map(str::to_owned) }
    }

    fn entry(operator: Operator, fen: i64, hours: i64) -> LedgerEntry {
        LedgerEntry {
            seq: 1,
            user: "main/alice".parse().unwrap(),
            amount: Money::from_fen(fen),
            total_after: Money::ZERO,
            note: String::new(),
            operator,
            at: at(hours),
            parties: Default::default(),
            undoes: None,
            rearmed: Vec::new(),
            ended_before: None,
            with_access: false,
        }
    }

    fn approval(by: Operator, fen: i64, hours: i64) -> Approval {
        Approval {
            id: 1,
            user: "main/alice".parse().unwrap(),
            amount: Money::from_fen(fen),
            note: String::new(),
            until: None,
            by,
            at: at(hours),
            request: None,
            state: ApprovalState::Waiting,
            cards: Vec::new(),
        }
    }

    #[test]
    fn the_sum_decides_and_reaching_it_is_enough() {
        let rules = ApprovalRules { second_from: Some(Money::from_fen(1000)), request_limit: None };
        let needs =
            |before, amount| needs_second(&rules, Money::from_fen(before), Money::from_fen(amount));
        assert!(!needs(0, 999));
        assert!(needs(0, 1000));
        assert!(needs(600, 400));
        assert!(!needs(600, 399));
        assert!(!needs(5000, -5000));
        let off = ApprovalRules::default();
        assert!(!needs_second(&off, Money::MAX_SINGLE, Money::MAX_SINGLE));
    }

    #[test]
    fn the_sum_holds_what_the_same_person_added_within_a_day() {
        let anna = person("ou_a", None);
        let entries = [
            // The name may have been learnt in between.
            entry(person("ou_a", Some("Anna")), 100, 10),
            entry(anna.clone(), -70, 9),
            entry(person("ou_b", None), 3000, 8),
            entry(Operator::System, 3000, 8),
            entry(anna.clone(), 20, -13),
            entry(anna.clone(), 5000, -14),
        ];
        let waiting = [
            approval(anna.clone(), 7, 1),
            approval(person("ou_b", None), 900, 1),
            approval(anna.clone(), 900, -14),
        ];
        let sum = allocated_lately(&anna, &entries, &waiting, at(10));
        assert_eq!(sum, Money::from_fen(127));
    }

    #[test]
    fn neither_who_entered_nor_who_asked_confirms() {
        let asked = Some((1, person("ou_owner", None)));
        let waits = Approval { request: asked, ..approval(person("ou_a", None), 100, 0) };
        assert_eq!(waits.check_decision(&id("ou_b"), at(1)), Ok(()));
        assert_eq!(waits.check_decision(&id("ou_a"), at(1)), Err(ApprovalError::Own));
        assert_eq!(waits.check_decision(&id("ou_owner"), at(1)), Err(ApprovalError::AskedFor));
        assert_eq!(waits.check_decision(&id("ou_b"), at(24)), Err(ApprovalError::Closed));
        let by = person("ou_b", None);
        let refused = Approval { state: ApprovalState::Refused { by, at: at(1) }, ..waits };
        assert_eq!(refused.check_decision(&id("ou_b"), at(1)), Err(ApprovalError::Closed));
    }
}
