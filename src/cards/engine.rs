//! The template engine: minijinja, set up so that a template can produce only JSON, and outside text stays text.
//!
//! Whatever a template prints is written as a JSON value. Trailing commas are allowed: every macro of `parts.json.j2` ends
//! with one, and [`Compact`] leaves out the surplus ones while the card is written. A card is written once: nothing
//! parses it again, and a test holds every template to valid JSON.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use minijinja::value::{Object, ObjectRepr, ValueKind};
use minijinja::{Environment, Error, ErrorKind, Output, State, UndefinedBehavior, Value};

use super::compact::{Compact, squeezed};
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
    ("rest.json.j2", include_str!("../../cards/rest.json.j2")),
    ("settings.json.j2", include_str!("../../cards/settings.json.j2")),
    ("sync.json.j2", include_str!("../../cards/sync.json.j2")),
    ("user.json.j2", include_str!("../../cards/user.json.j2")),
    ("users.json.j2", include_str!("../../cards/users.json.j2")),
];

/// Bytes set aside for a card; most cards fit.
const CARD_BYTES: usize = 16 * 1024;

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
    /// Its output is not text.
    #[error("the template's output is not UTF-8")]
    Text(#[from] std::string::FromUtf8Error),
}

impl Engine {
    /// Parses all templates.
    pub fn new(words: Wording, ops: OpIds) -> Self {
        let mut env = Environment::new();
        env.set_undefined_behavior(UndefinedBehavior::Strict);
        env.set_formatter(write_json);
        env.add_filter("md", |text: &str| text::md(text));
        env.add_filter("clip", |text: &str, max: usize| text::clip(text, max));
        env.add_filter("clip_lines", |text: &str, max: usize| text::clip_lines(text, max));
        env.add_filter("fit", |text: &str, ems: usize| text::fit(text, ems));
        env.add_filter("paragraphs", paragraphs);
        env.add_filter("submit_name", |value: Value| {
            let value = value.downcast_object_ref::<CallbackValue>().map(|value| &value.json);
            let value = value.and_then(|json| serde_json::from_str(json).ok());
            submit_name(&value.unwrap_or_default())
        });
        env.add_global("t", Value::from_object(Translate(words)));
        let counter = AtomicU64::new(0);
        env.add_function("op", move || match ops {
            OpIds::Random => uuid::Uuid::new_v4().simple().to_string(),
            OpIds::Counter => format!("op-{}", counter.fetch_add(1, Ordering::Relaxed) + 1),
        });
        for (name, source) in TEMPLATES {
            if let Err(error) = env.add_template_owned(*name, squeezed(source)) {
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
    /// The template failed.
    pub fn render(&self, template: &str, context: Value) -> Result<String, RenderError> {
        let mut out = Compact::with_capacity(CARD_BYTES);
        self.env.get_template(template)?.render_captured_to(context, &mut out)?;
        Ok(String::from_utf8(out.into_bytes())?)
    }
}

/// Writes a printed value as JSON. What a macro returns is JSON already.
fn write_json(out: &mut Output<'_>, _: &mut State<'_, '_>, value: &Value) -> Result<(), Error> {
    if let Some(text) = value.as_str() {
        return Ok(if value.is_safe() { out.write_str(text) } else { write_string(out, text) }?);
    }
    if let Some(value) = value.downcast_object_ref::<CallbackValue>() {
        return Ok(out.write_str(&value.json)?);
    }
    Ok(match value.kind() {
        ValueKind::None => out.write_str("null"),
        ValueKind::Bool => out.write_str(if value.is_true() { "true" } else { "false" }),
        // `Display` prints whole numbers as JSON does, and cards print no others.
        ValueKind::Number if value.is_integer() => write!(out, "{value}"),
        kind => {
            let problem = format!("a template prints a value of the kind {kind}");
            return Err(Error::new(ErrorKind::InvalidOperation, problem));
        }
    }?)
}

/// Writes text as a JSON string.
fn write_string(out: &mut impl fmt::Write, text: &str) -> fmt::Result {
    out.write_char('"')?;
    let mut rest = text;
    while let Some(at) = rest.bytes().position(|byte| matches!(byte, b'"' | b'\\' | 0..0x20)) {
        let (plain, special) = rest.split_at(at);
        out.write_str(plain)?;
        // It is one of the ASCII characters above.
        let (special, after) = special.split_at(1);
        match special {
            "\"" => out.write_str("\\\"")?,
            "\\" => out.write_str("\\\\")?,
            "\n" => out.write_str("\\n")?,
            other => {
                for byte in other.bytes() {
                    write!(out, "\\u{byte:04x}")?;
                }
            }
        }
        rest = after;
    }
    out.write_str(rest)?;
    out.write_char('"')
}

/// A callback value: what a component of a card sends back when it is used.
#[derive(Debug)]
struct CallbackValue {
    /// A JSON object.
    json: String,
}

impl Object for CallbackValue {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }
}

/// The template function `act(WORD, member=value, ...)`, which makes a callback value. It adds the place in the users
/// list, so that the way back survives every click.
#[derive(Debug)]
struct Act {
    /// That place, as JSON.
    back: Option<String>,
}

/// Returns `act` for a card with this way back.
pub fn act(back: Option<&ListPlace>) -> Value {
    let back = back.filter(|place| place.is_small());
    let back = back.and_then(|place| serde_json::to_string(place).ok());
    Value::from_object(Act { back })
}

impl Object for Act {
    fn call(self: &Arc<Self>, _: &mut State<'_, '_>, args: &[Value]) -> Result<Value, Error> {
        let (word, members) = word_and_members(args)?;
        let mut json = String::with_capacity(128);
        json.push_str("{\"action\":");
        write_string(&mut json, word)?;
        let mut own_back = false;
        let members = members.and_then(|members| members.as_object()?.try_iter_pairs());
        for (name, member) in members.into_iter().flatten().filter(|(_, member)| !member.is_none())
        {
            let name = name.as_str().unwrap_or_default();
            own_back |= name == "back";
            json.push(',');
            write_string(&mut json, name)?;
            json.push(':');
            match member.as_str() {
                Some(text) => write_string(&mut json, text)?,
                None => json.push_str(&serde_json::to_string(&member).map_err(|error| {
                    Error::new(ErrorKind::BadSerialization, "a callback value").with_source(error)
                })?),
            }
        }
        if let Some(back) = self.back.as_deref().filter(|_| !own_back) {
            json.push_str(",\"back\":");
            json.push_str(back);
        }
        json.push('}');
        Ok(Value::from_object(CallbackValue { json }))
    }
}

/// The template function `t(KEY, name=value, ...)`: a text of the catalogue.
#[derive(Debug)]
struct Translate(Wording);

impl Object for Translate {
    fn call(self: &Arc<Self>, _: &mut State<'_, '_>, args: &[Value]) -> Result<Value, Error> {
        let (key, names) = word_and_members(args)?;
        let text = self.0.text(key);
        if let Some(whole) = text.whole() {
            return Ok(Value::from(Arc::clone(whole)));
        }
        let names = names.and_then(Value::as_object);
        Ok(Value::from(text.filled(key, |name| names?.get_value(&Value::from(name)))))
    }
}

/// The first argument of a call, a text, and its named arguments.
fn word_and_members(args: &[Value]) -> Result<(&str, Option<&Value>), Error> {
    let word = args.first().and_then(Value::as_str);
    let word = word.ok_or_else(|| Error::new(ErrorKind::MissingArgument, "a text is expected"))?;
    match args.get(1..).unwrap_or_default() {
        [] => Ok((word, None)),
        [members] if members.is_kwargs() => Ok((word, Some(members))),
        _ => Err(Error::new(ErrorKind::TooManyArguments, "only named arguments may follow")),
    }
}

/// Escapes text as markdown and keeps its line breaks.
fn paragraphs(text: &str) -> String {
    let lines: Vec<String> = text.lines().map(text::md).collect();
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_string_is_written_as_json(text in any::<String>()) {
            let mut json = String::new();
            write_string(&mut json, &text).unwrap();
            prop_assert_eq!(serde_json::from_str::<String>(&json).unwrap(), text);
        }
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
