//! 临时额度: an allocation with a last day, which is booked back the day after.

use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::{Money, UserKey, beijing_day};

/// The farthest last day, in days from today.
pub const MAX_DAYS: i32 = 366;

/// Why a text is not a last day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LastDayError {
    /// Not a day.
    #[error("not a day like 2026-12-31 or 12-31")]
    NotADay,
    /// The day is over.
    #[error("the day is over")]
    Past,
    /// More than [`MAX_DAYS`] ahead.
    #[error("more than {MAX_DAYS} days ahead")]
    TooFar,
}

/// How a temporary allocation stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "is")]
pub enum TemporaryState {
    /// It counts.
    Running,
    /// It was booked back after its last day.
    Ended {
        /// When.
        at: Timestamp,
        /// How much: less than the amount if the quota was smaller by then.
        booked_back: Money,
    },
    /// It was taken back before its last day, so nothing is booked back.
    Undone {
        /// When.
        at: Timestamp,
    },
}

/// A temporary allocation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Temporary {
    /// Whose quota.
    pub user: UserKey,
    /// The ledger entry that added it.
    pub seq: u64,
    /// How much.
    pub amount: Money,
    /// The last day on which it counts, in Beijing.
    pub last_day: Date,
    /// How it stands.
    pub state: TemporaryState,
}

impl Temporary {
    /// Returns whether it must be booked back at `now`.
    pub fn is_due(&self, now: Timestamp) -> bool {
        self.state == TemporaryState::Running && is_over(self.last_day, now)
    }
}

/// Returns whether a day is over in Beijing.
pub fn is_over(day: Date, now: Timestamp) -> bool {
    beijing_day(now) > day
}

/// Returns how much to book back of `amount`: never more than the quota, whose total must not fall below 0.
pub fn to_book_back(amount: Money, quota: Money) -> Money {
    amount.min(quota).max(Money::ZERO)
}

/// Checks that a last day is neither over nor too far ahead.
///
/// # Errors
/// [`LastDayError::Past`], [`LastDayError::TooFar`].
pub fn check(day: Date, now: Timestamp) -> Result<Date, LastDayError> {
    let today = beijing_day(now);
    if day < today {
        return Err(LastDayError::Past);
    }
    match today.until(day) {
        Ok(span) if span.get_days() <= MAX_DAYS => Ok(day),
        _ => Err(LastDayError::TooFar),
    }
}

/// Reads what a person typed or picked: `2026-12-31`, `2026/12/31`, `12-31`, `12月31日`, `2026-12-31 +0800` (Feishu's
/// date picker). Without a year, the next such day is meant. Empty means that the allocation is not temporary.
///
/// # Errors
/// [`LastDayError`].
pub fn last_day(text: &str, now: Timestamp) -> Result<Option<Date>, LastDayError> {
    let text = text.trim();
    if text.is_empty() {
        return Ok(None);
    }
    // A date picker adds its zone, such as `+0800`.
    let date = match text.split_once(' ') {
        Some((date, zone)) if zone.starts_with(['+', '-']) => date,
        _ => text,
    };
    let date = date.strip_suffix(['日', '号']).unwrap_or(date);
    let numbers = date
        .split(['-', '/', '.', '年', '月'])
        .map(|part| match part.bytes().all(|byte| byte.is_ascii_digit()) {
            true => part.parse::<i16>().map_err(|_| LastDayError::NotADay),
            false => Err(LastDayError::NotADay),
        })
        .collect::<Result<Vec<_>, _>>()?;
    let today = beijing_day(now);
    let day = |year: i16, month: i16, day: i16| {
        let (month, day) = (i8::try_from(month).ok()?, i8::try_from(day).ok()?);
        Date::new(year, month, day).ok()
    };
    let found = match numbers.as_slice() {
        [year, month, number] if *year >= 2000 => day(*year, *month, *number),
        // 29 February may be up to eight years ahead; that is too far anyway.
        [month, number] => [today.year(), today.year() + 1]
            .into_iter()
            .filter_map(|year| day(year, *month, *number))
            .find(|day| *day >= today),
        _ => None,
    };
    check(found.ok_or(LastDayError::NotADay)?, now).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;

    /// 23:30 on 28 November in Beijing.
    fn now() -> Timestamp {
        "2026-11-28T15:30:00Z".parse().unwrap()
    }

    #[test]
    fn last_days_are_read_as_people_write_them() {
        for (text, day) in [
            ("2026-12-31", date(2026, 12, 31)),
            ("2026/12/31", date(2026, 12, 31)),
            ("2026-12-31 +0800", date(2026, 12, 31)),
            ("2026年12月31日", date(2026, 12, 31)),
            ("12月31日", date(2026, 12, 31)),
            ("12-31", date(2026, 12, 31)),
            ("11.28", date(2026, 11, 28)),
            ("1-5", date(2027, 1, 5)),
        ] {
            assert_eq!(last_day(text, now()), Ok(Some(day)), "{text}");
        }
        assert_eq!(last_day("  ", now()), Ok(None));
    }

    #[test]
    fn other_texts_and_days_out_of_range_are_refused() {
        for text in [
            "+2026-+12-+1",
            "12.1日号",
            "2026-12-28\n2030-01-01",
            "2026-12-28 later",
            "２０２６-12-28",
            "tomorrow",
            "2026-13-01",
            "2026-02-30",
            "12",
            "1-2-3",
            "26-12-31",
            "---",
        ] {
            assert_eq!(last_day(text, now()), Err(LastDayError::NotADay), "{text}");
        }
        assert_eq!(last_day("2026-11-27", now()), Err(LastDayError::Past));
        assert_eq!(last_day("2027-11-29", now()), Ok(Some(date(2027, 11, 29))));
        assert_eq!(last_day("2027-11-30", now()), Err(LastDayError::TooFar));
        assert_eq!(last_day("9999-12-31", now()), Err(LastDayError::TooFar));
    }

    #[test]
    fn an_allocation_is_due_from_midnight_in_beijing_after_its_last_day() {
        let temporary = Temporary {
            user: "main/alice".parse().unwrap(),
            seq: 1,
            amount: Money::from_fen(100),
            last_day: date(2026, 11, 28),
            state: TemporaryState::Running,
        };
        assert!(!temporary.is_due("2026-11-28T15:59:59Z".parse().unwrap()));
        assert!(temporary.is_due("2026-11-28T16:00:00Z".parse().unwrap()));
        let ended = TemporaryState::Ended { at: now(), booked_back: Money::ZERO };
        let ended = Temporary { state: ended, ..temporary };
        assert!(!ended.is_due("2027-11-28T16:00:00Z".parse().unwrap()));
    }

    #[test]
    fn no_more_is_booked_back_than_is_there() {
        let fen = Money::from_fen;
        assert_eq!(to_book_back(fen(100), fen(250)), fen(100));
        assert_eq!(to_book_back(fen(100), fen(30)), fen(30));
        assert_eq!(to_book_back(fen(100), Money::ZERO), Money::ZERO);
    }
}
