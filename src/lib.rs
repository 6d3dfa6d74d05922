//! airgate keeps Volcengine sub-accounts within the quota they were allocated, from inside Feishu chat.
//!
//! `docs/architecture.md` draws the house; each module's own head says what it is for.

pub mod app;
pub mod clock;
pub mod config;
pub mod domain;
pub mod feishu;
pub mod sandbox;
pub mod store;
pub mod volcengine;
