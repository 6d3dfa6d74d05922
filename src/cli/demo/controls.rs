//! What the page can do beyond chatting: add spending, jump in time, break the platforms and fix them.
//!
//! Labels and messages are keys of the page's catalogues (`src/sandbox/page/words/`); `{name}` is filled from `args`.

use std::time::Duration;

use jiff::SignedDuration;
use rust_decimal::Decimal;
use serde_json::{Value, json};

use super::growth::Speed;
use super::guide;
use super::stage::{ADMIN, Stage};
use crate::domain::period::beijing;
use crate::domain::{BillPeriod, Money, TaskKind, UserKey};
use crate::sandbox::demo_page::{Control, ControlField, ControlKind, ControlOption};
use crate::sandbox::feishu;
use crate::sandbox::volcengine;
use crate::sandbox::world::WorldError;
use crate::store::StoreError;

/// Upper limit of a request; the page offers up to 100.
const MOST_PERCENT: u64 = 1_000;
/// Delay of slow answers: above the timeout of a click, below that of a call.
const LATE: Duration = Duration::from_secs(5);

/// Every control, in the order of the page.
pub(super) async fn all(stage: &Stage) -> Result<Vec<Control>, StoreError> {
    Ok(vec![
        spend(stage).await?,
        speed(stage),
        acting(stage, "monitor", "control.monitor", run_monitor),
        acting(stage, "month", "control.month", next_month),
        faults_of_feishu(stage),
        faults_of_volcengine(stage),
        guide::control(stage),
    ])
}

fn option(value: impl Into<Value>, label: &str) -> ControlOption {
    ControlOption { value: value.into(), label: label.to_owned() }
}

/// A button.
fn acting<F, R>(stage: &Stage, name: &str, label: &str, act: F) -> Control
where
    F: Fn(Stage) -> R + Send + Sync + 'static,
    R: Future<Output = Result<Value, String>> + Send + 'static,
{
    let stage = stage.clone();
    Control::new(name, label, ControlKind::Button, move |_| act(stage.clone()))
}

/// Adds spending to a user's bill.
async fn spend(stage: &Stage) -> Result<Control, StoreError> {
    let users = stage.store.reading(|tx| tx.users()).await?;
    let users = users
        .iter()
        .map(|user| option(user.key.to_string(), &format!("{} {}", user.display_name, user.key)))
        .collect();
    let shares = [10, 25, 50, 100].map(|percent| option(percent, "control.spend.share")).to_vec();
    let stage = stage.clone();
    let act = move |request: Value| {
        let stage = stage.clone();
        async move {
            let of = |name: &str| request.pointer(&format!("/value/{name}"));
            let user = of("user").and_then(Value::as_str).and_then(|key| key.parse().ok());
            let user: UserKey = user.ok_or("control.spend.no_user")?;
            let percent = of("percent").and_then(Value::as_u64).unwrap_or(10).min(MOST_PERCENT);
            grow(&stage, &user, percent).await
        }
    };
    Ok(Control::new("spend", "control.spend", ControlKind::Form, act)
        .field(ControlField::new("user", "control.spend.user", users))
        .field(ControlField::new("percent", "control.spend.by", shares)))
}

/// How fast spending grows by itself.
fn speed(stage: &Stage) -> Control {
    let options = vec![
        option("off", "control.speed.off"),
        option("slow", "control.speed.slow"),
        option("fast", "control.speed.fast"),
    ];
    let (reading, stage) = (stage.clone(), stage.clone());
    let act = move |request: Value| {
        let wanted = request.get("value").and_then(Value::as_str).and_then(Speed::from_word);
        if let Some(speed) = wanted {
            stage.trouble.lock().speed = speed;
        }
        async move {
            match wanted {
                Some(Speed::Off) => Ok(json!({"message": "control.speed.stopped", "kind": "info"})),
                Some(_) => Ok(json!({"message": "control.speed.running"})),
                None => Err("control.speed.unknown".to_owned()),
            }
        }
    };
    Control::new("speed", "control.speed", ControlKind::Select, act)
        .options(options)
        .reading(move || reading.trouble.lock().speed.word().into())
}

/// Adds a bill row of this share of the user's quota (of ¥1,000 where nothing is allocated) to the user's first project.
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

/// Says `/monitor run` as the administrator.
pub(super) async fn run_monitor(stage: Stage) -> Result<Value, String> {
    let chat = stage.feishu.direct_chat(ADMIN);
    stage.feishu.say(ADMIN, &chat, "/monitor run", false).await;
    Ok(json!({"message": "control.monitor.done"}))
}

/// Moves the clock to the morning of the next month's first day, and wakes the monitor.
async fn next_month(stage: Stage) -> Result<Value, String> {
    let failed = |error: jiff::Error| error.to_string();
    let now = stage.clock.now();
    let period = BillPeriod::of(now).next();
    let morning = period.first_day().at(10, 0, 0, 0).to_zoned(beijing()).map_err(failed)?;
    let by = morning.timestamp().duration_since(now);
    let by = SignedDuration::from_secs(by.as_secs());
    stage.clock.advance(by);
    {
        let mut trouble = stage.trouble.lock();
        trouble.shift = trouble.shift.saturating_add(by);
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

fn faults_of_feishu(stage: &Stage) -> Control {
    let options = vec![
        option("none", "control.fault.none"),
        option("errors", "control.fault.502"),
        option("timeout", "control.fault.timeout"),
        option("slow", "control.fault.slow"),
        option("limited", "control.fault.limited"),
    ];
    let (reading, stage) = (stage.clone(), stage.clone());
    let act = move |request: Value| {
        use feishu::{Fault, FaultRule};
        let wanted = request.get("value").and_then(Value::as_str).unwrap_or_default();
        let (name, fault) = match wanted {
            "errors" => ("errors", Some(Fault::Status(502))),
            "timeout" => ("timeout", Some(Fault::Timeout)),
            "slow" => ("slow", Some(Fault::Slow(LATE))),
            "limited" => ("limited", Some(Fault::RateLimited { reset_seconds: 2.0 })),
            _ => ("none", None),
        };
        stage.feishu.faults().clear();
        stage.trouble.lock().feishu = name;
        let broken = fault.is_some();
        if let Some(fault) = fault {
            stage.feishu.faults().inject(FaultRule::new(fault));
        }
        async move { Ok(told("platform.feishu", broken)) }
    };
    Control::new("feishu", "platform.feishu", ControlKind::Select, act)
        .options(options)
        .reading(move || reading.trouble.lock().feishu.into())
}

fn faults_of_volcengine(stage: &Stage) -> Control {
    let options = vec![
        option("none", "control.fault.none"),
        option("errors", "control.fault.503"),
        option("timeout", "control.fault.timeout"),
        option("lost", "control.fault.lost"),
        option("refused", "control.fault.refused"),
        option("denied", "control.fault.denied"),
    ];
    let (reading, stage) = (stage.clone(), stage.clone());
    let act = move |request: Value| {
        use volcengine::{Fault, FaultRule};
        let wanted = request.get("value").and_then(Value::as_str).unwrap_or_default();
        let everywhere = |fault| Some(FaultRule::new(fault));
        let (name, rule) = match wanted {
            "errors" => ("errors", everywhere(Fault::Status(503))),
            "timeout" => ("timeout", everywhere(Fault::Timeout)),
            "lost" => ("lost", everywhere(Fault::LostAnswer)),
            "refused" => ("refused", everywhere(Fault::CredentialsRefused)),
            "denied" => {
                let (code, message) = ("AccessDenied", "not authorized: iam:CreateAccessKey");
                let (code, message) = (code.to_owned(), message.to_owned());
                let fault = Fault::Code { http: 403, code, message };
                ("denied", Some(FaultRule::new(fault).on("CreateAccessKey")))
            }
            _ => ("none", None),
        };
        stage.cloud.faults().clear();
        stage.trouble.lock().volcengine = name;
        let broken = rule.is_some();
        if let Some(rule) = rule {
            stage.cloud.faults().inject(rule);
        }
        async move { Ok(told("platform.volcengine", broken)) }
    };
    Control::new("volcengine", "platform.volcengine", ControlKind::Select, act)
        .options(options)
        .reading(move || reading.trouble.lock().volcengine.into())
}

fn told(platform: &str, broken: bool) -> Value {
    let message = if broken { "control.fault.broken" } else { "control.fault.fixed" };
    let kind = if broken { "warning" } else { "success" };
    json!({"message": message, "kind": kind, "args": {"platform": platform}})
}
