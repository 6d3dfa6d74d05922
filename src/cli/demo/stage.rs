//! The demo's stage: both stand-ins with sample data, the service between them, and what an administrator would have set up
//! by now.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use parking_lot::Mutex;
use secrecy::SecretString;
use tokio::net::TcpListener;

use super::super::Failure;
use super::super::words::t;
use super::guide::Progress;
use super::scenario::Scenario;
use crate::app::projects::NewLink;
use crate::app::quota::{self, Allocation};
use crate::app::{Error, projects};
use crate::clock::Clock;
use crate::config::{Config, Locale};
use crate::domain::{
    AccountId, Joining, Money, OpenId, Operator, ProjectName, TaskKind, UserKey, Username,
};
use crate::monitor::Monitor;
use crate::owed::Wakers;
use crate::sandbox::feishu::{FakeFeishu, FeishuConfig};
use crate::sandbox::volcengine::FakeCloud;
use crate::sandbox::world::{
    self, KeyStatus, Language, Model, PolicyKind, PolicyScope, World, WorldError,
};
use crate::server::Service;
use crate::store::{AccountSecrets, Store, StoreError, WriteTx};

/// The administrator. The guide and the panel's buttons act as this person.
pub(super) const ADMIN: &str = "ou_demo_admin";
const ADMIN_MOBILE: &str = "13800000001";
const VIEWER: &str = "ou_demo_viewer";
/// The owner of the sample user [`OWNED`]; may see that user's numbers.
const OWNER: &str = "ou_demo_owner";
/// Confirms large allocations.
const ADMIN_2: &str = "ou_demo_admin_2";
const OWNED: (&str, &str) = ("main", "chen.yutong");
const STRANGER: &str = "ou_demo_stranger";
/// The people of the demo with their roles, in the page's order.
pub(super) const ROLES: [(&str, &str); 5] = [
    (ADMIN, "admin"),
    (ADMIN_2, "approver"),
    (VIEWER, "viewer"),
    (OWNER, "owner"),
    (STRANGER, "stranger"),
];
/// The alert group.
pub(super) const GROUP: &str = "oc_demo_alerts";

/// The account of [`HERO`].
pub(super) const HERO_ACCOUNT: &str = "main";
/// The user that the guide is about: has a key and a login, but no project and no quota yet.
pub(super) const HERO: &str = "an.qi";
/// The project to link to [`HERO`].
pub(super) const HERO_PROJECT: &str = "hello-ai";

/// What the demo calls people and things, in the language of its cards.
#[derive(Clone, Copy, Debug)]
pub(super) struct Names {
    language: Language,
    admin: &'static str,
    approver: &'static str,
    viewer: &'static str,
    owner: &'static str,
    stranger: &'static str,
    group: &'static str,
    /// The user that the guide is about.
    pub hero: &'static str,
    project: &'static str,
}

impl Names {
    const fn of(locale: Locale) -> Self {
        match locale {
            Locale::ZhCn => Self {
                language: Language::Chinese,
                admin: "王管理",
                approver: "赵审批",
                viewer: "李查看",
                owner: "陈雨桐",
                stranger: "路人甲",
                group: "云成本告警群",
                hero: "安琪",
                project: "新品试验",
            },
            Locale::EnUs => Self {
                language: Language::English,
                admin: "Grace Wang",
                approver: "Amy Zhao",
                viewer: "Leo Li",
                owner: "Yutong Chen",
                stranger: "Sam Stranger",
                group: "Cloud cost alerts",
                hero: "An Qi",
                project: "New product trial",
            },
        }
    }
}

/// Handles to everything that runs. Clones share the stage.
#[derive(Clone)]
pub(super) struct Stage {
    pub feishu: FakeFeishu,
    pub cloud: FakeCloud,
    pub store: Store,
    pub clock: Clock,
    pub wakers: Wakers,
    pub monitor: Arc<Monitor>,
    pub scenario: Arc<Mutex<Scenario>>,
    pub names: Names,
    /// What of the guided minute has happened.
    pub progress: Arc<Mutex<Progress>>,
}

impl Stage {
    /// Clears the faults of both platforms.
    pub fn heal(&self) {
        self.feishu.faults().clear();
        self.cloud.faults().clear();
    }
}

/// Starts everything, with the store in `folder`.
pub(super) async fn start(
    folder: &Path,
    seed: u64,
    locale: Locale,
) -> Result<(Stage, Service), Failure> {
    let clock = Clock::system();
    let loopback = || TcpListener::bind("127.0.0.1:0");
    let names = Names::of(locale);
    let mut world = world::sample_in(names.language, clock.now(), seed);
    add_hero(&mut world, &names, clock.now()).map_err(failed)?;
    let cloud =
        FakeCloud::start(loopback().await.map_err(failed)?, world.clone(), clock.clone()).await;

    let secret = |name: &str| format!("demo-{name}-{}", uuid::Uuid::new_v4().simple());
    let (app_secret, token) = (secret("secret"), secret("token"));
    let encrypt_key: String = secret("key").chars().take(32).collect();
    let mut chat = FeishuConfig::new("cli_demo", &app_secret, &token);
    chat.encrypt_key = Some(encrypt_key.clone());
    let feishu = FakeFeishu::start(loopback().await.map_err(failed)?, chat, clock.clone())
        .map_err(failed)?;
    feishu.add_person(ADMIN, names.admin, ADMIN_MOBILE);
    feishu.add_person(ADMIN_2, names.approver, "13800000005");
    feishu.add_person(VIEWER, names.viewer, "13800000002");
    feishu.add_person(OWNER, names.owner, "13800000004");
    feishu.add_person(STRANGER, names.stranger, "13800000003");
    feishu.add_group(GROUP, names.group);

    let entries = [
        ("LOCALE", locale.to_string()),
        ("FEISHU__BASE_URL", feishu.url().to_owned()),
        ("FEISHU__APP_ID", "cli_demo".to_owned()),
        ("FEISHU__APP_SECRET", app_secret),
        ("FEISHU__MODE", "webhook".to_owned()),
        ("FEISHU__VERIFICATION_TOKEN", token),
        ("FEISHU__ENCRYPT_KEY", encrypt_key),
        ("FEISHU__ADMINS", format!("{ADMIN},{ADMIN_2}")),
        ("APPROVAL__SECOND_FROM", "100000".to_owned()),
        ("FEISHU__VIEWERS", VIEWER.to_owned()),
        ("FEISHU__ALERT_CHAT_ID", GROUP.to_owned()),
        ("FEISHU__ALERT_MOBILES", ADMIN_MOBILE.to_owned()),
        ("VOLCENGINE__IAM_ENDPOINT", cloud.url()),
        ("VOLCENGINE__BILLING_ENDPOINT", cloud.url()),
        ("VOLCENGINE__ARK_ENDPOINT", cloud.url()),
        ("STORE__PATH", folder.join("airgate.redb").display().to_string()),
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
    let stage = Stage {
        feishu,
        cloud,
        store,
        clock,
        wakers: service.wakers().clone(),
        monitor: Arc::clone(service.monitor()),
        scenario: Arc::default(),
        names,
        progress: Arc::default(),
    };
    furnish(&stage, world).await?;
    Ok((stage, service))
}

fn add_hero(world: &mut World, names: &Names, now: Timestamp) -> Result<(), WorldError> {
    let account = world.account_mut(HERO_ACCOUNT)?;
    account.add_project(HERO_PROJECT, names.project);
    let hero = account.add_user(HERO);
    hero.display_name = names.hero.to_owned();
    hero.email = format!("{HERO}@example.com");
    hero.add_key(KeyStatus::Active);
    hero.attach("ArkFullAccess", PolicyKind::System, PolicyScope::Project(HERO_PROJECT.to_owned()));
    let endpoint = account.add_endpoint(HERO_PROJECT, "hello-chat", Some(HERO)).id.clone();
    account.add_ark_key(HERO_PROJECT, "hello", Some(HERO));
    account.add_preset(HERO_PROJECT, Model::LITE);
    // As an SDK fetches it with her access key.
    let expires = now.saturating_add(SignedDuration::from_hours(30 * 24)).unwrap_or(now);
    account.temporary_key(&endpoint, expires);
    Ok(())
}

/// Sets up what an administrator would have set up by now: users read, projects linked, quota allocated, one cycle run.
async fn furnish(stage: &Stage, world: World) -> Result<(), Failure> {
    let (store, now) = (&stage.store, stage.clock.now());
    store.writing(move |tx| tx.add_task(TaskKind::Sync, None, now)).await.map_err(failed)?;
    stage.wakers.tasks.notify_one();
    // When the task is gone, the sync is done.
    while !store.reading(|tx| tx.tasks()).await.map_err(failed)?.is_empty() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let (clock, names) = (stage.clock.clone(), stage.names);
    store
        .writing(move |tx| set_up(tx, &world, &names, clock.now()))
        .await
        .map_err(|error: Error| failed(error))?;
    stage.monitor.cycle().await.map_err(failed)?;
    Ok(())
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

/// Returns a user's key; `None` if a name is not valid.
pub(super) fn user_key(account: &str, username: &str) -> Option<UserKey> {
    Some(UserKey::new(AccountId::new(account).ok()?, Username::new(username).ok()?))
}

fn set_up(tx: &WriteTx, world: &World, names: &Names, now: Timestamp) -> Result<(), Error> {
    for link in &world.suggested {
        let Some(user) = user_key(&link.account_slug, &link.username) else { continue };
        if ProjectName::new(link.project.as_str()).is_ok() {
            let new = NewLink {
                project: link.project.clone(),
                since: link.since.to_string(),
                joining: Some(Joining::Whole),
            };
            projects::add(tx, &user, &new, now)?;
        }
    }
    if let Some(mut owned) =
        user_key(OWNED.0, OWNED.1).map(|key| tx.user(&key)).transpose()?.flatten()
    {
        owned.owner = OpenId::new(OWNER).ok();
        tx.put_user(&owned)?;
    }
    let Ok(open_id) = OpenId::new(ADMIN) else { return Ok(()) };
    let operator = Operator::Person { open_id, name: Some(names.admin.to_owned()) };
    for suggested in &world.suggested_quota {
        let Some(user) = user_key(&suggested.account_slug, &suggested.username) else { continue };
        let (amount, note) = (Money::new(suggested.amount), &suggested.note);
        let new = Allocation { user: &user, amount, note, operator: &operator };
        quota::book(tx, &new, now)?;
    }
    Ok(())
}

/// Wraps an error that keeps the demo from starting.
pub(super) fn failed(error: impl std::fmt::Display) -> Failure {
    Failure::Failed(t("cli.demo_failed", &[("error", &error)]))
}

fn random_key() -> String {
    hex::encode(rand::random::<[u8; 32]>())
}
