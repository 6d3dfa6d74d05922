//! The strict side of the long connection, against a client written by hand.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use futures::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use super::super::{FakeFeishu, FeishuConfig, SentEvent};
use super::wire::{Frame, Pair, SERVICE_ID};
use super::{Overview, UpgradeRefusal};
use crate::clock::Clock;

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

const TIMEOUT: Duration = Duration::from_secs(10);

async fn start() -> FakeFeishu {
    let clock = Clock::manual("2026-11-23T02:00:00Z".parse().unwrap());
    let mut config = FeishuConfig::new("cli_app", "app-secret", "token");
    config.reply_timeout = Duration::from_millis(500);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let feishu = FakeFeishu::start(listener, config, clock).unwrap();
    feishu.add_person("ou_a", "Alice", "13800000001");
    feishu
}

async fn discover(feishu: &FakeFeishu, body: Value) -> (u16, Value) {
    let request = reqwest::Client::builder().no_proxy().build().unwrap();
    let request = request.post(format!("{}/callback/ws/endpoint", feishu.url()));
    let response = request.header("locale", "zh").json(&body).send().await.unwrap();
    (response.status().as_u16(), serde_json::from_str(&response.text().await.unwrap()).unwrap())
}

async fn endpoint(feishu: &FakeFeishu) -> String {
    let body = json!({"AppID": "cli_app", "AppSecret": "app-secret"});
    let (status, answer) = discover(feishu, body).await;
    assert_eq!((status, &answer["code"]), (200, &json!(0)));
    assert_eq!(answer["data"]["ClientConfig"]["PingInterval"], 120);
    answer["data"]["URL"].as_str().unwrap().to_owned()
}

fn ping() -> Frame {
    Frame {
        seq_id: Some(0),
        log_id: Some(0),
        service: Some(SERVICE_ID),
        method: Some(0),
        headers: vec![Pair::new("type", "ping")],
        ..Frame::default()
    }
}

async fn send(socket: &mut Socket, frame: &Frame) {
    socket.send(Message::binary(frame.bytes())).await.unwrap();
}

async fn receive(socket: &mut Socket) -> Option<Frame> {
    loop {
        match socket.next().await?.ok()? {
            Message::Binary(bytes) => return Some(Frame::read(&bytes).unwrap()),
            Message::Close(_) => return None,
            _ => {}
        }
    }
}

async fn connected(feishu: &FakeFeishu) -> Socket {
    let (mut socket, _) = connect_async(endpoint(feishu).await).await.unwrap();
    send(&mut socket, &ping()).await;
    let pong = receive(&mut socket).await.unwrap();
    assert_eq!(pong.header("type"), Some("pong"));
    let settings: Value = serde_json::from_slice(&pong.payload.unwrap()).unwrap();
    assert_eq!(settings["ReconnectNonce"], 30);
    socket
}

fn say(feishu: &FakeFeishu) -> tokio::task::JoinHandle<SentEvent> {
    let feishu = feishu.clone();
    tokio::spawn(async move { feishu.say("ou_a", &feishu.direct_chat("ou_a"), "hi", false).await })
}

fn reply(push: &Frame, payload: &Value) -> Frame {
    let mut frame = push.clone();
    frame.headers.push(Pair::new("biz_rt", "3"));
    frame.payload = Some(payload.to_string().into_bytes());
    frame
}

async fn violation(feishu: &FakeFeishu) -> Overview {
    let found =
        feishu.connections().wait_for(|now| !now.violations.is_empty() && now.open == 0, TIMEOUT);
    found.await.unwrap_or_else(|| panic!("{:?}", feishu.connections().overview()))
}

#[tokio::test]
async fn discovery_checks_the_credentials() {
    let feishu = start().await;
    for (body, status, code) in [
        (json!({"AppID": "cli_app", "AppSecret": "wrong"}), 200, 1_000_040_345),
        (json!({"AppID": "cli_other", "AppSecret": "app-secret"}), 200, 1_000_040_345),
        (json!({"app_id": "cli_app", "app_secret": "app-secret"}), 400, 10_003),
        (json!({"AppID": "cli_app", "AppSecret": "app-secret", "x": 1}), 400, 10_003),
        (json!([]), 400, 10_003),
    ] {
        let answer = discover(&feishu, body.clone()).await;
        assert_eq!((answer.0, answer.1["code"].as_u64().unwrap()), (status, code), "{body}");
    }
}

#[tokio::test]
async fn a_ticket_connects_once_and_refusals_say_why() {
    let feishu = start().await;
    let url = endpoint(&feishu).await;
    let _first = connect_async(url.as_str()).await.unwrap();
    let refusal = UpgradeRefusal { status: 403, auth_code: None, msg: "forbidden".to_owned() };
    for (expected, url) in [
        ("514", url.clone()),
        ("514", endpoint(&feishu).await.replace("device_id=7", "device_id=8")),
        ("403", endpoint(&feishu).await),
    ] {
        if expected == "403" {
            feishu.connections().refuse_upgrade(refusal.clone());
        }
        let Err(Error::Http(response)) = connect_async(url).await else { panic!("{expected}") };
        assert_eq!(response.status().as_u16(), 400);
        assert_eq!(response.headers()["handshake-status"], expected);
        assert!(response.headers().contains_key("handshake-msg"));
    }
}

#[tokio::test]
async fn a_push_and_its_reply() {
    let feishu = start().await;
    let mut socket = connected(&feishu).await;
    for (payload, status) in
        [(json!({"code": 200}), 200), (json!({"code": 500, "headers": null, "data": null}), 500)]
    {
        let saying = say(&feishu);
        let push = receive(&mut socket).await.unwrap();
        let told: Value = serde_json::from_slice(push.payload.as_ref().unwrap()).unwrap();
        assert_eq!(told["header"]["event_type"], "im.message.receive_v1");
        send(&mut socket, &reply(&push, &payload)).await;
        assert_eq!(saying.await.unwrap().status, Some(status));
    }
    // Silence, and then a late reply, which is no violation.
    let saying = say(&feishu);
    let push = receive(&mut socket).await.unwrap();
    assert_eq!(saying.await.unwrap().status, None);
    send(&mut socket, &reply(&push, &json!({"code": 200}))).await;
    let seen = feishu.connections().wait_for(|now| now.replies == 3, TIMEOUT).await.unwrap();
    assert_eq!(seen.violations, Vec::<String>::new());
    // Without a connection the event is not sent, not even over HTTP.
    drop(socket);
    feishu.connections().wait_for(|now| now.open == 0, TIMEOUT).await.unwrap();
    assert_eq!(say(&feishu).await.unwrap().status, None);
}

#[tokio::test]
async fn a_push_in_parts_is_answered_by_the_frame_that_completed_it() {
    let feishu = start().await;
    feishu.connections().set_part_size(Some(200));
    let mut socket = connected(&feishu).await;
    let saying = say(&feishu);
    let mut parts = vec![receive(&mut socket).await.unwrap()];
    let sum: usize = parts[0].header("sum").unwrap().parse().unwrap();
    assert!(sum > 2);
    while parts.len() < sum {
        parts.push(receive(&mut socket).await.unwrap());
    }
    let last = parts.last().unwrap().clone();
    parts.sort_by_key(|part| part.header("seq").unwrap().parse::<usize>().unwrap());
    let whole: Vec<u8> = parts.iter().flat_map(|part| part.payload.clone().unwrap()).collect();
    assert!(serde_json::from_slice::<Value>(&whole).is_ok());
    send(&mut socket, &reply(&last, &json!({"code": 200}))).await;
    assert_eq!(saying.await.unwrap().status, Some(200));
}

#[tokio::test]
async fn a_client_that_breaks_the_protocol_is_disconnected() {
    let ok = json!({"code": 200});
    let data = |text: &str| json!({"code": 200, "data": STANDARD.encode(text)});
    type Spoil = fn(&mut Frame);
    let cases: [(&str, Spoil, Value); 11] = [
        ("SeqID", |frame| frame.seq_id = Some(0), ok.clone()),
        ("no LogID", |frame| frame.log_id = None, ok.clone()),
        ("service", |frame| frame.service = Some(1), ok.clone()),
        ("method", |frame| frame.method = Some(2), ok.clone()),
        ("LogIDNew", |frame| frame.log_id_new = None, ok.clone()),
        ("headers", |frame| frame.headers.swap(0, 1), ok.clone()),
        ("biz_rt", |frame| drop(frame.headers.pop()), ok.clone()),
        ("message_id", |frame| frame.headers[2] = Pair::new("message_id", "x"), ok),
        ("code", |_| (), json!({"code": 201})),
        ("member", |_| (), json!({"code": 200, "toast": {}})),
        ("data", |_| (), data("{")),
    ];
    for (what, spoil, payload) in cases {
        let feishu = start().await;
        let mut socket = connected(&feishu).await;
        let _saying = say(&feishu);
        let push = receive(&mut socket).await.unwrap();
        let mut frame = reply(&push, &payload);
        spoil(&mut frame);
        send(&mut socket, &frame).await;
        assert_eq!(receive(&mut socket).await, None, "{what}");
        assert_eq!(violation(&feishu).await.violations.len(), 1, "{what}");
    }
    for message in [
        Message::text("{}"),
        Message::binary(vec![0xff; 5]),
        Message::binary(Frame { payload: Some(Vec::new()), ..ping() }.bytes()),
        Message::binary(Frame { method: Some(1), ..ping() }.bytes()),
    ] {
        let feishu = start().await;
        let (mut socket, _) = connect_async(endpoint(&feishu).await).await.unwrap();
        socket.send(message.clone()).await.unwrap();
        assert_eq!(receive(&mut socket).await, None, "{message:?}");
        assert_eq!(violation(&feishu).await.violations.len(), 1, "{message:?}");
    }
}
