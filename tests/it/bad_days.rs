//! Bad days of the cloud while bills are read, beyond the calls that fail one by one (`faults`): short ones, long ones,
//! and bills that cannot be.

use std::time::Duration;

use airgate::domain::{CycleOutcome, UserStatus};
use airgate::sandbox::volcengine::{Fault, FaultRule};
use airgate::sandbox::world::{BillRow, Product};
use airgate::server::Patience;
use rust_decimal::Decimal;

use crate::bed::{ADMIN, Bed, one_account, quick, text_of};

const LIST: &str = "ListSplitBillDetail";

fn throttled(http: u16) -> Fault {
    Fault::Code {
        http,
        code: "AccountFlowLimitExceeded".to_owned(),
        message: "beyond the limit".to_owned(),
    }
}

/// A user at 45 % of 1000 by 450 rows on two pages.
async fn bed() -> Bed {
    let mut world = one_account();
    world.account_mut("main").unwrap().add_user("alice");
    for _ in 0..450 {
        world.account_mut("main").unwrap().spend(
            "team-a",
            Decimal::ONE,
            "2026-11".parse().unwrap(),
        );
    }
    let patience = Patience { cloud_timeout: Duration::from_secs(3), ..quick() };
    let bed = Bed::with_patience(world, &[], patience).await;
    bed.know(&["main/alice"]);
    bed.link("main/alice", "team-a", "");
    bed.allocate("main/alice", "1000");
    let report = bed.cycle().await;
    assert_eq!((report.outcome, report.warnings), (CycleOutcome::Ok, 0));
    bed
}

#[tokio::test(flavor = "multi_thread")]
async fn split_bills_that_are_not_switched_on_are_no_zero() {
    let bed = bed().await;
    // By now everything is used up, if only somebody could read it.
    bed.cloud.update(|world| {
        world.account_mut("main").unwrap().spend("team-a", 2000.into(), "2026-11".parse().unwrap());
        world.account_mut("main").unwrap().split_bills_enabled = false;
    });
    let report = bed.cycle().await;
    assert_eq!((report.outcome, report.disables), (CycleOutcome::Error, 0));
    let error = report.accounts[0].error.clone().unwrap();
    assert!(error.contains("开通分账账单") && error.contains("monitor.bill_source"), "{error}");
    assert_eq!(bed.record("main/alice").consumed.to_string(), "¥450.00");
    bed.cloud.update(|world| world.account_mut("main").unwrap().split_bills_enabled = true);
    assert_eq!(bed.cycle().await.disables, 1);
    assert_eq!(bed.record("main/alice").consumed.to_string(), "¥2,450.00");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_short_trouble_is_got_over_within_the_cycle() {
    let bed = bed().await;
    for fault in [Fault::Status(500), throttled(200), throttled(429), Fault::LostAnswer] {
        bed.cloud.faults().inject(FaultRule::new(fault).on(LIST).times(1));
    }
    let report = bed.cycle().await;
    assert_eq!(report.outcome, CycleOutcome::Ok, "{report:?}");
    assert_eq!(bed.cloud.faults().pending(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cloud_that_is_down_leaves_chat_and_quota_working() {
    let bed = bed().await;
    bed.cloud.faults().inject(FaultRule::new(Fault::ResetConnection));
    for _ in 0..4 {
        assert_eq!(bed.cycle().await.outcome, CycleOutcome::Error);
    }
    let quota = text_of(&bed.ask(ADMIN, "/quota alice 10").await);
    assert!(quota.contains("¥1,010.00"), "{quota}");
    let reply = bed.ask(ADMIN, "/sync").await;
    bed.card_becomes(&reply.message_id, |card| card.contains("数据保持原样")).await;
    assert_eq!(bed.record("main/alice").status, UserStatus::Active);
    // One incident, however long it lasts.
    assert_eq!(bed.alert_records().len(), 1);
    bed.cloud.faults().clear();
    assert_eq!(bed.cycle().await.outcome, CycleOutcome::Ok);
    assert_eq!(bed.alert_records().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bill_beyond_reason_fails_the_cycle_and_nothing_else() {
    let bed = bed().await;
    bed.cloud.update(|world| {
        let period = "2026-11".parse().unwrap();
        for _ in 0..2 {
            let mut row = BillRow::new(period, "team-a", Product::Ecs, Decimal::ONE);
            row.payable = Decimal::MAX / Decimal::TWO;
            world.account_mut("main").unwrap().add_bill_row(row);
        }
    });
    let report = bed.cycle().await;
    assert_eq!(report.outcome, CycleOutcome::Error);
    assert_eq!((report.warnings, report.disables), (0, 0));
    for amount in [Decimal::MAX, Decimal::MIN, Decimal::from(1_000_000_000_001_i64)] {
        bed.cloud.update(|world| {
            let rows = world.account_mut("main").unwrap();
            let rows = rows.bill_rows_mut("2026-11".parse().unwrap());
            rows.truncate(1);
            rows[0].payable = amount;
        });
        let report = bed.cycle().await;
        let error = report.accounts[0].error.clone().unwrap();
        assert!(error.contains("team-a"), "{error}");
    }
    assert_eq!(bed.record("main/alice").consumed.to_string(), "¥450.00");
    let asked = bed.ask(ADMIN, "/monitor run").await;
    bed.card_becomes(&asked.message_id, |card| card.contains("监控执行未完全成功")).await;
}
