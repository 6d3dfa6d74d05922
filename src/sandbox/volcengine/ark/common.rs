//! What the actions of 方舟 have in common: pages, projects, filters, tags, times.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::super::actions::Action;
use super::super::params::Params;
use super::super::refusal::{Refusal, Reply, reply};
use crate::domain::period::beijing;
use crate::sandbox::world::{Creator, FakeAccount, Limits};

/// The tag that names the creator.
const CREATED_BY: &str = "sys:ark:createdBy";

/// The project that a call is about, as far as it says: `ProjectName`, `default` without it, or where the thing of `Id` is.
pub(in super::super) fn project_of(
    account: &FakeAccount,
    action: &Action,
    body: &[u8],
) -> Option<String> {
    if !action.is_ark() {
        return None;
    }
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let ark = &account.ark;
    let by_id = match body.get("Id") {
        Some(Value::String(id)) => {
            let endpoint = ark.endpoints.get(id).map(|found| &found.project);
            let preset = ark.presets.get(id).map(|found| &found.project);
            let job = ark.jobs.get(id).map(|found| &found.project);
            endpoint.or(preset).or(job)
        }
        Some(id) => id.as_i64().and_then(|id| ark.keys.get(&id)).map(|found| &found.project),
        None => None,
    };
    let named = body.get("ProjectName").and_then(Value::as_str).unwrap_or("default");
    Some(by_id.cloned().unwrap_or_else(|| named.to_owned()))
}

/// `ProjectName`; `default` without it.
pub(super) fn project(params: &Params) -> Result<String, Refusal> {
    Ok(params.text("ProjectName")?.unwrap_or_else(|| "default".to_owned()))
}

/// 404 `NotFound.KIND`.
pub(super) fn not_found(kind: &str, id: &str) -> Refusal {
    Refusal::new(404, &format!("NotFound.{kind}"), format!("The {kind} {id} is not found."))
}

/// 403 `OperationDenied.WHY`.
pub(super) fn denied(why: &str, message: impl Into<String>) -> Refusal {
    Refusal::new(403, &format!("OperationDenied.{why}"), message)
}

/// A page of what is listed: `PageNumber` from 1, `PageSize` from 1 to 100, 10 by default.
pub(super) fn page<T>(
    params: &Params,
    rows: Vec<T>,
    wire: impl FnMut(T) -> Value,
) -> Result<Reply, Refusal> {
    let number = bounded(params, "PageNumber", 1, usize::MAX)?;
    let size = bounded(params, "PageSize", 10, 100)?;
    let total = rows.len();
    let skipped = number.saturating_sub(1).saturating_mul(size);
    let items: Vec<Value> = rows.into_iter().skip(skipped).take(size).map(wire).collect();
    reply(&json!({"TotalCount": total, "PageNumber": number, "PageSize": size, "Items": items}))
}

fn bounded(params: &Params, name: &str, default: usize, most: usize) -> Result<usize, Refusal> {
    let Some(value) = params.int(name)? else {
        return Ok(default);
    };
    let value = usize::try_from(value).ok().filter(|value| (1..=most).contains(value));
    value.ok_or_else(|| params.invalid(name, "is out of range"))
}

/// The fields of `Filter` that several lists share.
#[derive(Debug, Default)]
pub(super) struct Filter {
    ids: Vec<String>,
    name: String,
    states: Vec<String>,
    creators: Option<Vec<String>>,
}

impl Filter {
    /// Reads `Filter`, whose states stand in `states`, and `TagFilters`. Other fields are refused: the stand-in would show
    /// rows that the caller did not ask for.
    pub(super) fn read(params: &Params, states: &str) -> Result<Self, Refusal> {
        let mut filter = Self::default();
        if let Some(fields) = params.object("Filter")? {
            fields.only(&["Ids", "Name", states])?;
            filter.ids = fields.texts("Ids")?;
            filter.name = fields.text("Name")?.unwrap_or_default();
            filter.states = fields.texts(states)?;
        }
        for tag in params.objects("TagFilters")? {
            tag.only(&["Key", "Values"])?;
            if tag.required("Key")? != CREATED_BY {
                return Err(params.invalid("TagFilters", "names a tag that nothing has"));
            }
            filter.creators = Some(tag.texts("Values")?);
        }
        Ok(filter)
    }

    /// Whether a thing passes.
    pub(super) fn passes(
        &self,
        id: &str,
        name: &str,
        state: &str,
        creator: Option<&Creator>,
    ) -> bool {
        let listed =
            |list: &[String], text: &str| list.is_empty() || list.iter().any(|t| t == text);
        let by = self
            .creators
            .as_ref()
            .is_none_or(|wanted| creator.is_some_and(|creator| wanted.contains(&creator.tag())));
        listed(&self.ids, id) && name.contains(&self.name) && listed(&self.states, state) && by
    }
}

/// `Tags`.
pub(super) fn tags(creator: Option<&Creator>) -> Value {
    match creator {
        Some(creator) => json!([{"Key": CREATED_BY, "Value": creator.tag()}]),
        None => json!([]),
    }
}

/// RFC 3339 in Beijing's offset, as the lists write times.
pub(super) fn time(at: Timestamp) -> String {
    at.to_zoned(beijing()).strftime("%Y-%m-%dT%H:%M:%S%:z").to_string()
}

/// Adds `RateLimit` and `ContentGeneration` where they are set.
pub(super) fn with_limits(mut thing: Value, limits: &Limits) -> Value {
    if let Some(fields) = thing.as_object_mut() {
        if let Some(rate) = limits.rate {
            fields.insert("RateLimit".to_owned(), json!({"Rpm": rate.rpm, "Tpm": rate.tpm}));
        }
        if let Some(content) = limits.content {
            let content = json!({
                "ConcurrentRequests": content.concurrent,
                "CreateTaskRpm": content.create_task_rpm,
            });
            fields.insert("ContentGeneration".to_owned(), content);
        }
    }
    thing
}
