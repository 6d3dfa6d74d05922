//! Compact JSON out of templates: blanks are taken out of their sources, and surplus commas while a card is written.

use std::io;

/// Where a byte of a card is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Place {
    #[default]
    Outside,
    /// Within a string.
    String,
    /// Within a string, after a backslash.
    Escape,
}

/// Receives JSON text in pieces, and leaves out blanks and the commas before a closing bracket or another comma, except
/// within strings.
#[derive(Debug)]
pub(super) struct Compact {
    out: Vec<u8>,
    place: Place,
    /// Whether a comma has been read that belongs here if a value follows.
    comma: bool,
}

impl Compact {
    pub(super) fn with_capacity(bytes: usize) -> Self {
        Self { out: Vec::with_capacity(bytes), place: Place::Outside, comma: false }
    }

    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.out
    }

    /// Copies a string literal up to its closing quote. Returns what follows.
    fn string<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        let mut rest = bytes;
        if self.place == Place::Escape {
            let Some((escaped, after)) = rest.split_first() else { return rest };
            self.out.push(*escaped);
            (self.place, rest) = (Place::String, after);
        }
        while let Some(at) = rest.iter().position(|byte| matches!(byte, b'"' | b'\\')) {
            let (plain, after) = rest.split_at(at.saturating_add(1));
            self.out.extend_from_slice(plain);
            if plain.last() == Some(&b'"') {
                self.place = Place::Outside;
                return after;
            }
            let Some((escaped, after)) = after.split_first() else {
                self.place = Place::Escape;
                return after;
            };
            self.out.push(*escaped);
            rest = after;
        }
        self.out.extend_from_slice(rest);
        &[]
    }

    /// Copies what is outside strings, up to and including an opening quote. Returns what follows.
    fn outside<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        let mut rest = bytes;
        while let Some((byte, after)) = rest.split_first() {
            rest = after;
            match byte {
                b' ' | b'\n' | b'\r' | b'\t' => continue,
                b',' => {
                    self.comma = true;
                    continue;
                }
                b']' | b'}' => {}
                _ if self.comma => self.out.push(b','),
                _ => {}
            }
            self.comma = false;
            self.out.push(*byte);
            if *byte == b'"' {
                self.place = Place::String;
                break;
            }
        }
        rest
    }
}

impl io::Write for Compact {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut rest = bytes;
        while !rest.is_empty() {
            rest = match self.place {
                Place::Outside => self.outside(rest),
                Place::String | Place::Escape => self.string(rest),
            };
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Takes the blanks out of a template's JSON, so that nothing copies them from macro to macro. Tags and strings are kept.
pub(super) fn squeezed(source: &str) -> String {
    let mut out = String::with_capacity(source.len());
    let mut rest = source;
    while let Some(first) = rest.chars().next() {
        let tag = [("{{", "}}"), ("{%", "%}"), ("{#", "#}")]
            .into_iter()
            .find(|(opening, _)| rest.starts_with(opening));
        let length = match (tag, first) {
            (Some((_, closing)), _) => {
                // `{ {{` must not become `{{{`, which opens a tag one character too early.
                if out.ends_with('{') {
                    out.push(' ');
                }
                rest.find(closing).map_or(rest.len(), |at| at.saturating_add(closing.len()))
            }
            (None, '"') => string_length(rest),
            (None, _) => first.len_utf8(),
        };
        let (kept, after) = rest.split_at(length);
        if !first.is_ascii_whitespace() {
            out.push_str(kept);
        }
        rest = after;
    }
    out
}

/// The length of the string literal that `text` starts with, including both quotes.
fn string_length(text: &str) -> usize {
    let mut escaped = false;
    let end = text.bytes().skip(1).position(|byte| {
        let ends = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        ends
    });
    end.map_or(text.len(), |end| end.saturating_add(2))
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use proptest::prelude::*;

    use super::*;

    fn compact<'a>(pieces: impl IntoIterator<Item = &'a str>) -> String {
        let mut out = Compact::with_capacity(0);
        for piece in pieces {
            out.write_all(piece.as_bytes()).unwrap();
        }
        String::from_utf8(out.into_bytes()).unwrap()
    }

    #[test]
    fn surplus_commas_are_removed_and_strings_kept() {
        assert_eq!(compact([r#"{ "a": [1, 2, , ], }"#]), r#"{"a":[1,2]}"#);
        assert_eq!(compact([r#"["a, ]", "\", ]",]"#]), r#"["a, ]","\", ]"]"#);
    }

    #[test]
    fn the_blanks_of_a_template_are_removed_and_its_tags_and_strings_kept() {
        let source =
            "{ {{ a  ~ \" }\" }}\n \"a b\\\" c\": [ {% if x %} 1, {% endif %} ], {# a  b #} }";
        let squeezed_source =
            "{ {{ a  ~ \" }\" }}\"a b\\\" c\":[{% if x %}1,{% endif %}],{# a  b #}}";
        assert_eq!(squeezed(source), squeezed_source);
    }

    proptest! {
        #[test]
        fn it_does_not_matter_how_the_text_is_cut(
            text in r#"[\[\]{}, :"\\a1\n]{0,40}"#,
            cuts in proptest::collection::vec(0usize..40, 0..6),
        ) {
            let mut cuts: Vec<usize> = cuts.into_iter().map(|at| at.min(text.len())).collect();
            cuts.extend([0, text.len()]);
            cuts.sort_unstable();
            let pieces = cuts.windows(2).map(|cut| &text[cut[0]..cut[1]]);
            prop_assert_eq!(compact(pieces), compact([text.as_str()]));
        }

        #[test]
        fn what_is_valid_json_means_the_same_afterwards(texts in proptest::collection::vec(any::<String>(), 0..5)) {
            let value = serde_json::json!({ "a": texts, "b": [1, null, { "c": texts }] });
            let pretty = serde_json::to_string_pretty(&value).unwrap();
            let read: serde_json::Value = serde_json::from_str(&compact([pretty.as_str()])).unwrap();
            prop_assert_eq!(read, value);
        }
    }
}
