//! One accepted and one refused card for every rule.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

fn card(elements: Value) -> Value {
    json!({"schema": "2.0", "config": {"update_multi": true}, "body": {"elements": elements}})
}

fn with_config(config: Value, elements: Value) -> Value {
    json!({"schema": "2.0", "config": config, "body": {"elements": elements}})
}

fn text(content: &str) -> Value {
    json!({"tag": "plain_text", "content": content})
}

fn md(content: &str) -> Value {
    json!({"tag": "markdown", "content": content})
}

fn submit(name: &str) -> Value {
    json!({"tag": "button", "text": text("ok"), "name": name, "form_action_type": "submit"})
}

fn form(name: &str, mut elements: Vec<Value>) -> Value {
    elements.push(submit(&format!("{name}_submit")));
    json!({"tag": "form", "name": name, "elements": elements})
}

fn input(name: &str) -> Value {
    json!({"tag": "input", "name": name})
}

fn callback_button() -> Value {
    json!({"tag": "button", "text": text("go"),
        "behaviors": [{"type": "callback", "value": {"action": "users.list"}}]})
}

fn nested(depth: usize) -> Value {
    (1..depth).fold(md("x"), |inner, _| {
        json!({"tag": "column_set", "columns": [{"tag": "column", "elements": [inner]}]})
    })
}

fn panel(inner: Value) -> Value {
    json!({"tag": "collapsible_panel", "header": {"title": text("x")}, "elements": [inner]})
}

fn table(columns: Value, rows: Value) -> Value {
    json!({"tag": "table", "columns": columns, "rows": rows})
}

fn cell(kind: &str, value: Value) -> Value {
    card(json!([table(json!([{"name": "a", "data_type": kind}]), json!([{"a": value}]))]))
}

fn select(extra: Value) -> Value {
    let mut select = json!({"tag": "select_static", "options": [
        {"text": text("One"), "value": "1"}, {"text": text("Two"), "value": "2"}]});
    let members = select.as_object_mut().unwrap();
    members.extend(extra.as_object().unwrap().clone());
    card(json!([select]))
}

fn rules_of(result: Result<(), Vec<CardFault>>) -> Vec<&'static str> {
    let mut rules: Vec<_> = result.err().unwrap_or_default().iter().map(|f| f.rule).collect();
    rules.sort_unstable();
    rules.dedup();
    rules
}

const MD_TABLE: &str = "|a|b|\n|-|-|\n|1|2|\n\n";

#[test]
fn every_rule_accepts_one_card_and_refuses_another() {
    let audio = json!({"tag": "audio", "file_key": "file_1", "audio_id": "1"});
    let no_forward = json!({"enable_forward": false});
    let many = |buttons: usize| {
        let mut all = vec![md("x")];
        all.extend((0..buttons).map(|_| callback_button()));
        card(Value::Array(all))
    };
    let multi = json!({"tag": "multi_select_static", "name": "m", "options": []});
    let pictures = json!({"tag": "select_img", "name": "p", "options": [{"img_key": "k"}]});
    let mut multi_pictures = pictures.clone();
    multi_pictures["multi_select"] = true.into();
    let required = json!({"tag": "input", "name": "i", "required": true});
    let plain_input = json!({"tag": "input"});
    let picker = |day: &str| card(json!([{"tag": "date_picker", "initial_date": day}]));
    let moment = |day: &str| card(json!([{"tag": "picker_datetime", "initial_datetime": day}]));
    let background = |colour: &str| {
        card(json!([{"tag": "column_set", "background_style": colour,
            "columns": [{"tag": "column", "elements": []}]}]))
    };
    let laser = |tag: &str| {
        let mut element = json!({"tag": tag, "background_style": "laser"});
        if tag == "interactive_container" {
            element["behaviors"] = json!([{"type": "callback", "value": {}}]);
            element["elements"] = json!([]);
        } else {
            element["columns"] = json!([{"tag": "column"}]);
        }
        card(json!([element]))
    };
    let sized = |size: &str| card(json!([{"tag": "markdown", "content": "x", "text_size": size}]));
    let own_style = with_config(
        json!({"style": {"color": {"mine": {"light_mode": "rgba(1,2,3,1)", "dark_mode": "rgba(1,2,3,1)"}},
            "text_size": {"big": {"default": "heading"}}}}),
        json!([{"tag": "column_set", "background_style": "mine", "columns": [{"tag": "column"}]},
            {"tag": "markdown", "content": "<font color='mine'>x</font>", "text_size": "big"}]),
    );
    let marks = |content: &str| card(json!([md(content)]));
    let columns = json!([{"name": "a", "data_type": "text"}]);
    let twice = json!([{"name": "a", "data_type": "text"}, {"name": "a", "data_type": "text"}]);
    let tables = |count: usize, marks: usize| {
        let mut all: Vec<_> = (0..count).map(|_| table(columns.clone(), json!([]))).collect();
        all.push(md(&MD_TABLE.repeat(marks)));
        card(Value::Array(all))
    };
    let with_ids = |a: &str, b: &str| {
        card(json!([{"tag": "hr", "element_id": a},
            {"tag": "div", "text": {"tag": "plain_text", "content": "x", "element_id": b}}]))
    };
    let unnamed_in_columns = |inner: Value| {
        card(json!([form(
            "f",
            vec![json!({"tag": "column_set",
            "columns": [{"tag": "column", "elements": [inner]}]})]
        )]))
    };

    // (rule, accepted, refused)
    let cases: Vec<(&str, Value, Value)> = vec![
        ("schema", card(json!([])), json!({"body": {"elements": []}})),
        ("schema", card(json!([md("x")])), card(json!([{"tag": "note", "elements": []}]))),
        ("R4", card(json!([])), with_config(json!({"update_multi": false}), json!([]))),
        ("R5", many(99), many(100)),
        ("R7", with_ids("a", "b"), with_ids("a", "a")),
        ("R9", card(json!([form("f", vec![])])), card(json!([panel(form("f", vec![]))]))),
        (
            "R10",
            card(json!([table(columns.clone(), json!([]))])),
            card(json!([panel(table(columns.clone(), json!([])))])),
        ),
        ("R11", card(json!([nested(5)])), card(json!([nested(6)]))),
        ("R12", card(json!([form("f", vec![multi.clone()])])), card(json!([multi]))),
        (
            "R13",
            card(json!([form("f", vec![multi_pictures.clone()])])),
            card(json!([multi_pictures])),
        ),
        ("R13", card(json!([pictures])), card(json!([panel(pictures.clone())]))),
        (
            "R14",
            card(json!([form("f", vec![input("a")]), form("g", vec![input("b")])])),
            card(json!([form("f", vec![input("a")]), form("g", vec![input("a")])])),
        ),
        (
            "R14",
            card(json!([form("f", vec![input("a")])])),
            card(json!([form("f", vec![input("f")])])),
        ),
        ("R15", unnamed_in_columns(input("a")), unnamed_in_columns(plain_input.clone())),
        (
            "R16",
            card(json!([form("f", vec![])])),
            card(json!([{"tag": "form", "name": "f", "elements": [input("a")]}])),
        ),
        ("R17", card(json!([callback_button()])), card(json!([submit("s")]))),
        (
            "R17",
            card(json!([form(
                "f",
                vec![json!({"tag": "button", "name": "r", "form_action_type": "reset"})]
            )])),
            card(json!([form("f", vec![json!({"tag": "button", "name": "r"})])])),
        ),
        ("R18", card(json!([form("f", vec![required.clone()])])), card(json!([required]))),
        ("R22", select(json!({"initial_option": "Two"})), select(json!({"initial_option": "3"}))),
        ("R22", select(json!({"initial_index": 2})), select(json!({"initial_index": 3}))),
        (
            "R22",
            card(json!([form(
                "f",
                vec![json!({"tag": "multi_select_static", "name": "m",
            "options": [{"text": text("A"), "value": "a"}], "selected_values": ["a"]})]
            )])),
            card(json!([form(
                "f",
                vec![json!({"tag": "multi_select_static", "name": "m",
            "options": [{"text": text("A"), "value": "a"}], "selected_values": ["b"]})]
            )])),
        ),
        (
            "R22",
            card(json!([{"tag": "select_person", "options": [], "initial_option": "ou_1"}])),
            card(
                json!([{"tag": "select_person", "options": [{"value": "ou_2"}], "initial_option": "ou_1"}]),
            ),
        ),
        (
            "R22",
            select(json!({})),
            select(json!({"options": [
            {"text": text("One"), "value": "1"}, {"text": text("Two"), "value": "1"}]})),
        ),
        ("R24", picker("2024-02-29"), picker("2023-02-29")),
        ("R24", moment("2024-02-29 10:00"), moment("2024-02-30 10:00")),
        ("R29", background("blue-50"), background("blurple")),
        ("R29", background("grey-1000"), background("grey-350x")),
        ("R29", background("default"), background("laser")),
        ("R29", laser("interactive_container"), laser("column_set")),
        ("R29", own_style, sized("huge")),
        ("R29", sized("x-large"), sized("big")),
        ("R29", marks("<font color='red'>x</font>"), marks("<font color='#ff0000'>x</font>")),
        (
            "R29",
            marks("<text_tag color='neutral'>x</text_tag>"),
            marks("<text_tag color='sunflower'>x</text_tag>"),
        ),
        (
            "R31",
            card(json!([table(columns.clone(), json!([]))])),
            card(json!([table(twice, json!([]))])),
        ),
        (
            "R31",
            cell("text", json!("x")),
            card(json!([table(columns.clone(), json!([{"b": "x"}]))])),
        ),
        ("R32", cell("text", json!(7)), cell("text", json!(["x"]))),
        ("R32", cell("number", json!(7.5)), cell("number", json!("7.5"))),
        ("R32", cell("date", json!(1_700_000_000_000_i64)), cell("date", json!("2024-01-01"))),
        ("R32", cell("persons", json!(["ou_1"])), cell("persons", json!([1]))),
        (
            "R32",
            cell("options", json!([{"text": "x", "color": "red"}])),
            cell("options", json!([{"text": "x", "color": "pink"}])),
        ),
        ("R33", with_config(no_forward.clone(), json!([audio])), card(json!([audio]))),
        (
            "R33",
            with_config(no_forward.clone(), json!([md("<audio file_key='k'></audio>")])),
            card(json!([md("<audio file_key='k'></audio>")])),
        ),
        (
            "R34",
            with_config(no_forward.clone(), json!([audio])),
            with_config(no_forward, json!([audio, audio])),
        ),
        ("R35", marks("![x](img_v3_1)"), marks("![x](https://a.b/c.png)")),
        ("R36", marks("[x](https://a.b) [y](tel://110)"), marks("[x](mailto:a@b.c)")),
        ("R36", marks("<a href='https://a.b'>x</a>"), marks("<a href='/x'>x</a>")),
        ("R36", cell("markdown", json!("[x](http://a)")), cell("markdown", json!("[x](a)"))),
        (
            "R36",
            marks("`[x](a)`"),
            card(json!([{"tag": "div", "text": {"tag": "lark_md", "content": "x",
            "i18n_content": {"en_us": "[x](file:///a)"}}}])),
        ),
        ("R37", marks(&MD_TABLE.repeat(4)), marks(&MD_TABLE.repeat(5))),
        ("R38", tables(2, 3), tables(3, 3)),
    ];
    for (rule, accepted, refused) in cases {
        let accepted = accepted.to_string();
        assert_eq!(check_card(&accepted, Via::Send), Ok(()), "{rule}: {accepted}");
        let refused = refused.to_string();
        let found = rules_of(check_card(&refused, Via::Send));
        assert!(found.contains(&rule), "{rule}: {found:?} for {refused}");
        // The schema may refuse it as well; nothing else may.
        assert!(found.iter().all(|r| *r == rule || *r == "schema"), "{rule}: {found:?}");
    }
}

#[test]
fn a_patched_card_states_that_it_is_shared() {
    let silent = json!({"schema": "2.0", "body": {"elements": []}}).to_string();
    assert_eq!(check_card(&silent, Via::Send), Ok(()));
    assert_eq!(rules_of(check_card(&silent, Via::Patch)), ["R4"]);
    assert_eq!(check_card(&card(json!([])).to_string(), Via::Patch), Ok(()));
}

#[test]
fn the_request_size_counts_the_card_as_an_escaped_string() {
    let sized = |len: usize| card(json!([md(&"x".repeat(len))])).to_string();
    let frame = request_size(&sized(0), Via::Send);
    let fits = sized(CARD_LIMIT - frame);
    assert_eq!(request_size(&fits, Via::Send), CARD_LIMIT);
    assert_eq!(check_card(&fits, Via::Send), Ok(()));
    assert_eq!(rules_of(check_card(&sized(CARD_LIMIT - frame + 1), Via::Send)), ["R6"]);
    // A quote costs one extra byte in an answer (escaped once) and three in a message (escaped twice).
    let quotes = card(json!([md(&"\"".repeat(8_000))])).to_string();
    assert_eq!(check_card(&quotes, Via::CallbackAnswer), Ok(()));
    assert_eq!(rules_of(check_card(&quotes, Via::Send)), ["R6"]);
    let large = sized(WEBHOOK_LIMIT);
    assert_eq!(check_card(&large, Via::Send), Ok(()));
    assert_eq!(rules_of(check_card(&large, Via::Webhook)), ["R6"]);
}

#[test]
fn only_plain_json_is_read() {
    for text in [
        r#"{"schema":"2.0","schema":"2.0"}"#,
        r#"{"schema":"2.0","body":{"elements":[{"tag":"hr","tag":"hr"}]}}"#,
        r#"{"schema":"2.0",}"#,
        "{\"schema\":\"2.0\" // x\n}",
        r#"{"schema":NaN}"#,
        r#"{"schema":"2.0"} x"#,
        "",
    ] {
        assert_eq!(rules_of(check_card(text, Via::Send)), ["R8"], "{text}");
    }
    assert_eq!(check_card(r#"{"schema":"2.0"}"#, Via::Send), Ok(()));
}

#[test]
fn a_custom_bots_card_cannot_call_back() {
    let open = json!({"tag": "button", "text": text("x"),
        "behaviors": [{"type": "open_url", "default_url": "https://a.b"}]});
    let menu = json!({"tag": "overflow", "options": [
        {"text": text("x"), "multi_url": {"url": "https://a.b"}}]});
    for accepted in [open, menu, md("<at id=ou_1></at> <at id=all></at>")] {
        let accepted = card(json!([accepted])).to_string();
        assert_eq!(check_card(&accepted, Via::Webhook), Ok(()), "{accepted}");
    }
    for refused in [
        callback_button(),
        json!({"tag": "button", "text": text("x")}),
        form("f", vec![]),
        json!({"tag": "input"}),
        json!({"tag": "checker"}),
        json!({"tag": "overflow", "options": [{"text": text("x"), "value": "1"}]}),
        md("<at email=a@b.c></at>"),
        md("<at id=on_1></at>"),
        json!({"tag": "person", "user_id": "on_1"}),
    ] {
        let refused = card(json!([refused])).to_string();
        assert_eq!(check_card(&refused, Via::Send), Ok(()), "{refused}");
        assert_eq!(rules_of(check_card(&refused, Via::Webhook)), ["R27"], "{refused}");
    }
}

#[test]
fn a_callback_answer_has_an_optional_toast_and_card() {
    let good = card(json!([]));
    for accepted in [
        json!({}),
        json!({"toast": {"type": "success", "content": "x", "i18n": {"en_us": "x"}}}),
        json!({"card": {"type": "raw", "data": good}}),
        json!({"card": {"type": "template", "data": {"template_id": "A", "template_variable": {}}}}),
    ] {
        let accepted = accepted.to_string();
        assert_eq!(check_callback_answer(&accepted), Ok(()), "{accepted}");
    }
    for refused in [
        json!([]),
        json!({"code": 0}),
        json!({"toast": {"type": "ok", "content": "x"}}),
        json!({"card": good}),
        json!({"card": {"type": "raw", "data": {"elements": []}}}),
        json!({"card": {"type": "template", "data": {}}}),
    ] {
        let refused = refused.to_string();
        assert_eq!(rules_of(check_callback_answer(&refused)), ["R52"], "{refused}");
    }
    assert_eq!(rules_of(check_callback_answer("")), ["R52"]);
    let twice = card(json!([form("f", vec![input("a"), input("a")])]));
    let answer = json!({"card": {"type": "raw", "data": twice}}).to_string();
    let faults = check_callback_answer(&answer).unwrap_err();
    assert_eq!(faults.len(), 1);
    assert_eq!(faults[0].rule, "R14");
    assert!(faults[0].path.starts_with("/card/data/body/elements/0"));
}

#[test]
fn texts_in_lists_and_headers_count_as_elements_but_rows_do_not() {
    let rows: Vec<_> = (0..300).map(|n| json!({"a": [{"text": n.to_string()}]})).collect();
    let columns = json!([{"name": "a", "data_type": "options"}]);
    let body = json!([table(columns, Value::Array(rows))]);
    let mut whole = card(body);
    whole["header"] =
        json!({"title": text("x"), "text_tag_list": [{"tag": "text_tag", "text": text("y")}]});
    assert_eq!(check_card(&whole.to_string(), Via::Send), Ok(()));
}

proptest! {
    #[test]
    fn no_text_makes_the_checker_panic(
        text in "([\\[\\]()!`<>|\\\\'\" \n-]|<a href=|<at id=|```|]\\(|ü|x)*",
    ) {
        let whole = card(json!([md(&text)])).to_string();
        let _ = check_card(&whole, Via::Webhook);
        let _ = check_card(&text, Via::Send);
        let _ = check_callback_answer(&text);
    }
}
