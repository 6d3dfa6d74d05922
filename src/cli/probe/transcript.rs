//! What a probe prints. Only what is certainly no secret gets in: names of actions and fields, codes, request ids, numbers,
//! and words without digits.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::state::Saved;

/// What one step has seen.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Finding {
    /// Which probes, by their numbers in docs/platforms/ark.md §G.
    pub(super) probes: String,
    /// What was asked.
    pub(super) title: String,
    /// What was seen, in order.
    pub(super) seen: Vec<String>,
    /// What follows.
    pub(super) follows: Vec<String>,
    /// Lines for the section `[access]` of the configuration.
    pub(super) config: Vec<String>,
    /// What a person has to do, because no call can.
    pub(super) by_hand: Vec<String>,
}

impl Finding {
    pub(super) fn new(probes: &str, title: &str) -> Self {
        Self { probes: probes.to_owned(), title: title.to_owned(), ..Self::default() }
    }

    pub(super) fn saw(&mut self, line: impl Into<String>) {
        self.seen.push(line.into());
    }

    pub(super) fn follows(&mut self, line: impl Into<String>) {
        self.follows.push(line.into());
    }

    pub(super) fn by_hand(&mut self, line: impl Into<String>) {
        self.by_hand.push(line.into());
    }

    /// Says the finding in lines.
    pub(super) fn text(&self) -> String {
        let mut text = format!("[{}] {}", self.probes, self.title);
        for (head, lines) in [
            ("seen", &self.seen),
            ("follows", &self.follows),
            ("configuration, section [access]", &self.config),
            ("by hand", &self.by_hand),
        ] {
            if lines.is_empty() {
                continue;
            }
            text.push_str(&format!("\n  {head}:"));
            for line in lines {
                text.push_str(&format!("\n    {line}"));
            }
        }
        text
    }
}

/// The head of the transcript.
pub(super) fn head(saved: &Saved) -> String {
    let Saved { account, user, project, began, .. } = saved;
    format!(
        "airgate {} probe of account {account}, user {user}, project {project}, begun {began}",
        env!("CARGO_PKG_VERSION")
    )
}

/// What no client of the API can probe, with the step in the console.
pub(super) fn beyond() -> Finding {
    let mut finding = Finding::new("2 6 8 10 16 18 22", "What this command does not probe");
    for line in [
        "2, if no body of UpdateApiKey worked: 方舟控制台 → API Key 管理, open the browser's network tab, 禁用 and 启用 a throw-away \
         key; the request's action and body, with $id for the id, are access.model_key_disable and access.model_key_enable",
        "6, a key whose user is deleted: delete the throw-away user after this probe, then call a model with the project's key",
        "8, an endpoint in another project: 项目管理 → move the endpoint, call it with the old key, move it back",
        "9, an open console tab: log in as the throw-away user, attach a deny-all policy, reload; note the seconds",
        "10, CreateUser with a bare mobile number: it would need somebody's number",
        "16, an account without 分账账单: run this probe there, or read Warning under 14",
        "18, prices: ListModelActivations changes nothing and decides nothing about a cut",
        "22, the sums of 12 against the split bill: read ListSplitBillDetail of the day of this probe tomorrow after 12:00",
    ] {
        finding.by_hand(line);
    }
    finding
}

/// Returns a value as it may be shown: a truth, a number of at most 6 digits, a word of letters only. Anything else is `…`.
pub(super) fn shown(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(truth) => truth.to_string(),
        Value::Number(number) if number.to_string().len() <= 7 => number.to_string(),
        Value::String(text) if is_word(text) => format!("\"{text}\""),
        Value::Array(items) => format!("[{}]", items.len()),
        _ => "…".to_owned(),
    }
}

fn is_word(text: &str) -> bool {
    text.chars().count() <= 24
        && text.chars().all(|c| c.is_alphabetic() || ['_', '-', ' '].contains(&c))
}

/// Returns a code, an id or the name of a field as it may be shown.
pub(super) fn plain(text: &str) -> String {
    let kept = text.chars().filter(|c| c.is_ascii_alphanumeric() || "._-:".contains(*c));
    kept.take(64).collect()
}

/// Returns the fields of an object with what may be shown of their values; what is named like a secret has no value.
pub(super) fn fields(value: &Value) -> String {
    match value {
        Value::Object(_) => inner(value, false),
        value => shown(value),
    }
}

fn inner(value: &Value, hidden: bool) -> String {
    let Value::Object(fields) = value else {
        return if hidden { "…".to_owned() } else { shown(value) };
    };
    let field = |(name, value): (&String, &Value)| {
        let lower = name.to_lowercase();
        let secret = ["key", "secret", "token", "password"].iter().any(|word| lower.contains(word));
        format!("{} {}", plain(name), inner(value, hidden || secret))
    };
    format!("{{{}}}", fields.iter().map(field).collect::<Vec<_>>().join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn nothing_that_may_be_a_secret_is_shown() {
        for (value, text) in [
            (json!("Inactive"), "\"Inactive\""),
            (json!("已停止"), "\"已停止\""),
            (json!("392f1c1a"), "…"),
            (json!("apikey-20260901101112-a1b2c"), "…"),
            (json!("abcdefghijklmnopqrstuvwxyzabcdef"), "…"),
            (json!(600), "600"),
            (json!(2_100_000_001_i64), "…"),
            (json!(false), "false"),
            (json!([1, 2]), "[2]"),
        ] {
            assert_eq!(shown(&value), text, "{value}");
        }
        let item = json!({"Status": "Active", "Key": "abc", "SecretKey": "abc", "More": {"ApiKey": {"Id": "abc"}, "Rpm": 0}});
        assert_eq!(
            fields(&item),
            "{Key …, More {ApiKey {Id …}, Rpm 0}, SecretKey …, Status \"Active\"}"
        );
        assert_eq!(plain("A.b\n\u{1b}[31m<x>"), "A.b31mx");
    }
}
