//! The routes of the HTTP server, and the layers around every request.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::StatusCode;
use axum::routing::{get, post};
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::timeout::TimeoutLayer;

use super::callbacks::{App, Inbound, receive};
use super::health;
use super::request_id::identify;

/// Timeout of a request, including its body: a slow sender must not hold a connection for longer.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);

/// Routes callbacks, unless events arrive over a long connection; health and metrics.
pub(super) fn router(app: Arc<App>) -> Router {
    let router = match app.inbound {
        Inbound::Callbacks(_) => {
            Router::new().route("/feishu/event", post(receive)).route("/feishu/card", post(receive))
        }
        Inbound::LongConnection(_) => Router::new(),
    };
    router
        .route("/healthz", get(health::alive))
        .route("/readyz", get(health::ready))
        .route("/metrics", get(health::metrics))
        .with_state(app)
        .layer(CatchPanicLayer::new())
        .layer(TimeoutLayer::with_status_code(StatusCode::REQUEST_TIMEOUT, REQUEST_TIMEOUT))
        .layer(axum::middleware::from_fn(identify))
}
