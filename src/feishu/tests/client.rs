//! The REST client against a stub server: its requests, and how it reads the responses.

use std::time::Duration;

use jiff::Timestamp;
use reqwest::Url;
use secrecy::SecretString;
use serde_json::{Value, json};

use super::stub::{Reply, Stub};
use crate::clock::Clock;
use crate::feishu::{
    BotInfo, ChatInfo, ChatKind, ChatStatus, Client, ClientConfig, Content, Disposition, Error,
    MessagePage, OwnContent, Piece, Recipient, SentMessage, TextForBot,
};

pub(super) fn client(stub: &Stub, clock: Clock) -> Client {
    client_at(stub.url.clone(), clock)
}

fn client_at(base_url: Url, clock: Clock) -> Client {
    let config = ClientConfig {
        base_url,
        app_id: "cli_1".to_owned(),
        app_secret: SecretString::from("hidden-secret"),
        timeout: Duration::from_secs(30),
        upload_timeout: Duration::from_secs(30),
    };
    Client::new(config, clock).unwrap()
}

fn clock() -> Clock {
    Clock::manual(Timestamp::from_second(1_700_000_000).unwrap())
}

async fn start() -> (Stub, Client) {
    let stub = Stub::start().await;
    let client = client(&stub, clock());
    (stub, client)
}

fn sent() -> Value {
    json!({"code": 0, "msg": "success", "data": {"message_id": "om_1", "chat_id": "oc_1"}})
}

const CARD: &str = r#"{"schema":"2.0","body":{"elements":[]}}"#;

#[tokio::test]
async fn a_chats_history_is_read_page_by_page() {
    let (stub, client) = start().await;
    let item = |id: &str, sender: Value, msg_type: &str, content: &str, deleted: bool| {
        json!({
            "message_id": id, "msg_type": msg_type, "create_time": "1700000000123",
            "update_time": "1700000000123", "deleted": deleted, "updated": false,
            "chat_id": "oc_1", "sender": sender, "body": {"content": content},
            "mentions": [{"key": "@_user_1", "id": "ou_bot", "id_type": "open_id",
                "name": "airgate", "tenant_key": "t"}],
        })
    };
    let person = json!({"id": "ou_1", "id_type": "open_id", "sender_type": "user"});
    let app = json!({"id": "cli_1", "id_type": "app_id", "sender_type": "app"});
    stub.reply_ok(json!({"code": 0, "msg": "success", "data": {
    "has_more": true, "page_token": "next=&", "items": [
        item("om_1", person.clone(), "text", r#"{"text":"@_user_1 /users"}"#, false),
        item("om_2", person.clone(), "text", "This message was recalled", true),
        item("om_3", app, "interactive", "{}", false),
        item("om_4", person, "image", r#"{"image_key":"img_1"}"#, false),
        json!({"message_id": "om_5"}),
    ]}}))
    .reply_ok(json!({"code": 0, "data": {"has_more": false, "page_token": "x", "items": []}}))
    .reply_ok(json!({"code": 0, "data": {}}));
    let since = Timestamp::from_millisecond(1_699_999_999_999).unwrap();
    let kind = ChatKind::Group;
    let page = client.chat_messages("oc_1", kind, since, None).await.unwrap();
    let read: Vec<_> = page
        .messages
        .iter()
        .map(|message| {
            let text = message.text_for_bot(Some("ou_bot"));
            (message.message_id.as_str(), message.sender_is_user, text)
        })
        .collect();
    let pieces = vec![Piece::Words("/users".to_owned())];
    let text = TextForBot { mentioned: true, pieces };
    assert_eq!(read, [("om_1", true, Some(text)), ("om_3", false, None), ("om_4", true, None)]);
    let first = &page.messages[0];
    assert_eq!((first.sender_open_id.as_str(), first.chat_id.as_str()), ("ou_1", "oc_1"));
    assert_eq!(first.created_at.as_millisecond(), 1_700_000_000_123);
    let page = client.chat_messages("oc_1", kind, since, page.next.as_deref()).await.unwrap();
    assert_eq!(page, MessagePage { messages: Vec::new(), next: None });
    let page = client.chat_messages("oc_1", kind, since, None).await.unwrap();
    assert_eq!(page, MessagePage { messages: Vec::new(), next: None });
    let paths: Vec<String> = stub.requests().into_iter().map(|request| request.path).collect();
    let path = "/open-apis/im/v1/messages?container_id_type=chat&container_id=oc_1&start_time=1699999999\
                &sort_type=ByCreateTimeAsc&card_msg_content_type=raw_card_content&page_size=50";
    assert_eq!(paths, [path.to_owned(), format!("{path}&page_token=next%3D%26"), path.to_owned()]);
}

#[tokio::test]
async fn the_title_of_an_own_card_is_read_in_every_form() {
    let (stub, client) = start().await;
    let sent =
        json!({"schema": "2.0", "header": {"title": {"tag": "plain_text", "content": "额度"}}});
    let raw = json!({"header": {"property": {"title": {"property": {"content": "额度"}}}}});
    let title = Some("额度".to_owned());
    let forms = [
        (json!({"json_card": raw.to_string(), "json_attachment": "{}"}), title.clone()),
        (json!({"json_card": sent.to_string()}), title.clone()),
        (json!({"json_card": sent}), title.clone()),
        (sent.clone(), title.clone()),
        (json!({"title": "额度", "elements": [[]]}), title),
        // Cannot be told: not the same as a card without a title.
        (json!({"title": null, "elements": [[]]}), None),
        (json!({"elements": [[]]}), None),
        (json!({"json_card": "not JSON"}), None),
        (json!({"json_card": "{}"}), None),
        (json!(null), None),
    ];
    let items: Vec<Value> = forms
        .iter()
        .map(|(content, _)| {
            json!({"message_id": "om_1", "msg_type": "interactive", "body": {"content": content.to_string()},
                   "sender": {"id": "cli_1", "id_type": "app_id"}})
        })
        .collect();
    stub.reply_ok(json!({"code": 0, "data": {"has_more": false, "items": items}}));
    let (since, until) = (Timestamp::UNIX_EPOCH, Timestamp::UNIX_EPOCH);
    let page = client.own_messages("oc_1", since, until, None).await.unwrap();
    let read: Vec<_> = page.messages.into_iter().map(|message| message.content).collect();
    let expected: Vec<_> = forms.into_iter().map(|(_, title)| OwnContent::Card(title)).collect();
    assert_eq!(read, expected);
    assert!(stub.requests()[0].path.contains("card_msg_content_type=raw_card_content"));
}

#[tokio::test]
async fn messages_are_sent_in_the_documented_form() {
    let (stub, client) = start().await;
    let message = SentMessage { message_id: "om_1".into(), chat_id: "oc_1".into() };
    stub.reply_ok(sent()).reply_ok(sent()).reply_ok(sent());
    let card = Content::Card(CARD.into());
    let file = Content::File("file_v3_1".into());
    let (chat, person) = (Recipient::Chat("oc_1"), Recipient::OpenId("ou_1"));
    assert_eq!(client.send(&chat, &card, "u-1").await.unwrap(), message);
    assert_eq!(client.send(&person, &file, "u-2").await.unwrap(), message);
    assert_eq!(client.reply("om_0/x", &card, "u-3").await.unwrap(), message);
    stub.reply_ok(json!({"code": 0, "msg": "success", "data": {}}));
    client.update_card("om_1", CARD).await.unwrap();

    let requests = stub.requests();
    let parts: Vec<_> = requests
        .iter()
        .map(|request| (request.method.as_str(), request.path.as_str(), request.body.clone()))
        .collect();
    let content = json!({"file_key": "file_v3_1"}).to_string();
    assert_eq!(
        parts,
        [
            (
                "POST",
                "/open-apis/im/v1/messages?receive_id_type=chat_id",
                json!({"receive_id": "oc_1", "msg_type": "interactive", "content": CARD, "uuid": "u-1"}),
            ),
            (
                "POST",
                "/open-apis/im/v1/messages?receive_id_type=open_id",
                json!({"receive_id": "ou_1", "msg_type": "file", "content": content, "uuid": "u-2"}),
            ),
            (
                "POST",
                "/open-apis/im/v1/messages/om_0%2Fx/reply",
                json!({"msg_type": "interactive", "content": CARD, "uuid": "u-3"}),
            ),
            ("PATCH", "/open-apis/im/v1/messages/om_1", json!({"content": CARD})),
        ]
    );
    assert!(requests.iter().all(|request| {
        request.authorization == "Bearer t-1"
            && request.content_type == "application/json; charset=utf-8"
    }));
}

#[tokio::test]
async fn mobiles_are_looked_up_fifty_at_a_time_in_the_given_order() {
    let (stub, client) = start().await;
    let mobiles: Vec<String> = (0..60).map(|n| format!("138000000{n:02}")).collect();
    stub.reply_ok(json!({"code": 0, "data": {"user_list": [
        {"mobile": "+8613800000001", "user_id": "ou_one"}, {"mobile": "13800000002"}, null,
        {"mobile": "13800000000", "user_id": "ou_zero"}]}}));
    stub.reply_ok(json!({"code": 0, "data": {"user_list": [{"mobile": "13800000059", "user_id": "ou_last"}]}}));
    let found = client.open_ids_by_mobile(&mobiles).await.unwrap();
    assert_eq!(found.len(), 60);
    assert_eq!(found[0], ("13800000000".into(), Some("ou_zero".into())));
    assert_eq!(found[1], ("13800000001".into(), Some("ou_one".into())));
    assert_eq!(found[2], ("13800000002".into(), None));
    assert_eq!(found[59], ("13800000059".into(), Some("ou_last".into())));
    let requests = stub.requests();
    assert_eq!(requests.len(), 2);
    assert_eq!(requests[0].path, "/open-apis/contact/v3/users/batch_get_id?user_id_type=open_id");
    assert_eq!(requests[0].body["mobiles"].as_array().unwrap().len(), 50);
    assert_eq!(requests[1].body["mobiles"].as_array().unwrap().len(), 10);
    assert!(client.open_ids_by_mobile(&[]).await.unwrap().is_empty());
}

#[tokio::test]
async fn people_bots_and_chats_are_read() {
    let (stub, client) = start().await;
    stub.reply_ok(json!({"code": 0, "data": {"user": {"open_id": "ou_1", "name": "张三"}}}))
        .reply_ok(json!({"code": 0, "data": {"user": {"open_id": "ou_1"}}}))
        .reply(Reply::json(400, json!({"code": 41050, "msg": "no user authority"})))
        .reply_ok(json!({"code": 0, "bot": {"open_id": "ou_bot", "app_name": "Ops", "activate_status": 2}}))
        .reply_ok(json!({"code": 0, "data": {"name": "运维", "chat_status": "normal"}}))
        .reply_ok(json!({"code": 0, "data": {"name": "x", "chat_status": "dissolved_save"}}));
    assert_eq!(client.person_name("ou_1").await.unwrap().as_deref(), Some("张三"));
    assert_eq!(client.person_name("ou_1").await.unwrap(), None);
    assert_eq!(client.person_name("ou_1").await.unwrap(), None);
    assert_eq!(
        client.bot_info().await.unwrap(),
        BotInfo { open_id: "ou_bot".into(), name: "Ops".into() }
    );
    assert_eq!(
        client.chat("oc_1").await.unwrap(),
        ChatInfo { name: "运维".into(), status: ChatStatus::Normal }
    );
    assert_eq!(client.chat("oc_1").await.unwrap().status, ChatStatus::Dissolved);
    let requests = stub.requests();
    let paths: Vec<_> = requests.iter().map(|request| request.path.as_str()).collect();
    let person = "/open-apis/contact/v3/users/ou_1?user_id_type=open_id";
    let chat = "/open-apis/im/v1/chats/oc_1";
    assert_eq!(paths, [person, person, person, "/open-apis/bot/v3/info", chat, chat]);
    assert!(requests.iter().all(|request| request.method == "GET"));
}

#[tokio::test]
async fn responses_are_judged_by_their_code_before_their_status() {
    let send = async |reply: Reply| {
        let (stub, client) = start().await;
        stub.reply(reply);
        client.send(&Recipient::Chat("oc_1"), &Content::Card(CARD.into()), "u").await
    };
    // The code decides, whatever the status.
    assert!(send(Reply::json(400, sent())).await.is_ok());
    let limited = json!({"code": 99991400, "msg": "request trigger frequency limit"});
    for (reply, disposition) in [
        (
            Reply::json(429, limited.clone()).header("x-ogw-ratelimit-reset", "2.75"),
            Disposition::RetryAfter(Duration::from_millis(2750)),
        ),
        (Reply::json(400, limited), Disposition::RetryAfter(Duration::from_secs(1))),
        (
            Reply::json(400, json!({"code": 230020, "msg": "limit"}))
                .header("x-ogw-ratelimit-reset", "0.2"),
            Disposition::RetryAfter(Duration::from_secs(1)),
        ),
        (
            Reply::bytes(429, "slow down").header("x-ogw-ratelimit-reset", "3"),
            Disposition::RetryAfter(Duration::from_secs(3)),
        ),
        (
            Reply::json(
                400,
                json!({"code": 230099, "msg": "ext=ErrCode: 11310; ErrMsg: card action is lock"}),
            ),
            Disposition::RetryAfter(Duration::from_secs(1)),
        ),
        (Reply::json(200, json!({"code": 232009, "msg": "dissolved"})), Disposition::ChatGone),
        (Reply::bytes(503, "<html>"), Disposition::RetryLater),
        (Reply::bytes(502, "<html>"), Disposition::Unclear),
        (Reply::bytes(404, "<html>"), Disposition::Credentials),
        (Reply::bytes(302, "").header("location", "/elsewhere"), Disposition::Credentials),
        (Reply::bytes(200, "<html>"), Disposition::Unclear),
        (Reply::bytes(200, "{\"code\":0,\"da").cut(), Disposition::Unclear),
        (Reply::bytes(200, "{\"code\":0,\"da"), Disposition::Unclear),
        (Reply::bytes(200, vec![b' '; 1024 * 1024 + 1]), Disposition::Unclear),
        (Reply::json(200, json!({"msg": "ok"})), Disposition::Unclear),
        (Reply::json(200, json!({"code": "0"})), Disposition::Unclear),
        (Reply::json(200, json!({"code": 0, "data": {}})), Disposition::Unclear),
    ] {
        let shown = format!("{} {:?}", reply.status, reply.headers);
        let error = send(reply).await.unwrap_err();
        assert_eq!(error.disposition(), disposition, "{shown}: {error}");
        assert_eq!(error.endpoint(), Some("message_send"));
    }
}

#[tokio::test]
async fn a_refusal_keeps_the_log_id_and_a_bounded_message() {
    let (stub, client) = start().await;
    let msg = format!("Failed to create card content, ext=ErrCode: 200861; {}", "长".repeat(5000));
    stub.reply(Reply::json(400, json!({"code": 230099, "msg": msg})));
    let error = client.update_card("om_1", CARD).await.unwrap_err();
    assert_eq!(error.disposition(), Disposition::Refused);
    let Error::Platform(error) = error else {
        panic!("{error:?}");
    };
    assert_eq!(error.endpoint, "message_update");
    assert_eq!((error.status, error.code, error.inner_code), (400, 230099, Some(200861)));
    assert_eq!(error.log_id.as_deref(), Some("log-1"));
    assert_eq!(error.msg.chars().count(), 400);
}

#[tokio::test]
async fn without_a_connection_nothing_was_sent() {
    let (stub, client) = start().await;
    client.refresh_token().await.unwrap();
    // A port that was free a moment ago.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let gone = Url::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
    drop(listener);
    let error = client_at(gone, clock()).bot_info().await.unwrap_err();
    assert!(matches!(error, Error::NotSent { .. }), "{error:?}");
    assert_eq!(error.disposition(), Disposition::RetryLater);
    assert!(std::error::Error::source(&error).is_some());
    drop(stub);
}

#[tokio::test]
async fn a_call_whose_connection_broke_is_unclear() {
    let (stub, client) = start().await;
    client.refresh_token().await.unwrap();
    // No body at all: the connection breaks in the middle of the response.
    stub.reply(Reply::bytes(200, "").cut());
    let error = client.update_card("om_1", CARD).await.unwrap_err();
    assert!(matches!(error, Error::Interrupted { .. }), "{error:?}");
    assert_eq!(error.disposition(), Disposition::Unclear);
}

#[tokio::test]
async fn requests_that_would_certainly_be_refused_are_not_sent() {
    let (stub, client) = start().await;
    let card = Content::Card(CARD.into());
    let long = "u".repeat(51);
    for error in [
        client.send(&Recipient::Chat("oc_1"), &card, &long).await.unwrap_err(),
        client.send(&Recipient::Chat("oc_1"), &card, "").await.unwrap_err(),
        client.reply("", &card, "u").await.unwrap_err(),
        client.update_card("..", CARD).await.unwrap_err(),
        client.chat(".").await.unwrap_err(),
    ] {
        assert_eq!(error.disposition(), Disposition::Refused, "{error}");
    }
    assert_eq!((stub.requests().len(), stub.tokens()), (0, 0));
}

#[tokio::test]
async fn a_base_url_may_have_a_path() {
    let stub = Stub::start().await;
    let base = stub.url.join("/proxy/").unwrap();
    let client = client_at(base, clock());
    // The stub's token endpoint is at the root, so this path is scripted like any other.
    stub.reply_ok(json!({"code": 0, "tenant_access_token": "t-p", "expire": 7200}));
    stub.reply_ok(json!({"code": 0, "data": {"name": "n"}}));
    client.chat("oc_1").await.unwrap();
    let paths: Vec<_> = stub.requests().into_iter().map(|request| request.path).collect();
    assert_eq!(
        paths,
        [
            "/proxy/open-apis/auth/v3/tenant_access_token/internal",
            "/proxy/open-apis/im/v1/chats/oc_1"
        ]
    );
}

#[tokio::test]
async fn secrets_are_not_printed() {
    let (stub, client) = start().await;
    stub.token_reply(Reply::json(200, json!({"code": 10014, "msg": "app secret invalid"})));
    let error = client.refresh_token().await.unwrap_err();
    client.refresh_token().await.unwrap();
    let config = ClientConfig {
        base_url: stub.url.clone(),
        app_id: "cli_1".into(),
        app_secret: SecretString::from("hidden-secret"),
        timeout: Duration::from_secs(1),
        upload_timeout: Duration::from_secs(1),
    };
    let printed = format!("{client:?} {config:?} {error:?} {error}");
    assert!(!printed.contains("hidden") && !printed.contains("t-2"), "{printed}");
}

#[tokio::test]
async fn calls_are_counted_by_endpoint_and_outcome() {
    let recorder = metrics_exporter_prometheus::PrometheusBuilder::new().build_recorder();
    let handle = recorder.handle();
    let _guard = metrics::set_default_local_recorder(&recorder);
    let (stub, client) = start().await;
    stub.reply_ok(json!({"code": 0, "bot": {"open_id": "ou_bot"}}))
        .reply(Reply::json(400, json!({"code": 99991672, "msg": "scope"})))
        .reply(Reply::json(429, json!({"code": 99991400, "msg": "limit"})))
        .reply(Reply::bytes(500, ""));
    client.bot_info().await.unwrap();
    for _ in 0..3 {
        client.bot_info().await.unwrap_err();
    }
    let text = handle.render();
    for line in [
        r#"airgate_feishu_requests_total{endpoint="token",outcome="ok"} 1"#,
        r#"airgate_feishu_requests_total{endpoint="bot_info",outcome="ok"} 1"#,
        r#"airgate_feishu_requests_total{endpoint="bot_info",outcome="denied"} 1"#,
        r#"airgate_feishu_requests_total{endpoint="bot_info",outcome="throttled"} 1"#,
        r#"airgate_feishu_requests_total{endpoint="bot_info",outcome="error"} 1"#,
    ] {
        assert!(text.contains(line), "{line} not in\n{text}");
    }
}
