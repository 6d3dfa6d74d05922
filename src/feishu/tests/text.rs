//! How the bot reads the text of a message.

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::feishu::message::MessageReceived;

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

#[test]
fn the_bots_mention_is_removed_and_others_become_names() {
    for (text, read) in [
        ("@_user_1 /status prod", "/status prod"),
        ("@_user_1/status", "/status"),
        ("  @_user_1   /status  ", "/status"),
        ("/user @_user_2 @_user_1", "/user 张三"),
        ("/user@_user_1 x", "/user x"),
        ("a@_user_1b", "a b"),
        ("@_user_1 @_user_1 hi", "hi"),
        ("@_user_1", ""),
        ("@_user_12 and @_user_2", "Li and 张三"),
        // Not a mention, though it starts like one.
        ("@_user_123 @_user_13", "@_user_123 @_user_13"),
        // Names are not scanned for placeholders.
        ("@_user_3 x", "@_user_1 x"),
        ("mail a@b.cn @ @@_user_2", "mail a@b.cn @ @张三"),
        ("@_all hello", "@_all hello"),
        ("see [a](https://x.cn/?q=@_user_9)", "see [a](https://x.cn/?q=@_user_9)"),
        ("@_user_1 第一行\n第二行\t\"引号\" 🔥", "第一行\n第二行\t\"引号\" 🔥"),
        ("@", "@"),
        ("", ""),
    ] {
        let heard =
            message("text", &json!({ "text": text }), mentions()).text_for_bot(Some(BOT)).unwrap();
        assert_eq!(heard.text, read, "{text:?}");
        assert!(heard.mentioned, "{text:?}");
    }
}

#[test]
fn the_open_id_decides_whether_the_bot_is_mentioned() {
    let hello = json!({"text": "@_user_1 hi"});
    let mention = |id: &str, kind: Option<&str>| json!([{"key": "@_user_1", "id": {"open_id": id}, "name": "N", "mentioned_type": kind}]);
    for (mentions, me, mentioned, text) in [
        (mention(BOT, Some("bot")), Some(BOT), true, "hi"),
        (mention(BOT, None), Some(BOT), true, "hi"),
        (mention("ou_other", Some("bot")), Some(BOT), false, "N hi"),
        (mention("", Some("bot")), Some(BOT), false, "N hi"),
        (json!([]), Some(BOT), false, "@_user_1 hi"),
        (json!(null), Some(BOT), false, "@_user_1 hi"),
        // Before the bot knows its own id.
        (mention(BOT, Some("bot")), None, true, "hi"),
        (mention(BOT, None), None, false, "N hi"),
        (mention("ou_2", Some("user")), None, false, "N hi"),
    ] {
        let heard = message("text", &hello, mentions.clone()).text_for_bot(me).unwrap();
        assert_eq!((heard.mentioned, heard.text.as_str()), (mentioned, text), "{mentions}");
    }
}

#[test]
fn posts_are_read_line_by_line() {
    let text = |text: &str| json!({"tag": "text", "text": text, "style": ["bold"]});
    let at = |id: &str, name: &str| json!({"tag": "at", "user_id": id, "user_name": name});
    for (content, read) in [
        (
            json!({"title": "", "content": [[at("@_user_1", "运维机器人"), text(" /quota "), at("@_user_2", "张三"), text(" 100")]]}),
            "/quota 张三 100",
        ),
        (
            json!({"title": "标题", "content": [[text("一")], [], [text("二"), json!({"tag": "img", "image_key": "i"})]]}),
            "标题\n一\n二",
        ),
        // Joined, these would be the placeholder of user 12.
        (json!({"content": [[at("@_user_1", ""), text("2 x")]]}), "2 x"),
        (json!({"content": [[at("@_user_2", ""), text(""), text("1")]]}), "张三 1"),
        (json!({"content": [[at("ou_2", "whoever"), text("!")]]}), "张三!"),
        (json!({"content": [[at("ou_unknown", "Wang"), text("!")]]}), "Wang!"),
        (
            json!({"content": [[json!({"tag": "a", "text": "link", "href": "https://x.cn"})], "odd", [5, null]]}),
            "link",
        ),
    ] {
        let heard = message("post", &content, mentions()).text_for_bot(Some(BOT)).unwrap();
        assert_eq!(heard.text, read, "{content}");
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
        assert_eq!(read.text, None, "{message_type} {content}");
        assert_eq!(read.text_for_bot(Some(BOT)), None);
    }
}

#[test]
fn a_recalled_message_has_no_text() {
    let event = json!({
        "sender": {"sender_id": {"open_id": "ou_a"}},
        "message": {"message_id": "om_1", "chat_id": "oc_1", "message_type": "text", "content": ""},
    });
    let read = MessageReceived::parse(&event, Timestamp::UNIX_EPOCH).unwrap();
    assert_eq!(read.text, None);
}
