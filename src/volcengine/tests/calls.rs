//! Errors, retries and limits of a single call.

use super::*;

fn write() -> Call {
    let query = [("UserName", "a b+c/张".to_owned()), ("Status", "x".to_owned())];
    Call::get(Api::Iam, "UpdateAccessKey", query)
}

/// Starts a server that answers request `n` with `list(n)`, or with success.
async fn replies(list: impl Fn(usize) -> Option<Reply> + Send + Sync + 'static) -> Fake {
    Fake::start(move |seen| list(seen.n).unwrap_or(Reply::Result(Value::Null))).await
}

#[tokio::test]
async fn requests_are_signed_as_sent() {
    let fake = replies(|_| None).await;
    let account = fake.account();
    account.call(&write()).await.unwrap();
    let post = Call::post(Api::Billing, "QueryBalanceAcct", json!({"名": "值 +"}));
    account.call(&post).await.unwrap();
    let seen = fake.seen();
    assert_eq!(seen[0].method, "GET");
    assert_eq!(seen[0].query["UserName"], "a b+c/张");
    assert_eq!(seen[0].host, fake.url.trim_start_matches("http://"));
    assert_eq!(seen[0].date, "20261123T020000Z");
    assert_eq!(seen[1].method, "POST");
    assert_eq!(seen[1].body, json!({"名": "值 +"}));
    assert_eq!(seen[1].query.len(), 2);
}

#[tokio::test]
async fn an_error_counts_whatever_the_status_and_is_not_retried() {
    for (status, code, kind) in [
        (200, "AccessDenied", ErrorKind::Permission),
        (200, "InvalidAccessKey", ErrorKind::Credentials),
        (400, "InvalidParameter", ErrorKind::BadInput),
        (404, "UserNotExist", ErrorKind::NotFound),
        (403, "InvalidTimestamp", ErrorKind::ClockSkew),
        (409, "AccessKeyLimitExceeded", ErrorKind::Limit),
    ] {
        let fake = replies(move |_| Some(Reply::Error(status, code))).await;
        let error = fake.account().call(&write()).await.unwrap_err();
        assert_eq!(*error.kind(), kind);
        assert_eq!(error.action(), "UpdateAccessKey");
        assert_eq!(error.code(), Some(code));
        assert_eq!(error.code_n(), Some(100_000));
        assert_eq!(error.status(), Some(status));
        assert_eq!(error.request_id(), Some("request-0"));
        assert_eq!(fake.calls(), 1, "{code}");
        let text = format!("{error} {error:?}");
        assert!(text.contains("refused AKLT…xYjE"), "{text}");
        assert!(!text.contains(KEY_ID) && !text.contains(SECRET), "{text}");
    }
}

#[tokio::test]
async fn transient_failures_are_retried_until_they_pass() {
    let failures: [fn() -> Reply; 9] = [
        || Reply::Error(200, "FlowLimitExceeded"),
        || Reply::Error(400, "AccountFlowLimitExceeded"),
        || Reply::Error(429, "Whatever"),
        || Reply::Raw(429, String::new()),
        || Reply::Error(502, "InternalServiceError"),
        || Reply::Raw(503, "<html>".into()),
        || Reply::Raw(200, r#"{"ResponseMetadata":{"RequestId":"x"},"Res"#.into()),
        || Reply::Raw(200, String::new()),
        || Reply::Cut,
    ];
    for (n, failure) in failures.into_iter().enumerate() {
        let fake = replies(move |n| (n < 2).then(failure)).await;
        fake.account()
            .update_access_key("a", "AKLT1", KeyStatus::Inactive)
            .await
            .unwrap_or_else(|error| panic!("{n}: {error}"));
        assert_eq!(fake.calls(), 3, "{n}");
    }
}

#[tokio::test]
async fn a_call_fails_after_its_last_retry() {
    let fake = replies(|_| Some(Reply::Error(200, "AccountFlowLimitExceeded"))).await;
    let error = fake.account().call(&write()).await.unwrap_err();
    assert_eq!(*error.kind(), ErrorKind::Throttled);
    assert_eq!(error.request_id(), Some("request-4"));
    assert_eq!(fake.calls(), 5);
}

#[tokio::test]
async fn every_attempt_is_signed_again() {
    let clock = Clock::manual("2026-11-23T02:00:00Z".parse().unwrap());
    let moving = clock.clone();
    let mut fake = replies(move |n| {
        moving.advance(jiff::SignedDuration::from_mins(10));
        (n < 2).then(|| Reply::Raw(500, String::new()))
    })
    .await;
    fake.clock = clock;
    fake.account().call(&write()).await.unwrap();
    let dates: Vec<String> = fake.seen().into_iter().map(|seen| seen.date).collect();
    assert_eq!(dates, ["20261123T020000Z", "20261123T021000Z", "20261123T022000Z"]);
}

#[tokio::test]
async fn creating_calls_are_retried_only_if_they_were_not_applied() {
    let create = Call { retry: Retry::IfNotApplied, ..Call::get(Api::Iam, "CreateAccessKey", []) };
    for failure in
        [|| Reply::Raw(503, String::new()), || Reply::Error(500, "ServiceFailure"), || Reply::Cut]
    {
        let fake = replies(move |n| (n < 1).then(failure)).await;
        let error = fake.account().call(&create).await.unwrap_err();
        assert!(error.is_transient(), "{error}");
        assert_eq!(fake.calls(), 1);
    }
    let fake = replies(|n| (n < 1).then_some(Reply::Error(429, "FlowLimitExceeded"))).await;
    fake.account().call(&create).await.unwrap();
    assert_eq!(fake.calls(), 2);
}

#[tokio::test]
async fn a_missing_response_times_out_and_is_retried() {
    let fake = replies(|n| (n < 1).then_some(Reply::Hang)).await;
    let hasty = client(&fake.url, fake.clock.clone(), Duration::from_millis(500));
    let account = hasty.account(credentials());
    account.call(&write()).await.unwrap();
    assert!(fake.calls() >= 2);

    let fake = replies(|_| Some(Reply::Hang)).await;
    let once = RetryPolicy { retries: 0, ..RetryPolicy::quick() };
    let hasty = client(&fake.url, fake.clock.clone(), Duration::from_millis(50));
    let account = hasty.with_retry(once).account(credentials());
    let error = account.call(&write()).await.unwrap_err();
    assert_eq!(*error.kind(), ErrorKind::Transport(TransportFault::Timeout), "{error}");
    assert!(!error.to_string().contains("UserName"), "{error}");
}

#[tokio::test]
async fn an_unreachable_server_differs_from_a_slow_one() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let account = client(&url, Clock::system(), Duration::from_secs(5)).account(credentials());
    let error = account.call(&write()).await.unwrap_err();
    assert_eq!(*error.kind(), ErrorKind::Transport(TransportFault::Connect));
    assert!(error.was_not_applied());
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let other = replies(|_| None).await;
    let to = format!("{}/?Action=x", other.url);
    let fake = replies(move |_| Some(Reply::Redirect(to.clone()))).await;
    let error = fake.account().call(&write()).await.unwrap_err();
    assert_eq!(*error.kind(), ErrorKind::Unexpected);
    assert_eq!((fake.calls(), other.calls()), (1, 0));
}

#[tokio::test]
async fn an_oversized_response_is_refused() {
    let fake = replies(|_| Some(Reply::Raw(200, " ".repeat((32 << 20) + 1)))).await;
    let error = fake.account().call(&write()).await.unwrap_err();
    assert_eq!(*error.kind(), ErrorKind::Unexpected);
    assert!(error.message().contains("32 MiB"), "{error}");
    assert_eq!(fake.calls(), 1);
}

#[tokio::test]
async fn every_request_is_counted_by_action_and_outcome() {
    let recorder = metrics_exporter_prometheus::PrometheusBuilder::new().build_recorder();
    let _here = metrics::set_default_local_recorder(&recorder);
    let fake = replies(|n| match n {
        0 => Some(Reply::Error(200, "FlowLimitExceeded")),
        1 => Some(Reply::Error(503, "ServiceUnavailableTemp")),
        3 => Some(Reply::Error(403, "AccessDenied")),
        _ => None,
    })
    .await;
    let account = fake.account();
    account.call(&write()).await.unwrap();
    account.call(&write()).await.unwrap_err();
    let text = recorder.handle().render();
    for (outcome, count) in [("throttled", 1), ("error", 1), ("ok", 1), ("denied", 1)] {
        let line = format!(
            "airgate_cloud_requests_total{{action=\"UpdateAccessKey\",outcome=\"{outcome}\"}} {count}\n"
        );
        assert!(text.contains(&line), "{line} not in {text}");
    }
}

#[test]
fn an_invalid_endpoint_is_reported_with_its_key() {
    let config = |iam: &str, billing: &str, ark: &str| ClientConfig {
        iam_endpoint: iam.into(),
        billing_endpoint: billing.into(),
        ark_endpoint: ark.into(),
        region: "cn-beijing".into(),
        qps: NonZeroU32::MIN,
        ark_qps: NonZeroU32::MIN,
        timeout: Duration::from_secs(1),
    };
    let good = "https://iam.volcengineapi.com";
    let bad = "http://iam.volcengineapi.com";
    for (config, key) in [
        (config(bad, good, good), "iam_endpoint"),
        (config(good, bad, good), "billing_endpoint"),
        (config(good, good, bad), "ark_endpoint"),
    ] {
        let error = Client::new(config, Clock::system()).err().unwrap();
        assert_eq!(*error.kind(), ErrorKind::Configuration);
        assert!(error.to_string().contains(key), "{error}");
    }
}

#[tokio::test]
async fn a_key_that_cannot_be_sent_is_an_error_not_a_panic() {
    let fake = replies(|_| None).await;
    let account =
        fake.client().account(Credentials { access_key_id: "AKLT\nevil".into(), ..credentials() });
    let error = account.call(&write()).await.unwrap_err();
    assert_eq!(*error.kind(), ErrorKind::Configuration);
    assert_eq!(fake.calls(), 0);
}
