//! Policies of users, in the whole account and within projects.

use jiff::Timestamp;
use serde::Serialize;

use super::context::Context;
use super::params::Params;
use super::projects;
use super::refusal::{Refusal, Reply, reply};
use super::users::{date, named};
use crate::sandbox::world::{AttachedPolicy, FakeAccount, PolicyKind, PolicyScope};

/// The system policies that the stand-in knows.
pub(super) const SYSTEM_POLICIES: &[&str] = &[
    "AdministratorAccess",
    "ArkExperienceAccess",
    "ArkFullAccess",
    "ArkGlobalInitAccess",
    "ArkReadOnlyAccess",
    "ArkStandardGlobalAccess",
    "BillFullAccess",
    "BillingCenterBillReadOnlyAccess",
    "BillingCenterReadOnlyAccess",
    "ECSFullAccess",
    "EMRFullAccess",
    "IAMFullAccess",
    "MLPlatformFullAccess",
    "RDSFullAccess",
    "ReadOnlyAccess",
    "TOSFullAccess",
    "TOSReadOnlyAccess",
    "VPCFullAccess",
];

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct WirePolicy<'a> {
    policy_name: &'a str,
    policy_type: &'static str,
    policy_trn: String,
    description: &'static str,
    attach_date: String,
    policy_scope: Vec<WireScope<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct WireScope<'a> {
    policy_scope_type: &'static str,
    project_name: &'a str,
    project_display_name: &'a str,
    attach_date: String,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct PolicyList<'a> {
    attached_policy_metadata: Vec<WirePolicy<'a>>,
}

pub(super) fn list(context: &mut Context<'_>, params: &Params) -> Result<Reply, Refusal> {
    let name = named(context.account, params, "UserName")?.name.clone();
    let account = &*context.account;
    let policies = account.users.get(&name).map_or(&[][..], |user| &user.policies);
    reply(&PolicyList {
        attached_policy_metadata: policies
            .iter()
            .map(|policy| WirePolicy {
                policy_name: &policy.name,
                policy_type: policy.kind.as_str(),
                policy_trn: trn(account, &policy.name, policy.kind),
                description: "",
                attach_date: policy.scopes.first().map(|(_, at)| date(*at)).unwrap_or_default(),
                policy_scope: wire_scopes(account, policy),
            })
            .collect(),
    })
}

pub(super) fn trn(account: &FakeAccount, name: &str, kind: PolicyKind) -> String {
    match kind {
        PolicyKind::System | PolicyKind::ServiceLinked => format!("trn:iam::0:policy/{name}"),
        PolicyKind::Custom => format!("trn:iam::{}:policy/{name}", account.id),
    }
}

/// `PolicyScope` of an attached policy.
pub(super) fn wire_scopes<'a>(
    account: &'a FakeAccount,
    policy: &'a AttachedPolicy,
) -> Vec<WireScope<'a>> {
    let wire = |(scope, at): &'a (PolicyScope, Timestamp)| {
        let (policy_scope_type, project_name) = match scope {
            PolicyScope::Global => ("Global", ""),
            PolicyScope::Project(name) => ("Project", name.as_str()),
        };
        let project = account.projects.get(project_name);
        WireScope {
            policy_scope_type,
            project_name,
            project_display_name: project.map_or("", |project| &project.display_name),
            attach_date: date(*at),
        }
    };
    policy.scopes.iter().map(wire).collect()
}

/// Name and type of the policy in a call.
pub(super) fn policy(params: &Params) -> Result<(String, PolicyKind), Refusal> {
    let name = params.required("PolicyName")?;
    if name.chars().count() > 64 {
        return Err(Refusal::new(400, "InvalidPolicyName", "The PolicyName is longer than 64."));
    }
    let kind = match params.required("PolicyType")?.as_str() {
        "System" => PolicyKind::System,
        "Custom" => PolicyKind::Custom,
        other => {
            return Err(Refusal::new(
                400,
                "InvalidPolicyType",
                format!("The PolicyType '{other}' is neither System nor Custom."),
            ));
        }
    };
    Ok((name, kind))
}

pub(super) fn unknown(name: &str) -> Refusal {
    Refusal::new(404, "PolicyNotExist", format!("Policy '{name}' cannot be found."))
}

fn check_known(account: &FakeAccount, name: &str, kind: PolicyKind) -> Result<(), Refusal> {
    let known = match kind {
        PolicyKind::System => SYSTEM_POLICIES.contains(&name),
        PolicyKind::Custom => account.custom_policies.contains(name),
        PolicyKind::ServiceLinked => false,
    };
    known.then_some(()).ok_or_else(|| unknown(name))
}

/// Attaches in every scope, or refuses.
fn attach_all(
    context: &mut Context<'_>,
    params: &Params,
    principal: &str,
    scopes: Vec<PolicyScope>,
) -> Result<Reply, Refusal> {
    let (name, kind) = policy(params)?;
    let (now, strict) = (context.now, context.rules.repeated_attachment_is_an_error);
    named(context.account, params, principal)?;
    check_known(context.account, &name, kind)?;
    let user = named(context.account, params, principal)?;
    // A policy of the whole account covers every project.
    let covered =
        |scope: &PolicyScope| user.holds(&name, scope) || user.holds(&name, &PolicyScope::Global);
    if strict && scopes.iter().any(covered) {
        return Err(Refusal::new(
            409,
            "PolicyAttachConflict",
            format!("Policy '{name}' is attached already."),
        ));
    }
    for scope in scopes {
        user.attach_at(&name, kind, scope, now);
    }
    Ok(None)
}

/// Detaches from every scope, or refuses.
fn detach_all(
    context: &mut Context<'_>,
    params: &Params,
    principal: &str,
    scopes: &[PolicyScope],
) -> Result<Reply, Refusal> {
    let (name, kind) = policy(params)?;
    let strict = context.rules.repeated_attachment_is_an_error;
    let user = named(context.account, params, principal)?;
    if strict && !scopes.iter().all(|scope| user.holds(&name, scope)) {
        check_known(context.account, &name, kind)?;
        return Err(Refusal::new(
            409,
            "PolicyDetachConflict",
            format!("Policy '{name}' is not attached."),
        ));
    }
    for scope in scopes {
        user.detach(&name, kind, scope);
    }
    Ok(None)
}

/// The projects of a call, which must exist. An absent list leaves the scope unclear and is refused.
fn project_scopes(context: &Context<'_>, params: &Params) -> Result<Vec<PolicyScope>, Refusal> {
    match params.required("PrincipalType")?.as_str() {
        "User" => {}
        "Role" => return Err(Refusal::new(404, "RoleNotExist", "There are no roles.")),
        "UserGroup" => {
            return Err(Refusal::new(404, "UserGroupNotExist", "There are no user groups."));
        }
        other => {
            return Err(Refusal::new(
                400,
                "InvalidParameter",
                format!("The PrincipalType '{other}' is not known."),
            ));
        }
    }
    let names = params.texts("ProjectName")?;
    if names.is_empty() {
        return Err(Refusal::new(
            400,
            "ParameterNotFound",
            "The parameter 'ProjectName' is not found.",
        ));
    }
    names
        .into_iter()
        .map(|name| match context.account.projects.contains_key(&name) {
            true => Ok(PolicyScope::Project(name)),
            false => Err(projects::not_found(&name)),
        })
        .collect()
}

pub(super) fn attach(context: &mut Context<'_>, params: &Params) -> Result<Reply, Refusal> {
    attach_all(context, params, "UserName", vec![PolicyScope::Global])
}

pub(super) fn detach(context: &mut Context<'_>, params: &Params) -> Result<Reply, Refusal> {
    detach_all(context, params, "UserName", &[PolicyScope::Global])
}

pub(super) fn attach_in_project(
    context: &mut Context<'_>,
    params: &Params,
) -> Result<Reply, Refusal> {
    let scopes = project_scopes(context, params)?;
    attach_all(context, params, "PrincipalName", scopes)
}

pub(super) fn detach_in_project(
    context: &mut Context<'_>,
    params: &Params,
) -> Result<Reply, Refusal> {
    let scopes = project_scopes(context, params)?;
    detach_all(context, params, "PrincipalName", &scopes)
}
