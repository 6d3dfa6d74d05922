//! Requests to the endpoints, their responses, and the service's reply to a push.

use axum::body::Bytes;
use axum::http::{HeaderMap, Method};
use serde_json::{Value, json};

/// A complete request.
pub(super) struct Call {
    pub method: Method,
    /// The decoded segments of the path.
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

/// A response in the platform's form.
pub(super) struct ApiResponse {
    pub status: u16,
    pub body: Value,
}

impl ApiResponse {
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

    /// The refusal of a call for lack of a scope.
    pub fn lacks_scope(any_of: &[&str]) -> Self {
        let violations: Vec<Value> = any_of
            .iter()
            .map(|scope| json!({"type": "action_privilege_required", "subject": scope}))
            .collect();
        let msg = format!("Access denied. One of the following scopes is required: {any_of:?}");
        Self {
            status: 400,
            body: json!({"code": 99_991_672, "msg": msg, "error": {"permission_violations": violations}}),
        }
    }

    pub fn code(&self) -> i64 {
        self.body.get("code").and_then(Value::as_i64).unwrap_or(0)
    }
}

/// The service's reply to an event or a click.
pub(super) enum Reply {
    Answered { status: u16, body: String },
    TimedOut,
    NoConnection,
}
