//! Global settings, and the settings of one user.

use std::collections::BTreeSet;

use super::condition::user_template;
use super::engine::template;
use super::facts::{self, Tag};
use super::{Card, CardContext, Cards, Wording};
use crate::app::outcome::UserDetail;
use crate::app::settings::SettingsView;
use crate::domain::{DigestKind, OpenId, SavedSettings, Thresholds, UserStatus};

/// The facts of the settings card.
struct SettingsFacts {
    rows: Vec<Row>,
    updated: Option<String>,
    thresholds: String,
    interval: String,
    intervals: Vec<Interval>,
    chat: String,
    webhook: bool,
    mobiles: String,
    people: Vec<String>,
    chosen: Vec<String>,
    nowhere: bool,
    digest: String,
    digests: Vec<Choosable>,
}

/// A setting.
struct Row {
    label: String,
    value: String,
    source: String,
}

/// Something to choose.
struct Choosable {
    value: &'static str,
    text: String,
}

/// A time between cycles to choose.
struct Interval {
    value: String,
    text: String,
}

template!("settings");

/// The times between cycles on offer, in seconds.
const INTERVALS: [u64; 9] = [300, 600, 900, 1800, 3600, 7200, 21_600, 43_200, 86_400];

/// The facts of the form of a user's settings.
struct ConfigureFacts<'a> {
    key: String,
    name: &'a str,
    account: &'a str,
    template: &'static str,
    status: Tag,
    gone: bool,
    thresholds: String,
    in_force: String,
    monitor: bool,
    auto_disable: bool,
    month_limit: String,
    remark: &'a str,
    owner: Option<&'a str>,
    chosen: Option<&'a str>,
    people: Vec<&'a str>,
    owner_name: Option<&'a str>,
    display: &'a str,
    email: &'a str,
    phone: &'a str,
}

template!("configure");

impl Cards {
    /// Global settings: `/config`, `config.open`, `config.save`.
    pub fn settings(&self, view: &SettingsView, ctx: &CardContext) -> Card {
        let words = self.words;
        let none = || words.t("config.none", &[]);
        let SettingsView { settings, saved, .. } = view;
        let source = |saved: bool| {
            let key = if saved { "config.from_chat" } else { "config.from_file" };
            words.t(key, &[])
        };
        let row = |label: &str, value: String, from_chat: bool| Row {
            label: label.to_owned(),
            value,
            source: source(from_chat),
        };
        let chat = settings.alert_chat.as_ref().map(|chat| chat.as_str().to_owned());
        let mobiles = settings.mobiles.join(", ");
        let (interval, intervals) = intervals(settings.interval.as_secs(), ctx);
        let rows = vec![
            row(
                &words.t("config.thresholds", &[]),
                percents(&settings.thresholds),
                saved.thresholds.is_some(),
            ),
            row(
                &words.t("config.interval", &[]),
                words.seconds(settings.interval.as_secs()),
                saved.interval_seconds.is_some(),
            ),
            row(
                &words.t("config.chat", &[]),
                view.chat_name.clone().or(chat.clone()).unwrap_or_else(none),
                saved.alert_chat.is_some(),
            ),
            row(
                &words.t("config.webhook", &[]),
                view.webhook_host.as_ref().map_or_else(none, |host| format!("{host}/…")),
                saved.webhook_url.is_some(),
            ),
            row(
                &words.t("config.mobiles", &[]),
                mentioned(words, view).unwrap_or_else(none),
                saved.mobiles.is_some() || !saved.people.is_empty(),
            ),
            Row {
                label: words.t("config.digest", &[]),
                value: digest_choice(words, settings.digest),
                source: match settings.digest {
                    Some(_) => source(true),
                    None => String::new(),
                },
            },
        ];
        let facts = SettingsFacts {
            rows,
            updated: saved.updated.map(|at| words.time_full(at)),
            thresholds: settings.thresholds.to_string(),
            interval: interval.to_string(),
            intervals: intervals
                .into_iter()
                .map(|it| Interval { value: it.to_string(), text: words.seconds(it) })
                .collect(),
            chat: chat.unwrap_or_default(),
            webhook: settings.webhook_url.is_some(),
            mobiles,
            chosen: chosen_people(view, ctx),
            people: view.people.iter().map(|(person, _)| person.to_string()).collect(),
            nowhere: settings.alert_chat.is_none() && settings.webhook_url.is_none(),
            digest: chosen_digest(settings.digest, ctx).to_owned(),
            digests: [None, Some(DigestKind::Week), Some(DigestKind::Month)]
                .map(|kind| Choosable {
                    value: digest_word(kind),
                    text: digest_choice(words, kind),
                })
                .into(),
        };
        self.card(ctx, &facts)
    }

    /// The form of a user's settings: `user.configure`. In a direct chat `people` can be chosen as owner; the client alone
    /// would offer only the chat's two members.
    pub fn configure(&self, detail: &UserDetail, people: &[OpenId], ctx: &CardContext) -> Card {
        let words = self.words;
        let user = &detail.user;
        let owner = user.owner.as_ref().map(OpenId::as_str);
        let known: Vec<&str> = people.iter().map(OpenId::as_str).collect();
        // Keep the choice of a refused form, but only an offered option may be preselected (R22), and never somebody
        // unknown to the bot.
        let typed = ctx.form.values.get("owner").map(String::as_str).filter(|id| !id.is_empty());
        let chosen = typed
            .filter(|id| ctx.in_group || known.contains(id))
            .or(owner.filter(|id| known.contains(id)));
        let people = if ctx.in_group { Vec::new() } else { known };
        let facts = ConfigureFacts {
            key: user.key.to_string(),
            name: user.key.username.as_str(),
            account: detail.account_name.as_str(),
            template: user_template(user, detail.condition, detail.pending.as_ref()),
            status: facts::status(words, user, detail.pending.as_ref()),
            gone: user.status == UserStatus::Gone,
            thresholds: user.thresholds.as_ref().map(ToString::to_string).unwrap_or_default(),
            in_force: percents(&detail.thresholds),
            monitor: user.monitored.is_on(),
            auto_disable: user.auto_disable.is_on(),
            month_limit: user.month_limit.map(|limit| limit.amount().plain()).unwrap_or_default(),
            remark: user.remark.as_str(),
            owner,
            chosen,
            people,
            owner_name: detail.owner_name.as_deref().or(owner),
            display: user.display_name.as_str(),
            email: user.email.as_str(),
            phone: user.phone.as_str(),
        };
        self.card(ctx, &facts)
    }
}

fn digest_word(kind: Option<DigestKind>) -> &'static str {
    kind.map_or("off", DigestKind::word)
}

/// Returns the choice of a refused form, or what is in force: only an offered option may be preselected (R22).
fn chosen_digest(in_force: Option<DigestKind>, ctx: &CardContext) -> &'static str {
    let typed = ctx.form.values.get("digest").map(String::as_str);
    match typed {
        Some("off") => "off",
        Some(word) => digest_word(DigestKind::from_word(word).or(in_force)),
        None => digest_word(in_force),
    }
}

/// Who is mentioned: people by name, and mobile numbers.
fn mentioned(words: Wording, view: &SettingsView) -> Option<String> {
    let chosen = &view.settings.people;
    let named = view.people.iter().filter(|(person, _)| chosen.contains(person));
    let named = named.map(|(person, name)| match name {
        Some(name) => super::text::clip(name, 40),
        None => person.to_string(),
    });
    let all: Vec<String> = named.chain(view.settings.mobiles.iter().cloned()).collect();
    (!all.is_empty()).then(|| all.join(&words.t("list.separator", &[])))
}

/// Returns the people that a refused form had chosen, or those in force; of both only who is offered (R22).
fn chosen_people(view: &SettingsView, ctx: &CardContext) -> Vec<String> {
    let offered = view.people.iter().map(|(person, _)| person.as_str());
    let typed = ctx.form.values.get("people");
    let is_chosen = |id: &str| match typed {
        Some(ids) => ids.lines().any(|chosen| chosen == id),
        None => view.settings.people.iter().any(|person| person.as_str() == id),
    };
    offered.filter(|id| is_chosen(id)).map(str::to_owned).collect()
}

/// Returns the time between cycles that is chosen, and those on offer: what is in force and what was typed into the field of
/// an earlier card are among them, whatever they are.
fn intervals(in_force: u64, ctx: &CardContext) -> (u64, BTreeSet<u64>) {
    let allowed = SavedSettings::SHORTEST_INTERVAL..=SavedSettings::LONGEST_INTERVAL;
    let typed = ctx.form.values.get("interval_seconds").and_then(|text| text.trim().parse().ok());
    let typed = typed.filter(|seconds| allowed.contains(seconds));
    let chosen = typed.unwrap_or(in_force);
    (chosen, INTERVALS.into_iter().chain([in_force, chosen]).collect())
}

fn digest_choice(words: Wording, kind: Option<DigestKind>) -> String {
    match kind {
        None => words.t("config.digest_off", &[]),
        Some(DigestKind::Week) => words.t("config.digest_week", &[]),
        Some(DigestKind::Month) => words.t("config.digest_month", &[]),
    }
}

fn percents(thresholds: &Thresholds) -> String {
    let texts: Vec<String> =
        thresholds.percents().iter().map(|percent| format!("{percent}%")).collect();
    texts.join(" / ")
}
