//! What the steps of a probe work with.

use std::time::Duration;

use secrecy::SecretString;
use serde_json::{Value, json};

use super::super::Failure;
use super::calls::{Answer, ModelAnswer, Models, Patience, ark, ask};
use super::desk::Desk;
use super::state::Journal;
use crate::clock::Clock;
use crate::domain::ProjectName;
use crate::volcengine::{
    AccountClient, Api, ArkEndpoint, ArkKey, ArkKeyState, Call, Client, EndpointStatus, Error,
    KeysOf, Retry,
};

/// The throw-away key.
pub(super) struct ProbeKey {
    pub(super) id: i64,
    pub(super) sid: String,
    pub(super) text: SecretString,
}

pub(super) struct Bench {
    pub(super) client: Client,
    pub(super) api: AccountClient,
    /// The same key pair without pace and retries.
    pub(super) hasty: AccountClient,
    pub(super) models: Models,
    pub(super) user: String,
    pub(super) project: ProjectName,
    /// `None`: no call of a model can be made.
    pub(super) key: Option<ProbeKey>,
    pub(super) endpoint: Option<String>,
    /// A Model ID.
    pub(super) model: Option<String>,
    pub(super) desk: Desk,
    pub(super) patience: Patience,
    /// How long to wait for usage and bills after the calls.
    pub(super) wait: Duration,
    pub(super) clock: Clock,
    pub(super) journal: Journal,
}

impl Bench {
    /// Calls a model with the throw-away key; `None` without one.
    pub(super) async fn call_model(&self, model: &str) -> Option<ModelAnswer> {
        Some(self.models.call(&self.key.as_ref()?.text, model).await)
    }

    /// Returns a key as the list shows it.
    pub(super) async fn raw_key(&self, id: i64) -> Result<Option<Value>, Answer> {
        let body = json!({
            "ProjectName": self.project.as_str(),
            "PageNumber": 1,
            "PageSize": 100,
            "Filter": {"AllowAll": true},
        });
        let answer = ark(&self.api, "ListApiKeys", body).await;
        match answer.list("Items") {
            None => Err(answer),
            Some(items) => {
                let has_id = |item: &&Value| {
                    let found = item.get("Id");
                    found.and_then(Value::as_i64) == Some(id)
                        || found.and_then(Value::as_str) == Some(&id.to_string())
                };
                Ok(items.iter().find(has_id).cloned())
            }
        }
    }

    /// Returns how airgate reads the state of a key in the list.
    pub(super) async fn key_state(&self, id: i64) -> Option<ArkKeyState> {
        let keys = self.api.ark_keys(&self.project, KeysOf::Everybody).await.ok()?;
        keys.into_iter().find(|key| key.id == id).map(|key| key.state)
    }

    /// Returns how airgate reads the status of an endpoint in the list.
    pub(super) async fn endpoint_status(&self, id: &str) -> Option<EndpointStatus> {
        let endpoints = self.api.endpoints(&self.project).await.ok()?;
        endpoints.into_iter().find(|found| found.id == id).map(|found| found.status)
    }

    /// Attaches a policy to the throw-away user, or detaches it.
    pub(super) async fn policy_call(
        &self,
        attach: bool,
        name: &str,
        custom: bool,
        project: Option<&str>,
    ) -> Answer {
        let kind = if custom { "Custom" } else { "System" };
        let (name, kind, user) = (name.to_owned(), kind.to_owned(), self.user.clone());
        let call = match project {
            None => {
                let action = if attach { "AttachUserPolicy" } else { "DetachUserPolicy" };
                let query = [("UserName", user), ("PolicyName", name), ("PolicyType", kind)];
                Call::get(Api::Iam, action, query)
            }
            Some(project) => {
                let action = if attach { "AttachPolicyInProject" } else { "DetachPolicyInProject" };
                let query = [
                    ("PrincipalName", user),
                    ("PrincipalType", "User".to_owned()),
                    ("PolicyName", name),
                    ("PolicyType", kind),
                    ("ProjectName.1", project.to_owned()),
                ];
                Call::get(Api::Projects, action, query)
            }
        };
        ask(&self.api, &Call { retry: Retry::IfNotApplied, ..call }).await
    }

    /// Finds the throw-away endpoint and key: those that were named, or the only ones of the project.
    pub(super) async fn find(
        &mut self,
        endpoint: Option<&str>,
        key: Option<&str>,
    ) -> Result<(), Failure> {
        let cloud = |error: Error| Failure::Failed(error.to_string());
        let runs = |found: &ArkEndpoint| {
            found.status == EndpointStatus::Running && !found.model_unit && !found.id.is_empty()
        };
        let endpoints = self.api.endpoints(&self.project).await.map_err(cloud)?;
        let usable: Vec<&ArkEndpoint> = endpoints.iter().filter(|found| runs(found)).collect();
        let ids = usable.iter().map(|found| found.id.as_str());
        self.endpoint = only("running endpoint", "--endpoint", endpoint, ids)?.map(str::to_owned);
        let keys = self.api.ark_keys(&self.project, KeysOf::Everybody).await.map_err(cloud)?;
        let on: Vec<&ArkKey> = keys
            .iter()
            .filter(|key| key.state != ArkKeyState::Off && key.id != 0 && !key.sid.is_empty())
            .collect();
        let sids = on.iter().map(|key| key.sid.as_str());
        let chosen = only("API key", "--key", key, sids)?;
        let Some(key) = on.iter().find(|key| Some(key.sid.as_str()) == chosen) else {
            return Ok(());
        };
        let text = match self.raw_text(key.id).await {
            Some(text) => Some(text),
            None => {
                let prompt = format!("the API key {} (empty: no calls of models): ", key.sid);
                let pasted = self.desk.secret(&prompt).await?;
                if pasted.as_ref().is_some_and(|text| !fits(text, &key.fingerprint)) {
                    return Err(Failure::Failed(format!(
                        "this is not the API key {}, which the list shows as {}",
                        key.sid, key.fingerprint
                    )));
                }
                pasted
            }
        };
        self.key = text.map(|text| ProbeKey { id: key.id, sid: key.sid.clone(), text });
        Ok(())
    }

    /// Reads the key itself, if the cloud allows it.
    async fn raw_text(&self, id: i64) -> Option<SecretString> {
        let body = json!({"Id": id, "ProjectName": self.project.as_str()});
        let answer = ark(&self.api, "GetRawApiKey", body).await;
        let text = answer.field("ApiKey")?.as_str()?;
        (!text.is_empty() && !text.contains('*')).then(|| text.to_owned().into())
    }
}

/// Returns the one that was named, or the only one; `None` if there is none.
fn only<'a>(
    what: &str,
    option: &str,
    named: Option<&str>,
    mut all: impl Iterator<Item = &'a str> + Clone,
) -> Result<Option<&'a str>, Failure> {
    if let Some(named) = named {
        return match all.find(|id| *id == named) {
            Some(id) => Ok(Some(id)),
            None => {
                Err(Failure::Failed(format!("the project has no {what} {}", named.escape_debug())))
            }
        };
    }
    match (all.next(), all.next()) {
        (one, None) => Ok(one),
        _ => Err(Failure::Failed(format!(
            "the project has more than one {what}: name the throw-away one with {option}"
        ))),
    }
}

/// Returns whether a key is the one that the list masks so (`392****dab0`).
fn fits(key: &SecretString, mask: &str) -> bool {
    use secrecy::ExposeSecret;
    let key = key.expose_secret();
    match (mask.split_once('*'), mask.rsplit_once('*')) {
        (Some((start, _)), Some((_, end))) if start.len() + end.len() >= 4 => {
            key.len() > start.len() + end.len() && key.starts_with(start) && key.ends_with(end)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pasted_key_must_be_the_one_that_the_list_masks() {
        for (key, mask, same) in [
            ("39271f1c-dab0", "392****dab0", true),
            ("39371f1c-dab0", "392****dab0", false),
            ("39271f1c-dab1", "392****dab0", false),
            ("392dab0", "392****dab0", false),
            ("anything", "****", false),
            ("anything", "", false),
            ("anything", "sha256:0011223344556677", false),
        ] {
            assert_eq!(fits(&key.to_owned().into(), mask), same, "{key} {mask}");
        }
    }

    #[test]
    fn several_things_must_be_told_apart() {
        let all = |ids: &'static [&'static str]| ids.iter().copied();
        assert_eq!(only("x", "--x", None, all(&[])).unwrap(), None);
        assert_eq!(only("x", "--x", None, all(&["a"])).unwrap(), Some("a"));
        assert!(only("x", "--x", None, all(&["a", "b"])).is_err());
        assert_eq!(only("x", "--x", Some("b"), all(&["a", "b"])).unwrap(), Some("b"));
        assert!(only("x", "--x", Some("c"), all(&["a"])).is_err());
    }
}
