//! The template engine: minijinja, set up so that a template can produce only JSON, and outside text stays text.
//!
//! Templates escape everything they print as JSON values. Trailing commas are allowed: every macro of
//! `parts.json.j2` ends with one, and [`compact`] removes the surplus ones.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use minijinja::value::{Kwargs, Serde};
use minijinja::{Environment, Error, UndefinedBehavior, Value};

use super::submit::submit_name;
use super::text;
use super::{ListPlace, OpIds};
use crate::cards::wording::Wording;

/// Every template, by name.
pub(super) const TEMPLATES: &[(&str, &str)] = &[
    ("parts.json.j2", include_str!("../../cards/parts.json.j2")),
    ("accounts.json.j2", include_str!("../../cards/accounts.json.j2")),
    ("access.json.j2", include_str!("../../cards/access.json.j2")),
    ("alert.json.j2", include_str!("../../cards/alert.json.j2")),
    ("alerts.json.j2", include_str!("../../cards/alerts.json.j2")),
    ("billing.json.j2", include_str!("../../cards/billing.json.j2")),
    ("candidates.json.j2", include_str!("../../cards/candidates.json.j2")),
    ("configure.json.j2", include_str!("../../cards/configure.json.j2")),
    ("create.json.j2", include_str!("../../cards/create.json.j2")),
    ("creation.json.j2", include_str!("../../cards/creation.json.j2")),
    ("cycle.json.j2", include_str!("../../cards/cycle.json.j2")),
    ("help.json.j2", include_str!("../../cards/help.json.j2")),
    ("me.json.j2", include_str!("../../cards/me.json.j2")),
    ("message.json.j2", include_str!("../../cards/message.json.j2")),
    ("monitor.json.j2", include_str!("../../cards/monitor.json.j2")),
    ("processing.json.j2", include_str!("../../cards/processing.json.j2")),
    ("projects.json.j2", include_str!("../../cards/projects.json.j2")),
    ("quota.json.j2", include_str!("../../cards/quota.json.j2")),
    ("settings.json.j2", include_str!("../../cards/settings.json.j2")),
    ("sync.json.j2", include_str!("../../cards/sync.json.j2")),
    ("user.json.j2", include_str!("../../cards/user.json.j2")),
    ("users.json.j2", include_str!("../../cards/users.json.j2")),
];

/// Renders templates to compact JSON.
#[derive(Debug)]
pub struct Engine {
    env: Environment<'static>,
}

/// Why a card could not be rendered. Always a mistake in a template or its context, never in the data.
#[derive(Debug, thiserror::Error)]
pub enum RenderError {
    /// The template failed.
    #[error("the template failed")]
    Template(#[from] Error),
    /// Its output is not JSON.
    #[error("the template's output is not valid JSON")]
    Json(#[from] serde_json::Error),
}

impl Engine {
    /// Parses all templates.
    pub fn new(words: Wording, ops: OpIds) -> Self {
        let mut env = Environment::new();
        env.set_undefined_behavior(UndefinedBehavior::Strict);
        env.add_filter("md", |text: &str| text::md(text));
        env.add_filter("clip", |text: &str, max: usize| text::clip(text, max));
        env.add_filter("clip_lines", |text: &str, max: usize| text::clip_lines(text, max));
        env.add_filter("fit", |text: &str, ems: usize| text::fit(text, ems));
        env.add_filter("paragraphs", paragraphs);
        env.add_filter("submit_name", |value: Value| {
            serde_json::to_value(value).map(|value| submit_name(&value)).unwrap_or_default()
        });
        env.add_function("t", move |key: &str, args: Kwargs| translate(words, key, &args));
        let counter = AtomicU64::new(0);
        env.add_function("op", move || match ops {
            OpIds::Random => uuid::Uuid::new_v4().simple().to_string(),
            OpIds::Counter => format!("op-{}", counter.fetch_add(1, Ordering::Relaxed) + 1),
        });
        for (name, source) in TEMPLATES {
            if let Err(error) = env.add_template(name, source) {
                // A test renders every template, so a broken one cannot be released.
                tracing::error!(name, error = format!("{error:#}"), "a card template is broken");
            }
        }
        Self { env }
    }

    /// Sets a variable that every template can read.
    pub fn set(&mut self, name: &'static str, value: String) {
        self.env.add_global(name, value);
    }

    /// Renders a template to compact JSON.
    ///
    /// # Errors
    /// The template failed or its output is not JSON.
    pub fn render(&self, template: &str, context: Value) -> Result<String, RenderError> {
        let text = self.env.get_template(template)?.render(context)?;
        let value: serde_json::Value = serde_json::from_str(&compact(&text))?;
        Ok(value.to_string())
    }
}

/// The template function `act(WORD, member=value, ...)`, which makes a callback value. It adds the place in the users
/// list, so that the way back survives every click.
pub fn act(back: Option<&ListPlace>) -> Value {
    let back = back.filter(|place| place.is_small()).map(|place| Value::from(Serde(place.clone())));
    Value::from_function(move |name: &str, args: Kwargs| -> Result<Value, Error> {
        let mut members = BTreeMap::from([("action".to_owned(), Value::from(name))]);
        for key in args.args() {
            let member: Value = args.get(key)?;
            if !member.is_none() {
                members.insert(key.to_owned(), member);
            }
        }
        if let Some(back) = &back
            && !members.contains_key("back")
        {
            members.insert("back".to_owned(), back.clone());
        }
        Ok(Value::from_pairs(members))
    })
}

fn translate(words: Wording, key: &str, args: &Kwargs) -> Result<String, Error> {
    let mut values: Vec<(&str, Arc<str>)> = Vec::new();
    for name in args.args() {
        let value: Value = args.get(name)?;
        values.push((name, value.to_string().into()));
    }
    let args: Vec<(&str, &dyn std::fmt::Display)> =
        values.iter().map(|(name, value)| (*name, value as &dyn std::fmt::Display)).collect();
    Ok(words.t(key, &args))
}

/// Escapes text as markdown and keeps its line breaks.
fn paragraphs(text: &str) -> String {
    let lines: Vec<String> = text.lines().map(text::md).collect();
    lines.join("\n")
}

/// Removes commas before a closing bracket or after another comma, except within strings.
fn compact(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut comma = false;
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            c if c.is_ascii_whitespace() => {}
            ',' => comma = true,
            _ => {
                if comma && !matches!(c, ']' | '}') {
                    out.push(',');
                }
                comma = false;
                out.push(c);
                if c == '"' {
                    string(&mut chars, &mut out);
                }
            }
        }
    }
    out
}

/// Copies the rest of a string literal, including the closing quote.
fn string(chars: &mut std::str::Chars<'_>, out: &mut String) {
    while let Some(c) = chars.next() {
        out.push(c);
        match c {
            '"' => return,
            '\\' => out.extend(chars.next()),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn surplus_commas_are_removed_and_strings_kept() {
        assert_eq!(compact(r#"{ "a": [1, 2, , ], }"#), r#"{"a":[1,2]}"#);
        assert_eq!(compact(r#"["a, ]", "\", ]",]"#), r#"["a, ]","\", ]"]"#);
    }

    #[test]
    fn every_template_file_is_listed() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("cards");
        let mut files: Vec<String> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| name.ends_with(".j2"))
            .collect();
        files.sort();
        let mut listed: Vec<&str> = TEMPLATES.iter().map(|(name, _)| *name).collect();
        listed.sort_unstable();
        assert_eq!(files, listed);
    }
}
