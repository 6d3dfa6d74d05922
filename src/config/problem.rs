//! What is wrong with a configuration: every problem at once, one line each.

use std::fmt;

/// One thing to mend.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// What it is about: a key (`feishu.app_id`, with the variable's name where the value came from the environment)
    /// or the file.
    pub subject: String,
    /// What is wrong and what to do, to be read after the subject.
    pub fault: String,
}

impl Problem {
    pub(super) fn new(subject: impl Into<String>, fault: impl Into<String>) -> Self {
        Self { subject: one_line(&subject.into(), 500), fault: one_line(&fault.into(), 500) }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.subject, self.fault)
    }
}

/// Why a configuration was refused: at least one problem, displayed one per line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problems(pub(super) Vec<Problem>);

impl Problems {
    /// The problems in the order of the declaration, those of the sources first.
    pub fn iter(&self) -> impl Iterator<Item = &Problem> {
        self.0.iter()
    }
}

impl fmt::Display for Problems {
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

impl std::error::Error for Problems {}

/// A text from outside, quoted, on one line and not too long to read. Of an address only scheme and host are shown: the rest
/// may be a secret (a webhook's path, a password), whatever key it was put under.
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

/// Control characters escaped, cut after `most` characters.
fn one_line(text: &str, most: usize) -> String {
    let mut line = String::new();
    for c in text.chars().take(most) {
        if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}') {
            line.extend(c.escape_default());
        } else {
            line.push(c);
        }
    }
    if text.chars().nth(most).is_some() {
        line.push('…');
    }
    line
}
