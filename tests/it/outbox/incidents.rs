//! Each account has its own incidents, and the alerts name it.

use airgate::domain::{AlertBody, Problem};
use airgate::sandbox::volcengine::{Fault, FaultRule};

use crate::bed::{Bed, text_of};
use crate::monitor::two_accounts;

/// The accounts of the alerts about failing and recovered accounts, in order.
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
