//! The listener: HTTP/1.1 with bounds for whatever strangers do. A connection may be slow, silent or endless; it holds
//! one place out of many for a limited time, and little memory.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::Sleep;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// A connection without a whole head for so long is closed: a slow sender's, and one that is kept alive and idle. Shorter
/// would save little and close lines under the requests of a platform that keeps them open.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);
/// A connection that takes no byte of its answer for so long is closed.
const WRITE_TIMEOUT: Duration = Duration::from_secs(30);
/// The largest head, and what is read ahead of a body. The platform's heads are below 2 KiB.
const BUFFER: usize = 32 * 1024;
/// The most connections at the same time; more wait to be accepted.
const CONNECTIONS: u64 = 1500;
/// Open files that are not connections: the store, backups, calls to the platforms, and a margin.
const OTHER_FILES: u64 = 200;
/// The limit of open files that is asked for.
const FILES: u64 = 4096;
/// Accepting failed (no files left, no memory): so long until the next try.
const ACCEPT_PAUSE: Duration = Duration::from_millis(500);

/// Raises the process's own limit of open files as far as the system lets it, up to what [`places`] needs: many systems
/// start programs with 1,024.
pub(super) fn raise_file_limit() {
    let limit = getrlimit(Resource::Nofile);
    let wanted = limit.maximum.map_or(FILES, |most| most.min(FILES));
    if limit.current.is_some_and(|now| now < wanted) {
        let raised = Rlimit { current: Some(wanted), maximum: limit.maximum };
        if let Err(error) = setrlimit(Resource::Nofile, raised) {
            tracing::warn!(%error, "the limit of open files cannot be raised");
        }
    }
}

/// How many connections there may be: as many as leave files for everything else.
pub(super) fn places() -> usize {
    let files = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    let places = CONNECTIONS.min(files.saturating_sub(OTHER_FILES)).max(OTHER_FILES / 4);
    usize::try_from(places).unwrap_or(usize::MAX)
}

/// Serves `router` to at most `places` connections at a time until `stop`; returns when what was in flight is answered.
pub(super) async fn serve(
    listener: TcpListener,
    router: Router,
    places: usize,
    stop: CancellationToken,
) {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT).max_buf_size(BUFFER);
    let places = Arc::new(Semaphore::new(places));
    let connections = TaskTracker::new();
    let accepting = async {
        loop {
            if places.available_permits() == 0 {
                tracing::warn!("every place for a connection is taken; new ones wait");
            }
            // The semaphore is never closed.
            let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
            let stream = match listener.accept().await {
                Ok((stream, _)) => stream,
                Err(error) => {
                    // A connection that was gone before it was accepted is nobody's trouble.
                    if !is_of_one_connection(&error) {
                        tracing::warn!(%error, "no connection can be accepted");
                        tokio::time::sleep(ACCEPT_PAUSE).await;
                    }
                    continue;
                }
            };
            // Answers are small and awaited.
            let _ = stream.set_nodelay(true);
            let service = TowerToHyperService::new(router.clone());
            let connection = http.serve_connection(TokioIo::new(Patient::new(stream)), service);
            let stop = stop.clone();
            connections.spawn(async move {
                let mut connection = std::pin::pin!(connection);
                let ended = tokio::select! {
                    ended = connection.as_mut() => ended,
                    () = stop.cancelled() => {
                        connection.as_mut().graceful_shutdown();
                        connection.await
                    }
                };
                if let Err(error) = ended {
                    tracing::debug!(%error, "a connection ended early");
                }
                drop(place);
            });
        }
    };
    tokio::select! {
        () = stop.cancelled() => {}
        () = accepting => {}
    }
    drop(listener);
    connections.close();
    connections.wait().await;
}

fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

/// A stream whose writing fails when the other side takes nothing for [`WRITE_TIMEOUT`].
struct Patient {
    stream: TcpStream,
    /// Set while a write waits.
    waiting: Option<Pin<Box<Sleep>>>,
}

impl Patient {
    fn new(stream: TcpStream) -> Self {
        Self { stream, waiting: None }
    }

    fn timed<T>(
        &mut self,
        cx: &mut Context<'_>,
        written: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.waiting = None;
            return written;
        }
        let waiting =
            self.waiting.get_or_insert_with(|| Box::pin(tokio::time::sleep(WRITE_TIMEOUT)));
        ready!(waiting.as_mut().poll(cx));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl AsyncRead for Patient {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Patient {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.timed(cx, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        self.timed(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use axum::routing::get;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::time::Instant;

    use super::*;

    /// More than all buffers between two programs hold.
    const LARGE: usize = 64 * 1024 * 1024;

    /// A listener with so many places; one path answers at once, another with much.
    async fn listening(places: usize) -> (std::net::SocketAddr, CancellationToken) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new()
            .route("/", get(|| async { "here" }))
            .route("/large", get(|| async { vec![b'x'; LARGE] }));
        let stop = CancellationToken::new();
        tokio::spawn(serve(listener, router, places, stop.clone()));
        (address, stop)
    }

    async fn to_the_end(stream: &mut TcpStream) -> Vec<u8> {
        let mut bytes = Vec::new();
        // A reset is an end as well.
        let _ = stream.read_to_end(&mut bytes).await;
        bytes
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_without_a_whole_head_is_closed_in_time() {
        let (address, _stop) = listening(10).await;
        for sent in ["", "GET / HTT", "GET / HTTP/1.1\r\nhost: x\r\nx-slow: "] {
            let mut stream = TcpStream::connect(address).await.unwrap();
            stream.write_all(sent.as_bytes()).await.unwrap();
            let start = Instant::now();
            to_the_end(&mut stream).await;
            let took = start.elapsed();
            assert!(took >= HEAD_TIMEOUT / 2 && took <= HEAD_TIMEOUT * 2, "{sent:?}: {took:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_that_is_kept_alive_and_idle_is_closed_in_time() {
        let (address, _stop) = listening(10).await;
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
        let start = Instant::now();
        let answer = to_the_end(&mut stream).await;
        assert!(answer.starts_with(b"HTTP/1.1 200") && answer.ends_with(b"here"), "{answer:?}");
        assert!(start.elapsed() <= HEAD_TIMEOUT * 2);
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_that_takes_no_answer_is_closed_in_time() {
        let (address, _stop) = listening(1).await;
        let mut silent = TcpStream::connect(address).await.unwrap();
        silent.write_all(b"GET /large HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
        // It holds the only place until it is given up.
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await.unwrap();
        let answer = to_the_end(&mut stream).await;
        assert!(answer.ends_with(b"here"));
        assert!(to_the_end(&mut silent).await.len() < LARGE);
    }

    #[tokio::test]
    async fn a_head_without_end_is_refused() {
        let (address, _stop) = listening(10).await;
        let mut stream = TcpStream::connect(address).await.unwrap();
        let endless = format!("GET / HTTP/1.1\r\nhost: x\r\nx: {}", "x".repeat(2 * BUFFER));
        // It may be closed before all is written.
        let _ = stream.write_all(endless.as_bytes()).await;
        let answer = to_the_end(&mut stream).await;
        assert!(answer.is_empty() || answer.starts_with(b"HTTP/1.1 431"), "{answer:?}");
    }

    #[tokio::test]
    async fn a_stop_ends_idle_connections_at_once() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let stop = CancellationToken::new();
        let router = Router::new().route("/", get(|| async { "here" }));
        let serving = tokio::spawn(serve(listener, router, 10, stop.clone()));
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
        let mut first = [0; 12];
        stream.read_exact(&mut first).await.unwrap();
        let start = Instant::now();
        stop.cancel();
        serving.await.unwrap();
        assert!(start.elapsed() < HEAD_TIMEOUT / 2);
    }

    #[test]
    fn connections_leave_files_for_everything_else() {
        raise_file_limit();
        let files = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
        assert!(places() as u64 <= CONNECTIONS);
        assert!(files < OTHER_FILES * 2 || places() as u64 + OTHER_FILES <= files);
    }
}
