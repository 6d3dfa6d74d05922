//! Facts that several cards show in the same form: usage, status, projects, times.

use jiff::Timestamp;

use super::CardContext;
use super::bar::{Bar, bar, shade_colour};
use super::engine::always;
use super::text::clip;
use crate::cards::wording::Wording;
use crate::domain::{
    AccessGoal, AccountId, Forecast, Freshness, Hidden, Limit, Money, Month, MonthFigures,
    PendingAccess, ProjectLink, Rate, RunsOut, Shade, Switch, Thresholds, Unbilled, Usage, User,
    UserStatus,
};

/// Quota, consumed, remaining, percent and the bar.
pub struct Figures {
    pub quota: String,
    pub consumed: String,
    pub remaining: String,
    pub over: Option<String>,
    pub percent: String,
    pub bar: Option<Bar>,
    pub colour: Option<&'static str>,
}

/// A coloured word, or a coloured sentence.
pub struct Tag {
    pub text: String,
    pub colour: &'static str,
}

/// A pending change of access.
pub struct Pending<'a> {
    pub text: String,
    pub since: String,
    pub attempts: u32,
    pub next: String,
    pub error: Option<&'a str>,
    pub cut: bool,
    /// The word for what it works towards.
    pub goal: &'static str,
}

/// An amount of a project.
pub struct Amount<'a> {
    pub label: &'a str,
    pub amount: String,
    pub mark: Option<String>,
}

/// A label and its value, which is markdown.
pub struct Labelled {
    pub label: String,
    pub content: String,
}

/// Something to choose from.
pub struct Choice<'a> {
    pub value: &'a str,
    pub text: String,
}

always!(Figures, Tag, Pending<'_>);

/// The last day that was picked in a form that is shown again: `2026-12-31`.
pub fn picked_day(ctx: &CardContext) -> Option<String> {
    let picked = ctx.form.values.get("until")?.split_whitespace().next()?;
    Some(picked.parse::<jiff::civil::Date>().ok()?.to_string())
}

/// Puts quota and spending into figures. The bar shows these thresholds, which are in force; `None` = only 100 %.
pub fn figures(
    words: Wording,
    quota: Money,
    consumed: Money,
    thresholds: Option<&Thresholds>,
) -> Figures {
    let thresholds = thresholds.map_or(&[][..], Thresholds::percents);
    figures_at(words, quota, consumed, Usage::new(consumed, quota), thresholds)
}

/// The same for a user. The bar shows the user's own thresholds.
pub fn user_figures(words: Wording, user: &User) -> Figures {
    let own = user.thresholds.as_ref().map_or(&[][..], Thresholds::percents);
    figures_at(words, user.quota, user.consumed, user.usage(), own)
}

/// The same with these thresholds.
fn figures_at(
    words: Wording,
    quota: Money,
    consumed: Money,
    usage: Usage,
    thresholds: &[u16],
) -> Figures {
    let shade = Shade::of(usage);
    let allocated = usage.whole_percent().is_some();
    let over = consumed - quota;
    Figures {
        quota: quota.to_string(),
        consumed: consumed.to_string(),
        remaining: (quota - consumed).max(Money::ZERO).to_string(),
        over: (allocated && over.is_positive()).then(|| over.to_string()),
        percent: if allocated {
            format!("{}%", usage.percent())
        } else {
            words.t("usage.unallocated", &[])
        },
        bar: bar(usage, thresholds),
        colour: (shade > Shade::Calm).then(|| shade_colour(shade)),
    }
}

/// What is estimated beyond the bill, and what may be the user's and is not visible yet, as a line; none if there is nothing
/// and that is certain.
pub fn unbilled(
    words: Wording,
    unbilled: Option<&Unbilled>,
    hidden: Option<&Hidden>,
) -> Option<String> {
    let nothing = |it: &Unbilled| !it.amount.is_positive() && (!it.is_old || hidden.is_some());
    let estimated = unbilled.filter(|it| !nothing(it)).map(|it| estimated(words, it));
    let parts = [estimated, hidden.map(|it| not_visible(words, it))];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    (!parts.is_empty()).then(|| parts.join("\n"))
}

/// What nobody knows the project of. It is the account's: it may be the user's.
fn not_visible(words: Wording, hidden: &Hidden) -> String {
    let (since, never) = (words.day(hidden.since), (hidden.amount - hidden.pending).rounded());
    let pending = hidden.pending.rounded();
    let key = match (never.is_positive(), pending.is_positive()) {
        (true, true) => "estimate.hidden_both",
        (false, true) => "estimate.pending",
        (_, false) => "estimate.hidden",
    };
    let amount = hidden.amount.rounded();
    let values: [(&str, &dyn std::fmt::Display); 3] =
        [("amount", &amount), ("since", &since), ("pending", &pending)];
    let mut text = words.t(key, &values);
    if let Some(reason) = &hidden.reason {
        text.push_str(&words.t("estimate.hidden_why", &[("reason", &clip(reason, 120))]));
    }
    text
}

fn estimated(words: Wording, unbilled: &Unbilled) -> String {
    let (since, time) = (words.day(unbilled.since), words.time(unbilled.read_at));
    let values: [(&str, &dyn std::fmt::Display); 3] =
        [("amount", &unbilled.amount), ("since", &since), ("time", &time)];
    let key = if unbilled.is_old { "estimate.user_old" } else { "estimate.user" };
    words.t(key, &values)
}

/// The status as tags. A pending change replaces the status.
pub fn status(words: Wording, user: &User, pending: Option<&PendingAccess>) -> Tag {
    match pending {
        Some(pending) => Tag {
            text: words.pending(pending),
            colour: match pending.goal {
                AccessGoal::Cut => "orange",
                AccessGoal::Restored => "blue",
            },
        },
        None => Tag {
            text: words.status(user.status),
            colour: match user.status {
                UserStatus::Active => "green",
                UserStatus::Disabled => "red",
                UserStatus::Unknown | UserStatus::Gone => "neutral",
            },
        },
    }
}

/// A pending change of access.
pub fn pending(words: Wording, pending: &PendingAccess) -> Pending<'_> {
    Pending {
        text: words.pending(pending),
        since: words.time(pending.since),
        attempts: pending.attempts,
        next: words.time(pending.next_at),
        error: pending.last_error.as_deref(),
        cut: pending.goal == AccessGoal::Cut,
        goal: pending.goal.word(),
    }
}

/// One amount of a project, marked if it is old or if others count it, too: then `shared` says so.
pub fn amount(
    words: Wording,
    label: &str,
    amount: Money,
    freshness: Freshness,
    shared: Option<String>,
) -> Amount<'_> {
    let mark = match (shared, words.freshness(freshness)) {
        (Some(shared), Some(stale)) => Some(format!("{shared} · {stale}")),
        (shared, stale) => shared.or(stale),
    };
    Amount { label, amount: amount.to_string(), mark }
}

/// The same for a link.
pub fn amount_of(words: Wording, link: &ProjectLink, shared: Option<String>) -> Amount<'_> {
    amount(words, link.label(), link.spending, link.freshness, shared)
}

/// What was spent of the month limit, as markdown; `None` without a limit.
pub fn month(words: Wording, user: &User, month: &Month) -> Option<String> {
    Some(month_figures(words, &MonthFigures::of(user, Some(month))?))
}

/// The same for an alert.
pub fn month_figures(words: Wording, month: &MonthFigures) -> String {
    let usage = Usage::new(month.spent, month.limit);
    let percent = format!("{}%", usage.percent());
    let line = words.t(
        "figures.month",
        &[
            ("period", &month.period),
            ("spent", &month.spent),
            ("limit", &month.limit),
            ("percent", &percent),
        ],
    );
    match usage.is_used_up() {
        true => format!("<font color='red'>{line}</font>"),
        false => line,
    }
}

/// What a user's spending leads to, and what that is based on; `None` if nothing is spent.
pub fn forecast(words: Wording, forecast: &Forecast) -> Option<String> {
    let Forecast { rate, runs_out, month_end } = forecast;
    rate.spent.is_positive().then(|| outlook(words, *rate, runs_out.as_ref(), *month_end))
}

/// The same for an alert.
pub fn outlook(words: Wording, rate: Rate, out: Option<&RunsOut>, month_end: Money) -> String {
    let basis = basis(words, rate);
    let month = words.t("forecast.month_end", &[("amount", &month_end), ("basis", &basis)]);
    let Some(out) = out else { return month };
    let key = match out.of {
        Limit::Month => "forecast.runs_out_month",
        Limit::Quota | Limit::Both => "forecast.runs_out",
    };
    words.t(key, &[("date", &out.on), ("month", &month)])
}

/// What a forecast is based on.
pub fn basis(words: Wording, rate: Rate) -> String {
    words.t("forecast.basis", &[("to", &rate.to), ("days", &rate.days), ("amount", &rate.a_day())])
}

/// The mark of a user's oldest stale amount, if any.
pub fn stale(words: Wording, stale: Option<Option<Timestamp>>) -> Option<String> {
    stale.map(|from| words.stale(from))
}

/// An account in a report: its name, followed by its id, which commands and the server's log use.
pub fn account(name: &str, id: &AccountId) -> String {
    if name.is_empty() || name == id.as_str() {
        return id.to_string();
    }
    format!("{} ({id})", clip(name, 40))
}

/// On or off in words.
pub fn switch(words: Wording, switch: Switch) -> String {
    match switch {
        Switch::On => words.t("switch.on", &[]),
        Switch::Off => words.t("switch.off", &[]),
    }
}
