//! Changes of many users: the form, previews, outcomes, the explanation of files.

use jiff::civil::date;

use super::samples::{self, Size, ago, amount, text};
use super::{Sample, Via};
use crate::cards::{BatchView, BulkView, CardContext, Cards, ListPlace};
use crate::domain::batch::SHOWN;
use crate::domain::{
    Batch, BatchKind, BatchPlan, BatchRow, BatchSource, BatchState, Joining, LeftOut, Operator,
    RowChange, ShownRow, Switch, UserKey, Was,
};

fn person(size: Size) -> Operator {
    let name = if size == Size::Small { "王小明".to_owned() } else { text(size, 200) };
    Operator::Person { open_id: "ou_0123456789".parse().unwrap(), name: Some(name) }
}

fn key(size: Size, number: usize) -> UserKey {
    samples::user(size, number).key
}

fn count(size: Size) -> usize {
    if size == Size::Small { 3 } else { SHOWN }
}

fn out(size: Size, what: impl Fn(usize) -> String) -> Vec<LeftOut> {
    let reason = |n| LeftOut { what: what(n), reason: text(size, 300) };
    (0..count(size)).map(reason).collect()
}

fn plan(size: Size, change: &RowChange, was: &Was) -> BatchPlan {
    let row = |n| ShownRow {
        row: BatchRow { user: key(size, n), change: change.clone() },
        was: was.clone(),
    };
    let left_out = out(size, |n| key(size, n).to_string());
    BatchPlan {
        kind: change.kind(),
        rows: if size == Size::Small { 3 } else { 5_000 },
        total: if change.kind() == BatchKind::Quota {
            amount(size, "300")
        } else {
            Default::default()
        },
        run_free: 0,
        second: usize::from(change.kind() == BatchKind::Quota),
        shown: (0..count(size)).map(row).collect(),
        left_out_count: if size == Size::Small { 0 } else { 700 },
        left_out: if size == Size::Small { Vec::new() } else { left_out },
    }
}

fn batch(size: Size, source: BatchSource, plan: Option<BatchPlan>, state: BatchState) -> BatchView {
    let batch = Batch {
        id: 12,
        source,
        by: person(size),
        at: ago(5),
        state,
        plan,
        cards: Vec::new(),
        told: None,
    };
    BatchView { batch, people: Default::default() }
}

fn list(change: &RowChange) -> BatchSource {
    BatchSource::List { place: String::new(), change: change.clone() }
}

fn file(size: Size) -> BatchSource {
    BatchSource::File {
        message: "om_1".parse().unwrap(),
        key: "file_v3_1".to_owned(),
        name: if size == Size::Small { "额度-11月.csv".to_owned() } else { text(size, 100) },
        digest: String::new(),
    }
}

/// Allocations to many users that wait for a second administrator: from the list and from a file.
pub(super) fn waiting(size: Size, count: usize) -> Vec<Batch> {
    let change = RowChange::Allocate {
        amount: amount(size, "100"),
        note: if size == Size::Small { "Q4".to_owned() } else { text(size, 500) },
        until: None,
    };
    let quota = Was::Quota(amount(size, "1000"));
    let state = BatchState::WaitsForSecond { at: ago(1) };
    let of = |source| batch(size, source, Some(plan(size, &change, &quota)), state.clone()).batch;
    (0..count).map(|i| of(if i % 2 == 0 { list(&change) } else { file(size) })).collect()
}

pub(super) fn all(cards: &Cards, ctx: &CardContext, size: Size) -> Vec<Sample> {
    let allocate = RowChange::Allocate {
        amount: amount(size, "100"),
        note: if size == Size::Small { "Q4".to_owned() } else { text(size, 500) },
        until: Some(date(2026, 12, 31)),
    };
    let quota = Was::Quota(amount(size, "1000"));
    let project = "team-a".parse().unwrap();
    let since = "2026-11".parse().unwrap();
    let link = RowChange::Link { project, since, joining: Some(Joining::Part) };
    let owner = RowChange::Owner { person: "ou_0123456789".parse().unwrap() };
    let switch = RowChange::AutoDisable { to: Switch::Off };
    let limit = RowChange::MonthLimit { limit: None };
    let thresholds = RowChange::Thresholds { thresholds: Some("50,80".parse().unwrap()) };
    let at = ago(1);
    let preview = BatchState::Previewed { at };
    let lines = out(size, |n| (n + 2).to_string());
    let made = |change: &RowChange, was: Was, state: BatchState| {
        batch(size, list(change), Some(plan(size, change, &was)), state)
    };
    let views = [
        ("batch_quota", made(&allocate, quota.clone(), preview.clone())),
        ("batch_limits", made(&limit, Was::Limit(None), preview.clone())),
        ("batch_thresholds", made(&thresholds, Was::Thresholds(None), preview.clone())),
        ("batch_switch", made(&switch, Was::AutoDisable(Switch::On), preview.clone())),
        ("batch_links", made(&link, Was::Payers(2), preview.clone())),
        (
            "batch_file",
            batch(size, file(size), Some(plan(size, &owner, &Was::Owner(None))), preview),
        ),
        ("batch_preparing", batch(size, file(size), None, BatchState::Preparing)),
        (
            "batch_unusable",
            batch(size, file(size), None, BatchState::Unusable { reasons: lines, count: 700 }),
        ),
        ("batch_waits", made(&allocate, quota.clone(), BatchState::WaitsForSecond { at })),
        (
            "batch_applying",
            made(&allocate, quota.clone(), BatchState::Applying { at, confirmed_by: None }),
        ),
        (
            "batch_applied",
            made(
                &allocate,
                quota.clone(),
                BatchState::Applied { at, confirmed_by: Some(person(size)) },
            ),
        ),
        (
            "batch_stopped",
            made(
                &allocate,
                quota.clone(),
                BatchState::Stopped {
                    at,
                    reasons: out(size, |n| key(size, n).to_string()),
                    count: count(size),
                },
            ),
        ),
        (
            "batch_refused",
            made(&allocate, quota.clone(), BatchState::Refused { by: person(size), at }),
        ),
        ("batch_lapsed", made(&allocate, quota, BatchState::Lapsed { at })),
    ];
    let place = ListPlace {
        query: if size == Size::Small { String::new() } else { text(size, 80) },
        account: (size != Size::Small).then(|| "account-2".parse().unwrap()),
        ..ListPlace::default()
    };
    let listed = samples::projects(size);
    let bulk = |place, count| BulkView {
        place,
        count,
        projects: listed.candidates.clone(),
        more_projects: listed.more_candidates,
    };
    let sample = |name: &str, card| Sample { name: name.to_owned(), card, via: Via::Send };
    let mut out = vec![
        sample("bulk", cards.bulk(&bulk(place.clone(), 214), ctx)),
        sample("bulk_too_many", cards.bulk(&bulk(place, 90_000), ctx)),
        sample("import", cards.import(ctx)),
    ];
    out.extend(views.map(|(name, view)| sample(name, cards.batch(&view, ctx))));
    out
}

/// Deductions after which nothing is allocated to some.
pub(super) fn ending_limits(cards: &Cards, ctx: &CardContext, size: Size) -> Vec<Sample> {
    let amount = amount(size, "1000");
    let take = RowChange::Allocate { amount: -amount, note: String::new(), until: None };
    let sample = |name: &str, state| {
        let plan = BatchPlan { run_free: 2, ..plan(size, &take, &Was::Quota(amount)) };
        let card = cards.batch(&batch(size, list(&take), Some(plan), state), ctx);
        Sample { name: name.to_owned(), card, via: Via::Send }
    };
    let (at, confirmed_by) = (ago(1), None);
    vec![
        sample("batch_frees", BatchState::Previewed { at }),
        sample("batch_freed", BatchState::Applied { at, confirmed_by }),
        // A reason that is about all of it names nobody.
        sample(
            "batch_stopped_as_a_whole",
            BatchState::Stopped { at, reasons: out(size, |_| String::new()), count: 1 },
        ),
        Sample {
            name: "notice_of_many".to_owned(),
            card: cards.notice_of_many(&booked(size)).1,
            via: Via::Send,
        },
    ]
}

/// What a batch booked for an owner's users.
fn booked(size: Size) -> Vec<crate::domain::LedgerEntry> {
    let entry = samples::quota(size).entries.remove(0);
    let users = (0..if size == Size::Small { 3 } else { 300 }).map(|n| key(size, n % SHOWN));
    users.map(|user| crate::domain::LedgerEntry { user, ..entry.clone() }).collect()
}
