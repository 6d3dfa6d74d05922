//! `airgate serve`: runs the service.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::operator::said;
use super::words::{spoken, t};
use super::{ConfigFile, Failure, open_store_followed, output, runtime, until_told_to_stop};
use crate::clock::Clock;
use crate::config::{Config, exposes_secrets};
use crate::server::{Door, Service, Timeouts};
use crate::store::Store;
use crate::store::opening::Opening;

#[derive(Debug, clap::Args)]
pub(super) struct Options {
    #[command(flatten)]
    config: ConfigFile,
}

/// The backlog of connections waiting to be accepted. A flood soon fills the usual 128, and then the kernel drops other
/// connections.
const BACKLOG: u32 = 1024;

/// How often the log says that the store is still being opened.
const STILL_OPENING: Duration = Duration::from_secs(5);

fn listen(address: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // A restart must not wait for the previous process's connections.
    #[cfg(unix)]
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Opens the store, and says from time to time that it is still being opened.
async fn opened(config: Config, opening: Opening) -> Result<Store, Failure> {
    let path = config.store.path.display().to_string();
    let (done, opened) = oneshot::channel();
    let followed = opening.clone();
    // A thread of its own: unlike the runtime's, it does not keep the process from ending.
    std::thread::spawn(move || {
        // An Err means that the process is ending.
        let _ = done.send(open_store_followed(&config, "cli.one_only", &followed));
    });
    let mut opened = std::pin::pin!(opened);
    let start = Instant::now();
    loop {
        match tokio::time::timeout(STILL_OPENING, opened.as_mut()).await {
            Ok(Ok(store)) => return store,
            Ok(Err(_)) => {
                return Err(Failure::Failed(t("cli.not_opened", &[("path", &path)])));
            }
            Err(_) => {
                let seconds = start.elapsed().as_secs();
                let stage = opening.stage();
                tracing::warn!(
                    path,
                    seconds,
                    %stage,
                    "still opening the store: /readyz answers 503"
                );
            }
        }
    }
}

pub(super) fn run(options: &Options) -> Result<(), Failure> {
    let config = options.config.load()?;
    output::start_log("info");
    if let Some(path) = options.config.path().filter(|path| exposes_secrets(path)) {
        tracing::warn!("{}", t("check.exposed", &[("path", &path.display())]));
    }
    for warning in config.warnings() {
        tracing::warn!("{}", said(&warning, spoken()));
    }
    runtime()?.block_on(async {
        // Before the store is opened, which may take minutes: a supervisor that asks must not mistake that for a hang.
        let door = listen(config.server.listen).and_then(Door::open).map_err(|error| {
            let address = config.server.listen;
            Failure::Failed(t("cli.port_in_use", &[("address", &address), ("error", &error)]))
        })?;
        let store = tokio::select! {
            opened = opened(config.clone(), door.opening().clone()) => opened?,
            () = until_told_to_stop() => return Ok(()),
        };
        let timeouts = Timeouts::default();
        let service =
            Service::start_behind(&config, store.clone(), door, Clock::system(), timeouts)
                .map_err(|error| Failure::Failed(error.to_string()))?;
        tracing::info!(address = %service.address(), "airgate serves");
        let told = tokio::select! {
            () = until_told_to_stop() => true,
            () = store.broken() => false,
        };
        tracing::info!("stopping");
        service.stop().await;
        if told { Ok(()) } else { Err(Failure::Failed(t("cli.write_failed", &[]))) }
    })
}
