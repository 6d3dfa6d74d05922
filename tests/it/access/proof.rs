//! Proof of a cut by what is spent afterwards.

use airgate::domain::{Problem, Proof, ProofState};
use airgate::sandbox::world::{EndpointStatus, UsageShape};
use jiff::SignedDuration;

use super::{ALICE, bed_of, problems, world};
use crate::bed::{Bed, user_key};

fn proof(bed: &Bed) -> Proof {
    bed.store.read(|tx| tx.access_proof(&user_key(ALICE))).unwrap().unwrap()
}

fn still(it: &Problem) -> bool {
    matches!(it, Problem::StillSpending { .. })
}

#[tokio::test(flavor = "multi_thread")]
async fn what_spends_after_a_cut_is_alerted_once_by_endpoint_and_key() {
    let (world, things) = world();
    let bed = bed_of(world, &[]).await;
    bed.cycle().await;
    // Usage is hourly and comes late: shortly after the cut, nothing is known, and nothing is asked.
    bed.cloud.clear_calls();
    bed.cycle().await;
    assert_eq!(proof(&bed).state, ProofState::Waiting);
    assert_eq!(bed.cloud.count("GetInferenceUsage"), 0);
    // The cut may be confirmed some seconds after the hour: then the first hour that counts begins two hours later.
    bed.clock.advance(SignedDuration::from_hours(4));
    let known = || bed.clock.now() - SignedDuration::from_mins(30);
    let before = known();
    bed.cycle().await;
    let state = proof(&bed).state;
    let ProofState::Nothing { until } = state else { panic!("{state:?}") };
    assert!((before..=known()).contains(&until), "{until}");
    bed.cloud.update(|world| {
        let endpoints = &mut world.account_mut("main").unwrap().ark.endpoints;
        endpoints.get_mut(&things.endpoints[0]).unwrap().status.put(EndpointStatus::Running);
    });
    bed.cloud.call_model(&things.key, &things.endpoints[0]).unwrap();
    bed.clock.advance(SignedDuration::from_mins(30));
    for _ in 0..3 {
        bed.cycle().await;
    }
    assert_eq!(problems(&bed, still), 1);
    assert_eq!(proof(&bed).spenders[0].endpoint, things.endpoints[0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_is_not_understood_proves_nothing() {
    let (mut world, _) = world();
    world.rules.ark.usage_shape = UsageShape::CountOnly;
    let bed = bed_of(world, &[]).await;
    bed.cycle().await;
    bed.clock.advance(SignedDuration::from_hours(4));
    bed.cycle().await;
    let state = proof(&bed).state;
    assert!(matches!(state, ProofState::Unproven { .. }), "{state:?}");
    assert_eq!(problems(&bed, still), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cut_that_was_dated_by_a_clock_ahead_is_watched_from_now_on() {
    let (world, things) = world();
    let bed = bed_of(world, &[]).await;
    let month = SignedDuration::from_hours(30 * 24);
    bed.cloud.update(|world| {
        let account = world.account_mut("main").unwrap();
        account.spend("team-a", 120.into(), "2026-12".parse().unwrap());
    });
    bed.clock.advance(month);
    bed.cycle().await;
    bed.clock.advance(-month);
    assert!(proof(&bed).cut > bed.clock.now());
    bed.cycle().await;
    assert!(proof(&bed).cut <= bed.clock.now());
    bed.cloud.update(|world| {
        let endpoints = &mut world.account_mut("main").unwrap().ark.endpoints;
        endpoints.get_mut(&things.endpoints[0]).unwrap().status.put(EndpointStatus::Running);
    });
    bed.clock.advance(SignedDuration::from_hours(3));
    bed.cloud.call_model(&things.key, &things.endpoints[0]).unwrap();
    bed.clock.advance(SignedDuration::from_mins(90));
    bed.cycle().await;
    assert_eq!(problems(&bed, still), 1);
}
