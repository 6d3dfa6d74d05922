//! The one place that prints: results to standard output, errors to standard error; and the log.

use std::io::{IsTerminal, Write};

use tracing_subscriber::EnvFilter;

/// A line of a result.
pub(super) fn line(text: &str) {
    // A closed pipe is the reader's wish to stop.
    let _ = writeln!(std::io::stdout(), "{text}");
}

/// An error, as one line a problem.
pub(super) fn error(text: &str) {
    for line in text.lines() {
        let _ = writeln!(std::io::stderr(), "airgate: {line}");
    }
}

/// Starts the log on standard error: readable, or JSON with `AIRGATE_LOG_FORMAT=json`; `RUST_LOG` chooses what is logged,
/// `default` where it is not set.
pub(super) fn start_log(default: &str) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(default));
    // The WebSocket library traces whole handshakes and frames; the ticket of the long connection is in the first.
    let filter = ["tungstenite=info", "tokio_tungstenite=info"]
        .into_iter()
        .filter_map(|directive| directive.parse().ok())
        .fold(filter, EnvFilter::add_directive);
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    let json = std::env::var("AIRGATE_LOG_FORMAT").is_ok_and(|format| format == "json");
    // An Err means that a log was started already.
    let _ = if json { builder.json().with_span_list(false).try_init() } else { builder.try_init() };
}
