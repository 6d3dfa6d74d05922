//! Policies of the account: created, read, and who holds them (`docs/platforms/ark.md` §B.2).

use serde::Serialize;
use serde_json::{Value, json};

use super::context::Context;
use super::params::Params;
use super::policies::{SYSTEM_POLICIES, policy, trn, unknown, wire_scopes};
use super::refusal::{Refusal, Reply, reply};
use super::users::{DEFAULT_LIMIT, MAX_LIMIT, date};
use crate::sandbox::world::{Document, FakeAccount, LONG_AGO, PolicyKind, User};

/// Longest `PolicyDocument`.
const DOCUMENT_LIMIT: usize = 6_144;
/// Longest `Description`.
const DESCRIPTION_LIMIT: usize = 128;

/// Reads the policy of a call, with its document.
fn found(account: &FakeAccount, name: &str, kind: PolicyKind) -> Result<(String, String), Refusal> {
    match (kind, account.custom_policies.get(name)) {
        (PolicyKind::Custom, Some(policy)) => {
            Ok((policy.document.clone(), policy.description.clone()))
        }
        (PolicyKind::System, _) if SYSTEM_POLICIES.contains(&name) => Ok((
            r#"{"Statement":[{"Effect":"Allow","Action":["*"],"Resource":["*"]}]}"#.to_owned(),
            String::new(),
        )),
        _ => Err(unknown(name)),
    }
}

fn holders<'a>(
    account: &'a FakeAccount,
    name: &'a str,
    kind: PolicyKind,
) -> impl Iterator<Item = &'a User> {
    account
        .users
        .values()
        .filter(move |user| user.policies.iter().any(|held| held.name == name && held.kind == kind))
}

/// The cloud stores the document as JSON and writes it its own way: keys sorted, indented.
fn rewritten(document: &str) -> String {
    let parsed: Option<Value> = serde_json::from_str(document).ok();
    parsed
        .and_then(|parsed| serde_json::to_string_pretty(&parsed).ok())
        .unwrap_or_else(|| document.to_owned())
}

fn answer(account: &FakeAccount, name: &str, kind: PolicyKind) -> Result<Reply, Refusal> {
    let (document, description) = found(account, name, kind)?;
    reply(&json!({"Policy": {
        "PolicyName": name,
        "PolicyType": kind.as_str(),
        "PolicyTrn": trn(account, name, kind),
        "Description": description,
        "CreateDate": date(LONG_AGO),
        "UpdateDate": date(LONG_AGO),
        "PolicyDocument": rewritten(&document),
        "AttachmentCount": holders(account, name, kind).count(),
    }}))
}

pub(super) fn get(context: &mut Context<'_>, params: &Params) -> Result<Reply, Refusal> {
    let (name, kind) = policy(params)?;
    answer(context.account, &name, kind)
}

pub(super) fn create(context: &mut Context<'_>, params: &Params) -> Result<Reply, Refusal> {
    let name = params.required("PolicyName")?;
    let fits = (1..=64).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"+=,.@_-".contains(&b));
    if !fits {
        return Err(Refusal::new(400, "InvalidPolicyName", "The PolicyName is not valid."));
    }
    let document = params.text("PolicyDocument")?.filter(|text| !text.is_empty());
    let document = document.ok_or_else(|| {
        Refusal::new(400, "MissingPolicyDocument", "The PolicyDocument is missing.")
    })?;
    let description = params.text("Description")?.unwrap_or_default();
    let invalid = |why: &str| Refusal::new(400, "InvalidParameter", why);
    if document.len() > DOCUMENT_LIMIT || description.chars().count() > DESCRIPTION_LIMIT {
        return Err(invalid("The PolicyDocument or the Description is too long."));
    }
    let parsed = Document::parse(&document)
        .ok_or_else(|| invalid("The PolicyDocument is not a policy document."))?;
    if context.rules.action_star_is_refused && parsed.names_every_action() {
        return Err(invalid("The Action '*' is not supported."));
    }
    if context.account.custom_policies.contains(&name) || SYSTEM_POLICIES.contains(&&*name) {
        return Err(Refusal::new(
            409,
            "PolicyAlreadyExist",
            format!("Policy '{name}' exists already."),
        ));
    }
    context.account.custom_policies.add(&*name, &document, &description);
    answer(context.account, &name, PolicyKind::Custom)
}

/// Detaches it from every user first.
pub(super) fn delete(context: &mut Context<'_>, params: &Params) -> Result<Reply, Refusal> {
    let name = params.required("PolicyName")?;
    if !context.account.custom_policies.contains(&name) {
        return Err(unknown(&name));
    }
    for user in context.account.users.values_mut() {
        user.policies.retain(|held| held.name != name || held.kind != PolicyKind::Custom);
    }
    context.account.custom_policies.remove(&name);
    Ok(None)
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Entities {
    policy_users: Vec<Value>,
    policy_roles: [(); 0],
    policy_user_groups: [(); 0],
    limit: usize,
    offset: usize,
    total: usize,
}

/// Only users hold policies here: there are no roles and no groups.
pub(super) fn list_entities(context: &mut Context<'_>, params: &Params) -> Result<Reply, Refusal> {
    let (name, kind) = policy(params)?;
    let page = params.page(Some(DEFAULT_LIMIT), MAX_LIMIT)?;
    let users = match params.text("EntityFilter")?.as_deref() {
        None | Some("User") => true,
        Some("Role" | "UserGroup") => false,
        Some(other) => {
            return Err(Refusal::new(
                400,
                "InvalidPolicyEntityFilter",
                format!("The EntityFilter '{other}' is not known."),
            ));
        }
    };
    let account = &*context.account;
    found(account, &name, kind)?;
    let matching = || holders(account, &name, kind).filter(|_| users);
    let wire = |user: &User| {
        let held = user.policies.iter().find(|held| held.name == name && held.kind == kind);
        let since = held.and_then(|held| held.scopes.first()).map(|(_, at)| date(*at));
        json!({
            "Id": user.id,
            "UserName": user.name,
            "DisplayName": user.display_name,
            "Description": user.description,
            "AttachDate": since.unwrap_or_default(),
            "PolicyScope": held.map(|held| wire_scopes(account, held)).unwrap_or_default(),
        })
    };
    reply(&Entities {
        policy_users: matching().skip(page.offset).take(page.limit).map(wire).collect(),
        policy_roles: [],
        policy_user_groups: [],
        limit: page.limit,
        offset: page.offset,
        total: matching().count(),
    })
}
