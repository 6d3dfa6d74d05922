//! `airgate demo`: the whole product on this machine, with stand-ins for both platforms, sample data and a chat page. The
//! service is the real one, driven by real signed callbacks.

mod actions;
mod controls;
mod growth;
mod guide;
mod models;
mod panel;
mod scenario;
mod setup;
mod stage;

use std::net::SocketAddr;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use self::stage::{Stage, failed};
use super::words::t;
use super::{Failure, output, runtime, until_told_to_stop};
use crate::config::Locale;
use crate::sandbox::demo_page::{self, DemoPage};

/// Where the page listens if the port is free.
const DEFAULT_ADDRESS: &str = "127.0.0.1:8787";

#[derive(Debug, clap::Args)]
pub(super) struct Options {
    /// Address of the chat page [default: 127.0.0.1:8787, or a free port]
    #[arg(long, value_name = "ADDR")]
    listen: Option<SocketAddr>,
    /// Seed of the sample data: the same number gives the same bills
    #[arg(long, value_name = "N", default_value_t = 7)]
    seed: u64,
    /// Language of the cards and the page
    #[arg(long, default_value_t, value_parser = locales())]
    locale: Locale,
    /// Try `airgate setup` against the stand-ins, with the phone's part played in the browser
    #[arg(long)]
    setup: bool,
}

fn locales() -> impl TypedValueParser<Value = Locale> {
    PossibleValuesParser::new(Locale::WORDS).try_map(|word| word.parse::<Locale>())
}

pub(super) fn run(options: &Options) -> Result<(), Failure> {
    if options.setup {
        return setup::run(options);
    }
    // Most failures here are intended, and the page shows them.
    output::start_log("error");
    runtime()?.block_on(async {
        let page_listener = listen(options.listen).await?;
        let address = page_listener.local_addr().map_err(failed)?;
        let folder = tempfile::tempdir().map_err(failed)?;
        // The first sync takes some seconds: the stand-in limits calls like the real cloud.
        output::notice(&t("cli.demo_preparing", &[]));
        // Ctrl-C works during startup as well.
        let starting = stage::start(folder.path(), options.seed, options.locale);
        let (stage, service) = tokio::select! {
            started = starting => started?,
            () = until_told_to_stop() => return Ok(()),
        };
        let page = page(&stage, options.locale).await?;
        let stop = CancellationToken::new();
        let watch = tokio::spawn(panel::watch(stage.clone(), page.clone(), stop.clone()));
        let spending = tokio::spawn(growth::run(stage.clone(), stop.clone()));
        let served = tokio::spawn({
            let (router, stop) = (demo_page::router(page.clone()), stop.clone());
            async move {
                axum::serve(page_listener, router)
                    .with_graceful_shutdown(stop.cancelled_owned())
                    .await
            }
        });
        greet(address, options);
        until_told_to_stop().await;
        stage.heal();
        page.close();
        stop.cancel();
        let _ = tokio::join!(served, watch, spending, service.stop());
        Ok(())
    })
}

/// Prints the address, on a line of its own, and what the demo is.
fn greet(address: SocketAddr, options: &Options) {
    output::line(&t("cli.demo_hello", &[]));
    output::line(&format!("{}\n", t("cli.demo_open", &[])));
    output::line(&format!("    http://{address}\n"));
    output::line(&t("cli.demo_note", &[("seed", &options.seed)]));
}

async fn page(stage: &Stage, locale: Locale) -> Result<DemoPage, Failure> {
    let people = stage::ROLES.map(|(id, role)| (id.to_owned(), role.to_owned())).to_vec();
    let controls = controls::all(stage).await.map_err(failed)?;
    Ok(DemoPage::new(stage.feishu.clone(), locale.word(), people, controls))
}

async fn listen(wanted: Option<SocketAddr>) -> Result<TcpListener, Failure> {
    let cannot = |address: &str, error: std::io::Error| {
        Failure::Failed(t("cli.demo_port", &[("address", &address), ("error", &error)]))
    };
    match wanted {
        Some(address) => {
            TcpListener::bind(address).await.map_err(|error| cannot(&address.to_string(), error))
        }
        None => match TcpListener::bind(DEFAULT_ADDRESS).await {
            Ok(listener) => Ok(listener),
            Err(_) => {
                let free = "127.0.0.1:0";
                TcpListener::bind(free).await.map_err(|error| cannot(free, error))
            }
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_speaks_every_language_of_the_cards() {
        let words = include_str!("../../sandbox/page/words.js");
        for locale in Locale::ALL {
            assert!(words.contains(&format!("./words/{locale}.js")), "words.js lacks {locale}");
        }
    }
}
