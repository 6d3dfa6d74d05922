//! Integration tests: the real service over real HTTP, between the stand-ins for Feishu and Volcengine.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs
)]

mod accounts;
mod actions;
mod bad_days;
mod bed;
mod billing;
mod callbacks;
mod chat;
mod cli;
mod configure;
mod connection;
mod crash;
mod create;
mod enforce;
mod export;
mod hostile;
mod incidents;
mod me;
mod monitor;
mod policies;
mod roles;
mod settings;
mod smoke;
mod welcome;
