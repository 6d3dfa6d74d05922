//! The edge: callbacks over HTTP or the long connection, health, metrics; and the composition of the whole service.

mod callbacks;
mod health;
mod listen;
mod long_connection;
pub mod metrics;
mod request_id;
mod service;

pub use service::{Patience, Service, ServiceError, cloud_client, feishu_client};
