//! Policies of users, in the whole account (IAM 2018-01-01) and within projects (2021-08-01);
//! docs/platforms/volcengine.md §5 and §6.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::call::{Api, Call};
use super::client::AccountClient;
use super::error::{Error, bounded};
use super::iam::text;
use super::paging::count;
use super::policy_document::PolicyDocument;
use crate::domain::{HeldPolicy, PolicyKind, PolicyScope, ProjectName};

/// Rows per page. The largest `Limit` is undocumented.
const PAGE: u64 = 100;
/// Bound for a list that never ends: 20,000 rows.
const MAX_PAGES: u64 = 200;

#[derive(Deserialize)]
struct PoliciesAnswer {
    // Null is an empty list. A response without a list is not.
    #[serde(rename = "AttachedPolicyMetadata", deserialize_with = "Option::deserialize")]
    policies: Option<Vec<Policy>>,
}

#[derive(Deserialize)]
struct Policy {
    #[serde(rename = "PolicyName", default, deserialize_with = "text")]
    name: String,
    #[serde(rename = "PolicyType", default, deserialize_with = "text")]
    kind: String,
    #[serde(rename = "PolicyScope")]
    scopes: Option<Vec<Scope>>,
}

#[derive(Deserialize)]
struct Scope {
    #[serde(rename = "ProjectName", default, deserialize_with = "text")]
    project: String,
}

#[derive(Deserialize)]
struct PolicyAnswer {
    #[serde(rename = "Policy")]
    policy: CustomPolicy,
}

#[derive(Deserialize)]
struct CustomPolicy {
    #[serde(rename = "PolicyDocument")]
    document: Value,
}

#[derive(Deserialize)]
struct EntitiesAnswer {
    #[serde(rename = "PolicyUsers")]
    users: Option<Vec<Entity>>,
    // What else holds it counts for the offset, if the filter is ignored.
    #[serde(rename = "PolicyRoles")]
    roles: Option<Vec<Value>>,
    #[serde(rename = "PolicyUserGroups")]
    groups: Option<Vec<Value>>,
    #[serde(rename = "Total")]
    total: Option<Box<RawValue>>,
}

#[derive(Deserialize)]
struct Entity {
    #[serde(rename = "UserName", default, deserialize_with = "text")]
    username: String,
    #[serde(rename = "PolicyScope")]
    scopes: Option<Vec<Scope>>,
}

impl Entity {
    /// Returns whether the policy holds in the whole account, not only within projects.
    fn is_global(&self) -> bool {
        match self.scopes.as_deref() {
            None | Some([]) => true,
            Some(scopes) => scopes.iter().any(|scope| scope.project.trim().is_empty()),
        }
    }
}

impl Policy {
    /// Returns the policy once per scope. `PolicyScopeType` is not a closed set of words, so the project's name decides:
    /// without one, the policy applies to the whole account. Neither are the types of policies: an unknown one is kept as
    /// it is, so that it does not hide the rest.
    fn held(self) -> Vec<HeldPolicy> {
        let kind = match self.kind.as_str() {
            kind if kind.eq_ignore_ascii_case("System") => PolicyKind::System,
            kind if kind.eq_ignore_ascii_case("Custom") => PolicyKind::Custom,
            _ => PolicyKind::Other(self.kind),
        };
        let held = |scope| HeldPolicy { name: self.name.clone(), kind: kind.clone(), scope };
        let scopes = self.scopes.unwrap_or_default();
        if scopes.is_empty() {
            return vec![held(PolicyScope::Global)];
        }
        scopes
            .into_iter()
            .filter_map(|scope| match scope.project.as_str() {
                "" => Some(held(PolicyScope::Global)),
                project => match ProjectName::new(project) {
                    Ok(project) => Some(held(PolicyScope::Project(project))),
                    Err(_) => {
                        // No project that can be monitored has such a name.
                        let (policy, project) = (bounded(&self.name), bounded(project));
                        tracing::warn!(
                            policy,
                            project,
                            "a policy within a project of an unusable name is left out"
                        );
                        None
                    }
                },
            })
            .collect()
    }
}

impl AccountClient {
    /// Returns every policy of a user, once per scope ("ListAttachedUserPolicies", not paged). The list includes policies
    /// within projects.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`](super::ErrorKind::NotFound) if there is no such user; [`ErrorKind::Unexpected`](super::ErrorKind::Unexpected) if the response has no list.
    pub async fn attached_policies(&self, username: &str) -> Result<Vec<HeldPolicy>, Error> {
        let query = [("UserName", username.to_owned())];
        let answer = self.call(&Call::get(Api::Iam, "ListAttachedUserPolicies", query)).await?;
        let policies = answer.parse::<PoliciesAnswer>()?.policies.unwrap_or_default();
        Ok(policies.into_iter().flat_map(Policy::held).collect())
    }

    /// Attaches a policy to a user ("AttachUserPolicy", "AttachPolicyInProject"). Safe to retry.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`](super::ErrorKind::NotFound) if user, policy or project do not exist; [`ErrorKind::AlreadyExists`](super::ErrorKind::AlreadyExists) if it is already
    /// attached, or the user holds it in the whole account, which covers a project but attaches nothing in it.
    pub async fn attach_policy(&self, username: &str, policy: &HeldPolicy) -> Result<(), Error> {
        let call = match &policy.scope {
            PolicyScope::Global => global("AttachUserPolicy", username, policy),
            PolicyScope::Project(project) => {
                within("AttachPolicyInProject", username, policy, project)
            }
        };
        self.call(&call).await.map(drop)
    }

    /// Detaches a policy from a user ("DetachUserPolicy", "DetachPolicyInProject"). Safe to retry: a policy that is not
    /// attached is what was wanted.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`](super::ErrorKind::NotFound) if user, policy or project do not exist.
    pub async fn detach_policy(&self, username: &str, policy: &HeldPolicy) -> Result<(), Error> {
        let call = match &policy.scope {
            PolicyScope::Global => global("DetachUserPolicy", username, policy),
            PolicyScope::Project(project) => {
                within("DetachPolicyInProject", username, policy, project)
            }
        };
        match self.call(&call).await {
            Err(error) if error.code() == Some("PolicyDetachConflict") => Ok(()),
            outcome => outcome.map(drop),
        }
    }

    /// Returns the document of a policy of the account's own, or `None` if there is none of that name ("GetPolicy").
    ///
    /// # Errors
    /// Any [`Error`] but [`ErrorKind::NotFound`](super::ErrorKind::NotFound). [`ErrorKind::Unexpected`](super::ErrorKind::Unexpected) if the document cannot be read.
    pub async fn custom_policy(&self, name: &str) -> Result<Option<PolicyDocument>, Error> {
        let query = [("PolicyName", name.to_owned()), ("PolicyType", "Custom".to_owned())];
        let answer = match self.call(&Call::get(Api::Iam, "GetPolicy", query)).await {
            Ok(answer) => answer,
            Err(error) if error.is_not_found() => return Ok(None),
            Err(error) => return Err(error),
        };
        let document = match answer.parse::<PolicyAnswer>()?.policy.document {
            Value::String(text) => text,
            other => other.to_string(),
        };
        match document.parse() {
            Ok(document) => Ok(Some(document)),
            Err(error) => {
                Err(answer.unexpected("the policy's document cannot be read").with_source(error))
            }
        }
    }

    /// Creates a policy of the account's own ("CreatePolicy"). Safe to retry, but compare the document of one that exists
    /// already before trusting it.
    ///
    /// # Errors
    /// [`ErrorKind::AlreadyExists`](super::ErrorKind::AlreadyExists); [`ErrorKind::BadInput`](super::ErrorKind::BadInput) if the API refuses the document.
    pub async fn create_policy(
        &self,
        name: &str,
        document: &PolicyDocument,
        description: &str,
    ) -> Result<(), Error> {
        let query = [
            ("PolicyName", name.to_owned()),
            ("PolicyDocument", document.as_str().to_owned()),
            ("Description", description.to_owned()),
        ];
        self.call(&Call::get(Api::Iam, "CreatePolicy", query)).await.map(drop)
    }

    /// Returns the names of the users that hold a policy of the account's own in the whole account
    /// ("ListEntitiesForPolicy"), sorted. A user that holds it within projects only is not among them.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`](super::ErrorKind::NotFound) if there is no such policy; [`ErrorKind::Unexpected`](super::ErrorKind::Unexpected) if the list is not whole.
    pub async fn users_with_policy(&self, name: &str) -> Result<Vec<String>, Error> {
        let mut users: BTreeMap<String, bool> = BTreeMap::new();
        let mut offset: u64 = 0;
        for page in 1.. {
            let query = [
                ("PolicyName", name.to_owned()),
                ("PolicyType", "Custom".to_owned()),
                ("EntityFilter", "User".to_owned()),
                ("Limit", PAGE.to_string()),
                ("Offset", offset.to_string()),
            ];
            let answer = self.call(&Call::get(Api::Iam, "ListEntitiesForPolicy", query)).await?;
            let entities: EntitiesAnswer = answer.parse()?;
            let total = entities.total.as_deref().and_then(count);
            let total = total.and_then(|total| u64::try_from(total).ok());
            let others: usize = [entities.roles, entities.groups]
                .into_iter()
                .flatten()
                .map(|list| list.len())
                .sum();
            let rows = match entities.users {
                Some(users) => users,
                None if total == Some(0) || others > 0 => Vec::new(),
                None => return Err(answer.unexpected("the answer has no PolicyUsers")),
            };
            let (received, known) = (rows.len() + others, users.len());
            offset += received as u64;
            users.extend(rows.into_iter().map(|row| {
                let is_global = row.is_global();
                (row.username, is_global)
            }));
            if total.map_or(received == 0, |total| offset >= total) {
                break;
            }
            if received == 0 {
                return Err(answer.unexpected("the answer counts more users than it lists"));
            }
            if (others == 0 && users.len() == known) || page == MAX_PAGES {
                return Err(answer.unexpected("the pages of PolicyUsers do not end"));
            }
        }
        users.remove("");
        Ok(users.into_iter().filter_map(|(name, is_global)| is_global.then_some(name)).collect())
    }
}

fn global(action: &'static str, username: &str, policy: &HeldPolicy) -> Call {
    let query = [
        ("UserName", username.to_owned()),
        ("PolicyName", policy.name.clone()),
        ("PolicyType", policy.kind.as_str().to_owned()),
    ];
    Call::get(Api::Iam, action, query)
}

fn within(
    action: &'static str,
    username: &str,
    policy: &HeldPolicy,
    project: &ProjectName,
) -> Call {
    let query = [
        ("PrincipalName", username.to_owned()),
        ("PrincipalType", "User".to_owned()),
        ("PolicyName", policy.name.clone()),
        ("PolicyType", policy.kind.as_str().to_owned()),
        ("ProjectName.1", project.as_str().to_owned()),
    ];
    Call::get(Api::Projects, action, query)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held(json: &str) -> Vec<String> {
        let policy: Policy = serde_json::from_str(json).unwrap();
        let scope = |held: HeldPolicy| match held.scope {
            PolicyScope::Global => format!("{} everywhere", held.kind.as_str()),
            PolicyScope::Project(project) => format!("{} in {project}", held.kind.as_str()),
        };
        policy.held().into_iter().map(scope).collect()
    }

    #[test]
    fn the_project_decides_the_scope_whatever_its_type_is_called() {
        for (scopes, expected) in [
            ("null", vec!["System everywhere"]),
            ("[]", vec!["System everywhere"]),
            (r#"[{"PolicyScopeType":"Global","ProjectName":""}]"#, vec!["System everywhere"]),
            (r#"[{"PolicyScopeType":"System"}]"#, vec!["System everywhere"]),
            (
                r#"[{"PolicyScopeType":"Global"},{"PolicyScopeType":"Project","ProjectName":"a"}]"#,
                vec!["System everywhere", "System in a"],
            ),
        ] {
            let json =
                format!(r#"{{"PolicyName":"p","PolicyType":"System","PolicyScope":{scopes}}}"#);
            assert_eq!(held(&json), expected, "{scopes}");
        }
    }

    #[test]
    fn a_policy_of_another_type_or_in_an_unusable_project_hides_no_other() {
        for (kind, shown) in [
            (r#""ServiceLinked""#, "ServiceLinked everywhere"),
            (r#""""#, " everywhere"),
            ("null", " everywhere"),
            (r#""SYSTEM""#, "System everywhere"),
        ] {
            let json = format!(r#"{{"PolicyName":"p","PolicyType":{kind}}}"#);
            assert_eq!(held(&json), [shown], "{kind}");
        }
        let nameless = r#"{"PolicyName":"p","PolicyType":"System","PolicyScope":[{"ProjectName":"\u0007"},{"ProjectName":"a"}]}"#;
        assert_eq!(held(nameless), ["System in a"]);
        assert!(serde_json::from_str::<PoliciesAnswer>("{}").is_err());
    }
}
