//! A request id for every HTTP request: it appears in every log line that the request causes, and in the response.

use axum::extract::{MatchedPath, Request};
use axum::http::{HeaderName, HeaderValue};
use axum::middleware::Next;
use axum::response::Response;
use tracing::Instrument;

const HEADER: HeaderName = HeaderName::from_static("x-request-id");
/// The maximum length of an id from outside.
const MAX_LENGTH: usize = 64;

/// Runs the request in a span with its id: the reverse proxy's `X-Request-Id` if it is usable, otherwise a new one.
pub(super) async fn identify(request: Request, next: Next) -> Response {
    let given = request.headers().get(HEADER).and_then(usable).map(str::to_owned);
    let id = given.unwrap_or_else(fresh);
    let path = request.extensions().get::<MatchedPath>().cloned();
    // At the highest level, so that no filter removes the id from the lines inside the span.
    let span = tracing::error_span!(
        "request",
        request_id = id,
        path = path.as_ref().map_or("unknown", MatchedPath::as_str)
    );
    let watch = tokio::time::Instant::now();
    async move {
        let mut response = next.run(request).await;
        let millis = u64::try_from(watch.elapsed().as_millis()).unwrap_or(u64::MAX);
        tracing::debug!(status = response.status().as_u16(), millis, "answered");
        if let Ok(id) = HeaderValue::try_from(id) {
            response.headers_mut().insert(HEADER, id);
        }
        response
    }
    .instrument(span)
    .await
}

/// A random id. It is no secret, so it need not come from the system.
fn fresh() -> String {
    uuid::Builder::from_random_bytes(rand::random()).into_uuid().simple().to_string()
}

/// Accepts only ids that cannot be mistaken for anything else in a log.
fn usable(value: &HeaderValue) -> Option<&str> {
    let text = value.to_str().ok()?;
    let plain = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
    (plain && (1..=MAX_LENGTH).contains(&text.len())).then_some(text)
}
