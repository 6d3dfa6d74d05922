//! Prints tables in aligned columns.

/// The maximum width of a column, in terminal cells.
const MAX_WIDTH: usize = 60;

/// How to lay out cells that exceed the maximum width.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Layout {
    /// Each row is one line; wide cells push the ones after them to the right.
    Lines,
    /// Wide cells are wrapped between words; a row can take several lines.
    Wrapped,
}

/// Formats `rows` under `header` in aligned columns, without trailing spaces.
pub(super) fn table<const N: usize>(
    header: [&str; N],
    rows: &[[String; N]],
    layout: Layout,
) -> String {
    let rows: Vec<[Vec<String>; N]> = std::iter::once(header.map(str::to_owned))
        .chain(rows.iter().cloned())
        .map(|row| {
            row.map(|cell| match layout {
                Layout::Lines => vec![clean(&cell)],
                Layout::Wrapped => wrapped(&clean(&cell)),
            })
        })
        .collect();
    let mut widths = [0; N];
    for row in &rows {
        for (widest, cell) in widths.iter_mut().zip(row) {
            let cell = cell.iter().map(|line| width(line)).max().unwrap_or(0);
            *widest = (*widest).max(cell.min(MAX_WIDTH));
        }
    }
    let mut lines = Vec::new();
    for row in &rows {
        let height = row.iter().map(Vec::len).max().unwrap_or(0);
        for i in 0..height {
            let mut text = String::new();
            for (cell, widest) in row.iter().zip(widths) {
                let part = cell.get(i).map_or("", String::as_str);
                text.push_str(part);
                text.push_str(&" ".repeat(widest.saturating_sub(width(part)) + 2));
            }
            lines.push(text.trim_end().to_owned());
        }
    }
    lines.join("\n")
}

/// Replaces control characters, which could move the cursor.
fn clean(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// Wraps a text between words into lines of at most [`MAX_WIDTH`] cells; a longer word gets a line of its own.
fn wrapped(text: &str) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.is_empty() => line.push_str(word),
            Some(line) if width(line) + 1 + width(word) <= MAX_WIDTH => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

/// The width in terminal cells; East Asian characters take two.
fn width(text: &str) -> usize {
    text.chars()
        .map(|c| match c {
            '\u{1100}'..='\u{115F}' | '\u{2E80}'..='\u{A4CF}' | '\u{AC00}'..='\u{D7A3}' => 2,
            '\u{F900}'..='\u{FAFF}' | '\u{FE30}'..='\u{FE6F}' | '\u{FF00}'..='\u{FF60}' => 2,
            '\u{FFE0}'..='\u{FFE6}' | '\u{1F300}'..='\u{1F64F}' | '\u{20000}'..='\u{3FFFD}' => 2,
            _ => 1,
        })
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_by_terminal_width() {
        let rows =
            [["main", "云上主体", "on"], ["b", "x", "off\nline"]].map(|row| row.map(str::to_owned));
        assert_eq!(
            table(["id", "name", "state"], &rows, Layout::Lines),
            "id    name      state\nmain  云上主体  on\nb     x         off line"
        );
    }

    #[test]
    fn wide_cells_are_wrapped_or_push_the_rest() {
        let long = "word ".repeat(20);
        let rows = [["a".to_owned(), long.trim().to_owned(), "z".to_owned()]];
        let lines = table(["1", "2", "3"], &rows, Layout::Lines);
        assert_eq!(lines.lines().count(), 2);
        assert!(lines.ends_with(&format!("{}  z", long.trim())), "{lines}");
        let wrapped = table(["1", "2", "3"], &rows, Layout::Wrapped);
        let lines: Vec<&str> = wrapped.lines().collect();
        assert_eq!(lines.len(), 3);
        assert!(lines[1].starts_with("a  word ") && lines[1].ends_with("  z"), "{wrapped}");
        assert!(lines[2].starts_with("   word ") && lines[2].ends_with("word"), "{wrapped}");
    }
}
