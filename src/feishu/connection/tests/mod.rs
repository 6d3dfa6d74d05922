//! Tests of the long connection: the vectors made with the official clients, and its timing.

mod endpoint;
mod timing;
mod vectors;

use std::sync::Arc;
use std::time::Duration;

use futures::{SinkExt, StreamExt};
use jiff::{SignedDuration, Timestamp};
use parking_lot::Mutex;
use tokio::io::DuplexStream;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::endpoint::limits;
use super::session::{Dispatcher, End, Session};
use super::status::StatusSender;
use super::timings::Timings;
use super::{ConnectionStatus, PushAnswer};
use crate::clock::Clock;
use crate::feishu::Incoming;

const SERVICE_ID: i32 = 33554678;

/// A session over a pipe, with the platform's end.
struct Line {
    platform: WebSocketStream<DuplexStream>,
    running: JoinHandle<(End, Timings)>,
    stop: CancellationToken,
    status: ConnectionStatus,
    seen: Arc<Mutex<Vec<Incoming>>>,
}

/// Starts a session that answers every push with `answer` after `delay`.
async fn line(answer: PushAnswer, delay: Duration, permits: usize) -> Line {
    let (near, far) = tokio::io::duplex(1024 * 1024);
    let socket = WebSocketStream::from_raw_socket(near, Role::Client, Some(limits())).await;
    let platform = WebSocketStream::from_raw_socket(far, Role::Server, None).await;
    let stop = CancellationToken::new();
    let (mut status_sender, status) = StatusSender::new();
    let seen: Arc<Mutex<Vec<Incoming>>> = Arc::default();
    let (stopped, handled) = (stop.clone(), Arc::clone(&seen));
    let running = tokio::spawn(async move {
        let dispatcher = Dispatcher {
            handler: Arc::new(move |incoming| {
                let (answer, handled) = (answer.clone(), Arc::clone(&handled));
                async move {
                    tokio::time::sleep(delay).await;
                    handled.lock().push(incoming);
                    answer
                }
            }),
            max_event_age: SignedDuration::from_hours(8),
            clock: Clock::manual(Timestamp::from_second(1_700_000_000).unwrap()),
            tasks: TaskTracker::new(),
            permits: Arc::new(Semaphore::new(permits)),
        };
        let mut timings = Timings::default();
        let session = Session {
            service_id: SERVICE_ID,
            timings: &mut timings,
            status_sender: &mut status_sender,
            dispatcher: &dispatcher,
        };
        let end = session.run(socket, &stopped).await;
        status_sender.down(&end.to_string());
        dispatcher.tasks.close();
        dispatcher.tasks.wait().await;
        (end, timings)
    });
    Line { platform, running, stop, status, seen }
}

impl Line {
    async fn send(&mut self, bytes: Vec<u8>) {
        self.platform.send(Message::binary(bytes)).await.unwrap();
    }

    /// Returns the next binary message; `None` once the connection is closed.
    async fn receive(&mut self) -> Option<Vec<u8>> {
        loop {
            match self.platform.next().await? {
                Ok(Message::Binary(bytes)) => return Some(bytes.to_vec()),
                Ok(Message::Close(_)) | Err(_) => return None,
                Ok(_) => {}
            }
        }
    }

    async fn farewell(&mut self) -> Option<CloseFrame> {
        loop {
            if let Message::Close(frame) = self.platform.next().await?.ok()? {
                return frame;
            }
        }
    }
}
