//! The catalogues of texts (`cards/locales/*.toml`), one per language, compiled in.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::sync::LazyLock;

use crate::config::Locale;

/// The texts of one language, by dotted keys (`users.title`).
#[derive(Debug)]
pub struct Catalogue {
    texts: BTreeMap<String, String>,
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

    /// The text of `key`. `{name}` is replaced by the argument, and `{name:one|many}` by the word for that count.
    /// Arguments are not expanded further. An unknown key is returned itself; tests fail on it.
    pub fn t(&self, key: &str, args: &[(&str, &dyn Display)]) -> String {
        let Some(text) = self.texts.get(key) else {
            #[cfg(test)]
            assert!(self.texts.contains_key(key), "no text for `{key}`");
            return key.to_owned();
        };
        let mut out = String::with_capacity(text.len());
        for piece in pieces(text) {
            match piece {
                Piece::Text(text) => out.push_str(text),
                Piece::Name(name, forms) => match args.iter().find(|(known, _)| *known == name) {
                    Some((_, value)) => {
                        let value = value.to_string();
                        out.push_str(match forms {
                            Some((one, _)) if value == "1" => one,
                            Some((_, many)) => many,
                            None => &value,
                        });
                    }
                    None => {
                        #[cfg(test)]
                        assert!(args.iter().any(|(n, _)| *n == name), "`{key}` lacks `{name}`");
                        out.push_str(name);
                    }
                },
            }
        }
        out
    }

    fn parse(source: &str) -> Self {
        let mut texts = BTreeMap::new();
        match source.parse::<toml::Table>() {
            Ok(table) => flatten("", &table, &mut texts),
            // A test parses both files, so a broken one cannot be released.
            Err(error) => tracing::error!(%error, "a catalogue of texts cannot be read"),
        }
        Self { texts }
    }
}

fn flatten(prefix: &str, table: &toml::Table, texts: &mut BTreeMap<String, String>) {
    for (name, value) in table {
        let key = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
        match value {
            toml::Value::Table(inner) => flatten(&key, inner, texts),
            toml::Value::String(text) => {
                texts.insert(key, text.clone());
            }
            other => {
                texts.insert(key, other.to_string());
            }
        }
    }
}

enum Piece<'a> {
    Text(&'a str),
    /// An argument; or two words, the first for a count of 1, the second for any other.
    Name(&'a str, Option<(&'a str, &'a str)>),
}

/// Splits at `{name}` and `{name:one|many}`. A brace that does not open a name is text.
fn pieces(text: &str) -> Vec<Piece<'_>> {
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
        pieces.push(Piece::Text(before));
        pieces.push(Piece::Name(name, forms));
        rest = tail;
    }
    pieces.push(Piece::Text(rest));
    pieces
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
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

    /// A count followed by a plural noun, which is wrong for 1.
    #[test]
    fn english_words_agree_with_their_counts() {
        let nouns =
            ["keys", "times", "months", "cycles", "rows", "calls", "accounts", "users", "projects"];
        for (key, text) in &Catalogue::of(Locale::EnUs).texts {
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

    fn names(text: &str) -> BTreeSet<&str> {
        pieces(text)
            .into_iter()
            .filter_map(|piece| match piece {
                Piece::Name(name, _) => Some(name),
                Piece::Text(_) => None,
            })
            .collect()
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
                assert!(!translated.trim().is_empty(), "`{key}` is empty in {locale}");
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
            .filter(|key| !sources.contains(&format!("\"{key}\"")))
            .collect();
        assert!(unused.is_empty(), "texts that nothing uses: {unused:?}");
    }

    #[test]
    fn every_text_that_code_or_a_template_asks_for_exists() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut sources = String::new();
        for folder in
            ["cards", "src/app", "src/bot", "src/cards", "src/monitor", "src/outbox", "src/work"]
        {
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
