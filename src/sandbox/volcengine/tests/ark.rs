//! 方舟: endpoints, keys, preset endpoints, jobs, usage, and calls of models.

use serde_json::json;

use super::*;
use crate::sandbox::world::EndpointStatus;

const ARK: &str = "2024-01-01";

/// An account with the user `alice`, who may do everything in 方舟, and the project `team-a`.
fn ark_world() -> World {
    let mut world = world();
    world.rules.ark.calls_per_second = None;
    let account = world.account_mut("main").unwrap();
    account.add_project("team-a", "甲组");
    let alice = account.add_user("alice");
    alice.add_key(KeyStatus::Active);
    alice.attach("ArkFullAccess", PolicyKind::System, PolicyScope::Global);
    world
}

impl Fixture {
    async fn ark(&self, action: &str, body: Value) -> Answer {
        self.post("ark", ARK, action, body).await
    }
}

#[tokio::test]
async fn endpoints_are_listed_stopped_and_started() {
    let mut world = ark_world();
    let account = world.account_mut("main").unwrap();
    let id = account.add_endpoint("team-a", "chat", Some("alice")).id.clone();
    account.add_endpoint("default", "other", None);
    let alice = account.users["alice"].id;
    let fixture = Fixture::new(world).await;
    let list = async |body| fixture.ark("ListEndpoints", body).await.result();
    let found = list(json!({"ProjectName": "team-a"})).await;
    assert_eq!((&found["TotalCount"], &found["PageSize"]), (&json!(1), &json!(10)));
    let tag = json!([{"Key": "sys:ark:createdBy", "Value": format!("IAMUser/{alice}/alice")}]);
    assert_eq!((&found["Items"][0]["Id"], &found["Items"][0]["Tags"]), (&json!(id), &tag));
    // Without a project the list is that of `default`.
    assert_eq!(list(json!({})).await["Items"][0]["Name"], "other");

    fixture.cloud.update(|world| world.rules.lag = 1);
    assert_eq!(fixture.ark("StopEndpoint", json!({"Id": id})).await.status, 200);
    let status =
        async || fixture.ark("GetEndpoint", json!({"Id": id})).await.result()["Status"].clone();
    assert_eq!([status().await, status().await], ["Running", "Stopped"]);
    let again = fixture.ark("StopEndpoint", json!({"Id": id})).await;
    assert_eq!(again.refusal(), (403, "OperationDenied.InvalidState".to_owned()));
    fixture.cloud.update(|world| world.rules.ark.repeats_are_refused = false);
    assert_eq!(fixture.ark("StopEndpoint", json!({"Id": id})).await.status, 200);
    fixture.ark("StartEndpoint", json!({"Id": id})).await.json();
    let running = |world: &World| {
        *world.account("main").unwrap().ark.endpoints[&id].status.get() == EndpointStatus::Running
    };
    assert!(fixture.cloud.read(running));
}
