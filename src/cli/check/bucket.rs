//! Checks the bucket for backups: lists what is there.

use super::Finding;
use crate::bucket::{Bucket, BucketTimeouts};
use crate::cli::words::t;
use crate::config::Config;
use crate::store::backup_names::BackupNames;

pub(super) async fn check(config: &Config, findings: &mut Vec<Finding>) {
    let Some(target) = &config.store.backup_bucket else { return };
    let what = t("check.bucket", &[]);
    let timeouts = BucketTimeouts { retries: 1, ..BucketTimeouts::default() };
    let listed = match Bucket::new(&target.address, &target.keys, timeouts) {
        Ok(bucket) => bucket.list().await,
        Err(error) => Err(error),
    };
    findings.push(match listed {
        Err(error) => Finding::failed(what, error.to_string(), t("check.bucket_fix", &[])),
        Ok(listed) => {
            let names = BackupNames::in_bucket(&config.store.path);
            let times = listed.iter().filter_map(|object| names.time_of(&object.name));
            let (count, newest) = (times.clone().count(), times.max());
            let bucket = &target.address;
            let result = match newest {
                None => t("check.bucket_ok", &[("bucket", bucket), ("count", &count)]),
                Some(time) => t(
                    "check.bucket_newest",
                    &[("bucket", bucket), ("count", &count), ("time", &time)],
                ),
            };
            Finding::good(what, result)
        }
    });
}
