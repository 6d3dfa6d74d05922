//! What is foretold: users who will run out, unusual days, and balances that will not last. Each is alerted once.

use airgate::domain::{AlertBody, AlertKind, CycleOutcome, Outlook};
use airgate::sandbox::volcengine::{Fault, FaultRule};
use airgate::sandbox::world::{BillRow, Category, Product};
use jiff::civil::{Date, date};
use rust_decimal::Decimal;

use super::{alice, decimal};
use crate::bed::{ADMIN, Bed, text_of};

const ALICE: &str = "main/alice";

fn november(from: i8, to: i8) -> impl Iterator<Item = Date> {
    (from..=to).map(|day| date(2026, 11, day))
}

fn spend_on(bed: &Bed, project: &str, amount: &str, days: impl Iterator<Item = Date>) {
    bed.cloud.update(|world| {
        let account = world.account_mut("main").unwrap();
        days.for_each(|day| account.spend_on(project, decimal(amount), day));
    });
}

/// Alice, linked on the 23rd of November, with ¥10 a day from the 24th on; it is the first of December, and her bill holds the
/// 29th completely.
async fn ten_a_day(further: &[(&str, &str)]) -> Bed {
    let bed = alice(further).await;
    spend_on(&bed, "team-a", "10", november(24, 30));
    bed.at("2026-12-01T02:00:00Z");
    bed
}

fn outlooks(bed: &Bed) -> Vec<Outlook> {
    let alerts = bed.alert_records().into_iter();
    let outlook = |body| match body {
        AlertBody::Forecast { outlook } => Some(outlook),
        _ => None,
    };
    alerts.filter_map(|alert| outlook(alert.body)).collect()
}

fn set_balance(bed: &Bed, cash: &str) {
    bed.cloud.update(|world| {
        let balance = &mut world.account_mut("main").unwrap().balance;
        (balance.cash, balance.frozen) = (decimal(cash), Decimal::ZERO);
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_who_will_soon_run_out_is_told_once_until_a_top_up_moves_the_date_away() {
    let bed = ten_a_day(&[]).await;
    bed.change(ALICE, |user| user.triggered = [50, 80, 90].into());
    bed.cycle().await;
    bed.cycle().await;
    // 100 - 60 are left at the end of the 29th: four days.
    let [Outlook::RunsOut { runs_out, rate, .. }] = &outlooks(&bed)[..] else {
        panic!("{:?}", outlooks(&bed))
    };
    assert_eq!((runs_out.on, rate.days), (date(2026, 12, 3), 6));
    let card = text_of(bed.alerts().last().unwrap());
    for part in ["alice", "2026-12-03", "2026-11-29", "¥10.00", "¥70.00", "¥100.00"] {
        assert!(card.contains(part), "{part}: {card}");
    }
    for card in [bed.ask(ADMIN, "/user alice").await, bed.ask(ADMIN, "/alerts alice").await] {
        assert!(text_of(&card).contains("2026-12-03"), "{}", text_of(&card));
    }
    bed.allocate(ALICE, "100");
    bed.cycle().await;
    assert_eq!((outlooks(&bed).len(), bed.user(ALICE).forecast_alerted), (1, None));
    bed.allocate(ALICE, "-100");
    bed.change(ALICE, |user| user.triggered = [50, 80, 90].into());
    bed.cycle().await;
    assert_eq!(outlooks(&bed).len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn orders_and_refunds_do_not_come_again() {
    let bed = ten_a_day(&[]).await;
    bed.allocate(ALICE, "1000");
    bed.cloud.update(|world| {
        let account = world.account_mut("main").unwrap();
        for (day, category, amount) in [
            (27, Category::ConsumeNew, "900"),
            (28, Category::RefundTerminate, "-7"),
            (30, Category::ConsumeNew, "100"),
        ] {
            let mut row =
                BillRow::new("2026-11".parse().unwrap(), "team-a", Product::Ecs, decimal(amount));
            (row.expense_date, row.category) = (date(2026, 11, day), category);
            account.add_bill_row(row);
        }
    });
    bed.cycle().await;
    assert_eq!(bed.consumed(ALICE), "¥1,063.00");
    let user = bed.user(ALICE);
    let forecast = bed.store.read(|tx| tx.forecast(&user, bed.clock.now())).unwrap().unwrap();
    // Of 1,100, 47 were left at the end of the 29th without the order of the 30th.
    assert_eq!((forecast.rate.spent, forecast.rate.days), ("60".parse().unwrap(), 6));
    assert_eq!(forecast.runs_out.unwrap().on, date(2026, 12, 4));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_warning_says_what_is_foretold_and_no_second_card_does() {
    let bed = ten_a_day(&[]).await;
    bed.cycle().await;
    bed.cycle().await;
    assert_eq!(bed.alert_kinds(), [AlertKind::Warning]);
    let card = text_of(&bed.alerts()[0]);
    assert!(card.contains("2026-12-03"), "{card}");
}

#[tokio::test(flavor = "multi_thread")]
async fn forecasts_that_are_off_alert_nothing() {
    let bed = ten_a_day(&[("MONITOR__FORECAST_DAYS", "0"), ("MONITOR__BALANCE_DAYS", "0")]).await;
    bed.change(ALICE, |user| user.triggered = [50, 80, 90].into());
    set_balance(&bed, "1");
    bed.cycle().await;
    assert!(bed.alert_records().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unusual_day_is_alerted_once_by_project() {
    let bed = ten_a_day(&[]).await;
    bed.allocate(ALICE, "10000");
    set_balance(&bed, "100000");
    spend_on(&bed, "team-b", "40", november(1, 28));
    spend_on(&bed, "team-c", "40", november(1, 28));
    spend_on(&bed, "team-b", "120", november(29, 29));
    spend_on(&bed, "team-c", "119", november(29, 29));
    bed.cycle().await;
    bed.cycle().await;
    let [Outlook::Spikes { day, projects, .. }] = &outlooks(&bed)[..] else {
        panic!("{:?}", outlooks(&bed))
    };
    let named: Vec<&str> = projects.iter().map(|spike| spike.project.as_str()).collect();
    assert_eq!((*day, named), (date(2026, 11, 29), vec!["team-b"]));
    let card = text_of(bed.alerts().last().unwrap());
    assert!(card.contains("team-b") && card.contains("¥120.00"), "{card}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_low_balance_is_alerted_once_and_its_recovery_once() {
    let bed = ten_a_day(&[]).await;
    bed.allocate(ALICE, "10000");
    // ¥60 in the last 7 complete days: 7 more cost 60.
    for (cash, unreadable, alerts) in [
        ("60", false, 0),
        ("59.99", true, 0),
        ("59.99", false, 1),
        ("59.99", false, 1),
        ("60", false, 1),
        ("5000", true, 1),
        ("5000", false, 2),
        ("5000", false, 2),
    ] {
        set_balance(&bed, cash);
        if unreadable {
            let fault = FaultRule::new(Fault::Status(500)).on("QueryBalanceAcct");
            bed.cloud.faults().inject(fault);
        }
        assert_eq!(bed.cycle().await.outcome, CycleOutcome::Ok, "{cash}");
        bed.cloud.faults().clear();
        assert_eq!(outlooks(&bed).len(), alerts, "{cash} {unreadable}: {:?}", outlooks(&bed));
    }
    let found = outlooks(&bed);
    assert!(matches!(found[..], [Outlook::BalanceLow { .. }, Outlook::BalanceRecovered { .. }]));
    let low = text_of(&bed.alerts()[0]);
    assert!(low.contains("¥59.99") && low.contains("¥8.57"), "{low}");
}
