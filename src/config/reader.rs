//! Turns values as they were written into typed ones, and records every refusal under the key's name.
//!
//! An accessor returns `None` if it recorded a problem (or if an optional key was not set). The caller moves on to the
//! next key, so that all problems are found in one pass.

use std::fmt::Display;
use std::path::{self, PathBuf};

use secrecy::SecretString;
use serde::de::DeserializeOwned;
use serde::de::value::{Error as WordError, StrDeserializer};

use super::keys::{
    Choice, Key, Kind, Number, Path, Percents, Secret, Switch, Text, Texts, Typed, Unset,
};
use super::problem::{ConfigProblem, quoted};
use super::sources::{Raw, Sources, Variant, env_name, file_path, read_secret, unmarked, within};

/// The maximum length of a list.
const MAX_LIST: usize = 1000;

/// Reads typed values and collects what is wrong with them.
pub(super) struct Reader<'a> {
    pub(super) sources: &'a Sources,
    /// The folder that relative paths start from.
    pub(super) folder: &'a path::Path,
    pub(super) problems: Vec<ConfigProblem>,
}

/// The form of a key's value: how it is read from each source, and as which type.
pub(super) trait Form: Copy {
    type Value;

    /// Parses a value from the configuration file.
    fn parse_toml(self, value: &toml::Value) -> Result<Self::Value, String>;

    /// Parses a value from an environment variable, which holds the bare text, or from a secret's file.
    fn parse_text(self, text: &str) -> Result<Self::Value, String>;
}

/// A value, and the name it was given under.
struct Given<T> {
    subject: String,
    value: T,
}

impl Reader<'_> {
    /// Notes a problem.
    pub(super) fn refuse(&mut self, subject: impl Into<String>, fault: impl Into<String>) {
        self.problems.push(ConfigProblem::new(subject, fault));
    }

    /// Reads a text, converted by `parse`.
    pub(super) fn text<F: Form<Value = String>, T, E: Display>(
        &mut self,
        key: &Typed<F>,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<T> {
        let given = self.given(key)?;
        let (key, text) = (&key.key, given.value);
        if text.is_empty() {
            // For an optional key, empty means "not set": deployments pass empty variables for what they do not use.
            if !matches!(key.unset, Unset::Off(_)) {
                let hint = how_to_set(key);
                self.refuse(given.subject, format!("is empty: {hint}"));
            }
            return None;
        }
        match parse(&text) {
            Ok(value) => Some(value),
            Err(error) => {
                let shown =
                    if key.is_secret() { String::new() } else { format!(" ({})", quoted(&text)) };
                self.refuse(given.subject, format!("{error}{shown}"));
                None
            }
        }
    }

    /// Reads a secret, as it is.
    pub(super) fn secret(&mut self, key: &Typed<Secret>) -> Option<SecretString> {
        self.text(key, |text| {
            if text.trim() == text {
                Ok(SecretString::from(text))
            } else {
                Err("begins or ends with white space: remove it")
            }
        })
    }

    /// Reads one of the words of a choice.
    pub(super) fn choice<T: DeserializeOwned>(&mut self, key: &Typed<Choice>) -> Option<T> {
        let Choice(words) = key.form;
        self.text(key, |word| {
            T::deserialize(StrDeserializer::<WordError>::new(word))
                .map_err(|_| format!("must be {}", alternatives(words)))
        })
    }

    /// Reads a path, relative to the configuration file's folder.
    pub(super) fn path(&mut self, key: &Typed<Path>) -> Option<PathBuf> {
        let folder = self.folder;
        self.text(key, |text| Ok::<_, String>(within(folder, text)))
    }

    /// Reads `true` or `false`.
    pub(super) fn switch(&mut self, key: &Typed<Switch>) -> Option<bool> {
        self.given(key).map(|given| given.value)
    }

    /// Reads a whole number within the declared bounds.
    pub(super) fn number(&mut self, key: &Typed<Number>) -> Option<u32> {
        self.given(key).map(|given| given.value)
    }

    /// Reads a list, converted as a whole by `parse`.
    pub(super) fn list<F: Form<Value = Vec<String>>, T, E: Display>(
        &mut self,
        key: &Typed<F>,
        parse: impl FnOnce(&[String]) -> Result<T, E>,
    ) -> Option<T> {
        let given = self.given(key)?;
        let texts = given.value;
        if texts.len() > MAX_LIST {
            self.refuse(
                given.subject,
                format!("has {} entries; the maximum is {MAX_LIST}", texts.len()),
            );
            return None;
        }
        parse(&texts).map_err(|error| self.refuse(given.subject, error.to_string())).ok()
    }

    /// Reads a list without duplicates, each entry converted by `parse`.
    pub(super) fn each<F: Form<Value = Vec<String>>, T: PartialEq, E: Display>(
        &mut self,
        key: &Typed<F>,
        parse: impl Fn(&str) -> Result<T, E>,
    ) -> Option<Vec<T>> {
        self.list(key, |texts| {
            let mut values = Vec::with_capacity(texts.len());
            for text in texts {
                let value =
                    parse(text).map_err(|error| format!("contains {}: {error}", quoted(text)))?;
                if !values.contains(&value) {
                    values.push(value);
                }
            }
            Ok::<_, String>(values)
        })
    }

    /// Returns whether a key is given at all, even as an empty text.
    pub(super) fn is_given<F: Form>(&self, typed: &Typed<F>) -> bool {
        self.raw_values(&typed.key).next().is_some()
    }

    /// Returns whether a key is given and not empty: deployments pass what they do not use as an empty text.
    pub(super) fn is_filled<F: Form>(&self, typed: &Typed<F>) -> bool {
        self.raw_values(&typed.key).any(|value| match value {
            Raw::Env(text) => !text.is_empty(),
            Raw::Toml(value) => value.as_str() != Some(""),
        })
    }

    fn raw_values(&self, key: &Key) -> impl Iterator<Item = &Raw> {
        let (section, name) = (key.section, key.name);
        [&self.sources.env, &self.sources.file].into_iter().flat_map(move |layer| {
            [Variant::Plain, Variant::File]
                .into_iter()
                .filter_map(move |variant| layer.get(&(section, name, variant)))
        })
    }

    /// Returns the value that applies: the environment's, else the file's, else the default.
    fn given<F: Form>(&mut self, typed: &Typed<F>) -> Option<Given<F::Value>> {
        let (sources, key) = (self.sources, &typed.key);
        let layers = [(&sources.env, true), (&sources.file, false)];
        for (layer, is_env) in layers {
            let named = |variant| {
                let value = layer.get(&(key.section, key.name, variant))?;
                let path = file_path(key, variant);
                let subject =
                    if is_env { format!("{path} ({})", env_name(key, variant)) } else { path };
                Some((subject, value))
            };
            match (named(Variant::Plain), named(Variant::File)) {
                (Some((subject, _)), Some((other, _))) => {
                    self.refuse(subject, format!("and {other} are both given: keep one of them"));
                    return None;
                }
                (Some((subject, value)), None) => {
                    let value = match value {
                        Raw::Toml(value) => typed.form.parse_toml(value),
                        Raw::Env(text) => parse_env(typed.form, text),
                    };
                    return self.accepted(subject, value);
                }
                (None, Some((subject, path))) => {
                    let text = self.secret_file(&subject, path)?;
                    return self.accepted(subject, typed.form.parse_text(&text));
                }
                (None, None) => {}
            }
        }
        match key.unset {
            Unset::Off(_) => None,
            Unset::Refused | Unset::RefusedIn(_) => {
                let hint = how_to_set(key);
                self.refuse(key.path(), format!("is missing: {hint}"));
                None
            }
            Unset::Default(text) => {
                let value = text
                    .parse::<toml::Value>()
                    .map_err(|error| format!("has a default that is not TOML: {error}"))
                    .and_then(|value| typed.form.parse_toml(&value));
                self.accepted(key.path(), value)
            }
        }
    }

    fn accepted<T>(&mut self, subject: String, value: Result<T, String>) -> Option<Given<T>> {
        match value {
            Ok(value) => Some(Given { subject, value }),
            Err(fault) => {
                self.refuse(subject, fault);
                None
            }
        }
    }

    /// Reads the file that `NAME_file` names.
    fn secret_file(&mut self, subject: &str, path: &Raw) -> Option<String> {
        let path = match path {
            Raw::Env(path) => path.as_str(),
            Raw::Toml(toml::Value::String(path)) => path,
            Raw::Toml(other) => {
                let fault = format!("must be a path in quotes, not {}", type_name(other));
                self.refuse(subject, fault);
                return None;
            }
        };
        if path.is_empty() {
            self.refuse(subject, "is empty: name the file that holds the secret");
            return None;
        }
        match read_secret(&within(self.folder, path)) {
            Ok(text) if text.is_empty() => {
                self.refuse(
                    subject,
                    format!("names an empty file: put the secret into {}", quoted(path)),
                );
                None
            }
            Ok(text) => Some(text),
            Err(fault) => {
                self.refuse(subject, format!("names {}, which {fault}", quoted(path)));
                None
            }
        }
    }
}

/// Forms that are a text in both sources.
macro_rules! text_forms {
    ($($form:ident)+) => {
        $(impl Form for $form {
            type Value = String;

            fn parse_toml(self, value: &toml::Value) -> Result<String, String> {
                value.as_str().map(str::to_owned).ok_or_else(|| mistyped(self.kind(), value))
            }

            fn parse_text(self, text: &str) -> Result<String, String> {
                Ok(text.to_owned())
            }
        })+
    };
}

text_forms! { Text Secret Choice Path }

impl Form for Switch {
    type Value = bool;

    fn parse_toml(self, value: &toml::Value) -> Result<bool, String> {
        value.as_bool().ok_or_else(|| mistyped(self.kind(), value))
    }

    fn parse_text(self, text: &str) -> Result<bool, String> {
        text.trim().parse().map_err(|_| misread(self.kind(), text))
    }
}

impl Form for Number {
    type Value = u32;

    fn parse_toml(self, value: &toml::Value) -> Result<u32, String> {
        let number = value.as_integer().ok_or_else(|| mistyped(self.kind(), value))?;
        u32::try_from(number)
            .ok()
            .filter(|number| self.allows(*number))
            .ok_or_else(|| format!("{}, not {number}", expected(self.kind())))
    }

    fn parse_text(self, text: &str) -> Result<u32, String> {
        text.trim()
            .parse()
            .ok()
            .filter(|number| self.allows(*number))
            .ok_or_else(|| misread(self.kind(), text))
    }
}

impl Number {
    fn allows(self, number: u32) -> bool {
        (self.0..=self.1).contains(&number)
    }
}

impl Form for Texts {
    type Value = Vec<String>;

    fn parse_toml(self, value: &toml::Value) -> Result<Vec<String>, String> {
        list_from_toml(self.kind(), value, |entry| entry.as_str().map(str::to_owned))
    }

    fn parse_text(self, text: &str) -> Result<Vec<String>, String> {
        list_from_text(self, self.kind(), text)
    }
}

impl Form for Percents {
    type Value = Vec<String>;

    fn parse_toml(self, value: &toml::Value) -> Result<Vec<String>, String> {
        list_from_toml(self.kind(), value, |entry| Some(entry.as_integer()?.to_string()))
    }

    fn parse_text(self, text: &str) -> Result<Vec<String>, String> {
        list_from_text(self, self.kind(), text)
    }
}

fn parse_env<F: Form>(form: F, text: &str) -> Result<F::Value, String> {
    // Marks where the variable was not UTF-8; no value can contain it.
    if text.contains(char::REPLACEMENT_CHARACTER) {
        return Err("is not UTF-8 text".to_owned());
    }
    form.parse_text(unmarked(text))
}

fn list_from_toml(
    kind: Kind,
    value: &toml::Value,
    entry: impl Fn(&toml::Value) -> Option<String>,
) -> Result<Vec<String>, String> {
    value
        .as_array()
        .ok_or_else(|| mistyped(kind, value))?
        .iter()
        .map(|value| {
            entry(value)
                .ok_or_else(|| format!("{}, but contains {}", expected(kind), type_name(value)))
        })
        .collect()
}

/// Entries separated by commas, or a list as in TOML.
fn list_from_text(
    form: impl Form<Value = Vec<String>>,
    kind: Kind,
    text: &str,
) -> Result<Vec<String>, String> {
    if text.trim_start().starts_with('[') {
        let value: toml::Value = text.trim().parse().map_err(|_| misread(kind, text))?;
        return form.parse_toml(&value);
    }
    let entries = text.split(',').map(str::trim).filter(|entry| !entry.is_empty());
    Ok(entries.map(str::to_owned).collect())
}

/// Says how to set a key that is missing.
fn how_to_set(key: &Key) -> String {
    let or_file = if key.is_secret() {
        format!(", or name a file that holds it with {}_file", key.name)
    } else {
        String::new()
    };
    format!("set it in the configuration file or with {}{or_file}", key.env())
}

/// Joins words as alternatives: `"a" or "b"`.
fn alternatives(words: &[&str]) -> String {
    let words: Vec<String> = words.iter().map(|word| format!("\"{word}\"")).collect();
    match words.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} or {last}", rest.join(", ")),
        _ => words.join(""),
    }
}

fn mistyped(kind: Kind, value: &toml::Value) -> String {
    format!("{}, not {}", expected(kind), type_name(value))
}

fn misread(kind: Kind, text: &str) -> String {
    format!("{}, not {}", expected(kind), quoted(text))
}

/// Says what a value must be.
fn expected(kind: Kind) -> String {
    match kind {
        Kind::Text | Kind::Secret | Kind::Path => "must be a string in quotes".to_owned(),
        Kind::Choice(words) => format!("must be {}", alternatives(words)),
        Kind::Switch => "must be true or false".to_owned(),
        Kind::Number { min, max } => format!("must be a whole number from {min} to {max}"),
        Kind::Texts => r#"must be a list of strings like ["a", "b"]"#.to_owned(),
        Kind::Percents => "must be a list of whole percents like [50, 80, 90]".to_owned(),
    }
}

/// Returns the TOML type in words. Never shows the value, which may be a secret under a wrong name.
fn type_name(value: &toml::Value) -> &'static str {
    match value {
        toml::Value::String(_) => "a string",
        toml::Value::Integer(_) => "a number",
        toml::Value::Float(_) => "a fraction",
        toml::Value::Boolean(_) => "true or false",
        toml::Value::Datetime(_) => "a date",
        toml::Value::Array(_) => "a list",
        toml::Value::Table(_) => "a table",
    }
}
