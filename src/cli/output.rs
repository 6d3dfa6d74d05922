//! The one place that prints: results to standard output, errors and the log to standard error.

use std::io::{IsTerminal, Write};
use std::sync::OnceLock;

use tracing_subscriber::EnvFilter;

use super::log::Queue;
use super::operator::{BeijingTime, LogFields};
use super::words::spoken;

/// Prints a result.
pub(super) fn line(text: &str) {
    // An Err means that the reader closed the pipe and wants no more.
    let _ = writeln!(std::io::stdout(), "{text}");
}

/// Prints a question to standard error, without a line's end.
pub(super) fn ask(text: &str) {
    let mut stderr = std::io::stderr();
    // An Err means that nobody reads it.
    let _ = write!(stderr, "{text}").and_then(|()| stderr.flush());
}

/// Prints what is going on to standard error.
pub(super) fn notice(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// Prints an error, one line per problem.
pub(super) fn error(text: &str) {
    for line in text.lines() {
        let line = format!("airgate: {line}\n");
        match LOG.get() {
            // After the log's lines and, like them, without waiting for the reader.
            Some(log) => log.add(line.as_bytes()),
            None => {
                let _ = std::io::stderr().write_all(line.as_bytes());
            }
        }
    }
}

/// Writes what is left of the log. To be called at the end of the process.
pub(super) fn end_log() {
    if let Some(log) = LOG.get() {
        log.flush();
    }
}

/// The log, once it has been started.
static LOG: OnceLock<Queue> = OnceLock::new();

/// Starts the log on standard error, without ever waiting for its reader: as text in the language of the command line, or as JSON
/// in English with `AIRGATE_LOG_FORMAT=json`. Times are Beijing's, as everywhere. `RUST_LOG` sets the filter; without it,
/// `default` applies.
pub(super) fn start_log(default: &str) {
    // The WebSocket library traces whole handshakes and frames, and a handshake contains the ticket of the long connection. So
    // its level is capped at `info`, whatever RUST_LOG says.
    let wanted = std::env::var(EnvFilter::DEFAULT_ENV).ok().and_then(|text| {
        let others = text.split(',').filter(|directive| !directive.contains("tungstenite"));
        EnvFilter::try_new(others.collect::<Vec<_>>().join(",")).ok()
    });
    let filter = wanted.unwrap_or_else(|| EnvFilter::new(default));
    // The scheduler tells of each step at `info`.
    let filter = ["tungstenite=info", "tokio_tungstenite=info", "tokio_cron_scheduler=warn"]
        .into_iter()
        .filter_map(|directive| directive.parse().ok())
        .fold(filter, EnvFilter::add_directive);
    let queue = match Queue::start(std::io::stderr()) {
        Ok(queue) => queue,
        Err(error) => return self::error(&format!("the log cannot be started: {error}")),
    };
    // Colours only on a terminal.
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none())
        .with_timer(BeijingTime)
        .with_writer(queue.clone());
    let json = std::env::var("AIRGATE_LOG_FORMAT").is_ok_and(|format| format == "json");
    // An Err means that a log was already started.
    let _ = if json {
        builder.json().with_span_list(false).try_init()
    } else {
        builder.fmt_fields(LogFields(spoken())).try_init()
    };
    // An Err means the same.
    let _ = LOG.set(queue);
    // The default hook writes to standard error itself, and would wait for its reader.
    let default = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if tracing::enabled!(tracing::Level::ERROR) {
            let place = panic.location().map(ToString::to_string).unwrap_or_default();
            let message = panic.payload_as_str().unwrap_or_default();
            tracing::error!(place, message, "panicked");
        } else {
            default(panic);
        }
    }));
}
