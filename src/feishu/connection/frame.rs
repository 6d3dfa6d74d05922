//! Frames: one protobuf (proto2) message per binary WebSocket message (docs/platforms/feishu.md §10.3).

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use prost::Message as _;
use serde_json::json;

/// `method` of a frame about the connection itself.
const CONTROL: i32 = 0;
/// `method` of a frame with an event, a callback or the reply to one.
const DATA: i32 = 1;

/// A header. Keys may repeat; the first one counts.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Header {
    #[prost(string, required, tag = "1")]
    pub key: String,
    #[prost(string, required, tag = "2")]
    pub value: String,
}

/// A frame. The four required fields are optional here to detect their absence: a frame without them gets no reply. If
/// present, they are written even when 0.
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

/// The meaning of a frame from the platform.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Meaning<'f> {
    /// The answer to a ping; may carry new timings.
    Pong,
    /// A part of an event or callback; the whole if `sum` is 1.
    Part {
        /// Identifies the event that the part belongs to.
        message_id: &'f str,
        /// The index of the part, from 0 and below `sum`.
        seq: usize,
        /// The number of parts, at least 1.
        sum: usize,
    },
    /// A frame without a reply: the platform's pings, types that are not known, and data frames without the headers of a
    /// part.
    Other,
}

impl Frame {
    /// Reads one binary message. Returns `None` if it is not a frame or lacks a required field.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let frame = Self::decode(bytes).ok()?;
        let complete = frame.seq_id.is_some()
            && frame.log_id.is_some()
            && frame.service.is_some()
            && frame.method.is_some();
        complete.then_some(frame)
    }

    /// Returns the bytes of one binary message.
    pub(super) fn bytes(&self) -> Vec<u8> {
        self.encode_to_vec()
    }

    /// Returns the frame to send after connecting and then once per ping interval.
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

    /// Returns the first header of this name. The order of headers is undocumented.
    pub(super) fn header(&self, key: &str) -> Option<&str> {
        self.headers.iter().find(|header| header.key == key).map(|header| header.value.as_str())
    }

    pub(super) fn meaning(&self) -> Meaning<'_> {
        let number = |key| self.header(key)?.parse::<usize>().ok();
        match (self.method, self.header("type")) {
            (Some(CONTROL), Some("pong")) => Meaning::Pong,
            // Card callbacks come as `event`; the official clients know `card` too, but handle it nowhere
            // (docs/platforms/feishu.md §13).
            (Some(DATA), Some("event" | "card")) => {
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

    /// Turns the frame that completed a push into its reply: the same frame with another payload, and with the header
    /// `biz_rt` (processing time in ms; docs/platforms/feishu.md §10.4).
    pub(super) fn reply(mut self, verdict: &ReplyBody, took: Duration) -> Self {
        let payload = match verdict {
            ReplyBody::Done => json!({"code": 200}),
            ReplyBody::Data(answer) => {
                json!({"code": 200, "data": STANDARD.encode(answer)})
            }
            ReplyBody::Failed => json!({"code": 500}),
        };
        self.headers.push(Header { key: "biz_rt".to_owned(), value: took.as_millis().to_string() });
        self.payload = Some(payload.to_string().into_bytes());
        self
    }
}

/// The result that a reply reports.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum ReplyBody {
    /// Handled, without data.
    Done,
    /// Handled, with the answer to a card callback, JSON text.
    Data(String),
    /// Not handled: the platform should push it again.
    Failed,
}
