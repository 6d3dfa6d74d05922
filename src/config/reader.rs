//! From values as written to typed ones: one accessor per kind, every refusal noted under the key's name.
//!
//! An accessor returns `None` where a problem was noted (or, for an optional key, nothing was given): the caller goes on
//! with the next key, so that all problems are found in one go.

use std::fmt::Display;
use std::path::{Path, PathBuf};

use secrecy::SecretString;
use serde::de::DeserializeOwned;
use serde::de::value::{Error as WordError, StrDeserializer};

use super::keys::{Key, Kind, Unset};
use super::problem::{Problem, quoted};
use super::sources::{Raw, Sources, Variant, env_name, file_path, read_secret, within};

/// No list of a configuration is longer than this.
const MAX_LIST: usize = 1000;

/// Reads typed values and collects what is wrong with them.
pub(super) struct Reader<'a> {
    pub(super) sources: &'a Sources,
    /// Where relative paths start.
    pub(super) folder: &'a Path,
    pub(super) problems: Vec<Problem>,
}

/// A value that has the form of its kind, and the name it was given under.
struct Given {
    subject: String,
    value: Shaped,
}

/// The forms a value can have.
enum Shaped {
    Text(String),
    Switch(bool),
    Number(u32),
    List(Vec<String>),
}

impl Reader<'_> {
    /// Notes a problem.
    pub(super) fn refuse(&mut self, subject: impl Into<String>, fault: impl Into<String>) {
        self.problems.push(Problem::new(subject, fault));
    }

    /// A text that `parse` takes.
    pub(super) fn text<T, E: Display>(
        &mut self,
        key: &Key,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<T> {
        let given = self.given(key)?;
        let Shaped::Text(text) = given.value else { return None };
        if text.is_empty() {
            // Where a key may be missing, empty means the same: deployments pass empty variables for what they lack.
            if !matches!(key.unset, Unset::Off(_)) {
                let mend = mend(key);
                self.refuse(given.subject, format!("is empty: {mend}"));
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

    /// A text of kind `Secret`.
    pub(super) fn secret(&mut self, key: &Key) -> Option<SecretString> {
        self.text(key, |text| {
            if text.trim() == text {
                Ok(SecretString::from(text))
            } else {
                Err("begins or ends with white space: remove it")
            }
        })
    }

    /// One of the words of a `Choice`.
    pub(super) fn choice<T: DeserializeOwned>(&mut self, key: &Key) -> Option<T> {
        let Kind::Choice(words) = key.kind else { return None };
        self.text(key, |word| {
            T::deserialize(StrDeserializer::<WordError>::new(word))
                .map_err(|_| format!("must be {}", alternatives(words)))
        })
    }

    /// A path, seen from the configuration file's folder.
    pub(super) fn path(&mut self, key: &Key) -> Option<PathBuf> {
        let folder = self.folder;
        self.text(key, |text| Ok::<_, String>(within(folder, text)))
    }

    /// `true` or `false`.
    pub(super) fn switch(&mut self, key: &Key) -> Option<bool> {
        match self.given(key)?.value {
            Shaped::Switch(on) => Some(on),
            _ => None,
        }
    }

    /// A whole number within the kind's bounds.
    pub(super) fn number(&mut self, key: &Key) -> Option<u32> {
        match self.given(key)?.value {
            Shaped::Number(number) => Some(number),
            _ => None,
        }
    }

    /// A list whose texts, together, `parse` takes.
    pub(super) fn list<T, E: Display>(
        &mut self,
        key: &Key,
        parse: impl FnOnce(&[String]) -> Result<T, E>,
    ) -> Option<T> {
        let given = self.given(key)?;
        let Shaped::List(texts) = given.value else { return None };
        if texts.len() > MAX_LIST {
            self.refuse(
                given.subject,
                format!("holds {} entries, more than {MAX_LIST}", texts.len()),
            );
            return None;
        }
        parse(&texts).map_err(|error| self.refuse(given.subject, error.to_string())).ok()
    }

    /// A list of distinct texts, each of which `parse` takes.
    pub(super) fn each<T: PartialEq, E: Display>(
        &mut self,
        key: &Key,
        parse: impl Fn(&str) -> Result<T, E>,
    ) -> Option<Vec<T>> {
        self.list(key, |texts| {
            let mut values = Vec::with_capacity(texts.len());
            for text in texts {
                let value =
                    parse(text).map_err(|error| format!("holds {}: {error}", quoted(text)))?;
                if !values.contains(&value) {
                    values.push(value);
                }
            }
            Ok::<_, String>(values)
        })
    }

    /// The value in force: environment over file over default.
    fn given(&mut self, key: &Key) -> Option<Given> {
        let sources = self.sources;
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
                (Some((subject, value)), None) => return self.shaped(key, subject, value),
                (None, Some((subject, path))) => return self.secret_file(subject, path),
                (None, None) => {}
            }
        }
        match key.unset {
            Unset::Off(_) => None,
            Unset::Refused => {
                let mend = mend(key);
                self.refuse(key.path(), format!("is missing: {mend}"));
                None
            }
            Unset::Default(text) => match text.parse() {
                Ok(value) => self.shaped(key, key.path(), &Raw::Toml(value)),
                Err(error) => {
                    self.refuse(key.path(), format!("has a default that is not TOML: {error}"));
                    None
                }
            },
        }
    }

    fn shaped(&mut self, key: &Key, subject: String, raw: &Raw) -> Option<Given> {
        let value = match raw {
            Raw::Toml(value) => shape(key.kind, value),
            Raw::Env(text) => shape_env(key.kind, text),
        };
        match value {
            Ok(value) => Some(Given { subject, value }),
            Err(fault) => {
                self.refuse(subject, fault);
                None
            }
        }
    }

    /// The content of the file that `NAME_file` names.
    fn secret_file(&mut self, subject: String, path: &Raw) -> Option<Given> {
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
            Ok(text) => Some(Given { subject, value: Shaped::Text(text) }),
            Err(fault) => {
                self.refuse(subject, format!("names {}, which {fault}", quoted(path)));
                None
            }
        }
    }
}

/// How to give a missing key.
fn mend(key: &Key) -> String {
    let or_file = if key.is_secret() {
        format!(", or name a file that holds it with {}_file", key.name)
    } else {
        String::new()
    };
    format!("set it in the configuration file or with {}{or_file}", key.env())
}

/// `"a" or "b"`
fn alternatives(words: &[&str]) -> String {
    let words: Vec<String> = words.iter().map(|word| format!("\"{word}\"")).collect();
    match words.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} or {last}", rest.join(", ")),
        _ => words.join(""),
    }
}

/// What is expected, for a value of the wrong type.
fn expected(kind: Kind) -> String {
    match kind {
        Kind::Text | Kind::Secret | Kind::Path => "must be a text in quotes".to_owned(),
        Kind::Choice(words) => format!("must be {}", alternatives(words)),
        Kind::Switch => "must be true or false".to_owned(),
        Kind::Number { min, max } => format!("must be a whole number from {min} to {max}"),
        Kind::Texts => r#"must be a list of texts like ["a", "b"]"#.to_owned(),
        Kind::Percents => "must be a list of whole percents like [50, 80, 90]".to_owned(),
    }
}

/// The TOML type in words. Never the value: it may be a secret under a wrong name.
fn type_name(value: &toml::Value) -> &'static str {
    match value {
        toml::Value::String(_) => "a text",
        toml::Value::Integer(_) => "a number",
        toml::Value::Float(_) => "a fraction",
        toml::Value::Boolean(_) => "true or false",
        toml::Value::Datetime(_) => "a date",
        toml::Value::Array(_) => "a list",
        toml::Value::Table(_) => "a table",
    }
}

fn shape(kind: Kind, value: &toml::Value) -> Result<Shaped, String> {
    let wrong = || format!("{}, not {}", expected(kind), type_name(value));
    match (kind, value) {
        (Kind::Text | Kind::Secret | Kind::Path | Kind::Choice(_), toml::Value::String(text)) => {
            Ok(Shaped::Text(text.clone()))
        }
        (Kind::Switch, toml::Value::Boolean(on)) => Ok(Shaped::Switch(*on)),
        (Kind::Number { min, max }, toml::Value::Integer(number)) => u32::try_from(*number)
            .ok()
            .filter(|number| (min..=max).contains(number))
            .map(Shaped::Number)
            .ok_or_else(|| format!("{}, not {number}", expected(kind))),
        (Kind::Texts | Kind::Percents, toml::Value::Array(values)) => values
            .iter()
            .map(|value| match (kind, value) {
                (Kind::Texts, toml::Value::String(text)) => Ok(text.clone()),
                (Kind::Percents, toml::Value::Integer(percent)) => Ok(percent.to_string()),
                (_, other) => Err(format!("{}, but holds {}", expected(kind), type_name(other))),
            })
            .collect::<Result<_, _>>()
            .map(Shaped::List),
        _ => Err(wrong()),
    }
}

/// A variable holds the bare text; lists are separated by commas or written as in TOML.
fn shape_env(kind: Kind, text: &str) -> Result<Shaped, String> {
    // Not a possible part of any value: it stands where the variable was not UTF-8.
    if text.contains(char::REPLACEMENT_CHARACTER) {
        return Err("is not UTF-8 text".to_owned());
    }
    let wrong = || format!("{}, not {}", expected(kind), quoted(text));
    match kind {
        Kind::Text | Kind::Secret | Kind::Path | Kind::Choice(_) => {
            Ok(Shaped::Text(text.to_owned()))
        }
        Kind::Switch => text.trim().parse().map(Shaped::Switch).map_err(|_| wrong()),
        Kind::Number { min, max } => text
            .trim()
            .parse::<u32>()
            .ok()
            .filter(|number| (min..=max).contains(number))
            .map(Shaped::Number)
            .ok_or_else(wrong),
        Kind::Texts | Kind::Percents if text.trim_start().starts_with('[') => {
            let value: toml::Value = text.trim().parse().map_err(|_| wrong())?;
            shape(kind, &value)
        }
        Kind::Texts | Kind::Percents => Ok(Shaped::List(
            text.split(',')
                .map(str::trim)
                .filter(|part| !part.is_empty())
                .map(str::to_owned)
                .collect(),
        )),
    }
}
