//! One connection, from the first ping to the close.

use std::sync::Arc;
use std::time::Duration;

use futures::{Sink, SinkExt, StreamExt, TryStream};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{Semaphore, mpsc};
use tokio::time::{Instant, sleep_until, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{Error as WsError, Message};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::frame::{Frame, ReplyBody};
use super::inbox::{Arrival, Inbox, Push};
use super::status::StatusSender;
use super::timings::Timings;
use crate::clock::Clock;
use crate::feishu::event::{EventType, Incoming, parse_payload};

/// Reply deadline. The platform waits 3 s, network latency included.
const REPLY_LIMIT: Duration = Duration::from_millis(2800);
/// Max replies waiting to be written.
const REPLIES: usize = 64;
/// Timeout of writing the close frame.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);
/// How many characters of a close frame's reason are kept.
const WORDS_LIMIT: usize = 200;

/// The handler's answer to a push.
#[derive(Clone, Debug, PartialEq)]
pub enum PushAnswer {
    /// Handled, or there was nothing to do.
    Done,
    /// Handled, with the answer to a card callback: [`crate::feishu::CallbackAnswer::into_json`].
    Callback(String),
    /// Not handled: the platform should push again.
    Failed,
}

/// How a connection ended.
#[derive(Debug, thiserror::Error)]
pub(super) enum End {
    /// airgate closed it.
    #[error("the long connection was closed")]
    Stopped,
    /// Nothing arrived for two ping intervals.
    #[error("the long connection was dead: nothing received for {} s", .0.as_secs())]
    Dead(Duration),
    /// The platform closed it.
    #[error("the platform closed the long connection{0}")]
    Closed(String),
    /// It broke.
    #[error("the long connection broke: {0}")]
    Broken(Box<WsError>),
}

/// The state for running one connection.
pub(super) struct Session<'c, H> {
    pub service_id: i32,
    pub timings: &'c mut Timings,
    pub status_sender: &'c mut StatusSender,
    pub dispatcher: &'c Dispatcher<H>,
}

impl<H, F> Session<'_, H>
where
    H: Fn(Incoming) -> F + Send + Sync + 'static,
    F: Future<Output = PushAnswer> + Send + 'static,
{
    /// Runs the connection until it ends. A stop closes it immediately; in-flight handlers keep running.
    pub(super) async fn run<S>(self, socket: WebSocketStream<S>, stop: &CancellationToken) -> End
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let (mut sink, mut stream) = socket.split();
        let (replies, mut outgoing) = mpsc::channel(REPLIES);
        // Read and write concurrently: a blocked write must not delay detecting a dead connection.
        let end = tokio::select! {
            biased;
            () = stop.cancelled() => End::Stopped,
            end = self.read(&mut stream, replies) => end,
            error = write(&mut sink, &mut outgoing) => End::Broken(Box::new(error)),
        };
        if matches!(end, End::Stopped) {
            let farewell = CloseFrame { code: CloseCode::Normal, reason: "".into() };
            let closing = sink.send(Message::Close(Some(farewell)));
            let _ = timeout(CLOSE_TIMEOUT, closing).await;
        }
        end
    }

    async fn read(
        self,
        stream: &mut (
                 impl TryStream<Ok = Message, Error = WsError>
                 + StreamExt<Item = Result<Message, WsError>>
                 + Unpin
             ),
        replies: mpsc::Sender<Vec<u8>>,
    ) -> End {
        let ping = Frame::ping(self.service_id).bytes();
        let mut inbox = Inbox::default();
        let mut heard = Instant::now();
        let mut ping_at = heard;
        loop {
            let max_silence = self.timings.ping_interval.saturating_mul(2);
            let received = tokio::select! {
                received = stream.next() => received,
                () = sleep_until(ping_at) => {
                    // If the queue is full, nothing is being written and the connection will time out.
                    let _ = replies.try_send(ping.clone());
                    ping_at = later(Instant::now(), self.timings.ping_interval);
                    continue;
                }
                () = sleep_until(later(heard, max_silence)) => return End::Dead(max_silence),
            };
            let message = match received {
                None => return End::Closed(String::new()),
                Some(Err(error)) => return End::Broken(Box::new(error)),
                Some(Ok(Message::Close(farewell))) => return End::Closed(words(farewell)),
                Some(Ok(message)) => message,
            };
            heard = Instant::now();
            self.status_sender.heard(self.dispatcher.clock.now());
            let Message::Binary(bytes) = message else { continue };
            match inbox.take(&bytes, heard) {
                Arrival::Pong(payload) => {
                    self.timings.update_from(&payload);
                    let soonest = later(Instant::now(), self.timings.ping_interval);
                    ping_at = ping_at.min(soonest);
                }
                Arrival::Push(push) => self.dispatcher.dispatch(push, heard, &replies),
                Arrival::Part | Arrival::Other => {}
                Arrival::Garbled => {
                    tracing::warn!(bytes = bytes.len(), "ignored a message that is not a frame");
                }
            }
        }
    }
}

/// Writes queued messages in order until the connection breaks.
async fn write(
    sink: &mut (impl Sink<Message, Error = WsError> + Unpin),
    outgoing: &mut mpsc::Receiver<Vec<u8>>,
) -> WsError {
    while let Some(bytes) = outgoing.recv().await {
        if let Err(error) = sink.send(Message::binary(bytes)).await {
            return error;
        }
    }
    // The reader holds the sending end while it runs.
    std::future::pending().await
}

fn words(farewell: Option<CloseFrame>) -> String {
    farewell.map_or_else(String::new, |frame| {
        let reason: String = frame.reason.chars().take(WORDS_LIMIT).collect();
        format!(": {} {reason}", u16::from(frame.code))
    })
}

fn later(at: Instant, by: Duration) -> Instant {
    at.checked_add(by).unwrap_or(at)
}

/// Runs the handler for each push in a separate task. Outlives connections.
pub(super) struct Dispatcher<H> {
    pub handler: Arc<H>,
    pub max_event_age: SignedDuration,
    pub clock: Clock,
    /// In-flight pushes.
    pub tasks: TaskTracker,
    /// Limits the in-flight pushes.
    pub permits: Arc<Semaphore>,
}

impl<H, F> Dispatcher<H>
where
    H: Fn(Incoming) -> F + Send + Sync + 'static,
    F: Future<Output = PushAnswer> + Send + 'static,
{
    /// Starts handling a push, or asks the platform to push again if too many are in flight.
    fn dispatch(&self, mut push: Push, received: Instant, replies: &mpsc::Sender<Vec<u8>>) {
        let Ok(permit) = Arc::clone(&self.permits).try_acquire_owned() else {
            tracing::warn!("too many pushes in flight; asking the platform to push again");
            let _ = replies.try_send(push.refusal(received.elapsed()));
            return;
        };
        let (handler, replies) = (Arc::clone(&self.handler), replies.clone());
        let (now, max_age) = (self.clock.now(), self.max_event_age);
        self.tasks.spawn(async move {
            let payload = push.take_payload();
            let mut handling = std::pin::pin!(handle(&*handler, payload, now, max_age));
            let left = REPLY_LIMIT.saturating_sub(received.elapsed());
            let result = timeout(left, &mut handling).await;
            let reply =
                push.reply(result.as_ref().unwrap_or(&ReplyBody::Failed), received.elapsed());
            if replies.send(reply).await.is_err() {
                tracing::info!("a connection ended before its push was answered");
            }
            // Finish even after the deadline: the repeated push then finds it done.
            if result.is_err() {
                tracing::warn!("a push was not handled in time");
                handling.await;
            }
            drop(permit);
        });
    }
}

async fn handle<H, F>(
    handler: &H,
    payload: Vec<u8>,
    now: Timestamp,
    max_age: SignedDuration,
) -> ReplyBody
where
    H: Fn(Incoming) -> F,
    F: Future<Output = PushAnswer>,
{
    let Ok(payload) = serde_json::from_slice::<Value>(&payload) else {
        tracing::warn!("a push is not JSON");
        return ReplyBody::Failed;
    };
    let event_type = payload.pointer("/header/event_type").and_then(Value::as_str);
    let is_callback = event_type == Some(EventType::CardAction.as_str());
    let incoming = match parse_payload(&payload, now, max_age) {
        Ok(incoming) => incoming,
        Err(reason) => {
            tracing::warn!(%reason, "a push was not understood");
            return ReplyBody::Failed;
        }
    };
    match handler(incoming).await {
        PushAnswer::Callback(answer) => ReplyBody::Data(answer),
        // Without data, the client shows an error to the person who clicked.
        PushAnswer::Done if is_callback => ReplyBody::Data("{}".to_owned()),
        PushAnswer::Done => ReplyBody::Done,
        PushAnswer::Failed => ReplyBody::Failed,
    }
}
