//! Months as people write them: `2026-10`, `2026年10月`, `10月`, `上个月`, `本月`.

use crate::domain::BillPeriod;

/// A month that a person asks for. Some of them depend on the current one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Month {
    /// With its year.
    Exact(BillPeriod),
    /// The last one of this number (1 to 12) that is not in the future.
    Latest(i8),
    /// The current one.
    Current,
    /// The one before the current one.
    Previous,
}

const NUMERALS: [&str; 12] =
    ["一", "二", "三", "四", "五", "六", "七", "八", "九", "十", "十一", "十二"];

impl Month {
    /// Reads a word. Returns `None` if it is not meant as a month, and an error if it is but there is no such month.
    pub(super) fn read(word: &str) -> Option<Result<Self, ()>> {
        match word {
            "本月" | "这个月" | "当月" => return Some(Ok(Month::Current)),
            "上月" | "上个月" => return Some(Ok(Month::Previous)),
            _ => {}
        }
        let body = word.strip_suffix('份').unwrap_or(word);
        if let Some(body) = body.strip_suffix('月') {
            return match body.split_once('年') {
                Some((year, month)) => Some(Self::exact(digits(year)?, number(month)?)),
                None => Some(match i8::try_from(number(body)?) {
                    Ok(month @ 1..=12) => Ok(Month::Latest(month)),
                    _ => Err(()),
                }),
            };
        }
        looks_like_month(word).then(|| word.parse().map(Month::Exact).map_err(|_| ()))
    }

    fn exact(year: i16, month: i16) -> Result<Self, ()> {
        let month = i8::try_from(month).map_err(|_| ())?;
        BillPeriod::new(year, month).map(Month::Exact).map_err(|_| ())
    }

    /// Returns the period, if `current` is the current one.
    pub(super) fn period(self, current: BillPeriod) -> BillPeriod {
        match self {
            Month::Exact(period) => period,
            Month::Current => current,
            Month::Previous => current.previous(),
            Month::Latest(month) => std::iter::successors(Some(current), |p| Some(p.previous()))
                .take(12)
                .find(|period| period.month() == month)
                .unwrap_or(current),
        }
    }
}

/// A number in digits only. One with too many of them is larger than every year and month.
fn digits(text: &str) -> Option<i16> {
    let only_digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    only_digits.then(|| text.parse().unwrap_or(i16::MAX))
}

/// The number of a month, in digits or in Chinese.
fn number(text: &str) -> Option<i16> {
    match NUMERALS.iter().position(|numeral| *numeral == text) {
        Some(at) => i16::try_from(at + 1).ok(),
        None => digits(text),
    }
}

/// Returns whether a word is meant as a month in digits, correctly written or not.
fn looks_like_month(word: &str) -> bool {
    word.starts_with(|c: char| c.is_ascii_digit())
        && word.contains('-')
        && word.chars().all(|c| c.is_ascii_digit() || c == '-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn months_are_read_as_people_write_them() {
        let current: BillPeriod = "2026-11".parse().unwrap();
        for (word, period) in [
            ("2026-10", "2026-10"),
            ("2025年3月", "2025-03"),
            ("10月", "2026-10"),
            ("10月份", "2026-10"),
            ("11月", "2026-11"),
            // Not the one to come.
            ("12月", "2025-12"),
            ("1月", "2026-01"),
            ("十二月", "2025-12"),
            ("上个月", "2026-10"),
            ("上月", "2026-10"),
            ("本月", "2026-11"),
            ("这个月", "2026-11"),
        ] {
            let month = Month::read(word).unwrap().unwrap();
            assert_eq!(month.period(current).to_string(), period, "{word}");
        }
        let january: BillPeriod = "2027-01".parse().unwrap();
        assert_eq!(Month::Previous.period(january).to_string(), "2026-12");
        for word in ["13月", "0月", "2026-13", "2026-1", "1-2", "2026年99999999月", "99999年1月"]
        {
            assert_eq!(Month::read(word), Some(Err(())), "{word}");
        }
        for word in ["alice", "月", "张月", "明月", "王芳", "10", "a-b", "年月", "份"] {
            assert_eq!(Month::read(word), None, "{word}");
        }
    }
}
