//! A thousand connections that are silent, slow, oversized or without end: the real process goes on answering others, its
//! memory stays bounded, and whoever is slow is cut off in time.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use airgate::clock::Clock;
use airgate::sandbox::feishu::{ClickAction, FakeFeishu, FeishuConfig};
use futures::future::join_all;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde_json::json;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, sleep, timeout};

use crate::bed::{ADMIN, APP_ID, APP_SECRET, ENCRYPT_KEY, PATIENCE, TOKEN, until};
use crate::served::Process;

/// Feishu waits so long for the answer to a click. (The service's own limit of 1 s is for a machine that is not flooded by
/// the test itself.)
const CALLBACK_LIMIT: Duration = Duration::from_secs(3);
/// Contract §8, in MiB.
const MEMORY: u64 = 300;

/// Between two bytes of a slow sender.
const DRIP: Duration = Duration::from_secs(1);

/// A service that is reached over HTTP, and its Feishu.
struct Target {
    feishu: FakeFeishu,
    process: Process,
    address: SocketAddr,
    _folder: TempDir,
}

impl Target {
    /// With an Encrypt Key callbacks are signed; without one the verification token alone is between strangers and the bot.
    async fn start(encrypt_key: Option<&str>) -> Self {
        let mut chat = FeishuConfig::new(APP_ID, APP_SECRET, TOKEN);
        chat.encrypt_key = encrypt_key.map(str::to_owned);
        chat.rate_limits = false;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let feishu = FakeFeishu::start(listener, chat, Clock::system()).unwrap();
        feishu.add_person(ADMIN, "王管理", "13800000001");
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join("config.toml");
        let text = format!(
            "[server]\nlisten = \"127.0.0.1:0\"\n[feishu]\nbase_url = \"{}\"\napp_id = \"{APP_ID}\"\n\
             app_secret = \"{APP_SECRET}\"\nverification_token = \"{TOKEN}\"\nencrypt_key = \"{}\"\n\
             admins = [\"{ADMIN}\"]\n[security]\nmaster_key = \"{}\"\n[monitor]\nenabled = false\n",
            feishu.url(),
            encrypt_key.unwrap_or_default(),
            "11".repeat(32)
        );
        std::fs::write(&config, text).unwrap();
        let process = Process::serve(&config, "info").await;
        let address = process.address();
        feishu.set_service_url(&format!("http://{address}"));
        Self { feishu, process, address, _folder: folder }
    }

    /// A card to click on.
    async fn card(&self) -> String {
        let chat = self.feishu.direct_chat(ADMIN);
        let sent = self.feishu.say(ADMIN, &chat, "/users", false).await;
        assert_eq!(sent.status, Some(200));
        let (feishu, id) = (self.feishu.clone(), sent.message_id);
        let reply = feishu
            .wait_for(
                move |state| {
                    let reply = state.all_messages().iter().find(|m| m.reply_to == id)?;
                    Some(reply.message_id.clone())
                },
                PATIENCE,
            )
            .await;
        reply.expect("a reply")
    }

    /// A signed callback like any other, and how long its answer took.
    async fn click(&self, card: &str) -> Duration {
        let action = ClickAction {
            tag: "button".to_owned(),
            value: Some(json!({"action": "users.list", "page": 1})),
            ..ClickAction::default()
        };
        let clicked = self.feishu.click_raw(ADMIN, card, action).await;
        assert_eq!((clicked.status, clicked.error.as_deref()), (Some(200), None), "{clicked:?}");
        assert!(clicked.elapsed < CALLBACK_LIMIT, "{clicked:?}");
        clicked.elapsed
    }
}

/// How many connections this process may open, `wanted` at most; it asks for more files where it has to.
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
        // A full queue of connections that wait to be accepted is no failure.
        if let Ok(Ok(stream)) = timeout(Duration::from_secs(5), TcpStream::connect(address)).await {
            return stream;
        }
    }
}

/// Sends `start`, then a byte of `drip` every second for ever, until the service ends it.
async fn slow(address: SocketAddr, start: Vec<u8>, drip: u8) {
    let mut stream = connect(address).await;
    let (mut read, mut write) = stream.split();
    let sending = async {
        // A connection that was ended takes no more.
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

/// Sends a body as fast as it goes until the service has enough of it; whether the answer, where one was read, says that it
/// is too large, or that no place for large ones became free in time.
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

/// A megabyte that is JSON, signed by nobody, and a hundred times as large once it is a tree of values.
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
async fn a_thousand_bad_connections_neither_stop_the_service_nor_fill_its_memory() {
    let target = Target::start(Some(ENCRYPT_KEY)).await;
    let address = target.address;
    let card = target.card().await;
    target.click(&card).await;
    let (quiet, files) = (target.process.peak_memory(), target.process.open_files());
    let since = Instant::now();
    let count = allowed(1000);

    // The slow ones, all of them until they are cut off.
    let part = |share: usize| (count * share / 100).max(1);
    let large = head("content-length: 1000000\r\n\r\n") + "{" + &" ".repeat(40_000);
    let kinds: [(Vec<u8>, u8, usize); 4] = [
        (Vec::new(), 0, part(20)),
        (head("x-slow: ").into_bytes(), b'x', part(40)),
        (head("content-length: 1000\r\n\r\n{").into_bytes(), b' ', part(20)),
        // These hold every place for large bodies.
        (large.into_bytes(), b' ', part(10)),
    ];
    let slow_ones: Vec<_> = kinds
        .into_iter()
        .flat_map(|(start, drip, times)| {
            (0..times).map(move |_| tokio::spawn(slow(address, start.clone(), drip)))
        })
        .collect();

    // The fast ones come again and again for as long as the clicks take.
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
    let chat = target.feishu.direct_chat(ADMIN);
    let said = target.feishu.say(ADMIN, &chat, "/help", false).await;
    assert_eq!(said.status, Some(200), "{said:?}");
    stop.store(true, Ordering::Relaxed);
    for ended in join_all(fast_ones).await {
        ended.unwrap();
    }
    // As the service sees it: a client whose connection was never accepted may wait for ever.
    until("slow senders to be cut off", || target.process.open_files() < files + 20).await;
    let longest = since.elapsed();
    slow_ones.iter().for_each(tokio::task::JoinHandle::abort);

    let peak = target.process.peak_memory();
    let refused = refused.load(Ordering::Relaxed);
    println!(
        "{count} connections; {refused} oversized, endless or costly bodies; slowest callback {slowest:?}; slow senders held \
         for at most {longest:?}; memory {quiet} MiB before, {peak} MiB at most"
    );
    assert!(refused > 0);
    assert!(peak < MEMORY, "{peak} MiB");
    // Nothing is left of it.
    assert!(target.click(&card).await < CALLBACK_LIMIT);
    let log = target.process.terminate();
    assert!(!log.contains("panicked"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_asks_much_and_reads_nothing_is_cut_off() {
    let target = Target::start(None).await;
    let address = target.address;
    let card = target.card().await;
    // Pages that nobody takes: each connection stalls with full buffers.
    let ask = "GET /metrics HTTP/1.1\r\nhost: airgate\r\n\r\n".repeat(2_000);
    let silent = (0..20).map(|_| {
        let ask = ask.clone();
        tokio::spawn(async move {
            let mut stream = connect(address).await;
            // Fails once the service has cut it off.
            while stream.write_all(ask.as_bytes()).await.is_ok() {}
        })
    });
    // Bodies that would be trees of a hundred megabytes each, and have no right token.
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
    let ended = timeout(PATIENCE * 2, join_all(all)).await.expect("somebody is still connected");
    ended.into_iter().for_each(Result::unwrap);
    let peak = target.process.peak_memory();
    println!("memory {peak} MiB at most");
    assert!(peak < MEMORY, "{peak} MiB");
}
