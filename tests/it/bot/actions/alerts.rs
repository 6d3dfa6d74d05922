//! The list of alerts, and the buttons of an alert.

use airgate::domain::{AlertKind, UserStatus};
use serde_json::json;

use super::{allocated, bed};
use crate::bed::{ADMIN, VIEWER, phrase, text, text_of, toast_of};

#[tokio::test(flavor = "multi_thread")]
async fn alerts_are_filtered_by_type_and_user() {
    let bed = bed().await;
    for (name, project, amount) in [("alice", "team-a", 30), ("bob", "team-b", 5)] {
        let card = bed.ask(ADMIN, &format!("/projects {name}")).await.message_id;
        bed.submit(ADMIN, &card, "project.add", json!({"project": [project]})).await;
        bed.ask(ADMIN, &format!("/quota {name} {amount}")).await;
    }
    // 25 of 30 is a warning, 7 of 5 a disable and no warning beside it.
    bed.cycle().await;
    let card = bed.ask(ADMIN, "/alerts").await.message_id;
    let shows = |card: &str, count: usize| {
        let read = bed.texts(card);
        assert!(read.contains(&text("alerts.subtitle", &[("count", &count)])), "{count}: {read}");
    };
    shows(&card, 2);
    for (kind, wanted) in [
        (AlertKind::Warning, 1),
        (AlertKind::Disable, 1),
        (AlertKind::Error, 0),
        (AlertKind::Manual, 0),
    ] {
        bed.press(ADMIN, &card, json!({"action": "alerts.list", "type": kind.word()})).await;
        shows(&card, wanted);
    }
    bed.press(ADMIN, &card, json!({"action": "alerts.list"})).await;
    shows(&card, 2);
    let card = bed.ask(ADMIN, "/alerts bob").await.message_id;
    let read = bed.texts(&card);
    assert!(read.contains(&text("alerts.title_user", &[("user", &"bob")])), "{read}");
    shows(&card, 1);
    assert!(!read.contains("alice"), "{read}");
    bed.press(
        ADMIN,
        &card,
        json!({"action": "alerts.list", "type": "disable", "user": "main/bob"}),
    )
    .await;
    shows(&card, 1);
    // A record opens the user.
    bed.press(ADMIN, &card, json!({"action": "user.open", "user": "main/bob"})).await;
    assert!(bed.texts(&card).contains(&phrase("status.disabled")), "{}", bed.texts(&card));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_buttons_of_an_alert_in_the_group_work() {
    let bed = bed().await;
    let card = bed.ask(ADMIN, "/projects alice").await.message_id;
    bed.submit(ADMIN, &card, "project.add", json!({"project": ["team-a"]})).await;
    bed.ask(ADMIN, "/quota alice 20").await;
    bed.cycle().await;
    let disabled = text("alert.disable", &[("user", &"alice")]);
    let alert = bed.alerts().into_iter().find(|alert| text_of(alert).contains(&disabled)).unwrap();
    let card = alert.message_id;
    let below = |card: &str| {
        let reply = bed.alerts().pop().unwrap();
        assert_eq!(reply.reply_to.as_deref(), Some(card));
        reply.message_id
    };
    let done = bed.press(VIEWER, &card, json!({"action": "user.open", "user": "main/alice"})).await;
    assert_eq!(toast_of(&done), format!("info: {}", phrase("toast.replied")));
    bed.settled().await;
    assert!(bed.texts(&below(&card)).contains("¥25.00"));
    bed.press(ADMIN, &card, json!({"action": "quota.open", "user": "main/alice"})).await;
    bed.settled().await;
    let form = below(&card);
    let done = bed.submit(ADMIN, &form, "quota.allocate", json!({"amount": "80"})).await;
    assert_eq!(toast_of(&done), format!("success: {}", allocated("¥80.00", "¥100.00")));
    bed.press(ADMIN, &form, json!({"action": "access.ask"})).await;
    bed.press(ADMIN, &form, json!({"action": "user.enable"})).await;
    bed.settled().await;
    // Who did what, and when, is on the alert itself.
    let read = bed.texts(&card);
    assert!(read.contains(&disabled), "{read}");
    for part in [
        text("deed.allocated", &[("amount", &"¥80.00")]),
        phrase("button.enable"),
        phrase("incident.dealt_with"),
    ] {
        assert!(read.contains(&part), "{part}: {read}");
    }
    let header = &bed.message(&card).json()["header"]["template"];
    assert_eq!(header, "green");
    assert_eq!(bed.user("main/alice").status, UserStatus::Active);
    assert!(!bed.is_cut_off("alice"));
    // The top-up keeps access from being cut again.
    bed.cycle().await;
    assert_eq!(bed.user("main/alice").status, UserStatus::Active);
}
