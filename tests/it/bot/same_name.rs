//! A username that exists in several accounts.

use serde_json::{Value, json};

use super::{bed, says};
use crate::bed::{ADMIN, Bed, STRANGER, VIEWER, has, phrase, text, toast_of, user_key};

#[tokio::test(flavor = "multi_thread")]
async fn a_name_in_several_accounts_lists_the_candidates() {
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

/// What a control of this card carries.
fn carried(bed: &Bed, card: &str, wanted: &Value) -> Value {
    bed.values(card).into_iter().find(|value| has(value, wanted)).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn choosing_a_candidate_goes_on_with_the_whole_command() {
    let bed = bed().await;
    // The amount and the note are still there, and a second press does not allocate again.
    let card = bed.ask(ADMIN, "/quota alice 1.5万 补").await.message_id;
    let texts = bed.texts(&card);
    assert!(texts.contains(&text("candidates.allocate", &[("amount", &"¥15,000.00")])), "{texts}");
    assert!(texts.contains("补"), "{texts}");
    let row = json!({"action": "quota.allocate", "user": "lab/alice"});
    let value = carried(&bed, &card, &row);
    bed.press(ADMIN, &card, row).await;
    bed.forged(ADMIN, &card, value, None).await;
    assert_eq!(bed.quota("lab/alice"), "¥15,000.00");
    assert_eq!(bed.quota("main/alice"), "¥0.00");
    let (entries, _) = bed.store.read(|tx| tx.ledger(&user_key("lab/alice"), 10)).unwrap();
    assert_eq!(entries.iter().map(|entry| entry.note.as_str()).collect::<Vec<_>>(), ["补"]);

    // The same after a name that nobody has.
    let card = bed.ask(ADMIN, "/quota alicf -200 收回").await.message_id;
    bed.press(ADMIN, &card, json!({"action": "quota.allocate", "user": "lab/alice"})).await;
    assert_eq!(bed.quota("lab/alice"), "¥14,800.00");

    // A viewer cannot press what an administrator typed.
    let card = bed.ask(ADMIN, "/quota alice 100").await.message_id;
    let value = carried(&bed, &card, &json!({"action": "quota.allocate", "user": "main/alice"}));
    let denied = bed.forged(VIEWER, &card, value, None).await;
    assert!(toast_of(&denied).starts_with("error"), "{denied:?}");
    assert_eq!(bed.quota("main/alice"), "¥0.00");

    let card = bed.ask(ADMIN, "/disable alice").await.message_id;
    bed.press(ADMIN, &card, json!({"action": "access.ask", "user": "lab/alice"})).await;
    let texts = bed.texts(&card);
    assert!(texts.contains(&text("access.disable_ask", &[("user", &"alice")])), "{texts}");
    assert!(texts.contains("实验室"), "{texts}");

    let card = bed.ask(ADMIN, "/billing alice 上个月").await.message_id;
    bed.press(ADMIN, &card, json!({"action": "billing.open", "user": "lab/alice"})).await;
    let texts = bed.texts(&card);
    assert!(texts.contains(&text("billing.total", &[("period", &"2026-10")])), "{texts}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_alone_opens_the_user() {
    let bed = bed().await;
    for name in ["bob", "main/alice", "BOB", "鲍勃"] {
        says(&bed, VIEWER, name, &["云上主体"]).await;
    }
    says(&bed, VIEWER, "爱丽丝（实验）", &["实验室"]).await;
    // Several: the candidates.
    says(&bed, ADMIN, "alice", &["main/alice", "lab/alice"]).await;
    // No name, or a command: the help card. A stranger learns nothing.
    let help = phrase("help.title");
    for (who, name) in [(ADMIN, "nobody-at-all"), (ADMIN, "/bob"), (STRANGER, "bob")] {
        says(&bed, who, name, &[&help]).await;
    }
}
