//! What happens between a cut and its restore: links and the configuration change, colleagues go on working, states pass,
//! clocks are set.

use std::time::{Duration, Instant};

use airgate::app::projects;
use airgate::domain::{AccessGoal, AccessPath, ModelKeys, Models, PathState, Problem, UserStatus};
use airgate::sandbox::volcengine::{Fault, FaultRule};
use airgate::sandbox::world::{EndpointStatus, KeyStatus, Model, Phase};
use jiff::SignedDuration;

use super::{ALICE, attempts, bed_of, decide, path, problems, want, want_of, world};
use crate::bed::{Bed, eventually, user_key};

const BOB: &str = "main/bob";

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

fn put(bed: &Bed, id: &str, status: EndpointStatus) {
    bed.cloud.update(|world| {
        let endpoints = &mut world.account_mut("main").unwrap().ark.endpoints;
        endpoints.get_mut(id).unwrap().status.put(status);
    });
}

fn unlink(bed: &Bed, user: &str, project: &str) {
    let (project, now) = (project.parse().unwrap(), bed.clock.now());
    bed.store.write(|tx| projects::remove(tx, &user_key(user), &project, now)).unwrap();
}

/// Lets every turn of every disabled user come.
async fn look_at_all(bed: &Bed) {
    for _ in 0..8 {
        bed.clock.advance(SignedDuration::from_mins(1));
        bed.cycle().await;
        bed.settled().await;
    }
}

fn reopened(bed: &Bed) -> usize {
    problems(bed, |it| matches!(it, Problem::AccessReopened { .. }))
}

fn not_now() -> Fault {
    Fault::Code {
        http: 403,
        code: "OperationDenied.InvalidState".to_owned(),
        message: "not now".to_owned(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restore_that_cannot_end_keeps_no_cut_from_coming() {
    let (world, things) = world();
    let bed = bed_of(world, &[]).await;
    bed.cycle().await;
    assert!(bed.is_cut_off("alice"));
    // Its model was retired: it does not start again.
    bed.cloud
        .faults()
        .inject(FaultRule::new(not_now()).on("StartEndpoint").about(&things.endpoints[0]));
    want(&bed, AccessGoal::Restored);
    eventually("the rest to be open", || !bed.is_cut_off("alice") && attempts(&bed) > 0).await;
    // The quota is still used up.
    bed.clock.advance(SignedDuration::from_hours(1));
    let late = |it: &Problem| matches!(it, Problem::AccessDelayed { .. });
    eventually("the alert", || problems(&bed, late) == 1).await;
    bed.service().monitor().cycle().await.unwrap();
    eventually("the cut", || bed.is_cut_off("alice")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_that_still_stops_is_started_once_it_has_stopped() {
    let (world, things) = world();
    let bed = bed_of(world, &[]).await;
    bed.cycle().await;
    put(&bed, &things.endpoints[0], EndpointStatus::Other("Stopping"));
    bed.cloud
        .faults()
        .inject(FaultRule::new(not_now()).on("StartEndpoint").about(&things.endpoints[0]));
    want(&bed, AccessGoal::Restored);
    eventually("a refused start", || bed.owed() == 0 || attempts(&bed) > 0).await;
    put(&bed, &things.endpoints[0], EndpointStatus::Stopped);
    bed.cloud.faults().clear();
    bed.settled().await;
    assert_eq!(running(&bed), ["chat", "embed", "hers", "his"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_that_had_failed_before_the_cut_keeps_no_restore_from_ending() {
    let (world, things) = world();
    let bed = bed_of(world, &[]).await;
    put(&bed, &things.endpoints[0], EndpointStatus::Other("Failed"));
    bed.cycle().await;
    // It starts, and fails again before the answer is there.
    let slow = Fault::Slow(Duration::from_secs(1));
    let rule = FaultRule::new(slow).on("StartEndpoint").about(&things.endpoints[0]);
    bed.cloud.faults().inject(rule);
    bed.cloud.clear_calls();
    want(&bed, AccessGoal::Restored);
    eventually("the start", || running(&bed).contains(&"chat".to_owned())).await;
    put(&bed, &things.endpoints[0], EndpointStatus::Other("Failed"));
    bed.settled().await;
    assert_eq!(bed.cloud.count("StartEndpoint"), 3, "once each");
    assert_eq!(bed.user(ALICE).status, UserStatus::Active);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_still_stops_is_resumed_once_it_has_stopped() {
    let (world, _) = world();
    let bed = bed_of(world, &[("ACCESS__STOP_JOBS", "true")]).await;
    bed.cycle().await;
    let phase = |phase| {
        bed.cloud.update(|world| {
            let jobs = world.account_mut("main").unwrap().ark.jobs.values_mut();
            jobs.for_each(|job| job.phase.put(phase));
        });
    };
    phase(Phase::Terminating);
    want(&bed, AccessGoal::Restored);
    eventually("a refused resume", || bed.cloud.count("ResumeBatchInferenceJob") > 0).await;
    eventually("its end", || bed.owed() == 0 || attempts(&bed) > 0).await;
    phase(Phase::Terminated);
    bed.settled().await;
    let runs = bed.cloud.read(|world| {
        let mut jobs = world.account("main").unwrap().ark.jobs.values();
        jobs.all(|job| *job.phase.get() == Phase::Running)
    });
    assert!(runs);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_is_made_after_the_cut_is_rotated_too_and_once() {
    let (world, _) = world();
    let bed = bed_of(world, &[("ACCESS__MODEL_KEYS", "rotate")]).await;
    bed.cycle().await;
    let key = bed.cloud.update(|world| {
        let main = world.account_mut("main").unwrap();
        main.add_ark_key("team-a", "new", Some("alice")).text().to_owned()
    });
    bed.cloud.clear_calls();
    look_at_all(&bed).await;
    assert_eq!(reopened(&bed), 1);
    assert!(bed.cloud.call_model(&key, &Model::TEXT.id()).is_err());
    let rotations = bed.cloud.calls().into_iter().filter(|it| it.params.contains_key("Regen"));
    assert_eq!(rotations.count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_colleague_starts_in_a_project_that_is_shared_since_the_cut_goes_on() {
    let (mut world, _) = world();
    let main = world.account_mut("main").unwrap();
    let ops = main.add_endpoint("team-a", "ops", None).id.clone();
    let bed = bed_of(world, &[]).await;
    bed.cycle().await;
    assert_eq!(running(&bed), ["his"]);
    bed.link(BOB, "team-a", "");
    put(&bed, &ops, EndpointStatus::Running);
    bed.cloud.update(|world| {
        world.account_mut("main").unwrap().ark.presets.values_mut().for_each(|preset| {
            preset.limits.put(Default::default());
        });
    });
    // Something else is opened again, so that there is another cut.
    bed.cloud.update(|world| {
        let user = world.user_mut("main", "alice").unwrap();
        user.login.profile.as_mut().unwrap().login_allowed = true;
    });
    look_at_all(&bed).await;
    assert!(bed.is_cut_off("alice"));
    assert_eq!(running(&bed), ["his", "ops"]);
    let limited = bed.cloud.read(|world| {
        let presets = world.account("main").unwrap().ark.presets.values();
        presets.filter(|preset| preset.limits.get().rate.is_some()).count()
    });
    assert_eq!(limited, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_colleague_starts_in_a_project_that_was_handed_on_goes_on() {
    let (mut world, _) = world();
    let main = world.account_mut("main").unwrap();
    let ops = main.add_endpoint("team-a", "ops", None).id.clone();
    let bed = bed_of(world, &[]).await;
    bed.cycle().await;
    unlink(&bed, ALICE, "team-a");
    bed.link(BOB, "team-a", "");
    put(&bed, &ops, EndpointStatus::Running);
    bed.cloud.update(|world| {
        let user = world.user_mut("main", "alice").unwrap();
        user.login.profile.as_mut().unwrap().login_allowed = true;
    });
    look_at_all(&bed).await;
    assert!(bed.is_cut_off("alice"));
    assert_eq!(running(&bed), ["his", "ops"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_ran_all_along_in_a_project_that_becomes_the_users_own_comes_back_with_a_restore() {
    let (world, _) = world();
    let bed = bed_of(world, &[]).await;
    bed.cycle().await;
    assert_eq!(running(&bed), ["his"]);
    unlink(&bed, BOB, "shared");
    look_at_all(&bed).await;
    assert!(running(&bed).is_empty());
    assert_eq!(reopened(&bed), 0, "nobody has opened anything");
    want(&bed, AccessGoal::Restored);
    bed.settled().await;
    assert_eq!(running(&bed), ["chat", "embed", "hers", "his"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_ran_all_along_in_a_project_that_is_linked_after_the_cut_comes_back_with_a_restore() {
    let (mut world, _) = world();
    let main = world.account_mut("main").unwrap();
    main.add_project("late", "late");
    main.add_endpoint("late", "late", None);
    let bed = bed_of(world, &[]).await;
    bed.cycle().await;
    bed.link(ALICE, "late", "");
    look_at_all(&bed).await;
    look_at_all(&bed).await;
    assert_eq!(running(&bed), ["his"]);
    assert_eq!(reopened(&bed), 0, "nobody has opened anything");
    want(&bed, AccessGoal::Restored);
    bed.settled().await;
    assert_eq!(running(&bed), ["chat", "embed", "hers", "his", "late"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_path_that_is_closed_by_a_new_configuration_comes_back_with_a_restore() {
    let (world, things) = world();
    let mut bed = bed_of(world, &[]).await;
    bed.cycle().await;
    bed.cloud.update(|world| {
        let user = world.user_mut("main", "alice").unwrap();
        user.login.profile.as_mut().unwrap().login_allowed = true;
    });
    look_at_all(&bed).await;
    assert_eq!(reopened(&bed), 1);
    // Keys were left to a person, and jobs alone.
    bed.config.access.rules.model_keys = ModelKeys::Disable {
        disable: r#"UpdateApiKey {"Id": $id, "Status": "Inactive"}"#.parse().unwrap(),
        enable: r#"UpdateApiKey {"Id": $id, "Status": "Active"}"#.parse().unwrap(),
    };
    bed.config.access.rules.stop_jobs = true;
    bed.restart().await;
    look_at_all(&bed).await;
    look_at_all(&bed).await;
    assert!(bed.cloud.call_model(&things.key, &Model::TEXT.id()).is_err());
    let jobs = |phase| {
        bed.cloud.read(|world| {
            let mut jobs = world.account("main").unwrap().ark.jobs.values();
            jobs.all(|job| *job.phase.get() == phase)
        })
    };
    assert!(jobs(Phase::Terminated));
    assert_eq!(reopened(&bed), 1, "nobody has opened anything else");
    want(&bed, AccessGoal::Restored);
    bed.settled().await;
    assert!(bed.cloud.call_model(&things.key, &things.endpoints[0]).is_ok());
    assert!(jobs(Phase::Running));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_is_set_back_keeps_nothing_open() {
    let (mut world, _) = world();
    let period = "2026-12".parse().unwrap();
    world.account_mut("main").unwrap().spend("team-a", 120.into(), period);
    let bed = bed_of(world, &[]).await;
    bed.clock.advance(SignedDuration::from_hours(24 * 30));
    bed.cycle().await;
    assert!(bed.is_cut_off("alice"));
    bed.at("2026-11-23T04:00:00Z");
    bed.cloud.update(|world| {
        let user = world.user_mut("main", "alice").unwrap();
        user.keys.iter_mut().for_each(|key| key.status = KeyStatus::Active);
    });
    look_at_all(&bed).await;
    assert!(bed.is_cut_off("alice"));
}

#[tokio::test(flavor = "multi_thread")]
async fn two_cuts_that_close_the_same_thing_open_it_with_the_last_restore() {
    for first in [ALICE, BOB] {
        let (world, _) = world();
        let mut bed = bed_of(world, &[]).await;
        bed.allocate(ALICE, "1000");
        bed.config.access.rules.models = Models::Linked;
        bed.restart().await;
        want(&bed, AccessGoal::Cut);
        bed.settled().await;
        want_of(&bed, BOB, AccessGoal::Cut);
        bed.settled().await;
        assert!(running(&bed).is_empty());
        let second = if first == ALICE { BOB } else { ALICE };
        want_of(&bed, first, AccessGoal::Restored);
        bed.settled().await;
        let open = running(&bed);
        assert!(
            !open.contains(&"his".to_owned()) && !open.contains(&"hers".to_owned()),
            "{first}: {open:?}"
        );
        look_at_all(&bed).await;
        assert_eq!(reopened(&bed), 0, "{first}");
        want_of(&bed, second, AccessGoal::Restored);
        bed.settled().await;
        assert_eq!(running(&bed), ["chat", "embed", "hers", "his"], "{first}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_colleague_spends_in_a_project_that_is_shared_since_the_cut_proves_nothing() {
    let (world, things) = world();
    let bed = bed_of(world, &[]).await;
    bed.cycle().await;
    bed.link(BOB, "team-a", "");
    put(&bed, &things.endpoints[0], EndpointStatus::Running);
    bed.clock.advance(SignedDuration::from_hours(4));
    let key = bed.cloud.update(|world| {
        let main = world.account_mut("main").unwrap();
        let ep = main.add_endpoint("team-a", "bobs", Some("bob")).id.clone();
        (main.add_ark_key("team-a", "bobs", Some("bob")).text().to_owned(), ep)
    });
    bed.cloud.call_model(&key.0, &key.1).unwrap();
    bed.clock.advance(SignedDuration::from_mins(30));
    for _ in 0..3 {
        bed.cycle().await;
    }
    assert_eq!(problems(&bed, |it| matches!(it, Problem::StillSpending { .. })), 0);
}

/// Names are given again: whoever has the name of a cut user now is somebody else.
#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_cut_for_having_the_name_that_another_user_had() {
    let (world, _) = world();
    let bed = bed_of(world, &[]).await;
    bed.cloud.update(|world| {
        let main = world.account_mut("main").unwrap();
        let mut alice = main.users.remove("alice").unwrap();
        alice.name = "alina".to_owned();
        main.users.insert("alina".to_owned(), alice);
        main.add_user("alice").add_key(KeyStatus::Active);
    });
    decide(&bed).await;
    bed.settled().await;
    assert!(bed.is_cut_off("alina"));
    let new = bed.cloud.read(|world| world.user("main", "alice").unwrap().clone());
    assert!(new.keys.iter().all(|key| key.status == KeyStatus::Active));
    assert!(new.login.allowed() && new.policies.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_missing_from_the_list_of_holders_is_looked_at_on_every_path() {
    let (world, _) = world();
    let bed = bed_of(world, &[]).await;
    bed.cycle().await;
    let none =
        Fault::Code { http: 404, code: "PolicyNotExist".to_owned(), message: "none".to_owned() };
    bed.cloud.faults().inject(FaultRule::new(none).on("ListEntitiesForPolicy"));
    bed.cloud.update(|world| {
        world.account_mut("main").unwrap().add_preset("team-a", Model::IMAGE);
    });
    look_at_all(&bed).await;
    look_at_all(&bed).await;
    let limited = bed.cloud.read(|world| {
        let presets = world.account("main").unwrap().ark.presets.values();
        presets.filter(|preset| preset.limits.get().rate.is_some_and(|it| it.rpm == 0)).count()
    });
    assert_eq!(limited, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_whose_document_was_changed_is_replaced() {
    let (world, _) = world();
    let bed = bed_of(world, &[]).await;
    bed.cycle().await;
    bed.cloud.update(|world| {
        let other = r#"{"Statement":[{"Effect":"Allow","Action":["*"],"Resource":["*"]}]}"#;
        world.account_mut("main").unwrap().custom_policies.add("airgate-deny-all", other, "");
    });
    look_at_all(&bed).await;
    let holds = bed.cloud.read(|world| {
        let user = world.user("main", "alice").unwrap();
        user.policies.iter().map(|it| it.name.clone()).collect::<Vec<_>>()
    });
    assert!(holds.contains(&"airgate-deny-all-2".to_owned()), "{holds:?}");
    assert!(matches!(path(&bed, AccessPath::Signed).state, PathState::Closed));
}

/// 2 calls of 30 s each in a cloud that hangs.
#[tokio::test(flavor = "multi_thread")]
async fn looks_take_at_most_a_tenth_of_the_time_between_cycles() {
    let (world, _) = world();
    let bed = bed_of(world, &[("MONITOR__INTERVAL_SECONDS", "10")]).await;
    bed.cycle().await;
    for hangs in [
        "ListEntitiesForPolicy",
        "ListAccessKeys",
        "GetLoginProfile",
        "iam:ListApiKeys",
        "ListEndpoints",
        "InnerDescribeModelEndpoints",
        "GetInferenceUsage",
    ] {
        bed.cloud.faults().inject(FaultRule::new(Fault::Timeout).on(hangs));
    }
    bed.clock.advance(SignedDuration::from_hours(4));
    let began = Instant::now();
    bed.service().monitor().cycle().await.unwrap();
    assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
}
