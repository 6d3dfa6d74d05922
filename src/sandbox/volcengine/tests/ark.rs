//! 方舟: endpoints, keys, preset endpoints, jobs, usage, and calls of models.

use serde_json::json;

use super::*;
use crate::sandbox::world::{EndpointStatus, KeySwitchForm, Model, Phase, RateLimitRule};

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

#[tokio::test]
async fn invalid_calls_are_refused() {
    let mut world = ark_world();
    let account = world.account_mut("main").unwrap();
    let id = account.add_endpoint("team-a", "chat", Some("alice")).id.clone();
    let preset = account.add_preset("team-a", Model::TEXT).id.clone();
    let key = account.add_ark_key("team-a", "key", Some("alice")).id;
    let job = account.add_batch_job("team-a", "nightly", Some("alice"));
    job.phase.put(Phase::Completed);
    let job = job.id.clone();
    let fixture = Fixture::new(world).await;
    let usage = |from: &str, to: &str, interval: &str, column: &str| {
        json!({"StartTime": from, "EndTime": to, "QueryInterval": interval,
            "Filters": [{"Key": column, "Values": []}]})
    };
    let cases = [
        ("ListEndpoints", json!({"PageSize": 101}), 400, "InvalidParameter.PageSize"),
        ("ListEndpoints", json!({"PageSize": 0}), 400, "InvalidParameter.PageSize"),
        ("ListEndpoints", json!({"PageNumber": 0}), 400, "InvalidParameter.PageNumber"),
        ("ListEndpoints", json!({"PageSize": "100"}), 400, "InvalidParameter.PageSize"),
        ("ListEndpoints", json!({"Filter": {"Owner": "x"}}), 400, "InvalidParameter.Owner"),
        ("StopEndpoint", json!({}), 400, "MissingParameter.Id"),
        ("StopEndpoint", json!({"Id": "ep-none"}), 404, "NotFound.Endpoint"),
        ("StopEndpoint", json!({"Id": preset}), 403, "OperationDenied.UnsupportedEndpoint"),
        ("StartEndpoint", json!({"Id": id}), 403, "OperationDenied.InvalidState"),
        ("StopEndpoints", json!({"Id": id}), 404, "InvalidActionOrVersion"),
        ("InnerDescribeModelEndpointDetail", json!({"Id": id}), 404, "NotFound.ModelEndpoint"),
        (
            "InnerUpdateModelEndpoint",
            json!({"Id": preset, "RateLimit": {"Rpm": -2}}),
            400,
            "InvalidParameter.Rpm",
        ),
        ("UpdateApiKey", json!({"Id": key.to_string()}), 400, "InvalidParameter.Id"),
        ("UpdateApiKey", json!({"Id": 7, "Regen": true}), 404, "NotFound.ApiKey"),
        ("UpdateApiKey", json!({"Id": key, "Status": "off"}), 400, "InvalidParameter.Status"),
        (
            "GetApiKey",
            json!({"DurationSeconds": 2_592_001, "ResourceType": "endpoint", "ResourceIds": [id]}),
            400,
            "InvalidParameter.DurationSeconds",
        ),
        (
            "GetApiKey",
            json!({"DurationSeconds": 60, "ResourceType": "endpoint", "ResourceIds": []}),
            400,
            "MissingParameter.ResourceIds",
        ),
        ("StopBatchInferenceJob", json!({"Id": job}), 403, "OperationDenied.InvalidState"),
        ("TerminateModelCustomizationJob", json!({"Id": job}), 404, "NotFound.Job"),
        ("ResumeBatchInferenceJob", json!({"Id": job}), 403, "OperationDenied.InvalidState"),
        (
            "GetInferenceUsage",
            usage("2026-10-01", "2026-11-01", "Day", "ModelName"),
            400,
            "InvalidParameter.EndTime",
        ),
        (
            "GetInferenceUsage",
            usage("2026-11-02", "2026-11-01", "Day", "ModelName"),
            400,
            "InvalidParameter.EndTime",
        ),
        (
            "GetInferenceUsage",
            usage("2026-11-01", "2026-11-01", "Minute", "ModelName"),
            400,
            "InvalidParameter.QueryInterval",
        ),
        (
            "GetInferenceUsage",
            usage("2026-11-01", "2026-11-01", "Day", "Project"),
            400,
            "InvalidParameter.Filters",
        ),
    ];
    for (action, body, status, code) in cases {
        let answer = fixture.ark(action, body.clone()).await;
        assert_eq!(answer.refusal(), (status, code.to_owned()), "{action} {body} {answer:?}");
    }
}

#[tokio::test]
async fn only_signed_json_posts_in_the_region_of_the_service_are_taken() {
    let fixture = Fixture::new(ark_world()).await;
    let mut request = Request::new(Method::POST, "ark", ARK, "ListEndpoints");
    request.body = "{}".to_owned();
    request.content_type = Some("application/json");
    assert_eq!(fixture.send(&request).await.status, 200);
    let mut elsewhere = request.clone();
    elsewhere.region = "cn-north-1";
    assert_eq!(fixture.send(&elsewhere).await.refusal(), (400, "InvalidCredential".to_owned()));
    let mut form = request.clone();
    form.content_type = Some("application/x-www-form-urlencoded");
    assert_eq!(fixture.send(&form).await.refusal(), (400, "InvalidParameter.body".to_owned()));
    let mut empty = request.clone();
    empty.body = String::new();
    assert_eq!(fixture.send(&empty).await.refusal(), (400, "InvalidParameter.body".to_owned()));
    let mut get = request.clone();
    get.method = Method::GET;
    assert_eq!(fixture.send(&get).await.refusal(), (405, "MethodNotAllowed".to_owned()));
    let key = fixture.cloud.update(|world| {
        let account = world.account_mut("main").unwrap();
        account.add_ark_key("default", "key", None).text().to_owned()
    });
    let mut bearer = request.sign(&fixture.host());
    *bearer.header("authorization") = format!("Bearer {key}");
    let refused = fixture.send_raw(&bearer).await.refusal();
    assert_eq!(refused, (400, "InvalidAuthorization".to_owned()));
}

#[tokio::test]
async fn keys_are_listed_by_project_and_user_and_switched_in_the_form_of_the_rules() {
    let mut world = ark_world();
    let account = world.account_mut("main").unwrap();
    account.add_user("bob");
    let (alice, bob) = (account.users["alice"].id, account.users["bob"].id);
    let id = account.add_ark_key("team-a", "alice", Some("alice")).id;
    account.add_ark_key("team-a", "bob", Some("bob"));
    account.add_ark_key("default", "root", None);
    let fixture = Fixture::new(world).await;
    let list = async |filter: Value| {
        let body = json!({"ProjectName": "team-a", "PageSize": 100, "Filter": filter});
        fixture.ark("ListApiKeys", body).await.result()["Items"].as_array().unwrap().clone()
    };
    assert_eq!(list(json!({"AllowAll": true})).await.len(), 2);
    assert_eq!(list(json!({"UserId": bob})).await[0]["Name"], "bob");
    assert_eq!(list(json!({"UserId": alice.to_string()})).await[0]["Name"], "alice");
    assert!(list(json!({"UserId": 7})).await.is_empty());
    // Without a filter the list is that of the caller: here the main account.
    assert!(list(json!({})).await.is_empty());

    let update = async |body: Value| fixture.ark("UpdateApiKey", body).await;
    let shown = async || list(json!({"UserId": alice})).await[0].clone();
    let before = shown().await;
    assert_eq!(before["Status"], "Active");
    let new = update(json!({"Id": id, "Regen": true})).await.result();
    let mask = shown().await["Key"].as_str().unwrap().to_owned();
    assert_ne!(before["Key"], mask);
    assert!(mask.len() == 11 && new["ApiKey"].as_str().unwrap().starts_with(&mask[..3]));

    // A field that the cloud does not know changes nothing, and says so nowhere.
    assert_eq!(update(json!({"Id": id, "Disable": true})).await.status, 200);
    assert_eq!(shown().await["Status"], "Active");
    assert_eq!(update(json!({"Id": id, "Status": "Inactive"})).await.status, 200);
    assert_eq!(shown().await["Status"], "Inactive");
    fixture.cloud.update(|world| world.rules.ark.key_switch = KeySwitchForm::Disable);
    assert_eq!(shown().await["Disable"], true);
    assert_eq!(update(json!({"Id": id, "Disable": false})).await.status, 200);
    assert_eq!((&shown().await["Disable"], shown().await.get("Status")), (&json!(false), None));
    fixture.cloud.update(|world| world.rules.ark.key_switch = KeySwitchForm::NoSuchAction);
    let refused = update(json!({"Id": id, "Disable": true})).await.refusal();
    assert_eq!(refused, (404, "InvalidActionOrVersion".to_owned()));
    assert_eq!(fixture.ark("DeleteApiKey", json!({"Id": id})).await.status, 200);
    assert!(list(json!({"UserId": alice})).await.is_empty());
}

#[tokio::test]
async fn limits_of_a_preset_endpoint_follow_the_rules() {
    let mut world = ark_world();
    let account = world.account_mut("main").unwrap();
    let key = account.add_ark_key("team-a", "key", Some("alice")).text().to_owned();
    let id = account.add_preset("team-a", Model::TEXT).id.clone();
    let fixture = Fixture::new(world).await;
    let detail = async || {
        let answer = fixture.ark("InnerDescribeModelEndpointDetail", json!({"Id": id})).await;
        answer.result()["Endpoint"].clone()
    };
    let zero = json!({"Id": id, "RateLimit": {"Rpm": 0, "Tpm": 0},
        "ContentGeneration": {"ConcurrentRequests": 0, "CreateTaskRpm": 0}});
    let none = json!({"Id": id, "RateLimit": {"Rpm": -1, "Tpm": -1},
        "ContentGeneration": {"CreateTaskRpm": -1}});
    let update =
        async |body: &Value| fixture.ark("InnerUpdateModelEndpoint", body.clone()).await.status;
    let call = || fixture.cloud.call_model(&key, &Model::TEXT.id()).map(drop);
    let code = || call().map_err(|refused| (refused.http, refused.code));
    assert_eq!(code(), Ok(()));
    assert_eq!(update(&zero).await, 200);
    assert_eq!(detail().await["RateLimit"], json!({"Rpm": 0, "Tpm": 0}));
    assert_eq!(code(), Err((429, "RateLimitExceeded.EndpointRPMExceeded")));
    assert_eq!(update(&none).await, 200);
    let shown = detail().await;
    assert_eq!((shown.get("RateLimit"), shown.get("ContentGeneration")), (None, None));
    assert_eq!(code(), Ok(()));

    let rule = |rule| fixture.cloud.update(|world| world.rules.ark.rate_limit = rule);
    rule(RateLimitRule::Dropped);
    assert_eq!(update(&zero).await, 200);
    let shown = detail().await;
    assert_eq!(
        (shown.get("RateLimit"), &shown["ContentGeneration"]["CreateTaskRpm"]),
        (None, &json!(0))
    );
    assert_eq!(code(), Ok(()));
    rule(RateLimitRule::ZeroMeansNone);
    assert_eq!(update(&zero).await, 200);
    assert_eq!(detail().await["RateLimit"]["Rpm"], 0);
    assert_eq!(code(), Ok(()));
    rule(RateLimitRule::Refused);
    assert_eq!(update(&zero).await, 400);
    fixture.cloud.update(|world| world.rules.ark.limits_are_merged = true);
    assert_eq!(update(&json!({"Id": id, "ContentGeneration": {"CreateTaskRpm": -1}})).await, 200);
    assert_eq!(detail().await["ContentGeneration"]["ConcurrentRequests"], 0, "left as it was");
    fixture.cloud.update(|world| world.rules.ark.has_preset_actions = false);
    assert_eq!(update(&zero).await, 404);
}

#[tokio::test]
async fn jobs_stop_resume_and_spend_while_they_run() {
    let mut world = ark_world();
    let account = world.account_mut("main").unwrap();
    let batch = account.add_batch_job("team-a", "nightly", Some("alice")).id.clone();
    let tuning = account.add_tuning_job("team-a", "tune", Some("alice")).id.clone();
    let fixture = Fixture::new(world).await;
    let phase = async |action| {
        let answer = fixture.ark(action, json!({"ProjectName": "team-a"})).await.result();
        answer["Items"][0]["Status"]["Phase"].as_str().unwrap().to_owned()
    };
    let advance = || {
        fixture.cloud.update(|world| {
            let account = world.account_mut("main").unwrap();
            account.advance_jobs(2, now(), None);
            account.ark.usage.len()
        })
    };
    assert_eq!(advance(), 4);
    for (stop, list, id) in [
        ("StopBatchInferenceJob", "ListBatchInferenceJobs", &batch),
        ("TerminateModelCustomizationJob", "ListModelCustomizationJobs", &tuning),
    ] {
        assert_eq!(phase(list).await, "Running");
        assert_eq!(fixture.ark(stop, json!({"Id": id})).await.status, 200);
        assert_eq!([phase(list).await, phase(list).await], ["Terminating", "Terminated"]);
    }
    assert_eq!(advance(), 4, "a stopped job spends nothing");
    fixture.cloud.update(|world| {
        world.rules.ark.resume_takes_the_query = true;
        let account = world.account_mut("main").unwrap();
        account.ark.jobs.get_mut(&tuning).unwrap().resumable = false;
    });
    let refused = fixture.ark("ResumeBatchInferenceJob", json!({"Id": batch})).await;
    assert_eq!(refused.refusal(), (400, "MissingParameter.Id".to_owned()));
    let resume = async |action, id: &str| {
        let mut request = Request::new(Method::POST, "ark", ARK, action);
        request.add(&[("Id", id)]);
        request.body = "{}".to_owned();
        request.content_type = Some("application/json");
        fixture.send(&request).await
    };
    assert_eq!(resume("ResumeBatchInferenceJob", &batch).await.result()["Id"], batch);
    let refused = resume("ResumeModelCustomizationJob", &tuning).await;
    assert_eq!(refused.refusal(), (403, "OperationDenied.InvalidState".to_owned()));
    assert_eq!(advance(), 6);
}
