//! From the bytes of an HTTP request to something that can be trusted: decryption, signature, verification
//! token, app id. What the trusted payload says is read in [`super::event`].

use std::fmt;

use jiff::Timestamp;
use reqwest::header::HeaderMap;
use secrecy::{ExposeSecret, SecretString};
use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use serde_json::value::RawValue;

use super::crypto;
use super::event::{self, Incoming};

const TIMESTAMP_HEADER: &str = "x-lark-request-timestamp";
const NONCE_HEADER: &str = "x-lark-request-nonce";
const SIGNATURE_HEADER: &str = "x-lark-signature";

/// What an app's developer console shows under "Events and callbacks", "Encryption strategy".
#[derive(Clone, Debug)]
pub struct CallbackKeys {
    /// The app's own id, `cli_…`.
    pub app_id: String,
    /// With an Encrypt Key everything arrives encrypted and signed; without one, plain, protected by the
    /// verification token alone. An empty key counts as none.
    pub encrypt_key: Option<SecretString>,
    /// Repeated by the platform in every event and callback.
    pub verification_token: SecretString,
}

/// Why a request is not from the platform (HTTP 401).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unauthorized {
    /// An Encrypt Key is set and there is no signature.
    #[error("the signature is missing")]
    SignatureMissing,
    /// The signature does not fit the body; the Encrypt Key differs from the console's.
    #[error("the signature is wrong")]
    SignatureWrong,
    /// An Encrypt Key is set and the body is not encrypted.
    #[error("the body is not encrypted though an Encrypt Key is set")]
    NotEncrypted,
    /// The body is encrypted and no Encrypt Key is set, or not the one it was encrypted with.
    #[error("the body cannot be decrypted")]
    Undecryptable,
    /// Missing or not ours; the Verification Token differs from the console's.
    #[error("the verification token is wrong")]
    Token,
    /// Meant for another app.
    #[error("the event is for another app")]
    App,
}

/// Why a request cannot be understood (HTTP 400).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// The body, or what was inside the encryption, is not JSON.
    #[error("the body is not JSON")]
    NotJson,
    /// JSON, but neither an event nor a url_verification. So are callbacks of the old kind
    /// (card.action.trigger_v1): they have no envelope and no verification token. Subscribe to
    /// card.action.trigger instead.
    #[error("the body is not an event")]
    NotAnEvent,
}

/// A request that is refused, nothing done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// Answer 401.
    #[error(transparent)]
    Unauthorized(#[from] Unauthorized),
    /// Answer 400.
    #[error(transparent)]
    Malformed(#[from] Malformed),
}

impl Rejection {
    /// The HTTP status to answer with.
    pub fn status(self) -> u16 {
        match self {
            Self::Unauthorized(_) => 401,
            Self::Malformed(_) => 400,
        }
    }
}

/// Opens events and card callbacks that arrive over HTTP; both may arrive at the same address.
pub struct CallbackVerifier {
    keys: CallbackKeys,
}

impl fmt::Debug for CallbackVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("CallbackVerifier").field(&self.keys).finish()
    }
}

impl CallbackVerifier {
    /// A verifier for one app.
    pub fn new(mut keys: CallbackKeys) -> Self {
        keys.encrypt_key = keys.encrypt_key.filter(|key| !key.expose_secret().is_empty());
        Self { keys }
    }

    /// Verifies, decrypts and parses one request. `body` is the bytes as received: the signature covers them.
    ///
    /// A url_verification needs no signature ("Configure the request URL": the platform sends it unsigned even
    /// with an Encrypt Key), but the right token. The timestamp header is part of the signed text and nothing
    /// else: its format is not documented and differs, so staleness goes by the event's `create_time`.
    pub fn open(
        &self,
        headers: &HeaderMap,
        body: &[u8],
        now: Timestamp,
    ) -> Result<Incoming, Rejection> {
        let outer = Outer::read(body)?;

        let payload = match (&self.keys.encrypt_key, outer.encrypt) {
            (None, None) => {
                self.check_plain(&outer)?;
                serde_json::from_slice(body).map_err(|_| Malformed::NotJson)?
            }
            (None, Some(_)) => return Err(Unauthorized::Undecryptable.into()),
            (Some(_), None) => return Err(Unauthorized::NotEncrypted.into()),
            (Some(key), Some(sealed)) => {
                let signed = check_signature(headers, key, body);
                let plain = text(sealed)
                    .and_then(|sealed| crypto::decrypt(key, &sealed).ok())
                    .map(|plain| serde_json::from_slice::<Value>(&plain));
                match (signed, plain) {
                    (_, Some(Ok(payload))) if event::is_url_verification(&payload) => payload,
                    // Whoever cannot sign learns nothing of how far decryption came.
                    (Err(unsigned), _) => return Err(unsigned.into()),
                    (Ok(()), None) => return Err(Unauthorized::Undecryptable.into()),
                    (Ok(()), Some(Err(_))) => return Err(Malformed::NotJson.into()),
                    (Ok(()), Some(Ok(payload))) => payload,
                }
            }
        };
        self.check_sender(&payload)?;
        event::parse_payload(&payload, now)
    }

    /// [`Self::check_sender`], as far as the token, for a body that is not read yet: without a signature nothing else says
    /// that somebody may have a whole tree built of it.
    fn check_plain(&self, outer: &Outer<'_>) -> Result<(), Rejection> {
        let token = match (outer.header, outer.kind) {
            (Some(header), _) => {
                serde_json::from_str(header.get()).ok().and_then(|header: Header<'_>| header.token)
            }
            (None, Some(_)) => outer.token,
            (None, None) => return Err(Malformed::NotAnEvent.into()),
        };
        if self.is_our_token(&token.and_then(text).unwrap_or_default()) {
            Ok(())
        } else {
            Err(Unauthorized::Token.into())
        }
    }

    fn is_our_token(&self, token: &str) -> bool {
        let ours = self.keys.verification_token.expose_secret();
        // An empty token of ours would let everybody in.
        !ours.is_empty() && crypto::same(token.as_bytes(), ours.as_bytes())
    }

    /// The verification token must be ours, and so must the app id where one is named.
    fn check_sender(&self, payload: &Value) -> Result<(), Rejection> {
        let (token, app_id) = match payload.get("header") {
            Some(header) => (header.get("token"), header.get("app_id")),
            // Bare envelopes: url_verification, events of version 1.0.
            None if payload.get("type").is_some() => {
                (payload.get("token"), payload.get("event").and_then(|event| event.get("app_id")))
            }
            None => return Err(Malformed::NotAnEvent.into()),
        };
        if !self.is_our_token(token.and_then(Value::as_str).unwrap_or_default()) {
            return Err(Unauthorized::Token.into());
        }
        match app_id {
            Some(app_id) if app_id.as_str() != Some(&self.keys.app_id) => {
                Err(Unauthorized::App.into())
            }
            _ => Ok(()),
        }
    }
}

/// The outermost members of a body, as they stand there. Nobody has proven yet to be the platform, and a tree of
/// [`Value`]s takes up to a hundred times the memory of its text.
#[derive(Deserialize)]
struct Outer<'b> {
    /// Also where it is null: sealed nothing is not plain.
    #[serde(borrow, default, deserialize_with = "whatever")]
    encrypt: Option<&'b RawValue>,
    #[serde(borrow)]
    header: Option<&'b RawValue>,
    #[serde(borrow)]
    token: Option<&'b RawValue>,
    #[serde(borrow, rename = "type")]
    kind: Option<&'b RawValue>,
}

#[derive(Deserialize)]
struct Header<'b> {
    #[serde(borrow)]
    token: Option<&'b RawValue>,
}

impl<'b> Outer<'b> {
    fn read(body: &'b [u8]) -> Result<Self, Malformed> {
        // A list would be taken for the members in their order.
        if body.trim_ascii_start().first() != Some(&b'{') {
            return Err(match serde_json::from_slice::<IgnoredAny>(body) {
                Ok(_) => Malformed::NotAnEvent,
                Err(_) => Malformed::NotJson,
            });
        }
        serde_json::from_slice(body).map_err(|error| {
            if error.is_data() { Malformed::NotAnEvent } else { Malformed::NotJson }
        })
    }
}

fn whatever<'b, D: Deserializer<'b>>(value: D) -> Result<Option<&'b RawValue>, D::Error> {
    <&RawValue>::deserialize(value).map(Some)
}

fn text(value: &RawValue) -> Option<String> {
    serde_json::from_str(value.get()).ok()
}

fn check_signature(
    headers: &HeaderMap,
    encrypt_key: &SecretString,
    body: &[u8],
) -> Result<(), Unauthorized> {
    let header = |name| headers.get(name).map_or(&[][..], |value| value.as_bytes());
    let given = header(SIGNATURE_HEADER);
    if given.is_empty() {
        return Err(Unauthorized::SignatureMissing);
    }
    let expected = crypto::callback_signature(
        header(TIMESTAMP_HEADER),
        header(NONCE_HEADER),
        encrypt_key,
        body,
    );
    if crypto::same(given, expected.as_bytes()) {
        Ok(())
    } else {
        Err(Unauthorized::SignatureWrong)
    }
}
