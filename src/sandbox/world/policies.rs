//! Policy documents of the stand-in cloud, and what they allow (`docs/platforms/ark.md` §B.2).

use std::collections::BTreeMap;

use serde::Deserialize;

/// A policy of the account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CustomPolicy {
    /// `PolicyDocument` as it was sent.
    pub document: String,
    /// `Description`.
    pub description: String,
}

/// Policies of the account by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CustomPolicies(BTreeMap<String, CustomPolicy>);

impl CustomPolicies {
    /// Adds a policy that allows nothing and denies nothing.
    pub fn insert(&mut self, name: String) {
        self.add(name, r#"{"Statement":[{"Effect":"Allow","Action":[],"Resource":[]}]}"#, "");
    }

    /// Adds or replaces a policy.
    pub fn add(&mut self, name: impl Into<String>, document: &str, description: &str) {
        let policy =
            CustomPolicy { document: document.to_owned(), description: description.to_owned() };
        self.0.insert(name.into(), policy);
    }

    /// Removes a policy; users who hold it keep a name that means nothing.
    pub fn remove(&mut self, name: &str) {
        self.0.remove(name);
    }

    /// The policy with that name.
    pub fn get(&self, name: &str) -> Option<&CustomPolicy> {
        self.0.get(name)
    }

    /// Whether there is a policy with that name.
    pub fn contains(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }
}

/// A parsed document.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Document {
    statement: Vec<Statement>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Statement {
    effect: Effect,
    action: Vec<String>,
    resource: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub(crate) enum Effect {
    Allow,
    Deny,
}

impl Document {
    /// `None` if the text is no policy document.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok().filter(|document: &Self| !document.statement.is_empty())
    }

    /// Whether a statement names `*` as an action.
    pub(crate) fn names_every_action(&self) -> bool {
        self.statement.iter().flat_map(|statement| &statement.action).any(|action| action == "*")
    }

    /// Whether a statement with this effect covers the action (`ark:StopEndpoint`), for whatever resource: the stand-in
    /// compares resources only with `*`.
    pub(crate) fn covers(&self, effect: Effect, action: &str) -> bool {
        self.statement.iter().any(|statement| {
            statement.effect == effect
                && statement.action.iter().any(|pattern| fits(pattern, action))
                && statement.resource.iter().any(|resource| resource == "*")
        })
    }
}

/// Whether a pattern with `*` matches the whole text, in any case.
fn fits(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.to_ascii_lowercase(), text.to_ascii_lowercase());
    let Some((start, rest)) = pattern.split_once('*') else {
        return pattern == text;
    };
    let Some(mut left) = text.strip_prefix(start) else {
        return false;
    };
    let mut parts: Vec<&str> = rest.split('*').collect();
    let end = parts.pop().unwrap_or_default();
    for part in parts {
        match left.split_once(part) {
            Some((_, after)) => left = after,
            None => return false,
        }
    }
    left.ends_with(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_covers_what_its_patterns_match() {
        let document = r#"{"Statement": [
            {"Effect": "Deny", "Action": ["ark:*Endpoint", "iam:Get*"], "Resource": ["*"]},
            {"Effect": "Allow", "Action": ["*"], "Resource": ["trn:ark:*"]}]}"#;
        let document = Document::parse(document).unwrap();
        let denied = |action| document.covers(Effect::Deny, action);
        assert!(denied("ark:StopEndpoint") && denied("iam:GetUser") && denied("ARK:stopendpoint"));
        assert!(!denied("ark:StopEndpoints") && !denied("iam:ListUsers") && !denied("tos:Get"));
        assert!(!document.covers(Effect::Allow, "ark:StopEndpoint"), "another resource");
        assert!(document.names_every_action());
    }

    #[test]
    fn what_is_no_document_is_not_read_as_one() {
        for wrong in ["", "{}", r#"{"Statement": []}"#, r#"{"Statement": [{"Effect": "deny"}]}"#] {
            assert!(Document::parse(wrong).is_none(), "{wrong}");
        }
    }
}
