//! 申请: an owner asks for more quota, and an administrator decides.

use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::{Money, OpenId, Operator, Report, UserKey};

/// How long a request stays open.
pub const OPEN_FOR: SignedDuration = SignedDuration::from_hours(7 * 24);

/// A request for quota.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuotaRequest {
    /// Ascending in the order of asking.
    pub id: u64,
    /// For whom.
    pub user: UserKey,
    /// How much.
    pub amount: Money,
    /// Why.
    pub reason: String,
    /// The last day, if the quota is asked for some time only.
    #[serde(default)]
    pub until: Option<Date>,
    /// Who asks.
    pub by: Operator,
    /// When.
    pub at: Timestamp,
    /// How it stands.
    pub state: RequestState,
    /// The cards that ask for a decision.
    #[serde(default)]
    pub cards: Vec<Report>,
}

/// A decision on a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decided {
    /// By whom.
    pub by: Operator,
    /// When.
    pub at: Timestamp,
    /// What they wrote to the person who asked; may be empty.
    #[serde(default)]
    pub note: String,
}

/// How a request stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "is")]
pub enum RequestState {
    /// Nobody has decided.
    Open,
    /// An administrator agreed; the allocation waits for a second one.
    WaitsForSecond {
        /// The decision.
        decided: Decided,
        /// How much was agreed to.
        amount: Money,
        /// [`super::Approval::id`].
        approval: u64,
    },
    /// The quota is booked.
    Granted {
        /// The decision.
        decided: Decided,
        /// How much was granted.
        amount: Money,
        /// The ledger entry.
        seq: u64,
    },
    /// Refused.
    Refused {
        /// The decision.
        decided: Decided,
    },
    /// Withdrawn by the person who asked.
    Withdrawn {
        /// When.
        at: Timestamp,
    },
    /// Nobody decided in time.
    Lapsed {
        /// When.
        at: Timestamp,
    },
}

/// Why a request cannot be decided or withdrawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// It is no longer open.
    #[error("it is no longer open")]
    Closed,
    /// The person decides about their own request.
    #[error("nobody decides about their own request")]
    Own,
    /// Somebody else asked.
    #[error("somebody else asked")]
    NotTheirs,
}

impl QuotaRequest {
    /// Returns whether a decision is still to come: the user cannot have another request in the meantime.
    pub fn is_pending(&self) -> bool {
        matches!(self.state, RequestState::Open | RequestState::WaitsForSecond { .. })
    }

    /// Returns whether it lapses at `now`. One that waits for a second approval does not: the approval lapses.
    pub fn lapses(&self, now: Timestamp) -> bool {
        self.state == RequestState::Open && now.duration_since(self.at) >= OPEN_FOR
    }

    /// Returns whether this person asked.
    pub fn is_by(&self, person: &OpenId) -> bool {
        self.by.is(person)
    }

    /// Checks that `person` may decide at `now`.
    ///
    /// # Errors
    /// [`RequestError::Closed`], [`RequestError::Own`].
    pub fn check_decision(&self, person: &OpenId, now: Timestamp) -> Result<(), RequestError> {
        if self.state != RequestState::Open || self.lapses(now) {
            return Err(RequestError::Closed);
        }
        if self.is_by(person) { Err(RequestError::Own) } else { Ok(()) }
    }

    /// Checks that `person` may withdraw it.
    ///
    /// # Errors
    /// [`RequestError::NotTheirs`], [`RequestError::Closed`].
    pub fn check_withdrawal(&self, person: &OpenId) -> Result<(), RequestError> {
        if !self.is_by(person) {
            return Err(RequestError::NotTheirs);
        }
        if self.state == RequestState::Open { Ok(()) } else { Err(RequestError::Closed) }
    }
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

    fn person(text: &str) -> Operator {
        Operator::Person { open_id: id(text), name: None }
    }

    fn request(state: RequestState) -> QuotaRequest {
        QuotaRequest {
            id: 1,
            user: "main/alice".parse().unwrap(),
            amount: Money::from_fen(100),
            reason: "r".to_owned(),
            until: None,
            by: person("ou_owner"),
            at: at(0),
            state,
            cards: Vec::new(),
        }
    }

    fn decided() -> Decided {
        Decided { by: person("ou_admin"), at: at(1), note: String::new() }
    }

    #[test]
    fn only_an_open_request_is_decided_and_never_by_whom_it_is() {
        let open = request(RequestState::Open);
        assert_eq!(open.check_decision(&id("ou_admin"), at(1)), Ok(()));
        assert_eq!(open.check_decision(&id("ou_owner"), at(1)), Err(RequestError::Own));
        for closed in [
            RequestState::Refused { decided: decided() },
            RequestState::Withdrawn { at: at(1) },
            RequestState::Lapsed { at: at(1) },
            RequestState::Granted { decided: decided(), amount: Money::from_fen(1), seq: 1 },
            RequestState::WaitsForSecond {
                decided: decided(),
                amount: Money::from_fen(1),
                approval: 1,
            },
        ] {
            let request = request(closed);
            let tried = request.check_decision(&id("ou_admin"), at(1));
            assert_eq!(tried, Err(RequestError::Closed), "{request:?}");
            let tried = request.check_withdrawal(&id("ou_owner"));
            assert_eq!(tried, Err(RequestError::Closed), "{request:?}");
        }
    }

    #[test]
    fn a_request_lapses_after_seven_days_even_before_the_chore_has_seen_it() {
        let open = request(RequestState::Open);
        assert!(!open.lapses(at(7 * 24 - 1)));
        assert!(open.lapses(at(7 * 24)));
        let late = open.check_decision(&id("ou_admin"), at(7 * 24));
        assert_eq!(late, Err(RequestError::Closed));
        let amount = Money::from_fen(1);
        let waits = RequestState::WaitsForSecond { decided: decided(), amount, approval: 1 };
        assert!(!request(waits).lapses(at(30 * 24)));
    }

    #[test]
    fn only_who_asked_withdraws() {
        let open = request(RequestState::Open);
        assert_eq!(open.check_withdrawal(&id("ou_owner")), Ok(()));
        assert_eq!(open.check_withdrawal(&id("ou_admin")), Err(RequestError::NotTheirs));
    }
}
