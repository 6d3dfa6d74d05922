//! The billing card where there is much to show: 100 users with 60 projects each, over 7 months.

use std::collections::BTreeMap;

use airgate::domain::{AccountId, BillPeriod, Freshness, Money, ProjectLink, ProjectName, Switch};
use airgate::sandbox::feishu::ClickAction;
use airgate::store::{RecordedReading, StoreError};
use rust_decimal::Decimal;
use serde_json::{Value, json};

use crate::bed::{Bed, VIEWER, answered, one_account, user};

const USERS: usize = 100;
const PROJECTS: usize = 60;
const MONTHS: [&str; 7] =
    ["2026-05", "2026-06", "2026-07", "2026-08", "2026-09", "2026-10", "2026-11"];
const A_PAGE: usize = 8;

/// What a user's project cost in a month, in fen: no two projects of a user cost the same.
fn fen(user: usize, project: usize, month: usize) -> i64 {
    i64::try_from((user + 1) * 10_000 + project * 7 + month * 1001 + 1).unwrap()
}

fn month_of(user: usize, month: usize) -> i64 {
    (0..PROJECTS).map(|project| fen(user, project, month)).sum()
}

fn all_of(month: usize) -> i64 {
    (0..USERS).map(|user| month_of(user, month)).sum()
}

/// As cards show it.
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
    bed.know(&keys.iter().map(String::as_str).collect::<Vec<_>>());
    let now = bed.clock.now();
    let mut bills = BTreeMap::new();
    for (i, j) in (0..USERS).flat_map(|i| (0..PROJECTS).map(move |j| (i, j))) {
        for (m, month) in MONTHS.iter().enumerate() {
            let amount = Money::from_fen(fen(i, j, m));
            bills.insert((project(i, j), month.parse::<BillPeriod>().unwrap()), amount);
        }
    }
    let reading = RecordedReading {
        account: AccountId::new("main").unwrap(),
        projects: bills.keys().map(|(project, _)| project.clone()).collect(),
        bills: Some(bills),
        at: now,
    };
    bed.store
        .write(|tx| {
            for (i, j) in (0..USERS).flat_map(|i| (0..PROJECTS).map(move |j| (i, j))) {
                tx.put_link(&ProjectLink {
                    user: user(&keys[i]),
                    display_name: format!("项目 {i}-{j} 的生产环境"),
                    project: project(i, j),
                    monitored: Switch::On,
                    since: MONTHS[0].parse().unwrap(),
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

/// The card as it stands, which fits into a message: 30 KB with the card as an escaped string.
fn card(bed: &Bed, message: &str) -> Value {
    let content = bed.feishu.message(message).unwrap().content;
    let body = json!({"receive_id": message, "msg_type": "interactive", "content": content});
    let size = body.to_string().len();
    assert!(size <= 30 * 1024, "{size} bytes");
    serde_json::from_str(&content).unwrap()
}

async fn in_every_size_and_order(locale: &str) {
    let bed = bed(locale).await;
    let message = bed.ask(VIEWER, "/billing").await.message_id;
    let last = MONTHS.len() - 1;
    let mut seen = Vec::new();
    let pages = USERS.div_ceil(A_PAGE);
    for page in 1..=pages {
        if page > 1 {
            bed.press(VIEWER, &message, json!({"action": "billing.open", "page": page})).await;
        }
        let card = card(&bed, &message);
        let text = bed.texts(&message);
        // The month's total is everybody's, on every page.
        assert!(text.contains(&yuan(all_of(last))), "page {page}: {text}");
        for panel in all(&card, "collapsible_panel") {
            assert_eq!(panel["expanded"], false);
            let title = panel["header"]["title"]["content"].as_str().unwrap();
            let own = (0..USERS).find(|i| title.contains(&name(*i))).unwrap();
            assert!(title.contains(&yuan(month_of(own, last))), "{title}");
            // The dearest projects stand there, the others as a sum.
            let inside = panel["elements"].to_string();
            let sum: i64 = (0..PROJECTS - 10).map(|j| fen(own, j, last)).sum();
            assert!(inside.contains(&yuan(fen(own, PROJECTS - 1, last))), "{inside}");
            assert!(inside.contains(&yuan(sum)), "{inside}");
            seen.push(own);
        }
    }
    // Everybody once, dearest first.
    assert_eq!(seen, (0..USERS).rev().collect::<Vec<_>>());

    // The months that exist can be chosen, and the last six are charted.
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
    let text = bed.texts(&message);
    assert!(text.contains(&yuan(all_of(0))) && !text.contains(&yuan(all_of(last))), "{text}");

    // One user: all projects in two pages, dearest first, and each month.
    let alice = json!({"action": "billing.open", "user": format!("main/{}", name(99))});
    bed.press(VIEWER, &message, alice).await;
    let mut amounts = Vec::new();
    for page in 1..=2 {
        if page > 1 {
            bed.press(VIEWER, &message, json!({"action": "billing.open", "page": page})).await;
        }
        card(&bed, &message);
        let text = bed.texts(&message);
        assert!(text.contains(&yuan(month_of(99, 0))), "{text}");
        for (m, month) in MONTHS.iter().enumerate() {
            assert!(text.contains(&yuan(month_of(99, m))), "{month}: {text}");
        }
        let shown: Vec<usize> = text
            .lines()
            .filter_map(|l| (0..PROJECTS).find(|j| l == yuan(fen(99, *j, 0))))
            .collect();
        amounts.push(shown.len());
        assert!(shown.is_sorted_by(|a, b| a > b), "{shown:?}");
    }
    assert_eq!(amounts, [40, 20]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_users_with_sixty_projects_each() {
    in_every_size_and_order("zh_cn").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_in_english() {
    in_every_size_and_order("en_us").await;
}
