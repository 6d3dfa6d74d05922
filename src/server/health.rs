//! `/healthz`, `/readyz`, `/metrics`.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::callbacks::{App, Inbound};
use crate::domain::{AccessPath, AccountId, BillPeriod, UserStatus, end_of};
use crate::feishu::connection::ConnectionState;
use crate::store::{Source, StoreError, View};

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
        (Ok(_), None) => Some(match app.feishu.token_failure() {
            Some(error) => {
                format!("no tenant token has been obtained from Feishu yet: {}", with_cause(&error))
            }
            None => "no tenant token has been obtained from Feishu yet".to_owned(),
        }),
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

/// An error with the innermost of its causes, which is the transport's own reason.
fn with_cause(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    match causes.last() {
        Some(cause) => format!("{error} ({cause})"),
        None => error.to_string(),
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
    let now = app.clock.now();
    let counted: Result<_, StoreError> = app
        .store
        .reading(move |tx| {
            let mut counts: BTreeMap<UserStatus, u32> =
                UserStatus::ALL.into_iter().map(|status| (status, 0)).collect();
            for (_, user) in tx.directory().iter() {
                *counts.entry(user.status).or_default() += 1;
            }
            let mut paths: BTreeMap<AccessPath, u32> =
                AccessPath::ALL.into_iter().map(|path| (path, 0)).collect();
            for (key, reports) in tx.all_access_paths()? {
                let known = tx.directory().get(&key).map(|user| user.status);
                let disabled = known == Some(UserStatus::Disabled);
                for (path, report) in reports {
                    if disabled && report.is_left_open() {
                        *paths.entry(path).or_default() += 1;
                    }
                }
            }
            Ok((tx.owed_count()?, counts, tx.monitor_state()?, paths, bills(tx, now)?))
        })
        .await;
    if let Ok((owed, counts, monitor, paths, bills)) = counted {
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
        for Bill { account, age, estimate_age, unattributed } in bills {
            let account = account.to_string();
            ::metrics::gauge!("airgate_estimate_age_seconds", "account" => account.clone())
                .set(estimate_age);
            ::metrics::gauge!("airgate_bill_age_seconds", "account" => account.clone()).set(age);
            ::metrics::gauge!("airgate_unattributed", "account" => account).set(unattributed);
        }
    }
}

/// What metrics say about an account's bill. Gauges are floats; what is not known is not a number.
struct Bill {
    account: AccountId,
    /// How long ago the last day that it holds ended, in seconds.
    age: f64,
    /// How long ago the estimate was read, in seconds.
    estimate_age: f64,
    /// What nobody pays for this month, in yuan.
    unattributed: f64,
}

fn bills<S: Source>(tx: &View<S>, now: Timestamp) -> Result<Vec<Bill>, StoreError> {
    let accounts = tx.accounts()?.into_iter().map(|account| {
        let ended = tx.account_readings(&account.id)?.bill_to.and_then(end_of);
        let age = |at: Option<Timestamp>| {
            let age = at.and_then(|at| u32::try_from(now.duration_since(at).as_secs().max(0)).ok());
            age.map_or(f64::NAN, f64::from)
        };
        let estimated = tx.account_estimate(&account.id)?.and_then(|estimate| estimate.read_at);
        let bill = tx.account_bill(&account.id, BillPeriod::of(now))?;
        let yuan = bill.and_then(|bill| bill.unattributed.rounded().plain().parse().ok());
        Ok(Bill {
            account: account.id,
            age: age(ended),
            estimate_age: age(estimated),
            unattributed: yuan.unwrap_or(f64::NAN),
        })
    });
    accounts.collect()
}
