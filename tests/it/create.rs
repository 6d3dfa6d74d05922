//! Making a user, through real clicks: once, completely, and its secrets in one place only.

use std::io::Write;
use std::sync::{Arc, LazyLock, Mutex};

use airgate::domain::{GrantState, UserStatus};
use airgate::sandbox::feishu::{Fault as ChatFault, FaultRule as ChatRule, Message};
use airgate::sandbox::volcengine::{Fault, FaultRule};
use airgate::sandbox::world::{KeyStatus, PolicyScope, User, World};
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use crate::bed::{ADMIN, ADMIN_2, Bed, GROUP, PATIENCE, VIEWER, one_account, text_of, toast_of};

const POLICIES: (&str, &str) = ("ACCESS__PROJECT_POLICIES", "ArkFullAccess");

/// Everything that this process logs of airgate, in words.
static LOG: LazyLock<Arc<Mutex<Vec<u8>>>> = LazyLock::new(|| {
    let log = Arc::new(Mutex::new(Vec::new()));
    let sink = Arc::clone(&log);
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter("airgate=trace")
        .with_ansi(false)
        .with_writer(move || Sink(Arc::clone(&sink)))
        .finish();
    // Another test of this process may have been first; then nothing is captured here.
    let _ = tracing::subscriber::set_global_default(subscriber);
    log
});

struct Sink(Arc<Mutex<Vec<u8>>>);

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn cloud() -> World {
    let mut world = one_account();
    world.account_mut("main").unwrap().add_project("team-a", "甲组");
    world.account_mut("main").unwrap().add_user("alice");
    world
}

async fn bed() -> Bed {
    LazyLock::force(&LOG);
    let bed = Bed::with(cloud(), &[POLICIES]).await;
    bed.sync().await;
    bed
}

fn full() -> Value {
    json!({
        "username": "bob", "display_name": "鲍勃", "email": "bob@example.com", "phone": "13800000009",
        "project": "team-a", "quota": "1,000", "login": true, "access_key": true,
    })
}

/// Sends `/create` to the direct chat, fills the form, presses, and waits for the outcome.
async fn create(bed: &Bed, fields: Value) -> Message {
    let form = bed.ask(ADMIN, "/create").await;
    let clicked = bed.submit(ADMIN, &form.message_id, "user.create", fields).await;
    assert!(toast_of(&clicked).contains("正在创建"), "{clicked:?}");
    ended(bed, &form.message_id).await
}

async fn ended(bed: &Bed, message_id: &str) -> Message {
    let ended = bed.card_becomes(message_id, |content| !content.contains("正在")).await;
    bed.settled().await;
    ended
}

async fn go_on(bed: &Bed, person: &str, card: &Message) -> Message {
    bed.press(person, &card.message_id, json!({"action": "user.create"})).await;
    ended(bed, &card.message_id).await
}

fn made(bed: &Bed) -> Option<User> {
    bed.cloud.read(|world| world.user("main", "bob").cloned())
}

/// The secret cards in a person's direct chat.
fn secrets(bed: &Bed, person: &str) -> Vec<Message> {
    let chat = bed.feishu.direct_chat(person);
    let mut all = bed.feishu.messages(&chat);
    all.retain(|message| message.content.contains("的密码和密钥\""));
    all
}

/// All of it is there once: in the cloud, in the store, and in the operator's direct chat.
fn assert_complete(bed: &Bed, what: &str) {
    let bob = made(bed).unwrap_or_else(|| panic!("{what}: no user"));
    assert_eq!(bob.keys.len(), 1, "{what}: keys");
    assert_eq!(bob.keys[0].status, KeyStatus::Active, "{what}");
    let profile = bob.login.profile.as_ref().unwrap_or_else(|| panic!("{what}: no login"));
    assert!(profile.login_allowed && profile.password_reset_required, "{what}");
    let told: String = secrets(bed, ADMIN).iter().map(|message| text_of(message) + "\n").collect();
    for secret in [profile.password.expose_secret(), bob.keys[0].secret.expose_secret()] {
        assert_eq!(told.matches(secret).count(), 1, "{what}: {told}");
    }
    let record = bed.user("main/bob");
    assert_eq!(
        (record.quota.to_string(), record.status),
        ("¥1,000.00".to_owned(), UserStatus::Active)
    );
    let (entries, _) = bed.store.read(|tx| tx.ledger(&record.key, 10)).unwrap();
    assert_eq!(entries.len(), 1, "{what}: ledger");
    let links = bed.store.read(|tx| tx.links_of(&record.key)).unwrap();
    assert_eq!(links.len(), 1, "{what}: links");
    let users = bed.cloud.read(|world| world.account("main").unwrap().users.len());
    assert_eq!(users, 2, "{what}: users");
    assert_secret(bed, what);
}

/// The secrets of bob stand nowhere but in the direct chat of the operator.
fn assert_secret(bed: &Bed, what: &str) {
    let Some(bob) = made(bed) else { return };
    let mut all: Vec<String> =
        bob.keys.iter().map(|key| key.secret.expose_secret().to_owned()).collect();
    all.extend(bob.login.profile.as_ref().map(|p| p.password.expose_secret().to_owned()));
    let direct = bed.feishu.direct_chat(ADMIN);
    let messages = bed.feishu.read(|state| state.all_messages().to_vec());
    let file = std::fs::read(&bed.config.store.path).unwrap();
    let log = String::from_utf8_lossy(&LOG.lock().unwrap()).into_owned();
    for secret in all {
        for message in messages.iter().filter(|message| message.content.contains(&secret)) {
            assert_eq!(message.chat_id, direct, "{what}");
            assert!(message.content.contains("\"enable_forward\":false"), "{what}");
        }
        let found = file.windows(secret.len()).any(|window| window == secret.as_bytes());
        assert!(!found, "{what}: the store holds a secret");
        assert!(!log.contains(&secret), "{what}: the log holds a secret");
    }
    let rows = bed.store.read(|tx| tx.creation(1)).unwrap();
    assert!(!format!("{rows:?}").contains("password\":"), "{what}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_form_opens_from_the_list_of_users() {
    let bed = bed().await;
    let list = bed.ask(ADMIN, "/users").await.message_id;
    let button = json!({"action": "user.create"});
    let value = bed.feishu.find_button(&list, |value| value["action"] == "user.create").unwrap();
    bed.press(ADMIN, &list, button).await;
    assert!(bed.texts(&list).contains("首个项目"), "{}", bed.texts(&list));
    // The same press once more, from a client that still shows the list: the form again, and no word of refusal.
    let again = bed.forged(ADMIN, &list, value.value.unwrap(), None).await;
    assert_eq!(toast_of(&again), "");
    bed.submit(ADMIN, &list, "user.create", json!({"username": "bob"})).await;
    bed.card_becomes(&list, |content| content.contains("bob 已创建")).await;
    assert_eq!(bed.user("main/bob").status, UserStatus::Active);

    let viewers = bed.ask(VIEWER, "/users").await.message_id;
    assert!(bed.feishu.find_button(&viewers, |value| value["action"] == "user.create").is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_at_once_in_the_direct_chat() {
    let bed = bed().await;
    let card = create(&bed, full()).await;
    let text = text_of(&card);
    assert!(text.contains("bob 已创建") && text.contains("王管理 与我的单聊"), "{text}");
    assert_complete(&bed, "direct chat");
    let bob = made(&bed).unwrap();
    assert_eq!((&*bob.display_name, &*bob.email), ("鲍勃", "bob@example.com"));
    assert_eq!(bob.mobile_phone, "13800000009");
    let key = "main/bob".parse().unwrap();
    let owed = bed.store.read(|tx| tx.authorisation(&key, &"team-a".parse().unwrap())).unwrap();
    assert_eq!(owed.unwrap().grants.len(), 1);
    let until = tokio::time::Instant::now() + PATIENCE;
    let scope = PolicyScope::Project("team-a".to_owned());
    while !made(&bed).unwrap().holds("ArkFullAccess", &scope) {
        assert!(tokio::time::Instant::now() < until);
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    assert!(
        !LOG.lock().unwrap().is_empty(),
        "nothing was logged: the search of the log proves nothing"
    );
    let grants = bed.store.read(|tx| tx.authorisations_of(&key)).unwrap();
    assert!(grants[0].grants[0].state != GrantState::Owed);
}

#[tokio::test(flavor = "multi_thread")]
async fn in_a_group_the_card_says_where_the_secrets_went() {
    let bed = bed().await;
    let form = bed.ask_in(ADMIN, GROUP, "/create", true).await;
    bed.submit(ADMIN, &form.message_id, "user.create", full()).await;
    let card = ended(&bed, &form.message_id).await;
    assert!(text_of(&card).contains("只发到 王管理 与我的单聊"), "{}", text_of(&card));
    assert_complete(&bed, "group");
}

#[tokio::test(flavor = "multi_thread")]
async fn only_what_is_asked_for() {
    let bed = bed().await;
    let bare = json!({"username": "bob", "login": false, "access_key": false});
    let card = create(&bed, bare).await;
    assert!(text_of(&card).contains("bob 已创建"), "{}", text_of(&card));
    let bob = made(&bed).unwrap();
    assert!(bob.keys.is_empty() && bob.login.profile.is_none());
    assert!(secrets(&bed, ADMIN).is_empty());
    let record = bed.user("main/bob");
    assert!(record.quota.is_zero());
    assert!(!text_of(&card).contains("单聊"));
}

/// What can become of one call, done or not.
fn faults() -> [Fault; 6] {
    [
        Fault::LostAnswer,
        Fault::WrongJson,
        Fault::CutBody,
        Fault::ResetConnection,
        Fault::Status(502),
        Fault::Code { http: 403, code: "AccessDenied".to_owned(), message: "no".to_owned() },
    ]
}

const STEPS: [&str; 6] = [
    "GetUser",
    "CreateUser",
    "CreateLoginProfile",
    "ListAccessKeys",
    "CreateAccessKey",
    "GetLoginProfile",
];

/// One fault at one step; where nothing came of it the form is sent again, where a part of it, it is gone on with.
async fn fails_once(step: &str, fault: Fault) {
    let what = format!("{step} {fault:?}");
    let bed = bed().await;
    bed.cloud.faults().inject(FaultRule::new(fault).on(step).times(1));
    let mut card = create(&bed, full()).await;
    assert_secret(&bed, &what);
    if card.content.contains("\"username\"") {
        assert!(made(&bed).is_none(), "{what}");
        assert!(text_of(&card).contains("没有创建任何东西"), "{what}");
        bed.submit(ADMIN, &card.message_id, "user.create", json!({})).await;
        card = ended(&bed, &card.message_id).await;
    }
    if text_of(&card).contains("尚未全部完成") {
        card = go_on(&bed, ADMIN, &card).await;
    }
    assert!(text_of(&card).contains("bob 已创建"), "{what}: {}", text_of(&card));
    assert_complete(&bed, &what);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_step_failing_once_makes_nothing_twice() {
    for fault in faults() {
        // Beds share nothing, so they wait side by side.
        let steps = STEPS.map(|step| fails_once(step, fault.clone()));
        futures::future::join_all(steps).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_exists_is_said_and_somebody_else_may_go_on() {
    let bed = bed().await;
    let refused =
        Fault::Code { http: 403, code: "AccessDenied".to_owned(), message: "no keys".to_owned() };
    bed.cloud.faults().inject(FaultRule::new(refused).on("CreateAccessKey"));
    let card = create(&bed, full()).await;
    let text = text_of(&card);
    assert!(text.contains("no keys") && text.contains("尚未全部完成"), "{text}");
    assert_eq!(text.matches("已完成").count(), 4, "{text}");
    assert_eq!(text.matches(">未完成").count(), 1, "{text}");
    // The password of what is there went out; the key will go to whoever makes it.
    assert_eq!(secrets(&bed, ADMIN).len(), 1);
    bed.cloud.faults().clear();
    let card = go_on(&bed, ADMIN_2, &card).await;
    assert!(text_of(&card).contains("只发到 赵管理"), "{}", text_of(&card));
    let told = secrets(&bed, ADMIN_2);
    let key = made(&bed).unwrap().keys[0].secret.expose_secret().to_owned();
    assert!(told.len() == 1 && told[0].content.contains(&key));
    assert_eq!(made(&bed).unwrap().keys.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_at_any_step_is_taken_up_where_it_was() {
    for step in ["CreateUser", "CreateLoginProfile", "CreateAccessKey"] {
        for (fault, skip) in [(Fault::Timeout, 0), (Fault::Slow(PATIENCE), 0)] {
            let what = format!("{step} {fault:?}");
            let mut bed = bed().await;
            bed.cloud.faults().inject(FaultRule::new(fault).on(step).after(skip).times(1));
            let form = bed.ask(ADMIN, "/create").await;
            bed.submit(ADMIN, &form.message_id, "user.create", full()).await;
            tokio::time::timeout(PATIENCE, bed.cloud.called(step, 1)).await.unwrap();
            bed.restart().await;
            let card = ended(&bed, &form.message_id).await;
            assert!(text_of(&card).contains("bob 已创建"), "{what}: {}", text_of(&card));
            assert_complete(&bed, &what);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pressed_ten_times_it_is_made_once() {
    let bed = bed().await;
    let form = bed.ask(ADMIN, "/create").await;
    let fields = full().as_object().unwrap().clone();
    let wanted = |value: &Value| value["action"] == "user.create";
    let press = bed.feishu.fill_form(&form.message_id, wanted, fields).unwrap();
    let presses = (0..10).map(|_| bed.feishu.click_raw(ADMIN, &form.message_id, press.clone()));
    for result in futures::future::join_all(presses).await {
        assert_eq!((result.status, result.error), (Some(200), None));
    }
    bed.settled().await;
    assert_complete(&bed, "ten presses");
    // Long after the end, the same press shows how it ended.
    bed.feishu.click_raw(ADMIN, &form.message_id, press).await;
    let card = bed.feishu.message(&form.message_id).unwrap();
    assert!(text_of(&card).contains("bob 已创建"), "{}", text_of(&card));
    assert_eq!(bed.cloud.count("CreateUser"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_input_comes_back_and_makes_nothing() {
    let bed = bed().await;
    let form = bed.ask(ADMIN, "/create").await;
    for (field, value, says) in [
        ("username", "al ice", "不能用作用户名"),
        ("username", "张三", "不能用作用户名"),
        ("username", "alice", "main/alice 已存在"),
        ("email", "a@b", "不是邮箱"),
        ("phone", "138-0000", "不是手机号"),
        ("quota", "1,00", "逗号"),
        ("quota", "0", "不能是 0"),
        ("quota", "-5", "正数"),
    ] {
        let mut fields = full();
        fields[field] = value.into();
        let op = |id: &str| {
            let wanted = |v: &Value| v["action"] == "user.create";
            bed.feishu.fill_form(id, wanted, serde_json::Map::new()).ok()?.value?.get("op").cloned()
        };
        let before = bed.feishu.message(&form.message_id).unwrap().content;
        let result = bed.submit(ADMIN, &form.message_id, "user.create", fields).await;
        assert!(toast_of(&result).contains(says), "{field} {value}: {}", toast_of(&result));
        let after = bed.feishu.message(&form.message_id).unwrap().content;
        assert!(after.contains(value) && after.contains("bob@example.com") || field == "email");
        assert_ne!(before, after);
        assert!(op(&form.message_id).is_some() || field == "username" || value.is_empty());
    }
    // A forged project, and a form of another version.
    let card: Value =
        serde_json::from_str(&bed.feishu.message(&form.message_id).unwrap().content).unwrap();
    assert!(card.to_string().contains("user.create"));
    let forged = json!({"action": "user.create", "op": "forged-1"});
    let mut fields = full();
    fields["project"] = "nowhere".into();
    let result = bed.forged(ADMIN, &form.message_id, forged.clone(), Some(fields)).await;
    assert!(toast_of(&result).contains("没有项目"), "{}", toast_of(&result));
    let mut value = forged;
    value["op"] = "forged-2".into();
    value["creation"] = 99.into();
    let result = bed.forged(ADMIN, &form.message_id, value.clone(), None).await;
    assert!(toast_of(&result).contains("太久远"), "{}", toast_of(&result));
    value["op"] = "forged-3".into();
    let result = bed.forged(VIEWER, &form.message_id, value, None).await;
    assert!(toast_of(&result).starts_with("error"), "{}", toast_of(&result));
    bed.settled().await;
    assert_eq!(bed.cloud.count("CreateUser"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_that_only_the_cloud_knows_is_left_alone() {
    let bed = bed().await;
    bed.cloud.update(|world| {
        world.account_mut("main").unwrap().add_user("bob");
    });
    let card = create(&bed, full()).await;
    let text = text_of(&card);
    assert!(text.contains("云端已有用户 main/bob"), "{text}");
    assert!(card.content.contains("bob@example.com"));
    assert_eq!(bed.cloud.count("CreateUser"), 0);
    assert!(made(&bed).unwrap().keys.is_empty());
    assert_eq!(bed.store.read(|tx| tx.user(&"main/bob".parse().unwrap())).unwrap(), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_who_cannot_be_reached_is_said_and_nothing_is_kept() {
    let bed = bed().await;
    let form = bed.ask_in(ADMIN, GROUP, "/create", true).await;
    let gone = ChatFault::Code { http: 400, code: 230_013, msg: "no availability".to_owned() };
    bed.feishu.faults().inject(ChatRule::new(gone).on("send"));
    bed.submit(ADMIN, &form.message_id, "user.create", full()).await;
    let card = bed.card_becomes(&form.message_id, |content| content.contains("已丢弃")).await;
    assert!(text_of(&card).contains("230013"), "{}", text_of(&card));
    bed.settled().await;
    assert!(secrets(&bed, ADMIN).is_empty());
    assert_secret(&bed, "unreachable");
    let creation = bed.store.read(|tx| tx.creation(1)).unwrap().unwrap();
    assert_eq!(creation.sealed, None);
    let failed = bed.store.read(|tx| tx.failed_messages(5)).unwrap();
    assert!(format!("{failed:?}").contains("sealed: \"\""), "{failed:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn with_two_accounts_one_is_chosen() {
    let mut world = cloud();
    world.accounts.push(airgate::sandbox::world::FakeAccount::new(
        "labs",
        "实验室",
        2_100_000_002,
        "AKLTlabs0000000001",
        "labs-secret",
    ));
    let bed = Bed::with(world, &[]).await;
    bed.sync().await;
    let mut fields = full();
    fields["account"] = "labs".into();
    let form = bed.ask(ADMIN, "/create").await;
    // The other account's project.
    let result = bed.submit(ADMIN, &form.message_id, "user.create", fields.clone()).await;
    assert!(toast_of(&result).contains("没有项目"), "{}", toast_of(&result));
    fields["project"] = "default".into();
    bed.submit(ADMIN, &form.message_id, "user.create", fields).await;
    let card = ended(&bed, &form.message_id).await;
    assert!(text_of(&card).contains("bob 已创建"), "{}", text_of(&card));
    assert!(bed.cloud.read(|world| world.user("labs", "bob").is_some()));
    assert!(made(&bed).is_none());
}
