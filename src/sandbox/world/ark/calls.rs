//! The data plane: calls of models with a Bearer key (`docs/platforms/ark.md` §A.7, §F). Nothing here looks at IAM users.

use super::*;
use crate::domain::beijing_day;
use crate::sandbox::world::{KeyStatus, World};

/// The path of a call, after `/api/v3/`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ModelRoute {
    /// `chat/completions`.
    Chat,
    /// `embeddings`.
    Embeddings,
    /// `images/generations`.
    Images,
    /// `contents/generations/tasks`.
    Videos,
    /// `bots/chat/completions`.
    Bots,
}

/// Why a call of a model was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{http} {code}: {message}")]
pub struct ModelRefusal {
    /// HTTP status.
    pub http: u16,
    /// `error.code`.
    pub code: &'static str,
    /// `error.message`.
    pub message: String,
}

impl ModelRefusal {
    fn new(http: u16, code: &'static str, message: impl Into<String>) -> Self {
        Self { http, code, message: message.into() }
    }
}

/// Who calls: a key of a project, or a temporary key.
enum Caller {
    Key { sid: String, project: String, allowed: Option<Vec<String>> },
    Temporary { kind: ResourceType, resources: Vec<String>, project: String },
}

/// What is called.
struct Called {
    id: String,
    name: String,
    project: String,
    model: Model,
    limits: Limits,
    /// The names by which a key can be restricted to it.
    names: Vec<String>,
    kind: ResourceType,
}

impl World {
    /// Calls a model as a program with this key does: `model` is the id of an endpoint, of a preset endpoint or of a bot, or
    /// a Model ID. `route`: the path, if it is to be checked. A call that works becomes usage.
    ///
    /// # Errors
    /// [`ModelRefusal`] with the data plane's code.
    pub fn call_model(
        &mut self,
        key: &str,
        model: &str,
        route: Option<ModelRoute>,
        now: Timestamp,
    ) -> Result<Usage, ModelRefusal> {
        let rules = self.rules.ark.clone();
        let found = self.accounts.iter_mut().find_map(|account| {
            let caller = caller(account, key, &rules, now)?;
            Some((account, caller))
        });
        let (account, caller) = found.ok_or_else(|| {
            ModelRefusal::new(401, "AuthenticationError", "The API key is missing or invalid.")
        })?;
        let called = called(account, &caller, model, &rules, now)?;
        check_access(&caller, &called)?;
        check_route(route, &called)?;
        check_limits(&called, &rules)?;
        let sid = match caller {
            Caller::Key { sid, .. } => sid,
            Caller::Temporary { .. } => String::new(),
        };
        let usage = Usage {
            endpoint: called.id,
            endpoint_name: called.name,
            key: sid,
            ..Usage::of(called.model, &called.project, now)
        };
        account.ark.usage.push(usage.clone());
        if let Some(price) = rules.call_price {
            account.accrue(&called.project, price, beijing_day(now));
        }
        Ok(usage)
    }
}

/// The caller with that key, if it works.
fn caller(account: &FakeAccount, key: &str, rules: &ArkRules, now: Timestamp) -> Option<Caller> {
    let owned = account.ark.keys.values().find(|held| held.text() == key && *held.on.get());
    if let Some(held) = owned {
        return Some(Caller::Key {
            sid: held.sid.clone(),
            project: held.project.clone(),
            allowed: held.allowed.clone(),
        });
    }
    let held = account.ark.temporary_keys.iter().find(|held| {
        held.secret.expose_secret() == key
            && now < held.expires
            && (!rules.temporary_keys_end_with_their_maker || works(account, &held.made_with))
    })?;
    Some(Caller::Temporary {
        kind: held.kind,
        resources: held.resources.clone(),
        project: held.project.clone(),
    })
}

/// Whether an access key exists and is active.
fn works(account: &FakeAccount, access_key: &str) -> bool {
    let users = account.users.values().flat_map(|user| &user.keys);
    let mut keys = account.keys.iter().chain(users);
    keys.any(|key| key.id == access_key && key.status == KeyStatus::Active)
}

fn not_found(model: &str) -> ModelRefusal {
    ModelRefusal::new(
        404,
        "InvalidEndpointOrModel.NotFound",
        format!("The model or endpoint {model} does not exist or you do not have access to it."),
    )
}

/// What `model` names, if it answers. The first call with a Model ID makes the project's preset endpoint.
fn called(
    account: &mut FakeAccount,
    caller: &Caller,
    model: &str,
    rules: &ArkRules,
    now: Timestamp,
) -> Result<Called, ModelRefusal> {
    let project = match caller {
        Caller::Key { project, .. } => Some(project.clone()),
        Caller::Temporary { kind: ResourceType::Preset, project, .. } => Some(project.clone()),
        Caller::Temporary { .. } => None,
    };
    let in_project = |of: &str| project.as_deref().is_none_or(|project| project == of);
    let (id, kind) = match account.ark.bots.get(model) {
        Some(bot) if in_project(&bot.project) => (bot.endpoint.as_str(), ResourceType::Bot),
        Some(_) => return Err(not_found(model)),
        None => (model, ResourceType::Endpoint),
    };
    if let Some(endpoint) = account.ark.endpoints.get(id) {
        if !in_project(&endpoint.project) {
            return Err(not_found(model));
        }
        if *endpoint.status.get() != EndpointStatus::Running {
            return Err(ModelRefusal::new(
                400,
                "InvalidEndpoint.ClosedEndpoint",
                format!("The endpoint {id} is closed or temporarily unavailable."),
            ));
        }
        return Ok(Called {
            id: endpoint.id.clone(),
            name: endpoint.name.clone(),
            project: endpoint.project.clone(),
            model: endpoint.model,
            limits: endpoint.limits,
            names: vec![model.to_owned()],
            kind,
        });
    }
    let named = Model::by_id(model);
    let preset = match (account.ark.presets.get(model).cloned(), named, project.clone()) {
        (Some(preset), ..) if in_project(&preset.project) => preset,
        (None, Some(_), _) if !rules.model_ids_work => {
            return Err(ModelRefusal::new(
                404,
                "InvalidEndpointOrModel.ModelIDAccessDisabled",
                "This account may not use Model IDs.",
            ));
        }
        (None, Some(named), Some(project)) => account.preset(&project, named, now).clone(),
        _ => return Err(not_found(model)),
    };
    Ok(Called {
        names: vec![preset.id.clone(), preset.model.id()],
        id: preset.id,
        name: preset.model.id(),
        project: preset.project,
        model: preset.model,
        limits: *preset.limits.get(),
        kind: ResourceType::Preset,
    })
}

fn check_access(caller: &Caller, called: &Called) -> Result<(), ModelRefusal> {
    let names = |list: &[String]| called.names.iter().any(|name| list.contains(name));
    let open = match caller {
        Caller::Key { allowed, .. } => allowed.as_ref().is_none_or(|allowed| names(allowed)),
        Caller::Temporary { kind, resources, .. } => *kind == called.kind && names(resources),
    };
    open.then_some(()).ok_or_else(|| {
        ModelRefusal::new(403, "AccessDenied", "The key is not allowed to use this endpoint.")
    })
}

fn check_route(route: Option<ModelRoute>, called: &Called) -> Result<(), ModelRefusal> {
    let bot = called.kind == ResourceType::Bot;
    let fits = match (route, called.model.kind) {
        (None, _) => true,
        (Some(ModelRoute::Bots), kind) => bot && kind == ModelKind::Text,
        (Some(ModelRoute::Chat), ModelKind::Text) => !bot,
        (Some(ModelRoute::Embeddings), ModelKind::Embedding)
        | (Some(ModelRoute::Images), ModelKind::Image)
        | (Some(ModelRoute::Videos), ModelKind::Video) => true,
        _ => false,
    };
    fits.then_some(()).ok_or_else(|| {
        ModelRefusal::new(400, "InvalidParameter", "The model does not support this API.")
    })
}

fn check_limits(called: &Called, rules: &ArkRules) -> Result<(), ModelRefusal> {
    let closed = match called.model.kind {
        ModelKind::Text | ModelKind::Embedding => {
            rules.rate_limit == RateLimitRule::Obeyed
                && called.limits.rate.is_some_and(|rate| rate.rpm == 0 || rate.tpm == 0)
        }
        ModelKind::Image | ModelKind::Video => called
            .limits
            .content
            .is_some_and(|limits| limits.concurrent == 0 || limits.create_task_rpm == 0),
    };
    if closed {
        return Err(ModelRefusal::new(
            429,
            "RateLimitExceeded.EndpointRPMExceeded",
            "The requests per minute of this endpoint are used up.",
        ));
    }
    Ok(())
}
