//! One connection: checks what the client sends and writes commands in order.

use futures::{SinkExt, StreamExt};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::mpsc;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

use super::hub::{Command, Connections};
use super::wire::{CONTROL, DATA, Frame, SERVICE_ID};

/// Runs a connection until it ends.
pub async fn run<S>(connections: &Connections, socket: WebSocketStream<S>)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let (sender, commands) = mpsc::unbounded_channel();
    let number = connections.change(|state| {
        state.overview.opened = state.overview.opened.saturating_add(1);
        let number = u64::from(state.overview.opened);
        state.open.insert(number, sender);
        number
    });
    let mut session = Session { connections, socket, pinged: false };
    session.serve(commands).await;
    connections.change(|state| state.open.remove(&number));
}

struct Session<'c, S> {
    connections: &'c Connections,
    socket: WebSocketStream<S>,
    /// Whether the client has sent a ping, which must be its first frame.
    pinged: bool,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Session<'_, S> {
    async fn serve(&mut self, mut commands: mpsc::UnboundedReceiver<Command>) {
        let mut silent = false;
        loop {
            let message = tokio::select! {
                command = commands.recv() => match command {
                    Some(Command::Send(_)) if silent => continue,
                    Some(Command::Send(messages)) => {
                        for bytes in messages {
                            if self.socket.send(Message::binary(bytes)).await.is_err() {
                                return;
                            }
                        }
                        continue;
                    }
                    Some(Command::Silence) => {
                        silent = true;
                        continue;
                    }
                    Some(Command::Close(code, reason)) => {
                        self.close(code.into(), &reason).await;
                        return;
                    }
                    Some(Command::Drop) | None => return,
                },
                message = self.socket.next() => message,
            };
            if silent {
                // Waits until the client gives up.
                match message {
                    None | Some(Err(_) | Ok(Message::Close(_))) => return,
                    Some(Ok(_)) => continue,
                }
            }
            let checked = match message {
                None | Some(Err(_)) => return,
                Some(Ok(Message::Binary(bytes))) => self.take(&bytes).await,
                Some(Ok(Message::Close(farewell))) => {
                    let code = farewell.map_or(1005, |frame| u16::from(frame.code));
                    self.connections.change(|state| state.overview.farewells.push(code));
                    return;
                }
                Some(Ok(Message::Text(_))) => Err("a text message".to_owned()),
                Some(Ok(_)) => Ok(()),
            };
            if let Err(what) = checked {
                self.close(CloseCode::Protocol, &what).await;
                self.connections.violation(what);
                return;
            }
        }
    }

    async fn close(&mut self, code: CloseCode, reason: &str) {
        // A reason takes at most 123 bytes.
        let reason: String = reason.chars().take(40).collect();
        let frame = CloseFrame { code, reason: reason.into() };
        let _ = self.socket.close(Some(frame)).await;
    }

    async fn take(&mut self, bytes: &[u8]) -> Result<(), String> {
        let frame = Frame::read(bytes)?;
        if frame.service != Some(SERVICE_ID) {
            return Err(format!("a frame for service {:?}", frame.service));
        }
        match frame.method {
            Some(CONTROL) if frame.is_ping(SERVICE_ID) => {
                self.pinged = true;
                let times = self.connections.change(|state| {
                    state.overview.pings = state.overview.pings.saturating_add(1);
                    state.times
                });
                let pong = Frame::pong(SERVICE_ID, times.to_json().to_string());
                let sent = self.socket.send(Message::binary(pong.bytes())).await;
                // A broken connection shows at the next read.
                drop(sent);
                Ok(())
            }
            Some(CONTROL) => Err(format!("a control frame other than a ping: {:?}", frame.headers)),
            Some(DATA) if !self.pinged => Err("a reply before the first ping".to_owned()),
            Some(DATA) => self.connections.settle(&frame),
            method => Err(format!("a frame of method {method:?}")),
        }
    }
}
