//! What no user pays for: shown, and given to a user.

use airgate::domain::{BillPeriod, Money, UserStatus};
use airgate::store::RecordedReading;
use rust_decimal::Decimal;
use serde_json::{Value, json};

use super::{op_of, small_cloud};
use crate::bed::{
    ADMIN, ADMIN_2, Bed, STRANGER, VIEWER, answered, has, one_account, phrase, text, toast_of,
    user_key,
};
use crate::shared::environment::Environment;
use crate::shared::samples;

/// Alice pays for `team-a`, which cost ¥25.00 in November; nobody for `team-b` (¥7.00) and for rows without a project (¥3.01).
async fn bed_with(further: &[(&str, &str)]) -> Bed {
    let mut cloud = small_cloud();
    let november = "2026-11".parse().unwrap();
    cloud.account_mut("main").unwrap().spend("-", Decimal::new(301, 2), november);
    let bed = Bed::with(cloud, further).await;
    bed.sync().await;
    bed.link("main/alice", "team-a", "");
    bed.cycle().await;
    bed
}

async fn bed() -> Bed {
    bed_with(&[]).await
}

fn open(period: &str) -> Value {
    json!({"action": "billing.rest", "account": "main", "period": period})
}

/// Opens the list from the billing card.
async fn opened(bed: &Bed, person: &str) -> String {
    let card = bed.ask(person, "/billing").await.message_id;
    bed.press(person, &card, open("2026-11")).await;
    card
}

fn link_button() -> Value {
    json!({"action": "billing.rest", "project": "team-b"})
}

#[tokio::test(flavor = "multi_thread")]
async fn the_billing_card_accounts_for_every_cent_and_leads_to_what_nobody_pays_for() {
    let bed = bed().await;
    let card = bed.ask(VIEWER, "/billing").await.message_id;
    let read = bed.texts(&card);
    for shown in ["¥35.01", "¥25.00", "¥10.01", &phrase("billing.unattributed")] {
        assert!(read.contains(shown), "{shown}: {read}");
    }
    bed.press(VIEWER, &card, open("2026-11")).await;
    let read = bed.texts(&card);
    let at = |text: &str| read.find(text).unwrap_or_else(|| panic!("{text}: {read}"));
    // The largest first.
    assert!(at("¥10.01") < at("乙组") && at("乙组") < at(&phrase("rest.no_project")));
    assert!(read.contains("¥7.00") && read.contains("¥3.01"), "{read}");
    // A viewer is offered no change.
    let offers = |word: &str| bed.values(&card).iter().any(|value| value["action"] == word);
    assert!(!offers("billing.assign"));
    let forged = json!({"action": "billing.rest", "account": "main", "period": "2026-11",
        "project": "team-b"});
    bed.forged(VIEWER, &card, forged, None).await;
    assert!(!offers("billing.assign"), "nor by asking for the form");
    bed.press(VIEWER, &card, json!({"action": "billing.open"})).await;
    assert!(bed.texts(&card).contains("¥35.01"));
    // A month that was not read, a page that is not there, an account that is not known.
    bed.forged(VIEWER, &card, open("2026-03"), None).await;
    assert!(bed.texts(&card).contains(&phrase("rest.none")));
    let beyond =
        json!({"action": "billing.rest", "account": "main", "period": "2026-11", "page": 99});
    bed.forged(VIEWER, &card, beyond, None).await;
    assert!(bed.texts(&card).contains("乙组"));
    let unknown = json!({"action": "billing.rest", "account": "none", "period": "2026-11"});
    let refused = bed.forged(VIEWER, &card, unknown, None).await;
    let no_account = text("refusal.no_such_account", &[("account", &"none")]);
    assert_eq!(toast_of(&refused), format!("error: {no_account}"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_project_is_given_to_a_user_in_two_taps_and_once() {
    let bed = bed_with(&[("ACCESS__PROJECT_POLICIES", "ArkFullAccess")]).await;
    let card = opened(&bed, ADMIN).await;
    bed.press(ADMIN, &card, link_button()).await;
    // What it means is said before.
    let since = text("rest.link_text", &[("since", &"2026-11"), ("cost", &"¥7.00")]);
    assert!(bed.texts(&card).contains(&since), "{}", bed.texts(&card));
    let fields = json!({"user": "main/bob"}).as_object().unwrap().clone();
    let press = bed.feishu.fill_form(&card, |v| v["action"] == "billing.assign", fields).unwrap();
    // Roles: a refused person uses nothing up.
    for person in [VIEWER, STRANGER] {
        let denied = answered(bed.feishu.click_raw(person, &card, press.clone()).await);
        assert_eq!(toast_of(&denied), format!("error: {}", phrase("refusal.not_allowed")));
    }
    // Ten presses at the same time, by two people.
    let presses = (0..10).map(|n| {
        let person = if n % 2 == 0 { ADMIN } else { ADMIN_2 };
        bed.feishu.click_raw(person, &card, press.clone())
    });
    let added = format!("success: {}", text("toast.project_added", &[("project", &"乙组")]));
    for result in futures::future::join_all(presses).await {
        assert_eq!(toast_of(&answered(result)), added);
    }
    let links = bed.store.read(|tx| tx.links_of(&user_key("main/bob"))).unwrap();
    assert_eq!(links.len(), 1);
    assert!(links[0].monitored.is_on() && links[0].since.to_string() == "2026-11");
    assert_eq!(bed.consumed("main/bob"), "¥7.00");
    // The policies of linked projects are granted as with `project.add`.
    bed.settled().await;
    let granted = |world: &airgate::sandbox::world::World| {
        let user = world.user("main", "bob").unwrap();
        format!("{:?}", user.policies).contains("ArkFullAccess")
    };
    bed.eventually("the policy", |bed| bed.cloud.read(granted)).await;
    bed.settled().await;
    // The list comes back, without the project, and is not replaced once the policy is attached; the card of the month agrees.
    let read = bed.texts(&card);
    assert!(!read.contains("¥7.00") && read.contains("¥3.01"), "{read}");
    bed.press(ADMIN, &card, json!({"action": "billing.open"})).await;
    let read = bed.texts(&card);
    for shown in ["¥35.01", "¥32.00", "¥3.01"] {
        assert!(read.contains(shown), "{shown}: {read}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_choice_leaves_the_form_usable() {
    let bed = bed().await;
    let card = opened(&bed, ADMIN).await;
    bed.press(ADMIN, &card, link_button()).await;
    let value = |op: &str| {
        json!({"action": "billing.assign", "account": "main", "project": "team-b",
            "period": "2026-11", "op": op})
    };
    let no_user = |name: &str| text("refusal.no_such_user", &[("name", &name)]);
    bed.change("main/bob", |user| user.status = UserStatus::Gone);
    for (fields, reason) in [
        (json!({}), phrase("refusal.no_user")),
        (json!({"user": "labs/nobody"}), no_user("labs/nobody")),
        (json!({"username": "zzz"}), no_user("zzz")),
        (json!({"user": "main/bob"}), text("refusal.user_gone", &[("user", &"main/bob")])),
    ] {
        let op = op_of(&bed, &card, "billing.assign");
        let refused = bed.forged(ADMIN, &card, value(&op), Some(fields.clone())).await;
        assert_eq!(toast_of(&refused), format!("error: {reason}"), "{fields}");
        assert!(bed.texts(&card).contains(&reason), "{fields}");
        assert_ne!(op_of(&bed, &card, "billing.assign"), op, "{fields}");
    }
    // Typed; what is typed takes precedence.
    let op = op_of(&bed, &card, "billing.assign");
    let typed = json!({"user": "main/bob", "username": "Alice"});
    let done = bed.forged(ADMIN, &card, value(&op), Some(typed)).await;
    assert!(toast_of(&done).starts_with("success"), "{done:?}");
    assert_eq!(bed.consumed("main/alice"), "¥32.00");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_card_from_before_somebody_else_was_linked_gives_the_project_to_nobody() {
    let bed = bed().await;
    let card = opened(&bed, ADMIN).await;
    bed.press(ADMIN, &card, link_button()).await;
    let op = op_of(&bed, &card, "billing.assign");
    bed.link("main/alice", "team-b", "");
    let value = json!({"action": "billing.assign", "account": "main", "project": "team-b",
        "period": "2026-11", "op": op});
    let late = bed.forged(ADMIN, &card, value, Some(json!({"user": "main/bob"}))).await;
    let taken = text("refusal.paid_for", &[("project", &"team-b"), ("users", &"main/alice")]);
    assert_eq!(toast_of(&late), format!("error: {taken}"));
    assert_eq!(bed.consumed("main/bob"), "¥0.00");
    // The list is shown as it is now.
    let read = bed.texts(&card);
    assert!(read.contains(&taken) && read.contains("¥3.01") && !read.contains("¥7.00"), "{read}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_project_whose_monitoring_is_off_says_whose_it_is_and_is_switched_on() {
    let bed = bed().await;
    bed.toggle("main/alice", "team-a", false);
    let card = opened(&bed, ADMIN).await;
    let read = bed.texts(&card);
    assert!(read.contains(&text("rest.off", &[("users", &"alice")])), "{read}");
    assert!(read.contains("¥35.01"), "all of it is nobody's: {read}");
    let on = json!({"action": "billing.assign", "project": "team-a", "user": "main/alice"});
    let press = bed.feishu.find_button(&card, |value| has(value, &on)).unwrap();
    let denied = answered(bed.feishu.click_raw(VIEWER, &card, press.clone()).await);
    assert_eq!(toast_of(&denied), format!("error: {}", phrase("refusal.not_allowed")));
    for _ in 0..2 {
        let done = answered(bed.feishu.click_raw(ADMIN, &card, press.clone()).await);
        let switched = text("toast.project_on", &[("project", &"甲组")]);
        assert_eq!(toast_of(&done), format!("success: {switched}"));
    }
    assert_eq!(bed.consumed("main/alice"), "¥25.00");
    assert!(bed.texts(&card).contains("¥10.01"));
    // A link that begins later does not pay for this month: that is said, and nothing is offered.
    bed.link("main/alice", "team-b", "");
    bed.at("2026-12-02T02:00:00Z");
    bed.cycle().await;
    let october = json!({"action": "billing.rest", "account": "main", "period": "2026-10"});
    bed.forged(ADMIN, &card, october, None).await;
    bed.forged(ADMIN, &card, open("2026-11"), None).await;
    assert!(!bed.values(&card).iter().any(|value| value["action"] == "billing.assign"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_metric_is_what_the_card_shows() {
    // In a separate process: services in one process share their metrics. Its monitor reads what is recorded already.
    let clock = airgate::clock::Clock::system();
    let period = BillPeriod::of(clock.now());
    let amounts = [("team-a", 12_345_i64), ("team-b", 987_i64)];
    let mut cloud = one_account();
    for (project, fen) in amounts {
        cloud.account_mut("main").unwrap().add_project(project, "");
        cloud.account_mut("main").unwrap().spend(project, Decimal::new(fen, 2), period);
    }
    let environment = Environment::start(cloud).await;
    let store = environment.home.store();
    environment.register_accounts(&store);
    let now = environment.clock.now();
    samples::add_users(&store, &["main/alice"], now);
    samples::link(&store, "main/alice", "team-a", "", now);
    let bills =
        amounts.map(|(project, fen)| ((project.parse().unwrap(), period), Money::from_fen(fen)));
    let reading = RecordedReading::of_months("main".parse().unwrap(), bills, now);
    store.write(|tx| tx.record_cycle(&[reading])).unwrap();
    let (shares, _) = store.read(|tx| airgate::app::rest::shares(tx, period, now)).unwrap();
    let shown = shares[0].bill.unattributed;
    assert_eq!(shown.to_string(), "¥9.87");
    drop(store);
    let process = environment.serve("info");
    let _ = rustls::crypto::ring::default_provider().install_default();
    let address = format!("http://{}/metrics", process.listening());
    let text = reqwest::get(address).await.unwrap().text().await.unwrap();
    let line = format!("airgate_unattributed{{account=\"main\"}} {}", shown.plain());
    assert!(text.lines().any(|known| known == line), "{line}: {text}");
}
