//! What arrives over HTTP, and how it is answered (docs/behaviour.md §4).

use airgate::sandbox::feishu::{Sealed, SentEvent};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::bed::{ADMIN, Bed, STRANGER, one_account, text_of};
use crate::shared::environment::{ENCRYPT_KEY, TOKEN};

const PATHS: [&str; 2] = ["/feishu/event", "/feishu/card"];

/// A service that knows the user `alice`.
async fn bed_with(further: &[(&str, &str)]) -> Bed {
    let mut cloud = one_account();
    cloud.account_mut("main").unwrap().add_user("alice");
    let bed = Bed::with(cloud, further).await;
    bed.sync().await;
    bed
}

/// An allocation that the service has not received yet: it shows whether it was processed.
async fn allocation(bed: &Bed) -> SentEvent {
    bed.unsent(ADMIN, &bed.feishu.direct_chat(ADMIN), "/quota alice 100").await
}

/// The callback of a click on `quota.allocate`.
fn press(bed: &Bed, create_time: &str, op: &str) -> Value {
    let event = json!({
        "operator": {"open_id": ADMIN, "union_id": "on_1", "tenant_key": "t"},
        "token": "c-1",
        "action": {
            "tag": "button", "name": "quota.allocate",
            "value": {"action": "quota.allocate", "user": "main/alice", "op": op},
            "form_value": {"amount": "1", "note": ""},
        },
        "context": {"open_message_id": "om_1", "open_chat_id": "oc_1"},
    });
    bed.feishu.envelope("card.action.trigger", create_time, event)
}

fn micros(at: Timestamp) -> String {
    at.as_microsecond().to_string()
}

fn quota(bed: &Bed) -> String {
    bed.quota("main/alice")
}

fn header<'a>(sealed: &'a mut Sealed, name: &str) -> &'a mut String {
    sealed.headers.iter_mut().find(|(known, _)| *known == name).map(|(_, value)| value).unwrap()
}

/// Any body, signed with a key.
fn signed(body: &str, key: &str) -> Sealed {
    use sha2::{Digest, Sha256};
    let digest = Sha256::digest(format!("1700000000nonce{key}{body}"));
    let signature: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    Sealed {
        headers: vec![
            ("X-Lark-Request-Timestamp", "1700000000".to_owned()),
            ("X-Lark-Request-Nonce", "nonce".to_owned()),
            ("X-Lark-Signature", signature),
        ],
        body: body.to_owned(),
    }
}

fn plain(body: impl Into<String>) -> Sealed {
    Sealed { headers: vec![("Content-Type", "application/json".to_owned())], body: body.into() }
}

#[tokio::test(flavor = "multi_thread")]
async fn both_paths_accept_events_and_callbacks() {
    for further in [&[][..], &[("FEISHU__ENCRYPT_KEY", "")]] {
        let bed = bed_with(further).await;
        for (round, path) in PATHS.into_iter().enumerate() {
            bed.feishu.verify_address(path).await.unwrap();

            let event = allocation(&bed).await;
            let told = bed.post(path, bed.feishu.seal(&event.envelope)).await;
            assert_eq!(told, (200, json!({})), "{path}");
            let reply = bed.reply_to(&event).await.unwrap();
            assert!(text_of(&reply).contains("¥100.00"), "{}", text_of(&reply));

            let pressed = press(&bed, &micros(bed.clock.now()), &format!("op-{round}"));
            let (status, answer) = bed.post(path, bed.feishu.seal(&pressed)).await;
            assert_eq!(status, 200, "{answer}");
            assert_eq!(answer["toast"]["type"], "success", "{answer}");
            assert_eq!(answer["card"]["type"], "raw", "{answer}");
        }
        assert_eq!(quota(&bed), "¥202.00");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn callbacks_from_strangers_are_refused_and_change_nothing() {
    let bed = bed_with(&[]).await;
    let event = allocation(&bed).await;
    let good = || bed.feishu.seal(&event.envelope);
    let with = |pointer: &str, value: Value| {
        let mut envelope = event.envelope.clone();
        *envelope.pointer_mut(pointer).unwrap() = value;
        bed.feishu.seal(&envelope)
    };
    let key = ENCRYPT_KEY;
    let mut cases: Vec<(&str, Sealed)> = Vec::new();
    let mut sealed = good();
    sealed.headers.retain(|(name, _)| *name != "X-Lark-Signature");
    cases.push(("no signature", sealed));
    let mut sealed = good();
    sealed.headers.truncate(1);
    cases.push(("no X-Lark header", sealed));
    let mut sealed = good();
    *header(&mut sealed, "X-Lark-Signature") = "0".repeat(64);
    cases.push(("a wrong signature", sealed));
    let mut sealed = good();
    header(&mut sealed, "X-Lark-Request-Nonce").push('0');
    cases.push(("another nonce", sealed));
    let mut sealed = good();
    header(&mut sealed, "X-Lark-Request-Timestamp").push('0');
    cases.push(("another timestamp", sealed));
    let mut sealed = good();
    sealed.body.push(' ');
    cases.push(("another body", sealed));
    cases.push(("another token", with("/header/token", json!(format!("{TOKEN}x")))));
    cases.push(("no token", with("/header/token", Value::Null)));
    cases.push(("another app", with("/header/app_id", json!("cli_other"))));
    cases
        .push(("not decryptable", signed(&json!({"encrypt": "AAAA".repeat(16)}).to_string(), key)));
    cases.push(("not base64", signed(&json!({"encrypt": "%%%"}).to_string(), key)));
    cases.push(("plain and signed", signed(&event.envelope.to_string(), key)));
    cases.push(("plain and unsigned", plain(event.envelope.to_string())));
    let verification = json!({"challenge": "c", "token": "wrong", "type": "url_verification"});
    cases.push(("url_verification, wrong token", bed.feishu.seal(&verification)));
    let verification = json!({"challenge": "c", "token": TOKEN, "type": "url_verification"});
    cases.push(("url_verification, plain", plain(verification.to_string())));
    for (what, sealed) in cases {
        for path in PATHS {
            let (status, answer) = bed.post(path, sealed.clone()).await;
            assert_eq!(status, 401, "{what}: {answer}");
            assert!(answer["error"].as_str().is_some_and(|text| !text.is_empty()), "{what}");
        }
    }
    bed.settled().await;
    assert_eq!(quota(&bed), "¥0.00");
    assert_eq!(bed.replies_to(event.message_id.as_deref().unwrap()), 0);
    // The event itself is still accepted.
    assert_eq!(bed.post(PATHS[0], good()).await.0, 200);
    assert_eq!(quota(&bed), "¥100.00");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_an_encrypt_key_the_token_decides() {
    let bed = bed_with(&[("FEISHU__ENCRYPT_KEY", "")]).await;
    let event = allocation(&bed).await;
    let sealed = |pointer: &str, value: &str| {
        let mut envelope = event.envelope.clone();
        *envelope.pointer_mut(pointer).unwrap() = json!(value);
        plain(envelope.to_string())
    };
    for (what, body) in [
        ("another token", sealed("/header/token", "other")),
        ("another app", sealed("/header/app_id", "cli_other")),
        ("encrypted", plain(json!({"encrypt": "AAAA".repeat(16)}).to_string())),
        (
            "url_verification, wrong token",
            plain(json!({"challenge": "c", "token": "x", "type": "url_verification"}).to_string()),
        ),
    ] {
        assert_eq!(bed.post(PATHS[0], body).await.0, 401, "{what}");
    }
    assert_eq!(quota(&bed), "¥0.00");
    let verification = json!({"challenge": "c-1", "token": TOKEN, "type": "url_verification"});
    let answer = bed.post(PATHS[1], plain(verification.to_string())).await;
    assert_eq!(answer, (200, json!({"challenge": "c-1"})));
    assert_eq!(bed.post(PATHS[0], plain(event.envelope.to_string())).await.0, 200);
    assert_eq!(quota(&bed), "¥100.00");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_is_not_an_event_gets_400_and_an_oversized_one_413() {
    let bed = bed_with(&[]).await;
    let open_bed = bed_with(&[("FEISHU__ENCRYPT_KEY", "")]).await;
    for (what, bed, sealed, wanted) in [
        ("empty", &bed, plain(""), 400),
        ("not JSON", &bed, plain("encrypt=abc"), 400),
        ("cut short", &bed, plain("{\"encrypt\": \"AA"), 400),
        ("a list", &bed, plain("[]"), 400),
        ("a control character", &bed, plain("\u{0}"), 400),
        ("sealed, no event", &bed, bed.feishu.seal(&json!({"a": 1})), 400),
        ("sealed list", &bed, bed.feishu.seal(&json!([1])), 400),
        ("plain, not JSON", &open_bed, plain("x"), 400),
        ("plain, no event", &open_bed, plain("{}"), 400),
        (
            "plain, no event type",
            &open_bed,
            plain(format!("{{\"header\": {{\"token\": \"{TOKEN}\"}}}}")),
            400,
        ),
        ("1 MiB and a byte", &bed, plain(" ".repeat(1024 * 1024 + 1)), 413),
        ("1 MiB", &bed, plain(" ".repeat(1024 * 1024)), 400),
    ] {
        let (status, answer) = bed.post(PATHS[0], sealed).await;
        assert_eq!(status, wanted, "{what}: {answer}");
        assert!(answer["error"].is_string(), "{what}: {answer}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn old_events_are_ignored_whatever_the_unit_of_their_time() {
    let bed = bed_with(&[]).await;
    let ago =
        |seconds: i64| bed.clock.now().checked_sub(SignedDuration::from_secs(seconds)).unwrap();
    let (fresh, stale) = (8 * 3600 - 60, 8 * 3600 + 60);

    let event = allocation(&bed).await;
    let mut envelope = event.envelope.clone();
    envelope["header"]["create_time"] = json!(ago(stale).as_millisecond().to_string());
    assert_eq!(bed.post(PATHS[0], bed.feishu.seal(&envelope)).await, (200, json!({})));
    assert_eq!(quota(&bed), "¥0.00");
    envelope["header"]["create_time"] = json!(ago(fresh).as_millisecond().to_string());
    assert_eq!(bed.post(PATHS[0], bed.feishu.seal(&envelope)).await.0, 200);
    assert_eq!(quota(&bed), "¥100.00");

    let old = press(&bed, &micros(ago(stale)), "op-old");
    assert_eq!(bed.post(PATHS[1], bed.feishu.seal(&old)).await, (200, json!({})));
    assert_eq!(quota(&bed), "¥100.00");
    let recent = press(&bed, &micros(ago(fresh)), "op-recent");
    assert_eq!(bed.post(PATHS[1], bed.feishu.seal(&recent)).await.0, 200);
    assert_eq!(quota(&bed), "¥101.00");
}

#[tokio::test(flavor = "multi_thread")]
async fn repeated_events_are_processed_once_even_across_restarts() {
    let mut bed = bed_with(&[]).await;
    let event = allocation(&bed).await;
    let pressed = press(&bed, &micros(bed.clock.now()), "op-1");
    let mut same_message = event.envelope.clone();
    same_message["header"]["event_id"] = json!("another-event");
    // Another op under the same event id: the event has been handled, whatever it holds.
    let mut same_event = press(&bed, &micros(bed.clock.now()), "op-2");
    same_event["header"]["event_id"] = pressed["header"]["event_id"].clone();
    for round in 0..3 {
        for envelope in [&event.envelope, &same_message, &pressed, &same_event] {
            let answer = bed.post(PATHS[0], bed.feishu.seal(envelope)).await;
            assert_eq!(answer.0, 200, "{envelope}");
        }
        bed.settled().await;
        assert_eq!(quota(&bed), "¥101.00", "round {round}");
        assert_eq!(bed.replies_to(event.message_id.as_deref().unwrap()), 1, "round {round}");
        bed.restart().await;
    }
    // Under a new event id it is another click, and its op prevents a second allocation.
    let again = press(&bed, &micros(bed.clock.now()), "op-1");
    let (status, answer) = bed.post(PATHS[1], bed.feishu.seal(&again)).await;
    assert_eq!((status, &answer["toast"]["type"]), (200, &json!("success")), "{answer}");
    assert_eq!(quota(&bed), "¥101.00");
    assert_eq!(bed.ledger_entries("main/alice"), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_event_twice_at_once_is_processed_once() {
    let bed = bed_with(&[]).await;
    let event = allocation(&bed).await;
    let posts = (0..10).map(|_| bed.post(PATHS[0], bed.feishu.seal(&event.envelope)));
    for (status, _) in futures::future::join_all(posts).await {
        assert_eq!(status, 200);
    }
    assert_eq!(quota(&bed), "¥100.00");
}

#[tokio::test(flavor = "multi_thread")]
async fn events_that_are_not_handled_are_acknowledged() {
    let bed = bed_with(&[]).await;
    let before = bed.feishu.read(|state| state.all_messages().len());
    for (kind, event) in [
        ("im.message.message_read_v1", json!({"reader": {}})),
        ("contact.user.updated_v3", json!({})),
        ("im.chat.member.bot.deleted_v1", json!({"chat_id": "oc_1"})),
        ("im.message.receive_v1", json!({})),
        ("card.action.trigger", json!({"operator": {}})),
        ("card.action.trigger", json!({"operator": {"open_id": STRANGER}})),
    ] {
        let sent = bed.feishu.push_event(kind, event).await;
        assert_eq!(sent.status, Some(200), "{kind}");
    }
    bed.settled().await;
    assert_eq!(bed.feishu.read(|state| state.all_messages().len()), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn vectors_of_both_official_sdks_are_accepted_and_refused_as_expected() {
    let vectors: Value = serde_json::from_str(include_str!("../../vectors/feishu.json")).unwrap();
    // Where the two SDKs disagree, the vector's `recommended` counts.
    let of = |name: &str| vectors[name].as_array().unwrap().iter();
    let cases: Vec<&Value> = of("cases").chain(of("divergences")).collect();
    let http = |case: &Value| {
        matches!(case["kind"].as_str(), Some("event" | "url_verification" | "card_v1"))
    };
    let text = |case: &Value, name: &str| case[name].as_str().unwrap_or_default().to_owned();
    let mut seen = 0;
    let keys: std::collections::BTreeSet<(String, String)> = cases
        .iter()
        .filter(|case| http(case))
        .map(|case| (text(case, "encrypt_key"), text(case, "verification_token")))
        .collect();
    for (key, token) in keys {
        let bed = Bed::with(
            one_account(),
            &[
                ("FEISHU__ENCRYPT_KEY", &key),
                ("FEISHU__VERIFICATION_TOKEN", &token),
                ("FEISHU__APP_ID", "cli_a1b2c3d4e5f60718"),
            ],
        )
        .await;
        bed.clock.set(Timestamp::from_second(1_700_000_005).unwrap());
        for case in cases.iter().filter(|case| http(case)) {
            if (text(case, "encrypt_key"), text(case, "verification_token"))
                != (key.clone(), token.clone())
            {
                continue;
            }
            let id = text(case, "id");
            let mut request =
                reqwest::Client::new().post(bed.url("/feishu/event")).body(text(case, "raw_body"));
            for (name, value) in case["headers"].as_object().unwrap() {
                request = request.header(name, value.as_str().unwrap());
            }
            let response = request.send().await.unwrap();
            let status = response.status().as_u16();
            let answer: Value = response.json().await.unwrap();
            let expected = case["expect"].as_str().or(case["recommended"].as_str()).unwrap();
            match (case["kind"].as_str().unwrap(), expected) {
                // Callbacks of version 1 carry no envelope and no token, and are not accepted.
                ("card_v1", _) => assert_eq!(status, 400, "{id}: {answer}"),
                (_, "accept" | "accept and ignore with 200") => {
                    assert_eq!(status, 200, "{id}: {answer}");
                }
                (_, "policy") => {}
                // No JSON inside: indistinguishable from a body encrypted with another key.
                _ if matches!(
                    id.as_str(),
                    "mal-not-json-inside"
                        | "mal-json-truncated-inside"
                        | "mal-empty-inside"
                        | "div-invalid-utf8-inside"
                ) =>
                {
                    assert_eq!(status, 401, "{id}: {answer}");
                }
                _ if id.ends_with("-inside") || id.starts_with("mal-body-") => {
                    assert_eq!(status, 400, "{id}: {answer}");
                }
                _ => assert_eq!(status, 401, "{id}: {answer}"),
            }
            if case["kind"] == "url_verification" && expected == "accept" {
                assert_eq!(answer, case["response_json"], "{id}");
            }
            seen += 1;
        }
    }
    assert!(seen > 60, "only {seen} vectors were tried");
}
