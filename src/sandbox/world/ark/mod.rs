//! 方舟 in the stand-in cloud: inference endpoints, API keys, preset endpoints, bots, jobs, usage
//! (`docs/platforms/ark.md` §A).

use std::collections::BTreeMap;

use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

use super::lag::Lagging;
use super::{FakeAccount, LONG_AGO};

mod billing;
mod build;
mod calls;
mod jobs;
mod models;
mod rules;

pub use calls::{ModelRefusal, ModelRoute};
pub use jobs::{Job, JobKind, Phase};
pub use models::{Model, ModelKind, Usage};
pub use rules::{ArkBilling, ArkRules, KeySwitchForm, RateLimitRule, UsageShape};

/// 方舟 of one account.
#[derive(Clone, Debug, Default)]
pub struct Ark {
    /// Inference endpoints by id.
    pub endpoints: BTreeMap<String, Endpoint>,
    /// API keys of projects by id.
    pub keys: BTreeMap<i64, ArkKey>,
    /// The hidden endpoints behind calls by Model ID, by id.
    pub presets: BTreeMap<String, Preset>,
    /// Bots by id: an endpoint under another name.
    pub bots: BTreeMap<String, Bot>,
    /// Batch and tuning jobs by id.
    pub jobs: BTreeMap<String, Job>,
    /// Keys from `GetApiKey`. No action lists them.
    pub temporary_keys: Vec<TemporaryKey>,
    /// What calls and jobs have used, oldest first.
    pub usage: Vec<Usage>,
    made: u32,
}

/// The value of the tag `sys:ark:createdBy`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Creator {
    /// The IAM user's id; 0 for the main account.
    pub user_id: i64,
    /// Its name at that time.
    pub name: String,
}

/// An inference endpoint.
#[derive(Clone, Debug)]
pub struct Endpoint {
    /// `ep-YYYYMMDDhhmmss-xxxxx`.
    pub id: String,
    /// `Name`.
    pub name: String,
    /// `ProjectName`.
    pub project: String,
    /// The model behind it.
    pub model: Model,
    /// Whether it answers.
    pub status: Lagging<EndpointStatus>,
    /// The creator's tag; `None`: no tag.
    pub creator: Option<Creator>,
    /// Its limits.
    pub limits: Limits,
    /// `ModelUnitId`; empty unless prepaid.
    pub model_unit: String,
    /// When it was created.
    pub created: Timestamp,
    /// When it was last changed.
    pub updated: Timestamp,
}

/// Whether an endpoint answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndpointStatus {
    /// It does.
    Running,
    /// It starts.
    Pending,
    /// It was stopped.
    Stopped,
    /// A status that no document knows. It does not answer.
    Other(&'static str),
}

/// `RateLimit` and `ContentGeneration`; `None`: no limit of its own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// Requests and tokens per minute, for text.
    pub rate: Option<RateLimit>,
    /// For images and videos.
    pub content: Option<ContentLimits>,
}

/// `RateLimit`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateLimit {
    /// `Rpm`.
    pub rpm: i64,
    /// `Tpm`.
    pub tpm: i64,
}

/// `ContentGeneration`. -1: no limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ContentLimits {
    /// `ConcurrentRequests`.
    pub concurrent: i64,
    /// `CreateTaskRpm`.
    pub create_task_rpm: i64,
}

/// An API key of a project. It opens everything in its project, whatever becomes of the user who made it.
#[derive(Clone, Debug)]
pub struct ArkKey {
    /// `Id`.
    pub id: i64,
    /// `SID`, as usage and bills name it.
    pub sid: String,
    /// `Name`.
    pub name: String,
    /// `ProjectName`.
    pub project: String,
    /// The key itself. Lists show it masked.
    pub secret: Lagging<SecretString>,
    /// Whether it works.
    pub on: Lagging<bool>,
    /// Who made it; the list can be filtered by it but does not show it.
    pub creator: Option<Creator>,
    /// The endpoints and Model IDs that it is restricted to.
    pub allowed: Option<Vec<String>>,
    secrets_made: u32,
}

/// The hidden endpoint behind calls by Model ID, one per project and model. It cannot be stopped.
#[derive(Clone, Debug)]
pub struct Preset {
    /// `ep-m-YYYYMMDDhhmmss-xxxxx`.
    pub id: String,
    /// `ProjectName`.
    pub project: String,
    /// The model.
    pub model: Model,
    /// Its limits.
    pub limits: Lagging<Limits>,
}

/// A bot (应用).
#[derive(Clone, Debug)]
pub struct Bot {
    /// `bot-…`.
    pub id: String,
    /// Its project.
    pub project: String,
    /// The endpoint under it.
    pub endpoint: String,
}

/// What a temporary key opens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResourceType {
    /// Inference endpoints.
    Endpoint,
    /// Bots.
    Bot,
    /// Preset endpoints.
    Preset,
}

/// A key from `GetApiKey`.
#[derive(Clone, Debug)]
pub struct TemporaryKey {
    /// The key itself.
    pub secret: SecretString,
    /// What kind of resource it opens.
    pub kind: ResourceType,
    /// The resources that it opens.
    pub resources: Vec<String>,
    /// The project of a preset endpoint.
    pub project: String,
    /// When it ends.
    pub expires: Timestamp,
    /// The access key that made it.
    pub made_with: String,
}

impl Creator {
    /// The tag's value.
    pub fn tag(&self) -> String {
        format!("IAMUser/{}/{}", self.user_id, self.name)
    }
}

impl TemporaryKey {
    /// The key itself.
    pub fn text(&self) -> &str {
        self.secret.expose_secret()
    }
}

impl ArkKey {
    /// The key itself.
    pub fn text(&self) -> &str {
        self.secret.get().expose_secret()
    }

    /// Gives the key a new secret; the next `lag` lists still show the old one.
    pub(crate) fn regenerate(&mut self, lag: u32) {
        self.secrets_made = self.secrets_made.saturating_add(1);
        let secret = secret_of(&format!("{} {}", self.sid, self.secrets_made));
        self.secret.set(secret, lag);
    }
}

/// `392****dab0`.
pub(crate) fn masked(secret: &SecretString) -> String {
    let text = secret.expose_secret();
    let start: String = text.chars().take(3).collect();
    let end: String = text.chars().skip(text.chars().count().saturating_sub(4)).collect();
    format!("{start}****{end}")
}

/// A key derived from `seed`, in the form of a UUID.
fn secret_of(seed: &str) -> SecretString {
    let hex = hex::encode(Sha256::digest(format!("ark key {seed}")));
    let mut parts = Vec::new();
    let mut rest = hex.as_str();
    for length in [8, 4, 4, 4, 12] {
        let (part, after) = rest.split_at_checked(length).unwrap_or((rest, ""));
        parts.push(part);
        rest = after;
    }
    SecretString::from(parts.join("-"))
}

impl FakeAccount {
    /// An id `PREFIX-YYYYMMDDhhmmss-xxxxx` that is new in this account.
    pub(crate) fn next_ark_id(&mut self, prefix: &str, at: Timestamp) -> String {
        self.ark.made = self.ark.made.saturating_add(1);
        let hash = hex::encode(Sha256::digest(format!("{prefix} {} {}", self.id, self.ark.made)));
        let tail: String = hash.chars().take(5).collect();
        format!("{prefix}-{}-{tail}", at.strftime("%Y%m%d%H%M%S"))
    }

    /// The creator's tag of a user of this account; of the main account without a user.
    pub(crate) fn creator(&self, user: Option<&str>) -> Creator {
        match user.and_then(|name| self.users.get(name)) {
            Some(user) => Creator { user_id: user.id, name: user.name.clone() },
            None => Creator { user_id: 0, name: user.unwrap_or("root").to_owned() },
        }
    }
}
