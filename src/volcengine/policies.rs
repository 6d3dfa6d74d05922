//! Policies of users, in the whole account (IAM 2018-01-01) and within projects (2021-08-01);
//! docs/platforms/volcengine.md §5 and §6.

use serde::Deserialize;

use super::client::{AccountClient, Api, Call};
use super::error::{Error, ErrorKind};
use super::iam::text;
use crate::domain::{HeldPolicy, PolicyKind, PolicyScope, ProjectName};

#[derive(Deserialize)]
struct PoliciesAnswer {
    #[serde(rename = "AttachedPolicyMetadata")]
    policies: Option<Vec<Policy>>,
}

#[derive(Deserialize)]
struct Policy {
    #[serde(rename = "PolicyName")]
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

impl Policy {
    /// Returns the policy once per scope. `PolicyScopeType` is not a closed set of words, so the project's name decides:
    /// without one, the policy applies to the whole account.
    fn held(self) -> Result<Vec<HeldPolicy>, &'static str> {
        let kind = match self.kind.as_str() {
            kind if kind.eq_ignore_ascii_case("System") => PolicyKind::System,
            kind if kind.eq_ignore_ascii_case("Custom") => PolicyKind::Custom,
            _ => return Err("a policy is neither System nor Custom"),
        };
        let scopes = self.scopes.unwrap_or_default();
        if scopes.is_empty() {
            return Ok(vec![HeldPolicy { name: self.name, kind, scope: PolicyScope::Global }]);
        }
        scopes
            .into_iter()
            .map(|scope| {
                let scope = match scope.project.as_str() {
                    "" => PolicyScope::Global,
                    project => PolicyScope::Project(
                        ProjectName::new(project).map_err(|_| "a project has an unusable name")?,
                    ),
                };
                Ok(HeldPolicy { name: self.name.clone(), kind, scope })
            })
            .collect()
    }
}

impl AccountClient {
    /// Returns every policy of a user, once per scope ("ListAttachedUserPolicies", not paged). The list includes policies
    /// within projects.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] if there is no such user; [`ErrorKind::Unexpected`] if a policy cannot be read.
    pub async fn attached_policies(&self, username: &str) -> Result<Vec<HeldPolicy>, Error> {
        const ACTION: &str = "ListAttachedUserPolicies";
        let query = [("UserName", username.to_owned())];
        let answer = self.call(&Call::get(Api::Iam, ACTION, query)).await?;
        let mut held = Vec::new();
        for policy in answer.parse::<PoliciesAnswer>()?.policies.unwrap_or_default() {
            let scopes = policy.held();
            held.extend(scopes.map_err(|why| Error::new(ACTION, ErrorKind::Unexpected, why))?);
        }
        Ok(held)
    }

    /// Attaches a policy to a user ("AttachUserPolicy", "AttachPolicyInProject"). Safe to retry.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] if user, policy or project do not exist; [`ErrorKind::AlreadyExists`] or
    /// [`ErrorKind::Conflict`] if it is already attached.
    pub async fn attach_policy(&self, username: &str, policy: &HeldPolicy) -> Result<(), Error> {
        let call = match &policy.scope {
            PolicyScope::Global => global("AttachUserPolicy", username, policy),
            PolicyScope::Project(project) => {
                within("AttachPolicyInProject", username, policy, project)
            }
        };
        self.call(&call).await.map(drop)
    }

    /// Detaches a policy from a user ("DetachUserPolicy", "DetachPolicyInProject"). Safe to retry.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] if it is not attached, or user, policy or project do not exist.
    pub async fn detach_policy(&self, username: &str, policy: &HeldPolicy) -> Result<(), Error> {
        let call = match &policy.scope {
            PolicyScope::Global => global("DetachUserPolicy", username, policy),
            PolicyScope::Project(project) => {
                within("DetachPolicyInProject", username, policy, project)
            }
        };
        self.call(&call).await.map(drop)
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

    fn held(json: &str) -> Result<Vec<String>, &'static str> {
        let policy: Policy = serde_json::from_str(json).unwrap();
        let scope = |held: HeldPolicy| match held.scope {
            PolicyScope::Global => format!("{} everywhere", held.kind.as_str()),
            PolicyScope::Project(project) => format!("{} in {project}", held.kind.as_str()),
        };
        policy.held().map(|all| all.into_iter().map(scope).collect())
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
            assert_eq!(held(&json).unwrap(), expected, "{scopes}");
        }
        assert!(held(r#"{"PolicyName":"p","PolicyType":"Other"}"#).is_err());
    }
}
