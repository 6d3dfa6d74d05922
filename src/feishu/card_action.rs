//! A click on a card or a submitted form: the event card.action.trigger.

use std::fmt;

use serde_json::{Map, Value};

use super::fields::string;

/// What was clicked, chosen or submitted, by whom, on which card (docs/platforms/feishu.md §9.1).
///
/// `value` and the fields come from the person's client: they express a wish, never a permission. `Debug` shows the
/// names of a form's fields but not their values, because people type secrets into forms.
#[derive(Clone, PartialEq)]
pub struct CardAction {
    /// The person who did it.
    pub operator_open_id: String,
    /// The message that carries the card.
    pub message_id: Option<String>,
    /// The chat that the message is in.
    pub chat_id: Option<String>,
    /// The callback value that the card gave the component; empty if there was none, or if it was neither an object
    /// nor the text of one. A submitted form may come without it: [`CardAction::name`] then says which button it was.
    pub value: Map<String, Value>,
    /// The component's name.
    pub name: Option<String>,
    /// The fields of the submitted form, by name. Empty fields may be missing.
    pub form: Map<String, Value>,
    /// The chosen option of a select, an overflow menu or a picker.
    pub option: Option<String>,
    /// The text of an input.
    pub input: Option<String>,
}

impl fmt::Debug for CardAction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CardAction")
            .field("operator_open_id", &self.operator_open_id)
            .field("message_id", &self.message_id)
            .field("chat_id", &self.chat_id)
            .field("value", &self.value)
            .field("name", &self.name)
            .field("form", &self.form.keys().collect::<Vec<_>>())
            .field("option", &self.option)
            .finish_non_exhaustive()
    }
}

impl CardAction {
    /// Returns `None` if the operator or the action is missing.
    ///
    /// `payload` is the whole envelope: one documented example has `host` and `context` beside `event` instead
    /// of inside it.
    pub(super) fn parse(event: &Value, payload: &Value) -> Option<Self> {
        let action = event.get("action").filter(|action| action.is_object())?;
        let context = |field| {
            [event.get("context"), payload.get("context"), Some(event)]
                .into_iter()
                .flatten()
                .find_map(|context| string(context, field))
        };
        let operator = event.get("operator")?;
        Some(Self {
            // The ids are in `operator` itself, or one level deeper as in other events.
            operator_open_id: [
                Some(operator),
                operator.get("user_id"),
                operator.get("operator_id"),
            ]
            .into_iter()
            .flatten()
            .find_map(|ids| string(ids, "open_id"))?,
            message_id: context("open_message_id"),
            chat_id: context("open_chat_id"),
            value: object(action, "value"),
            name: string(action, "name"),
            form: object(action, "form_value"),
            option: string(action, "option"),
            // An input that was emptied is a valid answer too.
            input: action.get("input_value").and_then(Value::as_str).map(str::to_owned),
        })
    }

    /// Returns the state of a checker in the submitted form. The platform does not document its type: this accepts a
    /// boolean or the words `"true"` and `"false"`.
    pub fn form_checked(&self, name: &str) -> Option<bool> {
        self.form.get(name).and_then(truth)
    }
}

fn object(action: &Value, field: &str) -> Map<String, Value> {
    match action.get(field) {
        Some(Value::Object(fields)) => fields.clone(),
        Some(Value::String(text)) => serde_json::from_str(text).unwrap_or_default(),
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
    fn missing_and_malformed_fields_are_left_out() {
        let bare = parse(json!({"operator": {"open_id": "ou_a"}, "action": {}})).unwrap();
        assert_eq!(bare.operator_open_id, "ou_a");
        assert_eq!((bare.message_id, bare.chat_id), (None, None));
        assert!(bare.value.is_empty() && bare.form.is_empty());

        let odd = parse(json!({
            "operator": {"open_id": "ou_a", "user_id": null}, "token": null,
            "action": {"value": "{\"action\":", "tag": 3, "form_value": null, "option": 5,
                       "input_value": ""},
            "context": null,
        }))
        .unwrap();
        assert!(odd.value.is_empty() && odd.form.is_empty());
        assert_eq!(odd.option, None);
        assert_eq!(odd.input.as_deref(), Some(""));
    }

    #[test]
    fn an_event_without_operator_or_action_is_not_parsed() {
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
    fn the_value_may_be_the_text_of_an_object() {
        for (value, action) in [
            (json!({"action": "x"}), Some("x")),
            (json!("{\"action\":\"x\"}"), Some("x")),
            (json!("x"), None),
            (json!("[1]"), None),
            (json!(["x"]), None),
            (json!(null), None),
        ] {
            let event = json!({"operator": {"open_id": "ou_a"}, "action": {"value": value}});
            let parsed = parse(event).unwrap();
            assert_eq!(parsed.value.get("action").and_then(Value::as_str), action, "{value}");
        }
    }

    #[test]
    fn a_submit_may_name_its_button_only() {
        let submit = parse(json!({"operator": {"open_id": "ou_a"}, "action":
            {"tag": "button", "name": "quota.allocate", "form_value": {"amount": "5"}}}))
        .unwrap();
        assert_eq!(submit.name.as_deref(), Some("quota.allocate"));
        assert!(submit.value.is_empty());
        assert_eq!(submit.form["amount"], "5");
    }

    #[test]
    fn the_operator_is_found_on_either_level() {
        for operator in [
            json!({"open_id": "ou_a", "user_id": "e33ggbyz"}),
            json!({"user_id": {"open_id": "ou_a", "user_id": "e33ggbyz"}}),
            json!({"operator_id": {"open_id": "ou_a"}}),
            json!({"open_id": "", "user_id": {"open_id": "ou_a"}}),
        ] {
            let click = parse(json!({"operator": operator, "action": {"tag": "button"}}));
            assert_eq!(click.unwrap().operator_open_id, "ou_a", "{operator}");
        }
    }

    #[test]
    fn the_context_may_be_beside_the_event() {
        let event = json!({"operator": {"open_id": "ou_a"}, "action": {"tag": "checker"}});
        let context = json!({"open_message_id": "om_1", "open_chat_id": "oc_1"});
        let outside = json!({"host": "im_message", "context": context, "event": event});
        let action = CardAction::parse(&event, &outside).unwrap();
        assert_eq!(action.message_id.as_deref(), Some("om_1"));
        assert_eq!(action.chat_id.as_deref(), Some("oc_1"));
        let flat = json!({"operator": {"open_id": "ou_a"}, "action": {"tag": "button"},
                          "open_message_id": "om_1", "open_chat_id": "oc_1"});
        let action = CardAction::parse(&flat, &json!({})).unwrap();
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
