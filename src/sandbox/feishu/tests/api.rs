//! Valid requests, and injected faults.

use jiff::SignedDuration;

use super::*;

#[tokio::test]
async fn a_token_is_reused_while_half_an_hour_is_left() {
    let mut platform = platform().await;
    let first = platform.token.clone();
    platform.clock.advance(SignedDuration::from_mins(90));
    let again = platform.ask_token("cli_app", "app-secret").await;
    assert_eq!(again["tenant_access_token"], first.as_str());
    assert_eq!(again["expire"], 1800);
    platform.clock.advance(SignedDuration::from_secs(1));
    platform.login().await;
    assert_ne!(platform.token, first);
    // The old token stays valid until it expires.
    platform.token = first;
    assert_eq!(platform.call("GET", "/bot/v3/info", None).await.0, 200);
    platform.clock.advance(SignedDuration::from_mins(30));
    let (status, answer) = platform.call("GET", "/bot/v3/info", None).await;
    assert_eq!((status, &answer["code"]), (400, &json!(99_991_663)));
}

#[tokio::test]
async fn a_uuid_sends_once_an_hour_and_returns_the_first_message() {
    let mut platform = platform().await;
    let path = "/im/v1/messages?receive_id_type=open_id";
    let body = json!({"receive_id": ALICE, "msg_type": "text", "uuid": "u1",
        "content": r#"{"text":"hi"}"#});
    let (_, first) = platform.call("POST", path, Some(body.clone())).await;
    let (_, second) = platform.call("POST", path, Some(body.clone())).await;
    assert_eq!(first["data"]["message_id"], second["data"]["message_id"]);
    let chat = platform.feishu.direct_chat(ALICE);
    assert_eq!(platform.feishu.messages(&chat).len(), 1);
    platform.clock.advance(SignedDuration::from_hours(1));
    platform.login().await;
    platform.call("POST", path, Some(body)).await;
    assert_eq!(platform.feishu.messages(&chat).len(), 2);
}

#[tokio::test]
async fn a_card_is_sent_replied_to_updated_and_recalled() {
    let platform = platform().await;
    let mut changes = platform.feishu.subscribe();
    let id = platform.send("interactive", card(json!([]))).await;
    let path = format!("/im/v1/messages/{id}/reply");
    let reply = json!({"msg_type": "text", "content": r#"{"text":"x"}"#, "reply_in_thread": false});
    let (_, answer) = platform.call("POST", &path, Some(reply)).await;
    assert_eq!(answer["data"]["parent_id"], id.as_str());
    let new = card(json!([{"tag": "hr"}]));
    assert_eq!(platform.patch(&id, new.clone()).await, (200, 0));
    let message = platform.feishu.message(&id).unwrap();
    assert_eq!((message.json(), message.revisions), (new.clone(), 1));
    let path = format!("/im/v1/messages/{id}");
    assert_eq!(platform.call("DELETE", &path, None).await.0, 200);
    assert_eq!(platform.patch(&id, new).await, (400, 230_011));
    let reply_id = answer["data"]["message_id"].as_str().unwrap().to_owned();
    let reply = platform.feishu.message(&reply_id).unwrap();
    assert_eq!(reply.reply_to, Some(id.clone()));
    for expected in [
        Change::Message(id.clone()),
        Change::Message(reply_id),
        Change::Updated(id.clone()),
        Change::Recalled(id),
    ] {
        assert_eq!(changes.try_recv().unwrap(), expected);
    }
}

#[tokio::test]
async fn messages_are_listed_by_page_and_time() {
    let platform = platform().await;
    let mut titled = card(json!([]));
    titled["header"] = json!({"title": {"tag": "plain_text", "content": "Alert"}});
    platform.send("interactive", titled).await;
    let start = platform.clock.now().as_second();
    platform.clock.advance(SignedDuration::from_secs(10));
    platform.send("text", json!({"text": "a"})).await;
    platform.send("text", json!({"text": "b"})).await;
    let base = format!("/im/v1/messages?container_id_type=chat&container_id={GROUP}");
    let (_, all) = platform.call("GET", &base, None).await;
    let items = all["data"]["items"].as_array().unwrap();
    assert_eq!(items.len(), 3);
    let shown = items[0]["body"]["content"].as_str().unwrap();
    assert!(shown.contains(r#""title":null"#) && !shown.contains("schema"), "{shown}");
    let later = format!("{base}&start_time={}&page_size=1", start + 1);
    let (_, page) = platform.call("GET", &later, None).await;
    assert_eq!(page["data"]["items"][0]["body"]["content"], r#"{"text":"a"}"#);
    assert_eq!(page["data"]["has_more"], true);
    let next = format!("{later}&page_token={}", page["data"]["page_token"].as_str().unwrap());
    let (_, page) = platform.call("GET", &next, None).await;
    assert_eq!(page["data"]["items"][0]["body"]["content"], r#"{"text":"b"}"#);
    assert_eq!(page["data"]["has_more"], false);
    let id = items[1]["message_id"].as_str().unwrap();
    let (_, one) = platform.call("GET", &format!("/im/v1/messages/{id}"), None).await;
    assert_eq!(one["data"]["items"][0], items[1]);
}

#[tokio::test]
async fn a_card_is_read_back_in_the_form_asked_for() {
    let platform = platform().await;
    let mut titled = card(json!([]));
    titled["header"] = json!({"title": {"tag": "plain_text", "content": "Alert"}});
    let id = platform.send("interactive", titled.clone()).await;
    let read = async |query: &str| {
        let (_, one) = platform.call("GET", &format!("/im/v1/messages/{id}{query}"), None).await;
        let content = one["data"]["items"][0]["body"]["content"].as_str().unwrap();
        serde_json::from_str::<Value>(content).unwrap()
    };
    let (sent, raw) =
        ("?card_msg_content_type=user_card_content", "?card_msg_content_type=raw_card_content");
    assert_eq!(read("").await["title"], Value::Null);
    assert_eq!(read(sent).await, titled);
    let shown: Value =
        serde_json::from_str(read(raw).await["json_card"].as_str().unwrap()).unwrap();
    assert_eq!(shown["header"]["property"]["title"]["property"]["content"], "Alert");
    platform.feishu.set_quirks(|quirks| quirks.history_hides_titles = true);
    for query in ["", sent, raw] {
        assert_eq!(read(query).await["title"], Value::Null);
        assert!(!read(query).await.to_string().contains("Alert"));
    }
}

#[tokio::test]
async fn people_chats_and_the_bot_are_returned() {
    let platform = platform().await;
    let body = json!({"mobiles": ["+8613800000001", "13900000000"]});
    let path = "/contact/v3/users/batch_get_id?user_id_type=open_id";
    let (_, answer) = platform.call("POST", path, Some(body)).await;
    let expected =
        json!([{"mobile": "+8613800000001", "user_id": ALICE}, {"mobile": "13900000000"}]);
    assert_eq!(answer["data"]["user_list"], expected);
    let path = format!("/contact/v3/users/{ALICE}?user_id_type=open_id");
    assert_eq!(platform.call("GET", &path, None).await.1["data"]["user"]["name"], "Alice");
    let (_, chats) = platform.call("GET", "/im/v1/chats?page_size=20", None).await;
    assert_eq!(chats["data"]["items"][0]["chat_id"], GROUP);
    assert_eq!(chats["data"]["items"].as_array().unwrap().len(), 1);
    let path = format!("/im/v1/chats/{GROUP}");
    assert_eq!(platform.call("GET", &path, None).await.1["data"]["chat_mode"], "group");
    let path = format!("/im/v1/chats/{}", platform.feishu.direct_chat(ALICE));
    assert_eq!(platform.call("GET", &path, None).await.1["data"]["chat_mode"], "p2p");
    let (_, bot) = platform.call("GET", "/bot/v3/info", None).await;
    assert_eq!(bot["bot"]["open_id"], platform.feishu.bot_open_id());
}

/// Uploads three hand-made form fields and returns status and body.
async fn upload(platform: &Platform, kind: &str, name: &str, content: &str) -> (u16, Value) {
    let part = |name: &str, value: &str| {
        format!("--B\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
    };
    let body = format!(
        "{}{}--B\r\nContent-Disposition: form-data; name=\"file\"; filename=\"x\"\r\n\
         Content-Type: application/octet-stream\r\n\r\n{content}\r\n--B--\r\n",
        part("file_type", kind),
        part("file_name", name),
    );
    let response = platform
        .client
        .post(format!("{}/open-apis/im/v1/files", platform.feishu.url()))
        .bearer_auth(&platform.token)
        .header("content-type", "multipart/form-data; boundary=B")
        .body(body)
        .send()
        .await
        .unwrap();
    let status = response.status().as_u16();
    (status, response.json().await.unwrap())
}

#[tokio::test]
async fn a_file_is_kept_and_sent_by_its_key() {
    let platform = platform().await;
    let (status, answer) = upload(&platform, "stream", "users.csv", "a,b\n").await;
    assert_eq!(status, 200, "{answer}");
    let key = answer["data"]["file_key"].as_str().unwrap();
    let file = platform.feishu.file(key).unwrap();
    assert_eq!((file.name.as_str(), &file.bytes[..]), ("users.csv", &b"a,b\n"[..]));
    platform.send("file", json!({"file_key": key})).await;
    let (status, answer) = upload(&platform, "csv", "users.csv", "a,b\n").await;
    assert_eq!((status, &answer["code"]), (400, &json!(234_001)));
    let (status, answer) = upload(&platform, "stream", "users.csv", "").await;
    assert_eq!((status, &answer["code"]), (400, &json!(234_010)));
}

#[tokio::test]
async fn wait_for_returns_once_the_state_changes() {
    let platform = platform().await;
    let feishu = platform.feishu.clone();
    let waiting = tokio::spawn(async move {
        let look = |state: &State| state.messages(GROUP).next().map(|m| m.message_id.clone());
        feishu.wait_for(look, Duration::from_secs(20)).await
    });
    let id = platform.send("text", json!({"text": "x"})).await;
    assert_eq!(waiting.await.unwrap(), Some(id));
    let none = platform.feishu.wait_for(|_| None::<()>, Duration::from_millis(1)).await;
    assert_eq!(none, None);
}

#[tokio::test]
async fn faults_hit_as_configured_and_some_only_after_the_effect() {
    let platform = platform().await;
    let path = "/im/v1/messages?receive_id_type=chat_id";
    let body = json!({"receive_id": GROUP, "msg_type": "text", "content": r#"{"text":"hi"}"#});
    let timeout = Duration::from_millis(100);
    let slow = Duration::from_millis(20);
    let code = Fault::Code { http: 400, code: 230_020, msg: "slow down".to_owned() };
    // (fault, status and start of the body or none, whether the message stands)
    let cases = [
        (Fault::Status(502), Some((502, "<html>")), false),
        (code, Some((400, r#"{"code":230020"#)), false),
        (Fault::RateLimited { reset_seconds: 0.5 }, Some((429, r#"{"code":99991400"#)), false),
        (Fault::NotJson, Some((200, "<html>")), false),
        (Fault::Slow(slow), Some((200, r#"{"code":0"#)), true),
        (Fault::Timeout, None, false),
        (Fault::CutBody, None, true),
        (Fault::ResetConnection, None, true),
    ];
    for (fault, expected, stands) in cases {
        let before = platform.feishu.messages(GROUP).len();
        let rule = FaultRule::new(fault.clone()).on("send").times(1);
        platform.feishu.faults().inject(rule);
        let asked = platform.text("POST", path, Some(body.clone()));
        let result = match fault {
            Fault::Timeout => tokio::time::timeout(timeout, asked).await.ok(),
            _ => Some(asked.await),
        };
        match (result.and_then(Result::ok), expected) {
            (Some((status, text)), Some((wanted, start))) => {
                assert_eq!(status, wanted, "{fault:?}");
                assert!(text.starts_with(start), "{fault:?}: {text}");
            }
            (got, expected) => assert_eq!(got.is_some(), expected.is_some(), "{fault:?}"),
        }
        let after = platform.feishu.messages(GROUP).len();
        assert_eq!(after - before, usize::from(stands), "{fault:?}");
    }
    platform.send("text", json!({"text": "all is well again"})).await;
    let codes: Vec<_> = platform
        .feishu
        .requests()
        .iter()
        .filter(|request| request.endpoint == "send")
        .map(|request| request.code)
        .collect();
    assert_eq!(codes, [-1, -1, -1, -1, 0, -1, 0, 0, 0]);
}
