//! A usage as a bar: columns side by side, a gap at every threshold.
//!
//! A column's weight is 1 to 5 (docs/platforms/card-rules.md), and neighbours of one colour may show a seam. So a bar has as few
//! columns as possible: one for each part between two thresholds, and only the part in which the usage lies is divided,
//! into what is filled and what is not.

use super::engine::always;
use crate::domain::{Shade, Usage};

/// What is not filled.
const EMPTY: &str = "grey-200";
/// The heaviest column.
const WEIGHT: u32 = 5;
/// A bar's parts are multiples of this many percent, as long as it ends at or below [`FINE`].
const UNIT: u32 = 5;
/// Up to this many percent a bar shows its thresholds. Beyond, only where 100 % is.
const FINE: u32 = 200;
/// A label needs this share of the bar, in percent.
const LABEL: u32 = 9;

/// A bar, and the labels below it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bar {
    /// From left to right.
    pub pieces: Vec<Piece>,
    /// In columns of the same weights.
    pub labels: Vec<Label>,
}

/// A column of a bar.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// Its weight beside the other pieces.
    pub weight: u32,
    /// The colour, if it has only one.
    pub colour: Option<&'static str>,
    /// What it is divided into otherwise.
    pub split: Vec<Part>,
    /// Whether a threshold is at its end.
    pub gap: bool,
}

/// A part of a divided column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// Its weight beside the other parts.
    pub weight: u32,
    /// Its colour.
    pub colour: &'static str,
}

/// What is written below a column, at its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    /// The weight of the column.
    pub weight: u32,
    /// A threshold.
    pub text: Option<String>,
}

always!(Bar);

/// The colour of a usage; calm ones are blue, which says nothing.
pub fn shade_colour(shade: Shade) -> &'static str {
    match shade {
        Shade::Calm => "blue",
        Shade::Yellow => "yellow",
        Shade::Orange => "orange",
        Shade::Red => "red",
    }
}

/// A part between two thresholds.
struct Stretch {
    from: u32,
    to: u32,
    units: u32,
    /// Whether a threshold is at its end.
    tick: bool,
}

/// Returns the bar of a usage; `None` if nothing is allocated. It ends at 100 %, or farther right if the usage or a threshold
/// does. Its filled part passes a threshold only if the usage reaches it.
pub fn bar(usage: Usage, thresholds: &[u16]) -> Option<Bar> {
    let percent = u32::try_from(usage.whole_percent()?.max(0)).unwrap_or(u32::MAX);
    let is_some = usage.millionths() > Some(0);
    let colour = shade_colour(Shade::of(usage));
    let stretches = stretches(percent, thresholds);
    let whole: u32 = stretches.iter().map(|it| it.units).sum();
    let mut bar = Bar::default();
    for (index, stretch) in stretches.iter().enumerate() {
        let last = index + 1 == stretches.len();
        let is_reached = percent >= stretch.to;
        let begins = index == 0 && is_some && !is_reached;
        // What is filled, in millionths of the stretch.
        let filled = match stretch.to.saturating_sub(stretch.from) {
            _ if is_reached => 1_000_000,
            0 => 0,
            length => {
                let millionths = usage.millionths().unwrap_or_default();
                let beyond = millionths.saturating_mul(100) - i64::from(stretch.from) * 1_000_000;
                u64::try_from(beyond).unwrap_or(0) / u64::from(length)
            }
        };
        let chunks = chunks(stretch.units);
        let mut before: u64 = 0;
        for (at, weight) in chunks.iter().copied().enumerate() {
            let ends = at + 1 == chunks.len();
            let share = u64::from(weight) * 1_000_000;
            let own = (filled * u64::from(stretch.units)).saturating_sub(before).min(share);
            before += share;
            let millionths = own / u64::from(weight);
            let (colour, split) = match millionths {
                1_000_000.. => (Some(colour), Vec::new()),
                0 if !(begins && at == 0) => (Some(EMPTY), Vec::new()),
                part => (None, split(part, colour)),
            };
            bar.pieces.push(Piece { weight, colour, split, gap: ends && !last });
            let fits = weight * 100 >= LABEL * whole;
            let text = (ends && stretch.tick && fits).then(|| format!("{}%", stretch.to));
            bar.labels.push(Label { weight, text });
        }
    }
    Some(bar)
}

/// Returns the bar of a usage without thresholds, for a row of a list: at most three columns, so that a page has room for ten. What
/// is filled is rounded down, but shows from the first fen on, and is full from 100 % on only.
pub fn thin_bar(usage: Usage) -> Vec<Part> {
    let colour = shade_colour(Shade::of(usage));
    let part = |weight, colour| Part { weight, colour };
    let millionths = match usage.millionths() {
        Some(1_000_000..) => return vec![part(1, colour)],
        Some(millionths @ 1..) => u64::try_from(millionths).unwrap_or(0),
        _ => return vec![part(1, EMPTY)],
    };
    let share =
        |(filled, empty): (u32, u32)| u64::from(filled) * 1_000_000 / u64::from(filled + empty);
    // One of the two may take two columns.
    let both =
        (1..=2 * WEIGHT).flat_map(|filled| (1..=2 * WEIGHT).map(move |empty| (filled, empty)));
    let fitting = both.filter(|(filled, empty)| *filled <= WEIGHT || *empty <= WEIGHT);
    let below = fitting.filter(|shares| share(*shares) <= millionths);
    let (filled, empty) =
        below.min_by_key(|shares| std::cmp::Reverse(share(*shares))).unwrap_or((1, 2 * WEIGHT));
    let mut parts = Vec::with_capacity(3);
    for (units, colour) in [(filled, colour), (empty, EMPTY)] {
        let first = units.min(WEIGHT);
        parts.extend(
            [first, units - first].into_iter().filter(|it| *it > 0).map(|it| part(it, colour)),
        );
    }
    parts
}

/// Divides a bar at its thresholds.
fn stretches(percent: u32, thresholds: &[u16]) -> Vec<Stretch> {
    let used_up = u32::from(Usage::USED_UP);
    let highest = thresholds.iter().copied().max().map_or(0, u32::from).max(used_up);
    if percent.max(highest) > FINE {
        // Two numbers of which neither is more than five times the other say where 100 % is.
        let end = percent.max(highest);
        let (own, rest) = ratio(used_up, end - used_up);
        return vec![
            Stretch { from: 0, to: used_up, units: own, tick: true },
            Stretch { from: used_up, to: end, units: rest, tick: false },
        ];
    }
    let end = percent.saturating_add(u32::from(percent >= used_up)).max(highest);
    let end = if end > used_up { end.div_ceil(2 * UNIT) * 2 * UNIT } else { used_up };
    let mut ticks: Vec<u32> = thresholds.iter().copied().map(u32::from).collect();
    ticks.push(used_up);
    ticks.sort_unstable();
    ticks.dedup();
    let mut stretches: Vec<Stretch> = Vec::new();
    let (mut from, mut at) = (0, 0);
    for tick in ticks {
        // The nearest multiple; a threshold that falls together with its neighbour gives way, 100 % never does.
        let place = (tick + UNIT / 2) / UNIT;
        if place <= at || (tick < used_up && place >= used_up / UNIT) {
            continue;
        }
        stretches.push(Stretch { from, to: tick, units: place - at, tick: true });
        (from, at) = (tick, place);
    }
    if from < end && end / UNIT > at {
        stretches.push(Stretch { from, to: end, units: end / UNIT - at, tick: false });
    }
    let common = stretches.iter().fold(0, |common, it| divisor(common, it.units)).max(1);
    stretches.iter_mut().for_each(|it| it.units /= common);
    stretches
}

/// Divides a column into what is filled, rounded down, and what is not. Both parts show.
fn split(millionths: u64, colour: &'static str) -> Vec<Part> {
    let mut best = (1, 4 * WEIGHT);
    let narrow = (1..=4 * WEIGHT).flat_map(|n| [(1, n), (n, 1)]);
    let even = (1..=WEIGHT).flat_map(|filled| (1..=WEIGHT).map(move |empty| (filled, empty)));
    for (filled, empty) in narrow.chain(even) {
        let share =
            |(filled, empty): (u32, u32)| u64::from(filled) * 1_000_000 / u64::from(filled + empty);
        if share((filled, empty)) <= millionths && share((filled, empty)) > share(best) {
            best = (filled, empty);
        }
    }
    let parts =
        |units, colour| chunks(units).into_iter().map(move |weight| Part { weight, colour });
    parts(best.0, colour).chain(parts(best.1, EMPTY)).collect()
}

/// The weights of the columns that are together as wide as `units`.
fn chunks(units: u32) -> Vec<u32> {
    let count = units.div_ceil(WEIGHT).max(1);
    (0..count).map(|n| (units + n) / count).collect()
}

/// The two numbers from 1 to 5 whose ratio is nearest to that of `a` to `b`.
fn ratio(a: u32, b: u32) -> (u32, u32) {
    let distance = |own: u32, rest: u32| {
        let (own, rest) = (u64::from(own), u64::from(rest));
        // own / (own + rest) beside a / (a + b), in millionths.
        let wanted = u64::from(a) * 1_000_000 / (u64::from(a) + u64::from(b)).max(1);
        (own * 1_000_000 / (own + rest)).abs_diff(wanted)
    };
    let all = (1..=WEIGHT).flat_map(|own| (1..=WEIGHT).map(move |rest| (own, rest)));
    all.min_by_key(|(own, rest)| distance(*own, *rest)).unwrap_or((1, 1))
}

fn divisor(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { divisor(b, a % b) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(percent: &str, thresholds: &[u16]) -> Bar {
        bar(Usage::new(percent.parse().unwrap(), "100".parse().unwrap()), thresholds).unwrap()
    }

    /// `5#` is a filled column, `3.` an empty one, `1(4#1.)` a divided one, `|` a threshold.
    fn drawn(bar: &Bar) -> String {
        let mark = |colour: &str| if colour == EMPTY { '.' } else { '#' };
        let mut text = String::new();
        for piece in &bar.pieces {
            text.push_str(&piece.weight.to_string());
            match piece.colour {
                Some(colour) => text.push(mark(colour)),
                None => {
                    let parts = piece.split.iter();
                    let parts: String =
                        parts.map(|part| format!("{}{}", part.weight, mark(part.colour))).collect();
                    text.push_str(&format!("({parts})"));
                }
            }
            text.push_str(if piece.gap { "|" } else { " " });
        }
        text.trim_end().to_owned()
    }

    #[test]
    fn a_bar_shows_what_is_used_and_where_the_thresholds_are() {
        for (percent, expected) in [
            ("0", "5.|3.|1.|1."),
            ("0.01", "5(1#5.5.5.5.)|3.|1.|1."),
            ("10.4", "5(1#4.)|3.|1.|1."),
            ("25", "5(1#1.)|3.|1.|1."),
            ("48", "5(5#5#5#5#1.)|3.|1.|1."),
            ("49.99", "5(5#5#5#5#1.)|3.|1.|1."),
            ("50", "5#|3.|1.|1."),
            ("50.01", "5#|3(1#5.5.5.5.)|1.|1."),
            ("79.6", "5#|3(5#5#5#5#1.)|1.|1."),
            ("80", "5#|3#|1.|1."),
            ("88", "5#|3#|1(4#1.)|1."),
            ("90", "5#|3#|1#|1."),
            ("95", "5#|3#|1#|1(1#1.)"),
            ("99.99", "5#|3#|1#|1(5#5#5#5#1.)"),
            ("100", "5#|3#|1#|1#|1."),
            ("103.2", "5#|3#|1#|1#|1(2#5.)"),
            ("127.7", "5#|3#|1#|1#|3(4#4#4#1.)"),
            ("390.1", "1#|3#"),
            ("99999", "1#|5#"),
        ] {
            let bar = of(percent, &[50, 80, 90]);
            assert_eq!(drawn(&bar), expected, "{percent}");
        }
        assert_eq!(bar(Usage::new("5".parse().unwrap(), "0".parse().unwrap()), &[50]), None);
    }

    #[test]
    fn labels_name_the_thresholds_where_there_is_room() {
        let labels = |percent, thresholds: &[u16]| -> Vec<String> {
            let bar = of(percent, thresholds);
            bar.labels.into_iter().filter_map(|label| label.text).collect()
        };
        assert_eq!(labels("10", &[50, 80, 90]), ["50%", "80%", "90%", "100%"]);
        assert_eq!(labels("10", &[50, 80, 95]), ["50%", "80%", "95%"]);
        assert_eq!(labels("390", &[50, 80, 90]), ["100%"]);
        assert_eq!(labels("10", &[100, 150]), ["100%", "150%"]);
        assert_eq!(labels("10", &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10]), ["100%"]);
    }

    proptest! {
        #[test]
        fn a_bar_is_as_full_as_the_usage_says(
            fen in 0i64..60_000, thresholds in prop::collection::btree_set(1u16..=500, 1..=10),
        ) {
            let thresholds: Vec<u16> = thresholds.into_iter().collect();
            let percent = format!("{}.{:02}", fen / 100, fen % 100);
            let bar = of(&percent, &thresholds);
            let whole: u32 = bar.pieces.iter().map(|piece| piece.weight).sum();
            prop_assert_eq!(whole, bar.labels.iter().map(|label| label.weight).sum::<u32>());
            let weights = bar.pieces.iter().flat_map(|piece| {
                piece.split.iter().map(|part| part.weight).chain([piece.weight])
            });
            prop_assert!(weights.into_iter().all(|weight| (1..=WEIGHT).contains(&weight)));
            prop_assert!(bar.pieces.len() <= 20);
            // Filled from the left without holes, something if anything is used, everything only from 100 % on.
            let marks: String = drawn(&bar).chars().filter(|c| matches!(c, '#' | '.')).collect();
            prop_assert!(!marks.contains(".#"), "{marks}");
            prop_assert_eq!(marks.starts_with('#'), fen > 0, "{}", marks);
            prop_assert!(marks.contains('.') || fen >= 10_000);
        }
    }

    #[test]
    fn a_thin_bar_is_full_at_100_percent_only_and_has_three_columns_at_most() {
        let parts = |consumed: &str| {
            let usage = Usage::new(consumed.parse().unwrap(), "100".parse().unwrap());
            let parts = thin_bar(usage);
            assert!((1..=3).contains(&parts.len()), "{consumed}: {parts:?}");
            let of = |wanted: bool| -> u32 {
                let those = parts.iter().filter(|part| (part.colour != EMPTY) == wanted);
                those.map(|part| part.weight).sum()
            };
            (of(true), of(false))
        };
        assert_eq!(parts("0"), (0, 1));
        assert_eq!(parts("0.01"), (1, 10));
        assert_eq!(parts("50"), (1, 1));
        assert_eq!(parts("99.99"), (10, 1));
        assert_eq!(parts("100"), (1, 0));
        assert_eq!(parts("300"), (1, 0));
        for percent in 1..100_u32 {
            let (filled, empty) = parts(&percent.to_string());
            assert!(filled * 100 <= percent.max(10) * (filled + empty), "{percent}");
        }
    }
}
