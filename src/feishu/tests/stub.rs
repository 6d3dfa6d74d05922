//! A server on loopback with scripted responses that records its requests.

use std::collections::VecDeque;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::Response;
use parking_lot::Mutex;
use reqwest::Url;
use serde_json::{Value, json};
use tokio::net::TcpListener;

const TOKEN_PATH: &str = "/open-apis/auth/v3/tenant_access_token/internal";

/// A scripted response.
pub(in crate::feishu) struct Reply {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    pub body: Vec<u8>,
    /// Whether the connection closes before the body is complete.
    pub cut: bool,
}

impl Reply {
    pub(in crate::feishu) fn json(status: u16, body: Value) -> Self {
        Self::bytes(status, body.to_string())
    }

    pub(in crate::feishu) fn bytes(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self {
            status,
            headers: vec![("x-tt-logid", "log-1".to_owned())],
            body: body.into(),
            cut: false,
        }
    }

    pub(in crate::feishu) fn header(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }

    pub(in crate::feishu) fn cut(mut self) -> Self {
        self.cut = true;
        self
    }
}

/// A recorded request.
#[derive(Clone, Debug)]
pub(in crate::feishu) struct Received {
    pub method: String,
    pub path: String,
    pub authorization: String,
    pub content_type: String,
    pub body: Value,
}

#[derive(Default)]
struct Script {
    replies: VecDeque<Reply>,
    token_replies: VecDeque<Reply>,
    requests: Vec<Received>,
    tokens: usize,
}

#[derive(Clone)]
pub(in crate::feishu) struct Stub {
    pub url: Url,
    script: Arc<Mutex<Script>>,
    /// Token responses wait for a permit, so that a test can delay them.
    pub token_gate: Arc<tokio::sync::Semaphore>,
    /// Counts the token requests.
    pub token_requests: tokio::sync::watch::Sender<usize>,
}

impl Stub {
    /// Starts a server with an open token gate.
    pub(in crate::feishu) async fn start() -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let stub = Self {
            url: Url::parse(&url).unwrap(),
            script: Arc::default(),
            token_gate: Arc::new(tokio::sync::Semaphore::new(1000)),
            token_requests: tokio::sync::watch::Sender::new(0),
        };
        let router = Router::new().fallback(answer).with_state(stub.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        stub
    }

    /// Scripts the next response outside the token endpoint.
    pub(in crate::feishu) fn reply(&self, reply: Reply) -> &Self {
        self.script.lock().replies.push_back(reply);
        self
    }

    /// Scripts the next success.
    pub(in crate::feishu) fn reply_ok(&self, body: Value) -> &Self {
        self.reply(Reply::json(200, body))
    }

    /// Scripts the next response of the token endpoint; by default it issues `t-1`, `t-2`, … for 7200 s.
    pub(in crate::feishu) fn token_reply(&self, reply: Reply) -> &Self {
        self.script.lock().token_replies.push_back(reply);
        self
    }

    /// Returns and forgets the requests outside the token endpoint.
    pub(in crate::feishu) fn requests(&self) -> Vec<Received> {
        std::mem::take(&mut self.script.lock().requests)
    }

    /// Returns the number of token requests.
    pub(in crate::feishu) fn tokens(&self) -> usize {
        self.script.lock().tokens
    }
}

async fn answer(
    State(stub): State<Stub>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let header = |name: &str| {
        headers.get(name).map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default()
    };
    let request = Received {
        method: method.to_string(),
        path: uri.to_string(),
        authorization: header("authorization"),
        content_type: header("content-type"),
        body: serde_json::from_slice(&body).unwrap_or_default(),
    };
    let reply = if request.path == TOKEN_PATH {
        assert_eq!(request.method, "POST");
        assert_eq!(request.authorization, "");
        let expected = json!({"app_id": "cli_1", "app_secret": "hidden-secret"});
        assert_eq!(request.body, expected);
        let (reply, count) = {
            let mut script = stub.script.lock();
            script.tokens += 1;
            (script.token_replies.pop_front(), script.tokens)
        };
        stub.token_requests.send_replace(count);
        stub.token_gate.acquire().await.unwrap().forget();
        reply.unwrap_or_else(|| token(&format!("t-{count}"), 7200))
    } else {
        let mut script = stub.script.lock();
        script.requests.push(request);
        script
            .replies
            .pop_front()
            .unwrap_or_else(|| Reply::json(599, json!({"code": -1, "msg": "not expected"})))
    };
    let mut response = Response::builder().status(StatusCode::from_u16(reply.status).unwrap());
    for (name, value) in &reply.headers {
        response = response.header(*name, value);
    }
    if reply.cut {
        let pieces: [Result<Vec<u8>, std::io::Error>; 2] =
            [Ok(reply.body), Err(std::io::Error::other("cut"))];
        let stream = futures::stream::iter(pieces);
        return response.body(Body::from_stream(stream)).unwrap();
    }
    response.body(Body::from(reply.body)).unwrap()
}

/// A response of the token endpoint.
pub(in crate::feishu) fn token(token: &str, expire: i64) -> Reply {
    Reply::json(
        200,
        json!({"code": 0, "msg": "ok", "tenant_access_token": token, "expire": expire}),
    )
}
