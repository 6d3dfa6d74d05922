//! One user.

use jiff::{SignedDuration, Timestamp};
use minijinja::{Value, context};

use super::facts;
use super::paths::Audience;
use super::text::{clip, md};
use super::{Card, CardContext, Cards, days};
use crate::app::outcome::{Level, UserDetail};
use crate::cards::wording::Wording;
use crate::domain::{
    AccessPath, BillPeriod, ProjectLink, RememberedAccess, Switch, UserStatus, oldest_stale,
};

/// Max projects that the card lists; the projects card has all of them.
const LINKS: usize = 8;
/// Two times this near are said once.
const NEAR: SignedDuration = SignedDuration::from_hours(1);
/// Max access keys that the card lists.
const KEYS: usize = 6;

impl Cards {
    /// One user: `/user`, `user.open`.
    pub fn user(&self, detail: &UserDetail, ctx: &CardContext) -> Card {
        let words = self.words;
        let user = &detail.user;
        let monitored = detail.links.iter().filter(|link| link.monitored.is_on()).count();
        let links: Vec<Value> =
            detail.links.iter().take(LINKS).map(|link| self.user_link(detail, link)).collect();
        let facts = context! {
            key => user.key.to_string(),
            name => user.key.username.as_str(),
            display => user.display_name.as_str(),
            account => detail.account_name.as_str(),
            template => facts::user_template(user, detail.level),
            status => self.access_status(detail),
            verdict => self.verdict(detail),
            paths => self.paths(detail, Audience::of(ctx.in_group)),
            level => level_tag(words, detail.level),
            figures => facts::user_figures(words, user, detail.level),
            forecast => detail.forecast.and_then(|it| facts::forecast(words, &it)),
            month => detail.month.and_then(|month| facts::month(words, user, &month)),
            unbilled => facts::unbilled(words, detail.unbilled.as_ref()),
            updated => user.spending_updated_at.map(|at| words.time_full(at)),
            stale => facts::stale(words, oldest_stale(&detail.links)),
            pending => detail.pending.as_ref().map(|pending| facts::pending(words, pending)),
            links => links,
            monitored => monitored,
            total => detail.links.len(),
            more => detail.links.len().saturating_sub(LINKS),
            days => days::chart(words, &detail.days, ctx.now),
            period => BillPeriod::of(ctx.now).to_string(),
            disabled => user.status == UserStatus::Disabled,
            gone => user.status == UserStatus::Gone,
            ..self.user_settings(detail)
        };
        self.card("user.json.j2", ctx, facts)
    }

    fn user_link(&self, detail: &UserDetail, link: &ProjectLink) -> Value {
        let shared = detail.shared.iter().find(|known| known.project == link.project);
        let shared = shared.map(|shared| self.words.sharing(shared));
        let freshness = Some(link.freshness);
        context! {
            monitored => link.monitored.is_on(),
            since => link.since.to_string(),
            ..facts::amount(self.words, link.label(), link.spending, freshness, shared)
        }
    }

    fn user_settings(&self, detail: &UserDetail) -> Value {
        let words = self.words;
        let user = &detail.user;
        let percents = |list: &[u16]| {
            let texts: Vec<String> = list.iter().map(|percent| format!("{percent}%")).collect();
            texts.join(" / ")
        };
        let triggered: Vec<u16> = user.triggered.iter().copied().collect();
        context! {
            monitor => facts::switch(words, user.monitored),
            auto_disable => facts::switch(words, user.auto_disable),
            month_limit => user.month_limit.map(|limit| limit.amount().to_string()),
            month_triggered => detail.month.and_then(|month| {
                let triggered = Vec::from_iter(user.triggered_in(month.period));
                (!triggered.is_empty()).then(|| percents(&triggered))
            }),
            thresholds => percents(detail.thresholds.percents()),
            own_thresholds => user.thresholds.is_some(),
            triggered => (!triggered.is_empty()).then(|| percents(&triggered)),
            remark => user.remark.as_str(),
            owner => detail.owner_name.clone()
                .or_else(|| user.owner.as_ref().map(|id| id.as_str().to_owned())),
            email => user.email.as_str(),
            phone => user.phone.as_str(),
            created => words.date(user.created),
            ..self.user_access(detail)
        }
    }

    fn user_access(&self, detail: &UserDetail) -> Value {
        let words = self.words;
        let user = &detail.user;
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
        let remembered = detail.remembered.as_ref().filter(|_| user.status != UserStatus::Active);
        context! {
            keys => keys.join("\n"),
            more_keys => user.access_keys.len().saturating_sub(KEYS),
            login => match user.login {
                Some(Switch::On) => words.t("user.login_allowed", &[]),
                Some(Switch::Off) => words.t("user.login_forbidden", &[]),
                None if user.access_read_at.is_some() => words.t("user.login_none", &[]),
                None => words.t("user.login_unread", &[]),
            },
            access_read => self.access_read(detail),
            remembered => remembered.map(|remembered| self.remembered(remembered)),
        }
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

fn level_tag(words: Wording, level: Level) -> Option<Value> {
    let text = match level {
        Level::Calm => return None,
        Level::Unallocated => words.t("usage.unallocated", &[]),
        Level::Warning => words.t("usage.warning", &[]),
        Level::UsedUp => words.t("usage.used_up", &[]),
    };
    let colour = match level {
        Level::Warning => "orange",
        Level::UsedUp => "red",
        Level::Calm | Level::Unallocated => "neutral",
    };
    Some(context! { text => text, colour => colour })
}
