//! Everything but the process: the environment, who does what, and what is counted.

use std::collections::BTreeMap;
use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use airgate::clock::Clock;
use airgate::domain::{AccountId, BillPeriod, ProjectInfo, ProjectName, UserKey};
use airgate::sandbox::world::{EndpointStatus, KeyStatus, World};
use airgate::store::{Store, StoreError};
use parking_lot::Mutex;

use crate::books::Books;
use crate::holdings::{self, Holdings, SHARED};
use crate::shared::configuration::NOWHERE;
use crate::shared::environment::{Environment, Options};
use crate::shared::process::Process;
use crate::shared::samples::{self, one_account, user_key};
use crate::shared::wait::eventually;

pub const ALERTS: &str = "oc_alerts";
pub const HOOK: &str = "oc_hook";
pub const TALK: &str = "oc_talk";
/// The note of the users' initial quota.
pub const FIRST_QUOTA: &str = "first quota";

/// Users whose quota is changed.
pub const BANKS: [&str; 3] = ["bank-1", "bank-2", "bank-3"];
/// Users whose projects are changed.
pub const PLANNERS: [&str; 2] = ["plan-1", "plan-2"];
/// Users whose access is cut and restored manually.
pub const GATES: [&str; 2] = ["gate-1", "gate-2"];
/// Users who spend until they are cut off.
pub const SPENDERS: [&str; 3] = ["spend-1", "spend-2", "spend-3"];
/// Users who are topped up while being cut off.
pub const RACERS: [&str; 1] = ["race-1"];
/// Users whose settings are changed.
pub const TUNED: [&str; 1] = ["tune-1"];
/// Projects to choose from.
pub const PROJECTS: [&str; 5] = ["p-a", "p-b", "p-c", "p-d", "p-e"];
/// Projects that nobody has yet, one for each user that is created.
pub const UNUSED: [&str; 12] = [
    "q-01", "q-02", "q-03", "q-04", "q-05", "q-06", "q-07", "q-08", "q-09", "q-10", "q-11", "q-12",
];
/// The configured bodies that switch a key of 方舟 off and on.
const SWITCH: [&str; 2] = [
    r#"UpdateApiKey {"Id": $id, "ProjectName": "$project", "Status": "Inactive"}"#,
    r#"UpdateApiKey {"Id": $id, "ProjectName": "$project", "Status": "Active"}"#,
];
/// The policy that is attached with a project.
pub const POLICY: &str = "ArkFullAccess";

/// Counts for the report.
#[derive(Debug, Default)]
pub struct Tally {
    /// Callbacks sent to the service, repetitions included.
    pub requests: AtomicUsize,
    /// Callbacks that were acknowledged.
    pub acknowledged: AtomicUsize,
    /// Acknowledged callbacks that were repeated nevertheless.
    pub repeated: AtomicUsize,
    /// SIGKILLs.
    pub kills: AtomicUsize,
    /// Kills before the service listened.
    pub at_start: AtomicUsize,
    /// Kills in the middle of a call to the cloud.
    pub in_cloud_call: AtomicUsize,
    /// Those of them in a call that reads, cuts or restores access.
    pub in_access_call: AtomicUsize,
    /// Kills in the middle of a delivery to Feishu.
    pub in_delivery: AtomicUsize,
    /// SIGTERMs.
    pub stops: AtomicUsize,
    /// Faults that took effect.
    pub faults: AtomicUsize,
}

pub fn count(counter: &AtomicUsize) {
    counter.fetch_add(1, Ordering::Relaxed);
}

pub fn counted(counter: &AtomicUsize) -> usize {
    counter.load(Ordering::Relaxed)
}

pub struct Stage {
    environment: Environment,
    pub tally: Tally,
    /// What clients know to be true.
    pub books: Mutex<Books>,
    /// What users whose access changes held in the cloud at the beginning.
    pub before: BTreeMap<&'static str, Holdings>,
    pub seed: u64,
    /// Nothing that a client waits for takes this long unless it is broken.
    pub timeout: Duration,
    /// Errors and panics that ended processes have logged.
    pub complaints: Mutex<Vec<String>>,
    /// How events arrive: `feishu.mode`.
    mode: &'static str,
    over: AtomicBool,
}

impl Deref for Stage {
    type Target = Environment;

    fn deref(&self) -> &Environment {
        &self.environment
    }
}

/// A cloud with every user, each with an active and an inactive key.
fn world(clock: &Clock, mode: &str) -> World {
    let mut world = one_account();
    for name in everybody() {
        world.account_mut("main").unwrap().add_user(name);
        for status in [KeyStatus::Active, KeyStatus::Inactive] {
            world.user_mut("main", name).unwrap().add_key(status);
        }
    }
    let main = world.account_mut("main").unwrap();
    for project in PROJECTS.into_iter().chain(UNUSED).chain([SHARED]) {
        main.add_project(project, project);
    }
    for name in cut() {
        holdings::equip(main, name);
    }
    for name in GATES {
        holdings::share(main, name);
    }
    if mode == "websocket" {
        // How 方舟 spells that an endpoint is stopped is in no source. An unknown word before a cut counts as open.
        world.rules.ark.stopped_text = "Offline";
        let endpoints = &mut world.account_mut("main").unwrap().ark.endpoints;
        endpoints.retain(|_, it| *it.status.get() != EndpointStatus::Stopped);
    }
    // Several pages.
    for _ in 0..400 {
        world.account_mut("main").unwrap().spend("default", 1.into(), BillPeriod::of(clock.now()));
    }
    world
}

pub fn everybody() -> impl Iterator<Item = &'static str> {
    let users = BANKS.into_iter().chain(PLANNERS).chain(GATES).chain(SPENDERS);
    users.chain(RACERS).chain(TUNED)
}

/// Users whose access is cut and restored. Each has a project of the same name alone.
pub fn cut() -> impl Iterator<Item = &'static str> {
    GATES.into_iter().chain(SPENDERS).chain(RACERS)
}

/// `main/…`
pub fn key(name: &str) -> UserKey {
    user_key(&format!("main/{name}"))
}

/// The administrator who works on a user.
pub fn keeper(name: &str) -> String {
    format!("ou_{}", name.replace('-', "_"))
}

/// People who write to the bot, besides the keepers.
pub const OTHERS: [&str; 3] = ["ou_maker", "ou_talker", "ou_viewer"];

/// The seed of this run: the given one, or a random one.
pub fn seed() -> u64 {
    match std::env::var("AIRGATE_SEED") {
        Ok(text) => text.parse().expect("AIRGATE_SEED is a number"),
        Err(_) => rand::random_range(0..1_000_000),
    }
}

/// A number from the environment.
pub fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().expect("a whole number"))
}

impl Stage {
    pub async fn start(seed: u64, timeout: Duration, mode: &'static str) -> Arc<Self> {
        let clock = Clock::system();
        let feishu = match mode {
            // Events that were pushed over a broken connection are pushed again after this.
            "websocket" => Duration::from_millis(700),
            // The speed of this machine is not under test.
            _ => Duration::from_secs(20),
        };
        let options =
            Options { clock: clock.clone(), feishu_timeout: Some(feishu), ..Options::default() };
        let world = world(&clock, mode);
        let before = cut().map(|name| (name, holdings::of(&world, name))).collect();
        let environment = Environment::with(world, options).await;
        let feishu = &environment.feishu;
        for (n, person) in everybody().map(keeper).chain(OTHERS.map(str::to_owned)).enumerate() {
            feishu.add_person(&person, &person, &format!("139000{n:05}"));
        }
        for chat in [HOOK, TALK] {
            feishu.add_group(chat, chat);
        }
        feishu.set_service_url(NOWHERE);
        let hook = feishu.add_hook("hook-id-0001", Some("hook-secret"), HOOK);
        let mut admins: Vec<String> = everybody().map(keeper).collect();
        admins.extend(["ou_maker".to_owned(), "ou_talker".to_owned()]);
        let configuration = environment
            .configuration()
            .set("feishu.mode", mode)
            .set("feishu.admins", admins)
            .set("feishu.viewers", vec!["ou_viewer"])
            .set("feishu.alert_webhook_url", hook)
            .set("feishu.alert_webhook_secret", "hook-secret")
            .set("store.backup_dir", "backups")
            .set("store.backup_keep", 3)
            .set("access.project_policies", vec![POLICY])
            .set("access.stop_jobs", true)
            .set("access.model_keys", "disable")
            .set("access.model_key_disable", SWITCH[0])
            .set("access.model_key_enable", SWITCH[1])
            .set("monitor.interval_seconds", 1);
        environment.home.configure(&configuration);
        let stage = Self {
            environment,
            tally: Tally::default(),
            books: Mutex::default(),
            before,
            seed,
            timeout,
            complaints: Mutex::default(),
            mode,
            over: AtomicBool::new(false),
        };
        stage.fill_store();
        Arc::new(stage)
    }

    /// Creates a store with the account, its projects and users, and gives users projects and quota by their parts.
    fn fill_store(&self) {
        let (store, now) = (self.home.store(), self.clock.now());
        self.register_accounts(&store);
        let account = AccountId::new("main").unwrap();
        let projects: Vec<ProjectInfo> = PROJECTS
            .into_iter()
            .chain(UNUSED)
            .chain(cut())
            .chain([SHARED])
            .map(|name| ProjectInfo {
                account: account.clone(),
                name: ProjectName::new(name).unwrap(),
                display_name: name.to_owned(),
            })
            .collect();
        store
            .write(|tx| {
                tx.replace_projects(&account, &projects, now)?;
                Ok::<_, StoreError>(())
            })
            .unwrap();
        for name in everybody() {
            let key = format!("main/{name}");
            samples::add_users(&store, &[&key], now);
            let spends = SPENDERS.contains(&name) || RACERS.contains(&name);
            if cut().any(|user| user == name) {
                samples::link(&store, &key, name, "", now);
            }
            if GATES.contains(&name) {
                samples::link(&store, &key, SHARED, "", now);
            }
            let quota = if BANKS.contains(&name) {
                "1000000"
            } else if spends {
                "100"
            } else {
                continue;
            };
            samples::allocate(&store, &key, quota, FIRST_QUOTA, now);
            self.books.lock().booked(name, FIRST_QUOTA, quota.parse().unwrap());
        }
    }

    /// Reads the store while no process has it open.
    pub fn in_store<T>(&self, look: impl FnOnce(&Store) -> T) -> T {
        look(&self.home.store())
    }

    /// Starts the process and waits until events reach it.
    pub async fn serve(&self) -> Process {
        let process = self.home.start("info");
        let address = process.listening();
        if self.mode == "websocket" {
            let connections = self.feishu.connections();
            eventually("the long connection", || connections.overview().open > 0).await;
        }
        self.feishu.set_service_url(&format!("http://{address}"));
        process
    }

    /// SIGKILL.
    pub fn kill(&self, process: Process) {
        // Requests in flight are cut off; later ones must not reach whoever gets the port next.
        self.feishu.set_service_url(NOWHERE);
        self.read_log(&process.kill());
        count(&self.tally.kills);
    }

    /// SIGTERM: the process exits by itself, with code 0.
    pub async fn stop(&self, process: Process) {
        let stopped = tokio::task::spawn_blocking(move || process.terminate()).await.unwrap();
        self.feishu.set_service_url(NOWHERE);
        let (seed, took) = (self.seed, stopped.took);
        assert_eq!(stopped.status.code(), Some(0), "seed {seed}: {}", stopped.log);
        assert!(took < Duration::from_secs(20), "seed {seed}: stopped after {took:?}");
        count(&self.tally.stops);
        self.read_log(&stopped.log);
    }

    /// Collects what the service logged as its own errors; faults of the platforms are warnings.
    fn read_log(&self, log: &str) {
        let bad = |line: &&str| line.contains("\"ERROR\"") || line.contains("panicked");
        self.complaints.lock().extend(log.lines().filter(bad).map(str::to_owned));
    }

    /// Tells clients to finish what they have begun.
    pub fn finish(&self) {
        self.over.store(true, Ordering::SeqCst);
    }

    pub fn is_over(&self) -> bool {
        self.over.load(Ordering::SeqCst)
    }

    /// Waits until there is a value, and returns it.
    pub async fn until<T>(&self, what: &str, mut found: impl FnMut() -> Option<T>) -> T {
        let start = Instant::now();
        loop {
            if let Some(found) = found() {
                return found;
            }
            if start.elapsed() > self.timeout {
                self.give_up(what);
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    pub fn give_up(&self, what: &str) -> ! {
        panic!(
            "seed {}: waited {:?} for {what}\n{:#?}",
            self.seed,
            self.timeout,
            self.complaints.lock()
        )
    }
}
