//! The command line, through the real binary.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use airgate::app::quota::{self, Allocation};
use airgate::clock::Clock;
use airgate::domain::{AccountId, CloudUser, Money, Operator, UserKey, Username};
use airgate::sandbox::feishu::{FakeFeishu, FeishuConfig};
use airgate::sandbox::volcengine::FakeCloud;
use airgate::store::{Store, StoreError};
use tokio::net::TcpListener;

use crate::bed::{ADMIN, APP_ID, APP_SECRET, Bed, GROUP, TOKEN, one_account};

const KEY: [u8; 32] = [0x11; 32];
const NEW_KEY: [u8; 32] = [0x22; 32];
const PAIR: &str = "AKLTmain0000000001\nmain-secret\n";

/// A folder with a configuration, in which the command runs.
struct Home {
    folder: tempfile::TempDir,
}

struct Done {
    code: i32,
    out: String,
    err: String,
}

impl Home {
    fn new() -> Self {
        Self::with("http://127.0.0.1:1", "http://127.0.0.1:1", "")
    }

    fn with(feishu: &str, cloud: &str, further: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = format!(
            "[server]\nlisten = \"127.0.0.1:0\"\n\
             [feishu]\nbase_url = \"{feishu}\"\napp_id = \"{APP_ID}\"\napp_secret = \"{APP_SECRET}\"\n\
             verification_token = \"{TOKEN}\"\nencrypt_key = \"k\"\nadmins = [\"{ADMIN}\"]\n\
             alert_chat_id = \"{GROUP}\"\n\
             [volcengine]\niam_endpoint = \"{cloud}\"\nbilling_endpoint = \"{cloud}\"\n\
             [security]\nmaster_key = \"{}\"\n\
             [store]\nbackup_dir = \"backups\"\n{further}",
            "11".repeat(32)
        );
        std::fs::write(folder.path().join("config.toml"), config).unwrap();
        Self { folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn store_path(&self) -> PathBuf {
        self.path("data/airgate.redb")
    }

    fn store(&self) -> Store {
        Store::open(&self.store_path(), &KEY).unwrap()
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_airgate"));
        command.args(arguments).current_dir(self.folder.path());
        command.env_clear().stdin(Stdio::null());
        command
    }

    fn run(&self, arguments: &[&str]) -> Done {
        done(self.command(arguments))
    }

    fn feed(&self, arguments: &[&str], input: &str) -> Done {
        feed(self.command(arguments), input)
    }

    fn with_account(self) -> Self {
        let added = self.feed(&["account", "add", "main", "--name", "云上主体"], PAIR);
        assert_eq!(added.code, 0, "{}", added.err);
        self
    }
}

fn done(mut command: Command) -> Done {
    let output = command.output().unwrap();
    Done {
        code: output.status.code().unwrap(),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

fn feed(mut command: Command, input: &str) -> Done {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A command that reads nothing may be gone already.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let output = child.wait_with_output().unwrap();
    Done {
        code: output.status.code().unwrap(),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

impl Done {
    /// Failed with one line on standard error that holds `words`, and nothing on standard output.
    #[track_caller]
    fn refused(&self, code: i32, words: &str) {
        assert_eq!((self.code, self.out.as_str()), (code, ""), "{}", self.err);
        assert_eq!(self.err.lines().count(), 1, "{}", self.err);
        assert!(self.err.contains(words), "{}", self.err);
    }

    #[track_caller]
    fn good(&self) -> &str {
        assert_eq!((self.code, self.err.as_str()), (0, ""), "{}", self.out);
        &self.out
    }
}

#[test]
fn an_account_from_first_to_last() {
    let home = Home::new();
    assert!(home.run(&["account", "list"]).good().contains("airgate account add ID"));
    home.feed(&["account", "rotate", "main"], PAIR).refused(1, "there is no account `main`");
    let home = home.with_account();
    home.feed(&["account", "add", "main"], PAIR).refused(1, "airgate account rotate main");
    home.feed(&["account", "add", "Main"], PAIR).refused(2, "lower-case");
    home.feed(&["account", "rotate", "main"], "only one line\n").refused(1, "two lines");

    let list = home.run(&["account", "list"]);
    let lines: Vec<&str> = list.good().lines().collect();
    assert!(lines[0].starts_with("id    name      access key"), "{}", list.out);
    assert!(lines[1].starts_with("main  云上主体  AKLT") && lines[1].contains("  on  "));

    let rotated = home.feed(&["account", "rotate", "main"], "AKLTnew00000000999\nnew-secret\n");
    assert!(rotated.good().contains("AKLT"));
    assert!(!rotated.out.contains("AKLTnew00000000999") && !rotated.out.contains("new-secret"));
    for (word, state) in [("disable", "off"), ("enable", "on")] {
        let switched = home.run(&["account", word, "main"]);
        assert_eq!(switched.good(), format!("account `main` is {state}\n"));
        assert!(home.run(&["account", "list"]).good().contains(&format!("  {state}  ")));
    }
    home.run(&["account", "disable", "other"]).refused(1, "there is no account `other`");
    let secrets = home.store().account_secrets(&AccountId::new("main").unwrap()).unwrap().unwrap();
    use secrecy::ExposeSecret;
    assert_eq!(secrets.secret_key.expose_secret(), "new-secret");
}

#[test]
fn while_the_service_runs_each_command_names_what_to_do_instead() {
    let home = Home::new().with_account();
    let new_key = home.path("new.key");
    std::fs::write(&new_key, "22".repeat(32)).unwrap();
    let _running = home.store();
    for (arguments, instead) in [
        (&["account", "add", "b"][..], "/accounts"),
        (&["account", "list"], "/accounts"),
        (&["account", "rotate", "main"], "/accounts"),
        (&["account", "enable", "main"], "/accounts"),
        (&["account", "disable", "main"], "/accounts"),
        (&["backup", "x.redb"], "store.backup_dir"),
        (&["export", "users"], "/export"),
        (&["rekey"], "stop it first"),
        (&["restore", "new.key", "--force"], "stop it first"),
        (&["serve"], "only one airgate may run on a store"),
    ] {
        let refused = home.feed(arguments, PAIR);
        refused.refused(1, instead);
        assert!(refused.err.contains("in use"), "{}", refused.err);
    }
    assert!(!home.path("x.redb").exists());
}

#[test]
fn without_a_store_nothing_is_made() {
    let home = Home::new();
    for arguments in
        [&["backup", "x.redb"][..], &["export", "users"], &["rekey"], &["account", "enable", "a"]]
    {
        home.run(arguments).refused(1, "there is no store at");
    }
    assert!(!home.store_path().exists());
}

#[test]
fn wrong_usage_and_wrong_configuration_are_told_apart_from_failures() {
    let home = Home::new();
    home.run(&["nonsense"]).refused(2, "--help");
    home.run(&["export", "nothing"]).refused(2, "users, spending, ledger, alerts");
    home.run(&["backup"]).refused(2, "<FILE>");
    home.run(&["account", "list", "x"]).refused(2, "usage: airgate account list");
    // Without any word, what there is.
    let help = home.run(&[]);
    assert_eq!((help.code, help.out.as_str()), (2, ""));
    assert!(help.err.contains("Usage: airgate <COMMAND>"), "{}", help.err);
    let mut command = home.command(&["account", "list"]);
    command.env("AIRGATE__FEISHU__APP_ID", "").env("AIRGATE__NO__SUCH_KEY", "x");
    let refused = done(command);
    assert_eq!((refused.code, refused.err.lines().count()), (2, 2), "{}", refused.err);
    home.run(&["account", "list", "--config", "none.toml"]).refused(2, "none.toml");
}

#[test]
fn backup_and_restore() {
    let home = Home::new().with_account();
    let made = home.run(&["backup", "b.redb"]);
    assert_eq!(made.good(), "backup written to b.redb\n");
    let backup = home.path("b.redb");
    assert_eq!(backup.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    home.run(&["backup", "b.redb"]).refused(1, "is there already");
    home.run(&["backup", "no/such/folder/b.redb"]).refused(1, "cannot write");

    home.run(&["account", "disable", "main"]).good();
    home.run(&["restore", "b.redb"]).refused(1, "--force");
    home.run(&["restore", "none.redb", "--force"]).refused(1, "cannot read");
    std::fs::write(home.path("rubbish"), "x".repeat(5000)).unwrap();
    home.run(&["restore", "rubbish", "--force"]).refused(1, "damaged");
    let bytes = std::fs::read(&backup).unwrap();
    std::fs::write(home.path("short"), &bytes[..bytes.len() / 2]).unwrap();
    home.run(&["restore", "short", "--force"]).refused(1, "damaged");
    let mut other = home.command(&["restore", "b.redb", "--force"]);
    other.env("AIRGATE__SECURITY__MASTER_KEY", "33".repeat(32));
    done(other).refused(1, "another master key");
    assert!(home.run(&["account", "list"]).good().contains("  off  "), "nothing was changed");

    let restored = home.run(&["restore", "b.redb", "--force"]);
    assert!(restored.good().contains("before-restore-"), "{}", restored.out);
    assert!(home.run(&["account", "list"]).good().contains("  on  "));
    assert_eq!(home.store_path().metadata().unwrap().permissions().mode() & 0o777, 0o600);
    let names: Vec<String> = names_in(&home.path("data"));
    assert_eq!(names.len(), 2, "{names:?}");
    let aside = names.iter().find(|name| name.contains(".before-restore-")).unwrap();
    let kept = Store::open(&home.path("data").join(aside), &KEY).unwrap();
    let account = kept.read(|tx| tx.account(&AccountId::new("main").unwrap())).unwrap().unwrap();
    assert!(!account.active.is_on());
}

fn names_in(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn export_writes_what_the_contract_names() {
    let home = Home::new().with_account();
    let alice: UserKey = "main/alice".parse().unwrap();
    let now = Clock::system().now();
    home.store()
        .write(|tx| {
            let listed = CloudUser {
                username: Username::new("alice").unwrap(),
                cloud_id: "1".into(),
                display_name: "=HYPERLINK(\"x\")".into(),
                email: String::new(),
                phone: String::new(),
            };
            tx.apply_sync(&alice.account, &[listed], &[], now, now)?;
            for amount in ["1000", "-200.5"] {
                let amount: Money = amount.parse().unwrap();
                let operator = &Operator::System;
                let new = Allocation { user: &alice, amount, note: "note", operator };
                quota::book(tx, &new, now).unwrap();
            }
            Ok::<_, StoreError>(())
        })
        .unwrap();
    for (table, header) in [
        (
            "users",
            "account,username,display_name,status,quota,consumed,remaining,usage_percent,projects_monitored,projects_total,owner,remark",
        ),
        ("spending", "account,username,project,period,amount,updated_at"),
        ("ledger", "account,username,time,amount,total_after,note,operator"),
        ("alerts", "account,username,time,type,title,amount,threshold,notified"),
    ] {
        let csv = home.run(&["export", table]);
        assert_eq!(csv.good().lines().next().unwrap(), header);
        let json = home.run(&["export", table, "--format", "json"]);
        assert!(serde_json::from_str::<Vec<serde_json::Value>>(json.good()).is_ok());
    }
    let users = home.run(&["export", "users"]).out;
    assert!(
        users.contains(
            "\nmain,alice,\"'=HYPERLINK(\"\"x\"\")\",unknown,799.50,0.00,799.50,0.0,0,0,,\n"
        ),
        "{users}"
    );
    let ledger = home.run(&["export", "ledger"]).out;
    assert!(ledger.contains(",-200.50,799.50,note,system\n"), "{ledger}");
}

#[test]
fn rekey_is_all_or_nothing_and_the_old_key_opens_nothing_afterwards() {
    let home = Home::new().with_account();
    home.feed(&["rekey"], "too short\n").refused(2, "openssl rand -base64 32");
    home.feed(&["rekey"], "").refused(2, "AIRGATE_NEW_MASTER_KEY");
    home.feed(&["rekey"], &"11".repeat(32)).refused(1, "the one in use");
    home.run(&["account", "list"]).good();

    let done_with = home.feed(&["rekey"], &format!("{}\n", "22".repeat(32)));
    assert!(done_with.good().starts_with("1 key pair sealed"), "{}", done_with.out);
    assert!(!done_with.out.contains("2222"));
    home.run(&["account", "list"]).refused(1, "security.master_key is not the key");
    home.run(&["export", "users"]).refused(1, "security.master_key is not the key");
    let store = Store::open(&home.store_path(), &NEW_KEY).unwrap();
    assert!(store.account_secrets(&AccountId::new("main").unwrap()).unwrap().is_some());
    drop(store);

    let mut back = home.command(&["rekey"]);
    back.env("AIRGATE__SECURITY__MASTER_KEY", "22".repeat(32));
    back.env("AIRGATE_NEW_MASTER_KEY", "11".repeat(32));
    assert_eq!(done(back).code, 0);
    home.run(&["account", "list"]).good();
}

/// Stand-ins and a home that knows them.
async fn online() -> (FakeFeishu, FakeCloud, Home) {
    let loopback = || TcpListener::bind("127.0.0.1:0");
    let clock = Clock::system();
    let cloud = FakeCloud::start(loopback().await.unwrap(), one_account(), clock.clone()).await;
    let mut chat = FeishuConfig::new(APP_ID, APP_SECRET, TOKEN);
    chat.rate_limits = false;
    let feishu = FakeFeishu::start(loopback().await.unwrap(), chat, clock).unwrap();
    feishu.add_person(ADMIN, "王管理", "13800000001");
    feishu.add_group(GROUP, "告警群");
    let home = Home::with(feishu.url(), &cloud.url(), "").with_account();
    (feishu, cloud, home)
}

/// The row of the table that begins with `what`.
#[track_caller]
fn row<'a>(table: &'a str, what: &str) -> &'a str {
    let found = table.lines().find(|line| line.starts_with(what));
    found.unwrap_or_else(|| panic!("no row {what}:\n{table}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn check_asks_everything_and_names_the_mend() {
    let (feishu, cloud, home) = online().await;
    let all = home.run(&["check"]);
    let table = all.good();
    for what in [
        "configuration",
        "access.project_policies",
        "store",
        "backups",
        "Feishu token",
        "Feishu bot",
        "Feishu alert chat",
        "account main access key",
        "account main projects",
        "account main bills",
        "account main balance",
    ] {
        assert!(row(table, what).contains(" ok"), "{table}");
    }
    assert!(row(table, "Feishu alert chat").contains("告警群"));

    feishu.set_bot_in_chat(GROUP, false);
    cloud.update(|world| world.account_mut("main").unwrap().split_bills_enabled = false);
    let failed = home.run(&["check"]);
    assert_eq!(failed.code, 1);
    assert_eq!(failed.err, "airgate: 2 checks failed: see the table\n");
    let chat = row(&failed.out, "Feishu alert chat");
    assert!(chat.contains("FAILED") && chat.contains("add the bot to the group"), "{chat}");
    let bills = row(&failed.out, "account main bills");
    assert!(bills.contains("FAILED") && bills.contains("分账账单"), "{bills}");

    let wrong = home.feed(&["account", "rotate", "main"], "AKLTmain0000000001\nwrong-secret\n");
    wrong.good();
    let mut command = home.command(&["check"]);
    command.env("AIRGATE__FEISHU__APP_SECRET", "wrong-app-secret");
    command.env("AIRGATE__ACCESS__PROJECT_POLICIES", "Good,Bad/Name");
    let failed = done(command);
    assert_eq!(failed.code, 1);
    assert!(row(&failed.out, "Feishu token").contains("feishu.app_secret"), "{}", failed.out);
    assert!(row(&failed.out, "Feishu bot").contains("skipped"));
    assert!(row(&failed.out, "account main access key").contains("replace the key pair"));
    assert!(row(&failed.out, "account main bills").contains("skipped"));
    assert!(row(&failed.out, "access.project_policies").contains("Bad/Name"));
    assert!(!failed.out.contains("wrong-secret") && !failed.out.contains("wrong-app-secret"));
}

#[tokio::test(flavor = "multi_thread")]
async fn check_goes_on_while_the_service_has_the_store() {
    let (_feishu, cloud, home) = online().await;
    let running = home.store();
    let table = home.run(&["check"]);
    assert!(row(table.good(), "store").contains("in use by a running airgate"), "{}", table.out);
    assert!(row(&table.out, "Feishu bot").contains(" ok"));
    assert!(row(&table.out, "Volcengine").contains("skipped"));
    drop(running);
    cloud.clear_calls();
    let offline = home.run(&["check", "--offline"]);
    assert!(row(offline.good(), "store").contains(" ok"));
    assert!(row(&offline.out, "Feishu").contains("skipped: --offline"));
    assert!(cloud.calls().is_empty());
}

#[test]
fn check_of_a_wrong_configuration_shows_every_problem() {
    let home = Home::new();
    let mut command = home.command(&["check", "--offline"]);
    command.env("AIRGATE__FEISHU__APP_ID", "").env("AIRGATE__MONITOR__CONCURRENCY", "0");
    let failed = done(command);
    assert_eq!(failed.code, 2);
    assert_eq!(failed.err, "airgate: the configuration has 2 problems\n");
    assert!(row(&failed.out, "feishu.app_id").contains("FAILED"), "{}", failed.out);
    assert!(row(&failed.out, "monitor.concurrency").contains("FAILED"), "{}", failed.out);

    let fresh = home.run(&["check", "--offline"]);
    assert!(row(fresh.good(), "store").contains("none yet"), "{}", fresh.out);
    assert!(!home.store_path().exists(), "check makes nothing");
}

#[test]
fn check_says_when_the_key_is_not_the_stores() {
    let home = Home::new().with_account();
    let mut command = home.command(&["check", "--offline"]);
    command.env("AIRGATE__SECURITY__MASTER_KEY", "33".repeat(32));
    let failed = done(command);
    assert_eq!(failed.code, 1);
    assert!(row(&failed.out, "store").contains("set security.master_key"), "{}", failed.out);
}

#[test]
fn every_command_has_help_with_examples_and_shells_complete_it() {
    let home = Home::new();
    let help = home.run(&["--help"]);
    let commands: Vec<&str> = help
        .good()
        .lines()
        .skip_while(|line| *line != "Commands:")
        .skip(1)
        .map_while(|line| line.split_whitespace().next())
        .filter(|name| *name != "help")
        .collect();
    assert!(commands.len() >= 9, "{commands:?}");
    let account = ["add", "list", "rotate", "enable", "disable"];
    let calls = commands
        .iter()
        .filter(|name| **name != "account")
        .map(|name| vec![*name, "--help"])
        .chain(account.map(|name| vec!["account", name, "--help"]));
    for call in calls {
        let help = home.run(&call);
        assert!(help.good().contains("Examples:\n  "), "{call:?}: {}", help.out);
    }
    for shell in ["bash", "zsh", "fish"] {
        let script = home.run(&["completions", shell]);
        for name in &commands {
            assert!(script.good().contains(name), "{shell} {name}");
        }
    }
}

/// A running `airgate serve`, with its log.
struct Served {
    child: Child,
    log: std::sync::mpsc::Receiver<String>,
}

impl Served {
    fn start(home: &Home) -> Self {
        let mut command = home.command(&["serve"]);
        command.env("AIRGATE_LOG_FORMAT", "json").env("RUST_LOG", "debug");
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let (sender, log) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                let _ = sender.send(line);
            }
        });
        Self { child, log }
    }

    /// The first line of the log from here on for which `wanted` gives something. All lines are JSON.
    #[track_caller]
    fn wait<T>(&self, mut wanted: impl FnMut(&serde_json::Value) -> Option<T>) -> T {
        loop {
            let line = self.log.recv_timeout(crate::bed::PATIENCE).expect("the log goes on");
            let value = serde_json::from_str(&line).unwrap_or_else(|_| panic!("not JSON: {line}"));
            if let Some(found) = wanted(&value) {
                return found;
            }
        }
    }

    fn terminate(mut self) -> i32 {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
        self.child.wait().unwrap().code().unwrap()
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_service_logs_request_ids_makes_a_backup_and_stops_when_told() {
    let (_feishu, _cloud, home) = online().await;
    let served = Served::start(&home);
    let (mut backup, mut address) = (None, None);
    while backup.is_none() || address.is_none() {
        served.wait(|line| {
            let fields = &line["fields"];
            match fields["message"].as_str()? {
                "backup made" => backup = fields["path"].as_str().map(PathBuf::from),
                "airgate serves" => address = fields["address"].as_str().map(str::to_owned),
                _ => return None,
            }
            Some(())
        });
    }
    let url = format!("http://{}/healthz", address.unwrap());
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::new();
    let answer = client.get(&url).header("x-request-id", "proxy-1.a_B").send().await.unwrap();
    assert_eq!(answer.headers()["x-request-id"], "proxy-1.a_B");
    served.wait(|line| {
        let span = &line["span"];
        (span["request_id"] == "proxy-1.a_B" && span["path"] == "/healthz").then_some(())
    });
    for hostile in ["a b", "x\u{1b}[31m", &"x".repeat(65), ""] {
        let answer = client.get(&url).header("x-request-id", hostile.as_bytes()).send().await;
        let Ok(answer) = answer else { continue };
        let id = answer.headers()["x-request-id"].to_str().unwrap();
        assert!(id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit()), "{id}");
    }
    home.run(&["serve"]).refused(1, "only one airgate may run on a store");
    assert_eq!(served.terminate(), 0);

    let backup = home.path("").join(backup.unwrap());
    assert_eq!(backup.parent().unwrap().file_name().unwrap(), "backups");
    let copy = Store::open(&backup, &KEY).unwrap();
    assert!(copy.account_secrets(&AccountId::new("main").unwrap()).unwrap().is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn scheduled_backups_are_kept_up_to_the_number_set() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("new/backups");
    let further = [("STORE__BACKUP_DIR", place.to_str().unwrap()), ("STORE__BACKUP_KEEP", "2")];
    let mut bed = Bed::with(one_account(), &further).await;
    let mut seen = std::collections::BTreeSet::new();
    for starts in 1..=4 {
        let until = tokio::time::Instant::now() + crate::bed::PATIENCE;
        loop {
            let names: Vec<String> = if place.exists() { names_in(&place) } else { Vec::new() };
            let done: Vec<&String> = names.iter().filter(|name| name.ends_with(".redb")).collect();
            if done.iter().any(|name| !seen.contains(*name)) && names.len() == starts.min(2) {
                seen.extend(names);
                break;
            }
            assert!(tokio::time::Instant::now() < until, "{names:?}");
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        bed.clock.advance(jiff::SignedDuration::from_secs(60));
        bed.restart().await;
    }
    assert!(names_in(&place).len() <= 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_are_those_of_the_manual() {
    let bed = Bed::start(one_account()).await;
    let _ = rustls::crypto::ring::default_provider().install_default();
    let text = reqwest::get(bed.url("/metrics")).await.unwrap().text().await.unwrap();
    let manual =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/metrics.md")).unwrap();
    let mut wanted: Vec<[String; 3]> = manual
        .lines()
        .filter(|line| line.starts_with("| `airgate_"))
        .map(|line| {
            let cells: Vec<&str> = line.trim_matches('|').split(" | ").map(str::trim).collect();
            [cells[0].trim_matches('`').to_owned(), cells[1].to_owned(), cells[3].to_owned()]
        })
        .collect();
    let help = |name: &str| {
        let start = format!("# HELP {name} ");
        text.lines().find_map(|line| line.strip_prefix(&start)).unwrap_or("no help").to_owned()
    };
    let mut given: Vec<[String; 3]> = text
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE "))
        .map(|line| {
            let (name, kind) = line.split_once(' ').unwrap();
            [name.to_owned(), kind.to_owned(), help(name)]
        })
        .collect();
    wanted.sort();
    given.sort();
    assert_eq!(given, wanted);
    assert_eq!(wanted.len(), 10, "contract §4");

    let outcomes = ["ok", "error", "denied", "duplicate", "stale", "invalid", "throttled"];
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        if let Some((_, rest)) = line.split_once("outcome=\"") {
            let outcome = rest.split('"').next().unwrap();
            assert!(outcomes.contains(&outcome), "{line}");
        }
    }
    for status in ["active", "disabled", "unknown", "gone"] {
        assert!(text.contains(&format!("airgate_users{{status=\"{status}\"}}")), "{text}");
    }
}
