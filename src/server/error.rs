//! Why the service cannot start.

use crate::bucket::BucketError;
use crate::{feishu, volcengine};

/// Why the service cannot start.
#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    /// Feishu's client.
    #[error("the Feishu client cannot be set up: {0}")]
    Feishu(#[from] feishu::Error),
    /// Volcengine's client.
    #[error("the Volcengine client cannot be set up: {0}")]
    Cloud(#[from] volcengine::Error),
    /// The bucket for backups.
    #[error("store.backup_url: {0}")]
    Bucket(#[from] BucketError),
    /// The listener.
    #[error("server.listen: {0}")]
    Listen(#[from] std::io::Error),
}
