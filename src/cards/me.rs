//! A person's own users.

use super::engine::template;
use super::facts::{self, Figures, Tag};
use super::text::{fit, md};
use super::{Card, CardContext, Cards};
use crate::app::me::{MeView, MyUser};
use crate::domain::Money;

/// Max users on the card.
const USERS: usize = 5;
/// Max projects per user.
const PROJECTS: usize = 10;

/// The facts of a person's own card.
struct MeFacts<'a> {
    users: Vec<Mine<'a>>,
    more: usize,
    total: usize,
    period: String,
}

/// One of the person's users.
struct Mine<'a> {
    name: &'a str,
    display: &'a str,
    account: &'a str,
    status: Tag,
    figures: Figures,
    unbilled: Option<String>,
    month: Option<String>,
    forecast: Option<String>,
    stale: Option<String>,
    total: String,
    count: usize,
    labels: String,
    amounts: String,
    rest: usize,
    rest_sum: String,
}

template!("me");

impl Cards {
    /// A person's own users, quota and spending: `/me`. It has no controls, since most people who see it have no role.
    pub fn me(&self, view: &MeView, ctx: &CardContext) -> Card {
        let facts = MeFacts {
            users: view.users.iter().take(USERS).map(|own| self.my_user(own)).collect(),
            more: view.users.len().saturating_sub(USERS),
            total: view.users.len(),
            period: view.period.to_string(),
        };
        self.card(ctx, &facts)
    }

    fn my_user<'a>(&self, own: &'a MyUser) -> Mine<'a> {
        let words = self.words;
        let user = &own.user;
        let rest = own.projects.get(PROJECTS..).unwrap_or_default();
        let rest_sum: Money = rest.iter().map(|row| row.amount).sum();
        let shown = own.projects.iter().take(PROJECTS);
        let labels: Vec<String> = shown.clone().map(|row| md(&fit(&row.label, 15))).collect();
        let amounts: Vec<String> = shown.map(|row| row.amount.to_string()).collect();
        Mine {
            name: user.key.username.as_str(),
            display: user.display_name.as_str(),
            account: own.account_name.as_str(),
            status: words.standing(user, own.condition, None),
            figures: facts::user_figures(words, user),
            unbilled: facts::unbilled(words, own.unbilled.as_ref()),
            month: own.month.and_then(|month| facts::month(words, user, &month)),
            forecast: own.forecast.and_then(|it| facts::forecast(words, &it)),
            stale: facts::stale(words, own.stale),
            total: own.total.to_string(),
            count: own.projects.len(),
            labels: labels.join("\n"),
            amounts: amounts.join("\n"),
            rest: rest.len(),
            rest_sum: rest_sum.to_string(),
        }
    }
}
