//! The real binary under load between the stand-ins, killed at random moments hundreds of times, and the soak. Clients
//! repeat what was not acknowledged, as Feishu and people do; at the end the books of both sides are compared.
//!
//! A target of its own: it takes all of the machine, which tests beside it that measure time would feel.
//!
//! `AIRGATE_KILLS` sets how many kills, `AIRGATE_SOAK_SECONDS` how long the soak, `AIRGATE_SEED` the randomness.

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
mod parts;
mod person;
#[path = "../shared/process.rs"]
mod process;
mod rounds;
mod soak;
mod stage;
mod storm;
#[path = "../shared/text.rs"]
mod text;
