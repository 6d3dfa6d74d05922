//! Spending by month, users and projects.

use std::borrow::Cow;

use super::engine::{Digits, always, template};
use super::facts;
use super::text::{clip, fit, md};
use super::{Card, CardContext, Cards, days, shown_name};
use crate::app::billed_projects::{BilledProject, BilledProjects};
use crate::app::billing::PROJECTS_A_PAGE;
use crate::app::outcome::{
    AccountShare, BillingProject, BillingUser, BillingView, EstimatedAccount,
};
use crate::domain::{BillPeriod, Change, Money, ProjectName, Usage, shown_parts};

/// Max projects in a user's row.
const ROW_PROJECTS: usize = 3;
/// Cells of the bar that shows a user's share.
const CELLS: u32 = 7;
/// Max accounts whose bills are shown one by one.
const ACCOUNTS: usize = 4;
/// Max accounts whose estimate is shown.
const ESTIMATED: usize = 3;
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
    /// The month before, if there are bills of it.
    previous: Option<String>,
    change: Option<String>,
    month_end: Option<String>,
    own: Option<Own<'a>>,
    split: Option<Split<'a>>,
    estimates: Vec<String>,
    chart: Vec<Bar>,
    /// What the current month, which is not over, is called in the chart.
    chart_title: String,
    days: Option<days::Chart>,
    /// `project` where projects are listed instead of users.
    by: Option<&'static str>,
    projects: Vec<Project<'a>>,
    /// What the changes of the projects compare.
    compared: Option<String>,
}

/// What a project cost in the month, whoever pays for it.
struct Project<'a> {
    label: String,
    id: Option<&'a str>,
    who: String,
    total: String,
    share: Option<SpendingShare>,
    change: Option<String>,
    /// The card that it leads to: of its only user, or of what no user pays for.
    user: Option<String>,
    rest: Option<&'a str>,
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
    /// Why the sum is not what was consumed.
    apart: Option<String>,
}

/// A month in the chart.
struct Bar {
    month: String,
    amount: Digits,
    series: String,
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
    /// The most expensive projects in one line.
    projects: String,
    share: Option<SpendingShare>,
    stale: Option<String>,
}

/// A user's share of what all users spent.
struct SpendingShare {
    percent: String,
    filled: String,
    empty: String,
}

/// How the bills divide into what users pay for and the rest.
struct Split<'a> {
    users: String,
    unattributed: String,
    notes: Vec<String>,
    stale: Option<String>,
    /// The account, if there is only one.
    only: Option<Share<'a>>,
    /// The accounts, if there are several.
    accounts: Vec<Share<'a>>,
    more: usize,
}

/// The bill of an account.
struct Share<'a> {
    account: &'a str,
    name: String,
    total: String,
    parts: String,
    has_rest: bool,
    bill_to: Option<String>,
    stale: Option<String>,
}

always!(Own<'_>, Split<'_>, Share<'_>, SpendingShare);
template!("billing");

impl Cards {
    /// The billing card: `/billing`, `billing.open`.
    pub fn billing(&self, view: &BillingView, ctx: &CardContext) -> Card {
        self.billing_with(view, None, ctx)
    }

    /// The same with what each project cost: `billing.open` by project.
    pub fn billing_by_project(
        &self,
        view: &BillingView,
        projects: &BilledProjects,
        ctx: &CardContext,
    ) -> Card {
        self.billing_with(view, Some(projects), ctx)
    }

    fn billing_with(
        &self,
        view: &BillingView,
        projects: Option<&BilledProjects>,
        ctx: &CardContext,
    ) -> Card {
        let own = view.of_user.as_ref();
        let estimates = view.estimates.iter().take(ESTIMATED).map(|it| self.estimated(it));
        // The shown period is always an option, however old it is.
        let mut periods: Vec<String> =
            view.periods.iter().take(MONTHS).map(ToString::to_string).collect();
        let period = view.period.to_string();
        if !periods.contains(&period) {
            periods.push(period.clone());
        }
        let current = BillPeriod::of(ctx.now);
        let series = |period: BillPeriod| match period == current {
            true => self.words.t("billing.series_current", &[]),
            false => self.words.t("billing.series_whole", &[]),
        };
        let chart = view.recent.iter().map(|(period, total)| Bar {
            month: period.to_string(),
            amount: Digits(total.plain()),
            series: series(*period),
        });
        // A single bar compares nothing.
        let chart = if view.recent.len() < 2 { Vec::new() } else { chart.collect() };
        let mut facts = BillingFacts {
            period,
            periods,
            users: match projects {
                Some(_) => Vec::new(),
                None => view.users.iter().map(|user| self.billing_user(user, view)).collect(),
            },
            nothing: view.users.first().is_none_or(|user| user.projects.is_empty()),
            page: projects.map_or(view.page, |it| it.page),
            pages: projects.map_or(view.pages, |it| it.pages),
            total_users: view.total_users,
            total: match (own, view.users.first()) {
                (None, _) => whole(view),
                (Some(_), Some(user)) => user.total,
                (Some(_), None) => Money::ZERO,
            }
            .to_string(),
            previous: view
                .periods
                .contains(&view.period.previous())
                .then(|| view.period.previous().to_string()),
            change: view.change.map(|change| self.change(change)),
            month_end: view
                .month_end
                .map(|amount| self.words.t("billing.month_end", &[("amount", &amount.rounded())])),
            own: own.map(|own| {
                let months: Vec<String> =
                    own.months.iter().take(MONTHS).map(|(period, _)| period.to_string()).collect();
                let totals: Vec<String> =
                    own.months.iter().take(MONTHS).map(|(_, total)| total.to_string()).collect();
                // What the rows show adds up to what is shown below them.
                let sum: Money = own.months.iter().map(|(_, total)| total.rounded()).sum();
                let consumed = own.user.consumed;
                let apart = sum - consumed;
                let is_apart = apart.max(-apart)
                    > Money::from_fen(i64::try_from(own.months.len()).unwrap_or(i64::MAX));
                Own {
                    key: own.user.key.to_string(),
                    name: own.user.key.username.as_str(),
                    display: own.user.display_name.as_str(),
                    months: months.join("\n"),
                    totals: totals.join("\n"),
                    count: own.months.len(),
                    sum: sum.to_string(),
                    apart: is_apart.then(|| {
                        self.words
                            .t("billing.apart", &[("consumed", &consumed), ("amount", &apart)])
                    }),
                }
            }),
            split: (!view.shares.is_empty()).then(|| self.split(view)),
            estimates: estimates.collect(),
            chart_title: self.words.t("billing.chart", &[("count", &view.recent.len())]),
            chart,
            days: days::chart(self.words, &view.days, ctx.now),
            by: projects.map(|_| "project"),
            projects: projects
                .map(|it| it.rows.iter().map(|row| self.billed_project(row, view)).collect())
                .unwrap_or_default(),
            compared: projects.and_then(|it| self.compared(it)),
        };
        let mut card = self.card(ctx, &facts);
        // The first of these that fits: without days, without charts.
        if !card.fits() {
            facts.days = None;
            card = self.card(ctx, &facts);
        }
        if !card.fits() {
            facts.chart.clear();
            card = self.card(ctx, &facts);
        }
        card
    }

    fn billed_project<'a>(&self, row: &'a BilledProject, view: &BillingView) -> Project<'a> {
        let words = self.words;
        let named = row.project.as_ref().map(ProjectName::as_str);
        let who = match (row.users.as_slice(), named) {
            ([], _) => words.t("billing.unattributed", &[]),
            ([only], _) => only.username.to_string(),
            (several, _) => {
                format!("{} {}", words.t("sharing.mark", &[]), words.usernames(several))
            }
        };
        let who = match &row.account_name {
            Some(account) => format!("{who} · {}", clip(account, 16)),
            None => who,
        };
        Project {
            label: match named {
                Some(_) => row.label.clone(),
                None => words.t("rest.no_project", &[]),
            },
            id: named.filter(|id| *id != row.label),
            who,
            total: row.amount.to_string(),
            share: spending_share(row.amount, whole(view)),
            change: row.change.map(|change| self.short_change(change)),
            user: match row.users.as_slice() {
                [only] => Some(only.to_string()),
                _ => None,
            },
            rest: row.users.is_empty().then_some(row.account.as_str()),
        }
    }

    /// A change as a word beside an amount: in percent or, if there was nothing before, as new.
    fn short_change(&self, change: Change) -> String {
        match change.percent() {
            Some(percent) if percent.is_sign_positive() && !percent.is_zero() => {
                format!("+{percent}%")
            }
            Some(percent) => format!("{percent}%"),
            None if change.now.is_positive() => self.words.t("billing.new", &[]),
            None => String::new(),
        }
    }

    fn compared(&self, projects: &BilledProjects) -> Option<String> {
        let mut compared = projects.rows.iter().filter_map(|row| row.change);
        let first = compared.next()?.first_days;
        // Where accounts differ, their bills hold different days.
        match first {
            Some(days) if compared.all(|change| change.first_days == first) => {
                Some(self.words.t("billing.compared_days", &[("days", &days)]))
            }
            None if compared.all(|change| change.first_days.is_none()) => {
                Some(self.words.t("billing.compared", &[]))
            }
            _ => Some(self.words.t("billing.compared_same", &[])),
        }
    }

    /// How the bills divide into what users pay for and the rest, all accounts together and one by one.
    fn split<'a>(&self, view: &'a BillingView) -> Split<'a> {
        let words = self.words;
        let rest: Money = view.shares.iter().map(|share| share.bill.unattributed).sum();
        let users: Money = view.shares.iter().map(|share| share.bill.of_users()).sum();
        let mut notes = Vec::new();
        let mut stale = None;
        if let [only] = view.shares.as_slice() {
            notes.extend(self.bill_to(only));
            stale = facts::stale(words, only.stale);
        }
        // Not for what rounding makes: up to a cent for each account.
        let apart = view.total - users;
        let cents = Money::from_fen(i64::try_from(view.shares.len()).unwrap_or(i64::MAX));
        if apart.max(-apart) > cents {
            notes.push(words.t("billing.by_user", &[("sum", &view.total)]));
        }
        let uncounted: usize = view.shares.iter().map(|share| share.uncounted).sum();
        if uncounted > 0 {
            notes.push(words.t("billing.uncounted", &[("count", &uncounted)]));
        }
        if !view.unread.is_empty() {
            let mut names: Vec<String> =
                view.unread.iter().take(ACCOUNTS).map(|name| md(&fit(name, 12))).collect();
            if let Some(more) = view.unread.len().checked_sub(ACCOUNTS).filter(|more| *more > 0) {
                names.push(format!("+{more}"));
            }
            let names = names.join(&words.t("list.separator", &[]));
            notes.push(words.t("billing.unread", &[("accounts", &names)]));
        }
        let mut only = None;
        let mut accounts = Vec::new();
        match view.shares.as_slice() {
            [share] => only = Some(self.share(share)),
            shares => accounts.extend(shares.iter().take(ACCOUNTS).map(|share| self.share(share))),
        }
        Split {
            users: users.to_string(),
            unattributed: rest.to_string(),
            notes,
            stale,
            only,
            accounts,
            more: view.shares.len().saturating_sub(ACCOUNTS),
        }
    }

    fn share<'a>(&self, share: &'a AccountShare) -> Share<'a> {
        let words = self.words;
        let (users, rest) = (share.bill.of_users(), share.bill.unattributed);
        Share {
            account: share.account.as_str(),
            name: facts::account(&share.name, &share.account),
            total: share.bill.total.to_string(),
            parts: words.t("billing.parts", &[("users", &users), ("unattributed", &rest)]),
            has_rest: share.has_rest,
            bill_to: self.bill_to(share),
            stale: facts::stale(words, share.stale),
        }
    }

    fn bill_to(&self, share: &AccountShare) -> Option<String> {
        let day = days::short(share.bill_to?);
        Some(self.words.t("billing.bill_to", &[("date", &day)]))
    }

    /// The month beside the month before.
    fn change(&self, change: Change) -> String {
        let words = self.words;
        let difference = change.difference();
        let sign = if difference.is_positive() { "+" } else { "" };
        let amount = format!("{sign}{difference}");
        let percent = change.percent().map(|percent| {
            let sign = if percent.is_sign_positive() && !percent.is_zero() { "+" } else { "" };
            format!("{sign}{percent}")
        });
        match (change.first_days, percent) {
            (None, None) => words.t("billing.change", &[("amount", &amount)]),
            (None, Some(percent)) => {
                words.t("billing.change_percent", &[("amount", &amount), ("percent", &percent)])
            }
            (Some(days), None) => {
                words.t("billing.change_days", &[("days", &days), ("amount", &amount)])
            }
            (Some(days), Some(percent)) => words.t(
                "billing.change_days_percent",
                &[("days", &days), ("amount", &amount), ("percent", &percent)],
            ),
        }
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
        let pending = estimate.pending.min(estimate.hidden).rounded();
        let values: [(&str, &dyn std::fmt::Display); 6] = [
            ("account", &name),
            ("amount", &estimate.total.rounded()),
            ("hidden", &estimate.hidden.rounded()),
            ("pending", &pending),
            ("since", &since),
            ("time", &time),
        ];
        let key =
            if pending.is_positive() { "estimate.account_pending" } else { "estimate.account" };
        let mut text = words.t(key, &values);
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

    fn billing_user<'a>(&self, user: &'a BillingUser, view: &BillingView) -> Spending<'a> {
        let shown = user.projects.get(..PROJECTS_A_PAGE).unwrap_or(&user.projects);
        let labels: Vec<String> = shown.iter().map(|row| self.billing_label(row)).collect();
        let exact: Vec<Money> = shown.iter().map(|row| row.amount).collect();
        let parts = match view.pages {
            1 => shown_parts(&exact, user.total),
            // A page of them has no sum to show.
            _ => exact.iter().map(|amount| amount.rounded()).collect(),
        };
        let amounts: Vec<String> = parts.iter().map(Money::to_string).collect();
        let few = user.projects.iter().take(ROW_PROJECTS);
        let mut projects: Vec<String> = few
            .map(|row| match user.projects.len() {
                1 => clip(&row.label, 24),
                _ => format!("{} {}", clip(&row.label, 16), row.amount),
            })
            .collect();
        if let Some(more) = user.projects.len().checked_sub(ROW_PROJECTS).filter(|it| *it > 0) {
            let rest: Money = user.projects.iter().skip(ROW_PROJECTS).map(|row| row.amount).sum();
            projects.push(format!("{} {rest}", self.words.t("billing.rest", &[("count", &more)])));
        }
        Spending {
            key: user.key.to_string(),
            name: shown_name(&user.key, user.ambiguous),
            display: user.display_name.as_str(),
            total: user.total.to_string(),
            count: user.projects.len(),
            labels: labels.join("\n"),
            amounts: amounts.join("\n"),
            projects: projects.join(" · "),
            // Of the figure above: where projects are shared, the users' sum is more.
            share: spending_share(user.total, whole(view)),
            stale: facts::stale(self.words, user.stale),
        }
    }

    /// A line that must not wrap: the amounts are in a separate column, line by line.
    fn billing_label(&self, row: &BillingProject) -> String {
        match row.freshness.map(|freshness| self.words.freshness(freshness)) {
            Some(Some(mark)) => {
                format!("{} <font color='orange'>{}</font>", md(&fit(&row.label, 7)), md(&mark))
            }
            Some(None) if row.shared.is_some() => {
                let mark = self.words.t("sharing.mark", &[]);
                format!("{} <font color='orange'>{}</font>", md(&fit(&row.label, 10)), md(&mark))
            }
            Some(None) => md(&fit(&row.label, 15)),
            None => {
                let mark = self.words.t("billing.unlinked", &[]);
                format!("{} <font color='grey'>{}</font>", md(&fit(&row.label, 10)), md(&mark))
            }
        }
    }
}

/// The share of a whole, with its bar.
fn spending_share(part: Money, whole: Money) -> Option<SpendingShare> {
    let share = Usage::new(part, whole);
    let cells = |count: u32| "━".repeat(usize::try_from(count).unwrap_or(0));
    share.whole_percent().map(|_| SpendingShare {
        percent: share.percent().to_string(),
        filled: cells(share.filled(CELLS)),
        empty: cells(CELLS.saturating_sub(share.filled(CELLS))),
    })
}

/// The bills of all accounts together, to the cent as they are shown.
/// The month's total: the bills' or, without one, what users spent.
fn whole(view: &BillingView) -> Money {
    if view.shares.is_empty() { view.total } else { bill_of(&view.shares) }
}

fn bill_of(shares: &[AccountShare]) -> Money {
    shares.iter().map(|share| share.bill.total).sum()
}
