//! Tests of the Feishu client as a whole: the shared vectors, the clients against a stub server, and properties of
//! arbitrary input.

mod client;
mod events;
mod properties;
pub(super) mod stub;
mod text;
mod token;
mod vectors;
mod webhook;

use jiff::SignedDuration;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use secrecy::SecretString;

use super::{CallbackKeys, CallbackVerifier};

/// Events older than this are stale.
const MAX_AGE: SignedDuration = SignedDuration::from_hours(8);
const APP_ID: &str = "cli_a1b2c3d4e5f60718";
const TOKEN: &str = "v7Rk2Mx9Qp4Ln8Td1Ws6Yb3Hc5Jf0Gz";

fn verifier(encrypt_key: &str, verification_token: &str) -> CallbackVerifier {
    let keys = CallbackKeys {
        app_id: APP_ID.to_owned(),
        encrypt_key: Some(SecretString::from(encrypt_key)),
        verification_token: SecretString::from(verification_token),
    };
    CallbackVerifier::new(keys, MAX_AGE)
}

fn headers<N: AsRef<str>, V: AsRef<str>>(pairs: impl IntoIterator<Item = (N, V)>) -> HeaderMap {
    pairs
        .into_iter()
        .map(|(name, value)| {
            (
                HeaderName::from_bytes(name.as_ref().as_bytes()).unwrap(),
                HeaderValue::from_str(value.as_ref()).unwrap(),
            )
        })
        .collect()
}
