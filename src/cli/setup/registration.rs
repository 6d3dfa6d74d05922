//! The first step: a person makes the app with their phone.

use std::io::IsTerminal;
use std::time::Duration;

use jiff::SignedDuration;
use secrecy::ExposeSecret;

use super::super::words::t;
use super::super::{Failure, output};
use super::journal::{App, Journal, Waiting};
use super::{Brand, configuration, qr};
use crate::address::{self, Url};
use crate::clock::Clock;
use crate::feishu::setup::{
    CARD_CALLBACK, SCOPES, SUBSCRIPTIONS, TEMPLATE_EVENTS, TEMPLATE_SCOPES,
};
use crate::feishu::{NewApp, Poll, Registrar, addons};

/// How many codes are shown before the command gives up.
const CODES: u32 = 3;
/// Timeout of a call to the accounts host.
const TIMEOUT: Duration = Duration::from_secs(15);
/// Polls are never closer than this, whatever the platform allows.
const SHORTEST_INTERVAL: Duration = Duration::from_millis(100);
/// What `slow_down` adds.
const SLOWER: Duration = Duration::from_secs(5);
const LONGEST_INTERVAL: Duration = Duration::from_secs(60);

/// The accounts hosts. A new app of either brand begins at Feishu's (docs/platforms/feishu.md §12.4).
struct Hosts {
    feishu: Registrar,
    lark: Registrar,
}

impl Hosts {
    fn new() -> Result<Self, Failure> {
        let host = |variable: &str, default: &str| {
            let named = std::env::var(variable).ok().filter(|url| !url.is_empty());
            let refused = |error: &dyn std::fmt::Display| {
                Failure::Configuration(t(
                    "setup.bad_host",
                    &[("variable", &variable), ("error", error)],
                ))
            };
            let url: Url = match &named {
                Some(text) => address::api_url(text).map_err(|error| refused(&error))?,
                None => Url::parse(default).map_err(|error| refused(&error))?,
            };
            if named.is_some() && !address::is_loopback(&url) {
                return Err(refused(&t("setup.only_loopback", &[])));
            }
            Registrar::new(&url, TIMEOUT).map_err(super::said)
        };
        Ok(Self {
            feishu: host("AIRGATE_ACCOUNTS_URL", "https://accounts.feishu.cn")?,
            lark: host("AIRGATE_ACCOUNTS_LARK_URL", "https://accounts.larksuite.com")?,
        })
    }
}

/// Has the app made, and keeps its secret in the journal before anything else.
pub(super) async fn register(brand: Brand, journal: &mut Journal) -> Result<(), Failure> {
    let hosts = Hosts::new()?;
    let clock = Clock::system();
    for _ in 0..CODES {
        let waiting = match journal.saved().waiting.clone() {
            Some(waiting) if waiting.until > clock.now() => waiting,
            _ => begin(&hosts, brand, journal, &clock).await?,
        };
        show(brand, &waiting);
        match wait(&hosts, waiting, journal, &clock).await? {
            Some(app) => return keep(app, brand, journal),
            None => output::line(&t("setup.expired", &[])),
        }
    }
    Err(Failure::Failed(t("setup.nobody", &[])))
}

async fn begin(
    hosts: &Hosts,
    brand: Brand,
    journal: &mut Journal,
    clock: &Clock,
) -> Result<Waiting, Failure> {
    let begun = hosts
        .feishu
        .begin()
        .await
        .map_err(|error| Failure::Failed(t("setup.no_code", &[("error", &error)])))?;
    let link = match brand {
        Brand::Feishu => begun.link("airgate", &wishes()),
        Brand::Lark => {
            let base = configuration::base_url(true);
            begun.lark_link(&address::api_url(&base).map_err(super::said)?)
        }
    };
    let lifetime = SignedDuration::try_from(begun.lifetime).unwrap_or(SignedDuration::ZERO);
    let now = clock.now();
    let waiting = Waiting {
        device_code: begun.device_code.expose_secret().to_owned(),
        link,
        until: now.checked_add(lifetime).unwrap_or(now),
        interval: begun.interval.as_secs(),
        asks_lark: false,
    };
    // Before a person sees it: what they confirm must not be lost with this process.
    journal.change(|saved| saved.waiting = Some(waiting.clone()))?;
    Ok(waiting)
}

/// What the app needs beyond the platform's template.
fn wishes() -> String {
    let scopes: Vec<&str> = SCOPES
        .iter()
        .filter(|scope| !scope.is_sensitive)
        .map(|scope| scope.name())
        .filter(|name| !TEMPLATE_SCOPES.contains(name))
        .filter(|name| *name != "application:application.app_version:readonly")
        .collect();
    let events: Vec<&str> = SUBSCRIPTIONS
        .iter()
        .filter(|one| !TEMPLATE_EVENTS.contains(&one.event))
        .map(|one| one.event.as_str())
        .collect();
    addons(&scopes, &events, &[CARD_CALLBACK])
}

fn show(brand: Brand, waiting: &Waiting) {
    let brand = match brand {
        Brand::Feishu => t("setup.brand_feishu", &[]),
        Brand::Lark => "Lark".to_owned(),
    };
    let stdout = std::io::stdout().is_terminal();
    let variable = |name: &str| std::env::var(name).unwrap_or_default();
    let colours = variable("NO_COLOR").is_empty() && variable("TERM") != "dumb";
    let code = stdout.then(|| qr::lines(&waiting.link, colours)).flatten();
    match code {
        Some(lines) => {
            output::line(&t("setup.scan", &[("brand", &brand)]));
            for line in lines {
                output::line(&line);
            }
            output::line(&t("setup.or_open", &[]));
        }
        None => output::line(&t("setup.open", &[("brand", &brand)])),
    }
    output::line(&waiting.link);
}

/// Polls until the person has decided. `None` if the code has expired.
async fn wait(
    hosts: &Hosts,
    mut waiting: Waiting,
    journal: &mut Journal,
    clock: &Clock,
) -> Result<Option<NewApp>, Failure> {
    let code = waiting.device_code.clone().into();
    let mut interval = Duration::from_secs(waiting.interval).max(SHORTEST_INTERVAL);
    if journal.goes_on() {
        // The interrupted run may have asked just now.
        tokio::time::sleep(interval).await;
    }
    loop {
        let host = if waiting.asks_lark { &hosts.lark } else { &hosts.feishu };
        match host.poll(&code).await {
            Poll::Made(app) => return Ok(Some(app)),
            Poll::Pending => {}
            Poll::SlowDown => interval = interval.saturating_add(SLOWER).min(LONGEST_INTERVAL),
            Poll::AskLark if !waiting.asks_lark => {
                waiting.asks_lark = true;
                journal.change(|saved| saved.waiting = Some(waiting.clone()))?;
                continue;
            }
            Poll::AskLark => {}
            // A proxy's page, or no network for a moment.
            Poll::Unreadable => interval = interval.max(Duration::from_secs(1)),
            Poll::Refused => {
                journal.change(|saved| saved.waiting = None)?;
                return Err(Failure::Failed(t("setup.refused", &[])));
            }
            Poll::Failed(said) => {
                journal.change(|saved| saved.waiting = None)?;
                return Err(Failure::Failed(t("setup.failed", &[("said", &said)])));
            }
            Poll::Expired => break,
        }
        if waiting.until <= clock.now() {
            break;
        }
        tokio::time::sleep(interval).await;
    }
    journal.change(|saved| saved.waiting = None)?;
    Ok(None)
}

/// The secret is on the disk before anything is printed.
fn keep(app: NewApp, brand: Brand, journal: &mut Journal) -> Result<(), Failure> {
    let asked_lark = journal.saved().waiting.as_ref().is_some_and(|waiting| waiting.asks_lark);
    let is_lark = app.is_lark.unwrap_or(asked_lark || brand == Brand::Lark);
    let id = app.app_id.clone();
    journal.change(|saved| {
        saved.waiting = None;
        saved.scanner = app.scanner;
        saved.app = Some(App {
            id: app.app_id,
            secret: app.app_secret.expose_secret().to_owned(),
            is_lark,
        });
    })?;
    output::line(&t("setup.made", &[("id", &id), ("path", &journal.path().display())]));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::feishu::Registration;

    #[test]
    fn the_link_fits_a_code_of_80_columns() {
        let registration = Registration {
            device_code: String::new().into(),
            user_code: "K7QX-M3PD".to_owned(),
            page: "https://open.feishu.cn/page/launcher?user_code=K7QX-M3PD".to_owned(),
            lifetime: Duration::from_secs(600),
            interval: Duration::from_secs(5),
        };
        let link = registration.link("airgate", &wishes());
        assert!(qr::lines(&link, true).is_some(), "{} characters: {link}", link.len());
    }
}
