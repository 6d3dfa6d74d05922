//! The edge: callbacks over HTTP or the long connection, health and metrics. Composes the whole service and runs its chores.

mod callbacks;
mod chores;
mod clients;
mod door;
mod error;
mod health;
mod listen;
mod long_connection;
pub mod metrics;
mod request_id;
mod routes;
mod service;
mod slash;

pub use clients::{Timeouts, cloud_client, feishu_client, feishu_config};
pub use door::Door;
pub use error::ServiceError;
pub use service::Service;
pub use slash::{Registered, SlashError, is_command, register as register_slash_commands};
