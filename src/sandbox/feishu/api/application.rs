//! The app's own settings by API: configuration, versions, scopes (应用配置, 应用发布, 申请权限).

use axum::http::Method;
use serde_json::{Map, Value, json};

use super::super::console::{
    ConfigApi, Console, Delivery, Grants, is_callback, is_event, is_scope,
};
use super::super::core::Core;
use super::super::http::{ApiResponse, Call};
use super::request::{Body, Outcome, field, known_query, part};

const PATCH: &[&str] = &["application:application:patch"];
const READ: &[&str] = &["application:application:self_manage", "admin:app.info:readonly"];

/// Refuses what the tenant's platform does not have, another app's id, and a missing scope.
fn own(core: &Core, call: &Call, console: &Console, code: i64) -> Result<(), ApiResponse> {
    match console.rules.config_api {
        ConfigApi::Works => {}
        ConfigApi::Missing => return Err(not_here()),
        ConfigApi::NotConsoleApp => {
            return Err(ApiResponse::refuse_as(403, code, "not a developer-console app"));
        }
    }
    if part(call, 4) != core.config.app_id {
        return Err(ApiResponse::refuse_as(403, 210_036, "another app's id"));
    }
    if console.grants(PATCH) { Ok(()) } else { Err(ApiResponse::lacks_scope(PATCH)) }
}

/// What Lark answers on every path of version 7: not JSON.
pub(super) fn not_here() -> ApiResponse {
    ApiResponse { status: 404, body: Value::String("404 page not found".to_owned()) }
}

fn object<'v>(
    value: Option<&'v Value>,
    name: &str,
    known: &[&str],
) -> Result<Option<&'v Map<String, Value>>, ApiResponse> {
    let Some(value) = value else { return Ok(None) };
    let object = value.as_object().ok_or_else(|| field(name, "must be an object"))?;
    match object.keys().find(|key| !known.contains(&key.as_str())) {
        Some(unknown) => Err(field(&format!("{name}.{unknown}"), "no such field")),
        None => Ok(Some(object)),
    }
}

fn names(
    object: &Map<String, Value>,
    name: &str,
    most: usize,
    is_known: fn(&str) -> bool,
) -> Result<Vec<String>, ApiResponse> {
    let Some(value) = object.get(name) else { return Ok(Vec::new()) };
    let items = value.as_array().filter(|items| items.len() <= most);
    let items = items.ok_or_else(|| field(name, "must be a list"))?;
    let known = |item: &Value| item.as_str().filter(|text| is_known(text)).map(str::to_owned);
    items.iter().map(|item| known(item).ok_or_else(|| field(name, "unknown name"))).collect()
}

/// Reads how events or callbacks are to arrive. `websocket` is accepted only while a long connection is up.
fn delivery(core: &Core, object: &Map<String, Value>, name: &str) -> Result<Delivery, ApiResponse> {
    match object.get(name).and_then(Value::as_str) {
        Some("websocket") if core.connections.overview().open == 0 => {
            Err(ApiResponse::refuse(210_042, "no long connection of the app is up"))
        }
        Some("websocket") => Ok(Delivery::Websocket),
        Some("webhook") if object.get("request_url").is_some_and(Value::is_string) => {
            Ok(Delivery::Webhook)
        }
        Some("webhook") => Err(field("request_url", "is required")),
        _ => Err(field(name, "is required")),
    }
}

/// PATCH /application/v7/applications/:app_id/config.
pub fn config(core: &Core, call: &Call) -> Outcome {
    own(core, call, &core.state.lock().console, 210_043)?;
    known_query(call, &["user_id_type", "department_id_type"])?;
    let sections = [
        "scope",
        "event",
        "callback",
        "security",
        "visibility",
        "contacts",
        "event_and_callback_encrypt_strategy",
    ];
    let body = Body::read(call, &sections)?;
    if core.state.lock().console.in_review {
        return Err(ApiResponse::refuse_as(403, 210_040, "a version is under review"));
    }
    if !core.state.lock().console.is_bot {
        return Err(ApiResponse::refuse(210_041, "switch the bot ability on first"));
    }
    let mut draft = core.state.lock().console.draft.clone();
    if let Some(scope) = object(body.value("scope"), "scope", &["add_scopes", "remove_scopes"])? {
        let added = scope.get("add_scopes").and_then(Value::as_array);
        for one in added.into_iter().flatten() {
            let one = object(Some(one), "add_scopes", &["scope_name", "token_type"])?;
            let one = one.ok_or_else(|| field("add_scopes", "must be objects"))?;
            let name = one.get("scope_name").and_then(Value::as_str).unwrap_or_default();
            let kind = one.get("token_type").and_then(Value::as_str).unwrap_or_default();
            if !is_scope(name) || !matches!(kind, "tenant" | "user") {
                return Err(ApiResponse::refuse(210_031, format!("invalid scope {name}")));
            }
            draft.scopes.insert(name.to_owned());
        }
    }
    let known = ["subscription_type", "request_url", "add_events", "remove_events"];
    if let Some(event) = object(body.value("event"), "event", &known)? {
        draft.events_by = Some(delivery(core, event, "subscription_type")?);
        draft.events.extend(names(event, "add_events", 2000, is_event)?);
    }
    let known = ["callback_type", "request_url", "add_callbacks", "remove_callbacks"];
    if let Some(callback) = object(body.value("callback"), "callback", &known)? {
        draft.callbacks_by = Some(delivery(core, callback, "callback_type")?);
        draft.callbacks.extend(names(callback, "add_callbacks", 50, is_callback)?);
    }
    let known = ["is_visible_to_all", "visible_list"];
    if let Some(visibility) = object(body.value("visibility"), "visibility", &known)? {
        let all = visibility.get("is_visible_to_all").and_then(Value::as_bool);
        let list = object(
            visibility.get("visible_list"),
            "visible_list",
            &["user_ids", "department_ids"],
        )?;
        let people = list.map(|list| names(list, "user_ids", 2000, |id| id.starts_with("ou_")));
        draft.visible_to = Some(match all {
            Some(true) => None,
            Some(false) => Some(people.transpose()?.unwrap_or_default().into_iter().collect()),
            None => return Err(field("is_visible_to_all", "is required")),
        });
    }
    let contacts =
        object(body.value("contacts"), "contacts", &["contacts_range_type", "visible_list"])?;
    let range = contacts.and_then(|it| it.get("contacts_range_type")).and_then(Value::as_str);
    if contacts.is_some() && !matches!(range, Some("equal_to_availability" | "some" | "all")) {
        return Err(field("contacts_range_type", "unknown"));
    }
    core.change(|state| {
        let console = &mut state.console;
        if let Some(range) = range {
            console.contacts = range.to_owned();
        }
        // Scopes that need no review are in effect at once.
        if console.rules.grants == Grants::AtOnce {
            for scope in std::mem::take(&mut draft.scopes) {
                console.scopes.insert(scope, true);
            }
        }
        console.draft = draft;
    });
    Ok(ApiResponse::data(json!({})))
}

/// PATCH /application/v7/applications/:app_id/ability.
pub fn ability(core: &Core, call: &Call) -> Outcome {
    own(core, call, &core.state.lock().console, 210_021)?;
    known_query(call, &[])?;
    let body = Body::read(call, &["bot"])?;
    let known = ["enable", "message_card_callback_url", "i18ns"];
    let bot =
        object(body.value("bot"), "bot", &known)?.ok_or_else(|| field("bot", "is required"))?;
    let enable = bot.get("enable").and_then(Value::as_bool);
    let enable = enable.ok_or_else(|| field("bot.enable", "is required"))?;
    core.change(|state| {
        if state.console.in_review {
            return Err(ApiResponse::refuse_as(403, 210_020, "a version is under review"));
        }
        state.console.is_bot = enable;
        Ok(ApiResponse::data(json!({})))
    })
}

/// POST /application/v7/applications/:app_id/publish.
pub fn publish(core: &Core, call: &Call) -> Outcome {
    own(core, call, &core.state.lock().console, 210_001)?;
    known_query(call, &[])?;
    let known = ["version", "changelog", "remark", "mobile_default_ability", "pc_default_ability"];
    let body = Body::read(call, &known)?;
    for name in ["changelog", "remark"] {
        if body.required(name)?.chars().count() > 500 {
            return Err(ApiResponse::refuse(210_304, format!("{name} is too long")));
        }
    }
    for name in ["mobile_default_ability", "pc_default_ability"] {
        if body.required(name)? != "bot" {
            return Err(ApiResponse::refuse(210_304, format!("{name} is required")));
        }
    }
    core.change(|state| {
        let console = &mut state.console;
        if console.in_review {
            return Err(ApiResponse::refuse(210_302, "a version is under review"));
        }
        let next = console.version.saturating_add(1);
        if console.rules.reviews_versions {
            console.in_review = true;
        } else {
            console.publish_draft();
        }
        let version = format!("1.0.{}", next.saturating_sub(1));
        Ok(ApiResponse::data(json!({"version_id": format!("oav_{next}"), "version": version})))
    })
}

/// POST /application/v6/scopes/apply.
pub fn apply(core: &Core, call: &Call) -> Outcome {
    if !call.body.is_empty() && call.body.as_ref() != b"{}" {
        return Err(ApiResponse::refuse(9499, "Bad Request: no body is expected"));
    }
    core.change(|state| {
        let console = &mut state.console;
        if console.scopes.values().all(|granted| *granted) {
            return Err(ApiResponse::refuse(212_002, "no scope to apply for"));
        }
        if std::mem::replace(&mut console.applied, true) {
            return Err(ApiResponse::refuse(212_004, "applied already"));
        }
        if console.rules.grants == Grants::OnApply {
            console.scopes.values_mut().for_each(|granted| *granted = true);
        }
        Ok(ApiResponse::data(json!({})))
    })
}

/// GET /application/v6/applications/me.
pub fn me(core: &Core, call: &Call) -> Outcome {
    if call.query("lang").is_none() {
        return Err(field("lang", "is required"));
    }
    let state = core.state.lock();
    let console = &state.console;
    if !console.grants(READ) {
        return Err(ApiResponse::lacks_scope(READ));
    }
    let scopes: Vec<Value> = console
        .scopes
        .keys()
        .map(|scope| json!({"scope": scope, "description": "", "level": 1, "token_types": ["tenant"]}))
        .collect();
    Ok(ApiResponse::data(json!({"app": {
        "app_id": core.config.app_id,
        "app_name": core.config.bot_name,
        "status": 1,
        "online_version_id": console.events.as_ref().map(|_| format!("oav_{}", console.version)),
        "unaudit_version_id": if console.in_review { "oav_next" } else { "" },
        "scopes": scopes,
        "mobile_default_ability": "bot",
        "pc_default_ability": "bot",
        "callback_info": {
            "callback_type": console.callbacks_by.word(),
            "request_url": "",
            "subscribed_callbacks": console.callbacks,
        },
    }})))
}

/// GET /event/v1/connection.
pub fn connections(core: &Core) -> Outcome {
    let open = core.connections.overview().open;
    Ok(ApiResponse::data(json!({"online_instance_cnt": open})))
}

/// GET /contact/v3/scopes.
pub fn contact_range(core: &Core, call: &Call) -> Outcome {
    known_query(call, &["user_id_type", "department_id_type", "page_size", "page_token"])?;
    let state = core.state.lock();
    let reader = ["contact:contact.base:readonly"];
    if !state.console.grants(&reader) {
        return Err(ApiResponse::lacks_scope(&reader));
    }
    let people: Vec<&String> = match (&state.console.contacts[..], &state.console.visible_to) {
        ("equal_to_availability", Some(people)) => people.iter().collect(),
        _ => Vec::new(),
    };
    let departments: &[&str] = if people.is_empty() { &["0"] } else { &[] };
    Ok(ApiResponse::data(json!({
        "department_ids": departments, "user_ids": people, "group_ids": [], "has_more": false, "page_token": "",
    })))
}

/// Whether the path is one of version 7.
pub(super) fn is_version_7(method: &Method, path: &[&str]) -> Option<&'static str> {
    match (method, path) {
        (&Method::PATCH, ["applications", _, "config"]) => Some("app.config"),
        (&Method::PATCH, ["applications", _, "ability"]) => Some("app.ability"),
        (&Method::POST, ["applications", _, "publish"]) => Some("app.publish"),
        (&Method::GET, ["app_slash_commands"]) => Some("slash.list"),
        (&Method::POST, ["app_slash_commands"]) => Some("slash.create"),
        (&Method::PATCH, ["app_slash_commands", _]) => Some("slash.update"),
        (&Method::DELETE, ["app_slash_commands", _]) => Some("slash.delete"),
        _ => None,
    }
}
