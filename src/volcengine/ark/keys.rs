//! API keys of 方舟, which belong to a project and know no IAM user (docs/platforms/ark.md §A.4).

use std::fmt::Write as _;

use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::fields::{flag, integer};
use super::paging::Row;
use crate::domain::{KeySwitch, ProjectName};
use crate::volcengine::call::{Api, Call, Retry};
use crate::volcengine::client::AccountClient;
use crate::volcengine::error::{Error, ErrorKind, bounded};
use crate::volcengine::iam::text;

/// Stands for configured actions in metrics, logs and errors.
const KEY_SWITCH: &str = "ModelKeySwitch";

/// An id that no user has.
const NOBODY: &str = "9223372036854775807";

/// An API key of a project ("ListApiKeys"). Never holds the key itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArkKey {
    /// The id that calls take; 0 if the API sent none, so that one such key does not hide the others.
    pub id: i64,
    /// `apikey-…`, the id in bills and usage; may be empty.
    pub sid: String,
    /// The name shown to people; may be empty.
    pub name: String,
    /// The cloud's id of the user that made it, `0` for the main account; empty if the API sent none.
    pub user_id: String,
    /// Whether it works.
    pub state: ArkKeyState,
    /// Changes with the key's secret, and stays the same otherwise: the key as the API masks it (`392****dab0`), or a hash if
    /// the API did not mask it. Empty if it sent none.
    pub fingerprint: String,
}

/// Whether an API key works.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ArkKeyState {
    /// It does, perhaps for some models only.
    On,
    /// It certainly does not.
    Off,
    /// The list does not say, or by an unknown word. Counts as on.
    Other(String),
}

/// Whose keys to list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeysOf<'a> {
    /// Everybody's.
    Everybody,
    /// Those of the user with this id in the cloud.
    User(&'a str),
}

#[derive(Deserialize)]
struct Item {
    #[serde(rename = "Id", default, deserialize_with = "integer")]
    id: i64,
    #[serde(rename = "SID", default, deserialize_with = "text")]
    sid: String,
    #[serde(rename = "Name", default, deserialize_with = "text")]
    name: String,
    #[serde(rename = "UserId", default, deserialize_with = "text")]
    user_id: String,
    #[serde(rename = "ProjectName", default, deserialize_with = "text")]
    project: String,
    #[serde(rename = "Key", default, deserialize_with = "text")]
    masked: String,
    #[serde(rename = "Status", default, deserialize_with = "text")]
    status: String,
    #[serde(rename = "Disable", default, deserialize_with = "flag")]
    disable: Option<bool>,
    #[serde(rename = "Disabled", default, deserialize_with = "flag")]
    disabled: Option<bool>,
}

impl Row for Item {
    fn id(&self) -> String {
        if self.id == 0 { String::new() } else { self.id.to_string() }
    }

    fn project(&self) -> &str {
        &self.project
    }
}

impl Item {
    /// Which field shows a switched-off key is in no source, so that any of the three may. What they do not say clearly is
    /// not off.
    fn state(&self) -> ArkKeyState {
        let says_off = self.disable == Some(true) || self.disabled == Some(true);
        let says_on = self.disable == Some(false) || self.disabled == Some(false);
        match self.status.trim().to_lowercase().as_str() {
            _ if says_off => ArkKeyState::Off,
            "inactive" | "disabled" | "disable" | "已禁用" | "禁用" => ArkKeyState::Off,
            "active" | "enabled" | "enable" | "restricted" => ArkKeyState::On,
            "" if says_on => ArkKeyState::On,
            _ => ArkKeyState::Other(bounded(&self.status)),
        }
    }

    fn key(self) -> ArkKey {
        let state = self.state();
        ArkKey {
            id: self.id,
            sid: self.sid,
            name: self.name,
            user_id: self.user_id,
            state,
            fingerprint: fingerprint(self.masked.trim()),
        }
    }
}

/// Returns a masked key as it is, and the hash of one that is not.
fn fingerprint(key: &str) -> String {
    let is_masked = ["**", "…", "..", "xxx"].iter().any(|mask| key.contains(mask));
    if key.is_empty() || (is_masked && key.chars().count() <= 64) {
        return key.to_owned();
    }
    let mut text = "sha256:".to_owned();
    for byte in Sha256::digest(key).iter().take(8) {
        // Writing to a string does not fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

impl AccountClient {
    /// Returns the API keys of a project: everybody's, or only those that certainly belong to one user.
    ///
    /// # Errors
    /// Any [`Error`]: the list is read whole or not at all. [`ErrorKind::Unexpected`] if the rows do not say whose they are and
    /// the API ignores whose were asked for.
    pub async fn ark_keys(
        &self,
        project: &ProjectName,
        of: KeysOf<'_>,
    ) -> Result<Vec<ArkKey>, Error> {
        let items = match of {
            KeysOf::Everybody => {
                let filter = json!({"Filter": {"AllowAll": true}});
                self.ark_list("ListApiKeys", project, &filter).await?
            }
            KeysOf::User(id) => self.keys_of_user(project, id).await?,
        };
        Ok(items.into_iter().map(Item::key).collect())
    }

    async fn keys_of_user(&self, project: &ProjectName, user: &str) -> Result<Vec<Item>, Error> {
        let mut items = self.keys_filtered_by(project, user).await?;
        let all = items.len();
        items.retain(|item| ["", user].contains(&item.user_id.trim()));
        if items.len() < all {
            let others = all - items.len();
            tracing::warn!(%project, others, "keys of other users are left out");
        }
        let is_unproven = items.iter().any(|item| item.user_id.trim().is_empty());
        if is_unproven && !self.tells_users_apart(project).await? {
            let why = "the cloud ignores whose API keys are asked for";
            return Err(Error::new("ListApiKeys", ErrorKind::Unexpected, why));
        }
        Ok(items)
    }

    /// Asks for the keys of a user that does not exist: one that gets any would get those of colleagues, too.
    async fn tells_users_apart(&self, project: &ProjectName) -> Result<bool, Error> {
        match self.keys_filtered_by(project, NOBODY).await {
            Ok(items) => Ok(items.is_empty()),
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::BadInput) => {
                Ok(true)
            }
            Err(error) => Err(error),
        }
    }

    /// Lists the keys with a filter by user. No source says whether it takes the id as a number or as text.
    async fn keys_filtered_by(
        &self,
        project: &ProjectName,
        user: &str,
    ) -> Result<Vec<Item>, Error> {
        let filter = |id: Value| json!({"Filter": {"UserId": id}});
        let as_text = filter(user.into());
        let Ok(number) = user.parse::<u64>() else {
            return self.ark_list("ListApiKeys", project, &as_text).await;
        };
        match self.ark_list("ListApiKeys", project, &filter(number.into())).await {
            Err(error) if *error.kind() == ErrorKind::BadInput => {
                self.ark_list("ListApiKeys", project, &as_text).await
            }
            outcome => outcome,
        }
    }

    /// Gives a key a new secret, which is not kept: the old one stops working at once and does not come back
    /// ("UpdateApiKey" with `Regen`). Retried only if it was certainly not applied; after an unclear failure, compare
    /// [`ArkKey::fingerprint`] first.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] if the key is gone.
    pub async fn regenerate_ark_key(&self, id: i64) -> Result<(), Error> {
        let call = Call {
            retry: Retry::IfNotApplied,
            secret_answer: true,
            ..Call::post(Api::Ark, "UpdateApiKey", json!({"Id": id, "Regen": true}))
        };
        self.call(&call).await.map(drop)
    }

    /// Switches a key on or off by a configured call. Success proves nothing, because an unknown parameter may be ignored:
    /// read [`ArkKey::state`] back. Retried only if it was certainly not applied.
    ///
    /// # Errors
    /// [`ErrorKind::NoSuchAction`] and [`ErrorKind::BadInput`] if the configured call is not one of the API's.
    pub async fn switch_ark_key(
        &self,
        switch: &KeySwitch,
        id: i64,
        project: &ProjectName,
    ) -> Result<(), Error> {
        let body = switch.body(id, project).ok_or_else(|| {
            Error::new(KEY_SWITCH, ErrorKind::Configuration, "the body is not a JSON object")
        })?;
        let call = Call {
            configured: Some(switch.action().to_owned()),
            retry: Retry::IfNotApplied,
            secret_answer: true,
            ..Call::post(Api::Ark, KEY_SWITCH, body)
        };
        self.call(&call).await.map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_of_three_fields_may_say_that_a_key_is_off() {
        use ArkKeyState::{Off, On, Other};
        for (fields, state) in [
            (r#""Status":"Active""#, On),
            (r#""Status":"Restricted""#, On),
            (r#""Status":" inactive ""#, Off),
            (r#""Status":"Disabled""#, Off),
            (r#""Disable":true"#, Off),
            (r#""Disabled":"true""#, Off),
            (r#""Status":"Active","Disable":true"#, Off),
            (r#""Status":"Inactive","Disable":false"#, Off),
            (r#""Disable":false"#, On),
            (r#""Disabled":0,"Status":null"#, On),
            (r#""Status":"Frozen""#, Other("Frozen".into())),
            (r#""Status":"Frozen","Disable":false"#, Other("Frozen".into())),
            (r#""Status":2"#, Other("2".into())),
            (r#""Disable":"perhaps""#, Other(String::new())),
            (r#""Name":"x""#, Other(String::new())),
        ] {
            let item: Item = serde_json::from_str(&format!("{{{fields}}}")).unwrap();
            assert_eq!(item.state(), state, "{fields}");
        }
    }

    #[test]
    fn a_key_that_is_not_masked_is_not_kept() {
        assert_eq!(fingerprint("392****dab0"), "392****dab0");
        assert_eq!(fingerprint(""), "");
        let plain = "39271f1c-1a2b-4c3d-8e9f-0a1b2c3ddab0";
        let print = fingerprint(plain);
        assert!(print.starts_with("sha256:") && print.len() == 23, "{print}");
        assert_eq!(print, fingerprint(plain));
        assert_ne!(print, fingerprint("39271f1c-1a2b-4c3d-8e9f-0a1b2c3ddab1"));
    }
}
