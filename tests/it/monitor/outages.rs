//! Outages of the cloud while bills are read, short and long, and bills that cannot be right. For single calls that fail, see
//! `promises::faults`.

use std::time::Duration;

use airgate::domain::{CycleOutcome, UserStatus};
use airgate::sandbox::volcengine::{Fault, FaultRule};
use airgate::sandbox::world::{BillRow, Product};
use airgate::server::Timeouts;
use rust_decimal::Decimal;

use crate::bed::{ADMIN, Bed, fragment, one_account, phrase, quick, text_of};

const LIST: &str = "ListSplitBillDetail";

fn throttled(http: u16) -> Fault {
    Fault::Code {
        http,
        code: "AccountFlowLimitExceeded".to_owned(),
        message: "beyond the limit".to_owned(),
    }
}

/// A user at 45 % of 1000, by 450 rows on two pages.
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
    let timeouts = Timeouts { cloud: Duration::from_secs(3), ..quick() };
    let bed = Bed::with_timeouts(world, &[], timeouts).await;
    bed.add_users(&["main/alice"]);
    bed.link("main/alice", "team-a", "");
    bed.allocate("main/alice", "1000");
    let report = bed.cycle().await;
    assert_eq!((report.outcome, report.warnings), (CycleOutcome::Ok, 0));
    bed
}

#[tokio::test(flavor = "multi_thread")]
async fn split_bills_that_are_switched_off_do_not_count_as_zero() {
    let bed = bed().await;
    // The quota is used up, but the bill cannot be read.
    bed.cloud.update(|world| {
        world.account_mut("main").unwrap().spend("team-a", 2000.into(), "2026-11".parse().unwrap());
        world.account_mut("main").unwrap().split_bills_enabled = false;
    });
    let report = bed.cycle().await;
    assert_eq!((report.outcome, report.disables), (CycleOutcome::Error, 0));
    let error = report.accounts[0].error.clone().unwrap();
    assert!(error.contains(&fragment("trouble.no_split_bill")), "{error}");
    assert_eq!(bed.consumed("main/alice"), "¥450.00");
    bed.cloud.update(|world| world.account_mut("main").unwrap().split_bills_enabled = true);
    assert_eq!(bed.cycle().await.disables, 1);
    assert_eq!(bed.consumed("main/alice"), "¥2,450.00");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_short_outage_is_retried_within_the_cycle() {
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
    let card = text_of(&bed.ask(ADMIN, "/quota alice 10").await);
    assert!(card.contains("¥1,010.00"), "{card}");
    let reply = bed.ask(ADMIN, "/sync").await;
    bed.shows(&reply.message_id, &fragment("sync.error")).await;
    assert_eq!(bed.user("main/alice").status, UserStatus::Active);
    // One incident, however many cycles fail.
    assert_eq!(bed.alert_records().len(), 1);
    bed.cloud.faults().clear();
    assert_eq!(bed.cycle().await.outcome, CycleOutcome::Ok);
    assert_eq!(bed.alert_records().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_absurd_bill_fails_the_cycle_and_changes_nothing() {
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
    assert_eq!(bed.consumed("main/alice"), "¥450.00");
    let reply = bed.ask(ADMIN, "/monitor run").await;
    bed.shows(&reply.message_id, &phrase("cycle.title_nothing")).await;
}
