//! Integration tests: the real service over real HTTP, between the stand-ins for Feishu and Volcengine.
//!
//! Where a test stands: in the file that mirrors the module of `src` whose behaviour it proves. A test of
//! `src/bot/actions/quota.rs` stands in `bot/actions/quota.rs`, one of `src/monitor/enforce.rs` in `monitor/enforce.rs`,
//! one of a subcommand in `cli/`. It enters where people or platforms do, whatever lies below: a test of `/create` stands
//! in `bot/actions/create`, though the work is done in `src/work`. What airgate promises as a whole stands in `promises/`,
//! a file for each promise: `crash` (nothing lost, nothing done twice), `secrets` (none leaks), `faults` (every remote
//! call with every fault), `main_job` (from sync to disable and back). `bed` is the service in this process;
//! `../shared` holds what all test programs use: stand-ins, configuration, the binary, samples, texts, waiting.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs
)]

mod bed;
mod bot;
mod cli;
mod monitor;
mod outbox;
mod promises;
mod server;
#[path = "../shared/mod.rs"]
mod shared;
