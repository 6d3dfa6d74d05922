//! Canaries: secrets that look like nothing else, sent through everything, then searched for in all output: logs
//! at the finest level (those of every dependency included), metrics, cards, files, errors, and the store's own bytes.

mod configuration;
mod debug;
mod log;
mod service;

use std::ops::Deref;

use airgate::sandbox::feishu::{Message, State};
use airgate::sandbox::world::{FakeAccount, World};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::ExposeSecret;
use serde_json::{Map, Value};

use crate::bed::{ADMIN, GROUP, TIMEOUT, eventually, eventually_some, has};
use crate::shared::configuration::Configuration;
use crate::shared::environment::{App, Environment, Options};
use crate::shared::process::{Output, run};
use crate::shared::s3::{self, FakeS3};

const APP_ID: &str = "cli_canary";
const APP_SECRET: &str = "cAnArYaPpSeCrEt0123456789";
const TOKEN: &str = "cAnArYvErIfIcAtIoN0123456789";
const ENCRYPT_KEY: &str = "cAnArYeNcRyPtKeY0123456789";
const MASTER_KEY: &str = "ca9a7e57ca9a7e58ca9a7e59ca9a7e5aca9a7e5bca9a7e5cca9a7e5dca9a7e5e";
const NEW_MASTER_KEY: &str = "ca9a7e60ca9a7e61ca9a7e62ca9a7e63ca9a7e64ca9a7e65ca9a7e66ca9a7e67";
const HOOK: &str = "canary-hook-path-0123456789";
const OTHER_HOOK: &str = "canary-saved-hook-path-0123456789";
const HOOK_SECRET: &str = "cAnArYhOoKsEcReT0123456789";
const KEY: &str = "AKLTcanaryMain00000000main";
const SECRET: &str = "cAnArYmAiNsEcReTkEy0123456789==";
const LABS_KEY: &str = "AKLTcanaryLabs00000000labs";
const LABS_SECRET: &str = "cAnArYlAbSsEcReTkEy0123456789==";
const WRONG_SECRET: &str = "cAnArYwRoNgSeCrEtKeY0123456789==";

/// The secrets that exist from the start. Creating a user and fetching tokens add others.
const SECRETS: [&str; 16] = [
    APP_SECRET,
    TOKEN,
    ENCRYPT_KEY,
    MASTER_KEY,
    NEW_MASTER_KEY,
    HOOK,
    OTHER_HOOK,
    HOOK_SECRET,
    KEY,
    SECRET,
    LABS_KEY,
    LABS_SECRET,
    WRONG_SECRET,
    s3::KEY_ID,
    s3::SECRET,
    // The ticket in the address of the long connection.
    "&ticket=",
];

/// The beginning of every canary, to find truncated ones.
const FRAGMENTS: [&str; 3] = ["cAnArY", "canary-", "AKLTcanary"];

/// The encodings in which a secret may leak.
fn forms(secret: &str) -> Vec<String> {
    let bytes = secret.as_bytes();
    // `99, 65, …`: bytes as `Debug` shows them.
    let listed = format!("{bytes:?}");
    let mut forms = vec![
        secret.to_owned(),
        STANDARD.encode(bytes).trim_end_matches('=').to_owned(),
        hex::encode(bytes),
        listed.trim_matches(['[', ']']).to_owned(),
        secret.replace('=', "%3D"),
    ];
    if let Ok(raw) = hex::decode(secret) {
        forms.push(STANDARD.encode(&raw).trim_end_matches('=').to_owned());
        forms.push(secret.to_uppercase());
    }
    forms
}

/// Fails if `text` holds a secret in any encoding.
#[track_caller]
fn clean<'s>(what: &str, text: &[u8], secrets: impl IntoIterator<Item = &'s str>) {
    let read = String::from_utf8_lossy(text);
    for secret in secrets {
        for form in forms(secret) {
            if let Some((before, after)) = read.split_once(&form) {
                let before: Vec<char> = before.chars().rev().take(300).collect();
                let before: String = before.into_iter().rev().collect();
                let after: String = after.chars().take(80).collect();
                panic!("{what} holds {secret}: {before} >>>{form}<<< {after}");
            }
        }
        if let Ok(raw) = hex::decode(secret) {
            let found = text.windows(raw.len()).any(|window| window == raw);
            assert!(!found, "{what} holds the bytes of {secret}");
        }
    }
}

/// The environment with canaries for secrets, and how to use it without leaking one.
struct Canaries {
    environment: Environment,
    hook: String,
    s3: FakeS3,
}

impl Deref for Canaries {
    type Target = Environment;

    fn deref(&self) -> &Environment {
        &self.environment
    }
}

impl Canaries {
    async fn start() -> Self {
        let main = FakeAccount::new("main", "云上主体", 2_100_000_001, KEY, SECRET);
        let mut world = World::with_account(main);
        world.rules.calls_per_second = None;
        world.account_mut("main").unwrap().add_project("team-a", "甲组");
        world.account_mut("main").unwrap().add_user("alice");
        world.accounts.push(FakeAccount::new(
            "labs",
            "实验室",
            2_100_000_002,
            LABS_KEY,
            LABS_SECRET,
        ));
        let app = App::new(APP_ID, APP_SECRET, TOKEN, ENCRYPT_KEY);
        let options = Options { app, feishu_timeout: Some(TIMEOUT), ..Options::default() };
        let environment = Environment::with(world, options).await;
        let hook = environment.feishu.add_hook(HOOK, Some(HOOK_SECRET), GROUP);
        let canaries = Self { environment, hook, s3: FakeS3::start(1000).await };
        canaries.home.configure(&canaries.configuration());
        canaries
    }

    fn configuration(&self) -> Configuration {
        self.environment
            .configuration()
            .set("feishu.alert_webhook_url", &*self.hook)
            .set("feishu.alert_webhook_secret", HOOK_SECRET)
            .set("store.backup_dir", "backups")
            .set("store.backup_url", self.s3.url("airgate"))
            .set("store.backup_access_key_id", s3::KEY_ID)
            .set("store.backup_secret_access_key", s3::SECRET)
            .set("access.project_policies", vec!["ArkFullAccess"])
            .set("security.master_key", MASTER_KEY)
    }

    /// Runs a command to its end at the finest log level; what it writes must be clean.
    #[track_caller]
    fn run(&self, arguments: &[&str], input: &str) -> Output {
        let mut command = self.home.command(arguments);
        command.env("RUST_LOG", "trace").env("RUST_BACKTRACE", "full");
        let output = run(command, input);
        let all = SECRETS.into_iter().chain(FRAGMENTS);
        clean(&format!("{arguments:?}"), output.all().as_bytes(), all);
        output
    }

    async fn ask(&self, text: &str) -> Message {
        let chat = self.feishu.direct_chat(ADMIN);
        let sent = self.feishu.say(ADMIN, &chat, text, false).await;
        let reply = |state: &State| {
            state.all_messages().iter().find(|m| m.reply_to == sent.message_id).cloned()
        };
        eventually_some(&format!("a reply to {text}"), || self.feishu.read(reply)).await
    }

    async fn shows(&self, card: &Message, text: &str) {
        let content = || self.feishu.message(&card.message_id).unwrap().content;
        eventually(&format!("{text} on a card"), || content().contains(text)).await;
    }

    async fn submit(&self, card: &Message, action: &str, fields: Value) {
        let fields: Map<String, Value> = fields.as_object().unwrap().clone();
        let wanted = |value: &Value| value["action"] == action;
        let done = self.feishu.form_click(ADMIN, &card.message_id, wanted, fields).await;
        assert_eq!((done.status, done.error.as_deref()), (Some(200), None), "{action}: {done:?}");
        clean("a toast", format!("{:?}", done.toast).as_bytes(), SECRETS);
    }

    async fn press(&self, card: &Message, wanted: Value) {
        let button = self.feishu.find_button(&card.message_id, |value| has(value, &wanted));
        let button = button.unwrap_or_else(|| panic!("no button {wanted}"));
        let done = self.feishu.click(ADMIN, &card.message_id, button).await;
        assert_eq!((done.status, done.error.as_deref()), (Some(200), None), "{wanted}: {done:?}");
    }

    /// The secrets that `/create` made: a password and the secret of an access key.
    fn created(&self) -> Vec<String> {
        self.cloud.read(|world| {
            let Some(user) = world.user("main", "bob") else { return Vec::new() };
            let password = user.login.profile.iter().map(|profile| &profile.password);
            let secrets = password.chain(user.keys.iter().map(|key| &key.secret));
            secrets.map(|secret| secret.expose_secret().to_owned()).collect()
        })
    }
}
