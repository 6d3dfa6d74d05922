//! The server: dispatches requests, applies faults, and keeps the log of requests.

use std::io;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::connect_info::ConnectInfo;
use axum::extract::{Query, Request as HttpRequest, State as Shared};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::Response;
use serde_json::{Value, json};

use super::core::Core;
use super::fault::{Fault, Spoiling};
use super::http::{ApiResponse, Call};
use super::state::Request;
use super::{api, connection, launcher, wire};
use crate::sandbox::listener::{ClosableListener, Reset};

/// Largest request, in bytes: an upload of 30 MB and its multipart framing.
const BODY_LIMIT: usize = 31 * 1024 * 1024;

/// The code logged for a request that a fault kept from being handled.
const NOT_HANDLED: i64 = -1;

/// Starts serving; ends with the core's `stop`.
pub(super) fn spawn(listener: ClosableListener, core: Arc<Core>) {
    let stop = core.stop.clone();
    let service = Router::new()
        .fallback(serve)
        .with_state(core)
        .into_make_service_with_connect_info::<Reset>();
    tokio::spawn(async move {
        let serving = axum::serve(listener, service)
            .with_graceful_shutdown(async move { stop.cancelled().await });
        if let Err(error) = serving.await {
            tracing::error!(%error, "the stand-in Feishu stopped serving");
        }
    });
}

async fn serve(
    Shared(core): Shared<Arc<Core>>,
    ConnectInfo(reset): ConnectInfo<Reset>,
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
    let path = call.path.join("/");
    if launcher::is_page(&path) {
        let (status, page) = launcher::page(&core, &call);
        return plain_response(status, "text/html; charset=utf-8", page);
    }
    let endpoint = api::endpoint(&call);
    let spoiling = core.faults.hit(|target| target.is(endpoint, &call.body));
    let applied = spoiling.as_ref().is_none_or(|spoiling| spoiling.applied);
    let answer = if applied {
        api::answer(&core, endpoint, &call).await
    } else {
        ApiResponse::refuse_as(504, NOT_HANDLED, "not handled: a fault was injected")
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
    match spoiling {
        None => finish(&core, endpoint, answer),
        Some(Spoiling { fault, .. }) => spoil(&core, &reset, endpoint, fault, answer).await,
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

fn finish(core: &Core, endpoint: &str, answer: ApiResponse) -> Response {
    if endpoint == "resource"
        && answer.code() == 0
        && let Some(body) = api::files::body_of(core, &answer)
    {
        let mut response = Response::new(body);
        set(&mut response, header::CONTENT_TYPE.as_str(), "application/octet-stream");
        return response;
    }
    let mut body = answer.body;
    let log_id = wire::fresh_id("");
    // A refusal carries its log id, except the custom bot's.
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
    // What is not there answers in plain text.
    if let Value::String(text) = body {
        return plain_response(status, "text/plain", text);
    }
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

async fn spoil(
    core: &Core,
    reset: &Reset,
    endpoint: &str,
    fault: Fault,
    answer: ApiResponse,
) -> Response {
    match fault {
        Fault::Status(status) => plain_response(
            status,
            "text/html",
            format!("<html><body><h1>{status}</h1></body></html>"),
        ),
        Fault::Code { http, code, msg } => {
            finish(core, endpoint, ApiResponse::refuse_as(http, code, msg))
        }
        Fault::RateLimited { reset_seconds } => {
            let refusal =
                ApiResponse::refuse_as(429, 99_991_400, "request trigger frequency limit");
            let mut response = finish(core, endpoint, refusal);
            set(&mut response, "x-ogw-ratelimit-limit", "50");
            set(&mut response, "x-ogw-ratelimit-reset", &reset_seconds.to_string());
            response
        }
        Fault::Timeout => {
            // The client hangs up, or the stand-in goes away.
            core.stop.cancelled().await;
            finish(core, endpoint, answer)
        }
        Fault::CutBody => cut(&answer.body.to_string()),
        Fault::ResetConnection => {
            reset.now();
            finish(core, endpoint, answer)
        }
        Fault::NotJson => plain_response(200, "text/html", "<html>ok</html>".to_owned()),
        Fault::CutJson => {
            let body = answer.body.to_string();
            let half: String = body.chars().take(body.chars().count() / 2).collect();
            plain_response(answer.status, "application/json; charset=utf-8", half)
        }
        Fault::WrongJson => finish(core, endpoint, ApiResponse::data(json!([42]))),
        Fault::Shut => {
            core.listener.shut().await;
            reset.now();
            finish(core, endpoint, answer)
        }
        Fault::Slow(delay) => {
            tokio::time::sleep(delay).await;
            if answer.code() == NOT_HANDLED {
                return plain_response(504, "text/html", "<html>504</html>".to_owned());
            }
            finish(core, endpoint, answer)
        }
    }
}

/// Announces the whole body, sends half of it, and ends the connection.
fn cut(body: &str) -> Response {
    let half: Vec<u8> = body.bytes().take(body.len() / 2).collect();
    let parts = [Ok(Bytes::from(half)), Err(io::Error::from(io::ErrorKind::ConnectionAborted))];
    let mut response = Response::new(Body::from_stream(futures::stream::iter(parts)));
    set(&mut response, "content-type", "application/json");
    set(&mut response, "content-length", &body.len().to_string());
    response
}
