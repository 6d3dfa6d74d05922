//! Authenticates the bytes of an HTTP request: decryption, signature, verification token, app id
//! (docs/platforms/feishu.md §7). [`super::event`] reads the authenticated payload.

use std::fmt;

use jiff::{SignedDuration, Timestamp};
use reqwest::header::HeaderMap;
use secrecy::{ExposeSecret, SecretString};
use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use serde_json::value::RawValue;

use super::crypto;
use super::event::{self, Incoming};
use super::rejection::{Malformed, Rejection, Unauthorized};

const TIMESTAMP_HEADER: &str = "x-lark-request-timestamp";
const NONCE_HEADER: &str = "x-lark-request-nonce";
const SIGNATURE_HEADER: &str = "x-lark-signature";

/// The keys shown in the app's developer console under "Events and callbacks", "Encryption strategy".
#[derive(Clone, Debug)]
pub struct CallbackKeys {
    /// The app's own id, `cli_…`.
    pub app_id: String,
    /// With an Encrypt Key, requests arrive encrypted and signed. Without one they arrive in plain text, protected
    /// only by the verification token. An empty key counts as none.
    pub encrypt_key: Option<SecretString>,
    /// The platform repeats it in every event and callback.
    pub verification_token: SecretString,
}

/// Verifies and reads the events and card callbacks that arrive over HTTP; both may use the same address.
pub struct CallbackVerifier {
    keys: CallbackKeys,
    max_event_age: SignedDuration,
}

impl fmt::Debug for CallbackVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("CallbackVerifier").field(&self.keys).finish()
    }
}

impl CallbackVerifier {
    /// Creates a verifier for one app. Events older than `max_event_age` become [`Incoming::Stale`].
    pub fn new(mut keys: CallbackKeys, max_event_age: SignedDuration) -> Self {
        keys.encrypt_key = keys.encrypt_key.filter(|key| !key.expose_secret().is_empty());
        Self { keys, max_event_age }
    }

    /// Verifies, decrypts and parses one request. `body` is the bytes as received, which the signature covers.
    ///
    /// A url_verification needs the right token but no signature: the platform sends it unsigned even with an
    /// Encrypt Key (docs/platforms/feishu.md §7.3). The timestamp header is only used as part of the signed text:
    /// its format is undocumented and varies, so the event's `create_time` decides whether it is stale.
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
                    // A sender that cannot sign must not learn how far decryption got.
                    (Err(unsigned), _) => return Err(unsigned.into()),
                    // One in 256 bodies encrypted with another key happens to end in valid padding: if the result is not
                    // JSON, it was not decrypted either.
                    (Ok(()), None | Some(Err(_))) => return Err(Unauthorized::Undecryptable.into()),
                    (Ok(()), Some(Ok(payload))) => payload,
                }
            }
        };
        self.check_sender(&payload)?;
        event::parse_payload(&payload, now, self.max_event_age)
    }

    /// Checks the token of an unsigned body before it is parsed in full, so that a stranger cannot make this process
    /// build a whole tree from it. [`Self::check_sender`] follows.
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
        // An empty configured token would let everybody in.
        !ours.is_empty() && crypto::same(token.as_bytes(), ours.as_bytes())
    }

    /// Requires our verification token, and our app id if the payload names one.
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

/// The outermost members of a body, unparsed. The sender is not authenticated yet, and a tree of [`Value`]s takes up to a
/// hundred times the memory of its text.
#[derive(Deserialize)]
struct Outer<'b> {
    /// `Some` even for null: a body with a null `encrypt` is not plain text.
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
        // serde would accept a list of the members in order.
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
