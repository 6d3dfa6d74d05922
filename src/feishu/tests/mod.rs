//! Tests of the Feishu side as a whole: the shared vectors, the clients against a server on loopback, and
//! properties of what strangers may send.

mod client;
mod events;
mod properties;
pub(super) mod stub;
mod text;
mod token;
mod vectors;
mod webhook;

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use secrecy::SecretString;

use super::{CallbackKeys, CallbackVerifier};

const APP_ID: &str = "cli_a1b2c3d4e5f60718";
const TOKEN: &str = "v7Rk2Mx9Qp4Ln8Td1Ws6Yb3Hc5Jf0Gz";

fn verifier(encrypt_key: &str, verification_token: &str) -> CallbackVerifier {
    CallbackVerifier::new(CallbackKeys {
        app_id: APP_ID.to_owned(),
        encrypt_key: Some(SecretString::from(encrypt_key)),
        verification_token: SecretString::from(verification_token),
    })
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
