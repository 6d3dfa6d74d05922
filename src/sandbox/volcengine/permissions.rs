//! Who calls, and what the caller's policies allow (`docs/platforms/ark.md` §B.2): a Deny anywhere beats every Allow, and
//! without an Allow a call is denied. Documents are evaluated; names mean something only for system policies.

use jiff::Timestamp;

use super::actions::Action;
use super::ark;
use super::refusal::{GatewayCode, Refusal};
use crate::sandbox::world::{Document, Effect, FakeAccount, PolicyKind, PolicyScope, Rules};

/// Who signed a call.
#[derive(Clone, Debug)]
pub(super) struct Caller {
    /// The account's slug.
    pub(super) account: String,
    /// The user; `None`: the main account, which may do everything.
    pub(super) user: Option<String>,
    /// The access key.
    pub(super) access_key_id: String,
}

/// Checks that the caller may run the action.
pub(super) fn check(
    account: &FakeAccount,
    caller: &Caller,
    action: &Action,
    body: &[u8],
    rules: &Rules,
    now: Timestamp,
) -> Result<(), Refusal> {
    let Some(name) = &caller.user else {
        return Ok(());
    };
    let operation = action.operation();
    let project = ark::project_of(account, action, body);
    let covers_call = |scope: &PolicyScope| match scope {
        PolicyScope::Global => true,
        PolicyScope::Project(name) => project.as_deref() == Some(name.as_str()),
    };
    let mut allowed = false;
    for held in account.users.get(name).map_or(&[][..], |user| &user.policies) {
        let bites = |(scope, at): &(PolicyScope, Timestamp)| {
            let since = at.saturating_add(rules.policies_bite_after);
            covers_call(scope) && since.is_ok_and(|since| since <= now)
        };
        if !held.scopes.iter().any(bites) {
            continue;
        }
        if held.kind != PolicyKind::Custom {
            allowed |= action.policies().contains(&held.name.as_str());
            continue;
        }
        let document = account.custom_policies.get(&held.name);
        let Some(document) = document.and_then(|policy| Document::parse(&policy.document)) else {
            continue;
        };
        if document.covers(Effect::Deny, &operation) {
            allowed = false;
            break;
        }
        allowed |= document.covers(Effect::Allow, &operation);
    }
    allowed.then_some(()).ok_or_else(|| {
        Refusal::gateway(
            GatewayCode::AccessDenied,
            format!("User is not authorized to perform: {operation} on resource: *"),
        )
    })
}
