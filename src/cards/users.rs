//! The users list.

use std::borrow::Cow;

use super::bar::{Part, shade_colour, thin_bar};
use super::engine::{always, template};
use super::facts::{self, Choice, Tag};
use super::text::{clip, fit};
use super::{Card, CardContext, Cards, ListPlace, shown_name};
use crate::app::outcome::{UserFilter, UserRow, UserSort, UsersPage};
use crate::cards::wording::Wording;
use crate::domain::{AccountId, Money, Shade};

/// Max length of the search text in callback values, in characters.
const QUERY_CHARS: usize = 100;
/// Room for the projects of a row, so that they stay on the line of its amounts where a card is wide, and take no third line on a
/// phone.
const PROJECTS_EMS: usize = 12;
/// Max accounts to choose from: each counts as an element (R5).
const ACCOUNTS: usize = 12;
/// The same where the rows need the room.
const FEW_ACCOUNTS: usize = 3;
/// Max length of the projects of a row then, in characters.
const FEW_PROJECT_CHARS: usize = 12;

/// The facts of the users list.
struct UsersFacts<'a> {
    rows: Vec<Row<'a>>,
    page: usize,
    pages: usize,
    subtitle: String,
    found: bool,
    filter: &'static str,
    query: Option<&'a str>,
    sort: Option<&'static str>,
    account: Option<&'a str>,
    tabs: Vec<Tab>,
    more: Vec<Choice<'static>>,
    more_chosen: &'static str,
    sorts: Vec<Choice<'static>>,
    sort_chosen: &'static str,
    accounts: Vec<Choice<'a>>,
    account_chosen: &'a str,
    total_quota: String,
    empty: String,
}

/// A button that shows other users.
struct Tab {
    word: &'static str,
    text: String,
    count: usize,
    chosen: bool,
}

/// A user.
struct Row<'a> {
    key: String,
    name: Cow<'a, str>,
    display: &'a str,
    tag: Tag,
    spent: String,
    projects: String,
    stale: Option<String>,
    usage: Option<RowUsage>,
    amount: Option<RowAmount>,
}

/// How much is used: a percentage and a bar, of one colour.
struct RowUsage {
    percent: String,
    colour: &'static str,
    loud: bool,
    bar: Vec<Part>,
}

/// What is left, or missing.
struct RowAmount {
    text: String,
    over: bool,
}

always!(RowUsage, RowAmount);
template!("users");

impl Cards {
    /// The users list: `/users`, `users.list`.
    pub fn users(&self, page: &UsersPage, ctx: &CardContext) -> Card {
        let words = self.words;
        let place = &page.place;
        let query: String = place.query.chars().take(QUERY_CHARS).collect();
        let back = ListPlace { query: query.clone(), ..place.clone() };
        let here = back != ListPlace { page: 1, ..ListPlace::default() };
        let ctx = &ctx.clone().with_back(here.then_some(back));
        let counted =
            |filter: UserFilter, count: usize| format!("{} {count}", filter_label(words, filter));
        let counts = || UserFilter::ALL.into_iter().zip(page.counts);
        let tabs = counts().take(UserFilter::TABS).map(|(filter, count)| Tab {
            word: filter.word(),
            text: filter_label(words, filter),
            count,
            chosen: filter == place.filter,
        });
        let none = Choice { value: UserFilter::All.word(), text: words.t("users.more", &[]) };
        let more = counts()
            .skip(UserFilter::TABS)
            .map(|(filter, count)| Choice { value: filter.word(), text: counted(filter, count) });
        let more: Vec<Choice<'_>> = std::iter::once(none).chain(more).collect();
        let is_more = more.iter().any(|choice| choice.value == place.filter.word());
        let sorts = UserSort::ALL
            .into_iter()
            .map(|sort| Choice { value: sort.word(), text: sort_label(words, sort) });
        let account = place.account.as_ref().map(AccountId::as_str);
        let found = !query.is_empty();
        let mut facts = UsersFacts {
            rows: page.rows.iter().map(|row| self.users_row(row)).collect(),
            page: page.page,
            pages: page.pages,
            subtitle: match found {
                true => words
                    .t("users.found", &[("count", &page.matching), ("query", &clip(&query, 40))]),
                false => words.t("users.subtitle", &[("count", &page.matching)]),
            },
            found,
            filter: place.filter.word(),
            query: found.then_some(query.as_str()),
            sort: sort_word(place.sort),
            account,
            tabs: tabs.collect(),
            more,
            more_chosen: if is_more { place.filter.word() } else { UserFilter::All.word() },
            sorts: sorts.collect(),
            sort_chosen: place.sort.word(),
            accounts: accounts(words, page),
            account_chosen: account.unwrap_or(EVERY_ACCOUNT),
            total_quota: page.total_quota.to_string(),
            empty: match (found, place.filter) {
                (true, _) => words.t("users.none_found", &[]),
                (false, UserFilter::All) => words.t("users.none_yet", &[]),
                (false, _) => words.t("users.none_here", &[]),
            },
        };
        let card = self.card(ctx, &facts);
        if card.fits() {
            return card;
        }
        facts.accounts.truncate(FEW_ACCOUNTS);
        for row in &mut facts.rows {
            row.projects = clip(&row.projects, FEW_PROJECT_CHARS);
        }
        self.card(ctx, &facts)
    }

    fn users_row<'a>(&self, row: &'a UserRow) -> Row<'a> {
        let (words, user) = (self.words, &row.user);
        let usage = user.usage().or_stricter(user.month_usage(row.month.as_ref()));
        let shade = Shade::of(usage);
        let is_allocated = usage.whole_percent().is_some();
        let monitored = row.projects.iter().filter(|(_, monitored)| *monitored).count();
        let name = shown_name(&user.key, row.ambiguous);
        let left = user.quota - user.consumed;
        Row {
            key: user.key.to_string(),
            display: if user.display_name == name { "" } else { &user.display_name },
            name,
            tag: words.standing(user, row.condition, row.pending.as_ref()),
            projects: match row.projects.len() {
                0 => words.t("projects.none", &[]),
                all => {
                    let labels: Vec<&str> =
                        row.projects.iter().map(|(label, _)| label.as_str()).collect();
                    let labels = match labels.as_slice() {
                        [only] => fit(only, PROJECTS_EMS),
                        several => {
                            fit(&several.join(&words.t("list.separator", &[])), PROJECTS_EMS)
                        }
                    };
                    let counts =
                        words.t("users.projects", &[("monitored", &monitored), ("total", &all)]);
                    format!("{counts} {labels}")
                }
            },
            spent: words.t("users.spent", &[("consumed", &user.consumed), ("quota", &user.quota)]),
            stale: facts::stale(words, row.stale),
            usage: is_allocated.then(|| RowUsage {
                percent: usage.percent().to_string(),
                colour: shade_colour(shade),
                loud: shade > Shade::Calm,
                bar: thin_bar(usage),
            }),
            amount: match row.spent {
                Some(spent) => Some(RowAmount {
                    text: words.t("users.month", &[("amount", &spent)]),
                    over: false,
                }),
                None if !user.is_allocated() => None,
                None if left < Money::ZERO => {
                    Some(RowAmount { text: left.to_string(), over: true })
                }
                None => {
                    let text = words.t("users.left", &[("amount", &left)]);
                    Some(RowAmount { text, over: false })
                }
            },
        }
    }
}

/// The option that shows users of all accounts. No account's id looks like it.
pub const EVERY_ACCOUNT: &str = "*";

fn accounts<'a>(words: Wording, page: &'a UsersPage) -> Vec<Choice<'a>> {
    if page.accounts.is_empty() {
        return Vec::new();
    }
    let every = Choice { value: EVERY_ACCOUNT, text: words.t("users.every_account", &[]) };
    let chosen = page.place.account.as_ref();
    // The chosen one is always an option.
    let (first, rest): (Vec<_>, Vec<_>) =
        page.accounts.iter().partition(|(id, _)| Some(id) == chosen);
    let own = first.into_iter().chain(rest).take(ACCOUNTS);
    let own = own.map(|(id, name)| Choice { value: id.as_str(), text: facts::account(name, id) });
    let known = chosen.filter(|id| page.accounts.iter().all(|(known, _)| known != *id));
    let unknown = known.map(|id| Choice { value: id.as_str(), text: id.to_string() });
    std::iter::once(every).chain(unknown).chain(own).collect()
}

/// The word of an order in callback values; none for the usual one.
pub(super) fn sort_word(sort: UserSort) -> Option<&'static str> {
    (sort != UserSort::default()).then(|| sort.word())
}

fn sort_label(words: Wording, sort: UserSort) -> String {
    match sort {
        UserSort::Usage => words.t("users.sort_usage", &[]),
        UserSort::Month => words.t("users.sort_month", &[]),
        UserSort::Name => words.t("users.sort_name", &[]),
    }
}

pub(super) fn filter_label(words: Wording, filter: UserFilter) -> String {
    match filter {
        UserFilter::All => words.t("filter.all", &[]),
        UserFilter::Warning => words.t("filter.warning", &[]),
        UserFilter::Disabled => words.t("filter.disabled", &[]),
        UserFilter::Unallocated => words.t("filter.unallocated", &[]),
        UserFilter::Gone => words.t("filter.gone", &[]),
        UserFilter::NoOwner => words.t("filter.no_owner", &[]),
        UserFilter::NoProject => words.t("filter.no_project", &[]),
    }
}
