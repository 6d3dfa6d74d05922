//! airgate keeps Volcengine sub-accounts within the quota they were allocated, from inside Feishu chat.
//!
//! `docs/architecture.md` describes the architecture; the head of each module says what it is for.

pub mod access;
pub mod address;
pub mod app;
pub mod bot;
pub mod bucket;
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
