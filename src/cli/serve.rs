//! `airgate serve`: the service.

use tokio::net::TcpListener;

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

pub(super) fn run(options: &Options) -> Result<(), Failure> {
    let config = options.config.load()?;
    output::start_log("info");
    for warning in config.warnings() {
        tracing::warn!("{warning}");
    }
    let store = open_store(&config, "only one airgate may run on a store")?;
    runtime()?.block_on(async {
        let listener = TcpListener::bind(config.server.listen).await.map_err(|error| {
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
                "a write to the store failed (is the disk full?); mend it and start again"
                    .to_owned(),
            ))
        }
    })
}
