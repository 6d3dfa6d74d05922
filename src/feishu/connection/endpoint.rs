//! Where to connect: the discovery call and the WebSocket handshake, and how long to wait after each way they fail.

use std::time::Duration;

use reqwest::Url;
use reqwest::header::HeaderMap;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Error as WsError;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async_tls_with_config};

use super::settings::Settings;
use crate::address;
use crate::feishu::error::Error;
use crate::feishu::http::{self, Words};

/// A client that hears nothing for so long while connecting tries again.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);
/// The largest message and frame that is read; events over HTTP have the same limit, and the frame adds little.
const MESSAGE_LIMIT: usize = 1024 * 1024 + 64 * 1024;
/// Replies that may wait to be written.
const WRITE_LIMIT: usize = 4 * 1024 * 1024;
/// Words of the platform that are kept.
const WORDS_LIMIT: usize = 200;

pub(super) type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// What discovery is asked with.
pub(super) struct Discovery {
    pub http: reqwest::Client,
    pub url: Url,
    pub app_id: String,
    pub app_secret: SecretString,
}

/// A place to connect to, once: its ticket is short-lived.
pub(super) struct Endpoint {
    /// As it came; the query holds a key and a ticket.
    pub url: SecretString,
    pub host: String,
    /// Goes into pings.
    pub service_id: i32,
    /// Names the connection in logs.
    pub device_id: String,
}

/// Why there is no connection. Shows no secret: the address that was connected to is not in it.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    #[error("no endpoint for the long connection: {0}")]
    Discovery(#[from] Error),
    #[error("no endpoint for the long connection: the answer's address {0}")]
    Address(&'static str),
    #[error("the long connection was refused: HTTP {status}, handshake {code} {words}")]
    Refused { status: u16, code: i64, auth_code: i64, words: String },
    #[error("the long connection cannot be made: {0}")]
    Transport(String),
    #[error("the long connection cannot be made: no answer in {} s", CONNECT_TIMEOUT.as_secs())]
    TimedOut,
}

/// How soon to try again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Patience {
    /// A passing trouble.
    Soon,
    /// Official clients give up here: somebody has to mend the app first. This one goes on, seldom.
    Seldom,
}

impl Failure {
    pub(super) fn patience(&self) -> Patience {
        let lasting = match self {
            // Official clients try again after "system busy" and "internal error" only. With another status than 200 the
            // code does not count.
            Self::Discovery(Error::Platform(error)) => {
                let passing = matches!(error.code, 1 | 1_000_040_343 | 99_991_400);
                error.status == 200 && !passing
            }
            Self::Refused { code, auth_code, .. } => {
                *code == 403 || (*code == 514 && *auth_code == 1_000_040_350)
            }
            _ => false,
        };
        if lasting { Patience::Seldom } else { Patience::Soon }
    }

    /// How long the platform says to wait, at least.
    pub(super) fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Discovery(Error::Platform(error)) => error.retry_after,
            Self::Discovery(Error::Unreadable { retry_after, .. }) => *retry_after,
            _ => None,
        }
    }
}

impl Discovery {
    /// Asks for a fresh endpoint; takes over the settings that come with it.
    pub(super) async fn ask(&self, settings: &mut Settings) -> Result<Endpoint, Failure> {
        let secret = self.app_secret.expose_secret();
        let body = json!({ "AppID": self.app_id, "AppSecret": secret });
        let request = self.http.post(self.url.clone()).header("locale", "zh").json(&body);
        let answer =
            http::exchange("connection_endpoint", request, Words::Without(&[secret])).await?;
        if answer.status != 200 {
            return Err(answer.lacks("the status is not 200").into());
        }
        let data = answer.data();
        let url = data
            .get("URL")
            .and_then(Value::as_str)
            .ok_or_else(|| answer.lacks("the answer has no address to connect to"))?;
        let endpoint = read_address(url).map_err(Failure::Address)?;
        if let Some(given) = data.get("ClientConfig") {
            settings.update(given);
        }
        Ok(endpoint)
    }
}

/// The parts of the address that a client needs. Only this machine may be talked to without TLS.
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
    /// Connects. The address is used as it is: no subprotocol, no headers of our own.
    pub(super) async fn connect(&self) -> Result<Socket, Failure> {
        let connecting = connect_async_tls_with_config(
            self.url.expose_secret(),
            Some(limits()),
            // Replies are small and have a deadline.
            true,
            None,
        );
        match tokio::time::timeout(CONNECT_TIMEOUT, connecting).await {
            Ok(Ok((socket, _))) => Ok(socket),
            Ok(Err(error)) => Err(match failure(&error) {
                Failure::Refused { status, code, auth_code, words } => {
                    Failure::Refused { status, code, auth_code, words: self.hide(&words) }
                }
                Failure::Transport(words) => Failure::Transport(self.hide(&words)),
                other => other,
            }),
            Err(_) => Err(Failure::TimedOut),
        }
    }

    /// What the platform says, without the key and the ticket of the address, should it repeat them.
    pub(super) fn hide(&self, words: &str) -> String {
        let Ok(url) = Url::parse(self.url.expose_secret()) else { return String::new() };
        let is_secret = |name: &str| matches!(name, "access_key" | "ticket");
        url.query_pairs()
            .filter(|(name, value)| is_secret(name) && !value.is_empty())
            .fold(words.to_owned(), |words, (_, value)| words.replace(&*value, "…"))
    }
}

/// Bounds for what strangers send.
pub(super) fn limits() -> WebSocketConfig {
    WebSocketConfig::default()
        .read_buffer_size(16 * 1024)
        .write_buffer_size(0)
        .max_write_buffer_size(WRITE_LIMIT)
        .max_message_size(Some(MESSAGE_LIMIT))
        .max_frame_size(Some(MESSAGE_LIMIT))
}

fn failure(error: &WsError) -> Failure {
    match error {
        WsError::Http(response) => refusal(response.status().as_u16(), response.headers()),
        // Its words hold the address.
        WsError::Url(_) => Failure::Address("cannot be connected to"),
        error => Failure::Transport(error.to_string()),
    }
}

/// An upgrade that was answered with something else, and why.
pub(super) fn refusal(status: u16, headers: &HeaderMap) -> Failure {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let number = |name| text(name).parse().unwrap_or_default();
    Failure::Refused {
        status,
        code: number("handshake-status"),
        auth_code: number("handshake-autherrcode"),
        words: text("handshake-msg").chars().take(WORDS_LIMIT).collect(),
    }
}
