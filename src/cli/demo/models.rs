//! Calls of models by the demo's new user, with each kind of key that she holds: what works before a cut, and what is left
//! after it.

use serde_json::{Value, json};

use super::stage::{HERO_ACCOUNT, HERO_PROJECT, Stage};
use crate::sandbox::demo_page::{Control, ControlKind};
use crate::sandbox::world::{FakeAccount, Model, World};

/// Returns the control that calls a model with the kind of key that the page names (`endpoint`, `temporary`, `model_id`) and
/// returns the answer: HTTP status and code.
pub(super) fn control(stage: &Stage) -> Control {
    let stage = stage.clone();
    Control::new("models", "Models", ControlKind::Hidden, move |request| {
        let kind = request.get("value").and_then(Value::as_str).unwrap_or_default();
        let held = stage.cloud.read(|world| held(world, kind));
        let answer = held.ok_or_else(|| "models.none".to_owned()).map(|(key, model)| {
            let answer = stage.cloud.call_model(&key, &model);
            let (status, code) = answer.map_or_else(|r| (r.http, r.code), |_| (200, "OK"));
            let at = stage.clock.now().as_millisecond();
            json!({"status": status, "code": code, "at": at})
        });
        async move { answer }
    })
}

/// The key and the model of a kind of call.
fn held(world: &World, kind: &str) -> Option<(String, String)> {
    let account = world.account(HERO_ACCOUNT)?;
    let endpoint = account.ark.endpoints.values().find(|e| e.project == HERO_PROJECT)?.id.clone();
    match kind {
        "endpoint" => Some((project_key(account)?, endpoint)),
        "temporary" => Some((account.ark.temporary_keys.first()?.text().to_owned(), endpoint)),
        "model_id" => Some((project_key(account)?, Model::LITE.id())),
        _ => None,
    }
}

fn project_key(account: &FakeAccount) -> Option<String> {
    let key = account.ark.keys.values().find(|key| key.project == HERO_PROJECT)?;
    Some(key.text().to_owned())
}

#[cfg(test)]
mod tests {
    use super::super::stage;
    use super::*;
    use crate::config::Locale;
    use crate::sandbox::world::EndpointStatus;

    #[tokio::test(flavor = "multi_thread")]
    async fn each_kind_of_key_works_until_what_it_opens_is_closed() {
        let folder = tempfile::tempdir().unwrap();
        let (stage, service) = stage::start(folder.path(), 7, Locale::EnUs).await.unwrap();
        let call = |kind| {
            let (key, model) = stage.cloud.read(|world| held(world, kind)).unwrap();
            stage.cloud.call_model(&key, &model).map_or_else(|refused| refused.code, |_| "OK")
        };
        let kinds = ["endpoint", "temporary", "model_id"];
        assert_eq!(kinds.map(call), ["OK"; 3]);
        let presets = |world: &World| world.account(HERO_ACCOUNT).unwrap().ark.presets.len();
        let before = stage.cloud.read(presets);
        stage.cloud.update(|world| {
            let ark = &mut world.account_mut(HERO_ACCOUNT).unwrap().ark;
            for endpoint in ark.endpoints.values_mut().filter(|e| e.project == HERO_PROJECT) {
                endpoint.status.put(EndpointStatus::Stopped);
            }
        });
        let closed = "InvalidEndpoint.ClosedEndpoint";
        assert_eq!(kinds.map(call), [closed, closed, "OK"]);
        assert_eq!(stage.cloud.read(presets), before, "the preset endpoint exists from the start");
        service.stop().await;
    }
}
