//! The state that the handle, the server and the people share.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use parking_lot::Mutex;
use tokio::sync::{broadcast, watch};
use tokio_util::sync::CancellationToken;

use super::connection::hub::Connections;
use super::fault::Faults;
use super::state::{SentEvent, State};
use crate::clock::Clock;
use crate::sandbox::listener::ListenerSwitch;

/// The tenant.
pub(super) const TENANT: &str = "2ed263bf32cf1651";

/// The stand-in's configuration of the app. Holds secrets, so it has no `Debug`.
#[derive(Clone)]
pub struct FeishuConfig {
    /// `cli_…`.
    pub app_id: String,
    /// The app's secret.
    pub app_secret: String,
    /// If set, encrypts and signs events.
    pub encrypt_key: Option<String>,
    /// Sent with every event.
    pub verification_token: String,
    /// Where the service under test listens, e.g. `http://127.0.0.1:8080`; [`set_service_url`] sets it later.
    ///
    /// [`set_service_url`]: super::FakeFeishu::set_service_url
    pub service_url: Option<String>,
    /// The bot's name in mentions and messages.
    pub bot_name: String,
    /// Whether rate limits are enforced: 5 messages a second per chat, 5 updates a second per message, and custom bots'.
    pub rate_limits: bool,
    /// How long the service may take to answer an event or a click; 3 s on the real platform.
    pub reply_timeout: Duration,
}

impl FeishuConfig {
    /// An app without encryption, named airgate, with rate limits.
    pub fn new(app_id: &str, app_secret: &str, verification_token: &str) -> Self {
        Self {
            app_id: app_id.to_owned(),
            app_secret: app_secret.to_owned(),
            encrypt_key: None,
            verification_token: verification_token.to_owned(),
            service_url: None,
            bot_name: "airgate".to_owned(),
            rate_limits: true,
            reply_timeout: Duration::from_secs(3),
        }
    }
}

/// A change of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// A new message, by id.
    Message(String),
    /// A message's content was replaced.
    Updated(String),
    /// A message was recalled.
    Recalled(String),
}

/// The shared state.
pub(crate) struct Core {
    pub(super) config: FeishuConfig,
    pub(super) url: String,
    pub(super) bot_open_id: String,
    pub(super) clock: Clock,
    pub(super) client: reqwest::Client,
    pub(super) service_url: Mutex<Option<String>>,
    pub(super) rate_limits: AtomicBool,
    pub(super) state: Mutex<State>,
    pub(super) undelivered: Mutex<VecDeque<SentEvent>>,
    pub(super) faults: Faults,
    pub(super) connections: Connections,
    pub(super) listener: ListenerSwitch,
    pub(super) changes: broadcast::Sender<Change>,
    /// Incremented with every change of the state, for waiters.
    pub(super) version: watch::Sender<u64>,
    pub(super) stop: CancellationToken,
}

impl Core {
    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Changes the state and wakes waiters.
    pub(super) fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let out = change(&mut self.state.lock());
        self.version.send_modify(|v| *v = v.wrapping_add(1));
        out
    }

    /// Notifies the subscribers, if any.
    pub(super) fn tell(&self, change: Change) {
        let _ = self.changes.send(change);
    }

    pub(super) fn limited(&self) -> bool {
        self.rate_limits.load(Ordering::Relaxed)
    }
}
