//! Integration tests: the real service over real HTTP, between the stand-ins for Feishu and Volcengine.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs
)]

mod actions;
mod bed;
mod callbacks;
mod chat;
mod create;
mod hostile;
mod policies;
mod roles;
mod smoke;
