//! Checks that the app gets a token, is a bot, has its scopes and events, and is a member of the alert chat.

use jiff::SignedDuration;

use super::super::app::{self, Fixed, Line, MENU_KEYS, Survey, console, mode_word};
use super::super::progress::Progress;
use super::super::words::t;
use super::{Finding, Verdict};
use crate::clock::Clock;
use crate::config::{Config, Events};
use crate::domain::Settings;
use crate::feishu::setup::{self, Scope};
use crate::feishu::{ChatStatus, Client, Disposition, Error, Versions};
use crate::server::{
    Registered, Timeouts, feishu_client, feishu_config, is_command, register_slash_commands,
};
use crate::store::Store;

const TOKEN: &str = "check.token";
const BOT: &str = "check.bot";
const SCOPES: &str = "check.scopes";
const EVENTS: &str = "check.events";
const CALLBACKS: &str = "check.callbacks";
const VERSION: &str = "check.version";
const CONTACTS: &str = "check.contacts";
const CLOCK: &str = "check.clock";
const CHAT: &str = "check.chat";

/// A clock that is off by more makes signatures fail (Volcengine allows 15 minutes) and events look old.
const CLOCK_OFF: SignedDuration = SignedDuration::from_secs(60);

/// Checks Feishu. Without a token, the other checks are skipped.
pub(super) async fn check(config: &Config, settings: &Settings, findings: &mut Vec<Finding>) {
    let client = match feishu_client(config, &Timeouts::default(), Clock::system()) {
        Ok(client) => client,
        Err(error) => {
            let fix = t("check.feishu_fix", &[]);
            findings.push(Finding::failed(t(TOKEN, &[]), error.to_string(), fix));
            return;
        }
    };
    let progress = Progress::start(&t("check.asking_token", &[]));
    let token = client.refresh_token().await;
    drop(progress);
    if let Err(error) = token {
        findings.push(failed(TOKEN, &error, ""));
        findings.extend(
            [BOT, SCOPES, EVENTS, CALLBACKS, CONTACTS, CLOCK, CHAT]
                .map(|what| Finding::skipped(t(what, &[]), t("check.no_token", &[]))),
        );
        return;
    }
    findings.push(Finding::good(t(TOKEN, &[]), &config.feishu.app_id));
    let _progress = Progress::start(&t("check.checking_bot", &[]));
    findings.push(match client.bot_info().await {
        Ok(bot) => Finding::good(t(BOT, &[]), format!("{} ({})", bot.name, bot.open_id)),
        Err(error) => failed(BOT, &error, &t("check.bot_fix", &[])),
    });
    let survey = Survey::read(&client).await;
    findings.push(scopes(&survey));
    findings.push(events(&survey));
    findings.push(callbacks(&survey, &config.feishu.events));
    findings.extend(version(&survey));
    findings.push(menu(&survey, config));
    findings.push(contacts(&survey));
    findings.push(clock(&client).await);
    findings.push(alert_chat(&client, settings).await);
}

/// Compares the app's scopes with those that airgate needs.
fn scopes(survey: &Survey) -> Finding {
    let asked = match &survey.scopes {
        Ok(asked) => asked,
        Err(error) => {
            return Finding::skipped(t(SCOPES, &[]), t("check.unreadable", &[("error", error)]));
        }
    };
    let lacking = |is_required: bool| {
        let needed = setup::SCOPES.iter().filter(|scope| scope.is_required == is_required);
        let lacking = needed.filter(|scope| {
            !asked.iter().any(|one| one.is_granted && scope.any_of.contains(&one.name.as_str()))
        });
        lacking.collect::<Vec<_>>()
    };
    let (missing, unused) = (lacking(true), lacking(false));
    let names = |scopes: &[&Scope]| scopes.iter().map(|scope| scope.name()).collect::<Vec<_>>();
    if !missing.is_empty() {
        let waits = |scope: &&Scope| {
            asked.iter().any(|one| !one.is_granted && scope.any_of.contains(&one.name.as_str()))
        };
        let fix = if missing.iter().all(waits) {
            t("check.approve_fix", &[])
        } else {
            t("check.scopes_fix", &[])
        };
        return Finding::failed(
            t(SCOPES, &[]),
            t("check.missing", &[("names", &names(&missing).join(", "))]),
            fix,
        );
    }
    let granted = setup::SCOPES.len() - unused.len();
    match unused.as_slice() {
        [] => Finding::good(t(SCOPES, &[]), t("check.all", &[("count", &granted)])),
        unused => {
            let unused = names(unused).join(", ");
            Finding::good(t(SCOPES, &[]), t("check.all_but", &[("names", &unused)]))
        }
    }
}

/// Compares the app's subscriptions with the events that airgate handles.
fn events(survey: &Survey) -> Finding {
    let subscribed = match &survey.versions {
        Ok(Versions { events: Some(subscribed), .. }) => subscribed,
        Ok(_) => return Finding::skipped(t(EVENTS, &[]), t("check.no_version", &[])),
        Err(error) if error.disposition() == Disposition::NotPermitted => {
            return Finding::skipped(t(EVENTS, &[]), t("check.no_version_scope", &[]));
        }
        Err(error) => {
            return Finding::skipped(t(EVENTS, &[]), t("check.unreadable", &[("error", &error)]));
        }
    };
    let lacking = |is_required: bool| {
        let handled = setup::SUBSCRIPTIONS.iter().filter(|one| one.is_required == is_required);
        let names = handled.map(|one| one.event.as_str());
        names.filter(|name| !subscribed.iter().any(|one| one == name)).collect::<Vec<_>>()
    };
    let (missing, unused) = (lacking(true), lacking(false));
    if !missing.is_empty() {
        let result = t("check.missing", &[("names", &missing.join(", "))]);
        return Finding::failed(t(EVENTS, &[]), result, t("check.events_fix", &[]));
    }
    match unused.as_slice() {
        [] => {
            let count = setup::SUBSCRIPTIONS.len();
            Finding::good(t(EVENTS, &[]), t("check.all", &[("count", &count)]))
        }
        unused => {
            let unused = unused.join(", ");
            Finding::good(t(EVENTS, &[]), t("check.all_but", &[("names", &unused)]))
        }
    }
}

/// Whether there is a bot menu, which only a person can make, and whether its items are commands.
fn menu(survey: &Survey, config: &Config) -> Finding {
    let what = t("check.menu", &[]);
    let keys = survey.versions.as_ref().ok().and_then(|versions| versions.menu.as_deref());
    let keys: Vec<&str> = keys
        .unwrap_or_default()
        .iter()
        .map(|key| key.trim())
        .filter(|key| !key.is_empty())
        .collect();
    let known = |key: &&str| {
        is_command(key.trim_start_matches('/').split_whitespace().next().unwrap_or_default())
    };
    match keys.iter().find(|key| !known(key)) {
        _ if keys.is_empty() => {
            let link = console(config).page("/bot");
            Finding::skipped(what, t("check.menu_none", &[("link", &link), ("keys", &MENU_KEYS)]))
        }
        Some(key) => Finding::new(
            what,
            Verdict::Warning,
            t("check.menu_unknown", &[("key", key)]),
            t("check.menu_fix", &[("keys", &MENU_KEYS)]),
        ),
        None => Finding::good(what, keys.join(", ")),
    }
}

/// Compares the callbacks with those that airgate needs, and the way they take with the configured one.
fn callbacks(survey: &Survey, events: &Events) -> Finding {
    let what = t(CALLBACKS, &[]);
    let info = match &survey.info {
        Ok(info) => info,
        Err(error) if error.disposition() == Disposition::NotPermitted => {
            return Finding::skipped(what, t("check.no_app_scope", &[]));
        }
        Err(error) => {
            return Finding::skipped(what, t("check.unreadable", &[("error", error)]));
        }
    };
    let Some(callbacks) = &info.callbacks else {
        return Finding::skipped(what, t("check.not_shown", &[]));
    };
    let fix = t("check.callbacks_fix", &[]);
    if !callbacks.iter().any(|name| name == setup::CARD_CALLBACK) {
        return Finding::failed(what, t("check.missing", &[("names", &setup::CARD_CALLBACK)]), fix);
    }
    let wanted = mode_word(events);
    match info.callbacks_by.as_deref() {
        Some(mode) if mode != wanted => {
            let result = t("check.wrong_mode", &[("mode", &mode), ("wanted", &wanted)]);
            Finding::failed(what, result, t("check.wrong_mode_fix", &[("wanted", &wanted)]))
        }
        mode => Finding::good(what, mode.unwrap_or_default()),
    }
}

/// Tells of a version that is missing or under review.
fn version(survey: &Survey) -> Option<Finding> {
    let versions = survey.versions.as_ref().ok()?;
    let (result, fix) = match (versions.in_review, &versions.events) {
        (true, _) => (t("check.in_review", &[]), t("check.approve_fix", &[])),
        (false, None) => (t("check.no_version", &[]), t("check.publish_fix", &[])),
        (false, Some(_)) => return None,
    };
    Some(Finding::new(t(VERSION, &[]), Verdict::Warning, result, fix))
}

/// Checks that the app may look somebody up.
fn contacts(survey: &Survey) -> Finding {
    let what = t(CONTACTS, &[]);
    match &survey.contacts {
        Ok(range) if range.covers_somebody => Finding::good(what, ""),
        Ok(_) => Finding::failed(what, t("check.no_contacts", &[]), t("check.contacts_fix", &[])),
        Err(error) => Finding::skipped(what, t("check.unreadable", &[("error", error)])),
    }
}

/// Compares this machine's clock with Feishu's.
async fn clock(client: &Client) -> Finding {
    let what = t(CLOCK, &[]);
    match client.server_time().await {
        Ok(Some(theirs)) => {
            let off = Clock::system().now().duration_since(theirs).abs();
            if off <= CLOCK_OFF {
                return Finding::good(what, "");
            }
            let result = t("check.clock_off", &[("seconds", &off.as_secs())]);
            Finding::failed(what, result, t("check.clock_fix", &[]))
        }
        Ok(None) => Finding::skipped(what, t("check.not_shown", &[])),
        Err(error) => Finding::skipped(what, t("check.unreadable", &[("error", &error)])),
    }
}

/// Adds by API what the app lacks, and says what is left for a person.
pub(super) async fn fix(config: &Config, store: Option<&Store>, findings: &mut Vec<Finding>) {
    let what = || t("check.fix", &[]);
    // The checks that follow say why.
    let Ok(client) = feishu_client(config, &Timeouts::default(), Clock::system()) else { return };
    if client.refresh_token().await.is_err() {
        return;
    }
    let _progress = Progress::start(&t("check.fixing", &[]));
    let by_line = matches!(config.feishu.events, Events::Websocket)
        && client.open_connections().await.unwrap_or(0) == 0;
    let line = match by_line {
        true => Line::open(feishu_config(config, &Timeouts::default()), Clock::system()).await.ok(),
        false => None,
    };
    let survey = Survey::read(&client).await;
    let fixed = app::fix(&client, &survey, &config.feishu.events, None).await;
    let was_sent = matches!(fixed, Fixed::Sent);
    let result = match fixed {
        Fixed::Nothing => t("check.fixed_nothing", &[]),
        Fixed::Sent => t("check.fixed", &[]),
        Fixed::InReview => t("check.in_review", &[]),
        Fixed::ByHand => t("check.fixed_by_hand", &[]),
        Fixed::Failed(error) => t("check.fix_failed", &[("error", &error)]),
    };
    findings.push(Finding::good(what(), result));
    let commands = match store {
        None => Finding::skipped(t("check.commands", &[]), t("check.commands_busy", &[])),
        Some(store) => match register_slash_commands(&client, store).await {
            Ok(Registered::Done { .. }) => Finding::good(t("check.commands", &[]), ""),
            Ok(Registered::Unavailable) => {
                Finding::skipped(t("check.commands", &[]), t("check.no_commands", &[]))
            }
            Err(error) => Finding::skipped(
                t("check.commands", &[]),
                t("check.unreadable", &[("error", &error)]),
            ),
        },
    };
    findings.push(commands);
    let survey = match was_sent {
        true => app::look_again(&client, &config.feishu.events).await,
        false => Survey::read(&client).await,
    };
    let console = console(config);
    for gap in app::gaps(&survey, &config.feishu.events) {
        findings.push(Finding::failed(t("check.left", &[]), "", console.todo(&gap)));
    }
    if let Some(line) = line {
        line.close().await;
    }
}

async fn alert_chat(client: &Client, settings: &Settings) -> Finding {
    let Some(chat) = &settings.alert_chat else {
        let result = match settings.webhook_url {
            Some(_) => t("check.only_webhook", &[]),
            None => t("check.only_admins", &[]),
        };
        return Finding::good(t(CHAT, &[]), result);
    };
    let (what, fix) = (t(CHAT, &[]), t("check.chat_fix", &[]));
    match client.chat(chat.as_str()).await {
        Ok(info) if info.status == ChatStatus::Dissolved => {
            Finding::failed(what, t("check.dissolved", &[("chat", chat)]), fix)
        }
        Ok(info) => Finding::good(what, format!("{} ({chat})", info.name)),
        Err(error) if error.disposition() == Disposition::ChatGone => Finding::failed(
            what,
            t("check.not_in_chat", &[("chat", chat), ("error", &error)]),
            t("check.not_in_chat_fix", &[]),
        ),
        Err(error) => failed(CHAT, &error, &fix),
    }
}

/// Reports a failed call. `refused` is the fix if Feishu refused this call in particular.
fn failed(what: &str, error: &Error, refused: &str) -> Finding {
    let fix = match error.disposition() {
        Disposition::Credentials => t("check.credentials_fix", &[]),
        Disposition::RetryAfter(_) => t("check.limited_fix", &[]),
        Disposition::RetryLater | Disposition::Unclear => t("check.network_fix", &[]),
        _ if refused.is_empty() => t("check.credentials_fix", &[]),
        _ => refused.to_owned(),
    };
    // The last error of the chain is the transport's own reason.
    let mut reason = None;
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        reason = Some(cause.to_string());
        source = cause.source();
    }
    let result = match reason {
        Some(reason) => format!("{error} ({reason})"),
        None => error.to_string(),
    };
    Finding::failed(t(what, &[]), result, fix)
}
