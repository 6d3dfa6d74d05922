//! A server on loopback that answers as it is told and remembers what it was asked.

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

/// One answer.
pub(in crate::feishu) struct Reply {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    pub body: Vec<u8>,
    /// Promise this many bytes more than are sent, then hang up.
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

/// One question.
#[derive(Clone, Debug)]
pub(in crate::feishu) struct Asked {
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
    asked: Vec<Asked>,
    tokens: usize,
}

#[derive(Clone)]
pub(in crate::feishu) struct Stub {
    pub url: Url,
    script: Arc<Mutex<Script>>,
    /// Token answers wait for a permit, so that a test can hold them back.
    pub token_gate: Arc<tokio::sync::Semaphore>,
    /// Moves whenever the token endpoint is asked.
    pub token_asked: tokio::sync::watch::Sender<usize>,
}

impl Stub {
    /// A server with an open token gate.
    pub(in crate::feishu) async fn start() -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let stub = Self {
            url: Url::parse(&url).unwrap(),
            script: Arc::default(),
            token_gate: Arc::new(tokio::sync::Semaphore::new(1000)),
            token_asked: tokio::sync::watch::Sender::new(0),
        };
        let router = Router::new().fallback(answer).with_state(stub.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        stub
    }

    /// The next answer outside the token endpoint.
    pub(in crate::feishu) fn will(&self, reply: Reply) -> &Self {
        self.script.lock().replies.push_back(reply);
        self
    }

    /// The next success.
    pub(in crate::feishu) fn will_say(&self, body: Value) -> &Self {
        self.will(Reply::json(200, body))
    }

    /// The next answer of the token endpoint; without one it gives `t-1`, `t-2`, … for 7200 s.
    pub(in crate::feishu) fn token_will(&self, reply: Reply) -> &Self {
        self.script.lock().token_replies.push_back(reply);
        self
    }

    /// What was asked outside the token endpoint; forgets it.
    pub(in crate::feishu) fn asked(&self) -> Vec<Asked> {
        std::mem::take(&mut self.script.lock().asked)
    }

    /// How often a token was asked for.
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
    let asked = Asked {
        method: method.to_string(),
        path: uri.to_string(),
        authorization: header("authorization"),
        content_type: header("content-type"),
        body: serde_json::from_slice(&body).unwrap_or_default(),
    };
    let reply = if asked.path == TOKEN_PATH {
        assert_eq!(asked.method, "POST");
        assert_eq!(asked.authorization, "");
        let expected = json!({"app_id": "cli_1", "app_secret": "hidden-secret"});
        assert_eq!(asked.body, expected);
        let (reply, count) = {
            let mut script = stub.script.lock();
            script.tokens += 1;
            (script.token_replies.pop_front(), script.tokens)
        };
        stub.token_asked.send_replace(count);
        stub.token_gate.acquire().await.unwrap().forget();
        reply.unwrap_or_else(|| token(&format!("t-{count}"), 7200))
    } else {
        let mut script = stub.script.lock();
        script.asked.push(asked);
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

/// The token endpoint's answer.
pub(in crate::feishu) fn token(token: &str, expire: i64) -> Reply {
    Reply::json(
        200,
        json!({"code": 0, "msg": "ok", "tenant_access_token": token, "expire": expire}),
    )
}
