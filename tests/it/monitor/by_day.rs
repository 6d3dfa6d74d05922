//! Large bills are read by day: how many calls that takes, and what happens where it does not work.

use airgate::domain::{BillPeriod, CycleOutcome, Money};
use airgate::sandbox::world::{BillRow, DayFilter, FakeAccount, Product};
use jiff::civil::{Date, date};

use super::{alice, bills, decimal, period};
use crate::bed::Bed;

/// Adds `rows` rows of ¥0.01 to each of the days, in turn for three projects, one of which is alice's.
fn add_rows(account: &mut FakeAccount, days: impl Iterator<Item = Date>, rows: usize) {
    for day in days {
        for n in 0..rows {
            let project = ["team-a", "team-b", "-"][n % 3];
            let month = BillPeriod::of_day(day).unwrap();
            let mut row = BillRow::new(month, project, Product::Ecs, decimal("0.01"));
            row.expense_date = day;
            account.add_bill_row(row);
        }
    }
}

fn november(from: i8, to: i8) -> impl Iterator<Item = Date> {
    (from..=to).map(|day| date(2026, 11, day))
}

/// Alice, and a bill of `older` rows in the first 20 days of November and `recent` in each of the last three.
async fn large(older: usize, recent: usize) -> Bed {
    let bed = alice(&[]).await;
    bed.cloud.update(|world| {
        let account = world.account_mut("main").unwrap();
        add_rows(account, november(1, 20), older);
        add_rows(account, november(21, 23), recent);
    });
    bed
}

/// Runs a cycle; returns how many pages of bills it read.
async fn cycle(bed: &Bed) -> usize {
    bed.cloud.clear_calls();
    assert_eq!(bed.cycle().await.outcome, CycleOutcome::Ok);
    bills(bed).len()
}

/// What is recorded is the stand-in's bill: alice's part, the rest, and the days.
fn check(bed: &Bed) {
    let main = "main".parse().unwrap();
    let month = period("2026-11");
    let (of_alice, total) = bed.cloud.read(|world| {
        let account = world.account("main").unwrap();
        let total = account.bill_rows(month).iter().map(|row| row.payable).sum();
        (Money::new(account.payable("team-a", month)), Money::new(total))
    });
    bed.store
        .read(|tx| {
            let bill = tx.account_bill(&main, month)?.unwrap();
            assert_eq!((bill.total, bill.of_users()), (total, of_alice));
            let days = tx.days(&main, month.first_day(), month.last_day())?;
            assert_eq!(days.iter().map(|row| row.2).sum::<Money>(), total);
            Ok::<_, airgate::store::StoreError>(())
        })
        .unwrap();
    assert_eq!(bed.consumed("main/alice"), of_alice.to_string());
}

async fn number_of_pages(older: usize, recent: usize) -> (usize, usize) {
    let bed = large(older, recent).await;
    let first = cycle(&bed).await;
    check(&bed);
    // Rows of the last days are seen by the next cycle.
    bed.cloud.update(|world| {
        add_rows(world.account_mut("main").unwrap(), november(22, 22), 30);
    });
    let second = cycle(&bed).await;
    check(&bed);
    (first, second)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_bill_is_read_whole_once_and_then_by_its_last_days() {
    // A tenth of the real thing: see the next test.
    assert_eq!(number_of_pages(985, 100).await, (67, 3));
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes a minute: 200,000 rows a month, 3,000 of them in the last three days; run by .ci/run"]
async fn two_hundred_thousand_rows_take_667_pages_once_and_twelve_each_further_cycle() {
    assert_eq!(number_of_pages(9_850, 1_000).await, (667, 12));
}

#[tokio::test(flavor = "multi_thread")]
async fn older_days_are_read_once_a_day_and_compared_with_the_whole_bill() {
    let bed = large(200, 10).await;
    cycle(&bed).await;
    // A late row of an older day is not seen before tomorrow.
    bed.cloud.update(|world| {
        add_rows(world.account_mut("main").unwrap(), november(3, 3), 30);
    });
    assert_eq!(cycle(&bed).await, 3);
    bed.at("2026-11-24T02:00:00Z");
    assert_eq!(cycle(&bed).await, 24);
    check(&bed);
    assert_eq!(cycle(&bed).await, 3);
    // A row that no day has: the whole bill is read again, and the days that hold it are not read alone.
    bed.cloud.update(|world| {
        let account = world.account_mut("main").unwrap();
        let mut row = BillRow::new(period("2026-11"), "team-a", Product::Ecs, decimal("-0.5"));
        row.expense_date = date(2026, 10, 12);
        account.add_bill_row(row);
    });
    bed.at("2026-11-25T02:00:00Z");
    let whole = (20 * 200 + 3 * 10 + 30 + 1_usize).div_ceil(300);
    assert_eq!(cycle(&bed).await, 25 + whole);
    check(&bed);
    bed.at("2026-11-26T02:00:00Z");
    assert_eq!(cycle(&bed).await, whole);
    check(&bed);
    // The month is over: on the 6th at ten every day is read, and the total compared.
    bed.at("2026-12-06T02:00:00Z");
    cycle(&bed).await;
    check(&bed);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bill_that_cannot_be_read_by_day_is_read_whole_once_a_day() {
    for rule in [DayFilter::Refused, DayFilter::Ignored] {
        let bed = large(200, 10).await;
        bed.cloud.update(|world| world.rules.day_filter = rule);
        let whole = (20 * 200 + 3 * 10_usize).div_ceil(300);
        assert_eq!(cycle(&bed).await, whole);
        // One attempt, then nothing more today.
        assert_eq!(cycle(&bed).await, 1, "{rule:?}");
        assert_eq!(cycle(&bed).await, 0);
        check(&bed);
        bed.cloud.update(|world| {
            add_rows(world.account_mut("main").unwrap(), november(23, 23), 3);
        });
        bed.at("2026-11-24T02:00:00Z");
        assert_eq!(cycle(&bed).await, whole);
        check(&bed);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn once_the_month_is_over_its_days_are_compared_with_the_account_s_total() {
    let bed = large(200, 10).await;
    bed.at("2026-12-02T02:00:00Z");
    cycle(&bed).await;
    bed.at("2026-12-03T02:00:00Z");
    let pages = cycle(&bed).await;
    assert_eq!(bed.cloud.count("ListBillOverviewByProd"), 1);
    // Every day of November, and December.
    let days = (20 + 3 + 7) + 1;
    assert_eq!(pages, days);
    check(&bed);
}
