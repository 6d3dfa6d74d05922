//! The service under load, beside the floor: a bare axum handler that does the same cryptography and answers prebuilt
//! bytes. Each runs in a process of its own on one core, with 64 connections. The ratios hold whatever the machine is.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use aes::cipher::block_padding::Pkcs7;
use aes::cipher::{BlockModeDecrypt, KeyIvInit};
use airgate::sandbox::feishu::{FakeFeishu, Sealed};
use airgate::server::Service;
use airgate::store::Store;
use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode};
use axum::response::IntoResponse;
use axum::routing::post;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::{ADMIN, CHAT, ENCRYPT_KEY, Times, page, user_at, users};

/// Connections, with one request at a time on each.
const CONNECTIONS: usize = 64;
/// Time for each kind.
const SECONDS: f64 = 3.0;
/// The most requests of one kind; they are sealed before they are measured.
const REQUESTS: usize = 60_000;

/// The processor that the servers run on.
const CORE: &str = "0";

type Make = fn(&FakeFeishu, usize) -> Value;

const KINDS: &[(&str, Make)] = &[
    ("users list", |feishu, n| {
        click(feishu, json!({"action": "users.list", "page": page(n, users(), 8)}), Value::Null)
    }),
    ("user card", |feishu, n| {
        click(feishu, json!({"action": "user.open", "user": user_at(n)}), Value::Null)
    }),
    ("billing", |feishu, n| {
        let value = json!({"action": "billing.open", "page": page(n, users(), 8)});
        click(feishu, value, Value::Null)
    }),
    ("quota form", |feishu, n| {
        let op = uuid::Uuid::new_v4().simple().to_string();
        let value = json!({"action": "quota.allocate", "user": user_at(n), "op": op});
        click(feishu, value, json!({"amount": "12.50", "note": "bench"}))
    }),
    ("/help message", |feishu, n| message(feishu, n, "p2p", "/help")),
    ("ignored message", |feishu, n| message(feishu, n, "group", "大家好")),
];

fn click(feishu: &FakeFeishu, value: Value, form: Value) -> Value {
    let mut event = json!({
        "operator": {"open_id": ADMIN, "tenant_key": "t"},
        "token": "c-bench",
        "action": {"tag": "button", "value": value},
        "host": "im_message",
        "context": {"open_message_id": "om_bench", "open_chat_id": CHAT},
    });
    if !form.is_null() {
        event["action"]["form_value"] = form;
    }
    let micros = super::bench_clock().now().as_microsecond().to_string();
    feishu.envelope("card.action.trigger", &micros, event)
}

/// A message in one of many chats: those of one chat are handled one after the other.
fn message(feishu: &FakeFeishu, n: usize, chat_type: &str, text: &str) -> Value {
    let millis = super::bench_clock().now().as_millisecond().to_string();
    let event = json!({
        "sender": {"sender_id": {"open_id": ADMIN}, "sender_type": "user", "tenant_key": "t"},
        "message": {
            "message_id": format!("om_{chat_type}_{n}"),
            "create_time": millis,
            "chat_id": format!("oc_bench_{}", n % 500),
            "chat_type": chat_type,
            "message_type": "text",
            "content": json!({"text": text}).to_string(),
        },
    });
    feishu.envelope("im.message.receive_v1", &millis, event)
}

/// The service, until it is killed.
pub fn serve(store: &Path, feishu: &str) {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let config = super::config(feishu, store);
    on_a_runtime(async move {
        let store = Store::open(store, config.security.master_key.expose()).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let service = Service::start(&config, store, listener, super::bench_clock()).unwrap();
        println!("{}", service.address());
        std::future::pending::<()>().await;
        drop(service);
    });
}

/// The floor, until it is killed.
pub fn answer(card: &Path) {
    let card = Bytes::from(std::fs::read(card).unwrap());
    on_a_runtime(async move {
        let handler = move |headers: HeaderMap, body: Bytes| async move {
            match open(&headers, &body) {
                Some(plain) => {
                    let is_click = plain.windows(6).any(|word| word == b"action");
                    let body = if is_click { card } else { Bytes::from_static(b"{}") };
                    ([("content-type", "application/json")], body).into_response()
                }
                None => StatusCode::UNAUTHORIZED.into_response(),
            }
        };
        let router: Router = Router::new().route("/feishu/card", post(handler));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        println!("{}", listener.local_addr().unwrap());
        axum::serve(listener, router).await.unwrap();
    });
}

/// As many threads as there are cores for the process: one.
fn on_a_runtime(serving: impl Future<Output = ()>) {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    runtime.block_on(serving);
}

/// Checks the signature and decrypts.
fn open(headers: &HeaderMap, body: &[u8]) -> Option<Vec<u8>> {
    let header = |name| headers.get(name).map_or(&[][..], |value| value.as_bytes());
    let mut hash = Sha256::new();
    hash.update(header("x-lark-request-timestamp"));
    hash.update(header("x-lark-request-nonce"));
    hash.update(ENCRYPT_KEY.as_bytes());
    hash.update(body);
    if hex::encode(hash.finalize()).as_bytes() != header("x-lark-signature") {
        return None;
    }
    let outer: std::collections::HashMap<&str, &str> = serde_json::from_slice(body).ok()?;
    let mut sealed = STANDARD.decode(outer.get("encrypt")?).ok()?;
    let key = Sha256::digest(ENCRYPT_KEY.as_bytes());
    let (iv, blocks) = sealed.split_first_chunk_mut::<16>()?;
    let cipher = cbc::Decryptor::<aes::Aes256>::new(&key, (&*iv).into());
    Some(cipher.decrypt_padded::<Pkcs7>(blocks).ok()?.to_vec())
}

/// Prints each kind for the service and for the floor.
pub async fn compare() {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let feishu = super::fake_feishu(&super::bench_clock()).await;
    let store = folder.path().join("airgate.redb");
    super::fill_elsewhere(&store);
    println!("{} users, {CONNECTIONS} connections, the servers on one core", users());
    println!("fsync alone: {}", Times::of(super::fsyncs(folder.path())));
    let service = Server::start(&["--serve", store.to_str().unwrap(), feishu.url()]);
    println!("at rest {}", service.memory());
    let card = folder.path().join("card.json");
    for (name, make) in KINDS {
        let warm: Vec<Vec<u8>> = (0..CONNECTIONS)
            .map(|n| request(&feishu.seal(&make(&feishu, 1_000_000 + n))))
            .collect();
        let first = service.send(warm, 5.0).await;
        std::fs::write(&card, &first.body).unwrap();
        let floor = Server::start(&["--answer", card.to_str().unwrap()]);
        let count = |rate: f64| ((rate * SECONDS) as usize).clamp(CONNECTIONS * 4, REQUESTS);
        let requests = |count: usize| -> Vec<Vec<u8>> {
            (0..count).map(|n| request(&feishu.seal(&make(&feishu, n)))).collect()
        };
        let estimate = service.send(requests(CONNECTIONS * 4), SECONDS).await.rate();
        let sealed: Vec<Vec<u8>> = (0..count(estimate))
            .map(|n| request(&feishu.seal(&make(&feishu, 2_000_000 + n))))
            .collect();
        let base = floor.send(requests(REQUESTS / 2), SECONDS).await;
        let own = service.send(sealed, SECONDS * 2.0).await;
        let last = String::from_utf8(own.body.clone()).unwrap();
        assert_eq!(last.contains("\"card\""), first.body.len() > 2, "{last}");
        assert!(!last.contains("\"type\":\"error\""), "{last}");
        println!("{name} ({} bytes)", first.body.len());
        println!("  floor   {base}");
        println!("  airgate {own}");
        println!(
            "  ratio   {:.3} of the floor by rate, {:.3} by processor time",
            own.rate() / base.rate(),
            base.cpu_each() / own.cpu_each()
        );
    }
    println!("after all {}", service.memory());
}

/// The bytes of a request.
fn request(sealed: &Sealed) -> Vec<u8> {
    let mut text = String::from("POST /feishu/card HTTP/1.1\r\nhost: airgate\r\n");
    for (name, value) in &sealed.headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    text.push_str(&format!("content-length: {}\r\n\r\n{}", sealed.body.len(), sealed.body));
    text.into_bytes()
}

/// A server in a process of its own.
struct Server {
    child: Child,
    address: String,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Server {
    fn start(args: &[&str]) -> Self {
        let mut child = Command::new("taskset")
            .args(["-c", CORE])
            .arg(std::env::current_exe().unwrap())
            .args(args)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        Self { child, address: line.trim().to_owned() }
    }

    /// Sends the requests as fast as the server answers them, for at most `seconds`.
    async fn send(&self, requests: Vec<Vec<u8>>, seconds: f64) -> Measured {
        let (requests, next) = (Arc::new(requests), Arc::new(AtomicUsize::new(0)));
        let cpu = self.cpu();
        let started = Instant::now();
        let mut callers = tokio::task::JoinSet::new();
        for _ in 0..CONNECTIONS {
            let (requests, next) = (Arc::clone(&requests), Arc::clone(&next));
            let address = self.address.clone();
            callers.spawn(async move {
                let mut stream = TcpStream::connect(address).await.unwrap();
                stream.set_nodelay(true).unwrap();
                let (mut times, mut body) = (Vec::new(), Vec::new());
                while let Some(request) = requests.get(next.fetch_add(1, Ordering::Relaxed))
                    && started.elapsed().as_secs_f64() < seconds
                {
                    let sent = Instant::now();
                    stream.write_all(request).await.unwrap();
                    body = response(&mut stream).await;
                    times.push(sent.elapsed());
                }
                (times, body)
            });
        }
        let (mut times, mut last) = (Vec::new(), Vec::new());
        for (some, body) in callers.join_all().await {
            times.extend(some);
            if !body.is_empty() {
                last = body;
            }
        }
        let took = started.elapsed();
        Measured { cpu: self.cpu() - cpu, took, count: times.len(), times, body: last }
    }

    /// Processor time so far.
    fn cpu(&self) -> Duration {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap();
        let (_, fields) = stat.rsplit_once(')').unwrap();
        let fields: Vec<u64> =
            fields.split_whitespace().filter_map(|word| word.parse().ok()).collect();
        // utime and stime, in hundredths of a second. (The state is not a number.)
        Duration::from_millis((fields[10] + fields[11]) * 10)
    }

    fn memory(&self) -> String {
        super::memory_of(&self.child.id().to_string())
    }
}

/// Reads one response. Returns its body.
async fn response(stream: &mut TcpStream) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(32 * 1024);
    loop {
        assert!(stream.read_buf(&mut bytes).await.unwrap() > 0, "the connection was closed");
        let Some(head) = bytes.windows(4).position(|end| end == b"\r\n\r\n") else { continue };
        let text = std::str::from_utf8(&bytes[..head]).unwrap().to_ascii_lowercase();
        assert!(text.starts_with("http/1.1 200"), "{text}");
        let (_, length) = text.split_once("content-length: ").unwrap();
        let length: usize = length.lines().next().unwrap().trim().parse().unwrap();
        while bytes.len() < head + 4 + length {
            assert!(stream.read_buf(&mut bytes).await.unwrap() > 0, "the connection was closed");
        }
        return bytes.split_off(head + 4);
    }
}

struct Measured {
    cpu: Duration,
    took: Duration,
    count: usize,
    times: Vec<Duration>,
    /// The last answer.
    body: Vec<u8>,
}

impl Measured {
    fn rate(&self) -> f64 {
        self.count as f64 / self.took.as_secs_f64()
    }

    /// Microseconds a request.
    fn cpu_each(&self) -> f64 {
        self.cpu.as_secs_f64() * 1e6 / self.count as f64
    }
}

impl std::fmt::Display for Measured {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let times = Times::of(self.times.clone());
        write!(f, "{:>6.0}/s  {:>5.0} us of cpu each  {times}", self.rate(), self.cpu_each())
    }
}
