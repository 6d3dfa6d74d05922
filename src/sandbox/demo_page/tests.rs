//! The page's interface over real HTTP, with a bot that answers every click with a toast.

use std::collections::{BTreeMap, BTreeSet};

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
    let page = DemoPage::new(feishu.clone(), "en_us", people, controls);
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
    let text = page.text().await.unwrap();
    assert!(text.starts_with("<!doctype html>"));
    assert!(text.contains("data-locale=\"en_us\""), "the page opens in the demo's language");
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
async fn opening_a_direct_chat_notifies_the_bot() {
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
async fn invalid_requests_are_refused_in_json() {
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
    // A form on another site cannot act for a person: only JSON is accepted, for which browsers send a preflight request.
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
async fn the_stream_carries_messages_and_notices_and_ends_when_closed() {
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

fn page_file(name: &str) -> String {
    String::from_utf8(Files::get(name).unwrap().data.into_owned()).unwrap()
}

/// The keys and texts of one of the page's catalogues.
fn catalogue(locale: &str) -> BTreeMap<String, String> {
    let text = page_file(&format!("words/{locale}.js"));
    let words = text.split_once("export default ").unwrap().1;
    serde_json::from_str(words.trim().trim_end_matches(';')).unwrap()
}

/// The quoted texts (double quotes or backticks) that begin with each `before`.
fn literals(text: &str, before: &str) -> Vec<String> {
    let not_within_a_name = |at: usize| !text[..at].ends_with(|c: char| c.is_alphanumeric());
    text.match_indices(before)
        .filter(|(at, _)| not_within_a_name(*at))
        .map(|(at, _)| text[at + before.len()..].split(['"', '`']).next().unwrap().to_owned())
        .collect()
}

#[test]
fn both_catalogues_have_the_same_keys_and_arguments() {
    let arguments = |text: &str| -> BTreeSet<String> {
        let after = text.split('{').skip(1);
        after.map(|rest| rest.split('}').next().unwrap().to_owned()).collect()
    };
    let of = |locale| -> BTreeMap<String, BTreeSet<String>> {
        catalogue(locale).into_iter().map(|(key, text)| (key, arguments(&text))).collect()
    };
    assert_eq!(of("en_us"), of("zh_cn"));
}

#[test]
fn every_key_that_is_used_has_a_text_and_every_text_is_used() {
    let words = catalogue("en_us");
    let mut sources: Vec<String> = Files::iter()
        .filter(|name| !name.starts_with("words/"))
        .map(|name| page_file(&name))
        .collect();
    let demo = concat!(env!("CARGO_MANIFEST_DIR"), "/src/cli/demo");
    for file in std::fs::read_dir(demo).unwrap() {
        sources.push(std::fs::read_to_string(file.unwrap().path()).unwrap());
    }
    let spaces: BTreeSet<&str> = words.keys().map(|key| key.split('.').next().unwrap()).collect();
    let mut used = BTreeSet::new();
    let mut unknown = Vec::new();
    let mut use_key = |key: &str| match key.split_once("${") {
        // The rest of the key is only known when the page runs.
        Some((start, _)) => {
            let fitting: Vec<_> = words.keys().filter(|key| key.starts_with(start)).collect();
            if fitting.is_empty() {
                unknown.push(key.to_owned());
            }
            used.extend(fitting);
        }
        None => match words.get_key_value(key) {
            Some((key, _)) => _ = used.insert(key),
            None => unknown.push(key.to_owned()),
        },
    };
    for source in &sources {
        for before in ["t(\"", "t(`", "data-text=\"", "data-label=\""] {
            // What the command line prints is in the catalogue of the cards.
            let keys = literals(source, before);
            keys.iter().filter(|key| !key.starts_with("cli.")).for_each(|key| use_key(key));
        }
        // Keys that reach `t` some other way: everything quoted that looks like one.
        let in_a_space =
            |text: &&str| text.split_once('.').is_some_and(|(s, _)| spaces.contains(s));
        let is_key = |text: &&str| {
            text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "._".contains(c))
        };
        let is_file = |text: &str| [".js", ".css"].iter().any(|ending| text.ends_with(ending));
        source
            .split('"')
            .filter(in_a_space)
            .filter(is_key)
            .filter(|text| !is_file(text))
            .for_each(&mut use_key);
    }
    assert_eq!(unknown, Vec::<String>::new(), "keys without a text");
    let unused: Vec<_> = words.keys().filter(|key| !used.contains(key)).collect();
    assert_eq!(unused, Vec::<&String>::new(), "texts that are never shown");
}
