//! airgate keeps Volcengine sub-accounts within the quota they were allocated, from inside Feishu chat.
//!
//! `docs/architecture.md` draws the house; each module's own head says what it is for.

pub mod app;
pub mod bot;
pub mod cards;
pub mod cli;
pub mod clock;
pub mod config;
pub mod domain;
pub mod feishu;
pub mod monitor;
pub mod outbox;
pub mod owed;
pub mod sandbox;
pub mod server;
pub mod store;
pub mod volcengine;
pub mod work;
