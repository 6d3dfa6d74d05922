//! The documents generated from the declaration: `config.example.toml` and the tables in `docs/configuration.md`. A
//! test rewrites each one and fails if it differed, so that the committed version stays up to date.

use std::fmt::Write as _;
use std::path::Path;

use super::keys::{Key, Kind, SECTIONS, Unset};

/// How an example file shows optional keys.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Optional {
    Commented,
    Given,
}

/// Returns the example file: every key with its meaning; required keys are empty.
pub(super) fn example(optional: Optional) -> String {
    let mut text = String::from(
        "# airgate's configuration: every key with its default. Generated from src/config/keys.rs.\n\
         # Fill in every empty key and `admins`. Commented keys are optional.\n\
         # A key can also be set in the environment, as AIRGATE__SECTION__KEY, and a secret in a file of its own, with\n\
         # KEY_file = \"path\". Paths are relative to this file's folder. See docs/configuration.md.\n",
    );
    for section in SECTIONS {
        if !section.name.is_empty() {
            write!(text, "\n# {}\n[{}]\n", section.doc, section.name).unwrap();
        }
        for key in section.keys {
            text.push('\n');
            for line in wrapped(&format!("{}{}", key.doc, remarks(key)), 100) {
                writeln!(text, "# {line}").unwrap();
            }
            match (key.unset, optional) {
                (Unset::Refused, _) => writeln!(text, "{} = \"\"", key.name),
                // Not needed in the mode that is the default.
                (Unset::RefusedIn(_), _) => writeln!(text, "# {} = \"\"", key.name),
                (Unset::Default(value), _) | (Unset::Off(value), Optional::Given) => {
                    writeln!(text, "{} = {value}", key.name)
                }
                (Unset::Off(value), Optional::Commented) => {
                    writeln!(text, "# {} = {value}", key.name)
                }
            }
            .unwrap();
        }
    }
    text
}

/// Returns the remarks that the kind of value adds to the description.
fn remarks(key: &Key) -> String {
    match key.kind {
        Kind::Choice(words) => format!(" One of: {}.", words.join(", ")),
        Kind::Number { min, max } => format!(" From {min} to {max}."),
        Kind::Secret => format!(" Secret; alternatively, set {}_file to a path.", key.name),
        _ => String::new(),
    }
}

fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let line = lines.last_mut().unwrap();
        if line.is_empty() {
            line.push_str(word);
        } else if line.len() + 1 + word.len() <= width {
            write!(line, " {word}").unwrap();
        } else {
            lines.push(word.to_owned());
        }
    }
    lines
}

/// Returns the tables of `docs/configuration.md`.
fn tables() -> String {
    let mut text = String::new();
    for section in SECTIONS {
        if section.name.is_empty() {
            text.push_str("\n## Root\n");
        } else {
            write!(text, "\n## `[{}]`\n\n{}\n", section.name, section.doc).unwrap();
        }
        text.push_str("\n| key | value | default | meaning |\n| --- | --- | --- | --- |\n");
        for key in section.keys {
            let value = match key.kind {
                Kind::Text => "string".to_owned(),
                Kind::Secret => "string, *secret*".to_owned(),
                Kind::Choice(words) => {
                    words.iter().map(|word| format!("`\"{word}\"`")).collect::<Vec<_>>().join(", ")
                }
                Kind::Path => "path".to_owned(),
                Kind::Switch => "`true`, `false`".to_owned(),
                Kind::Number { min, max } => format!("{min} to {max}"),
                Kind::Texts => "list of strings".to_owned(),
                Kind::Percents => "list of percents".to_owned(),
            };
            let default = match key.unset {
                Unset::Refused => "**required**".to_owned(),
                Unset::RefusedIn(mode) => format!("**required** in {mode} mode"),
                Unset::Default(value) => format!("`{value}`"),
                Unset::Off(_) => "not set".to_owned(),
            };
            writeln!(text, "| `{}` | {value} | {default} | {} |", key.name, key.doc).unwrap();
        }
    }
    text
}

/// Replaces the tables between the marks of `document`.
fn with_tables(document: &str) -> String {
    let (head, rest) = document.split_once("<!-- keys:").expect("a mark `<!-- keys: ... -->`");
    let (mark, rest) = rest.split_once("-->\n").expect("the mark's end");
    let (_, tail) = rest.split_once("<!-- keys end -->").expect("a mark `<!-- keys end -->`");
    format!("{head}<!-- keys:{mark}-->\n{}\n<!-- keys end -->{tail}", tables())
}

/// Brings a committed file up to date, and fails if it was not, so that the change gets committed.
fn keep(path: &str, fresh: impl FnOnce(&str) -> String) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    let fresh = fresh(&committed);
    if committed != fresh {
        std::fs::write(&path, fresh).unwrap();
        panic!("{} was out of date and has been rewritten: commit it", path.display());
    }
}

#[test]
fn the_example_file_is_up_to_date() {
    keep("config.example.toml", |_| example(Optional::Commented));
}

#[test]
fn the_table_in_the_manual_is_up_to_date() {
    keep("docs/configuration.md", with_tables);
}
