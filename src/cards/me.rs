//! A person's own users.

use super::days;
use super::engine::template;
use super::facts::{self, Figures, Tag};
use super::text::{fit, md};
use super::{Card, CardContext, Cards};
use crate::app::me::{MeView, MyUser};
use crate::app::outcome::BillingProject;
use crate::domain::{Money, QuotaRequest, RequestState, UserStatus};

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
    one_of_many: bool,
    last_day: Option<String>,
}

/// One of the person's users.
struct Mine<'a> {
    key: String,
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
    chart: Option<days::Chart>,
    /// The pending request.
    request: Option<String>,
    request_id: u64,
    withdrawable: bool,
    /// What became of the last request.
    last: Option<String>,
    /// Whether the form is on this card.
    form: bool,
    /// Whether a button leads to the form.
    may_ask: bool,
}

template!("me");

impl Cards {
    /// A person's own users, quota and spending, and how to ask for more: `/me`, `me.open`. In a group, where others could
    /// press its buttons, it has none.
    pub fn me(&self, view: &MeView, ctx: &CardContext) -> Card {
        let single = view.users.len() == 1;
        let facts = MeFacts {
            last_day: facts::picked_day(ctx),
            users: view
                .users
                .iter()
                .take(USERS)
                .map(|own| self.my_user(own, single, ctx))
                .collect(),
            more: view.users.len().saturating_sub(USERS),
            total: view.users.len(),
            period: view.period.to_string(),
            one_of_many: view.one_of_many && !ctx.in_group,
        };
        self.card(ctx, &facts)
    }

    fn my_user<'a>(&self, own: &'a MyUser, single: bool, ctx: &CardContext) -> Mine<'a> {
        let words = self.words;
        let user = &own.user;
        let may_ask = user.status != UserStatus::Gone && !ctx.in_group;
        let pending =
            own.request.as_ref().filter(|request| request.is_pending() && !request.lapses(ctx.now));
        let last = own.request.as_ref().filter(|_| pending.is_none());
        let rest = own.projects.get(PROJECTS..).unwrap_or_default();
        let rest_sum: Money = rest.iter().map(|row| row.amount).sum();
        let shown = own.projects.iter().take(PROJECTS);
        let labels: Vec<String> = shown.clone().map(|row| self.my_project(row)).collect();
        let amounts: Vec<String> = shown.map(|row| row.amount.to_string()).collect();
        Mine {
            key: user.key.to_string(),
            name: user.key.username.as_str(),
            display: user.display_name.as_str(),
            account: own.account_name.as_str(),
            status: words.standing(user, own.condition, None),
            figures: facts::user_figures(words, user),
            unbilled: facts::unbilled(words, own.unbilled.as_ref(), own.hidden.as_ref()),
            month: own.month.and_then(|month| facts::month(words, user, &month)),
            forecast: own.forecast.and_then(|it| facts::forecast(words, &it)),
            stale: facts::stale(words, own.stale),
            total: own.total.to_string(),
            count: own.projects.len(),
            labels: labels.join("\n"),
            amounts: amounts.join("\n"),
            rest: rest.len(),
            rest_sum: rest_sum.to_string(),
            chart: days::chart(words, &own.days, ctx.now),
            request: pending.map(|request| self.my_request(request)),
            request_id: pending.map_or(0, |request| request.id),
            withdrawable: may_ask
                && pending.is_some_and(|request| request.state == RequestState::Open),
            last: last.map(|request| self.my_request(request)),
            form: single && may_ask,
            may_ask,
        }
    }

    /// A project, and with whom it is shared. The amounts are in a column of their own, so the line must not wrap.
    fn my_project(&self, row: &BillingProject) -> String {
        match &row.shared {
            None => md(&fit(&row.label, 15)),
            Some(shared) => {
                let mark = md(&fit(&self.words.sharing(shared), 9));
                format!("{} <font color='orange'>{mark}</font>", md(&fit(&row.label, 8)))
            }
        }
    }

    /// What was asked for, and how it stands.
    fn my_request(&self, request: &QuotaRequest) -> String {
        let state = self.words.request_state(&request.state);
        self.words.t("me.request", &[("amount", &request.amount), ("state", &state)])
    }
}
