//! The catalogues of texts (`cards/locales/*.toml`), one per language, which the build cuts into pieces.

use std::fmt::{self, Display, Write as _};

use crate::config::Locale;

/// The texts of one language, by dotted keys (`users.title`).
#[derive(Debug)]
pub struct Catalogue {
    /// Sorted by key.
    texts: &'static [(&'static str, Text)],
}

/// A text, cut where arguments go.
#[derive(Debug)]
pub struct Text {
    pieces: &'static [Piece],
}

#[derive(Debug)]
enum Piece {
    Text(&'static str),
    /// An argument, as it is.
    Name(&'static str),
    /// An argument that chooses between two words: for a count of 1, and for any other.
    Count {
        name: &'static str,
        one: &'static str,
        many: &'static str,
    },
}

/// How the build reads the catalogues.
#[cfg(test)]
#[path = "../../build/texts.rs"]
#[allow(dead_code)]
mod source;

/// The tables that the build makes of the catalogues (`build/texts.rs`).
mod tables {
    use super::{Piece, Text};

    include!(concat!(env!("OUT_DIR"), "/texts.rs"));
}

static ZH_CN: Catalogue = Catalogue { texts: tables::ZHCN };
static EN_US: Catalogue = Catalogue { texts: tables::ENUS };
/// For a key that is not there; tests fail on it.
static UNKNOWN: Text = Text { pieces: &[] };

impl Catalogue {
    /// The catalogue of `locale`.
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
            Some(whole) => whole.to_owned(),
            None => text.filled(key, |name| {
                args.iter().find(|(known, _)| *known == name).map(|(_, value)| *value)
            }),
        }
    }

    /// The text of `key`.
    fn text(&self, key: &str) -> &'static Text {
        let found = self.texts.binary_search_by_key(&key, |(known, _)| known);
        #[cfg(test)]
        assert!(found.is_ok(), "no text for `{key}`");
        found.ok().and_then(|at| self.texts.get(at)).map_or(&UNKNOWN, |(_, text)| text)
    }
}

impl Text {
    /// The text, if it takes no arguments.
    fn whole(&self) -> Option<&'static str> {
        match self.pieces {
            [Piece::Text(text)] => Some(text),
            _ => None,
        }
    }

    /// The text of `key` with `{name}` replaced by the argument, and `{name:one|many}` by the word for that count.
    /// Arguments are not expanded further. A missing one is replaced by its name; tests fail on it.
    fn filled<D: Display>(&self, key: &str, arg: impl Fn(&str) -> Option<D>) -> String {
        if self.pieces.is_empty() {
            return key.to_owned();
        }
        let mut out = String::with_capacity(96);
        for piece in self.pieces {
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
    fn a_text_is_cut_at_its_arguments() {
        use source::Piece::{Count, Name, Text};
        let words = |one: &str, many: &str| (one.to_owned(), many.to_owned());
        let (one, many) = words("key is", "keys are");
        assert_eq!(
            source::pieces("{n} {n:key is|keys are} {Z} {"),
            [
                Name("n".into()),
                Text(" ".into()),
                Count { name: "n".into(), one, many },
                Text(" {Z} {".into())
            ]
        );
    }

    #[test]
    fn arguments_are_substituted_once() {
        let text = Text { pieces: &[Piece::Name("x"), Piece::Text("-{x}-"), Piece::Name("y")] };
        let arg = |name: &str| Some(if name == "x" { "{y}" } else { "2" });
        assert_eq!(text.filled("a", arg), "{y}-{x}-2");
    }

    #[test]
    fn a_word_agrees_with_its_count() {
        let text = Text {
            pieces: &[
                Piece::Name("n"),
                Piece::Text(" "),
                Piece::Count { name: "n", one: "key is", many: "keys are" },
                Piece::Text(" off"),
            ],
        };
        for (count, sentence) in
            [(0, "0 keys are off"), (1, "1 key is off"), (11, "11 keys are off")]
        {
            assert_eq!(text.filled("a", |_| Some(count)), sentence);
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

    fn names(text: &'static Text) -> BTreeSet<&'static str> {
        let names = text.pieces.iter().filter_map(|piece| match piece {
            Piece::Name(name) | Piece::Count { name, .. } => Some(*name),
            Piece::Text(_) => None,
        });
        names.collect()
    }

    #[test]
    fn all_catalogues_have_the_same_keys_and_placeholders() {
        let keys = |c: &Catalogue| c.texts.iter().map(|(key, _)| *key).collect::<BTreeSet<_>>();
        let first = Catalogue::of(Locale::default());
        assert!(first.texts.len() > 100);
        for locale in Locale::ALL {
            let other = Catalogue::of(locale);
            let missing: Vec<_> = keys(first).symmetric_difference(&keys(other)).cloned().collect();
            assert!(missing.is_empty(), "only in one of the catalogues: {missing:?} ({locale})");
            for (key, text) in first.texts {
                let translated = other.text(key);
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
            .iter()
            .map(|(key, _)| key)
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
        let known = Catalogue::of(Locale::default()).texts;
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
        let missing: Vec<_> =
            keys.iter().filter(|key| !known.iter().any(|(other, _)| other == *key)).collect();
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
