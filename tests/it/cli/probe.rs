//! `airgate probe`: what it says about each answer of the cloud, and that it leaves everything as it was.

use std::time::Duration;

use airgate::domain::KeySwitch;
use airgate::sandbox::volcengine::{Fault, FaultRule};
use airgate::sandbox::world::{
    KeySwitchForm, Login, MissingLogin, Model, Phase, RateLimitRule, World,
};
use jiff::SignedDuration;
use secrecy::ExposeSecret;

use super::add_account;
use crate::bed::{TIMEOUT, one_account};
use crate::shared::environment::Environment;
use crate::shared::process::{Output, Process};
use crate::shared::samples;

const NAME: &str = "ag-probe";
const STATE: &str = "probe-main.json";

/// A cloud with the throw-away user and project: an endpoint, an API key, a batch job, a preset endpoint.
fn world() -> World {
    let mut world = one_account();
    world.rules.ark.calls_per_second = None;
    world.rules.ark.usage_delay = SignedDuration::ZERO;
    let account = world.account_mut("main").unwrap();
    account.add_project(NAME, "试验");
    account.add_user(NAME).login = Login::none(MissingLogin::Error);
    account.add_endpoint(NAME, "chat", None);
    account.add_ark_key(NAME, "probe", None);
    account.add_batch_job(NAME, "tiny", None);
    account.add_preset(NAME, Model::LITE);
    world
}

async fn started(world: World) -> Environment {
    let environment = Environment::start(world).await;
    environment.home.configure(&environment.configuration().set("volcengine.ark_qps", 1000));
    add_account(&environment.home);
    environment
}

/// The arguments of a probe, and more of them.
fn arguments(environment: &Environment, more: &[&str]) -> Vec<String> {
    let url = format!("{}/api/v3", environment.cloud.url());
    let model = Model::LITE.id();
    let all = ["probe", "--user", NAME, "--project", NAME, "--model", &model];
    let quick = ["--ark-data-url", &url, "--wait", "0", "--patience", "5"];
    all.iter().chain(&quick).chain(more).map(|text| (*text).to_owned()).collect()
}

fn probe(environment: &Environment, more: &[&str], input: &str) -> Output {
    let arguments = arguments(environment, more);
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    environment.home.feed(&arguments, input)
}

/// Answers that agree to the probe as a whole and, of its steps, to this one.
fn only(step: usize) -> String {
    let step = std::iter::repeat_n("n\n", step).chain(["y\n"]);
    std::iter::once("y\n").chain(step).collect()
}

const CALLS: usize = 1;
const KEY: usize = 2;
const ENDPOINT: usize = 3;
const LIMITS: usize = 4;
const TEMPORARY: usize = 5;
const IAM_KEYS: usize = 8;
const PACE: usize = 10;

/// What a probe must leave as it was.
fn standing(world: &World) -> String {
    let account = world.account("main").unwrap();
    let ark = &account.ark;
    let user = &account.users[NAME];
    let endpoints: Vec<_> =
        ark.endpoints.values().map(|it| (&it.id, *it.status.get(), it.limits)).collect();
    let keys: Vec<_> = ark.keys.values().map(|key| (key.text(), *key.on.get())).collect();
    let presets: Vec<_> = ark.presets.values().map(|it| (&it.id, *it.limits.get())).collect();
    let jobs: Vec<_> = ark.jobs.values().map(|job| *job.phase.get() == Phase::Running).collect();
    let held: Vec<_> = user.policies.iter().filter(|held| !held.scopes.is_empty()).collect();
    let deny = account.custom_policies.contains("airgate-probe-deny-all");
    format!(
        "{endpoints:?} {keys:?} {presets:?} {jobs:?} {held:?} {deny} {} {}",
        user.keys.len(),
        user.api_keys.len()
    )
}

/// Checks that no secret of the cloud is in a text.
#[track_caller]
fn no_secret(environment: &Environment, text: &str) {
    environment.cloud.read(|world| {
        let account = world.account("main").unwrap();
        let user = &account.users[NAME];
        let temporary = account.ark.temporary_keys.iter().map(|key| key.secret.expose_secret());
        let keys = user.keys.iter().map(|key| key.secret.expose_secret());
        let lasting = account.ark.keys.values().map(|key| key.text());
        for secret in ["main-secret"].into_iter().chain(temporary).chain(keys).chain(lasting) {
            assert!(!text.contains(secret), "a secret is in:\n{text}");
        }
    });
}

#[track_caller]
fn says(text: &str, words: &[&str]) {
    for word in words {
        assert!(text.contains(word), "no {word:?} in:\n{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_whole_probe_says_what_it_saw_and_leaves_everything_as_it_was() {
    let environment = started(world()).await;
    let before = environment.cloud.read(standing);
    let output = probe(&environment, &["--yes"], "");
    let text = output.good();
    says(
        text,
        &[
            "AccountId of users and AccountID of the balance are the same",
            "UpdateApiKey: HTTP 200, RequestId 20",
            "401 AuthenticationError",
            "400 InvalidEndpoint.ClosedEndpoint",
            "\"Stopped\" is read as stopped",
            "OperationDenied.InvalidState",
            "preset_endpoints closes it",
            "temporary keys outlive the access key",
            "\"Action\": [\"*\"] is accepted",
            "AccessDenied",
            "PolicyAttachConflict",
            "airgate reads this as a missing login profile",
            "IAM API keys do not open models",
            "batch jobs stop and go on",
            "20 of 20: HTTP 200",
            "usage is understood",
            "[access]\nmodel_keys = \"disable\"\n\
             model_key_disable = 'UpdateApiKey {\"Id\": $id, \"Status\": \"Inactive\"}'\n\
             model_key_enable = 'UpdateApiKey {\"Id\": $id, \"Status\": \"Active\"}'\n",
            "项目管理",
        ],
    );
    assert!(!text.contains("NOT undone"), "{text}");
    no_secret(&environment, text);
    assert_eq!(environment.cloud.read(standing), before, "{text}");
    assert!(!environment.home.path(STATE).exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_body_that_switches_a_key_off_is_found_or_said_to_be_missing() {
    for (form, expected, body) in [
        (KeySwitchForm::Status, "ends its calls", Some(r#""Status": "Inactive""#)),
        (KeySwitchForm::Disable, "is ignored with success", Some(r#""Disable": true"#)),
        (KeySwitchForm::Disabled, "is ignored with success", Some(r#""Disabled": true"#)),
        (KeySwitchForm::Nothing, "no known body switches a key off", None),
        (KeySwitchForm::NoSuchAction, "not for access keys (InvalidActionOrVersion)", None),
    ] {
        let mut world = world();
        world.rules.ark.key_switch = form;
        let environment = started(world).await;
        let before = environment.cloud.read(standing);
        let output = probe(&environment, &[], &only(KEY));
        assert_eq!(output.code, 0, "{}", output.all());
        says(&output.out, &[expected]);
        let line = |name: &str| {
            let found =
                output.out.lines().find_map(|it| it.strip_prefix(name)?.strip_prefix(" = "));
            found.map(|text| text.trim_matches('\'').to_owned())
        };
        match body {
            Some(body) => {
                let disable = line("model_key_disable").unwrap();
                assert!(
                    disable.contains(body) && disable.parse::<KeySwitch>().is_ok(),
                    "{disable}"
                );
                assert!(line("model_key_enable").unwrap().parse::<KeySwitch>().is_ok());
            }
            None => {
                assert_eq!(line("model_key_disable"), None);
                says(&output.out, &["model_keys = \"report\"", "API Key 管理"]);
            }
        }
        assert_eq!(environment.cloud.read(standing), before, "{form:?}: {}", output.out);
        no_secret(&environment, &output.all());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn other_open_facts_are_told_both_ways() {
    let rule = |change: fn(&mut World)| {
        let mut world = world();
        change(&mut world);
        world
    };
    for (step, world, expected) in [
        (
            ENDPOINT,
            rule(|it| it.rules.ark.stopped_text = "Halted"),
            "\"Halted\" is an unknown word",
        ),
        (
            ENDPOINT,
            rule(|it| it.rules.ark.repeats_are_refused = false),
            "again: StopEndpoint: HTTP 200",
        ),
        (LIMITS, rule(|it| it.rules.ark.rate_limit = RateLimitRule::Refused), "cannot be limited"),
        (
            LIMITS,
            rule(|it| it.rules.ark.rate_limit = RateLimitRule::Dropped),
            "accepted and not applied",
        ),
        (
            LIMITS,
            rule(|it| it.rules.ark.rate_limit = RateLimitRule::ZeroMeansNone),
            "does not close text",
        ),
        (LIMITS, rule(|it| it.rules.ark.has_preset_actions = false), "InvalidActionOrVersion"),
        (LIMITS, rule(|it| it.rules.ark.model_ids_work = false), "may not use Model IDs"),
        (
            TEMPORARY,
            rule(|it| it.rules.ark.temporary_keys_end_with_their_maker = true),
            "temporary keys end with the access key",
        ),
        (IAM_KEYS, rule(|it| it.rules.has_iam_api_keys = false), "has no IAM API keys"),
        (PACE, rule(|it| it.rules.ark.calls_per_second = Some(3)), "AccountFlowLimitExceeded"),
    ] {
        let environment = started(world).await;
        let before = environment.cloud.read(standing);
        let output = probe(&environment, &[], &only(step));
        assert_eq!(output.code, 0, "{}", output.all());
        says(&output.out, &[expected]);
        no_secret(&environment, &output.all());
        assert_eq!(environment.cloud.read(standing), before, "{expected}: {}", output.out);
    }
}

/// A probe that is killed after the cloud has done this call, and before it has answered.
async fn killed_after(environment: &Environment, action: &str) {
    let cloud = &environment.cloud;
    cloud.clear_calls();
    cloud.faults().inject(FaultRule::new(Fault::Slow(Duration::from_secs(3600))).on(action));
    let arguments = arguments(environment, &["--yes"]);
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let mut command = environment.home.command(&arguments);
    command.stdin(std::process::Stdio::null());
    let process = Process::start(command);
    let name = action.rsplit(':').next().unwrap();
    // IAM and 方舟 share names: wait for the one that hangs.
    let hangs = || {
        let calls = cloud.calls();
        calls.iter().any(|call| call.action == name && call.fault == Some("Slow"))
    };
    crate::bed::eventually(action, hangs).await;
    let text = process.kill();
    no_secret(environment, &text);
    cloud.faults().clear();
    let state = std::fs::read_to_string(environment.home.path(STATE)).unwrap();
    assert!(state.contains("\"undo\""), "{action}: {state}");
    no_secret(environment, &state);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_probe_killed_at_any_call_is_undone() {
    let environment = started(world()).await;
    let before = environment.cloud.read(standing);
    for action in [
        "ark:UpdateApiKey",
        "StopEndpoint",
        "StartEndpoint",
        "InnerUpdateModelEndpoint",
        "UpdateEndpoint",
        "CreateAccessKey",
        "AttachPolicyInProject",
        "GetApiKey",
        "UpdateAccessKey",
        "CreatePolicy",
        "AttachUserPolicy",
        "DetachUserPolicy",
        "DeletePolicy",
        "DeleteAccessKey",
        "iam:CreateApiKey",
        "StopBatchInferenceJob",
    ] {
        killed_after(&environment, action).await;
        let undone = environment.home.run(&["probe", "--undo", "--patience", "5"]);
        says(undone.good(), &["undone: ", "everything is undone"]);
        assert_eq!(environment.cloud.read(standing), before, "{action}: {}", undone.out);
        assert!(!environment.home.path(STATE).exists(), "{action}");
        no_secret(&environment, &undone.out);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_probe_goes_on_where_it_was() {
    let environment = started(world()).await;
    let before = environment.cloud.read(standing);
    killed_after(&environment, "StartEndpoint").await;
    let mut other = arguments(&environment, &["--yes"]);
    other[2] = "somebody".into();
    let other: Vec<&str> = other.iter().map(String::as_str).collect();
    environment.home.run(&other).refused(1, "airgate probe --undo");
    environment.cloud.clear_calls();
    let output = probe(&environment, &["--yes"], "");
    let text = output.good();
    says(text, &["runs", "model_key_disable = ", "\"Stopped\" is read as stopped"]);
    let switched = environment.cloud.calls();
    let switched = switched.iter().filter(|it| it.action == "UpdateApiKey" && it.service == "ark");
    assert_eq!(switched.count(), 0, "a finished step is not made again");
    assert_eq!(environment.cloud.read(standing), before);
    assert!(!environment.home.path(STATE).exists());
    environment.home.run(&["probe", "--undo"]).refused(1, "nothing to undo");
}

#[tokio::test(flavor = "multi_thread")]
async fn ctrl_c_undoes_and_keeps_what_was_seen() {
    let environment = started(world()).await;
    let before = environment.cloud.read(standing);
    let slow = Fault::Slow(Duration::from_secs(3600));
    environment.cloud.faults().inject(FaultRule::new(slow).on("StopEndpoint").times(1));
    let arguments = arguments(&environment, &["--yes"]);
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let process = Process::start(environment.home.command(&arguments));
    tokio::time::timeout(TIMEOUT, environment.cloud.called("StopEndpoint", 1)).await.unwrap();
    let stopped = process.interrupt();
    assert_eq!(stopped.status.code(), Some(1), "{}", stopped.log);
    says(&stopped.log, &["interrupted, and everything is undone", "model_key_disable"]);
    assert_eq!(environment.cloud.read(standing), before, "{}", stopped.log);
    environment.home.run(&["probe", "--undo"]).good();
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_touched_without_consent() {
    let environment = started(world()).await;
    let before = environment.cloud.read(standing);
    let refused = probe(&environment, &[], "");
    assert_eq!(refused.code, 1, "{}", refused.all());
    says(&refused.err, &["[y/N]", "nothing was done: not agreed"]);
    assert!(!environment.home.path(STATE).exists());
    let skipped = probe(&environment, &[], "y\n");
    assert_eq!(skipped.code, 0, "{}", skipped.all());
    says(&skipped.out, &["skipped: not agreed", "nothing follows for the configuration"]);
    let calls = environment.cloud.calls();
    let writes =
        ["Update", "Create", "Delete", "Stop", "Start", "Attach", "Detach", "chat/", "GetApiKey"];
    let written = calls.iter().find(|call| writes.iter().any(|word| call.action.contains(word)));
    assert_eq!(written, None);
    assert_eq!(environment.cloud.read(standing), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_airgate_looks_after_and_its_own_user_are_refused() {
    let mut world = world();
    let account = world.account_mut("main").unwrap();
    account.add_project("team-a", "甲组");
    account.add_user("alice");
    let environment = started(world).await;
    let now = environment.clock.now();
    {
        let store = environment.home.store();
        samples::add_users(&store, &["main/alice", "main/ag-probe"], now);
        store
            .write(|tx| {
                let project = airgate::domain::ProjectInfo {
                    account: "main".parse().unwrap(),
                    name: "team-a".parse().unwrap(),
                    display_name: String::new(),
                };
                tx.replace_projects(&"main".parse().unwrap(), &[project], now)
            })
            .unwrap();
        samples::link(&store, "main/alice", "team-a", "", now);
    }
    let run = |user: &str, project: &str| {
        environment.home.run(&["probe", "--yes", "--user", user, "--project", project])
    };
    run("alice", NAME).refused(1, "the user alice has linked projects");
    run(NAME, "team-a").refused(1, "the project team-a is linked to alice");
    run(NAME, "default").refused(1, "everybody's");
    run("nobody", NAME).refused(1, "there is no user nobody");
    run(NAME, "nothing").refused(1, "there is no project nothing");
    let plain = environment.home.run(&[
        "probe",
        "--user",
        NAME,
        "--project",
        NAME,
        "--ark-data-url",
        "http://ark.example/api/v3",
    ]);
    plain.refused(2, "--ark-data-url must begin with https://");

    samples::allocate(&environment.home.store(), "main/ag-probe", "5", "", now);
    run(NAME, NAME).refused(1, "has a quota");

    let (id, secret) = environment.cloud.update(|world| {
        let account = world.account_mut("main").unwrap();
        let user = account.add_user("airgate");
        user.attach(
            "AdministratorAccess",
            airgate::sandbox::world::PolicyKind::System,
            airgate::sandbox::world::PolicyScope::Global,
        );
        let id = user.add_key(airgate::sandbox::world::KeyStatus::Active);
        (id, user.keys[0].secret.expose_secret().to_owned())
    });
    environment.home.feed(&["account", "rotate", "main"], &format!("{id}\n{secret}\n")).good();
    run("airgate", NAME).refused(1, "airgate works with an access key of the user airgate");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pasted_key_must_be_the_throw_away_one() {
    let environment = started(world()).await;
    let refused = || {
        let message = "no such operation".to_owned();
        let code = "InvalidActionOrVersion".to_owned();
        FaultRule::new(Fault::Code { http: 404, code, message }).on("GetRawApiKey")
    };
    environment.cloud.faults().inject(refused());
    let foreign = probe(&environment, &["--yes"], "00000000-0000-0000-0000-000000000000\n");
    assert_eq!(foreign.code, 1, "{}", foreign.all());
    says(&foreign.err, &["this is not the API key apikey-"]);
    let text = environment.cloud.read(|world| {
        let keys = &world.account("main").unwrap().ark.keys;
        keys.values().next().unwrap().text().to_owned()
    });
    let answers = format!("y\n{text}\n{}", only(CALLS).replacen("y\n", "", 1));
    let output = probe(&environment, &[], &answers);
    assert_eq!(output.code, 0, "{}", output.all());
    says(&output.out, &["works (HTTP 200)"]);
    no_secret(&environment, &output.all());
}
