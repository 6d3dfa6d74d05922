//! Preset endpoints: the hidden ones behind calls by Model ID, which cannot be stopped but limited, by actions that no
//! document describes (docs/platforms/ark.md §A.3).

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::limits::{Fields, PresetLimits};
use super::paging::Row;
use crate::domain::ProjectName;
use crate::volcengine::call::{Api, Call};
use crate::volcengine::client::AccountClient;
use crate::volcengine::error::{Error, ErrorKind};
use crate::volcengine::iam::text;

/// A preset endpoint of a project: one per model that was ever called by its Model ID ("InnerDescribeModelEndpoints").
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PresetEndpoint {
    /// `ep-m-…`; empty if the API sent none.
    pub id: String,
    /// The model's id, or the endpoint's name.
    pub model: String,
    /// Its limits, if the list shows both kinds. What is to be restored later comes from
    /// [`AccountClient::preset_limits`].
    pub limits: Option<PresetLimits>,
}

#[derive(Deserialize)]
struct Item {
    #[serde(rename = "Id", default, deserialize_with = "text")]
    id: String,
    #[serde(rename = "ModelId", default, deserialize_with = "text")]
    model: String,
    #[serde(rename = "Name", default, deserialize_with = "text")]
    name: String,
    #[serde(rename = "ProjectName", default, deserialize_with = "text")]
    project: String,
    #[serde(rename = "ContentGeneration", default)]
    content: Value,
    #[serde(rename = "RateLimit", default)]
    text: Value,
}

impl Row for Item {
    fn id(&self) -> String {
        self.id.clone()
    }

    fn project(&self) -> &str {
        &self.project
    }
}

impl Item {
    fn endpoint(self) -> PresetEndpoint {
        let both = json!({"ContentGeneration": self.content, "RateLimit": self.text}).to_string();
        let fields = serde_json::from_str::<Fields>(&both).ok();
        let limits = match fields.and_then(|fields| fields.limits().ok()) {
            Some((limits, true)) => Some(limits),
            _ => None,
        };
        let model = if self.model.trim().is_empty() { self.name } else { self.model };
        PresetEndpoint { id: self.id, model, limits }
    }
}

#[derive(Deserialize)]
struct Detail {
    #[serde(rename = "Endpoint")]
    endpoint: Option<Box<RawValue>>,
}

impl AccountClient {
    /// Returns all preset endpoints of a project.
    ///
    /// # Errors
    /// Any [`Error`]: the list is read whole or not at all. [`ErrorKind::NoSuchAction`] if the account does not have these
    /// actions.
    pub async fn preset_endpoints(
        &self,
        project: &ProjectName,
    ) -> Result<Vec<PresetEndpoint>, Error> {
        let items: Vec<Item> =
            self.ark_list("InnerDescribeModelEndpoints", project, &json!({})).await?;
        Ok(items.into_iter().map(Item::endpoint).collect())
    }

    /// Returns the limits of a preset endpoint ("InnerDescribeModelEndpointDetail").
    ///
    /// # Errors
    /// [`ErrorKind::Unexpected`] if there is no endpoint, or its limits are not objects: what is not understood could not be
    /// put back.
    pub async fn preset_limits(&self, id: &str) -> Result<PresetLimits, Error> {
        let call = Call::post(Api::Ark, "InnerDescribeModelEndpointDetail", json!({ "Id": id }));
        let answer = self.call(&call).await?;
        let detail: Detail = answer.parse()?;
        let fields: Fields = match &detail.endpoint {
            Some(endpoint) => serde_json::from_str(endpoint.get()).map_err(|error| {
                answer
                    .unexpected(format!("the endpoint cannot be read: {error}"))
                    .with_source(error)
            })?,
            None => answer.parse()?,
        };
        if !fields.is_endpoint() {
            return Err(answer.unexpected("the response has no endpoint"));
        }
        match fields.limits() {
            Ok((limits, _)) => Ok(limits),
            Err(error) => Err(answer.unexpected("the limits cannot be read").with_source(error)),
        }
    }

    /// Sets the limits of a preset endpoint ("InnerUpdateModelEndpoint"). If the cloud refuses one kind, the other is still
    /// set; it may also accept both and apply one. Read them back.
    ///
    /// # Errors
    /// [`ErrorKind::BadInput`] if it refuses either kind; [`ErrorKind::NoSuchAction`].
    pub async fn set_preset_limits(&self, id: &str, limits: &PresetLimits) -> Result<(), Error> {
        let mut refused = None;
        for body in bodies(id, limits) {
            match self.call(&Call::post(Api::Ark, "InnerUpdateModelEndpoint", body)).await {
                Err(error) if *error.kind() == ErrorKind::BadInput => {
                    refused.get_or_insert(error);
                }
                outcome => return outcome.map(drop),
            }
        }
        refused.map_or(Ok(()), Err)
    }
}

/// Returns the bodies that set limits, best first: both kinds, then one kind for an endpoint that has only that one, or for an
/// action that takes only that one. Nobody has seen it take limits of text.
fn bodies(id: &str, limits: &PresetLimits) -> Vec<Value> {
    let (content, text) = (limits.content_parameter(), limits.text_parameter());
    let both = content
        .iter()
        .zip(&text)
        .map(|(content, text)| json!({"Id": id, "ContentGeneration": content, "RateLimit": text}));
    let one = content.iter().map(|content| json!({"Id": id, "ContentGeneration": content}));
    let other = text.iter().map(|text| json!({"Id": id, "RateLimit": text}));
    let mut bodies: Vec<Value> = both.chain(one).chain(other).collect();
    bodies.dedup();
    bodies
}
