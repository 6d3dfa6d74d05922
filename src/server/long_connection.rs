//! Events over the long connection. They are handled like those over HTTP; after a gap, the bot reads the messages
//! written in the meantime.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::callbacks::{App, Verdict, count, take};
use crate::feishu::connection::{Connection, ConnectionState, ConnectionStatus, PushAnswer};
use crate::feishu::{EventKind, Incoming};

/// How long a message waits for earlier ones that are still being read after a gap. The platform waits 3 s.
const ORDER_TIMEOUT: Duration = Duration::from_millis(1500);
/// How often the time up to which everything was received is saved. A crash makes the gap longer by at most this much.
const MARK_EVERY: SignedDuration = SignedDuration::from_secs(30);
/// The first back-off after catching up failed.
const FIRST_PAUSE: Duration = Duration::from_secs(2);
/// The longest back-off; each one is twice as long as the one before.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// Keeps the connection open until `stop` and handles what arrives. `in_order` says whether everything earlier has been
/// handled.
pub(super) async fn run(
    connection: Connection,
    app: Arc<App>,
    in_order: watch::Receiver<bool>,
    stop: CancellationToken,
) {
    let handler = move |incoming| {
        let (app, in_order) = (Arc::clone(&app), in_order.clone());
        async move { answer(&app, in_order, incoming).await }
    };
    connection.run(handler, stop).await;
}

async fn answer(
    app: &Arc<App>,
    mut in_order: watch::Receiver<bool>,
    incoming: Incoming,
) -> PushAnswer {
    let watch = tokio::time::Instant::now();
    if let Incoming::Event(event) = &incoming
        && matches!(event.kind, EventKind::Message(_))
    {
        let turn = in_order.wait_for(|in_order| *in_order);
        let _ = tokio::time::timeout(ORDER_TIMEOUT, turn).await;
    }
    let taken = take(app, incoming).await;
    count(taken.kind, taken.outcome, watch.elapsed());
    match taken.verdict {
        Verdict::Challenge(_) | Verdict::Done => PushAnswer::Done,
        Verdict::Answer(answer) => PushAnswer::Callback(answer.into_json()),
        Verdict::Failed => PushAnswer::Failed,
    }
}

/// Follows the connection's state until `stop`: records the time up to which everything was received, and catches up
/// from there whenever the connection is back.
pub(super) async fn follow(
    app: Arc<App>,
    mut status: ConnectionStatus,
    settled: watch::Sender<bool>,
    stop: CancellationToken,
) {
    let following = async {
        loop {
            let (number, since) = match status.now() {
                ConnectionState::Up { number, since, .. } => (number, since),
                ConnectionState::Down { .. } => {
                    settled.send_replace(false);
                    if status.next().await.is_none() {
                        return;
                    }
                    continue;
                }
            };
            catch_up(&app, &settled).await;
            // While this connection lives, everything from `since` on arrives over it.
            mark(&app, since).await;
            let mut marked = since;
            let mut last = since;
            while let ConnectionState::Up { number: current, heard, .. } = status.now()
                && current == number
            {
                last = heard;
                if heard.duration_since(marked) >= MARK_EVERY {
                    marked = heard;
                    mark(&app, heard).await;
                }
                if status.next().await.is_none() {
                    break;
                }
            }
            mark(&app, last).await;
        }
    };
    tokio::select! {
        () = stop.cancelled() => {}
        () = following => {}
    }
}

/// Handles what was written since the mark, retrying until it succeeds. Without a mark there was never a connection, so there
/// is no gap.
async fn catch_up(app: &App, settled: &watch::Sender<bool>) {
    let mut pause = FIRST_PAUSE;
    loop {
        let result = match app.store.reading(|tx| tx.heard_until()).await {
            Ok(None) => Ok(0),
            Ok(Some(since)) => app.bot.catch_up(since).await,
            Err(error) => Err(error.into()),
        };
        // Newer messages wait for the first attempt only: while chat histories cannot be read, the order is lost.
        settled.send_replace(true);
        match result {
            Ok(handled) => {
                if handled > 0 {
                    tracing::info!(handled, "handled messages written during the gap");
                }
                return;
            }
            Err(error) => {
                tracing::warn!(%error, "messages written during the gap cannot be read yet");
            }
        }
        tokio::time::sleep(pause).await;
        pause = pause.saturating_mul(2).min(LONGEST_PAUSE);
    }
}

async fn mark(app: &App, at: Timestamp) {
    if let Err(error) = app.store.writing(move |tx| tx.put_heard_until(at)).await {
        tracing::warn!(%error, "the time up to which everything was received could not be saved");
    }
}
