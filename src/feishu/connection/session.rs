//! One connection, from its first ping to its end.

use std::sync::Arc;
use std::time::Duration;

use futures::{Sink, SinkExt, StreamExt, TryStream};
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

use super::PushAnswer;
use super::frame::{Frame, Verdict};
use super::inbox::{Arrival, Inbox, Push};
use super::settings::Settings;
use super::status::Teller;
use crate::clock::Clock;
use crate::feishu::event::{EventType, Incoming, parse_payload};

/// The platform waits 3 s for a reply, its way there included.
const REPLY_LIMIT: Duration = Duration::from_millis(2800);
/// Replies that wait to be written.
const REPLIES: usize = 64;
/// A close frame that cannot be written in this time is not written.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);
/// Words of a close frame that are kept.
const WORDS_LIMIT: usize = 200;

/// How a connection ended.
#[derive(Debug, thiserror::Error)]
pub(super) enum End {
    /// This side wanted it.
    #[error("the long connection was closed")]
    Stopped,
    /// Nothing was heard for two ping intervals.
    #[error("the long connection was dead: nothing heard for {} s", .0.as_secs())]
    Dead(Duration),
    /// The platform closed it.
    #[error("the platform closed the long connection{0}")]
    Closed(String),
    /// It broke.
    #[error("the long connection broke: {0}")]
    Broken(Box<WsError>),
}

/// What a connection is run with.
pub(super) struct Session<'c, H> {
    pub service_id: i32,
    pub settings: &'c mut Settings,
    pub teller: &'c mut Teller,
    pub desk: &'c Desk<H>,
}

impl<H, F> Session<'_, H>
where
    H: Fn(Incoming) -> F + Send + Sync + 'static,
    F: Future<Output = PushAnswer> + Send + 'static,
{
    /// Runs the connection to its end. A stop closes it at once; what is being handled goes on.
    pub(super) async fn run<S>(self, socket: WebSocketStream<S>, stop: &CancellationToken) -> End
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let (mut sink, mut stream) = socket.split();
        let (replies, mut outgoing) = mpsc::channel(REPLIES);
        // Reading and writing side by side: a line that takes no more bytes must not keep death from being noticed.
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
            let patience = self.settings.ping_interval.saturating_mul(2);
            let received = tokio::select! {
                received = stream.next() => received,
                () = sleep_until(ping_at) => {
                    // A full queue means that nothing gets written; then death will be noticed.
                    let _ = replies.try_send(ping.clone());
                    ping_at = later(Instant::now(), self.settings.ping_interval);
                    continue;
                }
                () = sleep_until(later(heard, patience)) => return End::Dead(patience),
            };
            let message = match received {
                None => return End::Closed(String::new()),
                Some(Err(error)) => return End::Broken(Box::new(error)),
                Some(Ok(Message::Close(farewell))) => return End::Closed(words(farewell)),
                Some(Ok(message)) => message,
            };
            heard = Instant::now();
            self.teller.heard(self.desk.clock.now());
            let Message::Binary(bytes) = message else { continue };
            match inbox.take(&bytes, heard) {
                Arrival::Pong(payload) => {
                    self.settings.update_from(&payload);
                    let soonest = later(Instant::now(), self.settings.ping_interval);
                    ping_at = ping_at.min(soonest);
                }
                Arrival::Push(push) => self.desk.take(push, heard, &replies),
                Arrival::Part | Arrival::Other => {}
                Arrival::Garbled => {
                    tracing::warn!(
                        bytes = bytes.len(),
                        "a message that is no frame was left alone"
                    );
                }
            }
        }
    }
}

/// Writes what waits, one after the other, until the line breaks.
async fn write(
    sink: &mut (impl Sink<Message, Error = WsError> + Unpin),
    outgoing: &mut mpsc::Receiver<Vec<u8>>,
) -> WsError {
    while let Some(bytes) = outgoing.recv().await {
        if let Err(error) = sink.send(Message::binary(bytes)).await {
            return error;
        }
    }
    // The reader holds the other end for as long as it runs.
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

/// Where pushes are handled, each in its own task; outlives connections.
pub(super) struct Desk<H> {
    pub handler: Arc<H>,
    pub clock: Clock,
    /// What is being handled.
    pub tasks: TaskTracker,
    /// How many more may be handled at the same time.
    pub places: Arc<Semaphore>,
}

impl<H, F> Desk<H>
where
    H: Fn(Incoming) -> F + Send + Sync + 'static,
    F: Future<Output = PushAnswer> + Send + 'static,
{
    /// Handles one whole push and replies with the frame that completed it.
    fn take(&self, mut push: Push, received: Instant, replies: &mpsc::Sender<Vec<u8>>) {
        let Ok(place) = Arc::clone(&self.places).try_acquire_owned() else {
            tracing::warn!("too much is being handled; the platform is asked to push again");
            let _ = replies.try_send(push.refusal(received.elapsed()));
            return;
        };
        let (handler, replies) = (Arc::clone(&self.handler), replies.clone());
        let now = self.clock.now();
        self.tasks.spawn(async move {
            let payload = push.take_payload();
            let mut handling = std::pin::pin!(handle(&*handler, payload, now));
            let left = REPLY_LIMIT.saturating_sub(received.elapsed());
            let verdict = timeout(left, &mut handling).await;
            let reply =
                push.reply(verdict.as_ref().unwrap_or(&Verdict::Failed), received.elapsed());
            if replies.send(reply).await.is_err() {
                tracing::info!("a connection ended before its push was answered");
            }
            // What was begun is finished, also when the answer came too late: the repetition will find it done.
            if verdict.is_err() {
                tracing::warn!("a push was not handled in time");
                handling.await;
            }
            drop(place);
        });
    }
}

async fn handle<H, F>(handler: &H, payload: Vec<u8>, now: jiff::Timestamp) -> Verdict
where
    H: Fn(Incoming) -> F,
    F: Future<Output = PushAnswer>,
{
    let Ok(payload) = serde_json::from_slice::<Value>(&payload) else {
        tracing::warn!("a push that is not JSON");
        return Verdict::Failed;
    };
    let event_type = payload.pointer("/header/event_type").and_then(Value::as_str);
    let is_callback = event_type == Some(EventType::CardAction.as_str());
    let incoming = match parse_payload(&payload, now) {
        Ok(incoming) => incoming,
        Err(reason) => {
            tracing::warn!(%reason, "a push was not understood");
            return Verdict::Failed;
        }
    };
    match handler(incoming).await {
        PushAnswer::Callback(answer) => Verdict::Data(answer),
        // An acknowledgement without data is shown as an error to the person who clicked.
        PushAnswer::Done if is_callback => Verdict::Data(Value::Object(serde_json::Map::new())),
        PushAnswer::Done => Verdict::Done,
        PushAnswer::Failed => Verdict::Failed,
    }
}
