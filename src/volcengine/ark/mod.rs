//! 方舟 (Ark, 2024-01-01): endpoints, API keys, jobs and usage of one project (docs/platforms/ark.md §A and §C).
//!
//! Nobody could call the live service when this was written, so that much of it is read leniently: a field that decides
//! nothing may have any type, and a word that is not known counts as something that works and costs money.

mod endpoints;
mod fields;
mod jobs;
mod keys;
mod limits;
mod paging;
mod preset;
mod table;
mod usage;

pub use endpoints::{ArkEndpoint, EndpointStatus};
pub use fields::Creator;
pub use jobs::{ArkJob, JobKind, JobPhase};
pub use keys::{ArkKey, ArkKeyState, KeysOf};
pub use limits::{InvalidPresetLimits, PresetLimits};
pub use preset::PresetEndpoint;
pub use usage::{UsageRow, UsedBy};
