//! `airgate setup`: from the QR code to the first card, interrupted anywhere, in tenants of all kinds.

use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::time::{Duration, Instant};

use airgate::domain::AccountId;
use airgate::sandbox::feishu::{
    ConfigApi, Decision, Delivery, Fault, FaultRule, Grants, RegistrationRules, State, TenantRules,
};

use super::PAIR;
use crate::bed::{TIMEOUT, one_account};
use crate::shared::environment::{ADMIN, APP_ID, APP_SECRET, Environment, GROUP};
use crate::shared::process::{Process, airgate};

const APPROVE: Decision = Decision::Approve { name: None };

/// Rules whose polls do not make a test wait.
fn quick() -> RegistrationRules {
    RegistrationRules { interval: 1, ..RegistrationRules::default() }
}

/// Stand-ins, and a folder without a configuration.
async fn newcomer(rules: RegistrationRules) -> Environment {
    let environment = Environment::start(one_account()).await;
    std::fs::remove_file(environment.home.config_path()).unwrap();
    environment.feishu.expect_registration(rules);
    environment
}

fn command(environment: &Environment, arguments: &[&str]) -> Command {
    let mut command = airgate(arguments);
    command.current_dir(environment.home.folder());
    let (feishu, cloud) = (environment.feishu.url(), environment.cloud.url());
    command
        .env("AIRGATE_ACCOUNTS_URL", feishu)
        .env("AIRGATE_ACCOUNTS_LARK_URL", environment.feishu.lark_accounts_url())
        .env("AIRGATE__FEISHU__BASE_URL", feishu)
        .env("AIRGATE__VOLCENGINE__IAM_ENDPOINT", &cloud)
        .env("AIRGATE__VOLCENGINE__BILLING_ENDPOINT", &cloud)
        .env("AIRGATE__VOLCENGINE__ARK_ENDPOINT", &cloud)
        .env("AIRGATE__SERVER__LISTEN", "127.0.0.1:0");
    command
}

fn start(environment: &Environment, more: &[&str], input: &str) -> Process {
    let arguments: Vec<&str> = ["setup"].iter().chain(more).copied().collect();
    Process::start_with(command(environment, &arguments), input)
}

/// The link that a process shows.
fn link(process: &Process) -> String {
    let link = |line: &str| line.contains("user_code=").then(|| line.trim().to_owned());
    process.find_line(link).unwrap_or_else(|| panic!("no link:\n{}", process.log()))
}

/// Plays the phone, and waits for the end.
fn finish(environment: &Environment, more: &[&str], input: &str) -> (Option<i32>, String) {
    let process = start(environment, more, input);
    environment.feishu.scan(&link(&process), ADMIN, APPROVE).unwrap();
    process.wait()
}

/// How many requests of an endpoint were answered with success.
fn count(state: &State, endpoint: &str) -> usize {
    state.requests().filter(|request| request.endpoint == endpoint && request.code == 0).count()
}

fn cards(environment: &Environment) -> usize {
    let chat = environment.feishu.direct_chat(ADMIN);
    environment.feishu.messages(&chat).iter().filter(|message| message.is_card()).count()
}

/// Checks what a finished set-up leaves behind.
#[track_caller]
fn is_set_up(environment: &Environment) {
    let home = &environment.home;
    let config = std::fs::read_to_string(home.config_path()).unwrap();
    for part in [
        "mode = \"websocket\"",
        &format!("app_id = \"{APP_ID}\""),
        &format!("admins = [\"{ADMIN}\"]"),
        "master_key_file = \"master.key\"",
    ] {
        assert!(config.contains(part), "no {part} in\n{config}");
    }
    assert!(!home.path("config.toml.setup").exists(), "the journal is left");
    let files = ["config.toml", "master.key", "data/airgate.redb"];
    for path in files.map(|name| home.path(name)).into_iter().filter(|path| path.exists()) {
        let mode = path.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{}", path.display());
    }
}

#[track_caller]
fn no_secret(environment: &Environment, log: &str) {
    let key = std::fs::read_to_string(environment.home.path("master.key")).unwrap_or_default();
    for secret in [APP_SECRET, "main-secret", "AKLTmain0000000001", "v1:", key.trim()] {
        assert!(secret.is_empty() || !log.contains(secret), "{secret} is in\n{log}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_newcomer_has_the_first_card_in_seconds_and_the_service_runs_with_the_result() {
    let environment = newcomer(quick()).await;
    let began = Instant::now();
    let (code, log) = finish(&environment, &[], &format!("{PAIR}1\n"));
    assert_eq!(code, Some(0), "{log}");
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    assert_eq!(cards(&environment), 1, "{log}");
    is_set_up(&environment);
    no_secret(&environment, &log);
    // A bot menu can only be made by a person: where, and of what, is said at the end.
    assert!(log.contains("event_key") && log.contains("users, billing"), "{log}");
    assert!(
        !log.contains('\u{1b}') && !log.contains('█'),
        "a pipe gets no code and no colours:\n{log}"
    );
    environment.feishu.read(|state| {
        let console = state.console();
        assert_eq!(
            (console.events_by, console.callbacks_by),
            (Delivery::Websocket, Delivery::Websocket)
        );
        assert!(console.events.as_ref().unwrap().contains(&"im.chat.disbanded_v1".to_owned()));
        assert!(!console.commands.is_empty());
        assert_eq!(console.scopes.get("contact:user.base:readonly"), Some(&true));
        assert_eq!(
            console.scopes.get("im:message.group_msg"),
            None,
            "sensitive: a person asks for it"
        );
    });
    {
        let key = std::fs::read_to_string(environment.home.path("master.key")).unwrap();
        let key: airgate::config::MasterKey = key.parse().unwrap();
        let path = environment.home.store_path();
        let store = airgate::store::Store::open(&path, key.expose()).unwrap();
        let account =
            store.read(|tx| tx.account(&AccountId::new("main").unwrap())).unwrap().unwrap();
        assert!(account.number.is_some() && account.pair_checked, "pinned to its number");
        let chat = store.read(|tx| tx.saved_settings()).unwrap().alert_chat.unwrap().unwrap();
        assert_eq!(chat.as_str(), GROUP);
    }
    let mut serve = command(&environment, &["serve"]);
    serve.env("RUST_LOG", "info").env("AIRGATE_LOG_FORMAT", "json");
    let service = Process::start(serve);
    service.listening();
    let up = environment.feishu.connections().wait_for(|seen| seen.open == 1, TIMEOUT).await;
    assert!(up.is_some(), "{}", service.log());
    environment.feishu.say(ADMIN, &environment.feishu.direct_chat(ADMIN), "/help", false).await;
    let answered = environment
        .feishu
        .wait_for(|state| (state.all_messages().len() > 2).then_some(()), TIMEOUT);
    assert!(answered.await.is_some(), "{}", service.log());
    assert!(service.terminate().status.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_after_every_step_it_goes_on_and_nothing_is_made_twice() {
    let environment = newcomer(quick()).await;
    let input = format!("{PAIR}1\n");
    let mut scanned = false;
    let mut logs = String::new();
    // The code is shown; the phone has confirmed; then every call, in the order of the steps.
    let points = [
        "registration",
        "token",
        "bot",
        "connection.upgrade",
        "app.config",
        "app.publish",
        "scopes",
        "slash.create",
        "chats",
        "send",
    ];
    for point in points {
        let before = environment.feishu.read(|state| count(state, point));
        let process = start(&environment, &[], &input);
        if point == "registration" {
            link(&process);
            logs.push_str(&process.kill());
            continue;
        }
        if !scanned {
            environment.feishu.scan(&link(&process), ADMIN, APPROVE).unwrap();
            scanned = true;
        }
        let seen = environment
            .feishu
            .wait_for(|state| (count(state, point) > before).then_some(()), TIMEOUT)
            .await;
        assert!(seen.is_some(), "{point}: {}", process.log());
        logs.push_str(&process.kill());
    }
    let (code, log) = start(&environment, &[], &input).wait();
    assert_eq!(code, Some(0), "{log}");
    assert!(log.contains("Going on"), "{log}");
    logs.push_str(&log);
    environment.feishu.read(|state| {
        assert_eq!(state.registration().apps().len(), 1);
        assert_eq!(state.registration().codes(), 1);
        let names: Vec<_> = state.console().commands.iter().map(|command| &command.name).collect();
        let once: std::collections::BTreeSet<_> = names.iter().collect();
        assert_eq!(names.len(), once.len());
    });
    assert_eq!(cards(&environment), 1);
    is_set_up(&environment);
    no_secret(&environment, &logs);
    let again = start(&environment, &[], &input).wait();
    assert_eq!(again.0, Some(2), "a finished configuration is never overwritten: {}", again.1);
    assert!(again.1.contains("airgate check --fix") && again.1.lines().count() == 1, "{}", again.1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lark_tenant_gets_its_secret_from_the_other_host() {
    for lark_names_client in [false, true] {
        let environment =
            newcomer(RegistrationRules { lark: true, lark_names_client, ..quick() }).await;
        let process = start(&environment, &["--brand", "lark"], "");
        let link = link(&process);
        assert!(link.contains("/page/cli?user_code="), "{link}");
        environment.feishu.scan(&link, ADMIN, APPROVE).unwrap();
        let (code, log) = process.wait();
        assert_eq!(code, Some(0), "{log}");
        assert_eq!(cards(&environment), 1, "{log}");
        is_set_up(&environment);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_that_grants_nothing_leaves_a_list_and_a_working_configuration() {
    for config_api in [ConfigApi::Missing, ConfigApi::NotConsoleApp] {
        let tenant = TenantRules { grants: Grants::Never, config_api, ..TenantRules::default() };
        let environment =
            newcomer(RegistrationRules { addons_work: false, tenant, ..quick() }).await;
        let (code, log) = finish(&environment, &[], "");
        assert_eq!(code, Some(0), "{log}");
        is_set_up(&environment);
        let todo: Vec<&str> = log.lines().filter(|line| line.starts_with("- ")).collect();
        for part in ["im:message:send_as_bot", "/auth", "account add main", "first card"] {
            assert!(todo.iter().any(|line| line.contains(part)), "no {part} in\n{log}");
        }
        assert_eq!(cards(&environment), 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_that_reviews_leaves_the_review_to_a_person() {
    let tenant =
        TenantRules { grants: Grants::OnApply, reviews_versions: true, ..TenantRules::default() };
    let environment = newcomer(RegistrationRules { tenant, ..quick() }).await;
    let (code, log) = finish(&environment, &[], "");
    assert_eq!(code, Some(0), "{log}");
    is_set_up(&environment);
    // What needs a review was asked for, and came with the administrators' consent.
    assert!(environment.feishu.read(|state| count(state, "scopes.apply")) > 0, "{log}");
    assert_eq!(cards(&environment), 1, "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_on_the_phone_is_one_line_and_the_next_run_begins_anew() {
    let environment = newcomer(quick()).await;
    let process = start(&environment, &[], "");
    environment.feishu.scan(&link(&process), ADMIN, Decision::Refuse).unwrap();
    let (code, log) = process.wait();
    assert_eq!(code, Some(1), "{log}");
    assert!(log.lines().last().unwrap().contains("refused on the phone"), "{log}");
    assert!(!environment.home.config_path().exists());
    let (code, log) = finish(&environment, &[], "");
    assert_eq!(code, Some(0), "{log}");
    assert_eq!(environment.feishu.read(|state| state.registration().codes()), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn odd_answers_and_a_missing_scanner_do_not_end_it() {
    let rules =
        RegistrationRules { empty_answers: 2, lacks_user_info: true, expire_in: true, ..quick() };
    let environment = newcomer(rules).await;
    let process = start(&environment, &[], "");
    let link = link(&process);
    // A proxy's page.
    let page = FaultRule::new(Fault::NotJson).on("registration").times(1);
    environment.feishu.faults().inject(page);
    environment.feishu.scan(&link, ADMIN, APPROVE).unwrap();
    let (code, log) = process.wait();
    assert_eq!(code, Some(0), "{log}");
    let config = std::fs::read_to_string(environment.home.config_path()).unwrap();
    assert!(config.contains("ou_unknown"), "{config}");
    assert!(log.contains("/users"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_that_expires_is_followed_by_another() {
    let environment = newcomer(RegistrationRules { lifetime: 1, ..quick() }).await;
    let process = start(&environment, &[], "");
    let (code, log) = process.wait();
    assert_eq!(code, Some(1), "{log}");
    assert_eq!(environment.feishu.read(|state| state.registration().codes()), 3);
    assert!(log.contains("nobody has confirmed"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn only_loopback_addresses_take_the_place_of_the_accounts_hosts() {
    let environment = newcomer(quick()).await;
    let mut command = command(&environment, &["setup"]);
    command.env("AIRGATE_ACCOUNTS_URL", "https://accounts.example.com");
    let (code, log) = Process::start(command).wait();
    assert_eq!(code, Some(2), "{log}");
    assert!(log.contains("AIRGATE_ACCOUNTS_URL") && log.contains("loopback"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_public_group_is_joined_and_a_private_one_waited_for() {
    let environment = newcomer(quick()).await;
    environment.feishu.set_bot_in_chat(GROUP, false);
    environment.feishu.add_public_group("oc_public", "大家");
    let process = start(&environment, &[], &format!("{PAIR}1\n"));
    environment.feishu.scan(&link(&process), ADMIN, APPROVE).unwrap();
    let (code, log) = process.wait();
    assert_eq!(code, Some(0), "{log}");
    assert!(log.contains("Alerts go to 大家"), "{log}");
    assert_eq!(environment.feishu.read(|state| count(state, "chat.join")), 1);

    let environment = newcomer(quick()).await;
    environment.feishu.set_bot_in_chat(GROUP, false);
    let process = start(&environment, &[], &format!("{PAIR}w\n"));
    environment.feishu.scan(&link(&process), ADMIN, APPROVE).unwrap();
    assert!(process.find_line(|line| line.contains("Waiting 10 minutes").then_some(())).is_some());
    environment.feishu.set_bot_in_chat(GROUP, true);
    let added = serde_json::json!({"chat_id": GROUP, "operator_id": {"open_id": ADMIN}, "external": false, "name": "告警群"});
    environment.feishu.push_event("im.chat.member.bot.added_v1", added).await;
    let (code, log) = process.wait();
    assert_eq!(code, Some(0), "{log}");
    assert!(log.contains("Alerts go to 告警群"), "{log}");
}
