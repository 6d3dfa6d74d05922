//! Every component of the card schema is drawn, or shown as a fault; every control works by keyboard.

use std::collections::BTreeSet;

use fantoccini::key::Key;
use serde_json::{Value, json};

use crate::bed::{Bed, Browser, ENGLISH, run};

/// The schema against which the stand-in for Feishu checks cards.
const SCHEMA: &str = include_str!("../../src/sandbox/feishu/card-v2.schema.json");

fn plain(text: &str) -> Value {
    json!({"tag": "plain_text", "content": text})
}

fn options() -> Value {
    json!([{"text": plain("One"), "value": "1"}, {"text": plain("Two"), "value": "2"}])
}

/// One of each component.
fn gallery() -> Value {
    let people = json!([{"value": "ou_demo_admin"}, {"value": "ou_demo_viewer"}]);
    let rows: Vec<Value> = (1..=7)
        .map(|i| {
            json!({"name": format!("row {i}"), "sum": i * 1000, "at": 1_700_000_000_000_i64,
            "kind": [{"text": "T", "color": "blue"}], "who": ["ou_demo_admin"], "more": "**bold**"})
        })
        .collect();
    json!({
        "schema": "2.0",
        "header": {"template": "blue", "title": plain("Gallery"), "subtitle": plain("one of each"),
            "text_tag_list": [{"tag": "text_tag", "text": plain("tag"), "color": "green"}]},
        "body": {"elements": [
            {"tag": "div", "text": plain("A text")},
            {"tag": "markdown", "content": "**bold** <font color='red'>red</font> [link](https://example.com) <at id=all></at>"},
            {"tag": "hr"},
            {"tag": "img", "img_key": "img_x", "alt": plain("a picture")},
            {"tag": "img_combination", "combination_mode": "double", "img_list": [{"img_key": "a"}, {"img_key": "b"}]},
            {"tag": "person", "user_id": "ou_demo_admin", "show_name": true},
            {"tag": "person_list", "persons": [{"id": "ou_demo_admin"}, {"id": "ou_demo_viewer"}]},
            {"tag": "audio", "file_key": "file_x"},
            {"tag": "chart", "chart_spec": {"type": "line", "xField": "x", "yField": "y",
                "data": [{"id": "d", "values": [{"x": "a", "y": 1}, {"x": "b", "y": 3}]}]}},
            {"tag": "table", "page_size": 5, "columns": [
                {"name": "name", "data_type": "text"}, {"name": "sum", "data_type": "number"},
                {"name": "at", "data_type": "date"}, {"name": "kind", "data_type": "options"},
                {"name": "who", "data_type": "persons"}, {"name": "more", "data_type": "lark_md"}], "rows": rows},
            {"tag": "column_set", "columns": [{"tag": "column", "width": "weighted", "weight": 1,
                "elements": [{"tag": "button", "text": plain("Press"), "behaviors": [{"type": "callback", "value": {"a": 1}}]}]}]},
            {"tag": "interactive_container", "behaviors": [{"type": "callback", "value": {"a": 2}}],
                "elements": [{"tag": "div", "text": plain("A container")}]},
            {"tag": "collapsible_panel", "header": {"title": plain("A panel")}, "elements": [{"tag": "div", "text": plain("inside")}]},
            {"tag": "overflow", "options": [{"text": plain("First"), "value": "1"}, {"text": plain("Second"), "value": "2"}]},
            {"tag": "select_img", "options": [{"img_key": "a", "value": "a"}, {"img_key": "b", "value": "b"}]},
            {"tag": "form", "name": "all", "elements": [
                {"tag": "input", "name": "text", "label": plain("A text input")},
                {"tag": "input", "name": "secret", "input_type": "password", "label": plain("A password")},
                {"tag": "input", "name": "lines", "input_type": "multiline_text", "max_length": 50, "label": plain("Several lines")},
                {"tag": "select_static", "name": "one", "placeholder": plain("Choose one"), "options": options()},
                {"tag": "multi_select_static", "name": "many", "placeholder": plain("Choose some"), "options": options()},
                {"tag": "select_person", "name": "person", "placeholder": plain("Somebody"), "options": people},
                {"tag": "multi_select_person", "name": "people", "placeholder": plain("Some people"), "options": people},
                {"tag": "date_picker", "name": "date", "placeholder": plain("A day")},
                {"tag": "picker_time", "name": "time", "placeholder": plain("A time")},
                {"tag": "picker_datetime", "name": "moment", "placeholder": plain("A moment")},
                {"tag": "checker", "name": "tick", "text": plain("A tick")},
                {"tag": "button", "name": "send", "text": plain("Send"), "form_action_type": "submit"},
            ]},
        ]},
    })
}

/// Draws a card at the end of the conversation. `window.sent` collects what it sends.
async fn draw(bed: &Bed, card: &Value) {
    let script = "const [card, done] = arguments; import('/cards.js').then(({ renderCard }) => { \
        window.sent = []; document.querySelector('#drawn')?.remove(); \
        const people = new Map(['admin', 'viewer'].map((name) => [`ou_demo_${name}`, { id: `ou_demo_${name}`, name }])); \
        const node = renderCard(card, { people, me: '', memory: new Map(), \
          send: async (action) => { window.sent.push(action); return {}; } }); \
        node.id = 'drawn'; document.querySelector('#thread').append(node); \
        node.scrollIntoView(); done(true); });";
    bed.client.execute_async(script, vec![card.clone()]).await.unwrap();
}

const FAULTS: &str = "[...document.querySelectorAll('#drawn .card-fault-box, #drawn .card-fault')].map((node) => node.textContent)";

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Chromium and chromedriver; run by .ci/run"]
async fn every_component_and_attribute_is_drawn_or_shown_as_a_fault() {
    let schema: Value = serde_json::from_str(SCHEMA).unwrap();
    let defs = &schema["$defs"];
    let tags = |list: &str| -> BTreeSet<String> {
        let tags = defs[list]["properties"]["tag"]["enum"].as_array();
        let tags = tags.or_else(|| defs[list]["allOf"][0]["properties"]["tag"]["enum"].as_array());
        tags.unwrap().iter().map(|tag| tag.as_str().unwrap().to_owned()).collect()
    };
    let tags = tags("rootElement");
    assert!(tags.len() > 25, "{tags:?}");
    run(ENGLISH, async |bed: &Bed| {
        bed.open().await;
        bed.converse("direct").await;
        draw(bed, &gallery()).await;
        assert_eq!(bed.js(FAULTS).await, json!([]));
        let drawn = bed.js("[...new Set([...document.querySelectorAll('#drawn [data-tag]')].map((node) => node.dataset.tag))]").await;
        let drawn: BTreeSet<String> = serde_json::from_value(drawn).unwrap();
        assert_eq!(drawn, tags, "the gallery has one of each");

        // The page knows every attribute of the schema, and shows any other as a fault.
        for tag in &tags {
            let names: Vec<&String> = defs[tag]["properties"].as_object().unwrap().keys().collect();
            let script = "const [tag, names, done] = arguments; import('/schema.js').then(({ unknownAttributes }) => \
                done(names.filter((name) => unknownAttributes(tag, { [name]: 1 }).length > 0)));";
            let unknown =
                bed.client.execute_async(script, vec![json!(tag), json!(names)]).await.unwrap();
            assert_eq!(unknown, json!([]), "{tag}");
            let mut odd = json!({"tag": tag, "sparkle": true, "name": "n"});
            if let Some(known) = find(&gallery(), tag) {
                odd = known;
                odd["sparkle"] = json!(true);
            }
            draw(bed, &json!({"schema": "2.0", "body": {"elements": [odd]}})).await;
            let faults = bed.js(FAULTS).await.to_string();
            assert!(faults.contains(&format!("{tag}.sparkle")), "{tag}: {faults}");
        }
        // An unknown component, and a column that is not one.
        for strange in [json!({"tag": "hologram"}), json!({"tag": "column_set", "columns": [{"tag": "hologram"}]})] {
            draw(bed, &json!({"schema": "2.0", "body": {"elements": [strange]}})).await;
            assert!(bed.js(FAULTS).await.to_string().contains("hologram"));
        }
    })
    .await;
}

/// The first component of this tag.
fn find(value: &Value, tag: &str) -> Option<Value> {
    match value {
        Value::Object(members) if members.get("tag").is_some_and(|own| own == tag) => {
            Some(value.clone())
        }
        Value::Object(members) => members.values().find_map(|member| find(member, tag)),
        Value::Array(list) => list.iter().find_map(|item| find(item, tag)),
        _ => None,
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Chromium and chromedriver; run by .ci/run"]
async fn every_control_works_by_keyboard_and_has_a_name() {
    run(ENGLISH, async |bed: &Bed| {
        bed.open().await;
        bed.converse("direct").await;
        draw(bed, &gallery()).await;
        // Everything that can have the focus shows it, and has a name.
        let silent = "[...document.querySelectorAll('#drawn :is(button, input, textarea, a, [tabindex])')] \
            .filter((node) => node.checkVisibility() && !node.disabled).flatMap((node) => { node.focus(); \
              const style = getComputedStyle(node); \
              const name = node.ariaLabel || [...(node.labels ?? [])].map((label) => label.textContent).join('') \
                || node.textContent.trim() || node.title || node.placeholder; \
              const shown = style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2; \
              return document.activeElement === node && shown && (name || node.matches('.table-scroll')) ? [] \
                : [`${node.tagName}.${node.className}: ${name}`]; })";
        // After a key press the browser also shows focus that a script sets.
        keys(bed, "#drawn .btn", &[Key::Tab]).await;
        assert_eq!(bed.js(silent).await, json!([]));

        let sent = |text: &str| format!("JSON.stringify(window.sent).includes({})", json!(text));
        keys(bed, "#drawn .btn", &[Key::Enter]).await;
        bed.until(&sent("{\"a\":1}")).await;
        keys(bed, "#drawn .container", &[Key::Enter]).await;
        bed.until(&sent("{\"a\":2}")).await;
        keys(bed, "#drawn .panel-head", &[Key::Enter]).await;
        bed.until("document.querySelector('#drawn .panel-head').ariaExpanded === 'true'").await;
        keys(bed, "#drawn .pager-button:last-child", &[Key::Enter]).await;
        bed.until("document.querySelector('#drawn .card-table').textContent.includes('row 7')")
            .await;
        keys(bed, "#drawn .overflow", &[Key::Enter, Key::Down, Key::Enter]).await;
        bed.until(&sent("\"option\":\"2\"")).await;
        keys(bed, "#drawn .tile", &[Key::Enter]).await;
        bed.until(&sent("\"option\":\"a\"")).await;

        // The form, field by field, then sent with Enter on its button.
        type_into(bed, "#drawn [data-path$='.0'] input[type=text]", "words").await;
        type_into(bed, "#drawn input[type=password]", "hidden").await;
        type_into(bed, "#drawn textarea", "lines").await;
        keys(bed, "#drawn [data-tag=select_static] .select", &[Key::Down, Key::Down, Key::Enter])
            .await;
        keys(
            bed,
            "#drawn [data-tag=multi_select_static] .select",
            &[Key::Enter, Key::Enter, Key::Down, Key::Enter, Key::Escape],
        )
        .await;
        keys(bed, "#drawn [data-tag=select_person] .select", &[Key::Down, Key::Enter]).await;
        keys(
            bed,
            "#drawn [data-tag=multi_select_person] .select",
            &[Key::Enter, Key::Enter, Key::Escape],
        )
        .await;
        type_into(bed, "#drawn input[type=date]", "11232026").await;
        type_into(bed, "#drawn input[type=time]", "0830am").await;
        type_into(bed, "#drawn input[type=checkbox]", " ").await;
        keys(bed, "#drawn [data-tag=form] .btn:last-child", &[Key::Enter]).await;
        bed.until("window.sent.at(-1).form_value").await;
        let form = bed.js("window.sent.at(-1).form_value").await;
        assert_eq!(
            form,
            json!({"text": "words", "secret": "hidden", "lines": "lines", "one": "2", "many": ["1", "2"],
                "person": "ou_demo_admin", "people": ["ou_demo_admin"], "date": "2026-11-23 +0800",
                "time": "08:30 +0800", "moment": "", "tick": true})
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Chromium and chromedriver; run by .ci/run"]
async fn escape_closes_one_thing_and_a_second_press_closes_a_list() {
    run(ENGLISH, async |bed: &Bed| {
        bed.open().await;
        bed.converse("direct").await;
        draw(bed, &gallery()).await;
        let select = "#drawn [data-tag=select_static] .select";
        let controls = "document.body.classList.contains('controls-shown')";
        keys(bed, select, &[Key::Down]).await;
        bed.until("document.querySelector('.popup')").await;
        keys(bed, ".popup .list", &[Key::Escape]).await;
        bed.until("!document.querySelector('.popup')").await;
        assert_eq!(bed.js(controls).await, true, "the controls stay");
        keys(bed, "#control-list select", &[Key::Escape]).await;
        assert_eq!(bed.js(controls).await, true, "also after a select of their own");
        // Now nothing else is open.
        keys(bed, select, &[Key::Escape]).await;
        bed.until(&format!("!{controls}")).await;
        // A select that is pressed twice is closed again.
        bed.click(select, "").await;
        bed.until("document.querySelector('.popup')").await;
        bed.click(select, "").await;
        bed.until("!document.querySelector('.popup')").await;
    })
    .await;
}

/// Focuses an element and presses keys, each on the element that has the focus by then.
async fn keys(bed: &Bed, selector: &str, keys: &[Key]) {
    bed.js(&format!("(document.querySelector({}).focus(), true)", json!(selector))).await;
    for key in keys {
        let active = bed.client.active_element().await.unwrap();
        active.send_keys(&char::from(*key).to_string()).await.unwrap();
    }
}

async fn type_into(bed: &Bed, selector: &str, text: &str) {
    bed.js(&format!("(document.querySelector({}).focus(), true)", json!(selector))).await;
    bed.client.active_element().await.unwrap().send_keys(text).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Chromium and chromedriver; run by .ci/run"]
async fn every_component_fits_on_a_phone() {
    let phone = Browser { width: 360, height: 740, phone: true, ..ENGLISH };
    run(phone, async |bed: &Bed| {
        bed.open().await;
        bed.converse("direct").await;
        draw(bed, &gallery()).await;
        let out = "[...document.querySelectorAll('#drawn *')].filter((node) => node.checkVisibility() \
            && node.getBoundingClientRect().right > innerWidth + 1 && !node.closest('.table-scroll, svg')) \
            .map((node) => `${node.tagName}.${node.className}`)";
        assert_eq!(bed.js(out).await, json!([]));
        assert_eq!(bed.js("document.documentElement.scrollWidth <= 360").await, true);
    })
    .await;
}
