//! Access keys: of a user, or, where no user is named, the account's own.

use secrecy::ExposeSecret;
use serde::Serialize;

use super::context::Context;
use super::params::Params;
use super::refusal::{Refusal, Reply, reply};
use super::users::{date, named};
use crate::sandbox::world::{AccessKey, KeyStatus};

/// `AccessKeysPerUserQuota`.
const KEY_LIMIT: usize = 2;

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct WireKey<'a> {
    access_key_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    secret_access_key: Option<&'a str>,
    user_name: &'a str,
    status: &'static str,
    create_date: String,
    update_date: String,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct KeyList<'a> {
    access_key_metadata: Vec<WireKey<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct NewKey<'a> {
    access_key: WireKey<'a>,
}

/// The user name (empty for the account itself) and the keys that a call refers to.
fn held<'a>(
    context: &'a mut Context<'_>,
    params: &Params,
) -> Result<(String, &'a mut Vec<AccessKey>), Refusal> {
    if params.text("UserName")?.is_none() {
        return Ok((String::new(), &mut context.account.keys));
    }
    let user = named(context.account, params, "UserName")?;
    Ok((user.name.clone(), &mut user.keys))
}

pub(super) fn list(context: &mut Context<'_>, params: &Params) -> Result<Reply, Refusal> {
    let (name, keys) = held(context, params)?;
    reply(&KeyList {
        access_key_metadata: keys
            .iter_mut()
            .map(|key| {
                let status = key.read_status().as_str();
                WireKey {
                    access_key_id: &key.id,
                    secret_access_key: None,
                    user_name: &name,
                    status,
                    create_date: date(key.created),
                    update_date: date(key.updated),
                }
            })
            .collect(),
    })
}

pub(super) fn create(context: &mut Context<'_>, params: &Params) -> Result<Reply, Refusal> {
    // The stand-in creates no keys for the main account: airgate never asks for them.
    let now = context.now;
    let user = match params.text("UserName")? {
        Some(_) => named(context.account, params, "UserName")?,
        None => {
            return Err(Refusal::new(
                400,
                "ErrorCreateAccessKey",
                "The access key of the main account cannot be created here.",
            ));
        }
    };
    if user.keys.len() >= KEY_LIMIT {
        return Err(Refusal::new(
            409,
            "AccessKeyLimitExceeded",
            format!("The user '{}' has too many access keys.", user.name),
        ));
    }
    let key = user.new_key(KeyStatus::Active, now);
    reply(&NewKey {
        access_key: WireKey {
            access_key_id: &key.id,
            secret_access_key: Some(key.secret.expose_secret()),
            user_name: &user.name,
            status: key.status.as_str(),
            create_date: date(key.created),
            update_date: date(key.updated),
        },
    })
}

pub(super) fn update(context: &mut Context<'_>, params: &Params) -> Result<Reply, Refusal> {
    let (now, lag) = (context.now, context.rules.lag);
    let id = params.required("AccessKeyId")?;
    let status = match params.required("Status")?.as_str() {
        "active" => KeyStatus::Active,
        "inactive" => KeyStatus::Inactive,
        other => {
            return Err(Refusal::new(
                400,
                "InvalidAccessKeyStatus",
                format!("The status '{other}' is neither active nor inactive."),
            ));
        }
    };
    let (_, keys) = held(context, params)?;
    let key = keys.iter_mut().find(|key| key.id == id).ok_or_else(|| {
        Refusal::new(404, "AccessKeyNotExist", format!("Access key '{id}' cannot be found."))
    })?;
    key.set_status(status, now, lag);
    Ok(None)
}

/// Only a key that is not active.
pub(super) fn delete(context: &mut Context<'_>, params: &Params) -> Result<Reply, Refusal> {
    let id = params.required("AccessKeyId")?;
    let (_, keys) = held(context, params)?;
    let place = keys.iter().position(|key| key.id == id).ok_or_else(|| {
        Refusal::new(404, "AccessKeyNotExist", format!("Access key '{id}' cannot be found."))
    })?;
    if keys.get(place).is_some_and(|key| key.status == KeyStatus::Active) {
        return Err(Refusal::new(
            400,
            "AccessKeyCanNotDelete",
            format!("Access key '{id}' is active."),
        ));
    }
    keys.remove(place);
    Ok(None)
}
