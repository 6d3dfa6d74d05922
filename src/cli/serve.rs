//! `airgate serve`: runs the service.

use std::net::SocketAddr;

use tokio::net::{TcpListener, TcpSocket};

use super::{ConfigFile, Failure, open_store, output, runtime, until_told_to_stop};
use crate::clock::Clock;
use crate::server::Service;

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  airgate serve
  airgate serve --config /etc/airgate/config.toml
  AIRGATE_LOG_FORMAT=json RUST_LOG=info airgate serve")]
pub(super) struct Options {
    #[command(flatten)]
    config: ConfigFile,
}

/// The backlog of connections waiting to be accepted. A flood soon fills the usual 128, and then the kernel drops others.
const BACKLOG: u32 = 1024;

fn listen(address: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // A restart must not wait for the previous process's connections.
    #[cfg(unix)]
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

pub(super) fn run(options: &Options) -> Result<(), Failure> {
    let config = options.config.load()?;
    output::start_log("info");
    for warning in config.warnings() {
        tracing::warn!("{warning}");
    }
    let store = open_store(&config, "only one airgate may run on a store")?;
    runtime()?.block_on(async {
        let listener = listen(config.server.listen).map_err(|error| {
            Failure::Failed(format!("cannot listen on {}: {error}", config.server.listen))
        })?;
        let service = Service::start(&config, store.clone(), listener, Clock::system())
            .map_err(|error| Failure::Failed(error.to_string()))?;
        tracing::info!(address = %service.address(), "airgate serves");
        let told = tokio::select! {
            () = until_told_to_stop() => true,
            () = store.broken() => false,
        };
        tracing::info!("stopping");
        service.stop().await;
        if told {
            Ok(())
        } else {
            Err(Failure::Failed(
                "a write to the store failed (is the disk full?); fix the cause and start again"
                    .to_owned(),
            ))
        }
    })
}
