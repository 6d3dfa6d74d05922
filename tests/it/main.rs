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
mod canary;
mod chat;
mod cli;
mod configure;
mod connection;
mod crash;
mod create;
mod demo;
mod enforce;
mod export;
mod faults;
mod floods;
mod hostile;
mod incidents;
mod me;
mod monitor;
mod order;
mod policies;
#[path = "../shared/process.rs"]
mod process;
mod roles;
mod served;
mod settings;
mod smoke;
#[path = "../shared/text.rs"]
mod text;
mod unclear;
mod welcome;
