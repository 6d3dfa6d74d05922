//! 方舟: service `ark`, version 2024-01-01 (`docs/platforms/ark.md` §A), and its data plane.

mod common;
pub(super) mod data_plane;
pub(super) mod endpoints;
pub(super) mod jobs;
pub(super) mod keys;
pub(super) mod presets;
pub(super) mod usage;

pub(super) use self::common::project_of;
