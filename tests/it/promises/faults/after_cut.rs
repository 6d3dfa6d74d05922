//! The calls after and around a cut that name no user: the policy that is made once, the list of those who hold it, and
//! the usage that proves a cut.

use airgate::domain::{AccessGoal, Problem, ProofState, UserStatus};
use airgate::sandbox::volcengine::FaultRule;
use airgate::sandbox::world::World;
use jiff::SignedDuration;

use super::{FAULTS, Fault, all_of, chat_answers, heal, settled, timeouts};
use crate::bed::{Bed, eventually, one_account, user_key};

const ALICE: &str = "main/alice";
const DENY_ALL: &str = "airgate-deny-all";

/// Alice, who has spent 120 of 100 in a project that she has alone.
async fn over_quota() -> Bed {
    let mut world: World = one_account();
    let main = world.account_mut("main").unwrap();
    main.add_project("team-a", "甲组");
    main.spend("team-a", 120.into(), "2026-11".parse().unwrap());
    main.add_user("alice");
    let bed = Bed::with_timeouts(world, &[], timeouts()).await;
    bed.add_users(&[ALICE]);
    bed.link(ALICE, "team-a", "");
    bed.allocate(ALICE, "100");
    bed
}

fn holds_policy(bed: &Bed) -> bool {
    bed.cloud.read(|world| {
        let policies = &world.user("main", "alice").unwrap().policies;
        policies.iter().any(|policy| policy.name == DENY_ALL)
    })
}

fn alerted(bed: &Bed, wanted: impl Fn(&Problem) -> bool) -> usize {
    let is = |body: &airgate::domain::AlertBody| matches!(body, airgate::domain::AlertBody::Error { problem } if wanted(problem));
    bed.alert_records().iter().filter(|alert| is(&alert.body)).count()
}

async fn the_policy((action, fault): (&'static str, Fault)) {
    let cell = format!("{action}, {fault:?}");
    let bed = over_quota().await;
    bed.cloud.faults().inject(FaultRule::new(fault.of_cloud()).on(action));
    assert_eq!(bed.service().monitor().cycle().await.unwrap().disables, 1, "{cell}");
    eventually(&cell, || {
        let pending = bed.store.read(|tx| tx.access_pending(&user_key(ALICE))).unwrap();
        pending.is_none_or(|pending| pending.attempts > 0)
    })
    .await;
    chat_answers(&bed, &cell).await;
    let disabled = bed.user(ALICE).status == UserStatus::Disabled;
    assert!(holds_policy(&bed) || !disabled, "{cell}: disabled without the policy");
    heal(&bed).await;
    settled(&bed, &cell).await;
    assert_eq!(bed.user(ALICE).status, UserStatus::Disabled, "{cell}");
    assert!(holds_policy(&bed), "{cell}");
    let taken = alerted(&bed, |problem| matches!(problem, Problem::PolicyTaken { .. }));
    assert_eq!(taken, 0, "{cell}: its own policy is another's");
    crate::access::want(&bed, AccessGoal::Restored);
    settled(&bed, &cell).await;
    assert!(!holds_policy(&bed), "{cell}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_policy_is_made_once_whatever_happens_to_the_calls_that_make_it() {
    let cells = ["GetPolicy", "CreatePolicy"];
    let cells = cells.into_iter().flat_map(|action| FAULTS.iter().map(move |it| (action, *it)));
    all_of(cells.map(the_policy)).await;
}

async fn a_look(fault: Fault) {
    let cell = format!("ListEntitiesForPolicy, {fault:?}");
    let bed = over_quota().await;
    bed.cycle().await;
    assert_eq!(bed.user(ALICE).status, UserStatus::Disabled, "{cell}");
    bed.cloud.faults().inject(FaultRule::new(fault.of_cloud()).on("ListEntitiesForPolicy"));
    bed.service().monitor().cycle().await.ok();
    chat_answers(&bed, &cell).await;
    let reopened = |bed: &Bed| alerted(bed, |it| matches!(it, Problem::AccessReopened { .. }));
    assert_eq!((bed.user(ALICE).status, reopened(&bed)), (UserStatus::Disabled, 0), "{cell}");
    heal(&bed).await;
    bed.cloud.update(|world| world.user_mut("main", "alice").unwrap().policies.clear());
    for _ in 0..4 {
        bed.service().monitor().cycle().await.ok();
        settled(&bed, &cell).await;
    }
    assert!(holds_policy(&bed), "{cell}");
    assert_eq!(reopened(&bed), 1, "{cell}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_look_that_fails_accuses_nobody_and_the_next_one_sees_it() {
    all_of(FAULTS.iter().copied().map(a_look)).await;
}

async fn a_proof(fault: Fault) {
    let cell = format!("GetInferenceUsage, {fault:?}");
    let bed = over_quota().await;
    bed.cycle().await;
    assert_eq!(bed.user(ALICE).status, UserStatus::Disabled, "{cell}");
    // Before that, no usage can prove anything.
    bed.clock.advance(SignedDuration::from_hours(4));
    bed.cloud.faults().inject(FaultRule::new(fault.of_cloud()).on("GetInferenceUsage"));
    bed.service().monitor().cycle().await.ok();
    chat_answers(&bed, &cell).await;
    let proof = || bed.store.read(|tx| tx.access_proof(&user_key(ALICE))).unwrap().unwrap();
    let nothing = || matches!(proof().state, ProofState::Nothing { .. });
    assert_eq!(nothing(), fault == Fault::Late, "{cell}: {:?}", proof());
    heal(&bed).await;
    bed.clock.advance(super::BACKOFF);
    for _ in 0..2 {
        bed.service().monitor().cycle().await.ok();
        settled(&bed, &cell).await;
    }
    assert!(nothing(), "{cell}: {:?}", proof());
    assert_eq!(alerted(&bed, |it| matches!(it, Problem::StillSpending { .. })), 0, "{cell}");
}

#[tokio::test(flavor = "multi_thread")]
async fn usage_that_cannot_be_read_proves_nothing_until_it_can() {
    all_of(FAULTS.iter().copied().map(a_proof)).await;
}
