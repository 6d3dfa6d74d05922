//! The HTTP edge: callbacks, health, metrics; and the composition of the whole service.

mod callbacks;
mod health;
pub mod metrics;
mod request_id;
mod service;

pub use service::{Service, ServiceError, cloud_client, feishu_client};
