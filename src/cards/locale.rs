//! The catalogues of texts (`cards/locales/*.toml`), one per language, compiled in.

use std::collections::HashMap;
use std::fmt::{self, Display, Write as _};
use std::sync::{Arc, LazyLock};

use crate::config::Locale;

/// The texts of one language, by dotted keys (`users.title`).
#[derive(Debug)]
pub struct Catalogue {
    texts: HashMap<String, Text>,
    /// For a key that is not there; tests fail on it.
    unknown: Text,
}

/// A text, cut where arguments go.
#[derive(Debug)]
pub struct Text {
    pieces: Vec<Piece>,
}

#[derive(Debug)]
enum Piece {
    Text(Arc<str>),
    /// An argument, as it is.
    Name(String),
    /// An argument that chooses between two words: for a count of 1, and for any other.
    Count {
        name: String,
        one: String,
        many: String,
    },
}

static ZH_CN: LazyLock<Catalogue> =
    LazyLock::new(|| Catalogue::parse(include_str!("../../cards/locales/zh_cn.toml")));
static EN_US: LazyLock<Catalogue> =
    LazyLock::new(|| Catalogue::parse(include_str!("../../cards/locales/en_us.toml")));

impl Catalogue {
    /// The catalogue of `locale`, parsed on first use.
    pub fn of(locale: Locale) -> &'static Catalogue {
        match locale {
            Locale::ZhCn => &ZH_CN,
            Locale::EnUs => &EN_US,
        }
    }

    /// The text of `key` with its arguments: see [`Text::filled`]. An unknown key is returned itself; tests fail on it.
    pub fn t(&self, key: &str, args: &[(&str, &dyn Display)]) -> String {
        let text = self.text(key);
        match text.whole() {
            Some(whole) => whole.to_string(),
            None => text.filled(key, |name| {
                args.iter().find(|(known, _)| *known == name).map(|(_, value)| *value)
            }),
        }
    }

    /// The text of `key`.
    pub(super) fn text(&self, key: &str) -> &Text {
        #[cfg(test)]
        assert!(self.texts.contains_key(key), "no text for `{key}`");
        self.texts.get(key).unwrap_or(&self.unknown)
    }

    fn parse(source: &str) -> Self {
        let mut texts = HashMap::new();
        match source.parse::<toml::Table>() {
            Ok(table) => flatten("", &table, &mut texts),
            // A test parses both files, so a broken one cannot be released.
            Err(error) => tracing::error!(%error, "a catalogue of texts cannot be read"),
        }
        Self { texts, unknown: Text { pieces: Vec::new() } }
    }
}

fn flatten(prefix: &str, table: &toml::Table, texts: &mut HashMap<String, Text>) {
    for (name, value) in table {
        let key = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
        match value {
            toml::Value::Table(inner) => flatten(&key, inner, texts),
            toml::Value::String(text) => {
                texts.insert(key, Text::parse(text));
            }
            other => {
                texts.insert(key, Text::parse(&other.to_string()));
            }
        }
    }
}

impl Text {
    /// Cuts at `{name}` and `{name:one|many}`. A brace that does not open a name is text.
    fn parse(text: &str) -> Self {
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
                pieces.push(Piece::Text(before.into()));
            }
            let name = name.to_owned();
            pieces.push(match forms {
                Some((one, many)) => {
                    Piece::Count { name, one: one.to_owned(), many: many.to_owned() }
                }
                None => Piece::Name(name),
            });
            rest = tail;
        }
        if !rest.is_empty() {
            pieces.push(Piece::Text(rest.into()));
        }
        Self { pieces }
    }

    /// The text, if it takes no arguments.
    pub(super) fn whole(&self) -> Option<&Arc<str>> {
        match self.pieces.as_slice() {
            [Piece::Text(text)] => Some(text),
            _ => None,
        }
    }

    /// The text of `key` with `{name}` replaced by the argument, and `{name:one|many}` by the word for that count.
    /// Arguments are not expanded further. A missing one is replaced by its name; tests fail on it.
    pub(super) fn filled<D: Display>(&self, key: &str, arg: impl Fn(&str) -> Option<D>) -> String {
        if self.pieces.is_empty() {
            return key.to_owned();
        }
        let mut out = String::with_capacity(96);
        for piece in &self.pieces {
            let (Piece::Name(name) | Piece::Count { name, .. }) = piece else {
                if let Piece::Text(text) = piece {
                    out.push_str(text);
                }
                continue;
            };
            let Some(value) = arg(name) else {
                #[cfg(test)]
                assert!(arg(name).is_some(), "`{key}` lacks `{name}`");
                out.push_str(name);
                continue;
            };
            // Writing to a String cannot fail.
            let _ = match piece {
                Piece::Count { one, many, .. } => {
                    out.write_str(if is_one(&value) { one } else { many })
                }
                _ => write!(out, "{value}"),
            };
        }
        out
    }
}

/// Whether a value is written as `1`.
fn is_one(value: &impl Display) -> bool {
    /// Fails as soon as what is written is not `1`.
    struct One(&'static str);
    impl fmt::Write for One {
        fn write_str(&mut self, text: &str) -> fmt::Result {
            self.0 = self.0.strip_prefix(text).ok_or(fmt::Error)?;
            Ok(())
        }
    }
    let mut rest = One("1");
    write!(rest, "{value}").is_ok() && rest.0.is_empty()
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};
    use std::path::Path;

    use super::*;

    #[test]
    fn arguments_are_substituted_once() {
        let catalogue = Catalogue::parse("a = \"{x}-{y}-{x} {Z} {\"");
        assert_eq!(catalogue.t("a", &[("x", &"{y}"), ("y", &2)]), "{y}-2-{y} {Z} {");
    }

    #[test]
    fn a_word_agrees_with_its_count() {
        let catalogue = Catalogue::parse("a = \"{n} {n:key is|keys are} off\"");
        for (count, text) in [(0, "0 keys are off"), (1, "1 key is off"), (11, "11 keys are off")] {
            assert_eq!(catalogue.t("a", &[("n", &count)]), text);
        }
    }

    /// The texts as they are in the file.
    fn sources(locale: Locale) -> BTreeMap<String, String> {
        fn flatten(prefix: &str, table: &toml::Table, texts: &mut BTreeMap<String, String>) {
            for (name, value) in table {
                match value {
                    toml::Value::Table(inner) => flatten(name, inner, texts),
                    value => {
                        let text = value.as_str().unwrap().to_owned();
                        texts.insert(format!("{prefix}.{name}"), text);
                    }
                }
            }
        }
        let mut texts = BTreeMap::new();
        let source = match locale {
            Locale::ZhCn => include_str!("../../cards/locales/zh_cn.toml"),
            Locale::EnUs => include_str!("../../cards/locales/en_us.toml"),
        };
        flatten("", &source.parse().unwrap(), &mut texts);
        texts
    }

    /// A count followed by a plural noun, which is wrong for 1.
    #[test]
    fn english_words_agree_with_their_counts() {
        let nouns =
            ["keys", "times", "months", "cycles", "rows", "calls", "accounts", "users", "projects"];
        // There the placeholder is an account's id.
        for (key, text) in
            sources(Locale::EnUs).into_iter().filter(|(key, _)| key != "check.projects")
        {
            let mut after_a_count = false;
            for word in text.split([' ', ',', '.', ':', ';']) {
                let plural = nouns.contains(&word);
                assert!(!(after_a_count && plural), "`{key}`: {text}");
                // One word may be in between: "{count} more keys".
                let kept = after_a_count && matches!(word, "more" | "access" | "bill" | "failed");
                after_a_count = (word.starts_with('{') && word.ends_with('}')) || kept;
            }
        }
    }

    fn names(text: &Text) -> BTreeSet<&str> {
        let names = text.pieces.iter().filter_map(|piece| match piece {
            Piece::Name(name) | Piece::Count { name, .. } => Some(name.as_str()),
            Piece::Text(_) => None,
        });
        names.collect()
    }

    #[test]
    fn all_catalogues_have_the_same_keys_and_placeholders() {
        let keys = |c: &Catalogue| c.texts.keys().cloned().collect::<BTreeSet<_>>();
        let first = Catalogue::of(Locale::default());
        assert!(first.texts.len() > 100);
        for locale in Locale::ALL {
            let other = Catalogue::of(locale);
            let missing: Vec<_> = keys(first).symmetric_difference(&keys(other)).cloned().collect();
            assert!(missing.is_empty(), "only in one of the catalogues: {missing:?} ({locale})");
            for (key, text) in &first.texts {
                let translated = other.texts.get(key).unwrap();
                assert!(!translated.pieces.is_empty(), "`{key}` is empty in {locale}");
                assert_eq!(names(text), names(translated), "placeholders of `{key}` in {locale}");
            }
        }
    }

    #[test]
    fn every_text_is_used_by_a_template_or_by_code() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut sources = String::new();
        for folder in ["cards", "src"] {
            read(&root.join(folder), &mut sources);
        }
        let unused: Vec<_> = Catalogue::of(Locale::ZhCn)
            .texts
            .keys()
            // Those of the command line's help are looked up by the names of its arguments; `cli::words` compares them.
            .filter(|key| !key.starts_with("cli_help."))
            .filter(|key| !sources.contains(&format!("\"{key}\"")))
            .collect();
        assert!(unused.is_empty(), "texts that nothing uses: {unused:?}");
    }

    #[test]
    fn every_text_that_code_or_a_template_asks_for_exists() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut sources = String::new();
        for folder in [
            "cards",
            "src/app",
            "src/bot",
            "src/cards",
            "src/cli",
            "src/monitor",
            "src/outbox",
            "src/work",
        ] {
            read(&root.join(folder), &mut sources);
        }
        let known = &Catalogue::of(Locale::default()).texts;
        let mut keys = BTreeSet::new();
        for (at, _) in sources.match_indices("t(") {
            let of_a_longer_name =
                sources[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_');
            if let Some(rest) = sources[at + 2..].trim_start().strip_prefix('"')
                && !of_a_longer_name
            {
                keys.insert(rest.split('"').next().unwrap());
            }
        }
        // This file has other texts after the same letters, and tests of catalogues use keys without a dot.
        let is_key = |key: &str| {
            key.contains('.')
                && key
                    .chars()
                    .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "._".contains(c))
        };
        keys.retain(|key| is_key(key));
        assert!(keys.len() > 100, "the keys were not found");
        let missing: Vec<_> = keys.iter().filter(|key| !known.contains_key(**key)).collect();
        assert!(missing.is_empty(), "no catalogue has {missing:?}");
    }

    fn read(folder: &Path, out: &mut String) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.to_string_lossy().into_owned();
            if path.is_dir() {
                read(&path, out);
            } else if name.ends_with(".rs") || name.ends_with(".j2") {
                out.push_str(&std::fs::read_to_string(&path).unwrap());
            }
        }
    }
}
