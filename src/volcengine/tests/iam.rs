//! Users, keys, login and projects.

use super::*;
use crate::domain::{HeldPolicy, PolicyKind, PolicyScope, ProjectName};

fn users(range: std::ops::Range<usize>) -> Value {
    range
        .map(|n| json!({"Id": 10_000 + n, "UserName": format!("user-{n:03}"), "DisplayName": "名"}))
        .collect()
}

/// Serves `total` users, at most `most` per page; `counted` says whether the list has a `Total`.
async fn list(total: usize, most: usize, counted: bool) -> Fake {
    Fake::start(move |seen| {
        assert_eq!(seen.query["Limit"], "100");
        assert_eq!(seen.query["Version"], "2018-01-01");
        let start = seen.offset().min(total);
        let rows = users(start..total.min(start + most));
        let mut result = json!({"Limit": 100, "Offset": start, "UserMetadata": rows});
        if counted {
            result["Total"] = total.into();
        }
        Reply::Result(result)
    })
    .await
}

#[tokio::test]
async fn all_users_are_read_whatever_the_page_size() {
    for (total, most, counted, calls) in [
        (0, 100, true, 1),
        (0, 100, false, 1),
        (1, 100, true, 1),
        (100, 100, true, 1),
        (101, 100, true, 2),
        (250, 100, true, 3),
        (250, 100, false, 4),
        (120, 50, true, 3),
    ] {
        let fake = list(total, most, counted).await;
        let users = fake.account().list_users().await.unwrap();
        assert_eq!(users.len(), total);
        assert_eq!(fake.calls(), calls, "{total} by {most}, counted {counted}");
        if let Some(last) = users.last() {
            assert_eq!(last.username, format!("user-{:03}", total - 1));
            assert_eq!(last.id, (10_000 + total - 1).to_string());
        }
    }
}

#[tokio::test]
async fn a_list_that_shifts_while_paged_has_no_duplicates() {
    let fake = Fake::start(|seen| {
        let rows = match seen.offset() {
            0 => users(0..100),
            _ => users(98..110),
        };
        Reply::Result(json!({"Total": 112, "UserMetadata": rows}))
    })
    .await;
    assert_eq!(fake.account().list_users().await.unwrap().len(), 110);
}

#[tokio::test]
async fn a_response_without_a_list_is_not_an_empty_list() {
    for result in [
        Value::Null,
        json!({}),
        json!({"UserMetadata": null}),
        json!({"Total": 3, "UserMetadata": []}),
        json!({"Total": 3}),
        json!({"UserMetadata": {}, "Total": 0}),
        json!({"UserMetadata": [{"Id": 1}], "Total": 1}),
    ] {
        let answer = result.clone();
        let fake = Fake::start(move |_| Reply::Result(answer.clone())).await;
        let error = fake.account().list_users().await.unwrap_err();
        assert_eq!(*error.kind(), ErrorKind::Unexpected, "{result}");
    }
    let fake = Fake::start(|_| Reply::Result(json!({"Total": 0, "UserMetadata": null}))).await;
    assert!(fake.account().list_users().await.unwrap().is_empty());
}

#[tokio::test]
async fn endless_pages_are_an_error() {
    let fake = Fake::start(|_| Reply::Result(json!({"UserMetadata": users(0..100)}))).await;
    let error = fake.account().list_users().await.unwrap_err();
    assert_eq!(*error.kind(), ErrorKind::Unexpected);
    assert_eq!(fake.calls(), 2);
}

#[tokio::test]
async fn a_missing_user_is_none_and_a_failure_is_an_error() {
    let fake = Fake::start(|seen| match seen.query["UserName"].as_str() {
        "alice" => Reply::Result(json!({"User": {"Id": 7, "UserName": "alice", "Email": "a@b.c"}})),
        "denied" => Reply::Error(403, "AccessDenied"),
        "empty" => Reply::Result(json!({})),
        "route" => Reply::Raw(404, "no such page".into()),
        _ => Reply::Error(404, "UserNotExist"),
    })
    .await;
    let account = fake.account();
    let alice = account.get_user("alice").await.unwrap().unwrap();
    assert_eq!((&*alice.id, &*alice.email), ("7", "a@b.c"));
    assert_eq!(account.get_user("bob").await.unwrap(), None);
    for broken in ["denied", "empty", "route"] {
        assert!(account.get_user(broken).await.is_err(), "{broken}");
    }
}

#[tokio::test]
async fn keys_are_listed_and_switched_in_lower_case() {
    let fake = Fake::start(|seen| match seen.action() {
        "ListAccessKeys" => Reply::Result(json!({"AccessKeyMetadata": [
            {"AccessKeyId": "AKLT1", "UserName": "alice", "Status": "Active", "CreateDate": "20260901T020304Z"},
            {"AccessKeyId": "AKLT2", "UserName": "alice", "Status": "inactive"},
        ]})),
        _ => Reply::Raw(200, r#"{"ResponseMetadata":{"RequestId":"r"}}"#.into()),
    })
    .await;
    let account = fake.account();
    let keys = account.list_access_keys("alice").await.unwrap();
    assert_eq!(
        keys.iter().map(|key| (&*key.id, key.status)).collect::<Vec<_>>(),
        [("AKLT1", KeyStatus::Active), ("AKLT2", KeyStatus::Inactive)]
    );
    account.update_access_key("alice", "AKLT1", KeyStatus::Inactive).await.unwrap();
    let seen = fake.seen().pop().unwrap();
    assert_eq!(seen.method, "GET");
    assert_eq!(seen.action(), "UpdateAccessKey");
    assert_eq!(seen.query["Status"], "inactive");
    assert_eq!(seen.query["AccessKeyId"], "AKLT1");
    assert_eq!(seen.query["UserName"], "alice");
}

#[tokio::test]
async fn login_access_is_read_and_set() {
    let fake = Fake::start(|seen| {
        let user = seen.query.get("UserName").map(String::as_str);
        match (seen.action(), user.or(seen.body["UserName"].as_str())) {
            ("GetLoginProfile", Some("none")) => Reply::Error(404, "LoginProfileNotExist"),
            ("GetLoginProfile", Some("gone")) => Reply::Error(404, "UserNotExist"),
            ("GetLoginProfile", Some("null")) => Reply::Result(Value::Null),
            ("GetLoginProfile", Some("stub")) => Reply::Result(json!({"LoginProfile":
                {"UserName": "stub", "LoginAllowed": false, "CreateDate": "00010101T000000Z"}})),
            ("GetLoginProfile", _) => Reply::Result(json!({"LoginProfile":
                {"UserName": "alice", "LoginAllowed": true, "CreateDate": "20260901T020304Z"}})),
            (_, Some("none")) => Reply::Error(404, "LoginProfileNotExist"),
            _ => Reply::Result(json!({})),
        }
    })
    .await;
    let account = fake.account();
    for (user, access) in [
        ("none", LoginAccess::NoProfile),
        ("null", LoginAccess::NoProfile),
        ("stub", LoginAccess::NoProfile),
        ("alice", LoginAccess::Allowed),
    ] {
        assert_eq!(account.login_profile(user).await.unwrap(), access, "{user}");
    }
    assert_eq!(fake.seen()[0].method, "GET");
    let gone = account.login_profile("gone").await.unwrap_err();
    assert!(gone.is_not_found());

    account.set_login_allowed("alice", false).await.unwrap();
    let seen = fake.seen().pop().unwrap();
    assert_eq!(seen.method, "POST");
    assert_eq!(seen.action(), "UpdateLoginProfile");
    assert_eq!(seen.body, json!({"UserName": "alice", "LoginAllowed": false}));
    let missing = account.set_login_allowed("none", false).await.unwrap_err();
    assert!(missing.is_not_found());
}

#[tokio::test]
async fn projects_are_listed_by_the_newer_version() {
    let fake = Fake::start(|seen| {
        assert_eq!(seen.query["Version"], "2021-08-01");
        assert_eq!(seen.action(), "ListProjects");
        let start = seen.offset();
        let rows: Value = (start..(start + 100).min(130))
            .map(|n| json!({"ProjectName": format!("p{n:03}"), "DisplayName": "甲组", "AccountID": 1}))
            .collect();
        Reply::Result(json!({"Limit": 100, "Offset": start, "Total": 130, "Projects": rows}))
    })
    .await;
    let projects = fake.account().list_projects().await.unwrap();
    assert_eq!(projects.len(), 130);
    assert_eq!(projects[129].name, "p129");
    assert_eq!(projects[129].display_name, "甲组");
    assert_eq!(fake.calls(), 2);
}

#[tokio::test]
async fn a_policy_that_is_not_attached_is_detached_already() {
    let fake = Fake::start(|seen| match seen.query["PolicyName"].as_str() {
        "gone" => Reply::Error(409, "PolicyDetachConflict"),
        "held" => Reply::Error(409, "PolicyAttachConflict"),
        _ => Reply::Error(404, "PolicyNotExist"),
    })
    .await;
    let account = fake.account();
    let scopes = [PolicyScope::Global, PolicyScope::Project(ProjectName::new("team-a").unwrap())];
    for scope in scopes {
        let named = |name: &str| HeldPolicy {
            name: name.to_owned(),
            kind: PolicyKind::System,
            scope: scope.clone(),
        };
        account.detach_policy("alice", &named("gone")).await.unwrap();
        let unknown = account.detach_policy("alice", &named("unknown")).await.unwrap_err();
        assert!(unknown.is_not_found());
        let held = account.attach_policy("alice", &named("held")).await.unwrap_err();
        assert!(held.is_already_exists());
    }
}

#[tokio::test]
async fn a_list_says_which_account_it_belongs_to() {
    let fake = Fake::start(|seen| match seen.action() {
        "ListUsers" => Reply::Result(
            json!({"Total": "1", "UserMetadata": [{"UserName": "alice", "AccountId": 2_100_000_001_u64}]}),
        ),
        other => panic!("{other}"),
    })
    .await;
    let account = fake.client().account(credentials());
    let users = account.list_users().await.unwrap();
    assert_eq!(users[0].account, Some(AccountNumber(2_100_000_001)));
    // No further call.
    assert_eq!(account.account_number().await.unwrap(), AccountNumber(2_100_000_001));
    assert_eq!(fake.calls(), 1);
}

#[tokio::test]
async fn a_list_that_ends_before_its_count_is_not_complete() {
    let fake = Fake::start(|seen| {
        let rows = if seen.offset() == 0 { users(0..100) } else { json!([]) };
        Reply::Result(json!({"Total": 250, "UserMetadata": rows}))
    })
    .await;
    let error = fake.account().list_users().await.unwrap_err();
    assert_eq!(*error.kind(), ErrorKind::Unexpected);
}
