//! Calls that change something: what is sent, and what a refusal means.

use super::*;

#[tokio::test]
async fn endpoints_are_stopped_and_started_by_id() {
    let fake = Fake::start(|seen| match seen.body["Id"].as_str() {
        Some("ep-1") => Reply::Result(json!({})),
        Some("ep-gone") => Reply::Error(404, "NotFound.Endpoint"),
        Some("ep-old") => Reply::Error(404, "InvalidActionOrVersion"),
        _ => Reply::Error(403, "OperationDenied.InvalidState"),
    })
    .await;
    let account = fake.account();
    account.stop_endpoint("ep-1").await.unwrap();
    account.start_endpoint("ep-1").await.unwrap();
    let seen: Vec<(String, Value)> =
        fake.seen().into_iter().map(|seen| (seen.query["Action"].clone(), seen.body)).collect();
    assert_eq!(
        seen,
        [
            ("StopEndpoint".into(), json!({"Id": "ep-1"})),
            ("StartEndpoint".into(), json!({"Id": "ep-1"})),
        ]
    );
    for (id, kind) in [
        ("ep-stopped", ErrorKind::OperationDenied),
        ("ep-gone", ErrorKind::NotFound),
        ("ep-old", ErrorKind::NoSuchAction),
    ] {
        let before = fake.calls();
        assert_eq!(*account.stop_endpoint(id).await.unwrap_err().kind(), kind, "{id}");
        assert_eq!(*account.start_endpoint(id).await.unwrap_err().kind(), kind, "{id}");
        assert_eq!(fake.calls(), before + 2, "{id}");
    }
}

#[tokio::test]
async fn a_stop_is_repeated_until_it_passes() {
    let fake = Fake::start(|seen| match seen.n {
        0 => Reply::Error(400, "AccountFlowLimitExceeded"),
        1 => Reply::Cut,
        _ => Reply::Result(Value::Null),
    })
    .await;
    fake.account().stop_endpoint("ep-1").await.unwrap();
    assert_eq!(fake.calls(), 3);
}

#[tokio::test]
async fn jobs_are_stopped_and_resumed_by_the_actions_of_their_kind() {
    let fake = always(json!({"Id": "x"})).await;
    let account = fake.account();
    account.stop_job(JobKind::Batch, "bi-1").await.unwrap();
    account.stop_job(JobKind::Tuning, "mcj-1").await.unwrap();
    account.resume_job(JobKind::Batch, "bi-1").await.unwrap();
    account.resume_job(JobKind::Tuning, "mcj-1").await.unwrap();
    let actions: Vec<String> =
        fake.seen().iter().map(|seen| format!("{} {}", seen.action(), seen.body)).collect();
    assert_eq!(
        actions,
        [
            r#"StopBatchInferenceJob {"Id":"bi-1"}"#,
            r#"TerminateModelCustomizationJob {"Id":"mcj-1"}"#,
            r#"ResumeBatchInferenceJob {"Id":"bi-1"}"#,
            r#"ResumeModelCustomizationJob {"Id":"mcj-1"}"#,
        ]
    );
}

#[tokio::test]
async fn a_resume_that_is_refused_is_repeated_with_the_id_in_the_query() {
    let fake = Fake::start(|seen| match seen.query.get("Id") {
        None => Reply::Error(400, "MissingParameter.Id"),
        Some(_) => Reply::Result(json!({"Id": "bi-1"})),
    })
    .await;
    fake.account().resume_job(JobKind::Batch, "bi-1").await.unwrap();
    let seen = fake.seen().pop().unwrap();
    assert_eq!((&*seen.query["Id"], seen.body), ("bi-1", json!({})));
    assert_eq!(fake.calls(), 2);

    let fake = Fake::start(|_| Reply::Error(403, "OperationDenied.UnsupportedPhase")).await;
    let error = fake.account().resume_job(JobKind::Batch, "bi-1").await.unwrap_err();
    assert_eq!(*error.kind(), ErrorKind::OperationDenied);
    assert_eq!(fake.calls(), 1);
}

#[tokio::test]
async fn limits_are_read_wrapped_and_unwrapped_and_put_back_as_they_were() {
    let content = json!({"ConcurrentRequests": 5, "CreateTaskRpm": 10, "More": "x"});
    for result in [
        json!({"Endpoint": {"Id": "ep-m-1", "ContentGeneration": content, "RateLimit": null}}),
        json!({"Id": "ep-m-1", "ContentGeneration": content}),
    ] {
        let fake = always(result).await;
        let account = fake.account();
        let limits = account.preset_limits("ep-m-1").await.unwrap();
        assert!(!limits.content_is_zero() && !limits.text_is_zero());
        account.set_preset_limits("ep-m-1", &limits).await.unwrap();
        let seen = fake.seen();
        assert_eq!(seen[0].action(), "InnerDescribeModelEndpointDetail");
        assert_eq!(seen[1].action(), "InnerUpdateModelEndpoint");
        assert_eq!(
            seen[1].body,
            json!({"Id": "ep-m-1", "ContentGeneration": content, "RateLimit": {"Rpm": -1, "Tpm": -1}})
        );
    }
    for broken in [
        Value::Null,
        json!({}),
        json!({"Endpoint": {}}),
        json!({"Endpoint": 7}),
        json!({"Endpoint": {"ContentGeneration": 7}}),
        json!({"RateLimit": "none"}),
    ] {
        let fake = always(broken.clone()).await;
        let error = fake.account().preset_limits("ep-m-1").await.unwrap_err();
        assert_eq!(*error.kind(), ErrorKind::Unexpected, "{broken}");
    }
}

#[tokio::test]
async fn limits_that_were_not_there_are_lifted_as_far_as_the_cloud_takes_it() {
    let fake = Fake::start(|seen| match &seen.body["ContentGeneration"]["ConcurrentRequests"] {
        Value::Null => Reply::Result(json!({})),
        _ => Reply::Error(400, "InvalidParameter.ContentGeneration"),
    })
    .await;
    let none: PresetLimits = "{}".parse().unwrap();
    fake.account().set_preset_limits("ep-m-1", &none).await.unwrap();
    let sent: Vec<Value> =
        fake.seen().into_iter().map(|seen| seen.body["ContentGeneration"].clone()).collect();
    let lifted = json!({"ConcurrentRequests": -1, "CreateTaskRpm": -1});
    assert_eq!(sent, [lifted, json!({"CreateTaskRpm": -1})]);
}

#[tokio::test]
async fn a_refused_kind_of_limit_does_not_keep_the_other_from_being_set() {
    for (refused, calls) in [("", 1), ("RateLimit", 2), ("ContentGeneration", 3)] {
        let fake = Fake::start(move |seen| match seen.body.get(refused) {
            None => Reply::Result(json!({})),
            Some(_) => Reply::Error(400, "InvalidParameter.X"),
        })
        .await;
        fake.account().set_preset_limits("ep-m-1", &PresetLimits::zero()).await.unwrap();
        assert_eq!(fake.calls(), calls, "{refused}");
    }
    let fake = Fake::start(|_| Reply::Error(400, "InvalidParameter.X")).await;
    let error =
        fake.account().set_preset_limits("ep-m-1", &PresetLimits::zero()).await.unwrap_err();
    assert_eq!(*error.kind(), ErrorKind::BadInput);
    let fake = Fake::start(|_| Reply::Error(404, "InvalidActionOrVersion")).await;
    let error =
        fake.account().set_preset_limits("ep-m-1", &PresetLimits::zero()).await.unwrap_err();
    assert!(error.is_no_such_action());
    assert_eq!(fake.calls(), 1);
}
