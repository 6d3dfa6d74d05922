//! Secrets that are unlike anything else, pushed through everything, and then searched for in all that comes out: logs at
//! the finest level (those of every dependency included), metrics, cards, files, errors, and the store's own bytes.

use std::path::{Path, PathBuf};

use airgate::app::settings::NewSettings;
use airgate::clock::Clock;
use airgate::config::{Config, environment};
use airgate::domain::{EVENT_WINDOW, SavedSettings};
use airgate::feishu::{self, CallbackKeys, CallbackVerifier, Content, CustomBot, parse_payload};
use airgate::sandbox::feishu::connection::Times;
use airgate::sandbox::feishu::{
    FakeFeishu, Fault as ChatFault, FaultRule as ChatRule, FeishuConfig, Message, Sealed,
};
use airgate::sandbox::volcengine::{FakeCloud, Fault, FaultRule};
use airgate::sandbox::world::{FakeAccount, World};
use airgate::store::AccountSecrets;
use airgate::volcengine::Credentials;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::ExposeSecret;
use serde_json::{Map, Value, json};
use tempfile::TempDir;
use tokio::net::TcpListener;

use crate::bed::{ADMIN, GROUP, PATIENCE, has, text_of, until};
use crate::served::{Process, airgate, run};

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

/// All that was there from the start. Others are made on the way.
const SECRETS: [&str; 14] = [
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
    // The ticket of the long connection and its key.
    "&ticket=",
];

/// Every canary begins so: a secret that was cut is noticed as well.
const FRAGMENTS: [&str; 3] = ["cAnArY", "canary-", "AKLTcanary"];

/// The forms in which a text may slip out.
fn forms(secret: &str) -> Vec<String> {
    let bytes = secret.as_bytes();
    // `99, 65, …`: bytes shown by `Debug`.
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

/// Fails where `text` holds a secret in any form.
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

/// The platforms, and a folder with configuration and store.
struct Home {
    feishu: FakeFeishu,
    cloud: FakeCloud,
    folder: TempDir,
    hook: String,
}

impl Home {
    async fn new() -> Self {
        let clock = Clock::system();
        let loopback = || TcpListener::bind("127.0.0.1:0");
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
        let cloud = FakeCloud::start(loopback().await.unwrap(), world, clock.clone()).await;
        let mut chat = FeishuConfig::new(APP_ID, APP_SECRET, TOKEN);
        chat.encrypt_key = Some(ENCRYPT_KEY.to_owned());
        chat.rate_limits = false;
        chat.reply_timeout = PATIENCE;
        let feishu = FakeFeishu::start(loopback().await.unwrap(), chat, clock).unwrap();
        feishu.add_person(ADMIN, "王管理", "13800000001");
        feishu.add_group(GROUP, "告警群");
        let hook = feishu.add_hook(HOOK, Some(HOOK_SECRET), GROUP);
        let home = Self { feishu, cloud, folder: tempfile::tempdir().unwrap(), hook };
        std::fs::write(home.config(), home.text("webhook")).unwrap();
        home
    }

    fn text(&self, mode: &str) -> String {
        let (feishu, cloud, hook) = (self.feishu.url(), self.cloud.url(), &self.hook);
        format!(
            r#"
[server]
listen = "127.0.0.1:0"
[feishu]
mode = "{mode}"
base_url = "{feishu}"
app_id = "{APP_ID}"
app_secret = "{APP_SECRET}"
verification_token = "{TOKEN}"
encrypt_key = "{ENCRYPT_KEY}"
admins = ["{ADMIN}"]
alert_chat_id = "{GROUP}"
alert_webhook_url = "{hook}"
alert_webhook_secret = "{HOOK_SECRET}"
[volcengine]
iam_endpoint = "{cloud}"
billing_endpoint = "{cloud}"
qps = 1000
[store]
path = "airgate.redb"
backup_dir = "backups"
[access]
project_policies = ["ArkFullAccess"]
[security]
master_key = "{MASTER_KEY}"
"#
        )
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn config(&self) -> PathBuf {
        self.path("config.toml")
    }

    /// Runs a command to its end at the finest log level; what it wrote must be clean.
    #[track_caller]
    fn command(&self, config: &Path, arguments: &[&str], input: &str) -> (i32, String) {
        let mut command = airgate(config, arguments);
        command.env("RUST_LOG", "trace").env("RUST_BACKTRACE", "full");
        let (code, written) = run(command, input);
        let all = SECRETS.into_iter().chain(FRAGMENTS);
        clean(&format!("{arguments:?}"), written.as_bytes(), all);
        (code, written)
    }

    async fn ask(&self, text: &str) -> Message {
        let chat = self.feishu.direct_chat(ADMIN);
        let sent = self.feishu.say(ADMIN, &chat, text, false).await;
        let id = sent.message_id.clone();
        let reply = self
            .feishu
            .wait_for(
                move |state| state.all_messages().iter().find(|m| m.reply_to == id).cloned(),
                PATIENCE,
            )
            .await;
        reply.unwrap_or_else(|| panic!("no reply to {text}: {sent:?}"))
    }

    async fn becomes(&self, message_id: &str, words: &str) -> Message {
        let (id, wanted) = (message_id.to_owned(), words.to_owned());
        let found = self
            .feishu
            .wait_for(
                move |state| state.message(&id).filter(|m| m.content.contains(&wanted)).cloned(),
                PATIENCE,
            )
            .await;
        found.unwrap_or_else(|| {
            panic!("no {words} on {}", text_of(&self.feishu.message(message_id).unwrap()))
        })
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

    /// What /create made: a password and an access key with its secret.
    fn made(&self) -> Vec<String> {
        self.cloud.read(|world| {
            let Some(user) = world.user("main", "bob") else { return Vec::new() };
            let password = user.login.profile.iter().map(|profile| &profile.password);
            let secrets = password.chain(user.keys.iter().map(|key| &key.secret));
            secrets.map(|secret| secret.expose_secret().to_owned()).collect()
        })
    }
}

/// Everything at once in chat, with platforms that repeat secrets in their errors.
async fn everything_in_chat(home: &Home) {
    home.ask("/help").await;
    home.ask("/sync").await;
    let accounts = home.ask("/accounts").await;
    let pair = |secret: &str| json!({"account": "labs", "name": "实验室", "access_key": LABS_KEY, "secret_key": secret});
    home.submit(&accounts, "account.save", pair(WRONG_SECRET)).await;
    home.becomes(&accounts.message_id, "没有通过检查").await;
    // The cloud says more than it should, in an error so long that it is cut in the middle of a secret.
    let padding = "x".repeat(280);
    let echo = format!("secret {LABS_SECRET} of {LABS_KEY} {padding} {LABS_SECRET} {SECRET} {KEY}");
    let fault = Fault::Code { http: 403, code: "AccessDenied".to_owned(), message: echo };
    home.cloud.faults().inject(FaultRule::new(fault).of("labs"));
    home.submit(&accounts, "account.save", pair(LABS_SECRET)).await;
    home.becomes(&accounts.message_id, "AccessDenied").await;
    home.cloud.faults().clear();
    home.submit(&accounts, "account.save", pair(LABS_SECRET)).await;
    home.becomes(&accounts.message_id, "AKLT…labs").await;
    let echo = format!("{padding:.250} {SECRET} {KEY}");
    let fault = Fault::Code { http: 403, code: "AccessDenied".to_owned(), message: echo };
    home.cloud.faults().inject(FaultRule::new(fault).of("main"));
    let sync = home.ask("/sync").await;
    home.becomes(&sync.message_id, "AccessDenied").await;
    home.ask("/monitor run").await;
    home.cloud.faults().clear();

    // A person's secrets are sent to that person, once; what Feishu says about the first try is nobody's to read.
    let form = home.ask("/create").await;
    let refusal = |msg: String| ChatFault::Code { http: 400, code: 11_232, msg };
    let fault = refusal(format!("{APP_SECRET} {HOOK_SECRET}"));
    home.feishu.faults().inject(ChatRule::new(fault).on("send").times(2));
    let fields = json!({"username": "bob", "display_name": "鲍勃", "project": "team-a", "quota": "100",
        "login": true, "access_key": true, "account": "main"});
    home.submit(&form, "user.create", fields).await;
    home.becomes(&form.message_id, "bob").await;
    until("what bob needs to be made", || home.made().len() == 2).await;
    let chat = home.feishu.direct_chat(ADMIN);
    until("the secrets to arrive", || {
        let messages = home.feishu.messages(&chat);
        messages.iter().any(|message| message.content.contains("的密码和密钥\""))
    })
    .await;

    // Settings with a webhook's address: refused, saved, tested, and the custom bot says too much.
    let settings = home.ask("/config").await;
    let other = home.feishu.add_hook(OTHER_HOOK, Some(HOOK_SECRET), GROUP);
    let fields = |interval: &str| {
        json!({"thresholds": "50", "interval_seconds": interval, "webhook_url": other,
        "mobiles": "", "alert_chat_id": GROUP})
    };
    home.submit(&settings, "config.save", fields("never")).await;
    let settings = home.ask("/config").await;
    home.submit(&settings, "config.save", fields("3600")).await;
    let msg = format!("{padding:.390} {HOOK_SECRET} {OTHER_HOOK}");
    home.feishu.faults().inject(ChatRule::new(refusal(msg)).on("hook").times(1));
    home.press(&settings, json!({"action": "config.test"})).await;
    until("the test at the webhook", || {
        let sent = home.feishu.messages(GROUP);
        sent.iter().filter(|message| message.content.contains("测试告警")).count() >= 2
    })
    .await;

    for table in ["users", "spending", "ledger", "alerts"] {
        home.ask(&format!("/export {table}")).await;
    }
    for command in
        ["/users", "/user alice", "/quota alice 5", "/billing", "/alerts", "/monitor", "/me"]
    {
        home.ask(command).await;
    }
}

/// Callbacks that nobody should send.
async fn bad_callbacks(home: &Home, process: &Process) {
    let address = format!("http://{}/feishu/event", process.address());
    let envelope = |token: &str| json!({"schema": "2.0", "header": {"token": token, "app_id": APP_ID}, "event": {}});
    let mut bodies: Vec<Sealed> =
        ["other", TOKEN].iter().map(|token| home.feishu.seal(&envelope(token))).collect();
    bodies.push(Sealed { headers: Vec::new(), body: envelope(TOKEN).to_string() });
    bodies.push(Sealed { headers: Vec::new(), body: format!("{TOKEN} {ENCRYPT_KEY}") });
    let mut unsigned = home.feishu.seal(&envelope(TOKEN));
    unsigned.headers.clear();
    bodies.push(unsigned);
    let client = reqwest::Client::new();
    for sealed in bodies {
        let mut request = client.post(&address).body(sealed.body);
        for (name, value) in sealed.headers {
            request = request.header(name, value);
        }
        let response = request.send().await.unwrap();
        assert!(response.status().is_client_error());
        clean("a refusal", &response.bytes().await.unwrap(), SECRETS);
    }
}

async fn pages(process: &Process) {
    for page in ["metrics", "readyz", "healthz"] {
        let address = format!("http://{}/{page}", process.address());
        let text = reqwest::get(address).await.unwrap().text().await.unwrap();
        clean(page, text.as_bytes(), SECRETS);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_comes_out_anywhere() {
    let home = Home::new().await;
    let config = home.config();
    assert_eq!(
        home.command(&config, &["account", "add", "main"], &format!("{KEY}\n{SECRET}\n")).0,
        0
    );
    assert_eq!(
        home.command(&config, &["account", "add", "main"], &format!("{KEY}\n{SECRET}\n")).0,
        1
    );
    assert_eq!(home.command(&config, &["account", "rotate", "main"], &format!("{KEY}\n")).0, 1);
    assert_eq!(home.command(&config, &["check", "--offline"], "").0, 0);
    assert_eq!(home.command(&config, &["check"], "").0, 0);

    // Platforms that are wrong from the start, and say why at length.
    let msg = format!("{} {APP_SECRET}", "x".repeat(385));
    let wrong = ChatFault::Code { http: 200, code: 10_014, msg };
    home.feishu.faults().inject(ChatRule::new(wrong).on("token").times(2));
    let echo = format!("{} {SECRET} {KEY}", "x".repeat(285));
    let fault = Fault::Code { http: 403, code: "SignatureDoesNotMatch".to_owned(), message: echo };
    home.cloud.faults().inject(FaultRule::new(fault));
    assert_eq!(home.command(&config, &["check"], "").0, 1);
    home.cloud.faults().clear();

    let process = Process::serve(&config, "trace").await;
    home.feishu.set_service_url(&format!("http://{}", process.address()));
    everything_in_chat(&home).await;
    bad_callbacks(&home, &process).await;
    pages(&process).await;
    let mut tokens = home.feishu.read(|state| state.tokens());
    home.feishu.revoke_tokens();
    home.ask("/help").await;
    tokens.extend(home.feishu.read(|state| state.tokens()));
    let webhook = process.terminate();
    assert!(webhook.contains("\"TRACE\""), "the finest level was not logged");

    // The same over the long connection, which is refused, cut, and closed with the address in the reason.
    std::fs::write(&config, home.text("websocket")).unwrap();
    let busy = ChatFault::Code { http: 200, code: 1, msg: format!("busy with {APP_SECRET}") };
    home.feishu.faults().inject(ChatRule::new(busy).on("connection.endpoint").times(1));
    let connections = home.feishu.connections();
    connections.set_times(Times { ping: 1, reconnect: 1, nonce: 1 });
    let filter = "trace,tungstenite::handshake::client=trace,tokio_tungstenite=trace";
    let process = Process::serve(&config, filter).await;
    let open = |home: &Home| home.feishu.connections().overview().open > 0;
    until("the long connection", || open(&home)).await;
    home.ask("/accounts").await;
    connections.drop_all();
    until("the long connection again", || open(&home)).await;
    home.ask("/help").await;
    pages(&process).await;
    let all_tokens: Vec<String> =
        tokens.into_iter().chain(home.feishu.read(|state| state.tokens())).collect();
    let websocket = process.terminate();

    let made = home.made();
    assert_eq!((made.len(), all_tokens.len() >= 2), (2, true), "{all_tokens:?}");
    let all = || {
        let further = made.iter().chain(&all_tokens).map(String::as_str);
        SECRETS.into_iter().chain(further)
    };
    clean("the log", webhook.as_bytes(), all());
    clean("the log of the long connection", websocket.as_bytes(), all());

    // Cards: what was made is in the operator's direct chat, each once; nothing else is anywhere.
    let direct = home.feishu.direct_chat(ADMIN);
    let messages = home.feishu.read(|state| state.all_messages().to_vec());
    let mut told = String::new();
    for message in &messages {
        // What people said themselves is theirs.
        let content = message.content.as_bytes();
        clean(
            "a message",
            content,
            SECRETS.into_iter().chain(all_tokens.iter().map(String::as_str)),
        );
        if message.chat_id == direct {
            told.push_str(&text_of(message));
        } else {
            clean("another chat", content, all());
        }
    }
    for secret in &made {
        assert_eq!(told.matches(secret.as_str()).count(), 1, "{secret}");
    }
    let files = messages.iter().filter_map(|message| {
        let key = message.json()["file_key"].as_str()?.to_owned();
        home.feishu.file(&key)
    });
    let mut exported = 0;
    for file in files {
        clean(&file.name, &file.bytes, all());
        exported += 1;
    }
    assert_eq!(exported, 4);

    // On disk: the store and its backups, and what the command line writes of them.
    let sealed = || all().filter(|secret| *secret != OTHER_HOOK);
    let mut looked = 0;
    for folder in [home.folder.path().to_owned(), home.path("backups")] {
        for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
            if entry.file_type().unwrap().is_file() && entry.path() != config {
                clean(
                    &entry.path().display().to_string(),
                    &std::fs::read(entry.path()).unwrap(),
                    sealed(),
                );
                looked += 1;
            }
        }
    }
    assert!(looked >= 2, "store and backup");
    for table in ["users", "spending", "ledger", "alerts"] {
        for format in ["csv", "json"] {
            let (code, _) = home.command(&config, &["export", table, "--format", format], "");
            assert_eq!(code, 0);
        }
    }
    assert_eq!(home.command(&config, &["rekey"], "not a key cAnArYmAiNsEcReTkEy\n").0, 2);
    assert_eq!(home.command(&config, &["rekey"], &format!("{NEW_MASTER_KEY}\n")).0, 0);
    // The key of before does not open it any more.
    assert_eq!(home.command(&config, &["account", "list"], "").0, 1);
    assert_eq!(home.command(&config, &["serve"], "").0, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_configuration_is_told_without_its_secrets() {
    let home = Home::new().await;
    let good = home.text("webhook");
    let line = |name: &str, text: &str| {
        let start = good.find(&format!("\n{name} = ")).unwrap() + 1;
        let end = start + good[start..].find('\n').unwrap();
        format!("{}{text}{}", &good[..start], &good[end..])
    };
    let hook = &home.hook;
    for (what, text) in [
        ("a list", line("app_secret", &format!("app_secret = [\"{APP_SECRET}\"]"))),
        ("a table", line("app_secret", &format!("app_secret = {{ value = \"{APP_SECRET}\" }}"))),
        ("a key in a key", line("app_secret", &format!("app_secret.value = \"{APP_SECRET}\""))),
        ("misspelled", line("app_secret", &format!("app_secrt = \"{APP_SECRET}\""))),
        (
            "twice",
            line(
                "app_secret",
                &format!("app_secret = \"{APP_SECRET}\"\napp_secret = \"{APP_SECRET}\""),
            ),
        ),
        ("no quotes", line("app_secret", &format!("app_secret = {APP_SECRET}"))),
        ("no end", line("app_secret", &format!("app_secret = \"{APP_SECRET}"))),
        ("no equals sign", line("app_secret", &format!("app_secret \"{APP_SECRET}\""))),
        ("a colon", line("app_secret", &format!("app_secret: {APP_SECRET}"))),
        ("a bad escape", line("app_secret", &format!("app_secret = \"\\q{APP_SECRET}\""))),
        ("blanks", line("app_secret", &format!("app_secret = \" {APP_SECRET}\""))),
        (
            "both",
            line("app_secret", &format!("app_secret = \"{APP_SECRET}\"\napp_secret_file = \"x\"")),
        ),
        ("a short key", line("master_key", &format!("master_key = \"{}\"", &MASTER_KEY[..62]))),
        ("a long key", line("master_key", &format!("master_key = \"{MASTER_KEY}00\""))),
        ("a key that is a number", line("master_key", "master_key = 0xca9a7e57ca9a7e5")),
        (
            "another host",
            line(
                "alert_webhook_url",
                &format!("alert_webhook_url = \"https://evil.example/{HOOK}\""),
            ),
        ),
        ("no address", line("alert_webhook_url", &format!("alert_webhook_url = \"{HOOK}\""))),
        (
            "with a user",
            line(
                "alert_webhook_url",
                &format!("alert_webhook_url = \"{}\"", hook.replace("//", "//a:b@")),
            ),
        ),
        (
            "a password in an address",
            line("base_url", &format!("base_url = \"https://bot:{APP_SECRET}@open.feishu.cn\"")),
        ),
        (
            "a token in an address",
            line("iam_endpoint", &format!("iam_endpoint = \"https://iam.example/?key={SECRET}\"")),
        ),
        ("the webhook for the chat", line("alert_chat_id", &format!("alert_chat_id = \"{hook}\""))),
        ("a section misspelled", good.replace("[security]", "[secrity]")),
    ] {
        let config = home.path("bad.toml");
        std::fs::write(&config, text).unwrap();
        for command in [&["check", "--offline"][..], &["serve"], &["account", "list"]] {
            let (code, written) = home.command(&config, command, "");
            assert_ne!(code, 0, "{what}: {written}");
            // Of a key that is cut the rest is secret as well.
            clean(what, written.as_bytes(), [&MASTER_KEY[..62], "ca9a7e57ca9a7e5"]);
        }
    }
    // From the environment, under its own name and under wrong ones.
    for (name, value) in [
        ("FEISHU__APP_SECRT", APP_SECRET),
        ("FEISHU__APP_SECRET", &format!("{APP_SECRET} ")),
        ("FEISHU__APP_SECRET_FILE", APP_SECRET),
        ("SECURITY__MASTER_KEY", &MASTER_KEY[..62]),
        ("FEISHU__ALERT_WEBHOOK_URL", &format!("https://evil.example/{HOOK}")),
    ] {
        let mut command = airgate(&home.config(), &["check", "--offline"]);
        command.env(format!("AIRGATE__{name}"), value).env("RUST_LOG", "trace");
        let (code, written) = run(command, "");
        assert_ne!(code, 0, "{name}: {written}");
        if name != "FEISHU__APP_SECRET_FILE" {
            let all = SECRETS.into_iter().chain(FRAGMENTS).chain([&MASTER_KEY[..62]]);
            clean(name, written.as_bytes(), all);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn debug_output_shows_no_secret() {
    let home = Home::new().await;
    let config = Config::load(Some(home.config().as_path()), environment().take(0)).unwrap();
    let base = feishu::validate_base_url(&config.feishu.base_url).unwrap();
    let form = json!({"webhook_url": home.hook, "access_key": KEY, "secret_key": SECRET});
    let payload = home.feishu.envelope(
        "card.action.trigger",
        "1700000000000000",
        json!({
            "operator": {"open_id": ADMIN}, "token": "c-1",
            "action": {"tag": "button", "value": {"action": "account.save"}, "form_value": form},
        }),
    );
    let incoming =
        parse_payload(&payload, "2023-11-14T22:13:20Z".parse().unwrap(), EVENT_WINDOW).unwrap();
    let client = feishu::ClientConfig {
        base_url: base.clone(),
        app_id: APP_ID.to_owned(),
        app_secret: config.feishu.app_secret.clone(),
        timeout: PATIENCE,
        upload_timeout: PATIENCE,
    };
    let keys = CallbackKeys {
        app_id: APP_ID.to_owned(),
        encrypt_key: config.feishu.encrypt_key.clone(),
        verification_token: config.feishu.verification_token.clone(),
    };
    let secrets = AccountSecrets {
        access_key_id: KEY.to_owned().into(),
        secret_key: SECRET.to_owned().into(),
    };
    let credentials =
        Credentials { access_key_id: KEY.to_owned(), secret_key: SECRET.to_owned().into() };
    let hook = feishu::validate_webhook_url(&home.hook, &base).unwrap();
    let saved =
        SavedSettings { webhook_url: Some(Some(home.hook.clone())), ..SavedSettings::default() };
    let new = NewSettings { webhook_url: Some(home.hook.clone()), ..NewSettings::default() };
    for shown in [
        format!("{config:#?}"),
        format!("{:?}", config.initial_settings()),
        format!("{saved:?} {new:?}"),
        format!("{secrets:?} {credentials:?}"),
        format!("{client:?} {keys:?}"),
        format!("{:?}", CallbackVerifier::new(keys.clone(), EVENT_WINDOW)),
        format!("{:?}", feishu::Client::new(client.clone(), Clock::system()).unwrap()),
        format!(
            "{:?}",
            CustomBot::new(hook, config.feishu.alert_webhook_secret.clone(), crate::bed::PATIENCE)
                .unwrap()
        ),
        format!("{incoming:?}"),
        format!("{:?}", Content::SecretCard(SECRET.to_owned().into())),
    ] {
        assert!(!shown.is_empty());
        clean("Debug", shown.as_bytes(), SECRETS);
    }
}
