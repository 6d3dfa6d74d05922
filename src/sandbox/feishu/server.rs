//! The line to the client: connections that can be reset on demand, one dispatcher, faults, the log of requests.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::connect_info::{ConnectInfo, Connected};
use axum::extract::{Query, Request as HttpRequest, State as Shared};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::response::Response;
use axum::serve::{IncomingStream, Listener};
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use super::state::Request;
use super::{Core, Fault, api, connection, wire};
use crate::sandbox::door::{Closing, Door};

/// The most bytes of a request: an upload of 30 MB and its frame.
const BODY_LIMIT: usize = 31 * 1024 * 1024;

/// The code of a request that a fault kept from being looked at.
const NOT_LOOKED_AT: i64 = -1;

/// A request, read whole.
pub(super) struct Call {
    pub method: Method,
    /// The path's parts, decoded.
    pub path: Vec<String>,
    pub query: Vec<(String, String)>,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Call {
    pub fn query(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

/// An answer in the platform's form.
pub(super) struct Answer {
    pub status: u16,
    pub body: Value,
}

impl Answer {
    /// `code` 0 with `data`.
    pub fn data(data: Value) -> Self {
        Self { status: 200, body: json!({"code": 0, "msg": "success", "data": data}) }
    }

    /// A refusal, HTTP 400.
    pub fn refuse(code: i64, msg: impl Into<String>) -> Self {
        Self::refuse_as(400, code, msg)
    }

    /// A refusal with this HTTP status.
    pub fn refuse_as(status: u16, code: i64, msg: impl Into<String>) -> Self {
        Self { status, body: json!({"code": code, "msg": msg.into()}) }
    }

    fn code(&self) -> i64 {
        self.body.get("code").and_then(Value::as_i64).unwrap_or(0)
    }
}

/// Starts serving; ends with the core's `stop`.
pub(super) fn spawn(door: Door, core: Arc<Core>) {
    let stop = core.stop.clone();
    let service = Router::new()
        .fallback(serve)
        .with_state(core)
        .into_make_service_with_connect_info::<Line>();
    tokio::spawn(async move {
        let serving = axum::serve(Lines(door), service)
            .with_graceful_shutdown(async move { stop.cancelled().await });
        if let Err(error) = serving.await {
            tracing::error!(%error, "the stand-in Feishu stopped serving");
        }
    });
}

async fn serve(
    Shared(core): Shared<Arc<Core>>,
    ConnectInfo(line): ConnectInfo<Line>,
    request: HttpRequest,
) -> Response {
    if request.uri().path() == connection::PATH {
        let (response, refusal) = match connection::upgrade(&core, request) {
            Ok(response) => (response, None),
            Err((response, refusal)) => (response, Some(refusal)),
        };
        core.change(|state| {
            state.record(Request {
                endpoint: "connection.upgrade",
                status: response.status().as_u16(),
                code: i64::from(refusal.is_some()),
                message: refusal.unwrap_or_default(),
                at: core.now(),
            });
        });
        return response;
    }
    let call = match read(request).await {
        Ok(call) => call,
        Err(error) => return json_response(413, json!({"code": 234006, "msg": error.to_string()})),
    };
    let endpoint = api::endpoint(&call);
    let strike = core.faults.strike(endpoint);
    let applied = strike.as_ref().is_none_or(|(_, applied)| *applied);
    let answer = if applied {
        api::answer(&core, endpoint, &call).await
    } else {
        Answer::refuse_as(504, NOT_LOOKED_AT, "not looked at: a fault was injected")
    };
    core.change(|state| {
        state.record(Request {
            endpoint,
            status: answer.status,
            code: answer.code(),
            message: answer.body.get("msg").and_then(Value::as_str).unwrap_or_default().to_owned(),
            at: core.now(),
        });
    });
    match strike {
        None => finish(endpoint, answer),
        Some((fault, _)) => spoil(&core, &line, endpoint, fault, answer).await,
    }
}

async fn read(request: HttpRequest) -> Result<Call, axum::Error> {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, BODY_LIMIT).await?;
    let query = Query::try_from_uri(&parts.uri).map(|Query(pairs)| pairs);
    Ok(Call {
        method: parts.method,
        path: parts.uri.path().trim_start_matches('/').split('/').map(str::to_owned).collect(),
        query: query.unwrap_or_default(),
        headers: parts.headers,
        body,
    })
}

fn finish(endpoint: &str, answer: Answer) -> Response {
    let mut body = answer.body;
    let log_id = wire::fresh_id("");
    // A refusal names its log; the custom bot's are shorter.
    if answer.status >= 400
        && endpoint != "hook"
        && let Some(body) = body.as_object_mut()
    {
        let error = body.entry("error").or_insert_with(|| json!({}));
        if let Some(error) = error.as_object_mut() {
            error.insert("log_id".to_owned(), Value::from(log_id.clone()));
        }
    }
    let mut response = json_response(answer.status, body);
    set(&mut response, "x-tt-logid", &log_id);
    response
}

fn json_response(status: u16, body: Value) -> Response {
    plain_response(status, "application/json; charset=utf-8", body.to_string())
}

fn plain_response(status: u16, kind: &str, body: String) -> Response {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::OK);
    set(&mut response, header::CONTENT_TYPE.as_str(), kind);
    response
}

fn set(response: &mut Response, name: &str, value: &str) {
    if let (Ok(name), Ok(value)) =
        (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_str(value))
    {
        response.headers_mut().insert(name, value);
    }
}

async fn spoil(core: &Core, line: &Line, endpoint: &str, fault: Fault, answer: Answer) -> Response {
    match fault {
        Fault::Status(status) => plain_response(
            status,
            "text/html",
            format!("<html><body><h1>{status}</h1></body></html>"),
        ),
        Fault::Code { http, code, msg } => finish(endpoint, Answer::refuse_as(http, code, msg)),
        Fault::RateLimited { reset_seconds } => {
            let refusal = Answer::refuse_as(429, 99_991_400, "request trigger frequency limit");
            let mut response = finish(endpoint, refusal);
            set(&mut response, "x-ogw-ratelimit-limit", "50");
            set(&mut response, "x-ogw-ratelimit-reset", &reset_seconds.to_string());
            response
        }
        Fault::Timeout => {
            // The client hangs up, or the stand-in goes away.
            core.stop.cancelled().await;
            finish(endpoint, answer)
        }
        Fault::CutBody => cut(&answer.body.to_string()),
        Fault::ResetConnection => {
            line.reset.store(true, Ordering::Release);
            finish(endpoint, answer)
        }
        Fault::NotJson => plain_response(200, "text/html", "<html>ok</html>".to_owned()),
        Fault::CutJson => {
            let body = answer.body.to_string();
            let half: String = body.chars().take(body.chars().count() / 2).collect();
            plain_response(answer.status, "application/json; charset=utf-8", half)
        }
        Fault::WrongJson => finish(endpoint, Answer::data(json!([42]))),
        Fault::Shut => {
            core.door.shut().await;
            line.reset.store(true, Ordering::Release);
            finish(endpoint, answer)
        }
        Fault::Slow(delay) => {
            tokio::time::sleep(delay).await;
            if answer.code() == NOT_LOOKED_AT {
                return plain_response(504, "text/html", "<html>504</html>".to_owned());
            }
            finish(endpoint, answer)
        }
    }
}

/// The head promises the whole body, the line ends halfway.
fn cut(body: &str) -> Response {
    let half: Vec<u8> = body.bytes().take(body.len() / 2).collect();
    let parts = [Ok(Bytes::from(half)), Err(io::Error::from(io::ErrorKind::ConnectionAborted))];
    let mut response = Response::new(Body::from_stream(futures::stream::iter(parts)));
    set(&mut response, "content-type", "application/json");
    set(&mut response, "content-length", &body.len().to_string());
    response
}

/// The client's connection as the handlers see it.
#[derive(Clone, Debug)]
struct Line {
    /// The next byte written resets the connection instead.
    reset: Arc<AtomicBool>,
}

impl Connected<IncomingStream<'_, Lines>> for Line {
    fn connect_info(stream: IncomingStream<'_, Lines>) -> Self {
        stream.remote_addr().clone()
    }
}

struct Lines(Door);

impl Listener for Lines {
    type Io = Wire;
    type Addr = Line;

    async fn accept(&mut self) -> (Wire, Line) {
        let (stream, _, closing) = self.0.next().await;
        let line = Line { reset: Arc::default() };
        let wire = Wire { stream, line: line.clone(), closing };
        (wire, line)
    }

    fn local_addr(&self) -> io::Result<Line> {
        Ok(Line { reset: Arc::default() })
    }
}

/// A TCP stream that resets when its line says so.
struct Wire {
    stream: TcpStream,
    line: Line,
    closing: Closing,
}

impl Wire {
    fn check(&self) -> io::Result<()> {
        if self.line.reset.load(Ordering::Acquire) {
            // Without lingering, closing sends a reset rather than an orderly end.
            self.stream.set_zero_linger()?;
            return Err(io::ErrorKind::ConnectionReset.into());
        }
        Ok(())
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.closing.as_mut().poll(cx).is_ready() {
            self.line.reset.store(true, Ordering::Release);
            self.check()?;
        }
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &[u8],
    ) -> Poll<io::Result<usize>> {
        if let Err(error) = self.check() {
            return Poll::Ready(Err(error));
        }
        Pin::new(&mut self.stream).poll_write(cx, buffer)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
