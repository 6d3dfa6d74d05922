//! The long connection: events and card callbacks over a WebSocket that this side opens, so that no public address is
//! needed ("Use long connection to receive events").
//!
//! [`Connection::run`] keeps one open for as long as the process lives: it asks for a fresh endpoint for each, notices a
//! connection that is open but dead, and never runs out of attempts, whatever the platform answers; where official
//! clients give up it goes on, seldom. [`ConnectionStatus`] tells whether events can arrive. What people wrote while none
//! could is for the caller to read ([`super::Client::chat_messages`]): the platform pushes to whoever is connected.

mod endpoint;
mod fragments;
mod frame;
mod inbox;
mod session;
mod settings;
mod status;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::sync::Semaphore;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use endpoint::{Discovery, Endpoint, Failure, Patience, Socket};
pub use inbox::{Arrival, Inbox, Push};
use session::{Desk, End, Session};
use settings::Settings;
use status::Teller;
pub use status::{ConnectionState, ConnectionStatus};

use super::client::ClientConfig;
use super::error::Error;
use super::event::Incoming;
use super::http;
use crate::clock::Clock;

/// Pushes that are handled at the same time; more are refused, and come again.
const PLACES: usize = 256;
/// The pause after the first of several attempts that failed for passing reasons; it doubles with each.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// Pauses after refusals grow to this many times the platform's own interval.
const SELDOM: u32 = 5;

/// What a push is answered with.
#[derive(Clone, Debug, PartialEq)]
pub enum PushAnswer {
    /// It was dealt with, or there was nothing to do.
    Done,
    /// A card callback: [`super::CallbackAnswer::to_json`].
    Callback(Value),
    /// It was not handled; the platform should push it again.
    Failed,
}

/// The long connection of one app.
pub struct Connection {
    discovery: Discovery,
    clock: Clock,
    settings: Settings,
    teller: Teller,
}

impl Connection {
    /// Sets the connection up; nothing is sent yet. Fails with [`Error::Setup`] only.
    pub fn new(config: ClientConfig, clock: Clock) -> Result<(Self, ConnectionStatus), Error> {
        let mut url = config.base_url.clone();
        // Fails for URLs without a host only, which are no base URLs.
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(["callback", "ws", "endpoint"]);
        }
        let (teller, status) = Teller::new();
        let connection = Self {
            discovery: Discovery {
                http: http::client(&config.base_url, config.timeout)?,
                url,
                app_id: config.app_id,
                app_secret: config.app_secret,
            },
            clock,
            settings: Settings::default(),
            teller,
        };
        Ok((connection, status))
    }

    /// Keeps a connection open until `stop`, which closes it at once; returns when everything that was being handled is.
    ///
    /// Each push is handled in a task of its own by `handler`. A reply is due within 3 s: what takes longer is answered
    /// as failed, and goes on.
    pub async fn run<H, F>(mut self, handler: H, stop: CancellationToken)
    where
        H: Fn(Incoming) -> F + Send + Sync + 'static,
        F: Future<Output = PushAnswer> + Send + 'static,
    {
        let desk = Desk {
            handler: Arc::new(handler),
            clock: self.clock.clone(),
            tasks: TaskTracker::new(),
            places: Arc::new(Semaphore::new(PLACES)),
        };
        // In a row, without a healthy connection in between.
        let mut failures: u32 = 0;
        loop {
            let opened = tokio::select! {
                () = stop.cancelled() => break,
                opened = self.open() => opened,
            };
            let pause = match opened {
                Ok((endpoint, socket)) => {
                    let Endpoint { host, device_id, service_id, .. } = &endpoint;
                    tracing::info!(host, device_id, "the long connection is open");
                    let opened = Instant::now();
                    let session = Session {
                        service_id: *service_id,
                        settings: &mut self.settings,
                        teller: &mut self.teller,
                        desk: &desk,
                    };
                    let end = session.run(socket, &stop).await;
                    let words = endpoint.hide(&end.to_string());
                    self.teller.down(&words);
                    if matches!(end, End::Stopped) {
                        break;
                    }
                    tracing::warn!(device_id, end = words, "the long connection is lost");
                    // One that ended with its first ping was not healthy, however it ended.
                    if opened.elapsed() >= self.settings.ping_interval {
                        failures = 0;
                        random_up_to(self.settings.reconnect_nonce)
                    } else {
                        failures = failures.saturating_add(1);
                        pause(Patience::Soon, failures, &self.settings)
                    }
                }
                Err(failure) => {
                    failures = failures.saturating_add(1);
                    self.teller.down(&failure.to_string());
                    let pause = pause(failure.patience(), failures, &self.settings)
                        .max(failure.retry_after().unwrap_or_default());
                    let seconds = pause.as_secs();
                    tracing::warn!(%failure, failures, seconds, "no long connection; trying again");
                    pause
                }
            };
            tokio::select! {
                () = stop.cancelled() => break,
                () = tokio::time::sleep(pause) => {}
            }
        }
        self.teller.down("the service is stopping");
        desk.tasks.close();
        desk.tasks.wait().await;
    }

    /// A fresh endpoint, and a connection to it.
    async fn open(&mut self) -> Result<(Endpoint, Socket), Failure> {
        let endpoint = self.discovery.ask(&mut self.settings).await?;
        let socket = endpoint.connect().await?;
        Ok((endpoint, socket))
    }
}

/// How long to wait after this many failures in a row: between half of it and all of it, so that clients spread.
fn pause(patience: Patience, failures: u32, settings: &Settings) -> Duration {
    let doubled = 2_u32.saturating_pow(failures.saturating_sub(1).min(16));
    let interval = settings.reconnect_interval;
    let whole = match patience {
        Patience::Soon => FIRST_PAUSE.saturating_mul(doubled).min(interval),
        Patience::Seldom => interval.saturating_mul(doubled.min(SELDOM)),
    };
    let half = whole.checked_div(2).unwrap_or_default();
    half.saturating_add(random_up_to(half))
}

fn random_up_to(limit: Duration) -> Duration {
    let millis = u64::try_from(limit.as_millis()).unwrap_or(u64::MAX);
    Duration::from_millis(rand::random_range(0..=millis))
}
