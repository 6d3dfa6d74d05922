//! A thousand connections that are silent, slow, oversized or endless: the real process keeps answering others, its memory
//! stays bounded, and slow clients are cut off in time.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use airgate::sandbox::feishu::{ClickAction, Message, State};
use futures::future::join_all;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout};

use crate::bed::{ADMIN, TIMEOUT, eventually, eventually_some, one_account};
use crate::shared::environment::{App, ENCRYPT_KEY, Environment, Options};
use crate::shared::process::{Process, Stopped};

/// How long Feishu waits for the answer to a click. (The limit of 1 s in `docs/behaviour.md` assumes a machine that is not
/// busy with flooding.)
const CALLBACK_LIMIT: Duration = Duration::from_secs(3);
/// docs/behaviour.md §8, in MiB.
const MEMORY: u64 = 300;

/// Between two bytes of a slow sender.
const DRIP: Duration = Duration::from_secs(1);

/// The service that is flooded.
struct Target {
    environment: Environment,
    process: Process,
    address: SocketAddr,
}

impl Target {
    /// With an Encrypt Key callbacks are signed. Without one, only the verification token tells strangers from Feishu.
    async fn start(encrypt_key: &str) -> Self {
        let app = App { encrypt_key: encrypt_key.to_owned(), ..App::default() };
        let options = Options { app, ..Options::default() };
        let environment = Environment::with(one_account(), options).await;
        environment.home.configure(&environment.configuration().set("monitor.enabled", false));
        let process = environment.serve("info");
        let address = process.listening();
        Self { environment, process, address }
    }

    /// A card to click on.
    async fn card(&self) -> String {
        let feishu = &self.environment.feishu;
        let sent = feishu.say(ADMIN, &feishu.direct_chat(ADMIN), "/users", false).await;
        assert_eq!(sent.status, Some(200));
        let reply = |state: &State| {
            state.all_messages().iter().find(|m| m.reply_to == sent.message_id).cloned()
        };
        let reply: Message = eventually_some("a reply", || feishu.read(reply)).await;
        reply.message_id
    }

    /// The most memory that the process has had so far, in MiB.
    fn peak_memory(&self) -> u64 {
        self.process.memory("VmHWM") / 1024
    }

    /// Sends an ordinary click. Returns how long its answer took.
    async fn click(&self, card: &str) -> Duration {
        let action = ClickAction {
            tag: "button".to_owned(),
            value: Some(json!({"action": "users.list", "page": 1})),
            ..ClickAction::default()
        };
        let clicked = self.environment.feishu.click_raw(ADMIN, card, action).await;
        assert_eq!((clicked.status, clicked.error.as_deref()), (Some(200), None), "{clicked:?}");
        assert!(clicked.elapsed < CALLBACK_LIMIT, "{clicked:?}");
        clicked.elapsed
    }
}

/// How many connections this process can open, at most `wanted`. Raises the limit of open files if need be.
fn allowed(wanted: usize) -> usize {
    let limit = getrlimit(Resource::Nofile);
    let needed = wanted as u64 + 500;
    if limit.current.is_some_and(|now| now < needed) {
        let most = limit.maximum.map_or(needed, |most| most.min(needed));
        let _ = setrlimit(Resource::Nofile, Rlimit { current: Some(most), ..limit });
    }
    let files = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    wanted.min(usize::try_from(files.saturating_sub(500)).unwrap_or(usize::MAX))
}

async fn connect(address: SocketAddr) -> TcpStream {
    loop {
        // A full accept queue is not a failure.
        if let Ok(Ok(stream)) = timeout(Duration::from_secs(5), TcpStream::connect(address)).await {
            return stream;
        }
    }
}

/// Sends `start`, then the byte `drip` every second until the service closes the connection.
async fn slow(address: SocketAddr, start: Vec<u8>, drip: u8) {
    let mut stream = connect(address).await;
    let (mut read, mut write) = stream.split();
    let sending = async {
        // Writing fails once the connection is closed.
        let mut open = write.write_all(&start).await.is_ok();
        while open && !start.is_empty() {
            sleep(DRIP).await;
            open = write.write_all(&[drip]).await.is_ok();
        }
        std::future::pending::<()>().await;
    };
    let ending = async {
        let mut answer = Vec::new();
        let _ = read.read_to_end(&mut answer).await;
    };
    tokio::select! {
        () = sending => {}
        () = ending => {}
    }
}

/// Sends a body as fast as possible until the service closes the connection. Returns whether the answer, if one was read,
/// says that the body is too large or that too many large ones were being read.
async fn endless(address: SocketAddr, head: &str, piece: &[u8]) -> bool {
    let mut stream = connect(address).await;
    let (mut read, mut write) = stream.split();
    let sending = async {
        let mut open = write.write_all(head.as_bytes()).await.is_ok();
        while open {
            open = write.write_all(piece).await.is_ok();
        }
        std::future::pending::<()>().await;
    };
    let mut answer = Vec::new();
    tokio::select! {
        () = sending => {}
        _ = read.read_to_end(&mut answer) => {}
    }
    let refusals: [&[u8]; 2] = [b"HTTP/1.1 413", b"HTTP/1.1 408"];
    answer.is_empty() || refusals.iter().any(|refusal| answer.starts_with(refusal))
}

fn head(further: &str) -> String {
    format!(
        "POST /feishu/event HTTP/1.1\r\nhost: airgate\r\ncontent-type: application/json\r\n{further}"
    )
}

/// A megabyte of unsigned JSON that grows a hundredfold when parsed into a tree of values.
fn bomb() -> Vec<u8> {
    let mut body = String::from(r#"{"schema":"2.0","header":["#);
    while body.len() < 1024 * 1024 - 16 {
        body.push_str(r#"{"":0},"#);
    }
    body.push_str("0]}");
    let mut request = head(&format!("content-length: {}\r\nconnection: close\r\n\r\n", body.len()));
    request.push_str(&body);
    request.into_bytes()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_bad_connections_neither_stop_the_service_nor_exhaust_its_memory() {
    let target = Target::start(ENCRYPT_KEY).await;
    let address = target.address;
    let card = target.card().await;
    target.click(&card).await;
    let (quiet, files) = (target.peak_memory(), target.process.open_files());
    let since = Instant::now();
    let count = allowed(1000);

    // Slow senders, each until it is cut off.
    let part = |share: usize| (count * share / 100).max(1);
    let large = head("content-length: 1000000\r\n\r\n") + "{" + &" ".repeat(40_000);
    let kinds: [(Vec<u8>, u8, usize); 4] = [
        (Vec::new(), 0, part(20)),
        (head("x-slow: ").into_bytes(), b'x', part(40)),
        (head("content-length: 1000\r\n\r\n{").into_bytes(), b' ', part(20)),
        // These occupy every slot for large bodies.
        (large.into_bytes(), b' ', part(10)),
    ];
    let slow_ones: Vec<_> = kinds
        .into_iter()
        .flat_map(|(start, drip, times)| {
            (0..times).map(move |_| tokio::spawn(slow(address, start.clone(), drip)))
        })
        .collect();

    // Fast senders reconnect for as long as the clicks take.
    let stop = Arc::new(AtomicBool::new(false));
    let refused = Arc::new(AtomicUsize::new(0));
    let bomb = Arc::new(bomb());
    let fast_ones: Vec<_> = (0..part(10))
        .map(|number| {
            let (stop, refused, bomb) =
                (Arc::clone(&stop), Arc::clone(&refused), Arc::clone(&bomb));
            tokio::spawn(async move {
                while !stop.load(Ordering::Relaxed) {
                    match number % 3 {
                        0 => {
                            let chunk = [&b"8000\r\n"[..], &[b' '; 0x8000], b"\r\n"].concat();
                            let head = head("transfer-encoding: chunked\r\n\r\n");
                            assert!(endless(address, &head, &chunk).await);
                        }
                        1 => {
                            let head = head("content-length: 1000000000\r\n\r\n");
                            assert!(endless(address, &head, &[b' '; 0x8000]).await);
                        }
                        _ => {
                            let mut stream = connect(address).await;
                            let _ = stream.write_all(&bomb).await;
                            let mut answer = Vec::new();
                            let _ = stream.read_to_end(&mut answer).await;
                        }
                    }
                    refused.fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .collect();

    let mut slowest = Duration::ZERO;
    for _ in 0..30 {
        slowest = slowest.max(target.click(&card).await);
    }
    let chat = target.environment.feishu.direct_chat(ADMIN);
    let said = target.environment.feishu.say(ADMIN, &chat, "/help", false).await;
    assert_eq!(said.status, Some(200), "{said:?}");
    stop.store(true, Ordering::Relaxed);
    for ended in join_all(fast_ones).await {
        ended.unwrap();
    }
    // Counted on the side of the service: a client whose connection was never accepted may wait for ever.
    eventually("slow senders to be cut off", || target.process.open_files() < files + 20).await;
    let longest = since.elapsed();
    slow_ones.iter().for_each(tokio::task::JoinHandle::abort);

    let peak = target.peak_memory();
    let refused = refused.load(Ordering::Relaxed);
    println!(
        "{count} connections; {refused} oversized, endless or costly bodies; slowest callback {slowest:?}; slow senders held \
         for at most {longest:?}; memory {quiet} MiB before, {peak} MiB at most"
    );
    assert!(refused > 0);
    assert!(peak < MEMORY, "{peak} MiB");
    // The service has recovered.
    assert!(target.click(&card).await < CALLBACK_LIMIT);
    let Stopped { log, .. } = target.process.terminate();
    assert!(!log.contains("panicked"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_that_send_requests_and_read_no_answers_are_cut_off() {
    let target = Target::start("").await;
    let address = target.address;
    let card = target.card().await;
    // Requests whose answers nobody reads: each connection stalls with full buffers.
    let ask = "GET /metrics HTTP/1.1\r\nhost: airgate\r\n\r\n".repeat(2_000);
    let silent = (0..20).map(|_| {
        let ask = ask.clone();
        tokio::spawn(async move {
            let mut stream = connect(address).await;
            // Fails once the service has closed the connection.
            while stream.write_all(ask.as_bytes()).await.is_ok() {}
        })
    });
    // Bodies that would take a hundred megabytes each when parsed, with a wrong token.
    let bomb = Arc::new(bomb());
    let costly = (0..64).map(|_| {
        let bomb = Arc::clone(&bomb);
        tokio::spawn(async move {
            let mut stream = connect(address).await;
            let _ = stream.write_all(&bomb).await;
            let mut answer = Vec::new();
            let _ = stream.read_to_end(&mut answer).await;
            assert!(answer.starts_with(b"HTTP/1.1 401"), "{}", String::from_utf8_lossy(&answer));
        })
    });
    let all: Vec<_> = silent.chain(costly).collect();
    for _ in 0..10 {
        target.click(&card).await;
    }
    let ended = timeout(TIMEOUT * 2, join_all(all)).await.expect("a client is still connected");
    ended.into_iter().for_each(Result::unwrap);
    let peak = target.peak_memory();
    println!("memory {peak} MiB at most");
    assert!(peak < MEMORY, "{peak} MiB");
}
