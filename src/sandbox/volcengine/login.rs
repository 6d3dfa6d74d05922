//! Login profiles: whether a user may sign in to the console.

use jiff::Timestamp;
use secrecy::SecretString;
use serde::Serialize;
use serde_json::json;

use super::context::Context;
use super::params::Params;
use super::refusal::{Refusal, Reply, reply};
use super::users::{date, named};
use crate::sandbox::world::{LoginProfile, MissingLogin, User};

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct WireProfile<'a> {
    user_name: &'a str,
    user_id: i64,
    login_allowed: bool,
    login_locked: bool,
    password_reset_required: bool,
    password_expire_at: i64,
    safe_auth_flag: bool,
    safe_auth_type: &'static str,
    safe_auth_exempt_required: i64,
    safe_auth_exempt_unit: i64,
    safe_auth_exempt_duration: i64,
    last_login_date: &'static str,
    last_login_ip: &'static str,
    last_reset_password_time: i64,
    create_date: String,
    update_date: String,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct ProfileResult<'a> {
    login_profile: WireProfile<'a>,
}

#[derive(Serialize)]
struct Empty {}

/// Security settings that a request may carry. The stand-in stores none of them, but refuses wrong types.
fn check_safety(params: &Params) -> Result<(), Refusal> {
    params.flag("SafeAuthFlag")?;
    params.text("SafeAuthType")?;
    for name in ["SafeAuthExemptRequired", "SafeAuthExemptUnit", "SafeAuthExemptDuration"] {
        params.int(name)?;
    }
    Ok(())
}

/// The account's password policy: 8 to 32 characters, with upper and lower case and a digit.
fn check_password(password: &str) -> Result<(), Refusal> {
    let has = |test: fn(&char) -> bool| password.chars().any(|c| test(&c));
    let strong = (8..=32).contains(&password.chars().count())
        && has(char::is_ascii_uppercase)
        && has(char::is_ascii_lowercase)
        && has(char::is_ascii_digit);
    strong.then_some(()).ok_or_else(|| {
        Refusal::new(
            400,
            "InvalidPassword",
            "The password does not meet the password policy of the account.",
        )
    })
}

fn not_found(user: &User) -> Refusal {
    Refusal::new(
        404,
        "LoginProfileNotExist",
        format!("The login profile of user '{}' does not exist.", user.name),
    )
}

fn answer(user: &User, profile: &LoginProfile) -> Result<Reply, Refusal> {
    reply(&ProfileResult {
        login_profile: WireProfile {
            user_name: &user.name,
            user_id: user.id,
            login_allowed: profile.login_allowed,
            login_locked: false,
            password_reset_required: profile.password_reset_required,
            password_expire_at: 0,
            safe_auth_flag: false,
            safe_auth_type: "",
            safe_auth_exempt_required: 0,
            safe_auth_exempt_unit: 0,
            safe_auth_exempt_duration: 0,
            last_login_date: "19700101T000000Z",
            last_login_ip: "",
            last_reset_password_time: profile.created.as_second(),
            create_date: date(profile.created),
            update_date: date(profile.updated),
        },
    })
}

pub(super) fn get(context: &mut Context<'_>, params: &Params) -> Result<Reply, Refusal> {
    let user = named(context.account, params, "UserName")?;
    if let Some(profile) = user.login.read() {
        return answer(user, &profile);
    }
    match user.login.missing {
        MissingLogin::Error => Err(not_found(user)),
        MissingLogin::Empty => reply(&Empty {}),
        MissingLogin::Zero => reply(&json!({"LoginProfile": {
            "UserName": "", "UserId": 0, "LoginAllowed": false, "LoginLocked": false,
            "PasswordResetRequired": false, "PasswordExpireAt": 0, "SafeAuthFlag": false, "SafeAuthType": "",
            "SafeAuthExemptRequired": 0, "SafeAuthExemptUnit": 0, "SafeAuthExemptDuration": 0, "LastLoginDate": "",
            "LastLoginIp": "", "LastResetPasswordTime": 0, "CreateDate": "", "UpdateDate": "",
        }})),
        MissingLogin::Stub => {
            let stub = LoginProfile {
                login_allowed: false,
                password: SecretString::from(""),
                password_reset_required: false,
                created: Timestamp::UNIX_EPOCH,
                updated: Timestamp::UNIX_EPOCH,
            };
            answer(user, &stub)
        }
    }
}

pub(super) fn create(context: &mut Context<'_>, params: &Params) -> Result<Reply, Refusal> {
    let now = context.now;
    let user = named(context.account, params, "UserName")?;
    let password = params.required("Password")?;
    check_password(&password)?;
    check_safety(params)?;
    let profile = LoginProfile {
        login_allowed: params.flag("LoginAllowed")?.unwrap_or(false),
        password: SecretString::from(password),
        password_reset_required: params.flag("PasswordResetRequired")?.unwrap_or(false),
        created: now,
        updated: now,
    };
    if user.login.profile.is_some() {
        return Err(Refusal::new(
            409,
            "LoginProfileAlreadyExist",
            format!("The login profile of user '{}' exists already.", user.name),
        ));
    }
    user.login.set(profile.clone(), 0);
    answer(user, &profile)
}

pub(super) fn update(context: &mut Context<'_>, params: &Params) -> Result<Reply, Refusal> {
    let (now, lag) = (context.now, context.rules.lag);
    let user = named(context.account, params, "UserName")?;
    let password = params.text("Password")?;
    password.as_deref().map(check_password).transpose()?;
    check_safety(params)?;
    let allowed = params.flag("LoginAllowed")?;
    let reset = params.flag("PasswordResetRequired")?;
    let Some(mut profile) = user.login.profile.clone() else {
        return Err(not_found(user));
    };
    profile.login_allowed = allowed.unwrap_or(profile.login_allowed);
    profile.password_reset_required = reset.unwrap_or(profile.password_reset_required);
    if let Some(password) = password {
        profile.password = SecretString::from(password);
    }
    profile.updated = now;
    user.login.set(profile.clone(), lag);
    answer(user, &profile)
}
