//! Pushes and their replies.

use std::collections::HashSet;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use tokio::sync::oneshot;

use super::super::http::Reply;
use super::super::wire as ids;
use super::hub::{Command, Connections, Pending};
use super::wire::{DATA, Frame, Pair, SERVICE_ID};

/// How many pushes are kept, answered or not: a late reply is not a violation.
const KEPT_PUSHES: usize = 1000;

impl Connections {
    /// Pushes an envelope over one random connection, in frames of type `kind`, and waits for the reply.
    pub(in super::super) async fn push(
        &self,
        envelope: &Value,
        kind: &str,
        timeout: Duration,
    ) -> Reply {
        let (answer, reply) = oneshot::channel();
        if !self.send(envelope, kind, answer) {
            return Reply::NoConnection;
        }
        match tokio::time::timeout(timeout, reply).await {
            Ok(Ok(reply)) => reply,
            Ok(Err(_)) => Reply::NoConnection,
            Err(_) => Reply::TimedOut,
        }
    }

    /// Returns whether there was a connection.
    fn send(&self, envelope: &Value, kind: &str, waiting: oneshot::Sender<Reply>) -> bool {
        let event_type = envelope.pointer("/header/event_type").and_then(Value::as_str);
        let is_callback = event_type == Some("card.action.trigger");
        let message_id = uuid::Uuid::new_v4().to_string();
        self.change(|state| {
            let count = state.open.len();
            let chosen = (count > 0).then(|| rand::random_range(0..count));
            let Some(connection) = chosen.and_then(|at| state.open.values().nth(at)).cloned()
            else {
                return false;
            };
            let payload = envelope.to_string().into_bytes();
            let size = state.part_size.unwrap_or(payload.len()).max(1);
            let parts: Vec<&[u8]> = payload.chunks(size).collect();
            let mut frames: Vec<Frame> = Vec::new();
            for (at, part) in parts.iter().enumerate() {
                state.seq = state.seq.saturating_add(1);
                frames.push(Frame {
                    seq_id: Some(state.seq),
                    log_id: Some(u64::MAX.saturating_sub(state.seq)),
                    service: Some(SERVICE_ID),
                    method: Some(DATA),
                    // Neither the order nor the number of headers is documented.
                    headers: vec![
                        Pair::new("trace_id", ids::fresh_id("")),
                        Pair::new("sum", parts.len().to_string()),
                        Pair::new("message_id", message_id.as_str()),
                        Pair::new("seq", at.to_string()),
                        Pair::new("type", kind),
                        Pair::new("instance_id", "i-7"),
                    ],
                    payload_type: Some("application/json".to_owned()),
                    payload: Some(part.to_vec()),
                    log_id_new: Some(ids::fresh_id("02")),
                    ..Frame::default()
                });
            }
            frames.reverse();
            let Some(last) = frames.last().cloned() else { return false };
            let last = Frame { payload: None, ..last };
            if state.pushed.len() >= KEPT_PUSHES
                && let Some(oldest) = state.pushed.pop_front()
            {
                state.pending.remove(&oldest);
            }
            state.pushed.push_back(message_id.clone());
            let pending = Pending { last, is_callback, waiting: Some(waiting) };
            state.pending.insert(message_id, pending);
            connection.send(Command::Send(frames.iter().map(Frame::bytes).collect())).is_ok()
        })
    }

    /// Accepts a reply: the frame of the push with `biz_rt` added and another payload.
    pub(super) fn settle(&self, frame: &Frame) -> Result<(), String> {
        let (time, headers) = frame.headers.split_last().ok_or("a data frame without headers")?;
        let biz_rt = time.value.as_deref().and_then(|value| value.parse::<u64>().ok());
        if time.key.as_deref() != Some("biz_rt") || biz_rt.is_none() {
            return Err("a reply without biz_rt".to_owned());
        }
        let message_id = frame.header("message_id").ok_or("a reply without a message_id")?;
        let payload = frame.payload.as_deref().ok_or("a reply without a payload")?;
        self.change(|state| {
            let pending = state.pending.get_mut(message_id).ok_or("a reply to nothing")?;
            let bare = Frame { payload: None, headers: headers.to_vec(), ..frame.clone() };
            if bare != pending.last {
                return Err("a reply that is not the frame it answers".to_owned());
            }
            let reply = read(payload, pending.is_callback)?;
            let waiting = pending.waiting.take().ok_or("a second reply to one push")?;
            state.overview.replies = state.overview.replies.saturating_add(1);
            // Fails only if the reply came too late.
            let _ = waiting.send(reply);
            Ok(())
        })
    }
}

/// Converts a reply to the equivalent HTTP answer.
fn read(payload: &[u8], is_callback: bool) -> Result<Reply, String> {
    let payload: Value =
        serde_json::from_slice(payload).map_err(|error| format!("a reply's payload: {error}"))?;
    let members = payload.as_object().ok_or("a reply's payload that is no object")?;
    let known: HashSet<&str> = ["code", "data", "headers"].into();
    if let Some(unknown) = members.keys().find(|name| !known.contains(name.as_str())) {
        return Err(format!("a reply with `{unknown}`"));
    }
    let code = members.get("code").and_then(Value::as_u64).ok_or("a reply without a code")?;
    let status = match code {
        200 | 500 => u16::try_from(code).unwrap_or(500),
        other => return Err(format!("a reply with code {other}")),
    };
    let body = match members.get("data") {
        None | Some(Value::Null) if is_callback && status == 200 => {
            return Err("a card callback that was answered without data".to_owned());
        }
        None | Some(Value::Null) => String::new(),
        Some(Value::String(data)) => STANDARD
            .decode(data)
            .ok()
            .and_then(|bytes| String::from_utf8(bytes).ok())
            .filter(|text| serde_json::from_str::<Value>(text).is_ok())
            .ok_or("a reply whose data is not base64 of JSON")?,
        Some(_) => return Err("a reply whose data is not a string".to_owned()),
    };
    Ok(Reply::Answered { status, body })
}
