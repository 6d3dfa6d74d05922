//! Checks that the app gets a token, is a bot, has its scopes and events, and is a member of the alert chat.

use super::super::progress::Progress;
use super::Finding;
use crate::clock::Clock;
use crate::config::Config;
use crate::domain::Settings;
use crate::feishu::setup::{self, Scope};
use crate::feishu::{ChatStatus, Client, Disposition, Error};
use crate::server::{Timeouts, feishu_client};

const TOKEN: &str = "Feishu token";
const BOT: &str = "Feishu bot";
const SCOPES: &str = "Feishu scopes";
const EVENTS: &str = "Feishu events";
const CHAT: &str = "Feishu alert chat";

/// What to do about a scope or an event in the developer console.
const IN_CONSOLE: &str = "in the developer console, then publish a version";

/// Checks Feishu. Without a token, the other checks are skipped.
pub(super) async fn check(config: &Config, settings: &Settings, findings: &mut Vec<Finding>) {
    let client = match feishu_client(config, &Timeouts::default(), Clock::system()) {
        Ok(client) => client,
        Err(error) => {
            let fix = "check feishu.base_url and the root certificates of this machine";
            findings.push(Finding::failed(TOKEN, error.to_string(), fix));
            return;
        }
    };
    let progress = Progress::start("requesting a token from Feishu");
    let token = client.refresh_token().await;
    drop(progress);
    if let Err(error) = token {
        findings.push(failed(TOKEN, &error, ""));
        findings.extend([BOT, SCOPES, EVENTS, CHAT].map(|what| Finding::skipped(what, "no token")));
        return;
    }
    findings.push(Finding::good(TOKEN, &config.feishu.app_id));
    let _progress = Progress::start("checking the bot at Feishu");
    findings.push(match client.bot_info().await {
        Ok(bot) => Finding::good(BOT, format!("{} ({})", bot.name, bot.open_id)),
        Err(error) => {
            let fix = "enable the app's bot capability (机器人) in the developer console, and publish a version";
            failed(BOT, &error, fix)
        }
    });
    findings.push(scopes(&client).await);
    findings.push(events(&client, &config.feishu.app_id).await);
    findings.push(alert_chat(&client, settings).await);
}

/// Compares the app's scopes with those that airgate needs.
async fn scopes(client: &Client) -> Finding {
    let asked = match client.scopes().await {
        Ok(asked) => asked,
        Err(error) => return Finding::skipped(SCOPES, format!("cannot be read: {error}")),
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
            "let an administrator of the tenant approve them (管理后台 → 应用审核)".to_owned()
        } else {
            format!("add them under 权限管理 {IN_CONSOLE}")
        };
        return Finding::failed(SCOPES, format!("missing: {}", names(&missing).join(", ")), fix);
    }
    let granted = setup::SCOPES.len() - unused.len();
    match unused.as_slice() {
        [] => Finding::good(SCOPES, format!("all {granted}")),
        unused => Finding::good(SCOPES, format!("all but optional {}", names(unused).join(", "))),
    }
}

/// Compares the app's subscriptions with the events that airgate handles.
async fn events(client: &Client, app_id: &str) -> Finding {
    let subscribed = match client.subscribed_events(app_id).await {
        Ok(Some(subscribed)) => subscribed,
        Ok(None) => return Finding::skipped(EVENTS, "no published version is shown"),
        Err(error) if error.disposition() == Disposition::NotPermitted => {
            return Finding::skipped(
                EVENTS,
                "cannot be read without the scope application:application.app_version:readonly",
            );
        }
        Err(error) => return Finding::skipped(EVENTS, format!("cannot be read: {error}")),
    };
    let lacking = |is_required: bool| {
        let handled = setup::SUBSCRIPTIONS.iter().filter(|one| one.is_required == is_required);
        let names = handled.map(|one| one.event.as_str());
        names.filter(|name| !subscribed.iter().any(|one| one == name)).collect::<Vec<_>>()
    };
    let (missing, unused) = (lacking(true), lacking(false));
    if !missing.is_empty() {
        let fix = format!("add them under 事件与回调 → 事件配置 {IN_CONSOLE}");
        return Finding::failed(EVENTS, format!("missing: {}", missing.join(", ")), fix);
    }
    match unused.as_slice() {
        [] => Finding::good(EVENTS, format!("all {}", setup::SUBSCRIPTIONS.len())),
        unused => Finding::good(EVENTS, format!("all but optional {}", unused.join(", "))),
    }
}

async fn alert_chat(client: &Client, settings: &Settings) -> Finding {
    let Some(chat) = &settings.alert_chat else {
        let result = match settings.webhook_url {
            Some(_) => "none set: alerts go to the custom bot only",
            None => "none set: alerts go to each administrator",
        };
        return Finding::good(CHAT, result);
    };
    let fix =
        "choose another alert chat with /config, or with feishu.alert_chat_id for a new store";
    match client.chat(chat.as_str()).await {
        Ok(info) if info.status == ChatStatus::Dissolved => {
            Finding::failed(CHAT, format!("{chat} was dissolved"), fix)
        }
        Ok(info) => Finding::good(CHAT, format!("{} ({chat})", info.name)),
        Err(error) if error.disposition() == Disposition::ChatGone => Finding::failed(
            CHAT,
            format!("the bot is not in {chat} ({error})"),
            "add the bot to the group, or choose another alert chat with /config",
        ),
        Err(error) => failed(CHAT, &error, fix),
    }
}

/// Reports a failed call. `refused` is the fix if Feishu refused this call in particular.
fn failed(what: &str, error: &Error, refused: &str) -> Finding {
    let fix = match error.disposition() {
        Disposition::Credentials => {
            "check feishu.app_id and feishu.app_secret against the developer console"
        }
        Disposition::RetryAfter(_) => "try again in a minute",
        Disposition::RetryLater | Disposition::Unclear => {
            "check the network, a proxy, and feishu.base_url"
        }
        _ if refused.is_empty() => {
            "check feishu.app_id and feishu.app_secret against the developer console"
        }
        _ => refused,
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
    Finding::failed(what, result, fix)
}
