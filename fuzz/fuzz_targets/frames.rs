//! The binary messages of one long connection, each preceded by its length (2 bytes, little endian): frames, parts,
//! payloads.
#![no_main]

use std::time::Duration;

use airgate::domain::EVENT_WINDOW;
use airgate::feishu::connection::{Arrival, Inbox};
use airgate::feishu::parse_payload;
use jiff::Timestamp;
use libfuzzer_sys::fuzz_target;
use tokio::time::Instant;

fuzz_target!(|data: &[u8]| {
    let mut inbox = Inbox::default();
    let mut at = Instant::now();
    let mut rest = data;
    while let Some((length, after)) = rest.split_first_chunk::<2>() {
        let length = usize::from(u16::from_le_bytes(*length)).min(after.len());
        let (message, after) = after.split_at(length);
        rest = after;
        // Advance the clock, so that entries expire.
        at += Duration::from_millis(length as u64);
        match inbox.take(message, at) {
            Arrival::Push(push) => {
                assert!(push.payload().len() <= 1024 * 1024);
                if let Ok(payload) = serde_json::from_slice(push.payload()) {
                    let _ = parse_payload(&payload, Timestamp::UNIX_EPOCH, EVENT_WINDOW);
                }
                let refusal = push.refusal(Duration::from_millis(1));
                assert!(!matches!(inbox.take(&refusal, at), Arrival::Garbled));
            }
            Arrival::Pong(_) | Arrival::Part | Arrival::Other | Arrival::Garbled => {}
        }
        assert!(inbox.held() <= 8 * 1024 * 1024);
    }
});
