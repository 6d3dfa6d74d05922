//! What the page can do beyond chatting: let spending grow, jump in time, break the platforms and heal them.
//!
//! Words are English keys of the page's dictionary (`src/sandbox/page/words.js`); `{name}` in one is filled from `args`.

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

/// No more than this at once: the page offers up to 100.
const MOST_PERCENT: u64 = 1_000;
/// How late answers come on a slow day: later than a click waits, sooner than a call is given up.
const LATE: Duration = Duration::from_secs(5);

/// Every control, in the order of the page.
pub(super) async fn all(stage: &Stage) -> Result<Vec<Control>, StoreError> {
    Ok(vec![
        spend(stage).await?,
        speed(stage),
        acting(stage, "monitor", "Run the monitor", run_monitor),
        acting(stage, "month", "To the next month", next_month),
        trouble_of_feishu(stage),
        trouble_of_volcengine(stage),
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

/// Lets a user's spending grow, as bills would.
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
            let percent = of("percent").and_then(Value::as_u64).unwrap_or(10).min(MOST_PERCENT);
            grow(&stage, &user, percent).await
        }
    };
    Ok(Control::new("spend", "Let spending grow", ControlKind::Form, act)
        .field(ControlField::new("user", "User", users))
        .field(ControlField::new("percent", "By", shares)))
}

/// How fast spending grows by itself.
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
            stage.trouble.lock().speed = speed;
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
    let project = project.ok_or("This user has no project yet")?;
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
        "message": "{user} spent another {amount}; the monitor's next cycle sees it",
        "args": {"user": user.username.as_str(), "amount": Money::new(amount).to_string()},
    }))
}

/// Says `/monitor run` as the administrator.
pub(super) async fn run_monitor(stage: Stage) -> Result<Value, String> {
    let chat = stage.feishu.direct_chat(ADMIN);
    stage.feishu.say(ADMIN, &chat, "/monitor run", false).await;
    Ok(json!({"message": "The monitor runs; its report is in the administrator's direct chat"}))
}

/// Moves everybody's clock to the morning of the next month's first day, and lets the monitor look.
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
    Ok(json!({"message": "It is {period} now", "args": {"period": period.to_string()}}))
}

fn trouble_of_feishu(stage: &Stage) -> Control {
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
        stage.trouble.lock().feishu = name;
        let broken = fault.is_some();
        if let Some(fault) = fault {
            stage.feishu.faults().inject(FaultRule::new(fault));
        }
        async move { Ok(told("Feishu", broken)) }
    };
    Control::new("feishu", "Feishu", ControlKind::Select, act)
        .options(options)
        .reading(move || reading.trouble.lock().feishu.into())
}

fn trouble_of_volcengine(stage: &Stage) -> Control {
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
        stage.trouble.lock().volcengine = name;
        let broken = rule.is_some();
        if let Some(rule) = rule {
            stage.cloud.faults().inject(rule);
        }
        async move { Ok(told("Volcengine", broken)) }
    };
    Control::new("volcengine", "Volcengine", ControlKind::Select, act)
        .options(options)
        .reading(move || reading.trouble.lock().volcengine.into())
}

fn told(platform: &str, broken: bool) -> Value {
    let message = if broken { "{platform} is broken now" } else { "{platform} works again" };
    let kind = if broken { "warning" } else { "success" };
    json!({"message": message, "kind": kind, "args": {"platform": platform}})
}
