//! Checks that the app gets a token, is a bot, has its scopes and events, and is a member of the alert chat.

use super::super::progress::Progress;
use super::super::words::t;
use super::Finding;
use crate::clock::Clock;
use crate::config::Config;
use crate::domain::Settings;
use crate::feishu::setup::{self, Scope};
use crate::feishu::{ChatStatus, Client, Disposition, Error, Versions};
use crate::server::{Timeouts, feishu_client};

const TOKEN: &str = "check.token";
const BOT: &str = "check.bot";
const SCOPES: &str = "check.scopes";
const EVENTS: &str = "check.events";
const CHAT: &str = "check.chat";

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
            [BOT, SCOPES, EVENTS, CHAT]
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
    findings.push(scopes(&client).await);
    findings.push(events(&client).await);
    findings.push(alert_chat(&client, settings).await);
}

/// Compares the app's scopes with those that airgate needs.
async fn scopes(client: &Client) -> Finding {
    let asked = match client.scopes().await {
        Ok(asked) => asked,
        Err(error) => {
            return Finding::skipped(t(SCOPES, &[]), t("check.unreadable", &[("error", &error)]));
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
async fn events(client: &Client) -> Finding {
    let subscribed = match client.versions().await {
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
