//! Cards of a user in other chats, and in older messages, after the user has changed.

use airgate::domain::UserStatus;
use serde_json::json;

use super::{bed, op_of};
use crate::bed::{ADMIN, Bed, GROUP, phrase};

/// Shown on user and quota cards once this is allocated.
const THOUSAND: &str = "¥1,000.00";

/// A card that is sent in answer to a command, once nothing is owed.
async fn asked(bed: &Bed, command: &str) -> String {
    let id = bed.ask(ADMIN, command).await.message_id;
    bed.settled().await;
    id
}

async fn allocate_by_command(bed: &Bed, user: &str, amount: &str) {
    asked(bed, &format!("/quota {user} {amount}")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn older_cards_of_the_user_show_an_allocation_and_the_clicked_one_is_not_sent_again() {
    let bed = bed().await;
    let (user, other) = (asked(&bed, "/user alice").await, asked(&bed, "/user bob").await);
    let quota = asked(&bed, "/quota alice").await;
    let (before, untouched) = (bed.requests("patch"), bed.texts(&other));
    let done = bed.submit(ADMIN, &quota, "quota.allocate", json!({"amount": "1000"})).await;
    assert!(done.card_updated);
    bed.shows(&user, THOUSAND).await;
    bed.settled().await;
    assert_eq!(bed.requests("patch"), before + 1);
    assert_eq!(bed.texts(&other), untouched);
    assert!(bed.texts(&quota).contains(THOUSAND));
}

#[tokio::test(flavor = "multi_thread")]
async fn cards_in_a_group_are_brought_up_to_date_too() {
    let bed = bed().await;
    let there = bed.ask_in(ADMIN, GROUP, "/user alice", true).await.message_id;
    bed.settled().await;
    allocate_by_command(&bed, "alice", "1000").await;
    bed.shows(&there, THOUSAND).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_three_cards_of_a_chat_are_brought_up_to_date() {
    let bed = bed().await;
    let mut cards = Vec::new();
    for _ in 0..4 {
        cards.push(asked(&bed, "/user alice").await);
    }
    let group = bed.ask_in(ADMIN, GROUP, "/quota alice", true).await.message_id;
    bed.settled().await;
    // Its reply is one of the last three.
    allocate_by_command(&bed, "alice", "1000").await;
    bed.shows(&cards[3], THOUSAND).await;
    bed.shows(&cards[2], THOUSAND).await;
    bed.shows(&group, THOUSAND).await;
    bed.settled().await;
    assert!(!bed.texts(&cards[1]).contains(THOUSAND));
    assert!(!bed.texts(&cards[0]).contains(THOUSAND));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_shows_another_card_by_now_is_left_alone() {
    let bed = bed().await;
    let card = asked(&bed, "/user alice").await;
    bed.press(ADMIN, &card, json!({"action": "user.configure"})).await;
    let form = bed.texts(&card);
    let before = bed.requests("patch");
    allocate_by_command(&bed, "alice", "1000").await;
    assert_eq!(bed.texts(&card), form, "somebody may be typing");
    assert_eq!(bed.requests("patch"), before);
    // Back on the user's card, it follows again.
    bed.press(ADMIN, &card, json!({"action": "user.open"})).await;
    assert!(bed.texts(&card).contains(THOUSAND));
    allocate_by_command(&bed, "alice", "500").await;
    bed.shows(&card, "¥1,500.00").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_card_that_was_opened_from_a_list_is_brought_up_to_date() {
    let bed = bed().await;
    let list = asked(&bed, "/users").await;
    bed.press(ADMIN, &list, json!({"action": "user.open", "user": "main/alice"})).await;
    allocate_by_command(&bed, "alice", "1000").await;
    bed.shows(&list, THOUSAND).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn access_that_was_cut_shows_on_every_card_of_the_user() {
    let bed = bed().await;
    let user = asked(&bed, "/user alice").await;
    let quota = bed.ask_in(ADMIN, GROUP, "/quota alice", true).await.message_id;
    let ask = asked(&bed, "/disable alice").await;
    bed.press(ADMIN, &ask, json!({"action": "user.disable"})).await;
    bed.eventually("the cut", |bed| bed.user("main/alice").status == UserStatus::Disabled).await;
    bed.settled().await;
    for card in [&user, &quota, &ask] {
        bed.no_longer_shows(card, &phrase("status.cutting")).await;
        bed.shows(card, &phrase("status.disabled")).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_of_the_user_show_on_older_cards() {
    let bed = bed().await;
    let older = asked(&bed, "/user alice").await;
    let card = asked(&bed, "/user alice").await;
    bed.press(ADMIN, &card, json!({"action": "user.configure"})).await;
    let form =
        json!({"thresholds": "", "monitor": true, "auto_disable": true, "remark": "搬到乙组"});
    bed.submit(ADMIN, &card, "user.configure", form).await;
    bed.shows(&older, "搬到乙组").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn cards_that_were_sent_before_a_restart_are_brought_up_to_date() {
    let mut bed = bed().await;
    let card = asked(&bed, "/user alice").await;
    bed.restart().await;
    allocate_by_command(&bed, "alice", "1000").await;
    bed.shows(&card, THOUSAND).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_press_of_an_applied_form_updates_nothing() {
    let bed = bed().await;
    let user = asked(&bed, "/user alice").await;
    let quota = asked(&bed, "/quota alice").await;
    let op = op_of(&bed, &quota, "quota.allocate");
    let value = json!({"action": "quota.allocate", "user": "main/alice", "op": op});
    let form = json!({"amount": "1000"});
    bed.forged(ADMIN, &quota, value.clone(), Some(form.clone())).await;
    bed.shows(&user, THOUSAND).await;
    bed.settled().await;
    let before = bed.requests("patch");
    bed.forged(ADMIN, &quota, value, Some(form)).await;
    bed.settled().await;
    assert_eq!(bed.requests("patch"), before);
    assert_eq!(bed.quota("main/alice"), THOUSAND);
}
