//! A person's own users.

use minijinja::{Value, context};

use super::facts;
use super::text::{fit, md};
use super::{Card, CardContext, Cards};
use crate::app::me::{MeView, MyUser};
use crate::domain::Money;

/// Max users on the card.
const USERS: usize = 5;
/// Max projects per user.
const PROJECTS: usize = 10;

impl Cards {
    /// A person's own users, quota and spending: `/me`. It has no controls, since most people who see it have no role.
    pub fn me(&self, view: &MeView, ctx: &CardContext) -> Card {
        let users: Vec<Value> =
            view.users.iter().take(USERS).map(|own| self.my_user(own)).collect();
        let facts = context! {
            users => users,
            more => view.users.len().saturating_sub(USERS),
            total => view.users.len(),
            period => view.period.to_string(),
        };
        self.card("me.json.j2", ctx, facts)
    }

    fn my_user(&self, own: &MyUser) -> Value {
        let words = self.words;
        let user = &own.user;
        let rest = own.projects.get(PROJECTS..).unwrap_or_default();
        let rest_sum: Money = rest.iter().map(|row| row.amount).sum();
        let shown = own.projects.iter().take(PROJECTS);
        let labels: Vec<String> = shown.clone().map(|row| md(&fit(&row.label, 15))).collect();
        let amounts: Vec<String> = shown.map(|row| row.amount.to_string()).collect();
        context! {
            name => user.key.username.as_str(),
            display => user.display_name.as_str(),
            account => own.account_name.as_str(),
            status => facts::status(words, user, None),
            figures => facts::user_figures(words, user, own.level),
            unbilled => facts::unbilled(words, own.unbilled.as_ref()),
            stale => facts::stale(words, own.stale),
            forecast => own.forecast.and_then(|it| facts::forecast(words, &it)),
            month => own.month.and_then(|month| facts::month(words, user, &month)),
            total => own.total.to_string(),
            count => own.projects.len(),
            labels => labels.join("\n"),
            amounts => amounts.join("\n"),
            rest => rest.len(),
            rest_sum => rest_sum.to_string(),
        }
    }
}
