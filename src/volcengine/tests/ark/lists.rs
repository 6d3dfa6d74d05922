//! Lists: pages, shapes, odd types.

use super::*;

fn endpoints(range: std::ops::Range<usize>) -> Vec<Value> {
    range.map(|n| json!({"Id": format!("ep-{n:04}"), "Status": "Running"})).collect()
}

/// Serves `total` endpoints, at most `most` per page, with what `count` makes of their number as `TotalCount`.
async fn list(total: usize, most: usize, count: fn(usize) -> Value) -> Fake {
    Fake::start(move |seen| {
        let start = ((page(seen) - 1) * most).min(total);
        let rows = endpoints(start..total.min(start + most));
        Reply::Result(json!({"TotalCount": count(total), "Items": rows}))
    })
    .await
}

#[tokio::test]
async fn a_list_is_read_whole_whatever_its_pages_and_its_count_look_like() {
    let number: fn(usize) -> Value = |n| n.into();
    let text: fn(usize) -> Value = |n| n.to_string().into();
    let none: fn(usize) -> Value = |_| Value::Null;
    let uncounted: fn(usize) -> Value = |_| (-1).into();
    let wrong: fn(usize) -> Value = |_| 0.into();
    for (total, most, count, calls) in [
        (0, 100, number, 1),
        (0, 100, text, 1),
        (0, 100, none, 1),
        (1, 100, number, 1),
        (100, 100, text, 1),
        (101, 100, number, 2),
        (250, 100, text, 3),
        (250, 100, none, 4),
        (250, 100, uncounted, 4),
        // Pages shorter than asked for.
        (35, 10, number, 4),
        (35, 10, none, 5),
        // A count that cannot be true ends nothing.
        (150, 100, wrong, 3),
    ] {
        let fake = list(total, most, count).await;
        let endpoints = fake.account().endpoints(&team()).await.unwrap();
        assert_eq!(endpoints.len(), total, "{total} by {most}");
        assert_eq!(fake.calls(), calls, "{total} by {most}");
    }
}

#[tokio::test]
async fn a_response_without_a_whole_list_is_not_an_empty_list() {
    for result in [
        Value::Null,
        json!({}),
        json!([]),
        json!({"Items": null}),
        json!({"TotalCount": 3}),
        json!({"TotalCount": 3, "Items": []}),
        json!({"TotalCount": "3", "Items": null}),
        json!({"TotalCount": 1, "Items": {}}),
        json!({"TotalCount": 1, "Items": ["ep-1"]}),
        // The same page again and again.
        json!({"Items": endpoints(0..100)}),
        json!({"TotalCount": 250, "Items": endpoints(0..100)}),
    ] {
        let fake = always(result.clone()).await;
        let error = fake.account().endpoints(&team()).await.unwrap_err();
        assert_eq!(*error.kind(), ErrorKind::Unexpected, "{result}");
        assert!(fake.calls() <= 3, "{result}");
    }
    let fake = always(json!({"TotalCount": 0, "Items": null})).await;
    assert!(fake.account().endpoints(&team()).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_list_that_changes_while_it_is_paged_is_read_again() {
    // An endpoint of the first page goes away, so that the second page misses one.
    let fake = Fake::start(|seen| {
        let all = endpoints(0..150);
        let all = if seen.n == 0 { all } else { all[1..].to_vec() };
        let start = (page(seen) - 1) * 100;
        let rows = all[start..all.len().min(start + 100)].to_vec();
        Reply::Result(json!({"TotalCount": all.len(), "Items": rows}))
    })
    .await;
    let endpoints = fake.account().endpoints(&team()).await.unwrap();
    assert_eq!(endpoints.len(), 149);
    assert!(endpoints.iter().any(|endpoint| endpoint.id == "ep-0100"));
    assert_eq!(fake.calls(), 4);
}

#[tokio::test]
async fn a_row_that_is_there_twice_may_hide_another() {
    // The count stays the same: one came in front, one at the end went away.
    let fake = Fake::start(|seen| {
        let rows = if page(seen) == 1 { endpoints(0..100) } else { endpoints(99..149) };
        Reply::Result(json!({"TotalCount": 150, "Items": rows}))
    })
    .await;
    let error = fake.account().endpoints(&team()).await.unwrap_err();
    assert_eq!(*error.kind(), ErrorKind::Unexpected, "{error}");
    assert_eq!(fake.calls(), 6);
}

#[tokio::test]
async fn a_failure_on_any_page_fails_the_list() {
    let fake = Fake::start(|seen| match page(seen) {
        1 => Reply::Result(json!({"TotalCount": 150, "Items": endpoints(0..100)})),
        _ => Reply::Error(403, "AccessDenied"),
    })
    .await;
    let error = fake.account().endpoints(&team()).await.unwrap_err();
    assert_eq!(*error.kind(), ErrorKind::Permission);
    assert!(error.is_about_models());
    assert!(error.to_string().contains("ArkFullAccess"), "{error}");
}

#[tokio::test]
async fn endpoints_are_read_with_their_creator() {
    let fake = Fake::start(|seen| {
        assert_eq!((seen.method.as_str(), seen.action()), ("POST", "ListEndpoints"));
        assert_eq!(seen.query["Version"], "2024-01-01");
        assert_eq!(seen.query.len(), 2);
        Reply::Result(json!({"TotalCount": 2, "PageNumber": 1, "PageSize": 100, "Items": [
            {"Id": "ep-20260901101112-a1b2c", "Name": "team-a-chat", "ProjectName": "team-a", "Status": "Running",
             "ModelReference": {"FoundationModel": {"Name": "doubao"}}, "ModelUnitId": "", "RateLimit": {"Rpm": 600},
             "Tags": [{"Key": "sys:ark:createdBy", "Value": "IAMUser/10000/alice"}]},
            {"Id": "ep-2", "Name": null, "Status": "stopped", "ModelUnitId": "mu-1", "Tags": null},
        ]}))
    })
    .await;
    let endpoints = fake.account().endpoints(&team()).await.unwrap();
    let alice = Creator { user_id: "10000".into(), username: "alice".into() };
    assert_eq!(
        endpoints,
        [
            ArkEndpoint {
                id: "ep-20260901101112-a1b2c".into(),
                name: "team-a-chat".into(),
                project: "team-a".into(),
                status: EndpointStatus::Running,
                creator: Some(alice),
                model_unit: false,
            },
            ArkEndpoint {
                id: "ep-2".into(),
                name: String::new(),
                project: "team-a".into(),
                status: EndpointStatus::Stopped,
                creator: None,
                model_unit: true,
            },
        ]
    );
}

#[tokio::test]
async fn odd_types_fail_no_list_and_hide_no_row() {
    let odd = json!({"TotalCount": 3, "Items": [
        {"Id": 7, "Name": [], "Status": {}, "Tags": 7, "ModelUnitId": false, "ProjectName": null, "CreateTime": {}},
        {"Name": "without an id"},
        {"Name": "another without an id", "Status": null},
    ]});
    let fake = always(odd).await;
    let endpoints = fake.account().endpoints(&team()).await.unwrap();
    let ids: Vec<&str> = endpoints.iter().map(|endpoint| &*endpoint.id).collect();
    assert_eq!(ids, ["7", "", ""]);
    assert!(endpoints.iter().all(|e| e.status == EndpointStatus::Other(String::new())));
}

#[tokio::test]
async fn things_of_another_project_are_left_out() {
    let rows = json!({"TotalCount": 3, "Items": [
        {"Id": 1, "ProjectName": "team-a"}, {"Id": 2, "ProjectName": "team-b"}, {"Id": 3},
    ]});
    let fake = always(rows).await;
    let account = fake.account();
    assert_eq!(account.endpoints(&team()).await.unwrap().len(), 2);
    assert_eq!(account.preset_endpoints(&team()).await.unwrap().len(), 2);
    assert_eq!(account.jobs(&team()).await.unwrap().len(), 4);
    assert_eq!(account.ark_keys(&team(), KeysOf::Everybody).await.unwrap().len(), 2);
}

#[tokio::test]
async fn jobs_of_both_kinds_are_read() {
    let fake = Fake::start(|seen| match (seen.action(), page(seen)) {
        ("ListBatchInferenceJobs", 1) => Reply::Result(json!({"TotalCount": 1, "Items": [
            {"Id": "bi-1", "Name": "nightly", "ProjectName": "team-a",
             "Status": {"Phase": "Running", "PhaseTime": "x"}, "RequestCounts": {"Total": 1000},
             "Tags": [{"Key": "sys:ark:createdBy", "Value": "IAMUser/10000/alice"}]}]})),
        ("ListModelCustomizationJobs", 1) => Reply::Result(json!({"TotalCount": 1, "Items": [
            {"Id": "mcj-1", "Status": {"Phase": "Terminated", "Resumable": true}}]})),
        (other, page) => panic!("{other} {page}"),
    })
    .await;
    let jobs = fake.account().jobs(&team()).await.unwrap();
    assert_eq!(
        (&*jobs[0].id, jobs[0].kind, &jobs[0].phase),
        ("bi-1", JobKind::Batch, &JobPhase::Active)
    );
    assert_eq!(jobs[0].creator.as_ref().unwrap().username, "alice");
    assert_eq!(
        (&*jobs[1].id, jobs[1].kind, &jobs[1].phase),
        ("mcj-1", JobKind::Tuning, &JobPhase::Ended)
    );
    assert_eq!((jobs[0].resumable, jobs[1].resumable), (None, Some(true)));
}

#[tokio::test]
async fn preset_endpoints_show_their_limits_only_if_the_list_has_both_kinds() {
    let both = json!({"ConcurrentRequests": 5, "CreateTaskRpm": 10});
    let fake = always(json!({"TotalCount": "4", "Items": [
        {"Id": "ep-m-1", "ModelId": "doubao-seed", "ContentGeneration": both, "RateLimit": {"Rpm": 1, "Tpm": 2}},
        {"Id": "ep-m-2", "ModelId": "", "Name": "by name", "ContentGeneration": both},
        {"Id": "ep-m-3", "ModelId": "m", "ContentGeneration": null, "RateLimit": {"Rpm": 0, "Tpm": 0}},
        {"Id": "ep-m-4", "ModelId": "m", "ContentGeneration": 7, "RateLimit": 7},
    ]}))
    .await;
    let presets = fake.account().preset_endpoints(&team()).await.unwrap();
    assert_eq!(fake.seen()[0].action(), "InnerDescribeModelEndpoints");
    assert_eq!(presets[1].model, "by name");
    let shown: Vec<bool> = presets.iter().map(|preset| preset.limits.is_some()).collect();
    assert_eq!(shown, [true, false, false, false]);
}

#[tokio::test]
async fn usage_is_asked_for_by_hour_and_grouped() {
    let fake = Fake::start(|seen| {
        assert_eq!(seen.action(), "GetInferenceUsage");
        Reply::Result(
            json!({"DataCount": 1, "Fields": ["Day", "Hour", "ModelEndpoint", "TotalTokens"],
            "Data": [["2026-11-23", "09", "ep-1", "154000"]]}),
        )
    })
    .await;
    let day = jiff::civil::date(2026, 11, 23);
    let rows = fake.account().inference_usage(&team(), day, day, true).await.unwrap();
    assert_eq!((&*rows[0].endpoint, rows[0].hour, rows[0].tokens), ("ep-1", Some(9), 154_000));
    assert_eq!(
        fake.seen()[0].body,
        json!({"ProjectName": "team-a", "StartTime": "2026-11-23", "EndTime": "2026-11-23", "QueryInterval": "Hour",
            "ShowWindowDetail": false, "Filters": [
                {"Key": "ModelName", "Values": []}, {"Key": "ModelEndpoint", "Values": []},
                {"Key": "ApikeyID", "Values": []}, {"Key": "BillingStatus", "Values": []},
                {"Key": "BatchType", "Values": []}, {"Key": "BatchJobID", "Values": []}]})
    );
}

#[tokio::test]
async fn usage_is_asked_for_without_batch_jobs_where_their_columns_are_refused() {
    let fake = Fake::start(|seen| match seen.body["Filters"].as_array().map(Vec::len) {
        Some(6) => Reply::Error(400, "InvalidParameter.Filters"),
        _ => Reply::Result(json!({"Data": [{"Day": "2026-11-23", "TotalTokens": "5"}]})),
    })
    .await;
    let day = jiff::civil::date(2026, 11, 23);
    let rows = fake.account().inference_usage(&team(), day, day, false).await.unwrap();
    assert_eq!((rows[0].tokens, rows[0].used_by), (5, crate::volcengine::UsedBy::Unknown));
}

#[tokio::test]
async fn usage_is_asked_for_in_the_other_spelling_if_the_first_is_refused() {
    let fake = Fake::start(|seen| match &seen.body["Filters"][0]["FieldName"] {
        Value::Null => Reply::Error(400, "InvalidParameter.Filters"),
        _ => Reply::Result(json!({"Data": []})),
    })
    .await;
    let day = jiff::civil::date(2026, 11, 23);
    assert_eq!(fake.account().inference_usage(&team(), day, day, false).await.unwrap(), []);
    assert_eq!(fake.seen()[1].body["QueryInterval"], "Day");

    for result in [Value::Null, json!({"DataCount": 2}), json!({"TotalTokens": 7})] {
        let fake = always(result).await;
        let error = fake.account().inference_usage(&team(), day, day, false).await.unwrap_err();
        assert_eq!(*error.kind(), ErrorKind::Unexpected);
    }
}
