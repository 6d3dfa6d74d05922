//! Checks that the app gets a token, is a bot, and is a member of the alert chat.

use super::super::progress::Progress;
use super::Finding;
use crate::clock::Clock;
use crate::config::Config;
use crate::domain::Settings;
use crate::feishu::{ChatStatus, Client, Disposition, Error};
use crate::server::{Timeouts, feishu_client};

const TOKEN: &str = "Feishu token";
const BOT: &str = "Feishu bot";
const CHAT: &str = "Feishu alert chat";

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
        findings.extend([BOT, CHAT].map(|what| Finding::skipped(what, "no token")));
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
    findings.push(alert_chat(&client, settings).await);
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

/// A failed call. `refused` is the fix if Feishu refused this call in particular.
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
