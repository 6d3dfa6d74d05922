//! The listener: HTTP/1.1 with limits that hold up against hostile clients. A connection may be slow, silent or endless; it
//! holds one of many permits for a limited time, and little memory.

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

/// Header read timeout; also closes idle keep-alive connections. A shorter one would save little and would close connections
/// that the platform keeps open, just as it sends a request.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);
/// Write timeout: how long a client may accept no byte of a response.
const WRITE_TIMEOUT: Duration = Duration::from_secs(30);
/// The maximum size of a request's head, and of the read-ahead into its body. The platform's heads are below 2 KiB.
const BUFFER: usize = 32 * 1024;
/// The maximum number of concurrent connections; further ones wait to be accepted.
const CONNECTIONS: u64 = 1500;
/// Open files besides connections: the store, backups, calls to the platforms, and a margin.
const OTHER_FILES: u64 = 200;
/// The limit on open files to ask for.
const FILES: u64 = 4096;
/// Retry delay after accepting failed (out of files or memory).
const ACCEPT_PAUSE: Duration = Duration::from_millis(500);

/// Raises the process's limit on open files as far as the system allows, up to what [`connection_limit`] needs. Many systems
/// start programs with 1,024.
pub(super) fn raise_file_limit() {
    let limit = getrlimit(Resource::Nofile);
    let wanted = limit.maximum.map_or(FILES, |maximum| maximum.min(FILES));
    if limit.current.is_some_and(|now| now < wanted) {
        let raised = Rlimit { current: Some(wanted), maximum: limit.maximum };
        if let Err(error) = setrlimit(Resource::Nofile, raised) {
            tracing::warn!(%error, "the limit on open files cannot be raised");
        }
    }
}

/// The maximum number of concurrent connections that leaves enough files for everything else.
pub(super) fn connection_limit() -> usize {
    let files = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    let limit = CONNECTIONS.min(files.saturating_sub(OTHER_FILES)).max(OTHER_FILES / 4);
    usize::try_from(limit).unwrap_or(usize::MAX)
}

/// Serves `router` on at most `limit` concurrent connections until `stop`. Returns when requests in flight are answered.
pub(super) async fn serve(
    listener: TcpListener,
    router: Router,
    limit: usize,
    stop: CancellationToken,
) {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT).max_buf_size(BUFFER);
    let permits = Arc::new(Semaphore::new(limit));
    let connections = TaskTracker::new();
    let accepting = async {
        loop {
            if permits.available_permits() == 0 {
                tracing::warn!("the connection limit is reached; new connections wait");
            }
            // The semaphore is never closed.
            let Ok(permit) = Arc::clone(&permits).acquire_owned().await else { return };
            let stream = match listener.accept().await {
                Ok((stream, _)) => stream,
                Err(error) => {
                    // A connection that was gone before it was accepted needs no attention.
                    if !is_of_one_connection(&error) {
                        tracing::warn!(%error, "cannot accept connections");
                        tokio::time::sleep(ACCEPT_PAUSE).await;
                    }
                    continue;
                }
            };
            // Responses are small, and clients wait for them.
            let _ = stream.set_nodelay(true);
            let service = TowerToHyperService::new(router.clone());
            let connection =
                http.serve_connection(TokioIo::new(TimeoutStream::new(stream)), service);
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
                drop(permit);
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

/// A stream whose writes fail when the client accepts nothing for [`WRITE_TIMEOUT`].
struct TimeoutStream {
    stream: TcpStream,
    /// The timer of a pending write.
    waiting: Option<Pin<Box<Sleep>>>,
}

impl TimeoutStream {
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

impl AsyncRead for TimeoutStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for TimeoutStream {
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

    /// More than all buffers between two programs can hold.
    const LARGE: usize = 64 * 1024 * 1024;

    /// A listener with this connection limit. One path gives a short response, another a large one.
    async fn listening(limit: usize) -> (std::net::SocketAddr, CancellationToken) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new()
            .route("/", get(|| async { "here" }))
            .route("/large", get(|| async { vec![b'x'; LARGE] }));
        let stop = CancellationToken::new();
        tokio::spawn(serve(listener, router, limit, stop.clone()));
        (address, stop)
    }

    async fn to_the_end(stream: &mut TcpStream) -> Vec<u8> {
        let mut bytes = Vec::new();
        // A reset counts as the end, too.
        let _ = stream.read_to_end(&mut bytes).await;
        bytes
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_without_a_complete_head_is_closed_in_time() {
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
    async fn an_idle_keep_alive_connection_is_closed_in_time() {
        let (address, _stop) = listening(10).await;
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
        let start = Instant::now();
        let answer = to_the_end(&mut stream).await;
        assert!(answer.starts_with(b"HTTP/1.1 200") && answer.ends_with(b"here"), "{answer:?}");
        assert!(start.elapsed() <= HEAD_TIMEOUT * 2);
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_reads_no_response_is_disconnected_in_time() {
        let (address, _stop) = listening(1).await;
        let mut silent = TcpStream::connect(address).await.unwrap();
        silent.write_all(b"GET /large HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
        // It holds the only permit until it is disconnected.
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await.unwrap();
        let answer = to_the_end(&mut stream).await;
        assert!(answer.ends_with(b"here"));
        assert!(to_the_end(&mut silent).await.len() < LARGE);
    }

    #[tokio::test]
    async fn an_endless_head_is_refused() {
        let (address, _stop) = listening(10).await;
        let mut stream = TcpStream::connect(address).await.unwrap();
        let endless = format!("GET / HTTP/1.1\r\nhost: x\r\nx: {}", "x".repeat(2 * BUFFER));
        // The connection may be closed before everything is written.
        let _ = stream.write_all(endless.as_bytes()).await;
        let answer = to_the_end(&mut stream).await;
        assert!(answer.is_empty() || answer.starts_with(b"HTTP/1.1 431"), "{answer:?}");
    }

    #[tokio::test]
    async fn a_stop_closes_idle_connections_at_once() {
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
    fn the_connection_limit_leaves_files_for_everything_else() {
        raise_file_limit();
        let files = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
        assert!(connection_limit() as u64 <= CONNECTIONS);
        assert!(files < OTHER_FILES * 2 || connection_limit() as u64 + OTHER_FILES <= files);
    }
}
