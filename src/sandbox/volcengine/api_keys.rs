//! API keys of IAM (`docs/platforms/ark.md` §B.1).

use secrecy::ExposeSecret;
use serde_json::{Value, json};

use super::context::Context;
use super::params::Params;
use super::refusal::{GatewayCode, Refusal, Reply, reply};
use super::users::{date, named, not_found};
use crate::sandbox::world::{IamApiKey, KeyStatus, User};

/// Largest `Limit`.
const MAX_LIMIT: usize = 1_000;
/// Largest `Offset`.
const MAX_OFFSET: usize = 100;
/// Longest `Name`.
const NAME_LIMIT: usize = 128;

/// Refuses like a gateway that does not know the action.
fn check_known(context: &Context<'_>) -> Result<(), Refusal> {
    context.rules.has_iam_api_keys.then_some(()).ok_or_else(|| {
        Refusal::gateway(GatewayCode::InvalidActionOrVersion, "Could not find the operation.")
    })
}

/// The user of a call; without `UserName` the caller. The main account has no such keys.
fn owner<'a>(context: &'a mut Context<'_>, params: &Params) -> Result<&'a mut User, Refusal> {
    if params.text("UserName")?.is_some() {
        return named(context.account, params, "UserName");
    }
    let name = context.caller.user.clone().unwrap_or_default();
    context.account.users.get_mut(&name).ok_or_else(|| not_found(&name))
}

fn wire(key: &IamApiKey, status: KeyStatus) -> Value {
    json!({
        "Id": key.id,
        "Name": key.name,
        "Status": status.as_str(),
        "PermissionsBoundary": "",
        "CreateDate": date(key.created),
        "UpdateDate": date(key.updated),
    })
}

fn check_name(name: &str) -> Result<(), Refusal> {
    let fits = (1..=NAME_LIMIT).contains(&name.chars().count());
    fits.then_some(()).ok_or_else(|| Refusal::new(400, "InvalidParameter", "Invalid Name."))
}

pub(super) fn list(context: &mut Context<'_>, params: &Params) -> Result<Reply, Refusal> {
    check_known(context)?;
    let page = params.page(Some(MAX_LIMIT), MAX_LIMIT)?;
    if page.offset > MAX_OFFSET {
        return Err(Refusal::new(400, "InvalidOffset", "The Offset is larger than 100."));
    }
    let keys = &mut owner(context, params)?.api_keys;
    let total = keys.len();
    let shown: Vec<Value> = keys
        .iter_mut()
        .skip(page.offset)
        .take(page.limit)
        .map(|key| {
            let status = key.status.read();
            wire(key, status)
        })
        .collect();
    reply(&json!({"ApiKeys": shown, "Total": total}))
}

pub(super) fn create(context: &mut Context<'_>, params: &Params) -> Result<Reply, Refusal> {
    check_known(context)?;
    let now = context.now;
    let name = params.required("Name")?;
    check_name(&name)?;
    let key = owner(context, params)?.new_api_key(&name, KeyStatus::Active, now);
    let mut shown = wire(&key, KeyStatus::Active);
    if let Some(fields) = shown.as_object_mut() {
        fields.insert("Secret".to_owned(), key.secret.expose_secret().into());
    }
    reply(&json!({"ApiKey": shown}))
}

fn unknown(id: &str) -> Refusal {
    Refusal::new(404, "ApiKeyNotExist", format!("API key '{id}' cannot be found."))
}

pub(super) fn update(context: &mut Context<'_>, params: &Params) -> Result<Reply, Refusal> {
    check_known(context)?;
    let (now, lag) = (context.now, context.rules.lag);
    let id = params.required("Id")?;
    let status = match params.text("Status")?.as_deref() {
        None => None,
        Some("active") => Some(KeyStatus::Active),
        Some("inactive") => Some(KeyStatus::Inactive),
        Some(other) => {
            return Err(Refusal::new(
                400,
                "InvalidParameter",
                format!("The Status '{other}' is neither active nor inactive."),
            ));
        }
    };
    let name = params.text("Name")?;
    name.as_deref().map_or(Ok(()), check_name)?;
    let keys = &mut owner(context, params)?.api_keys;
    let key = keys.iter_mut().find(|key| key.id == id).ok_or_else(|| unknown(&id))?;
    if let Some(name) = name {
        key.name = name;
    }
    if let Some(status) = status {
        key.status.set(status, lag);
    }
    key.updated = now;
    Ok(None)
}

pub(super) fn delete(context: &mut Context<'_>, params: &Params) -> Result<Reply, Refusal> {
    check_known(context)?;
    let id = params.required("Id")?;
    let keys = &mut owner(context, params)?.api_keys;
    let place = keys.iter().position(|key| key.id == id).ok_or_else(|| unknown(&id))?;
    keys.remove(place);
    Ok(None)
}
