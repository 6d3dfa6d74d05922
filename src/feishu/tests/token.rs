//! The tenant token: one for all, renewed in time, replaced when it is refused.

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

/// Waits for a condition that another task brings about.
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
        stub.will_say(bot());
    }
    let results = join_all((0..20).map(|_| client.bot_info())).await;
    assert!(results.iter().all(Result::is_ok), "{results:?}");
    assert_eq!(stub.tokens(), 1);
    let asked = stub.asked();
    assert_eq!(asked.len(), 20);
    assert!(asked.iter().all(|asked| asked.authorization == "Bearer t-1"));
    assert_eq!(client.token_obtained_at(), Some(clock().now()));
}

#[tokio::test]
async fn callers_who_waited_for_a_failure_share_it() {
    let stub = Stub::start().await;
    stub.token_gate.forget_permits(1000);
    stub.token_will(Reply::json(200, json!({"code": 10014, "msg": "app secret invalid"})));
    let client = client(&stub, clock());
    let calls = (0..20).map(|_| client.bot_info());
    let release = async {
        stub.token_asked.subscribe().wait_for(|count| *count == 1).await.unwrap();
        stub.token_gate.add_permits(1000);
    };
    let (results, ()) = tokio::join!(join_all(calls), release);
    for result in results {
        let error = result.unwrap_err();
        assert_eq!(error.endpoint(), Some("token"));
        assert_eq!(error.disposition(), Disposition::Credentials);
    }
    assert_eq!(stub.tokens(), 1);
    // The failure is not remembered: the next caller asks again.
    stub.will_say(bot());
    client.bot_info().await.unwrap();
    assert_eq!(stub.tokens(), 2);
}

#[tokio::test]
async fn a_token_is_renewed_before_its_end_without_holding_anybody_up() {
    let stub = Stub::start().await;
    let clock = clock();
    let client = client(&stub, clock.clone());
    client.refresh_token().await.unwrap();

    clock.advance(SignedDuration::from_secs(7200 - 601));
    stub.will_say(bot());
    client.bot_info().await.unwrap();
    assert_eq!(stub.tokens(), 1);

    // Ten minutes before the end; the platform takes its time with the new one.
    stub.token_gate.forget_permits(1000);
    clock.advance(SignedDuration::from_secs(2));
    for _ in 0..3 {
        stub.will_say(bot());
        client.bot_info().await.unwrap();
    }
    assert!(stub.asked().iter().all(|asked| asked.authorization == "Bearer t-1"));
    stub.token_gate.add_permits(1000);
    eventually(|| client.token_obtained_at() == Some(clock.now())).await;
    assert_eq!(stub.tokens(), 2);
    stub.will_say(bot());
    client.bot_info().await.unwrap();
    assert_eq!(stub.asked()[0].authorization, "Bearer t-2");
}

#[tokio::test]
async fn a_failed_renewal_harms_nobody_and_is_tried_again_after_a_pause() {
    let stub = Stub::start().await;
    let clock = clock();
    let client = client(&stub, clock.clone());
    client.refresh_token().await.unwrap();
    let obtained = client.token_obtained_at();

    clock.advance(SignedDuration::from_secs(7200 - 300));
    stub.token_will(Reply::bytes(503, "down"));
    for _ in 0..5 {
        stub.will_say(bot());
        client.bot_info().await.unwrap();
        eventually(|| stub.tokens() == 2).await;
    }
    assert_eq!(client.token_obtained_at(), obtained);

    assert_eq!(stub.tokens(), 2);

    // The failed attempt was not waited for: it may be noted only after the first of these pauses.
    for _ in 0..3 {
        clock.advance(SignedDuration::from_secs(31));
        stub.will_say(bot());
        client.bot_info().await.unwrap();
    }
    eventually(|| client.token_obtained_at() != obtained).await;
    assert_eq!(stub.tokens(), 3);
}

#[tokio::test]
async fn an_ended_token_is_not_used() {
    let stub = Stub::start().await;
    let clock = clock();
    let client = client(&stub, clock.clone());
    stub.token_will(token("t-short", 60));
    client.refresh_token().await.unwrap();
    clock.advance(SignedDuration::from_secs(60));
    stub.will_say(bot());
    client.bot_info().await.unwrap();
    assert_eq!(stub.asked()[0].authorization, "Bearer t-2");
}

#[tokio::test]
async fn a_refused_token_is_replaced_and_the_call_repeated_once() {
    for code in [99991663, 99991664, 99991671] {
        let stub = Stub::start().await;
        let client = client(&stub, clock());
        let refused = json!({"code": code, "msg": "Invalid access token"});
        stub.will(Reply::json(400, refused.clone())).will_say(bot());
        client.bot_info().await.unwrap();
        let tokens: Vec<_> = stub.asked().into_iter().map(|asked| asked.authorization).collect();
        assert_eq!(tokens, ["Bearer t-1", "Bearer t-2"]);

        // Refused again: once is enough.
        stub.will(Reply::json(400, refused.clone())).will(Reply::json(400, refused));
        let error = client.bot_info().await.unwrap_err();
        assert_eq!(error.code(), Some(code));
        assert_eq!(error.disposition(), Disposition::Credentials);
        assert_eq!(stub.asked().len(), 2);
    }
}

#[tokio::test]
async fn other_refusals_are_not_repeated() {
    for (status, code) in [(400, 99991672), (400, 99991661), (429, 99991400), (500, 1)] {
        let stub = Stub::start().await;
        stub.will(Reply::json(status, json!({"code": code, "msg": "no"})));
        client(&stub, clock()).bot_info().await.unwrap_err();
        assert_eq!(stub.asked().len(), 1, "{code}");
        assert_eq!(stub.tokens(), 1, "{code}");
    }
}

#[tokio::test]
async fn a_token_that_could_not_be_had_means_that_nothing_was_sent() {
    for reply in [
        Reply::bytes(200, "<html>"),
        Reply::bytes(200, "{\"code\":0").cut(),
        Reply::bytes(504, ""),
        Reply::json(200, json!({"code": 0, "expire": 7200})),
        Reply::json(200, json!({"code": 0, "tenant_access_token": "t-x", "expire": 0})),
    ] {
        let stub = Stub::start().await;
        stub.token_will(reply);
        let error = client(&stub, clock()).bot_info().await.unwrap_err();
        assert_eq!(error.endpoint(), Some("token"));
        assert_eq!(error.disposition(), Disposition::RetryLater, "{error}");
        assert!(stub.asked().is_empty());
    }
}
