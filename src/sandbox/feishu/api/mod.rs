//! The platform's endpoints: their names and who may call them.

use axum::http::{Method, header};
use serde_json::json;

use self::request::{Body, Outcome};
use super::connection;
use super::console;
use super::core::Core;
use super::http::{ApiResponse, Call};
use super::registration;

mod application;
mod content;
mod directory;
pub(super) mod files;
mod hook;
mod members;
mod messages;
mod reading;
mod request;
mod slash;

/// The endpoint's name for faults and the log of requests.
pub(super) fn endpoint(call: &Call) -> &'static str {
    let path: Vec<&str> = call.path.iter().map(String::as_str).collect();
    if call.method == Method::POST && path == ["callback", "ws", "endpoint"] {
        return "connection.endpoint";
    }
    if path == ["oauth", "v1", "app", "registration"] {
        return "registration";
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
        (&Method::GET, ["im", "v1", "messages", _, "resources", _]) => "resource",
        (&Method::POST, ["contact", "v3", "users", "batch_get_id"]) => "users.by_contact",
        (&Method::GET, ["contact", "v3", "users", _]) => "user",
        (&Method::GET, ["im", "v1", "chats"]) => "chats",
        (&Method::GET, ["im", "v1", "chats", "search"]) => "chats.search",
        (&Method::PATCH, ["im", "v1", "chats", _, "members", "me_join"]) => "chat.join",
        (&Method::GET, ["im", "v1", "chats", _]) => "chat",
        (&Method::GET, ["im", "v1", "chats", _, "members"]) => "chat.members",
        (&Method::GET, ["bot", "v3", "info"]) => "bot",
        (&Method::GET, ["application", "v6", "scopes"]) => "scopes",
        (&Method::GET, ["application", "v6", "applications", _, "app_versions"]) => "app_versions",
        (&Method::POST, ["application", "v6", "scopes", "apply"]) => "scopes.apply",
        (&Method::GET, ["application", "v6", "applications", "me"]) => "app",
        (&Method::GET, ["event", "v1", "connection"]) => "connections",
        (&Method::GET, ["contact", "v3", "scopes"]) => "contact.scopes",
        (method, ["application", "v7", rest @ ..]) => {
            application::is_version_7(method, rest).unwrap_or("unknown")
        }
        (&Method::POST, ["im", "v1", "files"]) => "file",
        (&Method::POST, ["bot", "v2", "hook", _]) => "hook",
        _ => "unknown",
    }
}

/// Answers a request.
pub(super) async fn answer(core: &Core, endpoint: &str, call: &Call) -> ApiResponse {
    let needs_token =
        !matches!(endpoint, "token" | "hook" | "connection.endpoint" | "registration" | "unknown");
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
            "chats.search" => directory::search(core, call),
            "chat.join" => directory::join(core, call),
            "registration" => Ok(registration::register(core, call)),
            "app.config" => application::config(core, call),
            "app.ability" => application::ability(core, call),
            "app.publish" => application::publish(core, call),
            "app" => application::me(core, call),
            "scopes.apply" => application::apply(core, call),
            "connections" => application::connections(core),
            "contact.scopes" => application::contact_range(core, call),
            "slash.list" => slash::list(core, call),
            "slash.create" => slash::create(core, call),
            "slash.update" => slash::update(core, call),
            "slash.delete" => slash::delete(core, call),
            "chat.members" => members::members(core, call),
            "bot" => directory::bot(core),
            "scopes" => Ok(console::scopes(core)),
            "app_versions" => console::versions(core, call),
            "file" => files::upload(core, call).await,
            "resource" => files::resource(core, call),
            "hook" => hook::post(core, call),
            "connection.endpoint" => connection::discover(core, call),
            _ => Err(ApiResponse::refuse_as(404, 99_991_404, "404 page not found")),
        },
    };
    outcome.unwrap_or_else(|refusal| refusal)
}

fn token(core: &Core, call: &Call) -> Outcome {
    let body = Body::read(call, &["app_id", "app_secret"])?;
    let (id, secret) = (body.required("app_id")?, body.required("app_secret")?);
    let unmade = core.state.lock().registration.is_open;
    if unmade || id != core.config.app_id || secret != core.config.app_secret {
        return Err(ApiResponse::refuse_as(200, 10014, "app secret invalid"));
    }
    let (token, expire) = core.change(|state| state.token(core.now()));
    Ok(ApiResponse {
        status: 200,
        body: json!({"code": 0, "msg": "ok", "tenant_access_token": token, "expire": expire}),
    })
}

fn authorize(core: &Core, call: &Call) -> Result<(), ApiResponse> {
    let header = call
        .headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let token = header.strip_prefix("Bearer ").unwrap_or_default();
    if token.is_empty() {
        return Err(ApiResponse::refuse(
            99_991_661,
            "Missing access token for authorization. Please make a request with token attached.",
        ));
    }
    if !(token.starts_with("t-") || token.starts_with("u-")) {
        return Err(ApiResponse::refuse(
            99_991_671,
            "Invalid access token for authorization. The token should start with t- or u-.",
        ));
    }
    if !core.state.lock().knows_token(token, core.now()) {
        return Err(ApiResponse::refuse(
            99_991_663,
            "Invalid access token for authorization. Please make a request with token attached.",
        ));
    }
    Ok(())
}
