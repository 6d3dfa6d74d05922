//! Discovery and handshake: the request, and the back-off after each response.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::SignedDuration;
use reqwest::header::HeaderMap;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::clock::Clock;
use crate::feishu::ClientConfig;
use crate::feishu::connection::endpoint::{Backoff, ConnectError, read_address, refusal};
use crate::feishu::connection::timings::Timings;
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

/// Where the official client stops, this one retries after a long back-off.
fn backoff(word: &str) -> Backoff {
    match word {
        "retry" => Backoff::Short,
        "stop" => Backoff::Long,
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
    Connection::new(config, SignedDuration::from_hours(8), Clock::system()).unwrap().0
}

#[tokio::test]
async fn every_discovery_response_leads_to_the_right_reaction() {
    let vectors = vectors();
    assert_eq!(vectors.outcomes.cases.len(), 13);
    let request = &vectors.sessions["python"]["request"];
    for (id, case) in &vectors.outcomes.cases {
        let stub = Stub::start().await;
        let mut connection = connection(&stub);
        stub.reply(match &case.body {
            _ if id == "ok" => Reply::json(200, vectors.response.clone()),
            Value::String(text) => Reply::bytes(case.http_status, text.clone()),
            body => Reply::json(case.http_status, body.clone()),
        });
        let discovered = connection.discovery.discover(&mut connection.timings).await;
        match (case.python.as_str(), discovered) {
            ("connect", Ok(endpoint)) => {
                assert_eq!(endpoint.service_id, 33554678);
                assert_eq!(endpoint.device_id, "7400000000000000001");
                assert_eq!(endpoint.host, "example.invalid");
                let url = vectors.response["data"]["URL"].as_str().unwrap();
                assert_eq!(endpoint.url.expose_secret(), url);
                assert_eq!(connection.timings, Timings::default());
            }
            (word, Err(failure)) => {
                assert_eq!(failure.backoff(), backoff(word), "{id}: {failure}");
                assert!(!failure.to_string().contains("app-secret-demo"));
            }
            (word, Ok(_)) => panic!("{id} should {word}"),
        }
        let sent = stub.requests().pop().unwrap();
        assert_eq!(sent.method, request["method"]);
        assert_eq!(sent.path, request["path"].as_str().unwrap());
        assert_eq!(sent.body, request["body_json"]);
        assert_eq!(sent.authorization, "");
    }
}

#[tokio::test]
async fn the_wait_that_the_gateway_asks_for_is_respected() {
    let stub = Stub::start().await;
    let mut connection = connection(&stub);
    let body = json!({"code": 99991400, "msg": "request trigger frequency limit"});
    stub.reply(Reply::json(429, body).header("x-ogw-ratelimit-reset", "7"));
    let failure = connection.discovery.discover(&mut connection.timings).await.err().unwrap();
    assert_eq!(failure.retry_after(), Some(Duration::from_secs(7)));
    assert_eq!(failure.backoff(), Backoff::Short);
}

#[tokio::test]
async fn an_incomplete_success_is_retried_soon() {
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
        stub.reply_ok(json!({"code": 0, "msg": "", "data": data}));
        let failure = connection.discovery.discover(&mut connection.timings).await.err().unwrap();
        assert_eq!(failure.backoff(), Backoff::Short, "{data}");
    }
    assert!(read_address("ws://127.0.0.1:1/ws/v2?service_id=1").is_ok());
}

#[test]
fn every_refused_handshake_gets_the_right_back_off() {
    let vectors = vectors();
    assert_eq!(vectors.handshake_refused.cases.len(), 4);
    for (status, word) in &vectors.handshake_refused.cases {
        let (code, auth_code) = status.split_once('/').unwrap_or((status, ""));
        let mut headers = HeaderMap::new();
        headers.insert("Handshake-Status", code.parse().unwrap());
        headers.insert("Handshake-Msg", "no".parse().unwrap());
        headers.insert("Handshake-Autherrcode", auth_code.parse().unwrap());
        let failure = refusal(400, &headers);
        assert_eq!(failure.backoff(), backoff(word), "{failure}");
    }
    assert_eq!(refusal(502, &HeaderMap::new()).backoff(), Backoff::Short);
    assert_eq!(ConnectError::TimedOut.backoff(), Backoff::Short);
}

#[test]
fn pauses_grow_up_to_their_cap_with_jitter() {
    let timings = Timings::default();
    for (backoff, failures, whole) in [
        (Backoff::Short, 1, 1),
        (Backoff::Short, 2, 2),
        (Backoff::Short, 4, 8),
        (Backoff::Short, 8, 120),
        (Backoff::Short, u32::MAX, 120),
        (Backoff::Long, 1, 120),
        (Backoff::Long, 2, 240),
        (Backoff::Long, u32::MAX, 600),
    ] {
        let whole = Duration::from_secs(whole);
        let pauses: Vec<_> = (0..50).map(|_| pause(backoff, failures, &timings)).collect();
        assert!(pauses.iter().all(|pause| (whole / 2..=whole).contains(pause)), "{pauses:?}");
        assert!(pauses.iter().any(|pause| *pause != pauses[0]), "{whole:?}");
    }
}

#[test]
fn the_key_and_the_ticket_of_an_address_are_redacted() {
    let text = "wss://msg.feishu.cn/ws/v2?device_id=7&access_key=k-1%2F2&service_id=5&ticket=t-77";
    let endpoint = read_address(text).unwrap();
    let said = "refused: ticket t-77 for k-1/2 of device 7";
    assert_eq!(endpoint.redact(said), "refused: ticket … for … of device 7");
}
