//! API keys of 方舟, lasting and temporary (`docs/platforms/ark.md` §A.4).

use jiff::SignedDuration;
use serde_json::{Value, json};

use super::super::context::Context;
use super::super::params::Params;
use super::super::refusal::{GatewayCode, Refusal, Reply, reply};
use super::common::{not_found, page, project};
use crate::sandbox::world::{ArkKey, ArkRules, KeySwitchForm, ResourceType, masked};

/// Longest life of a temporary key, in seconds.
const LONGEST: i64 = 2_592_000;

/// The item of the list, as the cloud shows it now.
fn wire(key: &mut ArkKey, rules: &ArkRules) -> Value {
    let (on, secret) = (key.on.read(), key.secret.read());
    let mut shown = json!({
        "Id": key.id,
        "Name": key.name,
        "SID": key.sid,
        "Key": masked(&secret),
        "ProjectName": key.project,
    });
    let (field, value) = match rules.key_switch {
        KeySwitchForm::Disable => ("Disable", json!(!on)),
        KeySwitchForm::Disabled => ("Disabled", json!(!on)),
        _ if !on => ("Status", json!("Inactive")),
        _ if key.allowed.is_some() => ("Status", json!("Restricted")),
        _ => ("Status", json!("Active")),
    };
    if let Some(fields) = shown.as_object_mut() {
        fields.insert(field.to_owned(), value);
        if rules.keys_show_their_user {
            let user = key.creator.as_ref().map_or(0, |creator| creator.user_id);
            fields.insert("UserId".to_owned(), user.into());
        }
    }
    shown
}

/// Whose keys a list shows.
enum Of {
    Everybody,
    User(i64),
}

/// `Filter`: `AllowAll`, `UserId` or `Scene`. Without any of them: the caller's own keys.
fn whose(context: &Context<'_>, params: &Params) -> Result<Of, Refusal> {
    let caller = context.caller.user.as_ref();
    let own = caller.and_then(|name| context.account.users.get(name)).map_or(0, |user| user.id);
    let Some(filter) = params.object("Filter")? else {
        return Ok(Of::User(own));
    };
    filter.only(&["AllowAll", "UserId", "Scene"])?;
    let user = filter.int_or_text("UserId")?;
    match (filter.flag("AllowAll")?, user) {
        (Some(true), None) => Ok(Of::Everybody),
        (_, Some(user)) => Ok(Of::User(user)),
        _ if filter.text("Scene")?.is_some() => Ok(Of::Everybody),
        _ => Ok(Of::User(own)),
    }
}

pub(in super::super) fn list(context: &mut Context<'_>, params: &Params) -> Result<Reply, Refusal> {
    let project = project(params)?;
    let of = whose(context, params)?;
    let rules = &context.rules.ark;
    let keys = context.account.ark.keys.values_mut();
    let made_by = |key: &ArkKey| key.creator.as_ref().map(|creator| creator.user_id);
    let rows: Vec<&mut ArkKey> = keys
        .filter(|key| key.project == project)
        .filter(|key| match of {
            Of::Everybody => true,
            Of::User(_) if rules.user_filter_is_ignored => true,
            Of::User(id) => made_by(key) == Some(id),
        })
        .collect();
    page(params, rows, |key| wire(key, rules))
}

fn named<'a>(context: &'a mut Context<'_>, params: &Params) -> Result<&'a mut ArkKey, Refusal> {
    let id = params.int("Id")?.ok_or_else(|| params.missing("Id"))?;
    context.account.ark.keys.get_mut(&id).ok_or_else(|| not_found("ApiKey", &id.to_string()))
}

/// Gives a key a new secret, or switches it in the form that the rules say. Other fields are ignored.
pub(in super::super) fn update(
    context: &mut Context<'_>,
    params: &Params,
) -> Result<Reply, Refusal> {
    let (form, lag) = (context.rules.ark.key_switch, context.rules.lag);
    if form == KeySwitchForm::NoSuchAction {
        return Err(Refusal::gateway(
            GatewayCode::InvalidActionOrVersion,
            "Could not find operation UpdateApiKey for version 2024-01-01.",
        ));
    }
    let key = named(context, params)?;
    let on = match form {
        KeySwitchForm::Status => match params.text("Status")?.as_deref() {
            None => None,
            Some("Active") => Some(true),
            Some("Inactive") => Some(false),
            Some(_) => return Err(params.invalid("Status", "is not known")),
        },
        KeySwitchForm::Disable => params.flag("Disable")?.map(|off| !off),
        KeySwitchForm::Disabled => params.flag("Disabled")?.map(|off| !off),
        KeySwitchForm::Nothing | KeySwitchForm::NoSuchAction => None,
    };
    if let Some(on) = on {
        key.on.set(on, lag);
    }
    if params.flag("Regen")? == Some(true) {
        key.regenerate(lag);
        return reply(&json!({"Id": key.id, "ApiKey": key.text()}));
    }
    Ok(None)
}

/// The key itself.
pub(in super::super) fn raw(context: &mut Context<'_>, params: &Params) -> Result<Reply, Refusal> {
    let project = project(params)?;
    let key = named(context, params)?;
    if key.project != project {
        return Err(not_found("ApiKey", &key.id.to_string()));
    }
    reply(&json!({"ApiKey": key.text()}))
}

pub(in super::super) fn delete(
    context: &mut Context<'_>,
    params: &Params,
) -> Result<Reply, Refusal> {
    let id = named(context, params)?.id;
    context.account.ark.keys.remove(&id);
    Ok(None)
}

/// GetApiKey: a temporary key.
pub(in super::super) fn temporary(
    context: &mut Context<'_>,
    params: &Params,
) -> Result<Reply, Refusal> {
    let seconds =
        params.int("DurationSeconds")?.ok_or_else(|| params.missing("DurationSeconds"))?;
    if !(0..=LONGEST).contains(&seconds) {
        return Err(params.invalid("DurationSeconds", "is out of range"));
    }
    let kind = match params.required("ResourceType")?.as_str() {
        "endpoint" => ResourceType::Endpoint,
        "bot" => ResourceType::Bot,
        "presetendpoint" => ResourceType::Preset,
        _ => return Err(params.invalid("ResourceType", "is not known")),
    };
    let resources = params.texts("ResourceIds")?;
    if resources.is_empty() {
        return Err(params.missing("ResourceIds"));
    }
    let project = project(params)?;
    let ark = &context.account.ark;
    for id in &resources {
        let exists = match kind {
            ResourceType::Endpoint => ark.endpoints.contains_key(id),
            ResourceType::Bot => ark.bots.contains_key(id),
            ResourceType::Preset => ark.presets.values().any(|preset| {
                preset.project == project && (preset.id == *id || preset.model.id() == *id)
            }),
        };
        if !exists {
            return Err(not_found("Resource", id));
        }
    }
    let expires = context.now.saturating_add(SignedDuration::from_secs(seconds));
    let expires = expires.map_err(|_| params.invalid("DurationSeconds", "is out of range"))?;
    let made_with = context.caller.access_key_id.clone();
    let key = context.account.new_temporary_key(kind, resources, &project, expires, &made_with);
    reply(&json!({"ApiKey": key, "ExpiredTime": expires.as_second()}))
}
