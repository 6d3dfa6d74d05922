//! The client against a fake server on loopback with scripted responses, which refuses requests that are not signed as
//! sent.

mod ark;
mod bills;
mod calls;
mod iam;
mod policies;

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, Method, Response, Uri};
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use parking_lot::Mutex;
use secrecy::SecretString;
use serde_json::{Value, json};

use super::sign::{Signer, ToSign};
use super::*;
use crate::clock::Clock;
use crate::domain::AccountNumber;

const KEY_ID: &str = "AKLTZjIwYzBjYzczNWQ4NDkwN3NzViZTgzZDAxYjE";
const SECRET: &str = "WmpJd1l6QmpZemN6TldRNE5Ea3dOM056VmlaVGd6WkRBeFlqRQ==";

/// A request as received.
#[derive(Clone, Debug)]
struct Seen {
    /// The number of the request, from 0.
    n: usize,
    method: String,
    host: String,
    date: String,
    query: BTreeMap<String, String>,
    body: Value,
}

impl Seen {
    fn action(&self) -> &str {
        &self.query["Action"]
    }

    fn offset(&self) -> usize {
        match &self.body["Offset"] {
            Value::Null => self.query["Offset"].parse().unwrap(),
            offset => usize::try_from(offset.as_u64().unwrap()).unwrap(),
        }
    }
}

/// A scripted response.
enum Reply {
    /// A `Result` in its envelope.
    Result(Value),
    /// An error in its envelope.
    Error(u16, &'static str),
    Raw(u16, String),
    Redirect(String),
    /// A truncated body: the connection breaks.
    Cut,
    /// No response at all.
    Hang,
}

type Respond = dyn Fn(&Seen) -> Reply + Send + Sync;

struct Server {
    respond: Box<Respond>,
    seen: Mutex<Vec<Seen>>,
}

struct Fake {
    url: String,
    clock: Clock,
    server: Arc<Server>,
}

impl Fake {
    async fn start(respond: impl Fn(&Seen) -> Reply + Send + Sync + 'static) -> Self {
        let server = Arc::new(Server { respond: Box::new(respond), seen: Mutex::new(Vec::new()) });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let router = axum::Router::new().fallback(answer).with_state(server.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        let clock = Clock::manual("2026-11-23T02:00:00Z".parse().unwrap());
        Self { url, clock, server }
    }

    fn client(&self) -> Client {
        client(&self.url, self.clock.clone(), Duration::from_secs(20))
    }

    fn account(&self) -> AccountClient {
        self.client().account(credentials()).of_account(AccountNumber::new(2_100_000_001))
    }

    fn seen(&self) -> Vec<Seen> {
        self.server.seen.lock().clone()
    }

    fn calls(&self) -> usize {
        self.server.seen.lock().len()
    }
}

/// Starts a server that answers every call with this `Result`.
async fn always(result: Value) -> Fake {
    Fake::start(move |_| Reply::Result(result.clone())).await
}

fn credentials() -> Credentials {
    Credentials { access_key_id: KEY_ID.into(), secret_key: SecretString::from(SECRET) }
}

fn client(url: &str, clock: Clock, timeout: Duration) -> Client {
    // Fails if another test has installed it already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let config = ClientConfig {
        iam_endpoint: url.into(),
        billing_endpoint: url.into(),
        ark_endpoint: url.into(),
        region: "cn-beijing".into(),
        qps: NonZeroU32::new(100_000).unwrap(),
        ark_qps: NonZeroU32::new(100_000).unwrap(),
        timeout,
    };
    Client::new(config, clock).unwrap().with_retry(RetryPolicy::quick())
}

async fn answer(
    State(server): State<Arc<Server>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response<Body> {
    let raw_query = uri.query().unwrap_or_default().to_owned();
    let header =
        |name: &str| headers.get(name).map_or("", |value| value.to_str().unwrap()).to_owned();
    let url = reqwest::Url::parse(&format!("http://x/?{raw_query}")).unwrap();
    let seen = {
        let mut all = server.seen.lock();
        let seen = Seen {
            n: all.len(),
            method: method.to_string(),
            host: header("host"),
            date: header("x-date"),
            query: url.query_pairs().into_owned().collect(),
            body: serde_json::from_slice(&body).unwrap_or(Value::Null),
        };
        all.push(seen.clone());
        seen
    };
    let json = |status: u16, value: Value| {
        Response::builder()
            .status(status)
            .header("content-type", "application/json")
            .body(Body::from(value.to_string()))
            .unwrap()
    };
    let metadata = json!({
        "RequestId": format!("request-{}", seen.n), "Action": seen.query.get("Action"),
        "Version": seen.query.get("Version"), "Service": "x", "Region": "cn-beijing",
    });
    let with_error = |status, code: &str| {
        let mut metadata = metadata.clone();
        metadata["Error"] =
            json!({"CodeN": 100_000, "Code": code, "Message": format!("refused {KEY_ID}")});
        json(status, json!({ "ResponseMetadata": metadata }))
    };
    if !signed_as_sent(&method, &raw_query, &header, &body) || uri.path() != "/" {
        return with_error(401, "SignatureDoesNotMatch");
    }
    match (server.respond)(&seen) {
        Reply::Result(result) => {
            json(200, json!({ "ResponseMetadata": metadata, "Result": result }))
        }
        Reply::Error(status, code) => with_error(status, code),
        Reply::Raw(status, text) => {
            Response::builder().status(status).body(Body::from(text)).unwrap()
        }
        Reply::Redirect(to) => {
            Response::builder().status(302).header("location", to).body(Body::empty()).unwrap()
        }
        Reply::Cut => {
            let chunks = [
                Ok(Bytes::from_static(b"{\"ResponseMetadata\":{}")),
                Err(std::io::Error::other("cut")),
            ];
            Response::new(Body::from_stream(futures::stream::iter(chunks)))
        }
        Reply::Hang => std::future::pending().await,
    }
}

/// Returns whether the signature covers exactly the bytes received: raw query, `Host` with its port, content type, body.
fn signed_as_sent(
    method: &Method,
    raw_query: &str,
    header: &dyn Fn(&str) -> String,
    body: &[u8],
) -> bool {
    let (date, host, content_type) = (header("x-date"), header("host"), header("content-type"));
    let service = match raw_query {
        query if query.contains("Version=2022-01-01") => "billing",
        query if query.contains("Version=2024-01-01") => "ark",
        _ => "iam",
    };
    let mut headers = vec![("Host", host.as_str())];
    if !content_type.is_empty() {
        headers.push(("Content-Type", &content_type));
    }
    let at: Timestamp = DateTime::strptime("%Y%m%dT%H%M%SZ", &date)
        .unwrap()
        .to_zoned(TimeZone::UTC)
        .unwrap()
        .timestamp();
    let signature = Signer {
        access_key_id: KEY_ID,
        secret_key: &SecretString::from(SECRET),
        region: "cn-beijing",
        service,
    }
    .sign(&ToSign { method: method.as_str(), query: raw_query, headers: &headers, body }, at);
    host.starts_with("127.0.0.1:")
        && header("x-content-sha256") == signature.content_sha256
        && header("authorization") == signature.authorization
}
