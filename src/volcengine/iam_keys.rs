//! API keys of IAM, another credential of a user beside access keys (docs/platforms/ark.md §B.1).

use serde::Deserialize;
use serde_json::value::RawValue;

use super::call::{Api, Call};
use super::client::AccountClient;
use super::error::{Error, bounded};
use super::iam::{KeyStatus, text};
use super::paging::count;

/// Rows per page. The offset ends at 100, so that there is only one page.
const PAGE: u64 = 1000;

/// An API key of a user ("ListApiKeys" of IAM). The API shows its secret only when it is created.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IamApiKey {
    /// The cloud's id; empty if the API sent none, so that one such key does not hide the others.
    pub id: String,
    /// The name shown to people; may be empty.
    pub name: String,
    /// Whether it works: any status but `inactive` counts as working.
    pub active: bool,
}

#[derive(Deserialize)]
struct Answer {
    // Null is an empty list. A response without a list is not.
    #[serde(rename = "ApiKeys", deserialize_with = "Option::deserialize")]
    keys: Option<Vec<Item>>,
    #[serde(rename = "Total")]
    total: Option<Box<RawValue>>,
}

#[derive(Deserialize)]
struct Item {
    #[serde(rename = "Id", default, deserialize_with = "text")]
    id: String,
    #[serde(rename = "Name", default, deserialize_with = "text")]
    name: String,
    #[serde(rename = "Status", default, deserialize_with = "text")]
    status: String,
}

impl Item {
    fn key(self) -> IamApiKey {
        let is_off = self.status.trim().eq_ignore_ascii_case(KeyStatus::Inactive.as_str());
        if !is_off && !self.status.trim().eq_ignore_ascii_case(KeyStatus::Active.as_str()) {
            let status = bounded(&self.status);
            tracing::warn!(status, "an API key of unknown status counts as active");
        }
        IamApiKey { id: self.id, name: self.name, active: !is_off }
    }
}

impl AccountClient {
    /// Returns all API keys of a user ("ListApiKeys" of IAM).
    ///
    /// # Errors
    /// [`ErrorKind::NoSuchAction`](super::ErrorKind::NoSuchAction) if the account does not have such keys;
    /// [`ErrorKind::NotFound`](super::ErrorKind::NotFound) if there is no such user;
    /// [`ErrorKind::Unexpected`](super::ErrorKind::Unexpected) if the response has no list, or not all of it.
    pub async fn iam_api_keys(&self, username: &str) -> Result<Vec<IamApiKey>, Error> {
        let query = [
            ("UserName", username.to_owned()),
            ("Limit", PAGE.to_string()),
            ("Offset", "0".to_owned()),
        ];
        let answer = self.call(&Call::get(Api::Iam, "ListApiKeys", query)).await?;
        let Answer { keys, total } = answer.parse()?;
        let keys = keys.unwrap_or_default();
        if total.as_deref().and_then(count).is_some_and(|total| total > keys.len() as i64) {
            return Err(answer.unexpected("the answer counts more keys than it lists"));
        }
        Ok(keys.into_iter().map(Item::key).collect())
    }

    /// Switches an API key of a user on or off ("UpdateApiKey" of IAM). Idempotent. Read it back before trusting it.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`](super::ErrorKind::NotFound) if the key or the user is gone.
    pub async fn set_iam_api_key(
        &self,
        username: &str,
        id: &str,
        active: bool,
    ) -> Result<(), Error> {
        let status = if active { KeyStatus::Active } else { KeyStatus::Inactive };
        let query = [
            ("UserName", username.to_owned()),
            ("Id", id.to_owned()),
            ("Status", status.as_str().to_owned()),
        ];
        self.call(&Call::get(Api::Iam, "UpdateApiKey", query)).await.map(drop)
    }
}
