//! `/healthz`, `/readyz`, `/metrics`.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use jiff::SignedDuration;
use serde_json::json;

use super::callbacks::{App, Inbound};
use crate::domain::{AccessPath, MonitorState, UserStatus};
use crate::feishu::connection::ConnectionState;
use crate::store::StoreError;

/// A tenant token older than this means that Feishu was not reached recently.
const TOKEN_FRESH: SignedDuration = SignedDuration::from_hours(2);

/// Answers 200 while the process is alive, and 503 with the reason if the monitor is late: then a restart helps.
pub(super) async fn alive(State(app): State<Arc<App>>) -> Response {
    match app.monitor.progress().late_since {
        None => Json(json!({ "status": "ok" })).into_response(),
        Some(since) => {
            let reason = format!(
                "the monitor is late: no cycle has been recorded since {since}; see the log, and restart the service"
            );
            let body = Json(json!({ "status": "late", "reason": reason }));
            (StatusCode::SERVICE_UNAVAILABLE, body).into_response()
        }
    }
}

/// Answers 200 while the store is being opened: a restart would only start that over.
pub(super) async fn opening() -> Response {
    Json(json!({ "status": "ok" })).into_response()
}

/// Answers 200 if the store answers, a tenant token was obtained in the last 2 h, and the long connection (in websocket mode)
/// is alive; otherwise 503 with the reason.
pub(super) async fn ready(State(app): State<Arc<App>>) -> Response {
    let store = app.store.reading(|tx| tx.owed_count()).await;
    let now = app.clock.now();
    let token = app.feishu.token_obtained_at();
    let connection = match &app.inbound {
        Inbound::Callbacks(_) => None,
        Inbound::LongConnection(status) => Some(status.now()),
    };
    let reason = match (store, token) {
        (Err(error), _) => Some(format!("the store does not answer: {error}")),
        (Ok(_), None) => Some("no tenant token has been obtained from Feishu yet".to_owned()),
        (Ok(_), Some(at)) if now.duration_since(at) > TOKEN_FRESH => {
            Some("the last tenant token from Feishu is older than 2 h".to_owned())
        }
        _ => match connection {
            Some(ConnectionState::Down { reason }) => Some(reason),
            Some(ConnectionState::Up { .. }) | None => None,
        },
    };
    match reason {
        None => Json(json!({ "status": "ready" })).into_response(),
        Some(reason) => {
            let body = Json(json!({ "status": "not ready", "reason": reason }));
            (StatusCode::SERVICE_UNAVAILABLE, body).into_response()
        }
    }
}

/// Answers with the metrics as Prometheus text.
pub(super) async fn metrics(State(app): State<Arc<App>>) -> Response {
    // One scrape at a time: anyone who reaches the port can ask, and counting visits every user.
    let turn = app.counting.lock().await;
    count(&app).await;
    drop(turn);
    let text = super::metrics::recorder().map(|recorder| recorder.render()).unwrap_or_default();
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response()
}

/// Sets the gauges whose values come from the store.
async fn count(app: &App) {
    type Counted = (usize, BTreeMap<UserStatus, u32>, MonitorState, BTreeMap<AccessPath, u32>);
    let counted: Result<Counted, StoreError> = app
        .store
        .reading(|tx| {
            let mut counts: BTreeMap<UserStatus, u32> =
                UserStatus::ALL.into_iter().map(|status| (status, 0)).collect();
            for (_, user) in tx.directory().iter() {
                *counts.entry(user.status).or_default() += 1;
            }
            let mut paths: BTreeMap<AccessPath, u32> =
                AccessPath::ALL.into_iter().map(|path| (path, 0)).collect();
            for (key, reports) in tx.all_access_paths()? {
                let disabled =
                    tx.user(&key)?.is_some_and(|user| user.status == UserStatus::Disabled);
                for (path, report) in reports {
                    if disabled && report.is_left_open() {
                        *paths.entry(path).or_default() += 1;
                    }
                }
            }
            Ok((tx.owed_count()?, counts, tx.monitor_state()?, paths))
        })
        .await;
    if let Ok((owed, counts, monitor, paths)) = counted {
        for (path, count) in paths {
            ::metrics::gauge!("airgate_paths_open", "path" => path.word()).set(count);
        }
        let owed = u32::try_from(owed).unwrap_or(u32::MAX);
        ::metrics::gauge!("airgate_outbox_pending").set(owed);
        if let Some(at) = monitor.last_success {
            let seconds = u32::try_from(at.as_second()).unwrap_or(u32::MAX);
            ::metrics::gauge!("airgate_monitor_last_success_timestamp_seconds").set(seconds);
        }
        for (status, count) in counts {
            ::metrics::gauge!("airgate_users", "status" => status.word()).set(count);
        }
    }
}
