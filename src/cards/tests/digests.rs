//! Digests, and the alert about an owner who left.

use jiff::civil::{Date, date};

use super::samples::{self, Size, ago, amount, text};
use super::{Sample, Via};
use crate::app::digest::{
    DigestProject, DigestUser, DigestView, Known, Lacking, OWN_USERS_NAMED, PROJECTS_NAMED,
    Standing, USERS_NAMED,
};
use crate::cards::{AlertVia, CardContext, Cards};
use crate::domain::{
    AlertBody, AlertRecord, Change, DayChart, DigestKind, DigestSpan, Forecast, Limit, Money,
    Notice, Problem, Rate, RunsOut, Spent, Spike,
};

fn spent(size: Size, i: usize) -> Spent {
    let amounts = [("2512.34", "2300", "1800.5"), ("830", "700", "0"), ("12.5", "12.5", "99.99")];
    let (now, compared, before) = amounts[i % amounts.len()];
    Spent {
        amount: amount(size, now),
        compared: amount(size, compared),
        before: if before == "0" { Money::ZERO } else { amount(size, before) },
    }
}

fn span(kind: DigestKind) -> DigestSpan {
    DigestSpan::last_full(kind, samples::now())
}

fn known(size: Size) -> Known {
    let small = size == Size::Small;
    Known {
        accounts: 1,
        unread: if small { Vec::new() } else { vec![text(size, 200); 9] },
        bill_to: Some(date(2026, 11, 20)),
        stale: (!small).then(|| Some(ago(30))),
        uncounted: if small { 0 } else { 12 },
    }
}

fn days(size: Size, span: DigestSpan) -> DayChart {
    let amounts = ["120", "340.5", "0", "512.34", "88", "1200", "251.5"];
    let billed = span.days().zip(amounts.iter().cycle());
    let billed = billed
        .map(|(day, text)| (day, if *text == "0" { Money::ZERO } else { amount(size, text) }));
    let estimated = [(span.last(), amount(size, "150"))].into();
    DayChart::billed(billed, Some(date(2026, 11, 20))).with_estimates(&estimated)
}

fn user(size: Size, i: usize, own: bool) -> DigestUser {
    let user = samples::user(size, i);
    DigestUser {
        ambiguous: size != Size::Small,
        condition: samples::condition(&user),
        spent: spent(size, i),
        forecast: own.then(|| Forecast {
            rate: Rate { spent: amount(size, "700.5"), days: 7, to: date(2026, 11, 21) },
            runs_out: Some(RunsOut { on: date(2026, 11, 29), of: Limit::Quota }),
            month_end: amount(size, "3412.345"),
        }),
        user,
    }
}

fn project(size: Size, i: usize) -> DigestProject {
    let small = size == Size::Small;
    let payers = if small { [1, 0, 3][i % 3] } else { 40 };
    DigestProject {
        account: (!small).then(|| text(size, 200)),
        label: (i != 2 || !small).then(|| match small {
            true => samples::project(size, i).to_string(),
            false => text(size, 200),
        }),
        spent: spent(size, i),
        payers: (0..payers).map(|n| samples::key(size, n)).collect(),
    }
}

fn standing(size: Size) -> Standing {
    let count = if size == Size::Small { 2 } else { 5 };
    let lacking = |count: usize| Lacking {
        count: count * 1000,
        named: (0..count).map(|i| samples::key(size, i)).collect(),
    };
    let runs_out = |i: usize| {
        let of = if i.is_multiple_of(2) { Limit::Quota } else { Limit::Month };
        (samples::key(size, i), RunsOut { on: date(2026, 11, 26), of })
    };
    Standing {
        month_end: Some(amount(size, "15234.567")),
        runs_out: (0..count).map(runs_out).collect(),
        without_owner: lacking(count),
        without_quota: lacking(count),
        without_project: lacking(count),
    }
}

fn spikes(size: Size) -> Vec<(Date, Spike)> {
    let count = if size == Size::Small { 1 } else { 5 };
    let spike = |i: usize| Spike {
        project: samples::project(size, i).to_string(),
        amount: amount(size, "1200"),
        median: amount(size, "88.5"),
    };
    (0..count).map(|i| (date(2026, 11, 21), spike(i))).collect()
}

/// A digest of everybody.
pub fn digest(size: Size, kind: DigestKind) -> DigestView {
    let span = span(kind);
    let small = size == Size::Small;
    DigestView {
        span,
        own: false,
        known: known(size),
        total: spent(size, 0),
        unattributed: amount(size, "412.5"),
        change: Some(Change {
            first_days: Some(5),
            now: amount(size, "2300"),
            before: amount(size, "1800.5"),
        }),
        days: days(size, span),
        estimated: amount(size, "150"),
        users: (0..if small { 3 } else { USERS_NAMED }).map(|i| user(size, i, false)).collect(),
        more_users: if small { 0 } else { 99_995 },
        projects: (0..if small { 3 } else { PROJECTS_NAMED }).map(|i| project(size, i)).collect(),
        more_projects: if small { 0 } else { 4_995 },
        spikes: spikes(size),
        now: Some(standing(size)),
    }
}

/// The part of an owner.
fn own(size: Size, kind: DigestKind) -> DigestView {
    let count = if size == Size::Small { 2 } else { OWN_USERS_NAMED };
    DigestView {
        own: true,
        unattributed: Money::ZERO,
        users: (0..count).map(|i| user(size, i, true)).collect(),
        now: None,
        ..digest(size, kind)
    }
}

/// No bill is known.
fn unread(size: Size) -> DigestView {
    let names =
        if size == Size::Small { vec!["生产账号".to_owned()] } else { known(size).unread };
    DigestView {
        known: Known { unread: names, ..Known::default() },
        total: Spent::default(),
        unattributed: Money::ZERO,
        change: None,
        days: DayChart::default(),
        estimated: Money::ZERO,
        users: Vec::new(),
        projects: Vec::new(),
        spikes: Vec::new(),
        now: Some(Standing::default()),
        ..digest(size, DigestKind::Week)
    }
}

fn owner_left(size: Size) -> AlertRecord {
    let small = size == Size::Small;
    let problem = Problem::OwnerLeft {
        person: "ou_0123456789".parse().unwrap(),
        name: Some(if small { "李雷".to_owned() } else { text(size, 200) }),
        users: (0..if small { 2 } else { 8 }).map(|i| samples::key(size, i)).collect(),
        more: if small { 0 } else { 1234 },
    };
    AlertRecord {
        id: 77,
        user: None,
        body: AlertBody::Error { problem },
        notice: Notice::Owed,
        at: ago(1),
        steps: Vec::new(),
        closed: None,
    }
}

pub fn all(cards: &Cards, ctx: &CardContext, size: Size) -> Vec<Sample> {
    let in_group = CardContext { in_group: true, ..ctx.clone() };
    let mut samples: Vec<Sample> = [
        ("digest_week", cards.digest(&digest(size, DigestKind::Week), ctx)),
        ("digest_month", cards.digest(&digest(size, DigestKind::Month), ctx)),
        ("digest_group", cards.digest(&digest(size, DigestKind::Week), &in_group)),
        ("digest_own", cards.digest(&own(size, DigestKind::Week), ctx)),
        ("digest_own_month", cards.digest(&own(size, DigestKind::Month), ctx)),
        ("digest_unread", cards.digest(&unread(size), ctx)),
    ]
    .into_iter()
    .map(|(name, card)| Sample { name: name.to_owned(), card, via: Via::Send })
    .collect();
    for (via, word) in [(AlertVia::Chat, "chat"), (AlertVia::Webhook, "webhook")] {
        let card = cards.alert(&owner_left(size), None, via, None);
        let via = if via == AlertVia::Chat { Via::Patch } else { Via::Webhook };
        samples.push(Sample { name: format!("alert_owner_left_{word}"), card, via });
    }
    samples
}
