//! The HTTP client: signs, rate-limits, sends, retries. The actions are in the modules beside it.

use std::fmt;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use backon::{ExponentialBuilder, Retryable};
use reqwest::Method;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HOST, HeaderValue};
use secrecy::{ExposeSecret, SecretString};

use super::call::{Api, Call, Input, Retry};
use super::endpoint::Endpoint;
use super::envelope::{self, ApiResponse};
use super::error::{Error, ErrorKind, TransportFault};
use super::rate_limit::{KeyState, Lane, Limiters};
use super::sign::{Signer, ToSign, canonical_query};
use crate::clock::Clock;
use crate::domain::AccountNumber;

/// Largest response accepted. A page of 300 bill rows takes about 1 MiB.
const MAX_RESPONSE: usize = 32 << 20;
/// Connect timeout.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Shorter texts are no keys of the cloud, and would be found within the words of its messages.
const SHORTEST_SECRET: usize = 8;
/// The only region of 方舟 (docs/platforms/ark.md §A.1).
const ARK_REGION: &str = "cn-beijing";
/// [`Error::action`] of errors of the setup itself.
const SETUP: &str = "Client";

/// How to reach the API.
#[derive(Clone, Debug)]
pub struct ClientConfig {
    /// The endpoint of IAM and the project actions; see [`crate::address::api_url`].
    pub iam_endpoint: String,
    /// The endpoint of billing.
    pub billing_endpoint: String,
    /// The endpoint of 方舟.
    pub ark_endpoint: String,
    /// The region in the signature's scope (`cn-beijing`) of IAM and billing, which are global. That of 方舟 is fixed.
    pub region: String,
    /// Calls per second and main account, IAM and billing together.
    pub qps: NonZeroU32,
    /// Calls per second and main account to 方舟.
    pub ark_qps: NonZeroU32,
    /// Timeout of a single request, response included.
    pub timeout: Duration,
}

/// How failed calls are retried. Only [transient](Error::is_transient) failures are; each retry is signed again and takes
/// its turn in the rate limiter.
#[derive(Clone, Copy, Debug)]
pub struct RetryPolicy {
    /// Max retries after the first attempt.
    pub retries: usize,
    /// Delay before the first retry; doubles each time, plus up to 100 % jitter.
    pub base_delay: Duration,
    /// A longer `Retry-After` ends the retries; the caller tries again later.
    pub max_retry_after: Duration,
}

impl Default for RetryPolicy {
    /// 4 retries after 0.3, 0.6, 1.2 and 2.4 s, plus jitter of up to as much again.
    fn default() -> Self {
        Self {
            retries: 4,
            base_delay: Duration::from_millis(300),
            max_retry_after: Duration::from_secs(30),
        }
    }
}

impl RetryPolicy {
    /// The usual number of retries with hardly any delay: for tests against a stand-in.
    pub fn quick() -> Self {
        Self { base_delay: Duration::from_millis(1), ..Self::default() }
    }

    fn schedule(&self) -> ExponentialBuilder {
        ExponentialBuilder::new()
            .with_min_delay(self.base_delay)
            .with_factor(2.0)
            .with_jitter()
            .with_max_times(self.retries)
    }

    /// Returns the delay before the next retry; `planned` is `None` if there are none left.
    fn wait(&self, error: &Error, planned: Option<Duration>) -> Option<Duration> {
        let planned = planned?;
        match error.retry_after() {
            Some(asked) if asked > self.max_retry_after => None,
            Some(asked) => Some(planned.max(asked)),
            None => Some(planned),
        }
    }
}

/// An access key pair of a main account, or of a sub-account with the required permissions.
#[derive(Clone)]
pub struct Credentials {
    /// `AKLT…`
    pub access_key_id: String,
    /// Its secret.
    pub secret_key: SecretString,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials")
            .field("access_key_id", &hint(&self.access_key_id))
            .finish_non_exhaustive()
    }
}

/// Returns the first 4 and last 4 characters of an access key id, the only part that may be shown.
fn hint(id: &str) -> String {
    match (id.get(..4), id.get(id.len().saturating_sub(4)..)) {
        (Some(first), Some(last)) if id.len() >= 12 => format!("{first}…{last}"),
        _ => "…".into(),
    }
}

/// The client of the API. Cheap to clone; clones share connections and rate limiters.
#[derive(Clone)]
pub struct Client {
    shared: Arc<Shared>,
    retry: RetryPolicy,
}

struct Shared {
    http: reqwest::Client,
    iam: Endpoint,
    billing: Endpoint,
    ark: Endpoint,
    region: String,
    clock: Clock,
    limiters: Limiters,
}

/// Calls the API with one access key. Cheap to create and clone.
#[derive(Clone)]
pub struct AccountClient {
    client: Client,
    credentials: Arc<Credentials>,
    key: Arc<KeyState>,
}

impl Client {
    /// Creates a client; `clock` dates the signatures.
    ///
    /// # Errors
    /// [`ErrorKind::Configuration`] if an endpoint is invalid or TLS cannot be set up.
    pub fn new(config: ClientConfig, clock: Clock) -> Result<Self, Error> {
        let endpoint = |key: &str, text: &str| {
            Endpoint::parse(text).map_err(|error| {
                Error::new(SETUP, ErrorKind::Configuration, format!("volcengine.{key} {error}"))
                    .with_source(error)
            })
        };
        let iam = endpoint("iam_endpoint", &config.iam_endpoint)?;
        let billing = endpoint("billing_endpoint", &config.billing_endpoint)?;
        let ark = endpoint("ark_endpoint", &config.ark_endpoint)?;
        let mut builder = reqwest::Client::builder()
            // A redirect would carry the signed request to another host.
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(CONNECT_TIMEOUT.min(config.timeout))
            .timeout(config.timeout)
            .user_agent(concat!("airgate/", env!("CARGO_PKG_VERSION")));
        if [&iam, &billing, &ark].into_iter().any(Endpoint::is_loopback) {
            builder = builder.no_proxy();
        }
        let http = builder.build().map_err(|error| {
            Error::new(SETUP, ErrorKind::Configuration, error.to_string()).with_source(error)
        })?;
        Ok(Self {
            shared: Arc::new(Shared {
                http,
                iam,
                billing,
                ark,
                region: config.region,
                clock,
                limiters: Limiters::new(config.qps, config.ark_qps),
            }),
            retry: RetryPolicy::default(),
        })
    }

    /// Replaces the retry policy.
    pub fn with_retry(mut self, retry: RetryPolicy) -> Self {
        self.retry = retry;
        self
    }

    /// Returns a client for one access key. All clients for the same access key id share a rate limiter, and so do all keys
    /// of one main account as soon as it is known that they are.
    pub fn account(&self, credentials: Credentials) -> AccountClient {
        let key = self.shared.limiters.key(&credentials.access_key_id);
        AccountClient { client: self.clone(), credentials: Arc::new(credentials), key }
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("iam", &self.shared.iam.host())
            .field("billing", &self.shared.billing.host())
            .field("ark", &self.shared.ark.host())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for AccountClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccountClient")
            .field("credentials", &self.credentials)
            .finish_non_exhaustive()
    }
}

impl AccountClient {
    /// Returns whether this client signs with the access key of this id.
    pub fn uses_key(&self, access_key_id: &str) -> bool {
        self.credentials.access_key_id == access_key_id
    }

    /// Tells the client which main account its key belongs to, if the caller knows it.
    #[must_use]
    pub fn of_account(self, number: AccountNumber) -> Self {
        self.learn(number);
        self
    }

    /// Returns the number of the main account, if it is known already. [`AccountClient::account_number`] asks for it.
    pub(super) fn known_account(&self) -> Option<AccountNumber> {
        self.key.account()
    }

    pub(super) fn learn(&self, number: AccountNumber) {
        self.client.shared.limiters.learn(&self.key, number);
    }

    /// Returns the time by the clock that dates the signatures.
    pub(super) fn now(&self) -> jiff::Timestamp {
        self.client.shared.clock.now()
    }

    /// Makes one call with its retries, and returns the last failure.
    pub async fn call(&self, call: &Call) -> Result<ApiResponse, Error> {
        let retry = &self.client.retry;
        (|| self.attempt(call))
            .retry(retry.schedule())
            .sleep(tokio::time::sleep)
            .when(|error| match call.retry {
                Retry::Always => error.is_transient(),
                Retry::IfNotApplied => error.was_not_applied(),
            })
            .adjust(|error, planned| retry.wait(error, planned))
            .await
    }

    /// Sends one request when the rate limiter allows it, and records the outcome in the log and in the metrics.
    async fn attempt(&self, call: &Call) -> Result<ApiResponse, Error> {
        self.key.acquire(lane(call.api)).await;
        let outcome = self.send(call).await.map_err(|error| error.of_api(call.api));
        let label = match &outcome {
            Ok(_) => "ok",
            Err(error) => error.kind().outcome(),
        };
        metrics::counter!("airgate_cloud_requests_total", "action" => call.action, "outcome" => label)
            .increment(1);
        if let Err(error) = &outcome {
            tracing::warn!(
                action = call.action,
                kind = ?error.kind(),
                code = error.code(),
                status = error.status(),
                request_id = error.request_id(),
                message = error.message(),
                "a request to the cloud failed"
            );
        }
        outcome
    }

    async fn send(&self, call: &Call) -> Result<ApiResponse, Error> {
        let shared = &self.client.shared;
        let (endpoint, region) = match call.api {
            Api::Iam | Api::Projects => (&shared.iam, shared.region.as_str()),
            Api::Billing => (&shared.billing, shared.region.as_str()),
            Api::Ark => (&shared.ark, ARK_REGION),
        };
        let action = call.configured.as_deref().unwrap_or(call.action);
        let mut pairs = vec![("Action", action), ("Version", call.api.version())];
        let (method, content_type, body) = match &call.input {
            Input::Query(query) => {
                pairs.extend(query.iter().map(|(key, value)| (&**key, value.as_str())));
                (Method::GET, None, String::new())
            }
            Input::Json(body) => (Method::POST, Some("application/json"), body.to_string()),
            Input::JsonAndQuery(body, query) => {
                pairs.extend(query.iter().map(|(key, value)| (&**key, value.as_str())));
                (Method::POST, Some("application/json"), body.to_string())
            }
        };
        let query = canonical_query(&pairs);
        let mut headers = vec![("host", endpoint.host())];
        headers.extend(content_type.map(|value| ("content-type", value)));
        let signature = Signer {
            access_key_id: &self.credentials.access_key_id,
            secret_key: &self.credentials.secret_key,
            region,
            service: call.api.service(),
        }
        .sign(
            &ToSign {
                method: method.as_str(),
                query: &query,
                headers: &headers,
                body: body.as_bytes(),
            },
            shared.clock.now(),
        );
        let mut authorization =
            HeaderValue::try_from(signature.authorization).map_err(|error| {
                Error::new(
                    call.action,
                    ErrorKind::Configuration,
                    "the access key id or the region has characters that cannot be sent",
                )
                .with_source(error)
            })?;
        authorization.set_sensitive(true);
        let mut request = shared
            .http
            .request(method, endpoint.url(&query))
            .header(HOST, endpoint.host())
            .header("X-Date", signature.date)
            .header("X-Content-Sha256", signature.content_sha256)
            .header(AUTHORIZATION, authorization);
        if let Some(value) = content_type {
            request = request.header(CONTENT_TYPE, value).body(body);
        }
        let broken = |error| transport_error(call.action, error);
        let mut response = request.send().await.map_err(broken)?;
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(broken)? {
            if body.len() + chunk.len() > MAX_RESPONSE {
                return Err(Error::new(
                    call.action,
                    ErrorKind::Unexpected,
                    "the response is larger than 32 MiB",
                ));
            }
            body.extend_from_slice(&chunk);
        }
        let open = |body: &[u8]| {
            let status = response.status().as_u16();
            envelope::open(call.action, status, response.headers(), body, shared.clock.now())
        };
        let redacted = |text: &str| match &call.secret {
            Some(secret) => self.redacted(text).replace(secret.expose_secret(), "…"),
            None => self.redacted(text),
        };
        open(&body).map_err(|error| {
            // Redact before parsing again: the message is truncated, and half a secret would not be found in it.
            let body = redacted(&String::from_utf8_lossy(&body));
            let error = open(body.as_bytes()).err().unwrap_or(error).redact(redacted);
            // An error with a code is the API's; the words of any other may be a part of the response.
            if call.secret_answer && error.code().is_none() { error.without_words() } else { error }
        })
    }

    /// Redacts this account's own keys: some of the API's messages repeat the request.
    fn redacted(&self, text: &str) -> String {
        let Credentials { access_key_id, secret_key } = &*self.credentials;
        let mut text = text.to_owned();
        for (part, shown) in [
            (secret_key.expose_secret(), "…".into()),
            (access_key_id.as_str(), hint(access_key_id)),
        ] {
            if part.len() >= SHORTEST_SECRET {
                text = text.replace(part, &shown);
            }
        }
        text
    }
}

/// Returns the rate limiter of a part of the API.
fn lane(api: Api) -> Lane {
    match api {
        Api::Iam | Api::Projects | Api::Billing => Lane::Central,
        Api::Ark => Lane::Ark,
    }
}

fn transport_error(action: &'static str, error: reqwest::Error) -> Error {
    let fault = if error.is_connect() {
        TransportFault::Connect
    } else if error.is_timeout() {
        TransportFault::Timeout
    } else {
        TransportFault::Broken
    };
    // The URL contains the call's parameters, which must not be logged.
    let error = error.without_url();
    let mut message = error.to_string();
    let mut cause = std::error::Error::source(&error);
    while let Some(error) = cause {
        message = format!("{message}: {error}");
        cause = error.source();
    }
    Error::new(action, ErrorKind::Transport(fault), message).with_source(error)
}

#[cfg(test)]
mod tests {
    use super::super::rate_limit::MAX_IDLE;
    use super::*;

    #[test]
    fn a_long_retry_after_ends_the_retries_and_a_short_one_is_kept() {
        let policy = RetryPolicy::default();
        let planned = Some(Duration::from_millis(300));
        let error = |retry_after: Option<&str>| {
            let mut headers = reqwest::header::HeaderMap::new();
            if let Some(value) = retry_after {
                headers.insert("retry-after", value.parse().unwrap());
            }
            envelope::open("A", 429, &headers, b"", jiff::Timestamp::UNIX_EPOCH).unwrap_err()
        };
        assert_eq!(policy.wait(&error(None), planned), planned);
        assert_eq!(policy.wait(&error(Some("0")), planned), planned);
        assert_eq!(policy.wait(&error(Some("5")), planned), Some(Duration::from_secs(5)));
        assert_eq!(policy.wait(&error(Some("31")), planned), None);
        assert_eq!(policy.wait(&error(Some("5")), None), None);
    }

    fn client() -> Client {
        // Fails if another test has installed it already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let config = ClientConfig {
            iam_endpoint: "http://127.0.0.1:1".into(),
            billing_endpoint: "http://127.0.0.1:1".into(),
            ark_endpoint: "http://127.0.0.1:1".into(),
            region: "cn-beijing".into(),
            qps: NonZeroU32::new(5).unwrap(),
            ark_qps: NonZeroU32::new(2).unwrap(),
            timeout: Duration::from_secs(1),
        };
        Client::new(config, Clock::system()).unwrap()
    }

    fn key(id: &str) -> Credentials {
        Credentials { access_key_id: id.into(), secret_key: SecretString::from("s") }
    }

    #[tokio::test(start_paused = true)]
    async fn all_clients_of_one_key_share_a_rate_limiter() {
        let client = client();
        let accounts = [
            client.account(key("one")),
            client.clone().account(key("one")),
            client.account(key("one")).clone(),
        ];
        let start = tokio::time::Instant::now();
        for n in 0..9 {
            accounts[n % 3].key.acquire(Lane::Central).await;
        }
        let took = start.elapsed();
        assert!(took >= Duration::from_millis(1_599), "{took:?}");
        // Another key has its own limiter.
        client.account(key("two")).key.acquire(Lane::Central).await;
        assert_eq!(start.elapsed(), took);
    }

    #[test]
    fn idle_rate_limiters_are_evicted_and_used_ones_kept() {
        let client = client();
        let used = client.account(key("used"));
        for n in 0..2 * MAX_IDLE {
            client.account(key(&n.to_string()));
        }
        assert!(client.shared.limiters.keys() <= MAX_IDLE);
        assert!(Arc::ptr_eq(&used.key, &client.account(key("used")).key));
    }

    #[test]
    fn debug_does_not_show_the_keys() {
        let credentials = Credentials {
            access_key_id: "AKLTabcdefghijklmnop1234".into(),
            secret_key: SecretString::from("very secret"),
        };
        let text = format!("{credentials:?}");
        assert!(text.contains("AKLT…1234"), "{text}");
        assert!(!text.contains("abcdef") && !text.contains("secret\""), "{text}");
        assert_eq!(hint("短"), "…");
        assert_eq!(hint("short"), "…");
        assert_eq!(hint("张三李四王五赵六"), "…");
    }
}
