//! The data plane over HTTP: `POST /api/v3/…` with a Bearer key (`docs/platforms/ark.md` §A.7).

use axum::body::Body;
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::sandbox::world::{ModelRefusal, ModelRoute, Usage, World};

/// The path of every call of the data plane.
const PREFIX: &str = "/api/v3/";

/// What is called, if the path belongs to the data plane: the path after the version.
pub(in super::super) fn action(path: &str) -> Option<&str> {
    path.strip_prefix(PREFIX)
}

fn route(action: &str) -> Option<ModelRoute> {
    Some(match action {
        "chat/completions" => ModelRoute::Chat,
        "embeddings" => ModelRoute::Embeddings,
        "images/generations" => ModelRoute::Images,
        "contents/generations/tasks" => ModelRoute::Videos,
        "bots/chat/completions" => ModelRoute::Bots,
        _ => return None,
    })
}

fn refusal(http: u16, code: &'static str, message: &str) -> ModelRefusal {
    ModelRefusal { http, code, message: message.to_owned() }
}

/// The key of `Authorization: Bearer KEY`; empty without one, which no account has.
fn bearer(parts: &Parts) -> &str {
    let header = parts.headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    header.and_then(|text| text.strip_prefix("Bearer ")).unwrap_or_default()
}

/// Runs a call.
pub(in super::super) fn call(
    world: &mut World,
    action: &str,
    parts: &Parts,
    body: &[u8],
    now: Timestamp,
) -> Result<Usage, ModelRefusal> {
    let missing = || refusal(404, "InvalidAction", "There is no such API.");
    let route = route(action).filter(|_| parts.method == "POST").ok_or_else(missing)?;
    let invalid = || refusal(400, "MissingParameter.model", "The parameter model is missing.");
    let body: Value = serde_json::from_slice(body).map_err(|_| invalid())?;
    let model = body.get("model").and_then(Value::as_str).ok_or_else(invalid)?;
    world.call_model(bearer(parts), model, Some(route), now)
}

/// The answer of a call, in the shape of its API.
pub(in super::super) fn answer(
    request_id: &str,
    outcome: &Result<Usage, ModelRefusal>,
) -> Response {
    let (status, body) = match outcome {
        Ok(usage) => (
            StatusCode::OK,
            json!({
                "id": request_id,
                "object": "chat.completion",
                "model": usage.model.id(),
                "choices": [{"index": 0, "finish_reason": "stop",
                    "message": {"role": "assistant", "content": "你好"}}],
                "usage": {
                    "prompt_tokens": usage.input,
                    "completion_tokens": usage.output,
                    "total_tokens": usage.input.saturating_add(usage.output),
                },
            }),
        ),
        Err(refused) => (
            StatusCode::from_u16(refused.http).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
            json!({"error": {
                "code": refused.code,
                "message": format!("{} Request id: {request_id}", refused.message),
                "param": "",
                "type": refused.code.split('.').next().unwrap_or_default(),
            }}),
        ),
    };
    let mut response = Response::new(Body::from(body.to_string()));
    *response.status_mut() = status;
    let kind = HeaderValue::from_static("application/json; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}
