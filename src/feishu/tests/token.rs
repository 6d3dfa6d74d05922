//! The tenant token: shared by all callers, renewed in time, replaced when it is refused.

use std::time::Duration;

use futures::future::join_all;
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::client::client;
use super::stub::{Reply, Stub, token};
use crate::clock::Clock;
use crate::feishu::Disposition;

fn clock() -> Clock {
    Clock::manual(Timestamp::from_second(1_700_000_000).unwrap())
}

fn bot() -> serde_json::Value {
    json!({"code": 0, "msg": "ok", "bot": {"open_id": "ou_bot", "app_name": "Ops"}})
}

/// Waits until another task makes the condition true.
async fn eventually(what: impl Fn() -> bool) {
    tokio::time::timeout(Duration::from_secs(20), async {
        while !what() {
            tokio::task::yield_now().await;
        }
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn twenty_callers_share_one_token() {
    let stub = Stub::start().await;
    let client = client(&stub, clock());
    assert_eq!(client.token_obtained_at(), None);
    for _ in 0..20 {
        stub.reply_ok(bot());
    }
    let results = join_all((0..20).map(|_| client.bot_info())).await;
    assert!(results.iter().all(Result::is_ok), "{results:?}");
    assert_eq!(stub.tokens(), 1);
    let requests = stub.requests();
    assert_eq!(requests.len(), 20);
    assert!(requests.iter().all(|request| request.authorization == "Bearer t-1"));
    assert_eq!(client.token_obtained_at(), Some(clock().now()));
}

#[tokio::test]
async fn callers_that_waited_for_a_failed_fetch_share_the_error() {
    let stub = Stub::start().await;
    stub.token_gate.forget_permits(1000);
    stub.token_reply(Reply::json(200, json!({"code": 10014, "msg": "app secret invalid"})));
    let client = client(&stub, clock());
    let calls = (0..20).map(|_| client.bot_info());
    let release = async {
        stub.token_requests.subscribe().wait_for(|count| *count == 1).await.unwrap();
        stub.token_gate.add_permits(1000);
    };
    let (results, ()) = tokio::join!(join_all(calls), release);
    for result in results {
        let error = result.unwrap_err();
        assert_eq!(error.endpoint(), Some("token"));
        assert_eq!(error.disposition(), Disposition::Credentials);
    }
    assert_eq!(stub.tokens(), 1);
    // The failure is not cached: the next caller fetches again.
    stub.reply_ok(bot());
    client.bot_info().await.unwrap();
    assert_eq!(stub.tokens(), 2);
}

#[tokio::test]
async fn a_token_is_renewed_before_its_expiry_without_blocking_callers() {
    let stub = Stub::start().await;
    let clock = clock();
    let client = client(&stub, clock.clone());
    client.refresh_token().await.unwrap();

    clock.advance(SignedDuration::from_secs(7200 - 601));
    stub.reply_ok(bot());
    client.bot_info().await.unwrap();
    assert_eq!(stub.tokens(), 1);

    // Ten minutes before the expiry; the platform is slow to issue the new one.
    stub.token_gate.forget_permits(1000);
    clock.advance(SignedDuration::from_secs(2));
    for _ in 0..3 {
        stub.reply_ok(bot());
        client.bot_info().await.unwrap();
    }
    assert!(stub.requests().iter().all(|request| request.authorization == "Bearer t-1"));
    stub.token_gate.add_permits(1000);
    eventually(|| client.token_obtained_at() == Some(clock.now())).await;
    assert_eq!(stub.tokens(), 2);
    stub.reply_ok(bot());
    client.bot_info().await.unwrap();
    assert_eq!(stub.requests()[0].authorization, "Bearer t-2");
}

#[tokio::test]
async fn a_failed_renewal_is_retried_after_a_pause_while_the_old_token_is_used() {
    let stub = Stub::start().await;
    let clock = clock();
    let client = client(&stub, clock.clone());
    client.refresh_token().await.unwrap();
    let obtained = client.token_obtained_at();

    clock.advance(SignedDuration::from_secs(7200 - 300));
    stub.token_reply(Reply::bytes(503, "down"));
    for _ in 0..5 {
        stub.reply_ok(bot());
        client.bot_info().await.unwrap();
        eventually(|| stub.tokens() == 2).await;
    }
    assert_eq!(client.token_obtained_at(), obtained);

    assert_eq!(stub.tokens(), 2);

    // Callers did not wait for the failed fetch: it may be recorded only after the first of these pauses.
    for _ in 0..3 {
        clock.advance(SignedDuration::from_secs(31));
        stub.reply_ok(bot());
        client.bot_info().await.unwrap();
    }
    eventually(|| client.token_obtained_at() != obtained).await;
    assert_eq!(stub.tokens(), 3);
}

#[tokio::test]
async fn an_expired_token_is_not_used() {
    let stub = Stub::start().await;
    let clock = clock();
    let client = client(&stub, clock.clone());
    stub.token_reply(token("t-short", 60));
    client.refresh_token().await.unwrap();
    clock.advance(SignedDuration::from_secs(60));
    stub.reply_ok(bot());
    client.bot_info().await.unwrap();
    assert_eq!(stub.requests()[0].authorization, "Bearer t-2");
}

#[tokio::test]
async fn a_refused_token_is_replaced_and_the_call_retried_once() {
    for code in [99991663, 99991664, 99991671] {
        let stub = Stub::start().await;
        let client = client(&stub, clock());
        let refused = json!({"code": code, "msg": "Invalid access token"});
        stub.reply(Reply::json(400, refused.clone())).reply_ok(bot());
        client.bot_info().await.unwrap();
        let tokens: Vec<_> =
            stub.requests().into_iter().map(|request| request.authorization).collect();
        assert_eq!(tokens, ["Bearer t-1", "Bearer t-2"]);

        // Refused again: no second retry.
        stub.reply(Reply::json(400, refused.clone())).reply(Reply::json(400, refused));
        let error = client.bot_info().await.unwrap_err();
        assert_eq!(error.code(), Some(code));
        assert_eq!(error.disposition(), Disposition::Credentials);
        assert_eq!(stub.requests().len(), 2);
    }
}

#[tokio::test]
async fn other_refusals_are_not_retried() {
    for (status, code) in [(400, 99991672), (400, 99991661), (429, 99991400), (500, 1)] {
        let stub = Stub::start().await;
        stub.reply(Reply::json(status, json!({"code": code, "msg": "no"})));
        client(&stub, clock()).bot_info().await.unwrap_err();
        assert_eq!(stub.requests().len(), 1, "{code}");
        assert_eq!(stub.tokens(), 1, "{code}");
    }
}

#[tokio::test]
async fn without_a_token_nothing_is_sent() {
    for reply in [
        Reply::bytes(200, "<html>"),
        Reply::bytes(200, "{\"code\":0").cut(),
        Reply::bytes(504, ""),
        Reply::json(200, json!({"code": 0, "expire": 7200})),
        Reply::json(200, json!({"code": 0, "tenant_access_token": "t-x", "expire": 0})),
    ] {
        let stub = Stub::start().await;
        stub.token_reply(reply);
        let error = client(&stub, clock()).bot_info().await.unwrap_err();
        assert_eq!(error.endpoint(), Some("token"));
        assert_eq!(error.disposition(), Disposition::RetryLater, "{error}");
        assert!(stub.requests().is_empty());
    }
}
