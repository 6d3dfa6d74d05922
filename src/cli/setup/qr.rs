//! A QR code as text: two rows of modules to a line, dark on light whatever the terminal's colours are.

use qrcode::{Color, EcLevel, QrCode};

/// Light modules around the code. Four are the standard's, two are enough for phones.
const QUIET: usize = 2;
/// The code has to be narrower than this, in columns.
const COLUMNS: usize = 80;
const BLACK_ON_WHITE: &str = "\u{1b}[38;5;16;48;5;231m";
const RESET: &str = "\u{1b}[0m";

/// Returns the lines of the code; `None` if the text is too long for a window of 80 columns. Without `colours`, light
/// modules are drawn as blocks, which suits dark terminals.
pub(super) fn lines(text: &str, colours: bool) -> Option<Vec<String>> {
    let code = QrCode::with_error_correction_level(text, EcLevel::L).ok()?;
    let width = code.width();
    let whole = width + 2 * QUIET;
    if whole >= COLUMNS {
        return None;
    }
    let modules = code.to_colors();
    let is_dark = |x: usize, y: usize| {
        let inside = |at: usize| at.checked_sub(QUIET).filter(|at| *at < width);
        match (inside(x), inside(y)) {
            (Some(x), Some(y)) => modules.get(y * width + x) == Some(&Color::Dark),
            _ => false,
        }
    };
    let line = |y: usize| -> String {
        let cells = (0..whole).map(|x| {
            // With colours the blocks are dark, without them light.
            let filled = |y: usize| is_dark(x, y) == colours && y < whole;
            match (filled(y), filled(y + 1)) {
                (true, true) => '█',
                (true, false) => '▀',
                (false, true) => '▄',
                (false, false) => ' ',
            }
        });
        let cells: String = cells.collect();
        if colours { format!("{BLACK_ON_WHITE}{cells}{RESET}") } else { cells }
    };
    Some((0..whole).step_by(2).map(line).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINK: &str = "https://open.feishu.cn/page/launcher?user_code=K7QX-M3PD";

    #[test]
    fn a_code_is_square_narrow_and_the_same_with_and_without_colours() {
        let plain = lines(LINK, false).unwrap();
        let width = plain[0].chars().count();
        assert!(width < COLUMNS && plain.iter().all(|line| line.chars().count() == width));
        assert_eq!(plain.len(), width.div_ceil(2));
        let coloured = lines(LINK, true).unwrap();
        for (plain, coloured) in plain.iter().zip(&coloured).take(plain.len() - 1) {
            let coloured = coloured.trim_start_matches(BLACK_ON_WHITE).trim_end_matches(RESET);
            let inverse: String = coloured
                .chars()
                .map(|cell| match cell {
                    '█' => ' ',
                    '▀' => '▄',
                    '▄' => '▀',
                    _ => '█',
                })
                .collect();
            assert_eq!(*plain, inverse);
        }
    }

    #[test]
    fn a_link_that_is_too_long_for_80_columns_gives_no_code() {
        assert!(lines(&format!("{LINK}{}", "x".repeat(380)), true).is_some());
        assert!(lines(&format!("{LINK}{}", "x".repeat(700)), true).is_none());
    }
}
