//! The name of a form's submit button, which carries the button's callback value a second time.
//!
//! Clients have been seen to submit a form without the value and with the name alone (docs/platforms/feishu.md §9.1).

use serde_json::{Map, Value};

/// The longest name. The platform documents no limit.
const NAME_CHARS: usize = 100;

/// Returns the name that carries `value`: `quota.allocate?op=…&user=main/alice`. A value that does not fit is left out,
/// and a submission without it is then refused; the position in the users list is always left out.
pub fn submit_name(value: &Value) -> String {
    let word = value.get("action").and_then(Value::as_str).unwrap_or_default();
    let is_carried = |name: &str| !matches!(name, "action" | "back");
    let members: Option<Vec<String>> = value
        .as_object()
        .into_iter()
        .flatten()
        .filter(|(name, _)| is_carried(name))
        .map(|(name, member)| match member {
            Value::String(text) if text.contains(['?', '&', '=']) => None,
            Value::String(text) => Some(format!("{name}={text}")),
            Value::Bool(_) | Value::Number(_) => Some(format!("{name}={member}")),
            _ => None,
        })
        .collect();
    members
        .filter(|members| !members.is_empty())
        .map(|members| format!("{word}?{}", members.join("&")))
        .filter(|name| name.chars().count() <= NAME_CHARS)
        .unwrap_or_else(|| word.to_owned())
}

/// Returns the callback value in the name of a submit button: its members as texts. `None` if the name carries none.
pub fn value_in_name(name: &str) -> Option<Map<String, Value>> {
    let (word, members) = name.split_once('?').unwrap_or((name, ""));
    let mut value = Map::from_iter([("action".to_owned(), Value::from(word))]);
    for member in members.split('&').filter(|member| !member.is_empty()) {
        let (name, text) = member.split_once('=')?;
        if value.insert(name.to_owned(), Value::from(text)).is_some() {
            return None;
        }
    }
    Some(value)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_value_comes_back_out_of_the_name() {
        let value = json!({"action": "quota.allocate", "user": "main/alice", "op": "op-1", "page": 2,
            "personal": true, "back": {"page": 3}});
        let name = submit_name(&value);
        assert_eq!(name, "quota.allocate?op=op-1&page=2&personal=true&user=main/alice");
        let read = json!({"action": "quota.allocate", "user": "main/alice", "op": "op-1",
            "page": "2", "personal": "true"});
        assert_eq!(value_in_name(&name).map(Value::Object), Some(read));
    }

    #[test]
    fn a_value_that_does_not_fit_is_left_out() {
        for user in ["main/a&b=c".to_owned(), format!("main/{}", "x".repeat(90))] {
            let value = json!({"action": "quota.allocate", "user": user, "op": "op-1"});
            assert_eq!(submit_name(&value), "quota.allocate");
        }
        assert_eq!(value_in_name("a?b"), None);
        assert_eq!(value_in_name("a?b=1&b=2"), None);
        assert_eq!(value_in_name("a?action=b"), None);
    }
}
