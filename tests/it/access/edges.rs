//! airgate's own key, a cloud that refuses `*`, lag, a rename on the way, and cuts of older versions.

use airgate::domain::{
    AccessGoal, AccessPath, HeldPolicy, PathState, PolicyKind, PolicyScope, RememberedAccess,
    UserStatus,
};
use airgate::sandbox::volcengine::{Fault, FaultRule};
use airgate::sandbox::world::{EndpointStatus, KeyStatus};

use super::{ALICE, attempts, bed_of, decide, denied, path, want, world};
use crate::bed::{Bed, eventually, user_key};

/// The calls that close something.
const WRITES: [&str; 7] = [
    "UpdateAccessKey",
    "UpdateLoginProfile",
    "AttachUserPolicy",
    "UpdateApiKey",
    "StopEndpoint",
    "InnerUpdateModelEndpoint",
    "StopBatchInferenceJob",
];

fn written(bed: &Bed) -> usize {
    WRITES.iter().map(|action| bed.cloud.count(action)).sum()
}

fn stopped(bed: &Bed) -> usize {
    bed.cloud.read(|world| {
        let endpoints = world.account("main").unwrap().ark.endpoints.values();
        endpoints.filter(|it| *it.status.get() == EndpointStatus::Stopped).count()
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_closed_of_the_user_whose_key_airgate_works_with() {
    for readable in [true, false] {
        let (mut world, _) = world();
        let key = world.account("main").unwrap().keys[0].clone();
        let main = world.account_mut("main").unwrap();
        main.users.get_mut("alice").unwrap().keys.push(key);
        // The sync reads the keys.
        let bed = bed_of(world, &[("ACCESS__STOP_JOBS", "true")]).await;
        if !readable {
            bed.cloud.faults().inject(FaultRule::new(denied()).on("ListAccessKeys"));
        }
        decide(&bed).await;
        eventually("attempts", || attempts(&bed) > 1).await;
        assert_eq!(written(&bed), 0, "readable: {readable}");
        assert_eq!(bed.user(ALICE).status, UserStatus::Active);
        for path in [AccessPath::Signed, AccessPath::Endpoints] {
            let state = super::path(&bed, path).state;
            assert!(matches!(state, PathState::Failing { .. }), "{readable} {path:?} {state:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cloud_that_refuses_every_action_at_once_gets_the_services_one_by_one() {
    let (mut world, _) = world();
    world.rules.action_star_is_refused = true;
    let mut bed = bed_of(world, &[]).await;
    bed.cycle().await;
    assert_eq!(path(&bed, AccessPath::Signed).state, PathState::Closed);
    assert_eq!(bed.user(ALICE).status, UserStatus::Disabled);
    // Another process recognises it.
    bed.restart().await;
    want(&bed, AccessGoal::Restored);
    bed.settled().await;
    bed.cloud.clear_calls();
    want(&bed, AccessGoal::Cut);
    bed.settled().await;
    assert_eq!(bed.cloud.count("CreatePolicy"), 0);
    assert!(bed.is_cut_off("alice"));
}

#[tokio::test(flavor = "multi_thread")]
async fn models_whose_changes_show_late_are_read_until_they_show() {
    for lag in [1, 3] {
        let (mut world, things) = world();
        world.rules.lag = lag;
        let bed = bed_of(world, &[("ACCESS__STOP_JOBS", "true")]).await;
        for _ in 0..2 {
            want(&bed, AccessGoal::Cut);
            bed.settled().await;
            assert_eq!((stopped(&bed), bed.user(ALICE).status), (3, UserStatus::Disabled), "{lag}");
            for model in [things.endpoints[0].clone(), super::Model::TEXT.id()] {
                assert!(bed.cloud.call_model(&things.key, &model).is_err(), "{lag}");
            }
            want(&bed, AccessGoal::Restored);
            bed.settled().await;
            assert_eq!((stopped(&bed), bed.user(ALICE).status), (0, UserStatus::Active), "{lag}");
            for model in [things.endpoints[0].clone(), super::Model::TEXT.id()] {
                assert!(bed.cloud.call_model(&things.key, &model).is_ok(), "{lag}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cut_follows_a_user_who_is_renamed_while_the_models_cannot_be_closed() {
    let (world, _) = world();
    let bed = bed_of(world, &[]).await;
    bed.cloud.faults().inject(FaultRule::new(denied()).on("StopEndpoint"));
    bed.cloud.faults().inject(FaultRule::new(denied()).on("UpdateLoginProfile"));
    decide(&bed).await;
    eventually("an attempt", || attempts(&bed) > 0).await;
    bed.cloud.update(|world| {
        let main = world.account_mut("main").unwrap();
        let mut alice = main.users.remove("alice").unwrap();
        alice.name = "alina".to_owned();
        main.users.insert("alina".to_owned(), alice);
    });
    bed.cloud.faults().clear();
    bed.settled().await;
    assert!(bed.is_cut_off("alina"));
    assert_eq!(stopped(&bed), 3);
    let alina = bed.user("main/alina");
    assert_eq!((alina.status, alina.quota.to_string()), (UserStatus::Disabled, "¥100.00".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restore_attaches_what_a_cut_by_an_older_version_detached() {
    let (world, _) = world();
    let bed = bed_of(world, &[]).await;
    let keys: Vec<String> = bed.cloud.update(|world| {
        let alice = world.user_mut("main", "alice").unwrap();
        alice.keys.iter_mut().for_each(|key| key.status = KeyStatus::Inactive);
        alice.login.profile.as_mut().unwrap().login_allowed = false;
        alice.keys.iter().map(|key| key.id.clone()).collect()
    });
    // As 0.1 wrote it: one of two keys, login, and two policies.
    let policy =
        |name: &str, scope| HeldPolicy { name: name.to_owned(), kind: PolicyKind::System, scope };
    let project = PolicyScope::Project("team-a".parse().unwrap());
    let old = serde_json::json!({
        "cut": bed.clock.now(),
        "active_keys": [keys[0]],
        "login_allowed": true,
        "policies": [
            policy("TOSReadOnlyAccess", PolicyScope::Global),
            policy("ArkFullAccess", project),
        ],
    });
    let old: RememberedAccess = serde_json::from_value(old).unwrap();
    bed.store.write(|tx| tx.put_access_remembered(&user_key(ALICE), &old)).unwrap();
    bed.change(ALICE, |user| user.status = UserStatus::Disabled);
    want(&bed, AccessGoal::Restored);
    bed.settled().await;
    assert_eq!(bed.user(ALICE).status, UserStatus::Active);
    bed.cloud.read(|world| {
        let alice = world.user("main", "alice").unwrap();
        let keys: Vec<KeyStatus> = alice.keys.iter().map(|key| key.status).collect();
        assert_eq!(keys, [KeyStatus::Active, KeyStatus::Inactive]);
        assert!(alice.login.allowed());
        let mut held: Vec<&str> = alice.policies.iter().map(|it| it.name.as_str()).collect();
        held.sort_unstable();
        assert_eq!(held, ["ArkFullAccess", "TOSReadOnlyAccess"]);
    });
    let left = bed.store.read(|tx| tx.access_remembered(&user_key(ALICE))).unwrap();
    assert_eq!(left, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_whose_answer_is_lost_counts_whatever_the_cloud_calls_it() {
    for stopped_text in ["Stopped", "Offline"] {
        let (mut world, _) = world();
        world.rules.ark.stopped_text = stopped_text;
        let bed = bed_of(world, &[]).await;
        bed.cloud.faults().inject(FaultRule::new(Fault::LostAnswer).on("StopEndpoint"));
        decide(&bed).await;
        eventually("the stops", || stopped(&bed) == 3).await;
        bed.cloud.faults().clear();
        bed.settled().await;
        assert_eq!(bed.user(ALICE).status, UserStatus::Disabled, "{stopped_text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_in_a_state_that_nobody_knows_counts_as_open() {
    let (mut world, things) = world();
    let ark = &mut world.account_mut("main").unwrap().ark;
    let odd = EndpointStatus::Other("Updating");
    ark.endpoints.get_mut(&things.endpoints[0]).unwrap().status.put(odd);
    let bed = bed_of(world, &[]).await;
    let refused = Fault::Code {
        http: 400,
        code: "OperationDenied.InvalidState".to_owned(),
        message: "not now".to_owned(),
    };
    let rule = FaultRule::new(refused).on("StopEndpoint").about(&things.endpoints[0]);
    bed.cloud.faults().inject(rule);
    decide(&bed).await;
    eventually("attempts", || attempts(&bed) > 1).await;
    assert_eq!(bed.user(ALICE).status, UserStatus::Active);
    let state = path(&bed, AccessPath::Endpoints).state;
    assert!(matches!(state, PathState::Failing { .. }), "{state:?}");
    bed.cloud.faults().clear();
    bed.settled().await;
    assert_eq!((stopped(&bed), bed.user(ALICE).status), (3, UserStatus::Disabled));
}
