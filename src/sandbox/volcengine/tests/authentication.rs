//! Authentication.

use serde_json::json;

use super::*;

type Tamper = fn(&mut SignedRequest);

#[tokio::test]
async fn a_request_changed_after_signing_is_refused() {
    let fixture = Fixture::new(world()).await;
    let mut request = Request::new(Method::POST, "billing", BILLING, "ListBillDetail");
    request.body = json!({"BillPeriod": "2026-11", "Limit": 10, "GroupPeriod": 2}).to_string();
    request.content_type = Some("application/json");
    let signed = request.sign(&fixture.host());
    assert_eq!(fixture.send_raw(&signed).await.status, 200);

    let mismatch = (401, "SignatureDoesNotMatch");
    let cases: &[(&str, Tamper, (u16, &str))] = &[
        ("body", |r| r.body = r.body.replace("10", "20"), mismatch),
        ("query value", |r| r.query = r.query.replace("Detail", "Details"), mismatch),
        ("query added", |r| r.query.push_str("&Limit=5"), mismatch),
        ("method", |r| r.method = Method::PUT, mismatch),
        ("signed header", |r| *r.header("content-type") = "text/plain".to_owned(), mismatch),
        ("date", |r| *r.header("x-date") = "20261123T013001Z".to_owned(), mismatch),
        (
            "region of the scope",
            |r| {
                *r.header("authorization") = r.header("authorization").replace("beijing", "north-1")
            },
            mismatch,
        ),
        (
            "service of the scope",
            |r| {
                *r.header("authorization") = r.header("authorization").replace("/billing/", "/iam/")
            },
            mismatch,
        ),
        (
            "signature in upper case",
            |r| {
                let header = r.header("authorization");
                let (front, back) = header.split_once("Signature=").unwrap();
                *header = format!("{front}Signature={}", back.to_uppercase());
            },
            mismatch,
        ),
        (
            "a signed header not sent",
            |r| r.headers.retain(|(name, _)| name != "x-content-sha256"),
            mismatch,
        ),
        (
            "x-content-sha256 not of the body",
            |r| *r.header("x-content-sha256") = "0".repeat(64),
            mismatch,
        ),
        (
            "day of the scope",
            |r| {
                *r.header("authorization") =
                    r.header("authorization").replace("/20261123/", "/20261122/")
            },
            (400, "InvalidCredential"),
        ),
        (
            "end of the scope",
            |r| *r.header("authorization") = r.header("authorization").replace("/request", "/aws4"),
            (400, "InvalidCredential"),
        ),
        (
            "access key",
            |r| *r.header("authorization") = r.header("authorization").replace(KEY, "AKLTother"),
            (401, "InvalidAccessKey"),
        ),
        (
            "no signature",
            |r| {
                let header = r.header("authorization");
                *header = header.split_once(", Signature").unwrap().0.to_owned();
            },
            (401, "MissingSignature"),
        ),
        (
            "algorithm",
            |r| {
                *r.header("authorization") =
                    r.header("authorization").replace("HMAC-SHA256", "AWS4-HMAC-SHA256")
            },
            (400, "InvalidAuthorization"),
        ),
        (
            "host not signed",
            |r| *r.header("authorization") = r.header("authorization").replace("host;", ""),
            (400, "InvalidAuthorization"),
        ),
        (
            "signed headers not in order",
            |r| {
                *r.header("authorization") = r
                    .header("authorization")
                    .replace("host;x-content-sha256", "x-content-sha256;host");
            },
            (400, "InvalidAuthorization"),
        ),
        (
            "no authorization",
            |r| r.headers.retain(|(name, _)| name != "authorization"),
            (401, "MissingAuthenticationToken"),
        ),
        (
            "no date",
            |r| r.headers.retain(|(name, _)| name != "x-date"),
            (400, "MissingRequestInfo"),
        ),
        (
            "date of another form",
            |r| *r.header("x-date") = "2026-11-23T01:30:00Z".to_owned(),
            (403, "InvalidTimestamp"),
        ),
        (
            "security token",
            |r| r.headers.push(("x-security-token".to_owned(), "t".to_owned())),
            (401, "InvalidSecretToken"),
        ),
    ];
    for (name, tamper, (status, code)) in cases {
        let mut signed = signed.clone();
        tamper(&mut signed);
        let answer = fixture.send_raw(&signed).await;
        assert_eq!(answer.refusal(), (*status, (*code).to_owned()), "{name}");
        let error = &answer.json()["ResponseMetadata"]["Error"];
        assert!(error["CodeN"].is_u64(), "gateway errors carry a number: {answer:?}");
    }
    assert_eq!(fixture.cloud.calls().len(), cases.len() + 1);
    let refused = fixture.cloud.calls().pop().unwrap();
    assert_eq!(refused.account, None);
    assert_eq!(refused.outcome_code.as_deref(), Some("InvalidSecretToken"));
}

#[tokio::test]
async fn a_wrong_secret_is_refused() {
    let fixture = Fixture::new(world()).await;
    let mut request = Request::new(Method::GET, "iam", IAM, "ListUsers");
    request.secret = "another".to_owned();
    let answer = fixture.send(&request).await;
    assert_eq!(answer.refusal(), (401, "SignatureDoesNotMatch".to_owned()));
}

#[tokio::test]
async fn a_signature_is_good_for_fifteen_minutes_either_way() {
    let fixture = Fixture::new(world()).await;
    for (date, status) in [
        ("20261123T011500Z", 200),
        ("20261123T011459Z", 403),
        ("20261123T014500Z", 200),
        ("20261123T014501Z", 403),
    ] {
        let mut request = Request::new(Method::GET, "iam", IAM, "ListUsers");
        request.date = date.to_owned();
        let answer = fixture.send(&request).await;
        assert_eq!(answer.status, status, "{date}: {answer:?}");
    }
    fixture.clock.advance(jiff::SignedDuration::from_mins(16));
    let request = Request::new(Method::GET, "iam", IAM, "ListUsers");
    let refusal = fixture.send(&request).await.refusal();
    assert_eq!(refusal, (403, "InvalidTimestamp".to_owned()));
}

#[tokio::test]
async fn both_regions_and_unusual_characters_verify() {
    let mut world = world();
    world.account_mut("main").unwrap().add_user("alice").display_name = "爱 丽*丝~/+".to_owned();
    let fixture = Fixture::new(world).await;
    for region in ["cn-beijing", "cn-north-1"] {
        let mut request = Request::new(Method::GET, "iam", IAM, "ListUsers");
        request.region = region;
        request.add(&[("Query", "爱 丽*丝~/+")]);
        let answer = fixture.send(&request).await;
        assert_eq!(answer.result()["Total"], 1);
        assert_eq!(answer.json()["ResponseMetadata"]["Region"], region);
        // A space written as a plus sign is the same query.
        let mut signed = request.sign(&fixture.host());
        signed.query = signed.query.replace("%20", "+");
        assert_eq!(fixture.send_raw(&signed).await.result()["Total"], 1);
    }
}

#[tokio::test]
async fn a_query_key_sent_twice_is_refused() {
    let fixture = Fixture::new(world()).await;
    let mut request = Request::new(Method::GET, "iam", IAM, "ListUsers");
    request.add(&[("Query", "a"), ("Query", "b")]);
    let refusal = fixture.send(&request).await.refusal();
    assert_eq!(refusal, (401, "SignatureDoesNotMatch".to_owned()));
}

#[tokio::test]
async fn a_users_key_calls_only_while_active_and_permitted() {
    let mut world = world();
    let user = world.account_mut("main").unwrap().add_user("alice");
    let key = user.add_key(KeyStatus::Active);
    let secret = secrecy::ExposeSecret::expose_secret(&user.keys[0].secret).to_owned();
    let fixture = Fixture::new(world).await;
    let mut request = Request::new(Method::GET, "iam", IAM, "ListUsers");
    request.access_key = key.clone();
    request.secret = secret;
    let refusal = fixture.send(&request).await.refusal();
    assert_eq!(refusal, (403, "AccessDenied".to_owned()));

    let policy = [("UserName", "alice"), ("PolicyName", "IAMFullAccess"), ("PolicyType", "System")];
    fixture.iam(IAM, "AttachUserPolicy", &policy).await.json();
    assert_eq!(fixture.send(&request).await.status, 200);

    let off = [("UserName", "alice"), ("AccessKeyId", &*key), ("Status", "inactive")];
    fixture.iam(IAM, "UpdateAccessKey", &off).await.json();
    let refusal = fixture.send(&request).await.refusal();
    assert_eq!(refusal, (401, "InvalidAccessKey".to_owned()));
}

#[tokio::test]
async fn an_account_that_switches_its_own_key_off_is_locked_out() {
    let fixture = Fixture::new(world()).await;
    let keys = fixture.iam(IAM, "ListAccessKeys", &[]).await.result();
    assert_eq!(keys["AccessKeyMetadata"][0]["AccessKeyId"], KEY);
    assert_eq!(keys["AccessKeyMetadata"][0]["UserName"], "");
    let off = [("AccessKeyId", KEY), ("Status", "inactive")];
    assert_eq!(fixture.iam(IAM, "UpdateAccessKey", &off).await.status, 200);
    let refusal = fixture.iam(IAM, "ListAccessKeys", &[]).await.refusal();
    assert_eq!(refusal, (401, "InvalidAccessKey".to_owned()));
}
