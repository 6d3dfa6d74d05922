//! The billing card: opened by month and user; and with much to show: 100 users with 60 projects each over 7 months.

use std::collections::BTreeMap;

use airgate::domain::{
    AccountId, BillPeriod, Counts, Freshness, Money, ProjectLink, ProjectName, Switch,
};
use airgate::sandbox::feishu::ClickAction;
use airgate::store::{RecordedReading, StoreError};
use rust_decimal::Decimal;
use serde_json::{Value, json};

use crate::bed::{
    ADMIN, Bed, VIEWER, answered, one_account, phrase, text, text_of, toast_of, user_key,
};

#[tokio::test(flavor = "multi_thread")]
async fn billing_opens_by_month_and_user() {
    let bed = super::bed().await;
    let total = |month: &str| text("billing.total", &[("period", &month)]);
    let of_alice = text("billing.title_user", &[("user", &"alice")]);
    for (name, project) in [("alice", "team-a"), ("bob", "team-b")] {
        let card = bed.ask(ADMIN, &format!("/projects {name}")).await.message_id;
        bed.submit(ADMIN, &card, "project.add", json!({"project": [project], "since": "2026-10"}))
            .await;
    }
    bed.cycle().await;
    let card = bed.ask(VIEWER, "/billing").await.message_id;
    let read = bed.texts(&card);
    assert!(read.contains(&total("2026-11")) && read.contains("¥32.00"), "{read}");
    let select = |option: &str| {
        let value = bed.values(&card).into_iter().find(|v| {
            v["action"] == "billing.open" && v.get("period").is_none() && v.get("page").is_none()
        });
        ClickAction {
            tag: "select_static".to_owned(),
            value,
            option: Some(option.to_owned()),
            ..ClickAction::default()
        }
    };
    answered(bed.feishu.click(VIEWER, &card, select("2026-10")).await);
    let read = bed.texts(&card);
    assert!(read.contains(&total("2026-10")) && read.contains("¥13.00"), "{read}");
    // One user of that month, then the other month of that user.
    bed.press(VIEWER, &card, json!({"action": "billing.open", "user": "main/alice"})).await;
    let read = bed.texts(&card);
    assert!(read.contains(&of_alice) && read.contains("¥10.00"), "{read}");
    assert!(read.contains("¥35.00"), "{read}");
    answered(bed.feishu.click(VIEWER, &card, select("2026-11")).await);
    let read = bed.texts(&card);
    assert!(read.contains(&of_alice) && read.contains(&total("2026-11")), "{read}");
    bed.press(VIEWER, &card, json!({"action": "billing.open", "page": 1})).await;
    assert!(
        bed.texts(&card).contains(&text("billing.subtitle", &[("count", &2)])),
        "{}",
        bed.texts(&card)
    );
    // An option that is not a month, and a month without bills.
    let bad = ClickAction { option: Some("x".to_owned()), ..select("2026-10") };
    let refused = answered(bed.feishu.click_raw(VIEWER, &card, bad).await);
    let no_month = text("refusal.bad_period", &[("text", &"x")]);
    assert_eq!(toast_of(&refused), format!("error: {no_month}"));
    let empty = json!({"action": "billing.open", "period": "2026-01"});
    bed.forged(VIEWER, &card, empty, None).await;
    assert!(bed.texts(&card).contains(&phrase("billing.no_months")), "{}", bed.texts(&card));
}

#[tokio::test(flavor = "multi_thread")]
async fn only_users_who_spent_are_counted_and_only_months_that_exist_are_shown() {
    let bed = super::bed().await;
    let card = bed.ask(ADMIN, "/projects alice").await.message_id;
    bed.submit(ADMIN, &card, "project.add", json!({"project": ["team-a"], "since": "2026-10"}))
        .await;
    bed.link("main/bob", "unused", "2026-10");
    bed.cycle().await;
    let card = bed.ask(VIEWER, "/billing").await.message_id;
    let texts = bed.texts(&card);
    assert!(texts.contains(&text("billing.subtitle", &[("count", &1)])), "{texts}");
    // A month to come, and one before all bills.
    for month in ["2026-12", "2027-01", "2020-01"] {
        let texts = bed.ask(VIEWER, &format!("/billing {month}")).await;
        let refused = text(
            "refusal.period_out_of_range",
            &[("period", &month), ("first", &"2024-12"), ("last", &"2026-11")],
        );
        assert!(text_of(&texts).contains(&refused), "{}", text_of(&texts));
    }
    // A month without bills is said to have none, and leaves the chart as it is.
    let card = bed.ask(VIEWER, "/billing 2025-01").await.message_id;
    assert!(bed.texts(&card).contains(&phrase("billing.nobody")), "{}", bed.texts(&card));
    let content = bed.message(&card).content;
    let chart = all_charts(&content);
    assert!(chart.contains("2026-10") && !chart.contains("2025-01"), "{chart}");
}

fn all_charts(content: &str) -> String {
    let card: Value = serde_json::from_str(content).unwrap();
    all(&card, "chart").iter().map(ToString::to_string).collect()
}

const USERS: usize = 100;
const PROJECTS: usize = 60;
const MONTHS: [&str; 7] =
    ["2026-05", "2026-06", "2026-07", "2026-08", "2026-09", "2026-10", "2026-11"];
const USERS_A_PAGE: usize = 8;

/// What a project of a user cost in a month, in fen. No two projects of a user cost the same.
fn fen(user: usize, project: usize, month: usize) -> i64 {
    i64::try_from((user + 1) * 10_000 + project * 7 + month * 1001 + 1).unwrap()
}

fn month_of(user: usize, month: usize) -> i64 {
    (0..PROJECTS).map(|project| fen(user, project, month)).sum()
}

fn all_of(month: usize) -> i64 {
    (0..USERS).map(|user| month_of(user, month)).sum()
}

/// An amount in fen as cards show it.
fn yuan(fen: i64) -> String {
    let whole = (fen / 100).to_string();
    let mut text = String::new();
    for (at, digit) in whole.chars().enumerate() {
        if at > 0 && (whole.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    format!("¥{text}.{:02}", fen % 100)
}

fn name(user: usize) -> String {
    format!("user-{user:03}")
}

fn project(user: usize, project: usize) -> ProjectName {
    format!("p{user:03}-{project:02}").parse().unwrap()
}

async fn bed(locale: &str) -> Bed {
    let bed = Bed::with(one_account(), &[("LOCALE", locale), ("MONITOR__ENABLED", "false")]).await;
    let keys: Vec<String> = (0..USERS).map(|i| format!("main/{}", name(i))).collect();
    bed.add_users(&keys.iter().map(String::as_str).collect::<Vec<_>>());
    let now = bed.clock.now();
    let mut bills = BTreeMap::new();
    for (i, j) in (0..USERS).flat_map(|i| (0..PROJECTS).map(move |j| (i, j))) {
        for (m, month) in MONTHS.iter().enumerate() {
            let amount = Money::from_fen(fen(i, j, m));
            bills.insert((project(i, j), month.parse::<BillPeriod>().unwrap()), amount);
        }
    }
    let reading = RecordedReading::of_months(AccountId::new("main").unwrap(), bills, now);
    bed.store
        .write(|tx| {
            for (i, j) in (0..USERS).flat_map(|i| (0..PROJECTS).map(move |j| (i, j))) {
                tx.put_link(&ProjectLink {
                    user: user_key(&keys[i]),
                    display_name: format!("项目 {i}-{j} 的生产环境"),
                    project: project(i, j),
                    monitored: Switch::On,
                    since: MONTHS[0].parse().unwrap(),
                    counts: Counts::Whole,
                    spending: Money::ZERO,
                    freshness: Freshness::Pending,
                    created: now,
                })?;
            }
            tx.record_cycle(&[reading])?;
            Ok::<_, StoreError>(())
        })
        .unwrap();
    bed
}

/// Every component of this tag, outermost first.
fn components<'a>(value: &'a Value, tag: &str, found: &mut Vec<&'a Value>) {
    if value.get("tag").is_some_and(|own| own == tag) {
        found.push(value);
    }
    match value {
        Value::Object(members) => members.values().for_each(|v| components(v, tag, found)),
        Value::Array(items) => items.iter().for_each(|v| components(v, tag, found)),
        _ => {}
    }
}

fn all<'a>(card: &'a Value, tag: &str) -> Vec<&'a Value> {
    let mut found = Vec::new();
    components(card, tag, &mut found);
    found
}

/// The card now, after checking that it fits into a message: at most 30 KB, with the card as an escaped string.
fn card(bed: &Bed, message: &str) -> Value {
    let content = bed.message(message).content;
    let body = json!({"receive_id": message, "msg_type": "interactive", "content": content});
    let size = body.to_string().len();
    assert!(size <= 30 * 1024, "{size} bytes");
    serde_json::from_str(&content).unwrap()
}

async fn every_amount_is_on_the_card_in_order(locale: &str) {
    let bed = bed(locale).await;
    let message = bed.ask(VIEWER, "/billing").await.message_id;
    let last = MONTHS.len() - 1;
    let mut seen = Vec::new();
    let pages = USERS.div_ceil(USERS_A_PAGE);
    for page in 1..=pages {
        if page > 1 {
            bed.press(VIEWER, &message, json!({"action": "billing.open", "page": page})).await;
        }
        let card = card(&bed, &message);
        let shown = bed.texts(&message);
        // Every page shows the month's total of all users.
        assert!(shown.contains(&yuan(all_of(last))), "page {page}: {shown}");
        for row in all(&card, "interactive_container") {
            // It opens all projects and months of the user.
            let value = &row["behaviors"][0]["value"];
            assert_eq!(value["action"], "billing.open");
            let own = (0..USERS).find(|i| value["user"] == format!("main/{}", name(*i))).unwrap();
            let inside = row["elements"].to_string();
            assert!(inside.contains(&yuan(month_of(own, last))), "{inside}");
            // The most expensive projects are listed, the others as a sum.
            let sum: i64 = (0..PROJECTS - 3).map(|j| fen(own, j, last)).sum();
            assert!(inside.contains(&yuan(fen(own, PROJECTS - 1, last))), "{inside}");
            assert!(inside.contains(&yuan(sum)), "{inside}");
            seen.push(own);
        }
    }
    // Each user once, the most expensive first.
    assert_eq!(seen, (0..USERS).rev().collect::<Vec<_>>());

    // Every month can be selected, and the last six are in the chart.
    let before = card(&bed, &message);
    let select = all(&before, "select_static")[0];
    let offered: Vec<&str> = select["options"]
        .as_array()
        .unwrap()
        .iter()
        .map(|o| o["value"].as_str().unwrap())
        .collect();
    assert_eq!(offered, MONTHS.iter().rev().copied().collect::<Vec<_>>());
    let bars = &all(&before, "chart")[0]["chart_spec"]["data"][0]["values"];
    let bars: Vec<(&str, Decimal)> = bars
        .as_array()
        .unwrap()
        .iter()
        .map(|bar| (bar["month"].as_str().unwrap(), bar["amount"].to_string().parse().unwrap()))
        .collect();
    let wanted: Vec<(&str, Decimal)> =
        (1..MONTHS.len()).map(|m| (MONTHS[m], Decimal::new(all_of(m), 2))).collect();
    assert_eq!(bars, wanted);
    let pick = ClickAction {
        tag: "select_static".to_owned(),
        value: Some(select["behaviors"][0]["value"].clone()),
        option: Some(MONTHS[0].to_owned()),
        ..ClickAction::default()
    };
    answered(bed.feishu.click(VIEWER, &message, pick).await);
    card(&bed, &message);
    let shown = bed.texts(&message);
    assert!(shown.contains(&yuan(all_of(0))) && !shown.contains(&yuan(all_of(last))), "{shown}");

    // One user: every month, and all projects on two pages, the most expensive first.
    let alice = json!({"action": "billing.open", "user": format!("main/{}", name(99))});
    bed.press(VIEWER, &message, alice).await;
    let mut amounts = Vec::new();
    for page in 1..=2 {
        if page > 1 {
            bed.press(VIEWER, &message, json!({"action": "billing.open", "page": page})).await;
        }
        card(&bed, &message);
        let shown = bed.texts(&message);
        assert!(shown.contains(&yuan(month_of(99, 0))), "{shown}");
        for (m, month) in MONTHS.iter().enumerate() {
            assert!(shown.contains(&yuan(month_of(99, m))), "{month}: {shown}");
        }
        let projects: Vec<usize> = shown
            .lines()
            .filter_map(|l| (0..PROJECTS).find(|j| l == yuan(fen(99, *j, 0))))
            .collect();
        amounts.push(projects.len());
        assert!(projects.is_sorted_by(|a, b| a > b), "{projects:?}");
    }
    assert_eq!(amounts, [40, 20]);
}

#[tokio::test(flavor = "multi_thread")]
async fn billing_fits_a_hundred_users_with_sixty_projects_each() {
    every_amount_is_on_the_card_in_order("zh_cn").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn billing_fits_a_hundred_users_with_sixty_projects_each_in_english() {
    every_amount_is_on_the_card_in_order("en_us").await;
}
