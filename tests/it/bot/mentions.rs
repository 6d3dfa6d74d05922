//! Whom the bot answers in groups: those who mention it, and no other bot.

use airgate::sandbox::feishu::{Fault as ChatFault, FaultRule as ChatRule, State};
use serde_json::{Value, json};

use super::bed;
use crate::bed::{ADMIN, GROUP, VIEWER, eventually_some, phrase, text_of};

#[tokio::test(flavor = "multi_thread")]
async fn in_a_group_only_a_mention_of_the_bot_counts() {
    let bed = bed().await;
    bed.introduced().await;
    let before = bed.sent_count();
    let unmentioned = bed.feishu.say(ADMIN, GROUP, "/users", false).await;
    assert_eq!(unmentioned.status, Some(200));
    let mention = |key: &str, open_id: Value, kind: &str| {
        json!([{"key": key, "id": {"open_id": open_id, "union_id": "on_1", "user_id": ""},
            "mentioned_type": kind, "name": "某某", "tenant_key": "t"}])
    };
    for (said, mentions) in [
        ("@_user_1 /users", mention("@_user_1", json!("ou_other_bot"), "bot")),
        ("@_user_1 /users", mention("@_user_1", json!(VIEWER), "user")),
        ("@_all /users", mention("@_all", json!(""), "")),
        ("@_all /users", json!([])),
    ] {
        let mut event = bed.unsent(ADMIN, GROUP, "/users").await;
        let message = &mut event.envelope["event"]["message"];
        message["content"] = json!(json!({"text": said}).to_string());
        message["mentions"] = mentions;
        assert_eq!(bed.feishu.redeliver(&event).await.status, Some(200), "{said}");
    }
    // The next message in the same chat is answered, and nothing else was.
    let reply = bed.ask_in(ADMIN, GROUP, "/user bob", true).await;
    assert!(text_of(&reply).contains("鲍勃"));
    assert_eq!(reply.chat_id, GROUP);
    bed.settled().await;
    assert_eq!(bed.sent_count(), before + 1);
    let only_mentioned = bed.ask_in(ADMIN, GROUP, "", true).await;
    assert!(text_of(&only_mentioned).contains(&phrase("help.title")));
    // The mention may stand anywhere.
    let mut event = bed.unsent(ADMIN, GROUP, "x").await;
    let message = &mut event.envelope["event"]["message"];
    message["content"] = json!(json!({"text": "/user @_user_2 carol"}).to_string());
    let me = bed.feishu.bot_open_id().to_owned();
    message["mentions"] = mention("@_user_2", json!(me), "bot");
    assert_eq!(bed.feishu.redeliver(&event).await.status, Some(200));
    assert!(text_of(&bed.reply_to(&event).await.unwrap()).contains("卡萝"));
}

#[tokio::test(flavor = "multi_thread")]
async fn other_bots_are_not_answered() {
    let bed = bed().await;
    let before = bed.sent_count();
    let mut event = bed.unsent(ADMIN, &bed.feishu.direct_chat(ADMIN), "/help").await;
    event.envelope["event"]["sender"]["sender_type"] = json!("app");
    assert_eq!(bed.feishu.redeliver(&event).await.status, Some(200));
    bed.ask(ADMIN, "/help").await;
    bed.settled().await;
    assert_eq!(bed.sent_count(), before + 1);
}

/// Right after the first start, and if the platform does not say whether a mention is a bot.
#[tokio::test(flavor = "multi_thread")]
async fn a_mention_counts_even_before_the_bot_knows_its_own_id() {
    let mut bed = bed().await;
    bed.introduced().await;
    let folder = tempfile::tempdir().unwrap();
    bed.feishu.faults().inject(ChatRule::new(ChatFault::Status(500)).on("bot"));
    bed.store = bed.home.open_store(&folder.path().join("new.redb"));
    bed.restart().await;
    let failed = |state: &State| {
        state.requests().filter(|request| request.endpoint == "bot").nth(1).map(drop)
    };
    eventually_some("a failed lookup", || bed.feishu.read(failed)).await;
    bed.feishu.faults().clear();
    let own_id = bed.feishu.bot_open_id().to_owned();
    for (open_id, is_for_it) in [("ou_other_bot", false), (own_id.as_str(), true)] {
        let mut event = bed.unsent(ADMIN, GROUP, "x").await;
        let message = &mut event.envelope["event"]["message"];
        message["content"] = json!(json!({"text": "@_user_1 /help"}).to_string());
        message["mentions"] = json!([{"key": "@_user_1", "id": {"open_id": open_id}, "name": "N"}]);
        assert_eq!(bed.feishu.redeliver(&event).await.status, Some(200));
        if is_for_it {
            assert!(text_of(&bed.reply_to(&event).await.unwrap()).contains(&phrase("help.title")));
        }
    }
    bed.settled().await;
    let groups = bed.alerts();
    assert_eq!(
        groups.iter().filter(|message| text_of(message).contains(&phrase("help.title"))).count(),
        1
    );
}
