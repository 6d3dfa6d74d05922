//! Measures from the moment that the cloud shows what uses up a quota to the confirmed cut: every path read back as closed. The
//! service runs in this process on its schedule, against the stand-in, which limits calls as the platform does.
//!
//! Run `cargo bench --bench reaction`, or `cargo bench --bench reaction -- 10` for an interval other than 5 seconds. Prints
//! figures and has no thresholds; docs/behaviour.md §8 promises at most an interval and 60 seconds.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::float_arithmetic,
    missing_docs
)]

mod measure;

use std::path::Path;
use std::time::{Duration, Instant};

use airgate::app::projects::{self, NewLink};
use airgate::app::quota::{self, Allocation};
use airgate::clock::Clock;
use airgate::config::Config;
use airgate::domain::{AccountId, BillPeriod, Money, Operator, User, UserKey, UserStatus};
use airgate::sandbox::feishu::{FakeFeishu, FeishuConfig};
use airgate::sandbox::volcengine::FakeCloud;
use airgate::sandbox::world::{FakeAccount, KeyStatus, World};
use airgate::server::Service;
use airgate::store::{AccountSecrets, Store};
use tokio::net::TcpListener;

use measure::Times;

/// Users whose quota is used up one after the other, each at another moment of the interval.
const ALONE: usize = 12;
/// Users whose quota is used up at the same moment.
const TOGETHER: usize = 8;
const CHAT: &str = "oc_bench";

fn main() {
    let seconds = std::env::args().find_map(|word| word.parse().ok()).unwrap_or(5);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(run(Duration::from_secs(seconds)));
}

async fn run(interval: Duration) {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let path = folder.path().join("airgate.redb");
    let clock = Clock::system();
    let loopback = || TcpListener::bind("127.0.0.1:0");
    let cloud = FakeCloud::start(loopback().await.unwrap(), world(), clock.clone()).await;
    let chat = FeishuConfig::new("cli_bench", "bench-secret", "bench-token");
    let feishu = FakeFeishu::start(loopback().await.unwrap(), chat, clock.clone()).unwrap();
    feishu.add_group(CHAT, "压测群");
    let config = config(feishu.url(), &cloud.url(), &path, interval);
    let store = Store::open(&path, config.security.master_key.expose()).unwrap();
    fill(&store, &cloud, &clock);
    let service =
        Service::start(&config, store.clone(), loopback().await.unwrap(), clock.clone()).unwrap();

    println!("interval {} s; from visible spending to the confirmed cut:", interval.as_secs());
    let mut times = Vec::new();
    for n in 0..ALONE {
        // A part of the interval that grows by something that does not divide it.
        tokio::time::sleep(interval.mul_f64(0.37)).await;
        times.push(until_cut(&store, &cloud, &clock, n..n + 1).await[0]);
    }
    println!("  {ALONE} users, one after the other   {}", Times::of(times));
    let times = until_cut(&store, &cloud, &clock, ALONE..ALONE + TOGETHER).await;
    println!("  {TOGETHER} users of an account at once   {}", Times::of(times));
    let bound = interval + Duration::from_secs(60);
    println!("  promised: at most {} s", bound.as_secs());
    service.stop().await;
}

/// Spends what uses up these users' quotas, and returns how long it took until each of them was disabled.
async fn until_cut(
    store: &Store,
    cloud: &FakeCloud,
    clock: &Clock,
    users: std::ops::Range<usize>,
) -> Vec<Duration> {
    let period = BillPeriod::of(clock.now());
    cloud.update(|world| {
        for n in users.clone() {
            world.account_mut("main").unwrap().spend(&project(n), 120.into(), period);
        }
    });
    let visible = Instant::now();
    let mut left: Vec<usize> = users.collect();
    let mut times = Vec::new();
    while !left.is_empty() {
        left.retain(|n| {
            let user = store.read(|tx| tx.user(&user(*n))).unwrap().unwrap();
            let cut = user.status == UserStatus::Disabled;
            times.extend(cut.then(|| visible.elapsed()));
            !cut
        });
        assert!(visible.elapsed() < Duration::from_secs(600), "{left:?} are not cut");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    times
}

fn world() -> World {
    let account =
        FakeAccount::new("main", "云上主体", 2_100_000_001, "AKLTbench0000000001", "bench");
    let mut world = World::with_account(account);
    for n in 0..ALONE + TOGETHER {
        let account = world.account_mut("main").unwrap();
        account.add_project(&project(n), "");
        account.add_user(user(n).username.as_str());
        let user = world.user_mut("main", user(n).username.as_str()).unwrap();
        user.add_key(KeyStatus::Active);
    }
    world
}

fn fill(store: &Store, cloud: &FakeCloud, clock: &Clock) {
    let now = clock.now();
    let secrets = cloud.read(|world| {
        let account = &world.accounts[0];
        AccountSecrets {
            access_key_id: account.access_key_id().to_owned().into(),
            secret_key: account.secret_key().to_owned().into(),
        }
    });
    store.save_account(&AccountId::new("main").unwrap(), "云上主体", &secrets, now).unwrap();
    store
        .write(|tx| {
            for n in 0..ALONE + TOGETHER {
                let key = user(n);
                let mut record = User::new(key.clone(), now);
                record.status = UserStatus::Active;
                tx.put_user(&record)?;
                let link = NewLink { project: project(n), ..NewLink::default() };
                projects::add(tx, &key, &link, now)?;
                let amount = Money::from_fen(10_000);
                let operator = &Operator::System;
                quota::book(tx, &Allocation { user: &key, amount, note: "", operator }, now)?;
            }
            Ok::<_, airgate::app::Error>(())
        })
        .unwrap();
}

fn config(feishu: &str, cloud: &str, store: &Path, interval: Duration) -> Config {
    let (key, seconds) = ("11".repeat(32), interval.as_secs().to_string());
    let env = [
        ("FEISHU__BASE_URL", feishu),
        ("FEISHU__APP_ID", "cli_bench"),
        ("FEISHU__APP_SECRET", "bench-secret"),
        ("FEISHU__VERIFICATION_TOKEN", "bench-token"),
        ("FEISHU__ENCRYPT_KEY", "bench-encrypt-key"),
        ("FEISHU__ADMINS", "ou_admin"),
        ("FEISHU__ALERT_CHAT_ID", CHAT),
        ("VOLCENGINE__IAM_ENDPOINT", cloud),
        ("VOLCENGINE__BILLING_ENDPOINT", cloud),
        ("VOLCENGINE__ARK_ENDPOINT", cloud),
        ("MONITOR__INTERVAL_SECONDS", &seconds),
        ("STORE__PATH", store.to_str().unwrap()),
        ("SECURITY__MASTER_KEY", &key),
    ];
    let env = env.map(|(name, value)| (format!("AIRGATE__{name}"), value.to_owned()));
    Config::load(None, env).unwrap()
}

fn user(n: usize) -> UserKey {
    format!("main/u{n:03}").parse().unwrap()
}

fn project(n: usize) -> String {
    format!("project-{n:03}")
}
