//! `airgate demo`: the whole product on this machine. Stand-ins for both platforms, sample data, a chat page; the service
//! is the real one, driven by real signed callbacks.

use std::net::SocketAddr;
use std::path::Path;

use jiff::Timestamp;
use rust_decimal::Decimal;
use secrecy::SecretString;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::{Failure, output, runtime, until_told_to_stop};
use crate::app::projects::NewLink;
use crate::app::{Error, projects};
use crate::clock::Clock;
use crate::config::Config;
use crate::domain::{
    AccountId, BillPeriod, Money, OpenId, Operator, ProjectName, TaskKind, UserKey, Username,
};
use crate::sandbox::demo_page::{self, Control, ControlKind, ControlOption, DemoPage};
use crate::sandbox::feishu::{Feishu, FeishuConfig};
use crate::sandbox::volcengine::Cloud;
use crate::sandbox::world::{self, World};
use crate::server::Service;
use crate::store::{AccountSecrets, Store, StoreError, WriteTx};

/// Where the page listens if that is free.
const USUAL_ADDRESS: &str = "127.0.0.1:8787";
/// The sample data are the same every time.
const SEED: u64 = 7;

const ADMIN: &str = "ou_demo_admin";
const VIEWER: &str = "ou_demo_viewer";
const STRANGER: &str = "ou_demo_stranger";
const GROUP: &str = "oc_demo_alerts";
const ADMIN_MOBILE: &str = "13800000001";

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  airgate demo
  airgate demo --listen 127.0.0.1:9000")]
pub(super) struct Options {
    /// Where the chat page listens; else 127.0.0.1:8787, or a free port
    #[arg(long, value_name = "ADDR")]
    listen: Option<SocketAddr>,
}

pub(super) fn run(options: &Options) -> Result<(), Failure> {
    output::start_log("warn");
    runtime()?.block_on(async {
        let page_listener = listen(options.listen).await?;
        let address = page_listener.local_addr().map_err(failed)?;
        let folder = tempfile::tempdir().map_err(failed)?;
        let demo = Demo::start(folder.path()).await?;
        let page = demo.page();
        let stop = CancellationToken::new();
        let served = tokio::spawn({
            let (router, stop) = (demo_page::router(page.clone()), stop.clone());
            async move {
                axum::serve(page_listener, router)
                    .with_graceful_shutdown(stop.cancelled_owned())
                    .await
            }
        });
        output::line(&format!("airgate demo: open http://{address} in a browser; Ctrl-C stops it"));
        until_told_to_stop().await;
        page.close();
        stop.cancel();
        let _ = served.await;
        demo.service.stop().await;
        Ok(())
    })
}

async fn listen(wanted: Option<SocketAddr>) -> Result<TcpListener, Failure> {
    let cannot = |address: &str, error: std::io::Error| {
        Failure::Failed(format!(
            "cannot listen on {address}: {error}; choose another with --listen"
        ))
    };
    match wanted {
        Some(address) => {
            TcpListener::bind(address).await.map_err(|error| cannot(&address.to_string(), error))
        }
        None => match TcpListener::bind(USUAL_ADDRESS).await {
            Ok(listener) => Ok(listener),
            Err(_) => {
                let free = "127.0.0.1:0";
                TcpListener::bind(free).await.map_err(|error| cannot(free, error))
            }
        },
    }
}

fn failed(error: impl std::fmt::Display) -> Failure {
    Failure::Failed(format!("the demo cannot start: {error}"))
}

struct Demo {
    feishu: Feishu,
    cloud: Cloud,
    service: Service,
    clock: Clock,
}

impl Demo {
    async fn start(folder: &Path) -> Result<Self, Failure> {
        let clock = Clock::system();
        let loopback = || TcpListener::bind("127.0.0.1:0");
        let world = world::sample(clock.now(), SEED);
        let cloud =
            Cloud::start(loopback().await.map_err(failed)?, world.clone(), clock.clone()).await;

        let secret = |name: &str| format!("demo-{name}-{}", uuid::Uuid::new_v4().simple());
        let (app_secret, token) = (secret("secret"), secret("token"));
        let encrypt_key: String = secret("key").chars().take(32).collect();
        let mut chat = FeishuConfig::new("cli_demo", &app_secret, &token);
        chat.encrypt_key = Some(encrypt_key.clone());
        let feishu = Feishu::start(loopback().await.map_err(failed)?, chat, clock.clone())
            .map_err(failed)?;
        feishu.add_person(ADMIN, "王管理", ADMIN_MOBILE);
        feishu.add_person(VIEWER, "李查看", "13800000002");
        feishu.add_person(STRANGER, "路人甲", "13800000003");
        feishu.add_group(GROUP, "云成本告警群");

        let store_path = folder.join("airgate.redb");
        let entries = [
            ("FEISHU__BASE_URL", feishu.url().to_owned()),
            ("FEISHU__APP_ID", "cli_demo".to_owned()),
            ("FEISHU__APP_SECRET", app_secret),
            ("FEISHU__VERIFICATION_TOKEN", token),
            ("FEISHU__ENCRYPT_KEY", encrypt_key),
            ("FEISHU__ADMINS", ADMIN.to_owned()),
            ("FEISHU__VIEWERS", VIEWER.to_owned()),
            ("FEISHU__ALERT_CHAT_ID", GROUP.to_owned()),
            ("FEISHU__ALERT_MOBILES", ADMIN_MOBILE.to_owned()),
            ("VOLCENGINE__IAM_ENDPOINT", cloud.url()),
            ("VOLCENGINE__BILLING_ENDPOINT", cloud.url()),
            ("STORE__PATH", store_path.display().to_string()),
            ("SECURITY__MASTER_KEY", random_key()),
        ];
        let env = entries.map(|(name, value)| (format!("AIRGATE__{name}"), value));
        let config = Config::load(None, env).map_err(failed)?;
        let store =
            Store::open(&config.store.path, config.security.master_key.expose()).map_err(failed)?;
        add_accounts(&store, &world, clock.now()).map_err(failed)?;
        let listener = loopback().await.map_err(failed)?;
        let service =
            Service::start(&config, store.clone(), listener, clock.clone()).map_err(failed)?;
        feishu.set_service_url(&format!("http://{}", service.address()));
        let demo = Self { feishu, cloud, service, clock };
        demo.furnish(&store, world).await?;
        Ok(demo)
    }

    /// Sets up what an administrator would have set up by now: users read, projects linked, quota allocated, one cycle run.
    async fn furnish(&self, store: &Store, world: World) -> Result<(), Failure> {
        let now = self.clock.now();
        store.writing(move |tx| tx.add_task(TaskKind::Sync, None, now)).await.map_err(failed)?;
        self.service.bells().tasks.notify_one();
        // The sync is done when its task is gone.
        while !store.reading(|tx| tx.tasks()).await.map_err(failed)?.is_empty() {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        let clock = self.clock.clone();
        store
            .writing(move |tx| set_up(tx, &world, clock.now()))
            .await
            .map_err(|error: Error| failed(error))?;
        self.service.monitor().cycle().await.map_err(failed)?;
        Ok(())
    }

    fn page(&self) -> DemoPage {
        let people = [(ADMIN, "管理员"), (VIEWER, "只读"), (STRANGER, "外人")]
            .map(|(id, role)| (id.to_owned(), role.to_owned()))
            .to_vec();
        DemoPage::new(
            self.feishu.clone(),
            people,
            vec![self.spending_control(), self.run_control()],
        )
    }

    /// Lets a user's spending grow, as bills would.
    fn spending_control(&self) -> Control {
        let options: Vec<ControlOption> = self.cloud.read(|world| {
            let mut users: Vec<String> = world
                .suggested
                .iter()
                .map(|link| format!("{}/{}", link.account_slug, link.username))
                .collect();
            users.sort();
            users.dedup();
            users
                .into_iter()
                .map(|user| ControlOption {
                    label: format!("{user} 花费 10%"), value: json!(user)
                })
                .collect()
        });
        let (cloud, clock) = (self.cloud.clone(), self.clock.clone());
        Control::new("spend", "让花费增长", ControlKind::Select, move |request| {
            let (cloud, clock) = (cloud.clone(), clock.clone());
            async move { grow(&cloud, &clock, &request) }
        })
        .options(options)
    }

    /// Says `/monitor run` as the administrator.
    fn run_control(&self) -> Control {
        let feishu = self.feishu.clone();
        Control::new("monitor", "立即运行监控", ControlKind::Button, move |_| {
            let feishu = feishu.clone();
            async move {
                let chat = feishu.direct_chat(ADMIN);
                feishu.say(ADMIN, &chat, "/monitor run", false).await;
                Ok(json!({ "message": "监控已开始，结果见管理员的单聊" }))
            }
        })
    }
}

/// Adds a bill row of a tenth of the user's quota (¥100 where nothing is allocated) to the user's first project.
fn grow(cloud: &Cloud, clock: &Clock, request: &Value) -> Result<Value, String> {
    let chosen = request.get("value").and_then(Value::as_str).unwrap_or_default();
    let user: UserKey = chosen.parse().map_err(|_| "请选择一个用户".to_owned())?;
    let period = BillPeriod::of(clock.now());
    let (slug, name) = (user.account.as_str(), user.username.as_str());
    cloud.update(|world| {
        let of = |account: &str, username: &str| (account, username) == (slug, name);
        let quota: Decimal = world
            .suggested_quota
            .iter()
            .filter(|quota| of(&quota.account_slug, &quota.username))
            .map(|quota| quota.amount)
            .sum();
        let tenth = (quota / Decimal::TEN).round_dp(2);
        let amount = if tenth > Decimal::ZERO { tenth } else { Decimal::ONE_HUNDRED };
        let project = world
            .suggested
            .iter()
            .find(|link| of(&link.account_slug, &link.username))
            .map(|link| link.project.clone())
            .ok_or_else(|| "该用户没有项目".to_owned())?;
        world.spend(slug, &project, amount, period).map_err(|error| error.to_string())?;
        Ok(json!({ "message": format!("{name} 的账单增加 {}，运行监控后可见", Money::new(amount)) }))
    })
}

fn add_accounts(store: &Store, world: &World, now: Timestamp) -> Result<(), StoreError> {
    for account in &world.accounts {
        let Ok(id) = AccountId::new(account.slug.as_str()) else { continue };
        let secrets = AccountSecrets {
            access_key_id: SecretString::from(account.access_key_id().to_owned()),
            secret_key: SecretString::from(account.secret_key().to_owned()),
        };
        store.save_account(&id, &account.name, &secrets, now)?;
    }
    Ok(())
}

fn set_up(tx: &WriteTx, world: &World, now: Timestamp) -> Result<(), Error> {
    let key = |account: &str, username: &str| {
        Some(UserKey::new(AccountId::new(account).ok()?, Username::new(username).ok()?))
    };
    for link in &world.suggested {
        let Some(user) = key(&link.account_slug, &link.username) else { continue };
        if ProjectName::new(link.project.as_str()).is_ok() {
            let new = NewLink {
                chosen: link.project.clone(),
                typed: String::new(),
                since: link.since.to_string(),
            };
            projects::add(tx, &user, &new, now)?;
        }
    }
    let Ok(open_id) = OpenId::new(ADMIN) else { return Ok(()) };
    let operator = Operator::Person { open_id, name: Some("王管理".to_owned()) };
    for quota in &world.suggested_quota {
        let Some(user) = key(&quota.account_slug, &quota.username) else { continue };
        tx.allocate(&user, Money::new(quota.amount), &quota.note, &operator, now)?;
    }
    Ok(())
}

fn random_key() -> String {
    hex::encode(rand::random::<[u8; 32]>())
}
