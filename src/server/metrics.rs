//! The Prometheus recorder: one for the process.

use std::sync::OnceLock;

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

/// Buckets of `airgate_event_seconds`, in seconds: around the limits that matter (20 ms, 1 s, 3 s).
const EVENT_BUCKETS: &[f64] = &[0.001, 0.0025, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 3.0];
/// Buckets of `airgate_monitor_run_seconds`, in seconds.
const RUN_BUCKETS: &[f64] = &[0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3600.0];

/// The process's recorder, installed with the first call. `None` where somebody else installed another.
pub fn recorder() -> Option<&'static PrometheusHandle> {
    static HANDLE: OnceLock<Option<PrometheusHandle>> = OnceLock::new();
    HANDLE
        .get_or_init(|| {
            let builder = PrometheusBuilder::new()
                .set_buckets_for_metric(full("airgate_event_seconds"), EVENT_BUCKETS)
                .and_then(|builder| {
                    builder.set_buckets_for_metric(full("airgate_monitor_run_seconds"), RUN_BUCKETS)
                });
            builder.and_then(PrometheusBuilder::install_recorder).ok()
        })
        .as_ref()
}

fn full(name: &str) -> Matcher {
    Matcher::Full(name.to_owned())
}
