//! A username that several accounts have.

use serde_json::json;

use super::{bed, says};
use crate::bed::{ADMIN, toast_of};

#[tokio::test(flavor = "multi_thread")]
async fn a_name_of_several_accounts_lists_the_candidates() {
    let bed = bed().await;
    for command in [
        "/user alice",
        "/projects alice",
        "/quota alice",
        "/quota alice 100",
        "/billing alice",
        "/alerts alice",
        "/disable alice",
        "/enable ALICE",
    ] {
        says(&bed, ADMIN, command, &["main/alice", "lab/alice", "爱丽丝（实验）"]).await;
    }
    for key in ["main/alice", "lab/alice"] {
        assert_eq!(bed.quota(key), "¥0.00");
    }
    says(&bed, ADMIN, "/quota lab/alice 100", &["¥100.00"]).await;
    assert_eq!(bed.quota("lab/alice"), "¥100.00");
    assert_eq!(bed.quota("main/alice"), "¥0.00");
    says(&bed, ADMIN, "/user lab/alice", &["实验室"]).await;
    // A card's value with the bare name is refused as well.
    let card = bed.ask(ADMIN, "/users").await.message_id;
    let bare = |name: &str| json!({"action": "user.open", "user": name});
    let open = bed.forged(ADMIN, &card, bare("alice"), None).await;
    assert!(toast_of(&open).starts_with("error") && toast_of(&open).contains("main/alice"));
    let open = bed.forged(ADMIN, &card, bare("nobody"), None).await;
    assert!(toast_of(&open).contains("nobody"), "{open:?}");
    bed.forged(ADMIN, &card, bare("dave"), None).await;
    assert!(bed.texts(&card).contains("实验室"), "{}", bed.texts(&card));
    // A candidate opens with one click.
    let card = bed.ask(ADMIN, "/user alice").await;
    bed.press(ADMIN, &card.message_id, json!({"action": "user.open", "user": "main/alice"})).await;
    assert!(bed.texts(&card.message_id).contains("云上主体"));
    // A list that shows both tells them apart.
    says(&bed, ADMIN, "/users 爱丽丝", &["main/alice", "lab/alice"]).await;
}
