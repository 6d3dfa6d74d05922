//! A listener that can be shut and opened again on the same port, with connections that can be reset. While it is shut,
//! new connections are refused and those it accepted before are reset.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::watch;
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

/// How many connections may wait to be accepted.
const BACKLOG: u32 = 1024;
/// Retry delay while the port cannot be bound again.
const RETRY: Duration = Duration::from_millis(5);

/// The listener; `axum::serve` takes it.
pub(super) struct ClosableListener {
    state: State,
    address: SocketAddr,
    /// Cancelled when the listener is shut, which resets the connections accepted until then.
    closing: CancellationToken,
    wanted: watch::Receiver<bool>,
    is_open: watch::Sender<bool>,
}

enum State {
    Open(TcpListener),
    /// Holds the port without listening on it.
    Shut(TcpSocket),
    /// Between the two: the port is free for a moment.
    Switching,
}

/// Opens and shuts a [`ClosableListener`].
#[derive(Clone)]
pub(super) struct ListenerSwitch {
    wanted: watch::Sender<bool>,
    is_open: watch::Receiver<bool>,
}

impl ListenerSwitch {
    /// Refuses connections from now on. Returns once it does.
    pub(super) async fn shut(&self) {
        self.turn(false).await;
    }

    /// Listens again. Returns once it does.
    pub(super) async fn open(&self) {
        self.turn(true).await;
    }

    async fn turn(&self, open: bool) {
        self.wanted.send_replace(open);
        // Fails if the server has ended; nothing listens then anyway.
        let _ = self.is_open.clone().wait_for(|is_open| *is_open == open).await;
    }
}

impl ClosableListener {
    /// An open listener and its switch.
    pub(super) fn new(listener: TcpListener) -> (Self, ListenerSwitch) {
        // A bound listener always has an address.
        let address =
            listener.local_addr().unwrap_or_else(|_| SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
        let (want, wanted) = watch::channel(true);
        let (tell, is_open) = watch::channel(true);
        let closing = CancellationToken::new();
        let listener =
            Self { state: State::Open(listener), address, closing, wanted, is_open: tell };
        (listener, ListenerSwitch { wanted: want, is_open })
    }

    /// The next connection. Cancel-safe.
    async fn next(&mut self) -> (Connection, SocketAddr) {
        loop {
            let open = *self.wanted.borrow_and_update();
            match (&mut self.state, open) {
                (State::Open(listener), true) => tokio::select! {
                    (stream, from) = Listener::accept(listener) => {
                        let closing = Box::pin(self.closing.clone().cancelled_owned());
                        return (Connection { stream, reset: Reset::default(), closing }, from);
                    }
                    () = changed(&mut self.wanted) => {}
                },
                (State::Open(_), false) => {
                    self.state = State::Switching;
                    std::mem::take(&mut self.closing).cancel();
                }
                (State::Shut(_), true) => {
                    let State::Shut(socket) = std::mem::replace(&mut self.state, State::Switching)
                    else {
                        continue;
                    };
                    if let Ok(listener) = socket.listen(BACKLOG) {
                        self.state = State::Open(listener);
                        self.is_open.send_replace(true);
                    }
                }
                (State::Shut(_), false) => changed(&mut self.wanted).await,
                (State::Switching, _) => match hold(self.address) {
                    Ok(socket) => {
                        self.state = State::Shut(socket);
                        if !open {
                            self.is_open.send_replace(false);
                        }
                    }
                    Err(_) => tokio::time::sleep(RETRY).await,
                },
            }
        }
    }

    /// The address that it was bound to.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Listener for ClosableListener {
    type Io = Connection;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Connection, SocketAddr) {
        self.next().await
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.address)
    }
}

async fn changed(wanted: &mut watch::Receiver<bool>) {
    if wanted.changed().await.is_err() {
        // The switch is gone: nothing can change any more.
        std::future::pending::<()>().await;
    }
}

/// Takes the port without listening on it.
fn hold(address: SocketAddr) -> io::Result<TcpSocket> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    Ok(socket)
}

/// A connection that can be reset.
pub(super) struct Connection {
    stream: TcpStream,
    reset: Reset,
    /// Ready once the listener is shut.
    closing: Pin<Box<WaitForCancellationFutureOwned>>,
}

/// Resets the connection that a request came on.
#[derive(Clone, Default)]
pub(super) struct Reset(Arc<AtomicBool>);

impl Reset {
    /// Nothing more is written; the connection is reset at the next attempt.
    pub(super) fn now(&self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

impl Connected<IncomingStream<'_, ClosableListener>> for Reset {
    fn connect_info(stream: IncomingStream<'_, ClosableListener>) -> Self {
        stream.io().reset.clone()
    }
}

impl Connection {
    /// The stream, unless the connection is to be reset.
    fn stream(&mut self) -> io::Result<Pin<&mut TcpStream>> {
        if self.reset.0.load(Ordering::SeqCst) {
            // Closing without lingering sends RST instead of FIN.
            self.stream.set_zero_linger()?;
            return Err(io::ErrorKind::ConnectionReset.into());
        }
        Ok(Pin::new(&mut self.stream))
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.closing.as_mut().poll(context).is_ready() {
            self.reset.now();
        }
        self.stream()?.poll_read(context, buffer)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.stream()?.poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream()?.poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream()?.poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt;

    use super::*;

    #[tokio::test]
    async fn a_shut_listener_refuses_and_opens_again_on_the_same_port() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (mut listener, switch) = ClosableListener::new(listener);
        let serving = tokio::spawn(async move {
            loop {
                let (mut connection, _) = listener.next().await;
                tokio::spawn(async move { connection.read(&mut [0]).await });
            }
        });
        for _ in 0..3 {
            let mut connection = TcpStream::connect(address).await.unwrap();
            switch.shut().await;
            let refused = TcpStream::connect(address).await.unwrap_err();
            assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
            let ended = connection.read(&mut [0]).await;
            assert!(matches!(ended, Ok(0) | Err(_)), "{ended:?}");
            switch.open().await;
        }
        serving.abort();
    }
}
