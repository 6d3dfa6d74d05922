//! Custom bots: a group's one-way webhook, with an optional signature and no token (docs/platforms/feishu.md §6).

use std::fmt;
use std::time::Duration;

use jiff::Timestamp;
use reqwest::Url;
use reqwest::header::{CONTENT_TYPE, HeaderValue};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value};

use super::crypto;
use super::error::{Error, WEBHOOK_ENDPOINT};
use super::http::{self, Redaction};

/// Largest body that a custom bot accepts, in bytes ("Custom bot guide"; the FAQ says 30 KB, which airgate does not
/// rely on).
pub const WEBHOOK_BODY_LIMIT: usize = 20 * 1024;

/// One group's custom bot.
#[derive(Clone)]
pub struct CustomBot {
    http: reqwest::Client,
    url: Url,
    secret: Option<SecretString>,
}

/// Shows only the host: anybody who knows the address can post into the group.
impl fmt::Debug for CustomBot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CustomBot")
            .field("host", &self.url.host_str())
            .field("signed", &self.secret.is_some())
            .finish_non_exhaustive()
    }
}

impl CustomBot {
    /// Creates a client for the bot at `url`, which [`crate::address::webhook_url`] must have accepted. `secret` is the
    /// bot's signature secret; an empty one counts as none. `timeout` covers one request with its response. Fails only
    /// with [`Error::Setup`].
    pub fn new(url: Url, secret: Option<SecretString>, timeout: Duration) -> Result<Self, Error> {
        Ok(Self {
            http: http::client(&url, timeout)?,
            url,
            secret: secret.filter(|secret| !secret.expose_secret().is_empty()),
        })
    }

    /// Posts a card. There is no idempotency key, so a retry after an unclear outcome may post it twice. `now` goes into
    /// the signature; the platform accepts it within an hour of its own clock.
    ///
    /// Only the code decides about success: errors come with HTTP 200.
    pub async fn send_card(&self, card: &Value, now: Timestamp) -> Result<(), Error> {
        let body = self.body(card, now);
        if body.len() > WEBHOOK_BODY_LIMIT {
            return Err(Error::Unsendable {
                endpoint: WEBHOOK_ENDPOINT,
                what: "the card is over 20 KB, too large for a custom bot",
            });
        }
        let request = self
            .http
            .post(self.url.clone())
            .header(CONTENT_TYPE, HeaderValue::from_static("application/json; charset=utf-8"))
            .body(body);
        let secret = self.secret.as_ref().map_or("", |secret| secret.expose_secret());
        // Whoever knows the last segment of the path can post.
        let key = self.url.path_segments().and_then(|mut path| path.next_back()).unwrap_or("");
        http::exchange(WEBHOOK_ENDPOINT, request, Redaction::Secrets(&[secret, key]))
            .await
            .map(drop)
    }

    fn body(&self, card: &Value, now: Timestamp) -> Vec<u8> {
        let mut body = Map::new();
        if let Some(secret) = &self.secret {
            let timestamp = now.as_second().to_string();
            let sign = crypto::webhook_sign(&timestamp, secret);
            body.insert("timestamp".into(), timestamp.into());
            body.insert("sign".into(), sign.into());
        }
        body.insert("msg_type".into(), "interactive".into());
        // Unlike in the message API, the card is an object, not a string.
        body.insert("card".into(), card.clone());
        Value::Object(body).to_string().into_bytes()
    }
}
