//! What people see on cards.

use airgate::sandbox::feishu::Message;
use serde_json::{Map, Value};

/// Every text of a card, in order, joined by line feeds, with markdown's entities resolved: what a person reads.
pub fn text_of(message: &Message) -> String {
    fn collect(value: &Value, texts: &mut Vec<String>) {
        match value {
            Value::Object(members) => {
                for (name, member) in members {
                    match member {
                        Value::String(text) if name == "content" => texts.push(text.clone()),
                        member if name != "value" => collect(member, texts),
                        _ => {}
                    }
                }
            }
            Value::Array(items) => items.iter().for_each(|item| collect(item, texts)),
            _ => {}
        }
    }
    let mut texts = Vec::new();
    collect(&serde_json::from_str(&message.content).unwrap(), &mut texts);
    shown(&texts.join("\n"))
}

/// Resolves entities such as `&lt;` and `&#42;`.
pub fn shown(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('&') {
        out.push_str(before);
        rest = after;
        let entity = after.split_once(';').and_then(|(name, after)| {
            let c = match name {
                "lt" => '<',
                "gt" => '>',
                "amp" => '&',
                name => char::from_u32(name.strip_prefix('#')?.parse().ok()?)?,
            };
            Some((c, after))
        });
        match entity {
            Some((c, after)) => {
                out.push(c);
                rest = after;
            }
            None => out.push('&'),
        }
    }
    out.push_str(rest);
    out
}

/// The markdown of a card, unresolved: what the client interprets.
pub fn markdown_of(message: &Message) -> String {
    let mut found = Vec::new();
    walk(&message.json(), &mut |members| {
        let is_markdown = matches!(members.get("tag"), Some(Value::String(tag)) if tag == "markdown" || tag == "lark_md");
        if let (true, Some(Value::String(text))) = (is_markdown, members.get("content")) {
            found.push(text.clone());
        }
    });
    found.join("\n")
}

/// The callback values of a card's buttons, selects and containers, in order.
pub fn callback_values(message: &Message) -> Vec<Value> {
    let mut found = Vec::new();
    walk(&message.json(), &mut |members| {
        if members.get("type").is_some_and(|kind| kind == "callback") {
            found.extend(members.get("value").cloned());
        }
    });
    found
}

/// The initial value of the form field with this name: null for an empty one, `None` if there is no such field.
pub fn field_of(message: &Message, name: &str) -> Option<Value> {
    let mut found = None;
    walk(&message.json(), &mut |members| {
        if found.is_none() && members.get("name").is_some_and(|own| own == name) {
            let initial = ["default_value", "initial_option", "selected_values"];
            let initial = initial.iter().find_map(|member| members.get(*member));
            found = Some(initial.cloned().unwrap_or_default());
        }
    });
    found
}

/// Visits every object of a JSON value, outer ones first.
fn walk(value: &Value, visit: &mut impl FnMut(&Map<String, Value>)) {
    match value {
        Value::Object(members) => {
            visit(members);
            members.values().for_each(|member| walk(member, visit));
        }
        Value::Array(items) => items.iter().for_each(|item| walk(item, visit)),
        _ => {}
    }
}
