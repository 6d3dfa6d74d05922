//! The one place that prints: results to standard output, errors and the log to standard error.

use std::io::{IsTerminal, Write};

use tracing_subscriber::EnvFilter;

/// Prints a result.
pub(super) fn line(text: &str) {
    // An Err means that the reader closed the pipe: it wants no more.
    let _ = writeln!(std::io::stdout(), "{text}");
}

/// Prints an error, one line per problem.
pub(super) fn error(text: &str) {
    for line in text.lines() {
        let _ = writeln!(std::io::stderr(), "airgate: {line}");
    }
}

/// Starts the log on standard error: as text, or as JSON with `AIRGATE_LOG_FORMAT=json`. `RUST_LOG` sets the filter; without
/// it, `default` applies.
pub(super) fn start_log(default: &str) {
    // The WebSocket library traces whole handshakes and frames, and a handshake contains the ticket of the long connection. So
    // its level is capped at `info`, whatever RUST_LOG says.
    let wanted = std::env::var(EnvFilter::DEFAULT_ENV).ok().and_then(|text| {
        let others = text.split(',').filter(|directive| !directive.contains("tungstenite"));
        EnvFilter::try_new(others.collect::<Vec<_>>().join(",")).ok()
    });
    let filter = wanted.unwrap_or_else(|| EnvFilter::new(default));
    let filter = ["tungstenite=info", "tokio_tungstenite=info"]
        .into_iter()
        .filter_map(|directive| directive.parse().ok())
        .fold(filter, EnvFilter::add_directive);
    // Colours only on a terminal.
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none())
        .with_writer(std::io::stderr);
    let json = std::env::var("AIRGATE_LOG_FORMAT").is_ok_and(|format| format == "json");
    // An Err means that a log was already started.
    let _ = if json { builder.json().with_span_list(false).try_init() } else { builder.try_init() };
}
