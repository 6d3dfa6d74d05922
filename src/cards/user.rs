//! One user.

use jiff::{SignedDuration, Timestamp};

use super::bar::{Bar, bar, shade_colour};
use super::condition::user_template;
use super::engine::{always, template};
use super::facts::{self, Amount, Pending, Tag};
use super::paths::{Audience, PathsFacts};
use super::text::{clip, md};
use super::{Card, CardContext, Cards, days};
use crate::app::outcome::UserDetail;
use crate::domain::{
    AccessCause, AccessPath, BillPeriod, Condition, Money, PathState, ProjectLink,
    RememberedAccess, Shade, Switch, User, UserCard, UserStatus, oldest_stale,
};

/// Max projects that the card lists; the projects card has all of them.
const LINKS: usize = 8;
/// Two times this near are said once.
const NEAR: SignedDuration = SignedDuration::from_hours(1);
/// Max access keys that the card lists.
const KEYS: usize = 6;

/// The facts of a user's card.
struct UserFacts<'a> {
    key: String,
    name: &'a str,
    display: &'a str,
    account: &'a str,
    template: &'static str,
    tags: Vec<Option<Tag>>,
    verdict: Option<Tag>,
    cut_since: Option<String>,
    undo: Option<u64>,
    undo_of: String,
    paths: Option<PathsFacts>,
    big_label: String,
    big: String,
    over: bool,
    used: Option<Used>,
    bar: Option<Bar>,
    totals: String,
    spent: Option<String>,
    cut: bool,
    access_open: bool,
    settings_summary: String,
    access_summary: String,
    unbilled: Option<String>,
    month: Option<String>,
    forecast: Option<String>,
    updated: Option<String>,
    stale: Option<String>,
    pending: Option<Pending<'a>>,
    links: Vec<Link<'a>>,
    monitored: usize,
    total: usize,
    more: usize,
    days: Option<days::Chart>,
    period: String,
    disabled: bool,
    gone: bool,
    monitor: String,
    auto_disable: String,
    thresholds: String,
    own_thresholds: bool,
    triggered: Option<String>,
    month_limit: Option<String>,
    month_triggered: Option<String>,
    remark: &'a str,
    owner: Option<&'a str>,
    email: &'a str,
    phone: &'a str,
    created: String,
    keys: String,
    more_keys: usize,
    login: String,
    access_read: Option<String>,
    remembered: Option<String>,
}

/// How much is used.
struct Used {
    percent: String,
    colour: &'static str,
    loud: bool,
    of_month: bool,
}

/// A project.
struct Link<'a> {
    monitored: bool,
    label: &'a str,
    amount: String,
    mark: Option<String>,
}

always!(Used);
template!("user");

impl Cards {
    /// One user: `/user`, `user.open`.
    pub fn user(&self, detail: &UserDetail, ctx: &CardContext) -> Card {
        let words = self.words;
        let user = &detail.user;
        let monitored = detail.links.iter().filter(|link| link.monitored.is_on()).count();
        let percents = |list: &[u16]| {
            let texts: Vec<String> = list.iter().map(|percent| format!("{percent}%")).collect();
            texts.join(" / ")
        };
        let triggered: Vec<u16> = user.triggered.iter().copied().collect();
        let remembered = detail.remembered.as_ref().filter(|_| user.status != UserStatus::Active);
        let links = detail.links.iter().take(LINKS);
        let usage = user.usage().or_stricter(user.month_usage(detail.month.as_ref()));
        let shade = Shade::of(usage);
        let left = user.quota - user.consumed;
        let is_over = user.is_allocated() && left < Money::ZERO;
        let (big_label, big) = match (user.is_allocated(), is_over) {
            (true, false) => ("user.left", left),
            (true, true) => ("user.overspent", -left),
            (false, _) => ("figures.consumed", user.consumed),
        };
        let is_failing =
            detail.paths.values().any(|report| matches!(report.state, PathState::Failing { .. }));
        let paths = self.paths(detail, Audience::of(ctx.in_group));
        let is_cut = paths.as_ref().is_some_and(|paths| paths.cut);
        let mut facts = UserFacts {
            key: user.key.to_string(),
            name: user.key.username.as_str(),
            display: user.display_name.as_str(),
            account: detail.account_name.as_str(),
            template: user_template(user, detail.condition, detail.pending.as_ref()),
            tags: self.tags(detail),
            // A cut that is under way says so itself.
            verdict: self.verdict(detail).filter(|_| !self.is_closing(detail)),
            cut_since: self.cut_since(detail),
            undo: detail.undoable.as_ref().map(|entry| entry.seq),
            undo_of: detail.undoable.as_ref().map(|it| self.undo_of(it)).unwrap_or_default(),
            paths,
            big_label: words.t(big_label, &[]),
            big: big.to_string(),
            over: is_over,
            used: usage.whole_percent().is_some().then(|| Used {
                percent: usage.percent().to_string(),
                colour: shade_colour(shade),
                loud: shade > Shade::Calm,
                of_month: usage != user.usage(),
            }),
            bar: bar(usage, detail.thresholds.percents()),
            totals: words.t("user.totals", &[("quota", &user.quota), ("consumed", &user.consumed)]),
            spent: detail
                .spent
                .filter(|_| detail.month.is_none())
                .map(|spent| words.t("user.spent", &[("amount", &spent)])),
            cut: is_cut,
            access_open: is_cut || is_failing || detail.pending.is_some(),
            settings_summary: self.settings_summary(detail),
            access_summary: self.access_summary(user),
            unbilled: facts::unbilled(words, detail.unbilled.as_ref(), detail.hidden.as_ref()),
            month: detail.month.and_then(|month| facts::month(words, user, &month)),
            forecast: detail.forecast.and_then(|it| facts::forecast(words, &it)),
            updated: user.spending_updated_at.map(|at| words.time_full(at)),
            stale: facts::stale(words, oldest_stale(&detail.links)),
            pending: detail.pending.as_ref().map(|pending| facts::pending(words, pending)),
            links: links.map(|link| self.user_link(detail, link)).collect(),
            monitored,
            total: detail.links.len(),
            more: detail.links.len().saturating_sub(LINKS),
            days: days::chart(words, &detail.days, ctx.now),
            period: BillPeriod::of(ctx.now).to_string(),
            disabled: user.status == UserStatus::Disabled,
            gone: user.status == UserStatus::Gone,
            monitor: facts::switch(words, user.monitored),
            auto_disable: facts::switch(words, user.auto_disable),
            thresholds: percents(detail.thresholds.percents()),
            own_thresholds: user.thresholds.is_some(),
            triggered: (!triggered.is_empty()).then(|| percents(&triggered)),
            month_limit: user.month_limit.map(|limit| limit.amount().to_string()),
            month_triggered: detail.month.and_then(|month| {
                let triggered = Vec::from_iter(user.triggered_in(month.period));
                (!triggered.is_empty()).then(|| percents(&triggered))
            }),
            remark: user.remark.as_str(),
            owner: detail.owner_name.as_deref().or(user.owner.as_ref().map(|id| id.as_str())),
            // A group sees neither addresses nor key ids.
            email: if ctx.in_group { "" } else { user.email.as_str() },
            phone: if ctx.in_group { "" } else { user.phone.as_str() },
            created: words.date(user.created),
            keys: match ctx.in_group {
                true => self.user_keys_counted(user),
                false => self.user_keys(user),
            },
            more_keys: match ctx.in_group {
                true => 0,
                false => user.access_keys.len().saturating_sub(KEYS),
            },
            login: self.login(user),
            access_read: self.access_read(detail),
            remembered: remembered.map(|remembered| self.remembered(remembered)),
        };
        let mut card = self.card(ctx, &facts).of_user(&user.key, UserCard::User, ctx);
        // The first of these that fits: with fewer projects, without the chart.
        for fewer in [4, 2] {
            if !card.fits() {
                facts.links.truncate(fewer);
                facts.more = facts.total.saturating_sub(fewer);
                card = self.card(ctx, &facts);
            }
        }
        if !card.fits() {
            facts.days = None;
            card = self.card(ctx, &facts);
        }
        card
    }

    /// The status, unless all is well, and the condition.
    pub(super) fn tags(&self, detail: &UserDetail) -> Vec<Option<Tag>> {
        let user = &detail.user;
        let is_active = detail.pending.is_none() && user.status == UserStatus::Active;
        let status = (!is_active).then(|| self.access_status(detail));
        let says_something = is_active || detail.condition != Condition::Within;
        let condition = (user.status != UserStatus::Gone && says_something)
            .then(|| self.words.condition(user, detail.condition));
        vec![status, condition]
    }

    /// The settings in a few words, for the head of the folded panel.
    fn settings_summary(&self, detail: &UserDetail) -> String {
        let (words, user) = (self.words, &detail.user);
        let switch = |key: &str, on: Switch| {
            let state = facts::switch(words, on);
            words.t("user.switch", &[("what", &words.t(key, &[])), ("state", &state)])
        };
        let parts = [
            switch("user.monitor", user.monitored),
            switch("user.auto_disable", user.auto_disable),
        ];
        parts.join(" · ")
    }

    /// The access in a few words.
    fn access_summary(&self, user: &User) -> String {
        let words = self.words;
        let keys = user.access_keys.len();
        format!(
            "{} · {}",
            words.t("user.login_state", &[("state", &self.login(user))]),
            words.t("user.keys_count", &[("count", &keys)])
        )
    }

    fn login(&self, user: &User) -> String {
        let key = match user.login {
            Some(Switch::On) => "user.login_allowed",
            Some(Switch::Off) => "user.login_forbidden",
            None if user.access_read_at.is_some() => "user.login_none",
            None => "user.login_unread",
        };
        self.words.t(key, &[])
    }

    fn user_link<'a>(&self, detail: &UserDetail, link: &'a ProjectLink) -> Link<'a> {
        let shared = detail.shared.iter().find(|known| known.project == link.project);
        let shared = shared.map(|shared| self.words.sharing(shared));
        let Amount { label, amount, mark } = facts::amount_of(self.words, link, shared);
        Link { monitored: link.monitored.is_on(), label, amount, mark }
    }

    /// Since when access is cut, and why; `None` if it is not.
    fn cut_since(&self, detail: &UserDetail) -> Option<String> {
        let memory = detail.remembered.as_ref();
        let memory = memory.filter(|_| detail.user.status == UserStatus::Disabled)?;
        let words = self.words;
        let since = words.time(memory.cut);
        let why = match memory.cause.as_ref()? {
            AccessCause::QuotaUsedUp => words.t("cut_by.quota", &[]),
            AccessCause::MonthLimit { period } => words.t("cut_by.month", &[("period", period)]),
            AccessCause::Manual { operator } => {
                words.t("cut_by.person", &[("operator", &words.operator(operator))])
            }
            AccessCause::MonthTurned | AccessCause::Reopened { .. } => return None,
        };
        Some(words.t("cut_by.since", &[("time", &since), ("why", &why)]))
    }

    /// How many access keys there are, and how many work.
    fn user_keys_counted(&self, user: &User) -> String {
        let count = user.access_keys.len();
        if count == 0 {
            return String::new();
        }
        let active = user.access_keys.iter().filter(|key| key.active.is_on()).count();
        self.words.t("user.keys_counted", &[("count", &count), ("active", &active)])
    }

    /// A line for each of the first keys, as markdown.
    fn user_keys(&self, user: &User) -> String {
        let words = self.words;
        let keys: Vec<String> = user
            .access_keys
            .iter()
            .take(KEYS)
            .map(|key| {
                let (colour, state) = match key.active {
                    Switch::On => ("green", words.t("user.key_active", &[])),
                    Switch::Off => ("neutral", words.t("user.key_inactive", &[])),
                };
                let id = md(&clip(&key.id, 64));
                format!("{id} <text_tag color='{colour}'>{state}</text_tag>")
            })
            .collect();
        keys.join("\n")
    }

    /// When keys and login were read; none if the paths say nearly the same time.
    fn access_read(&self, detail: &UserDetail) -> Option<String> {
        let Some(at) = detail.user.access_read_at else {
            return Some(self.words.t("user.access_unread", &[]));
        };
        let paths = detail.paths.values().map(|report| report.at).min();
        let is_near = |other: Timestamp| at.duration_since(other).abs() < NEAR;
        let time = self.words.time_full(at);
        (!paths.is_some_and(is_near)).then(|| self.words.t("user.access_read", &[("time", &time)]))
    }

    /// What a restore opens, in a few words.
    fn remembered(&self, remembered: &RememberedAccess) -> String {
        let words = self.words;
        let counted = |label: String, count: usize| {
            words.t("paths.counted", &[("path", &label), ("count", &count)])
        };
        let mut parts: Vec<String> = AccessPath::ALL
            .into_iter()
            .filter_map(|path| match (path, remembered.on(path).len()) {
                (_, 0) => None,
                (AccessPath::Signed | AccessPath::Login, _) => Some(words.path(path)),
                (_, count) => Some(counted(words.path(path), count)),
            })
            .collect();
        if !remembered.policies.is_empty() {
            parts.push(counted(words.t("access.policies", &[]), remembered.policies.len()));
        }
        if parts.is_empty() {
            return words.t("paths.nothing", &[]);
        }
        parts.join(&words.t("list.separator", &[]))
    }
}
