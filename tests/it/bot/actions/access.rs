//! Disabling and enabling from cards.

use std::time::Duration;

use airgate::domain::{AlertKind, UserStatus};
use airgate::sandbox::volcengine::{Fault, FaultRule};
use serde_json::json;

use super::bed;
use crate::bed::{ADMIN, ADMIN_2, GROUP, phrase, text, text_of, toast_of, user_key};

#[tokio::test(flavor = "multi_thread")]
async fn access_is_cut_and_restored_from_the_confirm_cards() {
    let bed = bed().await;
    let slow = Fault::Slow(Duration::from_millis(300));
    bed.cloud.faults().inject(FaultRule::new(slow));
    let card = bed.ask(ADMIN, "/disable alice").await.message_id;
    let done =
        bed.press(ADMIN, &card, json!({"action": "user.disable", "user": "main/alice"})).await;
    assert_eq!(
        toast_of(&done),
        format!("info: {}", text("toast.access_cutting", &[("user", &"alice")]))
    );
    assert!(bed.texts(&card).contains(&phrase("status.cutting")), "{}", bed.texts(&card));
    // Another card refuses a second request.
    let other = bed.ask(ADMIN_2, "/disable alice").await;
    assert!(text_of(&other).contains(&phrase("refusal.access_pending")));
    bed.no_longer_shows(&card, &phrase("status.cutting")).await;
    bed.shows(&card, &phrase("status.disabled")).await;
    assert!(bed.is_cut_off("alice"));
    assert_eq!(bed.user("main/alice").status, UserStatus::Disabled);

    let again = bed.ask(ADMIN, "/disable alice").await;
    assert!(text_of(&again).contains(&text("refusal.already_cut", &[("user", &"main/alice")])));
    let card = bed.ask(ADMIN, "/enable alice").await.message_id;
    assert!(
        bed.texts(&card).contains(&text("access.keys_on", &[("count", &1)])),
        "{}",
        bed.texts(&card)
    );
    let done =
        bed.press(ADMIN, &card, json!({"action": "user.enable", "user": "main/alice"})).await;
    assert_eq!(
        toast_of(&done),
        format!("info: {}", text("toast.access_restoring", &[("user", &"alice")]))
    );
    assert!(bed.texts(&card).contains(&phrase("status.restoring")), "{}", bed.texts(&card));
    bed.no_longer_shows(&card, &phrase("status.restoring")).await;
    bed.no_longer_shows(&card, &phrase("status.disabled")).await;
    assert!(!bed.is_cut_off("alice"));
    assert_eq!(bed.user("main/alice").status, UserStatus::Active);

    assert_eq!(bed.alert_kinds(), [AlertKind::Manual, AlertKind::Manual]);
    bed.cloud.faults().clear();

    // So do the buttons on the user's card.
    let card = bed.ask(ADMIN, "/user bob").await.message_id;
    bed.press(ADMIN, &card, json!({"action": "access.ask", "goal": "cut"})).await;
    bed.press(ADMIN, &card, json!({"action": "user.disable"})).await;
    bed.settled().await;
    assert!(bed.texts(&card).contains(&phrase("status.disabled")), "{}", bed.texts(&card));
    bed.press(ADMIN, &card, json!({"action": "access.ask", "goal": "restored"})).await;
    bed.press(ADMIN, &card, json!({"action": "user.enable"})).await;
    bed.settled().await;
    assert_eq!(bed.user("main/bob").status, UserStatus::Active);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_look_at_the_access_changes_nothing_and_updates_the_card() {
    let bed = bed().await;
    let card = bed.ask(ADMIN, "/user alice").await.message_id;
    let looking = text("toast.rechecking", &[("user", &"alice")]);
    for _ in 0..2 {
        let done = bed
            .press(ADMIN, &card, json!({"action": "access.recheck", "user": "main/alice"}))
            .await;
        assert_eq!(toast_of(&done), format!("info: {looking}"));
        bed.no_longer_shows(&card, &looking).await;
        assert!(bed.texts(&card).contains(&phrase("paths.title")), "{}", bed.texts(&card));
    }
    bed.settled().await;
    assert_eq!(bed.user("main/alice").status, UserStatus::Active);
    assert!(bed.alert_kinds().is_empty());
    let writes = ["Update", "Attach", "Detach", "Create", "Stop", "Start"];
    for call in bed.cloud.calls() {
        assert!(!writes.iter().any(|word| call.action.starts_with(word)), "{}", call.action);
    }
}

/// In a group, the card that a command is answered with names things, and shows neither ids of keys nor links.
#[tokio::test(flavor = "multi_thread")]
async fn a_user_card_in_a_group_shows_no_links_to_the_console() {
    use airgate::domain::{AccessItem, AccessPath, NotCovered, PathReport, PathReports, PathState};
    let bed = bed().await;
    let state = PathState::NotCovered { reason: NotCovered::LeftToPerson };
    let open = vec![AccessItem::new("987654").named("alice-key")];
    let report = PathReport { state, open, closed: 0, at: bed.clock.now() };
    let reports = PathReports::from([(AccessPath::ModelKeys, report)]);
    bed.store.write(|tx| tx.put_access_paths(&user_key("main/alice"), reports)).unwrap();
    let direct = text_of(&bed.ask(ADMIN, "/user alice").await);
    assert!(direct.contains("alice-key") && direct.contains("987654"), "{direct}");
    let group = text_of(&bed.ask_in(ADMIN, GROUP, "/user alice", true).await);
    assert!(group.contains("alice-key") && !group.contains("987654"), "{group}");
    assert!(!group.contains("console.volcengine"), "{group}");
}
