//! The name of a form's submit button, which carries the button's callback value a second time.
//!
//! Clients have been seen to submit a form without the value and with the name alone (docs/platforms/feishu.md §9.1).

use std::fmt::Write as _;

use serde_json::{Map, Value};

use super::engine::Scalar;

/// The longest name. The platform documents no limit.
const NAME_CHARS: usize = 100;

/// Members that tell the buttons of one form apart.
const TELLING: [&str; 4] = ["do", "value", "counts", "decision"];

/// Returns the name that carries a callback value: `quota.allocate?op=…&user=main/alice`. A value that does not fit is left
/// out, and a submission without it is then refused; `members` are without the position in the users list. What tells the
/// buttons of a form apart stays after a `#`, because names are unique (R14): `users.bulk#link-part`.
pub(super) fn submit_name(word: &str, members: &[(&str, Scalar<'_>)]) -> String {
    let mut name = word.to_owned();
    for (member, value) in members.iter().filter(|(_, value)| *value != Scalar::None) {
        // Writing to a String cannot fail.
        let _ = write!(name, "{}{member}=", if name.len() == word.len() { '?' } else { '&' });
        let _ = match value {
            Scalar::Text(text) if text.contains(['?', '&', '=']) => return bare(word, members),
            Scalar::Text(text) | Scalar::Decimal(text) => write!(name, "{text}"),
            Scalar::Bool(value) => write!(name, "{value}"),
            Scalar::Number(number) => write!(name, "{number}"),
            Scalar::None => Ok(()),
        };
    }
    if name.chars().count() <= NAME_CHARS { name } else { bare(word, members) }
}

/// The name without the value.
fn bare(word: &str, members: &[(&str, Scalar<'_>)]) -> String {
    let telling: Vec<&str> = TELLING
        .iter()
        .filter_map(|telling| members.iter().find(|(member, _)| member == telling))
        .filter_map(|(_, value)| match value {
            Scalar::Text(text) => Some(*text),
            _ => None,
        })
        .collect();
    if telling.is_empty() { word.to_owned() } else { format!("{word}#{}", telling.join("-")) }
}

/// Returns the callback value in the name of a submit button: its members as texts. `None` if the name carries none.
pub fn value_in_name(name: &str) -> Option<Map<String, Value>> {
    let (word, members) = name.split_once('?').unwrap_or((name, ""));
    let word = word.split_once('#').map_or(word, |(word, _)| word);
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
        let members = [
            ("op", Scalar::Text("op-1")),
            ("page", Scalar::Number(2)),
            ("personal", Scalar::Bool(true)),
            ("user", Scalar::Text("main/alice")),
            ("project", Scalar::None),
        ];
        let name = submit_name("quota.allocate", &members);
        assert_eq!(name, "quota.allocate?op=op-1&page=2&personal=true&user=main/alice");
        let read = json!({"action": "quota.allocate", "user": "main/alice", "op": "op-1",
            "page": "2", "personal": "true"});
        assert_eq!(value_in_name(&name).map(Value::Object), Some(read));
    }

    #[test]
    fn a_value_that_does_not_fit_is_left_out() {
        for user in ["main/a&b=c".to_owned(), format!("main/{}", "x".repeat(90))] {
            let members = [("op", Scalar::Text("op-1")), ("user", Scalar::Text(&user))];
            assert_eq!(submit_name("quota.allocate", &members), "quota.allocate");
        }
        let long = "x".repeat(90);
        for (counts, name) in [("part", "users.bulk#link-part"), ("whole", "users.bulk#link-whole")]
        {
            let members = [
                ("do", Scalar::Text("link")),
                ("value", Scalar::None),
                ("counts", Scalar::Text(counts)),
                ("query", Scalar::Text(&long)),
                ("op", Scalar::Text("op-1")),
            ];
            assert_eq!(submit_name("users.bulk", &members), name);
            let read = json!({"action": "users.bulk"});
            assert_eq!(value_in_name(name).map(Value::Object), Some(read));
        }
        assert_eq!(value_in_name("a?b"), None);
        assert_eq!(value_in_name("a?b=1&b=2"), None);
        assert_eq!(value_in_name("a?action=b"), None);
    }
}
