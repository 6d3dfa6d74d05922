//! The real binary under load between the stand-ins, killed at random moments hundreds of times, and the soak. Clients
//! repeat what was not acknowledged, as Feishu and people do; at the end the records of both sides are compared.
//!
//! A separate test program: it uses the whole machine, which would disturb tests that measure time.
//!
//! `AIRGATE_KILLS` sets the number of kills, `AIRGATE_SOAK_SECONDS` the length of the soak, `AIRGATE_SEED` the seed.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    missing_docs
)]

mod books;
mod checks;
mod creation;
mod holdings;
mod parts;
mod people;
mod person;
mod rounds;
#[path = "../shared/mod.rs"]
mod shared;
mod soak;
mod stage;
mod storm;
