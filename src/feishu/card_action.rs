//! Somebody used a component of a card: the event card.action.trigger.

use std::fmt;

use serde_json::{Map, Value};

use super::event::string;

/// What was clicked, chosen or submitted, by whom, on which card ("Card callback structure").
///
/// `value` and the fields come from the person's client: they say what is wanted, never what is allowed. `Debug` shows the
/// names of a form's fields and nothing that was typed: secrets are typed into forms.
#[derive(Clone, PartialEq)]
pub struct CardAction {
    /// Who did it.
    pub operator_open_id: String,
    /// The update token of this callback, `c-…`; empty where the platform does not send one.
    pub token: String,
    /// The message that carries the card.
    pub message_id: Option<String>,
    /// The chat that the message is in.
    pub chat_id: Option<String>,
    /// The kind of component, e.g. `button`.
    pub tag: String,
    /// What the card gave the component as its callback value; empty where that was nothing, or no object.
    pub value: Map<String, Value>,
    /// The component's name.
    pub name: Option<String>,
    /// The fields of the form that was submitted, by name. Fields left empty may be missing.
    pub form: Map<String, Value>,
    /// The choice of a select, an overflow menu or a picker.
    pub option: Option<String>,
    /// The choices of a multi-select.
    pub options: Vec<String>,
    /// The new state of a checker.
    pub checked: Option<bool>,
    /// The text of an input.
    pub input: Option<String>,
}

impl fmt::Debug for CardAction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CardAction")
            .field("operator_open_id", &self.operator_open_id)
            .field("message_id", &self.message_id)
            .field("chat_id", &self.chat_id)
            .field("tag", &self.tag)
            .field("value", &self.value)
            .field("name", &self.name)
            .field("form", &self.form.keys().collect::<Vec<_>>())
            .field("option", &self.option)
            .field("options", &self.options)
            .field("checked", &self.checked)
            .finish_non_exhaustive()
    }
}

impl CardAction {
    /// None where nobody is named who did it, or nothing that was done.
    ///
    /// `payload` is the whole envelope: one documented example has `host` and `context` beside `event` instead
    /// of inside it.
    pub(super) fn parse(event: &Value, payload: &Value) -> Option<Self> {
        let action = event.get("action").filter(|action| action.is_object())?;
        let context = |field| {
            [event, payload]
                .into_iter()
                .filter_map(|outer| outer.get("context"))
                .find_map(|context| string(context, field))
        };
        Some(Self {
            operator_open_id: string(event.get("operator")?, "open_id")?,
            token: string(event, "token").unwrap_or_default(),
            message_id: context("open_message_id"),
            chat_id: context("open_chat_id"),
            tag: string(action, "tag").unwrap_or_default(),
            value: object(action, "value"),
            name: string(action, "name"),
            form: object(action, "form_value"),
            option: string(action, "option"),
            options: action
                .get("options")
                .and_then(Value::as_array)
                .into_iter()
                .flatten()
                .filter_map(|option| option.as_str().map(str::to_owned))
                .collect(),
            checked: action.get("checked").and_then(truth),
            // An input that was emptied is an answer, too.
            input: action.get("input_value").and_then(Value::as_str).map(str::to_owned),
        })
    }

    /// A checker of the submitted form. What the platform sends for one is not documented: a boolean is
    /// expected, its word as a string is taken as well.
    pub fn form_checked(&self, name: &str) -> Option<bool> {
        self.form.get(name).and_then(truth)
    }
}

fn object(action: &Value, field: &str) -> Map<String, Value> {
    match action.get(field) {
        Some(Value::Object(fields)) => fields.clone(),
        _ => Map::new(),
    }
}

fn truth(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(truth) => Some(*truth),
        Value::String(word) => word.parse().ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn parse(event: Value) -> Option<CardAction> {
        CardAction::parse(&event, &json!({}))
    }

    #[test]
    fn whatever_is_missing_or_odd_is_left_out() {
        let bare = parse(json!({"operator": {"open_id": "ou_a"}, "action": {}})).unwrap();
        assert_eq!(bare.operator_open_id, "ou_a");
        assert_eq!((bare.token.as_str(), bare.tag.as_str()), ("", ""));
        assert_eq!((bare.message_id, bare.chat_id), (None, None));
        assert!(bare.value.is_empty() && bare.form.is_empty() && bare.options.is_empty());

        let odd = parse(json!({
            "operator": {"open_id": "ou_a", "user_id": null}, "token": null,
            "action": {"value": "{\"action\":\"x\"}", "tag": 3, "form_value": null, "option": 5,
                       "options": ["a", 1, "b"], "checked": "true", "input_value": ""},
            "context": null,
        }))
        .unwrap();
        assert!(odd.value.is_empty() && odd.form.is_empty());
        assert_eq!(odd.option, None);
        assert_eq!(odd.options, ["a", "b"]);
        assert_eq!(odd.checked, Some(true));
        assert_eq!(odd.input.as_deref(), Some(""));
    }

    #[test]
    fn without_a_person_or_an_action_there_is_nothing_to_act_on() {
        for event in [
            json!({"action": {"tag": "button"}}),
            json!({"operator": {"open_id": ""}, "action": {"tag": "button"}}),
            json!({"operator": {"open_id": "ou_a"}}),
            json!({"operator": {"open_id": "ou_a"}, "action": "button"}),
            json!([]),
        ] {
            assert_eq!(parse(event.clone()), None, "{event}");
        }
    }

    #[test]
    fn the_context_may_stand_beside_the_event() {
        let event = json!({"operator": {"open_id": "ou_a"}, "action": {"tag": "checker"}});
        let context = json!({"open_message_id": "om_1", "open_chat_id": "oc_1"});
        let outside = json!({"host": "im_message", "context": context, "event": event});
        let action = CardAction::parse(&event, &outside).unwrap();
        assert_eq!(action.message_id.as_deref(), Some("om_1"));
        assert_eq!(action.chat_id.as_deref(), Some("oc_1"));
    }

    #[test]
    fn a_checker_in_a_form_is_a_boolean_or_its_word() {
        let action = parse(json!({"operator": {"open_id": "ou_a"}, "action": {"form_value":
            {"yes": true, "no": "false", "text": "maybe"}}}))
        .unwrap();
        assert_eq!(action.form_checked("yes"), Some(true));
        assert_eq!(action.form_checked("no"), Some(false));
        assert_eq!(action.form_checked("text"), None);
        assert_eq!(action.form_checked("missing"), None);
    }
}
