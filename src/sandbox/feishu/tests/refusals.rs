//! Every refusal: a table of requests and the expected codes.

use jiff::SignedDuration;

use super::*;

const SEND: &str = "/im/v1/messages?receive_id_type=chat_id";

fn text_to(receiver: &str) -> Value {
    json!({"receive_id": receiver, "msg_type": "text", "content": r#"{"text":"hi"}"#})
}

fn content(kind: &str, content: &str) -> Value {
    json!({"receive_id": GROUP, "msg_type": kind, "content": content})
}

#[tokio::test]
async fn invalid_requests_are_refused_with_their_code() {
    let platform = platform().await;
    platform.feishu.add_group("oc_left", "Left");
    platform.feishu.set_bot_in_chat("oc_left", false);
    platform.feishu.add_group("oc_gone", "Gone");
    platform.feishu.dissolve("oc_gone");
    let by_open_id = "/im/v1/messages?receive_id_type=open_id";
    let with = |name: &str, value: Value| {
        let mut body = text_to(GROUP);
        body[name] = value;
        body
    };
    let bad_card = card(json!([{"tag": "note"}])).to_string();
    let stranger = card(json!([{"tag": "markdown", "content": "<at id=ou_nobody></at>"}]));
    let large = format!(r#"{{"text":"{}"}}"#, "x".repeat(150 * 1024));
    let cases: Vec<(&str, Value, i64)> = vec![
        ("/im/v1/messages", text_to(GROUP), 99_992_402),
        ("/im/v1/messages?receive_id_type=phone", text_to(GROUP), 99_992_402),
        ("/im/v1/messages?receive_id_type=chat_id&x=1", text_to(GROUP), 99_992_402),
        (SEND, json!({}), 99_992_402),
        (SEND, json!([]), 9499),
        (SEND, with("extra", json!(1)), 99_992_402),
        (SEND, with("uuid", json!("x".repeat(51))), 99_992_402),
        (SEND, with("content", json!({"text": "hi"})), 99_992_402),
        (SEND, with("msg_type", json!("card")), 230_001),
        (SEND, content("text", "hi"), 230_001),
        (SEND, content("text", "[]"), 230_001),
        (SEND, content("text", "{}"), 230_001),
        (SEND, content("file", r#"{"file_key":"file_v3_x"}"#), 230_017),
        (SEND, content("text", &large), 230_025),
        (
            SEND,
            content(
                "interactive",
                &card(json!([{"tag": "markdown", "content": "x".repeat(31_000)}])).to_string(),
            ),
            230_025,
        ),
        (SEND, content("interactive", &bad_card), 230_099),
        (SEND, content("interactive", &stranger.to_string()), 230_099),
        (
            SEND,
            content("interactive", r#"{"type":"template","data":{"template_id":"A"}}"#),
            230_099,
        ),
        (SEND, text_to("oc_nowhere"), 230_034),
        (SEND, text_to(ALICE), 230_034),
        (SEND, text_to("oc_left"), 230_002),
        (SEND, text_to("oc_gone"), 232_009),
        (by_open_id, text_to("ou_nobody"), 230_013),
        (by_open_id, text_to(GROUP), 230_034),
        (
            "/im/v1/messages/om_x/reply",
            json!({"msg_type": "text", "content": r#"{"text":"x"}"#}),
            230_001,
        ),
        (
            "/im/v1/messages/x/reply",
            json!({"msg_type": "text", "content": r#"{"text":"x"}"#}),
            99_992_351,
        ),
        ("/contact/v3/users/batch_get_id", json!({"mobiles": vec!["1"; 51]}), 99_992_402),
    ];
    for (path, body, code) in cases {
        let (status, answer) = platform.call("POST", path, Some(body.clone())).await;
        assert_eq!((status, &answer["code"]), (400, &json!(code)), "{body}");
        assert!(answer["error"]["log_id"].is_string());
    }
    assert!(platform.feishu.messages(GROUP).is_empty());
    // The text gives the reason why a card is refused.
    let (_, answer) = platform.call("POST", SEND, Some(content("interactive", &bad_card))).await;
    let msg = answer["msg"].as_str().unwrap();
    assert!(msg.contains("ext=ErrCode: 200621; ErrPath: /body/elements/0"), "{msg}");

    let gets = [
        ("/contact/v3/users/ou_nobody", 400, 41_050),
        ("/contact/v3/users/nobody", 400, 99_992_351),
        ("/im/v1/chats/oc_nowhere", 400, 232_006),
        ("/im/v1/chats/oc_left", 400, 232_011),
        ("/im/v1/chats/oc_gone", 400, 232_009),
        ("/im/v1/chats?page_size=5", 400, 99_992_402),
        ("/im/v1/messages?container_id_type=chat&container_id=oc_left", 400, 230_002),
        (
            "/im/v1/messages?container_id_type=chat&container_id=oc_group&start_time=1700000000000",
            400,
            99_992_402,
        ),
        ("/im/v1/nothing", 404, 99_991_404),
    ];
    for (path, status, code) in gets {
        let (got, answer) = platform.call("GET", path, None).await;
        assert_eq!((got, &answer["code"]), (status, &json!(code)), "{path}");
    }
}

#[tokio::test]
async fn wrong_app_credentials_are_refused() {
    let mut platform = platform().await;
    assert_eq!(platform.ask_token("cli_app", "wrong").await["code"], 10014);
    assert_eq!(platform.ask_token("cli_x", "app-secret").await["code"], 10014);
    for (token, code) in [("", 99_991_661), ("x", 99_991_671), ("t-x", 99_991_663)] {
        platform.token = token.to_owned();
        let (status, answer) = platform.call("GET", "/bot/v3/info", None).await;
        assert_eq!((status, &answer["code"]), (400, &json!(code)), "{token}");
    }
    platform.login().await;
    platform.feishu.revoke_tokens();
    let (_, answer) = platform.call("GET", "/bot/v3/info", None).await;
    assert_eq!(answer["code"], 99_991_663);
}

#[tokio::test]
async fn only_a_recent_shared_card_of_the_app_is_updated() {
    let mut platform = platform().await;
    let good = card(json!([]));
    let text = platform.send("text", json!({"text": "x"})).await;
    assert_eq!(platform.patch(&text, good.clone()).await, (400, 230_001));
    assert_eq!(platform.patch("om_nothing", good.clone()).await, (400, 230_001));
    let said = platform.feishu.say(ALICE, GROUP, "hi", false).await;
    let said = said.message_id.unwrap();
    assert_eq!(platform.patch(&said, good.clone()).await, (400, 230_027));
    let path = format!("/im/v1/messages/{said}");
    let (_, answer) = platform.call("DELETE", &path, None).await;
    assert_eq!(answer["code"], 230_026);
    let silent = json!({"schema": "2.0", "body": {"elements": []}});
    let unshared = platform.send("interactive", silent.clone()).await;
    assert_eq!(platform.patch(&unshared, good.clone()).await, (400, 230_099));
    let id = platform.send("interactive", good.clone()).await;
    assert_eq!(platform.patch(&id, silent).await, (400, 230_099));
    assert_eq!(platform.patch(&id, good.clone()).await, (200, 0));
    platform.clock.advance(SignedDuration::from_hours(14 * 24));
    platform.login().await;
    assert_eq!(platform.patch(&id, good.clone()).await, (200, 0));
    platform.clock.advance(SignedDuration::from_secs(1));
    assert_eq!(platform.patch(&id, good).await, (400, 230_031));
}

#[tokio::test]
async fn messages_above_the_rate_limit_are_refused() {
    let platform = platform().await;
    let id = platform.send("interactive", card(json!([]))).await;
    platform.feishu.set_rate_limits(true);
    for turn in 0..6 {
        let expected = if turn < 5 { 0 } else { 230_020 };
        let (_, answer) = platform.call("POST", SEND, Some(text_to(GROUP))).await;
        assert_eq!(answer["code"], expected);
        assert_eq!(platform.patch(&id, card(json!([]))).await.1, expected);
    }
    platform.clock.advance(SignedDuration::from_secs(1));
    platform.send("text", json!({"text": "x"})).await;
    assert_eq!(platform.patch(&id, card(json!([]))).await.1, 0);
}

#[tokio::test]
async fn a_custom_bot_checks_signature_time_size_and_card() {
    let platform = platform().await;
    platform.feishu.add_hook("h1", Some("demo"), GROUP);
    platform.feishu.add_hook("h2", None, GROUP);
    let now = platform.clock.now().as_second();
    let signed = |offset: i64| {
        let at = (now + offset).to_string();
        let sign = wire::webhook_sign(&at, "demo");
        json!({"timestamp": at, "sign": sign, "msg_type": "text", "content": {"text": "x"}})
    };
    let interactive = |elements: Value| json!({"msg_type": "interactive", "card": card(elements)});
    let mut unsigned = signed(0);
    unsigned["sign"] = json!("x");
    let mut number = signed(0);
    number["timestamp"] = json!(now);
    let mut stringly = interactive(json!([]));
    stringly["card"] = json!(card(json!([])).to_string());
    let cases = [
        ("h1", signed(0), 0),
        ("h1", signed(-3600), 0),
        ("h1", signed(3601), 19_021),
        ("h1", unsigned, 19_021),
        ("h1", number, 9499),
        ("h2", interactive(json!([])), 0),
        ("h2", interactive(json!([button("x")])), 19_002),
        ("h2", stringly, 19_002),
        ("h2", interactive(json!([{"tag": "markdown", "content": "x".repeat(20_480)}])), 19_036),
        ("h2", json!({"msg_type": "file", "content": {}}), 19_002),
        ("h2", json!({"msg_type": "text", "content": "x"}), 19_002),
        ("h2", json!({"msg_type": "text", "content": {"text": "x"}, "uuid": "1"}), 9499),
        ("h3", json!({"msg_type": "text", "content": {"text": "x"}}), 19_001),
    ];
    for (hook, body, code) in cases {
        let path = format!("/bot/v2/hook/{hook}");
        let (status, answer) = platform.call("POST", &path, Some(body.clone())).await;
        assert_eq!((status, &answer["code"]), (200, &json!(code)), "{body} {answer}");
    }
    let kept = platform.feishu.messages(GROUP);
    assert_eq!(kept.len(), 3);
    assert_eq!(kept[2].sender, Sender::Hook("h2".to_owned()));
    platform.feishu.set_rate_limits(true);
    let text = json!({"msg_type": "text", "content": {"text": "x"}});
    for turn in 0..6 {
        let (_, answer) = platform.call("POST", "/bot/v2/hook/h2", Some(text.clone())).await;
        assert_eq!(answer["code"], if turn < 5 { 0 } else { 11_232 });
    }
}
