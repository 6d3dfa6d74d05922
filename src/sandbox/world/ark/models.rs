//! Models and what using them counts.

use jiff::Timestamp;

/// A foundation model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Model {
    /// `Name`, as usage and bills write it.
    pub name: &'static str,
    /// `ModelVersion`.
    pub version: &'static str,
    /// What it makes.
    pub kind: ModelKind,
}

/// What a model makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ModelKind {
    /// Text.
    Text,
    /// Vectors.
    Embedding,
    /// Images.
    Image,
    /// Videos.
    Video,
}

impl Model {
    /// A text model.
    pub const TEXT: Self = Self::of("doubao-seed-2-0-pro", "260215", ModelKind::Text);
    /// A cheaper text model.
    pub const LITE: Self = Self::of("doubao-seed-2-0-lite", "260215", ModelKind::Text);
    /// An embedding model.
    pub const EMBEDDING: Self =
        Self::of("doubao-embedding-large-text", "250515", ModelKind::Embedding);
    /// An image model.
    pub const IMAGE: Self = Self::of("doubao-seedream-5-0", "260128", ModelKind::Image);
    /// A video model.
    pub const VIDEO: Self = Self::of("doubao-seedance-2-0", "260128", ModelKind::Video);

    const ALL: [Self; 5] = [Self::TEXT, Self::LITE, Self::EMBEDDING, Self::IMAGE, Self::VIDEO];

    const fn of(name: &'static str, version: &'static str, kind: ModelKind) -> Self {
        Self { name, version, kind }
    }

    /// The Model ID: name and version.
    pub fn id(self) -> String {
        format!("{}-{}", self.name, self.version)
    }

    /// The model with that Model ID.
    pub fn by_id(id: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|model| model.id() == id)
    }

    /// (input, of it from the cache, output) tokens and images of one call.
    pub(super) const fn counts(self) -> (u64, u64, u64, u64) {
        match self.kind {
            ModelKind::Text => (1_200, 200, 340, 0),
            ModelKind::Embedding => (800, 0, 0, 0),
            ModelKind::Image => (0, 0, 4_096, 1),
            ModelKind::Video => (0, 0, 108_000, 0),
        }
    }
}

/// What one call or one step of a job has used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Usage {
    /// When.
    pub at: Timestamp,
    /// The project.
    pub project: String,
    /// `ModelEndpoint`; empty for a job.
    pub endpoint: String,
    /// `EndpointName`.
    pub endpoint_name: String,
    /// `ApikeyID`: the key's SID; empty for a temporary key or a job.
    pub key: String,
    /// `BatchJobID`.
    pub job: String,
    /// The model.
    pub model: Model,
    /// `BillingStatus`.
    pub billing_status: &'static str,
    /// `InputTokens`.
    pub input: u64,
    /// `CacheTokensHit`, part of `input`.
    pub cached: u64,
    /// `OutputTokens`.
    pub output: u64,
    /// `ImageCount`.
    pub images: u64,
    /// Whether there are rows of the bill for it.
    pub billed: bool,
}

impl Usage {
    /// One call's use of a model.
    pub(super) fn of(model: Model, project: &str, at: Timestamp) -> Self {
        let (input, cached, output, images) = model.counts();
        Self {
            at,
            project: project.to_owned(),
            endpoint: String::new(),
            endpoint_name: String::new(),
            key: String::new(),
            job: String::new(),
            model,
            billing_status: "normal",
            input,
            cached,
            output,
            images,
            billed: false,
        }
    }
}
