//! The page's interface over real HTTP, with a bot that answers every click with a toast.

use parking_lot::Mutex;
use tokio::net::TcpListener;

use super::super::feishu::FeishuConfig;
use super::*;
use crate::clock::Clock;

const ALICE: &str = "ou_alice";
const BOB: &str = "ou_bob";
const GROUP: &str = "oc_group";

struct Demo {
    feishu: FakeFeishu,
    page: DemoPage,
    url: String,
    client: reqwest::Client,
    /// The bodies that reached the bot.
    heard: Arc<Mutex<Vec<Value>>>,
}

async fn serve(router: Router) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    url
}

async fn demo() -> Demo {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let config = FeishuConfig::new("cli_app", "secret", "token");
    let feishu = FakeFeishu::start(listener, config, Clock::system()).unwrap();
    feishu.add_person(ALICE, "Alice", "1");
    feishu.add_person(BOB, "Bob", "2");
    feishu.add_group(GROUP, "Ops");
    let heard: Arc<Mutex<Vec<Value>>> = Arc::default();
    let ears = Arc::clone(&heard);
    let bot = Router::new().fallback(move |Json(body): Json<Value>| {
        ears.lock().push(body);
        async { Json(json!({"toast": {"type": "info", "content": "heard"}})) }
    });
    feishu.set_service_url(&serve(bot).await);
    let controls = vec![
        Control::new("grow", "Grow", ControlKind::Select, |request| async move {
            match request["value"].as_i64() {
                Some(percent) => Ok(json!({"message": format!("{percent} %")})),
                None => Err("which?".to_owned()),
            }
        })
        .options(vec![ControlOption { value: json!(10), label: "10 %".to_owned() }])
        .reading(|| json!(10)),
    ];
    let people = vec![(BOB.to_owned(), "viewer".to_owned())];
    let page = DemoPage::new(feishu.clone(), people, controls);
    let url = serve(router(page.clone())).await;
    Demo {
        feishu,
        page,
        url,
        client: reqwest::Client::builder().no_proxy().build().unwrap(),
        heard,
    }
}

impl Demo {
    async fn get(&self, path: &str) -> (u16, Value) {
        let url = format!("{}{path}", self.url);
        let response = self.client.get(url).send().await.unwrap();
        (response.status().as_u16(), response.json().await.unwrap())
    }

    async fn post(&self, path: &str, body: Value) -> (u16, Value) {
        let url = format!("{}{path}", self.url);
        let response = self.client.post(url).json(&body).send().await.unwrap();
        (response.status().as_u16(), response.json().await.unwrap())
    }

    /// The bot sends a card into the group through the platform.
    async fn send_card(&self) -> String {
        let base = format!("{}/open-apis", self.feishu.url());
        let login = json!({"app_id": "cli_app", "app_secret": "secret"});
        let url = format!("{base}/auth/v3/tenant_access_token/internal");
        let answer = self.client.post(url).json(&login).send().await.unwrap();
        let answer: Value = answer.json().await.unwrap();
        let card = json!({"schema": "2.0", "body": {"elements": [{"tag": "button",
            "text": {"tag": "plain_text", "content": "x"},
            "behaviors": [{"type": "callback", "value": {"action": "x"}}]}]}});
        let body = json!({"receive_id": GROUP, "msg_type": "interactive",
            "content": card.to_string()});
        let response = self
            .client
            .post(format!("{base}/im/v1/messages?receive_id_type=chat_id"))
            .bearer_auth(answer["tenant_access_token"].as_str().unwrap())
            .json(&body)
            .send()
            .await
            .unwrap();
        let answer: Value = response.json().await.unwrap();
        answer["data"]["message_id"].as_str().unwrap().to_owned()
    }
}

#[tokio::test]
async fn the_page_and_its_state_are_served() {
    let demo = demo().await;
    let page = demo.client.get(&demo.url).send().await.unwrap();
    assert_eq!(page.headers()["content-type"], "text/html; charset=utf-8");
    assert!(page.text().await.unwrap().starts_with("<!doctype html>"));
    let (_, state) = demo.get("/api/state").await;
    assert_eq!(
        state["people"],
        json!([{"id": BOB, "name": "Bob", "role": "viewer"},
            {"id": ALICE, "name": "Alice", "role": ""}])
    );
    let chats = state["chats"].as_array().unwrap();
    assert_eq!(chats.len(), 3);
    assert!(chats.contains(&json!({"id": GROUP, "name": "Ops", "kind": "group"})));
    let (status, answer) = demo.get("/nothing.js").await;
    assert_eq!((status, answer), (404, json!({"error": "no such page"})));
}

#[tokio::test]
async fn people_talk_and_mention_the_bot_by_flag_or_by_name() {
    let demo = demo().await;
    for (text, mention, told) in [
        ("/users", true, "@_user_1 /users"),
        ("@airgate /users", false, "@_user_1 /users"),
        ("@bot /users x", false, "@_user_1 /users x"),
        ("hello", false, "hello"),
    ] {
        let body = json!({"as": ALICE, "chat": GROUP, "text": text, "mention": mention});
        assert_eq!(demo.post("/api/say", body).await, (200, json!({"status": 200})));
        let heard = demo.heard.lock().last().unwrap().clone();
        let content = heard["event"]["message"]["content"].as_str().unwrap();
        let content: Value = serde_json::from_str(content).unwrap();
        assert_eq!(content["text"], told);
    }
    let (_, list) = demo.get(&format!("/api/messages?chat={GROUP}")).await;
    let first = &list[0];
    assert_eq!(first["kind"], "text");
    assert_eq!(first["text"], "@airgate /users");
    assert_eq!(first["sender"], json!({"kind": "person", "id": ALICE, "name": "Alice"}));
    assert_eq!(first["revision"], 0);
}

#[tokio::test]
async fn whoever_opens_their_direct_chat_is_told_to_the_bot() {
    let demo = demo().await;
    assert_eq!(demo.post("/api/enter", json!({"as": BOB})).await, (200, json!({"status": 200})));
    let heard = demo.heard.lock().last().unwrap().clone();
    assert_eq!(heard["header"]["event_type"], "im.chat.access_event.bot_p2p_chat_entered_v1");
    assert_eq!(heard["event"]["chat_id"], demo.feishu.direct_chat(BOB));
    assert_eq!(heard["event"]["operator_id"]["open_id"], BOB);
}

#[tokio::test]
async fn a_click_answers_its_toast_or_its_error() {
    let demo = demo().await;
    let id = demo.send_card().await;
    let (_, list) = demo.get(&format!("/api/messages?chat={GROUP}")).await;
    assert_eq!(list[0]["kind"], "card");
    assert_eq!(list[0]["card"]["schema"], "2.0");
    let click = |value: Value| json!({"as": ALICE, "message": id, "action": {"tag": "button", "value": value}});
    let (status, answer) = demo.post("/api/click", click(json!({"action": "x"}))).await;
    assert_eq!(status, 200);
    assert_eq!(answer["toast"], json!({"type": "info", "content": "heard"}));
    assert_eq!((&answer["error"], &answer["updated"]), (&Value::Null, &json!(false)));
    assert!(answer["ms"].is_u64());
    let (status, answer) = demo.post("/api/click", click(json!({"action": "y"}))).await;
    assert_eq!(status, 200);
    assert!(answer["error"].as_str().unwrap().contains("no such component"));
}

#[tokio::test]
async fn what_nobody_may_do_is_refused_in_json() {
    let demo = demo().await;
    let own = demo.feishu.direct_chat(ALICE);
    let say =
        |person: &str, chat: &str, text: &str| json!({"as": person, "chat": chat, "text": text});
    for (path, body, status) in [
        ("/api/say", say(ALICE, &own, " "), 400),
        ("/api/say", say(BOB, &own, "x"), 403),
        ("/api/say", say("ou_nobody", GROUP, "x"), 404),
        ("/api/say", say(ALICE, "oc_nowhere", "x"), 404),
        ("/api/say", json!({"as": ALICE}), 422),
        ("/api/enter", json!({"as": "ou_nobody"}), 404),
        ("/api/enter", json!({"as": ALICE, "chat": own}), 422),
        ("/api/click", json!({"as": ALICE, "message": "om_x", "action": {"tag": "button"}}), 404),
        (
            "/api/click",
            json!({"as": ALICE, "message": "om_x", "action": {"tag": "button", "x": 1}}),
            422,
        ),
        ("/api/control", json!({"name": "unknown"}), 404),
        ("/api/control", json!({"name": "grow"}), 422),
    ] {
        let (got, answer) = demo.post(path, body.clone()).await;
        assert_eq!(got, status, "{body}");
        assert!(answer["error"].is_string());
    }
    assert_eq!(demo.get("/api/messages").await.0, 400);
    assert_eq!(demo.get("/api/messages?chat=x").await.0, 404);
    assert!(demo.heard.lock().is_empty());
    // A form of another site cannot speak for a person: only JSON is taken, which browsers ask about first.
    let url = format!("{}/api/say", demo.url);
    let plain = demo.client.post(url).body(say(ALICE, GROUP, "x").to_string());
    assert_eq!(plain.send().await.unwrap().status(), 415);
}

#[tokio::test]
async fn controls_are_listed_and_run() {
    let demo = demo().await;
    let (_, list) = demo.get("/api/controls").await;
    assert_eq!(
        list,
        json!([{"name": "grow", "label": "Grow", "kind": "select", "value": 10,
            "options": [{"value": 10, "label": "10 %"}], "fields": []}])
    );
    let body = json!({"name": "grow", "value": 10});
    let (status, answer) = demo.post("/api/control", body).await;
    assert_eq!((status, answer), (200, json!({"message": "10 %"})));
}

#[tokio::test]
async fn the_stream_tells_messages_and_notices_and_ends_when_closed() {
    let demo = demo().await;
    let url = format!("{}/api/stream", demo.url);
    let mut stream = demo.client.get(url).send().await.unwrap();
    let chat = demo.feishu.direct_chat(ALICE);
    demo.feishu.say(ALICE, &chat, "hi", false).await;
    demo.page.notice("grown");
    demo.page.monitor(json!({"running": true}));
    let mut text = String::new();
    while !(text.contains("event: message")
        && text.contains("event: notice")
        && text.contains("event: monitor"))
    {
        let chunk = stream.chunk().await.unwrap().unwrap();
        text.push_str(std::str::from_utf8(&chunk).unwrap());
    }
    assert!(text.contains(r#""text":"hi""#), "{text}");
    assert!(text.contains(r#"data: {"text":"grown"}"#), "{text}");
    demo.page.close();
    while stream.chunk().await.unwrap().is_some() {}
}

#[test]
fn the_pages_own_words_are_in_its_dictionary() {
    let text = |name: &str| String::from_utf8(Files::get(name).unwrap().data.into_owned()).unwrap();
    let dictionary = text("words.js");
    let mut missing = Vec::new();
    let mut found = 0;
    for name in Files::iter() {
        let text = text(&name);
        for before in ["t(\"", "tf(\"", "data-text=\"", "data-label=\""] {
            for (at, _) in text.match_indices(before) {
                // `count("…")` is another function.
                if before.ends_with("(\"") && text[..at].ends_with(|c: char| c.is_alphanumeric()) {
                    continue;
                }
                let key = text[at + before.len()..].split('"').next().unwrap();
                found += 1;
                if !dictionary.contains(&format!("{key:?}:"))
                    && !dictionary.contains(&format!("\n  {key}:"))
                {
                    missing.push(format!("{name}: {key}"));
                }
            }
        }
    }
    assert!(found > 50, "{found}");
    assert!(missing.is_empty(), "{missing:#?}");
}
