//! The live side panel: what happens behind the chat, sent to the page whenever it changes.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use super::guide::Progress;
use super::stage::Stage;
use crate::domain::{CycleOutcome, Dispatch, OwedMessage};
use crate::sandbox::demo_page::DemoPage;
use crate::sandbox::{feishu, volcengine};
use crate::store::{Source, StoreError, View};

/// Poll interval.
const PACE: Duration = Duration::from_millis(700);
/// How many calls are shown.
const CALLS_SHOWN: usize = 50;
/// How many owed messages, failed messages and access changes are shown of each.
const ROWS_SHOWN: usize = 8;

/// Sends the page what changed, until `stop`.
pub(super) async fn watch(stage: Stage, page: DemoPage, stop: CancellationToken) {
    let mut told = Value::Null;
    let mut pace = tokio::time::interval(PACE);
    pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = pace.tick() => {}
        }
        let looked = stage.clone();
        let seen = stage
            .store
            .reading(move |tx| {
                let mut progress = looked.progress.lock();
                progress.advance(&looked, tx)?;
                look(&looked, tx, &progress)
            })
            .await;
        match seen {
            Ok(data) => {
                if data != told {
                    page.monitor(data.clone());
                    told = data;
                }
            }
            Err(error) => tracing::error!(%error, "the store cannot be read"),
        }
    }
}

fn look<S: Source>(stage: &Stage, tx: &View<S>, progress: &Progress) -> Result<Value, StoreError> {
    let millis = |at: Timestamp| at.as_millisecond();
    let scenario = *stage.scenario.lock();
    let working = stage.monitor.progress();
    let state = tx.monitor_state()?;
    let last = state.last.map(|cycle| {
        let errors: Vec<String> = cycle
            .accounts
            .iter()
            .filter_map(|account| Some(format!("{}: {}", account.account, account.error.as_ref()?)))
            .collect();
        json!({
            "at": millis(cycle.ended), "ok": cycle.outcome == CycleOutcome::Ok, "users": cycle.users,
            "warnings": cycle.warnings, "disables": cycle.disables, "errors": errors,
        })
    });
    let owed: Vec<Value> = tx.lane_heads()?.iter().take(ROWS_SHOWN).map(owed).collect();
    let failed: Vec<Value> = tx
        .failed_messages(ROWS_SHOWN)?
        .iter()
        .map(|failed| json!({"what": what(&failed.owed), "error": failed.reason, "at": millis(failed.at)}))
        .collect();
    let access: Vec<Value> = tx
        .all_access_pending()?
        .iter()
        .take(ROWS_SHOWN)
        .map(|(user, pending)| {
            json!({
                "user": user.to_string(), "goal": pending.goal, "attempts": pending.attempts,
                "error": pending.last_error,
            })
        })
        .collect();
    Ok(json!({
        "shift": i64::try_from(scenario.shift.as_millis()).unwrap_or(0),
        "trouble": {"feishu": scenario.feishu, "volcengine": scenario.volcengine},
        "calls": calls(stage),
        "outbox": {"count": tx.owed_count()?, "owed": owed, "failed": failed},
        "access": access,
        "monitor": {
            "running": working.running_since.is_some(),
            "next_at": working.next_at.map(millis),
            "last": last,
        },
        "guide": progress.json(stage),
    }))
}

fn owed(message: &OwedMessage) -> Value {
    json!({"what": what(message), "attempts": message.attempts, "error": message.last_error})
}

/// Returns the kind of a message: the end of a key `panel.owed.…`.
fn what(message: &OwedMessage) -> &'static str {
    match message.dispatch {
        _ if message.alert.is_some() => "alert",
        Dispatch::Reply { .. } => "reply",
        Dispatch::Update { .. } => "card_update",
        _ => "message",
    }
}

/// Returns the calls that airgate made, newest first.
fn calls(stage: &Stage) -> Vec<Value> {
    let chat: Vec<(Timestamp, Value)> = stage.feishu.read(|state| {
        let all = state.requests();
        all.rev().take(CALLS_SHOWN).map(|request| (request.at, chat_call(request))).collect()
    });
    let cloud = stage.cloud.last_calls(CALLS_SHOWN);
    let mut calls: Vec<(Timestamp, Value)> =
        cloud.into_iter().map(|call| (call.at, cloud_call(&call))).chain(chat).collect();
    calls.sort_by_key(|(at, _)| std::cmp::Reverse(*at));
    calls.into_iter().take(CALLS_SHOWN).map(|(_, call)| call).collect()
}

fn chat_call(request: &feishu::Request) -> Value {
    let ok = request.code == 0 && request.status < 400;
    let (outcome, words) = match request.code {
        // Not handled; the status is not what the client got.
        -1 => ("—".to_owned(), "panel.calls.fault"),
        0 => (request.status.to_string(), if ok { "" } else { request.message.as_str() }),
        code => (format!("{} {code}", request.status), request.message.as_str()),
    };
    json!({
        "to": "feishu", "name": request.endpoint, "at": request.at.as_millisecond(), "ok": ok,
        "outcome": outcome, "words": words,
    })
}

fn cloud_call(call: &volcengine::Call) -> Value {
    let ok = call.status == Some(200) && call.outcome_code.is_none() && call.fault.is_none();
    let (outcome, words) = match (call.status, call.fault) {
        (Some(status), None) => {
            (status.to_string(), call.outcome_code.as_deref().unwrap_or_default())
        }
        _ => ("—".to_owned(), "panel.calls.fault"),
    };
    let account = call.account.as_deref().unwrap_or_default();
    json!({
        "to": "volcengine", "name": call.action, "of": account, "at": call.at.as_millisecond(),
        "ok": ok, "outcome": outcome, "words": words,
    })
}
