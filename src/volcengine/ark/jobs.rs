//! Batch inference and tuning jobs (docs/platforms/ark.md §A.5).

use std::borrow::Cow;

use serde::{Deserialize, Deserializer};
use serde_json::{Value, json};

use super::fields::{Creator, creator, flag};
use super::paging::Row;
use crate::domain::ProjectName;
use crate::volcengine::call::{Api, Call, Input, Retry};
use crate::volcengine::client::AccountClient;
use crate::volcengine::error::{Error, ErrorKind, bounded};
use crate::volcengine::iam::text;

/// A job that costs money while it runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArkJob {
    /// `bi-…` for batch jobs; empty if the API sent none.
    pub id: String,
    /// The name shown to people; may be empty.
    pub name: String,
    /// Which kind.
    pub kind: JobKind,
    /// How far it is.
    pub phase: JobPhase,
    /// Whether it could go on after a stop, if the API says so. It does for tuning jobs only; batch jobs can.
    pub resumable: Option<bool>,
    /// Who made it, if its tags say so.
    pub creator: Option<Creator>,
}

/// A kind of job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum JobKind {
    /// Batch inference (`BatchInferenceJob`).
    Batch,
    /// Fine-tuning (`ModelCustomizationJob`).
    Tuning,
}

impl JobKind {
    /// Every kind.
    pub const ALL: [JobKind; 2] = [JobKind::Batch, JobKind::Tuning];
}

/// How far a job is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum JobPhase {
    /// It costs money, or is about to.
    Active,
    /// It is over: completed, failed or stopped.
    Ended,
    /// It is being stopped.
    Stopping,
    /// An unknown word. Counts as active.
    Other(String),
}

impl JobPhase {
    fn of(word: &str) -> Self {
        match word.trim().to_ascii_lowercase().as_str() {
            "queued" | "running" | "preprocessing" | "deploying" | "completing" => Self::Active,
            "completed" | "failed" | "terminated" => Self::Ended,
            "terminating" => Self::Stopping,
            _ => {
                tracing::warn!(phase = bounded(word), "a job in an unknown phase counts as active");
                Self::Other(bounded(word))
            }
        }
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
    #[serde(rename = "Status", default, deserialize_with = "status")]
    status: Status,
    #[serde(rename = "Tags", default, deserialize_with = "creator")]
    creator: Option<Creator>,
}

#[derive(Default, Deserialize)]
struct Status {
    #[serde(rename = "Phase", default, deserialize_with = "text")]
    phase: String,
    #[serde(rename = "Resumable", default, deserialize_with = "flag")]
    resumable: Option<bool>,
}

/// Reads a status that is an object, or only its phase.
fn status<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Status, D::Error> {
    let value = Value::deserialize(deserializer)?;
    Ok(match value {
        Value::String(phase) => Status { phase, resumable: None },
        other => serde_json::from_value(other).unwrap_or_default(),
    })
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
    /// Returns all jobs of a project, of both kinds.
    ///
    /// # Errors
    /// Those of [`AccountClient::jobs_of`] for either kind.
    pub async fn jobs(&self, project: &ProjectName) -> Result<Vec<ArkJob>, Error> {
        let mut jobs = Vec::new();
        for kind in JobKind::ALL {
            jobs.extend(self.jobs_of(kind, project).await?);
        }
        Ok(jobs)
    }

    /// Returns all jobs of one kind in a project ("ListBatchInferenceJobs", "ListModelCustomizationJobs").
    ///
    /// # Errors
    /// Any [`Error`]: the list is read whole or not at all.
    pub async fn jobs_of(
        &self,
        kind: JobKind,
        project: &ProjectName,
    ) -> Result<Vec<ArkJob>, Error> {
        let action = match kind {
            JobKind::Batch => "ListBatchInferenceJobs",
            JobKind::Tuning => "ListModelCustomizationJobs",
        };
        let items: Vec<Item> = self.ark_list(action, project, &json!({})).await?;
        let job = |item: Item| ArkJob {
            id: item.id,
            name: item.name,
            kind,
            phase: JobPhase::of(&item.status.phase),
            resumable: item.status.resumable,
            creator: item.creator,
        };
        Ok(items.into_iter().map(job).collect())
    }

    /// Stops a job ("StopBatchInferenceJob", "TerminateModelCustomizationJob"). It takes a while: see
    /// [`JobPhase::Stopping`].
    ///
    /// # Errors
    /// [`ErrorKind::OperationDenied`], possibly because it is over; [`ErrorKind::NotFound`] if it is gone.
    pub async fn stop_job(&self, kind: JobKind, id: &str) -> Result<(), Error> {
        let action = match kind {
            JobKind::Batch => "StopBatchInferenceJob",
            JobKind::Tuning => "TerminateModelCustomizationJob",
        };
        self.call(&Call::post(Api::Ark, action, json!({ "Id": id }))).await.map(drop)
    }

    /// Lets a stopped job go on ("ResumeBatchInferenceJob", "ResumeModelCustomizationJob"). Retried only if it was certainly
    /// not applied.
    ///
    /// # Errors
    /// [`ErrorKind::OperationDenied`], possibly because it runs; [`ErrorKind::NotFound`] if it is gone.
    pub async fn resume_job(&self, kind: JobKind, id: &str) -> Result<(), Error> {
        let action = match kind {
            JobKind::Batch => "ResumeBatchInferenceJob",
            JobKind::Tuning => "ResumeModelCustomizationJob",
        };
        let post = Call::post(Api::Ark, action, json!({ "Id": id }));
        let call = Call { retry: Retry::IfNotApplied, ..post };
        match self.call(&call).await {
            // The vendor's example has the id in the query and an empty body.
            Err(error) if *error.kind() == ErrorKind::BadInput => {
                let query = vec![(Cow::Borrowed("Id"), id.to_owned())];
                let call = Call { input: Input::JsonAndQuery(json!({}), query), ..call };
                self.call(&call).await.map(drop)
            }
            outcome => outcome.map(drop),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_phase_is_read_from_an_object_or_a_word_and_unknown_ones_count_as_active() {
        use JobPhase::{Active, Ended, Other, Stopping};
        for (status, phase, resumable) in [
            (r#"{"Phase":"Running","Message":""}"#, Active, None),
            (r#"{"Phase":"queued","Resumable":true}"#, Active, Some(true)),
            (r#"{"Phase":"Completing","Resumable":"false"}"#, Active, Some(false)),
            (r#"{"Phase":"Terminating"}"#, Stopping, None),
            (r#"{"Phase":"Terminated","Resumable":7}"#, Ended, None),
            (r#""Completed""#, Ended, None),
            (r#""Paused""#, Other("Paused".into()), None),
            (r#"{"Phase":null}"#, Other(String::new()), None),
            (r#"{"Phase":{}}"#, Other(String::new()), None),
            ("null", Other(String::new()), None),
            ("7", Other(String::new()), None),
        ] {
            let item: Item = serde_json::from_str(&format!(r#"{{"Status":{status}}}"#)).unwrap();
            assert_eq!(JobPhase::of(&item.status.phase), phase, "{status}");
            assert_eq!(item.status.resumable, resumable, "{status}");
        }
    }
}
