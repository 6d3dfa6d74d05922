//! The demo's page in a real browser: what a newcomer does, by real clicks. Needs Chromium and chromedriver, so every test
//! is `#[ignore]`d in a plain `cargo test`; `.ci/run` installs both and runs them.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr
)]

mod actions;
mod bed;
mod clicks;
mod components;
mod guide;
mod looks;
#[path = "../shared/mod.rs"]
mod shared;
mod trouble;
