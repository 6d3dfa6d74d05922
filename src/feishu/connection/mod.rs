//! The long connection: events and card callbacks over a WebSocket that airgate opens, so that it needs no public
//! address (docs/platforms/feishu.md §10).
//!
//! [`Connection::run`] keeps one connection open. It discovers a fresh endpoint for each, detects a connection that is
//! open but dead, and never stops reconnecting: where the official clients give up, it retries less often.
//! [`ConnectionStatus`] tells whether events can arrive. The platform does not replay messages after a gap, so the
//! caller reads them from the chats' histories ([`super::Client::chat_messages`]).

mod endpoint;
mod fragments;
mod frame;
mod inbox;
mod session;
mod status;
#[cfg(test)]
mod tests;
mod timings;

use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;
use tokio::sync::Semaphore;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use endpoint::{Backoff, ConnectError, Discovery, Endpoint, Socket};
pub use inbox::{Arrival, Inbox, Push};
pub use session::PushAnswer;
use session::{Dispatcher, End, Session};
use status::StatusSender;
pub use status::{ConnectionState, ConnectionStatus};
use timings::Timings;

use super::client::ClientConfig;
use super::error::Error;
use super::event::Incoming;
use super::http;
use crate::clock::Clock;

/// Max pushes handled concurrently. The platform is asked to push others again.
const MAX_IN_FLIGHT: usize = 256;
/// Back-off after the first transient failure; it doubles with each further one.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// Cap on the back-off after a refusal, as a multiple of the platform's reconnect interval.
const MAX_LONG_FACTOR: u32 = 5;

/// The long connection of one app.
pub struct Connection {
    discovery: Discovery,
    max_event_age: SignedDuration,
    clock: Clock,
    timings: Timings,
    status_sender: StatusSender,
}

impl Connection {
    /// Creates a connection without sending anything. Events older than `max_event_age` become [`Incoming::Stale`]. Fails
    /// only with [`Error::Setup`].
    pub fn new(
        config: ClientConfig,
        max_event_age: SignedDuration,
        clock: Clock,
    ) -> Result<(Self, ConnectionStatus), Error> {
        let mut url = config.base_url.clone();
        // Fails only for URLs without a host, which cannot be base URLs.
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(["callback", "ws", "endpoint"]);
        }
        let (status_sender, status) = StatusSender::new();
        let connection = Self {
            discovery: Discovery {
                http: http::client(&config.base_url, config.timeout)?,
                url,
                app_id: config.app_id,
                app_secret: config.app_secret,
            },
            max_event_age,
            clock,
            timings: Timings::default(),
            status_sender,
        };
        Ok((connection, status))
    }

    /// Keeps a connection open until `stop`, which closes it immediately. Returns when all in-flight pushes are handled.
    ///
    /// `handler` runs in a separate task for each push. The platform expects a reply within 3 s: a push that takes
    /// longer is answered as failed, and its handler runs to completion.
    pub async fn run<H, F>(mut self, handler: H, stop: CancellationToken)
    where
        H: Fn(Incoming) -> F + Send + Sync + 'static,
        F: Future<Output = PushAnswer> + Send + 'static,
    {
        let dispatcher = Dispatcher {
            handler: Arc::new(handler),
            max_event_age: self.max_event_age,
            clock: self.clock.clone(),
            tasks: TaskTracker::new(),
            permits: Arc::new(Semaphore::new(MAX_IN_FLIGHT)),
        };
        // Consecutive failures, without a healthy connection in between.
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
                        timings: &mut self.timings,
                        status_sender: &mut self.status_sender,
                        dispatcher: &dispatcher,
                    };
                    let end = session.run(socket, &stop).await;
                    let reason = endpoint.redact(&end.to_string());
                    self.status_sender.down(&reason);
                    if matches!(end, End::Stopped) {
                        break;
                    }
                    tracing::warn!(device_id, reason, "the long connection was lost");
                    // A connection that did not outlive its first ping interval was not healthy.
                    if opened.elapsed() >= self.timings.ping_interval {
                        failures = 0;
                        random_up_to(self.timings.reconnect_nonce)
                    } else {
                        failures = failures.saturating_add(1);
                        pause(Backoff::Short, failures, &self.timings)
                    }
                }
                Err(failure) => {
                    failures = failures.saturating_add(1);
                    self.status_sender.down(&failure.to_string());
                    let pause = pause(failure.backoff(), failures, &self.timings)
                        .max(failure.retry_after().unwrap_or_default());
                    let seconds = pause.as_secs();
                    tracing::warn!(%failure, failures, seconds, "the long connection is down; retrying");
                    pause
                }
            };
            tokio::select! {
                () = stop.cancelled() => break,
                () = tokio::time::sleep(pause) => {}
            }
        }
        self.status_sender.down("the service is stopping");
        dispatcher.tasks.close();
        dispatcher.tasks.wait().await;
    }

    /// Discovers a fresh endpoint and connects to it.
    async fn open(&mut self) -> Result<(Endpoint, Socket), ConnectError> {
        let endpoint = self.discovery.discover(&mut self.timings).await?;
        let socket = endpoint.connect().await?;
        Ok((endpoint, socket))
    }
}

/// Returns the back-off after this many consecutive failures, with up to 50 % jitter.
fn pause(backoff: Backoff, failures: u32, timings: &Timings) -> Duration {
    let doubled = 2_u32.saturating_pow(failures.saturating_sub(1).min(16));
    let interval = timings.reconnect_interval;
    let whole = match backoff {
        Backoff::Short => FIRST_PAUSE.saturating_mul(doubled).min(interval),
        Backoff::Long => interval.saturating_mul(doubled.min(MAX_LONG_FACTOR)),
    };
    let half = whole.checked_div(2).unwrap_or_default();
    half.saturating_add(random_up_to(half))
}

fn random_up_to(limit: Duration) -> Duration {
    let millis = u64::try_from(limit.as_millis()).unwrap_or(u64::MAX);
    Duration::from_millis(rand::random_range(0..=millis))
}
