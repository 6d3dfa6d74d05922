//! Requests, second approvals and temporary quota in words.

use std::fmt::Display;

use super::wording::Wording;
use crate::app::people::PeopleRefusal;
use crate::domain::{ApprovalError, ApprovalState, Decided, LastDayError, RequestState};

impl Wording {
    pub(super) fn people_refusal(&self, refusal: &PeopleRefusal) -> String {
        let t = |key: &str| self.t(key, &[]);
        match refusal {
            PeopleRefusal::NotOwner => t("people.not_owner"),
            PeopleRefusal::OwnsNone => t("me.nobody"),
            PeopleRefusal::OwnsSeveral => t("people.owns_several"),
            PeopleRefusal::NoReason => t("people.no_reason"),
            PeopleRefusal::ReasonTooLong(chars) => {
                self.t("people.reason_too_long", &[("chars", chars)])
            }
            PeopleRefusal::NotAboveZero => t("people.not_above_zero"),
            PeopleRefusal::OverLimit(limit) => self.t("people.over_limit", &[("limit", limit)]),
            PeopleRefusal::Pending => t("people.pending"),
            PeopleRefusal::Unknown => t("people.unknown"),
            PeopleRefusal::RequestClosed(state) => {
                self.t("people.request_closed", &[("state", &self.request_state(state))])
            }
            PeopleRefusal::OwnRequest => t("people.own_request"),
            PeopleRefusal::NotTheirs => t("people.not_theirs"),
            PeopleRefusal::ApprovalClosed(state) => {
                self.t("people.approval_closed", &[("state", &self.approval_state(state))])
            }
            PeopleRefusal::OwnApproval(ApprovalError::AskedFor) => t("people.asked_for"),
            PeopleRefusal::OwnApproval(_) => t("people.own_approval"),
            PeopleRefusal::AuthorLeft(author) => {
                self.t("people.author_left", &[("person", &self.operator(author))])
            }
            PeopleRefusal::LastDay(LastDayError::NotADay) => t("people.not_a_day"),
            PeopleRefusal::LastDay(LastDayError::Past) => t("people.day_past"),
            PeopleRefusal::LastDay(LastDayError::TooFar) => t("people.day_too_far"),
        }
    }

    /// How a request stands: who decided, and when. Plain text.
    pub(super) fn request_state(&self, state: &RequestState) -> String {
        let by = |key: &str, decided: &Decided, more: &[(&str, &dyn Display)]| {
            let (person, time) = (self.operator(&decided.by), self.time(decided.at));
            let mut args: Vec<(&str, &dyn Display)> = vec![("person", &person), ("time", &time)];
            args.extend_from_slice(more);
            self.t(key, &args)
        };
        match state {
            RequestState::Open => self.t("request.open", &[]),
            RequestState::WaitsForSecond { decided, amount, .. } => {
                by("request.waits", decided, &[("amount", amount)])
            }
            RequestState::Granted { decided, amount, .. } => {
                by("request.granted", decided, &[("amount", amount)])
            }
            RequestState::Refused { decided } => by("request.refused", decided, &[]),
            RequestState::Withdrawn { at } => {
                self.t("request.withdrawn", &[("time", &self.time(*at))])
            }
            RequestState::Lapsed { at } => self.t("request.lapsed", &[("time", &self.time(*at))]),
        }
    }

    /// How an approval stands: who decided, and when. Plain text.
    pub(super) fn approval_state(&self, state: &ApprovalState) -> String {
        match state {
            ApprovalState::Waiting => self.t("approval.waiting", &[]),
            ApprovalState::Confirmed { by, at, .. } => self.t(
                "approval.confirmed",
                &[("person", &self.operator(by)), ("time", &self.time(*at))],
            ),
            ApprovalState::Refused { by, at } => self.t(
                "approval.refused",
                &[("person", &self.operator(by)), ("time", &self.time(*at))],
            ),
            ApprovalState::Lapsed { at } => self.t("approval.lapsed", &[("time", &self.time(*at))]),
            ApprovalState::Void { at } => self.t("approval.void", &[("time", &self.time(*at))]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cards::Locale;
    use crate::domain::{Money, Operator};

    fn anna() -> Operator {
        Operator::Person { open_id: "ou_1".parse().unwrap(), name: Some("安娜".to_owned()) }
    }

    #[test]
    fn refusals_and_states_say_who_and_when() {
        let at = "2026-11-28T02:00:00Z".parse().unwrap();
        let decided = Decided { by: anna(), at, note: String::new() };
        let amount = Money::from_fen(50_000);
        let requests = [
            RequestState::Open,
            RequestState::WaitsForSecond { decided: decided.clone(), amount, approval: 1 },
            RequestState::Granted { decided: decided.clone(), amount, seq: 1 },
            RequestState::Refused { decided },
            RequestState::Withdrawn { at },
            RequestState::Lapsed { at },
        ];
        let approvals = [
            ApprovalState::Waiting,
            ApprovalState::Confirmed { by: anna(), at, seq: 1 },
            ApprovalState::Refused { by: anna(), at },
            ApprovalState::Lapsed { at },
            ApprovalState::Void { at },
        ];
        let refusals = [
            PeopleRefusal::NotOwner,
            PeopleRefusal::OwnsNone,
            PeopleRefusal::OwnsSeveral,
            PeopleRefusal::NoReason,
            PeopleRefusal::ReasonTooLong(501),
            PeopleRefusal::NotAboveZero,
            PeopleRefusal::OverLimit(amount),
            PeopleRefusal::Pending,
            PeopleRefusal::Unknown,
            PeopleRefusal::RequestClosed(Box::new(RequestState::Lapsed { at })),
            PeopleRefusal::OwnRequest,
            PeopleRefusal::NotTheirs,
            PeopleRefusal::ApprovalClosed(Box::new(ApprovalState::Lapsed { at })),
            PeopleRefusal::AuthorLeft(anna()),
            PeopleRefusal::OwnApproval(ApprovalError::Own),
            PeopleRefusal::OwnApproval(ApprovalError::AskedFor),
            PeopleRefusal::LastDay(LastDayError::NotADay),
            PeopleRefusal::LastDay(LastDayError::Past),
            PeopleRefusal::LastDay(LastDayError::TooFar),
        ];
        for locale in Locale::ALL {
            let words = Wording::new(locale);
            let mut texts: Vec<String> =
                refusals.iter().map(|refusal| words.people_refusal(refusal)).collect();
            texts.extend(requests.iter().map(|state| words.request_state(state)));
            texts.extend(approvals.iter().map(|state| words.approval_state(state)));
            insta::assert_snapshot!(format!("people_{locale}"), texts.join("\n"));
        }
    }
}
