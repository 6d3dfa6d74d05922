//! From the event to the command or the request: no text of anybody but the sender reaches an argument. The fuzz targets
//! `message` and `card_action` state the same.

use jiff::Timestamp;
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::commands::{Change, Command, ParseError, Parsed, Query, Whom, parse};
use super::{Request, actions};
use crate::domain::{EVENT_WINDOW, Money};
use crate::feishu::{EventKind, Incoming, MessageReceived, parse_payload};

/// A letter that begins every word in texts of other people, and never occurs in the sender's own.
const FOREIGN: char = 'Ж';
const ME: &str = "ou_me";
const ANN: &str = "ou_ann";

/// A part of a message.
#[derive(Clone, Debug)]
enum Part {
    /// Words of the sender.
    Words(String),
    /// A mention of somebody who is called this.
    Mention(String),
    /// A mention of the bot, which is called this.
    Bot(String),
    /// A link to a document that somebody gave this title.
    Link(String),
    /// An address that the client linked by itself.
    Address,
    /// A mention of everybody.
    Everybody,
}

const DOCUMENT: &str = "https://docs.example/wiki/x";
const ADDRESS: &str = "bob@corp.example";

/// Somebody else's text: every word is marked, every digit is a 7.
fn foreign(text: &str) -> String {
    let marked = |word: &str| {
        let digits = |c: char| if c.is_numeric() { '7' } else { c };
        format!("{FOREIGN}{}", word.chars().map(digits).collect::<String>())
    };
    text.split_whitespace().map(marked).collect::<Vec<_>>().join(" ")
}

/// The sender's own text, without that letter and digit.
fn own(text: &str) -> String {
    text.replace([FOREIGN, 'ж'], "x").replace(['7', '７'], "1")
}

fn event(event_type: &str, event: &Value) -> EventKind {
    let payload = json!({"schema": "2.0", "header": {"event_id": "e1", "event_type": event_type,
        "create_time": "1700000000000"}, "event": event});
    let now = Timestamp::from_second(1_700_000_001).unwrap();
    match parse_payload(&payload, now, EVENT_WINDOW) {
        Ok(Incoming::Event(event)) => event.kind,
        other => panic!("{other:?}"),
    }
}

fn message(kind: &str, content: &Value, mentions: &[Value]) -> MessageReceived {
    let message = json!({
        "sender": {"sender_id": {"open_id": "ou_sender"}, "sender_type": "user"},
        "message": {"message_id": "om_1", "chat_id": "oc_1", "chat_type": "p2p",
            "message_type": kind, "content": content.to_string(), "mentions": mentions},
    });
    match event("im.message.receive_v1", &message) {
        EventKind::Message(message) => message,
        other => panic!("{other:?}"),
    }
}

/// The placeholder of the mention at `index`, without a 7: if digits follow it directly, it cannot be read and stays in the
/// text.
fn placeholder(index: usize) -> String {
    let numbers = (1..).map(|number: usize| number.to_string());
    let number = numbers.filter(|number| !number.contains('7')).nth(index);
    format!("@_user_{}", number.unwrap_or_default())
}

/// How the parts are read, as a text message and as a post.
fn parsed(parts: &[Part]) -> [Parsed; 2] {
    let mut mentions = Vec::new();
    let (mut text, mut elements) = (String::new(), Vec::new());
    for part in parts {
        match part {
            Part::Words(words) => {
                text.push_str(words);
                elements.push(json!({"tag": "text", "text": words}));
            }
            Part::Mention(name) | Part::Bot(name) => {
                let key = placeholder(mentions.len());
                let id = if matches!(part, Part::Bot(_)) { ME } else { ANN };
                text.push_str(&key);
                elements.push(json!({"tag": "at", "user_id": key, "user_name": name}));
                mentions.push(json!({"key": key, "id": {"open_id": id}, "name": name}));
            }
            Part::Link(title) => {
                text.push_str(&format!("[{title}]({DOCUMENT})"));
                elements.push(json!({"tag": "a", "text": title, "href": DOCUMENT}));
            }
            Part::Address => {
                text.push_str(&format!("[{ADDRESS}](mailto:{ADDRESS})"));
                let href = format!("mailto:{ADDRESS}");
                elements.push(json!({"tag": "a", "text": ADDRESS, "href": href}));
            }
            Part::Everybody => {
                text.push_str("@_all");
                elements.push(json!({"tag": "at", "user_id": "@_all", "user_name": "所有人"}));
            }
        }
    }
    let read = |message: MessageReceived| {
        let pieces = message.text_for_bot(Some(ME)).map(|text| text.pieces);
        parse(&pieces.unwrap_or_default())
    };
    let post = json!({"title": "", "content": [elements]});
    [
        read(message("text", &json!({"text": text}), &mentions)),
        read(message("post", &post, &mentions)),
    ]
}

/// Everything of a message that a command or its refusal holds.
fn shown(parsed: &Parsed) -> String {
    match &parsed.command {
        Ok(command) => format!("{command:?}"),
        Err(ParseError::UnexpectedArgument { argument, .. }) => argument.clone(),
        // They hold a row of the table, and nothing of the message.
        Err(ParseError::MissingArgument { .. } | ParseError::UnexpectedMention { .. }) => {
            String::new()
        }
        Err(error) => format!("{error:?}"),
    }
}

/// Without the escapes that `Debug` writes for characters that cannot be shown: they hold digits.
fn without_escapes(shown: &str) -> String {
    let mut parts = shown.split("\\u{");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| text + part.split_once('}').map_or(part, |(_, rest)| rest))
}

fn words(text: &str) -> Part {
    Part::Words(text.to_owned())
}

/// A stranger may be called "alice 999999", and may send a document of that title.
#[test]
fn a_name_that_somebody_chose_allocates_nothing() {
    let called = || Part::Mention("alice 999999".to_owned());
    let whom = Whom::Mentioned(ANN.parse().ok());
    let allocated = Change::Allocate {
        whom: whom.clone(),
        amount: Money::from_fen(10_000),
        note: String::new(),
    };
    for command in parsed(&[words("/quota "), called(), words(" 100")]) {
        assert_eq!(command.command, Ok(Command::Change(allocated.clone())));
    }
    for command in parsed(&[words("/quota "), called()]) {
        assert_eq!(command.command, Ok(Query::Quota { whom: whom.clone() }.into()));
    }
    let titled = Part::Link("alice 999999".to_owned());
    for command in parsed(&[words("/quota "), titled, words(" 100")]) {
        let Ok(Command::Change(Change::Allocate { whom, amount, .. })) = command.command else {
            panic!("{command:?}");
        };
        assert_eq!((whom, amount), (Whom::Named(DOCUMENT.to_owned()), Money::from_fen(10_000)));
    }
}

#[test]
fn an_address_is_read_as_typed_wherever_the_client_linked_it() {
    for (before, name) in [("/user ", "bob@corp.example"), ("/user main/", "main/bob@corp.example")]
    {
        for command in parsed(&[words(before), Part::Address]) {
            let whom = Whom::Named(name.to_owned());
            assert_eq!(command.command, Ok(Query::User { whom }.into()), "{before:?}");
        }
    }
}

#[test]
fn mentions_in_front_of_the_command_are_not_part_of_it() {
    let bot = || Part::Bot("airgate".to_owned());
    for parts in [
        vec![Part::Everybody, words(" "), bot(), words(" /help")],
        vec![bot(), words(" "), Part::Mention("王".to_owned()), words(" /help")],
        vec![Part::Mention("王".to_owned()), bot(), words("帮助")],
    ] {
        for command in parsed(&parts) {
            assert_eq!(command.command, Ok(Query::Help.into()), "{parts:?}");
        }
    }
}

fn part() -> impl Strategy<Value = Part> {
    let typed = prop_oneof![
        (0..super::commands::COMMANDS.len())
            .prop_map(|at| format!("/{} ", super::commands::COMMANDS[at].name)),
        "[ \\[\\]()@/]{0,3}[a-z]{0,6} ?",
        "[0-9]{1,4} ?",
        "\\PC{0,12}",
    ];
    let chosen = prop_oneof![
        Just("alice 999999".to_owned()),
        "[a-z]{1,6} [0-9]{1,6}",
        "[\\[\\]()@_: a-z0-9]{0,20}",
        "\\PC{0,20}",
    ];
    prop_oneof![
        4 => typed.prop_map(|text| Part::Words(own(&text))),
        2 => chosen.clone().prop_map(|name| Part::Mention(foreign(&name))),
        1 => chosen.clone().prop_map(|name| Part::Bot(foreign(&name))),
        1 => chosen.prop_map(|title| Part::Link(foreign(&title))),
        1 => Just(Part::Address),
        1 => Just(Part::Everybody),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn only_typed_words_reach_an_argument(parts in prop::collection::vec(part(), 0..7)) {
        for command in parsed(&parts) {
            let shown = without_escapes(&shown(&command));
            prop_assert!(!shown.contains([FOREIGN, 'ж', '7']), "{parts:?}: {shown}");
        }
    }

    #[test]
    fn only_the_card_and_the_form_reach_a_request(
        word in 0..actions::ACTIONS.len(),
        typed in prop::collection::btree_map("amount|note|query|thresholds|remark|since|project", "\\PC{0,8}", 0..4),
        others in "\\PC{0,20}",
        nested in any::<bool>(),
    ) {
        let others = foreign(&format!("x {others}"));
        let form: Map<String, Value> =
            typed.into_iter().map(|(name, text)| (name, own(&text).into())).collect();
        let ids = json!({"open_id": "ou_sender", "union_id": others, "user_id": others, "name": others});
        let click = json!({
            "operator": if nested { json!({"user_id": ids}) } else { ids },
            "token": others, "host": others, "delivery_type": others,
            "context": {"open_message_id": "om_1", "open_chat_id": "oc_1", "url": others},
            "action": {"tag": others, "timezone": others, "name": "submit", "form_value": form,
                "value": {"action": actions::ACTIONS[word].word, "user": "main/alice", "op": "op-1",
                    "account": "main", "project": "p", "enabled": true}},
        });
        let EventKind::CardAction(action) = event("card.action.trigger", &click) else { panic!() };
        let request = format!("{:?} {:?}", Request::of(&action), actions::form_values(&action));
        prop_assert!(!request.contains([FOREIGN, 'ж']), "{request}");
    }
}
