//! Users, keys, login, policies and projects.

use serde_json::json;

use super::*;
use crate::sandbox::world::{EmptyResult, Login, MissingLogin};

#[tokio::test]
async fn users_are_listed_page_by_page() {
    let mut world = world();
    for n in 0..230 {
        let user = world.account_mut("main").unwrap().add_user(&format!("user-{n:03}"));
        user.display_name = format!("用户{n}");
    }
    let fixture = Fixture::new(world).await;
    let mut names = Vec::new();
    for (offset, rows) in [(0, 100), (100, 100), (200, 30), (300, 0)] {
        let page = [("Limit", "100"), ("Offset", &*offset.to_string())];
        let result = fixture.iam(IAM, "ListUsers", &page).await.result();
        assert_eq!(result["Total"], 230);
        assert_eq!(result["Offset"], offset);
        let users = result["UserMetadata"].as_array().unwrap().clone();
        assert_eq!(users.len(), rows);
        names.extend(users.iter().map(|user| user["UserName"].to_string()));
    }
    names.sort();
    names.dedup();
    assert_eq!(names.len(), 230);
    let found = fixture.iam(IAM, "ListUsers", &[("Query", "用户22")]).await.result();
    assert_eq!(found["Total"], 11);
    assert_eq!(found["UserMetadata"].as_array().unwrap().len(), 10, "10 by default");
}

#[tokio::test]
async fn a_user_is_created_renamed_and_found_again() {
    let fixture = Fixture::new(world()).await;
    let made = [("UserName", "alice"), ("DisplayName", "爱丽丝"), ("Email", "a@example.com")];
    let user = fixture.iam(IAM, "CreateUser", &made).await.result()["User"].clone();
    assert_eq!(user["AccountId"], 2_100_000_001_i64);
    assert_eq!(user["CreateDate"], "20261123T013000Z");
    assert_eq!(user["DisplayName"], "爱丽丝");
    let login = fixture.iam(IAM, "GetLoginProfile", &[("UserName", "alice")]).await;
    assert_eq!(login.refusal(), (404, "LoginProfileNotExist".to_owned()));

    let change = [("UserName", "alice"), ("NewUserName", "alicia"), ("NewEmail", "")];
    let changed = fixture.iam(IAM, "UpdateUser", &change).await.result()["User"].clone();
    assert_eq!((&changed["UserName"], &changed["Email"]), (&json!("alicia"), &json!("")));
    let id = user["Id"].to_string();
    let found = fixture.iam(IAM, "GetUser", &[("ID", &id)]).await.result();
    assert_eq!(found["User"]["UserName"], "alicia");
    assert_eq!(found["User"]["DisplayName"], "爱丽丝");
}

#[tokio::test]
async fn keys_are_created_toggled_and_read_back() {
    let mut world = world();
    world.account_mut("main").unwrap().add_user("alice");
    let fixture = Fixture::new(world).await;
    let made = fixture.iam(IAM, "CreateAccessKey", &[("UserName", "alice")]).await.result();
    let key = made["AccessKey"]["AccessKeyId"].as_str().unwrap().to_owned();
    assert!(made["AccessKey"]["SecretAccessKey"].is_string());
    let off = [("UserName", "alice"), ("AccessKeyId", &*key), ("Status", "inactive")];
    let status = async || {
        let list = fixture.iam(IAM, "ListAccessKeys", &[("UserName", "alice")]).await.result();
        assert!(list["AccessKeyMetadata"][0].get("SecretAccessKey").is_none());
        list["AccessKeyMetadata"][0]["Status"].as_str().unwrap().to_owned()
    };
    for (empty, shown) in [
        (EmptyResult::Absent, None),
        (EmptyResult::Null, Some(Value::Null)),
        (EmptyResult::Object, Some(json!({}))),
    ] {
        fixture.cloud.update(|world| world.rules.empty_result = empty);
        let answer = fixture.iam(IAM, "UpdateAccessKey", &off).await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.json().get("Result").cloned(), shown);
    }
    assert_eq!(status().await, "inactive");

    fixture.cloud.update(|world| world.rules.lag = 2);
    let on = [off[0], off[1], ("Status", "active")];
    fixture.iam(IAM, "UpdateAccessKey", &on).await.json();
    let shown = [status().await, status().await, status().await];
    assert_eq!(shown, ["inactive", "inactive", "active"]);
    let found = fixture.iam(IAM, "GetUser", &[("AccessKeyID", &key)]).await.result();
    assert_eq!(found["User"]["UserName"], "alice");
}

#[tokio::test]
async fn login_is_forbidden_and_allowed_again() {
    let mut world = world();
    world.account_mut("main").unwrap().add_user("alice");
    world.rules.lag = 1;
    let fixture = Fixture::new(world).await;
    let allowed = async || {
        let answer = fixture.iam(IAM, "GetLoginProfile", &[("UserName", "alice")]).await;
        answer.result()["LoginProfile"]["LoginAllowed"].clone()
    };
    let forbid = json!({"UserName": "alice", "LoginAllowed": false});
    let answer = fixture.post("iam", IAM, "UpdateLoginProfile", forbid).await;
    assert_eq!(answer.result()["LoginProfile"]["LoginAllowed"], false);
    assert_eq!([allowed().await, allowed().await], [json!(true), json!(false)]);
    assert!(fixture.cloud.read(|world| world.user("main", "alice").unwrap().is_cut_off()));
    // Terraform uses GET.
    let allow = [("UserName", "alice"), ("LoginAllowed", "true")];
    fixture.iam(IAM, "UpdateLoginProfile", &allow).await.result();
    assert_eq!([allowed().await, allowed().await], [json!(false), json!(true)]);
}

#[tokio::test]
async fn a_missing_login_profile_has_four_shapes() {
    let mut world = world();
    for (name, shape) in [
        ("error", MissingLogin::Error),
        ("stub", MissingLogin::Stub),
        ("empty", MissingLogin::Empty),
        ("zero", MissingLogin::Zero),
    ] {
        world.account_mut("main").unwrap().add_user(name).login = Login::none(shape);
    }
    let fixture = Fixture::new(world).await;
    let get = async |name: &str| fixture.iam(IAM, "GetLoginProfile", &[("UserName", name)]).await;
    assert_eq!(get("error").await.refusal(), (404, "LoginProfileNotExist".to_owned()));
    let stub = get("stub").await.result();
    assert_eq!(stub["LoginProfile"]["CreateDate"], "19700101T000000Z");
    assert_eq!(get("empty").await.result(), json!({}));
    let zero = get("zero").await.result()["LoginProfile"].clone();
    assert_eq!((&zero["UserName"], &zero["LoginAllowed"]), (&json!(""), &json!(false)));
    for name in ["error", "stub", "empty", "zero"] {
        let forbid = json!({"UserName": name, "LoginAllowed": false});
        let answer = fixture.post("iam", IAM, "UpdateLoginProfile", forbid).await;
        assert_eq!(answer.refusal(), (404, "LoginProfileNotExist".to_owned()), "{name}");
        let make = json!({"UserName": name, "Password": "Good-Pass-1", "LoginAllowed": true});
        let made = fixture.post("iam", IAM, "CreateLoginProfile", make).await.result();
        assert_eq!(made["LoginProfile"]["LoginAllowed"], true);
        assert_eq!(get(name).await.result()["LoginProfile"]["CreateDate"], "20261123T013000Z");
    }
    let shown: Vec<_> = fixture
        .cloud
        .calls()
        .into_iter()
        .filter_map(|call| call.params.get("Password").cloned())
        .collect();
    assert_eq!(shown, ["***"; 4], "passwords stay out of the log");
}

#[tokio::test]
async fn policies_attach_to_the_account_and_to_projects() {
    let mut world = world();
    world.account_mut("main").unwrap().add_user("alice");
    world.account_mut("main").unwrap().add_project("team-a", "甲组");
    let fixture = Fixture::new(world).await;
    let policy = [("PolicyName", "ArkFullAccess"), ("PolicyType", "System")];
    let global = [policy[0], policy[1], ("UserName", "alice")];
    let project = [
        policy[0],
        policy[1],
        ("PrincipalName", "alice"),
        ("PrincipalType", "User"),
        ("ProjectName.1", "team-a"),
        ("ProjectName.2", "default"),
    ];
    let mut form = Request::new(Method::POST, "iam", PROJECTS, "AttachPolicyInProject");
    let pairs: Vec<String> = project.iter().map(|(k, v)| format!("{k}={v}")).collect();
    form.body = pairs.join("&");
    form.content_type = Some("application/x-www-form-urlencoded");
    assert_eq!(fixture.send(&form).await.status, 200);
    assert_eq!(fixture.iam(IAM, "AttachUserPolicy", &global).await.status, 200);

    let scopes = async || {
        let user = [("UserName", "alice")];
        let list = fixture.iam(IAM, "ListAttachedUserPolicies", &user).await.result();
        let policies = list["AttachedPolicyMetadata"].as_array().unwrap().clone();
        let scopes = policies.iter().flat_map(|policy| {
            assert_eq!(policy["PolicyTrn"], "trn:iam::0:policy/ArkFullAccess");
            policy["PolicyScope"].as_array().unwrap().clone()
        });
        scopes
            .map(|scope| {
                let texts = ["PolicyScopeType", "ProjectName", "ProjectDisplayName"];
                texts.map(|name| scope[name].as_str().unwrap().to_owned()).join(" ")
            })
            .collect::<Vec<_>>()
    };
    let all = ["Project team-a 甲组", "Project default 默认项目", "Global  "];
    assert_eq!(scopes().await, all);
    let again = fixture.iam(PROJECTS, "AttachPolicyInProject", &project).await;
    assert_eq!(again.refusal(), (409, "PolicyAttachConflict".to_owned()));
    assert_eq!(scopes().await, all);

    fixture.iam(IAM, "DetachUserPolicy", &global).await.json();
    let one = &project[..5];
    assert_eq!(fixture.iam(PROJECTS, "DetachPolicyInProject", one).await.status, 200);
    assert_eq!(scopes().await, ["Project default 默认项目"]);
    let again = fixture.iam(PROJECTS, "DetachPolicyInProject", one).await;
    assert_eq!(again.refusal(), (409, "PolicyDetachConflict".to_owned()));
    // A policy of the whole account covers its projects.
    fixture.iam(IAM, "AttachUserPolicy", &global).await.json();
    let covered = fixture.iam(PROJECTS, "AttachPolicyInProject", one).await;
    assert_eq!(covered.refusal(), (409, "PolicyAttachConflict".to_owned()));
    fixture.iam(IAM, "DetachUserPolicy", &global).await.json();
    fixture.cloud.update(|world| world.rules.repeated_attachment_is_an_error = false);
    assert_eq!(fixture.iam(PROJECTS, "DetachPolicyInProject", one).await.status, 200);
    let scope = PolicyScope::Project("default".to_owned());
    let holds = |world: &World| world.user("main", "alice").unwrap().holds("ArkFullAccess", &scope);
    assert!(fixture.cloud.read(holds));
}

#[tokio::test]
async fn projects_are_listed_and_read() {
    let mut world = world();
    for n in 0..14 {
        world.account_mut("main").unwrap().add_project(&format!("team-{n}"), "组");
    }
    let fixture = Fixture::new(world).await;
    let list = fixture.iam(PROJECTS, "ListProjects", &[]).await.result();
    assert_eq!((&list["Total"], &list["Limit"]), (&json!(15), &json!(10)));
    assert_eq!(list["Projects"].as_array().unwrap().len(), 10);
    let rest = [("Limit", "100"), ("Offset", "10")];
    let list = fixture.iam(PROJECTS, "ListProjects", &rest).await.result();
    assert_eq!(list["Projects"].as_array().unwrap().len(), 5);
    let got = fixture.iam(PROJECTS, "GetProject", &[("ProjectName", "default")]).await.result();
    assert_eq!(got["DisplayName"], "默认项目");
    assert_eq!(got["AccountID"], 2_100_000_001_i64);
}
