//! The users list.

use std::borrow::Cow;

use super::engine::template;
use super::facts::{self, Figures, Tag};
use super::{Card, CardContext, Cards, ListPlace, shown_name};
use crate::app::outcome::{UserFilter, UserRow, UsersPage};
use crate::cards::wording::Wording;

/// Max length of the search text in callback values, in characters.
const QUERY_CHARS: usize = 100;

/// The facts of the users list.
struct UsersFacts<'a> {
    rows: Vec<Row<'a>>,
    page: usize,
    pages: usize,
    matching: usize,
    filter: &'static str,
    filters: Vec<Filter>,
    query: &'a str,
    total_quota: String,
    total_consumed: String,
    empty: String,
}

/// A button that shows other users.
struct Filter {
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
    status: Tag,
    figures: Figures,
    monitored: usize,
    links: usize,
    labels: String,
    stale: Option<String>,
}

template!("users");

impl Cards {
    /// The users list: `/users`, `users.list`.
    pub fn users(&self, page: &UsersPage, ctx: &CardContext) -> Card {
        let words = self.words;
        let query: String = page.query.chars().take(QUERY_CHARS).collect();
        let place = ListPlace { page: page.page, filter: page.filter, query: query.clone() };
        let here = place != ListPlace { page: 1, ..ListPlace::default() };
        let ctx = &ctx.clone().with_back(here.then_some(place));
        let filters = UserFilter::ALL.into_iter().zip(page.counts).map(|(filter, count)| Filter {
            word: filter.word(),
            text: filter_label(words, filter),
            count,
            chosen: filter == page.filter,
        });
        let facts = UsersFacts {
            rows: page.rows.iter().map(|row| self.users_row(row)).collect(),
            page: page.page,
            pages: page.pages,
            matching: page.matching,
            filter: page.filter.word(),
            filters: filters.collect(),
            query: &query,
            total_quota: page.total_quota.to_string(),
            total_consumed: page.total_consumed.to_string(),
            empty: match (page.query.is_empty(), page.filter) {
                (false, _) => words.t("users.none_found", &[]),
                (true, UserFilter::All) => words.t("users.none_yet", &[]),
                (true, _) => words.t("users.none_here", &[]),
            },
        };
        self.card(ctx, &facts)
    }

    fn users_row<'a>(&self, row: &'a UserRow) -> Row<'a> {
        let monitored = row.projects.iter().filter(|(_, monitored)| *monitored).count();
        let labels: Vec<&str> = row.projects.iter().map(|(label, _)| label.as_str()).collect();
        Row {
            key: row.user.key.to_string(),
            name: shown_name(&row.user.key, row.ambiguous),
            display: row.user.display_name.as_str(),
            status: facts::status(self.words, &row.user, row.pending.as_ref()),
            figures: facts::user_figures(self.words, &row.user, row.level),
            monitored,
            links: row.projects.len(),
            labels: labels.join(&self.words.t("list.separator", &[])),
            stale: facts::stale(self.words, row.stale),
        }
    }
}

fn filter_label(words: Wording, filter: UserFilter) -> String {
    match filter {
        UserFilter::All => words.t("filter.all", &[]),
        UserFilter::Warning => words.t("filter.warning", &[]),
        UserFilter::Disabled => words.t("filter.disabled", &[]),
        UserFilter::Unallocated => words.t("filter.unallocated", &[]),
    }
}
