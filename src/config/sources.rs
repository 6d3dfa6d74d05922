//! The two sources, file and environment, looked up by declared key. Values stay as written; unknown names are problems.

use std::collections::HashMap;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use super::keys::{ENV_PREFIX, Key, RETIRED, SECTIONS};
use super::problem::{ConfigProblem, quoted};

/// The maximum size of a configuration or secret file, in bytes.
const MAX_FILE: u64 = 1 << 20;

/// A value as written.
#[derive(Clone)]
pub(super) enum Raw {
    /// In the file.
    Toml(toml::Value),
    /// In the environment.
    Env(String),
}

/// Whether a value was given under the key's own name or its `_file` variant.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Variant {
    Plain,
    File,
}

/// The values of one source, by section, name and variant.
type Layer = HashMap<(&'static str, &'static str, Variant), Raw>;

/// The values of both sources.
#[derive(Default)]
pub(super) struct Sources {
    pub(super) file: Layer,
    pub(super) env: Layer,
}

impl Sources {
    /// Adds the content of a configuration file.
    pub(super) fn add_file(&mut self, table: toml::Table, problems: &mut Vec<ConfigProblem>) {
        for (name, value) in table {
            let is_section = SECTIONS.iter().any(|s| !s.name.is_empty() && s.name == name);
            match value {
                toml::Value::Table(keys) if is_section => {
                    for (key, value) in keys {
                        self.add_file_value(&name, &key, value, problems);
                    }
                }
                _ if is_section => problems.push(ConfigProblem::new(
                    &name,
                    format!("must be a table: write [{name}] and its keys below it"),
                )),
                toml::Value::Table(_) => {
                    let sections = SECTIONS.iter().map(|s| (likeness(&name, s.name), s));
                    let near = best(sections).map(|section| section.name.to_owned());
                    problems.push(unknown(&name, "section", near));
                }
                value => self.add_file_value("", &name, value, problems),
            }
        }
    }

    fn add_file_value(
        &mut self,
        section: &str,
        name: &str,
        value: toml::Value,
        problems: &mut Vec<ConfigProblem>,
    ) {
        let known = all_names()
            .find(|(key, variant)| key.section == section && file_name(key, *variant) == name);
        match known {
            Some((key, variant)) => {
                self.file.insert((key.section, key.name, variant), Raw::Toml(value));
            }
            None => {
                let path =
                    if section.is_empty() { name.to_owned() } else { format!("{section}.{name}") };
                problems.push(retired(&path, section, name).unwrap_or_else(|| {
                    let near = nearest(section, name).map(|(key, variant)| file_path(key, variant));
                    unknown(&path, "key", near)
                }));
            }
        }
    }

    /// Adds environment variables. Those without the prefix are ignored.
    pub(super) fn add_env(
        &mut self,
        variables: impl IntoIterator<Item = (String, String)>,
        problems: &mut Vec<ConfigProblem>,
    ) {
        let mut ours: Vec<_> =
            variables.into_iter().filter(|(name, _)| name.starts_with(ENV_PREFIX)).collect();
        ours.sort();
        for (name, value) in ours {
            match all_names().find(|(key, variant)| env_name(key, *variant) == name) {
                Some((key, variant)) => {
                    self.env.insert((key.section, key.name, variant), Raw::Env(value));
                }
                None => {
                    let path = name.trim_start_matches(ENV_PREFIX).to_ascii_lowercase();
                    let (section, key) = path.split_once("__").unwrap_or(("", &path));
                    problems.push(retired(&name, section, key).unwrap_or_else(|| {
                        let near = nearest(section, key).map(|(key, v)| env_name(key, v));
                        unknown(&name, "key", near)
                    }));
                }
            }
        }
    }
}

/// Returns every name that a value can be given under.
fn all_names() -> impl Iterator<Item = (&'static Key, Variant)> {
    SECTIONS.iter().flat_map(|section| section.keys).flat_map(|key| {
        let file = key.is_secret().then_some((key, Variant::File));
        std::iter::once((key, Variant::Plain)).chain(file)
    })
}

fn file_name(key: &Key, variant: Variant) -> String {
    match variant {
        Variant::Plain => key.name.to_owned(),
        Variant::File => format!("{}_file", key.name),
    }
}

/// Returns the path in the file: `feishu.app_secret` or `feishu.app_secret_file`.
pub(super) fn file_path(key: &Key, variant: Variant) -> String {
    match variant {
        Variant::Plain => key.path(),
        Variant::File => format!("{}_file", key.path()),
    }
}

/// Returns the variable: `AIRGATE__FEISHU__APP_SECRET` or `AIRGATE__FEISHU__APP_SECRET_FILE`.
pub(super) fn env_name(key: &Key, variant: Variant) -> String {
    match variant {
        Variant::Plain => key.env(),
        Variant::File => format!("{}_FILE", key.env()),
    }
}

fn unknown(name: &str, what: &str, near: Option<String>) -> ConfigProblem {
    let hint = match near {
        Some(near) => format!("did you mean {near}?"),
        None => "remove it; config.example.toml lists all keys".to_owned(),
    };
    // A plain name is shown unquoted, like every other subject.
    let plain = name.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c));
    let subject = if plain && name.len() <= 80 { name.to_owned() } else { quoted(name) };
    ConfigProblem::new(subject, format!("is not a known {what}: {hint}"))
}

/// Returns the refusal of a key that existed once, whatever its value.
fn retired(subject: &str, section: &str, name: &str) -> Option<ConfigProblem> {
    let known = RETIRED.iter().find(|key| key.section == section && key.name == name)?;
    Some(ConfigProblem::new(subject, format!("no longer exists: {}", known.hint)))
}

/// Returns the key that an unknown name probably meant.
fn nearest(section: &str, name: &str) -> Option<(&'static Key, Variant)> {
    // The right name in the wrong section, or `_file` on a key that is not a secret, beats any misspelling.
    let bare = name.strip_suffix("_file").unwrap_or(name);
    let moved =
        all_names().find(|(key, variant)| file_name(key, *variant) == name || key.name == bare);
    moved.or_else(|| {
        best(all_names().map(|(key, variant)| {
            let alike = if key.section == section {
                likeness(name, &file_name(key, variant))
            } else {
                likeness(&format!("{section}.{name}"), &file_path(key, variant))
            };
            (alike, (key, variant))
        }))
    })
}

/// Returns the likeness, from 0 to 1. The cost is the product of the lengths, so long names are skipped.
fn likeness(name: &str, known: &str) -> f64 {
    if name.len() > 100 { 0.0 } else { strsim::normalized_damerau_levenshtein(name, known) }
}

/// Returns the most similar candidate, if any is similar at all.
fn best<T>(candidates: impl Iterator<Item = (f64, T)>) -> Option<T> {
    candidates
        .filter(|(likeness, _)| *likeness >= 0.5)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, candidate)| candidate)
}

/// Reads the configuration file.
pub(super) fn read_file(path: &Path) -> Result<toml::Table, ConfigProblem> {
    let subject = || path.display().to_string();
    let text = read_text(path).map_err(|fault| {
        ConfigProblem::new(subject(), format!("{fault} (--config or AIRGATE_CONFIG names it)"))
    })?;
    parse(&text, &subject())
}

/// Parses the text of a configuration file; problems have the subject `name`.
pub(super) fn parse(text: &str, name: &str) -> Result<toml::Table, ConfigProblem> {
    toml::from_str(text).map_err(|error| {
        let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
        let line = before.matches('\n').count() + 1;
        ConfigProblem::new(
            format!("{name}:{line}"),
            format!("is not valid TOML: {}", error.message()),
        )
    })
}

/// Reads a secret's file, without the trailing newline that editors add.
pub(super) fn read_secret(path: &Path) -> Result<String, String> {
    let mut text = read_text(path)?;
    if text.ends_with('\n') {
        text.pop();
        if text.ends_with('\r') {
            text.pop();
        }
    }
    Ok(text)
}

fn read_text(path: &Path) -> Result<String, String> {
    let mut bytes = Vec::new();
    std::fs::File::open(path)
        .and_then(|file| file.take(MAX_FILE + 1).read_to_end(&mut bytes))
        .map_err(|error| format!("cannot be read: {error}"))?;
    if bytes.len() as u64 > MAX_FILE {
        return Err("is larger than 1 MiB, so it is probably the wrong file".to_owned());
    }
    let text = String::from_utf8(bytes).map_err(|_| "is not UTF-8 text".to_owned())?;
    Ok(unmarked(&text).to_owned())
}

/// The text without the byte order mark that some editors and shells put in front of it.
pub fn unmarked(text: &str) -> &str {
    text.strip_prefix('\u{FEFF}').unwrap_or(text)
}

/// Resolves `path` relative to `folder`.
pub(super) fn within(folder: &Path, path: &str) -> PathBuf {
    folder.join(path)
}
