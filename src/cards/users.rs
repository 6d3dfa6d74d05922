//! The users list.

use minijinja::{Value, context};

use super::facts;
use super::{Card, CardContext, Cards, ListPlace, shown_name};
use crate::app::outcome::{UserFilter, UserRow, UsersPage};
use crate::cards::wording::Wording;

/// Max length of the search text in callback values, in characters.
const QUERY_CHARS: usize = 100;

impl Cards {
    /// The users list: `/users`, `users.list`.
    pub fn users(&self, page: &UsersPage, ctx: &CardContext) -> Card {
        let words = self.words;
        let query: String = page.place.query.chars().take(QUERY_CHARS).collect();
        let place = ListPlace { query: query.clone(), ..page.place.clone() };
        let here = place != ListPlace { page: 1, ..ListPlace::default() };
        let ctx = &ctx.clone().with_back(here.then_some(place));
        let filters: Vec<Value> = UserFilter::ALL
            .into_iter()
            .zip(page.counts)
            .take(UserFilter::TABS)
            .map(|(filter, count)| {
                context! {
                    word => filter.word(),
                    text => filter_label(words, filter),
                    count => count,
                    chosen => filter == page.place.filter,
                }
            })
            .collect();
        let rows: Vec<Value> = page.rows.iter().map(|row| self.users_row(row)).collect();
        let facts = context! {
            rows => rows,
            page => page.page,
            pages => page.pages,
            matching => page.matching,
            filter => page.place.filter.word(),
            filters => filters,
            query => query.clone(),
            total_quota => page.total_quota.to_string(),
            total_consumed => page.total_consumed.to_string(),
            empty => match (query.is_empty(), page.place.filter) {
                (false, _) => words.t("users.none_found", &[]),
                (true, UserFilter::All) => words.t("users.none_yet", &[]),
                (true, _) => words.t("users.none_here", &[]),
            },
        };
        self.card("users.json.j2", ctx, facts)
    }

    fn users_row(&self, row: &UserRow) -> Value {
        let monitored = row.projects.iter().filter(|(_, monitored)| *monitored).count();
        let labels: Vec<&str> = row.projects.iter().map(|(label, _)| label.as_str()).collect();
        context! {
            key => row.user.key.to_string(),
            name => shown_name(&row.user.key, row.ambiguous),
            display => row.user.display_name.as_str(),
            status => facts::status(self.words, &row.user, row.pending.as_ref()),
            figures => facts::user_figures(self.words, &row.user, facts::level_then(row.user.quota, row.user.consumed)),
            monitored => monitored,
            links => row.projects.len(),
            labels => labels.join(&self.words.t("list.separator", &[])),
            stale => facts::stale(self.words, row.stale),
        }
    }
}

fn filter_label(words: Wording, filter: UserFilter) -> String {
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
