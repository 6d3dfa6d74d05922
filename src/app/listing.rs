//! The list of users: filtered, searched, in pages.

use super::outcome::{Level, UserFilter, UserRow, UsersPage};
use super::users::{sorted, thresholds_of};
use crate::domain::{Money, Settings, Thresholds, UserKey, UserStatus, oldest_stale};
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
) -> Result<UsersPage, StoreError> {
    let directory = tx.directory();
    let query = query.trim();
    // All users are counted once, not with every page: there may be 100,000.
    let all = directory.remembered(
        |listing: &Listing| listing.thresholds == settings.thresholds,
        |directory| Listing::of(directory, &settings.thresholds),
    );
    let found;
    let matching = if query.is_empty() {
        all.of_filter(filter)
    } else {
        found = Matching::of(&directory, &settings.thresholds, filter, &query.to_lowercase());
        &found
    };
    let pages = matching.starts.len().max(1);
    let page = page.clamp(1, pages);
    let mut rows = Vec::with_capacity(USERS_A_PAGE);
    for key in matching.page(&directory, &settings.thresholds, page) {
        let Some(user) = tx.user(key)? else { continue };
        let links = sorted(tx.links_of(key)?);
        rows.push(UserRow {
            ambiguous: directory.is_ambiguous(key),
            level: Level::of(&user, thresholds_of(&user, settings)),
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

/// The matching users of every filter, without a search text.
struct Listing {
    /// The global thresholds that decided it.
    thresholds: Thresholds,
    filters: [Matching; 4],
}

impl Listing {
    fn of(directory: &Directory, thresholds: &Thresholds) -> Self {
        let filters = UserFilter::ALL.map(|filter| Matching::of(directory, thresholds, filter, ""));
        Self { thresholds: thresholds.clone(), filters }
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
    fn of(directory: &Directory, thresholds: &Thresholds, filter: UserFilter, query: &str) -> Self {
        let query = query.to_owned();
        let (count, quota, consumed, starts) = (0, Money::ZERO, Money::ZERO, Vec::new());
        let mut matching = Self { filter, query, count, quota, consumed, starts };
        for gone in [false, true] {
            for (key, entry) in directory.iter() {
                if matching.has(entry, thresholds, gone) {
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
    fn has(&self, user: &Entry, thresholds: &Thresholds, gone: bool) -> bool {
        let level = Level::at(user.percent, user.thresholds.as_deref().unwrap_or(thresholds));
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
        thresholds: &Thresholds,
        page: usize,
    ) -> Vec<&'a UserKey> {
        let Some((gone, first)) = self.starts.get(page.saturating_sub(1)) else {
            return Vec::new();
        };
        let from_first =
            directory.from(first).filter(|(_, user)| self.has(user, thresholds, *gone));
        // After the last one who is not gone, those who are follow.
        let rest = (!gone).then(|| directory.iter()).into_iter().flatten();
        let rest = rest.filter(|(_, user)| self.has(user, thresholds, true));
        from_first.chain(rest).map(|(key, _)| key).take(USERS_A_PAGE).collect()
    }
}
