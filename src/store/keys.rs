//! Row keys: how ids are written into them and read from them.

use jiff::civil::Date;

use crate::domain::{
    AccountId, BillPeriod, Counts, PolicyScope, ProjectLink, ProjectName, Switch, UserKey, Username,
};

/// Returns (account, username).
pub(super) fn of_user(user: &UserKey) -> (&str, &str) {
    (user.account.as_str(), user.username.as_str())
}

/// Returns the user of a key that [`of_user`] made.
pub(super) fn user((account, username): (&str, &str)) -> Option<UserKey> {
    Some(UserKey::new(AccountId::new(account).ok()?, Username::new(username).ok()?))
}

/// Returns (account, username, project).
pub(super) fn of_link<'a>(
    user: &'a UserKey,
    project: &'a ProjectName,
) -> (&'a str, &'a str, &'a str) {
    (user.account.as_str(), user.username.as_str(), project.as_str())
}

/// Returns (account, username, project) of policies in a scope. The whole account is the empty project, which no project
/// is called.
pub(super) fn of_scope<'a>(
    user: &'a UserKey,
    scope: &'a PolicyScope,
) -> (&'a str, &'a str, &'a str) {
    let project = scope.project().map_or("", ProjectName::as_str);
    (user.account.as_str(), user.username.as_str(), project)
}

/// Returns (account, username, number): a numbered row of a user.
pub(super) fn of_numbered(user: &UserKey, number: u64) -> (&str, &str, u64) {
    (user.account.as_str(), user.username.as_str(), number)
}

/// Returns a period as YYYYMM.
pub(super) fn of_period(period: BillPeriod) -> u32 {
    u32::from(period.year().unsigned_abs()) * 100 + u32::from(period.month().unsigned_abs())
}

/// Returns the period of a number that [`of_period`] made.
pub(super) fn period(number: u32) -> Option<BillPeriod> {
    let year = i16::try_from(number / 100).ok()?;
    let month = i8::try_from(number % 100).ok()?;
    BillPeriod::new(year, month).ok()
}

/// Set in the mark of a link that counts a part.
const PART: u32 = 1 << 31;

/// The mark of a link that is switched off: it counts nothing.
const UNCOUNTED: u32 = u32::MAX;

/// Returns the mark of a link: the first period that counts as YYYYMM, and whether the link counts a part.
pub(super) fn of_counted(link: &ProjectLink) -> u32 {
    match (link.monitored, link.counts) {
        (Switch::Off, _) => UNCOUNTED,
        (Switch::On, Counts::Whole) => of_period(link.since),
        (Switch::On, Counts::Part) => of_period(link.since) | PART,
    }
}

/// Returns what a mark of [`of_counted`] stands for; `None` if the link counts nothing.
pub(super) fn counted_from(mark: u32) -> Option<(BillPeriod, Counts)> {
    if mark == UNCOUNTED {
        return None;
    }
    let counts = if mark & PART == 0 { Counts::Whole } else { Counts::Part };
    Some((period(mark & !PART)?, counts))
}

/// Returns (period, account, username, project or "" for the total).
pub(super) fn of_spending<'a>(
    period: BillPeriod,
    user: &'a UserKey,
    project: Option<&'a ProjectName>,
) -> (u32, &'a str, &'a str, &'a str) {
    let project = project.map_or("", ProjectName::as_str);
    (of_period(period), user.account.as_str(), user.username.as_str(), project)
}

/// Returns a day as YYYYMMDD.
pub(super) fn of_day(day: Date) -> u32 {
    u32::from(day.year().unsigned_abs()) * 10_000
        + u32::from(day.month().unsigned_abs()) * 100
        + u32::from(day.day().unsigned_abs())
}

/// Returns the day of a number that [`of_day`] made.
pub(super) fn day(number: u32) -> Option<Date> {
    let year = i16::try_from(number / 10_000).ok()?;
    let month = i8::try_from(number / 100 % 100).ok()?;
    Date::new(year, month, i8::try_from(number % 100).ok()?).ok()
}
