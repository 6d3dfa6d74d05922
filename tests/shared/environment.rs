//! The environment of a service: stand-ins for both platforms, and a folder with a configuration that points to them.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use airgate::clock::Clock;
use airgate::sandbox::feishu::{FakeFeishu, FeishuConfig};
use airgate::sandbox::volcengine::FakeCloud;
use airgate::sandbox::world::World;
use airgate::store::Store;
use tempfile::TempDir;
use tokio::net::TcpListener;

use super::configuration::Configuration;
use super::process::{Output, Process, airgate, run};
use super::samples;

pub const ADMIN: &str = "ou_admin";
pub const ADMIN_2: &str = "ou_admin_2";
pub const VIEWER: &str = "ou_viewer";
pub const STRANGER: &str = "ou_stranger";
/// The chat that alerts go to.
pub const GROUP: &str = "oc_alerts";
pub const APP_ID: &str = "cli_test";
pub const APP_SECRET: &str = "test-app-secret";
pub const TOKEN: &str = "test-verification-token";
pub const ENCRYPT_KEY: &str = "test-encrypt-key";

/// The Feishu app that the service and the stand-in agree on.
#[derive(Clone, Debug)]
pub struct App {
    pub id: String,
    pub secret: String,
    pub token: String,
    /// Empty: events are neither encrypted nor signed.
    pub encrypt_key: String,
}

impl App {
    pub fn new(id: &str, secret: &str, token: &str, encrypt_key: &str) -> Self {
        let [id, secret, token, encrypt_key] = [id, secret, token, encrypt_key].map(str::to_owned);
        Self { id, secret, token, encrypt_key }
    }
}

impl Default for App {
    fn default() -> Self {
        Self::new(APP_ID, APP_SECRET, TOKEN, ENCRYPT_KEY)
    }
}

/// The initial contents of an environment.
pub struct Options {
    pub app: App,
    pub clock: Clock,
    /// How long Feishu waits for the answer to an event or a click; `None`: as long as the real platform.
    pub feishu_timeout: Option<Duration>,
}

impl Default for Options {
    fn default() -> Self {
        Self { app: App::default(), clock: Clock::system(), feishu_timeout: None }
    }
}

/// A folder with a configuration and, in time, a store.
pub struct Home {
    folder: TempDir,
    master_key: [u8; 32],
}

impl Home {
    pub fn new(configuration: &Configuration) -> Self {
        let home =
            Self { folder: tempfile::tempdir().unwrap(), master_key: configuration.master_key() };
        home.configure(configuration);
        home
    }

    /// Replaces the configuration file.
    pub fn configure(&self, configuration: &Configuration) {
        std::fs::write(self.config_path(), configuration.to_toml()).unwrap();
        // It holds secrets: airgate warns where others can read it.
        std::fs::set_permissions(self.config_path(), PermissionsExt::from_mode(0o600)).unwrap();
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn config_path(&self) -> PathBuf {
        self.path("config.toml")
    }

    pub fn store_path(&self) -> PathBuf {
        self.path("data/airgate.redb")
    }

    /// Opens the store, which no process may have open.
    pub fn store(&self) -> Store {
        self.open_store(&self.store_path())
    }

    /// Opens a store with this master key, for instance a backup.
    pub fn open_store(&self, path: &Path) -> Store {
        Store::open(path, &self.master_key)
            .unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    /// A command that runs in the folder with its configuration.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = airgate(arguments);
        command.current_dir(self.folder());
        command
    }

    /// Runs a command to its end, with nothing on standard input.
    pub fn run(&self, arguments: &[&str]) -> Output {
        self.feed(arguments, "")
    }

    /// Runs a command to its end, with `input` on standard input.
    pub fn feed(&self, arguments: &[&str], input: &str) -> Output {
        run(self.command(arguments), input)
    }

    /// Starts the service, logging what `filter` lets through; it may not listen yet.
    pub fn start(&self, filter: &str) -> Process {
        let mut command = self.command(&["serve"]);
        command.env("RUST_LOG", filter).env("AIRGATE_LOG_FORMAT", "json");
        Process::start(command)
    }
}

/// The stand-ins and the folder. Dropping it ends the stand-ins.
pub struct Environment {
    pub feishu: FakeFeishu,
    pub cloud: FakeCloud,
    pub clock: Clock,
    pub home: Home,
    app: App,
}

impl Environment {
    pub async fn start(world: World) -> Self {
        Self::with(world, Options::default()).await
    }

    /// Starts the stand-ins without rate limits, adds the people and the group above, and writes a configuration in which
    /// they have their roles.
    pub async fn with(world: World, options: Options) -> Self {
        let Options { app, clock, feishu_timeout } = options;
        let loopback = || TcpListener::bind("127.0.0.1:0");
        let cloud = FakeCloud::start(loopback().await.unwrap(), world, clock.clone()).await;
        let mut config = FeishuConfig::new(&app.id, &app.secret, &app.token);
        config.encrypt_key = Some(app.encrypt_key.clone()).filter(|key| !key.is_empty());
        config.rate_limits = false;
        if let Some(timeout) = feishu_timeout {
            config.reply_timeout = timeout;
        }
        let feishu = FakeFeishu::start(loopback().await.unwrap(), config, clock.clone()).unwrap();
        feishu.add_person(ADMIN, "王管理", "13800000001");
        feishu.add_person(ADMIN_2, "赵管理", "13800000002");
        feishu.add_person(VIEWER, "李查看", "13800000003");
        feishu.add_person(STRANGER, "路人甲", "13800000004");
        feishu.add_group(GROUP, "告警群");
        let home = Home::new(&configuration(&feishu, &cloud, &app));
        Self { feishu, cloud, clock, home, app }
    }

    /// The configuration that [`Environment::with`] wrote, to be changed and written again.
    pub fn configuration(&self) -> Configuration {
        configuration(&self.feishu, &self.cloud, &self.app)
    }

    /// Registers every account of the cloud with its key pair.
    pub fn register_accounts(&self, store: &Store) {
        let accounts = self.cloud.read(|world| world.accounts.clone());
        samples::register(store, &accounts, self.clock.now());
    }

    /// Starts the service, waits until it listens, and tells Feishu where.
    pub fn serve(&self, filter: &str) -> Process {
        let process = self.home.start(filter);
        self.feishu.set_service_url(&format!("http://{}", process.listening()));
        process
    }
}

fn configuration(feishu: &FakeFeishu, cloud: &FakeCloud, app: &App) -> Configuration {
    Configuration::offline()
        .set("feishu.base_url", feishu.url())
        .set("feishu.app_id", &*app.id)
        .set("feishu.app_secret", &*app.secret)
        .set("feishu.verification_token", &*app.token)
        .set("feishu.encrypt_key", &*app.encrypt_key)
        .set("feishu.admins", vec![ADMIN, ADMIN_2])
        .set("feishu.viewers", vec![VIEWER])
        .set("feishu.alert_chat_id", GROUP)
        .set("volcengine.iam_endpoint", cloud.url())
        .set("volcengine.billing_endpoint", cloud.url())
        .set("volcengine.ark_endpoint", cloud.url())
}
