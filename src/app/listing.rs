//! The list of users: filtered, searched, ordered, in pages.

use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::sync::Arc;

use jiff::Timestamp;

use super::outcome::{ListPlace, UserFilter, UserRow, UserSort, UsersPage};
use super::users::{has_project, sorted, thresholds_of};
use crate::domain::{
    AccountId, BillPeriod, Condition, Money, Settings, Switch, Thresholds, Usage, UserKey,
    UserStatus, condition, oldest_stale,
};
use crate::store::{Entry, Source, StoreError, View};

/// Rows on one page of the users card.
pub const USERS_A_PAGE: usize = 10;

/// Returns one page of the users that match filter, account and search text; users who are gone come last.
pub fn list<S: Source>(
    tx: &View<S>,
    settings: &Settings,
    place: &ListPlace,
    now: Timestamp,
) -> Result<UsersPage, StoreError> {
    let directory = tx.directory();
    let accounts = tx.accounts()?;
    let off: BTreeSet<AccountId> = accounts
        .iter()
        .filter(|account| !account.active.is_on())
        .map(|account| account.id.clone())
        .collect();
    let period = BillPeriod::of(now);
    // All users are judged and ordered once, not with every page: there may be 100,000.
    let all = directory.remembered(
        |known: &Listing| {
            known.period == period && known.off == off && known.thresholds == settings.thresholds
        },
        || Ok::<_, StoreError>(Listing::of(tx, &settings.thresholds, off.clone(), now)),
    )?;
    let query = place.query.trim().to_lowercase();
    let account = place.account.as_ref();
    let found = (!query.is_empty() || account.is_some()).then(|| all.found(&query, account));
    let sums = found.as_ref().map_or(&all.sums, |found| &found.sums);
    let matches = |index: usize| {
        found.as_ref().is_none_or(|found| found.users.get(index).is_some_and(|found| *found))
            && all.users.get(index).is_some_and(|user| user.passes(place.filter))
    };
    let sum = sums.of(place.filter);
    let pages = sum.count.div_ceil(USERS_A_PAGE).max(1);
    let page = place.page.clamp(1, pages);
    let shown = all.page(tx, place.sort, page, matches)?;
    let mut rows = Vec::with_capacity(shown.len());
    for listed in shown {
        let key = &listed.entry.user;
        let Some(user) = tx.user(key)? else { continue };
        let links = sorted(tx.links_of(key)?);
        let month = tx.month(&user, now)?;
        let thresholds = thresholds_of(&user, settings);
        let account = Switch::from(!all.off.contains(&key.account));
        rows.push(UserRow {
            ambiguous: directory.is_ambiguous(key),
            condition: Condition::of_user(
                &user,
                month.as_ref(),
                account,
                has_project(&links),
                thresholds,
            ),
            month,
            spent: match place.sort {
                UserSort::Month => Some(tx.spent_in(key, period)?),
                UserSort::Usage | UserSort::Name => None,
            },
            pending: tx.access_pending(&user.key)?,
            projects: links
                .iter()
                .map(|link| (link.label().to_owned(), link.monitored.is_on()))
                .collect(),
            stale: oldest_stale(&links),
            user,
        });
    }
    let several = accounts.len() > 1;
    Ok(UsersPage {
        rows,
        page,
        pages,
        matching: sum.count,
        counts: UserFilter::ALL.map(|filter| sums.of(filter).count),
        total_quota: sum.quota,
        accounts: accounts
            .into_iter()
            .filter(|_| several)
            .map(|account| (account.id, account.name))
            .collect(),
        place: ListPlace { page, query: place.query.trim().to_owned(), ..place.clone() },
    })
}

/// Returns the users that match filter, account and search text, in the order of their names.
pub fn matching<S: Source>(
    tx: &View<S>,
    settings: &Settings,
    place: &ListPlace,
    now: Timestamp,
) -> Result<Vec<UserKey>, StoreError> {
    let off = tx.accounts()?.into_iter().filter(|account| !account.active.is_on());
    let off: BTreeSet<AccountId> = off.map(|account| account.id).collect();
    let (query, directory) = (place.query.trim().to_lowercase(), tx.directory());
    let matches = directory.entries().filter(|entry| {
        place.account.as_ref().is_none_or(|account| entry.user.account == *account)
            && entry.contains(&query)
            && Listed::of(entry, &settings.thresholds, &off, now).passes(place.filter)
    });
    Ok(matches.map(|entry| entry.user.clone()).collect())
}

/// All users, judged and ordered.
struct Listing {
    /// The global thresholds that decided it.
    thresholds: Thresholds,
    /// The accounts that were off.
    off: BTreeSet<AccountId>,
    /// The month whose spending counts against month limits.
    period: BillPeriod,
    /// By account and name.
    users: Vec<Listed>,
    /// Indices into `users`: see [`UserSort::Usage`].
    by_usage: Vec<u32>,
    sums: Sums,
}

/// A user, and what a list asks about it.
struct Listed {
    entry: Arc<Entry>,
    /// The filters it passes, one bit each, in the order of [`UserFilter::ALL`].
    filters: u8,
    group: Group,
    /// The higher usage of quota and month limit, in millionths.
    millionths: i64,
    /// Of the month limit, if that is the higher one.
    month: Option<Usage>,
}

/// What comes first when users are ordered by usage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Group {
    /// At 100 % or above.
    Over,
    /// Neither quota nor month limit, but spending.
    Unfunded,
    /// Below 100 %.
    Below,
    /// Neither quota nor month limit, and no spending.
    Idle,
    /// No longer in the cloud.
    Gone,
}

impl Listed {
    fn of(
        entry: &Arc<Entry>,
        thresholds: &Thresholds,
        off: &BTreeSet<AccountId>,
        now: Timestamp,
    ) -> Self {
        let gone = entry.status == UserStatus::Gone;
        let month = entry.month_usage(BillPeriod::of(now)).filter(|_| !gone);
        let month = month.filter(|month| month.millionths() > entry.millionths);
        let condition = Condition::of(&condition::Standing {
            account: Switch::from(!off.contains(&entry.user.account)),
            monitored: entry.monitored,
            quota: entry.percent,
            month: month.and_then(Usage::whole_percent),
            spends: entry.consumed.is_positive(),
            // No filter tells whether those that there are are monitored.
            has_project: entry.links > 0,
            thresholds: entry.thresholds.as_deref().unwrap_or(thresholds),
        });
        let funded = entry.percent.is_some() || entry.is_limited;
        let passes = |filter| match filter {
            UserFilter::All => true,
            UserFilter::Warning => !gone && condition.is_warning(),
            UserFilter::Disabled => entry.status == UserStatus::Disabled,
            UserFilter::Unallocated => !gone && !funded,
            UserFilter::Gone => gone,
            UserFilter::NoOwner => !gone && entry.owner.is_none(),
            UserFilter::NoProject => !gone && entry.links == 0,
        };
        let filters = UserFilter::ALL.into_iter().rev();
        let filters = filters.fold(0, |bits, filter| bits << 1 | u8::from(passes(filter)));
        let millionths = month.map_or(entry.millionths, Usage::millionths);
        let group = match millionths {
            _ if gone => Group::Gone,
            Some(1_000_000..) => Group::Over,
            Some(_) => Group::Below,
            None if entry.consumed.is_positive() => Group::Unfunded,
            None => Group::Idle,
        };
        let millionths = millionths.unwrap_or_default();
        Self { entry: Arc::clone(entry), filters, group, millionths, month }
    }

    fn passes(&self, filter: UserFilter) -> bool {
        self.filters & (1 << filter as u8) != 0
    }

    fn usage(&self) -> Usage {
        self.month.unwrap_or_else(|| self.entry.usage_with(Money::ZERO))
    }

    /// By group, then the highest usage first; users without quota and limit by what they spent.
    fn by_usage(&self, other: &Self) -> Ordering {
        self.group.cmp(&other.group).then_with(|| other.millionths.cmp(&self.millionths)).then_with(
            || match self.group {
                Group::Over | Group::Below => other.usage().exactly(self.usage()),
                Group::Unfunded => other.entry.consumed.cmp(&self.entry.consumed),
                Group::Idle | Group::Gone => Ordering::Equal,
            },
        )
    }
}

impl Listing {
    fn of<S: Source>(
        tx: &View<S>,
        thresholds: &Thresholds,
        off: BTreeSet<AccountId>,
        now: Timestamp,
    ) -> Self {
        let directory = tx.directory();
        let users = directory.entries().map(|entry| Listed::of(entry, thresholds, &off, now));
        let users: Vec<Listed> = users.collect();
        let mut by_usage: Vec<(u32, &Listed)> = (0..).zip(&users).collect();
        // A stable sort: users who are equal in this stay in the order of their names.
        by_usage.sort_by(|a, b| a.1.by_usage(b.1));
        let by_usage = by_usage.into_iter().map(|(index, _)| index).collect();
        let mut sums = Sums::default();
        users.iter().for_each(|user| sums.add(user));
        let (thresholds, period) = (thresholds.clone(), BillPeriod::of(now));
        Self { thresholds, off, period, users, by_usage, sums }
    }

    /// Finds the users of an account whose names or remark contain `query`, a text in lower case.
    fn found(&self, query: &str, account: Option<&AccountId>) -> Found {
        let mut sums = Sums::default();
        let find = |user: &Listed| {
            let found = account.is_none_or(|account| user.entry.user.account == *account)
                && user.entry.contains(query);
            if found {
                sums.add(user);
            }
            found
        };
        let users = self.users.iter().map(find).collect();
        Found { users, sums }
    }

    /// Returns the users of a page, from 1, of those that match by their index.
    fn page<S: Source>(
        &self,
        tx: &View<S>,
        sort: UserSort,
        page: usize,
        matches: impl Fn(usize) -> bool,
    ) -> Result<Vec<&Listed>, StoreError> {
        let skip = page.saturating_sub(1).saturating_mul(USERS_A_PAGE);
        let take = |indices: &mut dyn Iterator<Item = usize>| -> Vec<&Listed> {
            let matching = indices.filter(|index| matches(*index));
            let page = matching.skip(skip).take(USERS_A_PAGE);
            page.filter_map(|index| self.users.get(index)).collect()
        };
        Ok(match sort {
            UserSort::Usage => {
                take(&mut self.by_usage.iter().filter_map(|at| usize::try_from(*at).ok()))
            }
            UserSort::Name => take(&mut self.with_gone_last()),
            UserSort::Month => {
                let (mut spenders, mut spends) = (Vec::new(), vec![false; self.users.len()]);
                let mut gone = Vec::new();
                let enough = skip.saturating_add(USERS_A_PAGE);
                let mut matching: usize = 0;
                tx.each_spender_in(self.period, |user| {
                    let Some(index) = self.index_of(&user) else {
                        return ControlFlow::Continue(());
                    };
                    if let Some(spends) = spends.get_mut(index) {
                        *spends = true;
                    }
                    if self.users.get(index).is_some_and(|user| user.group == Group::Gone) {
                        gone.push(index);
                        return ControlFlow::Continue(());
                    }
                    spenders.push(index);
                    matching = matching.saturating_add(usize::from(matches(index)));
                    match matching < enough {
                        true => ControlFlow::Continue(()),
                        false => ControlFlow::Break(()),
                    }
                })?;
                let spends_nothing = |index: usize| spends.get(index).is_some_and(|spends| !spends);
                let idle = self.indices(false).filter(|index| spends_nothing(*index));
                let idle_gone = self.indices(true).filter(|index| spends_nothing(*index));
                take(&mut spenders.into_iter().chain(idle).chain(gone).chain(idle_gone))
            }
        })
    }

    fn index_of(&self, user: &UserKey) -> Option<usize> {
        self.users.binary_search_by(|listed| listed.entry.user.cmp(user)).ok()
    }

    /// The indices of users who are gone, or are not, by name.
    fn indices(&self, gone: bool) -> impl Iterator<Item = usize> {
        let users = self.users.iter().enumerate();
        users.filter(move |(_, user)| (user.group == Group::Gone) == gone).map(|(index, _)| index)
    }

    fn with_gone_last(&self) -> impl Iterator<Item = usize> {
        self.indices(false).chain(self.indices(true))
    }
}

/// Which users were found, by index, and their sums.
struct Found {
    users: Vec<bool>,
    sums: Sums,
}

/// Counts and amounts of the users of every filter.
#[derive(Default)]
struct Sums([Sum; UserFilter::ALL.len()]);

#[derive(Clone, Copy, Default)]
struct Sum {
    count: usize,
    quota: Money,
}

impl Sums {
    fn add(&mut self, user: &Listed) {
        for (sum, filter) in self.0.iter_mut().zip(UserFilter::ALL) {
            if user.passes(filter) {
                sum.count = sum.count.saturating_add(1);
                sum.quota += user.entry.quota;
            }
        }
    }

    fn of(&self, filter: UserFilter) -> Sum {
        self.0.get(filter as usize).copied().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use redb::backends::InMemoryBackend;

    use super::*;
    use crate::app::projects::{self, NewLink};
    use crate::domain::User;
    use crate::store::{AccountSecrets, RecordedReading, Store};

    fn now() -> Timestamp {
        "2026-11-23T02:00:00Z".parse().unwrap()
    }

    fn settings() -> Settings {
        Settings {
            thresholds: Thresholds::default(),
            interval: Duration::from_secs(600),
            alert_chat: None,
            webhook_url: None,
            mobiles: Vec::new(),
            people: Vec::new(),
            approval: Default::default(),
            notify_owners: true,
            digest: None,
        }
    }

    /// Users with their quota and what they consumed; more of each is set by `change`.
    fn store(users: &[(&str, &str, &str)], change: impl Fn(&str, &mut User)) -> Store {
        let store = Store::with_backend(InMemoryBackend::new(), &[1; 32]).unwrap();
        for account in ["labs", "main"] {
            let secrets = AccountSecrets {
                access_key_id: format!("AKLT{account}0000").into(),
                secret_key: "secret".to_owned().into(),
            };
            store.save_account(&account.parse().unwrap(), account, &secrets, now()).unwrap();
        }
        store
            .write(|tx| {
                for (key, quota, consumed) in users {
                    let mut user = User::new(key.parse().unwrap(), now());
                    user.status = UserStatus::Active;
                    user.quota = quota.parse().unwrap();
                    user.consumed = consumed.parse().unwrap();
                    change(key, &mut user);
                    tx.put_user(&user)?;
                }
                Ok::<_, StoreError>(())
            })
            .unwrap();
        store
    }

    fn page(store: &Store, place: &ListPlace) -> UsersPage {
        store.read(|tx| list(tx, &settings(), place, now())).unwrap()
    }

    fn names(store: &Store, place: &ListPlace) -> Vec<String> {
        page(store, place).rows.iter().map(|row| row.user.key.to_string()).collect()
    }

    #[test]
    fn users_come_by_usage_exactly_and_who_spends_without_a_quota_is_near_the_top() {
        let store = store(
            &[
                ("main/a-idle", "0", "0"),
                ("main/b-low", "100", "10"),
                // The same in millionths; only the exact comparison tells them apart.
                ("main/c-less", "9999999.99", "3333333.33"),
                ("main/d-more", "9999999.99", "3333333.34"),
                ("main/e-over", "100", "127.7"),
                ("main/f-unfunded", "0", "7015.22"),
                ("main/g-nearly", "100", "99.99"),
                ("main/h-gone", "100", "500"),
                ("main/i-used-up", "100", "100"),
            ],
            |key, user| {
                if key.ends_with("gone") {
                    user.status = UserStatus::Gone;
                }
            },
        );
        let by_usage = [
            "main/e-over",
            "main/i-used-up",
            "main/f-unfunded",
            "main/g-nearly",
            "main/d-more",
            "main/c-less",
            "main/b-low",
            "main/a-idle",
            "main/h-gone",
        ];
        assert_eq!(names(&store, &ListPlace::default()), by_usage);
        let by_name = ListPlace { sort: UserSort::Name, ..ListPlace::default() };
        let mut sorted = by_usage;
        sorted.sort_unstable();
        sorted[7..].swap(0, 1);
        assert_eq!(names(&store, &by_name), sorted);
    }

    #[test]
    fn the_warning_filter_follows_the_condition_and_its_count_is_true() {
        let store = store(
            &[
                ("main/calm", "100", "49.99"),
                ("main/close", "100", "50"),
                ("main/over", "100", "127"),
                ("main/off", "100", "127"),
                ("labs/close", "100", "95"),
            ],
            |key, user| {
                if key.ends_with("off") {
                    user.monitored = Switch::Off;
                }
                if key.ends_with("calm") {
                    user.owner = Some("ou_1".parse().unwrap());
                }
            },
        );
        let place = |filter| ListPlace { filter, ..ListPlace::default() };
        let warning = page(&store, &place(UserFilter::Warning));
        assert_eq!(
            names(&store, &place(UserFilter::Warning)),
            ["main/over", "labs/close", "main/close"]
        );
        assert_eq!(warning.counts, [5, 3, 0, 0, 0, 4, 5]);
        for row in &warning.rows {
            assert!(row.condition.is_warning(), "{:?}", row.condition);
        }
        // The users of an account that is off are not watched.
        let labs = "labs".parse().unwrap();
        store.write(|tx| tx.set_account_active(&labs, Switch::Off, now())).unwrap();
        let shown = page(&store, &place(UserFilter::Warning));
        assert_eq!((shown.matching, shown.counts[1]), (2, 2));
        let all = page(&store, &place(UserFilter::All));
        let of_labs = all.rows.iter().find(|row| row.user.key.account == labs).unwrap();
        assert_eq!(of_labs.condition, Condition::AccountOff);
        // By account and by text, the counts are those of what was found.
        let account = Some("main".parse().unwrap());
        let found =
            page(&store, &ListPlace { account, query: " O".into(), ..ListPlace::default() });
        assert_eq!((found.matching, found.counts[1]), (3, 2));
        assert_eq!(found.place.query, "O");
    }

    #[test]
    fn a_month_limit_counts_in_order_and_filter() {
        let store = store(&[("main/a", "1000", "10"), ("main/b", "1000", "500")], |key, user| {
            if key.ends_with('a') {
                user.month_limit = Some("5".parse::<Money>().unwrap().try_into().unwrap());
            }
        });
        let user: UserKey = "main/a".parse().unwrap();
        store
            .write(|tx| {
                let link = NewLink { project: "p".into(), ..NewLink::default() };
                projects::add(tx, &user, &link, now()).unwrap();
                let month: BillPeriod = "2026-11".parse().unwrap();
                let spent: Money = "4.5".parse().unwrap();
                let bills = [(("p".parse().unwrap(), month), spent)];
                let account = "main".parse().unwrap();
                tx.record_cycle(&[RecordedReading::of_months(account, bills, now())])?;
                Ok::<_, StoreError>(())
            })
            .unwrap();
        assert_eq!(names(&store, &ListPlace::default()), ["main/a", "main/b"]);
        let place = ListPlace { filter: UserFilter::Warning, ..ListPlace::default() };
        let shown = page(&store, &place);
        assert_eq!(shown.matching, 2);
        assert_eq!(shown.rows[0].condition, Condition::Close { threshold: 90, percent: 90 });
        // By what the month has cost, those who spent nothing last; one has no project.
        let by_month = ListPlace { sort: UserSort::Month, ..ListPlace::default() };
        let shown = page(&store, &by_month);
        assert_eq!(names(&store, &by_month), ["main/a", "main/b"]);
        assert_eq!(shown.rows[0].spent, Some("4.5".parse().unwrap()));
        assert_eq!(shown.counts[6], 1);
        let place = ListPlace { filter: UserFilter::NoProject, ..ListPlace::default() };
        assert_eq!(names(&store, &place), ["main/b"]);
    }

    #[test]
    fn every_page_holds_the_next_ten_in_every_order() {
        let users: Vec<(String, String)> = (0..37)
            .map(|n| (format!("main/u{:02}", n * 7 % 37), (n * 11 % 37).to_string()))
            .collect();
        let users: Vec<(&str, &str, &str)> =
            users.iter().map(|(key, spent)| (key.as_str(), "100", spent.as_str())).collect();
        let store = store(&users, |_, _| {});
        for sort in UserSort::ALL {
            let mut seen = Vec::new();
            for page_number in 1..=4 {
                let place = ListPlace { page: page_number, sort, ..ListPlace::default() };
                seen.extend(names(&store, &place));
            }
            let shown = page(&store, &ListPlace { page: 99, sort, ..ListPlace::default() });
            assert_eq!((shown.page, shown.pages, shown.rows.len()), (4, 4, 7), "{sort:?}");
            seen.sort_unstable();
            seen.dedup();
            assert_eq!(seen.len(), 37, "{sort:?}");
        }
    }
}
