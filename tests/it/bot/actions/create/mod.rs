//! Creating a user by real clicks: once, completely, and with its secrets in one place only.

mod foreign_keys;
mod interrupted;
mod refused;

use std::io::Write;
use std::sync::{Arc, LazyLock, Mutex};

use airgate::domain::{self, GrantState, UserStatus};
use airgate::sandbox::feishu::Message;
use airgate::sandbox::world::{KeyStatus, PolicyScope, User, World};
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use crate::bed::{
    ADMIN, Bed, GROUP, VIEWER, fragment, labs, one_account, phrase, text, text_of, toast_of,
};

const POLICIES: (&str, &str) = ("ACCESS__PROJECT_POLICIES", "ArkFullAccess");

/// Everything that airgate logs in this process.
static LOG: LazyLock<Arc<Mutex<Vec<u8>>>> = LazyLock::new(|| {
    let log = Arc::new(Mutex::new(Vec::new()));
    let sink = Arc::clone(&log);
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter("airgate=trace")
        .with_ansi(false)
        .with_writer(move || Sink(Arc::clone(&sink)))
        .finish();
    // Fails if a test in this process has set one; then nothing is captured here.
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

/// Sends `/create`, fills in and sends the form, and waits for the outcome.
async fn create(bed: &Bed, fields: Value) -> Message {
    let form = bed.ask(ADMIN, "/create").await;
    let clicked = bed.submit(ADMIN, &form.message_id, "user.create", fields).await;
    assert_eq!(
        toast_of(&clicked),
        format!("info: {}", text("toast.creating", &[("user", &"bob")]))
    );
    ended(bed, &form.message_id).await
}

async fn ended(bed: &Bed, message_id: &str) -> Message {
    bed.no_longer_shows(message_id, &phrase("create.running_text")).await;
    bed.settled().await;
    bed.message(message_id)
}

async fn go_on(bed: &Bed, person: &str, card: &Message) -> Message {
    bed.press(person, &card.message_id, json!({"action": "user.create"})).await;
    ended(bed, &card.message_id).await
}

fn made(bed: &Bed) -> Option<User> {
    bed.cloud.read(|world| world.user("main", "bob").cloned())
}

/// What the card says once bob is complete.
fn created() -> String {
    text("create.made", &[("user", &"bob")])
}

/// The cards with secrets in a person's direct chat.
fn secrets(bed: &Bed, person: &str) -> Vec<Message> {
    let chat = bed.feishu.direct_chat(person);
    let titles = ["create.secrets_title", "create.password_title", "create.key_title"];
    let titles = titles.map(|key| text(key, &[("user", &"bob")]));
    let mut all = bed.by_the_bot(&chat);
    all.retain(|message| {
        let title = message.json()["header"]["title"]["content"].as_str().unwrap_or("").to_owned();
        titles.contains(&title)
    });
    all
}

/// Checks that everything exists once: in the cloud, in the store, and in the operator's direct chat.
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
    assert_eq!(bed.ledger_entries("main/bob"), 1, "{what}: ledger");
    let links = bed.store.read(|tx| tx.links_of(&record.key)).unwrap();
    assert_eq!(links.len(), 1, "{what}: links");
    let users = bed.cloud.read(|world| world.account("main").unwrap().users.len());
    assert_eq!(users, 2, "{what}: users");
    assert_secret(bed, what);
}

/// Checks that bob's secrets are in the operator's direct chat and nowhere else.
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
    assert!(bed.texts(&list).contains(&phrase("create.project")), "{}", bed.texts(&list));
    // The same press again, from a client that still shows the list: the form again, without a refusal.
    let again = bed.forged(ADMIN, &list, value.value.unwrap(), None).await;
    assert_eq!(toast_of(&again), "");
    bed.submit(ADMIN, &list, "user.create", json!({"username": "bob"})).await;
    bed.shows(&list, &created()).await;
    assert_eq!(bed.user("main/bob").status, UserStatus::Active);

    let viewers = bed.ask(VIEWER, "/users").await.message_id;
    assert!(bed.feishu.find_button(&viewers, |value| value["action"] == "user.create").is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_go_from_the_chat_at_one_press() {
    let bed = bed().await;
    create(&bed, full()).await;
    let [card] = &secrets(&bed, ADMIN)[..] else { panic!("one card") };
    let bob = made(&bed).unwrap();
    let secret = bob.keys[0].secret.expose_secret().to_owned();
    assert!(card.content.contains(&secret));
    let value = json!({"action": "secrets.recall", "user": "main/bob"});
    let elsewhere = bed.ask_in(ADMIN, GROUP, "/users", true).await.message_id;
    let refused = bed.forged(ADMIN, &elsewhere, value, None).await;
    assert_eq!(toast_of(&refused), format!("error: {}", phrase("refusal.recall_elsewhere")));
    let clicked = bed.press(ADMIN, &card.message_id, json!({"action": "secrets.recall"})).await;
    assert_eq!(toast_of(&clicked), format!("success: {}", phrase("toast.secrets_recalled")));
    // At once from what the card shows, and as soon as the platform allows it the message itself.
    assert!(!bed.message(&card.message_id).content.contains(&secret));
    bed.eventually("the recall", |bed| bed.message(&card.message_id).recalled).await;
    bed.settled().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_complete_user_is_created_from_the_direct_chat() {
    let bed = bed().await;
    let card = create(&bed, full()).await;
    assert!(text_of(&card).contains(&created()), "{}", text_of(&card));
    let sent = text("create.secrets_sent", &[("operator", &"王管理")]);
    assert!(text_of(&card).contains(&sent), "{}", text_of(&card));
    assert_complete(&bed, "direct chat");
    let bob = made(&bed).unwrap();
    assert_eq!((&*bob.display_name, &*bob.email), ("鲍勃", "bob@example.com"));
    assert_eq!(bob.mobile_phone, "+8613800000009");
    let key = "main/bob".parse().unwrap();
    let within = domain::PolicyScope::Project("team-a".parse().unwrap());
    let owed = bed.store.read(|tx| tx.authorisation(&key, &within)).unwrap();
    assert_eq!(owed.unwrap().grants.len(), 1);
    let scope = PolicyScope::Project("team-a".to_owned());
    let holds = |bed: &Bed| made(bed).unwrap().holds("ArkFullAccess", &scope);
    bed.eventually("the policy", holds).await;
    assert!(
        !LOG.lock().unwrap().is_empty(),
        "nothing was logged, so searching the log proves nothing"
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
    assert!(
        text_of(&card).contains(&text("create.secrets_sent", &[("operator", &"王管理")])),
        "{}",
        text_of(&card)
    );
    assert_complete(&bed, "group");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_created_that_was_not_requested() {
    let bed = bed().await;
    let bare = json!({"username": "bob", "login": false, "access_key": false});
    let card = create(&bed, bare).await;
    assert!(text_of(&card).contains(&created()), "{}", text_of(&card));
    let bob = made(&bed).unwrap();
    assert!(bob.keys.is_empty() && bob.login.profile.is_none());
    assert!(secrets(&bed, ADMIN).is_empty());
    let record = bed.user("main/bob");
    assert!(record.quota.is_zero());
    assert!(!text_of(&card).contains(&fragment("create.secrets_sent")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_pressed_ten_times_creates_one_user() {
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
    // The same press long afterwards shows the outcome.
    bed.feishu.click_raw(ADMIN, &form.message_id, press).await;
    let card = bed.message(&form.message_id);
    assert!(text_of(&card).contains(&created()), "{}", text_of(&card));
    assert_eq!(bed.cloud.count("CreateUser"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn with_two_accounts_one_must_be_chosen() {
    let mut world = cloud();
    world.accounts.push(labs());
    let bed = Bed::with(world, &[]).await;
    bed.sync().await;
    let mut fields = full();
    fields["account"] = "labs".into();
    let form = bed.ask(ADMIN, "/create").await;
    // `team-a` is a project of the other account.
    let result = bed.submit(ADMIN, &form.message_id, "user.create", fields.clone()).await;
    assert!(
        toast_of(&result).contains(&text("create.bad_project", &[("name", &"team-a")])),
        "{}",
        toast_of(&result)
    );
    fields["project"] = "default".into();
    bed.submit(ADMIN, &form.message_id, "user.create", fields).await;
    let card = ended(&bed, &form.message_id).await;
    assert!(text_of(&card).contains(&created()), "{}", text_of(&card));
    assert!(bed.cloud.read(|world| world.user("labs", "bob").is_some()));
    assert!(made(&bed).is_none());
}
