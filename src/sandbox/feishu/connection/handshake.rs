//! How a client connects: discovery over HTTP, and the upgrade to a WebSocket.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Query, Request};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::response::Response;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::Role;

use super::super::core::Core;
use super::super::http::{ApiResponse, Call};
use super::super::wire as ids;
use super::hub::UpgradeRefusal;
use super::session;
use super::wire::SERVICE_ID;

/// The path of the WebSocket.
pub const PATH: &str = "/ws/v2";
/// "at most 50 connections per app"
const MAX_CONNECTIONS: usize = 50;
/// How many unused tickets are kept.
const UNUSED_TICKETS: usize = 1000;

/// POST /callback/ws/endpoint.
pub fn discover(core: &Core, call: &Call) -> Result<ApiResponse, ApiResponse> {
    let is_json =
        text(&call.headers, header::CONTENT_TYPE.as_str()).starts_with("application/json");
    let body: Value = serde_json::from_slice(&call.body).unwrap_or_default();
    let field = |name| body.get(name).and_then(Value::as_str);
    let (Some(id), Some(secret), true) = (field("AppID"), field("AppSecret"), is_json) else {
        return Err(ApiResponse::refuse(10_003, "invalid param"));
    };
    if !call.query.is_empty() || body.as_object().is_none_or(|members| members.len() != 2) {
        return Err(ApiResponse::refuse(10_003, "invalid param"));
    }
    if text(&call.headers, "locale").is_empty() {
        core.connections.violation("discovery without the header locale".to_owned());
    }
    if call.headers.contains_key(header::AUTHORIZATION) {
        core.connections.violation("discovery with a token".to_owned());
    }
    let unmade = core.state.lock().registration.is_open;
    if unmade || id != core.config.app_id || secret != core.config.app_secret {
        return Err(ApiResponse::refuse_as(200, 1_000_040_345, "app id or app secret is invalid"));
    }
    let device_id = rand::random_range(7_000_000_000_000_000_000_u64..8_000_000_000_000_000_000);
    let (device_id, ticket) = (device_id.to_string(), ids::fresh_id(""));
    let host = core.url.trim_start_matches("http://");
    let url = format!(
        "ws://{host}{PATH}?fpid=493&aid=552564&device_id={device_id}&access_key={}\
         &service_id={SERVICE_ID}&ticket={ticket}",
        ids::fresh_id("")
    );
    let times = core.connections.change(|state| {
        if state.tickets.len() >= UNUSED_TICKETS {
            state.tickets.clear();
        }
        state.tickets.insert(ticket, device_id);
        state.overview.endpoints = state.overview.endpoints.saturating_add(1);
        state.times
    });
    Ok(ApiResponse {
        status: 200,
        body: json!({"code": 0, "msg": "", "data": {"URL": url, "ClientConfig": times.to_json()}}),
    })
}

/// GET /ws/v2: upgrades the connection to a WebSocket.
///
/// # Errors
/// The refusal and its text.
#[allow(clippy::result_large_err)] // The error is the response.
pub fn upgrade(core: &Arc<Core>, request: Request) -> Result<Response, (Response, String)> {
    let key = match check(core, &request) {
        Ok(key) => key,
        Err(refusal) => return Err((refuse(&refusal), refusal.msg)),
    };
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    if let Ok(accept) = HeaderValue::from_str(&derive_accept_key(key.as_bytes())) {
        headers.insert(header::SEC_WEBSOCKET_ACCEPT, accept);
    }
    let (connections, stop) = (core.connections.clone(), core.stop.clone());
    tokio::spawn(async move {
        match hyper::upgrade::on(request).await {
            Ok(upgraded) => {
                let io = TokioIo::new(upgraded);
                let socket = WebSocketStream::from_raw_socket(io, Role::Server, None).await;
                tokio::select! {
                    () = stop.cancelled() => {}
                    () = session::run(&connections, socket) => {}
                }
            }
            Err(error) => tracing::warn!(%error, "a client left during the upgrade"),
        }
    });
    Ok(response)
}

/// Validates the handshake and returns its key.
fn check(core: &Core, request: &Request) -> Result<String, UpgradeRefusal> {
    let refusal =
        |status, auth_code, msg: &str| UpgradeRefusal { status, auth_code, msg: msg.to_owned() };
    if let Some(refusal) = core.connections.change(|state| state.refusals.pop_front()) {
        return Err(refusal);
    }
    let headers = request.headers();
    let is = |name, wanted: &str| {
        text(headers, name).split(',').any(|part| part.trim().eq_ignore_ascii_case(wanted))
    };
    let key = text(headers, "sec-websocket-key");
    if request.method() != Method::GET
        || !is("connection", "upgrade")
        || !is("upgrade", "websocket")
        || text(headers, "sec-websocket-version") != "13"
        || key.is_empty()
    {
        return Err(refusal(400, None, "not a WebSocket handshake"));
    }
    if headers.contains_key(header::SEC_WEBSOCKET_PROTOCOL) {
        core.connections.violation("an upgrade that asks for a subprotocol".to_owned());
    }
    let query = Query::<Vec<(String, String)>>::try_from_uri(request.uri());
    let query = query.map(|Query(pairs)| pairs).unwrap_or_default();
    let param =
        |name: &str| query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
    let whole = ["fpid", "aid", "access_key"].iter().all(|name| param(name).is_some())
        && param("service_id") == Some(SERVICE_ID.to_string().as_str());
    let ticket = param("ticket").unwrap_or_default();
    core.connections.change(|state| {
        match state.tickets.remove(ticket) {
            Some(device) if whole && param("device_id") == Some(device.as_str()) => {}
            _ => return Err(refusal(514, Some(1), "the ticket is invalid or was used")),
        }
        if state.open.len() >= MAX_CONNECTIONS {
            return Err(refusal(514, Some(1_000_040_350), "too many connections"));
        }
        Ok(key.to_owned())
    })
}

fn refuse(refusal: &UpgradeRefusal) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::BAD_REQUEST;
    let mut set = |name: &'static str, value: String| {
        if let Ok(value) = HeaderValue::from_str(&value) {
            response.headers_mut().insert(HeaderName::from_static(name), value);
        }
    };
    set("handshake-status", refusal.status.to_string());
    set("handshake-msg", refusal.msg.clone());
    if let Some(code) = refusal.auth_code {
        set("handshake-autherrcode", code.to_string());
    }
    response
}

fn text<'h>(headers: &'h HeaderMap, name: &str) -> &'h str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}
