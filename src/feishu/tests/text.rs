//! How the bot reads the text of a message.

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::feishu::message::MessageReceived;
use crate::feishu::{Piece, TextForBot};

const BOT: &str = "ou_bot";

fn message(message_type: &str, content: &Value, mentions: Value) -> MessageReceived {
    let event = json!({
        "sender": {"sender_id": {"open_id": "ou_a"}},
        "message": {"message_id": "om_1", "chat_id": "oc_1", "chat_type": "group",
                    "message_type": message_type, "content": content.to_string(), "mentions": mentions},
    });
    MessageReceived::parse(&event, Timestamp::UNIX_EPOCH).unwrap()
}

/// The bot is user 1; user 2 is 张三, user 12 is Li; a name may look like a placeholder.
fn mentions() -> Value {
    json!([
        {"key": "@_user_1", "id": {"open_id": BOT}, "name": "运维机器人", "mentioned_type": "bot"},
        {"key": "@_user_2", "id": {"open_id": "ou_2", "user_id": ""}, "name": "张三"},
        {"key": "@_user_12", "id": {"open_id": "ou_12"}, "name": "Li"},
        {"key": "@_user_3", "id": {"open_id": "ou_3"}, "name": "@_user_1", "mentioned_type": "user"},
    ])
}

/// Writes mentions as `<open_id>`, or `<>` where nobody says who.
fn shown(heard: &TextForBot) -> String {
    heard
        .pieces
        .iter()
        .map(|piece| match piece {
            Piece::Words(words) => words.clone(),
            Piece::Mention { open_id } => format!("<{}>", open_id.as_deref().unwrap_or_default()),
        })
        .collect()
}

#[test]
fn the_bots_mention_is_removed_and_others_stay_mentions() {
    for (text, read) in [
        ("@_user_1 /status prod", "/status prod"),
        ("@_user_1/status", "/status"),
        ("  @_user_1   /status  ", "/status"),
        ("/user @_user_2 @_user_1", "/user <ou_2>"),
        ("/quota @_user_2 100", "/quota <ou_2> 100"),
        ("/user main/@_user_2", "/user main/<ou_2>"),
        ("/user@_user_1 x", "/user x"),
        ("a@_user_1b", "a b"),
        ("@_user_1 @_user_1 hi", "hi"),
        ("@_user_1", ""),
        ("@_user_12 and @_user_2", "<ou_12> and <ou_2>"),
        ("@_user_2 @_user_12", "<ou_2><ou_12>"),
        // Not a mention, though it starts like one.
        ("@_user_123 @_user_13", "@_user_123 @_user_13"),
        ("@_user_3 x", "<ou_3> x"),
        ("mail a@b.cn @ @@_user_2", "mail a@b.cn @ @<ou_2>"),
        ("@_user_1 第一行\n第二行\t\"引号\" 🔥", "第一行\n第二行\t\"引号\" 🔥"),
        ("@", "@"),
        ("", ""),
        // Everybody.
        ("@_all hello", "hello"),
        ("@_all @_user_1 /help", "/help"),
        ("@_user_1 @_all /help", "/help"),
        ("/user @_all", "/user <>"),
        ("@_allan @_all_ @_all2", "@_allan @_all_ @_all2"),
    ] {
        let heard =
            message("text", &json!({ "text": text }), mentions()).text_for_bot(Some(BOT)).unwrap();
        assert_eq!(shown(&heard), read, "{text:?}");
        assert!(heard.mentioned, "{text:?}");
    }
}

#[test]
fn digits_typed_right_after_a_mention_are_words_of_their_own() {
    let mention = |number: u32| json!({"key": format!("@_user_{number}"), "id": {"open_id": format!("ou_{number}")}});
    for (mentions, text, read) in [
        (vec![mention(1)], "/quota @_user_1500 x", "/quota <ou_1>500 x"),
        (vec![mention(1), mention(2)], "@_user_1 /user @_user_25", "<ou_1> /user <ou_2>5"),
        // Nobody can tell whether 12 is a mention or 1 and a typed 2.
        ((1..=12).map(mention).collect(), "/user @_user_12", "/user <ou_12>"),
        ((1..=11).map(mention).collect(), "/user @_user_12", "/user @_user_12"),
    ] {
        let heard =
            message("text", &json!({ "text": text }), json!(mentions)).text_for_bot(None).unwrap();
        assert_eq!(shown(&heard), read, "{text:?}");
    }
}

#[test]
fn the_name_of_a_mentioned_person_is_nowhere_in_the_text() {
    let mention = json!([{"key": "@_user_2", "id": {"open_id": "ou_2"}, "name": "alice 999999"}]);
    let at = json!({"tag": "at", "user_id": "@_user_2", "user_name": "alice 999999"});
    let stranger = json!({"tag": "at", "user_id": "@_user_9", "user_name": "alice 999999"});
    let words = |text: &str| json!({"tag": "text", "text": text});
    for (kind, content) in [
        ("text", json!({"text": "/quota @_user_2 100"})),
        ("post", json!({"content": [[words("/quota "), at, words(" 100")]]})),
        ("post", json!({"content": [[words("/quota "), stranger, words(" 100")]]})),
        ("post", json!({"content": [[words("/quota @_user_2 100")]]})),
    ] {
        let heard = message(kind, &content, mention.clone()).text_for_bot(Some(BOT)).unwrap();
        assert!(!format!("{heard:?}").contains("alice"), "{content}: {heard:?}");
        assert_eq!(heard.pieces.len(), 3, "{content}: {heard:?}");
        assert_eq!(heard.words().split_whitespace().collect::<Vec<_>>(), ["/quota", "100"]);
    }
}

#[test]
fn links_that_a_client_made_are_read_as_typed() {
    for (text, read) in [
        ("/user main/[bob@corp.example](mailto:bob@corp.example)", "/user main/bob@corp.example"),
        ("[corp.example](http://corp.example/) x", "corp.example x"),
        ("see [https://x.cn/a_(b)](https://x.cn/a_(b)).", "see https://x.cn/a_(b)."),
        ("[https://x.cn/?q=@_user_9](https://x.cn/?q=@_user_9)", "https://x.cn/?q=@_user_9"),
        ("[13800000000](tel:13800000000)", "13800000000"),
        ("[a.cn](http://a.cn) [b.cn](http://b.cn)", "a.cn b.cn"),
        // A label may be somebody else's words.
        ("/quota [alice 999999](https://docs.cn/1)", "/quota https://docs.cn/1"),
        ("/quota [x] alice 9 [y](https://docs.cn/1) z", "/quota https://docs.cn/1 z"),
        ("/quota [a](http://a.cn) bob 9](https://docs.cn/1) z", "/quota https://docs.cn/1 z"),
        ("/quota [a.cn](http://a.cn) bob 9](https://docs.cn/1)", "/quota https://docs.cn/1"),
        // Not links.
        ("[urgent] (see above) [1](2) [x](y z)", "[urgent] (see above) [1](2) [x](y z)"),
        ("[", "["),
        ("[a](http://a.cn", "[a](http://a.cn"),
    ] {
        let heard =
            message("text", &json!({ "text": text }), mentions()).text_for_bot(Some(BOT)).unwrap();
        assert_eq!(shown(&heard), read, "{text:?}");
    }
}

#[test]
fn the_open_id_decides_whether_the_bot_is_mentioned() {
    let hello = json!({"text": "@_user_1 hi"});
    let mention = |id: &str, kind: Option<&str>| json!([{"key": "@_user_1", "id": {"open_id": id}, "name": "N", "mentioned_type": kind}]);
    for (mentions, me, mentioned, text) in [
        (mention(BOT, Some("bot")), Some(BOT), true, "hi"),
        (mention(BOT, None), Some(BOT), true, "hi"),
        (mention("ou_other", Some("bot")), Some(BOT), false, "<ou_other> hi"),
        (mention("", Some("bot")), Some(BOT), false, "<> hi"),
        (json!([]), Some(BOT), false, "@_user_1 hi"),
        (json!(null), Some(BOT), false, "@_user_1 hi"),
        // Before the bot knows its own id.
        (mention(BOT, Some("bot")), None, true, "hi"),
        (mention(BOT, None), None, false, "<ou_bot> hi"),
        (mention("ou_2", Some("user")), None, false, "<ou_2> hi"),
    ] {
        let heard = message("text", &hello, mentions.clone()).text_for_bot(me).unwrap();
        assert_eq!((heard.mentioned, shown(&heard).as_str()), (mentioned, text), "{mentions}");
    }
}

#[test]
fn posts_are_read_line_by_line() {
    let text = |text: &str| json!({"tag": "text", "text": text, "style": ["bold"]});
    let at = |id: &str, name: &str| json!({"tag": "at", "user_id": id, "user_name": name});
    let link = |text: &str, href: &str| json!({"tag": "a", "text": text, "href": href});
    for (content, read) in [
        (
            json!({"title": "", "content": [[at("@_user_1", "运维机器人"), text(" /quota "), at("@_user_2", "张三"), text(" 100")]]}),
            "/quota <ou_2> 100",
        ),
        (
            json!({"title": "标题", "content": [[text("一")], [], [text("二"), json!({"tag": "img", "image_key": "i"})]]}),
            "标题\n一\n二",
        ),
        (json!({"content": [[at("@_user_1", ""), text("2 x")]]}), "2 x"),
        (json!({"content": [[at("@_user_2", ""), text(""), text("1")]]}), "<ou_2>1"),
        (json!({"content": [[at("ou_2", "whoever"), text("!")]]}), "<ou_2>!"),
        (json!({"content": [[at("ou_unknown", "Wang"), text("!")]]}), "<ou_unknown>!"),
        (json!({"content": [[at("@_user_9", "Wang"), text("!")]]}), "<>!"),
        (json!({"content": [[at("all", "所有人"), at("@_all", ""), text("/help")]]}), "/help"),
        (
            json!({"content": [[link("x.cn", "https://x.cn"), text("!")], "odd", [5, null]]}),
            "x.cn!",
        ),
        (
            json!({"content": [[text("/user main/"), link("bob@x.cn", "mailto:bob@x.cn")]]}),
            "/user main/bob@x.cn",
        ),
        (
            json!({"content": [[text("/quota "), link("alice 9", "https://x.cn")]]}),
            "/quota https://x.cn",
        ),
        (json!({"content": [[text("a"), json!({"tag": "card_title", "text": "alice 9"})]]}), "a"),
        // Wrapped in the language, as posts are sent.
        (
            json!({"zh_cn": {"title": "", "content": [[at("@_user_1", ""), text("/help")]]}}),
            "/help",
        ),
    ] {
        let heard = message("post", &content, mentions()).text_for_bot(Some(BOT)).unwrap();
        assert_eq!(shown(&heard), read, "{content}");
    }
}

#[test]
fn a_post_may_name_the_bot_in_its_content_only() {
    let words = json!({"tag": "text", "text": " /help"});
    for (at, mentioned) in [(BOT, true), ("ou_2", false), ("@_user_1", false), ("@_all", false)] {
        let at = json!({"tag": "at", "user_id": at, "user_name": "运维机器人"});
        let content = json!({"content": [[at, words]]});
        for mentions in [json!([]), json!(null)] {
            let heard = message("post", &content, mentions).text_for_bot(Some(BOT)).unwrap();
            assert_eq!(heard.mentioned, mentioned, "{content}");
        }
    }
}

#[test]
fn other_kinds_of_message_have_no_text() {
    for (message_type, content) in [
        ("image", json!({"image_key": "img_1"})),
        ("file", json!({"file_key": "f", "file_name": "a.txt"})),
        ("text", json!({})),
        ("text", json!({"text": 5})),
        ("text", json!("text")),
        ("post", json!({"content": [[{"tag": "img", "image_key": "i"}]]})),
        ("post", json!({"title": "x"})),
        ("interactive", json!({"text": "x"})),
    ] {
        let read = message(message_type, &content, json!([]));
        assert_eq!(read.text_for_bot(Some(BOT)), None, "{message_type} {content}");
    }
}

#[test]
fn a_recalled_message_has_no_text() {
    let event = json!({
        "sender": {"sender_id": {"open_id": "ou_a"}},
        "message": {"message_id": "om_1", "chat_id": "oc_1", "message_type": "text", "content": ""},
    });
    let read = MessageReceived::parse(&event, Timestamp::UNIX_EPOCH).unwrap();
    assert_eq!(read.text_for_bot(Some(BOT)), None);
}
