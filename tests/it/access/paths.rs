//! Each path closes and restores exactly, whatever the others do.

use std::collections::BTreeMap;

use airgate::domain::{
    AccessGoal, AccessPath, NotCovered, PathReports, PathState, Problem, UserStatus,
};
use airgate::sandbox::volcengine::{Fault, FaultRule};
use airgate::sandbox::world::{
    EndpointStatus, KeyStatus, KeySwitchForm, Login, MissingLogin, Model, RateLimitRule,
};
use jiff::SignedDuration;

use super::{ALICE, bed_of, decide, denied, path, problems, want, world};
use crate::bed::{ADMIN, Bed, eventually, user_key};

const NOBODY: NotCovered = NotCovered::LeftToPerson;

/// The endpoints that run, by name.
fn running(bed: &Bed) -> Vec<String> {
    bed.cloud.read(|world| {
        let endpoints = world.account("main").unwrap().ark.endpoints.values();
        let runs = endpoints.filter(|it| *it.status.get() == EndpointStatus::Running);
        let mut names: Vec<_> = runs.map(|it| it.name.clone()).collect();
        names.sort();
        names
    })
}

fn states(bed: &Bed) -> BTreeMap<AccessPath, PathState> {
    let paths: PathReports = bed.store.read(|tx| tx.access_paths(&user_key(ALICE))).unwrap();
    paths.into_iter().map(|(path, report)| (path, report.state)).collect()
}

fn not_covered(reason: NotCovered) -> PathState {
    PathState::NotCovered { reason }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cut_closes_every_path_and_leaves_colleagues_alone() {
    let (world, things) = world();
    let bed = bed_of(world, &[]).await;
    bed.cloud.clear_calls();
    decide(&bed).await;
    bed.settled().await;
    assert_eq!(bed.user(ALICE).status, UserStatus::Disabled);
    let closed = PathState::Closed;
    let expected = BTreeMap::from([
        (AccessPath::Signed, closed.clone()),
        (AccessPath::AccessKeys, closed.clone()),
        (AccessPath::Login, closed.clone()),
        (AccessPath::ApiKeys, closed.clone()),
        (AccessPath::Endpoints, not_covered(NotCovered::Shared)),
        (AccessPath::ModelKeys, not_covered(NOBODY)),
        (AccessPath::PresetEndpoints, closed),
        (AccessPath::Jobs, not_covered(NotCovered::SwitchedOff)),
    ]);
    assert_eq!(states(&bed), expected);
    assert_eq!(running(&bed), ["his"]);
    assert!(bed.is_cut_off("alice"));
    // What is left to a person is listed by name.
    assert_eq!(path(&bed, AccessPath::ModelKeys).open[0].name, "hers");
    // Nothing of hers completes a call, with any key; what is his does.
    for endpoint in &things.endpoints {
        assert!(bed.cloud.call_model(&things.key, endpoint).is_err());
    }
    assert!(bed.cloud.call_model(&things.temporary, &things.endpoints[0]).is_err());
    assert!(bed.cloud.call_model(&things.key, &Model::TEXT.id()).is_err());
    assert!(bed.cloud.call_model(&things.shared_key, &things.shared).is_err());
    assert!(bed.cloud.call_model(&things.shared_key, &things.bobs).is_ok());

    want(&bed, AccessGoal::Restored);
    bed.settled().await;
    assert_eq!(bed.user(ALICE).status, UserStatus::Active);
    assert_eq!(running(&bed), ["chat", "embed", "hers", "his"]);
    assert!(states(&bed).is_empty(), "nothing is said about paths that are open");
    assert!(bed.cloud.call_model(&things.key, &Model::TEXT.id()).is_ok());
    bed.cloud.read(|world| {
        let alice = world.user("main", "alice").unwrap();
        assert!(alice.policies.is_empty() && alice.login.allowed());
    });
}

/// Somebody switched off her keys in the console, and she has no login: that is no cut, and her models run on.
#[tokio::test(flavor = "multi_thread")]
async fn a_user_whom_somebody_else_switched_off_is_cut_all_the_same() {
    for by_person in [false, true] {
        let (mut world, things) = world();
        let alice = world.user_mut("main", "alice").unwrap();
        alice.keys.iter_mut().for_each(|key| key.status = KeyStatus::Inactive);
        alice.login = Login::none(MissingLogin::default());
        let bed = bed_of(world, &[]).await;
        bed.ask(ADMIN, "/sync").await;
        bed.settled().await;
        assert_eq!(bed.user(ALICE).status, UserStatus::Disabled);
        assert!(bed.cloud.call_model(&things.key, &things.endpoints[0]).is_ok());
        if by_person {
            want(&bed, AccessGoal::Cut);
        } else {
            decide(&bed).await;
        }
        bed.settled().await;
        assert!(bed.cloud.call_model(&things.key, &things.endpoints[0]).is_err());
        assert_eq!(bed.cycle().await.disables, 0, "once is enough");
        // What was off before stays off.
        bed.allocate(ALICE, "1000");
        want(&bed, AccessGoal::Restored);
        bed.settled().await;
        assert_eq!(running(&bed), ["chat", "embed", "hers", "his"]);
        bed.cloud.read(|world| {
            let keys = &world.user("main", "alice").unwrap().keys;
            assert!(keys.iter().all(|key| key.status == KeyStatus::Inactive));
        });
        assert_eq!(bed.user(ALICE).status, UserStatus::Disabled);
    }
}

/// docs/platforms/ark.md §F, row by row: what a user who is disabled still holds, as far as it can be stopped.
#[tokio::test(flavor = "multi_thread")]
async fn thirty_seconds_after_a_cut_nothing_that_can_be_stopped_completes_a_paid_call() {
    let (mut world, things) = world();
    let main = world.account_mut("main").unwrap();
    let [endpoint, other] = things.endpoints.clone();
    let bot = main.add_bot(&endpoint).id.clone();
    main.add_preset("team-a", Model::IMAGE);
    main.add_tuning_job("team-a", "tune", Some("alice"));
    let preset = main.add_preset("team-a", Model::TEXT).id.clone();
    let (text, image) = (Model::TEXT.id(), Model::IMAGE.id());
    let rows: [(&str, &str, &str); 8] = [
        ("an Ark key at an own endpoint", &things.key, &endpoint),
        ("an Ark key at another own endpoint", &things.key, &other),
        ("a temporary key", &things.temporary, &endpoint),
        ("a bot", &things.key, &bot),
        ("text by Model ID", &things.key, &text),
        ("text by preset endpoint", &things.key, &preset),
        ("images by Model ID", &things.key, &image),
        ("a colleague's key at an endpoint of hers", &things.shared_key, &things.shared),
    ];
    let bed = bed_of(world, &[("ACCESS__STOP_JOBS", "true")]).await;
    let works = |bed: &Bed| -> Vec<&str> {
        let calls = rows.iter().filter(|(_, key, model)| bed.cloud.call_model(key, model).is_ok());
        calls.map(|(name, ..)| *name).collect()
    };
    let before = works(&bed);
    assert_eq!(before.len(), rows.len(), "{before:?}");
    bed.cycle().await;
    assert_eq!(bed.user(ALICE).status, UserStatus::Disabled);
    bed.clock.advance(SignedDuration::from_secs(30));
    assert_eq!(works(&bed), Vec::<&str>::new());
    // Requests signed in her name, access keys, login, the API key of IAM.
    assert!(bed.is_cut_off("alice"));
    assert_eq!(path(&bed, AccessPath::Signed).state, PathState::Closed);
    // Batch and tuning jobs.
    let used = |bed: &Bed| bed.cloud.read(|world| world.account("main").unwrap().ark.usage.len());
    let before = used(&bed);
    let now = bed.clock.now();
    bed.cloud.update(|world| world.account_mut("main").unwrap().advance_jobs(10, now, None));
    assert_eq!(used(&bed), before);
    // What cannot be stopped is not called closed.
    let keys = path(&bed, AccessPath::ModelKeys);
    assert_eq!(keys.state, not_covered(NOBODY));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cut_of_two_keys_and_two_endpoints_takes_at_most_25_calls() {
    let (mut world, _) = world();
    let main = world.account_mut("main").unwrap();
    main.ark.presets.clear();
    main.users.get_mut("alice").unwrap().api_keys.clear();
    let bed = Bed::with(world, &[]).await;
    bed.sync().await;
    bed.link(ALICE, "team-a", "");
    bed.allocate(ALICE, "100");
    want(&bed, AccessGoal::Cut);
    bed.cloud.clear_calls();
    bed.settled().await;
    let calls: Vec<_> = bed.cloud.calls().into_iter().map(|call| call.action).collect();
    assert!(calls.len() <= 25, "{} calls: {calls:#?}", calls.len());
    assert_eq!(bed.user(ALICE).status, UserStatus::Disabled);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_path_that_fails_keeps_no_other_open_and_is_retried_alone() {
    for (action, fault, failing) in [
        ("iam:AttachUserPolicy", denied(), AccessPath::Signed),
        ("iam:ListApiKeys", Fault::NotJson, AccessPath::ApiKeys),
        ("ark:StopEndpoint", denied(), AccessPath::Endpoints),
        ("ark:ListEndpoints", Fault::Status(500), AccessPath::Endpoints),
        ("ark:InnerUpdateModelEndpoint", denied(), AccessPath::PresetEndpoints),
        ("ark:ListApiKeys", denied(), AccessPath::ModelKeys),
    ] {
        let (world, _) = world();
        let bed = bed_of(world, &[]).await;
        bed.cloud.faults().inject(FaultRule::new(fault).on(action));
        decide(&bed).await;
        let pending = || bed.store.read(|tx| tx.access_pending(&user_key(ALICE))).unwrap();
        eventually(action, || pending().is_some_and(|pending| pending.attempts > 1)).await;
        for (path, state) in states(&bed) {
            let fails = matches!(state, PathState::Failing { .. });
            assert_eq!(fails, path == failing, "{action}: {path:?} is {state:?}");
        }
        assert_eq!(bed.user(ALICE).status, UserStatus::Active, "{action}");
        bed.cloud.clear_calls();
        let before = pending().unwrap().attempts;
        eventually(action, || pending().is_none_or(|it| it.attempts > before)).await;
        let others = ["UpdateAccessKey", "UpdateLoginProfile", "ListAccessKeys"];
        for other in others {
            assert_eq!(bed.cloud.count(other), 0, "{action}: {other}");
        }
        bed.cloud.faults().clear();
        bed.settled().await;
        assert_eq!(bed.user(ALICE).status, UserStatus::Disabled, "{action}");
        assert_eq!(running(&bed), ["his"], "{action}");
        want(&bed, AccessGoal::Restored);
        bed.settled().await;
        assert_eq!(running(&bed), ["chat", "embed", "hers", "his"], "{action}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_policy_waits_while_nothing_shows_whose_keys_they_are() {
    let (world, _) = world();
    let bed = Bed::with(world, &[]).await;
    bed.add_users(&[ALICE]);
    bed.cloud.faults().inject(FaultRule::new(denied()).on("ListAccessKeys"));
    want(&bed, AccessGoal::Cut);
    let login = || bed.cloud.read(|world| world.user("main", "alice").unwrap().login.allowed());
    eventually("login off", || !login()).await;
    eventually("the policy's turn", || states(&bed).contains_key(&AccessPath::Signed)).await;
    assert_eq!(bed.cloud.count("AttachUserPolicy"), 0);
    bed.cloud.faults().clear();
    bed.settled().await;
    assert!(bed.is_cut_off("alice"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_closed_before_the_cut_stays_closed() {
    let (mut world, things) = world();
    let main = world.account_mut("main").unwrap();
    main.ark.endpoints.get_mut(&things.endpoints[0]).unwrap().status.put(EndpointStatus::Stopped);
    let bed = bed_of(world, &[]).await;
    bed.cycle().await;
    // An endpoint that is deleted meanwhile is skipped.
    bed.cloud.update(|world| {
        world.account_mut("main").unwrap().ark.endpoints.remove(&things.endpoints[1]);
    });
    want(&bed, AccessGoal::Restored);
    bed.settled().await;
    assert_eq!(running(&bed), ["hers", "his"]);
    assert_eq!(bed.user(ALICE).status, UserStatus::Active);
}

#[tokio::test(flavor = "multi_thread")]
async fn endpoints_close_whatever_the_cloud_calls_it_and_whatever_it_says_to_a_second_stop() {
    for stopped in ["Stopped", "STOPPED", "已停止", "Offline"] {
        for refused in [true, false] {
            let (mut world, _) = world();
            world.rules.ark.stopped_text = stopped;
            world.rules.ark.repeats_are_refused = refused;
            let bed = bed_of(world, &[]).await;
            bed.cycle().await;
            assert_eq!(bed.user(ALICE).status, UserStatus::Disabled, "{stopped} {refused}");
            assert_eq!(running(&bed), ["his"]);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn limits_that_the_cloud_ignores_and_actions_that_it_lacks_are_said_by_name() {
    for (rule, has_actions, state) in [
        (RateLimitRule::Obeyed, true, PathState::Closed),
        (RateLimitRule::Dropped, true, not_covered(NotCovered::LimitsIgnored)),
        (RateLimitRule::Refused, true, not_covered(NotCovered::LimitsIgnored)),
        (RateLimitRule::Obeyed, false, not_covered(NotCovered::NoSuchAction)),
    ] {
        let (mut world, _) = world();
        world.rules.ark.rate_limit = rule;
        world.rules.ark.has_preset_actions = has_actions;
        let bed = bed_of(world, &[]).await;
        bed.cycle().await;
        assert_eq!(bed.user(ALICE).status, UserStatus::Disabled, "{rule:?}");
        assert_eq!(path(&bed, AccessPath::PresetEndpoints).state, state, "{rule:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_counts_as_off_only_once_the_list_shows_it() {
    let off = r#"UpdateApiKey {"Id": $id, "ProjectName": "$project", "Status": "Inactive"}"#;
    let on = r#"UpdateApiKey {"Id": $id, "ProjectName": "$project", "Status": "Active"}"#;
    let further = [
        ("ACCESS__MODEL_KEYS", "disable"),
        ("ACCESS__MODEL_KEY_DISABLE", off),
        ("ACCESS__MODEL_KEY_ENABLE", on),
    ];
    let works = |bed: &Bed| {
        let ark = |world: &airgate::sandbox::world::World| {
            let keys = &world.account("main").unwrap().ark.keys;
            keys.values().map(|key| (key.name.clone(), *key.on.get())).collect::<BTreeMap<_, _>>()
        };
        bed.cloud.read(ark)
    };
    let (world, _) = world();
    let bed = bed_of(world, &further).await;
    bed.cycle().await;
    assert_eq!(bed.user(ALICE).status, UserStatus::Disabled);
    assert_eq!(works(&bed), [("hers".to_owned(), false), ("his".to_owned(), true)].into());
    want(&bed, AccessGoal::Restored);
    bed.settled().await;
    assert!(works(&bed).values().all(|on| *on));

    // A field that the cloud ignores.
    let (mut world, _) = super::world();
    world.rules.ark.key_switch = KeySwitchForm::Disable;
    let bed = bed_of(world, &further).await;
    decide(&bed).await;
    eventually("a failure", || {
        let state = states(&bed).remove(&AccessPath::ModelKeys);
        matches!(state, Some(PathState::Failing { .. }))
    })
    .await;
    assert_eq!(bed.user(ALICE).status, UserStatus::Active, "not confirmed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_rotated_once() {
    let (world, things) = world();
    let bed = bed_of(world, &[("ACCESS__MODEL_KEYS", "rotate")]).await;
    // The others need several attempts.
    bed.cloud.faults().inject(FaultRule::new(denied()).on("UpdateLoginProfile").times(3));
    decide(&bed).await;
    bed.settled().await;
    assert_eq!(bed.user(ALICE).status, UserStatus::Disabled);
    assert!(bed.cloud.call_model(&things.key, &things.endpoints[0]).is_err());
    let rotations = bed.cloud.calls().into_iter().filter(|call| call.action == "UpdateApiKey");
    let rotations = rotations.filter(|call| call.params.contains_key("Regen")).count();
    assert_eq!(rotations, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn jobs_are_stopped_only_where_that_is_configured_and_go_on_after_a_restore() {
    let (world, _) = world();
    let bed = bed_of(world, &[("ACCESS__STOP_JOBS", "true")]).await;
    bed.cycle().await;
    assert_eq!(path(&bed, AccessPath::Jobs).state, PathState::Closed);
    assert_eq!(bed.cloud.count("StopBatchInferenceJob"), 1);
    want(&bed, AccessGoal::Restored);
    bed.settled().await;
    assert_eq!(bed.cloud.count("ResumeBatchInferenceJob"), 1);
    assert_eq!(bed.user(ALICE).status, UserStatus::Active);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_of_that_name_with_another_document_is_left_alone_and_told_once() {
    let other = r#"{"Statement":[{"Effect":"Allow","Action":["*"],"Resource":["*"]}]}"#;
    let (mut world, _) = world();
    let main = world.account_mut("main").unwrap();
    main.custom_policies.add("airgate-deny-all", other, "somebody's");
    let mut bed = bed_of(world, &[]).await;
    bed.cycle().await;
    let held = |bed: &Bed| {
        bed.cloud.read(|world| {
            let policies = &world.user("main", "alice").unwrap().policies;
            policies.iter().map(|policy| policy.name.clone()).collect::<Vec<_>>()
        })
    };
    assert_eq!(held(&bed), ["airgate-deny-all-2"]);
    let taken = |bed: &Bed| problems(bed, |it| matches!(it, Problem::PolicyTaken { .. }));
    assert_eq!(taken(&bed), 1);
    bed.restart().await;
    want(&bed, AccessGoal::Restored);
    bed.settled().await;
    assert!(held(&bed).is_empty());
    want(&bed, AccessGoal::Cut);
    bed.settled().await;
    assert_eq!((held(&bed).len(), taken(&bed)), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_held_the_policy_before_the_cut_keeps_it_after_the_restore() {
    let deny = r#"{"Statement":[{"Effect":"Deny","Action":["*"],"Resource":["*"]}]}"#;
    let (mut world, _) = world();
    let main = world.account_mut("main").unwrap();
    main.custom_policies.add("airgate-deny-all", deny, "");
    let alice = world.user_mut("main", "alice").unwrap();
    alice.attach(
        "airgate-deny-all",
        airgate::sandbox::world::PolicyKind::Custom,
        airgate::sandbox::world::PolicyScope::Global,
    );
    let bed = bed_of(world, &[]).await;
    bed.cycle().await;
    assert_eq!(bed.cloud.count("AttachUserPolicy"), 0);
    want(&bed, AccessGoal::Restored);
    bed.settled().await;
    assert_eq!(bed.cloud.read(|world| world.user("main", "alice").unwrap().policies.len()), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_conflict_that_does_not_say_attached_is_a_failure() {
    let (world, _) = world();
    let bed = bed_of(world, &[]).await;
    let conflict = |code: &str| Fault::Code {
        http: 409,
        code: code.to_owned(),
        message: "too many".to_owned(),
    };
    bed.cloud
        .faults()
        .inject(FaultRule::new(conflict("AttachmentConflict")).on("AttachUserPolicy"));
    decide(&bed).await;
    eventually("a failure", || {
        matches!(states(&bed).remove(&AccessPath::Signed), Some(PathState::Failing { .. }))
    })
    .await;
    assert_eq!(bed.user(ALICE).status, UserStatus::Active);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_user_who_is_gone_left_is_closed_and_then_it_ends() {
    let (world, things) = world();
    let bed = bed_of(world, &[]).await;
    bed.cloud.update(|world| world.account_mut("main").unwrap().users.remove("alice"));
    bed.cloud.faults().inject(FaultRule::new(denied()).on("StopEndpoint").times(4));
    want(&bed, AccessGoal::Cut);
    bed.settled().await;
    assert_eq!(bed.user(ALICE).status, UserStatus::Gone);
    assert_eq!(running(&bed), ["his"]);
    assert!(bed.cloud.call_model(&things.temporary, &things.endpoints[0]).is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_alert_at_the_minute_says_how_every_path_stands_while_a_call_hangs() {
    let (world, _) = world();
    let bed = bed_of(world, &[]).await;
    bed.cloud.faults().inject(FaultRule::new(Fault::Timeout).on("ListEndpoints"));
    decide(&bed).await;
    eventually("the keys off", || states(&bed).contains_key(&AccessPath::AccessKeys)).await;
    let late = |it: &Problem| matches!(it, Problem::AccessDelayed { .. });
    bed.clock.advance(SignedDuration::from_secs(59));
    assert_eq!(problems(&bed, late), 0);
    bed.clock.advance(SignedDuration::from_secs(2));
    eventually("the alert", || problems(&bed, late) == 1).await;
    let paths = bed.alert_records().into_iter().find_map(|alert| match alert.body {
        airgate::domain::AlertBody::Error { problem: Problem::AccessDelayed { paths, .. } } => {
            Some(paths)
        }
        _ => None,
    });
    let paths = paths.unwrap();
    assert_eq!(paths.len(), AccessPath::ALL.len());
    assert_eq!(paths[&AccessPath::AccessKeys].state, PathState::Closed);
    assert!(matches!(paths[&AccessPath::Endpoints].state, PathState::Failing { .. }));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_that_is_started_again_is_stopped_again_and_alerted_once() {
    let (world, things) = world();
    let bed = bed_of(world, &[]).await;
    bed.cycle().await;
    let start = |id: &str| {
        bed.cloud.update(|world| {
            let endpoints = &mut world.account_mut("main").unwrap().ark.endpoints;
            endpoints.get_mut(id).unwrap().status.put(EndpointStatus::Running);
        });
    };
    start(&things.endpoints[0]);
    // And one that did not exist before the cut.
    bed.cloud.update(|world| {
        world.account_mut("main").unwrap().add_endpoint("team-a", "new", Some("alice"));
    });
    for _ in 0..8 {
        bed.cycle().await;
        bed.settled().await;
    }
    assert_eq!(running(&bed), ["his"]);
    let reopened = |it: &Problem| matches!(it, Problem::AccessReopened { .. });
    assert_eq!(problems(&bed, reopened), 1);
    want(&bed, AccessGoal::Restored);
    bed.settled().await;
    assert_eq!(running(&bed), ["chat", "embed", "hers", "his"], "not what was new");
}
