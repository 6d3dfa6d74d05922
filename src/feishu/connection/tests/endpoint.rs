//! Discovery and handshake: what is asked, and how soon it is asked again after each answer.

use std::collections::BTreeMap;
use std::time::Duration;

use reqwest::header::HeaderMap;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::clock::Clock;
use crate::feishu::ClientConfig;
use crate::feishu::connection::endpoint::{Failure, Patience, read_address, refusal};
use crate::feishu::connection::settings::Settings;
use crate::feishu::connection::{Connection, pause};
use crate::feishu::tests::stub::{Reply, Stub};

const VECTORS: &str = include_str!("../../../../tests/vectors/feishu-ws.json");

#[derive(Deserialize)]
struct Vectors {
    endpoint: Endpoint,
}

#[derive(Deserialize)]
struct Endpoint {
    response: Value,
    sessions: BTreeMap<String, Value>,
    outcomes: Outcomes,
    handshake_refused: Refused,
}

#[derive(Deserialize)]
struct Outcomes {
    cases: BTreeMap<String, Outcome>,
}

#[derive(Deserialize)]
struct Outcome {
    http_status: u16,
    body: Value,
    python: String,
}

#[derive(Deserialize)]
struct Refused {
    cases: BTreeMap<String, String>,
}

fn vectors() -> Endpoint {
    serde_json::from_str::<Vectors>(VECTORS).unwrap().endpoint
}

/// `stop` of the official client is `seldom` here: this one never stops.
fn patience(word: &str) -> Patience {
    match word {
        "retry" => Patience::Soon,
        "stop" => Patience::Seldom,
        other => panic!("{other}"),
    }
}

fn connection(stub: &Stub) -> Connection {
    let config = ClientConfig {
        base_url: stub.url.clone(),
        app_id: "cli_a1b2c3d4e5f60718".to_owned(),
        app_secret: SecretString::from("app-secret-demo"),
        timeout: Duration::from_secs(10),
        upload_timeout: Duration::from_secs(10),
    };
    Connection::new(config, Clock::system()).unwrap().0
}

#[tokio::test]
async fn every_answer_of_discovery_leads_where_it_should() {
    let vectors = vectors();
    assert_eq!(vectors.outcomes.cases.len(), 13);
    let request = &vectors.sessions["python"]["request"];
    for (id, case) in &vectors.outcomes.cases {
        let stub = Stub::start().await;
        let mut connection = connection(&stub);
        stub.will(match &case.body {
            _ if id == "ok" => Reply::json(200, vectors.response.clone()),
            Value::String(text) => Reply::bytes(case.http_status, text.clone()),
            body => Reply::json(case.http_status, body.clone()),
        });
        let asked = connection.discovery.ask(&mut connection.settings).await;
        match (case.python.as_str(), asked) {
            ("connect", Ok(endpoint)) => {
                assert_eq!(endpoint.service_id, 33554678);
                assert_eq!(endpoint.device_id, "7400000000000000001");
                assert_eq!(endpoint.host, "example.invalid");
                let url = vectors.response["data"]["URL"].as_str().unwrap();
                assert_eq!(endpoint.url.expose_secret(), url);
                assert_eq!(connection.settings, Settings::default());
            }
            (word, Err(failure)) => {
                assert_eq!(failure.patience(), patience(word), "{id}: {failure}");
                assert!(!failure.to_string().contains("app-secret-demo"));
            }
            (word, Ok(_)) => panic!("{id} should {word}"),
        }
        let asked = stub.asked().pop().unwrap();
        assert_eq!(asked.method, request["method"]);
        assert_eq!(asked.path, request["path"].as_str().unwrap());
        assert_eq!(asked.body, request["body_json"]);
        assert_eq!(asked.authorization, "");
    }
}

#[tokio::test]
async fn the_gateway_may_say_how_long_to_wait() {
    let stub = Stub::start().await;
    let mut connection = connection(&stub);
    let body = json!({"code": 99991400, "msg": "request trigger frequency limit"});
    stub.will(Reply::json(429, body).header("x-ogw-ratelimit-reset", "7"));
    let failure = connection.discovery.ask(&mut connection.settings).await.err().unwrap();
    assert_eq!(failure.retry_after(), Some(Duration::from_secs(7)));
    assert_eq!(failure.patience(), Patience::Soon);
}

#[tokio::test]
async fn a_success_without_what_it_has_to_tell_is_tried_again_soon() {
    for data in [
        json!(null),
        json!({}),
        json!({"URL": ""}),
        json!({"URL": "wss://"}),
        json!({"URL": "wss://host/ws/v2?device_id=1"}),
        json!({"URL": "wss://host/ws/v2?service_id=x"}),
        json!({"URL": "ws://far.example/ws/v2?service_id=1"}),
        json!({"URL": "http://127.0.0.1/ws/v2?service_id=1"}),
    ] {
        let stub = Stub::start().await;
        let mut connection = connection(&stub);
        stub.will_say(json!({"code": 0, "msg": "", "data": data}));
        let failure = connection.discovery.ask(&mut connection.settings).await.err().unwrap();
        assert_eq!(failure.patience(), Patience::Soon, "{data}");
    }
    assert!(read_address("ws://127.0.0.1:1/ws/v2?service_id=1").is_ok());
}

#[test]
fn every_refused_handshake_leads_where_it_should() {
    let vectors = vectors();
    assert_eq!(vectors.handshake_refused.cases.len(), 4);
    for (status, word) in &vectors.handshake_refused.cases {
        let (code, auth_code) = status.split_once('/').unwrap_or((status, ""));
        let mut headers = HeaderMap::new();
        headers.insert("Handshake-Status", code.parse().unwrap());
        headers.insert("Handshake-Msg", "no".parse().unwrap());
        headers.insert("Handshake-Autherrcode", auth_code.parse().unwrap());
        let failure = refusal(400, &headers);
        assert_eq!(failure.patience(), patience(word), "{failure}");
    }
    assert_eq!(refusal(502, &HeaderMap::new()).patience(), Patience::Soon);
    assert_eq!(Failure::TimedOut.patience(), Patience::Soon);
}

#[test]
fn pauses_grow_to_their_bound_and_spread() {
    let settings = Settings::default();
    for (patience, failures, whole) in [
        (Patience::Soon, 1, 1),
        (Patience::Soon, 2, 2),
        (Patience::Soon, 4, 8),
        (Patience::Soon, 8, 120),
        (Patience::Soon, u32::MAX, 120),
        (Patience::Seldom, 1, 120),
        (Patience::Seldom, 2, 240),
        (Patience::Seldom, u32::MAX, 600),
    ] {
        let whole = Duration::from_secs(whole);
        let pauses: Vec<_> = (0..50).map(|_| pause(patience, failures, &settings)).collect();
        assert!(pauses.iter().all(|pause| (whole / 2..=whole).contains(pause)), "{pauses:?}");
        assert!(pauses.iter().any(|pause| *pause != pauses[0]), "{whole:?}");
    }
}

#[test]
fn the_key_and_the_ticket_of_an_address_are_in_no_words() {
    let text = "wss://msg.feishu.cn/ws/v2?device_id=7&access_key=k-1%2F2&service_id=5&ticket=t-77";
    let endpoint = read_address(text).unwrap();
    let said = "refused: ticket t-77 for k-1/2 of device 7";
    assert_eq!(endpoint.hide(said), "refused: ticket … for … of device 7");
}
