//! The Prometheus recorder: one for the process; and the one declaration of what it records.

use std::sync::OnceLock;

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

use crate::domain::{AlertKind, UserStatus};
use crate::feishu::EventType;

/// Buckets of `airgate_event_seconds`, in seconds: around the limits that matter (20 ms, 1 s, 3 s).
const EVENT_BUCKETS: &[f64] = &[0.001, 0.0025, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 3.0];
/// Buckets of `airgate_monitor_run_seconds`, in seconds.
const RUN_BUCKETS: &[f64] = &[0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3600.0];

/// How a metric behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Only grows, from 0 at every start.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Counts observations in buckets.
    Histogram,
}

impl Kind {
    /// Prometheus's word.
    pub fn word(self) -> &'static str {
        match self {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
        }
    }
}

/// A metric of the contract, §4.
#[derive(Clone, Copy, Debug)]
pub struct Metric {
    /// Its name.
    pub name: &'static str,
    /// How it behaves.
    pub kind: Kind,
    /// The names of its labels.
    pub labels: &'static [&'static str],
    /// What it says, with its unit.
    pub help: &'static str,
}

const fn metric(
    name: &'static str,
    kind: Kind,
    labels: &'static [&'static str],
    help: &'static str,
) -> Metric {
    Metric { name, kind, labels, help }
}

/// Every metric. `docs/metrics.md` is made from it.
pub static METRICS: &[Metric] = &[
    metric(
        "airgate_events_total",
        Kind::Counter,
        &["type", "outcome"],
        "Events and card callbacks from Feishu, by event type and what became of them.",
    ),
    metric(
        "airgate_event_seconds",
        Kind::Histogram,
        &[],
        "Time from the arrival of an event or callback to its answer, in seconds. Feishu gives up after 3.",
    ),
    metric(
        "airgate_monitor_runs_total",
        Kind::Counter,
        &["outcome"],
        "Monitor cycles that ended. error: something could not be read or recorded.",
    ),
    metric(
        "airgate_monitor_run_seconds",
        Kind::Histogram,
        &[],
        "Duration of monitor cycles, in seconds.",
    ),
    metric(
        "airgate_monitor_last_success_timestamp_seconds",
        Kind::Gauge,
        &[],
        "When a cycle last read everything, in seconds since 1970, also before a restart. 0: never.",
    ),
    metric(
        "airgate_cloud_requests_total",
        Kind::Counter,
        &["action", "outcome"],
        "Requests to Volcengine by API action, each try counted.",
    ),
    metric(
        "airgate_feishu_requests_total",
        Kind::Counter,
        &["endpoint", "outcome"],
        "Requests to Feishu by endpoint, each try counted.",
    ),
    metric(
        "airgate_outbox_pending",
        Kind::Gauge,
        &[],
        "Messages owed to Feishu and not delivered yet.",
    ),
    metric("airgate_users", Kind::Gauge, &["status"], "IAM users by status."),
    metric("airgate_alerts_total", Kind::Counter, &["type"], "Alerts that were raised, by type."),
];

/// Series that are there from the start, so that the first count is seen as a change: label values in the order of the
/// metric's labels. The event types and endpoints here are those that every installation sees.
const EVENT_TYPES: [EventType; 2] = [EventType::Message, EventType::CardAction];
const EVENT_OUTCOMES: [&str; 5] = ["ok", "error", "denied", "duplicate", "stale"];
const ACTIONS: [&str; 3] = ["ListUsers", "ListProjects", "ListSplitBillDetail"];
const ENDPOINTS: [&str; 4] = ["token", "message_send", "message_reply", "message_update"];
const CALL_OUTCOMES: [&str; 4] = ["ok", "error", "denied", "throttled"];

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
            let handle = builder.and_then(PrometheusBuilder::install_recorder).ok();
            describe();
            begin();
            handle
        })
        .as_ref()
}

fn full(name: &str) -> Matcher {
    Matcher::Full(name.to_owned())
}

fn describe() {
    for metric in METRICS {
        match metric.kind {
            Kind::Counter => metrics::describe_counter!(metric.name, metric.help),
            Kind::Gauge => metrics::describe_gauge!(metric.name, metric.help),
            Kind::Histogram => metrics::describe_histogram!(metric.name, metric.help),
        }
    }
}

/// Starts every series that is known beforehand.
fn begin() {
    let mut events: Vec<(&'static str, &'static str)> = EVENT_TYPES
        .into_iter()
        .flat_map(|kind| EVENT_OUTCOMES.map(|outcome| (kind.as_str(), outcome)))
        .collect();
    events.extend([("url_verification", "ok"), ("unknown", "denied"), ("unknown", "invalid")]);
    for (kind, outcome) in events {
        metrics::counter!("airgate_events_total", "type" => kind, "outcome" => outcome)
            .increment(0);
    }
    for outcome in ["ok", "error"] {
        metrics::counter!("airgate_monitor_runs_total", "outcome" => outcome).increment(0);
    }
    for outcome in CALL_OUTCOMES {
        for action in ACTIONS {
            metrics::counter!("airgate_cloud_requests_total", "action" => action, "outcome" => outcome)
                .increment(0);
        }
        for endpoint in ENDPOINTS {
            metrics::counter!("airgate_feishu_requests_total", "endpoint" => endpoint, "outcome" => outcome)
                .increment(0);
        }
    }
    for kind in AlertKind::ALL {
        metrics::counter!("airgate_alerts_total", "type" => kind.word()).increment(0);
    }
    for status in UserStatus::ALL {
        metrics::gauge!("airgate_users", "status" => status.word()).set(0);
    }
    metrics::gauge!("airgate_outbox_pending").set(0);
    metrics::gauge!("airgate_monitor_last_success_timestamp_seconds").set(0);
    // Made, so that its buckets are shown; nothing is observed.
    let _ = metrics::histogram!("airgate_event_seconds");
    let _ = metrics::histogram!("airgate_monitor_run_seconds");
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::*;

    fn rows() -> String {
        let mut text =
            String::from("| metric | kind | labels | meaning |\n| --- | --- | --- | --- |\n");
        for metric in METRICS {
            let labels: Vec<String> =
                metric.labels.iter().map(|label| format!("`{label}`")).collect();
            writeln!(
                text,
                "| `{}` | {} | {} | {} |",
                metric.name,
                metric.kind.word(),
                labels.join(", "),
                metric.help
            )
            .unwrap();
        }
        text
    }

    /// Brings the table up to date; fails where it was not, so that the change is seen and committed.
    #[test]
    fn the_table_in_the_manual_is_up_to_date() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/metrics.md");
        let committed = std::fs::read_to_string(path).unwrap();
        let (head, rest) = committed.split_once("<!-- metrics -->\n").expect("a mark");
        let (_, tail) = rest.split_once("<!-- metrics end -->").expect("the mark's end");
        let fresh = format!("{head}<!-- metrics -->\n{}<!-- metrics end -->{tail}", rows());
        if fresh != committed {
            std::fs::write(path, fresh).unwrap();
            panic!("{path} was out of date and has been rewritten: commit it");
        }
    }
}
