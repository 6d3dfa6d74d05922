//! The state of the long connections: who is connected, which pushes wait for a reply, and what was seen of the clients.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::sync::{mpsc, oneshot, watch};

use super::super::http::Reply;
use super::wire::Frame;

/// The times that clients are given, in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Times {
    /// From one ping to the next.
    pub ping: u32,
    /// Between attempts to connect.
    pub reconnect: u32,
    /// The first attempt waits for a random time up to this.
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

/// What was seen of the clients so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Overview {
    /// Connections open now, half-open ones included.
    pub open: usize,
    /// Connections made so far.
    pub opened: u32,
    /// Endpoints given out so far.
    pub endpoints: u32,
    /// Pings answered so far.
    pub pings: u32,
    /// Pushes that were replied to.
    pub replies: u32,
    /// Close frames that clients sent, by their codes.
    pub farewells: Vec<u16>,
    /// What clients did that the platform would not understand.
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

/// The long connections of the app. Clones are the same.
#[derive(Clone, Default)]
pub struct Connections {
    hub: Arc<Hub>,
}

#[derive(Default)]
struct Hub {
    state: Mutex<HubState>,
    /// Bumped with every change, for those who wait.
    version: watch::Sender<u64>,
}

#[derive(Default)]
pub(super) struct HubState {
    pub(super) times: Times,
    /// ticket -> device id; a ticket connects once.
    pub(super) tickets: HashMap<String, String>,
    pub(super) lines: BTreeMap<u64, mpsc::UnboundedSender<Command>>,
    pub(super) pending: HashMap<String, Pending>,
    /// Ids of `pending`, oldest first.
    pub(super) pushed: VecDeque<String>,
    pub(super) refusals: VecDeque<UpgradeRefusal>,
    /// Payloads beyond this many bytes go out in parts.
    pub(super) part_size: Option<usize>,
    pub(super) seq: u64,
    pub(super) overview: Overview,
}

impl Connections {
    /// What was seen so far.
    pub fn overview(&self) -> Overview {
        let state = self.hub.state.lock();
        Overview { open: state.lines.len(), ..state.overview.clone() }
    }

    /// Waits until what was seen satisfies `wanted`; none after `patience`.
    pub async fn wait_for(
        &self,
        wanted: impl Fn(&Overview) -> bool,
        patience: Duration,
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
        tokio::time::timeout(patience, waiting).await.ok().flatten()
    }

    /// Whether the app has chosen the long connection: once one was made.
    pub fn subscribed(&self) -> bool {
        self.hub.state.lock().overview.opened > 0
    }

    /// The times that clients are given from now on: with the next endpoint, and with the next pong.
    pub fn set_times(&self, times: Times) {
        self.change(|state| state.times = times);
    }

    /// Payloads beyond `bytes` go out in parts, the last one first; `None`: always whole.
    pub fn set_part_size(&self, bytes: Option<usize>) {
        self.change(|state| state.part_size = bytes.map(|bytes| bytes.max(1)));
    }

    /// Refuses the next upgrade; may be called several times.
    pub fn refuse_upgrade(&self, refusal: UpgradeRefusal) {
        self.change(|state| state.refusals.push_back(refusal));
    }

    /// Ends every connection without a word, as a broken line does.
    pub fn drop_all(&self) {
        self.tell_all(&Command::Drop);
    }

    /// Closes every connection with a close frame.
    pub fn close_all(&self, code: u16, reason: &str) {
        self.tell_all(&Command::Close(code, reason.to_owned()));
    }

    /// From now on nothing that arrives on the connections that are open is looked at, and nothing is sent on them:
    /// half-open lines, which look connected to both sides until the client gives up.
    pub fn silence_all(&self) {
        self.tell_all(&Command::Silence);
    }

    /// Sends these bytes as one binary message on every connection.
    pub fn send_raw(&self, bytes: &[u8]) {
        self.tell_all(&Command::Send(vec![bytes.to_vec()]));
    }

    fn tell_all(&self, command: &Command) {
        for line in self.hub.state.lock().lines.values() {
            // A line that has just ended needs telling nothing.
            let _ = line.send(command.clone());
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

/// What a connection is told to do.
#[derive(Clone)]
pub enum Command {
    /// Send these, each as one binary message.
    Send(Vec<Vec<u8>>),
    /// Close with a close frame.
    Close(u16, String),
    /// End without a word.
    Drop,
    /// Fall silent: take nothing in, send nothing, and stay open until the client gives up.
    Silence,
}

/// A push on its way.
pub struct Pending {
    /// The part that went out last, which the reply has to repeat; without its payload.
    pub last: Frame,
    pub is_callback: bool,
    /// Who waits; none once it was answered.
    pub waiting: Option<oneshot::Sender<Reply>>,
}
