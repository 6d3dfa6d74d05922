//! The real binary between the stand-ins, killed where it hurts: nothing that was acknowledged is lost or done twice, and
//! what was owed is delivered once.

use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::sync::Arc;
use std::time::Duration;

use airgate::app::projects::{self, NewLink};
use airgate::app::quota::{self, Allocation};
use airgate::clock::Clock;
use airgate::domain::{AccountId, BillPeriod, Money, Operator, User, UserStatus};
use airgate::sandbox::feishu::{self, FakeFeishu, FeishuConfig, Message, Sender, SentEvent};
use airgate::sandbox::volcengine::{self, FakeCloud};
use airgate::sandbox::world::{KeyStatus, World};
use airgate::store::{AccountSecrets, Store, StoreError};
use futures::future::join_all;
use parking_lot::Mutex;
use tempfile::TempDir;
use tokio::net::TcpListener;

use crate::bed::{
    ADMIN, APP_ID, APP_SECRET, ENCRYPT_KEY, GROUP, TOKEN, one_account, text_of, until, user,
};
use crate::process::{Process, airgate};

const ALICE: &str = "main/alice";
const MASTER_KEY: &str = "7f3c0e8a91b2d4f6587a6b5c4d3e2f10aabbccddeeff00112233445566778899";
const HOOK_SECRET: &str = "hook-signing-secret";

/// The platforms and a folder with configuration and store: everything but the process.
struct Outside {
    feishu: FakeFeishu,
    cloud: FakeCloud,
    clock: Clock,
    folder: TempDir,
}

/// One user with two keys and login, 100 to spend and `spent` spent.
fn world(spent: i64) -> World {
    let mut world = one_account();
    world.account_mut("main").unwrap().add_user("alice");
    for _ in 0..2 {
        world.user_mut("main", "alice").unwrap().add_key(KeyStatus::Active);
    }
    let period = BillPeriod::of(Clock::system().now());
    world.account_mut("main").unwrap().spend("team-a", spent.into(), period);
    world
}

impl Outside {
    async fn with(world: World) -> Self {
        let clock = Clock::system();
        let loopback = || TcpListener::bind("127.0.0.1:0");
        let cloud = FakeCloud::start(loopback().await.unwrap(), world, clock.clone()).await;
        let mut chat = FeishuConfig::new(APP_ID, APP_SECRET, TOKEN);
        chat.encrypt_key = Some(ENCRYPT_KEY.to_owned());
        chat.rate_limits = false;
        chat.reply_timeout = Duration::from_secs(20);
        let feishu = FakeFeishu::start(loopback().await.unwrap(), chat, clock.clone()).unwrap();
        feishu.add_person(ADMIN, "王管理", "13800000001");
        feishu.add_group(GROUP, "告警群");
        let outside = Self { feishu, cloud, clock, folder: tempfile::tempdir().unwrap() };
        outside.configure();
        outside
    }

    /// With a store that has the account, the user, a link and a quota of 100.
    async fn furnished(spent: i64) -> Self {
        let outside = Self::with(world(spent)).await;
        outside.in_store(|store| {
            let now = outside.clock.now();
            let secrets = outside.cloud.read(|world| AccountSecrets {
                access_key_id: world.accounts[0].access_key_id().to_owned().into(),
                secret_key: world.accounts[0].secret_key().to_owned().into(),
            });
            store
                .save_account(&AccountId::new("main").unwrap(), "云上主体", &secrets, now)
                .unwrap();
            store
                .write(|tx| {
                    let key = user(ALICE);
                    let mut record = User::new(key.clone(), now);
                    record.status = UserStatus::Active;
                    tx.put_user(&record)?;
                    let new = NewLink { chosen: "team-a".to_owned(), ..NewLink::default() };
                    projects::add(tx, &key, &new, now).unwrap();
                    let amount = Money::from_fen(10_000);
                    let operator = &Operator::System;
                    let new = Allocation { user: &key, amount, note: "", operator };
                    quota::book(tx, &new, now).unwrap();
                    Ok::<_, StoreError>(())
                })
                .unwrap();
        });
        outside
    }

    fn configure(&self) {
        let (feishu, cloud) = (self.feishu.url(), self.cloud.url());
        let hook = self.feishu.add_hook("hook-id-0001", Some(HOOK_SECRET), GROUP);
        let text = format!(
            r#"
[server]
listen = "127.0.0.1:0"
[feishu]
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
path = "data/airgate.redb"
[security]
master_key = "{MASTER_KEY}"
"#
        );
        std::fs::write(self.config(), text).unwrap();
    }

    fn config(&self) -> PathBuf {
        self.folder.path().join("config.toml")
    }

    fn store_path(&self) -> PathBuf {
        self.folder.path().join("data/airgate.redb")
    }

    /// Looks into the store while no process has it.
    fn in_store<T>(&self, look: impl FnOnce(&Store) -> T) -> T {
        let key: [u8; 32] = hex::decode(MASTER_KEY).unwrap().try_into().unwrap();
        look(&Store::open(&self.store_path(), &key).unwrap())
    }

    /// Starts the service and waits until it listens.
    async fn serve(&self, log: &str) -> Process {
        let process = Process::start(&self.config(), log);
        until("the service to listen", || process.address().is_some()).await;
        self.feishu.set_service_url(&format!("http://{}", process.address().unwrap()));
        process
    }

    fn call(&self, arguments: &[&str], input: &str) -> Output {
        let config = self.config();
        let mut child = airgate(arguments)
            .args(["--config", config.to_str().unwrap()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // A command that fails before it reads closes the pipe.
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        child.wait_with_output().unwrap()
    }

    async fn say(&self, text: &str) -> SentEvent {
        let chat = self.feishu.direct_chat(ADMIN);
        self.feishu.say(ADMIN, &chat, text, false).await
    }

    fn replies(&self, sent: &SentEvent) -> Vec<Message> {
        let chat = self.feishu.direct_chat(ADMIN);
        let mut messages = self.feishu.messages(&chat);
        messages.retain(|message| message.reply_to == sent.message_id);
        messages
    }

    async fn reply(&self, sent: &SentEvent) -> Message {
        until("a reply", || !self.replies(sent).is_empty()).await;
        self.replies(sent).remove(0)
    }

    /// What the app itself put into the alert group.
    fn alerts(&self) -> Vec<String> {
        let messages = self.feishu.messages(GROUP);
        messages.iter().filter(|message| message.sender == Sender::Bot).map(text_of).collect()
    }

    fn asked(&self, endpoint: &str) -> usize {
        self.feishu.requests().iter().filter(|request| request.endpoint == endpoint).count()
    }

    /// Answers a question last of all, so that everything owed before in that chat has gone out.
    async fn quiet(&self) {
        let sent = self.say("/monitor").await;
        self.reply(&sent).await;
    }

    fn ledger(&self) -> (usize, String) {
        self.in_store(|store| {
            let (entries, _) = store.read(|tx| tx.ledger(&user(ALICE), 10_000)).unwrap();
            let quota = store.read(|tx| tx.user(&user(ALICE))).unwrap().unwrap().quota;
            assert_eq!(entries.iter().map(|entry| entry.amount).sum::<Money>(), quota);
            (entries.len(), quota.to_string())
        })
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reply_that_was_owed_when_the_process_died_arrives_once() {
    use feishu::{Fault, FaultRule};
    // Not sent; sent, though the process could not know; not answered at all.
    for (fault, applied) in [
        (Fault::Status(500), false),
        (Fault::ResetConnection, true),
        (Fault::CutBody, true),
        (Fault::Timeout, false),
    ] {
        let outside = Outside::furnished(0).await;
        let process = outside.serve("info").await;
        outside.feishu.faults().inject(FaultRule::new(fault.clone()).on("reply").applied(applied));
        let sent = outside.say("/quota alice 50 追加").await;
        assert_eq!(sent.status, Some(200));
        if fault != Fault::Timeout {
            until("a try", || outside.asked("reply") > 0).await;
        }
        process.kill();
        outside.feishu.faults().clear();

        let process = outside.serve("info").await;
        let reply = outside.reply(&sent).await;
        assert!(text_of(&reply).contains("¥150.00"), "{}", text_of(&reply));
        // Sent again by the platform, which saw no reason to believe that it was taken.
        let again = outside.feishu.redeliver(&sent).await;
        assert_eq!(again.status, Some(200));
        outside.quiet().await;
        assert_eq!(outside.replies(&sent).len(), 1, "{fault:?}");
        process.kill();
        assert_eq!(outside.ledger(), (2, "¥150.00".to_owned()), "{fault:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alert_that_was_owed_when_the_process_died_arrives_once() {
    use feishu::{Fault, FaultRule};
    for (fault, applied) in [(Fault::Status(503), false), (Fault::ResetConnection, true)] {
        let outside = Outside::furnished(60).await;
        let process = outside.serve("info").await;
        outside.feishu.faults().inject(FaultRule::new(fault).on("send").applied(applied));
        let run = outside.say("/monitor run").await;
        until("a try to send", || outside.asked("send") > 0).await;
        process.kill();
        outside.feishu.faults().clear();
        let process = outside.serve("info").await;
        until("the alert", || !outside.alerts().is_empty()).await;
        // The report of the cycle still comes, too.
        until("the report", || {
            outside.replies(&run).iter().any(|reply| reply.content.contains("监控执行完成"))
        })
        .await;
        outside.quiet().await;
        let alerts = outside.alerts();
        assert_eq!(alerts.len(), 1, "{alerts:?}");
        assert!(alerts[0].contains("50%"), "{alerts:?}");
        let (status, _) = process.terminate();
        assert!(status.success());
        let (records, _) =
            outside.in_store(|store| store.read(|tx| tx.alerts(None, None, 0, 10)).unwrap());
        assert_eq!(records.len(), 1);
        assert_eq!(records[0].notice, airgate::domain::Notice::Delivered);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disable_completes_after_the_process_died_in_the_middle() {
    use volcengine::{Fault, FaultRule};
    let is_cut = |outside: &Outside| {
        outside.cloud.read(|world| world.user("main", "alice").unwrap().is_cut_off())
    };
    // After the keys; and after everything, before it was read back.
    for rule in [
        FaultRule::new(Fault::Timeout).on("UpdateLoginProfile"),
        FaultRule::new(Fault::Timeout).on("GetLoginProfile").after(1),
    ] {
        let outside = Outside::furnished(120).await;
        let process = outside.serve("info").await;
        outside.cloud.faults().inject(rule.clone());
        outside.say("/monitor run").await;
        until("the keys are off", || {
            outside.cloud.read(|world| {
                let user = world.user("main", "alice").unwrap();
                user.keys.iter().all(|key| key.status == KeyStatus::Inactive)
            })
        })
        .await;
        process.kill();
        outside.cloud.faults().clear();

        let process = outside.serve("info").await;
        until("the alert", || outside.alerts().iter().any(|text| text.contains("已自动停用")))
            .await;
        assert!(is_cut(&outside));
        let card = outside.say("/enable alice").await;
        let card = outside.reply(&card).await.message_id;
        let button = outside.feishu.find_button(&card, |v| v["action"] == "user.enable").unwrap();
        assert_eq!(outside.feishu.click(ADMIN, &card, button).await.error, None);
        until("access is back", || {
            outside.cloud.read(|world| {
                let user = world.user("main", "alice").unwrap();
                user.login.allowed() && user.keys.iter().all(|key| key.status == KeyStatus::Active)
            })
        })
        .await;
        let disabled = outside.alerts().iter().filter(|text| text.contains("已自动停用")).count();
        assert_eq!(disabled, 1, "{rule:?}");
        process.kill();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_is_booked_once_wherever_the_process_dies() {
    const ROUNDS: usize = 6;
    const EACH: usize = 8;
    let outside = Outside::furnished(0).await;
    let mut said = Vec::new();
    for round in 0..ROUNDS {
        let process = outside.serve("info").await;
        // What did not get through comes again, as the platform does it.
        outside.feishu.redeliver_pending().await;
        let acknowledged = Arc::new(Mutex::new(0));
        let killer = async {
            // A little later in each round.
            let enough = || *acknowledged.lock() >= round;
            until("acknowledgements", enough).await;
            process.kill();
        };
        let sayings = join_all((0..EACH).map(|_| async {
            let sent = outside.say("/quota alice 1").await;
            if sent.status == Some(200) {
                *acknowledged.lock() += 1;
            }
            sent
        }));
        let (sent, ()) = tokio::join!(sayings, killer);
        said.extend(sent);
    }
    let process = outside.serve("info").await;
    outside.feishu.redeliver_pending().await;
    // And everything once more, acknowledged or not.
    for sent in &said {
        assert_eq!(outside.feishu.redeliver(sent).await.status, Some(200));
    }
    for sent in &said {
        outside.reply(sent).await;
    }
    outside.quiet().await;
    for sent in &said {
        assert_eq!(outside.replies(sent).len(), 1);
    }
    process.kill();
    let quota = 100 + ROUNDS * EACH;
    assert_eq!(outside.ledger(), (1 + ROUNDS * EACH, format!("¥{quota}.00")));
}

#[tokio::test(flavor = "multi_thread")]
async fn sigterm_ends_it_in_time_with_0_whatever_is_under_way() {
    let outside = Outside::furnished(120).await;
    let process = outside.serve("info").await;
    let sent = outside.say("/quota alice 1").await;
    outside.reply(&sent).await;
    let (status, took) = process.terminate();
    assert_eq!(status.code(), Some(0));
    assert!(took < Duration::from_secs(10), "{took:?}");

    // Neither platform answers.
    let process = outside.serve("info").await;
    let rule = volcengine::FaultRule::new(volcengine::Fault::Timeout);
    outside.cloud.faults().inject(rule);
    let rule = feishu::FaultRule::new(feishu::Fault::Timeout);
    outside.feishu.faults().inject(rule);
    let sent = outside.say("/monitor run").await;
    assert_eq!(sent.status, Some(200));
    until("a call that hangs", || outside.cloud.count("ListSplitBillDetail") > 0).await;
    let (status, took) = process.terminate();
    assert_eq!(status.code(), Some(0));
    assert!(took < Duration::from_secs(15), "{took:?}");

    // What was asked for is done after the next start.
    outside.cloud.faults().clear();
    outside.feishu.faults().clear();
    let process = outside.serve("info").await;
    until("the disable", || outside.alerts().iter().any(|text| text.contains("已自动停用"))).await;
    process.kill();
}

#[tokio::test(flavor = "multi_thread")]
async fn one_store_has_one_process() {
    let outside = Outside::furnished(0).await;
    let process = outside.serve("info").await;
    for arguments in [&["serve"][..], &["account", "list"], &["account", "add", "other"]] {
        let output = outside.call(arguments, "AKLTother00000001\nother-secret\n");
        let error = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {error}");
        assert_eq!(error.lines().count(), 1, "{arguments:?}: {error}");
        assert!(error.contains("in use"), "{error}");
        if arguments[0] == "account" {
            assert!(error.contains("/accounts"), "{error}");
        }
        assert!(output.stdout.is_empty());
    }
    // The running one was not disturbed.
    let sent = outside.say("/quota alice 1").await;
    outside.reply(&sent).await;
    process.kill();
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[tokio::test(flavor = "multi_thread")]
async fn accounts_are_added_from_standard_input_and_listed_without_their_secrets() {
    const KEY_ID: &str = "AKLTNmU4ZjE3NWI4ZWRhNGQ2";
    const SECRET: &str = "TVRsbU9HTTNZV0k0WXpNeg==";
    let outside = Outside::with(one_account()).await;
    let empty = outside.call(&["account", "list"], "");
    assert!(empty.status.success());
    let added = outside
        .call(&["account", "add", "labs", "--name", "实验室"], &format!("{KEY_ID}\n{SECRET}\n"));
    assert_eq!(added.status.code(), Some(0), "{added:?}");
    let listed = outside.call(&["account", "list"], "");
    let text = String::from_utf8(listed.stdout).unwrap();
    for shown in ["labs", "实验室", "AKLT…NGQ2", "on"] {
        assert!(text.contains(shown), "{text}");
    }
    assert!(!text.contains(KEY_ID) && !text.contains(SECRET), "{text}");
    for output in [&added.stdout, &added.stderr] {
        let text = String::from_utf8_lossy(output);
        assert!(!text.contains(KEY_ID) && !text.contains(SECRET), "{text}");
    }

    // Wrong input changes nothing and says why.
    for (arguments, input, code) in [
        (&["account", "add", "labs"][..], "AKLTNmU4ZjE3NWI4ZWRhNGQ2\nsecret\n", 1),
        (&["account", "add", "more"], "AKLTNmU4ZjE3NWI4ZWRhNGQ2\n", 1),
        (&["account", "add", "more"], "", 1),
        (&["account", "add", "More"], "AKLTNmU4ZjE3NWI4ZWRhNGQ2\nsecret\n", 2),
        (&["account"], "", 2),
    ] {
        let output = outside.call(arguments, input);
        let error = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {error}");
        assert!(!error.is_empty() && !error.contains("secret\n"), "{error}");
    }
    let again = outside.call(&["account", "list"], "");
    assert_eq!(String::from_utf8(again.stdout).unwrap(), text);

    assert_eq!(mode(&outside.store_path()), 0o600);
    let bytes = std::fs::read(outside.store_path()).unwrap();
    for secret in [KEY_ID, SECRET] {
        let found = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
        assert!(!found, "{secret} stands in the store");
    }
    outside.in_store(|store| {
        use secrecy::ExposeSecret;
        let secrets = store.account_secrets(&AccountId::new("labs").unwrap()).unwrap().unwrap();
        assert_eq!(secrets.access_key_id.expose_secret(), KEY_ID);
        assert_eq!(secrets.secret_key.expose_secret(), SECRET);
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_is_in_the_log_however_much_is_logged() {
    let outside = Outside::furnished(120).await;
    let process = outside.serve("trace").await;
    let log = Arc::clone(&process.log);
    // Trouble talks most.
    use volcengine::{Fault, FaultRule};
    let faults = outside.cloud.faults();
    for fault in [Fault::Status(500), Fault::CutBody, Fault::NotJson, Fault::CredentialsRefused] {
        faults.inject(FaultRule::new(fault).times(1));
    }
    let rule = feishu::FaultRule::new(feishu::Fault::Status(500)).times(1);
    outside.feishu.faults().inject(rule.clone().on("send"));
    outside.feishu.faults().inject(rule.on("hook"));
    let report = |sent: &SentEvent| {
        outside.replies(sent).iter().any(|reply| {
            reply.content.contains("监控执行完成") || reply.content.contains("监控执行未")
        })
    };
    for command in ["/sync", "/user alice", "/billing", "nonsense", "/monitor run", "/monitor run"]
    {
        let sent = outside.say(command).await;
        outside.reply(&sent).await;
        until("the report", || command != "/monitor run" || report(&sent)).await;
    }
    until("the disable", || outside.alerts().iter().any(|text| text.contains("已自动停用"))).await;
    outside.feishu.revoke_tokens();
    outside.quiet().await;
    let (status, _) = process.terminate();
    assert!(status.success());
    let log = log.lock().clone();
    assert!(log.contains("\"TRACE\""), "nothing was traced");
    let mut secrets: Vec<String> =
        [APP_SECRET, TOKEN, ENCRYPT_KEY, MASTER_KEY, HOOK_SECRET, "hook-id-0001", "Bearer t-"]
            .map(str::to_owned)
            .to_vec();
    outside.cloud.read(|world| {
        secrets.push(world.accounts[0].access_key_id().to_owned());
        secrets.push(world.accounts[0].secret_key().to_owned());
    });
    for secret in secrets {
        if let Some(line) = log.lines().find(|line| line.contains(&secret)) {
            panic!("{secret} is in the log: {line}");
        }
    }
}
