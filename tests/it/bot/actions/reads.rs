//! Clicks that only open a card.

use airgate::domain::{Dispatch, UpdateTarget};
use airgate::sandbox::feishu::{Fault, FaultRule};
use airgate::store::NewMessage;
use serde_json::json;

use super::{bed, small_cloud};
use crate::bed::{ADMIN, Bed, GROUP, VIEWER, phrase, text_of, toast_of, user_key};

#[tokio::test(flavor = "multi_thread")]
async fn a_click_that_only_reads_writes_nothing() {
    let bed = Bed::with(small_cloud(), &[("MONITOR__ENABLED", "false")]).await;
    bed.sync().await;
    let card = bed.ask(ADMIN, "/user alice").await.message_id;
    // So that the names of people are known, and nothing in the background writes.
    bed.eventually("the administrator's name", |bed| {
        let known = bed.store.read(|tx| tx.known_people()).unwrap();
        known.get(&ADMIN.parse().unwrap()).is_some_and(Option::is_some)
    })
    .await;
    bed.settled().await;
    let before = bed.store.commits();
    for word in [
        "users.list",
        "user.open",
        "quota.open",
        "billing.open",
        "billing.rest",
        "alerts.list",
        "user.configure",
        "config.open",
    ] {
        for user in ["main/alice", "main/nobody"] {
            let value = json!({"action": word, "user": user, "account": "main",
                "period": "2026-11"});
            bed.forged(ADMIN, &card, value, None).await;
        }
    }
    assert_eq!(bed.store.commits(), before);
    // One that changes something does.
    let value = json!({"action": "project.toggle", "user": "main/nobody", "project": "team-a",
        "enabled": true});
    bed.forged(ADMIN, &card, value, None).await;
    assert_eq!(bed.store.commits(), before + 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_click_that_reads_renews_an_older_update_of_its_message_only() {
    let bed = Bed::with(small_cloud(), &[("MONITOR__ENABLED", "false")]).await;
    bed.sync().await;
    let shown = bed.ask(ADMIN, "/user alice").await.message_id;
    let other = bed.ask(ADMIN, "/user bob").await.message_id;
    bed.settled().await;
    bed.feishu.faults().inject(FaultRule::new(Fault::Status(503)).on("patch"));
    let lane = format!("chat:{}", bed.feishu.direct_chat(ADMIN));
    let now = bed.clock.now();
    let target = UpdateTarget::Message { id: shown.parse().unwrap() };
    let dispatch = Dispatch::Update { target, card: "{}".to_owned() };
    let id = bed.store.write(|tx| tx.owe(NewMessage::new(&lane, dispatch, now), now)).unwrap();
    let card =
        || bed.store.read(|tx| tx.owed(&lane, id)).unwrap().unwrap().dispatch.card().to_owned();
    bed.press(ADMIN, &other, json!({"action": "quota.open"})).await;
    assert_eq!(card(), "{}", "a click on another message");
    bed.press(ADMIN, &shown, json!({"action": "quota.open"})).await;
    assert!(card().contains("main/alice"));
    bed.feishu.faults().clear();
}

/// A card in a group is everybody's: who may not change anything does not take the buttons away from who may.
#[tokio::test(flavor = "multi_thread")]
async fn a_viewers_press_in_a_group_leaves_administrators_their_buttons() {
    let bed = bed().await;
    let has =
        |card: &str, action: &str| bed.values(card).iter().any(|value| value["action"] == action);
    let card = bed.ask_in(ADMIN, GROUP, "/user alice", true).await.message_id;
    bed.press(VIEWER, &card, json!({"action": "projects.open"})).await;
    assert!(has(&card, "project.add"), "{}", bed.texts(&card));
    // What a button does is checked by who presses it.
    let fields = json!({"project": ["team-a"]});
    let refused = bed.submit(VIEWER, &card, "project.add", fields.clone()).await;
    assert!(toast_of(&refused).starts_with("error: "), "{refused:?}");
    bed.submit(ADMIN, &card, "project.add", fields).await;
    let links = bed.store.read(|tx| tx.links_of(&user_key("main/alice"))).unwrap();
    assert_eq!(links.len(), 1);
    // In a viewer's own chat there are none.
    let own = bed.ask(VIEWER, "/user alice").await.message_id;
    bed.press(VIEWER, &own, json!({"action": "projects.open"})).await;
    assert!(!has(&own, "project.add"), "{}", bed.texts(&own));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quota_without_a_monitored_project_is_no_green_one() {
    let bed = bed().await;
    bed.allocate("main/alice", "1000");
    let nobody = phrase("condition.no_project");
    for command in ["/user alice", "/users alice", "/quota alice"] {
        let read = text_of(&bed.ask(ADMIN, command).await);
        assert!(read.contains(&nobody), "{command}: {read}");
    }
    bed.link("main/alice", "team-a", "");
    let read = text_of(&bed.ask(ADMIN, "/user alice").await);
    assert!(!read.contains(&nobody), "{read}");
    bed.toggle("main/alice", "team-a", false);
    let read = text_of(&bed.ask(ADMIN, "/user alice").await);
    assert!(read.contains(&nobody), "{read}");
}
