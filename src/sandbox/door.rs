//! A listener that can be shut: then nothing listens on its port, whoever connects is refused, and the connections that
//! came through it are reset. The port is kept, so that it can be opened again.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use axum::serve::Listener;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::watch;
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

/// Connections that wait to be accepted.
const BACKLOG: u32 = 1024;
/// A port that cannot be taken back yet is asked for again so soon.
const AGAIN: Duration = Duration::from_millis(5);

/// The side that accepts.
pub(super) struct Door {
    state: State,
    address: SocketAddr,
    /// Ends with the connections that came while the door was open this time.
    closing: CancellationToken,
    wanted: watch::Receiver<bool>,
    is_open: watch::Sender<bool>,
}

enum State {
    Open(TcpListener),
    /// Holds the port without listening on it.
    Shut(TcpSocket),
    /// Between the two: the port is free for a moment.
    Neither,
}

/// Opens and shuts a [`Door`].
#[derive(Clone)]
pub(super) struct DoorKeeper {
    wanted: watch::Sender<bool>,
    is_open: watch::Receiver<bool>,
}

impl DoorKeeper {
    /// From now on connections are refused. Returns when they are.
    pub(super) async fn shut(&self) {
        self.turn(false).await;
    }

    /// Listens again. Returns when it does.
    pub(super) async fn open(&self) {
        self.turn(true).await;
    }

    async fn turn(&self, open: bool) {
        self.wanted.send_replace(open);
        // Fails where nobody serves any more: then nothing listens either.
        let _ = self.is_open.clone().wait_for(|is_open| *is_open == open).await;
    }
}

impl Door {
    /// An open door, and who shuts it.
    pub(super) fn new(listener: TcpListener) -> (Self, DoorKeeper) {
        // A bound listener has an address; without one nobody could call.
        let address =
            listener.local_addr().unwrap_or_else(|_| SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
        let (ask, wanted) = watch::channel(true);
        let (tell, is_open) = watch::channel(true);
        let closing = CancellationToken::new();
        let door = Self { state: State::Open(listener), address, closing, wanted, is_open: tell };
        (door, DoorKeeper { wanted: ask, is_open })
    }

    /// The next connection, and what ends with it when the door is shut. May be dropped while it waits.
    pub(super) async fn next(&mut self) -> (TcpStream, SocketAddr, Closing) {
        loop {
            let open = *self.wanted.borrow_and_update();
            match (&mut self.state, open) {
                (State::Open(listener), true) => tokio::select! {
                    (stream, from) = Listener::accept(listener) => {
                        return (stream, from, Box::pin(self.closing.clone().cancelled_owned()));
                    }
                    () = changed(&mut self.wanted) => {}
                },
                (State::Open(_), false) => {
                    self.state = State::Neither;
                    std::mem::take(&mut self.closing).cancel();
                }
                (State::Shut(_), true) => {
                    let State::Shut(socket) = std::mem::replace(&mut self.state, State::Neither)
                    else {
                        continue;
                    };
                    if let Ok(listener) = socket.listen(BACKLOG) {
                        self.state = State::Open(listener);
                        self.is_open.send_replace(true);
                    }
                }
                (State::Shut(_), false) => changed(&mut self.wanted).await,
                (State::Neither, _) => match hold(self.address) {
                    Ok(socket) => {
                        self.state = State::Shut(socket);
                        if !open {
                            self.is_open.send_replace(false);
                        }
                    }
                    Err(_) => tokio::time::sleep(AGAIN).await,
                },
            }
        }
    }

    /// Where it is.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }
}

/// Ready once the door that a connection came through is shut.
pub(super) type Closing = std::pin::Pin<Box<WaitForCancellationFutureOwned>>;

async fn changed(wanted: &mut watch::Receiver<bool>) {
    if wanted.changed().await.is_err() {
        // Nobody can want anything else any more.
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

#[cfg(test)]
mod tests {
    use futures::FutureExt;
    use tokio::io::AsyncReadExt;

    use super::*;

    #[tokio::test]
    async fn a_shut_door_refuses_and_opens_again_at_the_same_place() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (mut door, keeper) = Door::new(listener);
        let serving = tokio::spawn(async move {
            loop {
                let (mut stream, _, closing) = door.next().await;
                tokio::spawn(async move {
                    closing.await;
                    let _ = stream.set_zero_linger();
                    let _ = stream.read(&mut [0]).now_or_never();
                });
            }
        });
        for _ in 0..3 {
            let mut line = TcpStream::connect(address).await.unwrap();
            keeper.shut().await;
            let refused = TcpStream::connect(address).await.unwrap_err();
            assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
            let ended = line.read(&mut [0]).await;
            assert!(matches!(ended, Ok(0) | Err(_)), "{ended:?}");
            keeper.open().await;
        }
        serving.abort();
    }
}
