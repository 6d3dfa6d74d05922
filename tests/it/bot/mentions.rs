//! Who gets an answer in groups: people who mention the bot, and no other bot.

use airgate::sandbox::feishu::{Fault as ChatFault, FaultRule as ChatRule, SentEvent, State};
use serde_json::{Value, json};

use super::{bed, two_accounts};
use crate::bed::{
    ADMIN, Bed, GROUP, STRANGER, VIEWER, eventually_some, fragment, phrase, text_of, user_key,
};

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
    // The mention may be anywhere.
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

/// Right after the first start, even if the platform does not say whether the mention is a bot.
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

/// The mentions of an event: placeholder, open_id, and the name that the person chose.
fn mentions(people: &[(&str, &str, &str)]) -> Value {
    let all: Vec<Value> = people
        .iter()
        .map(|(key, open_id, name)| json!({"key": key, "id": {"open_id": open_id}, "name": name}))
        .collect();
    all.into()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mention_means_the_user_owned_by_that_person_whatever_the_name() {
    let bed = bed().await;
    let me = bed.feishu.bot_open_id().to_owned();
    let quota_of = |bed: &Bed, user: &str| bed.user(user).quota.to_string();
    bed.change("main/carol", |user| user.owner = VIEWER.parse().ok());
    let direct = bed.feishu.direct_chat(ADMIN);
    for (chat, total) in [(GROUP, "¥100.00"), (direct.as_str(), "¥200.00")] {
        let people = mentions(&[("@_user_1", &me, "airgate"), ("@_user_2", VIEWER, "bob 999999")]);
        let content = json!({"text": "@_user_1 /quota @_user_2 100 给 @_user_2"});
        let sent = bed.feishu.say_raw(ADMIN, chat, "text", &content, people).await;
        bed.reply_to(&sent).await.unwrap();
        assert_eq!(quota_of(&bed, "main/carol"), total);
        assert_eq!(quota_of(&bed, "main/bob"), "¥0.00");
    }
    let note = bed.store.read(|tx| tx.ledger(&user_key("main/carol"), 1)).unwrap().0;
    assert_eq!(note[0].note, "给");

    // Nobody's owner, and the owner of two.
    let asked = async |person: &str| {
        let content = json!({"text": "/quota @_user_1 100"});
        let people = mentions(&[("@_user_1", person, "bob 999999")]);
        let sent = bed.feishu.say_raw(ADMIN, &direct, "text", &content, people).await;
        text_of(&bed.reply_to(&sent).await.unwrap())
    };
    let refused = asked(STRANGER).await;
    assert!(refused.contains(&fragment("refusal.owns_nobody")), "{refused}");
    bed.change("main/bob", |user| user.owner = VIEWER.parse().ok());
    let several = asked(VIEWER).await;
    assert!(several.contains("main/bob") && several.contains("main/carol"), "{several}");
    assert_eq!(quota_of(&bed, "main/carol"), "¥200.00");
    assert_eq!(quota_of(&bed, "main/bob"), "¥0.00");
}

/// A post may carry its mentions in the content alone, may be wrapped in its language, and clients link addresses.
#[tokio::test(flavor = "multi_thread")]
async fn a_message_is_read_in_every_shape_it_comes_in() {
    let mut cloud = two_accounts();
    cloud.account_mut("main").unwrap().add_user("bob@corp.example").display_name = "鲍".to_owned();
    let bed = Bed::start(cloud).await;
    bed.sync().await;
    let me = bed.feishu.bot_open_id().to_owned();
    let at = json!({"tag": "at", "user_id": me, "user_name": "airgate"});
    let line = json!([[at, {"tag": "text", "text": " /user carol"}]]);
    let linked = json!({"text": "/user main/[bob@corp.example](mailto:bob@corp.example)"});
    let everybody = json!({"text": "@_all @_user_1 /user carol"});
    let mine = mentions(&[("@_user_1", &me, "airgate")]);
    let direct = bed.feishu.direct_chat(ADMIN);
    for (chat, kind, content, mentions, wanted) in [
        (GROUP, "post", json!({"title": "", "content": line}), json!([]), "卡萝"),
        (GROUP, "post", json!({"zh_cn": {"title": "", "content": line}}), json!(null), "卡萝"),
        (GROUP, "text", everybody, mine, "卡萝"),
        (direct.as_str(), "text", linked, json!([]), "bob@corp.example"),
        (
            direct.as_str(),
            "text",
            json!({"text": "\u{feff}/user carol\u{200b}"}),
            json!([]),
            "卡萝",
        ),
    ] {
        let sent = bed.feishu.say_raw(ADMIN, chat, kind, &content, mentions).await;
        let reply = text_of(&bed.reply_to(&sent).await.unwrap());
        assert!(reply.contains(wanted), "{content}: {reply}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_cannot_be_judged_yet_is_not_acknowledged() {
    let mut bed = bed().await;
    let folder = tempfile::tempdir().unwrap();
    bed.feishu.faults().inject(ChatRule::new(ChatFault::Status(500)).on("bot"));
    bed.store = bed.home.open_store(&folder.path().join("new.redb"));
    bed.restart().await;
    let own_id = bed.feishu.bot_open_id().to_owned();
    let content = json!({"text": "@_user_1 /help"});
    let say = async |open_id: &str| {
        let people = mentions(&[("@_user_1", open_id, "N")]);
        bed.feishu.say_raw(ADMIN, GROUP, "text", &content, people).await
    };
    let (mine, other) = (say(&own_id).await, say("ou_other_bot").await);
    assert_eq!((mine.status, other.status), (Some(500), Some(500)));
    // Nobody is mentioned, so nothing depends on the id.
    assert_eq!(bed.feishu.say(ADMIN, GROUP, "/help", false).await.status, Some(200));

    bed.feishu.faults().clear();
    bed.introduced().await;
    for event in [&other, &mine] {
        assert_eq!(bed.feishu.redeliver(event).await.status, Some(200));
    }
    assert!(text_of(&bed.reply_to(&mine).await.unwrap()).contains(&phrase("help.title")));
    bed.settled().await;
    let replied = |event: &SentEvent| {
        let id = event.message_id.clone();
        bed.feishu.read(|state| state.all_messages().iter().any(|m| m.reply_to == id))
    };
    assert!(!replied(&other));
}
