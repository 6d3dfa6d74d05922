//! Bills that are not as one expects: rows without a day, refunds, a first use in mid-month, renamed projects, late rows.

use std::time::Duration;

use airgate::domain::{BillPeriod, CycleOutcome, Money, ProjectInfo, UserStatus};
use airgate::sandbox::volcengine::{Fault, FaultRule};
use airgate::sandbox::world::{BillRow, Product, ShownIn};
use jiff::SignedDuration;
use jiff::civil::{Date, date};

use super::{alice, bills, decimal, period, spend, two_accounts};
use crate::bed::{ADMIN, Bed, eventually, text_of};

const ALICE: &str = "main/alice";

fn row(project: &str, amount: &str, day: Date) -> BillRow {
    let month = BillPeriod::of_day(day).unwrap();
    let mut row = BillRow::new(month, project, Product::Ecs, decimal(amount));
    row.expense_date = day;
    row
}

fn add(bed: &Bed, row: BillRow) {
    bed.cloud.update(|world| world.account_mut("main").unwrap().add_bill_row(row));
}

fn day_amounts(bed: &Bed, first: Date, last: Date) -> Vec<(Date, String, String)> {
    let main = "main".parse().unwrap();
    let days = bed.store.read(|tx| tx.days(&main, first, last)).unwrap();
    days.into_iter().map(|(day, project, sum)| (day, project, sum.plain())).collect()
}

/// Users and the rest are the account's bill, and the days of a month are the month.
fn adds_up(bed: &Bed, month: &str) {
    let (main, month) = ("main".parse().unwrap(), period(month));
    bed.store
        .read(|tx| {
            let Some(bill) = tx.account_bill(&main, month)? else { return Ok(()) };
            let days = tx.days(&main, month.first_day(), month.last_day())?;
            assert_eq!(days.into_iter().map(|row| row.2).sum::<Money>(), bill.total);
            let rest = tx.unattributed(&main, month)?;
            assert_eq!(rest.into_iter().map(|row| row.1).sum::<Money>(), bill.unattributed);
            Ok::<_, airgate::store::StoreError>(())
        })
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_first_use_in_mid_month_fails_no_cycle_and_a_split_bill_that_stays_empty_does() {
    let bed = alice(&[]).await;
    let only_detail = |day| BillRow { shown_in: ShownIn::Detail, ..row("team-a", "5", day) };
    add(&bed, only_detail(date(2026, 11, 22)));
    let report = bed.cycle().await;
    assert_eq!(report.outcome, CycleOutcome::Ok, "{report:?}");
    assert_eq!(bed.consumed(ALICE), "¥0.00");
    // Two days after the end of that day there still is no split bill.
    bed.at("2026-11-25T02:00:00Z");
    let report = bed.cycle().await;
    let error = report.accounts[0].error.clone().unwrap();
    assert!(error.contains("monitor.bill_source"), "{error}");
    assert!(error.contains("2026-11-22"), "{error}");
    let card = text_of(&bed.ask(ADMIN, "/monitor").await);
    assert!(card.contains("monitor.bill_source"), "{card}");
    add(&bed, row("team-a", "5", date(2026, 11, 22)));
    assert_eq!(bed.cycle().await.outcome, CycleOutcome::Ok);
    assert_eq!(bed.consumed(ALICE), "¥5.00");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_without_a_day_counts_on_the_first_of_its_month() {
    for older in [0, 3_100] {
        let bed = alice(&[]).await;
        for project in ["team-a", "-"] {
            let undated = BillRow { is_undated: true, ..row(project, "30", date(2026, 11, 20)) };
            add(&bed, undated);
        }
        for n in 0..older {
            add(&bed, row("team-a", "0.01", date(2026, 11, 2 + i8::try_from(n % 20).unwrap())));
        }
        for at in ["2026-11-23T02:00:00Z", "2026-11-23T03:00:00Z", "2026-11-24T02:00:00Z"] {
            bed.at(at);
            let report = bed.cycle().await;
            assert_eq!(report.outcome, CycleOutcome::Ok, "{older} {at}: {report:?}");
            let consumed = if older == 0 { "¥30.00" } else { "¥61.00" };
            assert_eq!(bed.consumed(ALICE), consumed, "{older} {at}");
            let first = date(2026, 11, 1);
            let known = [("-", "30.00"), ("team-a", "30.00")];
            let known = known.map(|(name, sum)| (first, name.to_owned(), sum.to_owned()));
            assert_eq!(day_amounts(&bed, first, first), known);
            adds_up(&bed, "2026-11");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refund_larger_than_the_month_leaves_a_negative_month_and_cuts_nobody() {
    let bed = alice(&[]).await;
    add(&bed, row("team-a", "95", date(2026, 10, 20)));
    bed.toggle(ALICE, "team-a", false);
    bed.store
        .write(|tx| {
            let mut link = tx.links_of(&crate::bed::user_key(ALICE))?.remove(0);
            link.since = period("2026-10");
            link.monitored = airgate::domain::Switch::On;
            tx.put_link(&link)
        })
        .unwrap();
    add(&bed, row("team-a", "10", date(2026, 11, 3)));
    assert_eq!(bed.cycle().await.disables, 1);
    eventually("the cut", || bed.user(ALICE).status == UserStatus::Disabled).await;
    add(&bed, row("team-a", "-60", date(2026, 11, 22)));
    let report = bed.cycle().await;
    assert_eq!((report.outcome, report.warnings, report.disables), (CycleOutcome::Ok, 0, 0));
    assert_eq!(bed.consumed(ALICE), "¥45.00");
    assert_eq!(bed.amount(ALICE, "2026-11", "team-a").as_deref(), Some("-50"));
    for card in ["/user alice", "/billing", "/billing alice", "/users", "/projects alice"] {
        let card = bed.ask(ADMIN, card).await;
        assert!(!text_of(&card).is_empty());
    }
    adds_up(&bed, "2026-11");
    adds_up(&bed, "2026-10");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_project_that_is_renamed_in_mid_month_leaves_no_money_out() {
    let bed = alice(&[]).await;
    add(&bed, row("team-a", "20", date(2026, 11, 3)));
    bed.cycle().await;
    // From now on its rows have another name, and the old ones keep theirs.
    add(&bed, row("team-new", "30", date(2026, 11, 21)));
    bed.cycle().await;
    assert_eq!(bed.consumed(ALICE), "¥20.00");
    let main = "main".parse().unwrap();
    let rest = bed.store.read(|tx| tx.unattributed(&main, period("2026-11"))).unwrap();
    assert_eq!(rest, [("team-new".to_owned(), "30".parse().unwrap())]);
    bed.link(ALICE, "team-new", "");
    assert_eq!(bed.consumed(ALICE), "¥50.00", "what is known counts at once");
    adds_up(&bed, "2026-11");
    // All rows take the new name: the old project's amount goes, and nothing counts twice.
    bed.cloud.update(|world| {
        let account = world.account_mut("main").unwrap();
        for row in account.bill_rows_mut(period("2026-11")) {
            row.project = "team-new".to_owned();
        }
        account.add_project("team-new", "新名");
    });
    bed.cycle().await;
    assert_eq!(bed.consumed(ALICE), "¥50.00");
    adds_up(&bed, "2026-11");
    bed.store
        .write(|tx| {
            let name = "team-new".parse().unwrap();
            tx.replace_projects(
                &"main".parse().unwrap(),
                &[ProjectInfo {
                    account: "main".parse().unwrap(),
                    name,
                    display_name: "新名".to_owned(),
                }],
                bed.clock.now(),
            )
        })
        .unwrap();
    assert_eq!(bed.consumed(ALICE), "¥50.00");
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_vanish_and_come_back_are_followed() {
    let bed = alice(&[]).await;
    add(&bed, row("team-a", "20", date(2026, 11, 21)));
    add(&bed, row("team-b", "7", date(2026, 11, 21)));
    bed.cycle().await;
    let rows = bed.cloud.update(|world| {
        let account = world.account_mut("main").unwrap();
        let all = account.bill_rows_mut(period("2026-11"));
        let kept: Vec<BillRow> =
            all.iter().filter(|row| row.project == "team-b").cloned().collect();
        std::mem::replace(all, kept)
    });
    bed.cycle().await;
    assert_eq!(bed.consumed(ALICE), "¥0.00");
    let day = date(2026, 11, 21);
    assert_eq!(day_amounts(&bed, day, day), [(day, "team-b".to_owned(), "7.00".to_owned())]);
    adds_up(&bed, "2026-11");
    bed.cloud.update(|world| {
        *world.account_mut("main").unwrap().bill_rows_mut(period("2026-11")) = rows;
    });
    bed.cycle().await;
    assert_eq!(bed.consumed(ALICE), "¥20.00");
    adds_up(&bed, "2026-11");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_account_that_fails_keeps_nothing_from_the_other_and_takes_nothing_from_it() {
    let bed = two_accounts().await;
    bed.cycle().await;
    bed.cloud.update(|world| {
        for account in ["main", "labs"] {
            world.account_mut(account).unwrap().spend("team-a", 85.into(), period("2026-11"));
        }
    });
    let fault = FaultRule::new(Fault::NotJson).on("ListSplitBillDetail").of("main");
    bed.cloud.faults().inject(fault);
    let report = bed.cycle().await;
    assert_eq!((report.outcome, report.warnings), (CycleOutcome::Error, 1));
    assert_eq!((bed.consumed(ALICE), bed.consumed("labs/bob")), ("¥10.00".into(), "¥95.00".into()));
    bed.cloud.faults().clear();
    let report = bed.cycle().await;
    assert_eq!((report.outcome, report.warnings), (CycleOutcome::Ok, 1));
    assert_eq!(bed.consumed(ALICE), "¥95.00");
    // The spending counts whichever order the accounts answer in.
    adds_up(&bed, "2026-11");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_month_that_turns_while_its_bill_is_read_counts_in_both_months() {
    let bed = alice(&[]).await;
    bed.at("2026-11-30T15:59:59Z");
    add(&bed, row("team-a", "20", date(2026, 11, 29)));
    // The answer takes until the next month has begun.
    let clock = bed.clock.clone();
    let slow = Fault::Slow(Duration::from_millis(500));
    bed.cloud.faults().inject(FaultRule::new(slow).on("ListSplitBillDetail"));
    let turn = async {
        eventually("the bill is asked for", || !bills(&bed).is_empty()).await;
        clock.advance(SignedDuration::from_secs(5));
    };
    let (report, ()) = tokio::join!(bed.cycle(), turn);
    bed.cloud.faults().clear();
    assert_eq!(report.outcome, CycleOutcome::Ok, "{report:?}");
    assert_eq!(bed.consumed(ALICE), "¥20.00");
    add(&bed, row("team-a", "3", date(2026, 11, 30)));
    add(&bed, row("team-a", "4", date(2026, 12, 1)));
    bed.at("2026-12-02T02:00:00Z");
    bed.cycle().await;
    assert_eq!(bed.consumed(ALICE), "¥27.00");
    assert_eq!(bed.amount(ALICE, "2026-11", "team-a").as_deref(), Some("23"));
    assert_eq!(bed.amount(ALICE, "2026-12", "team-a").as_deref(), Some("4"));
    adds_up(&bed, "2026-11");
    adds_up(&bed, "2026-12");
}

#[tokio::test(flavor = "multi_thread")]
async fn late_spending_of_a_linked_project_is_followed_after_the_owner_changed() {
    let bed = alice(&[]).await;
    spend(&bed, "team-a", "40", "2026-11");
    bed.cycle().await;
    bed.change(ALICE, |user| user.owner = Some("ou_owner".parse().unwrap()));
    bed.add_users(&["main/bob"]);
    // Handed over: bob pays from now on, and alice's amount is not counted twice.
    bed.toggle(ALICE, "team-a", false);
    bed.link("main/bob", "team-a", "");
    spend(&bed, "team-a", "5", "2026-11");
    bed.cycle().await;
    assert_eq!((bed.consumed(ALICE), bed.consumed("main/bob")), ("¥0.00".into(), "¥45.00".into()));
    adds_up(&bed, "2026-11");
}
