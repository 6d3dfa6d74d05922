//! The tenant access token: fetched once for all callers, renewed before it ends, dropped when it is refused.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use jiff::{SignedDuration, Timestamp};
use parking_lot::Mutex;
use reqwest::Url;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use super::error::{Error, TOKEN_ENDPOINT};
use super::http::{self, Words};
use crate::clock::Clock;

/// How long before its end a token is renewed ("Get tenant_access_token": asked again with less than 30 min
/// left, the platform gives a new one, and the old one stays valid until its own end).
const EARLY: SignedDuration = SignedDuration::from_mins(10);
/// A renewal that failed while the old token is still good is tried again after this long.
const RENEWAL_PAUSE: SignedDuration = SignedDuration::from_secs(30);
/// No token lives longer ("at most 2 h"); a longer `expire` is not believed.
const LONGEST_LIFE: i64 = 7200;

/// What the token endpoint is asked with.
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
    /// Whoever has this asks the platform; it keeps the outcome of the last attempt that failed.
    flight: Arc<tokio::sync::Mutex<Option<Failure>>>,
    /// Attempts that have ended.
    ended: AtomicU64,
}

#[derive(Clone)]
struct Held {
    token: SecretString,
    obtained_at: Timestamp,
    renew_at: Timestamp,
    ends_at: Timestamp,
}

struct Failure {
    /// Which attempt it was.
    attempt: u64,
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
                flight: Arc::default(),
                ended: AtomicU64::new(0),
            }),
        }
    }

    /// A valid token. Waits for the platform only where there is none; callers who wait share one request and
    /// its outcome, success or failure.
    pub(super) async fn get(&self) -> Result<SecretString, Error> {
        let shared = &*self.shared;
        if let Some(held) = shared.valid() {
            if held.renew_at <= shared.clock.now() {
                self.renew_behind();
            }
            return Ok(held.token);
        }
        let ended_before = shared.ended.load(Ordering::SeqCst);
        let mut last_failure = shared.flight.lock().await;
        if let Some(held) = shared.valid() {
            return Ok(held.token);
        }
        match &*last_failure {
            // It ended while this caller waited for it.
            Some(failure) if failure.attempt > ended_before => Err(failure.error.clone()),
            _ => shared.fetch(&mut last_failure).await,
        }
    }

    /// Asks the platform for a token now, whatever is held.
    pub(super) async fn refresh(&self) -> Result<(), Error> {
        let mut last_failure = self.shared.flight.lock().await;
        self.shared.fetch(&mut last_failure).await.map(drop)
    }

    /// Forgets this token, unless another one has taken its place.
    pub(super) fn discard(&self, refused: &SecretString) {
        let mut held = self.shared.held.lock();
        if held.as_ref().is_some_and(|held| held.token.expose_secret() == refused.expose_secret()) {
            *held = None;
        }
    }

    /// When the token that is held was obtained.
    pub(super) fn obtained_at(&self) -> Option<Timestamp> {
        self.shared.held.lock().as_ref().map(|held| held.obtained_at)
    }

    /// Renews the token in a task of its own, unless somebody is at it. A failure is logged by the exchange and
    /// harms nobody while the old token lasts.
    fn renew_behind(&self) {
        let Ok(mut last_failure) = Arc::clone(&self.shared.flight).try_lock_owned() else {
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
        self.held.lock().as_ref().filter(|held| now < held.ends_at).cloned()
    }

    /// One attempt, by whoever has the flight.
    async fn fetch(&self, last_failure: &mut Option<Failure>) -> Result<SecretString, Error> {
        let result = self.ask().await;
        let attempt = self.ended.fetch_add(1, Ordering::SeqCst).saturating_add(1);
        match result {
            Ok(held) => {
                *last_failure = None;
                let token = held.token.clone();
                *self.held.lock() = Some(held);
                Ok(token)
            }
            Err(error) => {
                *last_failure = Some(Failure { attempt, error: error.clone() });
                Err(error)
            }
        }
    }

    async fn ask(&self) -> Result<Held, Error> {
        // The life of the token is counted from before the question: the answer may have been on its way long.
        let asked_at = self.clock.now();
        let secret = self.credentials.app_secret.expose_secret();
        let body = json!({ "app_id": self.credentials.app_id, "app_secret": secret });
        let request = self.http.post(self.credentials.url.clone()).json(&body);
        let answer = http::exchange(TOKEN_ENDPOINT, request, Words::Without(&[secret])).await?;
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
            obtained_at: asked_at,
            // A token that was given out short-lived is not renewed on every call.
            renew_at: later(asked_at, (life - EARLY).max(life / 2)),
            ends_at: later(asked_at, life),
        })
    }
}

fn later(at: Timestamp, by: SignedDuration) -> Timestamp {
    at.checked_add(by).unwrap_or(Timestamp::MAX)
}
