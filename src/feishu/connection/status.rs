//! Whether the connection is up: for readiness, for metrics, and for whoever has to catch up after a gap.

use jiff::Timestamp;
use tokio::sync::watch;

/// The connection as it is now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConnectionState {
    /// There is none, or it has not been heard of yet.
    Down {
        /// Why, in words without secrets.
        reason: String,
    },
    /// It is alive.
    Up {
        /// Counts the connections of this process, from 1.
        number: u64,
        /// When it was first heard of; from here on events arrive.
        since: Timestamp,
        /// When it was last heard of. What happens later may be lost if it is dead.
        heard: Timestamp,
    },
}

impl ConnectionState {
    /// Which connection is up.
    pub fn number(&self) -> Option<u64> {
        match self {
            Self::Down { .. } => None,
            Self::Up { number, .. } => Some(*number),
        }
    }
}

/// Follows the connection's state. Clones share it.
#[derive(Clone, Debug)]
pub struct ConnectionStatus(watch::Receiver<ConnectionState>);

impl ConnectionStatus {
    /// The state now.
    pub fn now(&self) -> ConnectionState {
        self.0.borrow().clone()
    }

    /// The state after it has changed since this handle last looked; none once the connection was stopped for good.
    pub async fn next(&mut self) -> Option<ConnectionState> {
        self.0.changed().await.ok()?;
        Some(self.0.borrow_and_update().clone())
    }
}

/// The side that knows.
pub(super) struct Teller {
    state: watch::Sender<ConnectionState>,
    /// Connections that were up so far.
    count: u64,
}

impl Teller {
    pub(super) fn new() -> (Self, ConnectionStatus) {
        let reason = "the long connection was not made yet".to_owned();
        let (state, status) = watch::channel(ConnectionState::Down { reason });
        let teller = Self { state, count: 0 };
        teller.measure();
        (teller, ConnectionStatus(status))
    }

    pub(super) fn down(&self, reason: &str) {
        self.state.send_replace(ConnectionState::Down { reason: reason.to_owned() });
        self.measure();
    }

    /// A connection gave a sign of life.
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
