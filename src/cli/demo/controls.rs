//! The page's controls besides the chat: let spending grow, jump in time, break the platforms and repair them.
//!
//! Texts are English keys of the page's dictionary (`src/sandbox/page/words.js`); `{name}` in one is replaced from `args`.

use std::time::Duration;

use serde_json::{Value, json};

use super::actions::{grow, next_month, run_monitor};
use super::guide;
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

/// Every control, in the order of the page.
pub(super) async fn all(stage: &Stage) -> Result<Vec<Control>, StoreError> {
    Ok(vec![
        spend(stage).await?,
        speed(stage),
        acting(stage, "monitor", "Run the monitor", run_monitor),
        acting(stage, "month", "To the next month", next_month),
        feishu_faults(stage),
        volcengine_faults(stage),
        guide::control(stage),
    ])
}

fn option(value: impl Into<Value>, label: &str) -> ControlOption {
    ControlOption { value: value.into(), label: label.to_owned() }
}

/// A button that does `act`.
fn acting<F, R>(stage: &Stage, name: &str, label: &str, act: F) -> Control
where
    F: Fn(Stage) -> R + Send + Sync + 'static,
    R: Future<Output = Result<Value, String>> + Send + 'static,
{
    let stage = stage.clone();
    Control::new(name, label, ControlKind::Button, move |_| act(stage.clone()))
}

/// Lets a user's spending grow, by adding to the bills.
async fn spend(stage: &Stage) -> Result<Control, StoreError> {
    let users = stage.store.reading(|tx| tx.users()).await?;
    let users = users
        .iter()
        .map(|user| option(user.key.to_string(), &format!("{} {}", user.display_name, user.key)))
        .collect();
    let shares = [10, 25, 50, 100]
        .map(|percent| option(percent, &format!("+{percent}% of the quota")))
        .to_vec();
    let stage = stage.clone();
    let act = move |request: Value| {
        let stage = stage.clone();
        async move {
            let of = |name: &str| request.pointer(&format!("/value/{name}"));
            let user = of("user").and_then(Value::as_str).and_then(|key| key.parse().ok());
            let user: UserKey = user.ok_or("Choose a user")?;
            let percent = of("percent").and_then(Value::as_u64).unwrap_or(10).min(MAX_PERCENT);
            grow(&stage, &user, percent).await
        }
    };
    Ok(Control::new("spend", "Let spending grow", ControlKind::Form, act)
        .field(ControlField::new("user", "User", users))
        .field(ControlField::new("percent", "By", shares)))
}

/// Chooses how fast spending grows on its own.
fn speed(stage: &Stage) -> Control {
    let options = vec![
        option("off", "stands still"),
        option("slow", "1% of the quota every 5 s"),
        option("fast", "5% of the quota every 5 s"),
    ];
    let (reading, stage) = (stage.clone(), stage.clone());
    let act = move |request: Value| {
        let wanted = request.get("value").and_then(Value::as_str).and_then(Speed::from_word);
        if let Some(speed) = wanted {
            stage.scenario.lock().speed = speed;
        }
        async move {
            match wanted {
                Some(Speed::Off) => Ok(json!({"message": "Spending stands still", "kind": "info"})),
                Some(_) => Ok(json!({"message": "Everybody spends; the monitor looks every 5 s"})),
                None => Err("Choose a speed".to_owned()),
            }
        }
    };
    Control::new("speed", "Spending by itself", ControlKind::Select, act)
        .options(options)
        .reading(move || reading.scenario.lock().speed.word().into())
}

fn feishu_faults(stage: &Stage) -> Control {
    let options = vec![
        option("none", "works"),
        option("errors", "answers 502"),
        option("timeout", "does not answer"),
        option("slow", "answers after 5 s"),
        option("limited", "refuses: too many requests"),
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
        async move { Ok(told("Feishu", broken)) }
    };
    Control::new("feishu", "Feishu", ControlKind::Select, act)
        .options(options)
        .reading(move || reading.scenario.lock().feishu.into())
}

fn volcengine_faults(stage: &Stage) -> Control {
    let options = vec![
        option("none", "works"),
        option("errors", "answers 503"),
        option("timeout", "does not answer"),
        option("lost", "acts, but its answers are lost"),
        option("refused", "refuses airgate's key"),
        option("denied", "makes no access keys"),
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
        async move { Ok(told("Volcengine", broken)) }
    };
    Control::new("volcengine", "Volcengine", ControlKind::Select, act)
        .options(options)
        .reading(move || reading.scenario.lock().volcengine.into())
}

fn told(platform: &str, broken: bool) -> Value {
    let message = if broken { "{platform} is broken now" } else { "{platform} works again" };
    let kind = if broken { "warning" } else { "success" };
    json!({"message": message, "kind": kind, "args": {"platform": platform}})
}
