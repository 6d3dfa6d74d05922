//! IAM users.

use jiff::Timestamp;
use serde::Serialize;

use super::context::Context;
use super::params::Params;
use super::refusal::{Refusal, Reply, reply};
use crate::sandbox::world::{FakeAccount, User};

/// Largest `Limit` of the IAM lists.
pub(super) const MAX_LIMIT: usize = 100;
/// The default `Limit`.
pub(super) const DEFAULT_LIMIT: usize = 10;

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct WireUser<'a> {
    id: i64,
    user_name: &'a str,
    account_id: i64,
    trn: String,
    display_name: &'a str,
    description: &'a str,
    email: &'a str,
    email_is_verify: bool,
    mobile_phone: &'a str,
    mobile_phone_is_verify: bool,
    tags: [(); 0],
    create_date: String,
    update_date: String,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct UserResult<'a> {
    user: WireUser<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct UserList<'a> {
    user_metadata: Vec<WireUser<'a>>,
    limit: usize,
    offset: usize,
    total: usize,
}

/// `YYYYMMDDTHHMMSSZ`, as IAM writes times.
pub(super) fn date(at: Timestamp) -> String {
    at.strftime("%Y%m%dT%H%M%SZ").to_string()
}

fn wire<'a>(account: &FakeAccount, user: &'a User) -> WireUser<'a> {
    WireUser {
        id: user.id,
        user_name: &user.name,
        account_id: account.id,
        trn: format!("trn:iam::{}:user/{}", account.id, user.name),
        display_name: &user.display_name,
        description: &user.description,
        email: &user.email,
        email_is_verify: false,
        mobile_phone: &user.mobile_phone,
        mobile_phone_is_verify: false,
        tags: [],
        create_date: date(user.created),
        update_date: date(user.updated),
    }
}

fn answer(account: &FakeAccount, user: &User) -> Result<Reply, Refusal> {
    reply(&UserResult { user: wire(account, user) })
}

pub(super) fn not_found(name: &str) -> Refusal {
    Refusal::new(404, "UserNotExist", format!("User '{name}' cannot be found."))
}

/// The user named by a parameter, whose syntax is checked first.
pub(super) fn named<'a>(
    account: &'a mut FakeAccount,
    params: &Params,
    parameter: &str,
) -> Result<&'a mut User, Refusal> {
    let name = params.required(parameter)?;
    check_name(&name, "InvalidUserName")?;
    account.users.get_mut(&name).ok_or_else(|| not_found(&name))
}

/// 1 to 64 of letters, digits, `_ . - @ ,`.
fn check_name(name: &str, code: &str) -> Result<(), Refusal> {
    let fits = (1..=64).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"_.-@,".contains(&b));
    fits.then_some(()).ok_or_else(|| {
        Refusal::new(400, code, format!("Invalid UserName '{name}', err: 'length or characters'."))
    })
}

fn taken(name: &str) -> Refusal {
    Refusal::new(409, "UserAlreadyExists", format!("User '{name}' already exists."))
}

/// Display names have a limit, but it is not documented.
fn check_display_name(name: &str) -> Result<(), Refusal> {
    (name.chars().count() <= 128)
        .then_some(())
        .ok_or_else(|| Refusal::new(400, "InvalidDisplayName", "The DisplayName is too long."))
}

pub(super) fn list(context: &mut Context<'_>, params: &Params) -> Result<Reply, Refusal> {
    let page = params.page(Some(DEFAULT_LIMIT), MAX_LIMIT)?;
    let query = params.text("Query")?.unwrap_or_default().to_lowercase();
    let matching = || {
        context.account.users.values().filter(|user| {
            [&user.name, &user.display_name, &user.description]
                .iter()
                .any(|text| text.to_lowercase().contains(&query))
        })
    };
    reply(&UserList {
        user_metadata: matching()
            .skip(page.offset)
            .take(page.limit)
            .map(|user| wire(context.account, user))
            .collect(),
        limit: page.limit,
        offset: page.offset,
        total: matching().count(),
    })
}

pub(super) fn get(context: &mut Context<'_>, params: &Params) -> Result<Reply, Refusal> {
    let name = params.text("UserName")?;
    let id = params.int("ID")?;
    let key = params.text("AccessKeyID")?;
    let mut users = context.account.users.values();
    let user = match (&name, id, &key) {
        (Some(name), None, None) => {
            check_name(name, "InvalidUserName")?;
            context.account.users.get(name)
        }
        (None, Some(id), None) => users.find(|user| user.id == id),
        (None, None, Some(key)) => users.find(|user| user.keys.iter().any(|held| held.id == *key)),
        (None, None, None) => {
            return Err(Refusal::new(
                400,
                "ParameterNotFound",
                "The parameter 'UserName' is not found.",
            ));
        }
        _ => {
            return Err(Refusal::new(
                400,
                "InvalidParameter",
                "Exactly one of UserName, ID and AccessKeyID must be given.",
            ));
        }
    };
    let user = user.ok_or_else(|| not_found(&name.or(key).unwrap_or_default()))?;
    answer(context.account, user)
}

pub(super) fn create(context: &mut Context<'_>, params: &Params) -> Result<Reply, Refusal> {
    let name = params.required("UserName")?;
    check_name(&name, "InvalidUserName")?;
    let display_name = params.text("DisplayName")?.unwrap_or_default();
    check_display_name(&display_name)?;
    if context.account.users.contains_key(&name) {
        return Err(taken(&name));
    }
    let mut user = User::new(context.account.next_user_id(), &name, context.now);
    user.display_name = display_name;
    user.description = params.text("Description")?.unwrap_or_default();
    user.email = params.text("Email")?.unwrap_or_default();
    user.mobile_phone = params.text("MobilePhone")?.unwrap_or_default();
    // A new user cannot log in before CreateLoginProfile.
    user.login.profile = None;
    let answer = answer(context.account, &user);
    context.account.users.insert(name, user);
    answer
}

pub(super) fn update(context: &mut Context<'_>, params: &Params) -> Result<Reply, Refusal> {
    let name = named(context.account, params, "UserName")?.name.clone();
    let new_name = params.text("NewUserName")?.filter(|new| !new.is_empty() && *new != name);
    if let Some(new_name) = &new_name {
        check_name(new_name, "InvalidNewUserName")?;
        if context.account.users.contains_key(new_name) {
            return Err(taken(new_name));
        }
    }
    let display_name = params.text("NewDisplayName")?;
    check_display_name(display_name.as_deref().unwrap_or_default())?;
    let description = params.text("NewDescription")?;
    let email = params.text("NewEmail")?;
    let mobile_phone = params.text("NewMobilePhone")?;
    let mut user = context.account.users.remove(&name).ok_or_else(|| not_found(&name))?;
    for (field, new) in [
        (&mut user.name, new_name),
        (&mut user.display_name, display_name),
        (&mut user.description, description),
        (&mut user.email, email),
        (&mut user.mobile_phone, mobile_phone),
    ] {
        if let Some(new) = new {
            *field = new;
        }
    }
    user.updated = context.now;
    let answer = answer(context.account, &user);
    context.account.users.insert(user.name.clone(), user);
    answer
}
