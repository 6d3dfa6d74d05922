//! Cards with estimates of what the bill does not hold yet.

use std::collections::BTreeMap;

use jiff::civil::date;

use super::samples::{Size, ago, amount, text, user};
use super::*;
use crate::app::outcome::{BillingView, EstimatedAccount, UserDetail};
use crate::domain::*;

fn unbilled(size: Size, is_old: bool) -> Unbilled {
    Unbilled {
        amount: amount(size, "1712.35"),
        in_month: Some(MonthSpent {
            period: "2026-11".parse().unwrap(),
            spent: amount(size, "1712.35"),
        }),
        since: date(2026, 11, 22),
        read_at: ago(1),
        counts: EstimateUse::Cut,
        is_old,
    }
}

fn account(size: Size, read: bool) -> EstimatedAccount {
    let (total, hidden) = (amount(size, "2412.35"), amount(size, "300"));
    let day = DayTotal { total, hidden, beyond: total, pending: Money::ZERO, evening: None };
    let estimate = AccountEstimate {
        counts: EstimateUse::Warn,
        read_at: read.then(|| ago(1)),
        trouble: (!read || size != Size::Small).then(|| text(size, 300)),
        days: BTreeMap::from([(date(2026, 11, 22), day)]),
        total,
        hidden,
        older: vec![samples::links(size, &user(size, 0), 1)[0].project.clone()],
        older_count: if size == Size::Small { 1 } else { 12_345 },
        ..AccountEstimate::default()
    };
    EstimatedAccount { name: text(size, 40), estimate }
}

fn alert(size: Size, body: AlertBody) -> AlertRecord {
    let user = body.threshold().map(|_| samples::key(size, 0));
    AlertRecord {
        id: 7,
        user,
        body,
        notice: Notice::Owed,
        at: samples::now(),
        steps: Vec::new(),
        closed: None,
    }
}

/// Every such card; alerts by how they are sent.
pub fn all(cards: &Cards, ctx: &CardContext, size: Size) -> Vec<Sample> {
    let mut out = Vec::new();
    let mut push = |name: &str, card: Card, via: Via| {
        out.push(Sample { name: name.to_owned(), card, via });
    };
    for (name, is_old) in [("user_estimate", false), ("user_estimate_old", true)] {
        let unbilled = Some(unbilled(size, is_old));
        let detail = UserDetail { unbilled, ..samples::detail(size) };
        push(name, cards.user(&detail, ctx), Via::Send);
    }
    let mut me = admin::me(size);
    me.users.iter_mut().for_each(|own| own.unbilled = Some(unbilled(size, false)));
    push("me_estimate", cards.me(&me, ctx), Via::Send);
    let count = if size == Size::Small { 1 } else { 20 };
    for (name, read) in [("billing_estimate", true), ("billing_estimate_unread", false)] {
        let estimates = (0..count).map(|_| account(size, read)).collect();
        let view = BillingView { estimates, ..samples::billing(size) };
        push(name, cards.billing(&view, ctx), Via::Send);
    }
    let of = user(size, 0);
    let links = samples::links(size, &of, if size == Size::Small { 3 } else { 40 });
    let figures = Figures {
        consumed: amount(size, "8230.4"),
        ..Figures::of(&of, &links, &[]).with_unbilled(Some(unbilled(size, false)))
    };
    let main: AccountId = "main".parse().unwrap();
    let bodies = [
        (
            "warning",
            AlertBody::Warning { threshold: 90, of: Limit::Quota, figures: figures.clone() },
        ),
        ("disable", AlertBody::Disable { of: Limit::Quota, figures, paths: paths::closed(size) }),
        ("off", AlertBody::Error { problem: Problem::EstimateOff { account: main.clone() } }),
        ("agrees", AlertBody::Error { problem: Problem::EstimateRecovered { account: main } }),
    ];
    for (name, body) in bodies {
        let alert = alert(size, body);
        let detail = samples::disabled_detail(size);
        let detail = alert.user.is_some().then_some(&detail);
        let chat = cards.alert(&alert, detail, AlertVia::Chat, None);
        push(&format!("alert_estimate_{name}_chat"), chat, Via::Patch);
        let webhook = cards.alert(&alert, None, AlertVia::Webhook, None);
        push(&format!("alert_estimate_{name}_webhook"), webhook, Via::Webhook);
    }
    out
}
