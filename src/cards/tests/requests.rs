//! Requests, second approvals, temporary quota, and what owners are told.

use jiff::civil::date;

use super::samples::{self, Size, ago, amount, text};
use super::{Sample, Via, admin, rest, watch};
use crate::app::approvals::ApprovalView;
use crate::app::me::MeView;
use crate::app::outcome::QuotaView;
use crate::app::people::OwnerNotice;
use crate::app::requests::{RequestView, WaitingView};
use crate::cards::{Card, CardContext, Cards};
use crate::domain::{
    AccessGoal, Approval, ApprovalState, Decided, Operator, Parties, QuotaRequest, RequestState,
    Temporary, TemporaryState,
};

fn person(size: Size, name: &str) -> Operator {
    let name = if size == Size::Small { name.to_owned() } else { text(size, 200) };
    Operator::Person { open_id: "ou_0123456789".parse().unwrap(), name: Some(name) }
}

fn decided(size: Size) -> Decided {
    let note = if size == Size::Small { "先给一半".to_owned() } else { text(size, 500) };
    Decided { by: person(size, "王小明"), at: ago(1), note }
}

fn a_request(size: Size, id: u64, state: RequestState) -> QuotaRequest {
    QuotaRequest {
        id,
        user: samples::user(size, 1).key,
        amount: amount(size, "500"),
        reason: if size == Size::Small { "双十一压测".to_owned() } else { text(size, 500) },
        until: Some(date(2026, 12, 31)),
        by: person(size, "李雷"),
        at: ago(5),
        state,
        cards: Vec::new(),
    }
}

fn granted(size: Size) -> RequestState {
    RequestState::Granted { decided: decided(size), amount: amount(size, "250"), seq: 3 }
}

fn request(size: Size, state: RequestState) -> RequestView {
    let detail = samples::limited_detail(size);
    let earlier = [
        granted(size),
        RequestState::Refused { decided: decided(size) },
        RequestState::Withdrawn { at: ago(30) },
    ];
    let earlier = earlier.into_iter().enumerate();
    RequestView {
        request: a_request(size, 7, state),
        account_name: detail.account_name,
        unbilled: None,
        month: detail.month,
        forecast: detail.forecast,
        earlier: earlier.map(|(i, state)| a_request(size, i as u64, state)).collect(),
        entries: samples::quota(size).entries.into_iter().take(3).collect(),
        user: samples::user(size, 1),
    }
}

fn an_approval(size: Size, state: ApprovalState) -> Approval {
    Approval {
        id: 4,
        user: samples::user(size, 1).key,
        amount: amount(size, "50000"),
        note: if size == Size::Small { "Q4 追加".to_owned() } else { text(size, 500) },
        until: Some(date(2026, 12, 31)),
        by: person(size, "王小明"),
        at: ago(5),
        request: Some((7, person(size, "李雷"))),
        state,
        cards: Vec::new(),
    }
}

fn approval(size: Size, state: ApprovalState) -> ApprovalView {
    ApprovalView {
        approval: an_approval(size, state),
        user: samples::user(size, 1),
        lately: amount(size, "62000"),
    }
}

fn waiting(size: Size) -> WaitingView {
    let count = if size == Size::Small { 2 } else { 30 };
    WaitingView {
        requests: (0..count).map(|i| a_request(size, i, RequestState::Open)).collect(),
        approvals: (0..count).map(|_| an_approval(size, ApprovalState::Waiting)).collect(),
        batches: super::batch::waiting(size, if size == Size::Small { 2 } else { 30 }),
    }
}

/// One user, with a chart and the last or the pending request.
fn me(size: Size, state: RequestState) -> MeView {
    let mut view = admin::me(size);
    view.users.truncate(1);
    view.one_of_many = true;
    for own in &mut view.users {
        own.days = rest::user_with_days(size, true).days;
        own.request = Some(a_request(size, 7, state.clone()));
    }
    view
}

fn quota(size: Size) -> QuotaView {
    let mut view = samples::quota(size);
    for (entry, by) in view.entries.iter_mut().zip(["李雷", "韩梅梅"]) {
        let other = Some(person(size, by));
        entry.parties = Parties { requested_by: other.clone(), confirmed_by: other, until: None };
    }
    let temporary = |seq| Temporary {
        user: view.user.key.clone(),
        seq,
        amount: amount(size, "500"),
        last_day: date(2026, 12, 31),
        state: TemporaryState::Running,
    };
    let count = if size == Size::Small { 1 } else { 9 };
    view.temporary = (0..count).map(temporary).collect();
    view.approvals = vec![an_approval(size, ApprovalState::Waiting)];
    view
}

pub fn all(cards: &Cards, ctx: &CardContext, size: Size) -> Vec<Sample> {
    let waits = RequestState::WaitsForSecond {
        decided: decided(size),
        amount: amount(size, "500"),
        approval: 4,
    };
    let confirmed = ApprovalState::Confirmed { by: person(size, "韩梅梅"), at: ago(1), seq: 3 };
    let detail = samples::limited_detail(size);
    let alert = watch::alert_records(size).into_iter().next().map(|(_, alert)| alert);
    let entry = samples::quota(size).entries.remove(0);
    let mut samples: Vec<(&str, Card)> = vec![
        ("request_open", cards.request(&request(size, RequestState::Open), ctx)),
        ("request_waits", cards.request(&request(size, waits), ctx)),
        ("request_granted", cards.request(&request(size, granted(size)), ctx)),
        ("approval_open", cards.approval(&approval(size, ApprovalState::Waiting), ctx)),
        ("approval_confirmed", cards.approval(&approval(size, confirmed), ctx)),
        ("requests", cards.requests(&waiting(size), 1, ctx)),
        ("requests_none", cards.requests(&WaitingView::default(), 1, ctx)),
        ("me_form", cards.me(&me(size, RequestState::Withdrawn { at: ago(3) }), ctx)),
        ("me_pending", cards.me(&me(size, RequestState::Open), ctx)),
        ("quota_waiting", cards.quota(&quota(size), ctx)),
        ("notice_quota", cards.notice(&OwnerNotice::Quota(entry), &detail, ctx)),
        ("notice_cut", cards.notice(&OwnerNotice::Access(AccessGoal::Cut), &detail, ctx)),
        (
            "notice_request",
            cards.notice(&OwnerNotice::Request(a_request(size, 7, granted(size))), &detail, ctx),
        ),
    ];
    if let Some(alert) = alert {
        samples.push(("notice_alert", cards.notice(&OwnerNotice::Alert(alert), &detail, ctx)));
    }
    let sample =
        |(name, card): (&str, Card)| Sample { name: name.to_owned(), card, via: Via::Send };
    samples.into_iter().map(sample).collect()
}
