//! The state of the long connections: the connected clients, the pushes that wait for a reply, and what was observed.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::sync::{mpsc, oneshot, watch};

use super::super::http::Reply;
use super::wire::Frame;

/// The client settings, in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Times {
    /// Interval between pings.
    pub ping: u32,
    /// Interval between attempts to connect.
    pub reconnect: u32,
    /// Upper bound of the random delay before the first attempt.
    pub nonce: u32,
}

impl Default for Times {
    fn default() -> Self {
        Self { ping: 120, reconnect: 120, nonce: 30 }
    }
}

impl Times {
    pub(super) fn to_json(self) -> Value {
        json!({
            "ReconnectCount": -1,
            "ReconnectInterval": self.reconnect,
            "ReconnectNonce": self.nonce,
            "PingInterval": self.ping,
        })
    }
}

/// What was observed of the clients so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Overview {
    /// Connections open now, half-open ones included.
    pub open: usize,
    /// Connections made so far.
    pub opened: u32,
    /// Endpoints issued so far.
    pub endpoints: u32,
    /// Pings answered so far.
    pub pings: u32,
    /// Replies to pushes so far.
    pub replies: u32,
    /// Close frames that clients sent, by their codes.
    pub farewells: Vec<u16>,
    /// Protocol violations of clients.
    pub violations: Vec<String>,
}

/// Why an upgrade is refused: the headers `Handshake-…`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpgradeRefusal {
    /// `Handshake-Status`: 403, 514 …
    pub status: u32,
    /// `Handshake-Autherrcode`, with 514.
    pub auth_code: Option<u64>,
    /// `Handshake-Msg`.
    pub msg: String,
}

/// The long connections of the app. Clones share them.
#[derive(Clone, Default)]
pub struct Connections {
    hub: Arc<Hub>,
}

#[derive(Default)]
struct Hub {
    state: Mutex<HubState>,
    /// Incremented with every change, for waiters.
    version: watch::Sender<u64>,
}

#[derive(Default)]
pub(super) struct HubState {
    pub(super) times: Times,
    /// Device id by ticket; a ticket is good for one connection.
    pub(super) tickets: HashMap<String, String>,
    pub(super) open: BTreeMap<u64, mpsc::UnboundedSender<Command>>,
    pub(super) pending: HashMap<String, Pending>,
    /// Ids of `pending`, oldest first.
    pub(super) pushed: VecDeque<String>,
    pub(super) refusals: VecDeque<UpgradeRefusal>,
    /// Larger payloads are sent in parts of this many bytes.
    pub(super) part_size: Option<usize>,
    pub(super) seq: u64,
    pub(super) overview: Overview,
}

impl Connections {
    /// What was observed so far.
    pub fn overview(&self) -> Overview {
        let state = self.hub.state.lock();
        Overview { open: state.open.len(), ..state.overview.clone() }
    }

    /// Waits until the observations satisfy `wanted`; `None` after `timeout`.
    pub async fn wait_for(
        &self,
        wanted: impl Fn(&Overview) -> bool,
        timeout: Duration,
    ) -> Option<Overview> {
        let mut version = self.hub.version.subscribe();
        let waiting = async {
            loop {
                version.mark_unchanged();
                let overview = self.overview();
                if wanted(&overview) {
                    return Some(overview);
                }
                version.changed().await.ok()?;
            }
        };
        tokio::time::timeout(timeout, waiting).await.ok().flatten()
    }

    /// Whether the app uses long connections, which it does once it has opened one.
    pub fn subscribed(&self) -> bool {
        self.hub.state.lock().overview.opened > 0
    }

    /// Sets the client settings, sent with the next endpoint and the next pong.
    pub fn set_times(&self, times: Times) {
        self.change(|state| state.times = times);
    }

    /// Sends larger payloads in parts of `bytes`, the last one first; `None`: always whole.
    pub fn set_part_size(&self, bytes: Option<usize>) {
        self.change(|state| state.part_size = bytes.map(|bytes| bytes.max(1)));
    }

    /// Refuses the next upgrade; refusals queue up.
    pub fn refuse_upgrade(&self, refusal: UpgradeRefusal) {
        self.change(|state| state.refusals.push_back(refusal));
    }

    /// Drops every connection without a close frame, as a network failure does.
    pub fn drop_all(&self) {
        self.tell_all(&Command::Drop);
    }

    /// Closes every connection with a close frame.
    pub fn close_all(&self, code: u16, reason: &str) {
        self.tell_all(&Command::Close(code, reason.to_owned()));
    }

    /// Ignores everything that arrives on the open connections from now on, and sends nothing on them:
    /// half-open connections, which look alive until the client gives up.
    pub fn silence_all(&self) {
        self.tell_all(&Command::Silence);
    }

    /// Sends these bytes as one binary message on every connection.
    pub fn send_raw(&self, bytes: &[u8]) {
        self.tell_all(&Command::Send(vec![bytes.to_vec()]));
    }

    fn tell_all(&self, command: &Command) {
        for connection in self.hub.state.lock().open.values() {
            // Fails only if the connection has just ended.
            let _ = connection.send(command.clone());
        }
    }

    pub(super) fn violation(&self, what: String) {
        tracing::warn!(what, "a client of the long connection broke the rules");
        self.change(|state| state.overview.violations.push(what));
    }

    pub(super) fn change<T>(&self, change: impl FnOnce(&mut HubState) -> T) -> T {
        let out = change(&mut self.hub.state.lock());
        self.hub.version.send_modify(|version| *version = version.wrapping_add(1));
        out
    }
}

/// A command to a connection's task.
#[derive(Clone)]
pub enum Command {
    /// Sends these, each as one binary message.
    Send(Vec<Vec<u8>>),
    /// Closes with a close frame.
    Close(u16, String),
    /// Ends without a close frame.
    Drop,
    /// Ignores input, sends nothing, and stays open until the client gives up.
    Silence,
}

/// A push in flight.
pub struct Pending {
    /// The part sent last, without its payload; the reply must repeat it.
    pub last: Frame,
    pub is_callback: bool,
    /// Receives the reply; `None` once it has.
    pub waiting: Option<oneshot::Sender<Reply>>,
}
