//! Every frame, exchange, malformed message and divergence of the shared vectors.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Map, Value};

use super::{SERVICE_ID, line};
use crate::feishu::Incoming;
use crate::feishu::connection::PushAnswer;
use crate::feishu::connection::frame::{Frame, Header};
use crate::feishu::connection::timings::Timings;

const VECTORS: &str = include_str!("../../../../tests/vectors/feishu-ws.json");

#[derive(Deserialize)]
struct Vectors {
    frames: Vec<Vector>,
    exchanges: Vec<Exchange>,
    malformed: Group,
    divergences: Group,
}

#[derive(Deserialize)]
struct Vector {
    id: String,
    hex: String,
    fields: Fields,
}

#[derive(Deserialize)]
struct Fields {
    #[serde(rename = "SeqID")]
    seq_id: u64,
    #[serde(rename = "LogID")]
    log_id: u64,
    service: i32,
    method: i32,
    headers: Vec<BTreeMap<String, String>>,
    payload_encoding: Option<String>,
    payload_type: Option<String>,
    payload_hex: Option<String>,
    #[serde(rename = "LogIDNew")]
    log_id_new: Option<String>,
}

#[derive(Deserialize)]
struct Exchange {
    id: String,
    r#in: Vec<String>,
    out: Vec<String>,
    handled: Vec<String>,
    handler_returns: Option<Value>,
    settings_after: Option<Map<String, Value>>,
}

#[derive(Deserialize)]
struct Group {
    cases: Vec<Bad>,
}

#[derive(Deserialize)]
struct Bad {
    id: String,
    hex: String,
}

fn vectors() -> Vectors {
    serde_json::from_str(VECTORS).unwrap()
}

impl Vectors {
    fn bytes(&self, id: &str) -> Vec<u8> {
        let found = self.frames.iter().find(|frame| frame.id == id);
        hex::decode(&found.unwrap_or_else(|| panic!("{id}")).hex).unwrap()
    }
}

impl Fields {
    fn frame(&self) -> Frame {
        Frame {
            seq_id: Some(self.seq_id),
            log_id: Some(self.log_id),
            service: Some(self.service),
            method: Some(self.method),
            headers: self
                .headers
                .iter()
                .map(|header| Header { key: header["key"].clone(), value: header["value"].clone() })
                .collect(),
            payload_encoding: self.payload_encoding.clone(),
            payload_type: self.payload_type.clone(),
            payload: self.payload_hex.as_ref().map(|hex| hex::decode(hex).unwrap()),
            log_id_new: self.log_id_new.clone(),
        }
    }
}

#[test]
fn frames_are_read_and_written_to_the_byte() {
    let vectors = vectors();
    assert_eq!(vectors.frames.len(), 45);
    for vector in &vectors.frames {
        let bytes = hex::decode(&vector.hex).unwrap();
        let frame = Frame::read(&bytes).unwrap_or_else(|| panic!("{}", vector.id));
        assert_eq!(frame, vector.fields.frame(), "{}", vector.id);
        assert_eq!(hex::encode(frame.bytes()), vector.hex, "{}", vector.id);
    }
    assert_eq!(Frame::ping(SERVICE_ID).bytes(), vectors.bytes("ping"));
}

/// Strips what may differ from a reply: the value of `biz_rt`, and spaces in JSON (also inside `data`).
fn essence(bytes: &[u8]) -> (Frame, Value) {
    use base64::Engine;
    let mut frame = Frame::read(bytes).unwrap();
    for header in frame.headers.iter_mut().filter(|header| header.key == "biz_rt") {
        header.value.parse::<u64>().unwrap();
        header.value.clear();
    }
    let mut payload: Value = serde_json::from_slice(&frame.payload.take().unwrap()).unwrap();
    if let Some(data) = payload.get_mut("data") {
        let text = base64::engine::general_purpose::STANDARD.decode(data.as_str().unwrap());
        *data = serde_json::from_slice(&text.unwrap()).unwrap();
    }
    (frame, payload)
}

#[tokio::test]
async fn pushes_are_answered_as_the_official_client_answers_them() {
    let vectors = vectors();
    assert_eq!(vectors.exchanges.len(), 26);
    for exchange in &vectors.exchanges {
        let id = exchange.id.as_str();
        let answer = exchange
            .handler_returns
            .as_ref()
            .map_or(PushAnswer::Done, |answer| PushAnswer::Callback(answer.to_string()));
        let mut line = line(answer, Duration::ZERO, 10).await;
        assert_eq!(line.receive().await.unwrap(), vectors.bytes("ping"), "{id}");
        for frame in &exchange.r#in {
            line.send(vectors.bytes(frame)).await;
        }
        // The official clients drop a frame of type `card`. A click that nobody answers shows an error.
        let answers_card = id == "card-type-card";
        let mut replies = Vec::new();
        if answers_card {
            let (frame, payload) = essence(&line.receive().await.unwrap());
            assert_eq!(frame.header("type"), Some("card"));
            assert_eq!(payload["code"], 200);
        }
        for _ in &exchange.out {
            replies.push(essence(&line.receive().await.unwrap()));
        }
        // Any unexpected reply would arrive before the reply to one more push.
        line.send(vectors.bytes("event-menu")).await;
        let last = essence(&line.receive().await.unwrap());
        assert_eq!(last.0, essence(&vectors.bytes("reply-event-menu")).0, "{id}");
        line.stop.cancel();
        assert_eq!(line.receive().await, None, "{id}");
        let (_, timings) = line.running.await.unwrap();

        let mut expected: Vec<_> =
            exchange.out.iter().map(|frame| essence(&vectors.bytes(frame))).collect();
        if id == "event-no-handler" {
            // Clients disagree; an unhandled event must not be pushed forever (docs/platforms/feishu.md §10.4).
            expected[0].1 = serde_json::json!({"code": 200});
        }
        if matches!(id, "event-no-handler" | "event-bad-json") {
            // The Python client omits the time on failure.
            let (key, value) = ("biz_rt".to_owned(), String::new());
            expected[0].0.headers.push(Header { key, value });
        }
        let order = |(frame, _): &(Frame, Value)| (frame.seq_id, format!("{:?}", frame.headers));
        expected.sort_by_key(order);
        replies.sort_by_key(order);
        assert_eq!(replies, expected, "{id}");

        let mut handled: Vec<&str> = Vec::new();
        let seen = line.seen.lock();
        for incoming in seen.iter() {
            if let Incoming::Event(event) = incoming {
                handled.push(event.kind.event_type().as_str());
            }
        }
        assert_eq!(handled.pop(), Some("application.bot.menu_v6"), "{id}");
        if answers_card {
            assert_eq!(handled, ["card.action.trigger"]);
        } else {
            assert_eq!(handled, exchange.handled, "{id}");
        }
        if let Some(after) = &exchange.settings_after {
            assert_eq!(timings, timings_of(after), "{id}");
        }
    }
}

/// Ignores `ReconnectCount`: this client never gives up.
fn timings_of(after: &Map<String, Value>) -> Timings {
    let seconds = |name: &str| Duration::from_secs(after[name].as_u64().unwrap());
    Timings {
        ping_interval: seconds("PingInterval"),
        reconnect_interval: seconds("ReconnectInterval"),
        reconnect_nonce: seconds("ReconnectNonce"),
    }
}

#[tokio::test]
async fn malformed_messages_are_ignored_and_the_connection_survives() {
    let vectors = vectors();
    assert_eq!(vectors.malformed.cases.len(), 5);
    let mut line = line(PushAnswer::Done, Duration::ZERO, 10).await;
    assert_eq!(line.receive().await.unwrap(), vectors.bytes("ping"));
    for bad in &vectors.malformed.cases {
        let bytes = hex::decode(&bad.hex).unwrap();
        assert_eq!(Frame::read(&bytes), None, "{}", bad.id);
        line.send(bytes).await;
        line.send(vectors.bytes("event-message")).await;
        let reply = essence(&line.receive().await.unwrap());
        assert_eq!(reply, essence(&vectors.bytes("reply-event-message")), "{}", bad.id);
    }
    assert_eq!(line.seen.lock().len(), vectors.malformed.cases.len());
}

#[tokio::test]
async fn where_clients_differ_this_one_takes_the_safe_side() {
    let vectors = vectors();
    assert_eq!(vectors.divergences.cases.len(), 3);
    for case in &vectors.divergences.cases {
        let frame = Frame::read(&hex::decode(&case.hex).unwrap());
        match case.id.as_str() {
            "div-seqid-wrong-wire-type" | "div-no-logid" => assert_eq!(frame, None, "{}", case.id),
            "div-pong-partial-config" => {
                let mut timings = Timings::default();
                timings.update_from(&frame.unwrap().payload.unwrap());
                let ping_interval = Duration::from_secs(30);
                assert_eq!(timings, Timings { ping_interval, ..Timings::default() });
            }
            other => panic!("{other}"),
        }
    }
}
