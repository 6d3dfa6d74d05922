//! The envelope: staleness, versions, senders, and the events that are handled.

use jiff::{SignedDuration, Timestamp};
use secrecy::SecretString;
use serde_json::{Value, json};

use super::{APP_ID, MAX_AGE, TOKEN, headers, verifier};
use crate::feishu::{
    CallbackKeys, CallbackVerifier, ChatKind, EventKind, Incoming, Malformed, Rejection,
    Unauthorized, parse_payload,
};

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// 2023-11-14T22:13:20Z
const EPOCH: i64 = 1_700_000_000;

fn envelope(event_type: &str, event: Value) -> Value {
    json!({
        "schema": "2.0",
        "header": {"event_id": "e1", "token": TOKEN, "create_time": "1700000000123",
                   "event_type": event_type, "tenant_key": "t1", "app_id": APP_ID},
        "event": event,
    })
}

fn open_plain(payload: &Value) -> Result<Incoming, Rejection> {
    let now = Timestamp::from_second(EPOCH + 5).unwrap();
    verifier("", TOKEN).open(&headers([("a", "b")]), payload.to_string().as_bytes(), now)
}

fn kind_of(event_type: &str, event: Value) -> Option<EventKind> {
    let now = Timestamp::from_second(EPOCH + 5).unwrap();
    match parse_payload(&envelope(event_type, event), now, MAX_AGE).unwrap() {
        Incoming::Event(event) => {
            assert_eq!(event.kind.event_type().as_str(), event_type);
            Some(event.kind)
        }
        Incoming::Unhandled { event_type: other, event_id } => {
            assert_eq!((other.as_str(), event_id.as_str()), (event_type, "e1"));
            None
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn events_older_than_the_age_limit_are_stale_in_every_unit() {
    let menu = json!({"operator": {"operator_id": {"open_id": "ou_a"}}, "event_key": "k"});
    for create_time in [
        json!("1700000000"),
        json!("1700000000123"),
        json!("1700000000123456"),
        json!(1_700_000_000_123_i64),
    ] {
        let mut payload = envelope("application.bot.menu_v6", menu.clone());
        payload["header"]["create_time"] = create_time.clone();
        let created = match parse_payload(&payload, Timestamp::from_second(EPOCH).unwrap(), MAX_AGE)
        {
            Ok(Incoming::Event(event)) => event.created_at,
            other => panic!("{other:?}"),
        };
        assert_eq!(created.as_second(), EPOCH, "{create_time}");

        let last_moment = created + MAX_AGE;
        assert!(matches!(parse_payload(&payload, last_moment, MAX_AGE), Ok(Incoming::Event(_))));
        assert_eq!(
            parse_payload(&payload, last_moment + SignedDuration::from_millis(1), MAX_AGE),
            Ok(Incoming::Stale {
                event_id: "e1".into(),
                event_type: "application.bot.menu_v6".into()
            })
        );
    }
}

#[test]
fn a_time_that_cannot_be_read_counts_as_now() {
    let menu = json!({"operator": {"operator_id": {"open_id": "ou_a"}}, "event_key": "k"});
    let now = at("2026-11-23T00:00:00Z");
    for create_time in [
        json!(null),
        json!(""),
        json!("17000000001234"),
        json!("-170000000"),
        json!("1700000000.1"),
        json!("+170000000"),
        json!({}),
    ] {
        let mut payload = envelope("application.bot.menu_v6", menu.clone());
        payload["header"]["create_time"] = create_time.clone();
        match parse_payload(&payload, now, MAX_AGE) {
            Ok(Incoming::Event(event)) => assert_eq!(event.created_at, now, "{create_time}"),
            other => panic!("{create_time}: {other:?}"),
        }
    }
}

#[test]
fn the_sender_must_have_the_token_and_address_this_app() {
    let good = envelope("im.chat.disbanded_v1", json!({"chat_id": "oc_1"}));
    assert!(matches!(open_plain(&good), Ok(Incoming::Event(_))));

    let with = |field: &str, value: Value| {
        let mut payload = good.clone();
        payload["header"][field] = value;
        open_plain(&payload)
    };
    let token = Err(Rejection::Unauthorized(Unauthorized::Token));
    let app = Err(Rejection::Unauthorized(Unauthorized::App));
    assert_eq!(with("token", json!("wrong")), token);
    assert_eq!(with("token", json!("")), token);
    assert_eq!(with("token", json!(null)), token);
    assert_eq!(with("token", json!([TOKEN])), token);
    assert_eq!(with("app_id", json!("cli_other")), app);
    assert_eq!(with("app_id", json!(5)), app);

    // The update token of a card callback is not the verification token.
    let mut swapped = envelope("card.action.trigger", json!({"token": TOKEN}));
    swapped["header"]["token"] = json!("c-1");
    assert_eq!(open_plain(&swapped), token);
}

#[test]
fn an_empty_verification_token_accepts_nobody() {
    let mut payload = envelope("im.chat.disbanded_v1", json!({"chat_id": "oc_1"}));
    payload["header"]["token"] = json!("");
    let now = Timestamp::from_second(EPOCH).unwrap();
    let result = verifier("", "").open(&Default::default(), payload.to_string().as_bytes(), now);
    assert_eq!(result, Err(Rejection::Unauthorized(Unauthorized::Token)));
}

#[test]
fn an_encrypted_body_without_a_key_cannot_be_read() {
    assert_eq!(
        open_plain(&json!({"encrypt": "P37w+VZImNgPEO1RBhJ6RtKl7n6zymIbEG1pReEzghk="})),
        Err(Rejection::Unauthorized(Unauthorized::Undecryptable))
    );
}

#[test]
fn version_1_events_are_recognised_and_ignored() {
    let old = json!({"ts": "1502199207.7171419", "uuid": "u1", "token": TOKEN,
                     "type": "event_callback", "event": {"type": "message", "app_id": APP_ID}});
    assert_eq!(
        open_plain(&old),
        Ok(Incoming::Unhandled { event_id: "u1".into(), event_type: "message".into() })
    );
    let with = |pointer: &str, value: &str| {
        let mut payload = old.clone();
        *payload.pointer_mut(pointer).unwrap() = json!(value);
        open_plain(&payload)
    };
    assert_eq!(with("/token", "wrong"), Err(Rejection::Unauthorized(Unauthorized::Token)));
    assert_eq!(with("/event/app_id", "cli_other"), Err(Rejection::Unauthorized(Unauthorized::App)));
}

#[test]
fn anything_but_an_event_is_malformed() {
    let not_an_event = Err(Rejection::Malformed(Malformed::NotAnEvent));
    for payload in [
        json!([]),
        json!("text"),
        json!(1),
        json!(null),
        json!({}),
        json!({"schema": "2.0"}),
        json!({"event": {}}),
        json!({"header": {"token": TOKEN}}),
        json!({"header": {"token": TOKEN, "event_type": 5}, "event": {}}),
        json!({"type": "url_verification", "token": TOKEN}),
        json!({"type": "url_verification", "token": TOKEN, "challenge": 5}),
        json!({"type": "event_callback", "token": TOKEN}),
    ] {
        assert_eq!(open_plain(&payload), not_an_event, "{payload}");
    }
    let now = Timestamp::from_second(EPOCH).unwrap();
    for body in [&b""[..], b"{", b"encrypt=abc", b"\xff\xfe", b"{\"a\":1} x"] {
        assert_eq!(
            verifier("", TOKEN).open(&Default::default(), body, now),
            Err(Rejection::Malformed(Malformed::NotJson))
        );
    }
}

#[test]
fn chat_events_say_where_and_who() {
    assert_eq!(
        kind_of(
            "im.chat.access_event.bot_p2p_chat_entered_v1",
            json!({"chat_id": "oc_1", "operator_id": {"open_id": "ou_a"}, "last_message_id": null}),
        ),
        Some(EventKind::ChatEntered { chat_id: "oc_1".into(), operator_open_id: "ou_a".into() })
    );
    assert_eq!(
        kind_of(
            "im.chat.member.bot.added_v1",
            json!({"chat_id": "oc_1", "operator_id": {"open_id": "ou_a"}, "name": "运维群"}),
        ),
        Some(EventKind::BotAdded {
            chat_id: "oc_1".into(),
            operator_open_id: Some("ou_a".into()),
            name: "运维群".into()
        })
    );
    assert_eq!(
        kind_of("im.chat.member.bot.added_v1", json!({"chat_id": "oc_1", "operator_id": null})),
        Some(EventKind::BotAdded {
            chat_id: "oc_1".into(),
            operator_open_id: None,
            name: String::new()
        })
    );
    assert_eq!(
        kind_of("im.chat.member.bot.deleted_v1", json!({"chat_id": "oc_1"})),
        Some(EventKind::BotRemoved { chat_id: "oc_1".into() })
    );
    assert_eq!(
        kind_of("im.chat.disbanded_v1", json!({"chat_id": "oc_1"})),
        Some(EventKind::ChatDisbanded { chat_id: "oc_1".into() })
    );
    assert_eq!(
        kind_of(
            "application.bot.menu_v6",
            json!({"operator": {"operator_id": {"open_id": "ou_a"}}, "event_key": "k", "timestamp": 1}),
        ),
        Some(EventKind::BotMenu { operator_open_id: "ou_a".into(), event_key: "k".into() })
    );
}

#[test]
fn events_without_person_or_chat_are_ignored() {
    for (event_type, event) in [
        ("contact.user.created_v3", json!({"object": {}})),
        ("im.chat.disbanded_v1", json!({})),
        ("im.chat.disbanded_v1", json!({"chat_id": ""})),
        ("im.chat.member.bot.added_v1", json!(null)),
        ("im.chat.access_event.bot_p2p_chat_entered_v1", json!({"chat_id": "oc_1"})),
        ("application.bot.menu_v6", json!({"event_key": "k"})),
        ("application.bot.menu_v6", json!({"operator": {"operator_id": {"open_id": "ou_a"}}})),
        ("card.action.trigger", json!({"action": {}})),
        ("im.message.receive_v1", json!({})),
    ] {
        assert_eq!(kind_of(event_type, event.clone()), None, "{event_type} {event}");
    }
}

#[test]
fn a_message_needs_author_chat_and_id_and_tolerates_other_oddities() {
    let message = json!({
        "sender": {"sender_id": {"open_id": "ou_a", "user_id": null}, "sender_type": "bot"},
        "message": {"message_id": "om_1", "chat_id": "oc_1", "chat_type": "topic_group",
                    "message_type": "text", "content": "{\"text\":\"hi\"}", "create_time": "oops",
                    "mentions": [null, {"key": "@_user_1", "id": null}, {"key": "the"}, {"name": "x"}]},
    });
    let Some(EventKind::Message(read)) = kind_of("im.message.receive_v1", message.clone()) else {
        panic!("not a message");
    };
    assert_eq!(read.chat_kind, ChatKind::Group);
    assert!(!read.sender_is_user);
    assert_eq!(read.created_at.as_millisecond(), 1_700_000_000_123);
    assert_eq!(read.text_for_bot(None).map(|text| text.words()).as_deref(), Some("hi"));
    assert_eq!(read.mentions.len(), 1);
    assert_eq!(read.mentions[0].open_id, None);

    for pointer in ["/sender/sender_id/open_id", "/message/message_id", "/message/chat_id"] {
        let mut lacking = message.clone();
        *lacking.pointer_mut(pointer).unwrap() = json!("");
        assert_eq!(kind_of("im.message.receive_v1", lacking), None, "{pointer}");
    }
}

#[test]
fn key_order_duplicates_and_unknown_fields_do_not_matter() {
    let body = format!(
        r#"{{"event":{{"chat_id":"oc_0","x":[1,{{}}],"chat_id":"oc_1"}},"new":null,
            "header":{{"app_id":"{APP_ID}","new":{{}},"event_type":"im.chat.disbanded_v1",
            "event_id":"e9","token":"{TOKEN}","create_time":"1700000000123"}},"schema":"2.0"}}"#
    );
    let now = Timestamp::from_second(EPOCH).unwrap();
    let opened = verifier("", TOKEN).open(&Default::default(), body.as_bytes(), now);
    match opened {
        Ok(Incoming::Event(event)) => assert_eq!(event.event_id, "e9"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_verifier_does_not_print_its_secrets() {
    let keys = CallbackKeys {
        app_id: APP_ID.into(),
        encrypt_key: Some(SecretString::from("hidden-key")),
        verification_token: SecretString::from("hidden-token"),
    };
    let verifier = CallbackVerifier::new(keys, MAX_AGE);
    let printed = format!("{verifier:?}");
    assert!(printed.contains(APP_ID) && !printed.contains("hidden"), "{printed}");
}
