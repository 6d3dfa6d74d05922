//! One user.

use minijinja::{Value, context};

use super::facts;
use super::paths::Audience;
use super::text::{clip, md};
use super::{Card, CardContext, Cards};
use crate::app::outcome::{Level, UserDetail};
use crate::cards::wording::Wording;
use crate::domain::{BillPeriod, ProjectLink, Switch, UserStatus, oldest_stale};

/// Max projects that the card lists; the projects card has all of them.
const LINKS: usize = 8;
/// Max access keys that the card lists.
const KEYS: usize = 6;

impl Cards {
    /// One user: `/user`, `user.open`.
    pub fn user(&self, detail: &UserDetail, ctx: &CardContext) -> Card {
        let words = self.words;
        let user = &detail.user;
        let monitored = detail.links.iter().filter(|link| link.monitored.is_on()).count();
        let links: Vec<Value> =
            detail.links.iter().take(LINKS).map(|link| self.user_link(link)).collect();
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
            updated => user.spending_updated_at.map(|at| words.time_full(at)),
            stale => facts::stale(words, oldest_stale(&detail.links)),
            pending => detail.pending.as_ref().map(|pending| facts::pending(words, pending)),
            links => links,
            monitored => monitored,
            total => detail.links.len(),
            more => detail.links.len().saturating_sub(LINKS),
            period => BillPeriod::of(ctx.now).to_string(),
            disabled => user.status == UserStatus::Disabled,
            gone => user.status == UserStatus::Gone,
            ..self.user_settings(detail)
        };
        self.card("user.json.j2", ctx, facts)
    }

    fn user_link(&self, link: &ProjectLink) -> Value {
        context! {
            monitored => link.monitored.is_on(),
            since => link.since.to_string(),
            ..facts::amount(self.words, link.label(), link.spending, Some(link.freshness))
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
                None => words.t("user.login_none", &[]),
            },
            access_read => user.access_read_at.map(|at| words.time_full(at)),
            remembered => remembered.map(|remembered| context! {
                keys => remembered.keys().len(),
                login => remembered.login(),
                policies => remembered.policies.len(),
            }),
        }
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
