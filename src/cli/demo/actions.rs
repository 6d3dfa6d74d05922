//! What the controls and the guide do to the stage.

use jiff::SignedDuration;
use rust_decimal::Decimal;
use serde_json::{Value, json};

use super::stage::{ADMIN, Stage};
use crate::domain::period::beijing;
use crate::domain::{BillPeriod, Money, TaskKind, UserKey};
use crate::sandbox::world::WorldError;
use crate::store::StoreError;

/// Adds a bill row of `percent` of the user's quota (of ¥1,000 if nothing is allocated) to the user's first project.
pub(super) async fn grow(stage: &Stage, user: &UserKey, percent: u64) -> Result<Value, String> {
    let key = user.clone();
    let (quota, project) = stage
        .store
        .reading(move |tx| {
            let quota = tx.user(&key)?.map(|user| user.quota);
            let link = tx.links_of(&key)?.into_iter().find(|link| link.monitored.is_on());
            Ok::<_, StoreError>((quota, link.map(|link| link.project)))
        })
        .await
        .map_err(|error| error.to_string())?;
    let project = project.ok_or("control.spend.no_project")?;
    let quota =
        quota.filter(|quota| quota.is_positive()).map_or(Decimal::ONE_THOUSAND, Money::decimal);
    let amount = (quota * Decimal::from(percent) / Decimal::ONE_HUNDRED).round_dp(2);
    let period = BillPeriod::of(stage.clock.now());
    stage
        .cloud
        .update(|world| {
            world.account_mut(user.account.as_str())?.spend(project.as_str(), amount, period);
            Ok(())
        })
        .map_err(|error: WorldError| error.to_string())?;
    Ok(json!({
        "message": "control.spend.done",
        "args": {"user": user.username.as_str(), "amount": Money::new(amount).to_string()},
    }))
}

/// Sends `/monitor run` as the administrator.
pub(super) async fn run_monitor(stage: Stage) -> Result<Value, String> {
    let chat = stage.feishu.direct_chat(ADMIN);
    stage.feishu.say(ADMIN, &chat, "/monitor run", false).await;
    Ok(json!({"message": "control.monitor.done"}))
}

/// Moves all clocks to the morning of the first day of the next month, and asks the monitor for a cycle.
pub(super) async fn next_month(stage: Stage) -> Result<Value, String> {
    let failed = |error: jiff::Error| error.to_string();
    let now = stage.clock.now();
    let period = BillPeriod::of(now).next();
    let morning = period.first_day().at(10, 0, 0, 0).to_zoned(beijing()).map_err(failed)?;
    let by = morning.timestamp().duration_since(now);
    let by = SignedDuration::from_secs(by.as_secs());
    stage.clock.advance(by);
    {
        let mut scenario = stage.scenario.lock();
        scenario.shift = scenario.shift.saturating_add(by);
    }
    let now = stage.clock.now();
    stage
        .store
        .writing(move |tx| tx.add_task(TaskKind::MonitorRun, None, now).map(drop))
        .await
        .map_err(|error: StoreError| error.to_string())?;
    stage.wakers.settings.notify_one();
    stage.wakers.monitor.notify_one();
    Ok(json!({"message": "control.month.done", "args": {"period": period.to_string()}}))
}
