//! Probes 2 and 3: which body of UpdateApiKey switches a key off.

use serde_json::{Map, Value, json};

use super::super::super::Failure;
use super::super::calls::{Answer, ModelAnswer, after, ark};
use super::super::state::Owed;
use super::super::transcript::{Finding, fields};
use super::super::undo::key_fields;
use super::super::{Bench, bench::ProbeKey};
use crate::volcengine::{ArkKeyState, ErrorKind};

/// A field that may switch a key.
struct Candidate {
    field: &'static str,
    off: Value,
    on: Value,
}

impl Candidate {
    fn body(&self, id: &Value, value: &Value) -> Value {
        let mut body = Map::new();
        body.insert("Id".to_owned(), id.clone());
        body.insert(self.field.to_owned(), value.clone());
        Value::Object(body)
    }

    /// Returns the value of a configuration key, in quotes.
    fn configured(&self, value: &Value) -> String {
        format!("'UpdateApiKey {{\"Id\": $id, \"{}\": {value}}}'", self.field)
    }
}

/// The candidates of docs/platforms/ark.md §A.4. `status` is how the list writes that the key is on.
fn candidates(status: Option<&Value>) -> [Candidate; 4] {
    let on = status.filter(|status| status.is_string()).cloned().unwrap_or(json!("Active"));
    [
        Candidate { field: "Status", off: json!("Inactive"), on: on.clone() },
        Candidate { field: "Status", off: json!("Disabled"), on },
        Candidate { field: "Disable", off: json!(true), on: json!(false) },
        Candidate { field: "Disabled", off: json!(true), on: json!(false) },
    ]
}

pub(super) async fn run(bench: &mut Bench, finding: &mut Finding) -> Result<(), Failure> {
    let Some(ProbeKey { id, sid, .. }) = &bench.key else {
        finding.by_hand("make one API key in the project, then run the probe again");
        return Ok(());
    };
    let (id, sid) = (*id, sid.clone());
    let before = match bench.raw_key(id).await {
        Ok(Some(item)) => item,
        Ok(None) => {
            finding.saw("ListApiKeys does not show the key");
            return Ok(());
        }
        Err(answer) => {
            finding.saw(answer.line());
            return Ok(());
        }
    };
    finding.saw(format!("ListApiKeys shows {}", fields(&before)));
    let Some(on_fields) = key_fields(bench, id).await else {
        finding.saw("ListApiKeys cannot be read");
        return Ok(());
    };
    for candidate in candidates(before.get("Status")) {
        let off = candidate.body(&json!(id), &candidate.off);
        let on = candidate.body(&json!(id), &candidate.on);
        let owed =
            Owed::SwitchKeyOn { id, sid: sid.clone(), body: on.clone(), fields: on_fields.clone() };
        bench.journal.owe(owed.clone())?;
        let answer = ark(&bench.api, "UpdateApiKey", off).await;
        let tried = format!("{{{} {}}}", candidate.field, candidate.off);
        finding.saw(format!("{tried}: {}", answer.line()));
        if answer.is_console_only() {
            bench.journal.paid(&owed)?;
            only_the_console(&answer, finding);
            return Ok(());
        }
        if answer.is(&ErrorKind::BadInput) {
            bench.journal.paid(&owed)?;
            continue;
        }
        if !answer.worked() {
            // What is owed is undone before anything else happens.
            finding.follows("no clear answer: run the probe again");
            return Ok(());
        }
        match seen(bench, id, &on_fields, finding).await {
            Seen::Off => {
                switched(bench, id, &candidate, &on, finding).await;
                return Ok(());
            }
            Seen::Unknown => {
                finding.follows("airgate would not believe this body, because it does not know the word: report it");
                return Ok(());
            }
            Seen::Unchanged => {}
        }
        if bench.key_refused().await {
            finding.saw("calls are refused although the list shows no change");
            finding.follows(
                "airgate would not believe this body, because it reads the list: report it",
            );
            return Ok(());
        }
        finding.saw(format!("{tried} is ignored with success: the list shows no change"));
        bench.journal.paid(&owed)?;
    }
    finding.follows("no known body switches a key off by API: the console alone can");
    fall_back(finding);
    Ok(())
}

fn only_the_console(answer: &Answer, finding: &mut Finding) {
    finding.follows(format!(
        "UpdateApiKey is not for access keys ({}): the console alone can; ask the vendor's support with this RequestId",
        answer.code()
    ));
    fall_back(finding);
}

fn fall_back(finding: &mut Finding) {
    finding.config.push("model_keys = \"report\"    # or \"rotate\"".into());
    finding.by_hand(
        "方舟控制台 → API Key 管理 with the browser's network tab open: 禁用 and 启用 a throw-away key. Action and body of the \
         requests are access.model_key_disable and access.model_key_enable",
    );
}

/// What the list shows after a call.
enum Seen {
    /// As airgate reads it.
    Off,
    /// It has changed to something that airgate does not read as off.
    Unknown,
    Unchanged,
}

async fn seen(bench: &Bench, id: i64, before: &Map<String, Value>, finding: &mut Finding) -> Seen {
    let look = async || bench.key_state(id).await;
    let off = |state: &Option<ArkKeyState>| *state == Some(ArkKeyState::Off);
    let most = bench.patience.short;
    let (took, _) = bench.patience.until(most, look, off).await;
    let now = key_fields(bench, id).await.unwrap_or_default();
    let seen = match took {
        Some(_) => Seen::Off,
        None if now == *before => return Seen::Unchanged,
        None => Seen::Unknown,
    };
    let now = fields(&Value::Object(now));
    finding.saw(format!("the list shows {now} {}", after(took, most)));
    seen
}

/// The key is off: measures how soon calls end, and that it comes back.
async fn switched(
    bench: &Bench,
    id: i64,
    candidate: &Candidate,
    on: &Value,
    finding: &mut Finding,
) {
    let long = bench.patience.long;
    let target = bench.callable();
    if let Some(target) = &target {
        let call = async || bench.call_model(target).await;
        let refused =
            |answer: &Option<ModelAnswer>| answer.as_ref().is_none_or(|it| it.is_refused());
        let (took, answer) = bench.patience.until(long, call, refused).await;
        if let Some(answer) = answer {
            finding.saw(format!("a call of {target} {} {}", answer.words(), after(took, long)));
        }
        match took {
            Some(_) => finding.follows("switching the key off ends its calls"),
            None => finding.follows(
                "calls with a key that the list shows as off still work: do not rely on it",
            ),
        }
    } else {
        finding.by_hand(
            "whether calls end was not seen: the project needs a running endpoint, or name --model",
        );
    }
    let answer = ark(&bench.api, "UpdateApiKey", on.clone()).await;
    finding.saw(format!("{{{} {}}}: {}", candidate.field, candidate.on, answer.line()));
    let look = async || bench.key_state(id).await;
    let is_on = |state: &Option<ArkKeyState>| *state == Some(ArkKeyState::On);
    let (took, _) = bench.patience.until(long, look, is_on).await;
    finding.saw(format!("the list shows the key as on {}", after(took, long)));
    if took.is_none() {
        finding.follows("the key did not come back by the same field: do not configure it");
        return;
    }
    if let Some(target) = &target {
        let call = async || bench.call_model(target).await;
        let works = |answer: &Option<ModelAnswer>| answer.as_ref().is_some_and(ModelAnswer::works);
        let (took, _) = bench.patience.until(long, call, works).await;
        finding.saw(format!("a call of {target} works again {}", after(took, long)));
    }
    finding.config.push("model_keys = \"disable\"".into());
    finding.config.push(format!("model_key_disable = {}", candidate.configured(&candidate.off)));
    finding.config.push(format!("model_key_enable = {}", candidate.configured(&candidate.on)));
}

impl Bench {
    /// Returns what the throw-away key can call: the endpoint, or the Model ID.
    pub(super) fn callable(&self) -> Option<String> {
        self.key.as_ref()?;
        self.endpoint.clone().or_else(|| self.model.clone())
    }

    /// Returns whether a call with the throw-away key is refused.
    async fn key_refused(&self) -> bool {
        match self.callable() {
            Some(target) => self.call_model(&target).await.is_some_and(|it| it.is_refused()),
            None => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{KeySwitch, ProjectName};

    #[test]
    fn what_is_printed_for_the_configuration_is_what_was_tried() {
        for candidate in candidates(Some(&json!("Active"))) {
            for value in [&candidate.off, &candidate.on] {
                let text = candidate.configured(value);
                let switch: KeySwitch = text.trim_matches('\'').parse().unwrap();
                let body = switch.body(7, &ProjectName::new("x").unwrap()).unwrap();
                assert_eq!(switch.action(), "UpdateApiKey");
                assert_eq!(body, candidate.body(&json!(7), value));
            }
        }
    }
}
