//! Policies of the account, what they deny, and API keys of IAM.

use serde_json::json;

use super::*;

const DENY_ALL: &str = r#"{"Statement": [{"Effect": "Deny", "Action": ["*"], "Resource": ["*"]}]}"#;

/// `alice` administers everything.
fn with_alice() -> World {
    let mut world = world();
    world.rules.ark.calls_per_second = None;
    let alice = world.account_mut("main").unwrap().add_user("alice");
    alice.add_key(KeyStatus::Active);
    alice.attach("AdministratorAccess", PolicyKind::System, PolicyScope::Global);
    world
}

/// Sends a request as alice.
async fn as_alice(fixture: &Fixture, service: &str, version: &str, action: &str) -> Answer {
    let (id, secret) = fixture.cloud.read(|world| {
        let key = &world.user("main", "alice").unwrap().keys[0];
        (key.id.clone(), secrecy::ExposeSecret::expose_secret(&key.secret).to_owned())
    });
    let mut request = Request::new(Method::POST, service, version, action);
    request.body = "{}".to_owned();
    request.content_type = Some("application/json");
    (request.access_key, request.secret) = (id, secret);
    fixture.send(&request).await
}

#[tokio::test]
async fn a_deny_beats_every_allow_whatever_its_policy_is_called() {
    let fixture = Fixture::new(with_alice()).await;
    let make = async |name: &str, document: &str| {
        let params = [("PolicyName", name), ("PolicyDocument", document)];
        assert_eq!(fixture.iam(IAM, "CreatePolicy", &params).await.status, 200);
        [("UserName", "alice"), ("PolicyName", name), ("PolicyType", "Custom")]
            .map(|(name, value)| (name, value.to_owned()))
    };
    let harmless = DENY_ALL.replace("Deny", "Allow");
    let fence = DENY_ALL.replace(r#"["*"], "R"#, r#"["ark:Stop*", "billing:*"], "R"#);
    let (allow, fence) = (make("airgate-deny-all", &harmless).await, make("fence", &fence).await);
    let deny = make("something", DENY_ALL).await;
    let attach = async |action: &str, policy: &[(&str, String); 3]| {
        let params: Vec<_> = policy.iter().map(|(name, value)| (*name, value.as_str())).collect();
        fixture.iam(IAM, action, &params).await
    };
    let status = async || {
        let list = as_alice(&fixture, "ark", "2024-01-01", "ListEndpoints").await.status;
        let stop = as_alice(&fixture, "ark", "2024-01-01", "StopEndpoint").await.status;
        let balance = as_alice(&fixture, "billing", BILLING, "QueryBalanceAcct").await.status;
        (list, stop, balance, as_alice(&fixture, "iam", IAM, "ListUsers").await.status)
    };
    assert_eq!(attach("AttachUserPolicy", &allow).await.status, 200);
    assert_eq!(status().await, (200, 400, 200, 200), "Id is missing");
    assert_eq!(attach("AttachUserPolicy", &fence).await.status, 200);
    assert_eq!(status().await, (200, 403, 403, 200));
    assert_eq!(attach("AttachUserPolicy", &deny).await.status, 200);
    assert_eq!(status().await, (403, 403, 403, 403));
    let refused = as_alice(&fixture, "iam", IAM, "ListUsers").await.refusal();
    assert_eq!(refused, (403, "AccessDenied".to_owned()));
    assert_eq!(
        attach("AttachUserPolicy", &deny).await.refusal(),
        (409, "PolicyAttachConflict".to_owned())
    );
    assert_eq!(attach("DetachUserPolicy", &deny).await.status, 200);
    assert_eq!(status().await, (200, 403, 403, 200));
    assert_eq!(
        attach("DetachUserPolicy", &deny).await.refusal(),
        (409, "PolicyDetachConflict".to_owned())
    );
    // It may take a while.
    fixture.cloud.update(|world| {
        world.rules.policies_bite_after = jiff::SignedDuration::from_secs(60);
    });
    assert_eq!(attach("AttachUserPolicy", &deny).await.status, 200);
    assert_eq!(as_alice(&fixture, "iam", IAM, "ListUsers").await.status, 200);
    fixture.clock.advance(jiff::SignedDuration::from_secs(60));
    assert_eq!(as_alice(&fixture, "iam", IAM, "ListUsers").await.status, 403);
}

#[tokio::test]
async fn a_policy_is_read_back_as_the_cloud_writes_it() {
    let fixture = Fixture::new(with_alice()).await;
    let name = ("PolicyName", "deny-all");
    let get = [name, ("PolicyType", "Custom")];
    let missing = fixture.iam(IAM, "GetPolicy", &get).await;
    assert_eq!(missing.refusal(), (404, "PolicyNotExist".to_owned()));
    let make = [name, ("PolicyDocument", DENY_ALL), ("Description", "airgate")];
    fixture.iam(IAM, "CreatePolicy", &make).await.result();
    let policy = fixture.iam(IAM, "GetPolicy", &get).await.result()["Policy"].clone();
    assert_eq!(policy["PolicyTrn"], "trn:iam::2100000001:policy/deny-all");
    let document = policy["PolicyDocument"].as_str().unwrap();
    assert_ne!(document, DENY_ALL, "another order, other spaces");
    let parsed = |text: &str| serde_json::from_str::<Value>(text).unwrap();
    assert_eq!(parsed(document), parsed(DENY_ALL));
    let again = fixture.iam(IAM, "CreatePolicy", &make).await;
    assert_eq!(again.refusal(), (409, "PolicyAlreadyExist".to_owned()));
}

#[tokio::test]
async fn what_is_no_policy_is_refused() {
    let fixture = Fixture::new(with_alice()).await;
    let long = "x".repeat(65);
    let big = DENY_ALL.replace("\"*\"]}", &format!("\"{}\"]}}", "r".repeat(6_144)));
    for (name, document, code) in [
        ("", DENY_ALL, "ParameterNotFound"),
        (&*long, DENY_ALL, "InvalidPolicyName"),
        ("全拒绝", DENY_ALL, "InvalidPolicyName"),
        ("deny", "", "MissingPolicyDocument"),
        ("deny", "{}", "InvalidParameter"),
        ("deny", r#"{"Statement": [{"Effect": "deny"}]}"#, "InvalidParameter"),
        ("deny", &big, "InvalidParameter"),
    ] {
        let params = [("PolicyName", name), ("PolicyDocument", document)];
        let refused = fixture.iam(IAM, "CreatePolicy", &params).await;
        assert_eq!(refused.refusal(), (400, code.to_owned()), "{name} {refused:?}");
    }
    fixture.cloud.update(|world| world.rules.action_star_is_refused = true);
    let create = async |document: &str| {
        let params = [("PolicyName", "deny"), ("PolicyDocument", document)];
        fixture.iam(IAM, "CreatePolicy", &params).await.status
    };
    assert_eq!(create(DENY_ALL).await, 400);
    assert_eq!(create(&DENY_ALL.replace(r#"["*"], "R"#, r#"["iam:*"], "R"#)).await, 200);
}

#[tokio::test]
async fn everybody_who_holds_a_policy_is_listed_page_by_page() {
    let mut world = with_alice();
    let account = world.account_mut("main").unwrap();
    account.custom_policies.add("deny-all", DENY_ALL, "");
    for n in 0..25 {
        let user = account.add_user(&format!("user-{n:02}"));
        user.attach("deny-all", PolicyKind::Custom, PolicyScope::Global);
    }
    let fixture = Fixture::new(world).await;
    let list = async |more: &[(&str, &str)]| {
        let mut params = vec![("PolicyName", "deny-all"), ("PolicyType", "Custom")];
        params.extend(more);
        fixture.iam(IAM, "ListEntitiesForPolicy", &params).await
    };
    let page = list(&[("EntityFilter", "User")]).await.result();
    assert_eq!((&page["Total"], page["PolicyUsers"].as_array().unwrap().len()), (&json!(25), 10));
    assert_eq!(page["PolicyUsers"][0]["PolicyScope"][0]["PolicyScopeType"], "Global");
    let page = list(&[("Limit", "100"), ("Offset", "20")]).await.result();
    assert_eq!(page["PolicyUsers"].as_array().unwrap().len(), 5);
    assert_eq!(list(&[("EntityFilter", "Role")]).await.result()["Total"], 0);
    let refused = list(&[("EntityFilter", "Users")]).await;
    assert_eq!(refused.refusal(), (400, "InvalidPolicyEntityFilter".to_owned()));
    let refused = list(&[("Limit", "101")]).await;
    assert_eq!(refused.refusal(), (400, "InvalidLimit".to_owned()));
}

#[tokio::test]
async fn api_keys_of_iam_are_listed_and_switched() {
    let mut world = with_alice();
    let alice = world.user_mut("main", "alice").unwrap();
    let id = alice.add_api_key("ci", KeyStatus::Active);
    let fixture = Fixture::new(world).await;
    let user = ("UserName", "alice");
    let status = async || {
        let list = fixture.iam(IAM, "ListApiKeys", &[user]).await.result();
        assert_eq!(list["Total"], 1);
        assert!(list["ApiKeys"][0].get("Secret").is_none());
        list["ApiKeys"][0]["Status"].as_str().unwrap().to_owned()
    };
    let update = async |status: &str| {
        let params = [user, ("Id", &*id), ("Status", status)];
        fixture.iam(IAM, "UpdateApiKey", &params).await
    };
    fixture.cloud.update(|world| world.rules.lag = 1);
    assert_eq!(update("inactive").await.status, 200);
    assert_eq!([status().await, status().await], ["active", "inactive"]);
    assert_eq!(update("Inactive").await.refusal(), (400, "InvalidParameter".to_owned()));
    let unknown = [user, ("Id", "ak-none"), ("Status", "active")];
    let refused = fixture.iam(IAM, "UpdateApiKey", &unknown).await;
    assert_eq!(refused.refusal(), (404, "ApiKeyNotExist".to_owned()));
    let refused = fixture.iam(IAM, "ListApiKeys", &[user, ("Offset", "101")]).await;
    assert_eq!(refused.refusal(), (400, "InvalidOffset".to_owned()));
    let refused = fixture.iam(IAM, "ListApiKeys", &[("UserName", "bob")]).await;
    assert_eq!(refused.refusal(), (404, "UserNotExist".to_owned()));
    assert!(!fixture.cloud.read(|world| world.user("main", "alice").unwrap().is_cut_off()));

    // A rule for one of the two services leaves the other alone.
    let fault = FaultRule::new(Fault::Status(500)).on("ark:ListApiKeys").about("default");
    fixture.cloud.faults().inject(fault);
    assert_eq!(fixture.iam(IAM, "ListApiKeys", &[user]).await.status, 200);
    assert_eq!(fixture.post("ark", "2024-01-01", "ListApiKeys", json!({})).await.status, 200);
    let body = json!({"ProjectName": "default"});
    assert_eq!(fixture.post("ark", "2024-01-01", "ListApiKeys", body).await.status, 500);
    assert_eq!(fixture.cloud.count("ark:ListApiKeys"), 2);
    fixture.cloud.update(|world| world.rules.has_iam_api_keys = false);
    let refused = fixture.iam(IAM, "ListApiKeys", &[user]).await;
    assert_eq!(refused.refusal(), (404, "InvalidActionOrVersion".to_owned()));
}
