//! A message event, from the platform's JSON down to the parsed command.
//!
//! The input is either the JSON of an envelope, or a script with one part of a message in each line: its first letter says
//! which kind, the rest is text. `w` words, `m` a mention and the name that its person chose, `b` a mention of the bot, `l` a
//! link and the title of somebody's document, `a` an address that the client linked, `e` a mention of everybody.
//!
//! No text of a person other than the sender's own typed words ever reaches an argument.
#![no_main]

use airgate::bot::commands::{ParseError, Parsed, parse};
use airgate::domain::EVENT_WINDOW;
use airgate::feishu::{EventKind, Incoming, parse_payload};
use jiff::Timestamp;
use libfuzzer_sys::fuzz_target;
use serde_json::{Value, json};

/// Every word of somebody else begins with it, and the sender's own words never hold it.
const FOREIGN: char = 'Ж';
const ME: &str = "ou_me";
const DOCUMENT: &str = "https://docs.example/wiki/x";

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if text.starts_with('{') {
        if let Ok(payload) = serde_json::from_str(text) {
            let _ = read(&payload);
        }
        return;
    }
    for payload in written(text) {
        let Some(parsed) = read(&payload) else { continue };
        let shown = match &parsed.command {
            Ok(command) => format!("{command:?}"),
            Err(ParseError::UnexpectedArgument { argument, .. }) => argument.clone(),
            Err(ParseError::MissingArgument { .. } | ParseError::UnexpectedMention { .. }) => continue,
            Err(error) => format!("{error:?}"),
        };
        let shown = without_escapes(&shown);
        assert!(!shown.contains([FOREIGN, 'ж', '7']), "{payload}: {shown}");
    }
});

/// Without the escapes that `Debug` writes for characters that cannot be shown: they hold digits.
fn without_escapes(shown: &str) -> String {
    let mut parts = shown.split("\\u{");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| text + part.split_once('}').map_or(part, |(_, rest)| rest))
}

fn read(payload: &Value) -> Option<Parsed> {
    let now = Timestamp::from_second(1_700_000_001).unwrap();
    let Ok(Incoming::Event(event)) = parse_payload(payload, now, EVENT_WINDOW) else { return None };
    let EventKind::Message(message) = event.kind else { return None };
    Some(parse(&message.text_for_bot(Some(ME))?.pieces))
}

/// Somebody else's text: every word is marked, every digit is a 7.
fn foreign(text: &str) -> String {
    let digits = |c: char| if c.is_numeric() { '7' } else { c };
    let words = text.split_whitespace();
    let marked: Vec<String> =
        words.map(|word| format!("{FOREIGN}{}", word.chars().map(digits).collect::<String>())).collect();
    marked.join(" ")
}

/// The sender's own text, without that letter and digit.
fn own(text: &str) -> String {
    text.replace([FOREIGN, 'ж'], "x").replace(['7', '７'], "1")
}

/// The placeholder of the mention at `index`, without a 7: if digits follow it directly, it cannot be read and stays in the
/// text.
fn placeholder(index: usize) -> String {
    let numbers = (1..).map(|number: usize| number.to_string());
    let number = numbers.filter(|number| !number.contains('7')).nth(index);
    format!("@_user_{}", number.unwrap_or_default())
}

/// The message as a text and as a post, with its mentions in both places.
fn written(script: &str) -> [Value; 2] {
    let (mut mentions, mut text, mut elements) = (Vec::new(), String::new(), Vec::new());
    for line in script.lines().take(50) {
        let kind = line.chars().next().unwrap_or('w');
        let rest = line.get(kind.len_utf8()..).unwrap_or_default();
        match kind {
            'm' | 'b' => {
                let key = placeholder(mentions.len());
                let id = if kind == 'b' { ME } else { "ou_ann" };
                text.push_str(&key);
                elements.push(json!({"tag": "at", "user_id": key, "user_name": foreign(rest)}));
                mentions.push(json!({"key": key, "id": {"open_id": id}, "name": foreign(rest)}));
            }
            'l' => {
                text.push_str(&format!("[{}]({DOCUMENT})", foreign(rest)));
                elements.push(json!({"tag": "a", "text": foreign(rest), "href": DOCUMENT}));
            }
            'a' => {
                text.push_str("[bob@corp.example](mailto:bob@corp.example)");
                let href = "mailto:bob@corp.example";
                elements.push(json!({"tag": "a", "text": "bob@corp.example", "href": href}));
            }
            'e' => {
                text.push_str("@_all");
                elements.push(json!({"tag": "at", "user_id": "@_all"}));
            }
            _ => {
                text.push_str(&own(rest));
                elements.push(json!({"tag": "text", "text": own(rest)}));
            }
        }
    }
    let envelope = |kind: &str, content: Value| {
        json!({
            "schema": "2.0",
            "header": {"event_id": "e", "event_type": "im.message.receive_v1", "create_time": "1700000000000"},
            "event": {
                "sender": {"sender_id": {"open_id": "ou_sender"}, "sender_type": "user"},
                "message": {"message_id": "om_1", "chat_id": "oc_1", "chat_type": "p2p",
                    "message_type": kind, "content": content.to_string(), "mentions": mentions},
            },
        })
    };
    [
        envelope("text", json!({"text": text})),
        envelope("post", json!({"title": "", "content": [elements]})),
    ]
}
