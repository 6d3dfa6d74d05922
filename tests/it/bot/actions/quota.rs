//! The quota card, and how quota is shown.

use airgate::domain::UserStatus;
use rust_decimal::Decimal;
use serde_json::json;

use super::{allocated, bed, op_of};
use crate::bed::{ADMIN, Bed, fragment, phrase, text, text_of, toast_of};
use crate::bot::{says, two_accounts};

#[tokio::test(flavor = "multi_thread")]
async fn quota_is_allocated_and_refusals_can_be_corrected() {
    let bed = bed().await;
    let card = bed.ask(ADMIN, "/quota alice").await.message_id;
    let long = "字".repeat(501);
    for (amount, note, wanted) in [
        ("", "", phrase("refusal.amount_empty")),
        ("abc", "", phrase("refusal.amount_not_a_number")),
        ("1,00", "", phrase("refusal.amount_commas")),
        ("1.234", "", phrase("refusal.amount_decimals")),
        ("0", "", phrase("refusal.amount_zero")),
        ("10000000000", "", fragment("refusal.amount_too_large")),
        ("-1", "", text("refusal.below_zero", &[("after", &"-¥1.00"), ("before", &"¥0.00")])),
        ("5", long.as_str(), text("refusal.note_too_long", &[("chars", &501)])),
    ] {
        let op = op_of(&bed, &card, "quota.allocate");
        let value = json!({"action": "quota.allocate", "user": "main/alice", "op": op});
        let form = json!({"amount": amount, "note": note});
        let done = bed.forged(ADMIN, &card, value, Some(form)).await;
        assert!(toast_of(&done).starts_with("error: "), "{amount}: {done:?}");
        assert!(toast_of(&done).contains(&wanted), "{amount}: {done:?}");
        assert!(done.card_updated);
        assert_eq!(bed.field(&card, "amount"), amount);
        assert_ne!(op_of(&bed, &card, "quota.allocate"), op);
    }
    assert_eq!(bed.quota("main/alice"), "¥0.00");
    let done = bed
        .submit(ADMIN, &card, "quota.allocate", json!({"amount": "1,000.5", "note": "首笔"}))
        .await;
    assert_eq!(toast_of(&done), format!("success: {}", allocated("¥1,000.50", "¥1,000.50")));
    // The form is empty again.
    assert_eq!(bed.field(&card, "amount"), "");
    assert_eq!(bed.field(&card, "note"), "");
    let done = bed.submit(ADMIN, &card, "quota.allocate", json!({"amount": "-200.50"})).await;
    assert_eq!(
        toast_of(&done),
        format!(
            "success: {}",
            text("toast.quota_deducted", &[("amount", &"¥200.50"), ("total", &"¥800.00")])
        )
    );
    for _ in 0..10 {
        bed.submit(ADMIN, &card, "quota.allocate", json!({"amount": "1"})).await;
    }
    assert_eq!(bed.ledger_entries("main/alice"), 12);
    let rows = bed.message(&card).json();
    let table = rows["body"]["elements"].as_array().unwrap().iter().find(|e| e["tag"] == "table");
    assert_eq!(table.unwrap()["rows"].as_array().unwrap().len(), 10);
}

#[tokio::test(flavor = "multi_thread")]
async fn just_below_the_quota_is_not_the_quota() {
    let mut cloud = two_accounts();
    let period = "2026-11".parse().unwrap();
    cloud.account_mut("main").unwrap().spend("team-a", Decimal::new(999_500_000, 6), period);
    let bed = Bed::start(cloud).await;
    bed.sync().await;
    let card = bed.ask(ADMIN, "/projects bob").await;
    bed.submit(ADMIN, &card.message_id, "project.add", json!({"project": ["team-a"]})).await;
    says(&bed, ADMIN, "/quota bob 1000", &[]).await;
    bed.cycle().await;
    for command in ["/users bob", "/user bob", "/quota bob"] {
        says(&bed, ADMIN, command, &["99.9%", "¥999.50"]).await;
        let read = text_of(&bed.ask(ADMIN, command).await);
        // The end of a bar is labelled 100%.
        assert!(!read.contains("100.0%") && !read.contains("**100%"), "{read}");
    }
    says(&bed, ADMIN, "/users bob", &["甲组", "¥0.50"]).await;
    assert_eq!(bed.user("main/bob").status, UserStatus::Active);
    assert!(!bed.is_cut_off("bob"));
}

/// Typed on the card or with the command, and also where access comes back with it.
#[tokio::test(flavor = "multi_thread")]
async fn an_amount_far_above_the_usual_is_asked_back_about_and_booked_once() {
    let bed = bed().await;
    bed.allocate("main/alice", "2000");
    let card = bed.ask(ADMIN, "/quota alice").await.message_id;
    // Ten times as much is not asked about.
    bed.submit(ADMIN, &card, "quota.allocate", json!({"amount": "20000"})).await;
    assert_eq!(bed.quota("main/alice"), "¥22,000.00");
    let form = json!({"amount": "50万", "note": "新项目"});
    let asked = bed.submit(ADMIN, &card, "quota.allocate", form).await;
    assert!(asked.card_updated);
    assert_eq!(bed.quota("main/alice"), "¥22,000.00");
    let shown = bed.texts(&card);
    let why = text("large.above_quota", &[("quota", &"¥22,000.00")]);
    for wanted in [why.as_str(), "¥500,000.00", "¥522,000.00", "新项目"] {
        assert!(shown.contains(wanted), "{wanted} is not in\n{shown}");
    }
    let op = op_of(&bed, &card, "quota.allocate");
    let value = bed.values(&card).into_iter().find(|it| it["op"] == op.as_str()).unwrap();
    for _ in 0..2 {
        bed.forged(ADMIN, &card, value.clone(), None).await;
        assert_eq!(bed.quota("main/alice"), "¥522,000.00");
    }
    assert_eq!(bed.ledger_entries("main/alice"), 3);
    let entry = bed.texts(&card);
    assert!(entry.contains("¥522,000.00"), "{entry}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_with_an_amount_far_above_the_usual_is_asked_back_about() {
    let bed = bed().await;
    bed.allocate("main/bob", "800");
    let reply = bed.ask(ADMIN, "/quota bob 1万 首月").await.message_id;
    let title = text("large.title", &[("user", &"bob"), ("amount", &"¥10,000.00")]);
    assert!(bed.texts(&reply).contains(&title), "{}", bed.texts(&reply));
    assert_eq!(bed.quota("main/bob"), "¥800.00");
    bed.press(ADMIN, &reply, json!({"action": "quota.allocate"})).await;
    assert_eq!(bed.quota("main/bob"), "¥10,800.00");
    // Deducting is not asked about while something is left, nor is what is as usual now.
    says(&bed, ADMIN, "/quota bob -10799", &[]).await;
    assert_eq!(bed.quota("main/bob"), "¥1.00");
    says(&bed, ADMIN, "/quota bob 100000", &[]).await;
    assert_eq!(bed.quota("main/bob"), "¥100,001.00");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_amount_can_be_corrected_instead() {
    let bed = bed().await;
    bed.allocate("main/alice", "2000");
    let card = bed.ask(ADMIN, "/quota alice").await.message_id;
    bed.submit(ADMIN, &card, "quota.allocate", json!({"amount": "500000"})).await;
    bed.press(ADMIN, &card, json!({"action": "quota.open"})).await;
    bed.submit(ADMIN, &card, "quota.allocate", json!({"amount": "5000"})).await;
    assert_eq!(bed.quota("main/alice"), "¥7,000.00");
}

/// Nothing allocated means never disabled: whoever takes a quota away is told so before and after, by form and by command.
#[tokio::test(flavor = "multi_thread")]
async fn a_deduction_that_ends_the_limit_is_asked_back_about_and_says_so_afterwards() {
    let bed = bed().await;
    bed.allocate("main/alice", "800");
    bed.allocate("main/bob", "500");
    let card = bed.ask(ADMIN, "/quota alice").await.message_id;
    let form = json!({"amount": "-800", "note": "收回"});
    bed.submit(ADMIN, &card, "quota.allocate", form).await;
    assert_eq!(bed.quota("main/alice"), "¥800.00", "it is asked back about first");
    let asked = bed.texts(&card);
    for wanted in [phrase("large.frees"), "收回".to_owned()] {
        assert!(asked.contains(&wanted), "{wanted} is not in\n{asked}");
    }
    // It offers what the person may have meant.
    let cut = |value: &serde_json::Value| value["action"] == "access.ask" && value["goal"] == "cut";
    assert!(bed.values(&card).iter().any(cut));
    let done = bed.press(ADMIN, &card, json!({"action": "quota.allocate"})).await;
    assert!(toast_of(&done).starts_with("warning: "), "{done:?}");
    assert_eq!(bed.quota("main/alice"), "¥0.00");
    let unlimited = text("consequence.runs_free", &[("state", &phrase("usage.unallocated"))]);
    assert!(bed.texts(&card).contains(&unlimited), "{}", bed.texts(&card));

    let reply = bed.ask(ADMIN, "/quota bob -500").await.message_id;
    assert!(bed.texts(&reply).contains(&phrase("large.frees")), "{}", bed.texts(&reply));
    assert_eq!(bed.quota("main/bob"), "¥500.00");
    bed.press(ADMIN, &reply, json!({"action": "quota.allocate"})).await;
    assert_eq!(bed.quota("main/bob"), "¥0.00");
}

#[tokio::test(flavor = "multi_thread")]
async fn undoing_the_first_allocation_says_that_nothing_limits_the_user_any_more() {
    let bed = bed().await;
    let card = bed.ask(ADMIN, "/quota alice 800").await.message_id;
    bed.press(ADMIN, &card, json!({"action": "quota.undo"})).await;
    assert_eq!(bed.quota("main/alice"), "¥0.00");
    let unlimited = text("consequence.runs_free", &[("state", &phrase("usage.unallocated"))]);
    assert!(bed.texts(&card).contains(&unlimited), "{}", bed.texts(&card));
}
