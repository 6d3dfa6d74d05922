//! Finds what the card rules restrict in markdown: links, images, colours, mentions and tables. Skips code.

/// An occurrence in a text that a rule restricts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// `![text](target)`.
    Image(String),
    /// `[text](target)`, `<a href=...>` or one of the addresses of `<link>`.
    Link(String),
    /// `<font color=...>`.
    Colour(String),
    /// `<text_tag color=...>`.
    TagColour(String),
    /// `<at ...>` or `<person ...>`, with its attributes.
    Mention(Vec<(String, String)>),
    /// `<audio ...>`.
    Audio,
}

/// Everything in `text` that a rule restricts, ordered by kind.
pub fn scan(text: &str) -> Vec<Found> {
    let text = without_code(text);
    let mut found = Vec::new();
    links(&text, &mut found);
    tags(&text, &mut found);
    found
}

/// How many tables the text holds: a row of `---` cells under a row with bars.
pub fn tables(text: &str) -> usize {
    let text = without_code(text);
    let mut before = "";
    let mut count: usize = 0;
    for line in text.lines() {
        if before.contains('|') && is_delimiter_row(line) {
            count = count.saturating_add(1);
        }
        before = line;
    }
    count
}

fn is_delimiter_row(line: &str) -> bool {
    let line = line.trim();
    let inner = line.strip_prefix('|').unwrap_or(line);
    let inner = inner.strip_suffix('|').unwrap_or(inner);
    line.contains('|')
        && inner.split('|').all(|cell| {
            let cell = cell.trim();
            let cell = cell.strip_prefix(':').unwrap_or(cell);
            let cell = cell.strip_suffix(':').unwrap_or(cell);
            !cell.is_empty() && cell.chars().all(|c| c == '-')
        })
}

/// The text with fenced blocks and `inline code` taken out.
fn without_code(text: &str) -> String {
    let mut lines = String::with_capacity(text.len());
    let mut fence: Option<&str> = None;
    for line in text.split_inclusive('\n') {
        let start = line.trim_start();
        let mark = ["```", "~~~"].into_iter().find(|m| start.starts_with(m));
        match (fence, mark) {
            (None, Some(mark)) => fence = Some(mark),
            (Some(open), Some(mark)) if open == mark => fence = None,
            (Some(_), _) => {}
            (None, None) => lines.push_str(line),
        }
    }
    let mut out = String::with_capacity(lines.len());
    let mut rest = lines.as_str();
    while let Some((before, after)) = rest.split_once('`') {
        out.push_str(before);
        // A lone backtick is text; a pair is code and leaves a space, so that its neighbours stay apart.
        match after.split_once('`') {
            Some((_, tail)) => {
                out.push(' ');
                rest = tail;
            }
            None => {
                out.push_str(after);
                return out;
            }
        }
    }
    out.push_str(rest);
    out
}

fn links(text: &str, found: &mut Vec<Found>) {
    let mut rest = text;
    let mut consumed = String::new();
    while let Some((before, after)) = rest.split_once("](") {
        consumed.push_str(before);
        let (target, tail) = target(after);
        if let Some(kind) = opening(&consumed) {
            let target = target.to_owned();
            found.push(match kind {
                Kind::Image => Found::Image(target),
                Kind::Link => Found::Link(target),
            });
        }
        consumed.push_str("](");
        rest = tail;
    }
}

/// The address up to its closing bracket (it may contain pairs of brackets), and the rest.
fn target(text: &str) -> (&str, &str) {
    let mut open: usize = 0;
    for (at, c) in text.char_indices() {
        match c {
            '(' => open = open.saturating_add(1),
            ')' if open == 0 => {
                let (target, tail) = text.split_at(at);
                return (target.trim(), tail);
            }
            ')' => open = open.saturating_sub(1),
            '\n' => {
                let (target, tail) = text.split_at(at);
                return (target.trim(), tail);
            }
            _ => {}
        }
    }
    (text.trim(), "")
}

enum Kind {
    Image,
    Link,
}

/// Whether the text before `](` opens a link or an image: its last unpaired `[`, not escaped, on the same line.
fn opening(before: &str) -> Option<Kind> {
    let mut closed: usize = 0;
    for (at, c) in before.char_indices().rev() {
        match c {
            '\n' => return None,
            ']' => closed = closed.saturating_add(1),
            '[' if closed > 0 => closed = closed.saturating_sub(1),
            '[' => {
                let head = before.get(..at).unwrap_or("");
                return if head.ends_with('\\') {
                    None
                } else if head.ends_with('!') {
                    Some(Kind::Image)
                } else {
                    Some(Kind::Link)
                };
            }
            _ => {}
        }
    }
    None
}

fn tags(text: &str, found: &mut Vec<Found>) {
    let mut rest = text;
    while let Some((_, after)) = rest.split_once('<') {
        rest = after;
        let name_end =
            after.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(after.len());
        let (name, tail) = after.split_at(name_end);
        let relevant =
            matches!(name, "a" | "link" | "font" | "text_tag" | "at" | "person" | "audio");
        if !relevant {
            continue;
        }
        let attributes = attributes(tail);
        let value = |wanted: &str| {
            attributes.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.clone())
        };
        match name {
            "a" => found.extend(value("href").map(Found::Link)),
            "link" => {
                for client in ["url", "pc_url", "ios_url", "android_url"] {
                    // Empty means the default address.
                    found.extend(value(client).filter(|v| !v.is_empty()).map(Found::Link));
                }
            }
            "font" => found.extend(value("color").map(Found::Colour)),
            "text_tag" => found.extend(value("color").map(Found::TagColour)),
            "audio" => found.push(Found::Audio),
            _ => found.push(Found::Mention(attributes)),
        }
    }
}

/// The attributes of a tag whose name was already read: `a='x' b="y" c=z>`.
fn attributes(text: &str) -> Vec<(String, String)> {
    let mut list = Vec::new();
    let mut rest = text;
    loop {
        rest = rest.trim_start_matches([' ', '\t', '\n', '/']);
        let end = rest
            .find(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == '-'))
            .unwrap_or(rest.len());
        let (name, tail) = rest.split_at(end);
        let Some(tail) = tail.trim_start().strip_prefix('=') else {
            return list;
        };
        if name.is_empty() {
            return list;
        }
        let tail = tail.trim_start();
        let quote = tail.chars().next().filter(|c| matches!(c, '"' | '\''));
        let (value, after) = match quote {
            Some(quote) => {
                let inner = tail.strip_prefix(quote).unwrap_or(tail);
                inner.split_once(quote).unwrap_or((inner, ""))
            }
            None => {
                let end = tail.find([' ', '>', '\n']).unwrap_or(tail.len());
                tail.split_at(end)
            }
        };
        list.push((name.to_owned(), value.to_owned()));
        rest = after;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_images_and_tags_are_found_outside_code() {
        let table: &[(&str, &[Found])] = &[
            ("plain", &[]),
            ("[a](https://b.c)", &[Found::Link("https://b.c".into())]),
            ("[a](https://b.c/x_(y))", &[Found::Link("https://b.c/x_(y)".into())]),
            ("![a](img_1)", &[Found::Image("img_1".into())]),
            ("\\[a](x)", &[]),
            ("`[a](x)`", &[]),
            ("```\n[a](x)\n```\n", &[]),
            ("`a` [b](c) `d`", &[Found::Link("c".into())]),
            ("a](b)", &[]),
            ("<a href='x'>y</a>", &[Found::Link("x".into())]),
            ("<link url=\"u\" pc_url=''>y</link>", &[Found::Link("u".into())]),
            ("<font color=red>y</font>", &[Found::Colour("red".into())]),
            ("<text_tag color='red'>y</text_tag>", &[Found::TagColour("red".into())]),
            ("<at id=ou_1></at>", &[Found::Mention(vec![("id".into(), "ou_1".into())])]),
            ("<audio file_key='x'></audio>", &[Found::Audio]),
        ];
        for (text, expected) in table {
            assert_eq!(scan(text), *expected, "{text}");
        }
    }

    #[test]
    fn tables_are_counted() {
        let one = "|a|b|\n|:-|--:|\n|1|2|\n";
        assert_eq!(tables(one), 1);
        assert_eq!(tables(&format!("{one}\n{one}")), 2);
        assert_eq!(tables("a | b\n--- | ---\n"), 1);
        assert_eq!(tables("a\n---\n"), 0);
        assert_eq!(tables("```\n|a|\n|-|\n```"), 0);
    }
}
