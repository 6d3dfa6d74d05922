//! `POST /feishu/event` and `/feishu/card`: both take events and card callbacks. What came over the long connection is
//! handled here as well.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
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

/// The largest body that is read (contract §4).
const BODY_LIMIT: usize = 1024 * 1024;

/// Larger bodies than this take a place of [`App::large_bodies`]. What the platform sends is nearly always smaller.
const SMALL_BODY: usize = 32 * 1024;
/// How many larger bodies may be read and handled at the same time; more wait, unread. With them the memory that bodies
/// take follows their number and not that of connections.
pub(super) const LARGE_BODIES: usize = 32;

/// What handlers need.
pub(super) struct App {
    pub bot: Arc<Bot>,
    pub monitor: Arc<Monitor>,
    pub verifier: CallbackVerifier,
    pub words: Wording,
    pub store: Store,
    pub feishu: feishu::Client,
    pub clock: Clock,
    /// The long connection, where events come over one.
    pub connection: Option<ConnectionStatus>,
    /// [`LARGE_BODIES`] places.
    pub large_bodies: Semaphore,
    /// Locked while the figures behind the metrics are counted.
    pub counting: tokio::sync::Mutex<()>,
}

/// Takes one callback: verified, decrypted, parsed, handled, answered.
pub(super) async fn receive(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let watch = tokio::time::Instant::now();
    let (kind, outcome, response) = answer(&app, &headers, body).await;
    count(kind, outcome, watch.elapsed());
    response
}

/// Counts an event, however it came.
pub(super) fn count(kind: &'static str, outcome: &'static str, took: Duration) {
    metrics::counter!("airgate_events_total", "type" => kind, "outcome" => outcome).increment(1);
    metrics::histogram!("airgate_event_seconds").record(took);
}

async fn answer(
    app: &Arc<App>,
    headers: &HeaderMap,
    body: Body,
) -> (&'static str, &'static str, Response) {
    // The place is held until the answer is made: what large bodies cost to handle is bounded as well.
    let (body, _place) = match read(app, body).await {
        Some(read) => read,
        None => {
            let response =
                refuse(StatusCode::PAYLOAD_TOO_LARGE, "the body is over 1 MiB or broken");
            return ("unknown", "invalid", response);
        }
    };
    match app.verifier.open(headers, &body, app.clock.now()) {
        Ok(incoming) => {
            let taken = take(app, incoming).await;
            let response = match taken.verdict {
                Verdict::Challenge(challenge) => {
                    Json(json!({ "challenge": challenge })).into_response()
                }
                Verdict::Done => Json(json!({})).into_response(),
                Verdict::Answer(answer) => Json(answer.to_json()).into_response(),
                Verdict::Failed => {
                    refuse(StatusCode::INTERNAL_SERVER_ERROR, "not handled, send it again")
                }
            };
            (taken.kind, taken.outcome, response)
        }
        Err(Rejection::Unauthorized(reason)) => {
            tracing::warn!(%reason, "a callback was refused");
            let response = refuse(StatusCode::UNAUTHORIZED, &reason.to_string());
            ("unknown", "denied", response)
        }
        Err(Rejection::Malformed(reason)) => {
            tracing::warn!(%reason, "a callback was not understood");
            ("unknown", "invalid", refuse(StatusCode::BAD_REQUEST, &reason.to_string()))
        }
    }
}

/// The whole body; none where it is too large or broken.
async fn read(app: &App, body: Body) -> Option<(Vec<u8>, Option<SemaphorePermit<'_>>)> {
    let mut chunks = body.into_data_stream();
    let mut bytes = Vec::new();
    let mut place = None;
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.ok()?;
        let length = bytes.len().saturating_add(chunk.len());
        if length > BODY_LIMIT {
            return None;
        }
        if length > SMALL_BODY && place.is_none() {
            place = Some(app.large_bodies.acquire().await.ok()?);
        }
        bytes.extend_from_slice(&chunk);
    }
    Some((bytes, place))
}

/// What became of something that came from the platform, by whichever way.
pub(super) struct Taken {
    /// The `type` of metrics.
    pub kind: &'static str,
    /// The `outcome` of metrics.
    pub outcome: &'static str,
    pub verdict: Verdict,
}

/// What the platform is told.
pub(super) enum Verdict {
    Challenge(String),
    Done,
    Answer(CallbackAnswer),
    /// It should push the event again.
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
            tracing::debug!(event_id, event_type, "an event of a type that is not handled");
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
    // In a task of its own: the platform hanging up must not leave an event half handled.
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
                    tracing::error!(event_id, event_type = kind, %error, "not handled")
                }
                _ => tracing::error!(event_id, event_type = kind, "handling panicked"),
            }
            // Events are pushed again after a 500; callbacks never are, so the person is told.
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

/// An event type as a label: what comes from outside must not make series without end.
fn known_type(event_type: &str) -> &'static str {
    EventType::from_name(event_type).map_or("other", EventType::as_str)
}

fn refuse(status: StatusCode, reason: &str) -> Response {
    (status, Json(json!({ "error": reason }))).into_response()
}
