//! `airgate setup`: from a QR code to the first card. Every step can be repeated; what a step cannot repeat is in the
//! journal before anything depends on it, so that the same command goes on after an interruption.

mod account;
mod configuration;
mod group;
mod hello;
mod journal;
mod qr;
mod registration;

use std::path::{Path, PathBuf};
use std::time::Duration;

use self::configuration::Place;
use self::journal::Journal;
use super::app::{Fixed, Gap, Line, MENU_KEYS, Survey, console, fix, gaps, look_again, patiently};
use super::words::t;
use super::{
    ConfigFile, Failure, desk, open_store, output, private_file, runtime, until_told_to_stop,
};
use crate::clock::Clock;
use crate::config::{self, Config};
use crate::feishu::{Availability, Client, Disposition, Error};
use crate::server::{Registered, Timeouts, feishu_client, feishu_config, register_slash_commands};
use crate::store::Store;

/// How often credentials that are refused are tried again, and after what time.
const NEW_APP_TRIES: u32 = 3;
const NEW_APP_PAUSE: Duration = Duration::from_secs(1);

/// Which product the app is made in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Brand {
    /// 飞书
    Feishu,
    /// Lark
    Lark,
}

#[derive(Debug, clap::Args)]
pub(super) struct Options {
    /// Feishu or Lark
    #[arg(long, value_enum, default_value_t = Brand::Feishu)]
    brand: Brand,
    /// Let everybody in the company use the bot, not only you; the company may review that
    #[arg(long)]
    everyone: bool,
    #[command(flatten)]
    config: ConfigFile,
}

pub(super) fn run(options: &Options) -> Result<(), Failure> {
    // What fails is told as a step; RUST_LOG shows more.
    output::start_log("off");
    let path = options.config.config.clone().unwrap_or_else(|| PathBuf::from("config.toml"));
    let _alone = match private_file::lock_folder(&path) {
        Ok(Some(lock)) => lock,
        Ok(None) => return Err(Failure::Failed(t("setup.not_alone", &[]))),
        Err(error) => {
            let folder = private_file::folder_of(&path).display();
            return Err(Failure::Configuration(t(
                "setup.no_folder",
                &[("folder", &folder), ("error", &error)],
            )));
        }
    };
    let place = Place::new(path);
    let mut journal = Journal::open(&place)?;
    if place.is_taken(&journal) {
        let path = place.config.display();
        return Err(Failure::Configuration(t("setup.config_exists", &[("path", &path)])));
    }
    if journal.goes_on() {
        output::line(&t("setup.goes_on", &[]));
    }
    let runtime = runtime()?;
    let done = runtime.block_on(async {
        tokio::select! {
            done = all_steps(options, &place, &mut journal) => done,
            () = until_told_to_stop() => {
                desk::show_input_again();
                Err(Failure::Failed(t("setup.interrupted", &[])))
            }
        }
    });
    // A thread may still wait for the operator.
    runtime.shutdown_background();
    done?;
    journal.remove()
}

async fn all_steps(options: &Options, place: &Place, journal: &mut Journal) -> Result<(), Failure> {
    if journal.saved().app.is_none() {
        registration::register(options.brand, journal).await?;
    }
    configuration::write(place, journal)?;
    let config = load(&place.config)?;
    let client = feishu_client(&config, &Timeouts::default(), Clock::system()).map_err(said)?;
    log_in(&client).await.map_err(|error| refused(&error))?;
    let bot = patiently(|| client.bot_info()).await;
    if let Ok(bot) = &bot {
        output::line(&t("setup.bot", &[("name", &bot.name), ("id", &config.feishu.app_id)]));
    }
    let mut left: Vec<String> = Vec::new();
    let store = open_store(&config, "setup.store_instead")?;
    let (mut line, has_menu) = set_up_app(options, &config, &client, journal, &mut left).await?;
    offer_commands(&client, &store, &mut left).await;
    account::add(&config, &store, &mut left).await?;
    group::choose(&client, &store, line.as_mut(), journal, &mut left).await?;
    if let Some(line) = line {
        line.close().await;
    }
    hello::send(&config, &store, &client, journal, &mut left).await?;
    if left.is_empty() {
        output::line(&t("setup.nothing_left", &[]));
    } else {
        output::line(&t("setup.left", &[]));
        for todo in &left {
            output::line(&format!("- {todo}"));
        }
    }
    // Nobody needs it, so it is not among what is left.
    if !has_menu {
        let link = console(&config).page("/bot");
        output::line(&t("setup.menu", &[("link", &link), ("keys", &MENU_KEYS)]));
    }
    let serve = match place.is_default() {
        true => "airgate serve".to_owned(),
        false => format!("airgate serve --config {}", place.config.display()),
    };
    output::line(&t("setup.done", &[("command", &serve)]));
    Ok(())
}

/// Gets a token. A new app may take a moment to be known everywhere.
async fn log_in(client: &Client) -> Result<(), Error> {
    for _ in 0..NEW_APP_TRIES {
        match patiently(|| client.refresh_token()).await {
            Err(error) if error.disposition() == Disposition::Credentials => {
                tokio::time::sleep(NEW_APP_PAUSE).await;
            }
            other => return other,
        }
    }
    patiently(|| client.refresh_token()).await
}

fn load(path: &Path) -> Result<Config, Failure> {
    Config::load(Some(path), config::environment())
        .map_err(|problems| Failure::Configuration(problems.to_string()))
}

/// Gives the app its settings, by API as far as that goes, and notes what is left. Returns the long connection, and whether the
/// app has a bot menu.
async fn set_up_app(
    options: &Options,
    config: &Config,
    client: &Client,
    journal: &mut Journal,
    left: &mut Vec<String>,
) -> Result<(Option<Line>, bool), Failure> {
    let line = match Line::open(feishu_config(config, &Timeouts::default()), Clock::system()).await
    {
        Ok(line) => Some(line),
        Err(error) => {
            output::line(&t("setup.not_connected", &[("error", &error)]));
            None
        }
    };
    let availability = match &journal.saved().scanner {
        _ if journal.saved().is_available => None,
        _ if options.everyone => Some(Availability::Everybody),
        Some(scanner) => Some(Availability::People(vec![scanner.clone()])),
        None => None,
    };
    let survey = Survey::read(client).await;
    let fixed = fix(client, &survey, &config.feishu.events, availability).await;
    match &fixed {
        Fixed::Nothing => {}
        Fixed::Sent => output::line(&t("setup.settings_sent", &[])),
        Fixed::InReview => output::line(&t("setup.settings_in_review", &[])),
        Fixed::ByHand => output::line(&t("setup.settings_by_hand", &[])),
        Fixed::Failed(error) => {
            output::line(&t("setup.settings_failed", &[("error", &plain(error))]));
        }
    }
    if matches!(fixed, Fixed::Nothing | Fixed::Sent) {
        journal.change(|saved| saved.is_available = true)?;
    }
    let survey = match fixed {
        Fixed::Sent => look_again(client, &config.feishu.events).await,
        _ => Survey::read(client).await,
    };
    let console = console(config);
    let found = gaps(&survey, &config.feishu.events);
    let granted =
        survey.scopes.as_ref().map_or(0, |all| all.iter().filter(|scope| scope.is_granted).count());
    output::line(&t("setup.granted", &[("count", &granted)]));
    left.extend(found.iter().map(|gap: &Gap| console.todo(gap)));
    if !options.everyone {
        left.push(t("setup.todo_availability", &[("link", &console.page(""))]));
    }
    let menu = survey.versions.as_ref().ok().and_then(|versions| versions.menu.as_ref());
    Ok((line, menu.is_some_and(|keys| !keys.is_empty())))
}

async fn offer_commands(client: &Client, store: &Store, left: &mut Vec<String>) {
    match register_slash_commands(client, store).await {
        Ok(Registered::Done { .. }) => output::line(&t("setup.commands", &[])),
        // Typing works without them, and `serve` tries again.
        Ok(Registered::Unavailable) => output::line(&t("setup.no_commands", &[])),
        Err(error) => left.push(t("setup.commands_failed", &[("error", &error)])),
    }
}

fn said(error: impl std::fmt::Display) -> Failure {
    Failure::Failed(error.to_string())
}

/// Words for a failed call to Feishu, with the transport's reason.
fn plain(error: &Error) -> String {
    error.to_string()
}

/// The app's credentials do not work, or Feishu cannot be reached.
fn refused(error: &Error) -> Failure {
    let fix = match error.disposition() {
        Disposition::Credentials => t("setup.credentials_fix", &[]),
        _ => t("setup.network_fix", &[]),
    };
    Failure::Failed(t("setup.no_token", &[("error", error), ("fix", &fix)]))
}
