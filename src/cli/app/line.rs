//! A long connection for the time of a command: the platform lets an app switch to it only while one is open.

use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::domain::EVENT_WINDOW;
use crate::feishu::connection::{Connection, ConnectionState, PushAnswer};
use crate::feishu::{ClientConfig, EventKind, GroupInfo, Incoming};

/// How long it may take to open.
const OPENING: Duration = Duration::from_secs(20);

/// An open long connection. Every event is answered as handled.
pub(in crate::cli) struct Line {
    stop: CancellationToken,
    running: JoinHandle<()>,
    added: mpsc::UnboundedReceiver<GroupInfo>,
}

impl Line {
    /// Opens one.
    ///
    /// # Errors
    /// Why it cannot be opened, in words without secrets.
    pub(in crate::cli) async fn open(config: ClientConfig, clock: Clock) -> Result<Self, String> {
        let (connection, mut status) =
            Connection::new(config, EVENT_WINDOW, clock).map_err(|error| error.to_string())?;
        let (tell, added) = mpsc::unbounded_channel();
        let stop = CancellationToken::new();
        let handler = move |incoming| {
            if let Incoming::Event(event) = incoming
                && let EventKind::BotAdded { chat_id, name, .. } = event.kind
            {
                // An Err means that nobody waits for groups any more.
                let _ = tell.send(GroupInfo { chat_id, name });
            }
            std::future::ready(PushAnswer::Done)
        };
        let running = tokio::spawn(connection.run(handler, stop.clone()));
        let mut line = Self { stop, running, added };
        let up = async {
            loop {
                if status.now().number().is_some() {
                    return true;
                }
                if status.next().await.is_none() {
                    return false;
                }
            }
        };
        if tokio::time::timeout(OPENING, up).await.unwrap_or(false) {
            return Ok(line);
        }
        let reason = match status.now() {
            ConnectionState::Down { reason } => reason,
            ConnectionState::Up { .. } => String::new(),
        };
        line.end().await;
        Err(reason)
    }

    /// Waits until the bot is added to a group.
    pub(in crate::cli) async fn added(&mut self) -> Option<GroupInfo> {
        self.added.recv().await
    }

    /// Closes it.
    pub(in crate::cli) async fn close(mut self) {
        self.end().await;
    }

    async fn end(&mut self) {
        self.stop.cancel();
        // It ends at once; an Err means that it panicked.
        let _ = (&mut self.running).await;
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}
