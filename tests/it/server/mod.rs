//! The HTTP side: callbacks, the long connection, floods, health and metrics.

mod callbacks;
mod connection;
mod floods;
mod health;
mod metrics;
mod slash;
mod upload;
