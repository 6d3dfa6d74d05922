//! One exchange with the platform: bounded reads, the envelope `{"code", "msg", …}`, logs and metrics.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use reqwest::header::HeaderMap;
use reqwest::{RequestBuilder, Response, Url};
use serde_json::Value;

use super::error::{Error, PlatformError, WEBHOOK_ENDPOINT, inner_code};
use crate::address;

/// The API's responses are far smaller; anything larger does not come from it.
const ANSWER_LIMIT: usize = 1024 * 1024;
/// How many characters of the platform's message are kept.
const MSG_LIMIT: usize = 400;
/// How many characters of a log id are kept.
const LOG_ID_LIMIT: usize = 100;
/// Cap on the wait that the gateway asks for.
const LONGEST_WAIT: Duration = Duration::from_secs(3600);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Builds an HTTP client for `url`'s host. It follows no redirects: one could carry a body or a token to a host that
/// nobody configured.
pub(super) fn client(url: &Url, timeout: Duration) -> Result<reqwest::Client, Error> {
    let mut builder = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .timeout(timeout)
        .connect_timeout(CONNECT_TIMEOUT.min(timeout))
        .user_agent(concat!("airgate/", env!("CARGO_PKG_VERSION")));
    if address::is_loopback(url) {
        builder = builder.no_proxy();
    }
    if url.scheme() == "http" {
        // Works on a host without root certificates too.
        builder = builder.tls_certs_only([]);
    }
    builder.build().map_err(|error| Error::Setup(Arc::new(error)))
}

/// What to cut out of the platform's messages: they may repeat the request, and errors end up in logs and on cards.
#[derive(Clone, Copy)]
pub(super) enum Redaction<'s> {
    /// These secrets.
    Secrets(&'s [&'s str]),
    /// The whole message: the request was full of secrets.
    Everything,
}

impl Redaction<'_> {
    /// Returns the first [`MSG_LIMIT`] characters of the redacted message.
    fn apply(self, msg: &str) -> String {
        match self {
            // Truncate last: half a secret would not be found.
            Self::Secrets(secrets) => redact(msg, secrets).chars().take(MSG_LIMIT).collect(),
            Self::Everything => "…".to_owned(),
        }
    }
}

/// Replaces every secret in `text` with an ellipsis.
fn redact(text: &str, secrets: &[&str]) -> String {
    secrets
        .iter()
        .filter(|secret| !secret.is_empty())
        .fold(text.to_owned(), |text, secret| text.replace(secret, "…"))
}

/// Sends one request and reads the response. Only `code` 0 is a success, whatever the HTTP status.
pub(super) async fn exchange(
    endpoint: &'static str,
    request: RequestBuilder,
    redaction: Redaction<'_>,
) -> Result<Envelope, Error> {
    let result = attempt(endpoint, request, redaction).await;
    count(endpoint, &result, |answer| answer.log_id.as_deref());
    result
}

/// Sends one request whose success is a file instead of the envelope. Returns `None` if it is over the limit.
pub(super) async fn download(
    endpoint: &'static str,
    request: RequestBuilder,
    redaction: Redaction<'_>,
    most: usize,
) -> Result<Option<Vec<u8>>, Error> {
    let result = attempt_download(endpoint, request, redaction, most).await;
    count(endpoint, &result, |_| None);
    result
}

async fn attempt_download(
    endpoint: &'static str,
    request: RequestBuilder,
    redaction: Redaction<'_>,
    most: usize,
) -> Result<Option<Vec<u8>>, Error> {
    let response = send(endpoint, request).await?;
    if response.status().as_u16() == 200 {
        return read(response, most).await.map_err(|error| Error::Interrupted {
            endpoint,
            source: Arc::new(error.without_url()),
        });
    }
    match understand(endpoint, response, redaction).await {
        // A success that is no file.
        Ok(answer) => Err(answer.lacks("the answer is no file")),
        Err(error) => Err(error),
    }
}

/// Logs and counts a call.
fn count<T>(
    endpoint: &'static str,
    result: &Result<T, Error>,
    log_id: impl FnOnce(&T) -> Option<&str>,
) {
    let outcome = match result {
        Ok(answer) => {
            tracing::debug!(endpoint, log_id = log_id(answer), "feishu call");
            "ok"
        }
        Err(error) => {
            tracing::warn!(endpoint, error = %Chain(error), "feishu call failed");
            error.outcome()
        }
    };
    metrics::counter!("airgate_feishu_requests_total", "endpoint" => endpoint, "outcome" => outcome)
        .increment(1);
}

/// Sends one request to a host that has no envelope. Returns the HTTP status, and the body if it is JSON.
pub(super) async fn exchange_raw(
    endpoint: &'static str,
    request: RequestBuilder,
) -> Result<(u16, Option<Value>), Error> {
    let response = send(endpoint, request).await?;
    let status = response.status().as_u16();
    let bytes = read(response, ANSWER_LIMIT)
        .await
        .map_err(|error| Error::Interrupted { endpoint, source: Arc::new(error.without_url()) })?;
    Ok((status, bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok())))
}

/// The envelope of a successful response.
#[derive(Debug)]
pub(super) struct Envelope {
    endpoint: &'static str,
    pub(super) status: u16,
    log_id: Option<String>,
    /// The platform's time when it answered.
    pub(super) date: Option<Timestamp>,
    pub(super) body: Value,
}

impl Envelope {
    /// Returns the `data` of the body; null if there is none.
    pub(super) fn data(&self) -> &Value {
        self.body.get("data").unwrap_or(&Value::Null)
    }

    /// Returns the error for a success without a required field.
    pub(super) fn lacks(&self, what: &'static str) -> Error {
        Error::Unreadable {
            endpoint: self.endpoint,
            status: self.status,
            what,
            log_id: self.log_id.clone(),
            retry_after: None,
        }
    }
}

/// Sends a request. Says of a failure whether the request may have arrived.
async fn send(endpoint: &'static str, request: RequestBuilder) -> Result<Response, Error> {
    request.send().await.map_err(|error| {
        let sent = !(error.is_connect() || error.is_builder());
        // The URL of a custom bot is a secret.
        let source = Arc::new(error.without_url());
        if sent {
            Error::Interrupted { endpoint, source }
        } else {
            Error::NotSent { endpoint, source }
        }
    })
}

async fn attempt(
    endpoint: &'static str,
    request: RequestBuilder,
    redaction: Redaction<'_>,
) -> Result<Envelope, Error> {
    understand(endpoint, send(endpoint, request).await?, redaction).await
}

/// Reads the envelope of a response.
async fn understand(
    endpoint: &'static str,
    response: Response,
    redaction: Redaction<'_>,
) -> Result<Envelope, Error> {
    let status = response.status().as_u16();
    let log_id = header(response.headers(), "x-tt-logid")
        .map(|id| id.chars().take(LOG_ID_LIMIT).collect::<String>());
    let retry_after = retry_after(response.headers());
    let date = header(response.headers(), "date")
        .and_then(|date| jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(date).ok());
    let unreadable =
        |what| Error::Unreadable { endpoint, status, what, log_id: log_id.clone(), retry_after };

    let bytes = match read(response, ANSWER_LIMIT).await {
        Ok(Some(bytes)) => bytes,
        Ok(None) => return Err(unreadable("the answer is too large")),
        Err(error) => {
            return Err(Error::Interrupted { endpoint, source: Arc::new(error.without_url()) });
        }
    };
    let body: Value =
        serde_json::from_slice(&bytes).map_err(|_| unreadable("the answer is not JSON"))?;
    let (code, msg) =
        verdict(endpoint, &body).ok_or_else(|| unreadable("the answer has no code"))?;
    if code == 0 {
        return Ok(Envelope { endpoint, status, log_id, date, body });
    }
    Err(Box::new(PlatformError {
        endpoint,
        status,
        code,
        inner_code: inner_code(code, msg),
        msg: redaction.apply(msg),
        log_id,
        retry_after,
    })
    .into())
}

/// Returns code and message of a response. A custom bot may answer in an older form with `StatusCode` and
/// `StatusMessage`, which count only if there is no `code` (docs/platforms/feishu.md §6).
fn verdict<'b>(endpoint: &str, body: &'b Value) -> Option<(i64, &'b str)> {
    let forms: &[(&str, &str)] = if endpoint == WEBHOOK_ENDPOINT {
        &[("code", "msg"), ("StatusCode", "StatusMessage")]
    } else {
        &[("code", "msg")]
    };
    let (code, msg) = forms.iter().find(|(code, _)| body.get(*code).is_some())?;
    let msg = body.get(*msg).and_then(Value::as_str).unwrap_or_default();
    Some((body.get(*code)?.as_i64()?, msg))
}

/// Returns the body; `None` if it is over the limit.
async fn read(mut response: Response, most: usize) -> Result<Option<Vec<u8>>, reqwest::Error> {
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        if bytes.len().saturating_add(chunk.len()) > most {
            return Ok(None);
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(Some(bytes))
}

fn header<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name)?.to_str().ok()
}

/// Reads `x-ogw-ratelimit-reset` or `Retry-After`, in seconds; the former has been seen with a fraction.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds =
        header(headers, "x-ogw-ratelimit-reset").or_else(|| header(headers, "retry-after"))?.trim();
    // Fails for negative, non-finite and overflowing values.
    let wait = Duration::try_from_secs_f64(seconds.parse().ok()?).ok()?;
    Some(wait.min(LONGEST_WAIT))
}

/// Shows an error with its causes on one line.
struct Chain<'e>(&'e Error);

impl std::fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0)?;
        let mut cause = std::error::Error::source(self.0);
        while let Some(error) = cause {
            write!(f, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_delays_may_be_fractional_and_are_capped() {
        for (text, wait) in [
            ("2", Some(Duration::from_secs(2))),
            ("0.25", Some(Duration::from_millis(250))),
            (" 1.5 ", Some(Duration::from_millis(1500))),
            ("999999", Some(LONGEST_WAIT)),
            ("-1", None),
            ("NaN", None),
            ("inf", None),
            ("1e300", None),
            ("soon", None),
            ("", None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert("x-ogw-ratelimit-reset", text.parse().unwrap());
            assert_eq!(retry_after(&headers), wait, "{text:?}");
        }
        assert_eq!(retry_after(&HeaderMap::new()), None);
    }

    #[test]
    fn secrets_that_the_platform_repeats_are_redacted() {
        let msg = format!("{}app_secret s3cret-of-ours is wrong", "x".repeat(MSG_LIMIT - 15));
        let kept = Redaction::Secrets(&["", "s3cret-of-ours"]).apply(&msg);
        assert!(kept.ends_with("app_secret … is"), "{kept}");
        assert_eq!(Redaction::Secrets(&[]).apply("as it is"), "as it is");
        assert_eq!(Redaction::Everything.apply(&msg), "…");
    }
}
