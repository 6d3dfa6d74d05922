//! The test bed: stand-ins, a store in a throw-away folder, the service on port 0, and short ways to act and look.

use std::time::Duration;

use airgate::app::projects::{self, NewLink};
use airgate::app::quota::{self, Allocation};
use airgate::clock::Clock;
use airgate::config::Config;
use airgate::domain::{
    AccountId, AlertKind, AlertRecord, ChatId, Money, Operator, Switch, User, UserKey, UserStatus,
};
use airgate::sandbox::feishu::connection::Times;
use airgate::sandbox::feishu::{
    ClickAction, ClickResult, FakeFeishu, FeishuConfig, Message, Sealed, Sender, SentEvent,
};
use airgate::sandbox::volcengine::FakeCloud;
use airgate::sandbox::world::{FakeAccount, World};
use airgate::server::{Patience, Service};
use airgate::store::{AccountSecrets, Store, StoreError};
use airgate::volcengine::RetryPolicy;
use serde_json::Value;
use tempfile::TempDir;
use tokio::net::TcpListener;

pub use crate::text::text_of;

pub const ADMIN: &str = "ou_admin";
pub const ADMIN_2: &str = "ou_admin_2";
pub const VIEWER: &str = "ou_viewer";
pub const STRANGER: &str = "ou_stranger";
pub const GROUP: &str = "oc_alerts";
pub const APP_ID: &str = "cli_test";
pub const APP_SECRET: &str = "test-app-secret";
pub const TOKEN: &str = "test-verification-token";
pub const ENCRYPT_KEY: &str = "test-encrypt-key";
/// The hour that tests begin at: 2026-11-23, 10:00 in Beijing.
pub const NOW: &str = "2026-11-23T02:00:00Z";
/// Nothing that is waited for takes this long unless it is broken.
pub const PATIENCE: Duration = Duration::from_secs(60);

pub struct Bed {
    pub feishu: FakeFeishu,
    pub cloud: FakeCloud,
    pub store: Store,
    pub clock: Clock,
    pub config: Config,
    pub patience: Patience,
    service: Option<Service>,
    _folder: TempDir,
}

/// A cloud of one account `main`, without a limit on calls (tests of pacing set one).
pub fn one_account() -> World {
    let mut world = World::with_account(FakeAccount::new(
        "main",
        "云上主体",
        2_100_000_001,
        "AKLTmain0000000001",
        "main-secret",
    ));
    world.rules.calls_per_second = None;
    world
}

impl Bed {
    pub async fn start(world: World) -> Self {
        Self::with(world, &[]).await
    }

    /// With further configuration, as `("MONITOR__BILL_SOURCE", "detail")`; an empty value unsets. The stand-in for Feishu
    /// follows where it is about the app.
    pub async fn with(world: World, further: &[(&str, &str)]) -> Self {
        Self::with_patience(world, further, quick()).await
    }

    /// With other limits of time for remote calls.
    pub async fn with_patience(world: World, further: &[(&str, &str)], patience: Patience) -> Self {
        let clock = Clock::system();
        clock.set(NOW.parse().unwrap());
        let loopback = || TcpListener::bind("127.0.0.1:0");
        let cloud = FakeCloud::start(loopback().await.unwrap(), world, clock.clone()).await;
        let set = |name: &str, usual: &str| {
            let given = further.iter().rev().find(|(key, _)| *key == name);
            given.map_or(usual, |(_, value)| *value).to_owned()
        };
        let mut chat = FeishuConfig::new(
            &set("FEISHU__APP_ID", APP_ID),
            APP_SECRET,
            &set("FEISHU__VERIFICATION_TOKEN", TOKEN),
        );
        chat.encrypt_key =
            Some(set("FEISHU__ENCRYPT_KEY", ENCRYPT_KEY)).filter(|key| !key.is_empty());
        chat.rate_limits = false;
        let feishu = FakeFeishu::start(loopback().await.unwrap(), chat, clock.clone()).unwrap();
        // Lines that die are noticed, and replaced, within seconds.
        feishu.connections().set_times(Times { ping: 1, reconnect: 1, nonce: 1 });
        feishu.add_person(ADMIN, "王管理", "13800000001");
        feishu.add_person(ADMIN_2, "赵管理", "13800000002");
        feishu.add_person(VIEWER, "李查看", "13800000003");
        feishu.add_person(STRANGER, "路人甲", "13800000004");
        feishu.add_group(GROUP, "告警群");
        let folder = tempfile::tempdir().unwrap();
        let mut env: Vec<(String, String)> = [
            ("FEISHU__BASE_URL", feishu.url()),
            ("FEISHU__APP_ID", APP_ID),
            ("FEISHU__APP_SECRET", APP_SECRET),
            ("FEISHU__VERIFICATION_TOKEN", TOKEN),
            ("FEISHU__ENCRYPT_KEY", ENCRYPT_KEY),
            ("FEISHU__ADMINS", &format!("{ADMIN},{ADMIN_2}")),
            ("FEISHU__VIEWERS", VIEWER),
            ("FEISHU__ALERT_CHAT_ID", GROUP),
            ("VOLCENGINE__IAM_ENDPOINT", &cloud.url()),
            ("VOLCENGINE__BILLING_ENDPOINT", &cloud.url()),
            ("VOLCENGINE__QPS", "1000"),
            ("STORE__PATH", folder.path().join("airgate.redb").to_str().unwrap()),
            ("SECURITY__MASTER_KEY", &"11".repeat(32)),
        ]
        .into_iter()
        .chain(further.iter().copied())
        .map(|(name, value)| (format!("AIRGATE__{name}"), value.to_owned()))
        .collect();
        // The last one given wins.
        env.reverse();
        let mut seen = std::collections::HashSet::new();
        env.retain(|(name, value)| seen.insert(name.clone()) && !value.is_empty());
        let config = Config::load(None, env).unwrap();
        let store = open(&config);
        let accounts = cloud.read(|world| world.accounts.clone());
        for account in &accounts {
            let secrets = AccountSecrets {
                access_key_id: account.access_key_id().to_owned().into(),
                secret_key: account.secret_key().to_owned().into(),
            };
            let id = AccountId::new(account.slug.as_str()).unwrap();
            store.save_account(&id, &account.name, &secrets, clock.now()).unwrap();
        }
        let mut bed =
            Self { feishu, cloud, store, clock, config, patience, service: None, _folder: folder };
        bed.start_service().await;
        bed
    }

    pub async fn start_service(&mut self) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let service = Service::start_with(
            &self.config,
            self.store.clone(),
            listener,
            self.clock.clone(),
            self.patience,
        )
        .unwrap();
        self.feishu.set_service_url(&format!("http://{}", service.address()));
        self.service = Some(service);
    }

    pub fn service(&self) -> &Service {
        self.service.as_ref().unwrap()
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.service().address())
    }

    /// A graceful stop.
    pub async fn stop(&mut self) {
        self.service.take().unwrap().stop().await;
    }

    /// A graceful stop and a new start on the same store.
    pub async fn restart(&mut self) {
        self.stop().await;
        self.start_service().await;
    }

    /// Says something to the bot in the person's direct chat and waits for the reply's card.
    pub async fn ask(&self, person: &str, text: &str) -> Message {
        let chat = self.feishu.direct_chat(person);
        self.ask_in(person, &chat, text, false).await
    }

    /// The same in any chat.
    pub async fn ask_in(&self, person: &str, chat: &str, text: &str, mention: bool) -> Message {
        let sent = self.feishu.say(person, chat, text, mention).await;
        assert_eq!(sent.status, Some(200), "{text}");
        self.reply_to(&sent).await.unwrap_or_else(|| panic!("no reply to {text:?}"))
    }

    pub async fn reply_to(&self, sent: &SentEvent) -> Option<Message> {
        let id = sent.message_id.clone()?;
        self.feishu
            .wait_for(
                move |state| {
                    state
                        .all_messages()
                        .iter()
                        .find(|m| m.reply_to.as_deref() == Some(id.as_str()))
                        .cloned()
                },
                PATIENCE,
            )
            .await
    }

    /// Waits until the card of a message satisfies `wanted`.
    pub async fn card_becomes(
        &self,
        message_id: &str,
        wanted: impl Fn(&str) -> bool + Send + Sync + 'static,
    ) -> Message {
        let id = message_id.to_owned();
        let found = self
            .feishu
            .wait_for(
                move |state| state.message(&id).filter(|m| wanted(&m.content)).cloned(),
                PATIENCE,
            )
            .await;
        found.unwrap_or_else(|| panic!("{:#?}", self.feishu.message(message_id).map(|m| m.content)))
    }

    /// Reads users and projects into the store, as `/sync` does.
    pub async fn sync(&self) -> Message {
        let reply = self.ask(ADMIN, "/sync").await;
        let report = |content: &str| !content.contains("正在");
        self.card_becomes(&reply.message_id, report).await
    }

    /// Runs one cycle to its end and waits until what it owes is delivered.
    pub async fn cycle(&self) -> airgate::domain::CycleReport {
        let report = self.service().monitor().cycle().await.unwrap();
        self.settled().await;
        report
    }

    /// Waits until nothing is owed any more: no message, no change of access, no task.
    pub async fn settled(&self) {
        let until = tokio::time::Instant::now() + PATIENCE;
        loop {
            let owed = self
                .store
                .read(|tx| {
                    Ok::<_, airgate::store::StoreError>(
                        tx.owed_count()? + tx.all_access_pending()?.len() + tx.tasks()?.len(),
                    )
                })
                .unwrap();
            if owed == 0 {
                return;
            }
            assert!(tokio::time::Instant::now() < until, "{owed} things are still owed");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Waits until the store says so.
    pub async fn until(&self, what: &str, wanted: impl Fn(&Self) -> bool) {
        until(what, || wanted(self)).await;
    }

    /// Puts users into the store as a sync does, without one.
    pub fn know(&self, users: &[&str]) {
        self.store
            .write(|tx| {
                for key in users {
                    let mut record = User::new(user(key), self.clock.now());
                    record.status = UserStatus::Active;
                    tx.put_user(&record)?;
                }
                Ok::<_, StoreError>(())
            })
            .unwrap();
    }

    /// Links a project, monitored; an empty `since` is the current period.
    pub fn link(&self, key: &str, project: &str, since: &str) {
        let new =
            NewLink { chosen: project.to_owned(), typed: String::new(), since: since.to_owned() };
        self.store.write(|tx| projects::add(tx, &user(key), &new, self.clock.now())).unwrap();
    }

    /// Switches the monitoring of a link.
    pub fn toggle(&self, key: &str, project: &str, monitored: bool) {
        let (project, now) = (project.parse().unwrap(), self.clock.now());
        self.store
            .write(|tx| projects::toggle(tx, &user(key), &project, Switch::from(monitored), now))
            .unwrap();
    }

    /// Books an allocation.
    pub fn allocate(&self, key: &str, amount: &str) {
        let amount: Money = amount.parse().unwrap();
        let now = self.clock.now();
        let (user, operator) = (user(key), Operator::System);
        let new = Allocation { user: &user, amount, note: "", operator: &operator };
        self.store.write(|tx| quota::book(tx, &new, now)).unwrap();
    }

    /// Changes a user's record.
    pub fn change(&self, key: &str, change: impl FnOnce(&mut User)) {
        self.store
            .write(|tx| {
                let mut record = tx.user(&user(key))?.unwrap();
                change(&mut record);
                tx.put_user(&record)
            })
            .unwrap();
    }

    /// A user as the store has it.
    pub fn record(&self, key: &str) -> User {
        self.store.read(|tx| tx.user(&user(key))).unwrap().unwrap()
    }

    /// A user's exact spending: per link, and per month and project (`""`: the total).
    pub fn amount(&self, key: &str, period: &str, project: &str) -> Option<String> {
        let records =
            self.store.read(|tx| tx.spending_of(&user(key), period.parse().unwrap())).unwrap();
        records
            .into_iter()
            .find(|record| record.project.as_ref().map_or("", |name| name.as_str()) == project)
            .map(|record| record.amount.decimal().normalize().to_string())
    }

    /// Every alert record, oldest first.
    pub fn alert_records(&self) -> Vec<AlertRecord> {
        let (mut alerts, _) = self.store.read(|tx| tx.alerts(None, None, 0, 1000)).unwrap();
        alerts.reverse();
        alerts
    }

    /// The kinds of all alert records, oldest first.
    pub fn alert_kinds(&self) -> Vec<AlertKind> {
        self.alert_records().iter().map(|alert| alert.body.kind()).collect()
    }

    /// Moves the clock to an instant.
    pub fn at(&self, instant: &str) {
        self.clock.set(instant.parse().unwrap());
    }

    /// A person's words as the platform would tell them, not told to the service yet.
    pub async fn unsent(&self, person: &str, chat: &str, text: &str) -> SentEvent {
        self.feishu.set_service_url("http://127.0.0.1:1");
        let sent = self.feishu.say(person, chat, text, false).await;
        assert_eq!(sent.status, None);
        self.feishu.set_service_url(&self.url(""));
        sent
    }

    /// How many messages the bot has sent.
    pub fn sent_count(&self) -> usize {
        self.feishu.read(|state| {
            state.all_messages().iter().filter(|message| message.sender == Sender::Bot).count()
        })
    }

    /// Posts a body as it is to the service; the status and the answer's JSON (null where it is none).
    pub async fn post(&self, path: &str, sealed: Sealed) -> (u16, Value) {
        let mut request = reqwest::Client::new().post(self.url(path)).body(sealed.body);
        for (name, value) in sealed.headers {
            request = request.header(name, value);
        }
        let response = request.send().await.unwrap();
        let status = response.status().as_u16();
        (status, response.json().await.unwrap_or_default())
    }

    /// The status and text of a page of the service.
    pub async fn get(&self, path: &str) -> (u16, String) {
        let response = reqwest::get(self.url(path)).await.unwrap();
        (response.status().as_u16(), response.text().await.unwrap())
    }

    /// Presses the button whose callback value has all members of `wanted`. It is there, and the press is answered in time.
    pub async fn press(&self, person: &str, message_id: &str, wanted: Value) -> ClickResult {
        let button = self
            .feishu
            .find_button(message_id, |value| has(value, &wanted))
            .unwrap_or_else(|| panic!("no button {wanted} on {}", self.texts(message_id)));
        answered(self.feishu.click(person, message_id, button).await)
    }

    /// Fills the form whose submit button is of this action, and sends it.
    pub async fn submit(
        &self,
        person: &str,
        message_id: &str,
        action: &str,
        fields: Value,
    ) -> ClickResult {
        let fields = fields.as_object().unwrap().clone();
        let wanted = |value: &Value| value["action"] == action;
        answered(self.feishu.form_click(person, message_id, wanted, fields).await)
    }

    /// A press that no button of the card need stand for: this value, these form fields. Answered in time all the same.
    pub async fn forged(
        &self,
        person: &str,
        message_id: &str,
        value: Value,
        form: Option<Value>,
    ) -> ClickResult {
        let action = ClickAction {
            tag: "button".to_owned(),
            value: Some(value),
            name: form.as_ref().map(|_| "submit".to_owned()),
            form_value: form.and_then(|form| form.as_object().cloned()),
            ..ClickAction::default()
        };
        answered(self.feishu.click_raw(person, message_id, action).await)
    }

    /// What a person reads on a message as it stands now.
    pub fn texts(&self, message_id: &str) -> String {
        text_of(&self.feishu.message(message_id).unwrap())
    }

    /// A user as stored.
    pub fn user(&self, key: &str) -> airgate::domain::User {
        self.store.read(|tx| tx.user(&user(key))).unwrap().unwrap()
    }

    /// Waits until the service knows the bot's own id.
    pub async fn introduced(&self) {
        let until = tokio::time::Instant::now() + PATIENCE;
        while self.store.read(|tx| tx.bot_open_id()).unwrap().is_none() {
            assert!(tokio::time::Instant::now() < until, "the bot's own id was not read");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Messages of the alert group.
    pub fn alerts(&self) -> Vec<Message> {
        self.feishu.messages(ChatId::new(GROUP).unwrap().as_str())
    }
}

/// Waits for a condition.
pub async fn until(what: &str, wanted: impl Fn() -> bool) {
    let end = tokio::time::Instant::now() + PATIENCE;
    while !wanted() {
        assert!(tokio::time::Instant::now() < end, "waited in vain: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Calls to the cloud are tried again as often as in service, without the waits between.
pub fn quick() -> Patience {
    Patience { cloud_retry: RetryPolicy::quick(), ..Patience::default() }
}

/// Whether a callback's value has all members of `wanted`.
pub fn has(value: &Value, wanted: &Value) -> bool {
    wanted.as_object().unwrap().iter().all(|(name, member)| value.get(name) == Some(member))
}

/// A click that reached the service and was answered as the contract says: 200, a valid card or toast, within 1 s.
pub fn answered(result: ClickResult) -> ClickResult {
    assert_eq!((result.status, result.error.as_deref()), (Some(200), None), "{result:?}");
    assert!(result.elapsed < Duration::from_secs(1), "{result:?}");
    result
}

/// The words of a click's toast, with its kind in front: `error: …`.
pub fn toast_of(result: &ClickResult) -> String {
    result
        .toast
        .as_ref()
        .map(|toast| format!("{}: {}", toast.kind, toast.content))
        .unwrap_or_default()
}

pub fn open(config: &Config) -> Store {
    Store::open(&config.store.path, config.security.master_key.expose()).unwrap()
}

pub fn user(text: &str) -> UserKey {
    text.parse().unwrap()
}

/// The markdown of a card, as the client would interpret it.
pub fn markdown_of(message: &Message) -> String {
    fn collect(value: &Value, found: &mut Vec<String>) {
        match value {
            Value::Object(members) => {
                if matches!(
                    members.get("tag").and_then(Value::as_str),
                    Some("markdown" | "lark_md")
                ) && let Some(Value::String(text)) = members.get("content")
                {
                    found.push(text.clone());
                }
                members.values().for_each(|member| collect(member, found));
            }
            Value::Array(items) => items.iter().for_each(|item| collect(item, found)),
            _ => {}
        }
    }
    let mut found = Vec::new();
    collect(&message.json(), &mut found);
    found.join("\n")
}
