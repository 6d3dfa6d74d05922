//! Slash commands (斜杠指令). docs/platforms/feishu.md §11.1.

use serde_json::{Value, json};

use super::super::console::{ConfigApi, Console, SlashCommand};
use super::super::core::Core;
use super::super::http::{ApiResponse, Call};
use super::application::not_here;
use super::request::{Body, Outcome, known_query, part};

/// "at most 100 per app"
const MOST: usize = 100;
const READ: &[&str] = &["application:app_slash_command:read"];
const WRITE: &[&str] = &["application:app_slash_command:write"];
const LANGUAGES: &[&str] = &[
    "zh_cn", "en_us", "ja_jp", "zh_hk", "zh_tw", "de_de", "es_es", "fr_fr", "hi_in", "id_id",
    "it_it", "ko_kr", "pt_br", "ru_ru", "th_th", "vi_vn",
];

fn invalid(what: &str) -> ApiResponse {
    ApiResponse::refuse(40_000_000, format!("Invalid Param {what}"))
}

fn allowed(console: &Console, scope: &[&str]) -> Result<(), ApiResponse> {
    if console.rules.config_api == ConfigApi::Missing {
        return Err(not_here());
    }
    if console.grants(scope) { Ok(()) } else { Err(ApiResponse::lacks_scope(scope)) }
}

fn shown(command: &SlashCommand) -> Value {
    json!({
        "command_id": command.id,
        "command": command.name,
        "description": command.description,
        "icon": {"icon_key": command.icon},
        "create_time": "1767225600",
        "update_time": "1767225600",
    })
}

/// GET /application/v7/app_slash_commands. An empty list has no `items`.
pub fn list(core: &Core, call: &Call) -> Outcome {
    known_query(call, &[])?;
    let state = core.state.lock();
    allowed(&state.console, READ)?;
    let items: Vec<Value> = state.console.commands.iter().map(shown).collect();
    Ok(ApiResponse::data(if items.is_empty() { json!({}) } else { json!({ "items": items }) }))
}

fn description(body: &Body) -> Result<Option<Value>, ApiResponse> {
    let Some(value) = body.value("description") else { return Ok(None) };
    let object = value.as_object().ok_or_else(|| invalid("'description'"))?;
    let text =
        |value: Option<&Value>| value.and_then(Value::as_str).is_some_and(|it| !it.is_empty());
    let known = object.keys().all(|key| matches!(key.as_str(), "default_value" | "i18n"));
    let words = object.get("i18n").is_none_or(|words| {
        words.as_object().is_some_and(|words| {
            words.iter().all(|(key, word)| LANGUAGES.contains(&key.as_str()) && text(Some(word)))
        })
    });
    if known && words && text(object.get("default_value")) {
        Ok(Some(value.clone()))
    } else {
        Err(invalid("'description'"))
    }
}

fn icon(body: &Body) -> Result<Option<String>, ApiResponse> {
    let Some(value) = body.value("icon") else { return Ok(None) };
    match value.get("icon_key").and_then(Value::as_str) {
        Some(key) if key.ends_with("_outlined") || key.ends_with("_filled") => {
            Ok(Some(key.to_owned()))
        }
        _ => Err(ApiResponse::refuse(40_000_031, "icon_key is unknown")),
    }
}

/// POST /application/v7/app_slash_commands.
pub fn create(core: &Core, call: &Call) -> Outcome {
    known_query(call, &[])?;
    allowed(&core.state.lock().console, WRITE)?;
    let body = Body::read(call, &["command", "description", "icon"])?;
    let name = body.required("command")?.to_owned();
    if name.starts_with('/') {
        return Err(invalid("'command'"));
    }
    let description = description(&body)?.ok_or_else(|| invalid("'description'"))?;
    let icon = icon(&body)?.unwrap_or_else(|| "skill_outlined".to_owned());
    core.change(|state| {
        let console = &mut state.console;
        if console.commands.iter().any(|known| known.name == name) {
            return Err(invalid("'command'. command already exists."));
        }
        if console.commands.len() >= MOST {
            return Err(invalid("'command'. too many commands"));
        }
        console.command_writes = console.command_writes.saturating_add(1);
        let id = format!("7{:018}", console.command_writes);
        let command = SlashCommand { id: id.clone(), name, description, icon };
        console.commands.push(command);
        // No more is promised.
        Ok(ApiResponse::data(json!({ "command_id": id })))
    })
}

/// PATCH /application/v7/app_slash_commands/:command_id.
pub fn update(core: &Core, call: &Call) -> Outcome {
    allowed(&core.state.lock().console, WRITE)?;
    let body = Body::read(call, &["description", "icon"])?;
    let (description, icon) = (description(&body)?, icon(&body)?);
    core.change(|state| {
        let console = &mut state.console;
        console.command_writes = console.command_writes.saturating_add(1);
        let command = console.commands.iter_mut().find(|command| command.id == part(call, 4));
        let command = command.ok_or_else(|| invalid("'command_id'"))?;
        if let Some(description) = description {
            command.description = description;
        }
        if let Some(icon) = icon {
            command.icon = icon;
        }
        Ok(ApiResponse::data(shown(command)))
    })
}

/// DELETE /application/v7/app_slash_commands/:command_id.
pub fn delete(core: &Core, call: &Call) -> Outcome {
    let state = &mut core.state.lock();
    allowed(&state.console, WRITE)?;
    let before = state.console.commands.len();
    state.console.commands.retain(|command| command.id != part(call, 4));
    if state.console.commands.len() == before {
        return Err(invalid("'command_id'"));
    }
    state.console.command_writes = state.console.command_writes.saturating_add(1);
    Ok(ApiResponse::data(json!({})))
}
