//! Turns the binary messages of one connection into frames, and frames into whole pushes.

use std::time::Duration;

use tokio::time::Instant;

use super::fragments::Fragments;
use super::frame::{Frame, Meaning, ReplyBody};

/// Reads the binary messages of one connection. Holds incomplete pushes, within bounds.
#[derive(Debug, Default)]
pub struct Inbox {
    fragments: Fragments,
}

/// The content of a binary message.
#[derive(Debug)]
pub enum Arrival {
    /// The answer to a ping, with its payload: timings, or nothing.
    Pong(Vec<u8>),
    /// A whole event or callback.
    Push(Push),
    /// A part of an incomplete push, or one that was dropped.
    Part,
    /// A frame that needs no reply.
    Other,
    /// Not a frame.
    Garbled,
}

/// An event or callback, with the frame that completed it, which the reply repeats.
#[derive(Debug)]
pub struct Push {
    frame: Frame,
    payload: Vec<u8>,
}

impl Inbox {
    /// Takes one binary message that arrived at `now`.
    pub fn take(&mut self, bytes: &[u8], now: Instant) -> Arrival {
        let Some(mut frame) = Frame::read(bytes) else { return Arrival::Garbled };
        match frame.meaning() {
            Meaning::Pong => Arrival::Pong(frame.payload.take().unwrap_or_default()),
            Meaning::Part { message_id, seq, sum } => {
                let message_id = message_id.to_owned();
                let bytes = frame.payload.take().unwrap_or_default();
                match self.fragments.add(&message_id, seq, sum, bytes, now) {
                    Some(payload) => Arrival::Push(Push { frame, payload }),
                    None => Arrival::Part,
                }
            }
            Meaning::Other => {
                let (kind, method) = (frame.header("type"), frame.method);
                tracing::debug!(kind, method, "a frame that needs no answer");
                Arrival::Other
            }
        }
    }

    /// Returns how many bytes of parts are held: at most 8 MiB.
    pub fn held(&self) -> usize {
        self.fragments.bytes()
    }
}

impl Push {
    /// Returns the payload: JSON, if the platform sent it; see [`crate::feishu::parse_payload`].
    pub fn payload(&self) -> &[u8] {
        &self.payload
    }

    /// Takes the payload out, leaving what [`Push::reply`] needs.
    pub(super) fn take_payload(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.payload)
    }

    /// Returns the binary message that replies to the push.
    pub(super) fn reply(self, verdict: &ReplyBody, took: Duration) -> Vec<u8> {
        self.frame.reply(verdict, took).bytes()
    }

    /// Returns the binary message that asks the platform to push again; `took` is the time since arrival.
    pub fn refusal(self, took: Duration) -> Vec<u8> {
        self.reply(&ReplyBody::Failed, took)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use prost::Message as _;

    use super::super::frame::Header;
    use super::*;
    use crate::feishu::event::parse_payload;

    fn header(key: &str, value: &str) -> Header {
        Header { key: key.to_owned(), value: value.to_owned() }
    }

    /// Frames like the platform's, with arbitrary content.
    fn frame() -> impl Strategy<Value = Frame> {
        let word = prop_oneof![
            Just("event".to_owned()),
            Just("pong".to_owned()),
            Just("card".to_owned()),
            "[0-9]{1,4}",
            Just(usize::MAX.to_string()),
            Just("-1".to_owned()),
            "\\PC{0,8}",
        ];
        let key = prop::sample::select(vec!["type", "message_id", "sum", "seq", "trace_id"]);
        let headers = prop::collection::vec((key, word), 0..6);
        let payload = prop_oneof![
            prop::collection::vec(any::<u8>(), 0..60),
            Just(br#"{"schema":"2.0","header":{"event_id":"e","event_type":"im.message.receive_v1"}}"#.to_vec()),
            Just(vec![b'x'; 400_000]),
        ];
        (0..3_i32, headers, prop::option::of(payload), any::<bool>()).prop_map(
            |(method, headers, payload, complete)| Frame {
                seq_id: complete.then_some(1),
                log_id: Some(u64::MAX),
                service: Some(-1),
                method: Some(method),
                headers: headers.iter().map(|(key, value)| header(key, value)).collect(),
                payload,
                ..Frame::default()
            },
        )
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn arbitrary_messages_never_panic(messages in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..200), 0..20)) {
            let mut inbox = Inbox::default();
            for message in messages {
                inbox.take(&message, Instant::now());
                prop_assert!(inbox.held() <= 200 * 20);
            }
        }

        #[test]
        fn arbitrary_frames_are_read_or_left_alone_within_bounds(frames in prop::collection::vec(frame(), 0..60)) {
            let mut inbox = Inbox::default();
            for frame in frames {
                let bytes = frame.encode_to_vec();
                // Writing a frame that was read gives the same bytes.
                if let Some(read) = Frame::read(&bytes) {
                    prop_assert_eq!(read.bytes(), bytes.clone());
                }
                match inbox.take(&bytes, Instant::now()) {
                    Arrival::Push(push) => {
                        if let Ok(payload) = serde_json::from_slice(push.payload()) {
                            let _ = parse_payload(&payload, jiff::Timestamp::UNIX_EPOCH, jiff::SignedDuration::ZERO);
                        }
                        prop_assert!(push.payload().len() <= 1024 * 1024);
                        prop_assert!(Frame::read(&push.refusal(Duration::ZERO)).is_some());
                    }
                    Arrival::Garbled => prop_assert!(Frame::read(&bytes).is_none()),
                    Arrival::Pong(_) | Arrival::Part | Arrival::Other => {}
                }
                prop_assert!(inbox.held() <= 8 * 1024 * 1024);
            }
        }
    }
}
