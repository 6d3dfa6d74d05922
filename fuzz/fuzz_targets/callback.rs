//! One HTTP request to the callback address: a byte of options, then the body. With a valid signature, an invalid one or
//! none; with and without an Encrypt Key.
#![no_main]

use airgate::bot::Request;
use airgate::domain::EVENT_WINDOW;
use airgate::feishu::{CallbackKeys, CallbackVerifier, EventKind, Incoming};
use http::{HeaderMap, HeaderValue};
use jiff::Timestamp;
use libfuzzer_sys::fuzz_target;
use sha2::{Digest, Sha256};

// As in tests/vectors/feishu.json.
const KEY: &str = "kZ3vQm8Xw1Lr5Tn0Yb7Hc2Jd9Fg4Sa6P";
const TOKEN: &str = "v7Rk2Mx9Qp4Ln8Td1Ws6Yb3Hc5Jf0Gz";

fuzz_target!(|data: &[u8]| {
    let Some((choices, body)) = data.split_first() else { return };
    let (keyed, signed, wrong) = (choices & 1 != 0, choices & 2 != 0, choices & 4 != 0);
    let keys = CallbackKeys {
        app_id: "cli_a1b2c3d4e5f60718".to_owned(),
        encrypt_key: keyed.then(|| KEY.into()),
        verification_token: TOKEN.into(),
    };
    let verifier = CallbackVerifier::new(keys, EVENT_WINDOW);
    let mut headers = HeaderMap::new();
    if signed {
        let mut hash = Sha256::new();
        hash.update(b"tn");
        hash.update(KEY);
        hash.update(body);
        hash.update(if wrong { &b"x"[..] } else { b"" });
        let signature = hex::encode(hash.finalize());
        headers.insert("x-lark-request-timestamp", HeaderValue::from_static("t"));
        headers.insert("x-lark-request-nonce", HeaderValue::from_static("n"));
        headers.insert("x-lark-signature", HeaderValue::try_from(signature).unwrap());
    }
    let now = Timestamp::from_second(1_700_000_005).unwrap();
    let opened = verifier.open(&headers, body, now);
    if keyed && (!signed || wrong) {
        assert!(!matches!(opened, Ok(Incoming::Event(_))), "an event without a signature");
    }
    if let Ok(Incoming::Event(event)) = opened {
        match event.kind {
            EventKind::CardAction(action) => {
                let _ = Request::of(&action);
            }
            EventKind::Message(message) => {
                let _ = message.text_for_bot(Some("ou_bot"));
            }
            _ => {}
        }
    }
});
