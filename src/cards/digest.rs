//! The digest of a week or month.

use std::borrow::Cow;
use std::fmt::Display;

use super::engine::template;
use super::text::{fit, md};
use super::{Card, CardContext, Cards, days, facts, shown_name};
use crate::app::digest::{DigestProject, DigestUser, DigestView, Known, Lacking, Standing};
use crate::domain::{
    BillPeriod, Change, DigestKind, DigestSpan, Limit, Money, RunsOut, Spent, UserKey,
};

/// Max accounts that are named.
const ACCOUNTS: usize = 4;
/// Max payers of a project that are named.
const PAYERS: usize = 2;

/// The facts of the digest's card.
struct DigestFacts<'a> {
    title: String,
    template: &'static str,
    span: String,
    total: String,
    change: Option<String>,
    month_end: Option<String>,
    /// Why the amounts are not all that was spent.
    warning: Option<String>,
    notes: Vec<String>,
    chart: Option<days::Chart>,
    /// The two parts of the total; not in an owner's part.
    by_users: Option<String>,
    unattributed: String,
    users_title: String,
    users: Vec<UserRow<'a>>,
    more_users: usize,
    projects: Vec<ProjectRow>,
    more_projects: usize,
    /// Whether anything was read.
    is_read: bool,
    spikes: Vec<String>,
    runs_out: Vec<String>,
    lacking: Vec<LackingRow>,
    /// Whether lists may take the place of this card: not in a group.
    leads_on: bool,
    own: bool,
    kind: &'static str,
    previous: String,
    next: Option<String>,
    previous_text: String,
    next_text: String,
    other: &'static str,
    other_text: String,
}

/// A user's amount.
struct UserRow<'a> {
    name: Cow<'a, str>,
    display: &'a str,
    status: facts::Tag,
    amount: String,
    below: String,
}

/// A project's amount. Text from outside is markdown already.
struct ProjectRow {
    label: String,
    amount: String,
    below: String,
}

/// Users who lack something, and the list of all of them.
struct LackingRow {
    text: String,
    filter: &'static str,
}

template!("digest");

impl Cards {
    /// The digest of a week or month: `/report`, `report.open`, and what is sent when it is due. An owner's part leads to
    /// nothing but their own card.
    pub fn digest(&self, view: &DigestView, ctx: &CardContext) -> Card {
        let mut facts = self.digest_facts(view, ctx);
        let mut card = self.card(ctx, &facts);
        if !card.fits() {
            facts.chart = None;
            card = self.card(ctx, &facts);
        }
        card
    }

    /// What an owner's part is called where it could not be delivered.
    pub fn digest_title(&self, span: DigestSpan) -> String {
        let title = match span.kind() {
            DigestKind::Week => self.words.t("digest.week", &[]),
            DigestKind::Month => self.words.t("digest.month", &[]),
        };
        format!("{title} {}", self.digest_span(span))
    }

    fn digest_facts<'a>(&self, view: &'a DigestView, ctx: &CardContext) -> DigestFacts<'a> {
        let words = self.words;
        let span = view.span;
        let (title, users_title) = match (view.own, span.kind()) {
            (false, DigestKind::Week) => ("digest.week", "digest.users"),
            (false, DigestKind::Month) => ("digest.month", "digest.users"),
            (true, DigestKind::Week) => ("digest.own_week", "digest.own_users"),
            (true, DigestKind::Month) => ("digest.own_month", "digest.own_users"),
        };
        let (previous_text, next_text, other, other_text) = match span.kind() {
            DigestKind::Week => {
                ("digest.previous_week", "digest.next_week", DigestKind::Month, "digest.show_month")
            }
            DigestKind::Month => {
                ("digest.previous_month", "digest.next_month", DigestKind::Week, "digest.show_week")
            }
        };
        let is_read = view.known.accounts > 0;
        let is_compared = view.change.is_some();
        let standing = view.now.as_ref();
        let rest = view.unattributed.rounded();
        let warning = self.digest_warning(&view.known);
        let later = span.next();
        let chart = days::chart(words, &view.days, ctx.now);
        DigestFacts {
            title: words.t(title, &[]),
            template: if warning.is_some() { "orange" } else { "blue" },
            span: self.digest_span(span),
            total: view.total.amount.to_string(),
            change: view.change.map(|change| self.digest_change(change, span)),
            month_end: standing
                .and_then(|now| now.month_end)
                .map(|amount| words.t("digest.month_end", &[("amount", &amount.rounded())])),
            notes: self.digest_notes(view),
            warning,
            chart: chart.map(|chart| days::Chart {
                title: words.t("digest.days", &[]),
                note: None,
                ..chart
            }),
            by_users: (!view.own).then(|| (view.total.amount.rounded() - rest).to_string()),
            unattributed: rest.to_string(),
            users_title: words.t(users_title, &[]),
            users: view
                .users
                .iter()
                .map(|user| self.digest_user(user, view.own, is_compared))
                .collect(),
            more_users: view.more_users,
            projects: view.projects.iter().map(|it| self.digest_project(it, is_compared)).collect(),
            more_projects: view.more_projects,
            is_read,
            spikes: view
                .spikes
                .iter()
                .map(|(day, spike)| {
                    let project = md(&fit(&spike.project, 14));
                    let day = words.day(*day);
                    let args: [(&str, &dyn Display); 4] = [
                        ("day", &day),
                        ("project", &project),
                        ("amount", &spike.amount),
                        ("median", &spike.median),
                    ];
                    words.t("digest.spike", &args)
                })
                .collect(),
            runs_out: standing.map(|now| self.running_out(now)).unwrap_or_default(),
            lacking: standing.map(|now| self.lacking(now)).unwrap_or_default(),
            leads_on: !ctx.in_group,
            own: view.own,
            kind: span.kind().word(),
            previous: span.previous().first().to_string(),
            next: (later <= DigestSpan::last_full(span.kind(), ctx.now))
                .then(|| later.first().to_string()),
            previous_text: words.t(previous_text, &[]),
            next_text: words.t(next_text, &[]),
            other: other.word(),
            other_text: words.t(other_text, &[]),
        }
    }

    /// `2026-11-16 至 11-22`: a week; a month as `2026-10`.
    fn digest_span(&self, span: DigestSpan) -> String {
        match (span.kind(), BillPeriod::of_day(span.first())) {
            (DigestKind::Month, Ok(period)) => period.to_string(),
            _ => {
                let last = self.words.day(span.last());
                self.words.t("digest.span", &[("first", &span.first()), ("last", &last)])
            }
        }
    }

    /// Says which bills are missing.
    fn digest_warning(&self, known: &Known) -> Option<String> {
        let words = self.words;
        let mut lines = Vec::new();
        if !known.unread.is_empty() {
            let mut names: Vec<String> =
                known.unread.iter().take(ACCOUNTS).map(|name| fit(name, 12)).collect();
            let more = known.unread.len().saturating_sub(ACCOUNTS);
            if more > 0 {
                names.push(format!("+{more}"));
            }
            let names = names.join(&words.t("list.separator", &[]));
            lines.push(words.t("digest.unread", &[("accounts", &names)]));
        }
        lines.extend(facts::stale(words, known.stale));
        if known.uncounted > 0 {
            lines.push(words.t("billing.uncounted", &[("count", &known.uncounted)]));
        }
        (!lines.is_empty()).then(|| lines.join("\n"))
    }

    fn digest_notes(&self, view: &DigestView) -> Vec<String> {
        let words = self.words;
        let mut notes = Vec::new();
        if let Some(day) = view.known.bill_to {
            notes.push(words.t("digest.bill_to", &[("date", &words.day(day))]));
        }
        if view.estimated.is_positive() {
            notes.push(words.t("digest.estimated", &[("amount", &view.estimated.rounded())]));
        }
        notes
    }

    fn digest_change(&self, change: Change, span: DigestSpan) -> String {
        let words = self.words;
        let than = match span.kind() {
            DigestKind::Week => words.t("digest.than_week", &[]),
            DigestKind::Month => words.t("digest.than_month", &[]),
        };
        let difference = change.difference();
        let sign = if difference.rounded().is_positive() { "+" } else { "" };
        let mut amount = format!("{sign}{}", difference.rounded());
        if let Some(percent) = change.percent() {
            let sign = if percent.is_sign_positive() && !percent.is_zero() { "+" } else { "" };
            amount = words.t(
                "digest.percent",
                &[("amount", &amount), ("percent", &format!("{sign}{percent}"))],
            );
        }
        match change.first_days {
            None => words.t("digest.change", &[("than", &than), ("amount", &amount)]),
            Some(days) => words
                .t("digest.change_days", &[("than", &than), ("days", &days), ("amount", &amount)]),
        }
    }

    /// By how much an amount grew; empty if that is not known.
    fn growth(&self, spent: &Spent, is_compared: bool) -> String {
        if !is_compared {
            return String::new();
        }
        let change = Change { first_days: None, now: spent.compared, before: spent.before };
        match change.percent() {
            Some(percent) if percent.is_sign_positive() && !percent.is_zero() => {
                format!("+{percent}%")
            }
            Some(percent) => format!("{percent}%"),
            None if spent.before.rounded().is_zero() && spent.compared.rounded().is_positive() => {
                self.words.t("digest.new", &[])
            }
            None => String::new(),
        }
    }

    fn digest_user<'a>(&self, row: &'a DigestUser, own: bool, is_compared: bool) -> UserRow<'a> {
        let words = self.words;
        let user = &row.user;
        let mut below = vec![self.growth(&row.spent, is_compared)];
        if user.is_allocated() {
            let percent = format!("{}%", user.usage().percent());
            below.push(words.t("digest.used", &[("percent", &percent)]));
            if own {
                let left = (user.quota - user.consumed).max(Money::ZERO);
                below.push(words.t("digest.left", &[("amount", &left)]));
            }
        }
        if let Some(out) = row.forecast.and_then(|it| it.runs_out) {
            below.push(words.t("digest.out", &[("date", &out.on)]));
        }
        UserRow {
            name: shown_name(&user.key, row.ambiguous),
            display: user.display_name.as_str(),
            status: words.standing(user, row.condition, None),
            amount: row.spent.amount.to_string(),
            below: joined(below),
        }
    }

    fn digest_project(&self, row: &DigestProject, is_compared: bool) -> ProjectRow {
        let words = self.words;
        let label = match &row.label {
            Some(label) => md(&fit(label, 14)),
            None => words.t("rest.no_project", &[]),
        };
        let payers = match row.payers.as_slice() {
            [] => words.t("billing.unattributed", &[]),
            [only] => md(&fit(only.username.as_str(), 10)),
            several => {
                let names = self.named(several, several.len(), PAYERS);
                words.t("digest.shared", &[("users", &names)])
            }
        };
        let account = row.account.as_ref().map(|name| md(&fit(name, 8))).unwrap_or_default();
        let growth = self.growth(&row.spent, is_compared);
        ProjectRow {
            label,
            amount: row.spent.amount.to_string(),
            below: joined(vec![growth, payers, account]),
        }
    }

    fn running_out(&self, now: &Standing) -> Vec<String> {
        let line = |(key, out): &(UserKey, RunsOut)| {
            let name = md(&fit(key.username.as_str(), 12));
            let text = match out.of {
                Limit::Month => "digest.runs_out_month",
                Limit::Quota | Limit::Both => "digest.runs_out",
            };
            self.words.t(text, &[("user", &name), ("date", &out.on)])
        };
        now.runs_out.iter().map(line).collect()
    }

    fn lacking(&self, now: &Standing) -> Vec<LackingRow> {
        let row = |lacking: &Lacking, text: &str, filter: &'static str| {
            (lacking.count > 0).then(|| {
                let names = self.named(&lacking.named, lacking.count, lacking.named.len());
                let text = self.words.t(text, &[("count", &lacking.count), ("users", &names)]);
                LackingRow { text, filter }
            })
        };
        let rows = [
            row(&now.without_owner, "digest.no_owner", "no_owner"),
            row(&now.without_quota, "digest.no_quota", "unallocated"),
            row(&now.without_project, "digest.no_project", "no_project"),
        ];
        rows.into_iter().flatten().collect()
    }

    /// Names of users as markdown; the others of `count` are counted.
    fn named(&self, users: &[UserKey], count: usize, most: usize) -> String {
        let named = users.iter().take(most);
        let mut names: Vec<String> = named.map(|key| md(&fit(key.username.as_str(), 10))).collect();
        let more = count.saturating_sub(names.len());
        if more > 0 {
            names.push(format!("+{more}"));
        }
        names.join(&self.words.t("list.separator", &[]))
    }
}

fn joined(parts: Vec<String>) -> String {
    let parts: Vec<String> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    parts.join(" · ")
}
