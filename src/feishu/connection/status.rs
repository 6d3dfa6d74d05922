//! Whether the connection is up: for readiness, metrics and catching up after a gap.

use jiff::Timestamp;
use tokio::sync::watch;

/// The current state of the connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConnectionState {
    /// There is no connection, or nothing has arrived on it yet.
    Down {
        /// The reason, without secrets.
        reason: String,
    },
    /// The connection is alive.
    Up {
        /// Number of the connection in this process, from 1.
        number: u64,
        /// When the first message arrived; events arrive from here on.
        since: Timestamp,
        /// When the last message arrived. Later events may be lost if the connection is dead.
        heard: Timestamp,
    },
}

impl ConnectionState {
    /// Returns the number of the connection, if one is up.
    pub fn number(&self) -> Option<u64> {
        match self {
            Self::Down { .. } => None,
            Self::Up { number, .. } => Some(*number),
        }
    }
}

/// Receives the connection's state. Cheap to clone.
#[derive(Clone, Debug)]
pub struct ConnectionStatus(watch::Receiver<ConnectionState>);

impl ConnectionStatus {
    /// Returns the current state.
    pub fn now(&self) -> ConnectionState {
        self.0.borrow().clone()
    }

    /// Waits for a change since the last call and returns the state; `None` once the connection has stopped for good.
    pub async fn next(&mut self) -> Option<ConnectionState> {
        self.0.changed().await.ok()?;
        Some(self.0.borrow_and_update().clone())
    }
}

/// Publishes the connection's state.
pub(super) struct StatusSender {
    state: watch::Sender<ConnectionState>,
    /// How many connections have been up.
    count: u64,
}

impl StatusSender {
    pub(super) fn new() -> (Self, ConnectionStatus) {
        let reason = "the long connection has not been opened yet".to_owned();
        let (state, status) = watch::channel(ConnectionState::Down { reason });
        let status_sender = Self { state, count: 0 };
        status_sender.measure();
        (status_sender, ConnectionStatus(status))
    }

    pub(super) fn down(&self, reason: &str) {
        self.state.send_replace(ConnectionState::Down { reason: reason.to_owned() });
        self.measure();
    }

    /// Records that a message arrived.
    pub(super) fn heard(&mut self, now: Timestamp) {
        let already_up = self.state.send_if_modified(|state| {
            if let ConnectionState::Up { heard, .. } = state {
                *heard = now;
                return true;
            }
            false
        });
        if !already_up {
            self.count = self.count.saturating_add(1);
            if self.count > 1 {
                metrics::counter!("airgate_feishu_reconnects_total").increment(1);
            }
            self.state.send_replace(ConnectionState::Up {
                number: self.count,
                since: now,
                heard: now,
            });
            self.measure();
        }
    }

    fn measure(&self) {
        let up = u32::from(self.state.borrow().number().is_some());
        metrics::gauge!("airgate_feishu_connection_up").set(up);
    }
}
