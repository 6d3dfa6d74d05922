//! Spending by month, users and projects.

use minijinja::{Value, context};

use super::facts;
use super::text::{clip, fit, md};
use super::{Card, CardContext, Cards, shown_name};
use crate::app::billing::PROJECTS_A_PAGE;
use crate::app::outcome::{BillingProject, BillingUser, BillingView, EstimatedAccount};
use crate::domain::{Money, ProjectName};

/// Max projects in a user's panel.
const PANEL_PROJECTS: usize = 10;
/// Max accounts whose estimate is shown.
const ACCOUNTS: usize = 3;
/// Max months to choose from: each counts as an element (R5).
const MONTHS: usize = 36;

impl Cards {
    /// The billing card: `/billing`, `billing.open`.
    pub fn billing(&self, view: &BillingView, ctx: &CardContext) -> Card {
        let own = view.of_user.as_ref();
        let limit = if own.is_some() { PROJECTS_A_PAGE } else { PANEL_PROJECTS };
        let users: Vec<Value> =
            view.users.iter().map(|user| self.billing_user(user, limit)).collect();
        // The shown period is always an option, however old it is.
        let mut periods: Vec<String> =
            view.periods.iter().take(MONTHS).map(ToString::to_string).collect();
        let period = view.period.to_string();
        if !periods.contains(&period) {
            periods.push(period.clone());
        }
        let facts = context! {
            period => period,
            periods => periods,
            users => users,
            estimates => view.estimates.iter().take(ACCOUNTS).map(|it| self.estimated(it)).collect::<Vec<_>>(),
            page => view.page,
            pages => view.pages,
            total_users => view.total_users,
            total => match (own, view.users.first()) {
                (None, _) => view.total,
                (Some(_), Some(user)) => user.total,
                (Some(_), None) => Money::ZERO,
            }.to_string(),
            own => own.map(|own| {
                let months: Vec<String> =
                    own.months.iter().take(MONTHS).map(|(period, _)| period.to_string()).collect();
                let totals: Vec<String> =
                    own.months.iter().take(MONTHS).map(|(_, total)| total.to_string()).collect();
                let sum: Money = own.months.iter().map(|(_, total)| *total).sum();
                context! {
                    key => own.user.key.to_string(),
                    name => own.user.key.username.as_str(),
                    display => own.user.display_name.as_str(),
                    months => months.join("\n"),
                    totals => totals.join("\n"),
                    count => own.months.len(),
                    sum => sum.to_string(),
                }
            }),
        };
        let chart: Vec<Value> = view
            .recent
            .iter()
            .map(|(period, total)| {
                context! { month => period.to_string(), amount => total.plain() }
            })
            .collect();
        // A single bar compares nothing.
        let chart = if chart.len() < 2 { Vec::new() } else { chart };
        let card = self.card("billing.json.j2", ctx, context! { chart => chart, ..facts.clone() });
        if card.fits() {
            return card;
        }
        self.card("billing.json.j2", ctx, context! { chart => Vec::<Value>::new(), ..facts })
    }

    /// What is estimated of an account: how much, how much of it is not visible, and what it does not know.
    fn estimated(&self, account: &EstimatedAccount) -> String {
        let (words, estimate) = (self.words, &account.estimate);
        let name = clip(&account.name, 20);
        let (Some(since), Some(read_at)) = (estimate.days.keys().next(), estimate.read_at) else {
            let reason = clip(estimate.trouble.as_deref().unwrap_or_default(), 80);
            return words.t("estimate.unread", &[("account", &name), ("reason", &reason)]);
        };
        let (since, time) = (words.day(*since), words.time(read_at));
        let values: [(&str, &dyn std::fmt::Display); 5] = [
            ("account", &name),
            ("amount", &estimate.total.rounded()),
            ("hidden", &estimate.hidden.rounded()),
            ("since", &since),
            ("time", &time),
        ];
        let mut text = words.t("estimate.account", &values);
        if estimate.older_count > 0 {
            let names: Vec<&str> = estimate.older.iter().map(ProjectName::as_str).collect();
            let names = clip(&names.join(&words.t("list.separator", &[])), 40);
            let count = estimate.older_count;
            text.push_str(&words.t("estimate.older", &[("projects", &names), ("count", &count)]));
        }
        if let Some(reason) = &estimate.trouble {
            text.push_str(&words.t("estimate.trouble", &[("reason", &clip(reason, 80))]));
        }
        text
    }

    fn billing_user(&self, user: &BillingUser, limit: usize) -> Value {
        let rest = user.projects.get(limit..).unwrap_or_default();
        let shown = user.projects.get(..limit).unwrap_or(&user.projects);
        let labels: Vec<String> = shown.iter().map(|row| self.billing_label(row)).collect();
        let amounts: Vec<String> = shown.iter().map(|row| row.amount.to_string()).collect();
        let rest_sum: Money = rest.iter().map(|row| row.amount).sum();
        context! {
            key => user.key.to_string(),
            name => shown_name(&user.key, user.ambiguous),
            display => user.display_name.as_str(),
            total => user.total.to_string(),
            count => user.projects.len(),
            labels => labels.join("\n"),
            amounts => amounts.join("\n"),
            rest => rest.len(),
            rest_sum => rest_sum.to_string(),
            stale => facts::stale(self.words, user.stale),
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
