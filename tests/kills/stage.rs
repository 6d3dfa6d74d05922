//! Everything but the process: the platforms, a folder with configuration and store, and what is counted.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use airgate::app::quota::Allocation;
use airgate::clock::Clock;
use airgate::domain::{
    AccountId, BillPeriod, Money, Operator, ProjectInfo, ProjectName, User, UserKey, UserStatus,
};
use airgate::sandbox::feishu::{FakeFeishu, FeishuConfig};
use airgate::sandbox::volcengine::FakeCloud;
use airgate::sandbox::world::{FakeAccount, KeyStatus, World};
use airgate::store::{AccountSecrets, Store, StoreError};
use parking_lot::Mutex;
use tempfile::TempDir;
use tokio::net::TcpListener;

use crate::books::Books;
use crate::process::Process;

pub const ALERTS: &str = "oc_alerts";
pub const HOOK: &str = "oc_hook";
pub const TALK: &str = "oc_talk";
const MASTER_KEY: &str = "7f3c0e8a91b2d4f6587a6b5c4d3e2f10aabbccddeeff00112233445566778899";
/// Nobody listens there.
const NOWHERE: &str = "http://127.0.0.1:1";
/// What every user has to spend at the beginning.
pub const FIRST_QUOTA: &str = "first quota";

/// Whose quota is changed and nothing else.
pub const BANKS: [&str; 3] = ["bank-1", "bank-2", "bank-3"];
/// Whose projects change.
pub const PLANNERS: [&str; 2] = ["plan-1", "plan-2"];
/// Whose access is cut and restored by hand.
pub const GATES: [&str; 2] = ["gate-1", "gate-2"];
/// Who spend until they are cut off.
pub const SPENDERS: [&str; 3] = ["spend-1", "spend-2", "spend-3"];
/// Who is topped up while being cut off.
pub const RACERS: [&str; 1] = ["race-1"];
/// Whose settings change.
pub const TUNED: [&str; 1] = ["tune-1"];
/// Projects to choose from.
pub const PROJECTS: [&str; 5] = ["p-a", "p-b", "p-c", "p-d", "p-e"];
/// The policy that comes with a project.
pub const POLICY: &str = "ArkFullAccess";

/// What was done and what happened, for the report.
#[derive(Debug, Default)]
pub struct Tally {
    /// Callbacks sent to the service, repeats included.
    pub requests: AtomicUsize,
    /// Those that were answered.
    pub acknowledged: AtomicUsize,
    /// Those that were answered and sent once more all the same.
    pub repeated: AtomicUsize,
    /// SIGKILLs.
    pub kills: AtomicUsize,
    /// Those of them before it listened.
    pub at_start: AtomicUsize,
    /// Those of them in the middle of a call to the cloud.
    pub in_cloud_call: AtomicUsize,
    /// Those of them in the middle of a delivery to Feishu.
    pub in_delivery: AtomicUsize,
    /// SIGTERMs.
    pub stops: AtomicUsize,
    /// Faults that struck.
    pub faults: AtomicUsize,
}

pub fn count(counter: &AtomicUsize) {
    counter.fetch_add(1, Ordering::Relaxed);
}

pub fn counted(counter: &AtomicUsize) -> usize {
    counter.load(Ordering::Relaxed)
}

pub struct Stage {
    pub feishu: FakeFeishu,
    pub cloud: FakeCloud,
    pub clock: Clock,
    pub tally: Tally,
    /// What the outside knows to be so.
    pub books: Mutex<Books>,
    pub seed: u64,
    /// Nothing that is waited for takes this long unless it is broken.
    pub patience: Duration,
    /// What processes that have ended had to say that should not be.
    pub complaints: Mutex<Vec<String>>,
    /// How events come: `feishu.mode`.
    mode: &'static str,
    folder: TempDir,
    over: AtomicBool,
}

/// Users by the parts they play, two keys each of which one is active.
fn world(clock: &Clock) -> World {
    let mut world = World::with_account(FakeAccount::new(
        "main",
        "云上主体",
        2_100_000_001,
        "AKLTmain0000000001",
        "main-secret",
    ));
    world.rules.calls_per_second = None;
    for name in everybody() {
        world.account_mut("main").unwrap().add_user(name);
        for status in [KeyStatus::Active, KeyStatus::Inactive] {
            world.user_mut("main", name).unwrap().add_key(status);
        }
    }
    for project in PROJECTS.into_iter().chain(SPENDERS).chain(RACERS) {
        world.account_mut("main").unwrap().add_project(project, project);
    }
    // Something to page through.
    for _ in 0..400 {
        world.account_mut("main").unwrap().spend("default", 1.into(), BillPeriod::of(clock.now()));
    }
    world
}

pub fn everybody() -> impl Iterator<Item = &'static str> {
    let users = BANKS.into_iter().chain(PLANNERS).chain(GATES).chain(SPENDERS);
    users.chain(RACERS).chain(TUNED)
}

/// `main/…`
pub fn key(name: &str) -> UserKey {
    format!("main/{name}").parse().unwrap()
}

/// The administrator who looks after a user.
pub fn keeper(name: &str) -> String {
    format!("ou_{}", name.replace('-', "_"))
}

/// Who writes, beside the keepers.
pub const OTHERS: [&str; 3] = ["ou_maker", "ou_talker", "ou_viewer"];

/// The seed of this run: given, or a new one.
pub fn seed() -> u64 {
    match std::env::var("AIRGATE_SEED") {
        Ok(text) => text.parse().expect("AIRGATE_SEED is a number"),
        Err(_) => rand::random_range(0..1_000_000),
    }
}

/// A number from the environment.
pub fn setting(name: &str, usual: u64) -> u64 {
    std::env::var(name).map_or(usual, |text| text.parse().expect("a whole number"))
}

impl Stage {
    pub async fn start(seed: u64, patience: Duration, mode: &'static str) -> Arc<Self> {
        let clock = Clock::system();
        let loopback = || TcpListener::bind("127.0.0.1:0");
        let cloud = FakeCloud::start(loopback().await.unwrap(), world(&clock), clock.clone()).await;
        let mut chat = FeishuConfig::new("cli_kills", "kills-secret", "kills-token");
        chat.encrypt_key = Some("kills-encrypt-key".to_owned());
        chat.rate_limits = false;
        chat.reply_timeout = match mode {
            // On a line that broke nobody answers any more: what was pushed there is pushed again after so long.
            "websocket" => Duration::from_millis(700),
            // As far as this machine is concerned: what counts here is not how fast it is.
            _ => Duration::from_secs(20),
        };
        let feishu = FakeFeishu::start(loopback().await.unwrap(), chat, clock.clone()).unwrap();
        for (n, person) in everybody().map(keeper).chain(OTHERS.map(str::to_owned)).enumerate() {
            feishu.add_person(&person, &person, &format!("138000{n:05}"));
        }
        for chat in [ALERTS, HOOK, TALK] {
            feishu.add_group(chat, chat);
        }
        feishu.set_service_url(NOWHERE);
        let stage = Self {
            feishu,
            cloud,
            clock,
            tally: Tally::default(),
            books: Mutex::default(),
            seed,
            patience,
            complaints: Mutex::default(),
            mode,
            folder: tempfile::tempdir().unwrap(),
            over: AtomicBool::new(false),
        };
        stage.configure(mode);
        stage.furnish();
        Arc::new(stage)
    }

    fn configure(&self, mode: &str) {
        let (feishu, cloud) = (self.feishu.url(), self.cloud.url());
        let hook = self.feishu.add_hook("hook-id-0001", Some("hook-secret"), HOOK);
        let mut admins: Vec<String> = everybody().map(keeper).collect();
        admins.extend(["ou_maker".to_owned(), "ou_talker".to_owned()]);
        let text = format!(
            r#"
[server]
listen = "127.0.0.1:0"
[feishu]
mode = "{mode}"
base_url = "{feishu}"
app_id = "cli_kills"
app_secret = "kills-secret"
verification_token = "kills-token"
encrypt_key = "kills-encrypt-key"
admins = {admins:?}
viewers = ["ou_viewer"]
alert_chat_id = "{ALERTS}"
alert_webhook_url = "{hook}"
alert_webhook_secret = "hook-secret"
[volcengine]
iam_endpoint = "{cloud}"
billing_endpoint = "{cloud}"
qps = 1000
[store]
path = "data/airgate.redb"
backup_dir = "backups"
backup_keep = 3
[access]
project_policies = ["{POLICY}"]
[monitor]
interval_seconds = 1
[security]
master_key = "{MASTER_KEY}"
"#
        );
        std::fs::write(self.config(), text).unwrap();
    }

    /// A store with the account, its projects and users; the spenders with a project and something to spend.
    fn furnish(&self) {
        self.in_store(|store| {
            let (now, main) = (self.clock.now(), AccountId::new("main").unwrap());
            let secrets = self.cloud.read(|world| AccountSecrets {
                access_key_id: world.accounts[0].access_key_id().to_owned().into(),
                secret_key: world.accounts[0].secret_key().to_owned().into(),
            });
            store.save_account(&main, "云上主体", &secrets, now).unwrap();
            let names = PROJECTS.into_iter().chain(SPENDERS).chain(RACERS);
            let projects: Vec<ProjectInfo> = names
                .map(|name| ProjectInfo {
                    account: main.clone(),
                    name: ProjectName::new(name).unwrap(),
                    display_name: name.to_owned(),
                })
                .collect();
            let quota = |name: &str| match name {
                name if BANKS.contains(&name) => Some(100_000_000),
                name if SPENDERS.contains(&name) || RACERS.contains(&name) => Some(10_000),
                _ => None,
            };
            let furnished = store.write(|tx| {
                tx.replace_projects(&main, &projects, now)?;
                for name in everybody() {
                    let mut record = User::new(key(name), now);
                    record.status = UserStatus::Active;
                    tx.put_user(&record)?;
                    if SPENDERS.contains(&name) || RACERS.contains(&name) {
                        let new = airgate::app::projects::NewLink {
                            chosen: name.to_owned(),
                            ..Default::default()
                        };
                        airgate::app::projects::add(tx, &key(name), &new, now).unwrap();
                    }
                    if let Some(fen) = quota(name) {
                        let amount = Money::from_fen(fen);
                        let operator = &Operator::System;
                        let new =
                            Allocation { user: &key(name), amount, note: FIRST_QUOTA, operator };
                        airgate::app::quota::book(tx, &new, now).unwrap();
                        self.books.lock().booked(name, FIRST_QUOTA, amount);
                    }
                }
                Ok::<_, StoreError>(())
            });
            furnished.unwrap();
        });
    }

    pub fn config(&self) -> PathBuf {
        self.folder.path().join("config.toml")
    }

    pub fn backups(&self) -> PathBuf {
        self.folder.path().join("backups")
    }

    /// Opens a store while no process has it.
    pub fn open(&self, path: &std::path::Path) -> Store {
        let key: [u8; 32] = hex::decode(MASTER_KEY).unwrap().try_into().unwrap();
        Store::open(path, &key).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    /// Looks into the store while no process has it.
    pub fn in_store<T>(&self, look: impl FnOnce(&Store) -> T) -> T {
        look(&self.open(&self.folder.path().join("data/airgate.redb")))
    }

    /// Starts the process and waits until it can be reached.
    pub async fn serve(&self) -> Process {
        let mut process = Process::start(&self.config(), "info");
        let start = Instant::now();
        while !self.listens(&process) {
            if let Some(status) = process.child.try_wait().unwrap() {
                panic!("seed {}: it ended with {status}: {}", self.seed, process.log.lock());
            }
            assert!(start.elapsed() < self.patience, "seed {}: it does not start", self.seed);
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        process
    }

    /// Whether the process can be reached by now; clients are told where.
    fn listens(&self, process: &Process) -> bool {
        let Some(address) = process.address() else { return false };
        if self.mode == "websocket" && self.feishu.connections().overview().open == 0 {
            return false;
        }
        self.feishu.set_service_url(&format!("http://{address}"));
        true
    }

    /// SIGKILL.
    pub fn kill(&self, process: Process) {
        let log = Arc::clone(&process.log);
        // What is under way is cut off; what comes now does not reach whoever gets the port next.
        self.feishu.set_service_url(NOWHERE);
        process.kill();
        count(&self.tally.kills);
        self.read_log(&log);
    }

    /// SIGTERM: it ends by itself, with 0.
    pub async fn stop(&self, process: Process) {
        let log = Arc::clone(&process.log);
        let (status, took) =
            tokio::task::spawn_blocking(move || process.terminate()).await.unwrap();
        self.feishu.set_service_url(NOWHERE);
        assert_eq!(status.code(), Some(0), "seed {}: {}", self.seed, log.lock());
        assert!(took < Duration::from_secs(20), "seed {}: stopped after {took:?}", self.seed);
        count(&self.tally.stops);
        self.read_log(&log);
    }

    /// What is an error to the service itself, faults of others aside, is one here.
    fn read_log(&self, log: &Mutex<String>) {
        let log = log.lock();
        let bad = |line: &&str| line.contains("\"ERROR\"") || line.contains("panicked");
        self.complaints.lock().extend(log.lines().filter(bad).map(str::to_owned));
    }

    /// Clients finish what they have begun.
    pub fn finish(&self) {
        self.over.store(true, Ordering::SeqCst);
    }

    pub fn is_over(&self) -> bool {
        self.over.load(Ordering::SeqCst)
    }

    /// Waits until `found` finds something.
    pub async fn until<T>(&self, what: &str, mut found: impl FnMut() -> Option<T>) -> T {
        let start = Instant::now();
        loop {
            if let Some(found) = found() {
                return found;
            }
            if start.elapsed() > self.patience {
                self.give_up(what);
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    pub fn give_up(&self, what: &str) -> ! {
        panic!("seed {}: waited in vain: {what}\n{:#?}", self.seed, self.complaints.lock())
    }
}
