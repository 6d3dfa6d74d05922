//! `POST /feishu/event` and `/feishu/card`: both accept events and card callbacks. Events that arrive over the long
//! connection are handled here as well.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use futures::StreamExt;
use serde_json::json;
use tokio::sync::{Semaphore, SemaphorePermit};
use tracing::{Instrument, Span};

use crate::bot::{Bot, Reaction};
use crate::cards::{Toast, Wording};
use crate::clock::Clock;
use crate::feishu::connection::ConnectionStatus;
use crate::feishu::{
    self, CallbackAnswer, CallbackVerifier, EventKind, EventType, Incoming, Rejection, ToastKind,
};
use crate::monitor::Monitor;
use crate::store::Store;

/// The maximum size of a body, in bytes (docs/behaviour.md §4).
const BODY_LIMIT: usize = 1024 * 1024;

/// Larger bodies than this need a permit of [`App::large_bodies`]. The platform's requests are nearly always smaller.
const SMALL_BODY: usize = 32 * 1024;
/// The maximum number of large bodies read and handled at the same time; further ones wait, unread. This bounds the memory
/// for bodies independently of the number of connections.
pub(super) const LARGE_BODIES: usize = 32;

/// What the handlers of requests and events need.
pub(super) struct App {
    pub bot: Arc<Bot>,
    pub monitor: Arc<Monitor>,
    pub words: Wording,
    pub store: Store,
    pub feishu: feishu::Client,
    pub clock: Clock,
    pub inbound: Inbound,
    /// Has [`LARGE_BODIES`] permits.
    pub large_bodies: Semaphore,
    /// Held while the values of the gauges are counted.
    pub counting: tokio::sync::Mutex<()>,
}

/// How events arrive.
pub(super) enum Inbound {
    /// As HTTP requests, which this verifies.
    Callbacks(CallbackVerifier),
    /// Over the long connection.
    LongConnection(ConnectionStatus),
}

/// Handles one callback: verifies, decrypts and parses it, acts on it and answers.
pub(super) async fn receive(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let watch = tokio::time::Instant::now();
    let Inbound::Callbacks(verifier) = &app.inbound else {
        return refuse(StatusCode::NOT_FOUND, "events arrive over the long connection");
    };
    let (kind, outcome, response) = answer(&app, verifier, &headers, body).await;
    count(kind, outcome, watch.elapsed());
    response
}

/// Records the metrics of an event, however it arrived.
pub(super) fn count(kind: &'static str, outcome: &'static str, took: Duration) {
    metrics::counter!("airgate_events_total", "type" => kind, "outcome" => outcome).increment(1);
    metrics::histogram!("airgate_event_seconds").record(took);
}

async fn answer(
    app: &Arc<App>,
    verifier: &CallbackVerifier,
    headers: &HeaderMap,
    body: Body,
) -> (&'static str, &'static str, Response) {
    // The permit is held until the response is built, which also bounds the cost of handling large bodies.
    let (body, _permit) = match read(app, body).await {
        Some(read) => read,
        None => {
            let response = refuse(
                StatusCode::PAYLOAD_TOO_LARGE,
                "the body is larger than 1 MiB or incomplete",
            );
            return ("unknown", "invalid", response);
        }
    };
    match verifier.open(headers, &body, app.clock.now()) {
        Ok(incoming) => {
            let taken = take(app, incoming).await;
            let response = match taken.verdict {
                Verdict::Challenge(challenge) => {
                    Json(json!({ "challenge": challenge })).into_response()
                }
                Verdict::Done => json_response("{}"),
                Verdict::Answer(answer) => json_response(answer.into_json()),
                Verdict::Failed => {
                    refuse(StatusCode::INTERNAL_SERVER_ERROR, "not handled; send it again")
                }
            };
            (taken.kind, taken.outcome, response)
        }
        Err(Rejection::Unauthorized(reason)) => {
            tracing::warn!(%reason, "callback refused");
            let response = refuse(StatusCode::UNAUTHORIZED, &reason.to_string());
            ("unknown", "denied", response)
        }
        Err(Rejection::Malformed(reason)) => {
            tracing::warn!(%reason, "malformed callback");
            ("unknown", "invalid", refuse(StatusCode::BAD_REQUEST, &reason.to_string()))
        }
    }
}

/// Reads the whole body. Returns `None` if it is too large or incomplete.
async fn read(app: &App, body: Body) -> Option<(Vec<u8>, Option<SemaphorePermit<'_>>)> {
    let mut chunks = body.into_data_stream();
    let mut bytes = Vec::new();
    let mut permit = None;
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.ok()?;
        let length = bytes.len().saturating_add(chunk.len());
        if length > BODY_LIMIT {
            return None;
        }
        if length > SMALL_BODY && permit.is_none() {
            permit = Some(app.large_bodies.acquire().await.ok()?);
        }
        bytes.extend_from_slice(&chunk);
    }
    Some((bytes, permit))
}

/// The outcome of something that came from the platform, however it arrived.
pub(super) struct Taken {
    /// The metrics' `type` label.
    pub kind: &'static str,
    /// The metrics' `outcome` label.
    pub outcome: &'static str,
    pub verdict: Verdict,
}

/// What to answer the platform.
pub(super) enum Verdict {
    Challenge(String),
    Done,
    Answer(CallbackAnswer),
    /// Not handled: the platform is asked to push the event again.
    Failed,
}

/// Handles what came from the platform.
pub(super) async fn take(app: &Arc<App>, incoming: Incoming) -> Taken {
    match incoming {
        Incoming::Challenge(challenge) => Taken {
            kind: "url_verification",
            outcome: "ok",
            verdict: Verdict::Challenge(challenge),
        },
        Incoming::Stale { event_id, event_type } => {
            tracing::info!(event_id, event_type, "ignored an event older than the event window");
            Taken { kind: known_type(&event_type), outcome: "stale", verdict: Verdict::Done }
        }
        Incoming::Unhandled { event_id, event_type } => {
            tracing::debug!(event_id, event_type, "event of an unhandled type ignored");
            Taken { kind: "other", outcome: "ok", verdict: Verdict::Done }
        }
        Incoming::Event(event) => handle(app, event).await,
    }
}

async fn handle(app: &Arc<App>, event: feishu::Event) -> Taken {
    let kind = event.kind.event_type().as_str();
    let is_callback = matches!(event.kind, EventKind::CardAction(_));
    let event_id = event.event_id.clone();
    let bot = Arc::clone(&app.bot);
    // In a task of its own, so that a closed connection does not leave an event half handled.
    let handling = async move { bot.handle(event).await }.instrument(Span::current());
    let handled = tokio::spawn(handling).await;
    match handled {
        Ok(Ok(reaction)) => {
            let outcome = reaction.outcome();
            tracing::info!(event_id, event_type = kind, outcome, "event");
            let verdict = match reaction {
                Reaction::Answered(answer) | Reaction::Denied(answer) => Verdict::Answer(answer),
                Reaction::Handled | Reaction::Duplicate | Reaction::Ignored => Verdict::Done,
            };
            Taken { kind, outcome, verdict }
        }
        failed => {
            match failed {
                Ok(Err(error)) => {
                    tracing::error!(event_id, event_type = kind, %error, "event not handled")
                }
                _ => tracing::error!(event_id, event_type = kind, "event handling panicked"),
            }
            // The platform pushes an event again after a 500, but never a card callback: there the user sees an error.
            let verdict = if is_callback {
                let text = app.words.toast(&Toast::Internal);
                Verdict::Answer(CallbackAnswer::toast(ToastKind::Error, text))
            } else {
                Verdict::Failed
            };
            Taken { kind, outcome: "error", verdict }
        }
    }
}

/// Returns the label of an event type. Unknown types share one, so that strangers cannot create an endless number of
/// series.
fn known_type(event_type: &str) -> &'static str {
    EventType::from_name(event_type).map_or("other", EventType::as_str)
}

/// An answer whose body is JSON text already.
fn json_response(body: impl Into<Body>) -> Response {
    let json = HeaderValue::from_static("application/json");
    ([(CONTENT_TYPE, json)], body.into()).into_response()
}

fn refuse(status: StatusCode, reason: &str) -> Response {
    (status, Json(json!({ "error": reason }))).into_response()
}
