//! The Prometheus recorder, one per process, and the one declaration of every metric.

use std::sync::OnceLock;

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

use crate::domain::{AccessPath, AlertKind, BackupPlace, UserStatus};
use crate::feishu::EventType;

/// Buckets of `airgate_event_seconds`, in seconds: around the limits that matter (20 ms, 1 s, 3 s).
const EVENT_BUCKETS: &[f64] = &[0.001, 0.0025, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 3.0];
/// Buckets of `airgate_monitor_run_seconds`, in seconds.
const RUN_BUCKETS: &[f64] = &[0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3600.0];

/// Buckets of `airgate_cut_seconds`, in seconds: around the minute after which a cut is late.
const CUT_BUCKETS: &[f64] = &[1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 600.0, 3600.0];

/// How a metric behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Only grows, starting from 0 at every start of the process.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Counts observations in buckets.
    Histogram,
}

impl Kind {
    /// Returns Prometheus's name for it.
    pub fn word(self) -> &'static str {
        match self {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
        }
    }
}

/// A declared metric; docs/behaviour.md §4 lists those that operators can rely on.
#[derive(Clone, Copy, Debug)]
pub struct Metric {
    /// Its name.
    pub name: &'static str,
    /// How it behaves.
    pub kind: Kind,
    /// The names of its labels.
    pub labels: &'static [&'static str],
    /// What it measures, with its unit.
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

/// Every metric. The table in `docs/metrics.md` is generated from it; a test compares it with what the code emits.
pub static METRICS: &[Metric] = &[
    metric(
        "airgate_events_total",
        Kind::Counter,
        &["type", "outcome"],
        "Events and card callbacks from Feishu, by event type and outcome.",
    ),
    metric(
        "airgate_event_seconds",
        Kind::Histogram,
        &[],
        "Time from the arrival of an event or callback to its response, in seconds. Feishu gives up after 3.",
    ),
    metric(
        "airgate_monitor_runs_total",
        Kind::Counter,
        &["outcome"],
        "Finished monitor cycles. error: something could not be read or recorded.",
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
        "When a cycle last read everything, in seconds since 1970; survives restarts. 0: never.",
    ),
    metric(
        "airgate_cloud_requests_total",
        Kind::Counter,
        &["action", "outcome"],
        "Requests to Volcengine by API action; every attempt counts.",
    ),
    metric(
        "airgate_feishu_requests_total",
        Kind::Counter,
        &["endpoint", "outcome"],
        "Requests to Feishu by endpoint; every attempt counts.",
    ),
    metric(
        "airgate_outbox_pending",
        Kind::Gauge,
        &[],
        "Messages owed to Feishu that are not delivered yet.",
    ),
    metric("airgate_users", Kind::Gauge, &["status"], "IAM users by status."),
    metric(
        "airgate_bill_age_seconds",
        Kind::Gauge,
        &["account"],
        "Time since the end of the last day that the account's bill holds completely, in seconds. NaN: not known.",
    ),
    metric(
        "airgate_estimate_age_seconds",
        Kind::Gauge,
        &["account"],
        "Time since the estimate of what the bill does not hold yet was read, in seconds. NaN: never.",
    ),
    metric(
        "airgate_unattributed",
        Kind::Gauge,
        &["account"],
        "The part of the account's bill of this month that no user pays for, in yuan. NaN: not known.",
    ),
    metric(
        "airgate_feishu_connection_up",
        Kind::Gauge,
        &[],
        "1 while the long connection is alive, otherwise 0. Only in websocket mode.",
    ),
    metric(
        "airgate_feishu_reconnects_total",
        Kind::Counter,
        &[],
        "Times that the long connection was re-established. Only in websocket mode.",
    ),
    metric(
        "airgate_cut_seconds",
        Kind::Histogram,
        &[],
        "Time from the decision to cut a user's access to the confirmed cut, in seconds.",
    ),
    metric(
        "airgate_paths_open",
        Kind::Gauge,
        &["path"],
        "Disabled users with a path that is not closed, by path.",
    ),
    metric("airgate_alerts_total", Kind::Counter, &["type"], "Alerts raised, by type."),
    metric(
        "airgate_backup_last_success_timestamp_seconds",
        Kind::Gauge,
        &["to"],
        "When the newest backup was made, in seconds since 1970, by place: folder (store.backup_dir) or bucket (store.backup_url); \
         survives restarts. 0: none, or not looked up yet.",
    ),
    metric(
        "airgate_backup_failures_total",
        Kind::Counter,
        &["to"],
        "Attempts to make a backup, or to copy it to the bucket, that failed, by place.",
    ),
    metric(
        "airgate_log_dropped_total",
        Kind::Counter,
        &[],
        "Lines of the log that were dropped because nobody read standard error in time.",
    ),
];

/// Label values of series that exist from the start, so that the first count shows as a change. The event types and endpoints
/// are those that every installation sees.
const EVENT_TYPES: [EventType; 2] = [EventType::Message, EventType::CardAction];
const EVENT_OUTCOMES: [&str; 5] = ["ok", "error", "denied", "duplicate", "stale"];
const ACTIONS: [&str; 3] = ["ListUsers", "ListProjects", "ListSplitBillDetail"];
const ENDPOINTS: [&str; 4] = ["token", "message_send", "message_reply", "message_update"];
const CALL_OUTCOMES: [&str; 4] = ["ok", "error", "denied", "throttled"];

/// Returns the process's recorder, installed by the first call. `None` if another recorder was already installed.
pub fn recorder() -> Option<&'static PrometheusHandle> {
    static HANDLE: OnceLock<Option<PrometheusHandle>> = OnceLock::new();
    HANDLE
        .get_or_init(|| {
            let builder = PrometheusBuilder::new()
                .set_buckets_for_metric(full("airgate_event_seconds"), EVENT_BUCKETS)
                .and_then(|builder| {
                    builder.set_buckets_for_metric(full("airgate_monitor_run_seconds"), RUN_BUCKETS)
                })
                .and_then(|builder| {
                    builder.set_buckets_for_metric(full("airgate_cut_seconds"), CUT_BUCKETS)
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

/// Starts every series that is known in advance.
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
    metrics::counter!("airgate_log_dropped_total").increment(0);
    metrics::gauge!("airgate_outbox_pending").set(0);
    metrics::gauge!("airgate_monitor_last_success_timestamp_seconds").set(0);
    // Registers them, so that their buckets show; observes nothing.
    let _ = metrics::histogram!("airgate_event_seconds");
    let _ = metrics::histogram!("airgate_monitor_run_seconds");
    let _ = metrics::histogram!("airgate_cut_seconds");
    for place in BackupPlace::ALL {
        metrics::gauge!("airgate_backup_last_success_timestamp_seconds", "to" => place.word())
            .set(0);
        metrics::counter!("airgate_backup_failures_total", "to" => place.word()).increment(0);
    }
    for path in AccessPath::ALL {
        metrics::gauge!("airgate_paths_open", "path" => path.word()).set(0);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fmt::Write as _;
    use std::path::Path;

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

    /// Brings the table up to date, and fails if it was not, so that the change gets committed.
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

    /// A metric as the code emits it: name, kind and labels.
    type Emission = (String, &'static str, BTreeSet<String>);

    /// Every `counter!`, `gauge!` and `histogram!` of the sources, apart from those here, which only start series.
    fn emissions(folder: &Path, found: &mut BTreeSet<Emission>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                emissions(&path, found);
            } else if path.extension().is_some_and(|ending| ending == "rs")
                && !path.ends_with("server/metrics.rs")
            {
                let source = std::fs::read_to_string(&path).unwrap();
                for kind in [Kind::Counter, Kind::Gauge, Kind::Histogram] {
                    let call = format!("metrics::{}!(", kind.word());
                    for rest in source.split(&call).skip(1) {
                        let strings: Vec<&str> =
                            rest.split_once(';').unwrap().0.split('"').collect();
                        // A string is followed by ` =>` if it is a label's name.
                        let labels = strings.iter().zip(strings.iter().skip(1)).skip(1).step_by(2);
                        let labels = labels.filter(|(_, after)| after.starts_with(" =>"));
                        let labels = labels.map(|(name, _)| (*name).to_owned()).collect();
                        found.insert((strings[1].to_owned(), kind.word(), labels));
                    }
                }
            }
        }
    }

    #[test]
    fn the_code_emits_the_declared_metrics_and_no_others() {
        let mut emitted = BTreeSet::new();
        emissions(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut emitted);
        let declared: BTreeSet<Emission> = METRICS
            .iter()
            .map(|metric| {
                let labels = metric.labels.iter().map(|label| (*label).to_owned()).collect();
                (metric.name.to_owned(), metric.kind.word(), labels)
            })
            .collect();
        assert_eq!(emitted, declared, "left what the code emits, right what is declared");
    }
}
