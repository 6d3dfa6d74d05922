//! People in cards: those that a message mentions are added when it is delivered, and those that Feishu refuses are
//! removed again.
//!
//! Feishu refuses a whole card because of one person unknown to the app, e.g. one who has left (docs/platforms/feishu.md
//! §4.7). Its message usually names the person, but nothing documents that it always does.

use serde_json::{Map, Value};

use crate::feishu::Error;

/// Who is removed from a card.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Whom<'a> {
    /// These people, by open_id.
    Only(&'a [String]),
    /// Every person.
    Everybody,
}

impl Whom<'_> {
    fn has(self, id: &str) -> bool {
        match self {
            Whom::Only(ids) => ids.iter().any(|one| one == id),
            Whom::Everybody => id != "all",
        }
    }
}

/// Returns the card with a line on top that mentions `people`, in the place where the alert's template has its
/// mentions.
pub(super) fn mentioning(card: &str, people: &[String]) -> String {
    if people.is_empty() {
        return card.to_owned();
    }
    let Ok(mut value) = serde_json::from_str::<Value>(card) else {
        return card.to_owned();
    };
    let mentions: Vec<String> = people.iter().map(|id| format!("<at id={id}></at>")).collect();
    let line = serde_json::json!({ "tag": "markdown", "content": mentions.join(" ") });
    match value.pointer_mut("/body/elements").and_then(Value::as_array_mut) {
        Some(elements) => elements.insert(0, line),
        None => return card.to_owned(),
    }
    value.to_string()
}

/// Returns the card with a line at the end. Numbers and words of airgate only: nothing in it is escaped.
pub(super) fn with_note(card: &str, note: &str) -> String {
    let Ok(mut value) = serde_json::from_str::<Value>(card) else {
        return card.to_owned();
    };
    let line = serde_json::json!({ "tag": "markdown", "content": note, "text_size": "notation" });
    match value.pointer_mut("/body/elements").and_then(Value::as_array_mut) {
        Some(elements) => elements.push(line),
        None => return card.to_owned(),
    }
    value.to_string()
}

/// Returns the people that a refusal names.
pub(super) fn named_in(error: &Error) -> Vec<String> {
    let Error::Platform(error) = error else { return Vec::new() };
    let words = error.msg.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    words.filter(|word| word.starts_with("ou_")).map(str::to_owned).collect()
}

/// Returns the card without these people, neither in mentions nor in lists. `None` if it has none of them.
pub(super) fn without(card: &str, whom: Whom<'_>) -> Option<String> {
    let before: Value = serde_json::from_str(card).ok()?;
    let mut after = before.clone();
    take_out(&mut after, whom);
    (after != before).then(|| after.to_string())
}

fn take_out(value: &mut Value, whom: Whom<'_>) {
    match value {
        Value::Array(items) => {
            items.iter_mut().for_each(|item| take_out(item, whom));
            items.retain(|item| !is_left_over(item, whom));
        }
        Value::Object(members) => {
            let tag = members.get("tag").and_then(Value::as_str).unwrap_or_default().to_owned();
            match tag.as_str() {
                "markdown" | "lark_md" => take_mentions_out(members, whom),
                "select_person" | "multi_select_person" => {
                    retain(members, "options", "value", whom);
                    unset(members, "initial_option", whom);
                    retain_texts(members, "initial_options", whom);
                    retain_texts(members, "selected_values", whom);
                }
                "person_list" => retain(members, "persons", "id", whom),
                _ => {}
            }
            members.values_mut().for_each(|member| take_out(member, whom));
        }
        _ => {}
    }
}

/// Returns whether nothing is left of an element: a person, or a text that held only mentions.
fn is_left_over(item: &Value, whom: Whom<'_>) -> bool {
    let text = |name: &str| item.get(name).and_then(Value::as_str);
    match text("tag") {
        Some("person") => text("user_id").is_some_and(|id| whom.has(id)),
        Some("markdown") => text("content").is_some_and(|content| content.trim().is_empty()),
        _ => false,
    }
}

/// Removes mentions from a text. Only airgate writes tags: text from outside is escaped.
fn take_mentions_out(members: &mut Map<String, Value>, whom: Whom<'_>) {
    const OPEN: &str = "<at id=";
    const CLOSE: &str = "></at>";
    let Some(Value::String(text)) = members.get_mut("content") else { return };
    let mut kept = String::with_capacity(text.len());
    let mut rest = text.as_str();
    while let Some((before, after)) = rest.split_once(OPEN) {
        let Some((id, next)) = after.split_once(CLOSE) else { break };
        kept.push_str(before);
        if !whom.has(id.trim_matches('"')) {
            kept.push_str(OPEN);
            kept.push_str(id);
            kept.push_str(CLOSE);
        }
        rest = next;
    }
    kept.push_str(rest);
    *text = kept;
}

fn retain(members: &mut Map<String, Value>, list: &str, id: &str, whom: Whom<'_>) {
    if let Some(Value::Array(entries)) = members.get_mut(list) {
        entries.retain(|entry| {
            !entry.get(id).and_then(Value::as_str).is_some_and(|person| whom.has(person))
        });
    }
}

fn retain_texts(members: &mut Map<String, Value>, list: &str, whom: Whom<'_>) {
    if let Some(Value::Array(entries)) = members.get_mut(list) {
        entries.retain(|entry| !entry.as_str().is_some_and(|person| whom.has(person)));
    }
}

fn unset(members: &mut Map<String, Value>, name: &str, whom: Whom<'_>) {
    if members.get(name).and_then(Value::as_str).is_some_and(|person| whom.has(person)) {
        members.remove(name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mentions_come_first_and_only_if_there_are_people() {
        let card = r#"{"schema":"2.0","body":{"elements":[{"tag":"hr"}]}}"#;
        assert_eq!(mentioning(card, &[]), card);
        let people = ["ou_a".to_owned(), "ou_b".to_owned()];
        let value: Value = serde_json::from_str(&mentioning(card, &people)).unwrap();
        assert_eq!(value["body"]["elements"][0]["content"], "<at id=ou_a></at> <at id=ou_b></at>");
    }

    #[test]
    fn only_the_refused_person_is_removed() {
        let card = serde_json::json!({"body": {"elements": [
            {"tag": "markdown", "content": "<at id=ou_a></at> <at id=ou_b></at>"},
            {"tag": "markdown", "content": "**¥84.34** <at id=all></at>"},
            {"tag": "column", "elements": [{"tag": "person", "user_id": "ou_a"}]},
            {"tag": "select_person", "initial_option": "ou_a",
             "options": [{"value": "ou_a"}, {"value": "ou_b"}]},
            {"tag": "button", "behaviors": [{"type": "callback", "value": {"action": "x"}}]},
        ]}});
        let refused = ["ou_a".to_owned()];
        let one: Value =
            serde_json::from_str(&without(&card.to_string(), Whom::Only(&refused)).unwrap())
                .unwrap();
        let expected = serde_json::json!({"body": {"elements": [
            {"tag": "markdown", "content": " <at id=ou_b></at>"},
            {"tag": "markdown", "content": "**¥84.34** <at id=all></at>"},
            {"tag": "column", "elements": []},
            {"tag": "select_person", "options": [{"value": "ou_b"}]},
            {"tag": "button", "behaviors": [{"type": "callback", "value": {"action": "x"}}]},
        ]}});
        assert_eq!(one, expected);
        let all = without(&card.to_string(), Whom::Everybody).unwrap();
        assert!(!all.contains("ou_") && all.contains("<at id=all>") && all.contains("¥84.34"));
        assert_eq!(without(&all, Whom::Everybody), None, "nobody is left");
    }
}
