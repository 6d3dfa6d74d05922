//! The page's controls besides the chat: add spending, jump in time, break the platforms and repair them.
//!
//! Labels and messages are keys of the page's catalogues (`src/sandbox/page/words/`); `{name}` is filled from `args`.

use std::time::Duration;

use serde_json::{Value, json};

use super::actions::{grow, next_month, run_monitor};
use super::guide;
use super::models;
use super::scenario::Speed;
use super::stage::Stage;
use crate::domain::UserKey;
use crate::sandbox::demo_page::{Control, ControlField, ControlKind, ControlOption};
use crate::sandbox::feishu;
use crate::sandbox::volcengine;
use crate::store::StoreError;

/// The maximum growth at once. The page offers up to 100.
const MAX_PERCENT: u64 = 1_000;
/// How long a slow platform takes to answer: longer than a click waits, shorter than the timeout of a call.
const LATE: Duration = Duration::from_secs(5);

/// Returns every control, in the order of the page.
pub(super) async fn all(stage: &Stage) -> Result<Vec<Control>, StoreError> {
    Ok(vec![
        spend(stage).await?,
        speed(stage),
        acting(stage, "monitor", "control.monitor", run_monitor),
        acting(stage, "month", "control.month", next_month),
        feishu_faults(stage),
        volcengine_faults(stage),
        guide::control(stage),
        models::control(stage),
    ])
}

fn option(value: impl Into<Value>, label: &str) -> ControlOption {
    ControlOption { value: value.into(), label: label.to_owned() }
}

/// Creates a button that does `act`.
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
    let shares =
        [10, 25, 50, 80, 100].map(|percent| option(percent, "control.spend.share")).to_vec();
    let stage = stage.clone();
    let act = move |request: Value| {
        let stage = stage.clone();
        async move {
            let of = |name: &str| request.pointer(&format!("/value/{name}"));
            let user = of("user").and_then(Value::as_str).and_then(|key| key.parse().ok());
            let user: UserKey = user.ok_or("control.spend.no_user")?;
            let percent = of("percent").and_then(Value::as_u64).unwrap_or(10).min(MAX_PERCENT);
            grow(&stage, &user, percent).await
        }
    };
    Ok(Control::new("spend", "control.spend", ControlKind::Form, act)
        .field(ControlField::new("user", "control.spend.user", users))
        .field(ControlField::new("percent", "control.spend.by", shares)))
}

/// Chooses how fast spending grows on its own.
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
            stage.scenario.lock().speed = speed;
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
        .reading(move || reading.scenario.lock().speed.word().into())
}

fn feishu_faults(stage: &Stage) -> Control {
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
        stage.scenario.lock().feishu = name;
        let broken = fault.is_some();
        if let Some(fault) = fault {
            stage.feishu.faults().inject(FaultRule::new(fault));
        }
        async move { Ok(told("platform.feishu", broken)) }
    };
    Control::new("feishu", "platform.feishu", ControlKind::Select, act)
        .options(options)
        .reading(move || reading.scenario.lock().feishu.into())
}

fn volcengine_faults(stage: &Stage) -> Control {
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
        stage.scenario.lock().volcengine = name;
        let broken = rule.is_some();
        if let Some(rule) = rule {
            stage.cloud.faults().inject(rule);
        }
        async move { Ok(told("platform.volcengine", broken)) }
    };
    Control::new("volcengine", "platform.volcengine", ControlKind::Select, act)
        .options(options)
        .reading(move || reading.scenario.lock().volcengine.into())
}

fn told(platform: &str, broken: bool) -> Value {
    let message = if broken { "control.fault.broken" } else { "control.fault.fixed" };
    let kind = if broken { "warning" } else { "success" };
    json!({"message": message, "kind": kind, "args": {"platform": platform}})
}
