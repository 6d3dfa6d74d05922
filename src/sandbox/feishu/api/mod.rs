//! The platform's endpoints: which there are, who may call them, and the reading of their bodies.

use axum::http::{Method, header};
use serde_json::{Map, Value, json};

use super::cards::parse_json;
use super::server::{Answer, Call};
use super::{Core, connection};

mod content;
mod directory;
mod files;
mod hook;
mod messages;
mod reading;

pub(super) use messages::{CARD_LIFE, replace};

/// What an endpoint answers; a refusal may be returned early.
type Outcome = Result<Answer, Answer>;

/// The endpoint's name for faults and the log of requests.
pub(super) fn endpoint(call: &Call) -> &'static str {
    let path: Vec<&str> = call.path.iter().map(String::as_str).collect();
    if call.method == Method::POST && path == ["callback", "ws", "endpoint"] {
        return "connection.endpoint";
    }
    let Some(("open-apis", path)) = path.split_first().map(|(first, rest)| (*first, rest)) else {
        return "unknown";
    };
    match (&call.method, path) {
        (&Method::POST, ["auth", "v3", "tenant_access_token", "internal"]) => "token",
        (&Method::POST, ["im", "v1", "messages"]) => "send",
        (&Method::GET, ["im", "v1", "messages"]) => "messages",
        (&Method::GET, ["im", "v1", "messages", _]) => "message",
        (&Method::PATCH, ["im", "v1", "messages", _]) => "patch",
        (&Method::DELETE, ["im", "v1", "messages", _]) => "recall",
        (&Method::POST, ["im", "v1", "messages", _, "reply"]) => "reply",
        (&Method::POST, ["contact", "v3", "users", "batch_get_id"]) => "users.by_contact",
        (&Method::GET, ["contact", "v3", "users", _]) => "user",
        (&Method::GET, ["im", "v1", "chats"]) => "chats",
        (&Method::GET, ["im", "v1", "chats", _]) => "chat",
        (&Method::GET, ["bot", "v3", "info"]) => "bot",
        (&Method::POST, ["im", "v1", "files"]) => "file",
        (&Method::POST, ["bot", "v2", "hook", _]) => "hook",
        _ => "unknown",
    }
}

/// Answers a request.
pub(super) async fn answer(core: &Core, endpoint: &str, call: &Call) -> Answer {
    let needs_token = !matches!(endpoint, "token" | "hook" | "connection.endpoint" | "unknown");
    let outcome = match needs_token.then(|| authorize(core, call)) {
        Some(Err(refusal)) => Err(refusal),
        _ => match endpoint {
            "token" => token(core, call),
            "send" => messages::send(core, call),
            "reply" => messages::reply(core, call),
            "patch" => messages::patch(core, call),
            "recall" => messages::recall(core, call),
            "message" => reading::message(core, call),
            "messages" => reading::messages(core, call),
            "users.by_contact" => directory::by_contact(core, call),
            "user" => directory::user(core, call),
            "chats" => directory::chats(core, call),
            "chat" => directory::chat(core, call),
            "bot" => directory::bot(core),
            "file" => files::upload(core, call).await,
            "hook" => hook::post(core, call),
            "connection.endpoint" => connection::discover(core, call),
            _ => Err(Answer::refuse_as(404, 99_991_404, "404 page not found")),
        },
    };
    outcome.unwrap_or_else(|refusal| refusal)
}

/// The part of the path at `index`, counted from `open-apis`.
fn part(call: &Call, index: usize) -> &str {
    call.path.get(index).map_or("", String::as_str)
}

fn token(core: &Core, call: &Call) -> Outcome {
    let body = Body::read(call, &["app_id", "app_secret"])?;
    let (id, secret) = (body.required("app_id")?, body.required("app_secret")?);
    if id != core.config.app_id || secret != core.config.app_secret {
        return Err(Answer::refuse_as(200, 10014, "app secret invalid"));
    }
    let (token, expire) = core.change(|state| state.token(core.now()));
    Ok(Answer {
        status: 200,
        body: json!({"code": 0, "msg": "ok", "tenant_access_token": token, "expire": expire}),
    })
}

fn authorize(core: &Core, call: &Call) -> Result<(), Answer> {
    let header = call
        .headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let token = header.strip_prefix("Bearer ").unwrap_or_default();
    if token.is_empty() {
        return Err(Answer::refuse(
            99_991_661,
            "Missing access token for authorization. Please make a request with token attached.",
        ));
    }
    if !(token.starts_with("t-") || token.starts_with("u-")) {
        return Err(Answer::refuse(
            99_991_671,
            "Invalid access token for authorization. The token should start with t- or u-.",
        ));
    }
    if !core.state.lock().knows_token(token, core.now()) {
        return Err(Answer::refuse(
            99_991_663,
            "Invalid access token for authorization. Please make a request with token attached.",
        ));
    }
    Ok(())
}

/// A field that is missing or ill-formed.
fn field(name: &str, description: &str) -> Answer {
    Answer {
        status: 400,
        body: json!({
            "code": 99_992_402,
            "msg": "field validation failed",
            "error": {"field_violations": [{"field": name, "description": description}]},
        }),
    }
}

/// A request's JSON object.
struct Body(Map<String, Value>);

impl Body {
    /// Reads the body; a member beside `known` is refused, because nobody meant it.
    fn read(call: &Call, known: &[&str]) -> Result<Self, Answer> {
        let kind = call
            .headers
            .get(header::CONTENT_TYPE)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default();
        if !kind.starts_with("application/json") {
            return Err(Answer::refuse(9499, "Bad Request: not application/json"));
        }
        let bad = |reason: String| Answer::refuse(9499, format!("Bad Request: {reason}"));
        let text = std::str::from_utf8(&call.body).map_err(|e| bad(e.to_string()))?;
        let Value::Object(members) = parse_json(text).map_err(|e| bad(e.to_string()))? else {
            return Err(bad("not an object".to_owned()));
        };
        match members.keys().find(|name| !known.contains(&name.as_str())) {
            Some(unknown) => Err(field(unknown, "no such field")),
            None => Ok(Self(members)),
        }
    }

    /// A text that must be there and not be empty.
    fn required(&self, name: &str) -> Result<&str, Answer> {
        self.optional(name)?
            .filter(|text| !text.is_empty())
            .ok_or_else(|| field(name, "is required"))
    }

    /// A text that may be absent, but not be something else.
    fn optional(&self, name: &str) -> Result<Option<&str>, Answer> {
        match self.0.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(field(name, "must be a string")),
        }
    }

    fn flag(&self, name: &str) -> Result<bool, Answer> {
        match self.0.get(name) {
            None | Some(Value::Null) => Ok(false),
            Some(Value::Bool(flag)) => Ok(*flag),
            Some(_) => Err(field(name, "must be a boolean")),
        }
    }

    /// A list of at most `most` texts.
    fn texts(&self, name: &str, most: usize) -> Result<Vec<&str>, Answer> {
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

/// A size of a page within its bounds.
fn page_size(call: &Call, default: usize, bounds: (usize, usize)) -> Result<usize, Answer> {
    match call.query("page_size") {
        None => Ok(default),
        Some(text) => text
            .parse()
            .ok()
            .filter(|size| (bounds.0..=bounds.1).contains(size))
            .ok_or_else(|| field("page_size", "out of range")),
    }
}

/// Where the page starts. Our page tokens are offsets, which no client may assume.
fn page_start(call: &Call) -> Result<usize, Answer> {
    match call.query("page_token").filter(|token| !token.is_empty()) {
        None => Ok(0),
        Some(token) => token
            .strip_prefix("page-")
            .and_then(|offset| offset.parse().ok())
            .ok_or_else(|| field("page_token", "unknown")),
    }
}

/// Refuses query parameters that the endpoint does not have.
fn known_query(call: &Call, known: &[&str]) -> Result<(), Answer> {
    match call.query.iter().find(|(name, _)| !known.contains(&name.as_str())) {
        Some((unknown, _)) => Err(field(unknown, "no such parameter")),
        None => Ok(()),
    }
}
