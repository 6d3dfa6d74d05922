//! Policies of the account's own, and IAM's API keys.

use super::*;

fn policy(document: Value) -> Value {
    json!({"Policy": {"PolicyName": "airgate-deny-all", "PolicyType": "Custom", "PolicyDocument": document}})
}

#[tokio::test]
async fn a_custom_policy_is_read_by_what_its_document_says() {
    let deny_all = json!({"Statement": [{"Effect": "Deny", "Resource": "*", "Action": ["*"]}]});
    for document in [json!(deny_all.to_string()), deny_all] {
        let fake = always(policy(document)).await;
        let read = fake.account().custom_policy("airgate-deny-all").await.unwrap();
        assert_eq!(read, Some(PolicyDocument::deny_all()));
        let seen = fake.seen().pop().unwrap();
        assert_eq!((seen.method.as_str(), seen.action()), ("GET", "GetPolicy"));
        assert_eq!(
            (&*seen.query["PolicyName"], &*seen.query["PolicyType"]),
            ("airgate-deny-all", "Custom")
        );
    }
    let fake = Fake::start(|_| Reply::Error(404, "PolicyNotExist")).await;
    assert_eq!(fake.account().custom_policy("x").await.unwrap(), None);
    for broken in
        [Value::Null, json!({}), policy(Value::Null), policy(json!("Deny")), policy(json!("{}"))]
    {
        let fake = always(broken.clone()).await;
        let error = fake.account().custom_policy("x").await.unwrap_err();
        assert_eq!(*error.kind(), ErrorKind::Unexpected, "{broken}");
    }
}

#[tokio::test]
async fn a_custom_policy_is_created_with_its_document() {
    let fake = Fake::start(|seen| match seen.n {
        0 => Reply::Result(policy(json!("{}"))),
        1 => Reply::Error(409, "PolicyAlreadyExist"),
        _ => Reply::Error(400, "InvalidParameter"),
    })
    .await;
    let account = fake.account();
    let document = PolicyDocument::deny_all();
    let create = || account.create_policy("airgate-deny-all", &document, "airgate 停用");
    create().await.unwrap();
    let seen = fake.seen().pop().unwrap();
    assert_eq!((seen.method.as_str(), seen.action()), ("GET", "CreatePolicy"));
    assert_eq!(seen.query["PolicyDocument"], document.as_str());
    assert_eq!(seen.query["Description"], "airgate 停用");
    assert!(create().await.unwrap_err().is_already_exists());
    assert_eq!(*create().await.unwrap_err().kind(), ErrorKind::BadInput);
}

fn entities(range: std::ops::Range<usize>) -> Value {
    range.map(|n| json!({"Id": n, "UserName": format!("user-{n:03}")})).collect()
}

#[tokio::test]
async fn everybody_with_a_policy_is_read_whatever_the_page_size() {
    for (total, most, counted) in
        [(0, 100, true), (0, 100, false), (250, 100, true), (250, 100, false), (35, 10, true)]
    {
        let fake = Fake::start(move |seen| {
            assert_eq!(seen.action(), "ListEntitiesForPolicy");
            assert_eq!((&*seen.query["PolicyType"], &*seen.query["EntityFilter"]), ("Custom", "User"));
            let start = seen.offset().min(total);
            let mut result = json!({"PolicyUsers": entities(start..total.min(start + most)), "PolicyRoles": null});
            if counted {
                result["Total"] = total.into();
            }
            Reply::Result(result)
        })
        .await;
        let users = fake.account().users_with_policy("airgate-deny-all").await.unwrap();
        assert_eq!(users.len(), total, "{total} by {most}");
    }
}

#[tokio::test]
async fn a_policy_within_a_project_does_not_count_as_held() {
    let fake = always(json!({"Total": "5", "PolicyUsers": [
        {"UserName": "alice", "PolicyScope": [{"PolicyScopeType": "Global", "ProjectName": ""}]},
        {"UserName": "bob", "PolicyScope": [{"PolicyScopeType": "Project", "ProjectName": "team-a"}]},
        {"UserName": "carol", "PolicyScope": []},
        {"UserName": null},
    ], "PolicyRoles": [{"RoleName": "r"}]}))
    .await;
    assert_eq!(fake.account().users_with_policy("p").await.unwrap(), ["alice", "carol"]);
    assert_eq!(fake.calls(), 1);
}

#[tokio::test]
async fn a_list_of_holders_that_is_not_whole_is_an_error() {
    for result in [
        Value::Null,
        json!({}),
        json!({"Total": 3}),
        json!({"Total": 3, "PolicyUsers": []}),
        json!({"PolicyUsers": {}}),
    ] {
        let fake = always(result.clone()).await;
        let error = fake.account().users_with_policy("p").await.unwrap_err();
        assert_eq!(*error.kind(), ErrorKind::Unexpected, "{result}");
    }
    let endless = always(json!({"PolicyUsers": entities(0..100)})).await;
    assert!(endless.account().users_with_policy("p").await.is_err());
    let gone = Fake::start(|_| Reply::Error(404, "PolicyNotExist")).await;
    assert!(gone.account().users_with_policy("p").await.unwrap_err().is_not_found());
}

#[tokio::test]
async fn only_a_certain_inactive_makes_an_api_key_of_iam_inactive() {
    let fake = Fake::start(|seen| match seen.action() {
        "ListApiKeys" => {
            assert_eq!((seen.method.as_str(), &*seen.query["Version"]), ("GET", "2018-01-01"));
            Reply::Result(json!({"Total": 5, "ApiKeys": [
                {"Id": "k1", "Name": "n", "Status": "active"}, {"Id": 2, "Status": " Inactive "},
                {"Id": "k3", "Status": "expired"}, {"Id": "k4"}, {"Name": [], "Status": null}]}))
        }
        _ => Reply::Result(Value::Null),
    })
    .await;
    let account = fake.account();
    let keys = account.iam_api_keys("alice").await.unwrap();
    let read: Vec<(&str, bool)> = keys.iter().map(|key| (&*key.id, key.active)).collect();
    assert_eq!(read, [("k1", true), ("2", false), ("k3", true), ("k4", true), ("", true)]);
    account.set_iam_api_key("alice", "k1", false).await.unwrap();
    account.set_iam_api_key("alice", "k1", true).await.unwrap();
    let seen = fake.seen();
    assert_eq!(seen[1].action(), "UpdateApiKey");
    assert_eq!(
        (&*seen[1].query["UserName"], &*seen[1].query["Id"], &*seen[1].query["Status"]),
        ("alice", "k1", "inactive")
    );
    assert_eq!(seen[2].query["Status"], "active");
}

#[tokio::test]
async fn api_keys_of_iam_are_read_whole_or_not_at_all() {
    for (result, is_none) in [
        (json!({"ApiKeys": [], "Total": 0}), true),
        (json!({"ApiKeys": null}), true),
        (json!({"ApiKeys": null, "Total": 2}), false),
        (json!({"ApiKeys": [{"Id": "k"}], "Total": "2"}), false),
        (json!({"Total": 0}), false),
        (json!({}), false),
        (Value::Null, false),
    ] {
        let fake = always(result.clone()).await;
        match fake.account().iam_api_keys("alice").await {
            Ok(keys) => assert!(is_none && keys.is_empty(), "{result}"),
            Err(error) => {
                assert!(!is_none, "{result}");
                assert_eq!(*error.kind(), ErrorKind::Unexpected, "{result}");
            }
        }
    }
    let none = Fake::start(|_| Reply::Error(404, "InvalidActionOrVersion")).await;
    assert!(none.account().iam_api_keys("alice").await.unwrap_err().is_no_such_action());
    let gone = Fake::start(|_| Reply::Error(404, "UserNotExist")).await;
    assert!(gone.account().iam_api_keys("alice").await.unwrap_err().is_not_found());
}
