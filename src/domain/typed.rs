//! Text that a person typed or pasted, without the characters that nobody sees.
//!
//! Clients, web pages and keyboards put them in: zero-width blanks, byte order marks, marks of writing direction. A
//! name or an amount with one in it looks right but is not found, so they are dropped before anything is parsed.

use std::borrow::Cow;

/// Free text, such as a note: drops what no reader sees or misses. Joiners and variation selectors stay, because they
/// shape emoji and letters.
pub fn free_text(text: &str) -> Cow<'_, str> {
    without(text, is_invisible)
}

/// Text that is parsed or compared, such as a name, an amount or a month: drops everything invisible.
pub fn parsed_text(text: &str) -> Cow<'_, str> {
    without(text, |c| is_invisible(c) || shapes(c))
}

fn without(text: &str, drops: fn(char) -> bool) -> Cow<'_, str> {
    if text.contains(drops) {
        text.chars().filter(|c| !drops(*c)).collect::<String>().into()
    } else {
        text.into()
    }
}

fn is_invisible(c: char) -> bool {
    match c {
        // Soft hyphen, grapheme joiner, zero-width blank, word joiner and invisible operators, byte order mark.
        '\u{AD}' | '\u{34F}' | '\u{200B}' | '\u{2060}'..='\u{2064}' | '\u{FEFF}' => true,
        // Marks, embeddings, overrides and isolates of writing direction.
        '\u{61C}' | '\u{200E}' | '\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{206F}' => {
            true
        }
        // Fillers that look like blanks, Mongolian separators, annotations.
        '\u{115F}' | '\u{1160}' | '\u{3164}' | '\u{FFA0}' | '\u{180B}'..='\u{180F}' => true,
        '\u{FFF9}'..='\u{FFFB}' => true,
        c => c.is_control() && !c.is_whitespace(),
    }
}

/// Joiners, variation selectors, and the tags of flags.
fn shapes(c: char) -> bool {
    matches!(
        c,
        '\u{200C}'
            | '\u{200D}'
            | '\u{FE00}'..='\u{FE0F}'
            | '\u{E0000}'..='\u{E007F}'
            | '\u{E0100}'..='\u{E01EF}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parsed_text_has_nothing_invisible() {
        for (text, read) in [
            ("\u{FEFF}/help", "/help"),
            ("\u{2060}/help", "/help"),
            ("alice\u{200B}", "alice"),
            ("1\u{200D}00\u{202E}", "100"),
            ("2026\u{200E}-11\u{FE0F}", "2026-11"),
            ("a\u{0}b\n c", "ab\n c"),
            ("张三 bob", "张三 bob"),
        ] {
            assert_eq!(parsed_text(text), read);
        }
    }

    #[test]
    fn free_text_keeps_emoji_whole() {
        assert_eq!(free_text("ok 👩\u{200D}💻 ❤\u{FE0F}\u{FEFF}"), "ok 👩\u{200D}💻 ❤\u{FE0F}");
    }
}
