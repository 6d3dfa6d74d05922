//! A card action, from the platform's JSON down to the request.
//!
//! The input is either the JSON of an envelope, or a script with one field in each line: its first letter says which kind.
//! `v name=text` a member of the callback value, `f name=text` a field of the form, `t name` a ticked checker, `n name` the
//! component's name, `o option`, `i input`, `x text` everything else that the platform sends along.
//!
//! Nothing but the card's own value and name and what the operator typed or chose reaches a request.
#![no_main]

use airgate::bot::Request;
use airgate::domain::EVENT_WINDOW;
use airgate::feishu::{CardAction, EventKind, Incoming, parse_payload};
use jiff::Timestamp;
use libfuzzer_sys::fuzz_target;
use serde_json::{Map, Value, json};

/// Everything that no request may hold begins with it.
const FOREIGN: char = 'Ж';

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if text.starts_with('{') {
        if let Ok(payload) = serde_json::from_str(text)
            && let Some(action) = read(&payload)
        {
            let _ = Request::of(&action);
        }
        return;
    }
    let payload = clicked(text);
    let Some(action) = read(&payload) else { return };
    let request = Request::of(&action);
    let shown = format!("{request:?}");
    assert!(!shown.contains([FOREIGN, 'ж']), "{payload}: {shown}");

    // A value that comes along takes precedence over the name of the button.
    if action.name.is_some() && action.value.contains_key("action") {
        let other = CardAction { name: Some("config.save?op=o".to_owned()), ..action };
        assert_eq!(format!("{:?}", Request::of(&other)), shown);
    }
});

fn read(payload: &Value) -> Option<CardAction> {
    let now = Timestamp::from_second(1_700_000_001).unwrap();
    let Ok(Incoming::Event(event)) = parse_payload(payload, now, EVENT_WINDOW) else { return None };
    match event.kind {
        EventKind::CardAction(action) => Some(action),
        _ => None,
    }
}

fn own(text: &str) -> String {
    text.replace([FOREIGN, 'ж'], "x")
}

fn clicked(script: &str) -> Value {
    let (mut value, mut form, mut action) = (Map::new(), Map::new(), Map::new());
    let mut others = FOREIGN.to_string();
    for line in script.lines().take(50) {
        let kind = line.chars().next().unwrap_or('v');
        let rest = own(line.get(kind.len_utf8()..).unwrap_or_default().trim_start());
        let (name, text) = rest.split_once('=').unwrap_or((&rest, ""));
        let typed = || serde_json::from_str(text).unwrap_or_else(|_| Value::from(text));
        match kind {
            'f' => drop(form.insert(name.to_owned(), text.into())),
            't' => drop(form.insert(name.to_owned(), true.into())),
            'n' => drop(action.insert("name".to_owned(), rest.as_str().into())),
            'o' => drop(action.insert("option".to_owned(), rest.as_str().into())),
            'i' => drop(action.insert("input_value".to_owned(), rest.as_str().into())),
            'x' => others.push_str(&rest),
            _ => drop(value.insert(name.to_owned(), typed())),
        }
    }
    for (name, member) in [("value", Value::Object(value)), ("form_value", Value::Object(form))] {
        if member.as_object().is_some_and(|members| !members.is_empty()) {
            action.insert(name.to_owned(), member);
        }
    }
    action.insert("tag".to_owned(), others.as_str().into());
    action.insert("timezone".to_owned(), others.as_str().into());
    json!({
        "schema": "2.0",
        "header": {"event_id": "e", "event_type": "card.action.trigger", "create_time": "1700000000000"},
        "event": {
            "operator": {"open_id": "ou_sender", "union_id": others, "name": others},
            "token": others, "host": others,
            "context": {"open_message_id": "om_1", "open_chat_id": "oc_1", "url": others},
            "action": action,
        },
    })
}
