//! Inference endpoints (推理接入点; docs/platforms/ark.md §A.2).

use serde::Deserialize;
use serde_json::json;

use super::fields::{Creator, creator};
use super::paging::Row;
use crate::domain::ProjectName;
use crate::volcengine::call::{Api, Call};
use crate::volcengine::client::AccountClient;
use crate::volcengine::error::{Error, bounded};
use crate::volcengine::iam::text;

/// An endpoint, through which the keys of its project call a model ("ListEndpoints", docs 82379/1262430).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArkEndpoint {
    /// `ep-…`; empty if the API sent none, so that one such endpoint does not hide the others.
    pub id: String,
    /// The name shown to people; may be empty.
    pub name: String,
    /// The project it is in.
    pub project: String,
    /// Whether it takes calls.
    pub status: EndpointStatus,
    /// Who made it, if its tags say so.
    pub creator: Option<Creator>,
    /// Whether it runs on a prepaid model unit, which costs money by the hour whether it is called or not.
    pub model_unit: bool,
}

/// Whether an endpoint takes calls. How the API spells a stopped one is in no source.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum EndpointStatus {
    /// It certainly does, or is about to: `Running`, `Available`, `Pending`, `Scheduling`.
    Running,
    /// It certainly does not: `Stopped`.
    Stopped,
    /// Another word: a stop that was accepted may show as one, and so may a failed endpoint.
    Other(String),
}

const FAILED: [&str; 2] = ["failed", "异常"];

impl EndpointStatus {
    fn of(word: &str) -> Self {
        match word.trim().to_lowercase().as_str() {
            "running" | "available" | "pending" | "scheduling" | "健康" | "调度中" => {
                Self::Running
            }
            "stopped" | "已停止" => Self::Stopped,
            other => {
                if !FAILED.contains(&other) {
                    tracing::warn!(status = bounded(word), "an endpoint has an unknown status");
                }
                Self::Other(bounded(word))
            }
        }
    }

    /// Returns whether it was to run and does not: `Failed`.
    pub fn has_failed(&self) -> bool {
        matches!(self, Self::Other(word) if FAILED.contains(&word.to_lowercase().as_str()))
    }
}

#[derive(Deserialize)]
struct Item {
    #[serde(rename = "Id", default, deserialize_with = "text")]
    id: String,
    #[serde(rename = "Name", default, deserialize_with = "text")]
    name: String,
    #[serde(rename = "ProjectName", default, deserialize_with = "text")]
    project: String,
    #[serde(rename = "Status", default, deserialize_with = "text")]
    status: String,
    #[serde(rename = "Tags", default, deserialize_with = "creator")]
    creator: Option<Creator>,
    #[serde(rename = "ModelUnitId", default, deserialize_with = "text")]
    model_unit: String,
}

impl Row for Item {
    fn id(&self) -> String {
        self.id.clone()
    }

    fn project(&self) -> &str {
        &self.project
    }
}

impl AccountClient {
    /// Returns all endpoints of a project, without the hidden ones of [`AccountClient::preset_endpoints`].
    ///
    /// # Errors
    /// Any [`Error`]: the list is read whole or not at all. [`ErrorKind::NoSuchAction`](super::super::ErrorKind::NoSuchAction) if the account has no 方舟.
    pub async fn endpoints(&self, project: &ProjectName) -> Result<Vec<ArkEndpoint>, Error> {
        // Oldest first: an endpoint that is made meanwhile comes last and moves no other to another page.
        let order = json!({"SortBy": "CreateTime", "SortOrder": "Asc"});
        let items: Vec<Item> = self.ark_list("ListEndpoints", project, &order).await?;
        let endpoint = |item: Item| ArkEndpoint {
            status: EndpointStatus::of(&item.status),
            id: item.id,
            name: item.name,
            project: project.as_str().to_owned(),
            creator: item.creator,
            model_unit: !item.model_unit.trim().is_empty(),
        };
        Ok(items.into_iter().map(endpoint).collect())
    }

    /// Stops an endpoint: calls with any key, temporary ones too, are then refused ("StopEndpoint", docs 82379/1262429).
    /// Reads may be stale, so read it back before trusting it.
    ///
    /// # Errors
    /// [`ErrorKind::OperationDenied`](super::super::ErrorKind::OperationDenied), possibly because it is stopped already;
    /// [`ErrorKind::NotFound`](super::super::ErrorKind::NotFound) if it is gone.
    pub async fn stop_endpoint(&self, id: &str) -> Result<(), Error> {
        let call = Call::post(Api::Ark, "StopEndpoint", json!({ "Id": id }));
        self.call(&call).await.map(drop)
    }

    /// Starts a stopped endpoint again ("StartEndpoint", docs 82379/1261492).
    ///
    /// # Errors
    /// Those of [`AccountClient::stop_endpoint`], the other way round.
    pub async fn start_endpoint(&self, id: &str) -> Result<(), Error> {
        let call = Call::post(Api::Ark, "StartEndpoint", json!({ "Id": id }));
        self.call(&call).await.map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_known_words_count_as_running_or_stopped() {
        use EndpointStatus::{Other, Running, Stopped};
        for (word, status) in [
            ("Running", Running),
            (" RUNNING ", Running),
            ("available", Running),
            ("Pending", Running),
            ("Scheduling", Running),
            ("调度中", Running),
            ("健康", Running),
            ("Stopped", Stopped),
            ("stopped", Stopped),
            ("已停止", Stopped),
            ("Failed", Other("Failed".into())),
            ("Stopping", Other("Stopping".into())),
            ("NotRunning", Other("NotRunning".into())),
            ("", Other(String::new())),
        ] {
            assert_eq!(EndpointStatus::of(word), status, "{word}");
        }
    }
}
