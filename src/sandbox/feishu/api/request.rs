//! Reading requests: the path, the query and the JSON body.

use axum::http::header;
use serde_json::{Map, Value, json};

use super::super::cards::parse_json;
use super::super::http::{ApiResponse, Call};

/// An endpoint's answer; a refusal may be returned early.
pub(super) type Outcome = Result<ApiResponse, ApiResponse>;

/// The part of the path at `index`, counted from `open-apis`.
pub(super) fn part(call: &Call, index: usize) -> &str {
    call.path.get(index).map_or("", String::as_str)
}

/// The refusal of a missing or malformed field.
pub(super) fn field(name: &str, description: &str) -> ApiResponse {
    ApiResponse {
        status: 400,
        body: json!({
            "code": 99_992_402,
            "msg": "field validation failed",
            "error": {"field_violations": [{"field": name, "description": description}]},
        }),
    }
}

/// A request's JSON object.
pub(super) struct Body(Map<String, Value>);

impl Body {
    /// Reads the body; refuses a member that is not in `known`, which must be a mistake.
    pub(super) fn read(call: &Call, known: &[&str]) -> Result<Self, ApiResponse> {
        let kind = call
            .headers
            .get(header::CONTENT_TYPE)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default();
        if !kind.starts_with("application/json") {
            return Err(ApiResponse::refuse(9499, "Bad Request: not application/json"));
        }
        let bad = |reason: String| ApiResponse::refuse(9499, format!("Bad Request: {reason}"));
        let text = std::str::from_utf8(&call.body).map_err(|e| bad(e.to_string()))?;
        let Value::Object(members) = parse_json(text).map_err(|e| bad(e.to_string()))? else {
            return Err(bad("not an object".to_owned()));
        };
        match members.keys().find(|name| !known.contains(&name.as_str())) {
            Some(unknown) => Err(field(unknown, "no such field")),
            None => Ok(Self(members)),
        }
    }

    /// Required, non-empty text.
    pub(super) fn required(&self, name: &str) -> Result<&str, ApiResponse> {
        self.optional(name)?
            .filter(|text| !text.is_empty())
            .ok_or_else(|| field(name, "is required"))
    }

    /// Optional text; any other type is refused.
    pub(super) fn optional(&self, name: &str) -> Result<Option<&str>, ApiResponse> {
        match self.0.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(field(name, "must be a string")),
        }
    }

    /// A member as it is; null counts as absent.
    pub(super) fn value(&self, name: &str) -> Option<&Value> {
        self.0.get(name).filter(|value| !value.is_null())
    }

    pub(super) fn flag(&self, name: &str) -> Result<bool, ApiResponse> {
        match self.0.get(name) {
            None | Some(Value::Null) => Ok(false),
            Some(Value::Bool(flag)) => Ok(*flag),
            Some(_) => Err(field(name, "must be a boolean")),
        }
    }

    /// A list of at most `most` texts.
    pub(super) fn texts(&self, name: &str, most: usize) -> Result<Vec<&str>, ApiResponse> {
        let items = match self.0.get(name) {
            None | Some(Value::Null) => return Ok(Vec::new()),
            Some(Value::Array(items)) if items.len() <= most => items,
            Some(Value::Array(_)) => return Err(field(name, "too many")),
            Some(_) => return Err(field(name, "must be a list")),
        };
        let texts: Option<Vec<&str>> = items.iter().map(Value::as_str).collect();
        texts.ok_or_else(|| field(name, "must be a list of strings"))
    }
}

/// A page size within its bounds.
pub(super) fn page_size(
    call: &Call,
    default: usize,
    bounds: (usize, usize),
) -> Result<usize, ApiResponse> {
    match call.query("page_size") {
        None => Ok(default),
        Some(text) => text
            .parse()
            .ok()
            .filter(|size| (bounds.0..=bounds.1).contains(size))
            .ok_or_else(|| field("page_size", "out of range")),
    }
}

/// The start of the page. Page tokens are offsets here, which no client may assume.
pub(super) fn page_start(call: &Call) -> Result<usize, ApiResponse> {
    match call.query("page_token").filter(|token| !token.is_empty()) {
        None => Ok(0),
        Some(token) => token
            .strip_prefix("page-")
            .and_then(|offset| offset.parse().ok())
            .ok_or_else(|| field("page_token", "unknown")),
    }
}

/// Refuses query parameters that the endpoint does not have.
pub(super) fn known_query(call: &Call, known: &[&str]) -> Result<(), ApiResponse> {
    match call.query.iter().find(|(name, _)| !known.contains(&name.as_str())) {
        Some((unknown, _)) => Err(field(unknown, "no such parameter")),
        None => Ok(()),
    }
}
