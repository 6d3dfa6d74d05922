//! `airgate demo`: the whole product on this machine. Stand-ins for both platforms, sample data, a chat page; the service
//! is the real one, driven by real signed callbacks.

mod controls;
mod growth;
mod guide;
mod panel;
mod stage;

use std::net::SocketAddr;

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use self::stage::Stage;
use super::{Failure, output, runtime, until_told_to_stop};
use crate::sandbox::demo_page::{self, DemoPage};

/// Where the page listens if that is free.
const USUAL_ADDRESS: &str = "127.0.0.1:8787";

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  airgate demo
  airgate demo --listen 127.0.0.1:9000 --locale en_us")]
pub(super) struct Options {
    /// Where the chat page listens; else 127.0.0.1:8787, or a free port
    #[arg(long, value_name = "ADDR")]
    listen: Option<SocketAddr>,
    /// Which sample data: the same number makes the same bills every time
    #[arg(long, value_name = "N", default_value_t = 7)]
    seed: u64,
    /// The language of the cards and of the page
    #[arg(long, default_value = "zh_cn", value_parser = ["zh_cn", "en_us"])]
    locale: String,
}

pub(super) fn run(options: &Options) -> Result<(), Failure> {
    // What goes wrong is often wanted to here, and the page shows it.
    output::start_log("error");
    runtime()?.block_on(async {
        let page_listener = listen(options.listen).await?;
        let address = page_listener.local_addr().map_err(failed)?;
        let folder = tempfile::tempdir().map_err(failed)?;
        // Who stops it while it starts does not wait until it has started.
        let starting = stage::start(folder.path(), options.seed, &options.locale);
        let (stage, service) = tokio::select! {
            started = starting => started?,
            () = until_told_to_stop() => return Ok(()),
        };
        let page = page(&stage, &options.locale).await?;
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

/// What stands in the terminal while the demo runs. The address has a line of its own.
fn greet(address: SocketAddr, options: &Options) {
    output::line(
        "airgate demo: the real service between a built-in Feishu and a built-in Volcengine.",
    );
    output::line("Open this in a browser; the strip on top leads through the first minute:\n");
    output::line(&format!("    http://{address}\n"));
    output::line(&format!(
        "Sample data {}; nothing leaves this machine, nothing is kept. Ctrl-C stops it.",
        options.seed
    ));
}

async fn page(stage: &Stage, locale: &str) -> Result<DemoPage, Failure> {
    let people = stage::ROLES.map(|(id, role)| (id.to_owned(), role.to_owned())).to_vec();
    let controls = controls::all(stage).await.map_err(failed)?;
    Ok(DemoPage::new(stage.feishu.clone(), locale, people, controls))
}

async fn listen(wanted: Option<SocketAddr>) -> Result<TcpListener, Failure> {
    let cannot = |address: &str, error: std::io::Error| {
        Failure::Failed(format!(
            "cannot listen on {address}: {error}; choose another with --listen"
        ))
    };
    match wanted {
        Some(address) => {
            TcpListener::bind(address).await.map_err(|error| cannot(&address.to_string(), error))
        }
        None => match TcpListener::bind(USUAL_ADDRESS).await {
            Ok(listener) => Ok(listener),
            Err(_) => {
                let free = "127.0.0.1:0";
                TcpListener::bind(free).await.map_err(|error| cannot(free, error))
            }
        },
    }
}

fn failed(error: impl std::fmt::Display) -> Failure {
    Failure::Failed(format!("the demo cannot start: {error}"))
}
