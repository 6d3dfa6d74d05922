//! Correctly signed requests that are refused.

use serde_json::json;

use super::*;
use crate::sandbox::world::ProjectFilter;

fn with_alice() -> World {
    let mut world = world();
    world.account_mut("main").unwrap().add_user("alice");
    world
}

#[tokio::test]
async fn iam_calls_that_are_refused() {
    let fixture = Fixture::new(with_alice()).await;
    let long = "x".repeat(65);
    let key = fixture.cloud.update(|world| {
        let id = world.user_mut("main", "alice").unwrap().add_key(KeyStatus::Active);
        world.user_mut("main", "alice").unwrap().add_key(KeyStatus::Inactive);
        id
    });
    let attach = [("PolicyName", "ArkFullAccess"), ("PolicyType", "System")];
    type Case<'a> = (&'a str, &'a str, Vec<(&'a str, &'a str)>, u16, &'a str);
    let cases: Vec<Case<'_>> = vec![
        (IAM, "ListUser", vec![], 404, "InvalidActionOrVersion"),
        (PROJECTS, "ListUsers", vec![], 404, "InvalidActionOrVersion"),
        (IAM, "ListProjects", vec![], 404, "InvalidActionOrVersion"),
        (BILLING, "ListBillDetail", vec![], 404, "InvalidActionOrVersion"),
        (IAM, "", vec![], 400, "MissingParameter"),
        ("", "ListUsers", vec![], 400, "MissingParameter"),
        (IAM, "ListUsers", vec![("Limit", "101")], 400, "InvalidLimit"),
        (IAM, "ListUsers", vec![("Limit", "0")], 400, "InvalidLimit"),
        (IAM, "ListUsers", vec![("Limit", "ten")], 400, "InvalidLimit"),
        (IAM, "ListUsers", vec![("Offset", "-1")], 400, "InvalidOffset"),
        (PROJECTS, "ListProjects", vec![("Limit", "101")], 400, "InvalidLimit"),
        (IAM, "GetUser", vec![], 400, "ParameterNotFound"),
        (IAM, "GetUser", vec![("UserName", "bob")], 404, "UserNotExist"),
        (IAM, "GetUser", vec![("UserName", "b b")], 400, "InvalidUserName"),
        (IAM, "GetUser", vec![("UserName", "alice"), ("ID", "1")], 400, "InvalidParameter"),
        (IAM, "CreateUser", vec![], 400, "ParameterNotFound"),
        (IAM, "CreateUser", vec![("UserName", "alice")], 409, "UserAlreadyExists"),
        (IAM, "CreateUser", vec![("UserName", &long)], 400, "InvalidUserName"),
        (IAM, "CreateUser", vec![("UserName", "张三")], 400, "InvalidUserName"),
        (IAM, "UpdateUser", vec![("UserName", "bob")], 404, "UserNotExist"),
        (
            IAM,
            "UpdateUser",
            vec![("UserName", "alice"), ("NewUserName", "a b")],
            400,
            "InvalidNewUserName",
        ),
        (IAM, "ListAccessKeys", vec![("UserName", "bob")], 404, "UserNotExist"),
        (IAM, "CreateAccessKey", vec![("UserName", "alice")], 409, "AccessKeyLimitExceeded"),
        (
            IAM,
            "UpdateAccessKey",
            vec![("UserName", "alice"), ("AccessKeyId", &key), ("Status", "Inactive")],
            400,
            "InvalidAccessKeyStatus",
        ),
        (
            IAM,
            "UpdateAccessKey",
            vec![("UserName", "alice"), ("AccessKeyId", "AKLTnone"), ("Status", "inactive")],
            404,
            "AccessKeyNotExist",
        ),
        // Without a user the call refers to the account's own keys.
        (
            IAM,
            "UpdateAccessKey",
            vec![("AccessKeyId", &key), ("Status", "inactive")],
            404,
            "AccessKeyNotExist",
        ),
        (
            IAM,
            "UpdateAccessKey",
            vec![("UserName", "alice"), ("AccessKeyId", &key)],
            400,
            "ParameterNotFound",
        ),
        (IAM, "GetLoginProfile", vec![("UserName", "bob")], 404, "UserNotExist"),
        (
            IAM,
            "AttachUserPolicy",
            vec![("UserName", "alice"), ("PolicyName", "Nope"), ("PolicyType", "System")],
            404,
            "PolicyNotExist",
        ),
        (
            IAM,
            "AttachUserPolicy",
            vec![("UserName", "alice"), ("PolicyName", "ArkFullAccess"), ("PolicyType", "system")],
            400,
            "InvalidPolicyType",
        ),
        (
            IAM,
            "DetachUserPolicy",
            vec![("UserName", "alice"), attach[0], attach[1]],
            409,
            "PolicyDetachConflict",
        ),
        (
            PROJECTS,
            "AttachPolicyInProject",
            vec![attach[0], attach[1], ("PrincipalName", "alice"), ("PrincipalType", "User")],
            400,
            "ParameterNotFound",
        ),
        (
            PROJECTS,
            "AttachPolicyInProject",
            vec![
                attach[0],
                attach[1],
                ("PrincipalName", "alice"),
                ("PrincipalType", "User"),
                ("ProjectName.1", "nowhere"),
            ],
            404,
            "ProjectNotExist",
        ),
        (PROJECTS, "GetProject", vec![("ProjectName", "nowhere")], 404, "ProjectNotExist"),
    ];
    for (version, action, params, status, code) in cases {
        let answer = fixture.iam(version, action, &params).await;
        let expected = (status, code.to_owned());
        assert_eq!(answer.refusal(), expected, "{action} {params:?} {answer:?}");
        assert!(answer.log_id.is_some());
    }
}

#[tokio::test]
async fn the_json_body_of_a_get_action_is_ignored() {
    let fixture = Fixture::new(with_alice()).await;
    let refused = fixture.post("iam", IAM, "CreateUser", json!({"UserName": "bob"})).await;
    assert_eq!(refused.refusal(), (400, "ParameterNotFound".to_owned()));
    let listed = fixture.post("iam", IAM, "ListUsers", json!({"Limit": 50})).await;
    assert_eq!(listed.result()["Limit"], 10);
}

#[tokio::test]
async fn methods_and_services_that_are_refused() {
    let fixture = Fixture::new(world()).await;
    for (method, service, version, action, status, code) in [
        (Method::PUT, "iam", IAM, "ListUsers", 405, "MethodNotAllowed"),
        (Method::DELETE, "billing", BILLING, "ListBillDetail", 405, "MethodNotAllowed"),
        (Method::GET, "billing", BILLING, "ListBillDetail", 405, "MethodNotAllowed"),
        (Method::GET, "ecs", "2020-04-01", "DescribeInstances", 404, "ServiceNotFound"),
        (Method::GET, "billing", IAM, "ListUsers", 404, "InvalidActionOrVersion"),
    ] {
        let request = Request::new(method, service, version, action);
        let answer = fixture.send(&request).await;
        assert_eq!(answer.refusal(), (status, code.to_owned()), "{service} {action}");
    }
}

#[tokio::test]
async fn login_profile_calls_that_are_refused() {
    let fixture = Fixture::new(with_alice()).await;
    for (action, body, status, code) in [
        ("UpdateLoginProfile", json!({"LoginAllowed": false}), 400, "ParameterNotFound"),
        (
            "UpdateLoginProfile",
            json!({"UserName": "alice", "LoginAllowed": "false"}),
            400,
            "InvalidParameter",
        ),
        (
            "UpdateLoginProfile",
            json!({"UserName": "alice", "Password": "short"}),
            400,
            "InvalidPassword",
        ),
        ("UpdateLoginProfile", json!({"UserName": "bob"}), 404, "UserNotExist"),
        ("UpdateLoginProfile", json!([1]), 400, "InvalidParameter"),
        ("CreateLoginProfile", json!({"UserName": "alice"}), 400, "ParameterNotFound"),
        (
            "CreateLoginProfile",
            json!({"UserName": "alice", "Password": "Good-Pass-1"}),
            409,
            "LoginProfileAlreadyExist",
        ),
    ] {
        let answer = fixture.post("iam", IAM, action, body.clone()).await;
        assert_eq!(answer.refusal(), (status, code.to_owned()), "{action} {body}");
    }
}

#[tokio::test]
async fn bill_calls_that_are_refused() {
    let fixture = Fixture::new(world()).await;
    let fine = json!({"BillPeriod": "2026-11", "Limit": 300, "Offset": 0, "GroupPeriod": 2});
    let with = |name: &str, value: Value| {
        let mut body = fine.clone();
        body[name] = value;
        body
    };
    assert_eq!(fixture.bills("ListSplitBillDetail", fine.clone()).await.status, 200);
    let cases = [
        (with("BillPeriod", Value::Null), "MissingParameter"),
        (with("BillPeriod", json!("")), "MissingParameter"),
        (with("BillPeriod", json!("2026-13")), "RequestInvalid"),
        (with("BillPeriod", json!("202611")), "RequestInvalid"),
        (with("BillPeriod", json!(202611)), "RequestInvalid"),
        (with("BillPeriod", json!("2024-10")), "RequestInvalid"),
        (with("BillPeriod", json!("2021-12")), "RequestInvalid"),
        (with("Limit", Value::Null), "MissingParameter"),
        (with("Limit", json!(301)), "RequestInvalid"),
        (with("Limit", json!(0)), "RequestInvalid"),
        (with("Limit", json!("300")), "RequestInvalid"),
        (with("Limit", json!(10.0)), "RequestInvalid"),
        (with("Offset", json!(-1)), "RequestInvalid"),
        (with("NeedRecordNum", json!(true)), "RequestInvalid"),
        (with("NeedRecordNum", json!(2)), "RequestInvalid"),
        (with("GroupPeriod", json!("2")), "RequestInvalid"),
        (with("GroupPeriod", json!(3)), "RequestInvalid"),
        (with("Product", json!("ECS")), "RequestInvalid"),
        (with("Product", json!([1])), "RequestInvalid"),
        (with("OwnerID", json!(["1"])), "RequestInvalid"),
        (with("ExpenseDate", json!("2026-10-01")), "RequestInvalid"),
        (with("ExpenseDate", json!("20261101")), "RequestInvalid"),
        (json!("text"), "RequestInvalid"),
    ];
    for action in ["ListBillDetail", "ListSplitBillDetail"] {
        for (body, code) in &cases {
            let answer = fixture.bills(action, body.clone()).await;
            assert_eq!(answer.refusal(), (400, (*code).to_owned()), "{action} {body}");
        }
    }
    let mut request = Request::new(Method::POST, "billing", BILLING, "ListBillDetail");
    request.body = fine.to_string();
    request.content_type = Some("text/plain");
    let refusal = fixture.send(&request).await.refusal();
    assert_eq!(refusal, (400, "RequestInvalid".to_owned()));

    fixture.cloud.update(|world| world.rules.project_filter = ProjectFilter::Refused);
    let filtered = with("Project", json!(["default"]));
    let refusal = fixture.bills("ListSplitBillDetail", filtered).await.refusal();
    assert_eq!(refusal, (400, "RequestInvalid".to_owned()));
}

#[tokio::test]
async fn calls_above_the_rate_limit_are_refused_for_that_account_only() {
    let mut world = world();
    world.accounts.push(FakeAccount::new("labs", "研究院", 2, "AKLTlabs", "s2"));
    world.rules.calls_per_second = Some(5);
    let fixture = Fixture::new(world).await;
    let request = Request::new(Method::GET, "iam", IAM, "ListUsers");
    let signed = request.sign(&fixture.host());
    for status in [429, 400, 200] {
        fixture.cloud.update(|world| world.rules.throttle_status = status);
        let calls = (0..12).map(|_| fixture.send_raw(&signed));
        let answers = futures::future::join_all(calls).await;
        let refused: Vec<_> =
            answers.iter().map(Answer::refusal).filter(|(_, code)| code != "none").collect();
        assert!(!refused.is_empty(), "{answers:?}");
        let expected = (status, "AccountFlowLimitExceeded".to_owned());
        assert!(refused.iter().all(|refusal| *refusal == expected), "{refused:?}");
    }
    let mut other = request;
    other.access_key = "AKLTlabs".to_owned();
    other.secret = "s2".to_owned();
    assert_eq!(fixture.send(&other).await.refusal(), (200, "none".to_owned()));
}
