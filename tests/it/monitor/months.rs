//! Which months are read: earlier ones once, the last one until it is settled.

use airgate::domain::CycleOutcome;
use airgate::sandbox::volcengine::{Fault, FaultRule};

use super::{alice, decimal, once, period, reads, spend};
use crate::bed::{Bed, one_account};

#[tokio::test(flavor = "multi_thread")]
async fn earlier_months_are_filled_in_once() {
    let mut world = one_account();
    for month in ["2026-08", "2026-09", "2026-10", "2026-11"] {
        world.account_mut("main").unwrap().spend("team-a", decimal("1.5"), period(month));
        world.account_mut("main").unwrap().spend("team-b", decimal("2"), period(month));
    }
    let bed = Bed::start(world).await;
    bed.add_users(&["main/alice", "main/bob"]);
    bed.link("main/alice", "team-a", "2026-08");
    bed.cycle().await;
    assert_eq!(reads(&bed), once(&["2026-08", "2026-09", "2026-10", "2026-11"]));
    assert_eq!(bed.consumed("main/alice"), "¥6.00");

    bed.cloud.clear_calls();
    bed.cycle().await;
    assert_eq!(reads(&bed), once(&["2026-11"]));

    // A second user needs no further reading, whatever the project: a month was read with all of them.
    bed.cloud.clear_calls();
    bed.link("main/bob", "team-a", "2026-10");
    assert_eq!(bed.consumed("main/bob"), "¥3.00");
    bed.link("main/bob", "team-b", "2026-10");
    bed.cycle().await;
    assert_eq!(reads(&bed), once(&["2026-11"]));
    assert_eq!(bed.consumed("main/bob"), "¥7.00");
    assert_eq!(bed.consumed("main/alice"), "¥6.00");
    assert_eq!(bed.amount("main/bob", "2026-09", "team-a"), None);
}

/// A new link may open two years of a large account: only a few months are held at once.
#[tokio::test(flavor = "multi_thread")]
async fn many_months_are_read_and_recorded_a_few_at_a_time_the_last_ones_first() {
    let mut world = one_account();
    let months = ["2026-05", "2026-06", "2026-07", "2026-08", "2026-09", "2026-10", "2026-11"];
    for month in months {
        world.account_mut("main").unwrap().spend("team-a", decimal("1.5"), period(month));
    }
    let bed = Bed::start(world).await;
    bed.add_users(&["main/alice"]);
    bed.link("main/alice", "team-a", "2026-05");
    // What was read before the failure is recorded.
    bed.cloud.faults().inject(FaultRule::new(Fault::NotJson).on("ListSplitBillDetail").after(3));
    assert_eq!(bed.cycle().await.outcome, CycleOutcome::Error);
    assert_eq!(bed.consumed("main/alice"), "¥4.50");
    assert_eq!(bed.amount("main/alice", "2026-11", "team-a").as_deref(), Some("1.5"));
    assert_eq!(bed.amount("main/alice", "2026-08", "team-a"), None);
    bed.cloud.faults().clear();

    bed.cloud.clear_calls();
    let report = bed.cycle().await;
    assert_eq!(report.outcome, CycleOutcome::Ok);
    let read = ["2026-05", "2026-06", "2026-07", "2026-08", "2026-11"];
    assert_eq!(reads(&bed), once(&read));
    let told: Vec<String> = report.accounts[0].periods.iter().map(ToString::to_string).collect();
    assert_eq!(told, read);
    assert_eq!(bed.consumed("main/alice"), "¥10.50");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cycle_under_a_clock_that_was_ahead_closes_no_month() {
    let bed = alice(&[]).await;
    spend(&bed, "team-a", "10", "2026-11");
    let today = bed.clock.now();
    bed.at("2027-01-20T00:00:00Z");
    bed.cycle().await;
    bed.at(&today.to_string());
    spend(&bed, "team-a", "5000", "2026-11");
    bed.cloud.clear_calls();
    bed.cycle().await;
    assert_eq!(reads(&bed), once(&["2026-11"]));
    assert_eq!(bed.consumed("main/alice"), "¥5,010.00");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_month_stays_open_until_it_is_read_after_ten_on_the_6th() {
    let bed = alice(&[]).await;
    bed.at("2026-11-30T15:00:00Z");
    spend(&bed, "team-a", "10", "2026-11");
    bed.cycle().await;

    // Its last days, and corrections, arrive in the next month.
    bed.at("2026-12-05T09:00:00Z");
    spend(&bed, "team-a", "2.25", "2026-11");
    bed.cloud.clear_calls();
    bed.cycle().await;
    assert_eq!(reads(&bed), once(&["2026-11", "2026-12"]));
    assert_eq!(bed.consumed("main/alice"), "¥12.25");

    // A reading a minute before ten leaves it open; the first reading at or after ten closes it.
    for (at, periods) in [
        ("2026-12-06T01:59:00Z", &["2026-11", "2026-12"][..]),
        ("2026-12-06T02:00:00Z", &["2026-11", "2026-12"]),
        ("2026-12-06T02:00:30Z", &["2026-12"]),
    ] {
        bed.at(at);
        bed.cloud.clear_calls();
        bed.cycle().await;
        assert_eq!(reads(&bed), once(periods), "{at}");
    }
    bed.at("2026-12-07T09:00:00Z");
    spend(&bed, "team-a", "50", "2026-11");
    bed.cycle().await;
    assert_eq!(bed.consumed("main/alice"), "¥12.25");
    assert_eq!(bed.amount("main/alice", "2026-11", "").as_deref(), Some("12.25"));

    // Contract billing arrives until the 16th: one more reading.
    for (at, periods) in [
        ("2026-12-16T01:59:00Z", &["2026-12"][..]),
        ("2026-12-16T02:00:00Z", &["2026-11", "2026-12"]),
        ("2026-12-16T02:00:30Z", &["2026-12"]),
    ] {
        bed.at(at);
        bed.cloud.clear_calls();
        bed.cycle().await;
        assert_eq!(reads(&bed), once(periods), "{at}");
    }
    assert_eq!(bed.consumed("main/alice"), "¥62.25");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reading_that_fails_on_the_6th_does_not_close_the_month() {
    let bed = alice(&[]).await;
    spend(&bed, "team-a", "10", "2026-11");
    bed.cycle().await;
    bed.at("2026-12-06T03:00:00Z");
    spend(&bed, "team-a", "1", "2026-11");
    // November is read, December fails: the account counts as unread.
    bed.cloud.faults().inject(FaultRule::new(Fault::NotJson).on("ListSplitBillDetail").after(1));
    let report = bed.cycle().await;
    assert_eq!(report.outcome, CycleOutcome::Error);
    assert_eq!(bed.consumed("main/alice"), "¥10.00");
    bed.cloud.faults().clear();
    bed.cloud.clear_calls();
    bed.cycle().await;
    assert_eq!(reads(&bed), once(&["2026-11", "2026-12"]));
    assert_eq!(bed.consumed("main/alice"), "¥11.00");
}

#[tokio::test(flavor = "multi_thread")]
async fn months_that_ended_while_the_service_was_down_are_read_once_more() {
    let mut bed = alice(&[]).await;
    spend(&bed, "team-a", "10", "2026-11");
    bed.cycle().await;
    spend(&bed, "team-a", "5", "2026-11");
    spend(&bed, "team-a", "7", "2026-12");
    bed.cloud.clear_calls();
    bed.at("2027-01-20T00:00:00Z");
    // A cycle is overdue and runs by itself.
    bed.restart().await;
    bed.eventually("the overdue cycle", |bed| bed.consumed("main/alice") == "¥22.00").await;
    assert_eq!(reads(&bed), once(&["2026-11", "2026-12", "2027-01"]));
    bed.cloud.clear_calls();
    bed.cycle().await;
    assert_eq!(reads(&bed), once(&["2027-01"]));
    assert_eq!(bed.amount("main/alice", "2026-12", "").as_deref(), Some("7"));
}
