//! The main job, end to end.

use airgate::domain::{AlertKind, UserStatus};
use airgate::sandbox::world;
use rust_decimal::Decimal;
use serde_json::json;

use crate::bed::{ADMIN, Bed, one_account, text_of, user_key};

#[tokio::test(flavor = "multi_thread")]
async fn from_sync_to_disable_and_back() {
    let mut cloud = one_account();
    cloud.account_mut("main").unwrap().add_project("team-a", "甲组");
    cloud.account_mut("main").unwrap().add_user("alice");
    cloud.user_mut("main", "alice").unwrap().add_key(world::KeyStatus::Active);
    let period = "2026-11".parse().unwrap();
    cloud.account_mut("main").unwrap().spend("team-a", Decimal::new(85_123456, 6), period);
    let bed = Bed::start(cloud).await;
    let alice = user_key("main/alice");

    bed.sync().await;
    let projects = bed.ask(ADMIN, "/projects alice").await;
    let added = bed
        .feishu
        .form_click(
            ADMIN,
            &projects.message_id,
            |value| value["action"] == "project.add",
            json!({"project": ["team-a"]}).as_object().unwrap().clone(),
        )
        .await;
    assert_eq!(added.error, None);
    assert!(added.card_updated, "{added:?}");
    let quota = bed.ask(ADMIN, "/quota alice 100 第一笔").await;
    assert!(text_of(&quota).contains("¥100.00"), "{}", text_of(&quota));

    let report = bed.cycle().await;
    assert_eq!((report.warnings, report.disables), (1, 0));
    let warning = bed.alerts().pop().unwrap();
    assert!(text_of(&warning).contains("85.1%"), "{}", text_of(&warning));

    bed.cloud.update(|cloud| {
        cloud.account_mut("main").unwrap().spend("team-a", Decimal::new(2000, 2), period)
    });
    bed.cycle().await;
    let record = bed.store.read(|tx| tx.user(&alice)).unwrap().unwrap();
    assert_eq!(record.status, UserStatus::Disabled);
    assert_eq!(record.consumed.to_string(), "¥105.12");
    assert!(bed.is_cut_off("alice"));
    let (alerts, _) = bed.store.read(|tx| tx.alerts(Some(&alice), None, 0, 10)).unwrap();
    let kinds: Vec<AlertKind> = alerts.iter().map(|alert| alert.body.kind()).collect();
    assert_eq!(kinds, [AlertKind::Disable, AlertKind::Warning]);

    let enable = bed.ask(ADMIN, "/enable alice").await;
    let button =
        bed.feishu.find_button(&enable.message_id, |v| v["action"] == "user.enable").unwrap();
    let clicked = bed.feishu.click(ADMIN, &enable.message_id, button).await;
    assert_eq!(clicked.error, None);
    bed.settled().await;
    assert!(!bed.is_cut_off("alice"));
}
