//! Custom bots against a stub server.

use jiff::Timestamp;
use secrecy::SecretString;
use serde_json::{Value, json};

use super::stub::{Reply, Stub};
use crate::feishu::{CustomBot, Disposition, Error, WEBHOOK_BODY_LIMIT};

const SECRET_PATH: &str = "/open-apis/bot/v2/hook/hidden-id";

async fn start(secret: Option<&str>) -> (Stub, CustomBot) {
    let stub = Stub::start().await;
    let url = stub.url.join(SECRET_PATH).unwrap();
    let bot =
        CustomBot::new(url, secret.map(SecretString::from), std::time::Duration::from_secs(10))
            .unwrap();
    (stub, bot)
}

fn now() -> Timestamp {
    Timestamp::from_second(1_599_360_473).unwrap()
}

fn success() -> Value {
    json!({"StatusCode": 0, "StatusMessage": "success", "code": 0, "data": {}, "msg": "success"})
}

#[tokio::test]
async fn cards_are_signed_if_a_secret_is_set() {
    let card = json!({"schema": "2.0", "body": {"elements": []}});
    let signed = json!({"timestamp": "1599360473", "sign": "l1N0gAcBjdwBvGm1xMjOF0XSyaLRpR7tuO5dHfhAYc8=",
                        "msg_type": "interactive", "card": card});
    let plain = json!({"msg_type": "interactive", "card": card});
    for (secret, body) in [(Some("demo"), signed), (None, plain.clone()), (Some(""), plain)] {
        let (stub, bot) = start(secret).await;
        stub.reply_ok(success());
        bot.send_card(&card, now()).await.unwrap();
        let requests = stub.requests();
        assert_eq!(requests.len(), 1);
        assert_eq!((requests[0].method.as_str(), requests[0].path.as_str()), ("POST", SECRET_PATH));
        assert_eq!(requests[0].authorization, "");
        assert_eq!(requests[0].content_type, "application/json; charset=utf-8");
        assert_eq!(requests[0].body, body);
        assert_eq!(stub.tokens(), 0);
    }
}

#[tokio::test]
async fn a_success_is_understood_in_the_older_form_too() {
    let (stub, bot) = start(None).await;
    for answer in [
        json!({"StatusCode": 0, "StatusMessage": "success"}),
        json!({"Extra": null, "StatusCode": 0, "StatusMessage": "success"}),
        json!({"code": 0, "data": {}, "msg": "success"}),
        json!({"StatusCode": 1, "code": 0}),
    ] {
        stub.reply_ok(answer.clone());
        assert!(bot.send_card(&json!({}), now()).await.is_ok(), "{answer}");
    }
}

#[tokio::test]
async fn responses_are_judged_by_their_code_alone() {
    let card = json!({});
    let second = std::time::Duration::from_secs(5);
    for (reply, disposition) in [
        (
            Reply::json(200, json!({"code": 19021, "msg": "sign match fail"})),
            Disposition::Credentials,
        ),
        (
            Reply::json(200, json!({"code": 19024, "msg": "Key Words Not Found"})),
            Disposition::Refused,
        ),
        (Reply::json(200, json!({"code": 19001, "msg": "token invalid"})), Disposition::ChatGone),
        (Reply::json(200, json!({"code": 11232, "msg": "limit"})), Disposition::RetryAfter(second)),
        (
            Reply::json(200, json!({"code": 9499, "msg": "Bad Request", "StatusCode": 0})),
            Disposition::Refused,
        ),
        (
            Reply::json(200, json!({"StatusCode": 19024, "StatusMessage": "Key Words Not Found"})),
            Disposition::Refused,
        ),
        (Reply::json(200, json!({"code": "0", "StatusCode": 0})), Disposition::Unclear),
        (Reply::json(200, json!({"StatusMessage": "success"})), Disposition::Unclear),
        (Reply::bytes(200, "ok"), Disposition::Unclear),
        (Reply::bytes(307, "").header("location", "http://127.0.0.1:1/"), Disposition::Refused),
    ] {
        let (stub, bot) = start(None).await;
        stub.reply(reply);
        let error = bot.send_card(&card, now()).await.unwrap_err();
        assert_eq!(error.disposition(), disposition, "{error}");
        assert_eq!(error.endpoint(), Some("webhook"));
        assert_eq!(stub.requests().len(), 1);
    }
    let (stub, bot) = start(None).await;
    stub.reply(Reply::json(400, success()));
    bot.send_card(&card, now()).await.unwrap();
}

#[tokio::test]
async fn a_card_over_the_limit_is_not_sent() {
    let (stub, bot) = start(Some("demo")).await;
    let frame =
        json!({"timestamp": "1599360473", "sign": "l1N0gAcBjdwBvGm1xMjOF0XSyaLRpR7tuO5dHfhAYc8=",
                       "msg_type": "interactive", "card": ""})
        .to_string()
        .len();
    let largest = Value::from("x".repeat(WEBHOOK_BODY_LIMIT - frame));
    let larger = Value::from("x".repeat(WEBHOOK_BODY_LIMIT - frame + 1));
    stub.reply_ok(success());
    bot.send_card(&largest, now()).await.unwrap();
    let error = bot.send_card(&larger, now()).await.unwrap_err();
    assert!(matches!(error, Error::Unsendable { .. }), "{error:?}");
    assert_eq!(error.disposition(), Disposition::Refused);
    assert_eq!(stub.requests().len(), 1);
}

#[tokio::test]
async fn neither_the_address_nor_the_secret_is_printed() {
    let (stub, bot) = start(Some("hidden-secret")).await;
    // Breaks the connection, so that our error wraps the transport's, which knows the URL.
    stub.reply(Reply::bytes(200, "").cut());
    let error = bot.send_card(&json!({}), now()).await.unwrap_err();
    let source = std::error::Error::source(&error).unwrap();
    let printed = format!("{bot:?} {error} {error:?} {source} {source:?}");
    assert!(!printed.contains("hidden"), "{printed}");
}
