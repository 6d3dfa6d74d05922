//! The clients of both platforms, set up from the configuration. `airgate check` uses the same ones as the service.

use std::time::Duration;

use super::error::ServiceError;
use crate::bucket::BucketTimeouts;
use crate::clock::Clock;
use crate::config::Config;
use crate::{feishu, volcengine};

/// Timeouts and retries of remote calls.
#[derive(Clone, Copy, Debug)]
pub struct Timeouts {
    /// A call to Feishu.
    pub feishu: Duration,
    /// An upload to Feishu.
    pub upload: Duration,
    /// A call to Volcengine.
    pub cloud: Duration,
    /// Retries of calls to Volcengine.
    pub cloud_retry: volcengine::RetryPolicy,
    /// Calls to the bucket for backups.
    pub bucket: BucketTimeouts,
    /// Pause after a backup could not be copied to the bucket; doubles up to 16 times this.
    pub backup_again: Duration,
}

impl Default for Timeouts {
    /// Returns 10 s for Feishu and 2 min for a file; 30 s for Volcengine, like its official SDK.
    fn default() -> Self {
        Self {
            feishu: Duration::from_secs(10),
            upload: Duration::from_secs(120),
            cloud: Duration::from_secs(30),
            cloud_retry: volcengine::RetryPolicy::default(),
            bucket: BucketTimeouts::default(),
            backup_again: Duration::from_secs(300),
        }
    }
}

/// Creates a client for the configured Feishu app.
pub fn feishu_client(
    config: &Config,
    timeouts: &Timeouts,
    clock: Clock,
) -> Result<feishu::Client, ServiceError> {
    Ok(feishu::Client::new(feishu_config(config, timeouts), clock)?)
}

/// Returns what every client of the configured Feishu app needs.
pub fn feishu_config(config: &Config, timeouts: &Timeouts) -> feishu::ClientConfig {
    feishu::ClientConfig {
        base_url: config.feishu.base_url.clone(),
        app_id: config.feishu.app_id.clone(),
        app_secret: config.feishu.app_secret.clone(),
        timeout: timeouts.feishu,
        upload_timeout: timeouts.upload,
    }
}

/// Creates a client for the configured Volcengine endpoints.
pub fn cloud_client(
    config: &Config,
    timeouts: &Timeouts,
    clock: Clock,
) -> Result<volcengine::Client, ServiceError> {
    let client = volcengine::ClientConfig {
        iam_endpoint: config.volcengine.iam_endpoint.to_string(),
        billing_endpoint: config.volcengine.billing_endpoint.to_string(),
        ark_endpoint: config.volcengine.ark_endpoint.to_string(),
        region: config.volcengine.region.clone(),
        qps: config.volcengine.qps,
        ark_qps: config.volcengine.ark_qps,
        timeout: timeouts.cloud,
    };
    Ok(volcengine::Client::new(client, clock)?.with_retry(timeouts.cloud_retry))
}
