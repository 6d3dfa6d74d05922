//! Probes 12 to 15, 17 and 19: how soon, and in which shape, calls of models show as usage and money.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::civil::Date;
use serde_json::{Value, json};

use super::super::super::Failure;
use super::super::Bench;
use super::super::calls::{Answer, ark, billing};
use super::super::transcript::{Finding, plain};
use crate::domain::period::beijing;

/// Calls of each kind.
const CALLS: usize = 3;

/// The calls that the other steps wait for.
pub(super) async fn calls(bench: &mut Bench, finding: &mut Finding) -> Result<(), Failure> {
    let balance = bench.api.available_balance().await.ok();
    let mut worked = 0;
    for target in [bench.endpoint.clone(), bench.model.clone()].into_iter().flatten() {
        for _ in 0..CALLS {
            let Some(answer) = bench.call_model(&target).await else { break };
            worked += usize::from(answer.works());
            finding.saw(format!("a call of {target} {}", answer.words()));
        }
    }
    if worked == 0 {
        finding.by_hand("no call worked: the project needs an API key, and an endpoint or --model");
        return Ok(());
    }
    bench.journal.called(bench.clock.now(), balance)
}

impl Bench {
    fn today(&self) -> Date {
        self.clock.now().to_zoned(beijing()).date()
    }

    /// Waits until `minutes` after the calls, or as long as the operator allows; returns the minutes since the calls.
    async fn wait_since_calls(&self, minutes: u64) -> Option<i64> {
        let called = self.journal.saved().called?;
        let since = |at: jiff::Timestamp| at.duration_since(called).as_secs().max(0);
        let most = Duration::from_secs(minutes * 60).min(self.wait);
        let passed = Duration::from_secs(since(self.clock.now()).unsigned_abs());
        if let Some(left) = most.checked_sub(passed) {
            let _progress = super::super::super::progress::Progress::start(
                "waiting for usage and bills of the calls",
            );
            tokio::time::sleep(left).await;
        }
        Some(since(self.clock.now()) / 60)
    }
}

fn said_when(minutes: Option<i64>) -> String {
    match minutes {
        Some(minutes) => format!("{minutes} min after the calls"),
        None => "no call was made".to_owned(),
    }
}

/// What the rows of a bill show: how many, which fields, and which of them name endpoints or keys.
fn rows(answer: &Answer) -> (usize, String) {
    let Some(list) = answer.list("List") else { return (0, "no List".to_owned()) };
    let total = answer.field("Total").map_or("absent".to_owned(), super::super::transcript::shown);
    let warning = match answer.field("Warning") {
        None | Some(Value::Null) => "no Warning".to_owned(),
        Some(Value::String(text)) if text.is_empty() => "no Warning".to_owned(),
        Some(_) => "a Warning".to_owned(),
    };
    let mut ids = BTreeSet::new();
    let mut unattributed = 0;
    for row in list.iter().filter_map(Value::as_object) {
        for (name, value) in row {
            let text = value.as_str().unwrap_or_default();
            let kind = ["ep-m-", "ep-", "apikey-"].iter().find(|start| text.starts_with(**start));
            ids.extend(kind.map(|kind| format!("{} {kind}…", plain(name))));
        }
        unattributed += usize::from(
            row.get("Project").is_none_or(|it| ["-", ""].map(Value::from).contains(it)),
        );
    }
    let names: BTreeSet<String> = list
        .iter()
        .filter_map(Value::as_object)
        .flat_map(|row| row.keys())
        .map(|it| plain(it))
        .collect();
    let ids: Vec<String> = ids.into_iter().collect();
    let ids =
        if ids.is_empty() { "none names an endpoint or a key".to_owned() } else { ids.join(", ") };
    let mut text = format!(
        "{} rows, Total {total}, {warning}; without a project: {unattributed}; {ids}",
        list.len()
    );
    if !names.is_empty() {
        let names: Vec<String> = names.into_iter().collect();
        text.push_str(&format!("; fields {}", names.join(" ")));
    }
    (list.len(), text)
}

/// Probes 12 to 15.
pub(super) async fn bills(bench: &Bench, finding: &mut Finding) {
    let minutes = bench.wait_since_calls(15).await;
    finding.saw(said_when(minutes));
    let today = bench.today();
    let body = |day: Date, more: Value| {
        let mut body = json!({
            "BillPeriod": format!("{:04}-{:02}", day.year(), day.month()), "ExpenseDate": day.to_string(),
            "GroupPeriod": 2, "Limit": 5, "Offset": 0, "NeedRecordNum": 1, "IgnoreZero": 0,
        });
        if let (Some(body), Some(more)) = (body.as_object_mut(), more.as_object()) {
            body.extend(more.clone());
        }
        body
    };
    let ark = json!({"GroupTerm": 0, "Product": ["ark_bd"]});
    let detail = billing(&bench.api, "ListBillDetail", body(today, ark)).await;
    let (many, text) = rows(&detail);
    finding.saw(format!("12: {}", detail.line()));
    finding.saw(format!("12: {text}"));
    finding.follows(match many {
        0 => "12: today's bill has no rows of 方舟 yet",
        _ if text.contains(" ep-") => "12: rows of the account's bill name endpoints: report it",
        _ => "12: today's bill has rows of 方舟 and names no endpoint",
    });
    let term = json!({"GroupTerm": 3, "GroupPeriod": 1});
    let total = billing(&bench.api, "ListBillDetail", body(today, term)).await;
    finding.saw(format!("13: {}", total.line()));
    finding.saw(format!("13: {}", rows(&total).1));
    let yesterday = today.yesterday().unwrap_or(today);
    let owner = bench.api.account_number().await.ok().map(|number| json!([number]));
    let filtered = json!({"Project": [bench.project.as_str()], "OwnerID": owner});
    for (what, day, more) in [
        ("14, today", today, json!({})),
        ("14, yesterday", yesterday, json!({})),
        ("14, yesterday, Project and OwnerID", yesterday, filtered),
        (
            "15, by key",
            yesterday,
            json!({"Product": ["ark_bd"], "SplitDimension": "{\"ark_bd\":\"apikey_id\"}"}),
        ),
    ] {
        let answer = billing(&bench.api, "ListSplitBillDetail", body(day, more)).await;
        finding.saw(format!("{what}: {}", answer.line()));
        finding.saw(format!("{what}: {}", rows(&answer).1));
    }
}

/// Probe 17.
pub(super) async fn usage(bench: &Bench, finding: &mut Finding) {
    let today = bench.today();
    for minutes in [10, 20, 40] {
        let passed = bench.wait_since_calls(minutes).await;
        match bench.api.inference_usage(&bench.project, today, today, true).await {
            Ok(rows) if rows.is_empty() => {
                finding.saw(format!("{}: no rows yet", said_when(passed)))
            }
            Ok(rows) => {
                let sid = rows.iter().filter(|row| row.key.starts_with("apikey-")).count();
                let endpoint = rows.iter().filter(|row| row.endpoint.starts_with("ep-")).count();
                finding.saw(format!(
                    "{}: {} rows; {endpoint} name an endpoint, {sid} a key by its SID",
                    said_when(passed),
                    rows.len()
                ));
                finding.follows("usage is understood: a cut can be proven by it");
                break;
            }
            Err(error) => {
                finding.saw(format!("{}: {}", said_when(passed), error.explanation()));
                finding.follows("usage is not understood: airgate says that a cut cannot be proven. Report the shape below");
                break;
            }
        }
        if passed.is_none() || bench.wait < Duration::from_secs(minutes * 60) {
            break;
        }
    }
    for field in ["Key", "FieldName"] {
        let filters = ["ModelName", "ModelEndpoint", "ApikeyID", "BillingStatus"]
            .map(|name| json!({field: name, "Values": []}));
        let body = json!({
            "StartTime": today.to_string(), "EndTime": today.to_string(), "QueryInterval": "Hour",
            "ProjectName": bench.project.as_str(), "ShowWindowDetail": false, "Filters": filters,
        });
        let answer = ark(&bench.api, "GetInferenceUsage", body).await;
        finding.saw(format!("filters by {field}: {}", answer.line()));
        if let Ok(Value::Object(result)) = &answer.result {
            let names: Vec<String> = result.keys().map(|name| plain(name)).collect();
            let columns = result.get("Fields").and_then(Value::as_array).into_iter().flatten();
            let columns: Vec<String> =
                columns.filter_map(|it| Some(plain(it.get("Name")?.as_str()?))).collect();
            finding.saw(format!("Result has {}; columns {}", names.join(" "), columns.join(" ")));
        }
    }
}

/// Probe 19.
pub(super) async fn balance(bench: &Bench, finding: &mut Finding) {
    let minutes = bench.wait_since_calls(20).await;
    finding.saw(said_when(minutes));
    let answer = billing(&bench.api, "QueryBalanceAcct", json!({})).await;
    finding.saw(answer.line());
    let before = bench.journal.saved().balance;
    let now = bench.api.available_balance().await.ok();
    finding.follows(match (before, now) {
        (Some(before), Some(now)) if now < before => {
            "the balance fell: its change can be an early alarm"
        }
        (Some(before), Some(now)) if now == before => {
            "the balance did not change: the calls are below a cent, or it lags"
        }
        (Some(_), Some(_)) => "the balance rose: not comparable",
        _ => "the balance was not read before and after",
    });
}
