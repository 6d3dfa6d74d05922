//! Tables for people, in columns.

/// Columns are padded to at most so many cells; what is wider stands out.
const WIDEST: usize = 60;

/// `rows` under `header`, columns aligned, without blanks at the ends of lines.
pub(super) fn table<const N: usize>(header: [&str; N], rows: &[[String; N]]) -> String {
    let mut widths = header.map(width);
    for row in rows {
        for (widest, cell) in widths.iter_mut().zip(row) {
            *widest = (*widest).max(width(cell).min(WIDEST));
        }
    }
    let mut lines = vec![line(&header, &widths)];
    lines.extend(rows.iter().map(|row| line(&row.each_ref().map(String::as_str), &widths)));
    lines.join("\n")
}

fn line<const N: usize>(cells: &[&str; N], widths: &[usize; N]) -> String {
    let mut text = String::new();
    for (cell, widest) in cells.iter().zip(widths) {
        let cell: String = cell.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        text.push_str(&cell);
        text.push_str(&" ".repeat(widest.saturating_sub(width(&cell)) + 2));
    }
    text.truncate(text.trim_end().len());
    text
}

/// Cells of a terminal; characters of East Asia take two.
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
    fn columns_are_aligned_by_what_a_terminal_shows() {
        let rows =
            [["main", "云上主体", "on"], ["b", "x", "off\nline"]].map(|row| row.map(str::to_owned));
        assert_eq!(
            table(["id", "name", "state"], &rows),
            "id    name      state\nmain  云上主体  on\nb     x         off line"
        );
    }
}
