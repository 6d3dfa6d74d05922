//! Samples of what follows an alert: its card with what was done, the form for 追加并启用, undoing.

use super::samples::{self, Size, ago, amount, key, text};
use super::*;
use crate::app::outcome::QuotaView;
use crate::cards::AlertsPlace;
use crate::domain::{
    AccessCause, AccessGoal, Act, AlertBody, AlertRecord, Deed, Figures, Limit, Notice, Operator,
    PendingAccess, UserStatus, Warned,
};

fn person(name: &str) -> Operator {
    Operator::Person { open_id: "ou_1".parse().unwrap(), name: Some(name.to_owned()) }
}

fn record(size: Size, body: AlertBody, deeds: Vec<(Operator, Deed)>) -> AlertRecord {
    let user = (!matches!(body, AlertBody::Warnings { .. })).then(|| key(size, 0));
    let steps = deeds.into_iter().map(|(by, deed)| Act { deed, by, at: samples::now() });
    let steps = steps.collect();
    AlertRecord { id: 9, user, body, notice: Notice::Delivered, at: ago(1), steps, closed: None }
}

/// A cut that was answered by 追加并启用.
fn dealt_with(size: Size) -> AlertRecord {
    let detail = samples::detail(size);
    let figures = Figures::of(&detail.user, &detail.links, &[]);
    let body = AlertBody::Disable { of: Limit::Quota, figures, paths: Default::default() };
    let name = if size == Size::Small { "王管理".to_owned() } else { text(size, 200) };
    let deeds = vec![
        (person(&name), Deed::Allocated { amount: amount(size, "5000") }),
        (person(&name), Deed::Access { goal: AccessGoal::Restored }),
        (Operator::System, Deed::Confirmed { goal: AccessGoal::Restored }),
    ];
    record(size, body, deeds)
}

fn warnings(size: Size) -> AlertRecord {
    let count = if size == Size::Small { 5 } else { 40 };
    let users = (0..count).map(|n| Warned {
        user: key(size, n),
        threshold: if n == 0 { 90 } else { 50 },
        of: if n == 2 { Limit::Month } else { Limit::Quota },
        spent: amount(size, "95"),
        limit: amount(size, "100"),
    });
    let body = AlertBody::Warnings { alerts: vec![1, 2, 3, 4, 5], users: users.collect() };
    record(size, body, vec![])
}

fn quota(size: Size, pending: Option<AccessGoal>) -> QuotaView {
    let mut view = samples::quota(size);
    view.user.status = UserStatus::Disabled;
    view.can_restore = pending != Some(AccessGoal::Restored);
    let by = AccessCause::Manual { operator: person("王管理") };
    view.pending = pending.map(|goal| PendingAccess::new(goal, by, ago(0)));
    view.undoable = view.entries.first().map(|entry| entry.seq);
    view.entries[0].with_access = true;
    view.entries[1].undoes = Some(1);
    view
}

pub fn all(cards: &Cards, ctx: &CardContext, size: Size) -> Vec<Sample> {
    let (active, disabled) = (samples::detail(size), samples::disabled_detail(size));
    let mut cut = disabled.clone();
    cut.undoable = quota(size, None).entries.first().cloned();
    let cause = AccessCause::Manual { operator: person("王管理") };
    if let Some(memory) = &mut cut.remembered {
        memory.cause = Some(cause);
    }
    let place = AlertsPlace { user: None, kind: Some("disable".to_owned()), page: 2 };
    let from_alerts = ctx.clone().with_alerts(Some(place));
    let in_group = CardContext { in_group: true, ..ctx.clone() };
    let chat = AlertVia::Chat;
    let samples = [
        ("alert_dealt_with", cards.alert(&dealt_with(size), Some(&active), chat, None), Via::Patch),
        (
            "alert_done_in_part",
            cards.alert(&dealt_with(size), Some(&disabled), chat, None),
            Via::Patch,
        ),
        ("alert_together", cards.alert(&warnings(size), None, chat, None), Via::Patch),
        ("quota_disabled", cards.quota(&quota(size, None), ctx), Via::Send),
        ("quota_cutting", cards.quota(&quota(size, Some(AccessGoal::Cut)), ctx), Via::Send),
        ("quota_restoring", cards.quota(&quota(size, Some(AccessGoal::Restored)), ctx), Via::Send),
        ("user_cut_by", cards.user(&cut, &from_alerts), Via::Send),
        ("user_in_group", cards.user(&cut, &in_group), Via::Send),
    ];
    samples
        .into_iter()
        .map(|(name, card, via)| Sample { name: name.to_owned(), card, via })
        .collect()
}
