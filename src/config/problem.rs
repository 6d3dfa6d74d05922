//! What is wrong with a configuration: every problem at once, one line each.

use std::fmt;

/// One thing to fix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigProblem {
    /// What it is about: the file, or a key (`feishu.app_id`), followed by the variable's name if the value came from the
    /// environment.
    pub subject: String,
    /// What is wrong and how to fix it, worded to follow the subject.
    pub fault: String,
}

impl ConfigProblem {
    pub(super) fn new(subject: impl Into<String>, fault: impl Into<String>) -> Self {
        Self { subject: one_line(&subject.into(), 500), fault: one_line(&fault.into(), 500) }
    }
}

impl fmt::Display for ConfigProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.subject, self.fault)
    }
}

/// Why a configuration was refused: at least one problem, displayed one per line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError(pub(super) Vec<ConfigProblem>);

impl ConfigError {
    /// The problems, those of the sources first, then in the order of the declaration.
    pub fn problems(&self) -> &[ConfigProblem] {
        &self.0
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, problem) in self.0.iter().enumerate() {
            if i > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{problem}")?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigError {}

/// A text from outside: quoted, on one line, shortened. Of a URL only scheme and host are shown: the rest may be a secret (a
/// webhook's path, a password), whatever key it was given under.
pub(super) fn quoted(text: &str) -> String {
    match text.split_once("://") {
        Some((scheme, rest)) => {
            let end = rest.find(['/', '?', '#', '\\']).unwrap_or(rest.len());
            let (authority, rest) = rest.split_at(end);
            let host = authority.rsplit('@').next().unwrap_or_default();
            let more = if rest.len() > 1 { "/…" } else { rest };
            format!("`{}`", one_line(&format!("{scheme}://{host}{more}"), 60))
        }
        None => format!("`{}`", one_line(text, 60)),
    }
}

/// Escapes control characters and cuts after `max` characters.
fn one_line(text: &str, max: usize) -> String {
    let mut line = String::new();
    for c in text.chars().take(max) {
        if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}') {
            line.extend(c.escape_default());
        } else {
            line.push(c);
        }
    }
    if text.chars().nth(max).is_some() {
        line.push('…');
    }
    line
}
