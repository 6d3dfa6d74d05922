//! Spending by month, users and projects.

use std::borrow::Cow;

use super::engine::{Digits, always, template};
use super::facts;
use super::text::{fit, md};
use super::{Card, CardContext, Cards, shown_name};
use crate::app::billing::PROJECTS_A_PAGE;
use crate::app::outcome::{BillingProject, BillingUser, BillingView};
use crate::domain::Money;

/// Max projects in a user's panel.
const PANEL_PROJECTS: usize = 10;
/// Max months to choose from: each counts as an element (R5).
const MONTHS: usize = 36;

/// The facts of the billing card.
struct BillingFacts<'a> {
    period: String,
    periods: Vec<String>,
    users: Vec<Spending<'a>>,
    /// Whether the user whose card it is has spent nothing.
    nothing: bool,
    page: usize,
    pages: usize,
    total_users: usize,
    total: String,
    own: Option<Own<'a>>,
    chart: Vec<Bar>,
}

/// The user whose card it is.
struct Own<'a> {
    key: String,
    name: &'a str,
    display: &'a str,
    months: String,
    totals: String,
    count: usize,
    sum: String,
}

/// A month in the chart.
struct Bar {
    month: String,
    amount: Digits,
}

/// What a user spent in the month.
struct Spending<'a> {
    key: String,
    name: Cow<'a, str>,
    display: &'a str,
    total: String,
    count: usize,
    labels: String,
    amounts: String,
    rest: usize,
    rest_sum: String,
    stale: Option<String>,
}

always!(Own<'_>);
template!("billing");

impl Cards {
    /// The billing card: `/billing`, `billing.open`.
    pub fn billing(&self, view: &BillingView, ctx: &CardContext) -> Card {
        let own = view.of_user.as_ref();
        let limit = if own.is_some() { PROJECTS_A_PAGE } else { PANEL_PROJECTS };
        let users = view.users.iter().map(|user| self.billing_user(user, limit)).collect();
        // The shown period is always an option, however old it is.
        let mut periods: Vec<String> =
            view.periods.iter().take(MONTHS).map(ToString::to_string).collect();
        let period = view.period.to_string();
        if !periods.contains(&period) {
            periods.push(period.clone());
        }
        let chart = view.recent.iter().map(|(period, total)| Bar {
            month: period.to_string(),
            amount: Digits(total.plain()),
        });
        // A single bar compares nothing.
        let chart = if view.recent.len() < 2 { Vec::new() } else { chart.collect() };
        let mut facts = BillingFacts {
            period,
            periods,
            users,
            nothing: view.users.first().is_none_or(|user| user.projects.is_empty()),
            page: view.page,
            pages: view.pages,
            total_users: view.total_users,
            total: match (own, view.users.first()) {
                (None, _) => view.total,
                (Some(_), Some(user)) => user.total,
                (Some(_), None) => Money::ZERO,
            }
            .to_string(),
            own: own.map(|own| {
                let months: Vec<String> =
                    own.months.iter().take(MONTHS).map(|(period, _)| period.to_string()).collect();
                let totals: Vec<String> =
                    own.months.iter().take(MONTHS).map(|(_, total)| total.to_string()).collect();
                let sum: Money = own.months.iter().map(|(_, total)| *total).sum();
                Own {
                    key: own.user.key.to_string(),
                    name: own.user.key.username.as_str(),
                    display: own.user.display_name.as_str(),
                    months: months.join("\n"),
                    totals: totals.join("\n"),
                    count: own.months.len(),
                    sum: sum.to_string(),
                }
            }),
            chart,
        };
        let card = self.card(ctx, &facts);
        if card.fits() {
            return card;
        }
        facts.chart.clear();
        self.card(ctx, &facts)
    }

    fn billing_user<'a>(&self, user: &'a BillingUser, limit: usize) -> Spending<'a> {
        let rest = user.projects.get(limit..).unwrap_or_default();
        let shown = user.projects.get(..limit).unwrap_or(&user.projects);
        let labels: Vec<String> = shown.iter().map(|row| self.billing_label(row)).collect();
        let amounts: Vec<String> = shown.iter().map(|row| row.amount.to_string()).collect();
        let rest_sum: Money = rest.iter().map(|row| row.amount).sum();
        Spending {
            key: user.key.to_string(),
            name: shown_name(&user.key, user.ambiguous),
            display: user.display_name.as_str(),
            total: user.total.to_string(),
            count: user.projects.len(),
            labels: labels.join("\n"),
            amounts: amounts.join("\n"),
            rest: rest.len(),
            rest_sum: rest_sum.to_string(),
            stale: facts::stale(self.words, user.stale),
        }
    }

    /// A line that must not wrap: the amounts are in a separate column, line by line.
    fn billing_label(&self, row: &BillingProject) -> String {
        match row.freshness.map(|freshness| self.words.freshness(freshness)) {
            Some(Some(mark)) => {
                format!("{} <font color='orange'>{}</font>", md(&fit(&row.label, 7)), md(&mark))
            }
            Some(None) => md(&fit(&row.label, 15)),
            None => {
                let mark = self.words.t("billing.unlinked", &[]);
                format!("{} <font color='grey'>{}</font>", md(&fit(&row.label, 10)), md(&mark))
            }
        }
    }
}
