//! An alert as an incident: what its buttons open, what is added to it, and 追加并启用.

use std::time::Duration;

use airgate::domain::{AccessCause, AccessGoal, AlertBody, AlertKind, Notice, UserStatus};
use airgate::sandbox::feishu::Message;
use airgate::sandbox::volcengine::{Fault, FaultRule};
use serde_json::json;

use super::{bed, op_of};
use crate::bed::{ADMIN, ADMIN_2, Bed, GROUP, phrase, text, text_of, toast_of, user_key};

/// Alice has used up 25 of 20, and is disabled.
async fn cut() -> Bed {
    let bed = bed().await;
    bed.store
        .write(|tx| {
            let mut alice = tx.user(&user_key("main/alice"))?.unwrap();
            alice.email = "alice@example.org".to_owned();
            alice.phone = "13800000099".to_owned();
            tx.put_user(&alice)
        })
        .unwrap();
    let card = bed.ask(ADMIN, "/projects alice").await.message_id;
    bed.submit(ADMIN, &card, "project.add", json!({"project": ["team-a"]})).await;
    bed.ask(ADMIN, "/quota alice 20").await;
    bed.cycle().await;
    assert_eq!(bed.user("main/alice").status, UserStatus::Disabled);
    bed
}

/// The card that tells of the cut.
fn alert_of(bed: &Bed) -> Message {
    let disabled = text("alert.disable", &[("user", &"alice")]);
    bed.alerts().into_iter().find(|alert| text_of(alert).contains(&disabled)).unwrap()
}

fn header(bed: &Bed, card: &str) -> String {
    bed.message(card).json()["header"]["template"].as_str().unwrap().to_owned()
}

/// The reply that the last click on an alert has led to.
async fn reply(bed: &Bed) -> String {
    bed.settled().await;
    let reply = bed.alerts().pop().unwrap();
    assert!(reply.reply_to.is_some());
    reply.message_id
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cut_is_dealt_with_by_two_presses_and_the_alert_says_so() {
    let bed = cut().await;
    let alert = alert_of(&bed).message_id;
    assert_eq!(header(&bed, &alert), "red");
    bed.press(ADMIN, &alert, json!({"action": "quota.open"})).await;
    let form = reply(&bed).await;
    // The amounts are on the buttons: a thousand, and what leaves half of the quota free. A fifth would not be enough.
    let offers: Vec<_> = bed
        .values(&form)
        .into_iter()
        .filter(|value| value["action"] == "quota.allocate_enable")
        .filter_map(|value| value["amount"].as_str().map(str::to_owned))
        .collect();
    assert_eq!(offers, ["1000.00", "30.00"]);
    let offer = json!({"action": "quota.allocate_enable", "amount": "30.00"});
    let done = bed.press(ADMIN_2, &form, offer).await;
    let said = text("toast.allocated_enabling", &[("user", &"alice"), ("amount", &"¥30.00")]);
    assert_eq!(toast_of(&done), format!("success: {said}"));
    bed.settled().await;
    assert_eq!(bed.user("main/alice").status, UserStatus::Active);
    assert!(!bed.is_cut_off("alice"));
    assert_eq!(bed.quota("main/alice"), "¥50.00");
    let read = bed.texts(&alert);
    assert!(read.contains(&text("deed.allocated", &[("amount", &"¥30.00")])), "{read}");
    assert!(read.contains(&phrase("incident.dealt_with")), "{read}");
    assert_eq!(header(&bed, &alert), "green");
    assert!(!bed.values(&alert).iter().any(|value| value["action"] == "access.ask"), "{read}");
    // The next cycle finds nothing to do.
    bed.cycle().await;
    assert_eq!(bed.user("main/alice").status, UserStatus::Active);
    assert_eq!(alert_of(&bed).message_id, alert);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_amount_and_the_restore_come_together_once_or_not_at_all() {
    let bed = cut().await;
    let form = bed.ask(ADMIN, "/quota alice").await.message_id;
    for (amount, wanted) in [("abc", "refusal.amount_not_a_number"), ("0", "refusal.amount_zero")] {
        let done =
            bed.submit(ADMIN, &form, "quota.allocate_enable", json!({"amount": amount})).await;
        assert_eq!(toast_of(&done), format!("error: {}", phrase(wanted)));
        assert_eq!(bed.field(&form, "amount"), amount);
    }
    let op = op_of(&bed, &form, "quota.allocate_enable");
    let value = json!({"action": "quota.allocate_enable", "user": "main/alice", "op": op});
    for _ in 0..2 {
        let form_of = json!({"amount": "50", "note": "补"});
        let done = bed.forged(ADMIN, &form, value.clone(), Some(form_of)).await;
        assert!(toast_of(&done).starts_with("success"), "{done:?}");
    }
    bed.settled().await;
    assert_eq!((bed.quota("main/alice"), bed.ledger_entries("main/alice")), ("¥70.00".into(), 2));
    assert_eq!(bed.user("main/alice").status, UserStatus::Active);
    // Nothing to enable: nothing is booked either.
    let value = json!({"action": "quota.allocate_enable", "user": "main/alice", "op": "again"});
    let done = bed.forged(ADMIN, &form, value, Some(json!({"amount": "50"}))).await;
    assert!(toast_of(&done).starts_with("info"), "{done:?}");
    assert_eq!(bed.ledger_entries("main/alice"), 2);
    // Too little: it is done, and said what will follow.
    bed.ask(ADMIN, "/quota alice -60").await;
    bed.cycle().await;
    assert_eq!(bed.user("main/alice").status, UserStatus::Disabled);
    let form = bed.ask(ADMIN, "/quota alice").await.message_id;
    let done = bed.submit(ADMIN, &form, "quota.allocate_enable", json!({"amount": "1"})).await;
    assert!(toast_of(&done).starts_with("warning"), "{done:?}");
    assert!(bed.texts(&form).contains("227.3%"), "{}", bed.texts(&form));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_allocation_is_undone_once_and_within_five_minutes() {
    let bed = cut().await;
    let card = bed.ask(ADMIN, "/quota alice 80 错").await.message_id;
    let undo = json!({"action": "quota.undo", "entry": 2});
    let op = op_of(&bed, &card, "quota.undo");
    let done = bed.press(ADMIN_2, &card, undo.clone()).await;
    let said = text("toast.quota_undone", &[("amount", &"¥80.00"), ("total", &"¥20.00")]);
    // Alice stays disabled: nothing new follows.
    assert_eq!(toast_of(&done), format!("success: {said}"));
    assert_eq!((bed.quota("main/alice"), bed.ledger_entries("main/alice")), ("¥20.00".into(), 3));
    assert!(!bed.values(&card).iter().any(|value| value["action"] == "quota.undo"));
    let again =
        |op: &str| json!({"action": "quota.undo", "user": "main/alice", "entry": 2, "op": op});
    // The same press, and another one.
    assert_eq!(toast_of(&bed.forged(ADMIN_2, &card, again(&op), None).await), toast_of(&done));
    let done = bed.forged(ADMIN, &card, again("other"), None).await;
    assert_eq!(toast_of(&done), format!("info: {}", phrase("refusal.undone_already")));
    assert_eq!(bed.ledger_entries("main/alice"), 3);
    // The alert of the cut has both.
    bed.settled().await;
    let read = bed.texts(&alert_of(&bed).message_id);
    for key in ["deed.allocated", "deed.undone"] {
        assert!(read.contains(&text(key, &[("amount", &"¥80.00")])), "{key}: {read}");
    }

    // What was spent meanwhile cannot be taken back below 0.
    let card = bed.ask(ADMIN, "/quota alice 5").await.message_id;
    let press = bed.feishu.find_button(&card, |value| value["action"] == "quota.undo").unwrap();
    bed.ask(ADMIN, "/quota alice -24").await;
    // As a person sees it who has the card as it was: it is brought up to date meanwhile.
    let done = bed.feishu.click_raw(ADMIN, &card, press).await;
    assert!(toast_of(&done).starts_with("error"), "{done:?}");
    let card = bed.ask(ADMIN, "/quota alice 100").await.message_id;
    let entries = bed.ledger_entries("main/alice");
    let press = bed.feishu.find_button(&card, |value| value["action"] == "quota.undo").unwrap();
    bed.at("2026-11-23T03:00:00Z");
    let done = bed.feishu.click(ADMIN, &card, press).await;
    assert_eq!(toast_of(&done), format!("error: {}", phrase("refusal.undo_too_late")));
    assert_eq!(bed.ledger_entries("main/alice"), entries);
}

#[tokio::test(flavor = "multi_thread")]
async fn undoing_an_amount_that_came_with_access_leaves_the_access() {
    let bed = cut().await;
    let form = bed.ask(ADMIN, "/quota alice").await.message_id;
    bed.submit(ADMIN, &form, "quota.allocate_enable", json!({"amount": "50"})).await;
    bed.settled().await;
    let done = bed.press(ADMIN, &form, json!({"action": "quota.undo"})).await;
    let said = text("toast.quota_undone_alone", &[("amount", &"¥50.00"), ("total", &"¥20.00")]);
    assert_eq!(toast_of(&done), format!("warning: {said}"));
    assert!(bed.texts(&form).contains("125.0%"), "{}", bed.texts(&form));
    assert_eq!(bed.user("main/alice").status, UserStatus::Active);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_sees_no_key_and_no_address() {
    let bed = cut().await;
    let alert = alert_of(&bed).message_id;
    let keys: Vec<String> =
        bed.user("main/alice").access_keys.iter().map(|key| key.id.clone()).collect();
    assert!(!keys.is_empty());
    let mut read = vec![bed.texts(&alert)];
    for value in [
        json!({"action": "user.open"}),
        json!({"action": "quota.open"}),
        json!({"action": "access.ask"}),
    ] {
        bed.press(ADMIN, &alert, value).await;
        read.push(bed.texts(&reply(&bed).await));
    }
    for text in &read {
        for secret in keys.iter().map(String::as_str).chain(["alice@example.org", "13800000099"]) {
            assert!(!text.contains(secret), "{secret}: {text}");
        }
    }
    let direct = text_of(&bed.ask(ADMIN, "/user alice").await);
    assert!(direct.contains("alice@example.org") && direct.contains(&keys[0]), "{direct}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_warning_loses_its_button_once_access_is_cut() {
    let bed = bed().await;
    let card = bed.ask(ADMIN, "/projects alice").await.message_id;
    bed.submit(ADMIN, &card, "project.add", json!({"project": ["team-a"]})).await;
    bed.ask(ADMIN, "/quota alice 27").await;
    bed.cycle().await;
    let warning = bed.alerts().pop().unwrap().message_id;
    let asks = |bed: &Bed, goal: &str| {
        bed.values(&warning).iter().any(|it| it["action"] == "access.ask" && it["goal"] == goal)
    };
    assert!(asks(&bed, "cut"));
    bed.ask(ADMIN, "/quota alice -2").await;
    bed.cycle().await;
    assert_eq!(bed.user("main/alice").status, UserStatus::Disabled);
    assert!(!asks(&bed, "cut"), "{}", bed.texts(&warning));
    assert!(bed.texts(&warning).contains(&phrase("deed.cut_itself")), "{}", bed.texts(&warning));
    assert_eq!(header(&bed, &warning), "grey");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cut_that_is_under_way_can_be_withdrawn() {
    let bed = bed().await;
    bed.cloud.faults().inject(FaultRule::new(Fault::Slow(Duration::from_millis(300))));
    let card = bed.ask(ADMIN, "/disable alice").await.message_id;
    bed.press(ADMIN, &card, json!({"action": "user.disable"})).await;
    assert_ne!(header(&bed, &card), "green");
    let done = bed.press(ADMIN, &card, json!({"action": "access.withdraw", "goal": "cut"})).await;
    let said = text("toast.cut_withdrawn", &[("user", &"alice")]);
    assert_eq!(toast_of(&done), format!("info: {said}"));
    bed.settled().await;
    assert_eq!(bed.user("main/alice").status, UserStatus::Active);
    assert!(!bed.is_cut_off("alice"));
    // Nothing is under way any more.
    let value =
        json!({"action": "access.withdraw", "user": "main/alice", "goal": "cut", "op": "x"});
    let done = bed.forged(ADMIN, &card, value, None).await;
    let said = text("refusal.nothing_under_way", &[("user", &"alice")]);
    assert_eq!(toast_of(&done), format!("info: {said}"));
}

#[tokio::test(flavor = "multi_thread")]
async fn why_access_is_cut_is_kept_until_it_is_restored() {
    let bed = cut().await;
    let cause = |bed: &Bed, user: &str| {
        let memory = bed.store.read(|tx| tx.access_remembered(&user_key(user))).unwrap();
        memory.and_then(|memory| memory.cause)
    };
    assert_eq!(cause(&bed, "main/alice"), Some(AccessCause::QuotaUsedUp));
    let card = bed.ask(ADMIN, "/disable bob").await.message_id;
    bed.press(ADMIN, &card, json!({"action": "user.disable"})).await;
    bed.settled().await;
    let by = cause(&bed, "main/bob").unwrap();
    assert!(matches!(by, AccessCause::Manual { .. }), "{by:?}");
    let card = bed.ask(ADMIN, "/enable bob").await.message_id;
    bed.press(ADMIN, &card, json!({"action": "user.enable"})).await;
    bed.settled().await;
    assert_eq!(cause(&bed, "main/bob"), None);
    let goals = bed.alert_records().into_iter().filter_map(|alert| match alert.body {
        AlertBody::Manual { goal, .. } => Some(goal),
        _ => None,
    });
    assert_eq!(goals.collect::<Vec<_>>(), [AccessGoal::Cut, AccessGoal::Restored]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_change_leads_to_is_said_with_it() {
    let bed = bed().await;
    let card = bed.ask(ADMIN, "/projects alice").await.message_id;
    bed.submit(ADMIN, &card, "project.add", json!({"project": ["team-a"]})).await;
    bed.cycle().await;
    bed.ask(ADMIN, "/quota alice 100").await;
    let cut = |card: &str| {
        let read = bed.texts(card);
        assert!(read.contains("停用") && read.contains("下次监控"), "{read}");
    };
    let deducted = bed.ask(ADMIN, "/quota alice -80").await.message_id;
    cut(&deducted);
    bed.ask(ADMIN, "/quota alice 20").await;
    // The consumed amount falls with the monitoring, and rises with it.
    let toggle = |on: bool| json!({"action": "project.toggle", "enabled": on});
    bed.press(ADMIN, &card, toggle(false)).await;
    let read = bed.texts(&card);
    assert!(read.contains("¥25.00 → ¥0.00") && read.contains("62.5% → 0.0%"), "{read}");
    bed.ask(ADMIN, "/quota alice -20").await;
    let done = bed.press(ADMIN, &card, toggle(true)).await;
    assert!(toast_of(&done).starts_with("warning"), "{done:?}");
    cut(&card);
}

#[tokio::test(flavor = "multi_thread")]
async fn five_users_who_are_warned_in_one_cycle_share_one_card() {
    for (users, cards) in [(4_usize, 4_usize), (5, 1)] {
        let bed = bed().await;
        let names: Vec<String> = (0..users).map(|n| format!("main/u{n}")).collect();
        bed.add_users(&names.iter().map(String::as_str).collect::<Vec<_>>());
        for (n, name) in names.iter().enumerate() {
            bed.link(name, "team-a", "");
            bed.allocate(name, &(30 + n).to_string());
        }
        bed.cycle().await;
        assert_eq!(bed.alerts().len(), cards, "{users} users");
        let records = bed.alert_records();
        let of_users = records.iter().filter(|alert| alert.user.is_some()).count();
        assert_eq!(of_users, users, "each has a record");
        for alert in &records {
            assert_eq!((alert.body.kind(), alert.notice), (AlertKind::Warning, Notice::Delivered));
        }
        let read: String = bed.alerts().iter().map(text_of).collect();
        for name in &names {
            assert!(read.contains(name.trim_start_matches("main/")), "{name}: {read}");
        }
        if cards == 1 {
            assert!(read.contains(&text("alert.warnings", &[("count", &users)])), "{read}");
            assert!(read.find("u0") < read.find("u4"), "highest usage first: {read}");
        }
        // They were told once.
        bed.cycle().await;
        assert_eq!(bed.alerts().len(), cards);
        assert!(bed.feishu.messages(GROUP).len() == cards);
    }
}
