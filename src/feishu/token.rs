//! The tenant access token: fetched once for all callers, renewed before it expires, dropped when it is refused.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use jiff::{SignedDuration, Timestamp};
use parking_lot::Mutex;
use reqwest::Url;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use super::error::{Error, TOKEN_ENDPOINT};
use super::http::{self, Redaction};
use crate::clock::Clock;

/// How long before its expiry a token is renewed. With less than 30 min left the platform issues a new one, and the old
/// one stays valid until it expires (docs/platforms/feishu.md §2).
const EARLY: SignedDuration = SignedDuration::from_mins(10);
/// Retry delay after a failed renewal while the old token is still valid.
const RENEWAL_PAUSE: SignedDuration = SignedDuration::from_secs(30);
/// Longest lifetime of a token, in seconds ("at most 2 h"); a longer `expire` is capped.
const LONGEST_LIFE: i64 = 7200;

/// What the token endpoint needs.
pub(super) struct Credentials {
    pub(super) url: Url,
    pub(super) app_id: String,
    pub(super) app_secret: SecretString,
}

/// Hands out the token. Clones share it.
#[derive(Clone)]
pub(super) struct TokenSource {
    shared: Arc<Shared>,
}

struct Shared {
    http: reqwest::Client,
    credentials: Credentials,
    clock: Clock,
    held: Mutex<Option<Held>>,
    /// Why the last fetch failed, until one succeeds.
    failure: Mutex<Option<Error>>,
    /// Held during a fetch, so that there is one at a time; keeps the error of the last one if it failed.
    in_flight: Arc<tokio::sync::Mutex<Option<FailedFetch>>>,
    /// How many fetches have ended.
    ended: AtomicU64,
}

#[derive(Clone)]
struct Held {
    token: SecretString,
    obtained_at: Timestamp,
    renew_at: Timestamp,
    expires_at: Timestamp,
}

struct FailedFetch {
    /// The number of the fetch.
    number: u64,
    error: Error,
}

impl TokenSource {
    pub(super) fn new(http: reqwest::Client, credentials: Credentials, clock: Clock) -> Self {
        Self {
            shared: Arc::new(Shared {
                http,
                credentials,
                clock,
                held: Mutex::new(None),
                failure: Mutex::new(None),
                in_flight: Arc::default(),
                ended: AtomicU64::new(0),
            }),
        }
    }

    /// Returns a valid token. Waits for the platform only if there is none; concurrent callers share one request and
    /// its outcome, success or failure.
    pub(super) async fn get(&self) -> Result<SecretString, Error> {
        let shared = &*self.shared;
        if let Some(held) = shared.valid() {
            if held.renew_at <= shared.clock.now() {
                self.renew_in_background();
            }
            return Ok(held.token);
        }
        let ended_before = shared.ended.load(Ordering::SeqCst);
        let mut last_failure = shared.in_flight.lock().await;
        if let Some(held) = shared.valid() {
            return Ok(held.token);
        }
        match &*last_failure {
            // This fetch ended while the caller waited for it.
            Some(failure) if failure.number > ended_before => Err(failure.error.clone()),
            _ => shared.fetch(&mut last_failure).await,
        }
    }

    /// Fetches a new token now, even if the current one is valid.
    pub(super) async fn refresh(&self) -> Result<(), Error> {
        let mut last_failure = self.shared.in_flight.lock().await;
        self.shared.fetch(&mut last_failure).await.map(drop)
    }

    /// Drops this token, unless another one has replaced it.
    pub(super) fn discard(&self, refused: &SecretString) {
        let mut held = self.shared.held.lock();
        if held.as_ref().is_some_and(|held| held.token.expose_secret() == refused.expose_secret()) {
            *held = None;
        }
    }

    /// Returns when the current token was obtained.
    pub(super) fn obtained_at(&self) -> Option<Timestamp> {
        self.shared.held.lock().as_ref().map(|held| held.obtained_at)
    }

    /// Returns why the last fetch failed, unless it succeeded.
    pub(super) fn failure(&self) -> Option<Error> {
        self.shared.failure.lock().clone()
    }

    /// Renews the token in the background, unless a fetch is already running. [`http::exchange`] logs a failure, which
    /// does no harm while the old token is valid.
    fn renew_in_background(&self) {
        let Ok(mut last_failure) = Arc::clone(&self.shared.in_flight).try_lock_owned() else {
            return;
        };
        let shared = Arc::clone(&self.shared);
        tokio::spawn(async move {
            if shared.fetch(&mut last_failure).await.is_err() {
                let next = later(shared.clock.now(), RENEWAL_PAUSE);
                if let Some(held) = shared.held.lock().as_mut() {
                    held.renew_at = next;
                }
            }
        });
    }
}

impl Shared {
    fn valid(&self) -> Option<Held> {
        let now = self.clock.now();
        self.held.lock().as_ref().filter(|held| now < held.expires_at).cloned()
    }

    /// Fetches a token once; the caller holds [`Shared::in_flight`].
    async fn fetch(&self, last_failure: &mut Option<FailedFetch>) -> Result<SecretString, Error> {
        let result = self.request().await;
        let number = self.ended.fetch_add(1, Ordering::SeqCst).saturating_add(1);
        *self.failure.lock() = result.as_ref().err().cloned();
        match result {
            Ok(held) => {
                *last_failure = None;
                let token = held.token.clone();
                *self.held.lock() = Some(held);
                Ok(token)
            }
            Err(error) => {
                *last_failure = Some(FailedFetch { number, error: error.clone() });
                Err(error)
            }
        }
    }

    async fn request(&self) -> Result<Held, Error> {
        // Count the lifetime from before the request: the response may have taken a long time.
        let requested_at = self.clock.now();
        let secret = self.credentials.app_secret.expose_secret();
        let body = json!({ "app_id": self.credentials.app_id, "app_secret": secret });
        let request = self.http.post(self.credentials.url.clone()).json(&body);
        let answer = http::exchange(TOKEN_ENDPOINT, request, Redaction::Secrets(&[secret])).await?;
        // At top level, not under `data`.
        let token = answer
            .body
            .get("tenant_access_token")
            .and_then(Value::as_str)
            .filter(|token| !token.is_empty())
            .ok_or_else(|| answer.lacks("the answer has no token"))?;
        let life = answer
            .body
            .get("expire")
            .and_then(Value::as_i64)
            .filter(|seconds| *seconds > 0)
            .ok_or_else(|| answer.lacks("the answer does not say how long the token lives"))?;
        let life = SignedDuration::from_secs(life.min(LONGEST_LIFE));
        Ok(Held {
            token: SecretString::from(token),
            obtained_at: requested_at,
            // A short-lived token is not renewed on every call.
            renew_at: later(requested_at, (life - EARLY).max(life / 2)),
            expires_at: later(requested_at, life),
        })
    }
}

fn later(at: Timestamp, by: SignedDuration) -> Timestamp {
    at.checked_add(by).unwrap_or(Timestamp::MAX)
}
