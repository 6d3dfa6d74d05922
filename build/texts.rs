//! The catalogues of texts.

use std::collections::BTreeMap;
use std::path::Path;

/// A piece of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    Text(String),
    /// An argument, as it is.
    Name(String),
    /// An argument that chooses between two words: for a count of 1, and for any other.
    Count {
        name: String,
        one: String,
        many: String,
    },
}

/// The texts of every language, by the name of its variant of `Locale`.
pub struct Texts {
    pub languages: Vec<(String, BTreeMap<String, Vec<Piece>>)>,
}

impl Texts {
    /// Reads every catalogue of a folder.
    pub fn read(folder: &Path) -> Result<Self, Box<dyn std::error::Error>> {
        let mut languages = Vec::new();
        for entry in std::fs::read_dir(folder)? {
            let path = entry?.path();
            let Some(word) = path.file_stem().and_then(|stem| stem.to_str()) else { continue };
            let table: toml::Table = std::fs::read_to_string(&path)?.parse()?;
            let mut texts = BTreeMap::new();
            flatten("", &table, &mut texts);
            languages.push((variant(word), texts));
        }
        languages.sort_by(|(one, _), (other, _)| one.cmp(other));
        Ok(Self { languages })
    }

    /// The catalogues as tables in Rust, sorted by key.
    pub fn tables(&self) -> String {
        let mut code = String::new();
        for (language, texts) in &self.languages {
            let name = language.to_uppercase();
            code.push_str(&format!("pub(super) static {name}: &[(&str, Text)] = &[\n"));
            for (key, pieces) in texts {
                code.push_str(&format!("({key:?}, Text {{ pieces: &["));
                for piece in pieces {
                    code.push_str(&format!("Piece::{piece:?}, "));
                }
                code.push_str("] }),\n");
            }
            code.push_str("];\n");
        }
        code
    }

    /// The pieces of a text in every language.
    pub fn of(&self, key: &str) -> Result<Vec<(&str, &[Piece])>, String> {
        self.languages
            .iter()
            .map(|(language, texts)| match texts.get(key) {
                Some(pieces) => Ok((language.as_str(), pieces.as_slice())),
                None => Err(format!("no text for `{key}` in {language}")),
            })
            .collect()
    }

    /// The text in every language, if it takes no arguments.
    pub fn whole(&self, key: &str) -> Result<Option<Vec<(&str, &str)>>, String> {
        let all = self.of(key)?;
        let whole = all.into_iter().map(|(language, pieces)| match pieces {
            [Piece::Text(text)] => Some((language, text.as_str())),
            _ => None,
        });
        Ok(whole.collect())
    }
}

/// `zh_cn` is `ZhCn`.
fn variant(word: &str) -> String {
    word.split('_')
        .map(|part| {
            let (first, rest) = part.split_at(1);
            format!("{}{rest}", first.to_uppercase())
        })
        .collect()
}

fn flatten(prefix: &str, table: &toml::Table, texts: &mut BTreeMap<String, Vec<Piece>>) {
    for (name, value) in table {
        let key = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
        match value {
            toml::Value::Table(inner) => flatten(&key, inner, texts),
            toml::Value::String(text) => drop(texts.insert(key, pieces(text))),
            other => drop(texts.insert(key, pieces(&other.to_string()))),
        }
    }
}

/// Cuts at `{name}` and `{name:one|many}`. A brace that does not open a name is text.
pub fn pieces(text: &str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('{') {
        let Some((inside, tail)) = after.split_once('}') else { break };
        let (name, forms) = match inside.split_once(':') {
            Some((name, forms)) => (name, forms.split_once('|')),
            None => (inside, None),
        };
        if !name.chars().all(|c| c.is_ascii_lowercase() || c == '_') {
            break;
        }
        if !before.is_empty() {
            pieces.push(Piece::Text(before.to_owned()));
        }
        let name = name.to_owned();
        pieces.push(match forms {
            Some((one, many)) => Piece::Count { name, one: one.to_owned(), many: many.to_owned() },
            None => Piece::Name(name),
        });
        rest = tail;
    }
    if !rest.is_empty() {
        pieces.push(Piece::Text(rest.to_owned()));
    }
    pieces
}
