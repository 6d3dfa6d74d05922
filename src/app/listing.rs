//! The list of users: filtered, searched, in pages.

use jiff::Timestamp;

use super::outcome::{Level, UserFilter, UserRow, UsersPage};
use super::users::{sorted, thresholds_of};
use crate::domain::{BillPeriod, Money, Settings, Thresholds, UserKey, UserStatus, oldest_stale};
use crate::store::{Directory, Entry, Source, StoreError, View};

/// Rows on one page of the users card.
pub const USERS_A_PAGE: usize = 8;

/// Returns one page of the users that match the filter and the search text; users who are gone come last.
pub fn list<S: Source>(
    tx: &View<S>,
    settings: &Settings,
    filter: UserFilter,
    query: &str,
    page: usize,
    now: Timestamp,
) -> Result<UsersPage, StoreError> {
    let limits = Limits { thresholds: &settings.thresholds, period: BillPeriod::of(now) };
    let directory = tx.directory();
    let query = query.trim();
    // All users are counted once, not with every page: there may be 100,000.
    let all = directory.remembered(
        |listing: &Listing| {
            listing.thresholds == settings.thresholds && listing.period == limits.period
        },
        |directory| Listing::of(directory, limits),
    );
    let found;
    let matching = if query.is_empty() {
        all.of_filter(filter)
    } else {
        found = Matching::of(&directory, limits, filter, &query.to_lowercase());
        &found
    };
    let pages = matching.starts.len().max(1);
    let page = page.clamp(1, pages);
    let mut rows = Vec::with_capacity(USERS_A_PAGE);
    for key in matching.page(&directory, limits, page) {
        let Some(user) = tx.user(key)? else { continue };
        let links = sorted(tx.links_of(key)?);
        rows.push(UserRow {
            ambiguous: directory.is_ambiguous(key),
            level: Level::in_month(&user, thresholds_of(&user, settings), limits.period),
            pending: tx.access_pending(&user.key)?,
            projects: links
                .iter()
                .map(|link| (link.label().to_owned(), link.monitored.is_on()))
                .collect(),
            stale: oldest_stale(&links),
            user,
        });
    }
    Ok(UsersPage {
        rows,
        page,
        pages,
        matching: matching.count,
        counts: UserFilter::ALL.map(|filter| all.of_filter(filter).count),
        filter,
        query: query.to_owned(),
        total_quota: matching.quota,
        total_consumed: matching.consumed,
    })
}

/// What a user's level follows from, beside the user.
#[derive(Clone, Copy)]
struct Limits<'a> {
    /// The global thresholds.
    thresholds: &'a Thresholds,
    /// The current month.
    period: BillPeriod,
}

/// The matching users of every filter, without a search text.
struct Listing {
    /// The global thresholds that decided it.
    thresholds: Thresholds,
    /// The month whose limits counted.
    period: BillPeriod,
    filters: [Matching; 4],
}

impl Listing {
    fn of(directory: &Directory, limits: Limits<'_>) -> Self {
        let filters = UserFilter::ALL.map(|filter| Matching::of(directory, limits, filter, ""));
        Self { thresholds: limits.thresholds.clone(), period: limits.period, filters }
    }

    fn of_filter(&self, filter: UserFilter) -> &Matching {
        let [all, warning, disabled, unallocated] = &self.filters;
        match filter {
            UserFilter::All => all,
            UserFilter::Warning => warning,
            UserFilter::Disabled => disabled,
            UserFilter::Unallocated => unallocated,
        }
    }
}

/// The users that match a filter and a search text.
struct Matching {
    filter: UserFilter,
    /// In lower case.
    query: String,
    count: usize,
    quota: Money,
    consumed: Money,
    /// The first user of every page, and whether that user is gone.
    starts: Vec<(bool, UserKey)>,
}

impl Matching {
    fn of(directory: &Directory, limits: Limits<'_>, filter: UserFilter, query: &str) -> Self {
        let query = query.to_owned();
        let (count, quota, consumed, starts) = (0, Money::ZERO, Money::ZERO, Vec::new());
        let mut matching = Self { filter, query, count, quota, consumed, starts };
        for gone in [false, true] {
            for (key, entry) in directory.iter() {
                if matching.has(entry, limits, gone) {
                    if matching.count.is_multiple_of(USERS_A_PAGE) {
                        matching.starts.push((gone, key.clone()));
                    }
                    matching.count += 1;
                    matching.quota += entry.quota;
                    matching.consumed += entry.consumed;
                }
            }
        }
        matching
    }

    /// Whether a user matches and is gone, or is not.
    fn has(&self, user: &Entry, limits: Limits<'_>, gone: bool) -> bool {
        let thresholds = user.thresholds.as_deref().unwrap_or(limits.thresholds);
        let level = Level::at(user.percent_in(limits.period), thresholds);
        let passes = match self.filter {
            UserFilter::All => true,
            UserFilter::Warning => !gone && level >= Level::Warning,
            UserFilter::Disabled => user.status == UserStatus::Disabled,
            UserFilter::Unallocated => !gone && level == Level::Unallocated,
        };
        (user.status == UserStatus::Gone) == gone && passes && user.contains(&self.query)
    }

    /// The users of a page, from 1.
    fn page<'a>(
        &self,
        directory: &'a Directory,
        limits: Limits<'_>,
        page: usize,
    ) -> Vec<&'a UserKey> {
        let Some((gone, first)) = self.starts.get(page.saturating_sub(1)) else {
            return Vec::new();
        };
        let from_first = directory.from(first).filter(|(_, user)| self.has(user, limits, *gone));
        // After the last one who is not gone, those who are follow.
        let rest = (!gone).then(|| directory.iter()).into_iter().flatten();
        let rest = rest.filter(|(_, user)| self.has(user, limits, true));
        from_first.chain(rest).map(|(key, _)| key).take(USERS_A_PAGE).collect()
    }
}
