//! The bot's menu, and the welcome to people and groups.

use airgate::sandbox::feishu::Message;
use serde_json::{Value, json};

use super::actions::small_cloud;
use crate::bed::{ADMIN, Bed, GROUP, STRANGER, one_account, phrase, text, text_of};

fn person(id: &str) -> Value {
    json!({"union_id": null, "user_id": null, "open_id": id})
}

async fn menu(bed: &Bed, who: &str, key: &str) -> Vec<Message> {
    let event = json!({"operator": {"operator_name": "", "operator_id": person(who)},
        "event_key": key, "timestamp": 1_700_000_000});
    let sent = bed.feishu.push_event("application.bot.menu_v6", event).await;
    assert_eq!(sent.status, Some(200));
    bed.feishu.redeliver(&sent).await;
    bed.settled().await;
    bed.feishu.messages(&bed.feishu.direct_chat(who))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_menu_item_is_a_command_answered_in_the_direct_chat_once() {
    let bed = Bed::start(one_account()).await;
    let answers = menu(&bed, ADMIN, "monitor").await;
    assert_eq!(answers.len(), 1, "{answers:?}");
    assert!(text_of(&answers[0]).contains(&phrase("monitor.title")));
    // The menu answers in the direct chat, where the accounts card is allowed; its buttons work.
    let answers = menu(&bed, ADMIN, "accounts").await;
    let card = answers.last().unwrap();
    bed.press(ADMIN, &card.message_id, json!({"action": "accounts.open", "account": "main"})).await;
    assert!(bed.texts(&card.message_id).contains(&phrase("accounts.replace")));
    let denied = menu(&bed, STRANGER, "monitor").await;
    assert!(text_of(&denied[0]).contains(STRANGER));
    let unknown = menu(&bed, STRANGER, "no_such_thing").await;
    assert!(text_of(unknown.last().unwrap()).contains("/help"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_who_opens_the_direct_chat_is_welcomed_once() {
    let mut bed = Bed::start(one_account()).await;
    let chat = bed.feishu.direct_chat(STRANGER);
    let event = json!({"chat_id": chat, "operator_id": person(STRANGER)});
    for round in 0..3 {
        if round == 2 {
            bed.restart().await;
        }
        let kind = "im.chat.access_event.bot_p2p_chat_entered_v1";
        assert_eq!(bed.feishu.push_event(kind, event.clone()).await.status, Some(200));
        bed.settled().await;
        let messages = bed.feishu.messages(&chat);
        assert_eq!(messages.len(), 1, "{messages:?}");
        assert!(text_of(&messages[0]).contains(&phrase("welcome.person")));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_is_welcomed_when_it_adds_the_bot() {
    let bed = Bed::start(one_account()).await;
    let added = json!({"chat_id": GROUP, "operator_id": person(ADMIN), "external": false,
        "name": "告警群 <at id=all></at>"});
    for _ in 0..2 {
        bed.feishu.push_event("im.chat.member.bot.added_v1", added.clone()).await;
    }
    bed.settled().await;
    assert_eq!(bed.alerts().len(), 1, "{:?}", bed.alerts());
    assert!(text_of(&bed.alerts()[0]).contains(&phrase("welcome.alert_here")));
    let removed = json!({"chat_id": GROUP, "operator_id": person(ADMIN)});
    let gone = bed.feishu.push_event("im.chat.member.bot.deleted_v1", removed).await;
    bed.feishu.push_event("im.chat.member.bot.added_v1", added.clone()).await;
    bed.settled().await;
    assert_eq!(bed.alerts().len(), 2);
    // A repeated event about the removal does not cause another welcome.
    bed.feishu.redeliver(&gone).await;
    bed.feishu.push_event("im.chat.member.bot.added_v1", added).await;
    bed.settled().await;
    assert_eq!(bed.alerts().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_administrator_is_led_through_the_first_steps() {
    let bed = Bed::with(small_cloud(), &[("MONITOR__ENABLED", "false")]).await;
    let done = |count: usize| text("steps.subtitle", &[("done", &count), ("total", &5)]);
    let event = json!({"chat_id": bed.feishu.direct_chat(ADMIN), "operator_id": person(ADMIN)});
    bed.feishu.push_event("im.chat.access_event.bot_p2p_chat_entered_v1", event).await;
    bed.settled().await;
    let welcome = bed.feishu.messages(&bed.feishu.direct_chat(ADMIN)).pop().unwrap();
    let shown = text_of(&welcome);
    assert!(shown.contains(&phrase("welcome.admin")) && shown.contains(&done(1)), "{shown}");
    bed.press(ADMIN, &welcome.message_id, json!({"action": "sync.run"})).await;
    bed.shows(&welcome.message_id, &phrase("sync.title")).await;
    bed.settled().await;

    // The help card leads back.
    let card = bed.ask(ADMIN, "/help").await.message_id;
    let open = text("steps.open", &[("done", &2), ("total", &5)]);
    assert!(bed.texts(&card).contains(&open), "{}", bed.texts(&card));
    bed.press(ADMIN, &card, json!({"action": "steps.open"})).await;
    assert!(bed.texts(&card).contains(&done(2)), "{}", bed.texts(&card));
    bed.link("main/alice", "team-a", "");
    bed.press(ADMIN, &card, json!({"action": "steps.open"})).await;
    assert!(bed.texts(&card).contains(&done(3)), "{}", bed.texts(&card));
    bed.allocate("main/alice", "1000");
    bed.press(ADMIN, &card, json!({"action": "steps.open"})).await;
    bed.press(ADMIN, &card, json!({"action": "monitor.run"})).await;
    bed.shows(&card, &phrase("cycle.title_ok")).await;
    bed.settled().await;
    let card = bed.ask(ADMIN, "/help").await.message_id;
    let button = phrase("steps.button");
    assert!(bed.texts(&card).contains(&button) && !bed.texts(&card).contains("/5"));
    bed.press(ADMIN, &card, json!({"action": "steps.open"})).await;
    assert!(bed.texts(&card).contains(&done(5)), "{}", bed.texts(&card));
}
