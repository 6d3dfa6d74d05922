//! Makes text from outside safe and short enough for a card.

use std::borrow::Cow;
use std::fmt::Write as _;

/// One line without invisible characters: control characters and line breaks become blanks; characters that reorder or
/// hide their neighbours are removed.
pub fn clean(text: &str) -> String {
    cleaned(text).into_owned()
}

/// The same, without a copy of text that is clean.
fn cleaned(text: &str) -> Cow<'_, str> {
    let plain = |byte: u8| byte == b' ' || byte.is_ascii_graphic();
    if text.bytes().all(plain) || !text.chars().any(|c| is_hidden(c) || is_break(c)) {
        return Cow::Borrowed(text.trim());
    }
    let mut out = String::with_capacity(text.len());
    for c in text.chars().filter(|c| !is_hidden(*c)) {
        out.push(if is_break(c) { ' ' } else { c });
    }
    let trimmed = out.trim();
    Cow::Owned(if trimmed.len() == out.len() { out } else { trimmed.to_owned() })
}

/// Marks, embeddings and isolates of writing direction; zero-width blanks and the byte order mark.
fn is_hidden(c: char) -> bool {
    matches!(
        c,
        '\u{061C}'
            | '\u{200B}'
            | '\u{200E}'
            | '\u{200F}'
            | '\u{202A}'..='\u{202E}'
            | '\u{2060}'..='\u{2069}'
            | '\u{FEFF}'
            | '\u{FFF9}'..='\u{FFFB}'
    )
}

fn is_break(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}' | '\u{2029}')
}

/// Cleans text and truncates it to `max` characters, the last of which is then `…`.
pub fn clip(text: &str, max: usize) -> String {
    clipped(text, max).into_owned()
}

/// The same, without a copy of text that is clean and short.
pub(super) fn clipped(text: &str, max: usize) -> Cow<'_, str> {
    let text = cleaned(text);
    if text.len() <= max || text.chars().count() <= max {
        return text;
    }
    let mut out: String = text.chars().take(max.saturating_sub(1)).collect();
    out.truncate(out.trim_end().len());
    out.push('…');
    Cow::Owned(out)
}

/// Cleans each line and truncates the whole to `max` characters. Empty lines at both ends are removed, and runs of them
/// reduced to one.
pub fn clip_lines(text: &str, max: usize) -> String {
    let mut out = String::new();
    let mut blank = false;
    for line in text.lines().map(clean) {
        if line.is_empty() {
            blank = !out.is_empty();
            continue;
        }
        if !out.is_empty() {
            out.push_str(if blank { "\n\n" } else { "\n" });
        }
        blank = false;
        out.push_str(&line);
    }
    if out.chars().count() > max {
        out = out.chars().take(max.saturating_sub(1)).collect();
        out.truncate(out.trim_end().len());
        out.push('…');
    }
    out
}

/// Cleans text and truncates it to a width of about `ems`, so that a line does not wrap. The width of a character is
/// estimated generously.
pub fn fit(text: &str, ems: usize) -> String {
    let text = clean(text);
    let room = ems.saturating_mul(100);
    let mut width: usize = 0;
    let mut kept = String::new();
    for c in text.chars() {
        width = width.saturating_add(hundredths_of_em(c));
        kept.push(c);
        if width > room {
            let room = room.saturating_sub(hundredths_of_em('…'));
            while width > room
                && let Some(last) = kept.pop()
            {
                width = width.saturating_sub(hundredths_of_em(last));
            }
            kept.truncate(kept.trim_end().len());
            kept.push('…');
            return kept;
        }
    }
    kept
}

fn hundredths_of_em(c: char) -> usize {
    match c {
        'i' | 'j' | 'l' | '.' | ',' | '\'' | ':' | ';' | '|' | '!' | ' ' | 'I' => 35,
        'f' | 't' | 'r' | '(' | ')' | '[' | ']' | '-' | '/' | '"' => 48,
        'm' | 'w' | 'M' | 'W' | '@' | '%' => 100,
        'A'..='Z' | '&' | '#' | '_' | '+' | '=' | '<' | '>' | '~' | '…' => 78,
        c if c.is_ascii() => 62,
        // Emoji are wider than a Chinese character in most fonts.
        '\u{1F000}'..='\u{1FAFF}' => 140,
        _ => 100,
    }
}

/// Cleans text to one line and escapes it as markdown, so that markup, mentions, links and template expressions show as
/// plain text (富文本（Markdown）, "特殊字符转义": HTML entities).
pub fn md(text: &str) -> String {
    escaped(text).into_owned()
}

/// The same, without a copy of text that has no marks.
pub(super) fn escaped(text: &str) -> Cow<'_, str> {
    let text = cleaned(text);
    let first = text.bytes().next().unwrap_or(b' ');
    let is_plain =
        |byte: u8| !is_mark(char::from(byte)) && (byte != b'.' || !first.is_ascii_digit());
    if !matches!(first, b'-' | b'+' | b'=') && text.bytes().all(is_plain) {
        return text;
    }
    let mut out = String::with_capacity(text.len().saturating_add(32));
    let mut only_digits = true;
    for (at, c) in text.chars().enumerate() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            c if is_mark(c) => entity(c, &mut out),
            // Markup only at the start of a line: lists, rules, headings, numbered lists.
            '-' | '+' | '=' if at == 0 => entity(c, &mut out),
            '.' if at > 0 && only_digits => entity(c, &mut out),
            c => out.push(c),
        }
        only_digits &= c.is_ascii_digit();
    }
    Cow::Owned(out)
}

/// Whether a character is markup wherever it stands.
fn is_mark(c: char) -> bool {
    matches!(
        c,
        '&' | '<'
            | '>'
            | '*'
            | '~'
            | '['
            | ']'
            | '('
            | ')'
            | '#'
            | ':'
            | '_'
            | '$'
            | '\\'
            | '`'
            | '|'
            | '!'
            | '@'
            | '{'
            | '}'
    )
}

fn entity(c: char, out: &mut String) {
    // Writing to a String cannot fail.
    let _ = write!(out, "&#{};", u32::from(c));
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn invisible_characters_are_removed() {
        assert_eq!(clean("a\u{0}b\r\nc\u{202E}d\u{200B}"), "a b  cd");
        assert_eq!(clean("שלום 👩‍💻 中文"), "שלום 👩‍💻 中文");
    }

    #[test]
    fn text_is_truncated_by_characters() {
        assert_eq!(clip("一二三四", 4), "一二三四");
        assert_eq!(clip("一二三四五", 4), "一二三…");
        assert_eq!(clip("ab  cd", 5), "ab…");
        assert_eq!(clip("abc", 0), "…");
    }

    #[test]
    fn lines_are_kept() {
        assert_eq!(clip_lines("\r\n a \r\nb\u{200B}\n\n\n\n\tc\n", 20), "a\nb\n\nc");
        assert_eq!(clip_lines("一\n二三四", 4), "一\n二…");
        assert_eq!(clip_lines("一\n\n二三", 3), "一…");
        assert_eq!(clip_lines("\n \n", 9), "");
    }

    #[test]
    fn text_is_fitted_by_width() {
        assert_eq!(fit("default", 7), "default");
        assert_eq!(fit("华东生产环境项目", 6), "华东生产环…");
        assert_eq!(fit("iiiiiiiiii", 4), "iiiiiiiiii");
        assert_eq!(fit("WWWWWWWWWW", 4), "WWW…");
    }

    #[test]
    fn markdown_marks_become_plain_text() {
        assert_eq!(md("<at id=all></at>"), "&lt;at id=all&gt;&lt;/at&gt;");
        assert_eq!(md("[a](https://b.c)"), "&#91;a&#93;&#40;https&#58;//b.c&#41;");
        assert_eq!(md("- x\n1. y"), "&#45; x 1. y");
        assert_eq!(md("1. y"), "1&#46; y");
        assert_eq!(md("web-prod 3.5"), "web-prod 3.5");
    }

    proptest! {
        #[test]
        fn no_raw_mark_survives(text in any::<String>()) {
            let escaped = md(&text);
            prop_assert!(!escaped.contains(['<', '>', '*', '~', '[', ']', '(', ')', '_', '$', '`', '|', '@', '\n', '\\']));
            prop_assert!(!escaped.starts_with(['-', '+', '=']));
            prop_assert!(clip(&text, 20).chars().count() <= 20);
        }

        #[test]
        fn fitted_text_is_within_its_width(text in any::<String>(), ems in 2usize..20) {
            let width: usize = fit(&text, ems).chars().map(hundredths_of_em).sum();
            prop_assert!(width <= ems * 100);
        }
    }
}
