//! Each account has its own incidents, and the alerts name it.

use airgate::domain::{AlertBody, Problem, UserStatus};
use airgate::sandbox::volcengine::{Fault, FaultRule};
use jiff::SignedDuration;

use crate::access::{bed_of, world};
use crate::bed::{Bed, text_of};
use crate::monitor::two_accounts;

/// What the alerts about errors say, in order.
fn told(bed: &Bed) -> Vec<String> {
    let names = |accounts: &[airgate::domain::AccountId]| {
        accounts.iter().map(ToString::to_string).collect::<Vec<_>>().join("+")
    };
    let of = |body: &AlertBody| match body {
        AlertBody::Error { problem: Problem::CyclesFailing { accounts, .. } } => {
            Some(format!("{} fails", names(accounts)))
        }
        AlertBody::Error { problem: Problem::CyclesRecovered { accounts } } => {
            Some(format!("{} is back", names(accounts)))
        }
        AlertBody::Error { problem: Problem::CredentialsRefused { account, .. } } => {
            Some(format!("{account} is refused"))
        }
        AlertBody::Error { problem: Problem::CredentialsRecovered { account } } => {
            Some(format!("{account} is accepted"))
        }
        AlertBody::Error { problem } => Some(format!("{problem:?}")),
        _ => None,
    };
    bed.alert_records().iter().filter_map(|alert| of(&alert.body)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_fails_while_another_one_does_is_named_as_well() {
    let bed = two_accounts().await;
    bed.cloud.faults().inject(FaultRule::new(Fault::NotJson).of("main"));
    for _ in 0..4 {
        bed.cycle().await;
    }
    assert_eq!(told(&bed), ["main fails"]);
    bed.cloud.faults().inject(FaultRule::new(Fault::Status(503)).of("labs"));
    for _ in 0..4 {
        bed.cycle().await;
    }
    assert_eq!(told(&bed), ["main fails", "labs fails"]);
    let card = text_of(bed.alerts().last().unwrap());
    assert!(card.contains("labs") && !card.contains("main"), "{card}");
    bed.cloud.faults().clear();
    bed.cycle().await;
    bed.cycle().await;
    assert_eq!(told(&bed), ["main fails", "labs fails", "labs+main is back"]);
    let card = text_of(bed.alerts().last().unwrap());
    assert!(card.contains("labs") && card.contains("main"), "{card}");
}

#[tokio::test(flavor = "multi_thread")]
async fn accounts_that_fail_for_different_reasons_have_an_alert_and_a_recovery_each() {
    let bed = two_accounts().await;
    bed.cloud.faults().inject(FaultRule::new(Fault::CredentialsRefused).of("main"));
    bed.cloud.faults().inject(FaultRule::new(Fault::Status(503)).of("labs"));
    for _ in 0..4 {
        bed.cycle().await;
    }
    assert_eq!(told(&bed), ["main is refused", "labs fails"]);
    bed.cloud.faults().clear();
    bed.cloud.faults().inject(FaultRule::new(Fault::Status(503)).of("labs"));
    for _ in 0..4 {
        bed.cycle().await;
    }
    assert_eq!(told(&bed)[2..], ["main is accepted"]);
    bed.cloud.faults().clear();
    bed.cycle().await;
    bed.cycle().await;
    assert_eq!(told(&bed)[3..], ["labs is back"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_key_pair_that_bills_looks_and_proofs_meet_is_one_incident() {
    let (world, _) = world();
    let bed = bed_of(world, &[]).await;
    bed.cycle().await;
    assert_eq!(bed.user("main/alice").status, UserStatus::Disabled);
    // From now on, a cycle looks at the cut paths, and at what is spent since.
    bed.clock.advance(SignedDuration::from_hours(3));
    bed.cloud.clear_calls();
    bed.cloud.faults().inject(FaultRule::new(Fault::CredentialsRefused));
    for _ in 0..4 {
        bed.cycle().await;
    }
    for action in ["ListSplitBillDetail", "GetPolicy", "GetInferenceUsage"] {
        assert!(bed.cloud.count(action) > 0, "{action} was not called");
    }
    assert_eq!(told(&bed), ["main is refused"]);
    bed.cloud.faults().clear();
    bed.cycle().await;
    bed.cycle().await;
    assert_eq!(told(&bed), ["main is refused", "main is accepted"]);
}
