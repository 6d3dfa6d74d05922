//! Frames: one protobuf (proto2) message per binary WebSocket message, and what the client may say in them.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use prost::Message as _;
use serde_json::{Value, json};

/// `method` of a frame that is about the connection itself.
const CONTROL: i32 = 0;
/// `method` of a frame that carries an event or a callback, or answers one.
const DATA: i32 = 1;

/// A header; keys may repeat, the first one counts.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Header {
    #[prost(string, required, tag = "1")]
    pub key: String,
    #[prost(string, required, tag = "2")]
    pub value: String,
}

/// A frame. The four required fields are optional here because their absence has to be seen: a frame without them is
/// not answered. Present, they are written even when 0.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Frame {
    #[prost(uint64, optional, tag = "1")]
    pub seq_id: Option<u64>,
    #[prost(uint64, optional, tag = "2")]
    pub log_id: Option<u64>,
    #[prost(int32, optional, tag = "3")]
    pub service: Option<i32>,
    #[prost(int32, optional, tag = "4")]
    pub method: Option<i32>,
    #[prost(message, repeated, tag = "5")]
    pub headers: Vec<Header>,
    #[prost(string, optional, tag = "6")]
    pub payload_encoding: Option<String>,
    #[prost(string, optional, tag = "7")]
    pub payload_type: Option<String>,
    #[prost(bytes = "vec", optional, tag = "8")]
    pub payload: Option<Vec<u8>>,
    #[prost(string, optional, tag = "9")]
    pub log_id_new: Option<String>,
}

/// What a frame from the platform is about.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Meaning<'f> {
    /// Answers a ping; may carry new settings.
    Pong,
    /// A part of an event or callback, the whole of it where `sum` is 1.
    Part {
        /// Joins the parts.
        message_id: &'f str,
        /// From 0, below `sum`.
        seq: usize,
        /// How many parts there are, at least 1.
        sum: usize,
    },
    /// Nothing that a client answers: the platform's pings, kinds that no official client handles (`card` among them),
    /// data frames without the headers that say which part of what they are.
    Other,
}

impl Frame {
    /// Reads one binary message. None where it is not a frame, or lacks a required field.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let frame = Self::decode(bytes).ok()?;
        let complete = frame.seq_id.is_some()
            && frame.log_id.is_some()
            && frame.service.is_some()
            && frame.method.is_some();
        complete.then_some(frame)
    }

    /// The bytes of one binary message.
    pub(super) fn bytes(&self) -> Vec<u8> {
        self.encode_to_vec()
    }

    /// Sent right after connecting and then every ping interval.
    pub(super) fn ping(service_id: i32) -> Self {
        Self {
            seq_id: Some(0),
            log_id: Some(0),
            service: Some(service_id),
            method: Some(CONTROL),
            headers: vec![Header { key: "type".to_owned(), value: "ping".to_owned() }],
            ..Self::default()
        }
    }

    /// The first header of this name. Their order is not documented.
    pub(super) fn header(&self, key: &str) -> Option<&str> {
        self.headers.iter().find(|header| header.key == key).map(|header| header.value.as_str())
    }

    pub(super) fn meaning(&self) -> Meaning<'_> {
        let number = |key| self.header(key)?.parse::<usize>().ok();
        match (self.method, self.header("type")) {
            (Some(CONTROL), Some("pong")) => Meaning::Pong,
            (Some(DATA), Some("event")) => {
                match (self.header("message_id"), number("seq"), number("sum")) {
                    (Some(message_id), Some(seq), Some(sum)) if seq < sum => {
                        Meaning::Part { message_id, seq, sum }
                    }
                    _ => Meaning::Other,
                }
            }
            _ => Meaning::Other,
        }
    }

    /// The frame that answers the push which this frame completed: the same but for the payload and the header `biz_rt`
    /// (how long it took, in ms).
    pub(super) fn reply(mut self, verdict: &Verdict, took: Duration) -> Self {
        let payload = match verdict {
            Verdict::Done => json!({"code": 200}),
            Verdict::Data(answer) => {
                json!({"code": 200, "data": STANDARD.encode(answer.to_string())})
            }
            Verdict::Failed => json!({"code": 500}),
        };
        self.headers.push(Header { key: "biz_rt".to_owned(), value: took.as_millis().to_string() });
        self.payload = Some(payload.to_string().into_bytes());
        self
    }
}

/// What a push is answered with.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Verdict {
    /// Nothing more to say.
    Done,
    /// A card callback's answer.
    Data(Value),
    /// Not handled: the platform should push it again.
    Failed,
}
