//! What people write reaches the service as the platform sends it.

use super::*;

#[tokio::test]
async fn a_group_message_with_a_mention_arrives_encrypted_and_signed() {
    let platform = platform().await;
    let bot = Bot::start(&platform.feishu).await;
    let sent = platform.feishu.say(ALICE, GROUP, "/users", true).await;
    assert_eq!(sent.status, Some(200));
    let (path, envelope) = bot.last();
    assert_eq!(path, "/feishu/event");
    assert_eq!(envelope, sent.envelope);
    let header = &envelope["header"];
    assert_eq!(header["token"], TOKEN);
    assert_eq!(header["app_id"], "cli_app");
    assert_eq!(header["create_time"].as_str().unwrap().len(), 13);
    let message = &envelope["event"]["message"];
    assert_eq!(message["chat_type"], "group");
    assert_eq!(message["content"], r#"{"text":"@_user_1 /users"}"#);
    let mention = &message["mentions"][0];
    assert_eq!(mention["id"]["open_id"], platform.feishu.bot_open_id());
    let kept = platform.feishu.messages(GROUP);
    assert_eq!(kept[0].message_id, message["message_id"].as_str().unwrap());
    assert_eq!(kept[0].sender, Sender::Person(ALICE.to_owned()));
    assert_eq!(kept[0].json()["text"], "@airgate /users");
}

#[tokio::test]
async fn a_direct_message_mentions_nobody() {
    let platform = platform().await;
    let bot = Bot::start(&platform.feishu).await;
    let chat = platform.feishu.direct_chat(ALICE);
    platform.feishu.say(ALICE, &chat, "me", false).await;
    let (_, envelope) = bot.last();
    let message = &envelope["event"]["message"];
    assert_eq!(message["chat_type"], "p2p");
    assert_eq!(message["content"], r#"{"text":"me"}"#);
    assert_eq!(message.get("mentions"), None);
    assert_eq!(envelope["event"]["sender"]["sender_id"]["open_id"], ALICE);
}

#[tokio::test]
async fn a_redelivered_event_is_the_same_but_sealed_again() {
    let platform = platform().await;
    let bot = Bot::start(&platform.feishu).await;
    bot.answer(500, &json!({}));
    let sent = platform.feishu.say(ALICE, GROUP, "x", false).await;
    assert_eq!(sent.status, Some(500));
    assert_eq!(platform.feishu.redeliver_pending().await, 0);
    bot.answer(200, &json!({}));
    assert_eq!(platform.feishu.redeliver_pending().await, 1);
    assert_eq!(platform.feishu.redeliver_pending().await, 0);
    assert_eq!(platform.feishu.redeliver(&sent).await.status, Some(200));
    let seen = bot.0.seen.lock().clone();
    assert_eq!(seen.len(), 4);
    assert!(seen.iter().all(|(_, envelope)| *envelope == sent.envelope));
    let mut bodies = bot.0.bodies.lock().clone();
    bodies.sort();
    bodies.dedup();
    assert_eq!(bodies.len(), 4);
}

#[tokio::test]
async fn the_address_check_expects_its_challenge() {
    let platform = platform().await;
    let bot = Bot::start(&platform.feishu).await;
    bot.react(Box::new(|_, envelope| {
        Box::pin(async move {
            assert_eq!(envelope["type"], "url_verification");
            (200, json!({"challenge": envelope["challenge"]}).to_string())
        })
    }));
    assert_eq!(platform.feishu.verify_address("/feishu/event").await, Ok(()));
    bot.answer(200, &json!({}));
    assert!(platform.feishu.verify_address("/feishu/event").await.is_err());
}

#[tokio::test]
async fn without_a_service_events_are_kept() {
    let platform = platform().await;
    assert_eq!(platform.feishu.say(ALICE, GROUP, "x", false).await.status, None);
    let _bot = Bot::start(&platform.feishu).await;
    assert_eq!(platform.feishu.redeliver_pending().await, 1);
}
