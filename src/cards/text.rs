//! Makes text from outside safe and short enough for a card.

use std::fmt::Write as _;

/// One line without invisible characters: control characters and line breaks become blanks; characters that reorder or
/// hide their neighbours are removed.
pub fn clean(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            // Marks, embeddings and isolates of writing direction; zero-width blanks and the byte order mark.
            '\u{061C}'
            | '\u{200B}'
            | '\u{200E}'
            | '\u{200F}'
            | '\u{202A}'..='\u{202E}'
            | '\u{2060}'..='\u{2069}'
            | '\u{FEFF}'
            | '\u{FFF9}'..='\u{FFFB}' => {}
            c if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}') => out.push(' '),
            c => out.push(c),
        }
    }
    out.trim().to_owned()
}

/// Cleans text and truncates it to `max` characters, the last of which is then `…`.
pub fn clip(text: &str, max: usize) -> String {
    let text = clean(text);
    if text.chars().count() <= max {
        return text;
    }
    let mut out: String = text.chars().take(max.saturating_sub(1)).collect();
    out.truncate(out.trim_end().len());
    out.push('…');
    out
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
    let text = clean(text);
    let mut out = String::with_capacity(text.len());
    let mut only_digits = true;
    for (at, c) in text.chars().enumerate() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '*' | '~' | '[' | ']' | '(' | ')' | '#' | ':' | '_' | '$' | '\\' | '`' | '|' | '!'
            | '@' | '{' | '}' => entity(c, &mut out),
            // Markup only at the start of a line: lists, rules, headings, numbered lists.
            '-' | '+' | '=' if at == 0 => entity(c, &mut out),
            '.' if at > 0 && only_digits => entity(c, &mut out),
            c => out.push(c),
        }
        only_digits &= c.is_ascii_digit();
    }
    out
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
    fn invisible_characters_go() {
        assert_eq!(clean("a\u{0}b\r\nc\u{202E}d\u{200B}"), "a b  cd");
        assert_eq!(clean("שלום 👩‍💻 中文"), "שלום 👩‍💻 中文");
    }

    #[test]
    fn clipped_by_characters() {
        assert_eq!(clip("一二三四", 4), "一二三四");
        assert_eq!(clip("一二三四五", 4), "一二三…");
        assert_eq!(clip("ab  cd", 5), "ab…");
        assert_eq!(clip("abc", 0), "…");
    }

    #[test]
    fn lines_stay_lines() {
        assert_eq!(clip_lines("\r\n a \r\nb\u{200B}\n\n\n\n\tc\n", 20), "a\nb\n\nc");
        assert_eq!(clip_lines("一\n二三四", 4), "一\n二…");
        assert_eq!(clip_lines("一\n\n二三", 3), "一…");
        assert_eq!(clip_lines("\n \n", 9), "");
    }

    #[test]
    fn fitted_by_width() {
        assert_eq!(fit("default", 7), "default");
        assert_eq!(fit("华东生产环境项目", 6), "华东生产环…");
        assert_eq!(fit("iiiiiiiiii", 4), "iiiiiiiiii");
        assert_eq!(fit("WWWWWWWWWW", 4), "WWW…");
    }

    #[test]
    fn markdown_that_is_only_text() {
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
