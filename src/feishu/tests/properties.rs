//! Arbitrary input is refused or read, and never panics.

use aes::Aes256;
use aes::cipher::block_padding::Pkcs7;
use aes::cipher::{BlockModeEncrypt, KeyIvInit};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use proptest::prelude::*;
use secrecy::SecretString;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{APP_ID, MAX_AGE, TOKEN, headers, verifier};
use crate::feishu::{EventKind, Incoming, Rejection, Unauthorized, crypto, parse_payload};

const KEY: &str = "kZ3vQm8Xw1Lr5Tn0Yb7Hc2Jd9Fg4Sa6P";

fn encrypt(plain: &[u8], iv: [u8; 16]) -> String {
    let key: [u8; 32] = Sha256::digest(KEY.as_bytes()).into();
    let mut buffer = plain.to_vec();
    buffer.resize(plain.len() + 16, 0);
    let sealed = cbc::Encryptor::<Aes256>::new(&key.into(), &iv.into())
        .encrypt_padded::<Pkcs7>(&mut buffer, plain.len())
        .unwrap();
    STANDARD.encode([&iv[..], sealed].concat())
}

fn signed(body: &str) -> reqwest::header::HeaderMap {
    let signature =
        crypto::callback_signature(b"t", b"n", &SecretString::from(KEY), body.as_bytes());
    headers([
        ("X-Lark-Request-Timestamp", "t"),
        ("X-Lark-Request-Nonce", "n"),
        ("X-Lark-Signature", signature.as_str()),
    ])
}

fn now() -> Timestamp {
    Timestamp::from_second(1_700_000_005).unwrap()
}

/// Uses the platform's field names, so that arbitrary values end up in fields that are read.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "\\PC{0,12}".prop_map(Value::from),
        prop_oneof![
            Just("url_verification"),
            Just("text"),
            Just("post"),
            Just("ou_a"),
            Just("@_user_1"),
            Just("@"),
            Just("{\"text\":\"@_user_1 @_user_10\"}"),
            Just("9999999999999999"),
            Just("im.message.receive_v1"),
            Just("card.action.trigger"),
        ]
        .prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 64, 6, |inner| {
        let name = prop_oneof![
            Just("header"),
            Just("event"),
            Just("type"),
            Just("token"),
            Just("challenge"),
            Just("event_type"),
            Just("create_time"),
            Just("message"),
            Just("sender"),
            Just("sender_id"),
            Just("open_id"),
            Just("content"),
            Just("mentions"),
            Just("key"),
            Just("id"),
            Just("name"),
            Just("action"),
            Just("operator"),
            Just("value"),
            Just("form_value"),
            Just("context"),
            Just("chat_id"),
            Just("encrypt"),
        ];
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::btree_map(name, inner, 0..6).prop_map(|fields| {
                Value::Object(fields.into_iter().map(|(k, v)| (k.to_owned(), v)).collect())
            }),
        ]
    })
}

proptest! {
    #[test]
    fn opening_arbitrary_bytes_never_panics_and_never_trusts(
        body in prop::collection::vec(any::<u8>(), 0..300),
        names in prop::collection::vec(
            (prop_oneof![Just("x-lark-signature"), Just("x-lark-request-nonce"), Just("x-lark-request-timestamp")],
             prop::collection::vec(32u8..127, 0..80)), 0..4),
        key in prop_oneof![Just(""), Just(KEY)],
    ) {
        let mut given = reqwest::header::HeaderMap::new();
        for (name, value) in names {
            given.append(name, reqwest::header::HeaderValue::from_bytes(&value).unwrap());
        }
        prop_assert!(verifier(key, TOKEN).open(&given, &body, now()).is_err());
    }

    #[test]
    fn opening_arbitrary_json_never_panics(payload in any_json(), key in prop_oneof![Just(""), Just(KEY)]) {
        let body = payload.to_string();
        let _ = verifier(key, TOKEN).open(&signed(&body), body.as_bytes(), now());
        let _ = parse_payload(&payload, now(), MAX_AGE);
    }

    #[test]
    fn a_signed_request_is_opened_and_any_change_is_detected(
        chat_id in "[a-z_0-9]{1,40}", iv in any::<[u8; 16]>(), flip in any::<prop::sample::Index>(), bit in 0u8..8,
    ) {
        let payload = json!({
            "schema": "2.0",
            "header": {"event_id": "e", "token": TOKEN, "create_time": "1700000000123",
                       "event_type": "im.chat.disbanded_v1", "app_id": APP_ID},
            "event": {"chat_id": chat_id},
        });
        let body = json!({"encrypt": encrypt(payload.to_string().as_bytes(), iv)}).to_string();
        let given = signed(&body);
        match verifier(KEY, TOKEN).open(&given, body.as_bytes(), now()) {
            Ok(Incoming::Event(event)) => {
                prop_assert_eq!(event.kind, EventKind::ChatDisbanded { chat_id });
            }
            other => prop_assert!(false, "{:?}", other),
        }
        let mut changed = body.into_bytes();
        let at = flip.index(changed.len());
        changed[at] ^= 1 << bit;
        prop_assert!(verifier(KEY, TOKEN).open(&given, &changed, now()).is_err());
    }

    /// The padding may be right by chance, and that must not change the answer.
    #[test]
    fn a_body_encrypted_with_another_key_is_always_unauthorised(
        blocks in prop::collection::vec(any::<u8>(), 16..200),
        plain in prop::collection::vec(any::<u8>(), 0..40),
    ) {
        let undecryptable = Err(Rejection::Unauthorized(Unauthorized::Undecryptable));
        let whole = blocks.len() / 16 * 16;
        let sealed = STANDARD.encode(&blocks[..whole]);
        // The second body has valid padding, but its content is almost never JSON.
        let plain = [&b"<"[..], &plain[..]].concat();
        for sealed in [sealed, encrypt(&plain, [7; 16])] {
            let body = json!({ "encrypt": sealed }).to_string();
            let opened = verifier(KEY, TOKEN).open(&signed(&body), body.as_bytes(), now());
            prop_assert_eq!(opened, undecryptable.clone());
        }
    }

    #[test]
    fn sealed_garbage_never_panics(plain in prop::collection::vec(any::<u8>(), 0..200), inner in any_json()) {
        for plain in [plain, inner.to_string().into_bytes()] {
            let body = json!({"encrypt": encrypt(&plain, [7; 16])}).to_string();
            let _ = verifier(KEY, TOKEN).open(&signed(&body), body.as_bytes(), now());
            // Without a signature nothing is accepted: a challenge would need the token.
            prop_assert!(verifier(KEY, TOKEN).open(&headers([("a", "b")]), body.as_bytes(), now()).is_err());
        }
    }

    /// Names and labels are made of letters that the author does not type.
    #[test]
    fn only_what_the_author_typed_becomes_words(
        text in "(@_user_[0-9]{1,2}|@_all|@|\\[|\\]\\(|\\]\\(https://[xyz]*\\)|[a 世🔥\n]){0,20}",
        name in "[N @_]{0,10}",
        label in "[L 9]{1,8}",
        post in any::<bool>(),
    ) {
        let link = format!("[{label}](https://x.cn)");
        let (kind, content) = if post {
            ("post", json!({"title": text, "content": [[
                {"tag": "text", "text": text}, {"tag": "at", "user_id": "@_user_10", "user_name": name},
                {"tag": "at", "user_id": "@_user_77", "user_name": name}, {"tag": "text", "text": link},
                {"tag": "a", "text": label, "href": "https://x.cn"}, {"tag": "odd", "text": name}]]}))
        } else {
            ("text", json!({"text": format!("{text} {link} @_user_10")}))
        };
        let event = json!({
            "sender": {"sender_id": {"open_id": "ou_a"}},
            "message": {"message_id": "om", "chat_id": "oc", "message_type": kind,
                "content": content.to_string(),
                "mentions": [{"key": "@_user_1", "id": {"open_id": "ou_bot"}, "name": name},
                             {"key": "@_user_10", "id": {"open_id": "ou_x"}, "name": name}]},
        });
        let message = crate::feishu::message::MessageReceived::parse(&event, now()).unwrap();
        let heard = message.text_for_bot(Some("ou_bot")).unwrap();
        let words = heard.words();
        prop_assert!(!words.contains(['N', 'L', '9']) || text.contains('9'), "{words:?}");
        prop_assert!(!words.contains("@_user_10"), "{words:?}");
        prop_assert!(heard.mentioned);
    }
}
