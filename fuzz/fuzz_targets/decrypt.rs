//! Decryption: the input as ciphertext, as the plaintext of a validly signed body, and that body with one bit flipped.
#![no_main]

use aes::Aes256;
use aes::cipher::block_padding::Pkcs7;
use aes::cipher::{BlockModeEncrypt, KeyIvInit};
use airgate::domain::EVENT_WINDOW;
use airgate::feishu::{CallbackKeys, CallbackVerifier, Incoming, Rejection, parse_payload};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, HeaderValue};
use jiff::Timestamp;
use libfuzzer_sys::fuzz_target;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

const KEY: &str = "kZ3vQm8Xw1Lr5Tn0Yb7Hc2Jd9Fg4Sa6P";
const TOKEN: &str = "v7Rk2Mx9Qp4Ln8Td1Ws6Yb3Hc5Jf0Gz";

fn seal(plain: &[u8], iv: [u8; 16]) -> Vec<u8> {
    let key: [u8; 32] = Sha256::digest(KEY).into();
    let mut buffer = plain.to_vec();
    buffer.resize(plain.len() + 16, 0);
    let sealed = cbc::Encryptor::<Aes256>::new(&key.into(), &iv.into())
        .encrypt_padded::<Pkcs7>(&mut buffer, plain.len())
        .unwrap();
    [&iv[..], sealed].concat()
}

fn open(encrypt: &str, signed: bool) -> Result<Incoming, Rejection> {
    let keys = CallbackKeys {
        app_id: "cli_a1b2c3d4e5f60718".to_owned(),
        encrypt_key: Some(KEY.into()),
        verification_token: TOKEN.into(),
    };
    let verifier = CallbackVerifier::new(keys, EVENT_WINDOW);
    let body = json!({ "encrypt": encrypt }).to_string();
    let mut headers = HeaderMap::new();
    if signed {
        let mut hash = Sha256::new();
        hash.update(KEY);
        hash.update(&body);
        let signature = hex::encode(hash.finalize());
        headers.insert("x-lark-signature", HeaderValue::try_from(signature).unwrap());
    }
    verifier.open(&headers, body.as_bytes(), Timestamp::from_second(1_700_000_005).unwrap())
}

fuzz_target!(|data: &[u8]| {
    // As ciphertext.
    let _ = open(&String::from_utf8_lossy(data), true);
    let _ = open(&STANDARD.encode(data), true);
    // As plaintext: decrypts, and is handled like the same payload unencrypted.
    let mut sealed = seal(data, [7; 16]);
    let opened = open(&STANDARD.encode(&sealed), true);
    let now = Timestamp::from_second(1_700_000_005).unwrap();
    match serde_json::from_slice::<Value>(data) {
        // What is not JSON was not decrypted: see `CallbackVerifier::open`.
        Err(_) => assert!(matches!(opened, Err(Rejection::Unauthorized(_)))),
        Ok(payload) => {
            if opened.is_ok() {
                assert_eq!(opened, parse_payload(&payload, now, EVENT_WINDOW));
            }
        }
    }
    // Tampered with and unsigned: never an event.
    let last = sealed.len() - 1;
    sealed[data.len() % (last + 1)] ^= 1;
    assert!(!matches!(open(&STANDARD.encode(&sealed), false), Ok(Incoming::Event(_))));
});
