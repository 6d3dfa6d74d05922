//! Measures a card callback from the first byte of the request to the last byte of the answer, over HTTP with keep-alive:
//! verify, decrypt, dispatch, read or change the store on disk (with its fsync), render, answer. A plain loop that records
//! every time, not criterion, because the promise is a percentile of single answers, not a mean.
//!
//! Run `cargo bench --bench callback`, or `cargo bench --bench callback -- 100000` for a number of users other than 1,000.
//! Prints figures and has no thresholds. The stores and the stand-in for Feishu run in this process, so its memory is
//! an upper bound for the service's.
//!
//! `-- --floor` compares instead: the service in a process of its own, with 64 connections, beside a bare axum handler
//! that does the same cryptography and answers a prebuilt card ([`load`]). `-- --cards KIND N` only renders N cards, for
//! `valgrind --tool=callgrind` ([`cards`]).

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::float_arithmetic,
    missing_docs
)]

#[path = "callback/cards.rs"]
mod cards;
#[path = "callback/load.rs"]
mod load;
mod measure;

use std::path::Path;
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use airgate::app::quota::{self, Allocation};
use airgate::clock::Clock;
use airgate::config::Config;
use airgate::domain::{
    AccountId, AlertBody, BillPeriod, Counts, Figures, Freshness, Money, Operator, ProjectInfo,
    ProjectLink, ProjectName, Switch, User, UserKey, UserStatus,
};
use airgate::sandbox::feishu::{FakeFeishu, FeishuConfig, Sealed};
use airgate::server::Service;
use airgate::store::{AccountSecrets, RecordedReading, Store, StoreError};
use rust_decimal::Decimal;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use measure::{Times, fsyncs, memory_of};

const LINKS_EACH: usize = 5;
const PROJECTS: usize = 500;
const ENTRIES_EACH: usize = 4;
const MONTHS: usize = 24;
/// Sequential callbacks per kind.
const ROUNDS: usize = 150;
/// Concurrent callbacks in the second part.
const AT_ONCE: usize = 8;
const ADMIN: &str = "ou_admin";
const CHAT: &str = "oc_bench";
const ENCRYPT_KEY: &str = "bench-encrypt-key";

/// The number of users in the store, from the command line.
static USERS: LazyLock<usize> =
    LazyLock::new(|| std::env::args().find_map(|word| word.parse().ok()).unwrap_or(1_000));

fn users() -> usize {
    *USERS
}

fn alerts() -> usize {
    users() / 2
}

/// The last page of `rows` rows, `each` per page, or the one before it.
fn page(n: usize, rows: usize, each: usize) -> usize {
    n * 997 % (rows / each).max(1) + 1
}

type Make = fn(usize) -> (Value, Value);

/// A kind of click: its name, and the callback value and form of the n-th click.
const KINDS: &[(&str, Make)] = &[
    ("users.list", |n| {
        (json!({"action": "users.list", "page": page(n, users(), 10)}), Value::Null)
    }),
    ("users.list query", |n| {
        (json!({"action": "users.list", "page": 1}), json!({"query": format!("u000{}", n % 100)}))
    }),
    ("user.open", |n| (json!({"action": "user.open", "user": user_at(n)}), Value::Null)),
    ("projects.open", |n| (json!({"action": "projects.open", "user": user_at(n)}), Value::Null)),
    ("quota.open", |n| (json!({"action": "quota.open", "user": user_at(n)}), Value::Null)),
    ("billing.open", |n| {
        (
            json!({"action": "billing.open", "period": "2026-11", "page": page(n, users(), 8)}),
            Value::Null,
        )
    }),
    ("billing.open by project", |n| {
        let page = page(n, PROJECTS, 8);
        (
            json!({"action": "billing.open", "period": "2026-11", "by": "project", "page": page}),
            Value::Null,
        )
    }),
    ("alerts.list", |n| {
        (json!({"action": "alerts.list", "page": page(n, alerts(), 8)}), Value::Null)
    }),
    ("quota.allocate", |n| {
        let op = uuid::Uuid::new_v4().simple().to_string();
        let value = json!({"action": "quota.allocate", "user": user_at(n), "op": op});
        (value, json!({"amount": "12.50", "note": "bench"}))
    }),
    ("project.toggle", |n| {
        let project = project_of(n % users(), n % LINKS_EACH);
        let enabled = (n / users()).is_multiple_of(2) && n.is_multiple_of(2);
        let value = json!({"action": "project.toggle", "user": user_at(n), "project": project,
            "enabled": enabled});
        (value, Value::Null)
    }),
];

fn user_at(n: usize) -> String {
    format!("main/u{:06}", n * 37 % users())
}

fn project_of(user: usize, link: usize) -> String {
    format!("project-{:03}", (user * 37 % users() * 7 + link * 11) % PROJECTS)
}

fn main() {
    let mut words = std::env::args().skip_while(|word| word != "--fill").skip(1);
    if let Some(path) = words.next() {
        fill_at(Path::new(&path));
        return;
    }
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["--serve", store, feishu] => return load::serve(Path::new(store), feishu),
        ["--answer", card] => return load::answer(Path::new(card)),
        [.., "--cards", kind, count] => return cards::render(kind, count.parse().unwrap()),
        _ => {}
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    if words.contains(&"--floor") {
        runtime.block_on(load::compare());
    } else {
        runtime.block_on(run());
    }
}

async fn run() {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let clock = bench_clock();
    let feishu = fake_feishu(&clock).await;
    let path = folder.path().join("airgate.redb");
    let config = config(feishu.url(), &path);
    let filling = Instant::now();
    fill_elsewhere(&path);
    let filling = filling.elapsed();
    let opening = Instant::now();
    let store = Store::open(&path, config.security.master_key.expose()).unwrap();
    let opening = opening.elapsed();
    println!(
        "{} users, {} links, {} alerts, {MONTHS} months: file {} KiB, filled in {} ms, opened in {} ms",
        users(),
        users() * LINKS_EACH,
        alerts(),
        std::fs::metadata(&path).unwrap().len() / 1024,
        filling.as_millis(),
        opening.as_millis()
    );
    println!("fsync alone: {}", Times::of(fsyncs(folder.path())));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let service = Service::start(&config, store.clone(), listener, clock.clone()).unwrap();
    let bench = Arc::new(Bench {
        url: format!("http://{}/feishu/card", service.address()),
        client: reqwest::Client::new(),
        feishu,
        clock,
    });
    for n in 0..20 {
        bench.click(KINDS[n % KINDS.len()].1(n)).await;
    }

    println!("\none after the other, {ROUNDS} of each:");
    let mut all = Vec::new();
    for (name, make) in KINDS {
        let mut times = Vec::new();
        for n in 0..ROUNDS {
            times.push(bench.click(make(n)).await);
        }
        all.extend(times.iter().copied());
        println!("  {name:<18}{}", Times::of(times));
    }
    println!("  {:<18}{}", "all", Times::of(all));

    let mut callers = tokio::task::JoinSet::new();
    for caller in 0..AT_ONCE {
        let bench = Arc::clone(&bench);
        callers.spawn(async move {
            let mut times = Vec::new();
            for n in 0..ROUNDS {
                let n = caller * ROUNDS + n;
                times.push(bench.click(KINDS[n % KINDS.len()].1(n)).await);
            }
            times
        });
    }
    let started = Instant::now();
    let times: Vec<Duration> = callers.join_all().await.into_iter().flatten().collect();
    let count = times.len();
    println!("\n{AT_ONCE} at a time, all kinds in turn:");
    println!("  {:<18}{}", "all", Times::of(times));
    println!("  {count} callbacks in {} ms", started.elapsed().as_millis());
    for (what, changed) in [("nothing changed", false), ("every amount changed", true)] {
        let started = Instant::now();
        let users = cycle(&store, &bench.clock, changed);
        println!(
            "\nrecording a cycle of {users} users, {what}: {} ms",
            started.elapsed().as_millis()
        );
    }
    println!("\nmemory (stand-in and measuring included): {}", memory_of("self"));
    service.stop().await;
}

fn bench_clock() -> Clock {
    let clock = Clock::system();
    clock.set(NOW.parse().unwrap());
    clock
}

async fn fake_feishu(clock: &Clock) -> FakeFeishu {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut chat = FeishuConfig::new("cli_bench", "bench-secret", "bench-token");
    chat.encrypt_key = Some(ENCRYPT_KEY.to_owned());
    let feishu = FakeFeishu::start(listener, chat, clock.clone()).unwrap();
    feishu.add_person(ADMIN, "王管理", "13800000001");
    feishu.add_group(CHAT, "压测群");
    feishu
}

/// Fills a store in another process, so that its memory is not counted here.
fn fill_elsewhere(path: &Path) {
    let filled = std::process::Command::new(std::env::current_exe().unwrap())
        .args([users().to_string().as_str(), "--fill", path.to_str().unwrap()])
        .status();
    assert!(filled.unwrap().success());
}

fn config(feishu: &str, store: &Path) -> Config {
    let key = "11".repeat(32);
    let env = [
        ("FEISHU__BASE_URL", feishu),
        ("FEISHU__APP_ID", "cli_bench"),
        ("FEISHU__APP_SECRET", "bench-secret"),
        ("FEISHU__VERIFICATION_TOKEN", "bench-token"),
        ("FEISHU__ENCRYPT_KEY", ENCRYPT_KEY),
        ("FEISHU__ADMINS", ADMIN),
        ("FEISHU__ALERT_CHAT_ID", CHAT),
        // Nothing listens there: no measured callback calls the cloud.
        ("VOLCENGINE__IAM_ENDPOINT", "http://127.0.0.1:9"),
        ("VOLCENGINE__BILLING_ENDPOINT", "http://127.0.0.1:9"),
        ("MONITOR__ENABLED", "false"),
        ("STORE__PATH", store.to_str().unwrap()),
        ("SECURITY__MASTER_KEY", &key),
    ];
    let env = env.map(|(name, value)| (format!("AIRGATE__{name}"), value.to_owned()));
    Config::load(None, env).unwrap()
}

const NOW: &str = "2026-11-23T02:00:00Z";

fn fill_at(path: &Path) {
    fill(&Store::open(path, &[0x11; 32]).unwrap(), &bench_clock());
}

/// Records the two open months, as a cycle does.
fn cycle(store: &Store, clock: &Clock, changed: bool) -> u64 {
    let account = AccountId::new("main").unwrap();
    let now = clock.now();
    let month = BillPeriod::of(now);
    let projects = store.read(|tx| tx.projects_of(&account)).unwrap();
    let amount = |n: usize| {
        Money::new(Decimal::new(
            i64::try_from((n + 1) * 123_457 + usize::from(changed)).unwrap(),
            6,
        ))
    };
    let bills = projects.iter().enumerate().flat_map(|(n, project)| {
        [month, month.previous()].map(|month| ((project.name.clone(), month), amount(n)))
    });
    let reading = RecordedReading::of_months(account, bills, now);
    let mut changes = store.read(|tx| tx.bill_changes(&reading)).unwrap();
    while !store.write(|tx| tx.record_step(&mut changes)).unwrap() {
        std::thread::sleep(Duration::from_millis(1));
    }
    changes.visited()
}

/// Fills the store in a few transactions, through the same calls that the service makes.
fn fill(store: &Store, clock: &Clock) {
    let now = clock.now();
    let account = AccountId::new("main").unwrap();
    let secrets = AccountSecrets {
        access_key_id: "AKLTbench0000000001".to_owned().into(),
        secret_key: "bench".to_owned().into(),
    };
    store.save_account(&account, "云上主体", &secrets, now).unwrap();
    let projects: Vec<ProjectInfo> = (0..PROJECTS)
        .map(|n| ProjectInfo {
            account: account.clone(),
            name: ProjectName::new(format!("project-{n:03}")).unwrap(),
            display_name: format!("第{n}项目组"),
        })
        .collect();
    let mut months = vec![BillPeriod::of(now)];
    while months.len() < MONTHS {
        months.push(months[months.len() - 1].previous());
    }
    let since = months[MONTHS - 1];
    store
        .write(|tx| {
            tx.replace_projects(&account, &projects, now)?;
            for n in 0..users() {
                let key: UserKey = format!("main/u{:06}", n * 37 % users()).parse().unwrap();
                let mut user = User::new(key.clone(), now);
                user.display_name = format!("使用者{n}");
                user.email = format!("u{n}@example.com");
                user.status = UserStatus::Active;
                user.remark = "长期使用，按月结算".to_owned();
                tx.put_user(&user)?;
                for link in 0..LINKS_EACH {
                    tx.put_link(&ProjectLink {
                        user: key.clone(),
                        project: ProjectName::new(project_of(n, link)).unwrap(),
                        display_name: "项目组".to_owned(),
                        monitored: Switch::On,
                        since,
                        counts: Counts::Whole,
                        spending: Money::ZERO,
                        freshness: Freshness::Pending,
                        created: now,
                    })?;
                }
                for entry in 0..ENTRIES_EACH {
                    let amount = Money::from_fen(i64::try_from(10_000 + n * entry).unwrap());
                    let operator = &Operator::System;
                    let new = Allocation { user: &key, amount, note: "每月额度", operator };
                    quota::book(tx, &new, now)?;
                }
            }
            let bills = projects.iter().enumerate().flat_map(|(n, project)| {
                months.iter().map(move |month| {
                    let micros = i64::try_from((n + 1) * 123_457).unwrap();
                    ((project.name.clone(), *month), Money::new(Decimal::new(micros, 6)))
                })
            });
            tx.record_cycle(&[RecordedReading::of_months(account.clone(), bills, now)])?;
            for n in 0..alerts() {
                let key: UserKey = user_at(n).parse().unwrap();
                let user = tx.user(&key)?.unwrap();
                let figures = Figures::of(&user, &tx.links_of(&key)?, &[]);
                tx.add_alert(
                    Some(&key),
                    AlertBody::Warning { threshold: 80, of: Default::default(), figures },
                    now,
                )?;
            }
            Ok::<_, airgate::app::Error>(())
        })
        .unwrap();
    let known = store.read(|tx| Ok::<_, StoreError>(tx.users()?.len())).unwrap();
    assert_eq!(known, users());
}

struct Bench {
    url: String,
    client: reqwest::Client,
    feishu: FakeFeishu,
    clock: Clock,
}

impl Bench {
    /// Sends one click and reads its answer. Does not measure building, encrypting and signing it, which is the
    /// platform's part.
    async fn click(&self, (value, form): (Value, Value)) -> Duration {
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
        let micros = self.clock.now().as_microsecond().to_string();
        let envelope = self.feishu.envelope("card.action.trigger", &micros, event);
        let Sealed { headers, body } = self.feishu.seal(&envelope);
        let mut request = self.client.post(&self.url).body(body);
        for (name, value) in headers {
            request = request.header(name, value);
        }
        let started = Instant::now();
        let response = request.send().await.unwrap();
        let status = response.status();
        let body = response.text().await.unwrap();
        let elapsed = started.elapsed();
        // Every answer here has a card and no error toast.
        let answer: Value = serde_json::from_str(&body).unwrap();
        assert!(status.is_success() && answer.pointer("/card/data/body").is_some(), "{body}");
        assert_ne!(answer.pointer("/toast/type"), Some(&Value::from("error")), "{body}");
        elapsed
    }
}
