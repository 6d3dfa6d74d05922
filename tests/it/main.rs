//! Integration tests: the real service over real HTTP, between the stand-ins for Feishu and Volcengine.
//!
//! Where a test goes: into the file that mirrors the module of `src` whose behaviour it proves. A test of
//! `src/access/proof.rs` goes into `tests/it/access/proof.rs`, one of a card's action into `bot/actions`, one of a
//! subcommand into `cli`. A test enters where people and platforms do, however deep the code is: `/create` is tested in
//! `bot/actions/create`, though its steps are in `src/work`. What airgate promises as a whole goes into `promises`, a
//! module for each promise: `crash` (nothing lost, nothing done twice), `secrets` (none leaks), `faults` (every remote call
//! with every fault), `main_job` (from sync to disable and back). `bed` is the service in this process; `tests/shared`
//! holds what all test programs use: stand-ins, configuration, the binary as a process, samples, texts, waiting.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs
)]

mod access;
mod bed;
mod bot;
mod cli;
mod monitor;
mod outbox;
mod promises;
mod server;
#[path = "../shared/mod.rs"]
mod shared;
