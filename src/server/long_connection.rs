//! Events over the long connection: they are handled like those over HTTP, and after a gap the bot reads up on what was
//! written meanwhile.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::callbacks::{App, Verdict, count, take};
use crate::feishu::connection::{Connection, ConnectionState, ConnectionStatus, PushAnswer};
use crate::feishu::{EventKind, Incoming};

/// A message that arrives while earlier ones are being read up waits so long for them. The platform waits 3 s.
const ORDER_PATIENCE: Duration = Duration::from_millis(1500);
/// How far the mark of what was heard may lag behind while all is well: a crash makes the gap longer by as much.
const MARK_EVERY: SignedDuration = SignedDuration::from_secs(30);
/// Reading up that failed is tried again after this pause, which doubles up to the other.
const FIRST_PAUSE: Duration = Duration::from_secs(2);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// Keeps the connection until `stop` and handles what arrives. `in_order` tells whether everything earlier was handled.
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
        let _ = tokio::time::timeout(ORDER_PATIENCE, turn).await;
    }
    let taken = take(app, incoming).await;
    count(taken.kind, taken.outcome, watch.elapsed());
    match taken.verdict {
        Verdict::Challenge(_) | Verdict::Done => PushAnswer::Done,
        Verdict::Answer(answer) => PushAnswer::Callback(answer.to_json()),
        Verdict::Failed => PushAnswer::Failed,
    }
}

/// Follows the connection until `stop`: keeps the mark until when everything was heard, and reads up from there whenever
/// there is a connection again.
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
            read_up(&app, &settled).await;
            // From `since` on everything arrives by itself, for as long as this connection lives.
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

/// Reads up from the mark, as often as it takes. Without a mark there never was a connection, hence no gap.
async fn read_up(app: &App, settled: &watch::Sender<bool>) {
    let mut pause = FIRST_PAUSE;
    loop {
        let result = match app.store.reading(|tx| tx.heard_until()).await {
            Ok(None) => Ok(0),
            Ok(Some(since)) => app.bot.catch_up(since).await,
            Err(error) => Err(error.into()),
        };
        // Later messages wait for the first attempt only: while the histories cannot be read, the order is lost.
        settled.send_replace(true);
        match result {
            Ok(handled) => {
                if handled > 0 {
                    tracing::info!(handled, "messages written during the gap were handled");
                }
                return;
            }
            Err(error) => {
                tracing::warn!(%error, "what was written during the gap cannot be read yet");
            }
        }
        tokio::time::sleep(pause).await;
        pause = pause.saturating_mul(2).min(LONGEST_PAUSE);
    }
}

async fn mark(app: &App, at: Timestamp) {
    if let Err(error) = app.store.writing(move |tx| tx.put_heard_until(at)).await {
        tracing::warn!(%error, "until when everything was heard could not be kept");
    }
}
