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

    /// Pixels per half of a character cell: about as a terminal draws it.
    const PIXELS: usize = 6;

    /// What a phone reads from a terminal that draws blocks in `ink` on `paper`. With colours, the code brings its own.
    fn scanned(lines: &[String], ink: u8, paper: u8) -> Result<String, rqrr::DeQRError> {
        let coloured = lines[0].starts_with(BLACK_ON_WHITE);
        let (ink, ground) = if coloured { (0, 255) } else { (ink, paper) };
        let cells: Vec<Vec<char>> = lines
            .iter()
            .map(|line| line.trim_start_matches(BLACK_ON_WHITE).trim_end_matches(RESET))
            .map(|line| line.chars().collect())
            .collect();
        // Around the code, the terminal shows its own background.
        let margin = 8 * PIXELS;
        let (width, height) = (cells[0].len() * PIXELS, cells.len() * 2 * PIXELS);
        let mut image = rqrr::PreparedImage::prepare_from_greyscale(
            width + 2 * margin,
            height + 2 * margin,
            |x, y| {
                let inside = |at: usize, size| at.checked_sub(margin).filter(|at| *at < size);
                let (Some(x), Some(y)) = (inside(x, width), inside(y, height)) else {
                    return paper;
                };
                let cell = cells[y / (2 * PIXELS)][x / PIXELS];
                let upper = (y / PIXELS).is_multiple_of(2);
                let filled = cell == '█' || (cell == '▀' && upper) || (cell == '▄' && !upper);
                if filled { ink } else { ground }
            },
        );
        let grids = image.detect_grids();
        assert_eq!(grids.len(), 1, "one code is found");
        grids[0].decode().map(|(_, text)| text)
    }

    /// In a dark window and in a light one, with colours; without them, as blocks of light on a dark window.
    #[test]
    fn a_phone_reads_the_link_from_the_terminal() {
        for link in [LINK.to_owned(), format!("{LINK}{}", "x".repeat(300))] {
            let coloured = lines(&link, true).unwrap();
            assert_eq!(scanned(&coloured, 0, 0).unwrap(), link, "dark window");
            assert_eq!(scanned(&coloured, 0, 255).unwrap(), link, "light window");
            let plain = lines(&link, false).unwrap();
            assert_eq!(scanned(&plain, 255, 0).unwrap(), link, "without colours");
            assert_eq!(scanned(&plain, 220, 30).unwrap(), link, "grey on nearly black");
        }
    }

    #[test]
    fn a_link_that_is_too_long_for_80_columns_gives_no_code() {
        assert!(lines(&format!("{LINK}{}", "x".repeat(380)), true).is_some());
        assert!(lines(&format!("{LINK}{}", "x".repeat(700)), true).is_none());
    }
}
