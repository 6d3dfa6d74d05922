//! Discovery and the WebSocket handshake, and the back-off after each kind of failure (docs/platforms/feishu.md §10.1).

use std::time::Duration;

use reqwest::Url;
use reqwest::header::HeaderMap;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Error as WsError;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async_tls_with_config};

use super::timings::Timings;
use crate::address;
use crate::feishu::error::Error;
use crate::feishu::http::{self, Redaction};

/// Timeout of connecting and the handshake.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);
/// Largest message and frame accepted: the limit of events over HTTP, plus a margin for the frame.
const MESSAGE_LIMIT: usize = 1024 * 1024 + 64 * 1024;
/// Max bytes of replies waiting to be written.
const WRITE_LIMIT: usize = 4 * 1024 * 1024;
/// How many characters of the platform's message are kept.
const WORDS_LIMIT: usize = 200;

pub(super) type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// The discovery call and its credentials.
pub(super) struct Discovery {
    pub http: reqwest::Client,
    pub url: Url,
    pub app_id: String,
    pub app_secret: SecretString,
}

/// An endpoint to connect to once: its ticket is short-lived.
pub(super) struct Endpoint {
    /// As received; the query holds a key and a ticket.
    pub url: SecretString,
    pub host: String,
    /// Sent in pings.
    pub service_id: i32,
    /// Identifies the connection in logs.
    pub device_id: String,
}

/// Why connecting failed. Holds no secret: the endpoint's address is left out.
#[derive(Debug, thiserror::Error)]
pub(super) enum ConnectError {
    #[error("no endpoint for the long connection: {0}")]
    Discovery(#[from] Error),
    #[error("no endpoint for the long connection: the address in the response {0}")]
    Address(&'static str),
    #[error("the long connection was refused: HTTP {status}, handshake {code} {words}")]
    Refused { status: u16, code: i64, auth_code: i64, words: String },
    #[error("the long connection cannot be made: {0}")]
    Transport(String),
    #[error("the long connection cannot be made: no answer in {} s", CONNECT_TIMEOUT.as_secs())]
    TimedOut,
}

/// Which back-off applies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Backoff {
    /// After a transient failure.
    Short,
    /// Where official clients give up: somebody has to fix the app first. This one keeps retrying, less often.
    Long,
}

impl ConnectError {
    pub(super) fn backoff(&self) -> Backoff {
        let lasting = match self {
            // Official clients only retry after "system busy" and "internal error". With a status other than 200 they
            // ignore the code.
            Self::Discovery(Error::Platform(error)) => {
                let transient = matches!(error.code, 1 | 1_000_040_343 | 99_991_400);
                error.status == 200 && !transient
            }
            Self::Refused { code, auth_code, .. } => {
                *code == 403 || (*code == 514 && *auth_code == 1_000_040_350)
            }
            _ => false,
        };
        if lasting { Backoff::Long } else { Backoff::Short }
    }

    /// Returns the minimum wait that the platform asks for.
    pub(super) fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Discovery(Error::Platform(error)) => error.retry_after,
            Self::Discovery(Error::Unreadable { retry_after, .. }) => *retry_after,
            _ => None,
        }
    }
}

impl Discovery {
    /// Requests a fresh endpoint and applies the timings that come with it.
    pub(super) async fn discover(&self, timings: &mut Timings) -> Result<Endpoint, ConnectError> {
        let secret = self.app_secret.expose_secret();
        let body = json!({ "AppID": self.app_id, "AppSecret": secret });
        let request = self.http.post(self.url.clone()).header("locale", "zh").json(&body);
        let answer =
            http::exchange("connection_endpoint", request, Redaction::Secrets(&[secret])).await?;
        if answer.status != 200 {
            return Err(answer.lacks("the status is not 200").into());
        }
        let data = answer.data();
        let url = data
            .get("URL")
            .and_then(Value::as_str)
            .ok_or_else(|| answer.lacks("the answer has no address to connect to"))?;
        let endpoint = read_address(url).map_err(ConnectError::Address)?;
        if let Some(given) = data.get("ClientConfig") {
            timings.update(given);
        }
        Ok(endpoint)
    }
}

/// Reads the endpoint from its address, which must use TLS unless it is on this machine.
pub(super) fn read_address(text: &str) -> Result<Endpoint, &'static str> {
    let url = Url::parse(text).map_err(|_| "is not a URL")?;
    match url.scheme() {
        "wss" => {}
        "ws" if address::is_loopback(&url) => {}
        _ => return Err("is not wss"),
    }
    let query = |name| url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value);
    let service_id = query("service_id")
        .and_then(|id| id.parse().ok())
        .ok_or("does not say which service it is for")?;
    Ok(Endpoint {
        host: url.host_str().ok_or("has no host")?.to_owned(),
        service_id,
        device_id: query("device_id").unwrap_or_default().chars().take(WORDS_LIMIT).collect(),
        url: SecretString::from(text),
    })
}

impl Endpoint {
    /// Connects to the unmodified address, without a subprotocol or extra headers.
    pub(super) async fn connect(&self) -> Result<Socket, ConnectError> {
        let connecting = connect_async_tls_with_config(
            self.url.expose_secret(),
            Some(limits()),
            // Disable Nagle: replies are small and have a deadline.
            true,
            None,
        );
        match tokio::time::timeout(CONNECT_TIMEOUT, connecting).await {
            Ok(Ok((socket, _))) => Ok(socket),
            Ok(Err(error)) => Err(match failure(&error) {
                ConnectError::Refused { status, code, auth_code, words } => {
                    ConnectError::Refused { status, code, auth_code, words: self.redact(&words) }
                }
                ConnectError::Transport(words) => ConnectError::Transport(self.redact(&words)),
                other => other,
            }),
            Err(_) => Err(ConnectError::TimedOut),
        }
    }

    /// Removes the address's key and ticket from a message of the platform, which may repeat them.
    pub(super) fn redact(&self, words: &str) -> String {
        let Ok(url) = Url::parse(self.url.expose_secret()) else { return String::new() };
        let is_secret = |name: &str| matches!(name, "access_key" | "ticket");
        url.query_pairs()
            .filter(|(name, value)| is_secret(name) && !value.is_empty())
            .fold(words.to_owned(), |words, (_, value)| words.replace(&*value, "…"))
    }
}

/// Bounds the memory that a peer can make this process use.
pub(super) fn limits() -> WebSocketConfig {
    WebSocketConfig::default()
        .read_buffer_size(16 * 1024)
        .write_buffer_size(0)
        .max_write_buffer_size(WRITE_LIMIT)
        .max_message_size(Some(MESSAGE_LIMIT))
        .max_frame_size(Some(MESSAGE_LIMIT))
}

fn failure(error: &WsError) -> ConnectError {
    match error {
        WsError::Http(response) => refusal(response.status().as_u16(), response.headers()),
        // The error's text contains the address.
        WsError::Url(_) => ConnectError::Address("cannot be connected to"),
        error => ConnectError::Transport(error.to_string()),
    }
}

/// Returns why the platform refused the upgrade.
pub(super) fn refusal(status: u16, headers: &HeaderMap) -> ConnectError {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let number = |name| text(name).parse().unwrap_or_default();
    ConnectError::Refused {
        status,
        code: number("handshake-status"),
        auth_code: number("handshake-autherrcode"),
        words: text("handshake-msg").chars().take(WORDS_LIMIT).collect(),
    }
}
