//! A press applies once, however often it arrives and whoever presses, and not at all if it is refused.

use serde_json::json;

use super::{allocated, bed, op_of};
use crate::bed::{
    ADMIN, ADMIN_2, GROUP, STRANGER, VIEWER, answered, fragment, phrase, text, toast_of,
};

#[tokio::test(flavor = "multi_thread")]
async fn a_press_applies_once_however_often_it_arrives() {
    let bed = bed().await;
    let card = bed.ask(ADMIN, "/quota alice").await.message_id;
    let fields = json!({"amount": "100", "note": "一次"}).as_object().unwrap().clone();
    let press = bed.feishu.fill_form(&card, |v| v["action"] == "quota.allocate", fields).unwrap();
    // Ten presses at the same time.
    let presses = (0..10).map(|_| bed.feishu.click_raw(ADMIN, &card, press.clone()));
    let results = futures::future::join_all(presses).await;
    let first = format!("success: {}", allocated("¥100.00", "¥100.00"));
    // Each is answered with the outcome of the one that was applied.
    for result in &results {
        assert_eq!(toast_of(result), first, "{results:?}");
    }
    assert_eq!(bed.quota("main/alice"), "¥100.00");
    // More presses one after the other, by others, with other fields: still the first outcome.
    for person in [ADMIN, ADMIN_2, ADMIN] {
        let mut press = press.clone();
        press.form_value = json!({"amount": "7"}).as_object().cloned();
        let again = answered(bed.feishu.click_raw(person, &card, press).await);
        assert_eq!(toast_of(&again), first);
        // The form is empty, so that another press books nothing.
        assert_eq!(bed.field(&card, "amount"), "");
    }
    assert_eq!(bed.quota("main/alice"), "¥100.00");

    // A refused press stays refused, with the same reason.
    let op = op_of(&bed, &card, "quota.allocate");
    let value = json!({"action": "quota.allocate", "user": "main/alice", "op": op});
    for amount in ["-500", "5"] {
        let form = Some(json!({"amount": amount}));
        let refused = bed.forged(ADMIN, &card, value.clone(), form).await;
        assert!(toast_of(&refused).contains(&fragment("refusal.below_zero")), "{refused:?}");
        assert_eq!(bed.field(&card, "amount"), amount);
    }
    // The card in its answer works.
    let done = bed.submit(ADMIN, &card, "quota.allocate", json!({"amount": "-50"})).await;
    assert!(toast_of(&done).starts_with("success"), "{done:?}");
    assert_eq!(bed.quota("main/alice"), "¥50.00");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_people_press_the_same_button_at_once() {
    let bed = bed().await;
    let card = bed.ask_in(ADMIN, GROUP, "/projects alice", true).await.message_id;
    bed.submit(ADMIN, &card, "project.add", json!({"project": ["team-a"]})).await;
    let remove = bed.feishu.find_button(&card, |v| v["action"] == "project.remove").unwrap();
    let (one, two) = futures::future::join(
        bed.feishu.click_raw(ADMIN, &card, remove.clone()),
        bed.feishu.click_raw(ADMIN_2, &card, remove),
    )
    .await;
    for result in [one, two] {
        let removed = text("toast.project_removed", &[("project", &"甲组")]);
        assert_eq!(toast_of(&answered(result)), format!("success: {removed}"));
    }

    let card = bed.ask(ADMIN, "/disable alice").await.message_id;
    let cut = bed.feishu.find_button(&card, |v| v["action"] == "user.disable").unwrap();
    let presses = [ADMIN, ADMIN_2, ADMIN, ADMIN_2];
    let presses = presses.map(|person| bed.feishu.click_raw(person, &card, cut.clone()));
    for result in futures::future::join_all(presses).await {
        assert!(
            toast_of(&answered(result))
                .contains(&text("toast.access_cutting", &[("user", &"alice")]))
        );
    }
    bed.settled().await;
    assert_eq!(bed.alert_records().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_press_refused_for_its_role_does_not_use_up_its_op() {
    let bed = bed().await;
    let card = bed.ask(ADMIN, "/quota alice").await.message_id;
    let fields = json!({"amount": "100"}).as_object().unwrap().clone();
    let press = bed.feishu.fill_form(&card, |v| v["action"] == "quota.allocate", fields).unwrap();
    for person in [VIEWER, STRANGER] {
        let denied = answered(bed.feishu.click_raw(person, &card, press.clone()).await);
        assert_eq!(toast_of(&denied), format!("error: {}", phrase("refusal.not_allowed")));
        assert!(!denied.card_updated);
    }
    assert_eq!(bed.quota("main/alice"), "¥0.00");
    let done = answered(bed.feishu.click_raw(ADMIN, &card, press).await);
    assert!(toast_of(&done).starts_with("success"), "{done:?}");
    assert_eq!(bed.quota("main/alice"), "¥100.00");
}
